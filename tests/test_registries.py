"""The registries of the tests are real, take what is pushed, and refuse what a registry refuses."""

from __future__ import annotations

import json

import pytest

from tests import registries
from tests.conftest import DEMO

ACCEPT = ", ".join((registries.OCI_INDEX, registries.DOCKER_LIST, registries.OCI_IMAGE, registries.DOCKER_IMAGE))


def test_layout_pushed_comes_back_byte_for_byte(any_registry):
    pushed = any_registry.push_layout(DEMO / "layout")
    assert len(pushed) == 6
    for name, digest in pushed.items():
        repository, _, tag = name.rpartition(":")
        answer = any_registry.request("GET", f"/v2/{repository}/manifests/{tag}", {"Accept": ACCEPT})
        assert (answer.status, answer.headers["docker-content-digest"]) == (200, digest)
        assert registries.digest_of(answer.body) == digest


def test_children_of_an_index_can_be_asked_by_digest(any_registry):
    built = registries.multi_platform("children")
    any_registry.push_image("tests/children", "1", built)
    for child in built.children:
        answer = any_registry.request("HEAD", f"/v2/tests/children/manifests/{child.digest}", {"Accept": ACCEPT})
        assert (answer.status, answer.headers["content-type"]) == (200, registries.OCI_IMAGE)


def test_a_tag_moves(any_registry):
    first, second = registries.image("first"), registries.image("second")
    assert first.digest != second.digest
    for built in (first, second):
        any_registry.push_image("tests/moves", "latest", built)
        answer = any_registry.request("HEAD", "/v2/tests/moves/manifests/latest", {"Accept": ACCEPT})
        assert answer.headers["docker-content-digest"] == built.digest


def test_a_deleted_manifest_is_gone(docker_registry):
    digest = docker_registry.push_image("tests/deleted", "1", registries.image("deleted"))
    docker_registry.delete("tests/deleted", digest)
    assert docker_registry.request("HEAD", "/v2/tests/deleted/manifests/1", {"Accept": ACCEPT}).status == 404


def test_a_manifest_without_its_blobs_is_refused(docker_registry):
    built = registries.image("blobs are missing")
    with pytest.raises(AssertionError, match="PUT /v2/tests/broken/manifests/1 .* 4"):
        docker_registry.push("tests/broken", "1", built.content, built.media_type, {})


def test_a_blob_under_a_wrong_digest_is_refused(any_registry):
    wrong = registries.digest_of(b"something else")
    with pytest.raises(AssertionError, match="PUT .* 400"):
        any_registry.push("tests/wrong", "1", b"{}", registries.OCI_IMAGE, {wrong: b"content"})


def test_basic_wants_the_password(docker_registry_basic):
    built = registries.image("private")
    assert docker_registry_basic.push_image("tests/private", "1", built) == built.digest
    for user, password in ((None, ""), (registries.USER, "wrong"), ("nobody", registries.PASSWORD)):
        visitor = registries.Registry(docker_registry_basic.host, user, password)
        answer = visitor.request("GET", "/v2/tests/private/manifests/1", {"Accept": ACCEPT})
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Basic realm="tests"')


def test_builders_are_deterministic_and_tell_platforms_apart():
    assert registries.multi_platform("x") == registries.multi_platform("x")
    children = json.loads(registries.multi_platform("x").content)["manifests"]
    assert [child["platform"] for child in children] == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64", "variant": "v8"},
    ]
    assert len({child["digest"] for child in children}) == 2


def test_a_server_that_does_not_start_says_why(tmp_path):
    with pytest.raises(AssertionError, match="did not start: .*no such option"):
        with registries._process(["sh", "-c", "echo no such option >&2; exit 2"], tmp_path / "log", "listening"):
            pass
