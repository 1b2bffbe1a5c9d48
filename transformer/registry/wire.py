"""The transport over urllib3: pools, TLS contexts, sockets under watch. Imported only when something is really asked.

urllib3's retries, redirects, decoding, look-ups and proxies are all off: each of them would hide from our deadlines,
our address check or our credential rules. How a connection comes about, directly or by a proxy, is decided in `_dial`.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError, SSLError, TimeoutError

from transformer import __version__
from transformer.images.reference import shorten
from transformer.registry.addresses import OPEN, Dialler, literal_kind
from transformer.registry.certificates import Certificates
from transformer.registry.connections import DoubleTlsConnection, Manners, OutOfStep, PlainConnection, TlsConnection
from transformer.registry.deadline import Watch
from transformer.registry.echoes import sent
from transformer.registry.proxies import Proxies, Proxy
from transformer.registry.transport import ERROR_LIMIT, ForbiddenAddress, Request, Response, TransportError, Url
from transformer.registry.tunnels import encrypt, failed, refused, tunnel

_CHUNK = 64 * 1024
_ENCODINGS = ("br", "compress", "deflate", "gzip", "zstd")
_TLS_HELP = "give the registry's CA (registries: [{host: …, caBundle: FILE}]); for plain http, mark it insecure"

PoolKey = tuple[str, str, int, frozenset[str], str | None, Proxy | None]


class Wire:
    """A Transport. `sent` counts the requests; `connections` is how many idle ones a host may keep."""

    def __init__(
        self,
        watch: Watch,
        dialler: Dialler,
        clock: Callable[[], float],
        connections: int = 32,
        proxies: Proxies | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._watch, self._dialler, self._clock, self._connections = watch, dialler, clock, connections
        self._proxies, self._certificates = proxies or Proxies({}), certificates or Certificates({}, ())
        self._lock = threading.Lock()
        self._pools: dict[PoolKey, tuple[urllib3.HTTPConnectionPool, Manners]] = {}
        self.sent = 0

    def send(self, request: Request, deadline: float) -> Response:
        """One request, one answer, both before `deadline` (time of the clock). Raises TransportError."""
        proxy = self._route(request)
        pool, manners = self._pool(request, proxy)
        with self._lock:
            self.sent += 1
        place = request.url.origin + (f" through the proxy {proxy.place}" if proxy is not None else "")
        heard = False
        self._watch.begin(deadline)
        try:
            raw = self._ask(pool, request, proxy, deadline)
            heard = True
            response = _finish(raw, request, proxy, manners)
        except TransportError as error:
            if self._watch.end():
                raise _late(place, request.method, heard) from error
            raise
        except Exception as error:
            if self._watch.end() or self._clock() >= deadline or isinstance(error, TimeoutError | socket.timeout):
                raise _late(place, request.method, heard) from error
            raise _explain(place, error, self._certificates.doubts()) from error
        except BaseException:
            self._watch.end()
            raise
        if self._watch.end():
            raise _late(place, request.method, heard)
        return response

    def close(self) -> None:
        """Closes idle connections; the next request opens new ones."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool, manners in pools:
            manners.close()
            pool.close()

    def _ask(
        self, pool: urllib3.HTTPConnectionPool, request: Request, proxy: Proxy | None, deadline: float
    ) -> urllib3.BaseHTTPResponse:
        """Everything up to the head of the answer."""
        left = max(deadline - self._clock(), 0.001)
        target, more = _forwarded(request, proxy)
        ours = {"User-Agent": f"pindown/{__version__}", "Accept-Encoding": "identity"}
        return pool.urlopen(
            request.method,
            target,
            body=request.body,
            headers={**ours, **dict(request.headers), **more},
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=left, read=left),
        )

    def _route(self, request: Request) -> Proxy | None:
        """The proxy to go through. It does the look-up, so a host can be judged only by how it is written."""
        proxy = self._proxies.choose(request.url)
        if proxy is not None and (found := literal_kind(request.url.host)) in request.forbidden:
            raise ForbiddenAddress(request.url.host, request.url.host.strip("[]"), found)
        return proxy

    def _pool(self, request: Request, proxy: Proxy | None) -> tuple[urllib3.HTTPConnectionPool, Manners]:
        url = request.url
        key = (url.scheme, url.host, url.port, request.forbidden, request.ca_bundle, proxy)
        with self._lock:
            found = self._pools.get(key)
            if found is None:
                manners = Manners(self._clock)
                found = self._pools[key] = (self._make_pool(request, proxy, manners), manners)
            return found

    def _make_pool(self, request: Request, proxy: Proxy | None, manners: Manners) -> urllib3.HTTPConnectionPool:
        url = request.url
        options: dict[str, Any] = {"maxsize": self._connections + 1, "watch": self._watch, "manners": manners}
        options["dial"] = lambda timeout: self._dial(request, proxy, timeout)
        pool: urllib3.HTTPConnectionPool
        if url.scheme == "https":
            context = self._certificates.context(url, request.ca_bundle)
            pool = urllib3.HTTPSConnectionPool(url.host, url.port, ssl_context=context, **options)
            layered = proxy is not None and proxy.url.scheme == "https"
            pool.ConnectionCls = DoubleTlsConnection if layered else TlsConnection
        else:
            pool = urllib3.HTTPConnectionPool(url.host, url.port, **options)
            pool.ConnectionCls = PlainConnection
        return pool

    def _dial(self, request: Request, proxy: Proxy | None, timeout: float) -> socket.socket:
        """A connection that ends at the registry, or, for plain http through a proxy, at the proxy."""
        if proxy is None:
            sock = self._dialler.dial(request.url.host, request.url.port, request.forbidden, timeout)
            self._watch.attach(sock)
            return sock
        try:
            sock = self._dialler.dial(proxy.url.host, proxy.url.port, OPEN, timeout)
        except TransportError as error:
            raise failed(proxy, request.url, error) from error
        self._watch.attach(sock)
        sock.settimeout(timeout)
        if proxy.url.scheme == "https":
            sock = encrypt(sock, proxy, self._certificates.context(proxy.url))
        if request.url.scheme == "https":
            tunnel(sock, proxy, request.url)
        return sock


