"""The recipes of docs/mirrors.md, each played against registries under their real names (tests/stories.py).

What must be refused comes first; then every story through every door, to the byte, and once more over its own output.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import pytest
import yaml
from build_layout import multi_platform

from tests import doors, stories
from tests.conftest import ROOT
from tests.registry.faults import Answer
from transformer import cli
from transformer.languages.export import FORMATS
from transformer.languages.read import languages

PAGE = (ROOT / "docs" / "mirrors.md").read_text(encoding="utf-8")

#: The recipes that the docs promise.
RECIPES = {
    "harbor-proxy",
    "ecr-pull-through",
    "artifact-registry",
    "acr-cache",
    "nexus",
    "artifactory",
    "zarf-air-gap",
    "containerd-nodes",
    "openshift",
}

CASES = [
    pytest.param(name, variables, id=" ".join((name, *(f"{key}={value}" for key, value in variables.items()))))
    for name in stories.names()
    for variables in stories.read(name).variants()
]

#: What `mirrors check` must find missing in a story as it stands: registry/repository.
GAPS: dict[str, set[str]] = {
    "acr-cache": {"myregistry.azurecr.io/mcr/azure-cli"},
    "containerd-nodes": {
        "mirror.example.com/hub/alpine/git",
        "mirror.example.com/hub/restic/restic",
        "mirror.example.net/hub/library/mediawiki",
        "mirror.example.net/hub/restic/restic",
    },
    "artifactory": {"artifactory-fra.example.com/docker-remote/library/elasticsearch"},
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> stories.Stage:
    return stories.build_stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def play(stage, tmp_path):
    """Starts a story: `with play("nexus") as it`, or with another one's registries."""
    return lambda story, answer=None: stories.playing(
        stories.read(story) if isinstance(story, str) else story, stage, tmp_path, answer
    )


@pytest.fixture
def run(run_pindown):
    """Runs pindown in a story's copy."""

    def call(it: stories.Play, *args: str, stdin: str | None = None, **environ: str | None) -> doors.Ran:
        sent = None if stdin is None else stdin.encode()
        ran = run_pindown(args, sent, {**it.environ, **environ}, it.directory)
        return doors.Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())

    return call


def render(variables: Mapping[str, str], path: str = "manifests.yaml") -> list[str]:
    chosen = [word for name, value in variables.items() for word in ("--set", f"{name}={value}")]
    return ["render", path, "--policy", "pindown.yaml", *chosen]


