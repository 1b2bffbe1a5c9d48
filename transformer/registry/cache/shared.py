"""The store of a fleet: a Redis (or Valkey) that several machines share, trusted with nothing.

Whoever can write to that Redis must not choose digests: every text is signed with a secret that the Redis does not
have, together with the key that it stands under. One process asks and the others wait, by a lease that ends with its
holder. A Redis that is down, slow, full or answers nonsense costs a moment (calls.py) and a note.
"""

from __future__ import annotations

import hmac
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from transformer.images.reference import shorten
from transformer.registry.cache.calls import Calls, Unanswered, overloaded
from transformer.registry.cache.entries import TEXT_LIMIT
from transformer.registry.cache.store import Stats, StoreError, failed_key, mac

#: Seconds after which a thread that waits for a socket ends; nobody waits for it that long (calls.py).
TIMEOUT = 5.0
#: Milliseconds that a lease lives unless it is renewed: how long others wait for a process that was killed.
LEASE = 10_000
#: Seconds for the others to hear of it that there is no answer.
FAILED = 2.0
#: Seconds for a command of a person, who waits.
PATIENCE = 10.0
#: What Redis says of a key without an end.
FOREVER = -1
_TAG = 64
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"
_RENEW = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end"
)


class Server(NamedTuple):
    """Where a Redis is and as whom it is asked; `ca` is a file, None for the system's CAs."""

    host: str
    port: int = 6379
    database: int = 0
    tls: bool = False
    username: str | None = None
    password: str | None = None
    ca: str | None = None
    prefix: str = "pindown:"

    def __repr__(self) -> str:  # the generated one would show the password in a traceback
        return f"Server({self.host!r}, {self.port})"


