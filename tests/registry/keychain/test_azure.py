"""ACR: a token of Entra ID (from a fake identity) exchanged at the registry itself."""

from __future__ import annotations

import json
import sys
from urllib.parse import parse_qsl

import pytest

from transformer.registry.keychain import Credential, KeychainError, Wanted
from transformer.registry.keychain import azure as ours
from transformer.registry.keychain.clouds import Clouds
from transformer.registry.keychain.credential import NoIdentity

pytest.importorskip("azure.identity")

CANARY, REFRESH = "canary-4711", "refresh-token"
GOOD = (200, json.dumps({"refresh_token": REFRESH}).encode())


class Identity:
    """What azure-identity's credentials look like from outside."""

    def __init__(self, answer=CANARY):
        self.answer, self.scopes = answer, []

    def get_token(self, scope):
        self.scopes.append(scope)
        if isinstance(self.answer, Exception):
            raise self.answer
        return type("AccessToken", (), {"token": self.answer})()


class Registry:
    def __init__(self, *answers):
        self.answers, self.asked = list(answers) or [GOOD], []

    def __call__(self, path, form):
        self.asked.append((path, dict(parse_qsl(form.decode()))))
        return self.answers.pop(0)


@pytest.fixture
def identity(monkeypatch):
    one = Identity()
    monkeypatch.setattr(ours, "_identity", lambda environ: one)
    return one


def test_the_exchange(identity):
    registry = Registry()
    clouds = Clouds({"AZURE_TENANT_ID": "tenant"})
    for _ in range(2):
        (credential,) = clouds.resolve(Wanted("team.azurecr.io", "app", post=registry))
    assert credential == Credential("ACR (azure-identity)", ours.USERNAME, REFRESH, identity_token=REFRESH)
    form = {"grant_type": "access_token", "service": "team.azurecr.io", "access_token": CANARY, "tenant": "tenant"}
    assert registry.asked == [("/oauth2/exchange", form)]


def test_without_a_tenant(identity):
    registry = Registry()
    Clouds({}).resolve(Wanted("team.azurecr.io", "app", post=registry))
    assert "tenant" not in registry.asked[0][1]


@pytest.mark.parametrize("host", ["io", "cn", "us"])
def test_the_token_is_for_the_hosts_own_cloud(identity, host):
    Clouds({}).resolve(Wanted(f"team.azurecr.{host}", "app", post=Registry()))
    assert identity.scopes == [ours.SCOPES[host]]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, CANARY.encode()), "HTTP 401"),
        ((404, b""), "HTTP 404"),
        ((302, b""), "HTTP 302"),
        ((200, b"<html>"), "gave no refresh token"),
        ((200, b"[]"), "gave no refresh token"),
        ((200, b"{}"), "gave no refresh token"),
        ((200, b'{"refresh_token": 1}'), "gave no refresh token"),
        ((200, b'{"refresh_token": "a\\r\\nb"}'), "gave no refresh token"),
        ((200, b"[" * 10_000), "gave no refresh token"),
    ],
)
def test_a_registry_that_does_not_exchange(identity, answer, words):
    with pytest.raises(KeychainError) as caught:
        Clouds({}).resolve(Wanted("team.azurecr.io", "app", post=Registry(answer)))
    assert words in str(caught.value) and CANARY not in str(caught.value)


def test_errors_of_the_library(identity):
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

    wanted = Wanted("team.azurecr.io", "app", post=Registry())
    for error, kind in ((ClientAuthenticationError(CANARY), NoIdentity), (ServiceRequestError(CANARY), KeychainError)):
        identity.answer = error
        with pytest.raises(kind) as caught:
            ours.refresh_token(wanted, "io", {})
        assert CANARY not in str(caught.value)
        assert wanted.post.asked == []


def test_what_the_real_library_is_told():
    from azure.identity import DefaultAzureCredential

    assert isinstance(ours._identity({}), DefaultAzureCredential)
    names = [type(one).__name__ for one in ours._identity({}).credentials]
    assert "EnvironmentCredential" in names and "AzureCliCredential" in names
    assert not {"AzurePowerShellCredential", "InteractiveBrowserCredential"} & set(names)
    assert "azure.identity" in sys.modules


def test_a_managed_identity_is_looked_for_on_evidence(monkeypatch, tmp_path):
    monkeypatch.setattr(ours, "CHASSIS_FILE", str(tmp_path / "none"))

    def looked_for(environ):
        return any("ManagedIdentity" in type(one).__name__ for one in ours._identity(environ).credentials)

    assert not looked_for({}) or "MSI_ENDPOINT" in ours._VARIABLES and not ours.managed({})
    assert looked_for({"MSI_ENDPOINT": "http://localhost/x"})


@pytest.mark.parametrize(
    ("text", "expected"), [("7783-7084-3265-9085-8269-3286-77\n", True), ("No Asset Tag\n", False), ("", False)]
)
def test_the_machine_is_evidence(tmp_path, text, expected):
    (tmp_path / "tag").write_text(text)
    assert ours.managed({}, str(tmp_path / "tag")) is expected


@pytest.mark.parametrize("name", ours._VARIABLES)
def test_variables_are_evidence(name):
    assert ours.managed({name: "x"}, "/none") and not ours.managed({name: ""}, "/none")
