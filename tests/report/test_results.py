"""Results as text: YAML that is JSON, whatever is in it. Their place in a ResourceList: tests/surfaces."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.doors import ELSEWHERE
from transformer.errors import Finding, Place
from transformer.kube.identity import NOWHERE, Resource
from transformer.kube.survey import Site
from transformer.pipeline import Counts, Decided, Outcome
from transformer.policy.decide import Decision
from transformer.policy.injection import Injection
from transformer.report import results
from transformer.report.results import Result
from transformer.text.source import File

POD = Resource("v1", "Pod", "shop", "web", {"config.kubernetes.io/path": "a.yaml", "config.kubernetes.io/index": "2"})


def both(entry: Result) -> dict:
    """The entry as read back from YAML, which must be what JSON says."""
    (found,) = yaml.safe_load(results.yaml([entry], "  "))
    assert json.loads(f"[{results.json([entry])}]") == [found]
    return found


@pytest.mark.parametrize(
    "entry, expected",
    [
        (Result("m", "info", "pin"), {"message": "m", "severity": "info", "tags": {"rule": "pin"}}),
        (
            Result("m", "error", "x", POD, "spec.image", "a", "b"),
            {
                "message": "m",
                "severity": "error",
                "resourceRef": {"apiVersion": "v1", "kind": "Pod", "name": "web", "namespace": "shop"},
                "field": {"path": "spec.image", "currentValue": "a", "proposedValue": "b"},
                "file": {"path": "a.yaml", "index": 2},
                "tags": {"rule": "x"},
            },
        ),
        (
            Result("m", "info", "x", POD._replace(namespace=None, annotations={}), "p"),
            {
                "message": "m",
                "severity": "info",
                "resourceRef": {"apiVersion": "v1", "kind": "Pod", "name": "web"},
                "field": {"path": "p"},
                "tags": {"rule": "x"},
            },
        ),
    ],
)
def test_shapes(entry, expected):
    found = both(entry)
    assert found == expected and list(found) == list(expected)


@pytest.mark.parametrize("missing", ["api_version", "kind", "name"])
def test_no_field_without_a_resource(missing):
    """functions-spec: `field` requires `resourceRef`, and that requires all three."""
    found = both(Result("m", "info", "x", POD._replace(**{missing: None}), "p", "a", "b"))
    assert list(found) == ["message", "severity", "file", "tags"]


@given(st.text(), st.text(), st.text(min_size=1))
def test_any_text(message, value, name):
    entry = Result(message, "info", "x", POD._replace(name=name), "p", value, value)
    found = both(entry)
    assert (found["message"], found["field"]["currentValue"], found["resourceRef"]["name"]) == (message, value, name)


@pytest.mark.parametrize("text", ["\x85", "\u2028", "\x9b0m", "🎉", '🎉"', "\ufeff", "\uffff", "a: b # c", "- x", "\t"])
def test_texts_that_yaml_is_particular_about(text):
    written = results.yaml([Result(text, "info", "x")], "")
    assert written.count("\n") == 1 and all(
        char.isprintable() or char == "\n" for char in written.replace("\ufeff", "x")
    )
    assert both(Result(text, "info", "x"))["message"] == text


def test_half_of_a_surrogate_is_replaced():
    assert both(Result("a\udc80b", "info", "x"))["message"] == "a\ufffdb"


def test_entries_of_one_object_do_not_mix_with_those_of_another():
    entries = [Result("m", "info", "x", POD._replace(name=str(number)), "p") for number in range(50)]
    names = [one["resourceRef"]["name"] for one in yaml.safe_load(results.yaml(iter(entries), ""))]
    assert names == [str(number) for number in range(50)]


@pytest.mark.parametrize(
    "annotations, path, index",
    [
        ({}, None, None),
        ({"config.kubernetes.io/path": "a", "internal.config.kubernetes.io/path": "b"}, "a", None),
        ({"internal.config.kubernetes.io/path": "b", "internal.config.kubernetes.io/index": "1"}, "b", "1"),
        ({"config.kubernetes.io/origin": "path: base/a.yaml\n"}, "base/a.yaml", None),
        (
            {"config.kubernetes.io/origin": "repo: x\npath: a b.yaml\nref: y\n", "config.kubernetes.io/index": "1"},
            "a b.yaml",
            None,
        ),
        ({"config.kubernetes.io/origin": "configuredIn: x\n"}, None, None),
    ],
)
def test_files(annotations, path, index):
    assert results.file_of(NOWHERE._replace(annotations=annotations)) == (path, index)


def test_a_finding_with_its_next_step():
    place = Place("a.yaml", 0, 0, "v1", "Pod", None, "web", "p")
    outcome = Outcome((), (), (), (Finding("x", "wrong", "do", "warning", place),), Counts(0, 0, 0, 0, 0, 0), 1)
    (entry,) = results.results(outcome, False)
    assert both(entry)["message"] == "wrong; do"
    assert (entry.severity, entry.path, results.file_of(entry.resource)) == ("warning", "p", ("a.yaml", None))


def test_a_finding_without_a_resource_says_where_in_its_message():
    place = Place("<stdin>", 3, 1)
    outcome = Outcome((), (), (), (Finding("x", "wrong", place=place),), Counts(0, 0, 0, 0, 0, 0), 1)
    (entry,) = results.results(outcome, False)
    assert both(entry) == {"message": "<stdin>:3:1: wrong", "severity": "error", "tags": {"rule": "x"}}


INJECTION = Injection(File("", ""), POD, 0, "spec.imagePullSecrets", ("a", "hub"), False)


@pytest.mark.parametrize("summary", [True, False])
def test_a_run_that_fails_tells_of_no_pull_secret(summary):
    outcome = Outcome((), (), (), (Finding("x", "wrong"),), Counts(0, 0, 0, 0, 0, 0), 1, (INJECTION,))
    assert [entry.rule for entry in results.results(outcome, summary)] == ["x"]


def test_a_pull_secret_that_is_added():
    outcome = Outcome((), (), (), (), Counts(0, 0, 0, 0, 0, 0), 1, (INJECTION,))
    (entry,) = results.results(outcome, False)
    assert both(entry) == {
        "message": "pull secrets added: a, hub",
        "severity": "info",
        "resourceRef": {"apiVersion": "v1", "kind": "Pod", "name": "web", "namespace": "shop"},
        "field": {"path": "spec.imagePullSecrets", "proposedValue": "a, hub"},
        "file": {"path": "a.yaml", "index": 2},
        "tags": {"rule": "pullSecrets.inject"},
    }


def test_pull_secrets_in_a_summary():
    site = Site(File("", ""), POD, "p", "image", "a", ("a",), (None,))
    changed = (Decided(site, None, Decision("pinned", "b")),)
    for injections, told in (((), ""), ((INJECTION,) * 2, ", pull secrets added in 2 places")):
        outcome = Outcome((), (), changed, (), Counts(1, 1, 1, 0, 0, 0), 1, injections)
        (entry,) = results.results(outcome, True)
        assert entry.message == f"1 images changed, 0 kept{told}"


def test_nothing_to_say():
    assert results.results(Outcome((), (), (), (), Counts(0, 0, 0, 0, 0, 0), 1), True) == []
    assert results.yaml([], "  ") == results.json([]) == ""
    assert ELSEWHERE not in results.json([])
