"""Nodes with spans: where things stand, what a path leads to, and how often aliases and merge keys use a thing."""

from __future__ import annotations

import json

import pytest

from transformer.text.nodes import Uses, content_end, merged, own, read
from transformer.text.tree import TextError


def document(text, start=0, end=None):
    return read(text, start, len(text) if end is None else end)


def at(text, path):
    return document(text).find(path)


@pytest.mark.parametrize("text", ["", "# a\n", "a: [", "{a: b", '{"a": "\\ud83d\\ude00"', "\t- a: b"])
def test_what_cannot_be_read(text):
    with pytest.raises(TextError):
        document(text)


@pytest.mark.parametrize(
    "path",
    ["c", "a.c", "a.b.c.d", "a.l[2]", "a.l[0].x", "a[0]", "a.", "a..b", "a.l[-1]", "a.l[x]", '["a', "a.m.x", "s.a"],
)
def test_paths_that_lead_nowhere(path):
    found = document("a: {b: {c: 1}, l: [1, 2], m: {<<: {y: 1}}}\ns: text\n")
    try:
        assert found.find(path) is None
    except TextError as error:
        assert error.message == "a path that cannot be read"


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("a: {b: 1}\n", "a.b", "1"),
        ("a:\n  b:\n  - c\n  - d: 2\n", "a.b[1].d", "2"),
        ("- a: 1\n", "a", "1"),
        ("  - a:\n      b: 1\n", "a.b", "1"),
        ("a: {x.y/z: {b: 1}}\n", 'a["x.y/z"].b', "1"),
        ("a: {'x[0]': 1}\n", 'a["x[0]"]', "1"),
        ("a: {'x[0]': {b.c: 1}}\n", 'a["x[0]"]["b.c"]', "1"),
        ("a: {b: 1, b: 2}\n", "a.b", "2"),
        ("x: &x {b: 1}\na: *x\n", "a.b", "1"),
        ("x: &x {b: 1}\na: {<<: *x, b: 2}\n", "a.b", "2"),
        ("x: &x {b: 1}\na: {b: 2, <<: *x}\n", "a.b", "2"),
        ("x: &x {b: 1}\ny: &y {<<: *x}\na: {<<: *y}\n", "a.b", "1"),
        ("x: &x {b: 1}\ny: &y {b: 2}\na: {<<: [*x, *y]}\n", "a.b", "1"),
        ("x: &x b\na: {*x : 1}\n", "a.b", "1"),
        ("x: &x {b: 1}\nx2: &x {b: 2}\na: *x\n", "a.b", "2"),
        ('{"a": {"b": "\\ud83d\\ude00", "c": 1}}', "a.c", "1"),
        ('{"\\ud83d\\ude00": 1, "a": {"b\\"": "", "c": 1}}', "a.c", "1"),
        (json.dumps({"k" * 2000: 1, "a": 2}), "a", "2"),
    ],
)
def test_paths(text, path, value):
    node = at(text, path)
    assert node.kind == "scalar" and node.value == value
    assert text[node.start : node.end] == value


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("a: [1, 2]\n", "1, 2]"),
        ("a: &x [1, 2]\n", "1, 2]"),
        ("a: !t [1, 2]\n", "1, 2]"),
        ("a: []\n", "]"),
        ("# ä 🎉\r\na: [ 1 ]\r\n", " 1 ]"),
    ],
)
def test_a_flow_collection(text, inside):
    node = at(text, "a")
    assert node.is_flow and text[node.inside : node.end] == inside
    assert node.has_properties is ("&" in text or "!" in text)


@pytest.mark.parametrize(
    ("value", "ending"),
    [
        ("x # c\n# d\n", "x"),
        ("\n  - x\n  - y # c\n  # d\n\n", "y"),
        ("\n- x\n-\n# d\n", "-"),
        ("\n  b:\n    c: 'x'  # c\n\n# d\n", "'x'"),
        ("\n- {n: x} # c\n# d\n", "}"),
        ("\n- *q # c\n# d\n", "*q"),
        ("\n- n: x\n  o:\n", "o:"),
        ("\n- |\n  x\n# d\n", "x\n"),
    ],
)
def test_where_a_value_really_ends(value, ending):
    text = f"q: &q {{n: [1]}}\na: {value}z: 1\n"
    child = own(document(text).root, "a")
    assert text[: content_end(child)].endswith(ending) and content_end(child) <= text.index("z: 1")


