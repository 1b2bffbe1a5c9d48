"""imageswap's maps: what counts for nothing, what cannot be said, and where images go."""

from __future__ import annotations

import pytest

from tests.languages.answers import names, notes, places, refused, text, whys
from transformer.languages.imageswap import read, recognises
from transformer.languages.model import Text

NOTHING = "default::\n"


def said(content: str, name: str = "map_file.conf"):
    return read((text(content, name),))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("default::https://a.test", 1, "default: .*no scheme"),
        ("default::u:hunter2@a.test", 1, "neither a login"),
        ("default::hub", 1, "names no host"),
        ("default::{registry}.test", 1, "braces"),
        (NOTHING + "# x\nquay.io::a.test/B", 3, "lower case"),
        (NOTHING + "[EXACT]q.test/x::a.test/B", 2, "no image name"),
        (NOTHING + "[EXACT]u:hunter2@q.test/x::a.test/b", 2, "no image name"),
        (NOTHING + "[REPLACE]q.test/*::hub", 2, "names no host"),
        (NOTHING + "u:hunter2@quay.io::a.test", 2, "no login"),
    ],
)
def test_a_bad_place_is_refused_with_line_and_key(content, line, words):
    error = refused(read, content, "map_file.conf")
    assert error.line == line
    with pytest.raises(type(error), match=words):
        raise error
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("quay.io::a.test", 1, "does not count"),
        ("noswap_wildcards::x.test", 1, "does not count"),
        (NOTHING + "quay.io", 2, "passes over it too"),
        (NOTHING + "::a.test", 2, "passes over it too"),
        (NOTHING + "a::b::c", 2, "passes over it too"),
        (NOTHING + "q.test:5000:a.test", 2, "passes over it too"),
        (NOTHING + "quay.io/org::a.test", 2, "no paths"),
        (NOTHING + "quay.io/library::a.test", 2, "no paths"),
        (NOTHING + "hub::a.test", 2, "no paths"),
        (NOTHING + "quay.io::a.test\nquay.io::b.test", 2, "stands again in line 3"),
        (NOTHING + "[EXACT]q.test/x:1::a.test/y:2", 2, "for one tag"),
        (NOTHING + "[EXACT]q.test/x::a.test/y:2", 2, "for one tag"),
        (NOTHING + "[EXACT]q.test/x::a.test/y", 2, "for all its tags here"),
        (NOTHING + "[REPLACE]ghcr.io/public*::a.test", 2, "no single registry"),
        (NOTHING + "[REPLACE]*nginx::a.test", 2, "no single registry"),
        (NOTHING + "[REPLACE]ghcr.io/a::a.test", 2, "no single registry"),
        (NOTHING + "[REPLACE]hub/*::a.test", 2, "no single registry"),
        (NOTHING + "[REPLACE]ghcr.io/*::a.test\n[REPLACE]ghcr.io/x/*::b.test", 3, "never counts"),
        (NOTHING + "ghcr.io::b.test\n[REPLACE]ghcr.io/*::a.test", 2, "never counts"),
        ("default::a.test\nnoswap_wildcards::walrus", 2, "searched anywhere"),
        ("default::a.test\nnoswap_wildcards::twr.io", 2, "that registry alone"),
    ],
)
def test_what_is_not_carried_over_is_noted(content, line, words):
    found = said(content)
    assert line in [at for at, _ in notes(found)]
    assert words in whys(found)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (NOTHING, {}),
        ("", {}),
        ("quay.io::a.test", {}),
        (NOTHING + "quay.io::", {}),
        (NOTHING + "quay.io::a.test", {"quay.io": ["a.test"]}),
        ("default:\nquay.io:a.test", {"quay.io": ["a.test"]}),
        (NOTHING + "quay.io::a.test # comment ## more", {"quay.io": ["a.test"]}),
        (NOTHING + " quay.io :: a.test/x ", {"quay.io": ["a.test/x"]}),
        (NOTHING + "#quay.io::a.test", {}),
        (NOTHING + "quay.io::a.test\nquay.io::b.test", {"quay.io": ["b.test"]}),
        (NOTHING + "q.test:5000::a.test/m-", {"q.test:5000": ["a.test/m-q.test"]}),
        (NOTHING + "docker.io::a.test", {"docker.io": ["a.test"], "docker.io/library": ["a.test", "a.test/library"]}),
        (
            NOTHING + "docker.io::a.test/m-",
            {
                "docker.io": ["a.test/m-docker.io"],
                "docker.io/library": ["a.test/m-docker.io", "a.test/m-docker.io/library"],
            },
        ),
        (
            NOTHING + "docker.io::\ndocker.io/library::a.test/library",
            {"docker.io/library": ["a.test/library"]},
        ),
        (
            NOTHING + "docker.io::a.test\ndocker.io/library::",
            {"docker.io/library": ["docker.io/library"], "docker.io": ["a.test"]},
        ),
        ("default::a.test", {"*": ["a.test"], "docker.io/library": ["a.test", "a.test/library"]}),
        (
            "default::a.test/m-",
            {
                "*": ["a.test/m-{registry}/{repository}"],
                "docker.io/library": ["a.test/m-docker.io", "a.test/m-docker.io/library"],
            },
        ),
        (
            "default::a.test\nquay.io::\nnoswap_wildcards::twr.io, walrus.io",
            {
                "quay.io": ["quay.io"],
                "twr.io": ["twr.io"],
                "walrus.io": ["walrus.io"],
                "*": ["a.test"],
                "docker.io/library": ["a.test", "a.test/library"],
            },
        ),
        (NOTHING + "[EXACT]q.test/x::a.test/y", {"q.test/x": ["a.test/y"]}),
        (NOTHING + "[REPLACE]ghcr.io/org/*::a.test/base/", {"ghcr.io/org": ["a.test/base/{name}"]}),
        (NOTHING + "[REPLACE]ghcr.io*::a.test", {"ghcr.io": ["a.test/{name}"]}),
        ("[REPLACE]ghcr.io/*::a.test", {"ghcr.io": ["a.test/{name}"]}),
    ],
)
def test_maps(content, expected):
    assert places(said(content)) == expected


