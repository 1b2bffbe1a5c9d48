from __future__ import annotations

import base64
import json
import os
import traceback

import pytest

from transformer.registry.keychain import Credential, KeychainError, NoKeychain, ambient_keychain

CANARY = "canary-4711"


def auth(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def config(tmp_path):
    """Writes ~/.docker/config.json (a mapping, or raw bytes) and gives the keychain of that HOME."""

    def write(content):
        (tmp_path / ".docker").mkdir(exist_ok=True)
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (tmp_path / ".docker" / "config.json").write_bytes(raw)
        return ambient_keychain({"HOME": str(tmp_path)})

    return write


def user_of(keychain, host="registry.test", repository="team/app"):
    credential = keychain.resolve(host, repository)
    return None if credential is None else (credential.username, credential.password)


# Nobody.


def test_no_file_is_anonymous(tmp_path):
    keychain = ambient_keychain({"HOME": str(tmp_path)})
    assert keychain.resolve("registry.test", "a") is None
    assert keychain.describe("registry.test", "a") == "anonymous"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"auths": {}},
        {"auths": None},
        {"credsStore": "pass"},
        {"auths": {"registry.test": {}}, "credsStore": "pass"},
        {"auths": {"registry.test": {"auth": ""}}},
        {"auths": {"other.test": {"auth": auth("u", "p")}}},
    ],
)
def test_files_without_an_answer(config, content):
    keychain = config(content)
    assert keychain.resolve("registry.test", "team/app") is None
    assert keychain.describe("registry.test", "team/app") == "anonymous"


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
    ],
)
def test_keys_that_do_not_match(config, key, host, repository):
    assert user_of(config({"auths": {key: {"auth": auth("u", "p")}}}), host, repository) is None


# Somebody.


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
def test_keys_that_match(config, key, host, repository):
    assert user_of(config({"auths": {key: {"auth": auth("u", "p")}}}), host, repository) == ("u", "p")


def test_the_longest_key_wins(config):
    keychain = config(
        {
            "auths": {
                "registry.test": {"auth": auth("host", "p")},
                "registry.test/team": {"auth": auth("team", "p")},
                "registry.test/team/app": {"auth": auth("app", "p")},
            }
        }
    )
    found = [user_of(keychain, repository=name)[0] for name in ("team/app/x", "team/app", "team/other", "teams", "x")]
    assert found == ["app", "app", "team", "host", "host"]


def test_an_empty_entry_does_not_hide_another_spelling(config):
    keychain = config({"auths": {"docker.io": {}, "https://index.docker.io/v1/": {"auth": auth("u", "p")}}})
    assert user_of(keychain, "docker.io", "library/nginx") == ("u", "p")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": auth("u", "p")}, ("u", "p", "", "")),
        ({"auth": auth("u", "p").rstrip("=")}, ("u", "p", "", "")),
        ({"auth": auth("user", "pass:with:colons")}, ("user", "pass:with:colons", "", "")),
        ({"auth": auth("ü", "pässword")}, ("ü", "pässword", "", "")),
        ({"auth": auth("u", "p\0\0")}, ("u", "p", "", "")),
        ({"auth": auth("u", "")}, ("u", "", "", "")),
        ({"username": "u", "password": "p"}, ("u", "p", "", "")),
        ({"auth": auth("a", "b"), "username": "u", "password": "p"}, ("a", "b", "", "")),
        ({"identitytoken": "id"}, ("", "", "id", "")),
        ({"auth": auth("u", "p"), "identitytoken": "id"}, ("u", "p", "id", "")),
        ({"registrytoken": "rt"}, ("", "", "", "rt")),
        ({"auth": auth("u", "p"), "email": "e", "future": {"x": 1}}, ("u", "p", "", "")),
    ],
)
def test_shapes_of_an_entry(config, entry, expected):
    credential = config({"auths": {"registry.test": entry}}).resolve("registry.test", "a")
    assert credential == Credential("config.json at ~/.docker/config.json", *expected)


# What is broken is named, and never shown.


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
        (b'{"auths": {"registry.test": "canary-4711"}}', "the entry of registry.test/team/app is not a mapping"),
        (b'{"auths": {"registry.test": {"auth": 1}}}', "auth of registry.test"),
        (b'{"auths": {"registry.test": {"auth": "canary-4711!"}}}', "not base64 of user:password"),
        (b'{"auths": {"registry.test": {"auth": "Y2FuYXJ5LTQ3MTE="}}}', "not base64 of user:password"),
        (b'{"auths": {"registry.test": {"auth": "OmNhbmFyeS00NzEx"}}}', "not base64 of user:password"),
        (b'{"auths": {"registry.test": {"auth": "/////w=="}}}', "not base64 of user:password"),
        (b" " * (1024 * 1024 + 1), "larger than 1024 KiB"),
    ],
)
def test_broken_files(config, content, words):
    keychain = config(content)
    with pytest.raises(KeychainError) as caught:
        keychain.resolve("registry.test", "team/app")
    message = str(caught.value)
    assert message.startswith("config.json at ~/.docker/config.json")
    assert words.partition("/team")[0] in message
    described = keychain.describe("registry.test", "team/app")
    assert described == f"anonymous ({message})"
    assert CANARY not in "".join(traceback.format_exception(caught.value)) + described
    assert message.isprintable()


