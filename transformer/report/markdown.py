"""For a job summary or a pull request: the Outcome as GitHub's Markdown, within a given number of bytes.

GitHub drops a summary of more than 1024 KiB altogether, and nobody reads that much: what does not fit is counted. All
that others wrote (files, objects, images, messages) goes through `code` or `prose`, after which none of it is Markdown,
HTML, a link or a mention.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from transformer.errors import Finding, Place
from transformer.images.reference import shorten
from transformer.pipeline import Decided, Outcome
from transformer.report import text
from transformer.report.spots import kept
from transformer.report.tally import errors_first, groups, totals

#: Bytes of UTF-8.
LIMIT = 64 << 10
#: GitHub's own limit for a step's summary.
MOST = 1024 << 10
#: Kept free for each section that is still to come: its heading and how many of its lines were left out.
_RESERVE = 400
_LABELS = {"error": "error", "warning": "warning"}
#: Everything that means something in Markdown, HTML or GitHub's own additions, or makes a link of what follows.
_MARKS = re.compile(r"[&<>|`*_~\[\]#\\!@$]|:(?=//)|(?<=mailto):|(?<=xmpp):|(?<=www)\.", re.IGNORECASE)
#: A mention needs its @ beside the name, whether it is written as an entity or not; a digest is none.
_MENTION = re.compile(r"@(?!sha(?:256|512):)")


def render(outcome: Outcome, seconds: float, notes: Sequence[str] = (), quiet: bool = False, limit: int = LIMIT) -> str:
    """Findings by file, what is kept, what was changed, notes; at most `limit` bytes (of which there are 1024 KiB)."""
    if quiet and not outcome.findings:
        return ""
    page = _Page(min(limit, MOST))
    page.add(f"## pindown: {totals(outcome.findings) or 'no findings'}", "", prose(text.summary(outcome, seconds)), "")
    room = _room(outcome.findings, page.left - 4 * _RESERVE)
    page.section(
        "### Findings", list(_findings(outcome.findings, room)), "findings", 4 * _RESERVE, outcome.findings[room:]
    )
    page.section("### Kept on purpose", list(_kept(outcome)), "images kept", 3 * _RESERVE)
    page.section("### Changed", list(_changed(outcome)), "changes", 2 * _RESERVE)
    page.section("### Notes", [f"- note: {prose(note)}" for note in notes], "notes", _RESERVE)
    return page.text()


def code(value: str, limit: int = 300) -> str:
    """Somebody else's text as code: nothing in it means anything to Markdown or HTML."""
    return f"<code>{_inert(shorten(value, limit))}</code>"


def prose(value: str, limit: int = 1000) -> str:
    """A sentence with somebody else's words in it: nothing in it means anything, and nobody is mentioned."""
    return _inert(_MENTION.sub("@\N{ZERO WIDTH SPACE}", shorten(value, limit)))


class _Page:
    """Lines within a number of bytes, `left` of which are free."""

    def __init__(self, limit: int) -> None:
        self.left, self._lines = limit, list[str]()

    def add(self, *lines: str) -> None:
        """Lines for which there is room."""
        self._lines += lines
        self.left -= sum(map(_size, lines))

    def section(
        self, title: str, lines: Sequence[str], what: str, reserve: int, omitted: Sequence[Finding] = ()
    ) -> None:
        """A heading with as many lines as fit, and how many of `what` do not (with those `omitted` already)."""
        if not lines:
            return
        self.add(title, "")
        taken = 0
        while taken < len(lines) and self.left - _size(lines[taken]) >= reserve:
            self.add(lines[taken])
            taken += 1
        left = len(omitted) + sum(line.startswith(("- ", "| <")) for line in lines[taken:])
        if left:
            self.add("", f"… and {left:,} more {what}; `--format json` tells all of them.")
        self.add("")

    def text(self) -> str:
        """The page."""
        return "\n".join(self._lines).rstrip("\n") + "\n"


def _room(found: Sequence[Finding], budget: int) -> int:
    """How many findings fit, errors first, with the headings of their files."""
    titled: set[str] = set()
    for position, one in enumerate(errors_first(found)):
        budget -= _size(_finding(one))
        if one.place.file not in titled:
            titled.add(one.place.file)
            budget -= _size(code(one.place.file)) + 100
        if budget < 0:
            return position
    return len(found)


def _findings(found: Sequence[Finding], room: int) -> Iterator[str]:
    by_file = groups(found, room)
    for at, group in enumerate(one for one in by_file if one.shown):
        if len(by_file) > 1 or group.file:
            title = code(group.file) if group.file else "Without a file"
            yield from (*([""] if at else []), f"{title}: {totals(group.found)}", "")
        yield from map(_finding, group.shown)


def _finding(one: Finding) -> str:
    place = one.place
    line = ":".join(str(part) for part in (place.line, place.column) if part)
    named = text.place(place._replace(file="", line=0, column=0))
    where = "".join((f" line {line}" if line else "", f" {code(named, 700)}" if named else ""))
    advice = f"<br>next: {prose(one.help)}" if one.help else ""
    return f"- **{_LABELS.get(one.severity, 'note')}** {code(one.rule)}{where}<br>{prose(one.message)}{advice}"


def _kept(outcome: Outcome) -> Iterator[str]:
    for one in kept(outcome):
        assert one.plan is not None
        why = prose(f"{one.plan.rule}: {one.plan.reason or ''}", 400)
        yield f"- {code(one.site.value)} at {code(_object(one), 700)} ({why})"


def _changed(outcome: Outcome) -> Iterator[str]:
    """A row for each change of a text, however often it is made, and one for each list of pull secrets that grew."""
    if outcome.failed:
        return
    changes = Counter((one.site.value, one.decision.text) for one in outcome.decided)
    rows = [(was, now, count) for (was, now), count in changes.items() if was != now]
    if rows:
        yield from ("| image | becomes | places |", "|---|---|---|")
        yield from (f"| {code(was)} | {code(now, 600)} | {count:,} |" for was, now, count in rows)
    if rows and outcome.injections:
        yield ""
    for added in outcome.injections:
        names = ", ".join(map(code, added.names))
        where = text.place(Place("", 0, 0, *added.resource[:4], added.path))
        yield f"- pull secrets {names} added at {code(where, 700)}"


def _object(one: Decided) -> str:
    return text.place(Place("", 0, 0, *one.site.resource[:4], one.site.path))


def _inert(value: str) -> str:
    return _MARKS.sub(lambda match: f"&#{ord(match[0])};", value)


def _size(line: str) -> int:
    return len(line.encode("utf-8", "replace")) + 1