class SharedStore:
    """A Store in a Redis. `secret` signs; connections are opened at the first use."""

    def __init__(self, server: Server, secret: str, busy: Callable[[], bool] = overloaded) -> None:
        self._server, self._where = server, f"{shorten(server.host)}:{server.port}"
        self._naming = bytes.fromhex(mac(secret.encode(), "names", server.prefix))
        self._signing = bytes.fromhex(mac(secret.encode(), "texts", server.prefix))
        self.notes: list[str] = []
        self._busy, self._calls = busy, Calls(busy)
        self._lock = threading.Lock()
        self._redis: Any = None
        self._forged = False
        self._held: dict[str, str] = {}

    def read(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See Store. What is not signed for its key is not there."""
        if not keys:
            return {}
        names = [self._name(key) for key in keys]
        answered = self._do(lambda redis: redis.mget(names))
        if not isinstance(answered, list) or len(answered) != len(keys):
            return {}
        found = ((key, self._verified(key, value)) for key, value in zip(keys, answered, strict=True))
        return {key: text for key, text in found if text is not None}

    def write(self, texts: Mapping[str, str], keep: float) -> None:
        """See Store."""
        milliseconds = max(int(keep * 1000), 1)

        def send(redis: Any) -> Any:
            pipeline = redis.pipeline(transaction=False)
            for key, text in texts.items():
                pipeline.set(self._name(key), mac(self._signing, key, text) + text, px=milliseconds)
            return pipeline.execute()

        self._do(send)

    def claim(self, key: str) -> bool:
        """See Store. Without a Redis everybody asks for himself."""
        token, name = os.urandom(16).hex(), self._lease(key)

        def take(redis: Any) -> Any:
            pipeline = redis.pipeline(transaction=False)
            pipeline.set(name, token, nx=True, px=LEASE)
            pipeline.pttl(name)
            return pipeline.execute()

        taken, left = self._do(take, otherwise=(None, FOREVER))
        if taken:
            with self._lock:
                self._held[name] = token
        # What never ends, or not soon, is no lease of ours: nobody waits for it.
        return bool(taken) or left == FOREVER or left > LEASE

    def release(self, key: str, answered: bool) -> None:
        """See Store."""
        name = self._lease(key)
        with self._lock:
            token = self._held.pop(name, None)
        if token is None:
            return
        if not answered:
            self.write({failed_key(key): "failed"}, FAILED)
        self._do(lambda redis: redis.eval(_RELEASE, 1, name, token))

    def tick(self) -> None:
        """See Store: a lookup may take longer than a lease lives."""
        with self._lock:
            held = list(self._held.items())

        def renew(redis: Any) -> Any:
            pipeline = redis.pipeline(transaction=False)
            for name, token in held:
                pipeline.eval(_RENEW, 1, name, token, LEASE)
            return pipeline.execute()

        if held:
            self._do(renew)

    def close(self) -> None:
        """See Store. Leases that are left (the run was interrupted) are given back."""
        with self._lock:
            held, self._held = list(self._held.items()), {}

        def give_back(redis: Any) -> Any:
            pipeline = redis.pipeline(transaction=False)
            for name, token in held:
                pipeline.eval(_RELEASE, 1, name, token)
            return pipeline.execute()

        if held:
            self._do(give_back)
        if self._calls.closed:
            return
        self._calls.close("the run is over")
        with self._lock:  # a later batch begins anew; a Redis that was in trouble is not asked again
            client, self._redis, self._calls = self._redis, None, Calls(self._busy)
        if client is not None:
            client.close()

    def stats(self) -> Stats:
        """What is in it; raises StoreError."""

        def count(redis: Any) -> tuple[int, int]:
            entries = size = 0
            for names in _batches(redis.scan_iter(match=_literal(self._server.prefix) + "a:*", count=1000)):
                pipeline = redis.pipeline(transaction=False)
                for name in names:
                    pipeline.strlen(name)
                lengths = pipeline.execute()
                entries, size = entries + len(names), size + sum(lengths)
            return entries, size

        entries, size = self._asked(count)
        return Stats(f"{self._where} (keys {shorten(self._server.prefix)}*)", entries, size)

    def clear(self) -> int:
        """Removes what stands under the prefix; says how many answers that were. Raises StoreError."""

        def remove(redis: Any) -> int:
            removed = 0
            for kind in ("l", "a"):
                pattern = f"{_literal(self._server.prefix)}{kind}:*"
                removed = sum(
                    int(redis.delete(*names)) for names in _batches(redis.scan_iter(match=pattern, count=1000))
                )
            return removed

        return int(self._asked(remove))

    def _do(self, work: Callable[[Any], Any], otherwise: Any = None) -> Any:
        """What comes of a call, `otherwise` when the Redis fails: then this run does not ask it again."""
        try:
            self._calls.check()
            client = self._client()
            return self._calls.make(lambda: work(client))
        except Unanswered as error:
            self._without(str(error))
        except Exception as error:  # redis-py's, and those of sockets and TLS; their texts may quote what was sent
            self._without(self._calls.close(_why(error)))
        return otherwise

    def _asked(self, work: Callable[[Any], Any]) -> Any:
        """For a person, who waits longer."""
        try:
            return self._calls.make(lambda: work(connect(self._server, PATIENCE)), 2 * PATIENCE)
        except Exception as error:
            why = str(error) if isinstance(error, Unanswered) else _why(error)
            raise StoreError(f"the Redis at {self._where}: {why}") from None

    def _client(self) -> Any:
        """The client; where nobody listens its library is not even imported."""
        with self._lock:
            if self._redis is None:
                self._calls.make(lambda: reach(self._server))
                self._redis = connect(self._server, TIMEOUT)
            return self._redis

    def _without(self, why: str) -> None:
        with self._lock:
            if not any(note.startswith("this run goes on") for note in self.notes):
                text = f"this run goes on without the shared cache at {self._where}: {why}; every image is asked for"
                self.notes.append(text)

    def _verified(self, key: str, value: object) -> str | None:
        if value is None:
            return None
        text = ""
        if isinstance(value, bytes) and _TAG < len(value) <= _TAG + 4 * TEXT_LIMIT:
            text = value.decode("utf-8", "replace")
        tag, text = text[:_TAG], text[_TAG:]
        if text and hmac.compare_digest(tag.encode(), mac(self._signing, key, text).encode()):
            return text
        with self._lock:
            if not self._forged:
                self._forged = True
                step = "somebody else writes there, or another PINDOWN_CACHE_KEY is in use"
                self.notes.append(
                    f"the shared cache at {self._where} holds answers that are not ours, not used: {step}"
                )
        return None

    def _name(self, key: str) -> str:
        return f"{self._server.prefix}a:{mac(self._naming, key)}"

    def _lease(self, key: str) -> str:
        return f"{self._server.prefix}l:{mac(self._naming, key)}"


def reach(server: Server) -> None:
    """Raises OSError when nobody listens there."""
    import socket

    socket.create_connection((server.host, server.port), TIMEOUT).close()


def connect(server: Server, timeout: float) -> Any:
    """A client of redis-py that tries once; nothing is sent yet."""
    import redis  # takes a tenth of a second, so not in a call that is bounded
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = {"ssl": True, "ssl_ca_certs": server.ca} if server.tls else {}
    options |= {
        "host": server.host,
        "port": server.port,
        "db": server.database,
        "username": server.username,
        "password": server.password,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    try:
        return redis.Redis(**options, driver_info=None)  # else it names itself first, which costs two round trips
    except TypeError:  # redis-py before 7 calls it otherwise
        return redis.Redis(**options, lib_name=None, lib_version=None)


def _why(error: Exception) -> str:
    """The kind of an error and, of what the server itself said, the first word (`OOM`, `NOAUTH`, `READONLY`)."""
    if isinstance(error, TimeoutError) or type(error).__name__ == "TimeoutError":
        return "it does not answer in time"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    word = str(error).partition(" ")[0].rstrip(":.")
    return type(error).__name__ + (f" ({word})" if word.isascii() and word.isupper() and len(word) < 20 else "")


def _literal(text: str) -> str:
    """The text as it stands in a pattern of Redis."""
    return "".join(f"\\{char}" if char in "*?[]\\^-" else char for char in text)


def _batches(names: Any, size: int = 500) -> Any:
    batch: list[Any] = []
    for name in names:
        batch.append(name)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
