"""Every spelling of a Docker config that has been met, and what is broken."""

from __future__ import annotations

import base64
import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformer.registry.keychain import Credential, KeychainError
from transformer.registry.keychain.configtext import find, normalise, parse

CANARY = "canary-4711"
PLACE = "~/.docker/config.json"


def auth(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def lookup(content, host="registry.test", repository="team/app", flat=False):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return find(parse(raw, PLACE, flat=flat), PLACE, host, repository)


def user_of(content, host="registry.test", repository="team/app"):
    found = lookup(content, host, repository)
    return None if found is None else (found.username, found.password)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"auths": {}},
        {"auths": None},
        {"auths": {"registry.test": None}},
        {"credsStore": "pass"},
        {"credsStore": None, "credHelpers": None},
        {"auths": {"registry.test": {}}, "credsStore": "pass"},
        {"auths": {"registry.test": {"auth": ""}}},
        {"auths": {"registry.test": {"auth": None}}},
        {"auths": {"other.test": {"auth": auth("u", "p")}}},
    ],
)
def test_without_an_answer(content):
    assert lookup(content) is None


@pytest.mark.parametrize(
    ("key", "host", "repository"),
    [
        ("registry.test", "registry.test:5000", "a"),
        ("registry.test:5000", "registry.test", "a"),
        ("registry.test", "evil-registry.test", "a"),
        ("registry.test", "registry.test.evil", "a"),
        ("registry.test/team", "registry.test", "teams/app"),
        ("registry.test/team", "registry.test", "a"),
        ("registry.test/team/app", "registry.test", "team"),
        ("https://index.docker.io/v1/", "index.docker.io.evil", "a"),
        ("docker.io", "registry.test", "docker.io/a"),
        ("*.test", "registry.test", "a"),
        ("", "registry.test", "a"),
    ],
)
def test_keys_that_do_not_match(key, host, repository):
    assert user_of({"auths": {key: {"auth": auth("u", "p")}}}, host, repository) is None


@pytest.mark.parametrize(
    ("key", "host", "repository"),
    [
        ("registry.test", "registry.test", "a"),
        ("Registry.Test", "registry.test", "a"),
        ("registry.test", "Registry.Test", "a"),
        ("https://registry.test", "registry.test", "a"),
        ("http://registry.test/", "registry.test", "a"),
        ("https://registry.test/v2/", "registry.test", "a"),
        ("https://registry.test/any/path", "registry.test", "a"),
        ("registry.test/v2/", "registry.test", "a"),
        ("registry.test:5000", "registry.test:5000", "a"),
        ("registry.test/", "registry.test", "a"),
        ("registry.test/team", "registry.test", "team/app"),
        ("registry.test/team/app", "registry.test", "team/app"),
        ("127.0.0.1:5000", "127.0.0.1:5000", "a"),
        *(
            (alias, "docker.io", "library/nginx")
            for alias in (
                "https://index.docker.io/v1/",
                "https://index.docker.io/v2/",
                "index.docker.io",
                "docker.io",
                "index.docker.io/v1/",
                "https://docker.io",
                "registry-1.docker.io",
                "https://registry-1.docker.io/v2/",
                "docker.io/library",
            )
        ),
    ],
)
def test_keys_that_match(key, host, repository):
    assert user_of({"auths": {key: {"auth": auth("u", "p")}}}, host, repository) == ("u", "p")


def test_the_longest_key_wins():
    content = {
        "auths": {
            "registry.test": {"auth": auth("host", "p")},
            "registry.test/team": {"auth": auth("team", "p")},
            "registry.test/team/app": {"auth": auth("app", "p")},
        }
    }
    found = [user_of(content, repository=name)[0] for name in ("team/app/x", "team/app", "team/other", "teams", "x")]
    assert found == ["app", "app", "team", "host", "host"]


def test_an_empty_entry_does_not_hide_another_spelling():
    content = {"auths": {"docker.io": {}, "https://index.docker.io/v1/": {"auth": auth("u", "p")}}}
    assert user_of(content, "docker.io", "library/nginx") == ("u", "p")


def test_nor_a_shorter_key():
    content = {"auths": {"registry.test/team": {}, "registry.test": {"auth": auth("u", "p")}}}
    assert user_of(content) == ("u", "p")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": auth("u", "p")}, ("u", "p", "", "")),
        ({"auth": auth("u", "p").rstrip("=")}, ("u", "p", "", "")),
        ({"auth": auth("u", "p") + "\n"}, ("u", "p", "", "")),
        ({"auth": auth("user", "pass:with:colons")}, ("user", "pass:with:colons", "", "")),
        ({"auth": auth("ü", "pässword")}, ("ü", "pässword", "", "")),
        ({"auth": auth("u", "p\0\0")}, ("u", "p", "", "")),
        ({"auth": auth("u", "")}, ("u", "", "", "")),
        (
            {"auth": auth("_json_key", '{\n"type": "service_account"}')},
            ("_json_key", '{\n"type": "service_account"}', "", ""),
        ),
        ({"username": "u", "password": "p"}, ("u", "p", "", "")),
        ({"auth": auth("a", "b"), "username": "u", "password": "p"}, ("a", "b", "", "")),
        ({"identitytoken": "id"}, ("", "", "id", "")),
        ({"auth": auth("u", "p"), "identitytoken": "id"}, ("u", "p", "id", "")),
        ({"registrytoken": "rt"}, ("", "", "", "rt")),
        ({"auth": auth("u", "p"), "email": "e", "future": {"x": 1}}, ("u", "p", "", "")),
    ],
)
def test_shapes_of_an_entry(entry, expected):
    assert lookup({"auths": {"registry.test": entry}}) == Credential(f"{PLACE} (key registry.test)", *expected)


