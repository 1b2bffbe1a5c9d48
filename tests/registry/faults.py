"""A registry that misbehaves as told: an HTTP server whose every answer is a Python function's.

    with FaultServer(lambda seen: Answer(404)) as server: …

A script gets what was asked and returns an Answer, bytes (sent as they are, then the connection ends) or a function
that writes to the connection itself. Everything asked is kept in `seen`, the most in flight at once in `peak`.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from transformer.images.reference import Reference, parse
from transformer.policy.questions import Answer as Verdict
from transformer.policy.questions import Missing, Question, Refusal
from transformer.registry.keychain import NoKeychain
from transformer.registry.resolver import RegistryResolver
from transformer.registry.retry import Limits

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"

#: Short enough for tests, long enough for a busy machine.
QUICK = Limits(connect=2, request=2, backoff_base=0.001, backoff_cap=0.002)


class Seen(NamedTuple):
    """One request as the server saw it; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


class Answer(NamedTuple):
    """One answer. Content-Length is added unless `headers` has it, or says that the body is chunked."""

    status: int = 200
    headers: Mapping[str, str] = {}  # noqa: RUF012
    body: bytes = b""


Script = Callable[[Seen], Any]


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def content_of(name: str) -> bytes:
    """The descriptor's content of an image, different for each name."""
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(name.encode()), "size": 1}
    return json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": []}).encode()


def good(content: bytes, media_type: str = IMAGE, **headers: str) -> Answer:
    """What a proper registry answers for this content; `docker_content_digest=""` leaves the digest header out."""
    found = {"Content-Type": media_type, "Docker-Content-Digest": digest_of(content)}
    found |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    return Answer(200, {name: value for name, value in found.items() if value}, content)


def proper(seen: Seen) -> Answer:
    """Every image exists; its content is that of its path without the tag or digest."""
    return good(content_of(seen.path.partition("/manifests/")[0]))


def bearer(realm: str, service: str = "the registry", **more: str) -> Answer:
    """A 401 that asks for a token."""
    params = {"realm": realm, "service": service, **more}
    return Answer(
        401, {"WWW-Authenticate": "Bearer " + ",".join(f'{name}="{value}"' for name, value in params.items())}
    )


def errors(status: int, code: str, message: str, **headers: str) -> Answer:
    """An error as the distribution spec writes it."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answer(status, {"Content-Type": "application/json", **headers}, body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultServer

    def do_GET(self) -> None:
        with self.server.counted():
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, self.path, headers, self.rfile.read(length))
            answer = self.server.answer(seen)
            with suppress(OSError):  # the client may have hung up; that is often the point
                self._send(answer)

    do_HEAD = do_POST = do_GET

    def _send(self, answer: Any) -> None:
        if isinstance(answer, bytes):
            self.wfile.write(answer)
            self.close_connection = True
        elif not isinstance(answer, Answer):
            answer(self)
            self.close_connection = True
        else:
            self.send_response(answer.status)
            names = {name.lower() for name in answer.headers}
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "content-length" not in names:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

    def log_message(self, *args: Any) -> None:
        pass


class FaultServer(ThreadingHTTPServer):
    """Serves `script` on a free loopback port, over TLS when given a context; `delay` in seconds before each answer."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, script: Script, delay: float = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.delay, self._tls = script, delay, tls
        self.seen: list[Seen] = []
        self.peak = self._inside = 0
        self._lock = threading.Lock()
        self.stopped = threading.Event()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> Any:
        sock, address = super().get_request()
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return sock, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence: clients that hang up are expected here."""

    def counted(self) -> _Counted:
        return _Counted(self)

    def answer(self, seen: Seen) -> Any:
        with self._lock:
            self.seen.append(seen)
        if self.delay:
            time.sleep(self.delay)
        return self.script(seen)

    def enter(self, step: int) -> None:
        with self._lock:
            self._inside += step
            self.peak = max(self.peak, self._inside)

    def asked(self, part: str = "/manifests/") -> list[str]:
        """`METHOD path` of every request whose path holds `part`, in order of arrival."""
        return [f"{seen.method} {seen.path}" for seen in self.seen if part in seen.path]

    def sent_credentials(self) -> list[str]:
        """Every Authorization header that has arrived."""
        return [seen.headers["authorization"] for seen in self.seen if "authorization" in seen.headers]

    def __enter__(self) -> FaultServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()


class _Counted:
    def __init__(self, server: FaultServer) -> None:
        self._server = server

    def __enter__(self) -> None:
        self._server.enter(1)

    def __exit__(self, *args: object) -> None:
        self._server.enter(-1)


def drip(prefix: bytes, server: Callable[[], FaultServer]) -> Callable[[Any], None]:
    """Sends `prefix`, then one byte every 50 ms until the server stops or the client hangs up."""

    def write(handler: Any) -> None:
        handler.wfile.write(prefix)
        while not server().stopped.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    return write


def reference(text: str) -> Reference:
    return parse(text).normalised()


def resolver(**options: Any) -> RegistryResolver:
    """A resolver with short times and no credentials, unless told otherwise."""
    return RegistryResolver(**{"timeout": 20, "limits": QUICK, "keychain": NoKeychain(), **options})


def ask(server: FaultServer | str, image: str = "team/app:1", **options: Any) -> Verdict:
    """The answer for one image at a server (or host)."""
    host = server if isinstance(server, str) else server.host
    question = Question(reference(f"{host}/{image}"))
    return resolver(**options).ask([question])[question]


def refusal(verdict: Verdict) -> Refusal:
    """The one refusal of an answer that is none."""
    assert isinstance(verdict, Missing), verdict
    assert len(verdict.refusals) == 1
    return verdict.refusals[0]
