from __future__ import annotations

import socket
import time

import pytest

from transformer.registry import addresses
from transformer.registry.addresses import LOCAL, OPEN, STRICT, Dialler, is_loopback_name, kind, literal_kind, resolve
from transformer.registry.transport import ForbiddenAddress, TransportError


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.253.1.1",
        "fd00::1",
        "2001:db8::1",
        "2606:4700::1",
        "64:ff9b:1::a00:1",
        "168.63.129.17",
    ],
)
def test_ordinary_addresses(address):
    assert kind(address) == ""


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.1.2", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("169.254.0.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("::ffff:169.254.0.1", "link-local"),
        ("169.254.169.254", "metadata"),
        ("::ffff:169.254.169.254", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("100.100.100.200", "metadata"),
        ("64:ff9b::a9fe:a9fe", "metadata"),
        ("64:ff9b:1::a9fe:a9fe", "metadata"),
        ("64:ff9b:1:77::a9fe:a9fe", "metadata"),
        ("64:ff9b:1:a9fe:a9:fe00::", "metadata"),
        ("64:ff9b:1::7f00:1", "loopback"),
        ("64:ff9b:1::", "unspecified"),
        ("168.63.129.16", "metadata"),
        ("::ffff:168.63.129.16", "metadata"),
        ("fd20:ce::254", "metadata"),
        ("fd00:ec2::23", "metadata"),
        ("fd00:c1::a9fe:a9fe", "metadata"),
        ("fd00:42::42", "metadata"),
        ("192.0.0.192", "metadata"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("::ffff:0.0.0.0", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "multicast"),
        ("ff02::1", "multicast"),
    ],
)
def test_addresses_that_are_not(address, expected):
    assert kind(address) == expected
    assert expected in STRICT


@pytest.mark.parametrize(
    "host",
    [
        *("registry.test", "localhost.test", "notlocalhost", "10.0.0.1", "1270.0.0.1", "[fe80::1]", ""),
        # Somebody else's network translates these.
        *("[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::1]"),
    ],
)
def test_names_that_are_not_loopback(host):
    assert not is_loopback_name(host)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "a.b.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_names_that_are_loopback(host):
    assert is_loopback_name(host)


def test_localhost_never_asks_a_resolver(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **rest: pytest.fail("asked"))
    for name in ("localhost", "registry.localhost"):
        assert [address for _, address, _ in resolve(name, 80)] == ["127.0.0.1", "::1"]


@pytest.mark.parametrize(
    ("code", "retryable"), [(socket.EAI_AGAIN, True), (socket.EAI_NONAME, False), (socket.EAI_FAIL, False)]
)
def test_look_ups_that_fail(monkeypatch, code, retryable):
    def fail(*args, **rest):
        raise socket.gaierror(code, "because")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(TransportError) as caught:
        resolve("registry.test", 443)
    assert (caught.value.rule, caught.value.retryable, caught.value.connected) == ("unreachable", retryable, False)
    assert "registry.test" in str(caught.value)


def test_a_label_that_is_too_long_is_no_bug():
    with pytest.raises(TransportError, match="cannot be a host name"):
        resolve("a" * 64 + ".test", 443)


class _Listener:
    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.socket.close()


