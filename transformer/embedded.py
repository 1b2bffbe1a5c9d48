"""A small read-only OCI registry on loopback over an image layout: what `pindown demo` asks, and what fault tests ask.

It speaks the pull half of the distribution spec: `/v2/`, manifests by tag and digest, blobs, and Bearer tokens on
chosen repositories. A URL only ever selects a key of tables that are filled when the registry is made, so no path
outside the layout can be named. It does not push, list, mount or serve ranges, and it is no mock of one vendor: tests
of the protocol run against other people's registries. One thread serves one connection. Imported by the demo and by
tests alone.
Source: OCI distribution-spec 1.1; the token handshake of distribution/distribution, docs/spec/auth/token.md.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

_REF_NAME = "org.opencontainers.image.ref.name"
_ROUTE = re.compile(r"/v2/([a-z0-9._/-]+)/(manifests|blobs)/([A-Za-z0-9_.:+-]+)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_SERVICE = "pindown-embedded"
#: Seconds that a token is good for; the token spec's own default, and longer than a demo or a test.
_TOKEN_SECONDS = 60.0
#: Seconds that an idle connection is kept, and that the end waits for the threads that serve one.
_IDLE_SECONDS, _STOP_SECONDS = 30.0, 2.0


class Request(NamedTuple):
    """What was asked: method, path with query as sent, and headers with lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]


class Logged(NamedTuple):
    """A line of the request log. `status` is 0 when the connection was dropped without an answer."""

    method: str
    path: str
    status: int


class Answer(NamedTuple):
    """A status, headers and body; a HEAD is sent without the body but with its length."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Fault(NamedTuple):
    """What to do to one answer. The fields that are not set change nothing; `delay` alone is a slow registry."""

    #: Seconds before the answer starts.
    delay: float = 0.0
    #: Replace the status, body, or single headers (a header of None is left out).
    status: int | None = None
    body: bytes | None = None
    headers: Mapping[str, str | None] = {}
    #: Close the connection with no answer at all.
    drop: bool = False
    #: Close the connection after this many bytes of the answer, head included.
    cut: int | None = None
    #: Seconds between the bytes of the answer.
    drip: float = 0.0


class Repository(NamedTuple):
    """One repository of a layout: digest by tag, (media type, bytes) by digest, and files of blobs by digest."""

    tags: dict[str, str]
    manifests: dict[str, tuple[str, bytes]]
    blobs: dict[str, Path]


def demo_directory() -> Path:
    """`fixtures/demo`: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parent
    for directory in (package / "fixtures" / "demo", package.parent / "fixtures" / "demo"):
        if directory.is_dir():
            return directory
    raise FileNotFoundError(f"fixtures/demo is neither in {package} nor beside it; the installation is incomplete")


def read_layout(layout: Path) -> dict[str, Repository]:
    """The repositories of an OCI image layout whose `ref.name` annotations are `repository:tag`.

    Raises OSError, ValueError or KeyError when the layout is not one: it is ours, so that is a bug of ours.
    """
    repositories: dict[str, Repository] = {}
    for descriptor in json.loads((layout / "index.json").read_bytes())["manifests"]:
        name, _, tag = descriptor["annotations"][_REF_NAME].rpartition(":")
        repository = repositories.setdefault(name, Repository({}, {}, {}))
        repository.tags[tag] = descriptor["digest"]
        _add(layout, repository, descriptor)
    return repositories


def _add(layout: Path, repository: Repository, descriptor: Mapping[str, Any]) -> None:
    digest, media_type = descriptor["digest"], descriptor["mediaType"]
    content = _blob_file(layout, digest).read_bytes()
    repository.manifests[digest] = (media_type, content)
    body = json.loads(content)
    if media_type in _INDEX_TYPES:
        for child in body["manifests"]:
            _add(layout, repository, child)
    else:
        for part in (body["config"], *body["layers"]):
            repository.blobs[part["digest"]] = _blob_file(layout, part["digest"])


def _blob_file(layout: Path, digest: str) -> Path:
    if _DIGEST.fullmatch(digest) is None:
        raise ValueError(f"{digest!r} in {layout} is not a sha256 digest")
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


