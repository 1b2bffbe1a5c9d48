"""Outlines: the quick reader may decline, but where it answers, libyaml's events must give the very same answer.

`EXAMPLES=20000 pytest tests/text/test_outline.py` hunts longer.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from transformer.text import events
from transformer.text.outline import Lines, Outlines, is_usual
from transformer.text.tree import DEPTH_LIMIT, Scalar, TextError

EXAMPLES = int(os.environ.get("EXAMPLES", "300"))

#: Not plain, so never answered, whether or not it is YAML.
DECLINED = {
    "nothing": "",
    "comments alone": "# a\n\n# b\n",
    "a single scalar": "a\n",
    "no newline at the end": "a: b",
    "no newline after a block": "a: |\n  b",
    "an anchor": "a: &x b\n",
    "an alias": "a: *x\n",
    "a tag": "a: !!str b\n",
    "a merge key": "<<: {}\n",
    "a flow map": "a: {b: c}\n",
    "a flow list": "a: [b]\n",
    "an empty list that is not quite": "a: [ ]\n",
    "a list behind an empty one": "a: [] b\n",
    "an escape": 'a: "b\\n"\n',
    "a doubled quote": "a: 'it''s'\n",
    "a quoted key": '"a": b\n',
    "a comment behind a key": "a: # b\n",
    "blanks behind a key": "a: \n",
    "a tab": "a:\tb\n",
    "a tab as indentation": "a:\n\tb: c\n",
    "a scalar of two lines": "a: b\n  c\n",
    "quotes over two lines": "a: 'b\n  c'\n",
    "quotes that do not end": "a: 'b\n",
    "text behind quotes": "a: 'b' c\n",
    "a key twice": "a: b\na: c\n",
    "a map in a line": "a: b: c\n",
    "a colon at the end": "a: b:\n",
    "a question mark": "? a\n: b\n",
    "a directive": "%YAML 1.2\n---\na: b\n",
    "an at sign": "a: @b\n",
    "a backtick": "a: `b`\n",
    "a percent sign": "a: %b\n",
    "a dash alone": "-\n",
    "a dash as a value": "a: -\n",
    "a list in a line": "a: - b\n",
    "a key without a blank": "a:b\n",
    "a document behind": "a: b\n---\nc: d\n",
    "an end mark": "a: b\n...\n",
    "a marker with a comment": "--- # a\nb: c\n",
    "a marker with a value": "--- a\n",
    "a comment before the marker": "# a\n---\nb: c\n",
    "an indicator of indentation": "a: |2\n   b\n",
    "a comment at a block": "a: | # b\n  c\n",
    "an empty block": "a: |\nb: c\n",
    "a block that begins with an empty line": "a: |\n\n  b\n",
    "a block that is not indented": "a:\n  b: |\n  c\n",
    "a block in a list at its dash": "- a\n-  |\nb\n",
    "less indentation than any": "  a: b\n c: d\n",
    "more indentation than the brother": "a: b\n  c: d\n",
    "a list beside a map": "a: b\n- c\n",
    "a map beside a list": "- a\nb: c\n",
    "an indentation between": "a:\n    b: c\n  d: e\n",
    "a list item between": "- a: b\n - c\n",
    "a no-break space": "a: \xa0b\n",
    "a long key": f"{'a' * 300}: b\n",
    "deep nesting": f"a:\n  {'- ' * DEPTH_LIMIT}b\n",
    "deep nesting over lines": "".join(f"{' ' * depth}a:\n" for depth in range(DEPTH_LIMIT))
    + " " * DEPTH_LIMIT
    + "a: b\n",
}

#: Plain enough: must be answered, or the benchmark is lost.
ANSWERED = {
    "a map": "a: b\n",
    "a marker": "---\na: b\n",
    "a marker with blanks": "---  \na: b\n",
    "indented all over": "  a: b\n  c: d\n",
    "no value": "a:\nb: c\n",
    "no value at the end": "a: b\nc:\n",
    "nested": "a:\n  b:\n    c: d\n  e: f\n",
    "a list at its key's column": "a:\n- b\n- c\nd: e\n",
    "an indented list": "a:\n  - b\n  - c\nd: e\n",
    "maps in a list": "a:\n- b: c\n  d: e\n- b: f\n",
    "wide dashes": "a:\n-   b: c\n    d: e\n",
    "a list in a list": "- - a\n  - b\n- - c\n",
    "a map in a list in a list": "- - a: b\n    c: d\n  - e\n",
    "a key without a value in a list": "- a:\n- b:\n  - c\n  d: e\n",
    "single quotes": "a: 'b: c # d'\n",
    "double quotes": 'a: "b: {c}"\n',
    "empty quotes": "a: ''\nb: \"\"\n",
    "empty collections": "a: []\nb: {}  \nc:\n- []\n- {}\n- d: {}\n  e: f\n",
    "comments": "# a\nb: c # d\n\n   # e\nf: g #\n",
    "blanks at the end of a line": "a: b  \nc: d\n",
    "an empty line with blanks": "a: b\n    \nc: d\n",
    "a literal": "a: |\n  b\n   c\n\n  # d\ne: f\n",
    "a folded block that keeps": "a: >+\n  b\n\n\nc: d\n",
    "a literal that strips": "a: |-\n  b\nc: d\n",
    "a block in a list": "- |\n  a\n- b: |\n    c\n  d: e\n",
    "a block under a list at its key's column": "a:\n  b:\n  - |\n   c\n  d: e\n",
    "a block that looks like keys": "a: |\n  b: c\n  - d\n  ---\ne: f\n",
    "a block with a comment outside": "a:\n  b: |\n    c\n  # d\n  e: f\n",
    "a block with a lesser comment": "a:\n  b: |\n    c\n # d\n  e: f\n",
    "colons": "a: b:c\nd: e::f:g\n",
    "a hash inside": "a: b#c\n",
    "dashes inside": "a: b - c\nd: -e\nf: --- g\n",
    "indicators inside": "a: b, c]} & * ! | > ' \" % @ ` = ~ <<\n",
    "typed words": "a: true\nb: 1.25\nc: ~\nd: null\n",
    "numbers as keys": "1: a\n1.5: b\n_: c\n.: d\n/x/y: e\n",
    "dots": "...: a\n",
    "unicode": "a: é漢字🙂 b\nc: 'ü'\n",
}


def read(text: str) -> Lines | None:
    return Outlines().read(text, 0, len(text)) if is_usual(text) else None


def assert_same(lines: Lines, ours, plain: events.Plain, theirs) -> None:
    """The same tree with the same keys in the same order, and the same scalars; a block scalar's value is not known."""
    if isinstance(ours, int):
        assert isinstance(theirs, int)
        scalar = plain.scalar(theirs)
        if ours in lines.outline.blocks:
            assert scalar.style in ("|", ">")
        else:
            assert lines.scalar(ours) == scalar
            assert lines.value(ours) == scalar.value
    elif isinstance(ours, dict):
        assert isinstance(theirs, dict) and list(ours) == list(theirs)
        for key in ours:
            assert_same(lines, ours[key], plain, theirs[key])
    else:
        assert isinstance(theirs, list) and len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(lines, one, plain, other)


