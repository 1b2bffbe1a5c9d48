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
        ("a.s3.amazonaws.com", "b.s3.amazonaws.com"),
        ("a.s3.us-east-1.amazonaws.com", "b.s3.us-east-1.amazonaws.com"),
        ("1.dkr.ecr.us-east-1.amazonaws.com", "2.dkr.ecr.us-east-1.amazonaws.com"),
        ("1.dkr.ecr.us-east-1.amazonaws.com", "x.us-east-1.elb.amazonaws.com"),
        ("1.dkr.ecr.cn-north-1.amazonaws.com.cn", "2.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ("1.dkr-ecr.us-east-1.on.aws", "2.dkr-ecr.us-east-1.on.aws"),
        ("a.blob.core.windows.net", "b.blob.core.windows.net"),
        ("a.westeurope.cloudapp.azure.com", "b.westeurope.cloudapp.azure.com"),
        ("a.storage.googleapis.com", "b.storage.googleapis.com"),
        ("a.oss-cn-beijing.aliyuncs.com", "b.oss-cn-beijing.aliyuncs.com"),
        ("foo.co.uk", "bar.co.uk"),
        ("a.foo.co.uk", "a.bar.co.uk"),
        ("foo.com.br", "bar.com.br"),
        ("foo.or.jp", "bar.or.jp"),
        ("foo.gouv.fr", "bar.gouv.fr"),
        ("foo.co.in", "bar.co.in"),
        ("foo.govt.nz", "bar.govt.nz"),
        ("co.uk", "foo.co.uk"),
        ("gcr.io", "evil.gcr.io"),
        ("one.tailnet.ts.net", "two.othernet.ts.net"),
        ("one.jfrog.io", "two.jfrog.io"),
        ("a.firebaseapp.com", "b.firebaseapp.com"),
        ("a.trycloudflare.com", "b.trycloudflare.com"),
        ("a.up.railway.app", "b.up.railway.app"),
        ("a.ngrok.dev", "b.ngrok.dev"),
        ("a.eu.org", "b.eu.org"),
        ("a.dyndns.org", "b.dyndns.org"),
        ("a.synology.me", "b.synology.me"),
        ("shop.city.kyoto.jp", "bank.city.kyoto.jp"),
        ("city.kyoto.jp", "shop.city.kyoto.jp"),
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
        ("one.tailnet.ts.net", "two.tailnet.ts.net"),
        ("registry.shop.city.kyoto.jp", "auth.shop.city.kyoto.jp"),
        ("registry.example.jp", "auth.example.jp"),
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


NAMING = SECURE._replace(trusted_realms=("auth.elsewhere.com", "https://sso.test:8443/docker/", "127.0.0.1:9000"))


@pytest.mark.parametrize(
    "realm",
    [
        "https://auth.elsewhere.com:8443/token",
        "https://evil.auth.elsewhere.com/token",
        "https://auth.elsewhere.com.evil.org/token",
        "https://elsewhere.com/token",
        "https://sso.test/docker/token",
        "https://sso.test:8443/",
        "https://sso.test:8443/dockerx",
        "https://sso.test:8443/docker/../other",
        "https://sso.test:8443/?x=/docker/",
        "https://127.0.0.1:9001/",
    ],
)
def test_what_trusted_realms_do_not_mean(realm):
    judged = judge(realm, NAMING)
    assert (judged.trusted, judged.forbidden) == (False, STRICT)


@pytest.mark.parametrize(
    "realm",
    [
        "https://auth.elsewhere.com/token",
        "https://AUTH.elsewhere.com:443/any/path?x=1",
        "https://sso.test:8443/docker",
        "https://sso.test:8443/docker/token?a=b",
        "https://127.0.0.1:9000/token",
    ],
)
def test_trusted_realms_see_the_credential_wherever_they_are(realm):
    judged = judge(realm, NAMING)
    assert (judged.trusted, judged.forbidden) == (True, OPEN)


def test_a_trusted_realm_is_still_no_downgrade():
    with pytest.raises(TransportError, match="is plain http, and the registry itself is not"):
        judge("http://auth.elsewhere.com/token", SECURE._replace(trusted_realms=("http://auth.elsewhere.com",)))


@pytest.mark.parametrize("entry", ["", "*", "ftp://auth.elsewhere.com", "https://u:p@auth.elsewhere.com", "a b"])
def test_an_entry_that_is_no_host_trusts_nobody(entry):
    assert not judge("https://auth.elsewhere.com/", SECURE._replace(trusted_realms=(entry,))).trusted


def test_an_url_that_cannot_be_read_is_not_quoted():
    with pytest.raises(TransportError) as caught:
        judge("https://user:canary-4711@host\u2100.test/", SECURE)
    assert "canary" not in str(caught.value) and "cannot be read as an URL" in str(caught.value)


@pytest.mark.parametrize("kind", ["link-local", "metadata", "unspecified", "multicast"])
def test_no_registry_unlocks_these(kind):
    assert kind in LOCAL and kind in STRICT
