"""Totals, groups by file, and what a bounded report leaves out."""

from __future__ import annotations

import pytest

from tests.report.outcomes import many
from transformer.errors import Finding, Place
from transformer.report.tally import errors_first, groups, number, pointer, totals


def found(*severities: str, file: str = "a.yaml") -> list[Finding]:
    return [Finding("x", str(at), severity=one, place=Place(file)) for at, one in enumerate(severities)]


@pytest.mark.parametrize(
    "severities, said",
    [
        ((), ""),
        (("error",), "1 error"),
        (("warning", "warning"), "2 warnings"),
        (("warning", "error", "warning"), "1 error, 2 warnings"),
        (("info", "error"), "1 error, 1 info"),
    ],
)
def test_totals(severities, said):
    assert totals(found(*severities)) == said


@pytest.mark.parametrize("count, said", [(0, "0 errors"), (1, "1 error"), (2, "2 errors"), (12345, "12,345 errors")])
def test_numbers(count, said):
    assert number(count, "error") == said


def test_errors_come_first_and_else_nothing_moves():
    assert [one.message for one in errors_first(found("warning", "error", "info", "error"))] == ["1", "3", "0", "2"]


def test_files_with_errors_come_first_then_names_count():
    made = groups([*found("warning", file="a"), *found("error", file="c"), *found("warning", "error", file="b")], 9)
    assert [group.file for group in made] == ["b", "c", "a"]
    assert [one.severity for one in made[0].shown] == ["error", "warning"]


def test_what_is_shown_is_bounded_over_all_files_and_errors_go_before_warnings():
    made = groups([*found("warning", "warning", file="a"), *found("error", "warning", file="b")], 2)
    assert [(group.file, len(group.found), len(group.shown)) for group in made] == [("b", 2, 1), ("a", 2, 1)]
    everything = many(10_000)
    made = groups(everything, 1000)
    assert sum(len(group.shown) for group in made) == 1000 and sum(len(group.found) for group in made) == 10_000
    assert {one.severity for group in made for one in group.shown} == {"error"}


@pytest.mark.parametrize(
    "limit, said",
    [(4, ""), (3, "1 warning"), (2, "2 warnings"), (1, "1 error, 2 warnings"), (0, "2 errors, 2 warnings")],
)
def test_the_pointer_counts_what_does_not_fit(limit, said):
    assert pointer(found("warning", "error", "warning", "error"), limit) == said
