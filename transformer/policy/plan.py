"""What is to be done with one reference, before anything is asked: the rule, the names at mirrors, the question.

`deny` comes first and before any request; a keep never overrides it and never skips a mirror. Pure and quick: called
once for each distinct text. The answer is judged in `decide`.
"""

from __future__ import annotations

from typing import NamedTuple

from transformer.images.reference import Reference, ReferenceError, parse, shorten
from transformer.policy.mirrors import Candidate, Candidates, Mirrors
from transformer.policy.model import ImageRule, Mirror, Policy
from transformer.policy.patterns import compile_pattern, subject
from transformer.policy.questions import Question, Refusal

ANNOTATION = "annotation pindown.dev/keep"
DEFAULT_RULE = "pin"
#: What stands for a location's name where the image lies at a mirror already.
THERE = "already there"
_NO_RULE = ImageRule(DEFAULT_RULE, "")


class Plan(NamedTuple):
    """What the policy makes of one text.

    `rule` names what decided: `images[2]`, an annotation, `mirrors[0]` or `pin` (the default). With refusals nothing is
    asked and the image is refused. Without a question (and without refusals) the image is kept, under its first
    location's name if it has one.
    """

    text: str
    reference: Reference | None = None
    #: pin, keep or deny.
    action: str = "pin"
    rule: str = DEFAULT_RULE
    reason: str | None = None
    style: str = "tag-and-digest"
    platform: str | None = None
    #: The mirror's name (`mirrors[0]`), None when none applies.
    mirror: str | None = None
    #: Which name is written: `mirror` or `source`.
    write: str = "mirror"
    locations: tuple[Candidate, ...] = ()
    question: Question | None = None
    refusals: tuple[Refusal, ...] = ()
    #: Worth saying whatever the answer is.
    notes: tuple[Refusal, ...] = ()
    on_error: str = "fail"
    #: What a node will pull: `tag` or `digest`.
    pulls: str = "digest"


