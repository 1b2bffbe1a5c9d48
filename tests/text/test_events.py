"""Events: any YAML as a tree with exact spans, and a TextError with a place for everything else."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from transformer.text import events
from transformer.text.tree import DEPTH_LIMIT, Duplicate, Plain, Scalar, TextError


def one(text: str) -> Plain:
    (document,) = events.read(text)
    return document


def plain(document: Plain, tree=None):
    """A tree with the scalars' text in the place of leaves."""
    tree = document.tree if tree is None else tree
    if isinstance(tree, int):
        return document.scalar(tree).value
    if isinstance(tree, list):
        return [plain(document, child) for child in tree]
    return {key: plain(document, child) for key, child in tree.items()}


#: text with the span marked by « and », style, value, tagged
SPANS = {
    "plain": ("a: «nginx:1.25» # c\n", "", "nginx:1.25", False),
    "plain at the end": ("a: «nginx»", "", "nginx", False),
    "single": ("a: «'it''s'»\n", "'", "it's", False),
    "double": ('a: «"b\\u0063"» # d\n', '"', "bc", False),
    "double over lines": ('a: «"b\\\n  c"»\n', '"', "bc", False),
    "plain over lines": ("a: «b\n  c»\n", "", "b c", False),
    "in flow": ("{a: «b», c: d}\n", "", "b", False),
    "in flow, tight": ('{"a":«"b"»}\n', '"', "b", False),
    "anchored": ("a: &x «b»\n", "", "b", False),
    "tagged": ("a: !!str «1.25»\n", "", "1.25", True),
    "tagged, the bare tag": ("a: ! «b»\n", "", "b", True),
    "tag and anchor": ("a: !!str &x «'b'»\n", "'", "b", True),
    "anchor and tag": ("a: &x !<tag:yaml.org,2002:str> «b»\n", "", "b", True),
    "anchored on a line of its own": ("a: &x\n  «b»\n", "", "b", False),
    "a comment behind the anchor": ("a: &x # b\n  «b»\n", "", "b", False),
    "comments behind anchor and tag": ("a: &x # c\n\n  # d &e\n  !!str # f\n  «b»\n", "", "b", True),
    "a comment behind the anchor, CRLF": ("a: &x # b\r\n  «b»\r\n", "", "b", False),
    "null": ("a:«»\nb: c\n", "", "", False),
    "anchored null": ("a: &x«»\nb: c\n", "", "", False),
    "empty quotes behind an anchor": ("a: &x «''»\n", "'", "", False),
    "beyond the basic plane": ("# 🙂\na: «🙂x»\n", "", "🙂x", False),
    "CRLF": ("z: 1\r\na: «b»\r\n", "", "b", False),
    "line separators": ("# \u2028a: «b»\n", "", "b", False),
}

#: What is no YAML, or YAML that means nothing to Kubernetes: text, what the message holds, offset.
REFUSED = {
    "cut off": ("a: [b", "did not find expected", 6),
    "cut off in quotes": ("a: 'b", "unexpected end of stream", 5),
    "a tab as indentation": ("a:\n\tb: c\n", "cannot start any token", 3),
    "a wrong indentation": ("a: b\n  c: d\n", "mapping values are not allowed", 8),
    "an unknown alias": ("a: *x\n", "*x names no anchor", 3),
    "an alias before its anchor": ("a: *x\nb: &x c\n", "*x names no anchor", 3),
    "an alias of another document": ("a: &x b\n---\nc: *x\n", "*x names no anchor", 15),
    "an alias in itself": ("a: &x [*x]\n", "stands inside the node", 7),
    "an alias in itself, deeper": ("a: &x {b: [c, {d: *x}]}\n", "stands inside the node", 18),
    "a list as a key": ("? [a]\n: b\n", "as a key has no meaning", 2),
    "a map as a key": ("{a: b}: c\n", "as a key has no meaning", 0),
    "an alias of a map as a key": ("a: &x {b: c}\n*x : d\n", "as a key has no meaning", 13),
    "a control character": ("a: b\nc: \x07\n", "control characters are not allowed", 8),
    "two roots": ("a: b\n'c'\n", "could not find expected", 8),
    "an unknown tag handle": ("a: !e!x b\n", "undefined tag handle", 3),
    "a directive of another version": ("%YAML 2.0\n---\na: b\n", "incompatible", 0),
}