def test_names():
    found = said(
        "default::default.example.com\n"
        "docker.io::my.example.com/mirror-\n"
        "quay.io::quay.example3.com\n"
        "gitlab.com::registry.example.com/gitlab\n"
        "cool.io::\n"
        "noswap_wildcards::twr.io\n"
        "[REPLACE]nvcr.io/nvidia/*::my-local-registry.com/base\n"
    )
    assert names(found, "quay.io/a/b:1") == ["quay.example3.com/a/b:1"]
    assert names(found, "gitlab.com/a/b:1") == ["registry.example.com/gitlab/a/b:1"]
    assert names(found, "bitnami/redis:1") == ["my.example.com/mirror-docker.io/bitnami/redis:1"]
    assert names(found, "nginx:1") == [
        "my.example.com/mirror-docker.io/nginx:1",
        "my.example.com/mirror-docker.io/library/nginx:1",
    ]
    assert names(found, "cool.io/a:1") == ["cool.io/a:1"]
    assert names(found, "twr.io/a:1") == ["twr.io/a:1"]
    assert names(found, "nvcr.io/nvidia/k8s/plugin:1") == ["my-local-registry.com/base/plugin:1"]
    assert names(found, "other.io/a:1") == ["default.example.com/a:1"]
    assert names(found, "default.example.com/a:1") is None


def test_exact_images_ask_the_new_place_and_the_others_their_source():
    found = said(NOTHING + "[EXACT]q.test/x::a.test/y\nquay.io::b.test\n")
    assert [(mirror.source, mirror.resolve_at, mirror.fallback) for mirror in found.mirrors] == [
        ("q.test/x", "mirror", "fail"),
        ("quay.io", "source", "fail"),
    ]


CONFIG_MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: imageswap-maps}\n"
    "data:\n  maps: |\n    default::\n    quay.io::a.test\n"
)


def test_the_maps_of_a_config_map_have_its_lines():
    found = said(CONFIG_MAP, "cm.yaml")
    (mirror,) = found.mirrors
    assert (mirror.source, mirror.line, mirror.name) == ("quay.io", 7, "quay.io")
    assert refused(read, CONFIG_MAP.replace("a.test", "https://a.test")).line == 7


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("kind: ConfigMap\ndata: [x]", "data: wants a mapping"),
        ("kind: ConfigMap\ndata: {maps: [x]}", r"data\.maps: wants a text"),
    ],
)
def test_a_bad_config_map_is_refused(content, words):
    error = refused(read, content)
    with pytest.raises(type(error), match=words):
        raise error


@pytest.mark.parametrize(
    ("name", "content", "known"),
    [
        ("imageswap-maps.conf", "", True),
        ("a/map_file_replace.conf", "", True),
        ("x.conf", "# c\ndefault::a.test\n", True),
        ("x.conf", "[REPLACE]ghcr.io/*::a.test\n", True),
        ("cm.yaml", CONFIG_MAP, True),
        ("cm.yaml", CONFIG_MAP.replace("maps: |", "file: |"), False),
        ("x.yaml", "kind: Deployment\n", False),
        ("registries.conf", 'x = "::"\n', False),
    ],
)
def test_it_is_recognised(name, content, known):
    assert recognises(Text(name, content)) is known
