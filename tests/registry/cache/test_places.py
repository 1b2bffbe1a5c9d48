"""Keys: whatever could make the answer another one is in them, and a secret is not."""

from __future__ import annotations

import json

import pytest

from tests.registry.faults import reference
from transformer.policy.questions import HostCredential, PullSecret
from transformer.registry.cache.places import Places, Wish
from transformer.registry.hosts import Hosts, RegistryRule
from transformer.registry.keychain import NoKeychain, ambient_keychain

DIGEST = "sha256:" + "a" * 64


def wish(text="registry.test/team/app:1", platform=None, scope="ambient", aging=True):
    return Wish(reference(text), platform, scope, aging)


def places(*rules, **environ):
    return Places(Hosts(rules), ambient_keychain(environ)) if environ else Places(Hosts(rules), NoKeychain())


def login(tmp_path, user="me", password="open sesame", host="registry.test", **more):
    folder = tmp_path / user
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"username": user, "password": password}}, **more}))
    return {"HOME": str(tmp_path), "DOCKER_CONFIG": str(folder)}


# What must be kept apart.


@pytest.mark.parametrize(
    "other",
    [
        wish("other.test/team/app:1"),
        wish("registry.test:5000/team/app:1"),
        wish("registry.test/team/ap:p1"),
        wish("registry.test/team/app:2"),
        wish(f"registry.test/team/app@{DIGEST}"),
        wish(platform="linux/amd64"),
    ],
)
def test_other_lookups_have_other_keys(other):
    assert set(places().keys(wish())).isdisjoint(places().keys(other))


@pytest.mark.parametrize(
    "rule", [RegistryRule("registry.test", insecure=True), RegistryRule("registry.test", ca_bundle="/ca.pem")]
)
def test_a_registry_that_is_reached_in_another_way_is_another_place(rule):
    assert places(rule).keys(wish()) not in (None, places().keys(wish()))


@pytest.mark.parametrize("rule", [{"insecure": True}, {"ca_bundle": "/ca.pem"}, {}])
def test_what_a_repositorys_policy_describes_is_not_shared(rule):
    untrusted = RegistryRule("registry.test", credentials_allowed=False, **rule)
    assert places(untrusted).keys(wish()) is None
    assert places(untrusted).keys(wish("other.test/app:1")) is not None


def test_an_impossible_port_has_no_key():
    assert places().keys(wish("registry.test:99999/app:1")) is None


@pytest.mark.parametrize(
    "change", [{"user": "you"}, {"password": "close sesame"}, {"credHelpers": {"registry.test": "vault"}}]
)
def test_other_credentials_have_another_key(tmp_path, change):
    one, other = places(**login(tmp_path)), places(**_moved(tmp_path, change))
    mine, theirs = one.keys(wish()), other.keys(wish())
    assert mine.own != theirs.own and mine.anonymous == theirs.anonymous


def _moved(tmp_path, change):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    return {**login(elsewhere, **change), "HOME": str(tmp_path)}


def test_helpers_of_other_homes_and_accounts_are_others(tmp_path):
    helper = {"auths": {}, "credHelpers": {"registry.test": "vault"}}
    (tmp_path / "config.json").write_text(json.dumps(helper))
    environ = {"HOME": "/users/a", "DOCKER_CONFIG": str(tmp_path)}
    keys = {
        places(**environ, **more).keys(wish()).own
        for more in ({}, {"AWS_PROFILE": "x"}, {"AWS_ROLE_ARN": "x"}, {"GITHUB_TOKEN": "x"}, {"AZURE_CLIENT_ID": "x"})
    }
    assert len(keys) == 5
    assert places(**{**environ, "HOME": "/users/b"}).keys(wish()).own not in keys


# What is the same.


def test_without_credentials_there_is_one_key():
    keys = places().keys(wish())
    assert keys.own == keys.anonymous


def test_a_credential_for_another_host_changes_nothing(tmp_path):
    assert places(**login(tmp_path, host="other.test")).keys(wish()) == places().keys(wish())


def test_the_same_credential_from_another_place_is_the_same(tmp_path):
    environ = login(tmp_path)
    text = (tmp_path / "me" / "config.json").read_text()
    moved = {"HOME": "/nowhere", "DOCKER_AUTH_CONFIG": text}
    assert places(**environ).keys(wish()) == places(**moved).keys(wish())


def test_variables_count_only_where_somebody_would_be_asked(tmp_path):
    environ = login(tmp_path)
    assert places(**environ).keys(wish()) == places(**environ, AWS_PROFILE="x").keys(wish())


def test_pull_secrets_with_the_same_login_share(tmp_path):
    config = json.dumps({"auths": {"registry.test": {"username": "me", "password": "open sesame"}}})
    secrets = {name: (PullSecret(name, "pull", config),) for name in ("one", "two")}
    secrets["three"] = (PullSecret("three", "pull", config.replace("open", "close")),)
    chain = ambient_keychain({"HOME": str(tmp_path)}, secrets)
    of = {scope: Places(Hosts(), chain).keys(wish(scope=scope)).own for scope in (*secrets, "ambient")}
    assert of["one"] == of["two"] and len(set(of.values())) == 3
    assert Places(Hosts(), chain).scope_of(reference("other.test/a:1"), "one") == "ambient"


# Secrets.


def test_no_key_holds_a_secret(tmp_path):
    keys = places(**login(tmp_path)).keys(wish())
    assert "sesame" not in repr(keys) and "me" not in keys.own.split("\0")


def test_the_policys_own_credential_counts(tmp_path):
    rows = [HostCredential("registry.test", "U", "P")]
    environ = {"HOME": str(tmp_path), "U": "me", "P": "open sesame"}
    mine = Places(Hosts(), ambient_keychain(environ, credentials=rows)).keys(wish())
    theirs = Places(Hosts(), ambient_keychain({**environ, "P": "x"}, credentials=rows)).keys(wish())
    assert mine.own != theirs.own != mine.anonymous


def test_no_program_is_run_and_nobody_asked(tmp_path, monkeypatch):
    import socket
    import subprocess

    monkeypatch.setattr(subprocess, "Popen", lambda *args, **more: pytest.fail("a program was run"))
    monkeypatch.setattr(socket, "socket", lambda *args, **more: pytest.fail("a socket was made"))
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "vault"}))
    environ = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}
    for host in ("registry.test", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ghcr.io", "x.azurecr.io", "gcr.io"):
        keys = places(**environ).keys(wish(f"{host}/app:1"))
        assert keys.own != keys.anonymous
