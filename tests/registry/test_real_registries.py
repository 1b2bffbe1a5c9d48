"""Against registries that other people wrote; the whole path from a question to a digest."""

from __future__ import annotations

import json

import pytest

from tests import registries
from tests.registry.faults import reference, refusal, resolver
from transformer.images.reference import join
from transformer.policy.questions import Missing, Question, Resolved
from transformer.registry.keychain import ambient_keychain


def ask(host, image, locations=(), **fields):
    options = {name: fields.pop(name) for name in ("keychain",) if name in fields}
    question = Question(reference(f"{host}/{image}"), tuple(reference(one) for one in locations), **fields)
    return resolver(**options).ask([question])[question]


@pytest.mark.parametrize("media_type", [registries.OCI_INDEX, registries.DOCKER_LIST])
def test_an_index(any_registry, media_type):
    built = registries.multi_platform("index", media_type)
    any_registry.push_image("room/index", "1", built)
    assert ask(any_registry.host, "room/index:1") == Resolved(built.digest, media_type)


@pytest.mark.parametrize("media_type", [registries.OCI_IMAGE, registries.DOCKER_IMAGE])
def test_a_single_image(any_registry, media_type):
    built = registries.image("single", media_type=media_type)
    any_registry.push_image("room/single", "1", built)
    assert ask(any_registry.host, "room/single:1") == Resolved(built.digest, media_type)
    assert ask(any_registry.host, f"room/single@{built.digest}") == Resolved(built.digest, media_type)


def test_the_default_tag(any_registry):
    built = registries.image("latest")
    any_registry.push_image("room/latest", "latest", built)
    assert ask(any_registry.host, "room/latest").digest == built.digest


@pytest.mark.parametrize("image", ["room/absent:1", "room/index:absent", "room/index@sha256:" + "0" * 64])
def test_what_is_not_there(any_registry, image):
    any_registry.push_image("room/index", "1", registries.multi_platform("index"))
    problem = refusal(ask(any_registry.host, image))
    assert problem.rule == "not-found"
    assert "HTTP 404" in problem.message


def test_a_platform(any_registry):
    built = registries.multi_platform("platforms")
    any_registry.push_image("room/platforms", "1", built)
    children = {
        platform: child.digest for platform, child in zip(("linux/amd64", "linux/arm64"), built.children, strict=True)
    }
    for platform, digest in children.items():
        assert ask(any_registry.host, "room/platforms:1", platform=platform).digest == digest
    problem = refusal(ask(any_registry.host, "room/platforms:1", platform="linux/s390x"))
    assert problem.rule == "platform-missing"
    assert "linux/amd64" in problem.message


def test_a_platform_of_a_single_image(any_registry):
    built = registries.image("amd64 only", "linux/amd64")
    any_registry.push_image("room/amd64", "1", built)
    assert ask(any_registry.host, "room/amd64:1", platform="linux/amd64").digest == built.digest
    assert refusal(ask(any_registry.host, "room/amd64:1", platform="linux/arm64")).rule == "platform-missing"


def test_a_moved_tag_is_asked_anew_in_the_next_run(any_registry):
    for text in ("before", "after"):
        built = registries.image(text)
        any_registry.push_image("room/moving", "1", built)
        assert ask(any_registry.host, "room/moving:1").digest == built.digest


def test_one_registry_as_the_mirror_of_another(docker_registry, crane_registry):
    built, stale = registries.multi_platform("now"), registries.multi_platform("long ago")
    docker_registry.push_image("room/source", "1", built)
    crane_registry.push_image("stale/source", "1", stale)
    crane_registry.push_image("hub/source", "1", built)
    mirrors = [f"{crane_registry.host}/{path}/source:1" for path in ("absent", "stale", "hub")]
    answer = ask(docker_registry.host, "room/source:1", mirrors)
    assert (answer.digest, answer.chosen) == (built.digest, 2)
    assert [note.rule for note in answer.notes] == ["mirror-missing", "mirror-missing"]
    answer = ask(docker_registry.host, "room/source:1", mirrors[:2])
    assert isinstance(answer, Missing)
    answer = ask(docker_registry.host, "room/source:1", mirrors[1:], verify="exists")
    assert (answer.digest, answer.chosen, answer.notes[0].rule) == (stale.digest, 0, "mirror-differs")
    answer = ask(docker_registry.host, "room/absent:1", mirrors, resolve_at="mirror")
    assert (answer.digest, answer.chosen) == (stale.digest, 1)


def test_a_digest_that_was_deleted_is_gone(docker_registry):
    built = registries.image("to be deleted")
    docker_registry.push_image("room/deleted", "1", built)
    name = join(f"{docker_registry.host}/room/deleted", None, built.digest).partition("/")[2]
    assert ask(docker_registry.host, name).digest == built.digest
    docker_registry.delete("room/deleted", built.digest)
    assert refusal(ask(docker_registry.host, name)).rule == "not-found"


# Basic auth.


@pytest.fixture
def login(isolation):
    """Writes a config.json with one entry; the keychain is that of the environment."""

    def write(key, **entry):
        (isolation / ".docker").mkdir()
        (isolation / ".docker" / "config.json").write_text(json.dumps({"auths": {key: entry}}))
        return ambient_keychain()

    return write


def test_basic_from_config_json(docker_registry_basic, login):
    built = registries.image("private")
    docker_registry_basic.push_image("room/private", "1", built)
    keychain = login(docker_registry_basic.host, username=registries.USER, password=registries.PASSWORD)
    assert ask(docker_registry_basic.host, "room/private:1", keychain=keychain).digest == built.digest
    problem = refusal(ask(docker_registry_basic.host, "room/absent:1", keychain=keychain))
    assert problem.rule == "not-found"
    assert "asked as ~/.docker/config.json (key " in problem.message


def test_basic_with_a_wrong_password(docker_registry_basic, login):
    keychain = login(docker_registry_basic.host, username=registries.USER, password="canary-4711")
    problem = refusal(ask(docker_registry_basic.host, "room/private:1", keychain=keychain))
    assert problem.rule == "no-permission"
    assert "asked as ~/.docker/config.json (key " in problem.message
    assert "canary" not in str(problem)


def test_basic_without_a_credential(docker_registry_basic):
    problem = refusal(ask(docker_registry_basic.host, "room/private:1"))
    assert problem.rule == "no-permission"
    assert "not found or no permission (HTTP 401" in problem.message
    assert "asked as anonymous" in problem.message


def test_many_at_once(any_registry):
    built = [registries.image(f"number {number}") for number in range(40)]
    for number, one in enumerate(built):
        any_registry.push_image(f"room/many{number}", "1", one)
    questions = [Question(reference(f"{any_registry.host}/room/many{number}:1")) for number in range(40)]
    one = resolver()
    answers = one.ask(questions)
    assert [answers[question].digest for question in questions] == [image.digest for image in built]
    assert one.requests == 40
