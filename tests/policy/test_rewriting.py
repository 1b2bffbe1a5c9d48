"""Rewrites: what they leave alone, what they refuse when they are read, what they make, and that none explodes."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transformer.policy.rewriting import LENGTH_LIMIT, RULES_LIMIT, Rewriting, compile_rewriting


def rewriting(**rules: str) -> Rewriting:
    made = compile_rewriting(tuple(rules.items()))
    assert made is not None
    return made


def test_no_rules_are_no_rewrite():
    assert compile_rewriting(()) is None


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ({"^library/": "x/"}, "acme/library/app"),
        ({"^library/$": "x"}, "library/nginx"),
        ({"LIBRARY": "x"}, "library/nginx"),
        ({"^a$": "b", "^c$": "d"}, "ac"),
        ({r"\.": "-"}, "library/nginx"),
        ({r"\blib\b": "x"}, "library/nginx"),
        ({"a{3}": "b"}, "aa"),
        # What matches and makes the same of it.
        ({"^(.*)$": "$1"}, "library/nginx"),
        ({"(?P<all>.*)": "${all}"}, "library/nginx"),
    ],
)
def test_a_path_that_stays(rules, path):
    assert rewriting(**rules)(path) == path


@pytest.mark.parametrize(
    ("pattern", "replacement", "part"),
    [
        ("", "x", "an empty pattern matches everywhere; write ^"),
        ("(", "x", "( is no pattern of RE2: missing )"),
        ("a**", "x", "is no pattern of RE2: bad repetition operator"),
        ("[z-a]", "x", "is no pattern of RE2"),
        # What would take time without bound elsewhere is not in RE2 at all.
        ("(?=a)b", "x", "is no pattern of RE2: invalid perl operator"),
        (r"(a)\1", "x", "is no pattern of RE2: invalid escape sequence"),
        ("a{1001}", "x", "is no pattern of RE2: invalid repetition size"),
        ("((a{100}){100}){100}", "x", "is no pattern of RE2"),
        (r"\pL{1000}", "x", "is no pattern of RE2: pattern too large"),
        ("a" * (LENGTH_LIMIT + 1), "x", "more than 1000 characters"),
        ("a", "x" * (LENGTH_LIMIT + 1), "more than 1000 characters"),
        # Groups.
        ("a", "$1", "a has no group '1'"),
        ("(a)", "$2", "has no group '2'"),
        ("(a)", "$1x", "has no group '1x'; write ${1} where a letter or digit follows"),
        ("(a)", "${2}", "has no group '2'"),
        ("(?P<n>a)", "$m", "has no group 'm'"),
        ("(a)", "$99999999999999999999", "has no group"),
        ("(a)", "$", "a $ without a group"),
        ("(a)", "x$/y", "a $ without a group"),
        ("(a)", "$$1", "a $ without a group"),
        ("(a)", "${1", "a $ without a group"),
        ("(a)", "${}", "a $ without a group"),
        # What can stand in no path.
        ("a", "b:1", "is put into the path of an image, without a tag"),
        ("a", "b@sha256", "without a tag"),
        ("a", "B", "lower-case letters"),
        ("a", "b c", "lower-case letters"),
        ("a", "{region}/b", "variables belong into `to`"),
        ("(a)", "$1:{tag}", "variables belong into `to`"),
        ("a", "é", "lower-case letters"),
        ("a", "https://m.test/x", "without a tag"),
        ("a", r"\1", "groups such as $1"),
    ],
)
def test_what_cannot_be_used_is_refused_when_it_is_read(pattern, replacement, part):
    with pytest.raises(ValueError) as caught:
        compile_rewriting(((pattern, replacement),))
    assert part in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("pattern", "replacement"), [("(\x1b[31m", "x"), ("a", "\x1b[31m"), ("(\u202e", "x"), ("\n(", "x")]
)
def test_control_characters_reach_no_message(pattern, replacement):
    with pytest.raises(ValueError) as caught:
        compile_rewriting(((pattern, replacement),))
    assert str(caught.value).isprintable()


def test_too_many_patterns_are_refused():
    rules = tuple((f"a{n}", "x") for n in range(RULES_LIMIT + 1))
    assert compile_rewriting(rules[:-1]) is not None
    with pytest.raises(ValueError, match="101 patterns in one rewrite; at most 100"):
        compile_rewriting(rules)


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ({"^library/(.*)$": "official/$1"}, "library/nginx", "official/nginx"),
        ({"^library/": ""}, "library/nginx", "nginx"),
        ({"^": "hub/"}, "library/nginx", "hub/library/nginx"),
        ({"$": "/x"}, "library/nginx", "library/nginx/x"),
        # Unanchored, and every occurrence.
        ({"rancher/(.*)": "rancher/prod/$1"}, "rancher/rancher", "rancher/prod/rancher"),
        ({"b": "x"}, "a/b/cb", "a/x/cx"),
        ({"/": "-"}, "a/b/c", "a-b-c"),
        ({"(^|/)a": "${1}b"}, "a/a/aa", "b/b/ba"),
        # An empty match does not count right behind another one, as in Go.
        ({".*": "x/$0"}, "abc", "x/abc"),
        ({"b*": "-"}, "abc", "-a-c-"),
        ({"x*": "-"}, "abc", "-a-b-c-"),
        ({"a|": "z"}, "aba", "zbz"),
        # Groups by number and by name; one that took no part is nothing.
        ({"(a)(b)?": "$2$1"}, "a", "a"),
        ({"(?P<org>[^/]+)/(?P<app>.+)": "${app}/$org"}, "acme/app", "app/acme"),
        ({"(.)": "${1}0"}, "ab", "a0b0"),
        ({"a": "$0$0"}, "ba", "baa"),
        ({"^(.*)$": ""}, "abc", ""),
        # The first that matches, in the order in which they stand, and only it.
        ({"^a/": "1/", "^a/b/": "2/"}, "a/b/c", "1/b/c"),
        ({"^z/": "1/", "^a/b/": "2/"}, "a/b/c", "2/c"),
        ({"^a/": "b/", "^b/": "c/"}, "a/x", "b/x"),
        ({"^(a)$": "$1", "a": "b"}, "a", "a"),
    ],
)
def test_what_becomes_of_a_path(rules, path, expected):
    assert rewriting(**rules)(path) == expected


#: Patterns at which a backtracking engine does not come back.
EXPLOSIVE = [
    "(a*)*b",
    "(a+)+$",
    "(a|aa)+$",
    "(a|a?)+b",
    "((a*)*)*b",
    "(.*)*x",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(x+x+)+y",
]


@pytest.mark.parametrize("pattern", EXPLOSIVE)
@pytest.mark.parametrize("path", ["a" * 10_000 + "!", "x" * 10_000])
def test_nested_quantifiers_come_back(pattern, path):
    made = rewriting(**{pattern: "z"})(path)
    assert set(made) <= {"a", "x", "z", "!"}


def test_what_comes_out_is_bounded():
    assert len(rewriting(**{"a": "$0" * 500})("a" * 255)) <= 1024


def test_a_large_dfa_is_given_up_and_not_grown():
    """Exponentially many states: RE2 falls back to a slower engine within its memory."""
    made = rewriting(**{"(a|b)*a(a|b){12}c": "z"})
    assert made("ab" * 5000) == "ab" * 5000


PATTERNS = st.sampled_from(["a", "^a", "a$", "a*", "b+", "(a)(b)?", ".", "", "a|b", "^", "$", "(?:ab)+", "[^/]*", "/"])
REPLACEMENTS = st.sampled_from(["", "x", "$0", "x$0/y", "/", "$0$0"])


@settings(max_examples=400, deadline=None)
@given(PATTERNS.filter(bool), REPLACEMENTS, st.text("ab/", max_size=8))
@example("a*", "x", "baac")
def test_it_is_gos_replacement_of_all(pattern, replacement, path):
    """As `re.sub`, but for empty matches that abut another one: Python replaces those, Go does not."""
    expected, last = [], -1
    done = 0
    for match in re.finditer(pattern.replace("$", r"\Z"), path):
        if match.start() == match.end() == last:
            continue
        expected += [path[done : match.start()], replacement.replace("$0", match.group())]
        done = last = match.end()
    assert rewriting(**{pattern: replacement})(path) == "".join(expected) + path[done:]
