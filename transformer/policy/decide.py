"""The judgement on one image: its plan and the answer become what is written, and why. Pure; the last word on promises.

Nothing is silently unpinned: a decision is `pinned`, `kept` with its reason, or `refused` with what is wrong.
"""

from __future__ import annotations

from typing import NamedTuple

from transformer.errors import WARNABLE
from transformer.images.reference import Reference, join, shorten
from transformer.policy.mirrors import Candidate
from transformer.policy.plan import Plan
from transformer.policy.questions import Answer, Missing, Refusal, Resolved


class Decision(NamedTuple):
    """What becomes of one image. `text` is the whole reference to write; it equals the text as written for no change.

    `name`, `tag` and `digest` are its parts for spellings that hold them apart; `name` None: the name as written.
    `via` is who answered (lock, cache, registry), None when nothing was asked or nobody did.
    """

    #: pinned, kept or refused.
    outcome: str
    text: str
    name: str | None = None
    tag: str | None = None
    digest: str | None = None
    via: str | None = None
    why: str = ""
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[Refusal, ...] = ()
    #: The location whose name is written; None when the name stays.
    location: Candidate | None = None


_PROOFS = {"none": "not verified", "exists": "the mirror's own digest", "same-digest": "verified"}


def decide(plan: Plan, answer: Answer | None) -> Decision:
    """Judges an answer; `answer` may be None only where the plan asks nothing."""
    reference = plan.reference
    if plan.refusals or reference is None:
        return _refused(plan, plan.refusals)
    if plan.question is None:
        return _kept(plan, reference)
    if answer is None:
        raise ValueError(f"the question about {shorten(plan.text)} was not answered")
    if isinstance(answer, Missing):
        return _missing(plan, answer)
    if answer.chosen is None and plan.locations and not plan.question.fallback:
        return _refused(plan, answer.notes or (_no_location(plan),), via=answer.via)
    known = plan.question.source.digest
    if known is not None and answer.digest != known:
        return _refused(plan, (_mismatch(plan, known, answer.digest),), via=answer.via)
    return _pinned(plan, reference, answer)


def _pinned(plan: Plan, reference: Reference, answer: Resolved) -> Decision:
    at = plan.locations[answer.chosen] if answer.chosen is not None else None
    name, tag = reference.written_name, reference.tag
    if at is not None and plan.write == "mirror":
        name, tag = at.reference.written_name, at.reference.tag
    fixed = plan.question is not None and plan.question.source.digest is not None
    if plan.style == "digest" and not fixed:
        tag = None
    text = join(name, tag, answer.digest)
    warnings = (*plan.notes, *answer.notes)
    if at is None and plan.locations:
        warnings = (*plan.notes, _fell_back(plan, answer.notes))
    return Decision(
        "kept" if text == plan.text and reference.digest is not None else "pinned",
        text,
        name if name != reference.written_name else None,
        tag,
        answer.digest,
        answer.via,
        _why_pinned(plan, reference, answer.digest, at.reference.written_name if at is not None else None),
        (),
        warnings,
        at if plan.write == "mirror" else None,
    )


def _why_pinned(plan: Plan, reference: Reference, digest: str, at: str | None) -> str:
    question = plan.question
    where = shorten(at or reference.name)
    if question is not None and question.source.digest is not None:
        why = f"the digest that is written is served by {where}"
    elif reference.digest == digest:
        why = "its tag still means the digest that is written"
    elif plan.platform is not None:
        why = f"resolved for {plan.platform}"
    else:
        why = "resolved"
    if at is None:
        return f"{why} ({plan.rule})"
    proof = _PROOFS[question.verify] if question else "not verified"
    if question is not None and question.resolve_at == "mirror" and question.source.digest is None:
        proof = "the mirror's own word"
    written = "the name stays (write: source)" if plan.write == "source" else f"written as {where}"
    return f"{why}; {written} ({proof}, {plan.mirror})"


def _kept(plan: Plan, reference: Reference) -> Decision:
    name, tag, digest = reference.written_name, reference.tag, reference.digest
    at = plan.locations[0] if plan.locations and plan.write == "mirror" else None
    if at is not None:
        name, tag = at.reference.written_name, at.reference.tag
    why = _why_kept(plan, reference)
    if name != reference.written_name:
        why += f"; written as {shorten(name)} (not verified, {plan.mirror})"
    changed = name if name != reference.written_name else None
    return Decision("kept", join(name, tag, digest), changed, tag, digest, None, why, (), plan.notes, at)


def _why_kept(plan: Plan, reference: Reference) -> str:
    if plan.action == "keep":
        return f"kept by {plan.rule}: {shorten(plan.reason or '', 300)}"
    if plan.style == "tag":
        return f"style: tag pins nothing ({plan.rule})"
    return "it already carries a digest" + ("" if reference.tag else " and no tag that could be asked again")


def _missing(plan: Plan, answer: Missing) -> Decision:
    if plan.on_error != "warn" or not answer.refusals or any(each.rule not in WARNABLE for each in answer.refusals):
        return _refused(plan, answer.refusals)
    reference = plan.reference
    rules = ", ".join(dict.fromkeys(each.rule for each in answer.refusals))
    why = f"left as written and NOT pinned ({rules}; the policy says onError: warn)"
    if reference is not None and reference.digest is not None:
        why = f"left as written and NOT verified ({rules}; the policy says onError: warn)"
    return Decision(
        "kept",
        plan.text,
        None,
        reference.tag if reference else None,
        reference.digest if reference else None,
        None,
        why,
        (),
        (*plan.notes, *answer.refusals),
    )


def _refused(plan: Plan, refusals: tuple[Refusal, ...], via: str | None = None) -> Decision:
    if not refusals:
        message = f"{shorten(plan.text)}: no answer and no reason for it"
        refusals = (Refusal("registry-error", message, "run again with -v"),)
    reference = plan.reference
    tag, digest = (reference.tag, reference.digest) if reference else (None, None)
    return Decision("refused", plan.text, None, tag, digest, via, refusals[0].message, refusals, plan.notes)


def _mismatch(plan: Plan, known: str, found: str) -> Refusal:
    return Refusal(
        "digest-mismatch",
        f"{shorten(plan.text)} carries {known}, and the answer for it is {shorten(found, 140)}",
        "the digest that is written is left alone; check who answered with -v",
    )


def _no_location(plan: Plan) -> Refusal:
    return Refusal(
        "mirror-missing",
        f"no location of {plan.mirror} qualified for {shorten(plan.text)}",
        "fill the mirror, or say `fallback: source` in the policy",
    )


def _fell_back(plan: Plan, notes: tuple[Refusal, ...]) -> Refusal:
    message = f"no location of {plan.mirror} qualified for {shorten(plan.text)}; its source is used (fallback: source)"
    return Refusal(
        "mirror-missing",
        "; ".join((message, *(note.message for note in notes))),
        "fill the mirror, or say `fallback: fail` to make this an error",
    )
