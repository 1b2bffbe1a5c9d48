from __future__ import annotations

import pytest

from transformer.registry.addresses import LOCAL, OPEN, STRICT
from transformer.registry.hosts import Endpoint
from transformer.registry.realm import judge, same_site
from transformer.registry.transport import TransportError, Url

SECURE = Endpoint("registry.example.com", Url("https", "registry.example.com", 443))
LOOPBACK = Endpoint("127.0.0.1:5000", Url("http", "127.0.0.1", 5000), LOCAL)


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("registry.example.com", "registry.example.org"),
        ("example.com", "evil-example.com"),
        ("a.com", "com"),
        ("registry.example.com", "example.com.evil.org"),
        ("registry", "auth"),
        ("registry.co.uk", "evil.co.uk"),
        ("a.com.au", "b.com.au"),
        ("one.azurecr.io", "two.azurecr.io"),
        ("a.github.io", "b.github.io"),
        ("1.dkr.ecr.us-east-1.amazonaws.com", "evil.amazonaws.com.evil.org"),
        ("a.pkg.dev", "b.pkg.dev"),
        ("registry.one.svc.cluster.local", "registry.two.svc.cluster.local"),
        ("10.0.0.1", "10.0.0.2"),
        ("10.0.0.1", "9.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("[::1]", "[::2]"),
        ("registry-1.docker.io", "auth.docker.com"),
        ("registry.gitlab.com", "gitlab.org"),
        ("azurecr.io", "two.azurecr.io"),
        ("", "x"),
    ],
)
def test_other_sites_see_no_credential(registry, realm):
    assert not same_site(registry, realm)


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("registry.example.com", "registry.example.com"),
        ("registry.example.com", "auth.example.com"),
        ("example.com", "auth.example.com"),
        ("a.b.example.com", "c.d.example.com"),
        ("registry-1.docker.io", "auth.docker.io"),
        ("registry.gitlab.com", "gitlab.com"),
        ("registry.example.co.uk", "auth.example.co.uk"),
        ("10.0.0.1", "10.0.0.1"),
        ("[::1]", "[::1]"),
        ("localhost", "localhost"),
        ("one.azurecr.io", "one.azurecr.io"),
        ("registry", "registry"),
        ("a.team.svc.cluster.local", "b.team.svc.cluster.local"),
        ("quay.io", "quay.io"),
        ("ghcr.io", "ghcr.io"),
    ],
)
def test_the_same_site_does(registry, realm):
    assert same_site(registry, realm)


@pytest.mark.parametrize(
    "realm",
    [
        "",
        "/token",
        "auth.example.com/token",
        "ftp://auth.example.com/",
        "https://u:p@auth.example.com/",
        "https://:443/",
        "https://auth.example.com:0/",
        "http://registry.example.com/token",
        "http://auth.example.com/token",
        "\x00",
    ],
)
def test_realms_that_are_not_asked(realm):
    with pytest.raises(TransportError) as caught:
        judge(realm, SECURE)
    assert caught.value.rule == "registry-error"
    assert str(caught.value).startswith("registry.example.com names a token server that is not asked: ")


@pytest.mark.parametrize(
    ("endpoint", "realm", "forbidden", "trusted"),
    [
        (SECURE, "https://auth.example.com/token", STRICT, True),
        (SECURE, "https://auth.elsewhere.com/token", STRICT, False),
        (SECURE, "https://127.0.0.1/token", STRICT, False),
        (SECURE._replace(forbidden=OPEN), "https://registry.example.com/token", OPEN, True),
        (SECURE._replace(forbidden=OPEN), "https://registry.example.com:8443/token", STRICT, True),
        (LOOPBACK, "http://127.0.0.1:6000/token", LOCAL, True),
        (LOOPBACK, "https://auth.example.com/token", LOCAL, False),
        (LOOPBACK, "http://169.254.169.254/token", LOCAL, False),
    ],
)
def test_realms(endpoint, realm, forbidden, trusted):
    judged = judge(realm, endpoint)
    assert (judged.forbidden, judged.trusted) == (forbidden, trusted)


@pytest.mark.parametrize("kind", ["link-local", "metadata", "unspecified", "multicast"])
def test_no_registry_unlocks_these(kind):
    assert kind in LOCAL and kind in STRICT
