"""Which image a finding is about: its site, the edits made for it, and the piece of source to show. Decides nothing.

Only the place of an image is ever shown, never the rest of its line: in a JSON text the line may hold a Secret too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from transformer.errors import Finding, Place
from transformer.images.reference import shorten
from transformer.kube.survey import Site
from transformer.pipeline import Decided, Outcome, Where
from transformer.text.edits import Edit
from transformer.text.tree import Scalar

#: What an edit mends. Another finding at the same image (a mirror that lacks it) is not answered by pinning it.
MENDED = frozenset(("unpinned", "drift"))
#: Findings about the digest rather than the name.
_ABOUT_DIGEST = frozenset(("digest-mismatch", "drift", "not-found", "platform-missing", "schema1"))
#: What may stand before an image on its line and be shown: dashes, keys and an anchor.
_LEAD = re.compile(r"[ \t]*((?:(?:- +)|(?:[\w./-]+:[ \t]+)|(?:&[\w-]+ +))*)")
_LIMIT = 200


class Excerpt(NamedTuple):
    """A piece of one line, and which characters of it are meant."""

    text: str
    start: int
    length: int


class Spots:
    """The images of an Outcome by their places; empty when there is no finding that could be about one."""

    def __init__(self, outcome: Outcome, where: Where) -> None:
        self._outcome = outcome
        self._sites: Mapping[Place, Decided] = {}
        if outcome.findings:
            wanted = {one.place for one in outcome.findings}
            places = ((where(one.site), one) for one in outcome.decided)
            self._sites = {place: one for place, one in places if place in wanted}
        self._edits = {id(file): edits for file, edits in zip(outcome.files, outcome.edits, strict=True)}

    def site(self, finding: Finding) -> Site | None:
        """The image that a finding is about."""
        found = self._sites.get(finding.place)
        return None if found is None else found.site

    def fixes(self, finding: Finding) -> list[Edit]:
        """The edits that answer a finding, in the order of the text; none where the text's lines mean nothing."""
        site = self.site(finding) if finding.rule in MENDED and finding.place.line else None
        if site is None:
            return []
        spans = [(scalar.start, scalar.end) for scalar in site.scalars if scalar is not None]
        return sorted(
            edit
            for edit in self._edits.get(id(site.file), ())
            if any(start <= edit.start and edit.end <= end for start, end in spans)
        )


def end_of(site: Site) -> int | None:
    """Where an image's text ends, if that is on the line where it starts."""
    scalar = _first(site)
    text = site.file.text[scalar.start : scalar.end]
    return None if scalar.style in ("|", ">") or "\n" in text or "\r" in text else scalar.end


def excerpt(finding: Finding, site: Site) -> Excerpt | None:
    """The image as it stands in its line, and the characters that the finding means: the reference, or its digest."""
    end = end_of(site)
    if end is None:
        return None
    text, scalar = site.file.text, _first(site)
    before = text[text.rfind("\n", 0, scalar.start) + 1 : scalar.start]
    lead = _LEAD.fullmatch(before[-_LIMIT:])
    shown, quote = (lead[1] if lead else "… "), len(scalar.style)
    line = shorten(shown + text[scalar.start : end], _LIMIT)
    start, stop = len(shown) + quote, len(shown) + (end - scalar.start) - quote
    at = text.find("@", scalar.start, end)
    if at >= 0 and finding.rule in _ABOUT_DIGEST:
        start = len(shown) + at + 1 - scalar.start
    stop = min(stop, len(line))
    return Excerpt(line, start, max(stop - start, 1)) if start < len(line) else None


def kept(outcome: Outcome) -> Iterable[Decided]:
    """The images that somebody keeps on purpose: every report names them and the reason."""
    for one in outcome.decided:
        if one.plan is not None and one.plan.action == "keep" and one.decision.outcome == "kept":
            yield one


def _first(site: Site) -> Scalar:
    return next(scalar for scalar in site.scalars if scalar is not None)