class EmbeddedRegistry:
    """Serves `layout` on a free port of 127.0.0.1 from entering the context to leaving it.

    `auth` names the repositories that want a Bearer token. Without `users` anyone gets one; with them (password by
    name) `/token` wants Basic credentials, and an anonymous token opens nothing. `fault` is asked about every request.
    """

    def __init__(
        self,
        layout: Path,
        auth: Collection[str] = (),
        users: Mapping[str, str] | None = None,
        fault: Callable[[Request], Fault | None] | None = None,
    ) -> None:
        self.repositories = read_layout(layout)
        self.auth, self.users, self.fault = frozenset(auth), users, fault
        #: Every request in the order of its answer.
        self.log: list[Logged] = []
        #: The most manifest requests that were ever in flight at once.
        self.peak = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[frozenset[str], float]] = {}
        self._stopping = threading.Event()
        self._server: _Server | None = None

    @property
    def host(self) -> str:
        """`127.0.0.1:port`, as it stands in an image reference."""
        if self._server is None:
            raise RuntimeError("the embedded registry is not running; use it as a context manager")
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._stopping.clear()
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._stopping.set()
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None

    def answer(self, request: Request) -> Answer:
        """What the distribution spec says to this request, faults aside."""
        url = urlsplit(request.path)
        path = unquote(url.path)
        if request.method not in ("GET", "HEAD"):
            return _error(405, "UNSUPPORTED", "this registry is read-only", {"Allow": "GET, HEAD"})
        if path == "/token":
            return self._token(request, parse_qs(url.query))
        if path in ("/v2", "/v2/"):
            return self._ping(request)
        route = _ROUTE.fullmatch(path)
        if route is None:
            return _error(404, "NOT_FOUND", "no such page; this registry serves /v2/")
        name, kind, reference = route.groups()
        if name in self.auth and name not in self._granted(request):
            return self._challenge(request, name)
        repository = self.repositories.get(name)
        if repository is None:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        return _blob(repository, reference) if kind == "blobs" else _manifest(repository, reference, request)

    def misbehave(self, request: Request) -> Fault:
        """The fault for a request, its delay waited for; a request that the registry's end overtakes is dropped."""
        fault = (self.fault(request) if self.fault else None) or Fault()
        self.wait(fault.delay)
        return Fault(drop=True) if self._stopping.is_set() else fault

    def wait(self, seconds: float) -> None:
        """Sleeps, but not past the registry's end."""
        if seconds > 0:
            self._stopping.wait(seconds)

    def count(self, step: int) -> None:
        """A manifest request begins (1) or ends (-1)."""
        with self._lock:
            self._in_flight += step
            self.peak = max(self.peak, self._in_flight)

    def _ping(self, request: Request) -> Answer:
        # crane reads the challenge here and nowhere else, so a registry with one private repository always gives it.
        if self.auth and not self._bearer(request):
            return self._challenge(request, None)
        return _json(200, {}, {"Docker-Distribution-API-Version": "registry/2.0"})

    def _challenge(self, request: Request, name: str | None) -> Answer:
        challenge = f'Bearer realm="http://{self.host}/token",service="{_SERVICE}"'
        if name is not None:
            challenge += f',scope="repository:{name}:pull"'
        if self._bearer(request) in self._tokens:
            challenge += ',error="insufficient_scope"'
        elif self._bearer(request):
            challenge += ',error="invalid_token"'
        return _error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})

    def _token(self, request: Request, query: Mapping[str, list[str]]) -> Answer:
        allowed = self.users is None
        if "authorization" in request.headers:
            allowed = self._knows(request.headers["authorization"])
            if not allowed:
                return _error(401, "UNAUTHORIZED", "wrong user name or password")
        scopes = " ".join(query.get("scope", [])).split()
        names = {
            scope.split(":")[1] for scope in scopes if re.fullmatch(r"repository:[^:]+:([a-z*]+,)*pull(,.*)?", scope)
        }
        token = secrets.token_urlsafe(16)
        self._tokens[token] = (frozenset(names if allowed else ()), time.monotonic() + _TOKEN_SECONDS)
        return _json(200, {"token": token, "access_token": token, "expires_in": int(_TOKEN_SECONDS)})

    def _knows(self, authorization: str) -> bool:
        scheme, _, value = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        expected = (self.users or {}).get(user)
        return scheme.lower() == "basic" and expected is not None and _same(expected, password)

    def _granted(self, request: Request) -> frozenset[str]:
        names, until = self._tokens.get(self._bearer(request), (frozenset(), 0.0))
        return names if time.monotonic() < until else frozenset()

    @staticmethod
    def _bearer(request: Request) -> str:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        return value if scheme.lower() == "bearer" else ""


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())


