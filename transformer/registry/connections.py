"""urllib3's connections with our own dialling, and the care that an answer belongs to the request before it.

HTTP/1.1 has no numbers: what comes next on a connection is the next answer. A server that sends a body after HEAD, a
moment late, would so have the next image pinned to whatever that body says.
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
from urllib3.util.ssltransport import SSLTransport
from urllib3.util.wait import wait_for_read

from transformer.images.reference import shorten
from transformer.registry.deadline import Watch
from transformer.registry.transport import TransportError

#: Seconds for which a connection rests after a host's first good answer to HEAD, to see whether more comes.
REST = 0.05

Dial = Callable[[float], socket.socket]


class OutOfStep(HTTPException):
    """What came is no answer to what was asked; a new connection may fare better."""


class Manners:
    """Whether the server behind one pool is silent unless asked.

    The connection of the first good answer to HEAD rests for a moment. Answers that come meanwhile on connections that
    were used before wait for the outcome; what comes on a new one cannot be anybody else's.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._resting: tuple[urllib3.BaseHTTPResponse, float] | None = None
        self._rested = False
        #: Something came unasked: from now on no connection is used twice.
        self.rude = False

    def judge(self, raw: urllib3.BaseHTTPResponse) -> None:
        """Raises OutOfStep when this may be the answer to another request."""
        if not isinstance(raw.connection, Watched) or not raw.connection.reused:
            return
        with self._lock:
            resting, self._resting = self._resting, None
            if resting is not None:
                self._wake(*resting)
        if self.rude:
            raise OutOfStep

    def rests(self, raw: urllib3.BaseHTTPResponse) -> bool:
        """Whether the connection of this answer to HEAD is kept back for a moment, the answer's end not yet read."""
        if isinstance(raw.connection, Watched) and raw.connection.overhangs(raw):
            self.rude = True
        with self._lock:
            if self._rested or raw.status != 200:
                return False
            self._rested, self._resting = True, (raw, self._clock() + REST)
            return True

    def close(self) -> None:
        """Nobody waits for the outcome any more."""
        with self._lock:
            resting, self._resting = self._resting, None
        if resting is not None:
            resting[0].close()

    def _wake(self, raw: urllib3.BaseHTTPResponse, until: float) -> None:
        if isinstance(raw.connection, Watched):
            raw.connection.more(max(until - self._clock(), 0.0))
        raw.read()
        raw.release_conn()


class Watched:
    """What the connection classes share: our own dialling, every socket attached to the watch, an eye on manners."""

    def __init__(self, *args: Any, dial: Dial, watch: Watch, manners: Manners, **rest: Any) -> None:
        self._dial, self._watch, self._manners = dial, watch, manners
        self._requests = 0
        super().__init__(*args, **rest)

    @property
    def reused(self) -> bool:
        """Whether the request under way is not the connection's first."""
        return self._requests > 1

    @property
    def is_connected(self) -> bool:
        """Asked by the pool before a connection is used again."""
        return self.sock is not None and not self.more(0) and not self._manners.rude  # type: ignore[attr-defined]

    def more(self, seconds: float) -> bool:
        """Whether anything comes on a connection at rest: its end, or, rudely, bytes that nobody asked for."""
        sock = self.sock  # type: ignore[attr-defined]
        pending = getattr(sock, "pending", None)
        if sock is None or not ((pending and pending()) or wait_for_read(sock, seconds)):
            return False
        if _at_once(sock, lambda: sock.recv(1)):  # the byte is lost, and the connection with it
            self._manners.rude = True
        return True

    def overhangs(self, raw: urllib3.BaseHTTPResponse) -> bool:
        """Whether something came together with the head of an answer to HEAD: http.client would drop it silently."""
        sock, lines = self.sock, getattr(getattr(raw, "_original_response", None), "fp", None)  # type: ignore[attr-defined]
        return sock is not None and lines is not None and _at_once(sock, lambda: lines.peek(1))

    def request(self, *args: Any, **rest: Any) -> None:
        sock = self.sock  # type: ignore[attr-defined]
        if sock is not None:
            self._watch.attach(getattr(sock, "socket", sock))
        try:
            super().request(*args, **rest)  # type: ignore[misc]
        except ValueError as error:
            if isinstance(error, OSError):  # a certificate's
                raise
            raise _unfit(self.host) from None  # type: ignore[attr-defined]  # the cause quotes the header
        self._requests += 1

    def getresponse(self) -> Any:
        try:
            return super().getresponse()  # type: ignore[misc]
        except HTTPException as error:
            if not self.reused or isinstance(error, OSError):
                raise
            self._manners.rude = True
            raise OutOfStep from error

    def _new_conn(self) -> socket.socket:
        self._requests = 0
        return self._dial(self.timeout)  # type: ignore[attr-defined]


class PlainConnection(Watched, HTTPConnection):
    """To the registry, or by plain http to the proxy that forwards."""


class TlsConnection(Watched, HTTPSConnection):
    """TLS to the registry, directly or in a tunnel."""


class DoubleTlsConnection(TlsConnection):
    """TLS to the registry inside the TLS to a proxy."""

    def connect(self) -> None:
        """As urllib3's, for a socket that is encrypted already."""
        sock, context = self._new_conn(), self.ssl_context
        assert context is not None and isinstance(sock, ssl.SSLSocket)
        try:
            self.sock = SSLTransport(sock, context, server_hostname=self.host.strip("[]"))
        except BaseException:
            sock.close()
            raise
        self.is_verified = True  # our contexts always check the name


def _unfit(host: str) -> TransportError:
    text = f"{shorten(host)} was not asked: the credential for it holds characters that no HTTP header can carry"
    return TransportError("no-permission", text, "log in again; a line end or half a character may be in the secret")


def _at_once(sock: Any, read: Callable[[], bytes]) -> bool:
    """Whether there are bytes to read without waiting; the end is none, and neither is something of TLS's own."""
    before = sock.gettimeout()
    try:
        sock.settimeout(0)
        return bool(read())
    except OSError:
        return False
    finally:
        sock.settimeout(before)
