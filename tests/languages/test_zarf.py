"""Zarf packages: the names that Zarf's agent gives, its registry, and that no login of a state is ever shown."""

from __future__ import annotations

import base64
import json

import pytest

from tests.languages.answers import DIGEST, names, notes, places, refused, text, whys
from transformer.errors import PolicyError
from transformer.languages.model import Text
from transformer.languages.zarf import DEFAULT_REGISTRY, read, recognises

LOGINS = {"pushUsername": "zarf-push", "pushPassword": "hunter2", "pullPassword": "hunter2", "secret": "hunter2"}


def package(*images: str, kind: str = "ZarfPackageConfig") -> Text:
    """A package with these images."""
    lines = "".join(f"    - {image}\n" for image in images)
    return text(f"kind: {kind}\ncomponents:\n- name: a\n  images:\n{lines}", "zarf.yaml")


def state(address: object) -> str:
    return json.dumps({"registryInfo": {**LOGINS, "address": address, "nodePort": 31999}})


def secret(content: str, key: str = "data") -> Text:
    """The Secret in which Zarf keeps its state."""
    value = base64.b64encode(content.encode()).decode() if key == "data" else content
    return text(json.dumps({"kind": "Secret", "metadata": {"name": "zarf-state"}, key: {"state": value}}), "state.yaml")


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("kind: ZarfPackageConfig\ncomponents: {a: b}", 2, "components: wants a list of mappings"),
        (
            "kind: ZarfPackageConfig\ncomponents: [{images: nginx}]",
            2,
            r"components\[0\]\.images: wants a list of strings",
        ),
        ("kind: ZarfPackageConfig\ncomponents: [{images: [{a: b}]}]", 2, r"images\[0\]: wants a list of strings"),
        ("kind: ZarfPackageConfig\ncomponents: [{images: ['u:hunter2@q.test/x']}]", 2, "no image name"),
        ("kind: ZarfPackageConfig\ncomponents: [{images: ['A B']}]", 2, "no image name"),
        ("kind: ZarfPackageConfig\ncomponents: [{imageArchives: [{images: x}]}]", 2, "wants a list of strings"),
        ("registryInfo: [x]", 1, "registryInfo: wants a mapping"),
        ("registryInfo: {address: [x]}", 1, "registryInfo.address: wants a text"),
        ("registryInfo: {address: 'https://a.test'}", 1, "registryInfo.address: .*no scheme"),
        ("registryInfo: {address: 'u:hunter2@a.test'}", 1, "registryInfo.address: .*neither a login"),
    ],
)
def test_a_bad_text_is_refused_with_line_and_key(content, line, words):
    error = refused(read, content, "zarf.yaml")
    assert error.line == line
    with pytest.raises(type(error), match=words):
        raise error
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    "content",
    ["hunter2: [", "hunter2", "[hunter2]", "", '{"hunter2": 1}{', "a: 1\na: hunter2\n"],
)
@pytest.mark.parametrize("key", ["data", "stringData"])
def test_a_state_that_cannot_be_read_is_refused_without_its_content(content, key):
    with pytest.raises(
        PolicyError, match=r"state\.yaml:1: (data|stringData)\.state: is (no readable|an empty) state"
    ) as error:
        read((package("nginx:1"), secret(content, key)))
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("value", ["hunter2%", "aHVudGVyMg=", base64.b64encode(b"\xff\xfe").decode()])
def test_a_state_that_is_no_base64_is_refused_without_its_content(value):
    broken = {"kind": "Secret", "metadata": {"name": "zarf-state"}, "data": {"state": value}}
    with pytest.raises(PolicyError, match="no readable state") as error:
        read((text(json.dumps(broken)),))
    assert value not in str(error.value)