def images(value: object) -> Iterator[str]:
    """Every text under `image` or `reference` at any depth, in order."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("image", "reference") and isinstance(inner, str):
                yield inner
            else:
                yield from images(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from images(inner)


def change(it: stories.Play, old: str, new: str) -> None:
    """Changes the policy of a copy."""
    file = it.directory / "pindown.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def errors(ran: doors.Ran) -> list[str]:
    return re.findall(r"^error\[([a-z0-9-]+)\]", ran.err, re.MULTILINE)


# What must be refused.


@pytest.mark.parametrize(
    ("story", "registry", "repository"),
    [
        ("harbor-proxy", "harbor.example.com", "hub-proxy/library/nginx"),
        ("ecr-pull-through", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "quay/prometheus/node-exporter"),
        ("artifact-registry", "europe-docker.pkg.dev", "acme-platform/ghcr/acme/theme"),
        # written by hand, and so asked by its digest alone
        ("artifact-registry", "europe-docker.pkg.dev", "acme-platform/hub/curlimages/curl"),
        ("acr-cache", "myregistry.azurecr.io", "hub/official/alpine"),
        ("nexus", "nexus.example.com:8444", "prometheuscommunity/postgres-exporter"),
        ("artifactory", "artifactory.example.com", "eu.gcr.io/acme-tools/debug"),
    ],
)
def test_a_mirror_that_lacks_an_image(play, run, story, registry, repository):
    with play(stories.read(story).without(registry, repository)) as it:
        ran = run(it, *render({}))
    assert (ran.code, ran.out, errors(ran)) == (1, "", ["mirror-missing"])
    assert f"{registry}/{repository}@sha256:" in ran.err
    assert "expected there: sha256:" in ran.err


def test_a_mirror_whose_tag_lags_behind(play, run):
    story = stories.read("harbor-proxy").holding("harbor.example.com", "hub-proxy/library/nginx:1.27.3", "nginx, older")
    with play(story) as it:
        ran = run(it, *render({}))
    assert (ran.code, ran.out, errors(ran)) == (1, "", ["mirror-differs"])
    for words in ("nginx 1.27.3", "nginx, older"):  # what was expected, and what was found
        assert multi_platform(words).digest in ran.err
    assert "docker.io/library/nginx:1.27.3 means" in ran.err


def test_a_mirror_that_gives_other_bytes_for_the_digest(play, run):
    def forge(seen):
        if "/hub-proxy/library/nginx/manifests/sha256:" not in seen.path or "authorization" not in seen.headers:
            return None
        other = multi_platform("another image")
        return Answer(200, {"Content-Type": other.media_type}, other.content)

    with play("harbor-proxy", forge) as it:
        ran = run(it, *render({}))
    assert (ran.code, ran.out, errors(ran)) == (1, "", ["mirror-differs"])
    assert "harbor.example.com/hub-proxy/library/nginx" in ran.err


def test_a_cache_that_was_never_asked_for_the_tag(play, run):
    with play("nexus") as it:
        change(it, ", warm: true", "")
        ran = run(it, *render({}))
    assert (ran.code, ran.out, errors(ran)) == (1, "", ["mirror-missing"] * 4)


def test_a_mirror_without_the_login(play, run):
    with play("nexus") as it:
        ran = run(it, *render({}), DOCKER_CONFIG=None)
    assert (ran.code, ran.out, errors(ran)) == (1, "", ["no-permission"] * 4)
    assert "nexus.example.com:8443" in ran.err


def test_the_login_of_the_secret_that_is_added_will_do(play, run):
    with play("harbor-proxy") as it:
        ran = run(it, *render({}), DOCKER_CONFIG=None)
    assert (ran.code, ran.out) == (0, it.expected()), ran.err


def test_a_pull_secret_that_is_for_another_host(play, run):
    with play("harbor-proxy") as it:
        file = it.directory / "manifests.yaml"
        file.write_text(it.text("manifests.yaml").replace('"harbor.example.com"', '"harbor.example.org"'))
        ran = run(it, *render({}))
    assert (ran.code, ran.out) == (1, "")
    assert set(errors(ran)) == {"pull-secret-conflict"}
    assert "harbor-pull" in ran.err and "pull-only" not in ran.err


def test_a_pull_secret_that_nobody_has_made(play, run):
    with play("nexus") as it:
        change(it, ", known: [nexus]", "")
        ran = run(it, *render({}))
    assert (ran.code, errors(ran)) == (0, [])
    assert "warning[pull-secret-missing]" in ran.err


def test_a_tag_that_the_source_does_not_have(play, run):
    with play(stories.read("ecr-pull-through").without("quay.io", "prometheus/node-exporter")) as it:
        ran = run(it, *render({}))
    assert (ran.code, ran.out, errors(ran)) == (1, "", ["not-found"])
    assert not any(" 123456789012." in one and "node-exporter" in one for one in it.asked)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"region": "eu-north-1"}, "region=eu-north-1 is not in the policy's matrix"),
        ({"regoin": "us-east-1"}, "regoin"),
        ({"region": "eu west"}, "cannot be part of an image name"),
    ],
)
def test_a_region_that_is_none(play, run, variables, words):
    with play("ecr-pull-through") as it:
        ran = run(it, *render(variables))
    assert (ran.code, ran.out, it.asked) == (2, "", [])
    assert words in ran.err


def test_a_region_that_nobody_chose_names_the_mirror_that_wants_it(play, run):
    with play("ecr-pull-through") as it:
        change(it, ", region: eu-west-1", "")
        ran = run(it, *render({}))
    assert (ran.code, ran.out, it.asked) == (2, "", [])
    assert "mirrors[0].locations[0]" in ran.err and "'region'" in ran.err


def test_two_sources_on_one_port_collide(play, run):
    manifests = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n" + "".join(
        f"  - {{name: c{index}, image: {image}}}\n"
        for index, image in enumerate(("boky/postfix:v4.3.0", "quay.io/boky/postfix:v4.3.0"))
    )
    with play(stories.read("nexus").holding("quay.io", "boky/postfix:v4.3.0", "another postfix")) as it:
        change(it, '  - {host: "nexus.example.com:8444", maxConcurrency: 8}\n', "")
        change(it, "nexus.example.com:8444", "nexus.example.com:8443")
        (it.directory / "manifests.yaml").write_text(manifests)
        ran = run(it, *render({}))
    assert (ran.code, ran.out) == (1, "")
    assert "docker.io/boky/postfix and quay.io/boky/postfix both become nexus.example.com:8443/boky/postfix" in ran.err


# What must come out.


@pytest.mark.parametrize(("name", "variables"), CASES)
def test_render(play, run, name, variables):
    with play(name) as it:
        before = it.text("manifests.yaml")
        ran = run(it, *render(variables))
        assert (ran.code, errors(ran)) == (0, []), ran.err
        assert ran.out == it.expected(variables) != before
        assert it.text("manifests.yaml") == before


@pytest.mark.parametrize(("name", "variables"), CASES)
def test_a_second_run_changes_nothing(play, run, name, variables):
    with play(name) as it:
        text = it.expected(variables)
        ran = run(it, *render(variables, "-"), stdin=text)
    assert (ran.code, ran.out) == (0, text), ran.err


@pytest.mark.parametrize(("name", "variables"), CASES)
def test_the_function(play, run, name, variables):
    with play(name) as it:
        documents = it.text("manifests.yaml").split("---\n")
        config = "functionConfig:\n" + "".join(f"  {line}" for line in it.text("pindown.yaml").splitlines(True))
        chosen = {f"PINDOWN_VAR_{key.upper()}": value for key, value in variables.items()}
        # In a directory without a pindown.yaml: the function's own is the only one.
        (it.directory / "pindown.yaml").unlink()
        ran = run(it, stdin=doors.resource_list(*documents, config=config), **chosen)
        expected = doors.resource_list(*it.expected(variables).split("---\n"), config=config)
    assert ran.code == 0, ran.err
    assert doors.without_results(ran.out) == expected
    assert [one for one in doors.results(ran.out) if one["severity"] == "error"] == []


@pytest.mark.parametrize("name", stories.names())
@pytest.mark.skipif("mirrors check" not in cli.COMMANDS, reason="there is no `mirrors check`")
def test_the_proof_of_every_location(play, run, name):
    with play(name) as it:
        variants = ["--all-variants"] if len(it.story.variants()) > 1 else []
        ran = run(it, "mirrors", "check", "manifests.yaml", "--policy", "pindown.yaml", "--format", "json", *variants)
    lines = [one for one in map(json.loads, ran.out.splitlines()) if "location" in one]
    assert lines
    missing = {re.sub(r"(:[^/:]+)?(@.*)?$", "", one["location"]) for one in lines if one["verdict"] != "serves"}
    assert (ran.code, missing) == (1 if GAPS.get(name) else 0, GAPS.get(name, set())), ran.err


@pytest.mark.parametrize(("name", "variables"), CASES)
def test_every_digest_that_is_expected_is_served_under_that_name(name, variables):
    """Told by registries.yaml alone, so that a wrong expected text cannot be made right by a wrong render."""
    story = stories.read(name)
    served: dict[str, set[str]] = {}
    for one in story.registries:
        for image, built in one.images.items():
            served.setdefault(f"{one.name}/{image.partition(':')[0]}", set()).add(built.digest)
    file = "expected" + "".join(f".{key}={value}" for key, value in variables.items()) + ".yaml"
    found = list(images(list(yaml.safe_load_all((story.directory / file).read_text()))))
    assert len(found) >= 3
    for text in found:
        image, _, digest = text.partition("@")
        assert digest in served[re.sub(r":[^/:]+$", "", image)], text


def test_a_cache_is_asked_for_the_tag_before_the_digest(play, run):
    with play("ecr-pull-through") as it:
        assert run(it, *render({})).code == 0
    place = "123456789012.dkr.ecr.eu-west-1.amazonaws.com /v2/quay/prometheus/node-exporter/manifests/"
    asked = [one.partition(place)[2].partition(":")[0] for one in it.asked if place in one]
    assert asked in (["v1.8.2", "sha256"], ["v1.8.2", "v1.8.2", "sha256"])  # the first one is told to log in


def test_another_digest_at_the_mirror_is_a_warning_with_exists(play, run):
    story = stories.read("harbor-proxy").holding("harbor.example.com", "hub-proxy/library/nginx:1.27.3", "nginx, older")
    with play(story) as it:
        change(it, "  - source: docker.io\n", "  - source: docker.io\n    verify: exists\n")
        ran = run(it, *render({}))
        digest = it.served()["harbor.example.com/hub-proxy/library/nginx:1.27.3"]
    assert (ran.code, errors(ran)) == (0, [])
    assert "warning[mirror-differs]" in ran.err
    assert f"harbor.example.com/hub-proxy/library/nginx:1.27.3@{digest}" in ran.out


def test_with_fallback_the_source_serves_what_the_mirror_lacks(play, run):
    story = stories.read("nexus").without("nexus.example.com:8444", "prometheuscommunity/postgres-exporter")
    with play(story) as it:
        change(it, "  - source: quay.io\n", "  - source: quay.io\n    fallback: source\n")
        ran = run(it, *render({}))
    assert (ran.code, errors(ran)) == (0, [])
    assert "image: quay.io/prometheuscommunity/postgres-exporter:v0.16.0@sha256:" in ran.out


def test_the_names_with_a_checksum_of_a_zarf_package_are_at_the_registry_too(play, run):
    """The recipe's other way: `mirrors import` of the package itself."""
    with play("zarf-air-gap") as it:
        ran = run(it, "mirrors", "import", "zarf.yaml")
        served, host = it.served(), it.ports["127.0.0.1:31999"]
    assert ran.code == 0, ran.err
    tags = re.findall(r"127\.0\.0\.1:31999/(\S+):\{tag\}(-zarf-\d+)", ran.out)
    assert len(tags) == 3
    for path, suffix in tags:
        assert [name for name in served if name.startswith(f"{host}/{path}:") and name.endswith(suffix)]


