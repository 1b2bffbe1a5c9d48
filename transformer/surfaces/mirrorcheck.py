"""`mirrors check`: whether every location of every image serves what its source serves, asked in one batch.

A render stops at the first location that will do; this asks all of them, and with --all-variants for every combination
of the policy's matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from transformer.errors import EXIT_FINDINGS, EXIT_FINE, Finding
from transformer.kube.survey import Site, keep_reason
from transformer.pipeline import Run, Where
from transformer.policy.collisions import Landing, collisions
from transformer.policy.mirrors import Candidate
from transformer.policy.plan import THERE, Plan, Planner
from transformer.policy.pullsecrets import Scoper, to_be_added
from transformer.policy.questions import Answer, Missing, Question, Refusal
from transformer.report import proofs as report
from transformer.report.proofs import Counts, Proof
from transformer.surfaces import console, inputs
from transformer.surfaces.job import Job
from transformer.surfaces.settings import Settings, Variant, for_files

Answers = Mapping[Question, Answer]


class _Asked(NamedTuple):
    """A location of an image, and what is to be found out.

    `meaning` asks the source for the digest; None where that is written, or where the mirror decides.
    """

    site: Site
    plan: Plan
    variant: Variant
    location: Candidate
    question: Question
    meaning: Question | None


def run(paths: Sequence[str], settings: Settings) -> int:
    """Prints the proofs; exit code 1 when a location does not serve its image, or a text could not be read."""
    files, findings, rendered = inputs.read(paths)
    settings = for_files(settings, files)
    job, where = Job.begin(settings), Where()
    work = Run(settings.policy, rendered, where, everything=True)
    for file in files:
        work.survey.file(file)
    batch = _Batch(work, settings)
    resolver = job.resolver(fresh=True)
    answers = resolver.ask(batch.questions(), batch.scoper.scopes) if batch.asked else {}
    proofs = [batch.proof(one, answers, where) for one in batch.asked]
    findings = [*findings, *work.findings(), *batch.refused(where), *batch.collisions(answers, where)]
    counts = Counts(
        len({one.plan.text for one in batch.asked}), len(batch.unmirrored), getattr(resolver, "requests", 0)
    )
    render = report.lines if settings.format == "json" else report.table
    console.write_result(render(proofs, findings, counts, job.seconds()))
    for note in (*settings.policy.notes, *getattr(resolver, "notes", ())):
        console.say(f"note: {note}\n")
    failed = any(one.refusal is not None for one in proofs) or any(one.severity == "error" for one in findings)
    return EXIT_FINDINGS if failed else EXIT_FINE


class _Batch:
    """Every location of every image, in every variant, each once."""

    def __init__(self, work: Run, settings: Settings) -> None:
        self.scoper = Scoper(work.survey.secrets, work.survey.accounts)
        self.asked: list[_Asked] = []
        self.unmirrored: set[str] = set()
        #: Images that the policy cannot send to their mirror, whatever is there.
        self._refused: dict[tuple[str, Variant], tuple[Site, Plan]] = {}
        self._seen: set[tuple[Variant, Question]] = set()
        sites = [site for site, plan, early in work.plan() if early is None and plan is not None]
        for policy, variant in settings.variants:
            planner = Planner(policy)
            for site in sites:
                self._add(planner, variant, site)

    def questions(self) -> set[Question]:
        """All there is to ask."""
        return {question for one in self.asked for question in (one.question, one.meaning) if question is not None}

    def _add(self, planner: Planner, variant: Variant, site: Site) -> None:
        plan = planner.plan(site.value, keep_reason(site))
        if plan.reference is None or plan.action == "deny":
            return
        if plan.refusals:
            self._refused.setdefault((plan.text, variant), (site, plan))
        proofs = planner.proofs(plan)
        if not (proofs or plan.refusals or plan.mirror is not None):
            self.unmirrored.add(plan.text)
        for location, question in proofs:
            added = to_be_added(planner.policy.pull_secrets, plan)
            question = question._replace(scope=self.scoper.scope(site, question, added))
            if (variant, question) in self._seen:
                continue
            self._seen.add((variant, question))
            told = question.source.digest is not None or question.resolve_at == "mirror" or location.rule == THERE
            meaning = None if told else question._replace(locations=(), warm=(), verify="same-digest")
            self.asked.append(_Asked(site, plan, variant, location, question, meaning))

    def proof(self, one: _Asked, answers: Answers, where: Where) -> Proof:
        """What came of one location."""
        answer = answers[one.question]
        refusal = answer.refusals[0] if isinstance(answer, Missing) else None
        if refusal is not None and one.location.rule == THERE and refusal.rule == "not-found":
            refusal = refusal._replace(rule="mirror-missing", help="copy the image there, or let the mirror fetch it")
        expected = self._expected(one, answers)
        if not isinstance(answer, Missing):
            if one.question.resolve_at == "mirror" and expected not in (None, answer.digest):
                refusal = _disagrees(one, str(expected), answer.digest)
            expected = expected or answer.digest
        notes = () if isinstance(answer, Missing) else answer.notes
        location = one.question.locations[0] if one.question.locations else one.location.reference
        return Proof(
            where(one.site), one.plan.text, one.variant, location.written, one.location.rule, expected, refusal, notes
        )

    def refused(self, where: Where) -> Iterator[Finding]:
        """What is wrong with the names that the policy makes."""
        for site, plan in self._refused.values():
            for one in plan.refusals:
                yield Finding(one.rule, one.message, one.help, place=where(site))

    def collisions(self, answers: Answers, where: Where) -> Iterator[Finding]:
        """Sources that share a name at a mirror; in each variant for itself."""
        for variant in dict.fromkeys(one.variant for one in self.asked):
            asked = [one for one in self.asked if one.variant == variant and one.location.rule != THERE]
            landings = [
                Landing(
                    one.question.source.name,
                    one.location.reference.name,
                    one.location.rule,
                    one.question.verify == "same-digest" and not isinstance(answers[one.question], Missing),
                )
                for one in asked
            ]
            for at, refusal, severity in collisions(landings):
                yield Finding(refusal.rule, refusal.message, refusal.help, severity, where(asked[at].site))

    def _expected(self, one: _Asked, answers: Answers) -> str | None:
        """The digest that a location must serve, as far as it is known."""
        if one.question.source.digest is not None or one.location.rule == THERE:
            return one.question.source.digest
        if one.meaning is None:  # the mirror decides: the first location that answers
            others = (answers[each.question] for each in self._locations(one))
            return next((answer.digest for answer in others if not isinstance(answer, Missing)), None)
        answer = answers[one.meaning]
        return None if isinstance(answer, Missing) else answer.digest

    def _locations(self, one: _Asked) -> Iterator[_Asked]:
        key = one.variant, one.question.source, one.question.platform
        return (each for each in self.asked if (each.variant, each.question.source, each.question.platform) == key)


def _disagrees(one: _Asked, expected: str, found: str) -> Refusal:
    location = one.question.locations[0]
    return Refusal(
        "mirror-differs",
        f"{location.name} has {found}, and another location of {one.plan.mirror} has {expected}",
        "fill both from the same source",
    )
