"""JSON with spans: what Python's json reads, this reads; what it refuses, this refuses (or takes no harm from)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.test_events import plain
from transformer.text import jsontext
from transformer.text.tree import DEPTH_LIMIT, Duplicate, Scalar, TextError

REFUSED = {
    "cut off": ('{"a": ', "cut off", 6),
    "cut off in a list": ('{"a": [1,', "cut off", 9),
    "cut off in a text": ('{"a": "b', "unexpected text", 6),
    "no key": ("{1: 2}", "expected a quoted key", 1),
    "no colon": ('{"a" 1}', "expected :", 5),
    "no comma": ('{"a": 1 "b": 2}', "expected , or }", 10),
    "no comma in a list": ("[1 2]", "expected , or ]", 3),
    "a comma before }": ('{"a": 1,}', "a comma before }", 8),
    "a comma before ]": ("[1,]", "unexpected ]", 3),
    "a comma first": ("[,1]", "unexpected ,", 1),
    "a comment": ('{"a": 1 # b\n}', "unexpected text", 8),
    "a bare word": ('{"a": b}', "unexpected text", 6),
    "single quotes": ("{'a': 1}", "unexpected text", 1),
    "a newline in a text": ('{"a": "b\nc"}', "unexpected text", 6),
    "an unknown escape": ('{"a": "\\x"}', "unexpected text", 6),
    "a short escape": ('{"a": "\\u12"}', "unexpected text", 6),
    "half a pair": ('{"a": "\\ud83d"}', "surrogate", 7),
    "half a pair in a key": ('{"\\udc00": 1}', "surrogate", 2),
    "something behind": ('{"a": 1}}', "unexpected }", 8),
}


def one(text: str):
    (document,) = jsontext.read(text, 0, len(text))
    return document


@pytest.mark.parametrize(("text", "message", "position"), REFUSED.values(), ids=REFUSED)
def test_refused(text, message, position):
    with pytest.raises(TextError) as caught:
        jsontext.read(text, 0, len(text))
    assert message in caught.value.message
    assert caught.value.position == position


@pytest.mark.parametrize("text", ['{"a"', "{ }", '\n\t {\r\n "a"', "{}"])
def test_what_starts_like_json(text):
    assert jsontext.starts_json(text, 0, len(text))


@pytest.mark.parametrize("text", ["", "a: b", "{a: b}", "[]", '"a"', "# c\n{}", "{'a': b}", "---\n{}", "{"])
def test_what_does_not(text):
    assert not jsontext.starts_json(text, 0, len(text))


def test_spans_and_values():
    text = '{"a": "n\\u0067inx", "b": [1.5, true, null, ""], "\\u0063": {}}'
    document = one(text)
    assert plain(document) == {"a": "nginx", "b": ["1.5", "true", "null", ""], "c": {}}
    assert document.scalars[:2] == [Scalar(6, 18, '"', "nginx"), Scalar(26, 29, "", "1.5")]
    assert [text[scalar.start : scalar.end] for scalar in document.scalars] == [
        '"n\\u0067inx"',
        "1.5",
        "true",
        "null",
        '""',
    ]
    assert [scalar.is_text for scalar in document.scalars] == [True, False, False, False, True]
    assert [scalar.is_null for scalar in document.scalars] == [False, False, False, True, False]


def test_offsets_are_those_of_the_whole_text():
    text = '---\n{"a": "b"}\n---\n'
    (document,) = jsontext.read(text, 4, 15)
    assert document.scalars == [Scalar(10, 13, '"', "b")]


def test_a_surrogate_pair_is_one_character():
    assert one('{"a": "\\ud83d\\ude42"}').scalars[0].value == "🙂"


def test_documents_on_end():
    text = '{"a": 1}\n{"a": 2} {"a": 3}\n\n'
    assert [plain(document) for document in jsontext.read(text, 0, len(text))] == [{"a": "1"}, {"a": "2"}, {"a": "3"}]
    assert jsontext.read("  \n", 0, 3) == []


def test_duplicates_are_noted_and_the_last_one_wins():
    text = '{"a": 1, "b": {"c": 1, "\\u0063": 2}, "a": 3}'
    document = one(text)
    assert plain(document) == {"a": "3", "b": {"c": "2"}}
    assert document.duplicates == [
        Duplicate(text.index('"\\u0063"'), "c", 1),
        Duplicate(text.rindex('"a"'), "a", 0),
    ]


@pytest.mark.parametrize("levels", [200, DEPTH_LIMIT - 1])
def test_allowed_depth(levels):
    assert one('{"a":' + "[" * levels + "1" + "]" * levels + "}").scalars[0].value == "1"


@pytest.mark.parametrize("levels", [DEPTH_LIMIT + 1, 5000, 100_000])
@pytest.mark.parametrize("piece", ["[", '{"a":'])
def test_too_deep(levels, piece):
    with pytest.raises(TextError) as caught:
        jsontext.read('{"a":' + piece * levels, 0, 5 + len(piece) * levels)
    assert caught.value.message == f"nested deeper than {DEPTH_LIMIT} levels"


def test_a_text_of_a_megabyte():
    text = json.dumps({"a": "b" * 1_000_000 + '"' * 1000})
    assert len(one(text).scalars[0].value) == 1_001_000


JSON = st.recursive(
    st.one_of(
        st.text(st.characters(codec="utf-8"), max_size=6),
        st.integers(),
        st.booleans(),
        st.none(),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), JSON), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_whatever_json_writes_is_read_with_its_spans(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    document = one(text)

    def back(tree):
        if isinstance(tree, int):
            scalar = document.scalars[tree]
            return json.loads(text[scalar.start : scalar.end])
        return (
            [back(child) for child in tree]
            if isinstance(tree, list)
            else {key: back(child) for key, child in tree.items()}
        )

    assert back(document.tree) == value


@settings(deadline=None)
@given(st.text('{}[],:"\\ab1 \n', max_size=12).map('{{"a": {}'.format))
def test_nothing_is_taken_that_json_refuses(text):
    try:
        documents = jsontext.read(text, 0, len(text))
    except TextError:
        return
    decoder, position, values = json.JSONDecoder(), 0, 0
    while text[position:].strip():
        position = len(text) - len(text[position:].lstrip())
        if text[position] == "1" or text[position : position + 2] == "-1":
            return  # numbers on end are tokens of ours, not validated
        _, position = decoder.raw_decode(text, position)
        values += 1
    assert values == len(documents)
