"""Edits: spliced from the end, in the spelling that the scalar already has."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transformer.text import events
from transformer.text.edits import Edit, apply, respell
from transformer.text.tree import Scalar, TextError

DIGEST = "@sha256:" + "0123456789abcdef" * 4

#: before, what the scalar shall say, after
RESPELLED = {
    "plain": ("a: nginx # b\n", "nginx" + DIGEST, f"a: nginx{DIGEST} # b\n"),
    "plain at the end": ("a: nginx", "nginx:1", "a: nginx:1"),
    "plain in a list": ("- nginx\n", "nginx:1", "- nginx:1\n"),
    "plain in flow": ("{a: nginx, b: c}", "x/nginx:1@sha256:0", "{a: x/nginx:1@sha256:0, b: c}"),
    "plain over lines": ("a: b\n  c\n", "d", "a: d\n"),
    "null": ("a:\nb: c\n", "d", "a: d\nb: c\n"),
    "null, a blank behind": ("a: \nb: c\n", "d", "a: d \nb: c\n"),
    "null in a list": ("-\n- b\n", "d", "- d\n- b\n"),
    "null in flow": ("{a: , b: c}", "d", "{a: d, b: c}"),
    "null written out": ("a: ~ # b\n", "d", "a: d # b\n"),
    "anchored null": ("a: &x\nb: c\n", "d", "a: &x d\nb: c\n"),
    "single": ("a: 'nginx' # b\n", "nginx" + DIGEST, f"a: 'nginx{DIGEST}' # b\n"),
    "double": ('a: "nginx"\n', "other", 'a: "other"\n'),
    "empty quotes": ("a: ''\n", "b", "a: 'b'\n"),
    "escapes stay": ('a: "ngi\\u006ex"\n', "nginx:1", 'a: "ngi\\u006ex:1"\n'),
    "escapes go with the name": ('a: "ngi\\u006ex"\n', "x/nginx:1", 'a: "x/nginx:1"\n'),
    "quotes over lines stay": ('a: "ngi\\\n  nx"\n', "nginx:1", 'a: "ngi\\\n  nx:1"\n'),
    "literal": ("a: |-\n  nginx\nb: c\n", "nginx:1", "a: |-\n  nginx:1\nb: c\n"),
    "literal with a comment that says the same": (
        "a: |- # nginx\n   nginx\n",
        "nginx:1",
        "a: |- # nginx\n   nginx:1\n",
    ),
    "literal that keeps": ("a: |+\n  nginx\n\n\nb: c\n", "x/y", "a: |+\n  x/y\n\n\nb: c\n"),
    "folded": ("a: >\n  nginx\nb: c\n", "nginx:1", "a: >\n  nginx:1\nb: c\n"),
    "folded, CRLF": ("a: >\r\n  nginx\r\nb: c\r\n", "nginx:1", "a: >\r\n  nginx:1\r\nb: c\r\n"),
    "anchored": ("a: &nginx nginx\n", "x", "a: &nginx x\n"),
    "tagged": ("a: !!str nginx\n", "x", "a: !!str x\n"),
    "behind a comment": ("a: &x # nginx\n  nginx\n", "nginx:1", "a: &x # nginx\n  nginx:1\n"),
    "what needs quotes": ("a: nginx\n", "[::1]:5000/x", 'a: "[::1]:5000/x"\n'),
    "what would be a number": ("a: abc\n", "12345", 'a: "12345"\n'),
    "what would be a float": ("a: abc\n", "12e34", 'a: "12e34"\n'),
    "what would be a boolean": ("a: abc\n", "on", 'a: "on"\n'),
    "a colon at the end": ("a: abc\n", "b:", 'a: "b:"\n'),
}


@pytest.mark.parametrize(("before", "says", "after"), RESPELLED.values(), ids=RESPELLED)
def test_respelled(before, says, after):
    (document,) = events.read(before)
    edited = apply(before, [respell(before, document.scalars[0], says)])
    assert edited == after
    (again,) = events.read(edited)
    assert again.scalars[0].value.rstrip("\n") == says
    assert again.scalars[0].is_text
    assert [scalar.value for scalar in again.scalars[1:]] == [scalar.value for scalar in document.scalars[1:]]


@pytest.mark.parametrize("text", ["a: >\n  b\n  c\n", "a: |\n  b\n  c\n", "a: |\n\nb: c\n", "a: >-\n\n"])
def test_a_block_of_several_lines_or_none_is_refused(text):
    (document,) = events.read(text)
    with pytest.raises(TextError) as caught:
        respell(text, document.scalars[0], "x")
    assert caught.value.position == 3


def test_no_edits_no_change():
    assert apply("text", []) == "text"


@pytest.mark.parametrize(
    ("edits", "after"),
    [
        ([Edit(0, 0, "x")], "xabcdef"),
        ([Edit(6, 6, "x")], "abcdefx"),
        ([Edit(0, 6, "")], ""),
        ([Edit(4, 5, "x"), Edit(1, 2, "yy")], "ayycdxf"),
        ([Edit(1, 2, "x"), Edit(2, 3, "y")], "axydef"),
        ([Edit(2, 2, "x"), Edit(2, 3, "y")], "abxydef"),
    ],
)
def test_edits_are_made_in_the_order_of_the_text(edits, after):
    assert apply("abcdef", edits) == after
    assert apply("abcdef", reversed(edits)) == after


def test_edits_may_not_overlap():
    with pytest.raises(AssertionError):
        apply("abcdef", [Edit(1, 3, "x"), Edit(2, 4, "y")])


@given(st.text(max_size=30), st.data())
def test_what_is_not_edited_stays(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6).filter(lambda some: len(some) % 2 == 0)))
    edits = [Edit(start, end, "<new>") for start, end in zip(cuts[::2], cuts[1::2], strict=True)]
    kept, done = [], 0
    for edit in edits:
        kept.append(text[done : edit.start])
        done = edit.end
    assert apply(text, edits) == "<new>".join([*kept, text[done:]])


@given(
    st.from_regex(r"[a-z0-9][a-z0-9./:@_-]{0,30}", fullmatch=True), st.sampled_from(["a: {}\n", "[{}]", "{{a: {}}}"])
)
def test_what_is_written_plainly_or_quoted_reads_back(says, around):
    text = around.format("old")
    start = text.index("old")
    edited = apply(text, [respell(text, Scalar(start, start + 3, "", "old"), says)])
    loaded = yaml.safe_load(edited)
    assert next(iter(loaded.values() if isinstance(loaded, dict) else loaded)) == says