class Planner:
    """A policy, compiled; raises PolicyError when it is unusable (a variable without a value)."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._mirrors = Mirrors(policy)
        self._rules = tuple((compile_pattern(rule.match), rule) for rule in policy.images)
        self._platform = policy.pin.platform if policy.pin.digest == "platform" else None
        #: Whether a text that already carries a valid digest needs no plan at all.
        self.leaves_pinned_alone = not policy.images and not policy.mirrors and policy.pin.existing == "keep"

    def plan(self, text: str, keep: str | None = None) -> Plan:
        """The plan for a reference as written; `keep` is the reason of an annotation that keeps it."""
        try:
            reference = parse(text)
        except ReferenceError as error:
            return Plan(text, refusals=(_unreadable(error),), on_error=self.policy.on_error)
        rule = self._rule(reference)
        if rule.action == "deny":
            return self._deny(text, reference, rule)
        kept = keep is not None or rule.action == "keep"
        style = rule.style or self.policy.pin.style
        fixed = self._fixed(reference)
        by_tag = reference.digest is None and (kept or style == "tag")
        pulls = "tag" if by_tag else "digest"
        there = self._mirrors.candidates(reference, pulls)
        question, refusals, notes = None, there.refusals, _fallback_notes(reference, there)
        if keep is not None and self.policy.keeps == "refuse" and reference.digest is None:
            refusals = (*refusals, _refused_keep(text, keep))
        refusals = (*refusals, *_no_location(reference, there))
        platform = rule.platform or self._platform
        if not refusals and not kept and style != "tag":
            question = self._question(reference, there, None if fixed else platform, fixed)
        return Plan(
            text,
            reference,
            "keep" if kept else "pin",
            ANNOTATION if keep is not None else _name(rule, there.mirror),
            keep if keep is not None else rule.reason,
            style,
            platform,
            there.mirror.name if there.mirror else None,
            there.mirror.write if there.mirror else "mirror",
            there.locations,
            question,
            refusals,
            notes,
            self.policy.on_error,
            pulls,
        )

    def proofs(self, plan: Plan) -> tuple[tuple[Candidate, Question], ...]:
        """Each location of a plan with the question whether it alone would do, also where it says `verify: none`.

        A name that lies at a mirror already is its own location: whether it is served there is the question.
        """
        reference = plan.reference
        if reference is None or plan.action == "deny":
            return ()
        if self._mirrors.holds(reference):
            fixed = self._fixed(reference)
            source = reference.normalised() if fixed else reference._replace(digest=None).normalised()
            here = Candidate(reference._replace(digest=None), THERE)
            return ((here, Question(source, platform=None if fixed else plan.platform)),)
        if not plan.locations:
            return ()
        there = self._mirrors.candidates(reference, plan.pulls)
        mirror, fixed = there.mirror, self._fixed(reference)
        assert mirror is not None
        strict = mirror._replace(verify="exists" if mirror.verify == "exists" else "same-digest", fallback="fail")
        asked = []
        for one in there.locations:
            alone = there._replace(mirror=strict, locations=(one,))
            question = self._question(reference, alone, None if fixed else plan.platform, fixed)
            assert question is not None
            asked.append((one, question))
        return tuple(asked)

    def _rule(self, reference: Reference) -> ImageRule:
        if self._rules:
            name = subject(reference)
            for pattern, rule in self._rules:
                if pattern.matches(name):
                    return rule
        return _NO_RULE

    def _deny(self, text: str, reference: Reference, rule: ImageRule) -> Plan:
        refusal = Refusal(
            "denied",
            f"{shorten(text)} is denied by {rule.name} ({shorten(rule.match)}): {shorten(rule.reason or '', 300)}",
            "use another image, or have the rule changed where the policy is kept",
        )
        return Plan(text, reference, "deny", rule.name, rule.reason, refusals=(refusal,), on_error=self.policy.on_error)

    def _fixed(self, reference: Reference) -> bool:
        """Whether the digest that is written stays what it is."""
        if reference.digest is None:
            return False
        return self.policy.pin.existing != "refresh" or reference.tag is None

    def _question(self, reference: Reference, there: Candidates, platform: str | None, fixed: bool) -> Question | None:
        mirror = there.mirror
        verify, prove = mirror.verify if mirror else "same-digest", self.policy.pin.existing == "verify"
        if fixed:
            if not prove and (verify == "none" or not there.locations):
                return None
            verify = "same-digest"  # what is written is left alone, so that is what a location must serve
            source = reference.normalised()
            locations = tuple(_bare(candidate.reference) for candidate in there.locations)
        else:
            source = reference._replace(digest=None).normalised()
            locations = tuple(candidate.reference.normalised() for candidate in there.locations)
        if mirror is None or not locations:
            return Question(source, platform=platform)
        warm = tuple(index for index, one in enumerate(there.locations) if one.warm)
        return Question(source, locations, mirror.resolve_at, verify, mirror.fallback == "source", platform, warm=warm)


def _bare(reference: Reference) -> Reference:
    """Normalised with no default tag: a name that is asked by digest."""
    written = reference.name + (f":{reference.tag}" if reference.tag else "")
    return Reference(reference.registry, reference.repository, reference.tag, None, written)


def _name(rule: ImageRule, mirror: Mirror | None) -> str:
    return mirror.name if rule is _NO_RULE and mirror is not None else rule.name


def _unreadable(error: ReferenceError) -> Refusal:
    rule = "templated" if error.code == "templated" else "invalid-reference"
    return Refusal(rule, f"{error} ({error.code})", "write the image as name[:tag] or name@sha256:…, in lower case")


def _refused_keep(text: str, reason: str) -> Refusal:
    return Refusal(
        "unpinned",
        f"{shorten(text)} is kept unpinned by an annotation ({shorten(reason, 300)}), and the policy refuses keeps",
        "take the annotation out, or add an `images` rule with `action: keep` to the policy",
    )


def _no_location(reference: Reference, there: Candidates) -> tuple[Refusal, ...]:
    if there.mirror is None or there.locations or there.refusals or there.mirror.fallback == "source":
        return ()
    return (
        Refusal(
            "mirror-missing",
            f"no location of {there.mirror.name} fits {shorten(reference.written)}: {_unfit(there)}",
            "write what its locations want, or give the mirror another location or `fallback: source`",
        ),
    )


def _fallback_notes(reference: Reference, there: Candidates) -> tuple[Refusal, ...]:
    if there.mirror is None or there.locations or there.refusals or there.mirror.fallback != "source":
        return ()
    return (
        Refusal(
            "mirror-missing",
            f"no location of {there.mirror.name} fits {shorten(reference.written)} ({_unfit(there)}); "
            "its source's name is used (fallback: source)",
            "write what its locations want, or give the mirror another location",
        ),
    )


def _unfit(there: Candidates) -> str:
    return "; ".join(there.unfit[:3]) + (" and more" if len(there.unfit) > 3 else "")
