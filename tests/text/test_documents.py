"""Cutting in the text alone must agree with parsing: documents exactly, items whenever they stand by themselves."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.test_events import plain
from transformer.text import events
from transformer.text.documents import Span, split, split_items
from transformer.text.tree import TextError

#: Texts with ¦ where a cut belongs.
CUTS = {
    "nothing": "",
    "one": "a: b\n",
    "no newline at the end": "a: b",
    "two": "a: b\n¦---\nc: d\n",
    "a marker first": "---\na: b\n¦---\nc: d\n",
    "comments alone": "# a\n¦---\n# b\n¦---\nc: d\n",
    "a marker at the very end": "a: b\n¦---",
    "a value on the marker's line": "a: b\n¦--- {c: d}\n",
    "a comment on the marker's line": "a: b\n¦--- # c\nd: e\n",
    "a tab behind the marker": "a: b\n¦---\tc\n",
    "no marker: more dashes": "a: b\n----\n",
    "no marker: text on end": "a: b\n---c\n",
    "no marker: not at the line's start": "a: |\n  b\n ---\n",
    "CRLF": "a: b\r\n¦---\r\nc: d\r\n",
    "an end": "a: b\n...\n¦c: d\n",
    "an end and a marker": "a: b\n...\n¦---\nc: d\n",
    "an end at the very end": "a: b\n...",
    "an end with CRLF": "a: b\r\n...\r\n¦c: d\r\n",
    "an end with a comment": "a: b\n... # c\n¦d: e\n",
    "no end: four dots": "a: b\n....\n",
    "ends on end": "a: b\n...\n...\n# c\n\n...\n¦d: e\n...\n...\n¦",
    "a directive": "%YAML 1.1\n---\na: b\n",
    "a directive in the middle": "a: b\n...\n¦%YAML 1.1\n---\nc: d\n",
    "a directive behind a comment": "# a\n%TAG !e! tag:e,2000:\n---\nb: !e!c d\n",
    "a block that holds a marker": "a: |\n  ---\n  b\n¦---\nc: d\n",
    "a top-level block": "--- |\nb\n¦---\nc: d\n",
    "empty documents": "---\n¦---\n¦---\n",
}

#: Lists with ¦ before each item and at the end of the last one.
ITEMS = {
    "at the key's column": "kind: List\nitems:\n¦- a: b\n¦- c: d\n¦",
    "indented": "kind: List\nitems:\n  ¦- a: b\n    c: d\n  ¦- e: f\n¦",
    "something behind": "items:\n¦- a: b\n¦- c: d\n¦kind: List\nx: y\n",
    "comments": "items:\n# a\n\n  # b\n¦- a: b\n# c\n  # d\n\n¦- e: f\n# g\n¦kind: List\n",
    "blanks behind the key": "items:  \n¦- a: b\n¦",
    "in the middle of a stream": "---\nitems:\n¦- a: b\n¦- c: d\n¦",
    "no newline at the end": "items:\n¦- a: b\n¦- c: d¦",
    "lists in items": "items:\n¦- - a\n  - b\n¦- c:\n  - d\n  -   e\n¦",
    "a block that looks like items": "items:\n¦- a: |\n    - b\n   - c\n¦- |\n  - d\n¦",
    "wide dashes": "items:\n¦-   a: b\n    c: d\n¦- e: f\n¦",
    "an item behind a dash and a newline": "items:\n¦- a: b\n-\n  c: d\n¦",
}

NO_ITEMS = {
    "nothing": "",
    "no items": "kind: List\n",
    "an empty list": "items: []\n",
    "no value": "items:\n",
    "no value and something behind": "items:\nkind: List\n",
    "a flow list": "items: [{a: b}]\n",
    "a flow list below": "items:\n  [{a: b}]\n",
    "a map": "items:\n  a: b\n",
    "not at the top": "a:\n  items:\n  - b: c\n",
    "a comment behind the key": "items: # a\n- b: c\n",
    "an anchor": "items: &x\n- b: c\n",
    "quoted": '"items":\n- b: c\n',
    "CRLF": "items:\r\n- a: b\r\n",
    "JSON": '{"items": [{"a": "b"}]}\n',
    "a dash and a newline first": "items:\n-\n  a: b\n",
}


@pytest.mark.parametrize("marked", CUTS.values(), ids=CUTS)
def test_documents_are_cut_at_markers(marked):
    pieces = [piece for piece in marked.split("¦") if piece]
    text = "".join(pieces)
    assert [text[span.start : span.end] for span in split(text)] == pieces


@pytest.mark.parametrize("marked", ITEMS.values(), ids=ITEMS)
@pytest.mark.parametrize("before", ["", "z: 'y\n---\n"], ids=["alone", "in a stream"])
def test_items_are_cut(marked, before):
    first, *items, last = marked.split("¦")
    # A mark stands before the dash, a cut at the start of its line.
    indent = len(first) - len(first.rstrip(" "))
    blank = first[len(first) - indent :]
    pieces = [blank + item.removesuffix(blank) if indent else item for item in items]
    text = before + marked.replace("¦", "")
    listed = split_items(text, Span(len(before), len(text)))
    assert listed is not None
    assert [text[span.start : span.end] for span in listed.items] == pieces
    assert listed.envelope(text) == first.removesuffix(blank) + last
    assert text[len(before) :][: listed.key].endswith("items:")


@pytest.mark.parametrize("text", NO_ITEMS.values(), ids=NO_ITEMS)
def test_no_items_to_cut(text):
    assert split_items(text, Span(0, len(text))) is None


def test_items_of_the_next_document_are_not_taken():
    text = "items:\n---\n- a: b\n"
    assert split_items(text, Span(0, 7)) is None
    text = "a: b\n---\nitems:\n- c: d\n"
    assert split_items(text, Span(0, 5)) is None


# Against parsing.

LINES = [
    *(
        "a: b\n",
        "c:\n",
        "- d\n",
        "  - e\n",
        "  f: g\n",
        "---\n",
        "--- # h\n",
        "...\n",
        "# i\n",
        "\n",
        "j: |\n",
        "  ---\n",
        "  - k\n",
    ),
    *(
        'l: "m\n',
        'n"\n',
        "o: 'p\n",
        "q'\n",
        "r: {s: t,\n",
        "u: v}\n",
        "w: [x,\n",
        "y]\n",
        "items:\n",
        "%YAML 1.1\n",
        "kind: List\n",
    ),
    *(
        "- z: |\n",
        "    ---\n",
        "a: b\r\n",
        "---\r\n",
        "---a\n",
        "--- |\n",
        "-\n",
        "-\ta\n",
        "- - b\n",
        "  \n",
        "? c\n",
        "'\n",
        '"\n',
    ),
    *(
        "- &x y\n",
        "- *x\n",
        "- a: |-\n",
        "- a: >\n",
        "   - b\n",
        "- {a: b,\n",
        "- c: d}\n",
        "items: 5\n",
        "- ~\n",
        "- {}\n",
    ),
]
TEXTS = st.lists(st.sampled_from(LINES), max_size=9).map("".join)


def parse(text: str, span: Span | None = None):
    """The documents of a text as plain values, None when it is no YAML (or none that we take)."""
    start, end = span or (0, len(text))
    try:
        return [plain(document) for document in events.read(text, start, end)]
    except TextError:
        return None


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_pieces_parse_to_the_documents_of_the_whole(text):
    spans = split(text)
    assert [span.start for span in spans] == [0, *(span.end for span in spans)][: len(spans)]
    assert not text or spans[-1].end == len(text)
    whole = parse(text)
    if whole is not None:
        pieces = [parse(text, span) for span in spans]
        assert [document for piece in pieces for document in (["unreadable"] if piece is None else piece)] == whole


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(LINES), max_size=3),
    st.sampled_from(["", "  "]),
    st.lists(st.sampled_from(LINES), max_size=7),
)
def test_the_text_of_items_is_neither_lost_nor_doubled(before, indent, after):
    text = "".join(before) + "items:\n" + indent + "- a: b\n" + "".join(indent + line for line in after)
    for span in split(text):
        listed = split_items(text, span)
        if listed is not None:
            first, last = listed.items[0].start, listed.items[-1].end
            assert span.start <= first < last <= span.end
            assert [one.end for one in listed.items[:-1]] == [one.start for one in listed.items[1:]]
            assert len(listed.envelope(text)) + last - first == span.end - span.start


def test_yaml_agrees_that_a_marker_cannot_be_quoted():
    """What the exact cut rests on."""
    for text in ("a: 'b\n---\nc'\n", 'a: "b\n---\nc"\n', "a: [b,\n---\nc]\n"):
        with pytest.raises(yaml.YAMLError):
            list(yaml.parse(text))
