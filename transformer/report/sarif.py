"""For code scanning: SARIF 2.1.0 (OASIS), one run with a result for each finding and each image that is kept.

A result is known again by what it is about (rule, file, object, field), not by its line. URIs are relative to `root`.
GitHub reads at most 5,000 results of a run, so no more are written, errors first, and the true total is told.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from transformer import __version__
from transformer.errors import Finding, Place
from transformer.images.reference import shorten
from transformer.kube.survey import Site
from transformer.pipeline import Decided, Outcome, Where
from transformer.report import text
from transformer.report.rules import WORDS
from transformer.report.spots import Spots, end_of, kept
from transformer.report.tally import errors_first, number
from transformer.text.edits import Edit
from transformer.text.source import File, Positions

#: Results that GitHub reads of a run.
LIMIT = 5000
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning"}
_ROOT = "%SRCROOT%"
#: The rule of an image that is kept.
_KEPT = "unpinned"


def render(outcome: Outcome, where: Where, notes: Sequence[str] = (), root: str = "", limit: int = LIMIT) -> str:
    """One log with one run. `root` is the absolute path to which URIs are relative: the repository, as a rule."""
    return json.dumps(_log(outcome, where, notes, root, limit), ensure_ascii=False, separators=(",", ":")) + "\n"


def _log(outcome: Outcome, where: Where, notes: Sequence[str], root: str, limit: int) -> dict[str, Any]:
    results, total = _Results(outcome, where, root), len(outcome.findings)
    made = [results.finding(one) for one in errors_first(outcome.findings)[:limit]]
    keeps = list(kept(outcome))
    made += [results.keep(one, where(one.site)) for one in keeps[: limit - len(made)]]
    if len(made) < total + len(keeps):
        told = (
            f"{number(total, 'finding')} and {number(len(keeps), 'kept image')}; this file holds {len(made):,} of them"
        )
        notes = (*notes, f"{told}, errors first; --format json has all")
    said = [{"level": "note", "message": _message(note)} for note in notes]
    run = {
        "tool": {"driver": _driver(made)},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": said}],
        "columnKind": "unicodeCodePoints",
        "results": made,
        "properties": {**outcome.counts._asdict(), "findings": total, "resultsWritten": len(made)},
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _driver(results: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    rules = sorted({one["ruleId"] for one in results})
    described = [{"id": rule, "shortDescription": {"text": WORDS.get(rule, rule)}} for rule in rules]
    return {"name": "pindown", "version": __version__, "rules": described}


class _Results:
    """Makes the results; knows how often each fingerprint was given, and where the lines of a file begin."""

    def __init__(self, outcome: Outcome, where: Where, root: str) -> None:
        self._spots, self._root = Spots(outcome, where), root
        self._given: dict[str, int] = {}
        self._positions: dict[int, Positions] = {}

    def finding(self, one: Finding) -> dict[str, Any]:
        """A finding, with the replacement that answers it where one is known."""
        site, edits = self._spots.site(one), self._spots.fixes(one)
        advice = f"\nnext: {shorten(one.help, 1000)}" if one.help else ""
        made = self._result(one.rule, _LEVELS.get(one.severity, "note"), one.message, advice, one.place, site)
        if edits and site is not None:
            made["fixes"] = [self._fix(site, one.place, edits)]
        return made

    def keep(self, one: Decided, place: Place) -> dict[str, Any]:
        """An image that is kept on purpose: a result that its reason suppresses."""
        assert one.plan is not None
        reason = f"{one.plan.rule}: {shorten(one.plan.reason or '', 300)}"
        made = self._result(_KEPT, "note", f"{shorten(one.site.value)} is kept ({reason})", "", place, one.site)
        is_annotation = one.plan.rule.startswith("annotation")
        kind = "inSource" if is_annotation else "external"
        return made | {"suppressions": [{"kind": kind, "justification": shorten(reason, 400)}]}

    def _result(
        self, rule: str, level: str, message: str, advice: str, place: Place, site: Site | None
    ) -> dict[str, Any]:
        fingerprint = self._fingerprint(rule, place, site)
        return {
            "ruleId": rule,
            "level": level,
            "message": _message(message, advice),
            "locations": [self._location(place, site)],
            # The first is the only one that GitHub looks at; it would be made from the line's text otherwise.
            "partialFingerprints": {"primaryLocationLineHash": fingerprint, "pindown/v1": fingerprint},
        }

    def _fingerprint(self, rule: str, place: Place, site: Site | None) -> str:
        """From what does not change when lines or other containers come and go; equal ones are numbered."""
        path = place.path or ""
        if site is not None and site.container:
            path = f"{path.rpartition('[')[0]} {site.container} {path.rpartition(']')[2]}"
        parts = (rule, _uri(place.file, self._root), place.kind, place.namespace, place.name, path)
        digest = sha256(json.dumps(parts).encode()).hexdigest()[:32]
        self._given[digest] = self._given.get(digest, 0) + 1
        return f"{digest}:{self._given[digest]}"

    def _location(self, place: Place, site: Site | None) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if place.file:
            made["physicalLocation"] = {"artifactLocation": _artifact(place.file, self._root)}
            if place.line:
                made["physicalLocation"]["region"] = self._region_of(place, site)
        named = text.place(place._replace(file="", line=0, column=0))
        if named:
            made["logicalLocations"] = [{"fullyQualifiedName": named, "kind": "resource"}]
        return made

    def _region_of(self, place: Place, site: Site | None) -> dict[str, int]:
        region = {"startLine": place.line} | ({"startColumn": place.column} if place.column else {})
        end = None if site is None else end_of(site)
        return region if end is None or site is None or not place.column else self._region(site.file, site.offset, end)

    def _region(self, file: File, start: int, end: int) -> dict[str, int]:
        positions = self._positions.setdefault(id(file), Positions(file.text))
        (line, column), (last, behind) = positions(start), positions(end)
        return {"startLine": line, "startColumn": column, "endLine": last, "endColumn": behind}

    def _fix(self, site: Site, place: Place, edits: Sequence[Edit]) -> dict[str, Any]:
        replacements = [
            {"deletedRegion": self._region(site.file, edit.start, edit.end), "insertedContent": {"text": edit.text}}
            for edit in edits
        ]
        change = {"artifactLocation": _artifact(place.file, self._root), "replacements": replacements}
        return {"description": {"text": "write the digest"}, "artifactChanges": [change]}


def _artifact(file: str, root: str) -> dict[str, str]:
    return {"uri": _uri(file, root), "uriBaseId": _ROOT}


def _uri(file: str, root: str) -> str:
    """A path as a relative URI; its bytes as the file system has them."""
    path = posixpath.normpath(file) if file else ""
    if posixpath.isabs(path):
        path = posixpath.relpath(path, root) if posixpath.isabs(root) else path.lstrip("/")
    try:
        data = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = path.encode("utf-8", "replace")
    return quote(data, safe="/")


def _message(message: str, advice: str = "") -> dict[str, str]:
    """Somebody's words as SARIF's plain text, in which `[text](target)` would be a link (SARIF 2.1.0, 3.11.6)."""
    told = shorten(message, 1000) + advice
    return {"text": told.replace("[", "\\[").replace("]", "\\]") if "](" in told else told}