@pytest.mark.parametrize("around", [b"%s\0\0", b"\xef\xbb\xbf%s", b"\n %s\n"])
def test_bytes_around_the_json(around):
    content = json.dumps({"auths": {"registry.test": {"auth": auth("u", "p")}}}).encode()
    assert user_of(around % content) == ("u", "p")


def test_the_flat_map_of_old():
    flat = {"https://registry.test": {"auth": auth("u", "p"), "email": "e"}}
    assert lookup(flat, flat=True).username == "u"
    assert lookup(flat) is None
    assert lookup({"auths": flat}, flat=True).username == "u"


def test_helpers():
    config = parse(b'{"credHelpers": {"https://GCR.io": "gcloud", "docker.io": "x"}, "credsStore": "desktop"}', PLACE)
    assert (config.helpers, config.store) == ({"gcr.io": "gcloud", "docker.io": "x"}, "desktop")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not valid JSON (line 1, column 1)"),
        (b'{"auths": {"registry.test": {"auth": "' + CANARY.encode(), "not valid JSON (line 1"),
        (b'{\n "auths": canary-4711}', "not valid JSON (line 2, column 11)"),
        (b"\xff\xfe" + CANARY.encode(), "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "a mapping with a mapping `auths` was expected"),
        (b'{"auths": ["canary-4711"]}', "a mapping with a mapping `auths` was expected"),
        (b'{"auths": {"registry.test": "canary-4711"}}', "the entry of registry.test is not a mapping"),
        (b'{"auths": {"registry.test": {"auth": 1}}}', "auth of registry.test"),
        (b'{"auths": {"registry.test": {"auth": "canary-4711!"}}}', "not base64 of user:password"),
        (b'{"auths": {"registry.test": {"auth": "Y2FuYXJ5LTQ3MTE="}}}', "not base64 of user:password"),
        (b'{"auths": {"registry.test": {"auth": "OmNhbmFyeS00NzEx"}}}', "not base64 of user:password"),
        (b'{"auths": {"registry.test": {"auth": "/////w=="}}}', "not base64 of user:password"),
        (b'{"credHelpers": ["canary-4711"]}', "credHelpers is not a mapping"),
        (b'{"credHelpers": {"a": {"canary-4711": 1}}}', "credHelpers is not a mapping"),
        (b'{"credsStore": ["canary-4711"]}', "credsStore is not a name"),
        (b" " * (1024 * 1024 + 1), "larger than 1024 KiB"),
    ],
)
def test_what_is_broken_is_named_and_never_shown(content, words):
    with pytest.raises(KeychainError) as caught:
        lookup(content)
    message = str(caught.value)
    assert message.startswith(PLACE) and words in message and message.isprintable()
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_key_is_shown_printable():
    with pytest.raises(KeychainError) as caught:
        lookup({"auths": {"registry.test/\x1b[31m::error": 1}}, repository="\x1b[31m::error")
    assert str(caught.value).isprintable()


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing_more(key):
    once = normalise(key)
    if "://" not in once and not once.endswith(("/v1", "/v2")):
        assert normalise(once) == once


@given(st.binary(max_size=200))
def test_any_bytes_are_a_config_or_a_keychain_error(content):
    try:
        parse(content, PLACE)
    except KeychainError as error:
        assert str(error).startswith(PLACE)


def test_of_two_keys_for_one_host_the_exact_one_counts():
    wrong, right = {"auth": auth("wrong", "x")}, {"auth": auth("right", "x")}
    for written in ("https://registry.test/v1/other", "https://registry.test", "registry.test/v1/", "Registry.test"):
        for auths in ({written: wrong, "registry.test": right}, {"registry.test": right, written: wrong}):
            assert user_of({"auths": auths}) == ("right", "x")
    auths = {"docker.io": wrong, "https://index.docker.io/v1/": right}
    assert user_of({"auths": auths}, "docker.io") == ("right", "x")
    assert user_of({"auths": {"https://registry.test": right, "http://registry.test": wrong}}) == ("right", "x")


def test_the_key_is_told_as_it_is_written():
    found = lookup({"auths": {"https://index.docker.io/v1/": {"auth": auth("user", "x")}}}, "docker.io")
    assert found.source == f"{PLACE} (key https://index.docker.io/v1/)"


@pytest.mark.parametrize("entry", ['{"username": "u", "password": "\\ud800"}', '{"identitytoken": "\\ud800x"}'])
def test_a_secret_that_is_no_text_is_the_files_fault(entry):
    with pytest.raises(KeychainError, match="no valid text"):
        lookup(f'{{"auths": {{"registry.test": {entry}}}}}'.encode())