def kinds(lines: Lines, tree) -> list[int]:
    """The leaves that an outline must list: those under `kind` and `apiVersion` that are not written as null."""
    if isinstance(tree, list):
        return [leaf for child in tree for leaf in kinds(lines, child)]
    found = []
    for key, child in tree.items() if isinstance(tree, dict) else ():
        if not isinstance(child, int):
            found += kinds(lines, child)
        elif key in ("kind", "apiVersion") and (lines.raw[child] or child in lines.outline.blocks):
            found.append(child)
    return found


def hold_to_events(text: str, start: int = 0, end: int | None = None) -> bool:
    """Checks one text; answers whether the outline answered."""
    end = len(text) if end is None else end
    if not is_usual(text):
        return False
    lines = Outlines().read(text, start, end)
    if lines is None:
        return False
    documents = events.read(text, start, end)  # raises when it is no YAML: then the outline should have declined
    assert len(documents) == 1
    assert_same(lines, lines.tree, documents[0], documents[0].tree)
    assert list(documents[0].duplicates) == list(lines.duplicates) == []
    assert sorted(lines.outline.kinds) == sorted(kinds(lines, lines.tree))
    return True


@pytest.mark.parametrize("text", DECLINED.values(), ids=DECLINED)
def test_declined(text):
    assert read(text) is None


@pytest.mark.parametrize("text", ANSWERED.values(), ids=ANSWERED)
def test_answered_as_events_do(text):
    assert hold_to_events(text)


@pytest.mark.parametrize("text", ANSWERED.values(), ids=ANSWERED)
def test_answered_in_the_middle_of_a_text(text):
    before, after = "x: 'y\n---\n", "---\n- 'z\n"
    assert hold_to_events(before + text + after, len(before), len(before) + len(text))


@pytest.mark.parametrize("char", ["\r", "\x85", "\u2028", "\u2029", "\x07", "\x7f", "\ufeff", "\ufffe"])
def test_unusual_characters(char):
    assert not is_usual(f"a: 'b{char}'\n")


