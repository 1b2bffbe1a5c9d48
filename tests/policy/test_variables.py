"""Variables: values over the policy's own, and what is missing is said before anything is tried."""

from __future__ import annotations

import pytest

from tests.policy.test_load import spec
from transformer.errors import EXIT_USAGE, PolicyError, UsageError
from transformer.policy.load import load
from transformer.policy.mirrors import Mirrors
from transformer.policy.model import Policy
from transformer.policy.variables import known, used, with_variables

TWO = spec(
    """\
mirrors:
- source: docker.io
  locations: [{to: "{region}.m.test/{stage}"}, {to: "m.test/{repository}"}]
variables: {stage: prod, spare: x}"""
)


def test_no_values_for_no_variables_is_nothing():
    policy = load(spec("mirrors: [{source: a.io, locations: [{to: b.io}]}]"), "p.yaml")
    assert with_variables(policy, {}) == policy
    assert with_variables(Policy(), {}) == Policy()


def test_a_value_over_the_policys_own():
    policy = with_variables(load(TWO, "p.yaml"), {"region": "eu", "stage": "test"})
    assert policy.variables == (("region", "eu"), ("spare", "x"), ("stage", "test"))
    Mirrors(policy)


def test_which_variables_there_are():
    policy = load(TWO, "p.yaml")
    assert used(policy) == ("region", "stage")
    assert known(policy) == ("region", "spare", "stage")
    assert used(Policy()) == known(Policy()) == ()


def test_a_variable_without_a_value_may_get_it_later_and_must():
    policy = load(TWO, "p.yaml")
    with pytest.raises(PolicyError) as caught:
        with_variables(policy, {})
    assert str(caught.value).startswith("p.yaml:6: mirrors[0].locations[0]: the variable 'region' has no value")
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize(
    ("text", "values", "part"),
    [
        (TWO, {"regoin": "eu"}, "no mirror of the policy uses the variable 'regoin'; it uses region, spare, stage"),
        (spec("onError: fail"), {"region": "eu"}, "it uses none"),
        (TWO, {"region": "a b"}, "the variable 'region': the value 'a b' cannot be part of an image name"),
        (TWO, {"region": "{tag}"}, "cannot be part of an image name"),
        (TWO, {"region": "a@b"}, "cannot be part of an image name"),
        (TWO, {"region": "a\nb"}, "cannot be part of an image name"),
        (TWO, {"region": "x" * 300}, "cannot be part of an image name"),
        (TWO, {"re\x1bgion": "x"}, "no mirror of the policy uses"),
    ],
)
def test_values_that_are_refused(text, values, part):
    with pytest.raises(UsageError) as caught:
        with_variables(load(text, "p.yaml"), values)
    assert part in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_value_that_spoils_a_location_is_a_policy_error():
    with pytest.raises(PolicyError, match="can hold no image"):
        with_variables(load(TWO, "p.yaml"), {"region": "eu", "stage": "UPPER"})
