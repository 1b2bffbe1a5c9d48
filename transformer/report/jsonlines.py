"""For programs: JSON Lines, one object a line, keys always present (docs/output.md). Nothing here decides anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from transformer.errors import Finding, Place
from transformer.images.reference import Reference
from transformer.kube.survey import Site
from transformer.pipeline import Outcome, Where
from transformer.policy.plan import Plan

if TYPE_CHECKING:
    from transformer.policy.injection import Injection


def render(outcome: Outcome, where: Where, seconds: float, notes: Iterable[str] = ()) -> str:
    """A line per decision, one for each list of pull secrets that grew, one per finding and note; last the summary."""
    lines: list[dict[str, Any]] = [
        {
            **place(where(one.site)),
            "before": one.site.value,
            "after": one.decision.text,
            "decision": one.decision.outcome,
            "via": one.decision.via,
            "why": one.decision.why,
        }
        for one in outcome.decided
    ]
    if not outcome.failed:
        lines += [{"injected": _injected(one, where)} for one in outcome.injections]
    lines += [_finding(one) for one in outcome.findings]
    lines += [{"note": note} for note in notes]
    counts = outcome.counts._asdict()
    lines.append({"summary": {**counts, "seconds": round(seconds, 3)}})
    return "".join(map(_line, lines))


def sites(listed: Iterable[tuple[Site, Plan | None, str | None, str | None]], where: Where) -> str:
    """The answer of `list`: each site with its plan, action and rule."""
    lines = []
    for site, plan, action, rule in listed:
        place, image = where(site), plan.reference if plan else None
        lines.append(
            _line(
                {
                    "file": place.file,
                    "line": place.line,
                    "column": place.column,
                    "apiVersion": place.api_version,
                    "kind": place.kind,
                    "namespace": place.namespace,
                    "name": place.name,
                    "path": place.path,
                    "shape": site.shape,
                    "value": site.value,
                    **parts(image),
                    "action": action,
                    "rule": rule,
                    "reason": plan.reason if plan else None,
                }
            )
        )
    return "".join(lines)


def parts(image: Reference | None) -> dict[str, str | None]:
    """The parsed parts of a reference; all null when it could not be parsed."""
    registry, repository, tag, digest = image[:4] if image else (None,) * 4
    return {"registry": registry, "repository": repository, "tag": tag, "digest": digest}


def findings(found: Sequence[Finding]) -> str:
    """Findings alone."""
    return "".join(_line(_finding(one)) for one in found)


def line(value: dict[str, Any]) -> str:
    """One object as a line."""
    return _line(value)


def place(where: Place) -> dict[str, Any]:
    """Where something stands, by the contract's keys."""
    return {
        "file": where.file or None,
        "line": where.line or None,
        "column": where.column or None,
        "kind": where.kind,
        "namespace": where.namespace,
        "name": where.name,
        "path": where.path,
    }


def _injected(one: Injection, where: Where) -> dict[str, Any]:
    to = "serviceAccount" if one.is_account else "pod"
    return {**place(where(one)), "pullSecrets": list(one.names), "to": to}


def _finding(one: Finding) -> dict[str, Any]:
    return {"rule": one.rule, "severity": one.severity, "message": one.message, "help": one.help, **place(one.place)}


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
