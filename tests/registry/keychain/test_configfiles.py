"""Which files are read, in which order, when, and what a broken one does to the others."""

from __future__ import annotations

import base64
import json
import os

import pytest

from transformer.registry.keychain import KeychainError, Wanted
from transformer.registry.keychain.configfiles import ConfigFiles, documents, place_of


def auth(user, password="p"):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def write(path, *hosts, user=None):
    """A config in which each host has a login called like the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {host: {"auth": auth(user or path.name)} for host in hosts}}))


def source(home, **variables):
    # An XDG_RUNTIME_DIR of the test's own: the one of the machine is not ours to read.
    return ConfigFiles(documents({"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"), **variables}))


def users(keychain, host="registry.test", repository="team/app"):
    return [credential.username for credential in keychain.resolve(Wanted(host, repository))]


#: In the order in which they are asked.
PLACES = {
    "DOCKER_AUTH_CONFIG": None,
    "REGISTRY_AUTH_FILE": "explicit/auth.json",
    "podman's runtime": "run/containers/auth.json",
    "podman's settings": ".config/containers/auth.json",
    "docker": ".docker/config.json",
    "before docker 1.7": ".dockercfg",
}


@pytest.fixture
def everything(tmp_path):
    """All places at once, each with a login named after it; gives the variables that lead to them."""
    for name, place in PLACES.items():
        if place is not None:
            write(tmp_path / place, "registry.test", user=name)
    content = {"registry.test": {"auth": auth("before docker 1.7")}}
    (tmp_path / ".dockercfg").write_text(json.dumps(content))
    text = json.dumps({"auths": {"registry.test": {"auth": auth("DOCKER_AUTH_CONFIG")}}})
    return {"DOCKER_AUTH_CONFIG": text, "REGISTRY_AUTH_FILE": str(tmp_path / "explicit/auth.json")}


def test_the_order(tmp_path, everything):
    assert users(source(tmp_path, **everything)) == list(PLACES)


@pytest.mark.parametrize("gone", list(PLACES))
def test_any_of_them_may_be_absent(tmp_path, everything, gone):
    place = PLACES[gone]
    if place is not None:
        (tmp_path / place).unlink()
    everything.pop(gone, None)
    assert users(source(tmp_path, **everything)) == [name for name in PLACES if name != gone]


def test_nobody(tmp_path):
    assert users(source(tmp_path)) == []
    assert source(tmp_path).about(Wanted("registry.test", "a")) == ""


def test_other_directories(tmp_path):
    write(tmp_path / "dc/config.json", "registry.test", user="DOCKER_CONFIG")
    write(tmp_path / "xdg/containers/auth.json", "registry.test", user="XDG_CONFIG_HOME")
    write(tmp_path / ".docker/config.json", "registry.test", user="not asked")
    write(tmp_path / ".config/containers/auth.json", "registry.test", user="not asked")
    variables = {"DOCKER_CONFIG": str(tmp_path / "dc"), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert users(source(tmp_path, **variables)) == ["XDG_CONFIG_HOME", "DOCKER_CONFIG"]


def test_empty_variables_are_none(tmp_path, everything):
    empty = dict.fromkeys(("DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_CONFIG_HOME"), "")
    assert users(source(tmp_path, **empty)) == list(PLACES)[2:]


def test_without_a_runtime_directory_podmans_own_is_asked(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    places = [document.place for document in documents({"HOME": "/nobody"})]
    assert places[0] == "/run/containers/4711/auth.json"


def test_what_the_source_is_called(tmp_path):
    write(tmp_path / ".docker/config.json", "registry.test/team")
    (credential,) = source(tmp_path).resolve(Wanted("registry.test", "team/app"))
    assert credential.source == "~/.docker/config.json (key registry.test/team)"
    assert source(tmp_path).about(Wanted("registry.test", "team/app")) == credential.source


@pytest.mark.parametrize(
    ("path", "home", "place"),
    [
        ("/h/u/.docker/config.json", "/h/u", "~/.docker/config.json"),
        ("/h/u/.docker/config.json", "/h/u/", "~/.docker/config.json"),
        ("/h/user/config.json", "/h/u", "/h/user/config.json"),
        ("/etc/config.json", "/", "/etc/config.json"),
        ("/x/\x1b[31m", "/h", "/x/?[31m"),
    ],
)
def test_places(path, home, place):
    found = place_of(path, home)
    assert found == place or (not path.isprintable() and found.isprintable())


def test_a_file_is_read_once_and_not_before_it_is_needed(tmp_path):
    keychain = source(tmp_path)
    write(tmp_path / ".docker/config.json", "registry.test")
    assert users(keychain) == ["config.json"]
    (tmp_path / ".docker/config.json").unlink()
    assert users(keychain) == ["config.json"]


def test_a_broken_file_does_not_hide_the_next(tmp_path):
    (tmp_path / "broken.json").write_text("broken")
    write(tmp_path / ".docker/config.json", "registry.test")
    keychain = source(tmp_path, REGISTRY_AUTH_FILE=str(tmp_path / "broken.json"))
    assert users(keychain) == ["config.json"]
    with pytest.raises(KeychainError, match=r"~/broken\.json is not valid JSON") as caught:
        users(keychain, "unknown.test")
    assert caught.value.explicit
    assert keychain.about(Wanted("unknown.test", "a")) == ""


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"REGISTRY_AUTH_FILE": "/none/auth.json"}, "/none/auth.json does not exist"),
        ({"DOCKER_AUTH_CONFIG": "{canary-4711"}, "DOCKER_AUTH_CONFIG is not valid JSON"),
        ({"DOCKER_AUTH_CONFIG": "\udcff"}, "DOCKER_AUTH_CONFIG is not valid JSON"),
        ({"REGISTRY_AUTH_FILE": "/a\0b"}, "cannot be read: the path is none"),
    ],
)
def test_what_somebody_has_named_and_is_no_use(tmp_path, variables, words):
    with pytest.raises(KeychainError) as caught:
        users(source(tmp_path, **variables))
    assert words in str(caught.value) and caught.value.explicit
    assert "canary" not in str(caught.value) and str(caught.value).isprintable()


def test_a_directory_in_a_files_place_is_named(tmp_path):
    (tmp_path / ".docker/config.json").mkdir(parents=True)
    with pytest.raises(KeychainError, match=r"~/\.docker/config\.json cannot be read") as caught:
        users(source(tmp_path))
    assert not caught.value.explicit
