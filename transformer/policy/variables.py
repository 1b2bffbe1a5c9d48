"""The policy's variables: which ones its mirrors use, and other values over the policy's own.

A variable may get its value after loading (`--set`, `PINDOWN_VAR_<NAME>`), so a missing one is judged here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from transformer.errors import PolicyError, UsageError
from transformer.images.reference import shorten
from transformer.policy.locations import compile_target, variables_of
from transformer.policy.model import Policy

#: Combinations of a matrix: each is proved with every image.
VARIANTS_LIMIT = 1000
#: Names or values in a message.
LISTED = 20

_VALUE = re.compile(r"[A-Za-z0-9._:/-]{0,255}", re.ASCII)


def users(policy: Policy) -> dict[str, str]:
    """The variables that the mirrors use, sorted, each with the first location that wants it."""
    found: dict[str, str] = {}
    for mirror in policy.mirrors:
        for location in mirror.locations:
            for name in variables_of(location.to):
                found.setdefault(name, location.name)
    return dict(sorted(found.items()))


def known(policy: Policy) -> tuple[str, ...]:
    """The variables that the policy uses, lists or sets, sorted."""
    return tuple(sorted({*dict(policy.variables), *dict(policy.matrix), *users(policy)}))


def check_value(value: str) -> None:
    """Raises ValueError for a value that could never be part of an image name."""
    if _VALUE.fullmatch(value) is None:
        raise ValueError(f"the value {shorten(value, 60)!r} cannot be part of an image name")


def with_variables(policy: Policy, values: Mapping[str, str]) -> Policy:
    """The policy with these values over its own; every variable that a mirror uses has a value afterwards.

    Raises UsageError for a name that the policy does not know, or a value that fits into no image name or is not in the
    matrix, and PolicyError when a variable is still without a value or a location with its values can hold no image.
    """
    merged, names = dict(policy.variables), known(policy)
    for name, value in values.items():
        if name not in names:
            raise UsageError(f"no mirror of the policy uses the variable {shorten(name, 40)!r}; {_listed(policy)}")
        try:
            check_value(value)
        except ValueError as error:
            raise UsageError(f"the variable {name!r}: {error}") from None
        merged[name] = value
    _check_matrix(policy, merged)
    for mirror in policy.mirrors:
        for location in mirror.locations:
            compile_target(location, mirror.file or policy.file, merged)
    return policy._replace(variables=tuple(sorted(merged.items())))


def variants(policy: Policy) -> tuple[dict[str, str], ...]:
    """Every combination of the matrix's values; one empty one where there is no matrix. Raises PolicyError."""
    from itertools import product
    from math import prod

    count = prod(len(values) for _, values in policy.matrix)
    if count > VARIANTS_LIMIT:
        raise PolicyError(f"the matrix has {count} combinations; at most {VARIANTS_LIMIT} can be proved", policy.file)
    names = [name for name, _ in policy.matrix]
    return tuple(dict(zip(names, one, strict=True)) for one in product(*(values for _, values in policy.matrix)))


def _check_matrix(policy: Policy, values: Mapping[str, str]) -> None:
    wanted = users(policy)
    for name, allowed in policy.matrix:
        if name in values and values[name] not in allowed:
            by = f" ({wanted[name]} uses it)" if name in wanted else ""
            listed = ", ".join(shorten(one, 40) for one in allowed[:LISTED])
            advice = "add it to spec.matrix if it is right"
            raise UsageError(
                f"{name}={shorten(values[name], 60)} is not in the policy's matrix{by}: {listed}; {advice}"
            )


def _listed(policy: Policy) -> str:
    """What there is, for one who named something else."""
    wanted, names = users(policy), known(policy)
    if not names:
        return "it uses none"
    told = [f"{shorten(name, 40)} ({wanted[name]})" if name in wanted else shorten(name, 40) for name in names]
    more = f" and {len(told) - LISTED} more" if len(told) > LISTED else ""
    return f"it uses {', '.join(told[:LISTED])}{more}"
