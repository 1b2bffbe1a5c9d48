"""Which addresses a request may reach: one look-up, judged, and the connection goes to the address that was judged.

Names come from manifests, challenges and redirects, so a look-up of its own inside the HTTP library would leave a gap
between the check and the connection. Private networks (RFC 1918) are ordinary here: most registries live in one.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import selectors
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

#: The metadata service that everybody knows, and those outside link-local: AWS over IPv6 (EC2, EKS), Google Cloud over
#: IPv6, Azure's WireServer, Alibaba Cloud, Oracle Cloud (over IPv6, classic), Scaleway over IPv6.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in """
    169.254.169.254 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 168.63.129.16 100.100.100.200 fd00:c1::a9fe:a9fe 192.0.0.192
    fd00:42::42
    """.split()
)
#: Names of the same services: judged as written, because behind a proxy nothing else of a host can be judged.
_METADATA_NAMES = frozenset(
    """
    metadata metadata.google.internal metadata.goog instance-data instance-data.ec2.internal metadata.tencentyun.com
    metadata.azure.internal metadata.platformequinix.com
    """.split()
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: Networks choose the prefix of their own NAT64 within this one (RFC 8215).
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")

#: Seconds of silence after which the next address of a host is tried as well (RFC 8305 §5).
STAGGER = 0.25

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
    if ip in _LOCAL_NAT64:
        return _behind_local_nat64(int(ip))
    return ip.ipv4_mapped or ip.sixtofour or ip


def _behind_local_nat64(bits: int) -> ipaddress.IPv4Address:
    """The last 32 bits (a prefix of 96), or where a prefix of 48 has them, around bits 64 to 71 (RFC 6052 §2.2)."""
    return ipaddress.IPv4Address(bits & 0xFFFFFFFF or (bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF)


def is_loopback_name(host: str) -> bool:
    """Whether a host is loopback as written: `localhost`, `*.localhost`, 127.0.0.0/8, `[::1]`. Asks nobody.

    An address of a network that leads to loopback only by translation (6to4, NAT64) is none: it leaves this machine.
    """
    name = host.lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def literal_kind(host: str) -> str:
    """`kind` for a host as written, in any spelling of an address that resolvers take; "" for a name. Asks nobody."""
    name = host.strip("[]").lower()
    if name in _METADATA_NAMES:
        return "metadata"
    if is_loopback_name(host):
        return "loopback"
    try:
        return kind(name)
    except ValueError:
        pass
    try:
        return kind(socket.inet_ntoa(socket.inet_aton(name)))
    except (OSError, ValueError):
        return ""


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
    """Opens connections to judged addresses and remembers for each host which one worked and which were silent."""

    def __init__(self, connect_timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout, self._clock = connect_timeout, clock
        self._worked: dict[str, str] = {}
        self._silent: dict[str, frozenset[str]] = {}

    def dial(self, host: str, port: int, forbidden: frozenset[str], timeout: float) -> socket.socket:
        """A connected socket with no delay. Raises ForbiddenAddress before anything is sent, or TransportError."""
        addresses = resolve(host, port)
        for _, address, _ in addresses:
            found = kind(address)
            if found in forbidden:
                raise ForbiddenAddress(host, address, found)
        return self._connect(host, port, addresses, max(min(timeout, self._timeout), 0.001))

    def _connect(self, host: str, port: int, addresses: list[Address], timeout: float) -> socket.socket:
        """The first address to answer; the next one is tried when the one before has said nothing for a moment."""
        ordered = self._ordered(host, addresses)
        stagger = min(STAGGER, timeout / (len(ordered) + 1))
        end = self._clock() + timeout
        with Race() as race:
            for number, address in enumerate(ordered, 1):
                race.begin(address)
                patience = stagger if number < len(ordered) else end - self._clock()
                winner = self._wait(race, patience)
                if winner is not None:
                    self._learn(host, winner[1], race.silent())
                    winner[0].settimeout(timeout)
                    return winner[0]
            self._learn(host, None, race.silent())
            raise _refused(host, port, race.failure(), timeout, host in self._worked)

    def _wait(self, race: Race, seconds: float) -> tuple[socket.socket, str] | None:
        end = self._clock() + seconds
        while race.running and (left := end - self._clock()) > 0:
            winner = race.wait(left)
            if winner is not None:
                return winner
        return None

    def _ordered(self, host: str, addresses: list[Address]) -> list[Address]:
        """What worked first, what was silent last; the families take turns, so that none of them holds up the other."""
        turns: dict[int, int] = {}
        worked, silent = self._worked.get(host), self._silent.get(host, frozenset())
        keyed = []
        for address in addresses:
            turn = turns[address[0]] = turns.get(address[0], -1) + 1
            keyed.append(((address[1] in silent, address[1] != worked, turn), address))
        return [address for _, address in sorted(keyed, key=lambda item: item[0])]

    def _learn(self, host: str, worked: str | None, silent: frozenset[str]) -> None:
        known = self._silent.get(host, frozenset()) | silent
        if worked is not None:
            self._worked[host] = worked
        self._silent[host] = known - {worked} if worked is not None else known


class Race:
    """Connections under way to several addresses of one host (RFC 8305); closes all but the one that was given out."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._failure: OSError | None = None

    def begin(self, address: Address) -> None:
        """Starts to connect; a failure that shows at once is kept like a later one."""
        family, name, where = address
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # a family that this machine does not have
            self._failure = error
            return
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = sock.connect_ex(where)
        except BaseException:
            sock.close()
            raise
        if code in (0, errno.EINPROGRESS):
            self._selector.register(sock, selectors.EVENT_WRITE, (sock, name))
        else:
            self._lose(sock, code)

    def wait(self, seconds: float) -> tuple[socket.socket, str] | None:
        """The first connection that stands, with its address; None when there is none so far."""
        for key, _ in self._selector.select(seconds):
            sock, name = key.data
            self._selector.unregister(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                return sock, name
            self._lose(sock, code)
        return None

    @property
    def running(self) -> bool:
        """Whether any connection may still come about."""
        return len(self._selector.get_map()) > 0

    def silent(self) -> frozenset[str]:
        """The addresses that have said nothing."""
        return frozenset(key.data[1] for key in self._selector.get_map().values())

    def failure(self) -> OSError:
        """Why there is no connection: refused by the host itself, else silence, else what the system says."""
        refused = isinstance(self._failure, ConnectionError)
        return self._failure if self._failure is not None and (refused or not self.running) else TimeoutError()

    def _lose(self, sock: socket.socket, code: int) -> None:
        sock.close()
        if not isinstance(self._failure, ConnectionError):
            self._failure = OSError(code, os.strerror(code))

    def __enter__(self) -> Race:
        return self

    def __exit__(self, *args: object) -> None:
        for key in list(self._selector.get_map().values()):
            key.data[0].close()
        self._selector.close()


def _refused(host: str, port: int, failure: OSError, timeout: float, worked: bool) -> TransportError:
    """`worked`: the host has taken connections before, so one that it did not take says nothing about the next."""
    place = f"{host}:{port}"
    step = "check that the registry is up and that this machine may reach it (firewall, proxy)"
    if isinstance(failure, TimeoutError):
        text = f"{place} did not accept a connection within {timeout:.3g} s"
        return TransportError("timeout", text, step, retryable=True, connected=worked)
    reason = shorten(failure.strerror or str(failure)).lower()
    return TransportError("unreachable", f"{place}: {reason}", step, connected=False)
