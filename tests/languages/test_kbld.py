"""kbld's configuration and both kinds of lock: pins are noted once, other places are mirrors."""

from __future__ import annotations

import pytest

from tests.languages.answers import DIGEST, names, notes, places, refused, text, whys
from transformer.languages.kbld import read, recognises
from transformer.languages.model import Text

CONFIG = "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\n"
LOCK = "apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\n"


def config(*overrides: str) -> str:
    return CONFIG + "overrides:\n" + "".join(f"- {each}\n" for each in overrides)


def lock(*images: tuple[str, str | None]) -> str:
    """An ImagesLock of these images, each with the name that kbld knows it by."""
    lines = [
        f"  - image: {image}\n" + (f"    annotations: {{kbld.carvel.dev/id: '{known}'}}\n" if known else "")
        for image, known in images
    ]
    return f"{LOCK}spec:\n  images:\n{''.join(lines)}"


def said(content: str):
    return read((text(content),))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (CONFIG + "overrides: {a: b}", 3, "overrides: wants a list of mappings"),
        (config("nginx"), 4, r"overrides\[0\]: wants a list of mappings"),
        (config("{newImage: a.test/b}"), 4, "wants a text under 'imageRepo'"),
        (config("{image: nginx}"), 4, "wants a text under 'newImage'"),
        (config("{image: [nginx], newImage: a.test/b}"), 4, "image: wants a text"),
        (config("{image: nginx, newImage: 'https://a.test/b'}"), 4, "no image name"),
        (config("{image: 'u:hunter2@q.test/x', newImage: a.test/b}"), 4, "no image name"),
        (config("{imageRepo: Q/x, newImage: a.test/B}"), 4, "no image name"),
        (LOCK + "spec: [a]", 3, "spec: wants a mapping"),
        (LOCK + "spec: {images: a}", 3, "spec.images: wants a list of mappings"),
        (LOCK + "spec: {images: [{annotations: {kbld.carvel.dev/id: x}}]}", 3, "wants a text under 'image'"),
        (LOCK + "spec: {images: [{image: a.test/b, annotations: [x]}]}", 3, "annotations: wants a mapping"),
    ],
)
def test_a_bad_text_is_refused_with_line_and_key(content, line, words):
    error = refused(read, content)
    assert error.line == line
    with pytest.raises(type(error), match=words):
        raise error
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (
            config(f"{{image: nginx, newImage: 'nginx@{DIGEST}', preresolved: true}}"),
            "overrides[0].newImage",
            "pindown lock",
        ),
        (lock((f"a.test/b@{DIGEST}", None)), "spec.images[0].image", "1 digests are no mirrors"),
        (lock((f"a.test/b@{DIGEST}", "a.test/b:1")), "spec.images[0].image", "pindown lock --from"),
        (config("{image: 'nginx:1', newImage: 'nginx:2'}"), "overrides[0].newImage", "this one changes it"),
        (config("{image: nginx, newImage: nginx, newimage: x}"), "overrides[0].newimage", "'newImage'"),
        (
            config("{image: nginx, newImage: nginx, tagSelection: {semver: {}}}"),
            "overrides[0].tagSelection",
            "no mirror",
        ),
        (CONFIG + "sources: [{image: a, path: b}]", "sources", "what is built"),
        (CONFIG + "destinations: []\nkeys: [a]\nsearchRules: [{}]", "searchRules", "fields"),
        (CONFIG, "", "no override"),
        ("kind: Other\napiVersion: kbld.k14s.io/v1alpha1\n", "", "no override"),
    ],
)
def test_what_is_no_mirror_is_noted(content, place, words):
    found = said(content)
    assert found.mirrors == ()
    assert place in [key for _, key in notes(found)]
    assert words in whys(found)


def test_the_digests_of_a_whole_lock_are_one_note():
    found = said(lock(*((f"a.test/b{index}@{DIGEST}", None) for index in range(50))))
    assert notes(found) == [(5, "spec.images[0].image")]
    assert whys(found).startswith("50 digests")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (config("{image: nginx, newImage: a.test/b}"), {"docker.io/library/nginx": ["a.test/b"]}),
        (config("{imageRepo: q.test/x, newImage: a.test/b}"), {"q.test/x": ["a.test/b"]}),
        (config("{image: 'q.test/x:1', newImage: 'a.test/b:1'}"), {"q.test/x": ["a.test/b"]}),
        (
            config(f"{{image: 'q.test/x:1', newImage: 'a.test/b@{DIGEST}', preresolved: true}}"),
            {"q.test/x": ["a.test/b"]},
        ),
        (lock((f"a.test/b@{DIGEST}", "q.test/x:1"), (f"c.test/d@{DIGEST}", None)), {"q.test/x": ["a.test/b"]}),
        (config("{image: nginx, newImage: docker.io/library/nginx}"), {}),
    ],
)
def test_other_places_are_mirrors(content, expected):
    found = said(content)
    assert places(found) == expected
    assert {(mirror.resolve_at, mirror.fallback) for mirror in found.mirrors} <= {("mirror", "fail")}


def test_the_first_place_of_a_repository_counts():
    found = said(
        config(
            "{image: 'x:1', newImage: 'a.test/b:1'}",
            "{image: 'x:2', newImage: 'c.test/d:2'}",
            "{image: 'x:3', newImage: 'a.test/b:3'}",
        )
    )
    assert places(found) == {"docker.io/library/x": ["a.test/b"]}
    assert notes(found) == [(5, "overrides[1].newImage")]
    assert "(line 4)" in whys(found)


def test_images_are_called_by_their_new_place():
    found = said(config("{imageRepo: q.test/x, newImage: a.test/b}"))
    assert names(found, "q.test/x:1") == ["a.test/b:1"]
    assert names(found, "q.test/xy:1") is None


@pytest.mark.parametrize(
    ("content", "known"),
    [
        (CONFIG, True),
        ("a: 1\n---\n" + CONFIG, True),
        (LOCK, True),
        (CONFIG.replace("kbld.k14s.io", "example.com"), False),
        ("kind: Config\napiVersion: v1\nclusters: []\n", False),
    ],
)
def test_it_is_recognised_by_its_kinds(content, known):
    assert recognises(Text("x.yaml", content)) is known
