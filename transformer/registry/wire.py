"""The transport over urllib3: pools, TLS contexts, sockets under watch. Imported only when something is really asked.

urllib3's retries, redirects, decoding and look-ups are all off: each of them would hide from our deadlines, our address
check or our credential rules. Proxies will come in where a pool is made (`_make_pool`).
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ProtocolError, SSLError, TimeoutError

from transformer import __version__
from transformer.images.reference import shorten
from transformer.registry.addresses import Dialler
from transformer.registry.deadline import Watch
from transformer.registry.transport import ERROR_LIMIT, Request, Response, TransportError

_CHUNK = 64 * 1024
_TLS_HELP = "give the registry's CA (registries: [{host: …, caBundle: FILE}]); for plain http, mark it insecure"

PoolKey = tuple[str, str, int, frozenset[str], str | None]


class _Watched:
    """What both connection classes share: our own dialling, and every socket attached to the watch."""

    def __init__(self, *args: Any, dial: Callable[[str, int, float], socket.socket], watch: Watch, **rest: Any) -> None:
        self._dial, self._watch = dial, watch
        super().__init__(*args, **rest)

    def _new_conn(self) -> socket.socket:
        sock = self._dial(self._dns_host, self.port, self.timeout)  # type: ignore[attr-defined]
        self._watch.attach(sock)
        return sock

    def request(self, *args: Any, **rest: Any) -> None:
        if self.sock is not None:  # type: ignore[attr-defined]
            self._watch.attach(self.sock)  # type: ignore[attr-defined]
        super().request(*args, **rest)  # type: ignore[misc]


class _PlainConnection(_Watched, HTTPConnection):
    pass


class _TlsConnection(_Watched, HTTPSConnection):
    pass


class Wire:
    """A Transport. `sent` counts the requests; `connections` is how many idle ones a host may keep."""

    def __init__(self, watch: Watch, dialler: Dialler, clock: Callable[[], float], connections: int = 32) -> None:
        self._watch, self._dialler, self._clock, self._connections = watch, dialler, clock, connections
        self._lock = threading.Lock()
        self._pools: dict[PoolKey, urllib3.HTTPConnectionPool] = {}
        self._contexts: dict[str | None, ssl.SSLContext] = {}
        self.sent = 0

    def send(self, request: Request, deadline: float) -> Response:
        """One request, one answer, both before `deadline` (time of the clock). Raises TransportError."""
        pool = self._pool(request)
        with self._lock:
            self.sent += 1
        self._watch.begin(deadline)
        try:
            response = self._exchange(pool, request, deadline)
        except TransportError as error:
            self._watch.end()
            raise error
        except Exception as error:
            raise _explain(request, error, late=self._watch.end() or self._clock() >= deadline) from error
        except BaseException:
            self._watch.end()
            raise
        if self._watch.end():
            raise _late(request)
        return response

    def close(self) -> None:
        """Closes idle connections; the next request opens new ones."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close()

    def _exchange(self, pool: urllib3.HTTPConnectionPool, request: Request, deadline: float) -> Response:
        left = max(deadline - self._clock(), 0.001)
        raw = pool.urlopen(
            request.method,
            request.url.target,
            body=request.body,
            headers={"User-Agent": f"pindown/{__version__}", "Accept-Encoding": "identity", **dict(request.headers)},
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=left, read=left),
        )
        try:
            body = _read(raw, request) if request.method != "HEAD" else b""
            raw.release_conn()
        except BaseException:
            raw.close()
            raise
        headers: dict[str, tuple[str, ...]] = {}
        for name, value in raw.headers.iteritems():
            headers[name.lower()] = (*headers.get(name.lower(), ()), value)
        return Response(raw.status, headers, body, request.url)

    def _pool(self, request: Request) -> urllib3.HTTPConnectionPool:
        url = request.url
        key = (url.scheme, url.host, url.port, request.forbidden, request.ca_bundle)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = self._make_pool(*key)
            return pool

    def _make_pool(
        self, scheme: str, host: str, port: int, forbidden: frozenset[str], ca_bundle: str | None
    ) -> urllib3.HTTPConnectionPool:
        def dial(name: str, number: int, timeout: float) -> socket.socket:
            return self._dialler.dial(name, number, forbidden, timeout)

        options: dict[str, Any] = {"maxsize": self._connections, "dial": dial, "watch": self._watch}
        pool: urllib3.HTTPConnectionPool
        if scheme == "https":
            pool = urllib3.HTTPSConnectionPool(host, port, ssl_context=self._context(ca_bundle), **options)
            pool.ConnectionCls = _TlsConnection
        else:
            pool = urllib3.HTTPConnectionPool(host, port, **options)
            pool.ConnectionCls = _PlainConnection
        return pool

    def _context(self, ca_bundle: str | None) -> ssl.SSLContext:
        """One context for each CA set (making one costs 20-30 ms); a bundle adds to what the system trusts."""
        context = self._contexts.get(ca_bundle)
        if context is None:
            context = ssl.create_default_context()  # reads SSL_CERT_FILE and SSL_CERT_DIR
            try:
                if ca_bundle is not None:
                    context.load_verify_locations(cafile=ca_bundle)
            except (OSError, ValueError) as error:
                reason = (isinstance(error, OSError) and error.strerror) or "it holds no certificate"
                text = f"the CA bundle {shorten(ca_bundle or '')} cannot be used: {shorten(str(reason))}"
                raise TransportError("tls", text, "correct caBundle in the policy", connected=False) from error
            self._contexts[ca_bundle] = context
        return context


