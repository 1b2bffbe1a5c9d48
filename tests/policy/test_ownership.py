"""Whose policy: a repository's may tighten an operator's, and nothing else."""

from __future__ import annotations

import pytest

from tests.policy.test_load import EVERYTHING, HEAD, spec
from tests.policy.test_words import SPEC
from transformer.errors import EXIT_USAGE, PolicyError
from transformer.policy.load import load
from transformer.policy.model import Policy
from transformer.policy.ownership import TIGHTENING, combine

OPERATOR = load(
    spec(
        """\
pin: {style: digest}
images:
- {match: ghcr.io/acme/**, action: keep, reason: ours}
- {match: quay.io, action: deny, reason: no}
mirrors: [{source: docker.io, locations: [{to: m.test/hub}]}]
fields: [{kind: A, path: spec.image}]
registries: [{host: a.test, insecure: true}]"""
    ),
    "/etc/pindown.yaml",
)

WEAK = spec(
    """\
registries:
- {host: a.test, insecure: true}
- {host: b.test, caBundle: ca.pem}
- {host: c.test, maxConcurrency: 2}"""
)


def repository(text: str) -> Policy:
    return load(spec(text) if text else HEAD, "pindown.yaml")


def test_neither_is_the_default():
    assert combine(None, None, False) == Policy()


def test_the_operators_alone_is_trusted():
    policy = combine(OPERATOR, None, False)
    assert policy == OPERATOR._replace(trusted=True)
    assert policy.registries[0].credentials_allowed


@pytest.mark.parametrize(("trust", "allowed"), [(False, [False, False, True]), (True, [True, True, True])])
def test_a_repositorys_weakened_hosts_get_no_credential_unless_trusted(trust, allowed):
    policy = combine(None, load(WEAK, "pindown.yaml"), trust)
    assert policy.trusted is trust
    assert [rule.credentials_allowed for rule in policy.registries] == allowed


def test_a_trusted_repositorys_policy_alone_may_say_everything():
    policy = combine(None, load(EVERYTHING, "pindown.yaml"), True)
    assert policy.keeps == "refuse" and policy.trusted
    assert len(policy.mirrors) == 2 and policy.registries[1].credentials is not None


#: What only an operator's policy may say, and the key and line that are named.
GUARDED = [
    ("registries: [{host: a.io, credentials: {dockerConfig: x}}]", "spec.registries[0].credentials", 4),
    ("registries:\n- {host: a.io}\n- host: b.io\n  credentials: {secretFile: x}", "spec.registries[1].credentials", 7),
    (
        "registries: [{host: a.io, credentials: {usernameEnv: A, passwordEnv: B}}]",
        "spec.registries[0].credentials",
        4,
    ),
    ("registries:\n- host: a.io\n  trustedRealms: [b.io]", "spec.registries[0].trustedRealms", 6),
    ("registries: [{host: a.io, trustedRealms: []}]", "spec.registries[0].trustedRealms", 4),
]


@pytest.mark.parametrize(("text", "key", "line"), GUARDED)
def test_a_repository_may_not_say_who_sees_a_credential(text, key, line):
    with pytest.raises(PolicyError) as caught:
        combine(None, repository(text), False)
    assert str(caught.value).startswith(f"pindown.yaml:{line}: {key}: only the operator's policy may say this")
    assert "--trust-policy" in str(caught.value) and "PINDOWN_TRUST_POLICY=1" in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize("text", [text for text, _, _ in GUARDED])
def test_an_operator_may_and_so_may_a_trusted_repository(text):
    assert combine(None, repository(text), True).registries == repository(text).registries
    assert combine(repository(text), None, False).registries == repository(text).registries


@pytest.mark.parametrize("trust", [False, True])
def test_beside_an_operators_policy_it_may_not_even_when_trusted(trust):
    with pytest.raises(PolicyError, match=r"spec\.registries: /etc/pindown\.yaml is the operator's policy"):
        combine(OPERATOR, repository(GUARDED[0][0]), trust)


@pytest.mark.parametrize("text", ["", "pin: {}", "images: []", "fields: []"])
def test_saying_nothing_changes_nothing(text):
    assert combine(OPERATOR, repository(text), False) == OPERATOR._replace(trusted=True)


