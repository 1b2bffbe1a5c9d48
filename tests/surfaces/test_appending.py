"""Results are added to every spelling of a list, and to nothing else. Through the door: test_krm.py; here the edges."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.doors import V1
from transformer.report.results import Result
from transformer.surfaces.appending import append_results, block_under
from transformer.text.documents import Span
from transformer.text.edits import apply

NEW = [Result("one", "info", "pin"), Result('two "2" 🎉\x9b', "error", "not-found")]
ADDED = [
    {"message": "one", "severity": "info", "tags": {"rule": "pin"}},
    {"message": 'two "2" 🎉\x9b', "severity": "error", "tags": {"rule": "not-found"}},
]
HEAD = f"apiVersion: {V1}\nkind: ResourceList\n"
LIST = HEAD + "items:\n- {a: 1}\n- b: |\n    results:\n    - no\n"


def added(text: str) -> str:
    return apply(text, [append_results(text, Span(0, len(text)), NEW)])


@pytest.mark.parametrize(
    "before, after",
    [
        (LIST, LIST + "results:\n- ONE\n- TWO\n"),
        (LIST + "# tail\n", LIST + "# tail\nresults:\n- ONE\n- TWO\n"),
        (LIST + "...\n# x\n", LIST + "results:\n- ONE\n- TWO\n...\n# x\n"),
        (LIST[:-1], LIST + "results:\n- ONE\n- TWO"),
        (LIST + "results: []\n", LIST + "results:\n- ONE\n- TWO\n"),
        (LIST + "results:\n", LIST + "results:\n- ONE\n- TWO\n"),
        (LIST + "results: # c\n", LIST + "results: [ONE, TWO] # c\n"),
        (LIST + "results: null # c\n", LIST + "results: [ONE, TWO] # c\n"),
        (LIST + "results: [] # c\n", LIST + "results: [ONE, TWO] # c\n"),
        (LIST + "results: [x, ] # c\n", LIST + "results: [x, ONE, TWO, ] # c\n"),
        (LIST + "results:\n- x # c\n# tail\n", LIST + "results:\n- x # c\n- ONE\n- TWO\n# tail\n"),
        (LIST + "results:\n  - x", LIST + "results:\n  - x\n  - ONE\n  - TWO"),
        (LIST + "results:\n- |+\n  x\n\n", LIST + "results:\n- |+\n  x\n\n- ONE\n- TWO\n"),
        (LIST + "results:\n-\n  x: 1\n", LIST + "results:\n-\n  x: 1\n- ONE\n- TWO\n"),
        (LIST + "results: &r\n    - [x]\n", LIST + "results: &r\n    - [x]\n    - ONE\n    - TWO\n"),
        ("results:\n- x\n" + LIST, "results:\n- x\n- ONE\n- TWO\n" + LIST),
        ("'results' : []\n" + LIST, "'results' :\n- ONE\n- TWO\n" + LIST),
        (HEAD + "items: []\n", HEAD + "items: []\nresults:\n- ONE\n- TWO\n"),
        ("  kind: R\n  items: []\n", "  kind: R\n  items: []\n  results:\n  - ONE\n  - TWO\n"),
        ("{kind: R, items: [], } # }\n", '{kind: R, items: [], "results": [ONE, TWO], } # }\n'),
        ("{kind: R, results: [x,], }\n", "{kind: R, results: [x, ONE, TWO,], }\n"),
        ("{kind: R, results: , a: b}\n", "{kind: R, results: [ONE, TWO], a: b}\n"),
        ('{"results":[],"kind":"R"}', '{"results":[ONE, TWO],"kind":"R"}'),
        ('{"results":null,"kind":"R"}', '{"results": [ONE, TWO],"kind":"R"}'),
        # Escaped surrogates are JSON and no YAML.
        ('{"a":"\\ud83c\\udf89","results":[]}', '{"a":"\\ud83c\\udf89","results":[ONE, TWO]}'),
        ('{"a":"\\ud83c\\udf89","results": [1] }', '{"a":"\\ud83c\\udf89","results": [1, ONE, TWO] }'),
        ('{"a":"\\ud83c\\udf89","results":null}', '{"a":"\\ud83c\\udf89","results":[ONE, TWO]}'),
        ('{"a":"\\ud83c\\udf89","b":["results"]}\n', '{"a":"\\ud83c\\udf89","b":["results"], "results": [ONE, TWO]}\n'),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_where_results_go(before, after, newline):
    one, two = (json.dumps(entry, ensure_ascii=False).replace("\x9b", "\\u009b") for entry in ADDED)
    expected = after.replace("ONE", one).replace("TWO", two)
    assert added(before.replace("\n", newline)) == expected.replace("\n", newline)


def test_only_the_document_that_is_meant_is_edited():
    text = LIST + "---\n" + LIST
    out = apply(text, [append_results(text, Span(0, len(LIST)), NEW)])
    first, second = yaml.safe_load_all(out)
    assert first["results"] == ADDED and "results" not in second


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_read_back_as_it_was(message, path):
    text = apply(LIST, [append_results(LIST, Span(0, len(LIST)), [Result(message, "info", path)])])
    (found,) = yaml.safe_load(text)["results"]
    assert (found["message"], found["tags"]["rule"]) == (message, path)


@given(st.lists(st.dictionaries(st.sampled_from("ab"), st.text("xy\"'#:-\n ", max_size=6)), max_size=3), st.booleans())
def test_whatever_is_there_stays(there, flow):
    style = yaml.safe_dump({"results": there}, default_flow_style=flow, width=1000)
    out = added(LIST + (style[1:-2] + "\n" if flow and there else style if there else "results: []\n"))
    assert yaml.safe_load(out)["results"] == there + ADDED


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a: 1\nkey:\n  b: 1\n# c\n  d: 2\ne: 3\n", "  b: 1\n# c\n  d: 2"),
        ("key: # c\n  b: 1\n\n", "  b: 1"),
        ("key:\n- x\n- y\nz: 1\n", "- x\n- y"),
        ("key: {a: 1}\n", None),
        (" key:\n  a: 1\n", None),
        ("other: 1\n", None),
        ("key:\r\n  a: 1\r\n", None),
    ],
)
def test_lines_under_a_key(text, expected):
    span = block_under("key", text)
    assert (None if span is None else text[span.start : span.end].rstrip()) == expected
