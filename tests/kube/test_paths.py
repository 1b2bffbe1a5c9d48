"""Paths: read, walked and written."""

from __future__ import annotations

import pytest

from transformer.kube.paths import EVERY_ITEM, EVERY_VALUE, extend, parse, walk

TREE = {
    "spec": {
        "image": 0,
        "list": [{"image": 1}, {"image": 2}, {}, 3],
        "map": {"x": 4, "y.z": 5},
        "deep": [[6, 7], [], 8],
    },
    "a.b/c": {"image": 9},
}


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ("a",)),
        ("spec.image", ("spec", "image")),
        ("spec.runners[].image", ("spec", "runners", EVERY_ITEM, "image")),
        ("images[]", ("images", EVERY_ITEM)),
        ("a[][]", ("a", EVERY_ITEM, EVERY_ITEM)),
        ("spec.images.*", ("spec", "images", EVERY_VALUE)),
        ("a.*.b", ("a", EVERY_VALUE, "b")),
        ('["a.b/c"].image', ("a.b/c", "image")),
        ('a["b.c"][].d', ("a", "b.c", EVERY_ITEM, "d")),
        ("a-b.c_d/e", ("a-b", "c_d/e")),
    ],
)
def test_parse(path, steps):
    assert parse(path) == steps


@pytest.mark.parametrize("path", ["", "a..b", "a.", "a[0]", "a[", "a]", "a[]]", '[""]', 'a["b"', "..", "a[b]"])
def test_what_is_no_path(path):
    with pytest.raises(ValueError, match="path"):
        parse(path)


@pytest.mark.parametrize(
    ("path", "places"),
    [
        ("spec.image", [("spec.image", 0)]),
        ("spec.absent", []),
        ("spec.image.deeper", []),
        ("spec.image[]", []),
        ("spec.list[].image", [("spec.list[0].image", 1), ("spec.list[1].image", 2)]),
        ("spec.list.image", []),
        ("spec.map.*", [("spec.map.x", 4), ('spec.map["y.z"]', 5)]),
        ("spec.list.*", []),
        ("spec.deep[][]", [("spec.deep[0][0]", 6), ("spec.deep[0][1]", 7)]),
        ('["a.b/c"].image', [('["a.b/c"].image', 9)]),
        ("absent[].image", []),
    ],
)
def test_walk(path, places):
    assert list(walk(TREE, parse(path))) == places


def test_walk_from_a_place():
    assert list(walk(TREE["spec"], ("image",), "x[1]")) == [("x[1].image", 0)]
    assert list(walk(None, ("image",))) == []
    assert list(walk(5, (), "x")) == [("x", 5)]


@pytest.mark.parametrize(
    ("path", "key", "longer"),
    [
        ("", "a", "a"),
        ("a", "b", "a.b"),
        ("a", "b.c", 'a["b.c"]'),
        ("", "b.c", '["b.c"]'),
        ("a[0]", "b", "a[0].b"),
        ("a", "b[", 'a["b["]'),
    ],
)
def test_extend(path, key, longer):
    assert extend(path, key) == longer


@pytest.mark.parametrize("keys", [("a", "b.c"), ("a.b/c", "d"), ("a", "b", "c")])
def test_what_is_written_is_read(keys):
    path = ""
    for key in keys:
        path = extend(path, key)
    assert parse(path) == keys