#: A spec for each key of the policy that a repository's may not hold beside an operator's, and the key that is named.
BEYOND = [
    ("pin: {digest: index}", "spec.pin.digest"),
    ("pin: {platform: linux/amd64}", "spec.pin.platform"),
    ("pin: {style: digest}", "spec.pin.style"),
    ("pin: {existing: keep}", "spec.pin.existing: keep"),
    ("pin: {existing: refresh}", "spec.pin.existing: refresh"),
    ("images: [{match: nginx, action: keep, reason: x}]", "spec.images[0].action: keep"),
    ("images: [{match: a, action: deny, reason: x}, {match: nginx, style: tag}]", "spec.images[1].style"),
    ("images: [{match: nginx, platform: linux/arm64}]", "spec.images[0].platform"),
    ("mirrors: [{source: a.io, locations: [{to: b.io}]}]", "spec.mirrors"),
    ("mirrors: []", "spec.mirrors"),
    ("mirrorsFrom: [{file: a}]", "spec.mirrorsFrom"),
    ("mirrorsFrom: [{manifests: true}]", "spec.mirrorsFrom"),
    ("variables: {a: b}", "spec.variables"),
    ("matrix: {a: [b]}", "spec.matrix"),
    ("pullSecrets: {inject: true}", "spec.pullSecrets"),
    ("pullSecrets: {known: [a]}", "spec.pullSecrets"),
    ("registries: [{host: a.io, insecure: true}]", "spec.registries"),
    ("onError: fail", "spec.onError"),
    ("timeout: 1", "spec.timeout"),
    ("keeps: refuse", "spec.keeps"),
    ("mode: validate", "spec.mode"),
    ("results: summary", "spec.results"),
    ("offline: true", "spec.offline"),
    ("useManifestSecrets: true", "spec.useManifestSecrets"),
    ("useManifestSecrets: false", "spec.useManifestSecrets"),
]


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(("text", "key"), BEYOND)
def test_what_goes_beyond_tightening_is_named_with_the_operators_file(text, key, trust):
    with pytest.raises(PolicyError) as caught:
        combine(OPERATOR, repository(text), trust)
    message = str(caught.value)
    assert message.startswith(f"pindown.yaml:4: {key}: ")
    assert "/etc/pindown.yaml is the operator's policy" in message
    assert caught.value.exit_code == EXIT_USAGE


def test_the_table_above_holds_every_key():
    top = {path.split(".")[1] for path in SPEC if path.count(".") == 1}
    assert {text.partition(":")[0] for text, _ in BEYOND} | {"images", "pin", "fields"} == top
    assert {key.partition(".")[0] for key in TIGHTENING} == {"images", "pin", "fields"}


def test_denies_come_first_and_plain_pins_last():
    text = """\
images:
- {match: redis}
- {match: ghcr.io/acme/old, action: deny, reason: gone}
- {match: b, action: pin, reason: x}"""
    policy = combine(OPERATOR, repository(text), False)
    assert [(rule.name, rule.match, rule.action) for rule in policy.images] == [
        ("images[1] of pindown.yaml", "ghcr.io/acme/old", "deny"),
        ("images[0]", "ghcr.io/acme/**", "keep"),
        ("images[1]", "quay.io", "deny"),
        ("images[0] of pindown.yaml", "redis", "pin"),
        ("images[2] of pindown.yaml", "b", "pin"),
    ]
    assert policy.file == "/etc/pindown.yaml"
    assert policy.mirrors == OPERATOR.mirrors


@pytest.mark.parametrize(("operators", "result"), [("keep", "verify"), ("verify", "verify"), ("refresh", "refresh")])
def test_verify_is_stricter_than_keep(operators, result):
    operator = OPERATOR._replace(pin=OPERATOR.pin._replace(existing=operators))
    policy = combine(operator, repository("pin: {existing: verify}"), False)
    assert policy.pin == operator.pin._replace(existing=result)


def test_fields_are_added():
    policy = combine(OPERATOR, repository("fields: [{group: '', kind: B, path: spec.x}]"), False)
    assert [(rule.group, rule.kind, rule.path) for rule in policy.fields] == [
        (None, "A", "spec.image"),
        ("", "B", "spec.x"),
    ]
