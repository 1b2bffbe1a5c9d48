"""The words: a credential shows its place and never itself."""

from __future__ import annotations

import base64

import pytest

from transformer.policy.questions import HostCredential, PullSecret
from transformer.registry.keychain import Credential, KeychainError, Wanted
from transformer.registry.keychain.credential import canonical, usable

CANARY = "canary-4711"


def test_a_credential_never_shows_its_secrets():
    credential = Credential("here", "user", CANARY, CANARY, CANARY)
    wanted = Wanted("registry.test", "a", stale=credential)
    assert CANARY not in f"{credential} {credential!r} {credential!s} {[credential]} {(credential,)} {wanted}"
    assert "here" in repr(credential)


def test_nor_does_a_pull_secret():
    secret = PullSecret("team", "regcred", CANARY)
    assert CANARY not in f"{secret} {secret!r} {[secret]}"
    assert "regcred" in repr(secret)


def test_the_policys_row_names_places_only():
    assert HostCredential("registry.test") == ("registry.test", None, None, None, None)


def test_basic():
    assert Credential("here", "user", "p:ä").basic == "Basic " + base64.b64encode("user:p:ä".encode()).decode()
    assert Credential("here", identity_token="x").basic is None


def test_two_places_with_one_secret_are_worth_one_try():
    assert Credential("here", "u", "p").secret == Credential("there", "u", "p").secret
    assert Credential("here", "u", "p").secret != Credential("here", "u", "q").secret


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io", "Docker.IO"])
def test_one_name_for_docker_hub(host):
    assert canonical(host) == "docker.io"


@pytest.mark.parametrize("host", ["index.docker.io.evil", "xdocker.io", "hub.docker.com", "docker.io:443"])
def test_what_is_not_docker_hub(host):
    assert canonical(host) == host


def test_where_no_registry_can_be_asked():
    with pytest.raises(KeychainError):
        Wanted("registry.test", "a").post("/oauth2/exchange", b"")


@pytest.mark.parametrize("field", ["username", "password", "identity_token", "registry_token"])
def test_a_secret_that_is_no_text(field):
    credential = Credential("config.json", "user")._replace(**{field: "\ud800x"})
    with pytest.raises(KeychainError, match=r"config\.json: what is stored there is no valid text") as caught:
        usable(credential)
    assert "ud800" not in str(caught.value) and caught.value.__cause__ is None


@pytest.mark.parametrize("token", ["a\r\nX: y", "a b", "tök", "a\n"])
def test_a_registry_token_that_no_header_can_carry(token):
    with pytest.raises(KeychainError, match=r"config\.json: its registry token holds characters") as caught:
        usable(Credential("config.json", registry_token=token))
    assert token not in str(caught.value)


def test_credentials_that_can_be_sent():
    for credential in (Credential("x", "user", "pä ss\n"), Credential("x", registry_token="a.b-c_d=")):
        assert usable(credential) is credential
