"""Which proxy a request goes through, if any: the environment's variables, read as Go programs read them.

    HTTPS_PROXY=http://user:password@proxy.example.com:3128 NO_PROXY=10.0.0.0/8,.svc,registry.example.com:5000

Pure: speaks to no proxy (tunnels.py). ALL_PROXY is not read, because Go does not read it either. One difference is
meant: `*.localhost` never leaves this machine (addresses.py), as it is asked over plain http. Source: the documentation
of golang.org/x/net/http/httpproxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from transformer.images.reference import shorten
from transformer.registry.addresses import is_loopback_name
from transformer.registry.transport import TransportError, Url, parse_url

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxy(NamedTuple):
    """A proxy with what it wants to see. `variable` is where it was named."""

    url: Url
    variable: str
    #: The value of `Proxy-Authorization`, None for none.
    authorization: str | None = None

    def __repr__(self) -> str:  # the generated one would show the password in a traceback
        return f"Proxy({self.place!r})"

    @property
    def place(self) -> str:
        """What messages call it: never with user name and password."""
        return f"{shorten(self.url.host)}:{self.url.port} ({self.variable})"


class Proxies:
    """The proxies of an environment; a mapping of your own stands for one in tests."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        # A web server hands its clients' `Proxy:` header to CGI programs as HTTP_PROXY.
        plain = ("http_proxy",) if environ.get("REQUEST_METHOD") else ("HTTP_PROXY", "http_proxy")
        self._named = {
            "https": _first(environ, ("HTTPS_PROXY", "https_proxy")),
            "http": _first(environ, plain),
        }
        self._exceptions = tuple(_exceptions(_first(environ, ("NO_PROXY", "no_proxy"))[1]))

    def choose(self, url: Url) -> Proxy | None:
        """The proxy for an URL, None to go there directly. Raises TransportError when the variable holds no proxy."""
        variable, value = self._named[url.scheme]
        if not value or is_loopback_name(url.host):
            return None
        if any(exception.holds(url) for exception in self._exceptions):
            return None
        return _read(variable, value)


class _Exception(NamedTuple):
    """One entry of NO_PROXY; an empty part says nothing."""

    suffix: str = ""
    host: str = ""
    network: Network | None = None
    port: int | None = None
    everything: bool = False

    def holds(self, url: Url) -> bool:
        if self.everything:
            return True
        if self.port is not None and self.port != url.port:
            return False
        host = url.host.strip("[]")
        if self.network is not None:
            return _in(host, self.network)
        return (self.host != "" and host == self.host) or (self.suffix != "" and host.endswith(self.suffix))


def _exceptions(text: str) -> list[_Exception]:
    entries = (entry.strip().lower() for entry in text[:65536].split(","))
    return [_exception(entry) for entry in entries if entry]


def _exception(entry: str) -> _Exception:
    if entry == "*":
        return _Exception(everything=True)
    if "/" in entry:
        return _Exception(network=_network(entry))
    host, port = _with_port(entry)
    address = _network(host.strip("[]"))
    if address is not None:
        return _Exception(network=address, port=port)
    host = _ascii(host.removeprefix("*") if host.startswith("*.") else host)
    # A leading dot leaves the domain itself out; without one it is meant together with everything below it.
    return _Exception(host, "", None, port) if host.startswith(".") else _Exception(f".{host}", host, None, port)


def _with_port(entry: str) -> tuple[str, int | None]:
    """`host:port` in two; no digits mean any port. More than one colon outside brackets is IPv6 without a port."""
    host, colon, port = entry.rpartition(":")
    bare = host.startswith("[") and host.endswith("]") or ":" not in host
    if colon and host and bare and (not port or (port.isascii() and port.isdigit())):
        return host, int(port[:6]) if port else None
    return entry, None


def _ascii(host: str) -> str:
    """A name as it stands in URLs: registry.bücher.example is registry.xn--bcher-kva.example there."""
    try:
        return ".".join(label if label.isascii() else label.encode("idna").decode() for label in host.split("."))
    except UnicodeError:
        return host


def _network(text: str) -> Network | None:
    """An address or a CIDR; None for anything else. What is mapped into IPv6 is IPv4."""
    _, slash, bits = text.partition("/")
    if slash and not (bits.isascii() and bits.isdigit()):  # a netmask, which only Python reads
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    return (
        network if mapped is None or network.prefixlen < 96 else ipaddress.ip_network((mapped, network.prefixlen - 96))
    )


def _in(host: str, network: Network) -> bool:
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address in network


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str]:
    """The first variable that is set to something, with its value."""
    return next(((name, environ[name].strip()) for name in names if environ.get(name, "").strip()), (names[0], ""))


def _read(variable: str, value: str) -> Proxy:
    """`[scheme://][user:password@]host[:port]`; without a scheme it is plain http, as everywhere."""
    try:
        text = value if "://" in value else f"http://{value}"
        parts = urlsplit(text)
        user, at, place = parts.netloc.rpartition("@")
        return Proxy(parse_url(f"{parts.scheme}://{place}"), variable, _basic(user) if at else None)
    except ValueError:
        raise _unusable(variable, value) from None  # the cause may quote the password


def _basic(user: str) -> str:
    from base64 import b64encode

    # Bytes, because the environment and %-escapes hold any; what is no text reaches the proxy as it was written.
    name, _, password = (unquote_to_bytes(part) for part in user.encode(errors="surrogateescape").partition(b":"))
    return "Basic " + b64encode(name + b":" + password).decode()


def _unusable(variable: str, value: str) -> TransportError:
    scheme = value.partition("://")[0].lower() if "://" in value else ""
    socks = f"a proxy of kind {scheme}" if scheme.startswith("socks") and scheme.isalnum() else "no proxy's address"
    step = "write http://host:port or https://host:port there, or list the registry in NO_PROXY"
    return TransportError("unreachable", f"{variable} holds {socks[:40]}", step, connected=False)
