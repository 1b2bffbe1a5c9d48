"""Two sources on one name at a mirror: seen once for each source, however many tags and workloads there are."""

from __future__ import annotations

import pytest

from transformer.policy.collisions import Landing, collisions, landings_of
from transformer.policy.decide import decide
from transformer.policy.load import load
from transformer.policy.plan import Planner
from transformer.policy.questions import Missing, Refusal, Resolved

DIGEST = "sha256:" + "a" * 64


def landing(source, there, proved=True, rule="mirrors[0].locations[0]"):
    return Landing(source, there, rule, proved)


@pytest.mark.parametrize(
    "landings",
    [
        [],
        [landing("a.io/x", "m.io/x")],
        [landing("a.io/x", "m.io/x"), landing("a.io/x", "m.io/x")],
        [landing("a.io/x", "m.io/x"), landing("a.io/y", "m.io/y")],
        [landing("a.io/x", "m.io/x"), landing("a.io/x", "n.io/x")],
        [landing("a.io/x", "m.io/x"), landing("b.io/x", "m.io/x/x")],
    ],
)
def test_no_collision(landings):
    assert list(collisions(landings)) == []


@pytest.mark.parametrize(
    ("proved", "severity"),
    [
        ((True, True), "warning"),
        ((True, False), "error"),
        ((False, True), "error"),
        ((False, False), "error"),
    ],
)
def test_it_is_an_error_unless_all_were_proved(proved, severity):
    (found,) = collisions([landing("a.io/x", "m.io/x", proved[0]), landing("b.io/x", "m.io/x", proved[1])])
    assert (found.at, found.severity, found.refusal.rule) == (1, severity, "mirror-collision")
    for word in ("a.io/x", "b.io/x", "m.io/x", "mirrors[0].locations[0]"):
        assert word in found.refusal.message
    assert "{registry}" in found.refusal.help


def test_each_further_source_is_told_once():
    landings = [landing(f"{host}.io/x", "m.io/x") for host in "abacbca"]
    assert [found.at for found in collisions(landings)] == [1, 3]


def test_one_unproved_image_spoils_the_name_for_all():
    landings = [landing("a.io/x", "m.io/x"), landing("b.io/x", "m.io/x"), landing("a.io/x", "m.io/x", False)]
    assert [found.severity for found in collisions(landings)] == ["error"]


def test_the_rules_are_named_once_each():
    (found,) = collisions([landing("a.io/x", "m.io/x", rule="one"), landing("b.io/x", "m.io/x", rule="two")])
    assert "(one and two)" in found.refusal.message


def planned(text, spec):
    policy = load(f"apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec:\n  mirrors: [{spec}]\n", "p.yaml")
    return Planner(policy).plan(text)


TWO = "{source: a.io, locations: [{to: m.io}, {to: n.io}]}"


def test_an_image_lands_where_its_name_is_written():
    plan = planned("a.io/x:1", TWO)
    decision = decide(plan, Resolved(DIGEST, chosen=1))
    assert list(landings_of(plan, decision)) == [Landing("a.io/x", "n.io/x", "mirrors[0].locations[1]", True)]


def test_a_refused_image_may_land_at_any_location():
    plan = planned("a.io/x:1", TWO)
    decision = decide(plan, Missing((Refusal("mirror-missing", "gone"),)))
    assert [(one.there, one.proved) for one in landings_of(plan, decision)] == [("m.io/x", False), ("n.io/x", False)]


@pytest.mark.parametrize(
    ("spec", "proved"),
    [
        ("{source: a.io, locations: [{to: m.io}]}", True),
        ("{source: a.io, locations: [{to: m.io}], verify: exists}", False),
        ("{source: a.io, locations: [{to: m.io}], verify: none}", False),
    ],
)
def test_only_the_same_digest_is_a_proof(spec, proved):
    plan = planned("a.io/x:1", spec)
    (found,) = landings_of(plan, decide(plan, Resolved(DIGEST, chosen=0)))
    assert found.proved is proved


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("b.io/x:1", TWO),
        ("a.io/x:1", "{source: a.io, locations: [{to: m.io}], write: source}"),
    ],
)
def test_a_name_that_stays_lands_nowhere(text, spec):
    plan = planned(text, spec)
    chosen = 0 if plan.locations else None
    assert list(landings_of(plan, decide(plan, Resolved(DIGEST, chosen=chosen)))) == []


def test_a_text_without_a_plan_lands_nowhere():
    plan = planned("a.io/x:1", TWO)
    assert list(landings_of(None, decide(plan, Resolved(DIGEST, chosen=0)))) == []
