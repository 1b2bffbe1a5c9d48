from __future__ import annotations

import socket

import pytest

from transformer.registry import addresses
from transformer.registry.addresses import LOCAL, OPEN, STRICT, Dialler, is_loopback_name, kind, resolve
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
    "host", ["registry.test", "localhost.test", "notlocalhost", "10.0.0.1", "1270.0.0.1", "[fe80::1]", ""]
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


def _stub_open(monkeypatch, results):
    """Connections that end as told by address: an exception, or a fine one. Gives the order of tries."""
    tried = []

    def open_(self, family, where, timeout):
        tried.append(where[0])
        if isinstance(results[where[0]], Exception):
            raise results[where[0]]
        return results[where[0]]

    monkeypatch.setattr(addresses.Dialler, "_open", open_)
    return tried


def test_a_family_that_leads_nowhere_costs_one_timeout_and_is_remembered(monkeypatch):
    _names(monkeypatch, "2001:db8::1", "2001:db8::2", "192.0.2.1")
    tried = _stub_open(monkeypatch, {"2001:db8::1": TimeoutError(), "2001:db8::2": TimeoutError(), "192.0.2.1": "fine"})
    dialler = Dialler(1)
    assert dialler.dial("dual.test", 443, STRICT, 1) == "fine"
    assert tried == ["2001:db8::1", "192.0.2.1"]
    assert dialler.dial("dual.test", 443, STRICT, 1) == "fine"
    assert tried[2:] == ["192.0.2.1"]


def test_another_address_of_a_family_is_tried_after_a_refusal(monkeypatch):
    _names(monkeypatch, "192.0.2.1", "192.0.2.2")
    tried = _stub_open(
        monkeypatch, {"192.0.2.1": ConnectionRefusedError(111, "Connection refused"), "192.0.2.2": "fine"}
    )
    assert Dialler(1).dial("two.test", 443, STRICT, 1) == "fine"
    assert tried == ["192.0.2.1", "192.0.2.2"]


def test_silence_is_a_timeout_that_may_be_retried(monkeypatch):
    _names(monkeypatch, "192.0.2.1")
    _stub_open(monkeypatch, {"192.0.2.1": TimeoutError()})
    with pytest.raises(TransportError) as caught:
        Dialler(5).dial("silent.test", 443, STRICT, 30)
    assert (caught.value.rule, caught.value.retryable) == ("timeout", True)
    assert str(caught.value) == "silent.test:443 did not accept a connection within 5 s"