@pytest.mark.parametrize(
    ("image", "pulled", "expected"),
    [
        # Zarf's own vectors: the checksum is that of the whole name.
        ("nginx:1.23.3", "nginx:1.23.3", "gitlab.test/project/library/nginx:1.23.3-zarf-3793515731"),
        ("nginx", "nginx:latest", "gitlab.test/project/library/nginx:latest-zarf-3793515731"),
        (
            "defenseunicorns/zarf-agent:v0.22.1",
            "defenseunicorns/zarf-agent:v0.22.1",
            "gitlab.test/project/defenseunicorns/zarf-agent:v0.22.1-zarf-4283503412",
        ),
        (
            "ghcr.io/stefanprodan/podinfo:6.3.3",
            "ghcr.io/stefanprodan/podinfo:6.3.3",
            "gitlab.test/project/stefanprodan/podinfo:6.3.3-zarf-2985051089",
        ),
        (
            "registry1.dso.mil/ironbank/opensource/defenseunicorns/zarf/zarf-agent:v0.25.0",
            "registry1.dso.mil/ironbank/opensource/defenseunicorns/zarf/zarf-agent:v0.25.0",
            "gitlab.test/project/ironbank/opensource/defenseunicorns/zarf/zarf-agent:v0.25.0-zarf-2003217571",
        ),
        (
            "oci://10.43.130.183:5000/stefanprodan/manifests/podinfo",
            "10.43.130.183:5000/stefanprodan/manifests/podinfo:latest",
            "gitlab.test/project/stefanprodan/manifests/podinfo:latest-zarf-531355090",
        ),
    ],
)
def test_names_are_those_of_zarf(image, pulled, expected):
    found = read((package(image), secret(state("gitlab.test/project"))))
    assert (names(found, pulled) or [None])[0] == expected
    assert names(found, pulled, "tag") == [expected]


def test_what_is_pulled_by_digest_alone_has_no_suffix():
    found = read((package(f"busybox:latest@{DIGEST}"), secret(state("a.test"))))
    assert names(found, f"busybox@{DIGEST}") == ["a.test/library/busybox"]


@pytest.mark.parametrize("files", [(state("a.test/p"), "s.json"), ("registryInfo: {address: a.test/p}\n", "s.yaml")])
def test_the_registry_is_the_one_of_the_state(files):
    found = read((text(*files), package("q.test/x:1", kind="ZarfInitConfig")))
    assert names(found, "q.test/x:1", "tag") == [
        "a.test/p/x:1-zarf-" + names(found, "q.test/x:1", "tag")[0].rpartition("-")[2]
    ]
    assert notes(found) == []


@pytest.mark.parametrize("key", ["data", "stringData"])
def test_no_login_of_a_state_comes_along(key):
    found = read((secret(state("a.test")[:-1] + ', "extra": {"password": "hunter2"}}', key), package("q.test/x:1")))
    assert "hunter2" not in str(found) and "zarf-push" not in str(found)
    assert places(found)["q.test/x"][1] == "a.test/x"


def test_without_a_state_the_registry_is_the_one_inside_and_that_is_said():
    found = read((package("q.test/x:1"),))
    assert places(found)["q.test/x"][1] == f"{DEFAULT_REGISTRY}/x"
    assert notes(found) == [(5, "registryInfo")]
    assert DEFAULT_REGISTRY in whys(found)


def test_an_image_twice_or_in_the_registry_itself_is_no_second_mirror():
    found = read((package("q.test/x:1", "q.test/x:2", "a.test/y:1"), secret(state("a.test"))))
    assert list(places(found)) == ["q.test/x"]


def test_what_is_filled_in_later_and_what_may_hold_images_is_noted():
    content = (
        "kind: ZarfPackageConfig\ncomponents:\n- images: ['q.test/x:###ZARF_PKG_TMPL_V###', 'q.test/${A}:1']\n"
        "  charts: [{name: a}]\n  manifests: [{name: a}]\n  repos: [a]\n"
        "  imageArchives: [{path: a.tar, images: [q.test/z:1]}]\n"
    )
    found = read((text(content, "zarf.yaml"), secret(state("a.test"))))
    assert list(places(found)) == ["q.test/z"]
    prefix = "components[0]."
    assert {key.removeprefix(prefix) for _, key in notes(found)} == {
        "images[0]",
        "images[1]",
        "charts",
        "manifests",
        "repos",
    }


def test_a_package_without_images_says_so():
    assert notes(read((package(),))) == [(1, "components")]


@pytest.mark.parametrize(
    ("name", "content", "known"),
    [
        ("a/zarf.yaml", "", True),
        ("x.yaml", "kind: ZarfInitConfig\n", True),
        ("x.yaml", secret("{}").text, True),
        ("x.json", state("a.test"), True),
        ("x.yaml", "kind: Secret\nmetadata: {name: other}\n", False),
        ("x.yaml", "kind: Deployment\n", False),
    ],
)
def test_it_is_recognised(name, content, known):
    assert recognises(Text(name, content)) is known
