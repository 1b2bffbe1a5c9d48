"""For people: findings on lines of their own, and one summary line. To be understood without the source at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transformer.errors import Finding, Place
from transformer.images.reference import shorten
from transformer.pipeline import Outcome

#: Characters of a message: more than any of ours, whatever somebody else's words in it are.
_LIMIT = 1000
_COLOURS = {"error": "31;1", "warning": "33;1", "info": "36;1"}


def render(outcome: Outcome, seconds: float, color: bool = False, quiet: bool = False) -> str:
    """Every finding, then the summary (only when there is something to say, if `quiet`)."""
    lines = [finding(one, color) for one in outcome.findings]
    if not quiet or lines:
        lines += kept(outcome)
        lines.append(summary(outcome, seconds))
    return "".join(line + "\n" for line in lines)


def kept(outcome: Outcome) -> Iterator[str]:
    """A line for each image that somebody keeps on purpose, with the reason."""
    for one in outcome.decided:
        if one.plan is not None and one.plan.action == "keep" and one.decision.outcome == "kept":
            at = place(Place("", 0, 0, *one.site.resource[:4], one.site.path))
            yield f"kept {at}: {shorten(one.site.value)} ({one.plan.rule}: {shorten(one.plan.reason or '', 300)})"


def finding(one: Finding, color: bool = False) -> str:
    """`error[rule] file:line:column Kind/name path: message`, and the next step on a line below."""
    label = f"{one.severity}[{one.rule}]"
    if color:
        label = f"\x1b[{_COLOURS[one.severity]}m{label}\x1b[0m"
    where = place(one.place)
    message = shorten(one.message, _LIMIT)
    text = f"{label} {where}: {message}" if where else f"{label} {message}"
    return f"{text}\n  next: {shorten(one.help, _LIMIT)}" if one.help else text


def place(where: Place) -> str:
    """Where something stands, as far as it is known."""
    position = ":".join(str(part) for part in (shorten(where.file), where.line, where.column) if part)
    named = f"{where.kind or '?'}/{where.name or '?'}" if where.kind or where.name else ""
    if named and where.namespace:
        named += f" (namespace {where.namespace})"
    return " ".join(part for part in (position, shorten(named, 300), shorten(where.path or "", 300)) if part)


def summary(outcome: Outcome, seconds: float) -> str:
    """One line of totals."""
    counts = outcome.counts
    errors = sum(one.severity == "error" for one in outcome.findings)
    parts = [f"{counts.pinned} pinned", f"{counts.kept} kept", f"{counts.refused} refused"]
    if outcome.findings:
        parts.append(f"{_number(errors, 'error')}, {_number(len(outcome.findings) - errors, 'warning')}")
    ending = "; nothing was written" if outcome.failed else ""
    return (
        f"pindown: {_number(counts.sites, 'image')} ({counts.images} distinct): {', '.join(parts)}; "
        f"{_number(counts.requests, 'request')}, {seconds:.1f} s{ending}"
    )


def changes(outcome: Outcome) -> Iterable[str]:
    """A line for each image that was changed or kept on purpose, and for each pull secret: what `-v` shows."""
    for one in outcome.decided:
        site, decision = one.site, one.decision
        what = decision.text if decision.text != site.value else decision.outcome
        why = f" ({shorten(decision.why, 600)})" if decision.why else ""
        at = place(Place("", 0, 0, *site.resource[:4], site.path))
        yield f"  {at}: {shorten(site.value)} -> {shorten(what, 600)}{why}"
    for added in () if outcome.failed else outcome.injections:
        at = place(Place("", 0, 0, *added.resource[:4], added.path))
        yield f"  {at}: added {', '.join(map(shorten, added.names))} (pullSecrets.inject)"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
