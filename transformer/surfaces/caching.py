"""Which cache a run uses, and the doors `cache stats` and `cache clear`.

PINDOWN_CACHE decides: a directory, `off`, or the URL of a Redis that a fleet shares (docs/cache.md); without it the
user's cache directory. How answers are kept is the registry room's affair, which is imported when there is something
to look up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from transformer.errors import EXIT_FINE, HostError, UsageError
from transformer.images.reference import shorten
from transformer.policy.model import Policy
from transformer.surfaces import console, policyfiles

if TYPE_CHECKING:
    from transformer.registry.cache.local import LocalStore
    from transformer.registry.cache.shared import Server, SharedStore

#: Words of a Redis URL's query.
_WORDS = ("ca", "passwordEnv", "prefix", "usernameEnv")
_EXAMPLE = "redis://cache.example.com:6379/0?passwordEnv=REDIS_PASSWORD"


class Cache(NamedTuple):
    """Where answers are remembered: a directory ("": there is none), or a Redis with the secret that signs."""

    folder: str = ""
    server: Server | None = None
    key: str = ""

    def __repr__(self) -> str:  # the generated one would show the secret in a traceback
        return f"Cache({self.folder!r}, {self.server!r})"


def chosen(environ: Mapping[str, str]) -> Cache | None:
    """The cache that the environment asks for, None for none; raises UsageError. Nothing is opened."""
    text = environ.get("PINDOWN_CACHE", "").strip()
    if text == "off":
        return None
    if "://" not in text:
        folder = policyfiles.cache_folder(environ)
        return Cache(os.path.join(folder, "answers") if folder else "")
    scheme = text.partition("://")[0].lower()
    if scheme not in ("redis", "rediss"):
        raise UsageError(f"PINDOWN_CACHE: {shorten(scheme, 20)}:// is no cache; write a directory, off, or {_EXAMPLE}")
    server = _server(text, environ)
    key = environ.get("PINDOWN_CACHE_KEY", "")
    if not key.strip():
        step = "set it to the same secret on every machine, such as the output of `openssl rand -hex 32`"
        raise UsageError(
            f"PINDOWN_CACHE_KEY is missing: without it anybody who can write to that Redis chooses digests; {step}"
        )
    from importlib.util import find_spec

    if find_spec("redis") is None:
        raise UsageError("PINDOWN_CACHE: a Redis needs redis-py: pip install 'pindown[redis]'")
    return Cache(server=server, key=key)


def opened(cache: Cache) -> LocalStore | SharedStore:
    """The store; itself opened at its first use."""
    if cache.server is not None:
        from transformer.registry.cache.shared import SharedStore

        return SharedStore(cache.server, cache.key)
    from transformer.registry.cache.local import LocalStore

    return LocalStore(cache.folder)


def arguments(cache: Cache | None, policy: Policy, fresh: bool) -> dict[str, Any]:
    """What the resolver is told about the cache."""
    from transformer.registry.cache.lookups import Freshness

    rule = Freshness(policy.cache.ttl, policy.cache.stale_if_error, fresh)
    return {"cache": None if cache is None else opened(cache), "freshness": rule}


def at_hand(cache: Cache | None) -> bool:
    """Whether there is a cache that may be looked into without the network, with anything in it."""
    from transformer.registry.cache.folders import NAME

    return cache is not None and cache.server is None and os.path.exists(os.path.join(cache.folder, NAME))


def stats(flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """Prints where the cache is and what it holds; HostError when it cannot be looked into."""
    from transformer.registry.cache.store import StoreError, span

    cache = _wanted(environ)
    try:
        found = opened(cache).stats()
    except StoreError as error:
        raise HostError(f"{error}; check PINDOWN_CACHE") from None
    if flags.get("format") == "json":
        from transformer.report import jsonlines

        console.write_result(jsonlines.line(found._asdict()))
        return EXIT_FINE
    rows = [("where", found.where), ("entries", str(found.entries))]
    if found.size is not None:
        limit = f" of at most {_bytes(found.limit)}" if found.limit is not None else ""
        rows.append(("size", _bytes(found.size) + limit))
    rows += [
        (name, f"{span(max(time.time() - moment, 0))} ago")
        for name, moment in (("oldest", found.oldest), ("newest", found.newest))
        if moment is not None
    ]
    console.write_result("".join(f"{name.ljust(8)} {value}\n" for name, value in rows))
    return EXIT_FINE


def clear(environ: Mapping[str, str]) -> int:
    """Forgets every answer; HostError when that cannot be done."""
    from transformer.registry.cache.store import StoreError

    cache = _wanted(environ)
    try:
        count = opened(cache).clear()
    except StoreError as error:
        raise HostError(f"{error}; nothing was removed; check PINDOWN_CACHE") from None
    noun = "answer was" if count == 1 else "answers were"
    console.write_result(f"{count} {noun} removed\n")
    return EXIT_FINE


def _wanted(environ: Mapping[str, str]) -> Cache:
    cache = chosen(environ)
    if cache is None:
        raise UsageError("PINDOWN_CACHE is off: there is no cache to look into")
    return cache


def _server(text: str, environ: Mapping[str, str]) -> Server:
    """The Redis of a URL; messages name none of its parts but the query's words, since one may be a password."""
    from urllib.parse import parse_qsl, unquote, urlsplit

    from transformer.registry.cache.shared import Server

    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port or 6379
        database = int(url.path.strip("/") or 0)
        words = dict(parse_qsl(url.query, strict_parsing=True)) if url.query else {}
    except ValueError:
        host, port, database, words = None, 0, 0, {}
    if not host or database < 0:
        raise UsageError(f"PINDOWN_CACHE is no URL of a Redis; write it like {_EXAMPLE}")
    for word in words:
        if word not in _WORDS:
            known = ", ".join(_WORDS)
            raise UsageError(f"PINDOWN_CACHE: the URL says {shorten(word, 30)!r}; it may say {known}, after a ?")
    tls = url.scheme.lower() == "rediss"
    if "ca" in words and not (tls and os.path.isfile(words["ca"])):
        what = "is not there" if tls else "is for rediss:// alone"
        raise UsageError(f"PINDOWN_CACHE: ca={shorten(words['ca'], 200)} {what}; name the PEM file of the Redis' CA")
    username = unquote(url.username) if url.username else None
    password = unquote(url.password) if url.password else None
    return Server(
        host,
        port,
        database,
        tls,
        _variable("usernameEnv", words, environ) or username,
        _variable("passwordEnv", words, environ) or password,
        words.get("ca"),
        words.get("prefix") or "pindown:",
    )


def _variable(word: str, words: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    name = words.get(word)
    if name is None:
        return None
    value = environ.get(name)
    if not value:
        raise UsageError(f"PINDOWN_CACHE: {word}={shorten(name, 60)}, but the environment has no such variable")
    return value


def _bytes(count: int) -> str:
    for size, name in ((1 << 20, "MB"), (1 << 10, "kB")):
        if count >= size:
            return f"{count / size:.1f} {name}"
    return f"{count} bytes"
