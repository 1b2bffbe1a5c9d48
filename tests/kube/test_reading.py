"""Readers: the quickest one that is sure, and the same answer from each; JSON, YAML, and texts that are neither."""

from __future__ import annotations

import pytest

from tests.text.test_events import plain
from transformer.kube.reading import Reader, kind_of, read_slowly
from transformer.text import events
from transformer.text.documents import Span
from transformer.text.outline import Lines, Outlines
from transformer.text.source import File
from transformer.text.tree import TextError


def reader(text: str) -> tuple[Reader, Span]:
    return Reader(File("x.yaml", text), Outlines()), Span(0, len(text))


@pytest.mark.parametrize("text", ["a: b\n", "---\na:\n- b\n", "a: |\n  b\n"])
def test_what_is_plain_is_outlined(text):
    one, span = reader(text)
    (parsed,) = one.read(span)
    assert isinstance(parsed, Lines)


@pytest.mark.parametrize("text", ["a: b", "a: {b: c}\n", "a: b\r\n", "a: &x b\n", "a: 'b\u2028'\n"])
def test_what_is_not_goes_to_events(text):
    one, span = reader(text)
    assert one.read(span) == events.read(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": "\\ud83d\\ude42"}', [{"a": "🙂"}]),
        ('{"a": 1}\n{"a": 2}\n', [{"a": "1"}, {"a": "2"}]),
        ('{"a": "b",}', [{"a": "b"}]),
        ('{"a": "b" # c\n}', [{"a": "b"}]),
        ('{"a": b}', [{"a": "b"}]),
        ('{"a":\n"b"}\n# c\n', [{"a": "b"}]),
        ("{a: b}", [{"a": "b"}]),
        ("", []),
        ("# a\n", []),
    ],
)
def test_json_and_what_looks_like_it(text, values):
    assert [plain(parsed) for parsed in read_slowly(text, Span(0, len(text)))] == values


def test_what_is_neither_is_told_as_what_it_looks_like():
    with pytest.raises(TextError, match="^not valid JSON: expected :$"):
        read_slowly('{"a" "b"', Span(0, 8))
    with pytest.raises(TextError, match="^not valid YAML"):
        read_slowly("{a: b", Span(0, 5))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("apiVersion: v1\nkind: Pod\n", ("v1", "Pod")),
        ("kind: 'Pod'\n", ("", "Pod")),
        ("a: b\n", ("", "")),
        ("kind:\n  a: b\n", ("", "")),
        ("- kind: Pod\n", ("", "")),
        ("{kind: Pod}", ("", "Pod")),
        ("kind:\n", ("", "")),
    ],
)
def test_kind_of(text, kind):
    one, span = reader(text)
    assert kind_of(one.read(span)[0]) == kind


@pytest.mark.parametrize("text", ["- a: b\n", "- {a: b}", "  - a: b\n", "# c\n- a: |\n    b\n"])
def test_an_item(text):
    one, span = reader(text)
    parsed, root = one.item(span)
    assert isinstance(root, dict) and list(root) == ["a"]
    assert parsed.tree == [root]


@pytest.mark.parametrize(
    "text",
    ["", "a: b\n", "- a: b\n- c: d\n", "- a: b\n---\n- c: d\n", "- a\n", "- ~\n", "- []\n", "- - a: b\n", "- a: 'b\n"],
)
def test_no_item(text):
    one, span = reader(text)
    with pytest.raises(TextError):
        one.item(span)


@pytest.mark.parametrize("kind", ["List", "ResourceList", "PodList", "'List'"])
@pytest.mark.parametrize(
    "text",
    ["kind: {}\nitems:\n- a: b\n", "items:\n  - a: b\n\nkind: {}\nmetadata: {{}}\n", "kind: {}\nitems: \n- a: b\n"],
)
def test_as_list(kind, text):
    text = text.format(kind)
    one, span = reader(text)
    found = one.as_list(span)
    assert found is not None
    assert kind_of(found.envelope)[1] == kind.strip("'")
    assert [text[start:end].strip() for start, end in found.listed.items] == ["- a: b"]
    assert found.envelope_text + "".join(text[start:end] for start, end in found.listed.items) != ""
    assert "a: b" not in found.envelope_text


NO_LIST = {
    "another kind": "kind: Pod\nitems:\n- a: b\n",
    "no kind": "items:\n- a: b\n",
    "flow": "kind: List\nitems: [{a: b}]\n",
    "JSON": '{"kind": "List", "items": []}',
    "a broken envelope": "kind: List\nitems:\n- a: b\nx: [\n",
    "more than a list has": "kind: AllowList\nitems:\n- a: b\nspec: {}\n",
    "more than a list has, before": "data: x\nkind: AllowList\nitems:\n- a: b\n",
    "items twice": "kind: List\nitems:\n- a: b\nitems:\n- c: d\n",
    "items twice, once null": "kind: List\nitems:\n- a: b\nitems:\n",
    "another key twice": "kind: List\nitems:\n- a: b\nx: y\nx: z\n",
    "items in a text": 'kind: List\nx: "\nitems:\n- a: b\n"\n',
    "items in a text and elsewhere": 'kind: List\nx: "\nitems:\n- a: b\n"\nitems:\n',
    "items in a flow map": "kind: List\nx: {\nitems:\n- a: b\n}\n",
    "the rest in another indentation": "kind: List\nitems:\n  - a: b\n - c: d\n",
    "a dash and a tab": "kind: List\nitems:\n- a: b\n-\tc: d\n",
    "an anchor that an item needs is in the rest": "kind: List\nitems:\n- a: b\nx: *y\n",
}


@pytest.mark.parametrize("text", NO_LIST.values(), ids=NO_LIST)
def test_no_list(text):
    one, span = reader(text)
    assert one.as_list(span) is None


def test_documents():
    one, _ = reader("a: b\n---\n# c\n")
    assert one.documents() == [Span(0, 5), Span(5, 13)]
