"""The answer of `mirrors check`: a row for each location of each image, what is wrong, and one line of totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from transformer.errors import Finding, Place
from transformer.images.reference import shorten
from transformer.policy.questions import Refusal
from transformer.report import jsonlines
from transformer.report import text as report_text

_COLUMNS = ("IMAGE", "LOCATION", "VERDICT", "DIGEST", "PLACE")
#: What a failed proof is called in a table, by rule; everything else is `failed`.
_VERDICTS = {"mirror-missing": "missing", "mirror-differs": "differs"}


class Proof(NamedTuple):
    """One location of one image: `digest` is what it must serve (None: unknown), `refusal` why it does not."""

    place: Place
    image: str
    variant: tuple[tuple[str, str], ...]
    location: str
    #: The location's name in the policy.
    rule: str
    digest: str | None
    refusal: Refusal | None = None
    #: Worth a warning although the policy allows it.
    notes: tuple[Refusal, ...] = ()

    @property
    def verdict(self) -> str:
        return "serves" if self.refusal is None else _VERDICTS.get(self.refusal.rule, "failed")


class Counts(NamedTuple):
    """Distinct `images` with a mirror, those without one, and `requests` sent."""

    images: int
    unmirrored: int
    requests: int


def table(proofs: Sequence[Proof], findings: Sequence[Finding], counts: Counts, seconds: float) -> str:
    """For people: the table, every finding, and the summary."""
    with_variant = any(one.variant for one in proofs)
    rows: list[tuple[str, ...]] = [("VARIANT", *_COLUMNS) if with_variant else _COLUMNS]
    for one in proofs:
        position = ":".join(str(part) for part in one.place[:3] if part)
        cells = (one.image, one.location, one.verdict, one.digest or "-", position)
        rows.append((_variant(one), *cells) if with_variant else cells)
    rows = [tuple(shorten(cell, 200) for cell in row) for row in rows]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in rows] if proofs else []
    # A source that fails does so for each of its locations, in each variant: it is told once.
    told = {(one.place, one.refusal, one.notes): one for one in reversed(proofs)}
    found = [finding for proof in reversed(told.values()) for finding in _findings(proof)]
    lines += [report_text.finding(one) for one in (*findings, *found)]
    return "".join(line + "\n" for line in (*lines, _summary(proofs, findings, counts, seconds)))


def lines(proofs: Sequence[Proof], findings: Sequence[Finding], counts: Counts, seconds: float) -> str:
    """For programs: a line for each proof, one for each other finding, and the summary as the last."""
    told = "".join(jsonlines.line(_object(one)) for one in proofs) + jsonlines.findings(findings)
    served = sum(one.refusal is None for one in proofs)
    totals = {"images": counts.images, "unmirrored": counts.unmirrored, "locations": len(proofs), "serve": served}
    return told + jsonlines.line({"summary": {**totals, "requests": counts.requests, "seconds": round(seconds, 3)}})


def _object(one: Proof) -> dict[str, object]:
    return {
        "image": one.image,
        "variant": dict(one.variant),
        "location": one.location,
        "rule": one.rule,
        "digest": one.digest,
        "verdict": one.verdict,
        "findings": [
            {"rule": each.rule, "severity": each.severity, "message": each.message, "help": each.help}
            for each in _findings(one)
        ],
        **jsonlines.place(one.place),
    }


def _findings(one: Proof) -> list[Finding]:
    """What is wrong with a location, and what is allowed and worth a word."""
    told = [(each, "warning") for each in one.notes]
    if one.refusal is not None:
        told.append((one.refusal, "error"))
    suffix = f" ({_variant(one)})" if one.variant else ""
    return [Finding(each.rule, each.message + suffix, each.help, severity, one.place) for each, severity in told]


def _variant(one: Proof) -> str:
    return ",".join(f"{name}={value}" for name, value in one.variant)


def _summary(proofs: Sequence[Proof], findings: Sequence[Finding], counts: Counts, seconds: float) -> str:
    served = sum(one.refusal is None for one in proofs)
    parts = [f"{served} of {len(proofs)} locations serve their image"]
    if counts.unmirrored:
        parts.append(f"{counts.unmirrored} images have no mirror")
    if findings:
        parts.append(f"{len(findings)} other findings")
    ending = f"{counts.requests} requests, {seconds:.1f} s"
    return f"pindown: {counts.images} images with a mirror: {', '.join(parts)}; {ending}"
