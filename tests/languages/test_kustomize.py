"""`images:` of a kustomization: pins and patterns are noted, renames are mirrors, one after the other."""

from __future__ import annotations

import subprocess

import pytest

from tests.languages.answers import names, notes, places, refused, text, whys
from tests.tools import require_tool
from transformer.languages.kustomize import read, recognises
from transformer.languages.model import Text


def said(*entries: str):
    return read((text("images:\n" + "".join(f"- {entry}\n" for entry in entries), "kustomization.yaml"),))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("images: nginx", 1, "images: wants a list of mappings"),
        ("images: [nginx]", 1, r"images\[0\]: wants a list of mappings"),
        ("images:\n- newName: a.test/b", 2, "wants a text under 'name'"),
        ("images:\n- {name: '', newName: a.test/b}", 2, "wants a text under 'name'"),
        ("images:\n- {name: nginx, newName: [a]}", 2, "newName: wants a text"),
        ("images:\n- {name: nginx, newName: ''}", 2, "wants a text under 'newName'"),
        ("images:\n- {name: 'nginx:1', newName: a.test/b}", 2, "without a tag"),
        ("images:\n- {name: nginx, newName: 'a.test/b:1'}", 2, "without a tag"),
        ("images:\n- {name: nginx, newName: 'https://a.test/b'}", 2, "no image name"),
        ("images:\n- {name: nginx, newName: 'u:hunter2@a.test/b'}", 2, "no image name"),
        ("images:\n- {name: nginx, newName: a.test/B}", 2, "no image name"),
        ("kind: [a]", 1, "kind: wants a text"),
    ],
)
def test_a_bad_entry_is_refused_with_line_and_key(content, line, words):
    error = refused(read, content, "kustomization.yaml")
    assert error.line == line
    with pytest.raises(type(error), match=words):
        raise error
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("entry", "key", "words"),
    [
        ("{name: nginx, newTag: 1.25}", "newTag", "belongs in the lock"),
        ("{name: nginx, digest: 'sha256:00'}", "digest", "belongs in the lock"),
        ("{name: nginx, tagSuffix: -x}", "tagSuffix", "no mirror"),
        ("{name: '.*/nginx', newName: a.test/b}", "name", "regular expression"),
        ("{name: 'nginx|redis', newName: a.test/b}", "name", "regular expression"),
        ("{name: nginx, newname: a.test/b}", "newname", "'newName'"),
        ("{name: nginx, newName: nginx, newTag: a}", "newTag", "no mirror"),
    ],
)
def test_pins_and_patterns_are_no_mirrors_and_are_noted(entry, key, words):
    found = said(entry)
    assert places(found) == {}
    assert notes(found) == [(2, f"images[0].{key}")]
    assert words in whys(found)


def test_a_kustomization_without_images_says_nothing():
    found = read((text("resources: [a.yaml]\n", "kustomization.yaml"), text("kind: Deployment\nimages: x\n")))
    assert found.mirrors == ()
    assert notes(found) == [(1, "images"), (1, "images")]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (["{name: nginx, newName: a.test/b}"], {"docker.io/library/nginx": ["a.test/b"]}),
        (["{name: q.test/a, newName: nginx}"], {"q.test/a": ["docker.io/library/nginx"]}),
        (["{name: my-app, newName: a.test/team/app, newTag: v1}"], {"docker.io/library/my-app": ["a.test/team/app"]}),
        (["{name: nginx, newName: docker.io/library/nginx}"], {}),
        # One after the other: what was renamed is renamed again.
        (["{name: x, newName: a.test/y}", "{name: a.test/y, newName: b.test/z}"], None),
        # A name that was renamed is met no more.
        (["{name: x, newName: a.test/y}", "{name: x, newName: b.test/z}"], {"docker.io/library/x": ["a.test/y"]}),
        (["{name: a.test/y, newName: b.test/z}", "{name: x, newName: a.test/y}"], "both"),
        (["{name: x, newName: a.test/y}", "{name: a.test/y, newName: x}"], {"a.test/y": ["docker.io/library/x"]}),
    ],
)
def test_renames(entries, expected):
    if expected is None:
        expected = {"docker.io/library/x": ["b.test/z"], "a.test/y": ["b.test/z"]}
    if expected == "both":
        expected = {"a.test/y": ["b.test/z"], "docker.io/library/x": ["a.test/y"]}
    assert places(said(*entries)) == expected


def test_a_rename_asks_the_new_place_and_never_falls_back():
    (mirror,) = said("{name: my-app, newName: a.test/team/app}").mirrors
    assert (mirror.resolve_at, mirror.fallback, mirror.line, mirror.name) == ("mirror", "fail", 2, "images[0].name")


def test_only_that_repository_is_renamed():
    found = said("{name: q.test/a, newName: b.test/c}")
    assert names(found, "q.test/a:1") == ["b.test/c:1"]
    assert names(found, "q.test/ab:1") is None
    assert names(found, "q.test/b:1") is None


def test_a_name_that_two_files_rename_is_refused():
    content = "images:\n- {name: nginx, newName: a.test/b}\n"
    with pytest.raises(Exception, match=r"b\.yaml:2: .* has a mirror already .*a\.yaml:2"):
        read((text(content, "a.yaml"), text(content, "b.yaml")))


@pytest.mark.parametrize(
    ("name", "content", "known"),
    [
        ("a/kustomization.yaml", "", True),
        ("Kustomization", "images: []", True),
        ("x.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", True),
        ("x.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n", True),
        ("x.yaml", "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n", False),
        ("images.yaml", "images: []", False),
    ],
)
def test_it_is_recognised(name, content, known):
    assert recognises(Text(name, content)) is known


def test_kustomize_itself_renames_the_same(tmp_path):
    """The order of the entries, by the real program."""
    kustomize = require_tool("kustomize")
    entries = ["{name: x, newName: a.test/y}", "{name: a.test/y, newName: b.test/z}", "{name: x, newName: c.test/w}"]
    head = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {containers: [{name: c, image: '%s'}]}\n"
    pods = [head % (f"p{index}", image) for index, image in enumerate(("x:1", "a.test/y:1", "c.test/w:1"))]
    (tmp_path / "pods.yaml").write_text("---\n".join(pods))
    lines = "resources: [pods.yaml]\nimages:\n" + "".join(f"- {entry}\n" for entry in entries)
    (tmp_path / "kustomization.yaml").write_text(lines)
    built = subprocess.run([kustomize, "build", str(tmp_path)], capture_output=True, text=True, check=True).stdout
    found = said(*entries)
    made = [(names(found, image) or [image])[0] for image in ("x:1", "a.test/y:1", "c.test/w:1")]
    assert made == [line.partition("image: ")[2] for line in built.splitlines() if "image: " in line]