def _read(raw: urllib3.BaseHTTPResponse, request: Request) -> bytes:
    """The body, at most the request's limit; error bodies are cut instead."""
    good = raw.status < 300
    limit = request.limit if good else ERROR_LIMIT
    encoding = raw.headers.get("content-encoding", "identity").strip().lower()
    if good and encoding not in ("", "identity"):
        text = f"{request.url.origin} sent an encoded body ({shorten(encoding, 20)}), although identity was asked for"
        step = "a proxy in between may compress; digests need the bytes as stored"
        raise TransportError("registry-error", text, step)
    chunks: list[bytes] = []
    size = 0
    try:
        while size <= limit and (chunk := raw.read(min(_CHUNK, limit + 1 - size))):
            chunks.append(chunk)
            size += len(chunk)
    except (HTTPError, HTTPException, OSError):
        if good:
            raise
        raw.close()
    if size <= limit:
        return b"".join(chunks)
    raw.close()  # with the rest unread, the connection is of no more use
    if good:
        text = f"{request.url.origin} sent more than {limit // 1024} KiB"
        step = "nothing that describes an image is that large; is this the registry's address?"
        raise TransportError("registry-error", text, step)
    return b"".join(chunks)[:limit]


def _late(request: Request) -> TransportError:
    text = f"{request.url.origin} did not answer {request.method} completely in time"
    return TransportError("timeout", text, "the registry is slow or stuck; try again, or raise the timeout")


def _explain(request: Request, error: Exception, late: bool) -> TransportError:
    """Our error for one of urllib3's or the standard library's; their texts hold URLs and are not repeated."""
    origin = request.url.origin
    if late or isinstance(error, TimeoutError | socket.timeout):
        return _late(request)
    tls = _tls_cause(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        text = f"{origin}: its certificate is not trusted: {shorten(tls.verify_message)}"
        return TransportError("tls", text, _TLS_HELP, connected=False)
    if tls is not None and not isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        reason = shorten(tls.reason or "handshake failed").lower().replace("_", " ")
        return TransportError("tls", f"{origin}: no TLS connection: {reason}", _TLS_HELP, connected=False)
    if not isinstance(error, HTTPError | HTTPException | OSError | ValueError):
        raise error
    inner = error.args[1] if isinstance(error, ProtocolError) and len(error.args) > 1 else (tls or error)
    if isinstance(inner, OSError) or type(inner).__name__ in ("RemoteDisconnected", "IncompleteRead"):
        text = f"{origin} broke off the connection before the answer was complete"
        step = "try again; a proxy or load balancer may cut answers"
        return TransportError("registry-error", text, step, retryable=True)
    text = f"{origin} sent no proper HTTP ({type(inner).__name__})"
    return TransportError("registry-error", text, "is this the registry's address?")


def _tls_cause(error: BaseException) -> ssl.SSLError | None:
    """The ssl module's error inside urllib3's, None when there is none."""
    if isinstance(error, ssl.SSLError):
        return error
    if isinstance(error, SSLError | ProtocolError):
        inner = (_tls_cause(arg) for arg in error.args if isinstance(arg, BaseException))
        return next((found for found in inner if found is not None), None)
    return None
