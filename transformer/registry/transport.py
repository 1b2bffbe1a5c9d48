"""The seam to HTTP: one request out, one answer back, and what can go wrong in between.

Says nothing about redirects (redirects.py), credentials (session.py) or libraries (wire.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

MANIFEST_LIMIT = 4 * 1024 * 1024
ERROR_LIMIT = 64 * 1024
DEFAULT_PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_TARGET = re.compile(r"/[\x21-\x7e]*", re.ASCII)
_URL_LIMIT = 8192


class Url(NamedTuple):
    """An absolute http(s) URL in parts; `host` is lower case, IPv6 in brackets; `target` is the path with its query."""

    scheme: str
    host: str
    port: int
    target: str = "/"

    @property
    def origin(self) -> str:
        """`host` or `host:port`, as in a Host header; what messages call the place."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    def same_origin(self, other: Url) -> bool:
        """Whether scheme, host and port are equal: the condition for sending the same credential."""
        return self[:3] == other[:3]


def parse_url(text: str, base: Url | None = None) -> Url:
    """Reads an URL from outside, relative to `base`; ValueError says what is wrong, without the URL's query."""
    if len(text) > _URL_LIMIT:
        raise ValueError(f"the URL has {len(text)} characters")
    if base is not None:
        text = _join(base, text)
    parts = _split(text)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError(f"the scheme is {parts.scheme[:20]!r}, not http or https")
    if "@" in parts.netloc:
        raise ValueError("the URL carries user information")
    host, port = split_port(parts.netloc.lower(), DEFAULT_PORTS[parts.scheme])
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if _TARGET.fullmatch(target) is None:
        raise ValueError("the path holds characters that no URL may hold")
    return Url(parts.scheme, host, port, target)


def _join(base: Url, text: str) -> str:
    try:
        return urljoin(f"{base.scheme}://{base.origin}{base.target}", text)
    except ValueError:
        raise ValueError("it cannot be read as an URL") from None


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError("it cannot be read as an URL") from None  # the cause quotes host and user information


def split_port(netloc: str, default: int) -> tuple[str, int]:
    """`host[:port]` in two; ValueError for a host that is none, or a port outside 1-65535."""
    host, colon, digits = netloc.rpartition(":")
    if not colon or netloc.endswith("]"):
        host, digits = netloc, str(default)
    if _HOST.fullmatch(host) is None:
        raise ValueError("there is no valid host name")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 1 <= int(digits) <= 65535):
        raise ValueError(f"the port {digits[:12]!r} is not between 1 and 65535")
    return host, int(digits)


class Request(NamedTuple):
    """One HTTP request. `limit` bounds a good answer's body in bytes; `forbidden` addresses: see addresses.py."""

    method: str
    url: Url
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    limit: int = MANIFEST_LIMIT
    forbidden: frozenset[str] = frozenset()
    ca_bundle: str | None = None

    def with_header(self, name: str, value: str | None) -> Request:
        """The request with this header set, or taken out when `value` is None."""
        kept = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return self._replace(headers=kept if value is None else (*kept, (name, value)))


class Response(NamedTuple):
    """An answer with its whole body (cut at ERROR_LIMIT from status 300 on); header names are lower case."""

    status: int
    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    url: Url
    #: What went out with the request and is nobody's business: see echoes.py.
    secrets: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """The first value of a header, None when it is absent."""
        values = self.headers.get(name)
        return values[0] if values else None


class TransportError(Exception):
    """No usable answer. `rule` is a finding's rule id, `help` the next step; the message starts with the place."""

    def __init__(
        self, rule: str, message: str, help: str = "", *, retryable: bool = False, connected: bool = True
    ) -> None:
        self.rule, self.help, self.retryable = rule, help, retryable
        #: False when nothing was heard from the host: the same will happen to every other request to it.
        self.connected = connected
        super().__init__(message)


class ForbiddenAddress(TransportError):
    """The host is, or resolves to, an address that this request may not reach; nothing was sent."""

    def __init__(self, host: str, address: str, kind: str) -> None:
        self.host, self.address, self.kind = host, address, kind
        article = "an" if kind.startswith("u") else "a"
        literal = host.strip("[]") == address
        #: The host with what is wrong with it, as part of a sentence.
        self.place = f"{host}, " + ("" if literal else f"which resolves to {address}, ") + f"{article} {kind} address"
        where = f"{host} is" if literal else f"{host} resolves to {address},"
        super().__init__("unreachable", f"{where} {article} {kind} address", connected=False)


class Transport(Protocol):
    """Sends one request and reads its answer; never follows a redirect, never retries. Raises TransportError."""

    def send(self, request: Request, deadline: float) -> Response: ...
