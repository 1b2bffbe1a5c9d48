"""Which scope a name lies in: a host, a prefix on path boundaries, or `*.suffix`. Pure."""

from __future__ import annotations

from collections.abc import Iterator


def nested(name: str, scope: str) -> bool:
    """Whether a name or scope lies in another scope, or is it; the port is part of the host."""
    return scope in enclosing(name)


def enclosing(name: str) -> Iterator[str]:
    """Every scope that a name (or scope) lies in, itself first. To look them up costs no scan over all scopes."""
    prefix = name
    while prefix:
        yield prefix
        prefix = prefix.rpartition("/")[0]
    rest = name.partition("/")[0]
    while "." in rest:
        rest = rest.partition(".")[2]
        yield f"*.{rest}"
