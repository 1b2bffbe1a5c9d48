from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformer.registry.challenge import Challenge, choose, parse

REALM = {"realm": "https://auth.test/token"}


@pytest.mark.parametrize("value", ["", " ", ",", ",,, ,", '"', "=", "\x00", "\u00e4"])
def test_what_is_no_challenge(value):
    assert parse([value]) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["Basic"], [("basic", {})]),
        (['Basic realm="x"'], [("basic", {"realm": "x"})]),
        (['BASIC Realm="x"'], [("basic", {"realm": "x"})]),
        (["Basic realm=x"], [("basic", {"realm": "x"})]),
        (['Basic realm = "x"'], [("basic", {"realm": "x"})]),
        (
            ['Bearer realm="https://auth.test/token",service="s",scope="repository:a/b:pull,push"'],
            [("bearer", {**REALM, "service": "s", "scope": "repository:a/b:pull,push"})],
        ),
        (['Bearer realm="https://auth.test/token" , service="s"'], [("bearer", {**REALM, "service": "s"})]),
        (["Bearer realm=https://auth.test/token,service=s"], [("bearer", {**REALM, "service": "s"})]),
        (['Bearer realm="a\\"b\\\\c"'], [("bearer", {"realm": 'a"b\\c'})]),
        (['Bearer realm="a,b=c", service="s"'], [("bearer", {"realm": "a,b=c", "service": "s"})]),
        (['Bearer realm="first", realm="second"'], [("bearer", {"realm": "first"})]),
        (['Basic realm="x", Bearer realm="y"'], [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})]),
        (['Basic realm="x"', 'Bearer realm="y"'], [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})]),
        (["Negotiate", 'Basic realm="x"'], [("negotiate", {}), ("basic", {"realm": "x"})]),
        (['Negotiate, Basic realm="x"'], [("negotiate", {}), ("basic", {"realm": "x"})]),
        (['Negotiate YWJj==, Basic realm="x"'], [("negotiate", {}), ("basic", {"realm": "x"})]),
        (['NTLM abc/+-._~, Bearer realm="y"'], [("ntlm", {}), ("bearer", {"realm": "y"})]),
        ([', ,Basic realm="x",,'], [("basic", {"realm": "x"})]),
        (
            ['Digest realm="x", nonce="n", qop="auth,auth-int"'],
            [("digest", {"realm": "x", "nonce": "n", "qop": "auth,auth-int"})],
        ),
        (['Bearer realm=""'], [("bearer", {"realm": ""})]),
        (['Bearer realm="y", error="insufficient_scope"'], [("bearer", {"realm": "y", "error": "insufficient_scope"})]),
    ],
)
def test_challenges(values, expected):
    assert parse(values) == [Challenge(scheme, params) for scheme, params in expected]


def test_a_quote_that_nothing_closes_does_not_swallow_the_next_header():
    assert parse(['Basic realm="x', 'Bearer realm="y"'])[-1] == Challenge("bearer", {"realm": "y"})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        (["Negotiate", 'Digest realm="x"'], None),
        (["Bearer"], None),
        (['Bearer service="s"'], None),
        (["Basic"], "basic"),
        (['Basic realm="x"', 'Bearer realm="y"'], "bearer"),
        (['Bearer realm="y"', 'Basic realm="x"'], "bearer"),
        (['Bearer service="no realm"', 'Basic realm="x"'], "basic"),
    ],
)
def test_choice(values, expected):
    chosen = choose(parse(values))
    assert (chosen.scheme if chosen else None) == expected


@given(st.lists(st.text(max_size=200), max_size=3))
def test_never_raises_and_always_ends(values):
    for challenge in parse(values):
        assert challenge.scheme == challenge.scheme.lower()


def test_a_long_header_is_read_in_linear_time():
    assert parse(['Bearer realm="' + '\\"' * 30_000]) != []
    assert parse(["a," * 30_000])[-1].scheme == "a"