@pytest.mark.parametrize("char", ["\t", "\n", "~", "\xa0", "é", "\u2027", "漢", "\ue000", "\ufffd", "🙂"])
def test_usual_characters(char):
    assert is_usual(f"a: 'b{char}'\n")


def test_what_lines_say():
    text = "---\nkind: \"Pod\"\nspec:\n- image: 'nginx' # c\n  empty:\n  none: []\n"
    lines = read(text)
    assert lines is not None
    assert lines.tree == {"kind": 0, "spec": [{"image": 2, "empty": 3, "none": []}]}
    assert lines.raw[:5] == ['"Pod"', "", "'nginx'", "", ""]
    assert lines.outline.kinds == (0,)
    assert lines.outline.blocks == frozenset()
    assert lines.scalar(0) == Scalar(10, 15, '"', "Pod")
    assert lines.scalar(2) == Scalar(31, 38, "'", "nginx")
    assert lines.scalar(3) == Scalar(text.index("empty:") + 6, text.index("empty:") + 6, "", "")
    assert [lines.value(leaf) for leaf in (0, 2, 3)] == ["Pod", "nginx", ""]


def test_block_scalars_are_named():
    lines = read("kind: |\n  Pod\na:\n- >-\n  b\n")
    assert lines is not None
    assert lines.outline.blocks == {0, 2}
    assert lines.outline.kinds == (0,)


def test_documents_of_one_shape_share_an_outline():
    text = "a: b\nc:\n- d: 1\n---\na: 'x'  # y\nc:\n- d: \"2\"\n---\na: b\nc:\n- d: {}\n"
    outlines = Outlines()
    first, second = text.index("---\n"), text.rindex("---\n")
    one, two, three = (outlines.read(text, *span) for span in ((0, first), (first, second), (second, len(text))))
    assert one is not None and two is not None and three is not None
    assert one.outline is two.outline
    assert one.outline is not three.outline
    assert [two.value(0), two.value(2)] == ["x", "2"]


def test_a_refusal_is_remembered_too():
    outlines = Outlines()
    assert outlines.read("a: b\na: c\n", 0, 10) is None
    assert outlines.read("a: d\na: e\n", 0, 10) is None


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("transformer.text.outline._MEMORY", 3)
    outlines = Outlines()
    for number in range(10):
        text = f"a{number}: b\n"
        lines = outlines.read(text, 0, len(text))
        assert lines is not None and lines.tree == {f"a{number}": 0}
        assert len(outlines._known) <= 3


@pytest.mark.parametrize("levels", [200, DEPTH_LIMIT - 1])
def test_allowed_depth(levels):
    assert hold_to_events(f"a:\n  {'- ' * (levels - 1)}b\n")
    assert hold_to_events("".join(f"{' ' * depth}a:\n" for depth in range(levels)) + " " * levels + "a: b\n")


# The differential property. A document is drawn as steps of a walk, rendered as plain block YAML, then damaged.

VALUES = [
    *(
        "a",
        "nginx:1.25",
        "'x'",
        '"y"',
        "''",
        "[]",
        "{}",
        "1.25",
        "~",
        "null",
        "true",
        "-a",
        "a b",
        "a - b",
        "a #b",
        "é",
        "漢 字",
    ),
    *(
        "a:b",
        "a: b: c",
        "- a",
        "- - a",
        "? x",
        "*a",
        "&a b",
        "!t b",
        "<<",
        "{a: b}",
        "[a]",
        "'a''b'",
        '"a\\"b"',
        "'a",
        '"',
        "-",
    ),
    *(
        "|-",
        "%x",
        "@x",
        "`x`",
        "a:",
        ":a",
        "#a",
        "a  # b",
        "a #",
        "a   ",
        "\ta",
        "a\tb",
        "---",
        "...",
        "a, b",
        "]",
        "|",
        "=",
        ",",
    ),
    *(
        "'a' b",
        "'a': b",
        "- key:value",
        "key:value",
        "--- a",
        "\xa0",
        "a\xa0b",
        ">",
        "''  # c",
        "[]x",
        "{} # c",
        "? ",
        "!",
        "&a",
        "",
    ),
]
KEYS = [
    "a",
    "image",
    "kind",
    "apiVersion",
    "k.e/y",
    "x-y",
    "1",
    "_",
    "'q'",
    '"k"',
    "? x",
    "a b",
    "<<",
    "é",
    ".",
    "-",
    "---",
    "a:",
]
BLOCKS = ["  text", "    more", "  - x: y", "", "   ", "  # c", "  ---", " less", "\ttab", "  a\tb"]
STEP = st.tuples(
    st.sampled_from(["leaf", "leaf", "leaf", "map", "list", "flat", "item-map", "block", "up", "up", "noise"]),
    st.one_of(st.sampled_from(KEYS[:8]), st.sampled_from(KEYS)),
    st.one_of(st.sampled_from(VALUES[:17]), st.sampled_from(VALUES)),
    st.integers(0, 7),
)
SNIPPETS = [
    *(
        "\n",
        " ",
        "  ",
        "- ",
        ":",
        ": ",
        "#",
        " #",
        "'",
        '"',
        "\t",
        "---\n",
        "...\n",
        "%x\n",
        "a",
        "a:\n",
        "|",
        ">\n",
        "\n\n",
        "-",
    ),
    *(
        "&a ",
        "*a",
        "{",
        "}",
        "[",
        "]",
        "? ",
        "\\",
        "é",
        "\xa0",
        "\r",
        "    ",
        "\n---\n",
        "\n  \n",
        "- - ",
        "a: b\n",
        "!",
        ",",
        "\u2028",
    ),
]
DAMAGE = st.tuples(
    st.sampled_from(["insert", "delete", "replace", "dedent", "repeat"]),
    st.integers(0, 10_000),
    st.sampled_from(SNIPPETS),
)