# The stories are what the docs show.


def test_every_recipe_is_a_story_and_no_other():
    assert set(stories.names()) == RECIPES


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_docs_show_the_policy_of_the_story(name):
    shown = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    text = (stories.STORIES / name / "pindown.yaml").read_text(encoding="utf-8")
    assert shown.count(text) == 1
    section = PAGE.split(text)[0].rpartition("\n## ")[2]
    assert f"fixtures/mirrors/{name}" in section + PAGE.split(text)[1].split("\n## ")[0]


def test_the_docs_name_every_language():
    rows = re.findall(
        r"^\| `([\w.-]+)`(?: \(([^)]*)\))? \| .* \| .* \|$", PAGE.split("## Importing\n")[1], re.MULTILINE
    )
    named = {name for one, more in rows for name in (one, *re.findall(r"`([\w.-]+)`", more))}
    assert named >= {language.name for language in languages()}


@pytest.mark.parametrize("target", FORMATS)
def test_the_docs_name_every_target(target):
    assert f"`{target}`" in PAGE.split("## Exporting\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_story_has_more_than_one_workload_and_an_init_container(name):
    found = list(yaml.safe_load_all((stories.STORIES / name / "manifests.yaml").read_text()))
    workloads = [one for one in found if one["kind"] not in ("Secret", "ServiceAccount")]
    assert len(workloads) >= 2
    assert "initContainers" in json.dumps(workloads)


# The harness itself.


def test_a_story_that_says_something_unknown_is_refused():
    with pytest.raises(ValueError, match="cach"):
        stories._registry("r.test", {"cach": True, "images": {}})
    with pytest.raises(KeyError):
        stories.read("nexus").without("gone.example.com", "x")


def test_loopback_registries_get_a_port_of_their_own(play):
    with play("zarf-air-gap") as it:
        host = it.ports["127.0.0.1:31999"]
        assert f"{host}/library/nginx:1.27.3" in it.served()
        assert "127.0.0.1:31999" not in "".join(file.read_text() for file in it.directory.rglob("*") if file.is_file())
        assert it.environ["DOCKER_CONFIG"] and host in (it.directory.parent / "docker" / "config.json").read_text()
