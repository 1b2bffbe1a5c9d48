"""What is found, put together: each source once, bounds, and rules in our words."""

from __future__ import annotations

import pytest

from transformer.errors import PolicyError
from transformer.images.reference import parse
from transformer.languages import gathering
from transformer.languages.gathering import Gathering, location
from transformer.languages.yamltext import At
from transformer.policy.decide import decide
from transformer.policy.model import Policy, RegistryRule
from transformer.policy.patterns import compile_pattern, subject
from transformer.policy.plan import Planner
from transformer.policy.questions import Resolved

AT = At("f.yaml", 3, "a.b")
DIGEST = "sha256:" + "a" * 64


def test_a_source_twice_is_refused_with_both_places():
    found = Gathering()
    found.mirror(AT, "q.test", (location(AT, "a.test"),))
    with pytest.raises(PolicyError) as error:
        found.mirror(At("g.yaml", 9, "c"), "q.test", (location(AT, "b.test"),))
    assert str(error.value) == "g.yaml:9: c: q.test has a mirror already (a.b, f.yaml:3); take one of them out"
    with pytest.raises(PolicyError):
        found.stays(AT, "q.test")
    assert "q.test" in found and "r.test" not in found


def test_there_is_an_end_to_rules_and_notes(monkeypatch):
    monkeypatch.setattr(gathering, "RULES_LIMIT", 3)
    monkeypatch.setattr(gathering, "NOTES_LIMIT", 2)
    found = Gathering()
    for index in range(2):
        found.mirror(AT, f"q{index}.test", (location(AT, "a.test"),))
    found.deny(AT, "bad.test", "no")
    with pytest.raises(PolicyError, match="more than 3 rules"):
        found.deny(AT, "worse.test", "no")
    with pytest.raises(PolicyError, match="more than 3 rules"):
        found.mirror(AT, "q9.test", (location(AT, "a.test"),))
    for index in range(5):
        found.note(At("f.yaml", index, "k"), f"note {index}")
    assert [note.why for note in found.imported().notes] == [
        "note 0",
        "note 1",
        "3 more notes of this kind are not shown",
    ]


def test_the_same_note_stands_once():
    found = Gathering()
    found.note(AT, "why")
    found.notes([AT.note("why"), AT.note("other")])
    assert [note.why for note in found.imported().notes] == ["why", "other"]


def test_what_is_found_carries_its_place():
    found = Gathering()
    found.mirror(AT, "q.test", (location(AT, "a.test", (("x", "y"),), "tag"),), "source", "mirror")
    found.plain(AT, "a.test:5000")
    found.plain(At("f.yaml", 9, ""), "a.test:5000")
    made = found.imported()
    (mirror,) = made.mirrors
    assert (mirror.name, mirror.file, mirror.line) == ("a.b", "f.yaml", 3)
    assert (mirror.resolve_at, mirror.fallback, mirror.verify, mirror.write) == (
        "mirror",
        "source",
        "same-digest",
        "mirror",
    )
    assert mirror.locations[0][:5] == ("a.b", "a.test", 3, (("x", "y"),), "tag")
    assert made.registries == (RegistryRule("a.test:5000", insecure=True, line=3),)


@pytest.mark.parametrize(
    ("scope", "image", "denied"),
    [
        ("bad.test", "bad.test/a/b:1", True),
        ("bad.test", "bad.test:5000/a:1", False),
        ("bad.test/a", "bad.test/a/b:1", True),
        ("bad.test/a", "bad.test/ab:1", False),
        ("*.evil.test", "x.evil.test/a:1", True),
        ("*.evil.test", "x.y.evil.test/a/b:1", True),
        ("*.evil.test", "evil.test/a:1", False),
        ("*.evil.test", "other.test/x.evil.test/a:1", False),
        ("*", "anything.test/a:1", True),
    ],
)
def test_denials_fit_the_names_that_the_scope_holds(scope, image, denied):
    found = Gathering()
    found.deny(AT, scope, "why")
    (rule,) = found.imported().denies
    assert (rule.action, rule.reason) == ("deny", "why")
    assert compile_pattern(rule.match).matches(subject(parse(image))) is denied


def test_a_source_that_stays_is_pinned_under_its_own_name():
    found = Gathering()
    found.mirror(AT, "*", (location(AT, "all.test"),))
    found.stays(AT, "quay.io")
    planner = Planner(Policy(mirrors=found.imported().mirrors))
    plan = planner.plan("quay.io/a/b:1")
    assert plan.refusals == ()
    decision = decide(plan, Resolved(DIGEST, None, "registry", 0))
    assert decision.text == f"quay.io/a/b:1@{DIGEST}"
    assert planner.plan("ghcr.io/a/b:1").locations[0].reference.written == "all.test/a/b:1"
