"""The policy's variables: which ones its mirrors use, and other values over the policy's own.

A variable may get its value after loading (`--set`, `PINDOWN_VAR_<NAME>`), so a missing one is judged here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from transformer.errors import UsageError
from transformer.images.reference import shorten
from transformer.policy.locations import compile_target, variables_of
from transformer.policy.model import Policy

_VALUE = re.compile(r"[A-Za-z0-9._:/-]{0,255}", re.ASCII)


def used(policy: Policy) -> tuple[str, ...]:
    """The variables that the mirrors use, sorted."""
    return tuple(sorted({name for m in policy.mirrors for place in m.locations for name in variables_of(place.to)}))


def known(policy: Policy) -> tuple[str, ...]:
    """The variables that the policy uses or sets, sorted."""
    return tuple(sorted({*dict(policy.variables), *used(policy)}))


def check_value(value: str) -> None:
    """Raises ValueError for a value that could never be part of an image name."""
    if _VALUE.fullmatch(value) is None:
        raise ValueError(f"the value {shorten(value, 60)!r} cannot be part of an image name")


def with_variables(policy: Policy, values: Mapping[str, str]) -> Policy:
    """The policy with these values over its own; every variable that a mirror uses has a value afterwards.

    Raises UsageError for a name that the policy neither uses nor sets, or a value that fits into no image name, and
    PolicyError when a variable is still without a value or a location with its values can hold no image.
    """
    merged, names = dict(policy.variables), known(policy)
    for name, value in values.items():
        if name not in names:
            listed = f"it uses {', '.join(names)}" if names else "it uses none"
            raise UsageError(f"no mirror of the policy uses the variable {shorten(name, 40)!r}; {listed}")
        try:
            check_value(value)
        except ValueError as error:
            raise UsageError(f"the variable {name!r}: {error}") from None
        merged[name] = value
    for mirror in policy.mirrors:
        for location in mirror.locations:
            compile_target(location, policy, merged)
    return policy._replace(variables=tuple(sorted(merged.items())))
