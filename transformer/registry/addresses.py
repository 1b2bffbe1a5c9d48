"""Which addresses a request may reach: one look-up, judged, and the connection goes to the address that was judged.

Names come from manifests, challenges and redirects, so a look-up of its own inside the HTTP library would leave a gap
between the check and the connection. Private networks (RFC 1918) are ordinary here: most registries live in one.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable

from transformer.images.reference import shorten
from transformer.registry.transport import ForbiddenAddress, TransportError

#: Nothing but ordinary addresses: for hosts that a manifest, a challenge or a redirect has named.
STRICT = frozenset(("loopback", "link-local", "metadata", "unspecified", "multicast"))
#: For what is itself on loopback, literally.
LOCAL = STRICT - {"loopback"}
#: For hosts that the operator has named.
OPEN: frozenset[str] = frozenset()

#: Instance metadata services outside link-local: AWS over IPv6, Alibaba Cloud; and the one that everybody knows.
_METADATA = frozenset(ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200"))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")

Address = tuple[socket.AddressFamily, str, tuple[str, int]]


def kind(address: str) -> str:
    """`loopback`, `link-local`, `metadata`, `unspecified`, `multicast`, or "" for an ordinary address."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _embedded(ip)
    if ip in _METADATA:
        return "metadata"
    if ip.is_unspecified or ip in _THIS_NETWORK:
        return "unspecified"
    if ip.is_loopback:
        return "loopback"
    if ip.is_link_local:
        return "link-local"
    return "multicast" if ip.is_multicast or str(ip) == "255.255.255.255" else ""


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 address stands for (mapped, 6to4, NAT64), else the address itself."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def is_loopback_name(host: str) -> bool:
    """Whether a host is loopback as written: `localhost`, `*.localhost`, 127.0.0.0/8, `[::1]`. Asks nobody."""
    name = host.lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return kind(name.strip("[]")) == "loopback"
    except ValueError:
        return False


def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host, in the order to try. Raises TransportError when there are none."""
    if host == "localhost" or host.endswith(".localhost"):
        # RFC 6761: these never leave the machine, whatever a resolver says; plain http relies on that.
        return [(socket.AF_INET, "127.0.0.1", ("127.0.0.1", port)), (socket.AF_INET6, "::1", ("::1", port))]
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        again = error.errno == socket.EAI_AGAIN
        reason = "the name server did not answer" if again else "there is no such host"
        text = f"{shorten(host)}: {reason} ({shorten(str(error.strerror))})"
        step = "check the spelling of the host, and the resolver of this machine"
        raise TransportError("unreachable", text, step, retryable=again, connected=False) from error
    except (UnicodeError, ValueError, OverflowError) as error:
        text = f"{shorten(host)} cannot be a host name"
        raise TransportError("unreachable", text, "check the spelling of the host", connected=False) from error
    return [(family, str(where[0]), where[:2]) for family, _, _, _, where in found]  # type: ignore[misc]


class Dialler:
    """Opens connections to judged addresses and remembers which address family works for a host."""

    def __init__(self, connect_timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout, self._clock = connect_timeout, clock
        self._family: dict[str, socket.AddressFamily] = {}

    def dial(self, host: str, port: int, forbidden: frozenset[str], timeout: float) -> socket.socket:
        """A connected socket with no delay. Raises ForbiddenAddress before anything is sent, or TransportError."""
        addresses = resolve(host, port)
        for _, address, _ in addresses:
            found = kind(address)
            if found in forbidden:
                raise ForbiddenAddress(host, address, found)
        return self._connect(host, port, addresses, min(timeout, self._timeout))

    def _connect(self, host: str, port: int, addresses: list[Address], timeout: float) -> socket.socket:
        known = self._family.get(host)
        addresses = sorted(addresses, key=lambda item: item[0] != known)
        failure: OSError = OSError("no address")
        silent: set[socket.AddressFamily] = set()
        for family, _, where in addresses:
            # A family that leads nowhere costs one timeout, however many addresses it has.
            if family in silent:
                continue
            try:
                sock = self._open(family, where, timeout)
            except TimeoutError as error:
                silent.add(family)
                failure = error
            except OSError as error:
                failure = error
            else:
                self._family[host] = family
                return sock
        raise _refused(host, port, failure, timeout)

    def _open(self, family: socket.AddressFamily, where: tuple[str, int], timeout: float) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(max(timeout, 0.001))
            sock.connect(where)
        except BaseException:
            sock.close()
            raise
        return sock


def _refused(host: str, port: int, failure: OSError, timeout: float) -> TransportError:
    place = f"{host}:{port}"
    step = "check that the registry is up and that this machine may reach it (firewall, proxy)"
    if isinstance(failure, TimeoutError):
        text = f"{place} did not accept a connection within {timeout:.3g} s"
        return TransportError("timeout", text, step, retryable=True, connected=False)
    reason = shorten(failure.strerror or str(failure)).lower()
    return TransportError("unreachable", f"{place}: {reason}", step, connected=False)
