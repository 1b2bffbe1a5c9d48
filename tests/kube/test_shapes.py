"""Spellings: each reads a reference from its keys' values, and writes a pinned or renamed one back over them."""

from __future__ import annotations

import pytest

from transformer.images.reference import parse
from transformer.kube.shapes import SHAPES, Shape, Split, Versioned, Whole, Written

HEX = "ab" * 32
DIGEST, OTHER = f"sha256:{HEX}", f"sha256:{'cd' * 32}"
SPLIT, SIBLINGS, PROMETHEUS = SHAPES["split"], SHAPES["siblings"], SHAPES["prometheus"]

#: shape, values -> what they say
READ = {
    "whole": (SHAPES["image"], ["nginx:1"], "nginx:1"),
    "whole, empty": (SHAPES["image"], [""], None),
    "whole, absent": (SHAPES["image"], [None], None),
    "docker": (SHAPES["docker-url"], ["docker://nginx:1"], "nginx:1"),
    "docker, another scheme": (SHAPES["docker-url"], ["oci://nginx"], None),
    "docker, no scheme": (SHAPES["docker-url"], ["nginx"], None),
    "oci": (SHAPES["oci-url"], ["oci://a/b"], "a/b"),
    "versioned": (SHAPES["versioned"], ["a/b", "v1"], "a/b:v1"),
    "versioned, a tag": (SHAPES["versioned"], ["a/b:2", "v1"], "a/b:2"),
    "versioned, a port": (SHAPES["versioned"], ["a:5000/b", "v1"], "a:5000/b:v1"),
    "versioned, a digest": (SHAPES["versioned"], [f"a@{DIGEST}", "v1"], f"a@{DIGEST}"),
    "versioned, no version": (SHAPES["versioned"], ["a", None], "a"),
    "versioned, no image": (SHAPES["versioned"], [None, "v1"], None),
    "versioned, an empty image": (SHAPES["versioned"], ["", "v1"], None),
    "split": (SPLIT, ["a.io", "b/c", "1", None], "a.io/b/c:1"),
    "split, no registry": (SPLIT, [None, "a.io/b", "1", None], "a.io/b:1"),
    "split, an empty registry": (SPLIT, ["", "b", "1", None], "b:1"),
    "split, a digest": (SPLIT, ["a.io", "b", "1", DIGEST], f"a.io/b:1@{DIGEST}"),
    "split, only a digest": (SPLIT, [None, "b", None, DIGEST], f"b@{DIGEST}"),
    "split, an empty digest": (SPLIT, [None, "b", "1", ""], "b:1"),
    "split, a digest as the tag": (SPLIT, [None, "b", DIGEST, None], f"b@{DIGEST}"),
    "split, tag with digest": (SPLIT, [None, "b", f"1@{DIGEST}", None], f"b:1@{DIGEST}"),
    "split, no tag": (SPLIT, [None, "b", None, None], "b"),
    "split, no repository": (SPLIT, ["a.io", None, "1", None], None),
    "siblings": (SIBLINGS, ["nvcr.io/nvidia", "driver", "1"], "nvcr.io/nvidia/driver:1"),
    "siblings, a digest as version": (SIBLINGS, ["nvcr.io", "driver", DIGEST], f"nvcr.io/driver@{DIGEST}"),
    "siblings, no image": (SIBLINGS, ["nvcr.io", None, "1"], None),
    "prometheus": (PROMETHEUS, ["a/b", "1", None, None], "a/b:1"),
    "prometheus, bare hex": (PROMETHEUS, ["a/b", "1", HEX, None], f"a/b:1@{DIGEST}"),
    "prometheus, version": (PROMETHEUS, ["a/b", None, None, "v2"], "a/b:v2"),
    "prometheus, tag over version": (PROMETHEUS, ["a/b", "1", None, "v2"], "a/b:1"),
    "siblings, a whole image": (SIBLINGS, [None, "r.io/a/b:1", None], "r.io/a/b:1"),
    "prometheus, an empty sha": (PROMETHEUS, ["a/b", "1", "", None], "a/b:1"),
}

