"""Numbers of findings: totals, groups by file, and what a bounded report had to leave out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from transformer.errors import Finding


class Group(NamedTuple):
    """One file's findings: all of them, and those that there is room for, errors first."""

    file: str
    found: tuple[Finding, ...]
    shown: tuple[Finding, ...]


def errors_first(found: Iterable[Finding]) -> list[Finding]:
    """The same findings, errors before all others, else in their order."""
    return sorted(found, key=_is_no_error)


def groups(found: Sequence[Finding], limit: int) -> list[Group]:
    """The findings by file, files with errors first; of all together at most `limit` are shown, errors first."""
    every, shown = _by_file(errors_first(found)), _by_file(errors_first(found)[:limit])
    made = [Group(file, tuple(ones), tuple(shown.get(file, ()))) for file, ones in every.items()]
    return sorted(made, key=lambda group: (_is_no_error(group.found[0]), group.file))


def totals(found: Iterable[Finding]) -> str:
    """`2 errors, 1 warning`, without what there is none of."""
    severities = [one.severity for one in found]
    counts = [(severities.count(severity), severity) for severity in dict.fromkeys(("error", "warning", *severities))]
    return ", ".join(number(count, severity) for count, severity in counts if count)


def pointer(found: Sequence[Finding], limit: int) -> str:
    """The totals of what does not fit, errors first; empty when all fits."""
    return totals(errors_first(found)[limit:])


def number(count: int, noun: str) -> str:
    """`1 error`, `1,234 errors`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _is_no_error(one: Finding) -> bool:
    return one.severity != "error"


def _by_file(found: Iterable[Finding]) -> dict[str, list[Finding]]:
    made: dict[str, list[Finding]] = {}
    for one in found:
        made.setdefault(one.place.file, []).append(one)
    return made
