from __future__ import annotations

import pytest

from transformer.registry.addresses import LOCAL, OPEN, STRICT
from transformer.registry.hosts import Endpoint, Hosts, RegistryRule
from transformer.registry.transport import TransportError, Url

INSECURE = RegistryRule("plain.test:5000", insecure=True)
PRIVATE = RegistryRule("Private.test", ca_bundle="ca.pem", max_concurrency=3, credentials_allowed=False)


@pytest.mark.parametrize(
    ("registry", "scheme", "host", "port"),
    [
        ("docker.io", "https", "registry-1.docker.io", 443),
        ("registry.test", "https", "registry.test", 443),
        ("Registry.Test", "https", "registry.test", 443),
        ("registry.test:80", "https", "registry.test", 80),
        ("registry.test:5000", "https", "registry.test", 5000),
        ("10.0.0.1:5000", "https", "10.0.0.1", 5000),
        ("192.168.0.1", "https", "192.168.0.1", 443),
        ("0.0.0.0:5000", "https", "0.0.0.0", 5000),
        ("localhost.test", "https", "localhost.test", 443),
        ("127.test", "https", "127.test", 443),
        ("[fe80::1]", "https", "[fe80::1]", 443),
        ("plain.test", "https", "plain.test", 443),
        ("plain.test:5001", "https", "plain.test", 5001),
        ("plain.test:5000", "http", "plain.test", 5000),
        ("PLAIN.test:5000", "http", "plain.test", 5000),
        ("localhost", "http", "localhost", 80),
        ("localhost:5000", "http", "localhost", 5000),
        ("a.localhost:5000", "http", "a.localhost", 5000),
        ("127.0.0.1", "http", "127.0.0.1", 80),
        ("127.1.2.3:443", "http", "127.1.2.3", 443),
        ("[::1]", "http", "[::1]", 80),
        ("[::1]:5000", "http", "[::1]", 5000),
    ],
)
def test_scheme_host_and_port(registry, scheme, host, port):
    endpoint = Hosts([INSECURE]).endpoint(registry)
    assert endpoint.registry == registry
    assert endpoint.url == Url(scheme, host, port)


@pytest.mark.parametrize("registry", ["a:0", "a:65536", "a:99999999", "localhost:0", "a:00000", "[::1]:0"])
def test_impossible_ports(registry):
    with pytest.raises(TransportError) as caught:
        Hosts().endpoint(registry)
    assert caught.value.rule == "unreachable"
    assert str(caught.value).startswith(f"{registry}: the port")


def test_what_a_rule_says():
    hosts = Hosts([INSECURE, PRIVATE])
    assert hosts.endpoint("private.test")[3:6] == ("ca.pem", 3, False)
    assert hosts.endpoint("other.test")[3:6] == (None, None, True)
    assert hosts.endpoint("plain.test:5000")[3:6] == (None, None, True)


@pytest.mark.parametrize(
    ("registry", "allowed", "loopback", "expected"),
    [
        ("registry.test", [], True, STRICT),
        ("registry.test", ["other.test"], True, STRICT),
        ("registry.test:5000", ["registry.test"], True, STRICT),
        ("registry.test", ["Registry.TEST"], True, OPEN),
        ("docker.io", ["docker.io"], True, OPEN),
        ("localhost:5000", [], True, LOCAL),
        ("127.0.0.1:5000", [], True, LOCAL),
        ("a.localhost", [], True, LOCAL),
        ("localhost:5000", [], False, STRICT),
        ("localhost:5000", ["localhost:5000"], False, OPEN),
    ],
)
def test_forbidden_addresses(registry, allowed, loopback, expected):
    assert Hosts([], frozenset(allowed), loopback).endpoint(registry).forbidden == expected


@pytest.mark.parametrize(
    ("endpoint", "url", "expected"),
    [
        (Endpoint("r", Url("https", "r.test", 443), OPEN), Url("https", "r.test", 443, "/x"), OPEN),
        (Endpoint("r", Url("https", "r.test", 443), OPEN), Url("https", "r.test", 444), STRICT),
        (Endpoint("r", Url("https", "r.test", 443), STRICT), Url("https", "127.0.0.1", 443), STRICT),
        (Endpoint("r", Url("http", "127.0.0.1", 80), LOCAL), Url("http", "127.0.0.1", 81), LOCAL),
        (Endpoint("r", Url("http", "127.0.0.1", 80), OPEN), Url("http", "169.254.169.254", 80), LOCAL),
    ],
)
def test_where_a_registry_may_send_us(endpoint, url, expected):
    assert endpoint.elsewhere(url) == expected


def test_anything_of_a_rules_shape_is_a_rule():
    class Other:
        host, insecure, ca_bundle, max_concurrency, credentials_allowed = "x.test", True, None, None, True

    assert Hosts([Other()]).endpoint("x.test").url.scheme == "http"
    assert Hosts([Other()]).endpoint("x.test").trusted_realms == ()


@pytest.mark.parametrize("host", ["127.0.0.1:5443", "localhost:5443", "[::1]:5443"])
def test_a_ca_bundle_means_https_on_loopback_too(host):
    assert Hosts([RegistryRule(host, ca_bundle="ca.pem")]).endpoint(host).url.scheme == "https"
    assert Hosts([RegistryRule(host, insecure=True)]).endpoint(host).url.scheme == "http"
    assert Hosts([RegistryRule(host, max_concurrency=2)]).endpoint(host).url.scheme == "http"
    assert Hosts([RegistryRule("other", ca_bundle="ca.pem")]).endpoint(host).url.scheme == "http"


def test_trusted_realms_are_carried_and_need_not_be_there():
    rule = RegistryRule("r.test", trusted_realms=("auth.test",))
    assert Hosts([rule]).endpoint("r.test").trusted_realms == ("auth.test",)
    assert Hosts().endpoint("r.test").trusted_realms == ()