#: shape, values, what to write (name, tag, digest, renamed) -> new values; None: there is no place for it
WRITTEN = {
    "whole": (SHAPES["image"], ["nginx:1"], ("nginx", "1", DIGEST, False), [f"nginx:1@{DIGEST}"]),
    "whole, renamed": (SHAPES["image"], ["nginx:1"], ("m.io/nginx", "1", None, True), ["m.io/nginx:1"]),
    "whole, only the digest": (SHAPES["image"], ["nginx:1"], ("nginx", None, DIGEST, False), [f"nginx@{DIGEST}"]),
    "docker": (SHAPES["docker-url"], ["docker://a:1"], ("a", "1", DIGEST, False), [f"docker://a:1@{DIGEST}"]),
    "oci": (SHAPES["oci-url"], ["oci://a:1"], ("a", "1", DIGEST, False), [f"oci://a:1@{DIGEST}"]),
    "versioned": (SHAPES["versioned"], ["a", "v1"], ("a", "v1", DIGEST, False), [f"a:v1@{DIGEST}", None]),
    "split": (SPLIT, [None, "a/b", "1", None], ("a/b", "1", DIGEST, False), [None, None, f"1@{DIGEST}", None]),
    "split, a digest's key": (SPLIT, [None, "a", "1", OTHER], ("a", "1", DIGEST, False), [None, None, None, DIGEST]),
    "split, an empty digest's key": (
        SPLIT,
        [None, "a", "1", ""],
        ("a", "1", DIGEST, False),
        [None, None, None, DIGEST],
    ),
    "split, a digest as the tag": (
        SPLIT,
        [None, "a", OTHER, None],
        ("a", None, DIGEST, False),
        [None, None, DIGEST, None],
    ),
    "split, tag with digest": (
        SPLIT,
        [None, "a", f"1@{OTHER}", None],
        ("a", "1", DIGEST, False),
        [None, None, f"1@{DIGEST}", None],
    ),
    "split, the tag stays": (
        SPLIT,
        [None, "a", "1", None],
        ("a", None, DIGEST, False),
        [None, None, f"1@{DIGEST}", None],
    ),
    "split, no tag": (SPLIT, [None, "a", None, None], ("a", None, DIGEST, False), None),
    "split, an empty tag": (SPLIT, [None, "a", "", None], ("a", None, DIGEST, False), None),
    "split, nothing to pin": (SPLIT, [None, "a", None, None], ("a", None, None, False), [None] * 4),
    "split, renamed": (
        SPLIT,
        ["a.io", "b/c", "1", None],
        ("m.io/x/b/c", "1", None, True),
        ["m.io", "x/b/c", None, None],
    ),
    "split, renamed without registry": (
        SPLIT,
        [None, "b", "1", None],
        ("m.io/b", "1", DIGEST, True),
        [None, "m.io/b", f"1@{DIGEST}", None],
    ),
    "split, renamed with an empty registry": (
        SPLIT,
        ["", "b", "1", None],
        ("m.io/b", "1", None, True),
        [None, "m.io/b", None, None],
    ),
    "siblings": (
        SIBLINGS,
        ["nvcr.io/nvidia", "d", "1"],
        ("nvcr.io/nvidia/d", "1", DIGEST, False),
        [None, None, f"1@{DIGEST}"],
    ),
    "siblings, renamed": (
        SIBLINGS,
        ["nvcr.io/nvidia", "d", "1"],
        ("m.io/x/nvidia/d", "1", None, True),
        ["m.io/x/nvidia", None, None],
    ),
    "siblings, renamed, image alone": (
        SIBLINGS,
        [None, "nvcr.io/d", "1"],
        ("m.io/d", "1", None, True),
        [None, "m.io/d", None],
    ),
    "prometheus": (
        PROMETHEUS,
        ["a/b", "1", None, "v2"],
        ("a/b", "1", DIGEST, False),
        [None, f"1@{DIGEST}", None, None],
    ),
    "prometheus, bare hex": (
        PROMETHEUS,
        ["a/b", "1", "00", None],
        ("a/b", "1", DIGEST, False),
        [None, None, HEX, None],
    ),
    "prometheus, renamed": (
        PROMETHEUS,
        ["a/b", "1", None, None],
        ("m.io/a/b", "1", None, True),
        ["m.io/a/b", None, None, None],
    ),
    "prometheus, version alone, renamed": (
        PROMETHEUS,
        ["a/b", None, None, "v2"],
        ("m.io/a/b", "v2", None, True),
        ["m.io/a/b", None, None, None],
    ),
    "prometheus, version and an empty sha": (
        PROMETHEUS,
        ["a/b", None, "", "v2"],
        ("a/b", "v2", DIGEST, False),
        [None, None, HEX, None],
    ),
    "prometheus, version alone": (PROMETHEUS, ["a/b", None, None, "v2"], ("a/b", "v2", DIGEST, False), None),
    "split, another tag at the mirror": (
        SPLIT,
        [None, "a/b", "1", None],
        ("m.io/a/b", "1-x", None, True),
        [None, "m.io/a/b", "1-x", None],
    ),
    "split, another tag and a digest's key": (
        SPLIT,
        [None, "a/b", "1", ""],
        ("m.io/a/b", "1-x", DIGEST, True),
        [None, "m.io/a/b", "1-x", DIGEST],
    ),
    "split, a mirror that has the tag in its path": (
        SPLIT,
        [None, "a/b", "1", None],
        ("m.io/a/b/1", None, None, True),
        None,
    ),
    "siblings, a whole image": (
        SIBLINGS,
        [None, "r.io/a/b:1", None],
        ("r.io/a/b", "1", DIGEST, False),
        [None, f"r.io/a/b:1@{DIGEST}", None],
    ),
    "siblings, a whole image, renamed": (
        SIBLINGS,
        [None, "r.io/a/b:1", None],
        ("m.io/b", "1", DIGEST, True),
        [None, f"m.io/b:1@{DIGEST}", None],
    ),
}


@pytest.mark.parametrize(("shape", "values", "says"), READ.values(), ids=READ)
def test_read(shape: Shape, values, says):
    assert shape.read(values) == says
    assert len(values) == len(shape.keys)


@pytest.mark.parametrize(("shape", "values", "new", "after"), WRITTEN.values(), ids=WRITTEN)
def test_write(shape: Shape, values, new, after):
    before = list(values)
    assert shape.write(values, Written(*new)) == after
    assert values == before


@pytest.mark.parametrize(
    ("shape", "values", "new", "after"),
    [row for row in WRITTEN.values() if row[3]],
    ids=[name for name, row in WRITTEN.items() if row[3]],
)
def test_what_was_written_reads_back(shape: Shape, values, new, after):
    name, tag, digest, _ = new
    said = shape.read([old if changed is None else changed for old, changed in zip(values, after, strict=True)])
    assert said is not None
    read = parse(said)
    assert read.written_name == name
    assert read.digest == digest
    assert tag is None or read.tag == tag


def test_written_text():
    assert Written("a", "1", DIGEST, False).text == f"a:1@{DIGEST}"


@pytest.mark.parametrize(("name", "shape"), SHAPES.items())
def test_shapes(name, shape):
    assert shape.keys and isinstance(shape, Whole | Versioned | Split)
    assert shape.needs_tag == (not isinstance(shape, Whole))
