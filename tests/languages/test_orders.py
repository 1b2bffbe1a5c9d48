"""Several orders made one: what they agree on stays, contradictions end, and the answer is always the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformer.languages.orders import merge


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([], ""),
        (["", ""], ""),
        (["abc"], "abc"),
        (["aa"], "a"),
        (["aba"], "ab"),
        (["zy", "yx"], "zyx"),
        (["yx", "zy"], "zyx"),
        (["ac", "bc"], "abc"),
        (["ab", "cd"], "abcd"),
        (["zsy", "syx"], "zsyx"),
        # Contradictions: the order of first appearance.
        (["ab", "ba"], "ab"),
        (["ba", "ab"], "ba"),
        (["abc", "cba"], "abc"),
        (["xab", "ba", "by"], "xaby"),
    ],
)
def test_orders(orders, expected):
    assert "".join(merge(orders)) == expected


def test_a_name_below_a_contradiction_still_comes_after_it():
    made = merge(["abz", "ba"])
    assert made.index("z") > made.index("b")


@given(st.lists(st.lists(st.sampled_from("abcdefg"), max_size=7), max_size=5))
def test_every_name_stands_once_and_the_answer_is_the_same_again(orders):
    made = merge(orders)
    assert sorted(made) == sorted({name for order in orders for name in order})
    assert merge(orders) == made
    assert merge([made]) == made


@given(st.permutations("abcdefg"), st.lists(st.lists(st.integers(0, 6), unique=True, max_size=7), max_size=5))
def test_orders_that_agree_are_all_kept(whole, picks):
    orders = [[whole[index] for index in sorted(pick)] for pick in picks]
    made = merge(orders)
    for order in orders:
        assert all(made.index(one) < made.index(other) for one, other in pairwise(order))


def test_a_long_chain_is_no_search():
    names = [str(number) for number in range(10_000)]
    assert merge([names, list(reversed(names))]) == names
    assert merge(pairwise(reversed(names))) == list(reversed(names))