def test_spans_are_offsets_into_the_whole_text():
    text = "a: 1\n---\nb: [c]\n---\nb: 2\n"
    start, end = text.index("---"), text.index("---\nb: 2")
    node = document(text, start, end).find("b")
    assert text[node.inside : node.end] == "c]"
    assert document(text, start, end).find("a") is None


def test_an_alias_stands_where_it_is_written():
    text = "a: &x {n: 1}\nb: [*x, 2]\n"
    child = document(text).find("b").children[0]
    assert child.is_alias and text[child.start : child.end] == "*x"
    assert child.node is document(text).find("a") or child.node.start == text.index("&x")


def test_merge_keys_do_not_run_in_circles_or_for_ever():
    text = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 60))
    found = document(text)
    assert merged(found.find("a59"), "x").node.value == "1"
    assert merged(found.find("a59"), "y") is None
    assert Uses(found).of_key(found.find("a0"), "y") >= 10_000


#: Texts, the path of a mapping, and how many have its value (or would get one) under the key k.
USES = {
    "a plain one": ("a: {b: 1}\n", "a", 1),
    "an anchor nobody uses": ("a: &x {b: 1}\n", "a", 1),
    "an alias": ("a: &x {b: 1}\nc: *x\n", "a", 2),
    "an alias of what is around it": ("a: &x {b: {c: 1}}\nd: *x\n", "a.b", 2),
    "aliases of aliases": ("a: &x {b: 1}\nc: &y {d: *x, e: *x}\nf: *y\n", "a", 5),
    "held by an x- key": ("x-a: &x {b: 1}\nc: *x\n", "c", 1),
    "held deeper in an x- key": ("x-a: {y: &x {b: 1}}\nc: *x\nd: *x\n", "c", 2),
    "an x- key that is not at the top": ("y: {x-a: &x {b: 1}}\nc: *x\n", "c", 2),
    "merged": ("a: &x {b: 1}\nc: {<<: *x}\n", "a", 2),
    "merged into what has its own": ("a: &x {b: 1}\nc: {<<: *x, k: 1}\n", "a", 1),
    "merged, from several": ("a: &x {b: 1}\ny: &y {k: 1}\nc: {<<: [*y, *x]}\n", "a", 2),
    "merged and merged again": ("a: &x {b: 1}\nc: &y {<<: *x}\nd: {<<: *y}\n", "a", 3),
    "merged and merged again, with its own": ("a: &x {b: 1}\nc: &y {<<: *x, k: 1}\nd: {<<: *y}\n", "a", 1),
    "below what is merged": ("a: &x {b: {z: 1}}\nc: {<<: *x}\n", "a.b", 2),
    "below what is merged, with its own": ("a: &x {b: {z: 1}}\nc: {<<: *x, b: 1}\n", "a.b", 1),
    "in a list": ("a: [&x {b: 1}, *x]\n", "a[0]", 2),
}


@pytest.mark.parametrize(("text", "path", "count"), USES.values(), ids=USES)
def test_uses(text, path, count):
    found = document(text)
    assert Uses(found).of_key(found.find(path), "k") == count


def test_what_is_about_to_get_its_own():
    found = document("a: &x {b: 1}\nc: {<<: *x}\n")
    assert Uses(found).of_key(found.find("a"), "k", frozenset([id(found.find("c"))])) == 1


def test_a_list_is_used_where_it_is_reached():
    found = document("a: &x {k: &l [1]}\nb: {k: *l}\nc: {<<: *x}\nd: {<<: *x, k: 1}\n")
    assert Uses(found).of(found.find("a.k")) == 3


def test_deep_documents():
    text = "a: " + "[" * 390 + "]" * 390 + "\n"
    node = document(text).find("a")
    assert Uses(document(text)) and node.kind == "list"
    block = "".join(" " * level + "a:\n" for level in range(390)) + " " * 390 + "b: 1\n"
    assert document(block).find(".".join("a" * 390)).children[0].node.value == "1"