def _manifest(repository: Repository, reference: str, request: Request) -> Answer:
    digest = repository.tags.get(reference, reference)
    found = repository.manifests.get(digest)
    if found is None:
        return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
    media_type, content = found
    accept = request.headers.get("accept", "")
    if media_type not in accept and "*/*" not in accept:
        # As distribution does it: an index is not shown to a client that does not say it can read one.
        return _error(404, "MANIFEST_UNKNOWN", f"it is {media_type}, which the Accept header does not name")
    return Answer(200, {"Content-Type": media_type, "Docker-Content-Digest": digest}, content)


def _blob(repository: Repository, digest: str) -> Answer:
    file = repository.blobs.get(digest)
    if file is None:
        return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
    headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
    return Answer(200, headers, file.read_bytes())


def _error(status: int, code: str, message: str, headers: Mapping[str, str] = {}) -> Answer:
    return _json(status, {"errors": [{"code": code, "message": message, "detail": None}]}, headers)


def _json(status: int, value: object, headers: Mapping[str, str] = {}) -> Answer:
    return Answer(status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode() + b"\n")


class _Server(ThreadingHTTPServer):
    """Threads for connections, a backlog that 64 clients at once fit into, and a record of who is connected."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, registry: EmbeddedRegistry) -> None:
        self.registry = registry
        self._open: set[socket.socket] = set()
        self._change = threading.Condition()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # HTTPServer.server_bind looks up the host's name, which can take seconds where DNS is slow.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._change:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._change:
            self._open.discard(request)
            self._change.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news: clients under test give up on purpose."""

    def hang_up(self) -> None:
        """Ends every connection and waits for the threads that served them."""
        with self._change:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was first
            self._change.wait_for(lambda: not self._open, _STOP_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    """One connection: requests one after the other, each answered in a single write."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the registry keeps its own log."""

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers)
        registry = self.server.registry
        step = int("/manifests/" in self.path)
        registry.count(step)
        try:
            fault = registry.misbehave(request)
            answer = registry.answer(request)
        finally:
            registry.count(-step)
        status = 0 if fault.drop else fault.status or answer.status
        registry.log.append(Logged(self.command, self.path, status))
        if self.command not in ("GET", "HEAD") or fault.drop or fault.cut is not None:
            self.close_connection = True  # a body may follow that nobody reads, or the answer is not whole
        if not fault.drop:
            self._send(_bytes(answer, fault, status, self.command == "HEAD", self.close_connection), fault)

    def _send(self, content: bytes, fault: Fault) -> None:
        content = content[: fault.cut]
        if fault.drip <= 0:
            self.wfile.write(content)
            return
        for position in range(len(content)):
            self.wfile.write(content[position : position + 1])
            self.server.registry.wait(fault.drip)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve


def _bytes(answer: Answer, fault: Fault, status: int, head: bool, close: bool) -> bytes:
    """The answer as it goes over the wire, the fault's changes made."""
    body = answer.body if fault.body is None else fault.body
    headers: dict[str, str | None] = {**answer.headers, "Content-Length": str(len(body)), **fault.headers}
    if close:
        headers["Connection"] = "close"
    phrase = BaseHTTPRequestHandler.responses.get(status, ("Unknown",))[0]
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        *(f"{name}: {value}" for name, value in headers.items() if value is not None),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if head else body)
