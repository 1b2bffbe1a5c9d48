"""Policy text to data: both parsers must say the same, and everything hostile is refused with its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transformer.errors import PolicyError
from transformer.policy.reading import DEPTH_LIMIT, plain, read
from transformer.policy.words import SIZE_LIMIT

#: One text, one meaning (YAML 1.2, core schema), whichever parser reads it.
MEANINGS = [
    ("a: yes", {"a": "yes"}),
    ("a: no", {"a": "no"}),
    ("a: on", {"a": "on"}),
    ("a: off", {"a": "off"}),
    ("a: y", {"a": "y"}),
    ("a: true", {"a": True}),
    ("a: True", {"a": True}),
    ("a: tRue", {"a": "tRue"}),
    ("a: FALSE", {"a": False}),
    ("a: 'true'", {"a": "true"}),
    ('a: "true"', {"a": "true"}),
    ("a: !!str true", {"a": "true"}),
    ("a: ! true", {"a": "true"}),
    ("a: 010", {"a": 10}),
    ("a: 0o10", {"a": 8}),
    ("a: 0x1F", {"a": 31}),
    ("a: 0b11", {"a": "0b11"}),
    ("a: 1_000", {"a": "1_000"}),
    ("a: 12:30:45", {"a": "12:30:45"}),
    ("a: -7", {"a": -7}),
    ("a: +7", {"a": 7}),
    ("a: 1.5", {"a": 1.5}),
    ("a: .5", {"a": 0.5}),
    ("a: 1.", {"a": 1.0}),
    ("a: 1e3", {"a": 1000.0}),
    ("a: .inf", {"a": ".inf"}),
    ("a: .nan", {"a": ".nan"}),
    ("a: 2026-11-25", {"a": "2026-11-25"}),
    ("a: ~", {"a": None}),
    ("a:", {"a": None}),
    ("a: null", {"a": None}),
    ("a: 'null'", {"a": "null"}),
    ("yes: 1", {"yes": 1}),
    ("1: x", {"1": "x"}),
    ("true: x", {"true": "x"}),
    ("<<: x", {"<<": "x"}),
    ("a: =", {"a": "="}),
    ("a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
    ("a: &x yes\nb: *x", {"a": "yes", "b": "yes"}),
    ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
    ("a: >-\n  one\n  two\n", {"a": "one two"}),
    ("a: {b: [c, {d: e}]}", {"a": {"b": ["c", {"d": "e"}]}}),
    ("a: 1 # comment\r\nb: 2\r\n", {"a": 1, "b": 2}),
    ("---\na: 1\n...\n", {"a": 1}),
    ("%YAML 1.1\n---\na: yes\n", {"a": "yes"}),
    ("%YAML 1.2\n---\na: 010\n", {"a": 10}),
    ("\ufeffa: 1", {"a": 1}),
    ('{"a": "b", "c": [1, 2.5, true, null]}', {"a": "b", "c": [1, 2.5, True, None]}),
    ('{\n\t"a": "b"\n}', {"a": "b"}),
    ('{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    ("", None),
    ("# nothing\n", None),
    ("null", None),
    ("[]", []),
]


@pytest.mark.parametrize("quick", [False, True], ids=["strict", "quick"])
@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_one_text_one_meaning(text, meaning, quick):
    data = read(text, "p.yaml", quick=quick).data
    assert data == meaning
    assert repr(data) == repr(meaning)  # True is not 1, and 1.0 is not 1


@settings(max_examples=150, deadline=None)
@given(st.text("0123456789+-._eExoabfinulTRy~:", max_size=8))
def test_both_parsers_agree_on_any_plain_scalar(text):
    outcomes = []
    for quick in (False, True):
        try:
            outcomes.append(repr(read(f"a: {text}", "p.yaml", quick=quick).data))
        except PolicyError:
            outcomes.append("refused")
    assert outcomes[0] == outcomes[1]


#: (text, line, column, part of the message)
REFUSED = [
    ("a: 1\na: 2\n", 2, 1, "'a' stands twice (first in line 1)"),
    ("x:\n  a: 1\n  b: 2\n  a: 3\n", 4, 3, "'a' stands twice (first in line 2)"),
    ("a: {b: 1, b: 2}", 1, 11, "'b' stands twice"),
    ("a: 1\n---\nb: 2\n", 2, 1, "a second document"),
    ("? [a, b]\n: 1\n", 1, 3, "a key must be a word"),
    ("? {a: b}\n: 1\n", 1, 3, "a key must be a word"),
    ("a: !!python/object:os.system x", 1, 4, "has no meaning in a policy"),
    ("a: !include x", 1, 4, "has no meaning in a policy"),
    ("a: !!binary eA==", 1, 4, "has no meaning in a policy"),
    ("a: !!set {x}", 1, 4, "has no meaning in a policy"),
    ("[" * (DEPTH_LIMIT + 2) + "]" * (DEPTH_LIMIT + 2), 1, DEPTH_LIMIT + 2, "levels deep"),
]


@pytest.mark.parametrize("quick", [False, True], ids=["strict", "quick"])
@pytest.mark.parametrize(("text", "line", "column", "part"), REFUSED)
def test_refused_at_its_place(text, line, column, part, quick):
    with pytest.raises(PolicyError) as caught:
        read(text, "p.yaml", quick=quick)
    assert part in str(caught.value)
    assert (caught.value.file, caught.value.line, caught.value.column) == ("p.yaml", line, column)


@pytest.mark.parametrize("quick", [False, True], ids=["strict", "quick"])
@pytest.mark.parametrize(
    "text",
    [
        "a: [1, 2",
        "a: 'open",
        "a: b: c",
        "a:\n\t- b",
        "a: @b",
        "a: *nowhere",
        "\x00",
        "a: \x07",
        "{a: 1",
        '{"a": }}',
        "{",
        "- a\nb: c",
        "a: \ud800",
        "[" * 5000,
    ],
)
def test_not_yaml_is_one_clear_sentence(text, quick):
    with pytest.raises(PolicyError) as caught:
        read(text, "p.yaml", quick=quick)
    message = str(caught.value)
    assert message.startswith("p.yaml:")
    assert message.replace("\N{REPLACEMENT CHARACTER}", "").isprintable()


@pytest.mark.parametrize("quick", [False, True], ids=["strict", "quick"])
def test_an_alias_bomb_is_refused_before_it_grows(quick):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(PolicyError, match="once its aliases are followed"):
        read("\n".join(lines), "p.yaml", quick=quick)


def test_a_policy_larger_than_a_mebibyte_is_refused_unread():
    with pytest.raises(PolicyError, match="the limit is 1048576"):
        read("a: " + "x" * SIZE_LIMIT, "p.yaml")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"a": 1,\n\t"a": "\\ud83d\\ude00"}', "stands twice"),
        ('{"a": NaN,\t"b": "\\ud83d\\ude00"}', "no value of JSON"),
        ('{"a": "\\ud83d\\ude00",}', "not JSON"),
        ('{"b": "\\ud83d\\ude00", "a": ' + "[" * 100_000, "nested too deep"),
    ],
)
def test_json_that_no_yaml_reader_takes_is_judged_as_json(text, part):
    with pytest.raises(PolicyError, match=part):
        read(text, "p.json", quick=True)


def test_places_of_values_and_keys():
    tree = read("spec:\n  pin: {style: digest}\n  images:\n  - match: x\n", "p.yaml")
    assert tree.locate(("spec", "pin", "style")) == (2, 16)
    assert tree.locate(("spec", "pin", "style"), key=True) == (2, 9)
    assert tree.locate(("spec", "images", 0, "match")) == (4, 12)
    assert tree.locate(("spec", "images", 0)) == (4, 5)
    assert tree.locate(("spec", "images", 7, "match")) == (4, 3)  # the nearest that there is
    assert tree.locate(("nowhere",)) == (0, 0)
    assert tree.say(("spec", "images", 0, "match")) == "spec.images[0].match"


@pytest.mark.parametrize("text", ["9" * 5000, "0x" + "f" * 5000, "1e" + "9" * 5000, "-" * 5000])
def test_a_huge_number_stays_text(text):
    assert plain(text) == text
