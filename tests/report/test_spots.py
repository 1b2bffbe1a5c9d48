"""Which image a finding is about, what is shown of its line, and which edits answer it."""

from __future__ import annotations

import pytest

from tests.doors import ELSEWHERE, pod
from tests.report.outcomes import FAILED, FINE, KEEPS, made, told
from transformer.errors import Finding, Place
from transformer.pipeline import Where
from transformer.policy.model import Policy
from transformer.report.spots import Spots, end_of, excerpt, kept
from transformer.surfaces.krm import ByAnnotation
from transformer.text.edits import apply

SECRET = "aHVudGVyMg=="


def image(text: str, rule: str = "unpinned"):
    """The one image of a text, and a finding about it."""
    outcome, where = told(text)
    site = outcome.decided[0].site
    return Finding(rule, "m", place=where(site)), site


def shown(text: str, rule: str = "unpinned") -> tuple[str, str] | None:
    """What is shown of a text's image, and which characters of it are meant."""
    piece = excerpt(*image(text, rule))
    return None if piece is None else (piece.text, piece.text[piece.start : piece.start + piece.length])


# What is not shown.


@pytest.mark.parametrize("style", ["|", ">", "|-"])
def test_of_a_block_nothing_is_shown(style):
    finding, site = image(pod(f"{style}\n      x/a:1"))
    assert (excerpt(finding, site), end_of(site)) == (None, None)


def test_of_an_image_on_two_lines_nothing_is_shown():
    finding, site = image(pod('"x/a\\\n      :1"'))
    assert (excerpt(finding, site), end_of(site)) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s"},"spec":{"containers":[{"name":"a","image":"x/a:1"}]}}',
        "{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: {containers: [{name: a, image: x/a:1}]}}",
    ],
)
def test_nothing_else_of_a_line_is_shown(text):
    line, meant = shown(text % SECRET)
    assert SECRET not in line and line.startswith("… ") and meant == "x/a:1"


def test_comments_are_not_shown():
    assert shown(pod("x/a:1", comment=f" # {SECRET}")) == ("image: x/a:1", "x/a:1")


def test_a_finding_elsewhere_has_no_image():
    outcome, where = told(*FAILED)
    spots = Spots(outcome, where)
    assert spots.site(Finding("unreadable", "m", place=Place("k8s/0.yaml", 1, 1))) is None
    assert spots.site(Finding("unreadable", "m")) is None


# What is shown.


@pytest.mark.parametrize(
    "written, rule, line, meant",
    [
        ("x/a:1", "not-found", "image: x/a:1", "x/a:1"),
        ('"x/a:1"', "denied", 'image: "x/a:1"', "x/a:1"),
        ("'x/a:1'", "denied", "image: 'x/a:1'", "x/a:1"),
        ("&here x/a:1", "denied", "image: &here x/a:1", "x/a:1"),
        (f"x/a:1@{ELSEWHERE}", "denied", f"image: x/a:1@{ELSEWHERE}", f"x/a:1@{ELSEWHERE}"),
        (f"x/a:1@{ELSEWHERE}", "not-found", f"image: x/a:1@{ELSEWHERE}", ELSEWHERE),
        (f'"x/a@{ELSEWHERE}"', "digest-mismatch", f'image: "x/a@{ELSEWHERE}"', ELSEWHERE),
        ('"a\\tb"', "invalid-reference", 'image: "a\\tb"', "a\\tb"),
        ("a\x80b".replace("\x80", "\u202e"), "invalid-reference", "image: a\ufffdb", "a\ufffdb"),
    ],
)
def test_the_image_is_shown_with_what_is_meant(written, rule, line, meant):
    assert shown(pod(written), rule) == (line, meant)


def test_a_dash_before_the_key_is_shown():
    assert shown(pod("x/a:1").replace("- name: main\n    image", "- image")) == ("- image: x/a:1", "x/a:1")


def test_a_long_image_is_cut_and_the_carets_with_it():
    line, meant = shown(pod("x/" + "a" * 4000))
    assert len(line) == 200 and line.endswith("a…") and meant == line[len("image: ") :]


def test_each_finding_of_a_run_has_its_image():
    outcome, where = told(*FAILED)
    spots = Spots(outcome, where)
    assert [spots.site(one).value for one in outcome.findings] == ["x/gone:1", "Bad", "${IMAGE}"]


# Edits.


@pytest.mark.parametrize("rule", ["denied", "mirror-missing", "templated"])
def test_no_edit_answers_what_is_not_about_the_pin(rule):
    outcome, where = told(*FINE)
    finding = Finding(rule, "m", place=where(outcome.decided[0].site))
    outcome = outcome._replace(findings=(finding,))
    assert outcome.edits[0] and Spots(outcome, where).fixes(finding) == []


def test_no_edit_where_lines_mean_nothing():
    outcome, where = told(pod("x/a:1"), policy=Policy(mode="validate"), where=ByAnnotation())
    (finding,) = outcome.findings
    assert finding.place.line == 0
    assert Spots(outcome, where).site(finding).value == "x/a:1" and Spots(outcome, where).fixes(finding) == []


def test_each_image_has_its_own_edits():
    outcome, where = told(pod("x/a:1") + "---\n" + pod("'x/b:1'"), pod("x/c:1"), policy=Policy(mode="validate"))
    spots, answers = Spots(outcome, where), {}
    for finding in outcome.findings:
        file, edits = spots.site(finding).file, spots.fixes(finding)
        (before, after) = (file.text.splitlines(), apply(file.text, edits).splitlines())
        changed = [(at, new) for at, (old, new) in enumerate(zip(before, after, strict=True), 1) if old != new]
        answers[spots.site(finding).value] = changed
        assert [line for line, _ in changed] == [finding.place.line]
    lines = {value: line.strip() for value, ((_, line),) in answers.items()}
    assert lines == {
        "x/a:1": f"image: x/a:1@{ELSEWHERE}",
        "x/b:1": f"image: 'x/b:1@{ELSEWHERE}'",
        "x/c:1": f"image: x/c:1@{ELSEWHERE}",
    }


def test_an_outcome_without_findings_costs_no_places():
    class Never(Where):
        def __call__(self, thing):
            raise AssertionError("asked where something is")

    outcome, _ = told(*FINE)
    assert Spots(outcome, Never()).site(Finding("x", "m")) is None
    assert Spots(made([]), Never()).fixes(Finding("unpinned", "m")) == []


# Keeps.


def test_only_what_somebody_keeps_is_kept():
    outcome, _ = told(*FINE, pod(f"x/b@{ELSEWHERE}", "pinned"), pod("${X}", "raw"))
    assert [one.site.value for one in kept(outcome)] == ["x/b:1", "x/frozen:1"]
    assert list(kept(told(pod("x/a:1"), policy=KEEPS)[0])) == []