def test_a_file_is_read_once(config, tmp_path):
    keychain = config({"auths": {"registry.test": {"auth": auth("u", "p")}}})
    assert user_of(keychain) == ("u", "p")
    (tmp_path / ".docker" / "config.json").unlink()
    assert user_of(keychain) == ("u", "p")


def test_a_file_is_not_read_before_it_is_needed(config, tmp_path):
    keychain = config(b"broken")
    (tmp_path / ".docker" / "config.json").write_text(
        json.dumps({"auths": {"registry.test": {"auth": auth("u", "p")}}})
    )
    assert user_of(keychain) == ("u", "p")


def test_a_directory_in_its_place_is_named(tmp_path):
    (tmp_path / ".docker" / "config.json").mkdir(parents=True)
    with pytest.raises(KeychainError, match="cannot be read"):
        ambient_keychain({"HOME": str(tmp_path)}).resolve("registry.test", "a")


# Which files.


@pytest.fixture
def files(tmp_path):
    """Three files that each know registry.test as themselves, and one only the last of them knows."""
    for name in ("home/.docker/config.json", "dc/config.json", "auth.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(
                {
                    "auths": {
                        "registry.test": {"auth": auth(name, "p")},
                        f"{path.parent.name}.test": {"auth": auth("x", "p")},
                    }
                }
            )
        )
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "user", "source"),
    [
        ({}, "home/.docker/config.json", "config.json at ~/.docker/config.json"),
        ({"DOCKER_CONFIG": "dc"}, "dc/config.json", "config.json at {root}/dc/config.json"),
        ({"DOCKER_CONFIG": ""}, "home/.docker/config.json", "config.json at ~/.docker/config.json"),
        ({"REGISTRY_AUTH_FILE": "auth.json"}, "auth.json", "auth.json at {root}/auth.json"),
        ({"REGISTRY_AUTH_FILE": "auth.json", "DOCKER_CONFIG": "dc"}, "auth.json", "auth.json at {root}/auth.json"),
    ],
)
def test_which_file_answers(files, variables, user, source):
    environ = {name: os.path.join(files, value) if value else "" for name, value in variables.items()}
    keychain = ambient_keychain({"HOME": str(files / "home"), **environ})
    assert user_of(keychain, repository="a") == (user, "p")
    assert keychain.describe("registry.test", "a") == source.format(root=files)


def test_the_next_file_answers_what_the_first_does_not_know(files):
    keychain = ambient_keychain(
        {
            "HOME": str(files / "home"),
            "REGISTRY_AUTH_FILE": str(files / "auth.json"),
            "DOCKER_CONFIG": str(files / "dc"),
        }
    )
    assert user_of(keychain, "dc.test") == ("x", "p")
    assert user_of(keychain, ".docker.test") is None


def test_a_broken_file_does_not_hide_the_next(files):
    (files / "auth.json").write_text("broken")
    environ = {"HOME": str(files / "home"), "REGISTRY_AUTH_FILE": str(files / "auth.json")}
    assert user_of(ambient_keychain(environ)) == ("home/.docker/config.json", "p")
    with pytest.raises(KeychainError, match="auth.json at"):
        ambient_keychain(environ).resolve("unknown.test", "a")


def test_a_named_file_that_is_missing_is_told(files):
    environ = {"HOME": str(files), "REGISTRY_AUTH_FILE": str(files / "none.json")}
    with pytest.raises(KeychainError, match=r"none\.json at ~/none\.json does not exist"):
        ambient_keychain(environ).resolve("registry.test", "a")


# Secrets stay inside.


def test_a_credential_never_shows_its_secrets():
    credential = Credential("here", "user", CANARY, CANARY, CANARY)
    assert CANARY not in f"{credential} {credential!r} {credential!s} {[credential]} {(credential,)}"


def test_basic():
    assert Credential("here", "user", "p:ä").basic == "Basic " + base64.b64encode("user:p:ä".encode()).decode()
    assert Credential("here", identity_token="x").basic is None


def test_no_keychain():
    assert NoKeychain().resolve("registry.test", "a") is None
    assert NoKeychain().describe("registry.test", "a") == "anonymous"
