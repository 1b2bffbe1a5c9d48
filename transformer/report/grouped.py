"""For people at a terminal or in a host's panel: findings by file, each with its place in full and the image under it.

Every line can be understood alone, because panels cut and filter. What a finding says is `text`'s to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transformer.errors import Finding
from transformer.images.reference import shorten
from transformer.pipeline import Outcome, Where
from transformer.report import text
from transformer.report.spots import Spots, excerpt
from transformer.report.tally import groups, pointer, totals

#: Findings that are shown; more than anyone reads, and an error panel has to carry them.
LIMIT = 1000


def render(outcome: Outcome, where: Where, seconds: float, color: bool = False, quiet: bool = False) -> str:
    """The findings by file, what is kept, and the summary (only when there is something to say, if `quiet`)."""
    lines = list(_findings(outcome, where, color))
    if not quiet or lines:
        lines += text.kept(outcome)
        lines.append(text.summary(outcome, seconds))
    return "".join(line + "\n" for line in lines)


def _findings(outcome: Outcome, where: Where, color: bool) -> Iterator[str]:
    spots, by_file = Spots(outcome, where), groups(outcome.findings, LIMIT)
    for file, found, shown in by_file:
        if len(by_file) > 1 and shown:
            yield f"{shorten(file) or 'without a file'}: {totals(found)}"
        for one in shown:
            yield from _finding(one, spots, color)
    more = pointer(outcome.findings, LIMIT)
    if more:
        yield f"… and {more} more; --format json tells all of them"


def _finding(one: Finding, spots: Spots, color: bool) -> Iterable[str]:
    head, *following = text.finding(one, color).splitlines()
    return (head, *_source(one, spots), *following)


def _source(one: Finding, spots: Spots) -> Iterable[str]:
    """The image as it stands there, and a caret under each character that is meant."""
    site = spots.site(one)
    piece = None if site is None else excerpt(one, site)
    if piece is None:
        return ()
    number = str(one.place.line or "")
    return (
        f"  {number:>5} | {piece.text}",
        f"  {'':>5} | {' ' * piece.start}{'^' * piece.length}",
    )