def _forwarded(request: Request, proxy: Proxy | None) -> tuple[str, dict[str, str]]:
    """The request's target and more headers: plain http is handed to a proxy whole (RFC 9112 §3.2.2)."""
    url: Url = request.url
    if proxy is None or url.scheme == "https":
        return url.target, {}
    headers = {} if proxy.authorization is None else {"Proxy-Authorization": proxy.authorization}
    return f"http://{url.origin}{url.target}", headers


def _finish(raw: urllib3.BaseHTTPResponse, request: Request, proxy: Proxy | None, manners: Manners) -> Response:
    """The rest of the answer, if it is one to this request; the connection goes back to its pool."""
    try:
        if proxy is not None and raw.status == 407:
            raise refused(proxy, request.url, 407)
        manners.judge(raw)
        body = b""
        if request.method != "HEAD":
            body = _read(raw, request)
            raw.release_conn()
        elif not manners.rests(raw):
            raw.read()  # http.client wants this answer read as well before its connection serves another thread
            raw.release_conn()
    except BaseException:
        raw.close()
        raise
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in raw.headers.iteritems():
        headers[name.lower()] = (*headers.get(name.lower(), ()), value)
    secrets = sent(request, _forwarded(request, proxy)[1].get("Proxy-Authorization"))
    return Response(raw.status, headers, body, request.url, secrets)


def _read(raw: urllib3.BaseHTTPResponse, request: Request) -> bytes:
    """The body, at most the request's limit; error bodies are cut instead, and left out when they are encoded."""
    good = raw.status < 300
    limit = request.limit if good else ERROR_LIMIT
    encoding = raw.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        if not good:
            raw.close()
            return b""
        kind = encoding if encoding in _ENCODINGS else "of an unknown kind"
        text = f"{request.url.origin} sent an encoded body ({kind}), although identity was asked for"
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


def _late(place: str, method: str, heard: bool) -> TransportError:
    """`heard`: at least the head of an answer came, so the host is alive."""
    text = f"{place} did not answer {method} completely in time"
    return TransportError(
        "timeout", text, "the registry is slow or stuck; try again, or raise the timeout", connected=heard
    )


def _explain(place: str, error: Exception, doubts: str) -> TransportError:
    """Our error for one of urllib3's or the standard library's; their texts hold URLs and are not repeated."""
    tls = _tls_cause(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        text = f"{place}: its certificate is not trusted: {shorten(tls.verify_message)}"
        text += f" ({doubts})" if doubts else ""
        return TransportError("tls", text, _TLS_HELP, connected=False)
    if tls is not None and not isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        reason = shorten(tls.reason or "handshake failed").lower().replace("_", " ")
        return TransportError("tls", f"{place}: no TLS connection: {reason}", _TLS_HELP, connected=False)
    # What cannot be sent was found before (connections.py): a ValueError is about what was read.
    if not isinstance(error, HTTPError | HTTPException | OSError | ValueError):
        raise error
    inner = error.args[1] if isinstance(error, ProtocolError) and len(error.args) > 1 else (tls or error)
    if isinstance(inner, OSError) or type(inner).__name__ in ("RemoteDisconnected", "IncompleteRead"):
        text = f"{place} broke off the connection before the answer was complete"
        step = "try again; a proxy or load balancer may cut answers"
        return TransportError("registry-error", text, step, retryable=True)
    if isinstance(inner, OutOfStep):
        text = f"{place} sends more than it is asked for, so that its answers do not fit the requests"
        return TransportError("registry-error", text, "ask its operators: HEAD has no body", retryable=True)
    text = f"{place} sent no proper HTTP ({type(inner).__name__})"
    return TransportError("registry-error", text, "is this the registry's address?")


def _tls_cause(error: BaseException) -> ssl.SSLError | None:
    """The ssl module's error inside urllib3's, None when there is none."""
    if isinstance(error, ssl.SSLError):
        return error
    if isinstance(error, SSLError | ProtocolError):
        inner = (_tls_cause(arg) for arg in error.args if isinstance(arg, BaseException))
        return next((found for found in inner if found is not None), None)
    return None