@pytest.mark.parametrize(("marked", "style", "value", "tagged"), SPANS.values(), ids=SPANS)
@pytest.mark.parametrize("before", ["", "é: 🙂\n---\n"], ids=["at the start", "in the middle"])
def test_spans(marked, style, value, tagged, before):
    start, end = marked.index("«"), marked.index("»") - 1
    text = marked.replace("«", "").replace("»", "")
    (document,) = events.read(before + text, len(before), len(before + text))
    assert isinstance(document.tree, dict)
    leaf = document.tree["a"]
    assert document.scalar(leaf)[:5] == (len(before) + start, len(before) + end, style, value, tagged)
    assert document.value(leaf) == value


@pytest.mark.parametrize("style", "|>")
def test_span_of_a_block_scalar(style):
    text = f"a: &x {style}- # c\n  nginx\n\nb: c\n"
    scalar = one(text).scalar(0)
    assert (scalar.style, scalar.value) == (style, "nginx")
    assert text[scalar.start : scalar.end].startswith(f"{style}- # c\n  nginx\n")


@pytest.mark.parametrize(("text", "message", "position"), REFUSED.values(), ids=REFUSED)
def test_refused(text, message, position):
    with pytest.raises(TextError) as caught:
        events.read(text)
    assert message in caught.value.message
    assert abs(caught.value.position - position) <= 1


def test_the_place_of_an_error_counts_from_the_whole_text():
    text = "é🙂: b\n---\na: *x\n"
    with pytest.raises(TextError) as caught:
        events.read(text, text.index("---"), len(text))
    assert caught.value.position == text.index("*x")


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("# a\n", 0), ("---\n", 1), ("a: b\n", 1), ("a: b\n---\nc: d\n", 2), ("a: b\n...\n---\n...\n# c\n", 2)],
)
def test_documents(text, count):
    assert len(events.read(text)) == count


def test_aliases_are_the_same_leaf_or_the_same_node():
    document = one("a: &x nginx\nb: *x\nc: &y {d: *x}\ne: [*y, *y]\n*x : f\n")
    assert plain(document) == {
        "a": "nginx",
        "b": "nginx",
        "c": {"d": "nginx"},
        "e": [{"d": "nginx"}, {"d": "nginx"}],
        "nginx": "f",
    }
    tree = document.tree
    assert isinstance(tree, dict)
    assert tree["a"] == tree["b"] == 0
    assert tree["e"] == [tree["c"], tree["c"]] and tree["e"][0] is tree["c"]
    assert len(document.scalars) == 2


def test_an_anchor_on_a_key_may_be_used_as_a_value():
    document = one("&x a: b\nc: *x\n")
    assert plain(document) == {"a": "b", "c": "a"}


def test_an_anchor_may_be_given_again():
    assert plain(one("a: &x b\nc: &x d\ne: *x\n")) == {"a": "b", "c": "d", "e": "d"}


MERGES = {
    "one source": ("<<: *x\n", {"a": "1", "b": "2"}),
    "own keys win behind it": ("<<: *x\na: 9\n", {"a": "9", "b": "2"}),
    "own keys win before it": ("a: 9\n<<: *x\n", {"a": "9", "b": "2"}),
    "the first of several wins": ("<<: [*y, *x]\n", {"a": "7", "b": "2", "c": "8"}),
    "a map in place": ("<<: {a: 5}\n", {"a": "5"}),
}


@pytest.mark.parametrize(("written", "merged"), MERGES.values(), ids=MERGES)
def test_merge_keys(written, merged):
    text = "x: &x {a: 1, b: 2}\ny: &y {a: 7, c: 8}\nz:\n" + "".join(f"  {line}\n" for line in written.splitlines())
    document = one(text)
    assert plain(document)["z"] == merged
    assert document.duplicates == []
    loaded = yaml.safe_load(text)["z"]
    assert {key: str(value) for key, value in loaded.items()} == merged


def test_a_merge_key_that_holds_no_map_is_a_key():
    assert plain(one("<<: a\nb: c\n")) == {"<<": "a", "b": "c"}


def test_duplicates_are_noted_and_the_last_one_wins():
    text = "a: 1\nb: {c: 2, 'c': 3}\na: 4\na: 5\n"
    document = one(text)
    assert plain(document) == {"a": "5", "b": {"c": "3"}}
    assert document.duplicates == [
        Duplicate(text.index("'c'"), "c", 1),
        Duplicate(text.index("a: 4"), "a", 0),
        Duplicate(text.index("a: 5"), "a", 3),
    ]


