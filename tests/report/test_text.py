"""What people read: places, findings, the summary, and the list of changes."""

from __future__ import annotations

import pytest

from transformer.errors import Finding, Place
from transformer.pipeline import Counts, Outcome
from transformer.report import text

PLACE = Place("deploy.yaml", 14, 18, "apps/v1", "Deployment", None, "web", "spec.template.spec.containers[0].image")
FOUND = Finding("not-found", "a/b:1: not found", "check the tag", "error", PLACE)


COUNTS = Counts(3, 2, 1, 1, 1, 2)


def outcome(*findings: Finding, counts: Counts = COUNTS) -> Outcome:
    return Outcome((), (), (), findings, counts, 1)


@pytest.mark.parametrize(
    "place, told",
    [
        (Place(), ""),
        (Place("a.yaml"), "a.yaml"),
        (Place("a.yaml", 3), "a.yaml:3"),
        (Place("a.yaml", 3, 4), "a.yaml:3:4"),
        (PLACE, "deploy.yaml:14:18 Deployment/web spec.template.spec.containers[0].image"),
        (Place(kind="Pod", namespace="shop", name="x"), "Pod/x (namespace shop)"),
        (Place(kind="Pod"), "Pod/?"),
        (Place(name="x"), "?/x"),
        (Place(namespace="shop"), ""),
        (Place("a\x1b[0m\n.yaml", kind="P\x07d", name="x\u202e"), "a\ufffd[0m\ufffd.yaml P\ufffdd/x\ufffd"),
        (Place(path="a" * 400), "a" * 299 + "…"),
    ],
)
def test_places(place, told):
    assert text.place(place) == told


@pytest.mark.parametrize(
    "finding, told",
    [
        (
            FOUND,
            "error[not-found] deploy.yaml:14:18 Deployment/web spec.template.spec.containers[0].image: "
            "a/b:1: not found\n  next: check the tag",
        ),
        (Finding("x", "no place"), "error[x] no place"),
        (Finding("x", "m", "h", "warning"), "warning[x] m\n  next: h"),
        (Finding("x", "a\x1b\nb"), "error[x] a\ufffd\ufffdb"),
        (Finding("x", "m" * 2000, "h" * 2000), f"error[x] {'m' * 999}…\n  next: {'h' * 999}…"),
    ],
)
def test_findings(finding, told):
    assert text.finding(finding) == told


@pytest.mark.parametrize("severity, code", [("error", "31;1"), ("warning", "33;1"), ("info", "36;1")])
def test_only_the_label_has_a_colour(severity, code):
    assert text.finding(Finding("x", "m", severity=severity), True) == f"\x1b[{code}m{severity}[x]\x1b[0m m"


@pytest.mark.parametrize(
    "counts, findings, told",
    [
        (Counts(0, 0, 0, 0, 0, 0), (), "0 images (0 distinct): 0 pinned, 0 kept, 0 refused; 0 requests, 0.3 s"),
        (Counts(1, 1, 1, 0, 0, 1), (), "1 image (1 distinct): 1 pinned, 0 kept, 0 refused; 1 request, 0.3 s"),
        (
            Counts(3, 2, 1, 1, 1, 2),
            (FOUND,),
            "3 images (2 distinct): 1 pinned, 1 kept, 1 refused, 1 error, 0 warnings; 2 requests, 0.3 s; "
            "nothing was written",
        ),
        (
            Counts(3, 2, 1, 2, 0, 2),
            (FOUND._replace(severity="warning"),) * 2,
            "3 images (2 distinct): 1 pinned, 2 kept, 0 refused, 0 errors, 2 warnings; 2 requests, 0.3 s",
        ),
    ],
)
def test_summaries(counts, findings, told):
    assert text.summary(outcome(*findings, counts=counts), 0.26) == f"pindown: {told}"


def test_the_whole():
    told = text.render(outcome(FOUND, FOUND), 1.0)
    assert told.splitlines()[:4] == text.finding(FOUND).splitlines() * 2
    assert told.splitlines()[4:] == [text.summary(outcome(FOUND, FOUND), 1.0)] and told.endswith("\n")


def test_quiet_is_silent_only_when_there_is_nothing_to_say():
    assert text.render(outcome(), 1.0, quiet=True) == ""
    assert text.render(outcome(FOUND), 1.0, quiet=True) == text.render(outcome(FOUND), 1.0)