def render(steps) -> str:
    """Steps as lines. `flat` is a list at the column of its key; `up` closes what is open."""
    lines, stack = [], [(0, "map")]
    for number, (action, key, value, extra) in enumerate(steps):
        column, sort = stack[-1]
        name = key if extra == 7 else f"{key}{number}" if key not in ("kind", "apiVersion") else key
        start = " " * column + ("- " if sort == "list" else f"{name}:")
        blank = "" if sort == "list" else " "
        if action == "up":
            stack = stack[:-1] or stack
        elif action == "noise":
            lines.append(" " * extra + ("# c" if extra % 2 else ""))
        elif action == "leaf":
            lines.append(start + blank + value)
        elif action == "block":
            lines.append(start + blank + ("|", ">", "|-", ">+", "|+", ">-", "|1", "| # c")[extra])
            lines += [" " * column + text for text in (BLOCKS[0], *BLOCKS[extra : extra + extra % 4])]
        elif action == "item-map" or sort == "list":
            wide = " " * (extra % 2)
            opening = "" if sort == "list" else f"{name}:\n{' ' * column}"
            lines.append(f"{start if sort == 'list' else opening + '- '}{wide}{key}: {value}")
            stack += (
                [(column + 2 + len(wide), "map")]
                if sort == "list"
                else [(column, "list"), (column + 2 + len(wide), "map")]
            )
        else:
            lines.append(start)
            deeper = column if action == "flat" else column + 1 + extra % 3
            stack.append((deeper, "map" if action == "map" else "list"))
    return "".join(line + "\n" for line in lines)


def damaged(text: str, damages) -> str:
    for how, position, snippet in damages:
        at = position % (len(text) + 1)
        start = text.rfind("\n", 0, at) + 1
        end = text.find("\n", at) + 1 or len(text)
        if how == "insert":
            text = text[:at] + snippet + text[at:]
        elif how == "delete":
            text = text[:at] + text[at + 1 + len(snippet) % 3 :]
        elif how == "replace":
            text = text[:at] + snippet + text[at + 1 :]
        elif how == "dedent":
            text = text[:start] + text[start:].removeprefix(" ")
        else:
            text = text[:end] + text[start:end] + text[end:]
    return text


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEP, min_size=1, max_size=14).map(render), st.lists(DAMAGE, max_size=3))
@example("kind: |-\n  a\nb: c\n", [])
@example("a: {}\nb: []\n", [])
def test_an_answer_is_the_answer_of_events(text, damages):
    hold_to_events(damaged(text, damages))


def test_the_generator_is_not_all_noise():
    """The property says nothing if every document is declined, or none."""
    answers = []

    @settings(max_examples=200, database=None, deadline=None, derandomize=True)
    @given(st.lists(STEP, min_size=1, max_size=14).map(render), st.lists(DAMAGE, max_size=3))
    def count(text, damages):
        answers.append(hold_to_events(damaged(text, damages)))

    count()
    assert 0.05 < sum(answers) / len(answers) < 0.95


@pytest.mark.parametrize("wrong", ["a: b\n  c\n", "a: 'b\n", "a: {\n", "a: b: c\n"])
def test_the_comparison_can_fail(wrong):
    lines = read("a: b\n")
    assert lines is not None
    with pytest.raises((AssertionError, TextError)):
        assert_same(lines, lines.tree, events.read(wrong)[0], events.read(wrong)[0].tree)
