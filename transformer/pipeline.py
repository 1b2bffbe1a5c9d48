"""The main job: sites in, decisions and edits out. Pure but for the one call to the resolver.

plan -> ask (once, in one batch) -> decide -> edit. Knows no surface and no registry, only the Resolver protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from transformer.errors import Finding, Place
from transformer.images import reference
from transformer.images.reference import shorten
from transformer.kube import facts
from transformer.kube.shapes import SHAPES, Written
from transformer.kube.survey import Oddity, Site, Standing, Survey, keep_reason
from transformer.policy import judge
from transformer.policy.collisions import collisions, landings_of
from transformer.policy.decide import Decision, decide
from transformer.policy.model import Policy
from transformer.policy.plan import Plan, Planner
from transformer.policy.questions import AMBIENT, NO_SCOPES, Answer, Question, Refusal, Resolver, Scopes
from transformer.text.edits import Edit, apply, respell
from transformer.text.source import File, Positions
from transformer.text.tree import Scalar, TextError

if TYPE_CHECKING:
    from transformer.policy.injection import Injection


class Decided(NamedTuple):
    """A site with what was planned and decided for it. The plan is None where the text never came to a policy."""

    site: Site
    plan: Plan | None
    decision: Decision


#: A site with its plan (see Decided), and the decision where nothing needs to be asked or judged.
Planned: TypeAlias = "tuple[Site, Plan | None, Decision | None]"


class Counts(NamedTuple):
    """`sites` seen, distinct `images`, what became of the sites, and `requests` sent."""

    sites: int
    images: int
    pinned: int
    kept: int
    refused: int
    requests: int


class Outcome(NamedTuple):
    """All that a door or a report needs. `edits` go with the file of the same index."""

    files: tuple[File, ...]
    edits: tuple[tuple[Edit, ...], ...]
    decided: tuple[Decided, ...]
    findings: tuple[Finding, ...]
    counts: Counts
    documents: int
    #: Pull secrets that are added; `edits` has them too.
    injections: tuple[Injection, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a finding is an error: then nothing may be emitted."""
        return any(finding.severity == "error" for finding in self.findings)

    def text(self, index: int = 0) -> str:
        """The text of a file after its edits."""
        return apply(self.files[index].text, self.edits[index])


class Where:
    """Says where something stands: file, line and resource."""

    def __init__(self) -> None:
        self._positions: dict[int, Positions] = {}

    def __call__(self, thing: Standing) -> Place:
        positions = self._positions.setdefault(id(thing.file), Positions(thing.file.text))
        return Place(thing.file.name, *positions(thing.offset), *thing.resource[:4], thing.path)


