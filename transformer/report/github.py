"""For GitHub's runner: annotations as workflow commands, errors first, and a pointer to what did not fit.

GitHub shows ten errors and ten warnings of a step and drops the rest in silence, so no more are written. Runners obey
`::name key=value::text` at the beginning of any line of stdout and stderr: whatever others wrote is made harmless by
`shorten`, and escaped as the runner's own toolkit does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from transformer.errors import Finding
from transformer.images.reference import shorten
from transformer.pipeline import Outcome
from transformer.report import text
from transformer.report.tally import totals

#: Annotations of one kind that GitHub shows for a step.
LIMIT = 10
_KINDS = {"error": "error", "warning": "warning"}
_NAMELESS = ("", "<stdin>")
_MESSAGE = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = _MESSAGE | {":": "%3A", ",": "%2C"}
_IN_MESSAGE, _IN_PROPERTY = str.maketrans(_MESSAGE), str.maketrans(_PROPERTY)


def render(outcome: Outcome, seconds: float, notes: Sequence[str] = (), quiet: bool = False) -> str:
    """Annotations, then as plain lines what they leave out, what is kept, the notes and the summary."""
    lines = list(_annotations(outcome.findings))
    if not quiet or lines:
        lines += _bounded(list(text.kept(outcome)))
        lines += [f"note: {shorten(note, 1000)}" for note in notes]
        lines.append(text.summary(outcome, seconds))
    return "".join(line + "\n" for line in lines)


def annotation(one: Finding) -> str:
    """One finding as a workflow command."""
    place = one.place
    properties = [("title", f"pindown: {one.rule}")]
    if place.file not in _NAMELESS:
        known = (("file", place.file), ("line", place.line), ("col", place.column))
        properties = [*((name, str(value)) for name, value in known if value), *properties]
    told = ",".join(f"{name}={_property(value)}" for name, value in properties)
    where = text.place(place._replace(file="", line=0, column=0) if place.file not in _NAMELESS else place)
    message = shorten(f"{where}: {one.message}" if where else one.message, 1500)
    advice = f"\nnext: {shorten(one.help, 1000)}" if one.help else ""
    return f"::{_KINDS.get(one.severity, 'notice')} {told}::{(message + advice).translate(_IN_MESSAGE)}"


def _annotations(found: Sequence[Finding]) -> Iterator[str]:
    kinds = {kind: [one for one in found if _KINDS.get(one.severity, "notice") == kind] for kind in (*_KINDS, "notice")}
    for ones in kinds.values():
        yield from map(annotation, ones[:LIMIT])
    left = [one for ones in kinds.values() for one in ones[LIMIT:]]
    if left:
        yield (
            f"pindown: {totals(left)} more than GitHub shows (of {totals(found)}); the job summary has them "
            "(--format markdown), and so has --format sarif"
        )


def _bounded(lines: Sequence[str]) -> Iterable[str]:
    left = len(lines) - LIMIT
    return (*lines[:LIMIT], *((f"… and {left:,} more are kept",) if left > 0 else ()))


def _property(value: str) -> str:
    # A path is not cut: GitHub has to find the file. It is harmless once escaped, but for what no log should hold.
    return shorten(value, 4096).translate(_IN_PROPERTY)
