"""Pull secrets, matched as the kubelet matches them."""

from __future__ import annotations

import base64
import json

import pytest

from tests.images.test_pullkeys import MATCHING
from transformer.policy.questions import PullSecret
from transformer.registry.keychain import KeychainError, Wanted
from transformer.registry.keychain.pullsecrets import PullSecrets

CANARY = "canary-4711"


def auth(user, password="p"):
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def secret(name, keys, namespace="team", flat=False):
    """A Secret with a login for each key, called like the key."""
    entries = {key: auth(f"{name} {key}") for key in keys}
    return PullSecret(namespace, name, json.dumps(entries if flat else {"auths": entries}))


def users(source, host="registry.test", repository="team/app", scope="s"):
    return [credential.username for credential in source.resolve(Wanted(host, repository, scope))]


@pytest.mark.parametrize(("key", "host", "repository", "taken"), MATCHING)
def test_matching(key, host, repository, taken):
    source = PullSecrets({"s": (secret("x", [key]),)})
    assert bool(users(source, host, repository)) == taken


def test_all_that_match_are_given_and_the_most_specific_first():
    source = PullSecrets(
        {
            "s": (
                secret("one", ["*.test", "registry.test/team"]),
                secret("two", ["registry.test", "registry.test/team/app", "other.test"]),
            )
        }
    )
    assert users(source) == [
        "two registry.test/team/app",
        "one registry.test/team",
        "two registry.test",
        "one *.test",
    ]


def test_of_equal_keys_the_order_of_the_pod_holds():
    names = ["zeta", "alpha", "mid"]
    source = PullSecrets({"s": tuple(secret(name, ["registry.test"]) for name in names)})
    assert users(source) == [f"{name} registry.test" for name in names]


def test_another_key_hides_docker_hubs_index():
    source = PullSecrets({"s": (secret("x", ["https://index.docker.io/v1/", "docker.io"]),)})
    assert users(source, "docker.io", "library/nginx") == ["x docker.io"]


@pytest.mark.parametrize("flat", [False, True])
def test_both_types_of_secret(flat):
    source = PullSecrets({"s": (secret("x", ["registry.test"], flat=flat),)})
    (credential,) = source.resolve(Wanted("registry.test", "a", "s"))
    assert credential.source == "Secret team/x (key registry.test)"
    assert source.about(Wanted("registry.test", "a", "s")) == credential.source


def test_a_scope_sees_its_own_secrets_only():
    source = PullSecrets({"a": (secret("a", ["registry.test"]),), "b": (secret("b", ["registry.test"]),)})
    assert users(source, scope="a") == ["a registry.test"]
    assert users(source, scope="b") == ["b registry.test"]
    assert users(source, scope="ambient") == users(source, scope="unknown") == []


# Sharing.


def test_where_no_secret_matches_the_scope_makes_no_difference():
    source = PullSecrets({"a": (secret("a", ["registry.test/team"]),)})
    assert source.scope(Wanted("other.test", "x", "a")) == "ambient"
    assert source.scope(Wanted("registry.test", "other", "a")) == "ambient"
    assert source.scope(Wanted("registry.test", "team/app", "a")) == "a"


def test_copies_of_one_secret_share():
    same = secret("regcred", ["registry.test"])
    source = PullSecrets(
        {
            "one": (same,),
            "two": (same._replace(namespace="other"),),
            "three": (secret("regcred2", ["registry.test"]),),
        }
    )
    wanted = [source.scope(Wanted("registry.test", "a", scope)) for scope in ("one", "two", "three")]
    assert wanted == ["one", "one", "three"]


def test_a_secret_that_cannot_be_read_does_not_share():
    source = PullSecrets({"s": (PullSecret("team", "x", "{"),)})
    assert source.scope(Wanted("registry.test", "a", "s")) == "s"


# What is broken.


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (CANARY, "Secret team/x is not valid JSON"),
        ("", "Secret team/x is not valid JSON"),
        ("[]", "a mapping"),
        ('{"auths": {"registry.test": "canary-4711"}}', "the entry of registry.test is not a mapping"),
        ('{"auths": {"registry.test": {"auth": "canary-4711"}}}', "not base64"),
        ("\ud800", "not valid JSON"),
    ],
)
def test_a_broken_secret_is_named(config, words):
    source = PullSecrets({"s": (PullSecret("team", "x", config),)})
    wanted = Wanted("registry.test", "a", "s")
    for _ in range(2):
        with pytest.raises(KeychainError) as caught:
            source.resolve(wanted)
        assert words in str(caught.value) and "canary" not in str(caught.value)
    assert source.about(wanted) == ""


def test_it_does_not_hide_another():
    source = PullSecrets({"s": (PullSecret("team", "x", "{"), secret("good", ["registry.test"]))})
    assert users(source) == ["good registry.test"]


def test_an_entry_that_is_broken_does_not_hide_another():
    entries = {"registry.test/team": {"auth": "!"}, "registry.test": auth("good")}
    source = PullSecrets({"s": (PullSecret("team", "x", json.dumps({"auths": entries})),)})
    assert users(source) == ["good"]


def test_names_are_shown_printable():
    source = PullSecrets({"s": (PullSecret("a\x1b[31m", "::error::x\n", "{"),)})
    with pytest.raises(KeychainError) as caught:
        source.resolve(Wanted("registry.test", "a", "s"))
    assert str(caught.value).isprintable()
