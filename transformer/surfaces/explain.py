"""`explain`: what happens to one reference and why, from its parsed parts to what would be written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from transformer.errors import EXIT_FINDINGS, EXIT_FINE, UsageError
from transformer.images import reference
from transformer.images.reference import ReferenceError, shorten
from transformer.policy.decide import Decision, decide
from transformer.policy.plan import Plan, Planner
from transformer.policy.questions import Refusal
from transformer.report import jsonlines
from transformer.surfaces import console, settings
from transformer.surfaces.job import Job, credentials

Stories = Mapping[tuple[str, str, str], str]


def run(references: Sequence[str], flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """Prints a block (or a JSON line) for each reference; exit code 1 when one of them has an error."""
    if not references:
        raise UsageError("name at least one reference, such as: pindown explain nginx:1.27")
    job = Job.begin(settings.gather(flags, environ, os.getcwd(), default_timeout=45))
    planner = Planner(job.settings.policy)
    plans = [planner.plan(text) for text in references]
    questions = {plan.question for plan in plans if plan.question is not None}
    resolver = job.resolver()
    answers = resolver.ask(questions) if questions and not job.settings.offline else {}
    stories = getattr(resolver, "stories", {})
    told, failed = [], False
    for text, plan in zip(references, plans, strict=True):
        decision = _decide(plan, answers)
        error = _error(text, decision)
        failed = failed or error is not None
        told.append(
            _json(text, plan, decision, error, job, stories)
            if job.settings.format == "json"
            else _block(text, plan, decision, error, job, stories)
        )
    console.write_result("".join(told))
    return EXIT_FINDINGS if failed else EXIT_FINE


def _decide(plan: Plan, answers: Mapping[Any, Any]) -> Decision | None:
    """None where an answer would be needed and nobody was asked."""
    if plan.question is None:
        return decide(plan, None)
    answer = answers.get(plan.question)
    return None if answer is None else decide(plan, answer)


def _error(text: str, decision: Decision | None) -> Refusal | None:
    try:
        reference.parse(text)
    except ReferenceError as error:
        return Refusal(error.code, str(error), decision.refusals[0].help if decision and decision.refusals else "")
    return decision.refusals[0] if decision is not None and decision.refusals else None


def _json(text: str, plan: Plan, decision: Decision | None, error: Refusal | None, job: Job, stories: Stories) -> str:
    image = plan.reference
    return jsonlines.line(
        {
            "input": text,
            **jsonlines.parts(image),
            "canonical": image.canonical if image else None,
            "action": plan.action if image else None,
            "rule": plan.rule if image else None,
            "candidates": [{"reference": one, "role": role, "rule": rule} for one, role, rule in _candidates(plan)],
            "credentials": [{"registry": host, "chain": chain} for host, chain in _credentials(plan, job, stories)],
            "written": None if decision is None or error else decision.text,
            "error": None if error is None else {"code": error.rule, "message": error.message},
        }
    )


def _candidates(plan: Plan) -> list[tuple[str, str, str | None]]:
    """Who could serve the image, in the order in which they are tried."""
    if plan.reference is None or plan.action == "deny":
        return []
    found: list[tuple[str, str, str | None]] = [(one.reference.written, "mirror", one.rule) for one in plan.locations]
    return [*found, (plan.reference.normalised().written, "source", None)]


def _block(text: str, plan: Plan, decision: Decision | None, error: Refusal | None, job: Job, stories: Stories) -> str:
    image = plan.reference
    rows: list[tuple[str, str]] = []
    if image is not None:
        rows += [("registry", image.registry), ("repository", image.repository), ("tag", image.tag or "(none)")]
        rows += [("digest", image.digest or "(none)"), ("action", plan.action)]
        rows.append(("rule", plan.rule + (f" ({shorten(plan.reason)})" if plan.reason else "")))
        rows += [(role, one + (f" ({rule})" if rule else "")) for one, role, rule in _candidates(plan)]
        rows += [(f"credential for {host}", source) for host, source in _credentials(plan, job, stories)]
    if decision is None:
        rows.append(("written", "(unknown: nothing was asked, this run is offline)"))
    elif error is None:
        rows.append(("written", decision.text + (f" ({shorten(decision.why, 300)})" if decision.why else "")))
    if error is not None:
        rows.append(("error", f"[{error.rule}] {error.message}"))
        if error.help:
            rows.append(("next", error.help))
    width = max(len(key) for key, _ in rows)
    return (shorten(text, 300) or '""') + "\n" + "".join(f"  {key.ljust(width)}  {value}\n" for key, value in rows)


def _credentials(plan: Plan, job: Job, stories: Stories) -> list[tuple[str, str]]:
    """For each registry that could be asked: the chain that was tried and what came of it, or would be tried."""
    if plan.question is None or job.settings.offline:
        return []
    from transformer.registry.keychain import Wanted, ambient_keychain

    chain, scope = ambient_keychain(os.environ, credentials=credentials(job.settings.policy)), plan.question.scope
    told: dict[str, str] = {}
    for one in (*plan.question.locations, plan.question.source):
        story = stories.get((one.registry, one.repository, scope))
        told[one.registry] = story or chain.describe(Wanted(one.registry, one.repository, scope))
    return list(told.items())
