"""What people read: places, findings, the summary, and the list of changes."""

from __future__ import annotations

import pytest

from tests.doors import ELSEWHERE, pod
from transformer.errors import Finding, Place
from transformer.kube.identity import Resource
from transformer.pipeline import Counts, Outcome, Run
from transformer.policy.injection import Injection
from transformer.policy.model import ImageRule, Policy
from transformer.report import text
from transformer.text.source import File

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


# Keeps.

FROZEN = Policy(images=(ImageRule("images[0]", "docker.io/x/a", "keep", "frozen"),))
NOTED = "  annotations: {pindown.dev/keep: the mesh rewrites it}\n"
AT = "spec.containers[0].image"


def finished(sent: str, policy: Policy = FROZEN) -> Outcome:
    """What becomes of a text in which nobody has to be asked."""
    work, file = Run(policy), File("a.yaml", sent)
    work.survey.file(file)
    return work.finish((file,), None)


@pytest.mark.parametrize(
    "sent, told",
    [
        ("", []),
        (pod("auto"), []),
        (pod(f"x/b@{ELSEWHERE}"), []),
        (pod("x/a:1"), [f"kept Pod/web {AT}: x/a:1 (images[0]: frozen)"]),
        (pod(f"x/a@{ELSEWHERE}"), [f"kept Pod/web {AT}: x/a@{ELSEWHERE} (images[0]: frozen)"]),
        (
            pod("x/b:1", extra="  namespace: shop\n" + NOTED),
            [f"kept Pod/web (namespace shop) {AT}: x/b:1 (annotation pindown.dev/keep: the mesh rewrites it)"],
        ),
        (
            pod("x/a:1") + "---\n" + pod("x/a:1", "two"),
            [f"kept Pod/{name} {AT}: x/a:1 (images[0]: frozen)" for name in ("web", "two")],
        ),
        (
            pod("x/b:1", extra=NOTED.replace("the mesh", f'"\\e[31m\\n::error::{"x" * 400}').replace(" it}", '"}')),
            [f"kept Pod/web {AT}: x/b:1 (annotation pindown.dev/keep: \ufffd[31m\ufffd::error::{'x' * 284}…)"],
        ),
    ],
)
def test_every_keep_is_told_with_its_reason_before_the_summary(sent, told):
    outcome = finished(sent)
    assert text.render(outcome, 1.0).splitlines() == [*told, text.summary(outcome, 1.0)]
    assert text.render(outcome, 1.0, quiet=True) == ""


def test_keeps_stand_between_the_findings_and_the_summary():
    outcome = finished(pod("x/a:1") + "---\n" + pod("Bad", "two"))
    for quiet in (False, True):  # once something is wrong, everything is told
        found, following, kept, summary = text.render(outcome, 1.0, quiet=quiet).splitlines()
        assert (found[:26], following[:8], kept[:13]) == ("error[invalid-reference] a", "  next: ", "kept Pod/web ")
        assert summary == text.summary(outcome, 1.0)


def test_a_denied_image_is_not_told_as_kept():
    deny = Policy(images=(ImageRule("images[0]", "docker.io/x/**", "deny", "unsafe"),))
    assert list(text.kept(finished(pod("x/b:1", extra=NOTED), deny))) == []


def test_pull_secrets_are_among_the_changes():
    pod = Resource("v1", "Pod", "shop", "web", {})
    added = Injection(File("", ""), pod, 0, "spec.imagePullSecrets", ("a", "h\x1b[0mub"), False)
    told = list(text.changes(outcome()._replace(injections=(added,))))
    assert told == ["  Pod/web (namespace shop) spec.imagePullSecrets: added a, h\ufffd[0mub (pullSecrets.inject)"]
    assert list(text.changes(outcome(FOUND)._replace(injections=(added,)))) == []
    assert "added" not in text.render(outcome()._replace(injections=(added,)), 0)
