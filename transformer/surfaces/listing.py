"""`list`: every site and what the policy would do with it, without asking anyone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from transformer.errors import EXIT_FINDINGS, EXIT_FINE, Finding
from transformer.images.reference import shorten
from transformer.kube.survey import Site
from transformer.pipeline import Run, Where
from transformer.policy.decide import Decision
from transformer.policy.plan import Plan
from transformer.report import jsonlines
from transformer.report import text as report_text
from transformer.surfaces import console, inputs, settings
from transformer.surfaces.job import Job

#: A site, its plan if it has one, and the action and rule that hold for it (None when unknown).
Row: TypeAlias = "tuple[Site, Plan | None, str | None, str | None]"
_COLUMNS = ("PLACE", "OBJECT", "PATH", "IMAGE", "ACTION", "RULE")


def run(paths: Sequence[str], flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """Prints the list; exit code 1 when some text could not be read or holds what no policy allows."""
    gathered = settings.gather(flags, environ, os.getcwd(), default_timeout=None)
    files, findings, rendered = inputs.read(paths)
    job = Job.begin(settings.for_files(gathered, files))
    where = Where()
    work = Run(job.settings.policy, rendered, where, everything=True)
    for file in files:
        work.survey.file(file)
    rows = [(site, plan, *_action(plan, early)) for site, plan, early in work.plan()]
    rows.sort(key=lambda row: (row[0].file.name, row[0].offset))
    findings = [*findings, *work.findings(), *_unparsable(rows, where)]
    as_json = job.settings.format == "json"
    told = jsonlines.sites(rows, where) if as_json else _table(rows, where)
    console.write_result(told)
    if findings:
        job.tell(
            jsonlines.findings(findings) if as_json else "".join(report_text.finding(one) + "\n" for one in findings)
        )
    return EXIT_FINDINGS if any(one.severity == "error" for one in findings) else EXIT_FINE


def _action(plan: Plan | None, early: Decision | None) -> tuple[str | None, str | None]:
    if early is not None:
        return ("keep" if early.outcome == "kept" else None), early.why
    if plan is None or plan.reference is None:
        return None, None
    return plan.action, plan.rule


def _because(plan: Plan | None, rule: str | None) -> str:
    if plan is None or not plan.reason or rule != plan.rule:
        return rule or "-"
    return f"{rule}: {shorten(plan.reason, 300)}"


def _unparsable(rows: Sequence[Row], where: Where) -> list[Finding]:
    return [
        Finding(one.rule, one.message, one.help, place=where(site))
        for site, plan, _, _ in rows
        if plan is not None and plan.reference is None
        for one in plan.refusals
    ]


def _table(rows: Sequence[Row], where: Where) -> str:
    cells: list[tuple[str, ...]] = [_COLUMNS]
    for site, plan, action, rule in rows:
        place, named = where(site), f"{site.resource.kind or '?'}/{site.resource.name or '?'}"
        position = f"{place.file}:{place.line}:{place.column}"
        row = (position, named, site.path, site.value, action or "-", _because(plan, rule))
        cells.append(tuple([shorten(cell, 200) for cell in row]))
    widths = [max(len(row[index]) for row in cells) for index in range(len(_COLUMNS) - 1)]
    return "".join("  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() + "\n" for row in cells)
