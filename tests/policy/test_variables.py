"""Variables: values over the policy's own, and what is missing is said before anything is tried."""

from __future__ import annotations

import pytest

from tests.policy.test_load import spec
from transformer.errors import EXIT_USAGE, PolicyError, UsageError
from transformer.policy.load import load
from transformer.policy.mirrors import Mirrors
from transformer.policy.model import Policy
from transformer.policy.variables import LISTED, VARIANTS_LIMIT, known, users, variants, with_variables

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
    assert users(policy) == {"region": "mirrors[0].locations[0]", "stage": "mirrors[0].locations[0]"}
    assert list(users(policy)) == ["region", "stage"]
    assert known(policy) == ("region", "spare", "stage")
    assert known(policy._replace(matrix=(("zone", ("a",)),))) == ("region", "spare", "stage", "zone")
    assert users(Policy()) == {} and known(Policy()) == ()


def test_a_variable_without_a_value_may_get_it_later_and_must():
    policy = load(TWO, "p.yaml")
    with pytest.raises(PolicyError) as caught:
        with_variables(policy, {})
    assert str(caught.value).startswith("p.yaml:6: mirrors[0].locations[0]: the variable 'region' has no value")
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize(
    ("text", "values", "part"),
    [
        (
            TWO,
            {"regoin": "eu"},
            "no mirror of the policy uses the variable 'regoin'; it uses region (mirrors[0].locations[0]), spare, stage"
            " (mirrors[0].locations[0])",
        ),
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


MATRIX = TWO + "  matrix: {region: [eu, us], stage: [prod, test]}\n"


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"region": "ap"}, "region=ap is not in the policy's matrix (mirrors[0].locations[0] uses it): eu, us"),
        ({"region": ""}, "region= is not in the policy's matrix"),
        ({"region": "eu", "stage": "TEST"}, "stage=TEST is not in the policy's matrix"),
        ({"zone": "a"}, "it uses region (mirrors[0].locations[0]), spare, stage (mirrors[0].locations[0])"),
    ],
)
def test_a_value_that_the_matrix_lacks_is_refused(values, part):
    with pytest.raises(UsageError) as caught:
        with_variables(load(MATRIX, "p.yaml"), values)
    assert part in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE


def test_a_matrix_gives_no_value():
    policy = load(MATRIX, "p.yaml")
    with pytest.raises(PolicyError, match="the variable 'region' has no value"):
        with_variables(policy, {})
    assert dict(with_variables(policy, {"region": "us"}).variables)["region"] == "us"


def test_a_variable_that_only_the_matrix_names_may_be_set():
    policy = load(spec("matrix: {zone: [a, b]}"), "p.yaml")
    assert with_variables(policy, {}).variables == ()
    assert with_variables(policy, {"zone": "b"}).variables == (("zone", "b"),)
    with pytest.raises(UsageError, match="zone=c is not in the policy's matrix: a, b; add it to spec.matrix"):
        with_variables(policy, {"zone": "c"})
    with pytest.raises(UsageError, match="the variable 'q'; it uses zone$"):
        with_variables(policy, {"q": "c"})


def test_many_names_and_values_are_bounded():
    names = ", ".join(f"v{n}: [{', '.join(f'x{m}' for m in range(400))}]" for n in range(20))
    policy = load(spec(f"matrix: {{{names}}}\nvariables: {{other: x}}"), "p.yaml")
    with pytest.raises(UsageError) as caught:
        with_variables(policy, {"nope": "x"})
    assert str(caught.value).endswith(" and 1 more") and str(caught.value).count("v") < LISTED + 5
    with pytest.raises(UsageError) as caught:
        with_variables(policy, {"v1": "nope"})
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ("{}", [{}]),
        ("{b: [1, 2]}", [{"b": "1"}, {"b": "2"}]),
        ("{b: [x, y], a: [1.10]}", [{"a": "1.10", "b": "x"}, {"a": "1.10", "b": "y"}]),
        ("{a: [1, '1', 2]}", [{"a": "1"}, {"a": "2"}]),
    ],
)
def test_every_combination(matrix, expected):
    assert list(variants(load(spec(f"matrix: {matrix}"), "p.yaml"))) == expected


def test_every_variant_is_a_value_that_the_policy_takes():
    policy = load(MATRIX, "p.yaml")
    made = [dict(with_variables(policy, one).variables) for one in variants(policy)]
    assert [(one["region"], one["stage"]) for one in made] == [
        ("eu", "prod"),
        ("eu", "test"),
        ("us", "prod"),
        ("us", "test"),
    ]


@pytest.mark.parametrize(("sizes", "count"), [((1001,), 1001), ((40, 30), 1200), ((500,) * 20, 500**20)])
def test_combinations_without_end_are_refused_before_any_is_made(sizes, count):
    matrix = tuple((f"v{at}", tuple(map(str, range(size)))) for at, size in enumerate(sizes))
    with pytest.raises(PolicyError) as caught:
        variants(Policy(matrix=matrix, file="p.yaml"))
    assert f"the matrix has {count} combinations; at most {VARIANTS_LIMIT} can be proved" in str(caught.value)
