"""Complaints: bounded however bad a text is, and nothing but a PolicyError ever comes of one."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.policy.test_load import HEAD, spec
from tests.policy.test_words import PATHS
from transformer.errors import PolicyError
from transformer.images.reference import parse
from transformer.policy import complaints
from transformer.policy.complaints import check
from transformer.policy.decide import decide
from transformer.policy.load import from_function_config, load
from transformer.policy.model import Policy
from transformer.policy.plan import Planner
from transformer.policy.questions import Resolved
from transformer.policy.reading import read
from transformer.policy.variables import with_variables

DIGEST = "sha256:" + "a" * 64


def complaint(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        check(read(spec(text), "p.yaml"))
    return str(caught.value)


@pytest.mark.parametrize("text", ["", "pin: {}", "images: [{match: nginx}]", "variables: {a: 1, b: x, c: true}"])
def test_nothing_to_complain_of(text):
    check(read(spec(text) if text else HEAD, "p.yaml"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pni: 1", "p.yaml:4:3: spec.pni: unknown key 'pni'; did you mean 'pin'?"),
        ("pin: 1", "p.yaml:4:8: spec.pin: must be a mapping, not 1"),
        ("pin:", "p.yaml:4:3: spec.pin: must be a mapping, not nothing"),
        ("images: 1.5", "p.yaml:4:11: spec.images: must be a list, not 1.5"),
        ("offline: [1]", "p.yaml:4:12: spec.offline: must be true or false, not a list"),
        ("mode: {}", "p.yaml:4:9: spec.mode: must be one of transform, validate, not a mapping"),
        ("mode: true", "p.yaml:4:9: spec.mode: must be one of transform, validate, not true"),
        (
            "keeps: refsue",
            "p.yaml:4:10: spec.keeps: must be one of honour, refuse, not 'refsue'; did you mean 'refuse'?",
        ),
        ("timeout: 90000", "p.yaml:4:12: spec.timeout: must be at most 86400, not 90000"),
        ("timeout: 0", "p.yaml:4:12: spec.timeout: must be more than 0, not 0"),
        ("timeout: true", "p.yaml:4:12: spec.timeout: must be a number, not true"),
        ("images: [{match: ''}]", "p.yaml:4:20: spec.images[0].match: must not be empty"),
        (
            "pin: {digest: platform}",
            "p.yaml:4:3: spec.pin: `platform` is required here (`digest: platform` needs to know which)",
        ),
        (
            "images: [{match: a, action: deny}]",
            "p.yaml:4:12: spec.images[0]: `reason` is required here (`action: keep` and `deny` say why)",
        ),
        ("fields: [{}]", "p.yaml:4:12: spec.fields[0]: `kind`, `path` is required here"),
        (
            "registries: [{host: a.io, maxConcurrency: 300}]",
            "p.yaml:4:45: spec.registries[0].maxConcurrency: must be at most 256, not 300",
        ),
        (
            "variables: {a b: c}",
            "p.yaml:4:14: spec.variables: 'a b' is no name for a variable: letters, digits and _, a letter first",
        ),
    ],
)
def test_sentences(text, sentence):
    assert complaint(text) == sentence


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"key{n}: x" for n in range(3000)),
        "images:\n" + "- {mtach: x}\n" * 3000,
        "images: [" + "1, " * 3000 + "]",
        "x" * 5000 + ": 1",
        "mode: " + "x" * 5000,
        "images: [{match: " + "x" * 5000 + "}]",
    ],
)
def test_a_message_is_bounded_however_bad_the_text_is(text):
    message = complaint(text)
    assert len(message.splitlines()) <= 2 + complaints.FURTHER
    assert len(message) < 2500


WORDS = sorted({path.rpartition(".")[2] for path in PATHS} | {"lock", "x"})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 500),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [
            "",
            "*",
            "**",
            "nginx",
            "docker.io",
            "*.example.com",
            "m.test/{x}",
            "{tag}",
            "keep",
            "deny",
            "pin",
            "linux/amd64",
        ]
        + [
            "tag",
            "digest",
            "platform",
            "refresh",
            "source",
            "mirror",
            "none",
            "spec.x[]",
            "a b",
            "\x1b",
            "{",
            "u:p@h.test",
        ]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=5))
@example({"images": [{"match": "nginx", "action": "keep", "reason": "x"}]})
@example({"mirrors": [{"source": "*", "locations": [{"to": "m.test/{x}"}]}], "variables": {"x": "y"}})
def test_whatever_a_policy_holds_it_is_a_policy_or_a_policy_error(content):
    document = {"apiVersion": "pindown.dev/v1alpha1", "kind": "ImageTransformer", "spec": content}
    try:
        policy = load(json.dumps(document), "p.json")
        planner = Planner(with_variables(policy, {}))
    except PolicyError as error:
        assert "\x1b" not in str(error)
        assert "u:p@" not in str(error)
        return
    made = planner.plan("nginx:1")
    if made.question is not None:
        answer = Resolved(DIGEST, chosen=0 if made.locations else None)
        assert decide(made, answer).text.endswith(DIGEST)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["mirrors", "keep", "style", "platform", "policy", "offline", "lock"]), SCALARS))
def test_whatever_a_config_map_holds_it_is_a_policy_or_a_policy_error(data):
    try:
        policy = from_function_config(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": data}), "f")
    except PolicyError as error:
        assert "\x1b" not in str(error)
        return
    assert isinstance(policy, Policy)


@settings(max_examples=300, deadline=None)
@given(st.text("aZ0._-/:@*{}$\x1b \n", max_size=30))
def test_whatever_an_image_is_there_is_a_plan_for_it(text):
    policy = load(
        spec("images: [{match: 'a*', action: keep, reason: x}]\nmirrors: [{source: '*', locations: [{to: m.test/x}]}]"),
        "p",
    )
    made = Planner(policy).plan(text)
    assert made.text == text
    assert (made.reference is None) == bool(made.refusals and made.question is None and not made.locations)
    assert all(refusal.message.isprintable() for refusal in made.refusals)
    if made.locations:
        assert parse(made.locations[0].reference.written) == made.locations[0].reference