def _names(monkeypatch, *found):
    def answer(host, port, **rest):
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [(families[6 if ":" in one else 4], socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1"])
def test_a_name_that_resolves_to_a_forbidden_address_is_not_connected_to(monkeypatch, address):
    _names(monkeypatch, address)
    monkeypatch.setattr(socket, "socket", lambda *args: pytest.fail("a socket was made"))
    with pytest.raises(ForbiddenAddress) as caught:
        Dialler(1).dial("rebinding.test", 80, STRICT, 1)
    assert caught.value.address == address
    assert "rebinding.test resolves to" in str(caught.value)


def test_one_forbidden_address_among_good_ones_is_enough(monkeypatch):
    _names(monkeypatch, "8.8.8.8", "169.254.169.254")
    monkeypatch.setattr(socket, "socket", lambda *args: pytest.fail("a socket was made"))
    with pytest.raises(ForbiddenAddress):
        Dialler(1).dial("mixed.test", 80, STRICT, 1)


@pytest.mark.parametrize("forbidden", [LOCAL, OPEN])
def test_the_judged_address_is_the_one_connected_to(monkeypatch, forbidden):
    with _Listener() as listener:
        _names(monkeypatch, "127.0.0.1")
        sock = Dialler(1).dial("any.name.test", listener.port, forbidden, 1)
        assert sock.getpeername() == ("127.0.0.1", listener.port)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        sock.close()


def test_refused_is_unreachable_and_final():
    with _Listener() as listener:
        port = listener.port
    with pytest.raises(TransportError) as caught:
        Dialler(1).dial("127.0.0.1", port, LOCAL, 1)
    assert (caught.value.rule, caught.value.retryable, caught.value.connected) == ("unreachable", False, False)
    assert str(caught.value) == f"127.0.0.1:{port}: connection refused"


class Silent:
    """An address that takes no more connections and says nothing: its queue is full and nobody takes one out."""

    def __init__(self, family, address, port=0):
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.socket.listen(0)
        self.port = self.socket.getsockname()[1]
        self.clients = []
        for _ in range(4):
            client = socket.socket(family)
            client.setblocking(False)
            client.connect_ex((address, self.port))
            self.clients.append(client)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        for one in (*self.clients, self.socket):
            one.close()


@pytest.fixture
def tried(monkeypatch):
    """The addresses that connections were begun to, in order."""
    found, begin = [], addresses.Race.begin

    def watched(self, address):
        found.append(address[1])
        begin(self, address)

    monkeypatch.setattr(addresses.Race, "begin", watched)
    return found


@pytest.fixture
def dual():
    """127.0.0.1 listens and 127.0.0.2 is silent, on the same port; gives the port."""
    with _Listener() as listener, Silent(socket.AF_INET, "127.0.0.2", listener.port):
        yield listener.port


def test_silence_costs_a_moment_once_and_is_remembered(monkeypatch, tried, dual):
    _names(monkeypatch, "127.0.0.2", "127.0.0.1")
    dialler = Dialler(20)
    began = time.monotonic()
    for _ in range(5):
        dialler.dial("dual.test", dual, OPEN, 20).close()
    assert time.monotonic() - began < 10
    assert tried == ["127.0.0.2", *["127.0.0.1"] * 5]


def test_what_has_worked_is_tried_first_and_the_rest_when_it_falls_silent(monkeypatch, tried, dual):
    _names(monkeypatch, "127.0.0.1", "127.0.0.2")
    dialler = Dialler(20)
    dialler._worked["dual.test"] = "127.0.0.2"
    dialler.dial("dual.test", dual, OPEN, 20).close()
    dialler.dial("dual.test", dual, OPEN, 20).close()
    assert tried == ["127.0.0.2", "127.0.0.1", "127.0.0.1"]


def test_ipv6_that_leads_nowhere_falls_to_ipv4(monkeypatch, tried):
    with _Listener() as listener:
        try:
            blackhole = Silent(socket.AF_INET6, "::1", listener.port)
        except OSError:
            pytest.skip("accepted in CI: this machine has no IPv6 loopback")
        with blackhole:
            _names(monkeypatch, "::1", "127.0.0.1")
            sock = Dialler(20).dial("dual.test", listener.port, OPEN, 20)
            assert sock.getpeername() == ("127.0.0.1", listener.port)
            sock.close()
    assert tried == ["::1", "127.0.0.1"]


def test_the_families_take_turns(monkeypatch):
    _names(monkeypatch, "2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2")
    ordered = Dialler(1)._ordered("dual.test", resolve("dual.test", 443))
    assert [address for _, address, _ in ordered] == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"]


def test_another_address_is_tried_at_once_after_a_refusal(monkeypatch, tried):
    with _Listener() as listener:
        _names(monkeypatch, "127.0.0.3", "127.0.0.1")
        Dialler(20).dial("two.test", listener.port, OPEN, 20).close()
    assert tried == ["127.0.0.3", "127.0.0.1"]


def test_a_refusal_is_told_rather_than_silence(monkeypatch, dual):
    _names(monkeypatch, "127.0.0.2", "127.0.0.3")
    with pytest.raises(TransportError, match="connection refused"):
        Dialler(0.3).dial("two.test", dual, OPEN, 30)


def test_silence_is_a_timeout_that_may_be_retried(monkeypatch, dual):
    _names(monkeypatch, "127.0.0.2")
    with pytest.raises(TransportError) as caught:
        Dialler(0.2).dial("silent.test", dual, OPEN, 30)
    assert (caught.value.rule, caught.value.retryable, caught.value.connected) == ("timeout", True, False)
    assert str(caught.value) == f"silent.test:{dual} did not accept a connection within 0.2 s"


def test_silence_of_a_host_that_took_connections_before_is_no_verdict(monkeypatch, dual):
    _names(monkeypatch, "127.0.0.2")
    dialler = Dialler(0.2)
    dialler._worked["busy.test"] = "127.0.0.2"
    with pytest.raises(TransportError) as caught:
        dialler.dial("busy.test", dual, OPEN, 30)
    assert (caught.value.rule, caught.value.retryable, caught.value.connected) == ("timeout", True, True)


def test_a_race_closes_what_it_does_not_give_out(monkeypatch, dual):
    made, plain = [], socket.socket

    def counted(*args):
        made.append(plain(*args))
        return made[-1]

    _names(monkeypatch, "127.0.0.2", "127.0.0.1")
    monkeypatch.setattr(socket, "socket", counted)
    winner = Dialler(20).dial("dual.test", dual, OPEN, 20)
    assert [one.fileno() != -1 for one in made] == [False, True]
    winner.close()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("registry.test", ""),
        ("10.0.0.1", ""),
        ("[2001:db8::1]", ""),
        ("metadata.test", ""),
        ("1270", "unspecified"),
        ("localhost", "loopback"),
        ("[::1]", "loopback"),
        ("127.1", "loopback"),
        ("0x7f000001", "loopback"),
        ("2130706433", "loopback"),
        ("2852039166", "metadata"),
        ("169.254.43518", "metadata"),
        ("[::ffff:169.254.169.254]", "metadata"),
        ("Metadata.Google.Internal", "metadata"),
        ("instance-data", "metadata"),
        ("metadata.tencentyun.com", "metadata"),
        ("168.63.129.16", "metadata"),
        ("[64:ff9b::7f00:1]", "loopback"),
        ("[2002:7f00:1::1]", "loopback"),
        ("0", "unspecified"),
        ("224.0.0.1", "multicast"),
    ],
)
def test_hosts_as_written(monkeypatch, host, expected):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **rest: pytest.fail("asked"))
    assert literal_kind(host) == expected
