"""What people read: findings by file with the image under them, keeps, the summary; bounded, and harmless."""

from __future__ import annotations

import re

import pytest

from tests.report.outcomes import FAILED, FINE, HOSTILE, hostile, made, many, told
from transformer.errors import Finding, Place
from transformer.pipeline import Where
from transformer.report import grouped, text


def test_a_failed_run(snapshot):
    assert grouped.render(*told(*FAILED), 1.25) == snapshot


def test_a_run_in_which_all_went_well(snapshot):
    assert grouped.render(*told(*FINE), 1.25) == snapshot


def test_in_colour_only_the_labels_change():
    plain, coloured = (grouped.render(*told(*FAILED), 1.25, color) for color in (False, True))
    assert plain != coloured and re.sub("\x1b\\[[0-9;]*m", "", coloured) == plain


def test_quiet_is_silent_only_when_there_is_nothing_to_say():
    assert grouped.render(*told(*FINE), 1.0, quiet=True) == ""
    assert grouped.render(*told(*FAILED), 1.0, quiet=True) == grouped.render(*told(*FAILED), 1.0)


def test_one_file_has_no_heading():
    outcome, where = told(FAILED[0])
    first, *_ = grouped.render(outcome, where, 1.0).splitlines()
    assert first == text.finding(outcome.findings[0]).splitlines()[0]


def test_every_finding_says_where_it_is_by_itself():
    """Panels cut and filter: a line under a heading must not need it."""
    lines = grouped.render(*told(*FAILED), 1.0).splitlines()
    found = [line for line in lines if re.match(r"(error|warning)\[", line)]
    assert len(found) == 3 and all(re.search(r"\] k8s/\d\.yaml:\d+:\d+ Pod/", line) for line in found)


def test_carets_stand_under_the_image():
    lines = grouped.render(*told(*FAILED), 1.0).splitlines()
    pairs = [(lines[at - 1], line) for at, line in enumerate(lines) if "^" in line]
    assert [source[carets.index("^") : carets.rindex("^") + 1] for source, carets in pairs] == [
        "x/gone:1",
        "Bad",
        "${IMAGE}",
    ]


def test_what_has_no_file_has_a_heading_too():
    outcome = made([Finding("a", "m"), Finding("b", "m", place=Place("x.yaml"))])
    lines = grouped.render(outcome, Where(), 1.0).splitlines()
    assert lines[:2] == ["without a file: 1 error", "error[a] m"] and lines[2] == "x.yaml: 1 error"


def test_ten_thousand_findings_are_bounded_and_counted():
    lines = grouped.render(made(many(10_000)), Where(), 1.0).splitlines()
    assert len([line for line in lines if line.startswith("error[")]) == grouped.LIMIT
    assert lines[-2] == "… and 9,000 warnings more; --format json tells all of them"
    assert "1000 errors, 9000 warnings" in lines[-1]
    headings = [line for line in lines if re.fullmatch(r"k8s/\d\.yaml: .*", line)]
    counts = [int(one.replace(",", "")) for line in headings for one in re.findall(r"([\d,]+) (?:error|warning)", line)]
    assert len(headings) == 7 and sum(counts) == 10_000


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_are_no_control_and_no_command(words):
    for line in grouped.render(hostile(words), Where(), 1.0).split("\n"):
        assert line.isprintable() and len(line) < 8000
        assert not line.lstrip().startswith("::") and not re.search(r"##(vso)?\[", line)
        assert re.match(r"(error|warning)\[not-found\] |  next: |pindown: |$", line)
