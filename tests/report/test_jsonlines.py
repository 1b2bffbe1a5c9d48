"""What programs read: one object a line, with the keys that CONTRACT promises (docs/output.md)."""

from __future__ import annotations

import json

import pytest

from tests.doors import ELSEWHERE, pod
from transformer.errors import Finding, Place
from transformer.images import reference
from transformer.kube.identity import Resource
from transformer.pipeline import Counts, Outcome, Run, Where
from transformer.policy.injection import Injection
from transformer.policy.model import Policy
from transformer.policy.questions import Missing, Refusal, Resolved
from transformer.report import jsonlines
from transformer.text.source import File


class Canned:
    """Answers every question alike."""

    requests = 5

    def __init__(self, answer):
        self.answer = answer

    def ask(self, questions, scopes=None):
        return dict.fromkeys(questions, self.answer)


def lines(text, answer, notes=()):
    files, where = [File("a.yaml", text)], Where()
    run = Run(Policy(), where=where)
    run.survey.file(files[0])
    told = jsonlines.render(run.finish(files, Canned(answer)), where, 1.23456, notes)
    assert told.endswith("\n")
    return [json.loads(line) for line in told.splitlines()]


PLACE = {
    "file": "a.yaml",
    "line": 8,
    "column": 12,
    "kind": "Pod",
    "namespace": None,
    "name": "web",
    "path": "spec.containers[0].image",
}


def test_a_pinned_image():
    decision, summary = lines(pod("a/b:1"), Resolved(ELSEWHERE))
    after = f"a/b:1@{ELSEWHERE}"
    expected = {"before": "a/b:1", "after": after, "decision": "pinned", "via": "registry", "why": "resolved (pin)"}
    assert decision == {**PLACE, **expected} and list(decision) == [*PLACE, *expected]
    counts = {"sites": 1, "images": 1, "pinned": 1, "kept": 0, "refused": 0, "requests": 5, "seconds": 1.235}
    assert summary == {"summary": counts} and list(summary["summary"]) == list(counts)


def test_a_refused_image():
    decision, finding, summary = lines(pod("a/b:1"), Missing((Refusal("not-found", "gone", "look"),)))
    assert (decision["decision"], decision["before"], decision["after"], decision["via"]) == (
        "refused",
        "a/b:1",
        "a/b:1",
        None,
    )
    expected = {"rule": "not-found", "severity": "error", "message": "gone", "help": "look", **PLACE}
    assert finding == expected and list(finding) == list(expected)
    assert summary["summary"]["refused"] == 1


INJECTION = Injection(
    File("a.yaml", pod("a/b:1")),
    Resource("v1", "Pod", "shop", "web", {}),
    3,
    "spec.imagePullSecrets",
    ("a", "hub"),
    False,
)


def test_a_pull_secret_that_is_added():
    outcome = Outcome((), (), (), (), Counts(0, 0, 0, 0, 0, 0), 1, (INJECTION, INJECTION._replace(is_account=True)))
    one, other, summary = map(json.loads, jsonlines.render(outcome, Where(), 0).splitlines())
    place = {**PLACE, "line": 1, "column": 4, "namespace": "shop", "path": "spec.imagePullSecrets"}
    assert one == {"injected": {**place, "pullSecrets": ["a", "hub"], "to": "pod"}}
    assert list(one["injected"]) == [*PLACE, "pullSecrets", "to"]
    assert (other["injected"]["to"], list(summary)) == ("serviceAccount", ["summary"])


def test_a_run_that_fails_adds_no_pull_secret():
    outcome = Outcome((), (), (), (Finding("x", "wrong"),), Counts(0, 0, 0, 0, 0, 0), 1, (INJECTION,))
    assert "injected" not in jsonlines.render(outcome, Where(), 0)


def test_notes_do_not_break_the_lines():
    *_, note, summary = lines(pod("a/b:1"), Resolved(ELSEWHERE), ["one\ntwo"])
    assert (note, list(summary)) == ({"note": "one\ntwo"}, ["summary"])


def test_what_is_not_known_is_null():
    finding = Finding("unreadable", "empty", place=Place())
    (told,) = map(json.loads, jsonlines.findings([finding]).splitlines())
    assert {told[key] for key in PLACE} == {None} and told["help"] == ""


@pytest.mark.parametrize("text", ["a\nb", "\u2028", '"\\', "\x1b[0m", "🎉", "\udc80"])
def test_every_object_stays_on_its_line(text):
    told = jsonlines.line({"a": text})
    assert told.count("\n") == 1 and "\x1b" not in told and json.loads(told) == {"a": text}


@pytest.mark.parametrize(
    "text, parts",
    [
        (None, (None, None, None, None)),
        ("nginx", ("docker.io", "library/nginx", None, None)),
        (f"h:5/a:1@{ELSEWHERE}", ("h:5", "a", "1", ELSEWHERE)),
    ],
)
def test_parts(text, parts):
    found = jsonlines.parts(None if text is None else reference.parse(text))
    assert tuple(found.values()) == parts and list(found) == ["registry", "repository", "tag", "digest"]


def test_an_empty_outcome_is_a_summary():
    outcome = Outcome((), (), (), (), Counts(0, 0, 0, 0, 0, 0), 0)
    assert json.loads(jsonlines.render(outcome, Where(), 0))["summary"]["sites"] == 0
