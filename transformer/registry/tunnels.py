"""The way through a proxy: an open connection to the proxy becomes one to the target, by CONNECT (RFC 9110 §9.3.6).

The proxy's credential goes to the proxy alone, and nobody else's goes to it. Which proxy: proxies.py.
"""

from __future__ import annotations

import re
import socket
import ssl

from transformer import __version__
from transformer.images.reference import shorten
from transformer.registry.proxies import Proxy
from transformer.registry.transport import TransportError, Url

HEAD_LIMIT = 64 * 1024
#: What a proxy says when it is the target that did not answer it: the next try may fare better.
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?:[ \r].*)?", re.DOTALL)


def encrypt(sock: socket.socket, proxy: Proxy, context: ssl.SSLContext) -> ssl.SSLSocket:
    """TLS to a proxy that is named with https://."""
    try:
        return context.wrap_socket(sock, server_hostname=proxy.url.host.strip("[]"))
    except ssl.SSLError as error:
        sock.close()
        reason = shorten(getattr(error, "verify_message", "") or error.reason or "handshake failed")
        text = f"no TLS connection to the proxy {proxy.place}: {reason.lower().replace('_', ' ')}"
        step = f"correct {proxy.variable}, or add the proxy's CA by SSL_CERT_FILE"
        raise TransportError("tls", text, step, connected=False) from error
    except OSError as error:
        sock.close()
        raise failed(proxy, None, error) from error


def tunnel(sock: socket.socket, proxy: Proxy, target: Url) -> None:
    """Makes the connection one to `target`; raises TransportError, and then the socket is closed."""
    try:
        sock.sendall(_request(proxy, target))
        head = _head(sock)
    except OSError as error:
        sock.close()
        raise failed(proxy, target, error) from error
    status = _STATUS.match(head)
    # In TLS it is the client who speaks first, so nothing can follow the head of a good answer yet.
    if status is None or b"\r\n\r\n" not in head or (status[1] < b"300" and not head.endswith(b"\r\n\r\n")):
        sock.close()
        text = f"{target.origin}: {proxy.place} is no proxy: it does not answer CONNECT with HTTP"
        raise TransportError("unreachable", text, f"correct {proxy.variable}", connected=False)
    code = int(status[1])
    if not 200 <= code < 300:
        sock.close()
        raise refused(proxy, target, code)


def refused(proxy: Proxy, target: Url, status: int) -> TransportError:
    """The proxy answered, and will not let us through."""
    if status == 407:
        what = "refuses the user name and password of its URL" if proxy.authorization else "wants a user and a password"
        text = f"{target.origin}: the proxy {proxy.place} {what} (HTTP 407)"
        step = f"put them into {proxy.variable} as http://user:password@host:port"
        return TransportError("unreachable", text, step, connected=False)
    text = f"{target.origin}: the proxy {proxy.place} gives no connection there (HTTP {status})"
    step = "have the registry allowed on the proxy, or list it in NO_PROXY to go there directly"
    return TransportError("unreachable", text, step, retryable=status in _PASSING, connected=False)


def failed(proxy: Proxy, target: Url | None, cause: OSError | TransportError) -> TransportError:
    """No answer from the proxy: not reached (a TransportError says why), silent, or gone."""
    place = f"{target.origin}: " if target is not None else ""
    step = f"check {proxy.variable} and the proxy, or list the registry in NO_PROXY to go there directly"
    if isinstance(cause, TransportError):
        text = f"{place}the proxy of {proxy.variable} is not reached: {cause}"
        return TransportError(cause.rule, text, step, retryable=cause.retryable, connected=False)
    if isinstance(cause, TimeoutError):
        text = f"{place}the proxy {proxy.place} did not answer in time"
        return TransportError("timeout", text, step, retryable=True, connected=False)
    text = f"{place}the proxy {proxy.place} broke off the connection"
    return TransportError("unreachable", text, step, retryable=True, connected=False)


def _request(proxy: Proxy, target: Url) -> bytes:
    host = f"{target.host}:{target.port}"
    lines = [f"CONNECT {host} HTTP/1.1", f"Host: {host}", f"User-Agent: pindown/{__version__}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    return "\r\n".join((*lines, "", "")).encode("ascii")


def _head(sock: socket.socket) -> bytes:
    """The answer's head, and what came together with it."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = sock.recv(4096)
        if not more:
            raise ConnectionResetError
        head += more
        if len(head) > HEAD_LIMIT:
            break
    return head
