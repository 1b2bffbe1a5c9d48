"""Whose policy it is: the operator's decides, a repository's may only tighten it. Pure.

A policy named by `--policy` or `PINDOWN_POLICY` is the operator's; one that was found by search or given as
functionConfig or plugin file is a repository's, and repositories are untrusted.
"""

from __future__ import annotations

from transformer.errors import PolicyError
from transformer.images.reference import shorten
from transformer.policy.model import Pin, Policy, RegistryRule

#: Keys of `registries[]` that say who is shown a credential: no repository may.
GUARDED = ("credentials", "trustedRealms")
#: What a repository's policy may hold beside an operator's.
TIGHTENING = frozenset(("images", "pin", "pin.existing", "fields"))


def combine(operator: Policy | None, repository: Policy | None, trust: bool) -> Policy:
    """The one policy that holds; raises PolicyError when the repository's goes beyond what it may.

    `trust` (`--trust-policy`) lets a repository's policy, when it is alone, keep credentials for the hosts whose
    transport it weakens, and say where credentials are (GUARDED). It does not let it loosen an operator's.
    """
    if operator is None:
        return _judged(repository, trust) if repository is not None else Policy.default()
    operator = _judged(operator, True)
    return operator if repository is None else _tightened(operator, repository)


def _judged(policy: Policy, trusted: bool) -> Policy:
    if not trusted:
        _refuse_guarded(policy)
    registries = tuple(_with_credentials(rule, trusted) for rule in policy.registries)
    return policy._replace(trusted=trusted, registries=registries)


def _refuse_guarded(policy: Policy) -> None:
    for key, line in policy.written:
        if key.startswith("registries[") and key.rpartition(".")[2] in GUARDED:
            raise PolicyError(
                f"spec.{key}: only the operator's policy may say this (--policy, PINDOWN_POLICY), and this one comes "
                "from a repository; move it there, or set --trust-policy (PINDOWN_TRUST_POLICY=1) if you trust it",
                policy.file,
                line,
            )


def _with_credentials(rule: RegistryRule, trusted: bool) -> RegistryRule:
    weakened = rule.insecure or rule.ca_bundle is not None
    return rule._replace(credentials_allowed=trusted or not weakened)


def _tightened(operator: Policy, repository: Policy) -> Policy:
    for key, line in repository.written:
        if key not in TIGHTENING:
            raise _beyond(f"spec.{key}", line, operator, repository)
    if repository.pin.existing != "verify" and any(key == "pin.existing" for key, _ in repository.written):
        line = dict(repository.written)["pin.existing"]
        raise _beyond(f"spec.pin.existing: {repository.pin.existing}", line, operator, repository)
    for rule in repository.images:
        if rule.action == "keep" or rule.style is not None or rule.platform is not None:
            what = "action: keep" if rule.action == "keep" else "style" if rule.style is not None else "platform"
            raise _beyond(f"spec.{rule.name}.{what}", rule.line, operator, repository)
    named = [rule._replace(name=f"{rule.name} of {shorten(repository.file, 80)}") for rule in repository.images]
    denies = tuple(rule for rule in named if rule.action == "deny")
    pins = tuple(rule for rule in named if rule.action == "pin")
    return operator._replace(
        images=denies + operator.images + pins,
        fields=operator.fields + repository.fields,
        pin=_existing(operator.pin, repository.pin),
    )


def _existing(operator: Pin, repository: Pin) -> Pin:
    """`verify` is stricter than `keep`; `refresh` asks anyway."""
    tighter = repository.existing == "verify" and operator.existing == "keep"
    return operator._replace(existing="verify") if tighter else operator


def _beyond(key: str, line: int, operator: Policy, repository: Policy) -> PolicyError:
    allowed = "deny rules, plain pin rules, `pin.existing: verify` and `fields`"
    return PolicyError(
        f"{key}: {operator.file} is the operator's policy, and a repository's may only tighten it "
        f"({allowed}); take this out, or have it added there",
        repository.file,
        line,
    )