class Run:
    """One run: `survey` first, then `finish` (or only `plan`).

    `rendered`: whether the text is what will be deployed. `everything`: list also what the policy would leave alone.
    """

    def __init__(
        self, policy: Policy, rendered: bool = True, where: Where | None = None, everything: bool = False
    ) -> None:
        self._rendered, self._where = rendered, where or Where()
        self._planner, self._validates = Planner(policy), policy.mode == "validate"
        self._plans: dict[tuple[str, str | None], Plan] = {}
        self._decisions: dict[int, Decision] = {}
        self._findings: list[Finding] = []
        self._oddities: Sequence[Oddity] = ()
        passes_over = self._planner.leaves_pinned_alone and not everything
        self.survey = Survey(policy.fields, _carries_digest if passes_over else _nothing, rendered)

    def plan(self) -> list[Planned]:
        """Each site with its plan, or with the decision where nothing needs to be asked or judged."""
        return [(site, *self._plan(site)) for site in self.survey.sites]

    def finish(self, files: Sequence[File], resolver: Resolver) -> Outcome:
        """Plans, asks, decides and edits what the survey holds."""
        planned, scopes = self._in_scopes(self.plan())
        questions = {plan.question for _, plan, early in planned if plan and plan.question and early is None}
        answers = resolver.ask(questions, scopes) if questions else {}
        decided = tuple(
            Decided(site, plan, early or self._decide(site, plan, answers)) for site, plan, early in planned
        )
        self._collide(decided)
        edits = self._edit(decided).made
        injections = self._inject(decided, edits)
        by_file = tuple(tuple(edits.get(id(file), ())) for file in files)
        counts = self._count(decided, getattr(resolver, "requests", 0))
        return Outcome(tuple(files), by_file, decided, self.findings(), counts, self.survey.documents, injections)

    def findings(self) -> tuple[Finding, ...]:
        """What was found so far, errors first, in the order of the text."""
        odd = [judge.judge(oddity, self._where(oddity)) for oddity in (*self.survey.oddities, *self._oddities)]
        return tuple(sorted((*odd, *self._findings), key=_order))

    def _plan(self, site: Site) -> tuple[Plan | None, Decision | None]:
        reason = keep_reason(site)
        if reason is not None and not reason.strip():
            advice = 'write why, such as pindown.dev/keep: "rebuilt in place by the nightly job"'
            refusal = Refusal("unpinned", f"{shorten(site.value)}: its keep annotation gives no reason", advice)
            self._report(site, (refusal,), "error")
            return None, _kept(site, "a keep without a reason")._replace(outcome="refused")
        key = (site.value, reason)
        plan = self._plans.get(key)
        if plan is None:
            if reference.is_templated(site.value):
                return None, self._templated(site, reason)
            if facts.is_pattern(site):
                return None, _kept(site, "a pattern of images, not an image")
            plan = self._planner.plan(site.value, reason)
            if plan.reference is not None:  # else the next object may be one where this text is a pattern
                self._plans[key] = plan
        if plan.action == "deny" or plan.reference is None:
            return plan, None
        return plan, self._left_to_others(site, plan, plan.reference)

    def _in_scopes(self, planned: list[Planned]) -> tuple[list[Planned], Scopes]:
        """The same plans, each with the pull secrets of its pod as the scope of its question."""
        if not (self.survey.secrets and self._planner.policy.use_manifest_secrets and any(map(_asks, planned))):
            return planned, NO_SCOPES
        from transformer.policy.pullsecrets import (
            Scoper,
            to_be_added,
        )  # brings json and hashlib: not for those who have no Secrets

        scoper, rules = Scoper(self.survey.secrets, self.survey.accounts), self._planner.policy.pull_secrets
        plans: dict[tuple[int, str], Plan] = {}
        scoped: list[Planned] = []
        for site, plan, early in planned:
            if plan is not None and plan.question is not None and early is None:
                # Plans are shared by all sites with the same text; here by all of them with the same pull secrets.
                scope = scoper.scope(site, plan.question, to_be_added(rules, plan))
                if scope != AMBIENT:
                    key = (id(plan), scope)
                    plan = plans.get(key) or plan._replace(question=plan.question._replace(scope=scope))
                    plans[key] = plan
            scoped.append((site, plan, early))
        self._oddities = scoper.unreadable
        return scoped, scoper.scopes

    def _templated(self, site: Site, reason: str | None) -> Decision:
        if facts.is_pattern(site) or reason:
            return _kept(site, reason or "a pattern of images, not an image")
        self._findings.append(judge.templated(site.value, self._where(site), self._rendered))
        return _kept(site, "a placeholder that nothing has filled in")._replace(
            outcome="refused" if self._rendered else "kept"
        )

    def _left_to_others(self, site: Site, plan: Plan, image: reference.Reference) -> Decision | None:
        """The decision where the version is not ours to choose, else None."""
        if facts.is_injected(site):
            return _kept(site, "the sidecar injector replaces it")
        if image.digest is None and image.tag is None and SHAPES[site.shape].needs_tag:
            advice = "write a tag or a digest beside it to have it pinned"
            why = "no tag is written: the operator chooses the version"
            self._report(site, (Refusal("unpinned", f"{shorten(site.value)}: {why}", advice),), "warning")
            # Its name goes to the mirror all the same: a keep never skips one.
            return self._told(
                site, decide(plan._replace(question=None, action="keep", rule="the missing tag", reason=why), None)
            )
        tool = None if self._rendered else facts.owner(site)
        return None if tool is None else _kept(site, f"the line belongs to {tool}")

    def _decide(self, site: Site, plan: Plan | None, answers: Mapping[Question, Answer]) -> Decision:
        assert plan is not None
        decision = self._decisions.get(id(plan))
        if decision is None:
            answer = None if plan.question is None else answers.get(plan.question)
            decision = self._decisions[id(plan)] = decide(plan, answer)
        return self._told(site, decision)

    def _told(self, site: Site, decision: Decision) -> Decision:
        """The decision, with what it holds against the site reported."""
        if decision.refusals:
            self._report(site, decision.refusals, "error")
        if decision.warnings:
            self._report(site, decision.warnings, "warning")
        return decision

    def _report(self, site: Site, refusals: Sequence[Refusal], severity: str) -> None:
        place = self._where(site)
        self._findings += [Finding(one.rule, one.message, one.help, severity, place) for one in refusals]

    def _collide(self, decided: Sequence[Decided]) -> None:
        """Reports sources that share a name at a mirror."""
        plans = {id(one.plan): one for one in decided if one.plan is not None and one.plan.locations}
        landings = [(one.site, landing) for one in plans.values() for landing in landings_of(one.plan, one.decision)]
        for at, refusal, severity in collisions([landing for _, landing in landings]):
            self._report(landings[at][0], (refusal,), severity)

    def _edit(self, decided: Sequence[Decided]) -> _Edits:
        edits = _Edits()
        for one in decided:
            refusal = edits.take(one)
            if refusal is None and self._validates and one.decision.text != one.site.value:
                refusal = _not_as_wanted(one)
            if refusal is not None:
                self._report(one.site, (refusal,), "error")
        for site in edits.overreaching():
            self._report(site, (_differs(site),), "error")
        return edits

    def _inject(self, decided: Sequence[Decided], edits: dict[int, list[Edit]]) -> tuple[Injection, ...]:
        """Adds the pull secrets of the locations that images were sent to, where the policy says so."""
        rules = self._planner.policy.pull_secrets
        sent = [(one.site, one.decision.location) for one in decided if one.decision.location is not None]
        if not rules.inject or not any(location.pull_secret for _, location in sent):
            return ()
        from transformer.policy.injection import Injector

        injector = Injector(rules, self.survey)
        for site, location in sent:
            injector.add(site, location)
        made, more = injector.finish()
        for site, refusal, severity in injector.complaints:
            self._report(site, (refusal,), severity)
        for file, added in more.items():
            edits.setdefault(file, []).extend(added)
        return made

    def _count(self, decided: Sequence[Decided], requests: int) -> Counts:
        outcomes = [one.decision.outcome for one in decided]
        left = self.survey.left_alone
        images = len({*left, *(one.site.value for one in decided)})
        kept, refused = outcomes.count("kept") + len(left), outcomes.count("refused")
        return Counts(len(decided) + len(left), images, outcomes.count("pinned"), kept, refused, requests)