def test_a_key_that_was_merged_in_is_no_duplicate():
    assert one("x: &x {a: 1}\ny: {<<: *x, a: 2}\n").duplicates == []


@pytest.mark.parametrize("levels", [200, DEPTH_LIMIT - 1])
def test_allowed_depth(levels):
    assert one("a: " + "[" * levels + "b" + "]" * levels).scalar(0).value == "b"


@pytest.mark.parametrize("levels", [DEPTH_LIMIT, 900, 5000])
@pytest.mark.parametrize("piece", ["[", "- ", "{a: "], ids=["flow", "block", "maps"])
def test_too_deep(levels, piece):
    text = "a:\n " + piece * levels
    with pytest.raises(TextError):
        events.read(text)


def test_too_deep_says_so_and_where():
    with pytest.raises(TextError) as caught:
        events.read("a:\n " + "- " * 500 + "b\n")
    assert caught.value.message == f"nested deeper than {DEPTH_LIMIT} levels"
    assert caught.value.position == 4 + 2 * (DEPTH_LIMIT - 1)


def test_aliases_may_not_make_it_deeper():
    deep = "[" * 150 + "{}" + "]" * 150
    texts = [f"a: &a {deep.format('x')}\n", f"b: &b {deep.format('*a')}\n", f"c: &c {deep.format('*b')}\n"]
    assert one("".join(texts[:2])).duplicates == []
    with pytest.raises(TextError) as caught:
        events.read("".join(texts))
    assert caught.value.message == f"with its aliases nested deeper than {DEPTH_LIMIT} levels"
    assert caught.value.position == "".join(texts).index("*b")


def test_a_bomb_of_aliases_costs_nothing_to_read():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)]
    assert len(one("".join(lines)).scalars) == 10


def test_merge_keys_that_multiply_are_refused():
    text = "a: &a {" + ", ".join(f"k{n}: v" for n in range(2000)) + "}\n"
    merges = "".join(f"m{n}: {{<<: *a}}\n" for n in range(300))
    assert one(text + merges[: merges.index("m250")]).duplicates == []
    with pytest.raises(TextError, match="merge keys bring more than 500000 values") as caught:
        events.read(text + merges)
    assert caught.value.position == len(text) + merges.index("<<", merges.index("m250"))
    again = text + merges[: merges.index("m200")]
    assert len(events.read(f"{again}---\n{again}")) == 2


def test_a_scalar_of_a_megabyte():
    text = f"a: {'b' * 1_000_000}\n"
    assert one(text).scalar(0) == Scalar(3, 1_000_003, "", "b" * 1_000_000)


@pytest.mark.skipif(not events.HAS_LIBYAML, reason="PyYAML was built without libyaml: there is nothing to compare")
@pytest.mark.parametrize(("marked", "style", "value", "tagged"), SPANS.values(), ids=SPANS)
def test_the_pure_parser_gives_the_same(marked, style, value, tagged, monkeypatch):
    text = marked.replace("«", "").replace("»", "")
    quick = events.read(text)
    monkeypatch.setattr(events, "_Parser", yaml.Loader)
    assert events.read(text) == quick


VALUE = st.recursive(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8), st.integers(), st.booleans()
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc.", max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), VALUE, min_size=1),
    st.booleans(),
    st.sampled_from(["'", '"', "|", ">", None]),
)
def test_every_span_holds_its_scalar(value, flow, style):
    """What PyYAML's writer wrote is found again: the text of each span, read alone, is the scalar's value."""
    text = yaml.safe_dump(value, default_flow_style=flow, default_style=style, allow_unicode=True, width=20)
    document = one(text)
    for scalar in document.scalars:
        if scalar.style not in ("|", ">"):
            written = text[scalar.start : scalar.end]
            assert yaml.load(f"- {written}\n", yaml.BaseLoader) == [scalar.value]
    assert plain(document) == yaml.load(text, yaml.BaseLoader)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a: {image: &x nginx}\nb: *x\nc: *x\n", 3),
        ("a: {x-b: {c: &x nginx}}\nb: *x\n", 1),
        ("x: &x nginx\nimage: *x\n", 1),
        ("x: &x nginx\nimage: *x\nlabel: *x\n", 2),
        ("image: nginx\n", 1),
    ],
)
def test_who_uses_a_scalar_is_counted(text, places):
    assert one(text).scalar(0).places == places