class _Edits:
    """Turns decisions into edits; every scalar is edited once, however many aliases lead to it."""

    def __init__(self) -> None:
        #: By `id` of the file.
        self.made: dict[int, list[Edit]] = {}
        self._wanted: dict[tuple[int, int], str | None] = {}
        #: Scalars with aliases: how many sites came by, and the first of them.
        self._shared: dict[tuple[int, int], tuple[int, Site, Scalar]] = {}

    def take(self, one: Decided) -> Refusal | None:
        """Notes the edits for one decision; answers a refusal when they cannot be made."""
        site = one.site
        values: list[str | None] | None = [None] * len(site.scalars)
        if one.decision.text != site.value:
            values = SHAPES[site.shape].write(site.values, _written(one))
        if values is None:
            return Refusal(
                "unpinned",
                f"{shorten(site.value)}: this spelling has no place for {shorten(one.decision.text, 300)}",
                "write a tag (or a digest) beside the name; the digest goes behind it",
            )
        for scalar, value in zip(site.scalars, values, strict=True):
            if scalar is not None:
                refusal = self._take(site, scalar, None if value == scalar.value else value)
                if refusal is not None:
                    return refusal
        return None

    def overreaching(self) -> Iterator[Site]:
        """Sites whose edit would also change a place that is no image: a label or a variable that uses the anchor."""
        for key, (seen, site, scalar) in self._shared.items():
            if self._wanted[key] is not None and seen < scalar.places:
                yield site

    def _take(self, site: Site, scalar: Scalar, value: str | None) -> Refusal | None:
        key = (id(site.file), scalar.start)
        if scalar.places > 1:
            seen, first, _ = self._shared.get(key, (0, site, scalar))
            self._shared[key] = seen + 1, first, scalar
        if key in self._wanted:
            return None if self._wanted[key] == value else _differs(site)
        self._wanted[key] = value
        if value is not None:
            try:
                self.made.setdefault(key[0], []).append(respell(site.file.text, scalar, value))
            except TextError as error:
                message = f"{shorten(site.value)}: {error.message}"
                return Refusal("invalid-reference", message, "write the reference on one line")
        return None


def _asks(planned: Planned) -> bool:
    _, plan, early = planned
    return early is None and plan is not None and plan.question is not None


def _not_as_wanted(one: Decided) -> Refusal:
    """A validator writes nothing: what it would have to write is missing."""
    wanted = shorten(one.decision.text, 300)
    advice = "have it written: pindown under `transformers:`, or in the pipe before this one"
    return Refusal("unpinned", f"{shorten(one.site.value)} should read {wanted}", advice)


def _differs(site: Site) -> Refusal:
    return Refusal(
        "unpinned",
        f"{shorten(site.value)} is written once, at an anchor, and the places that use it want different answers",
        "write the reference out where it differs",
    )


def _order(finding: Finding) -> tuple[bool, str, int, int]:
    return (finding.severity != "error", *finding.place[:3])


def _written(one: Decided) -> Written:
    decision = one.decision
    assert one.plan is not None and one.plan.reference is not None
    written = one.plan.reference.written_name
    name = decision.name or written
    return Written(name, decision.tag, decision.digest, name != written)


def _kept(site: Site, why: str) -> Decision:
    return Decision("kept", site.value, why=why)


def _carries_digest(text: str) -> bool:
    if "@" not in text:
        return False
    try:
        return reference.parse(text).digest is not None
    except reference.ReferenceError:
        return False


def _nothing(text: str) -> bool:
    return False
