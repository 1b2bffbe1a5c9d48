"""Answers from the cache alone: for a run that may ask nobody, and for what a run could not finish in time."""

from __future__ import annotations

from collections.abc import Callable, Collection

from transformer.images.reference import Reference
from transformer.policy.questions import Answer, Missing, Question, Refusal
from transformer.registry.cache.lookups import Cached
from transformer.registry.cache.places import Places
from transformer.registry.client import Client
from transformer.registry.deadline import Run
from transformer.registry.proofs import Proofs
from transformer.registry.session import Reply
from transformer.registry.transport import Request
from transformer.registry.verdicts import Refused, place


def recall(
    questions: Collection[Question],
    lookups: Cached,
    places: Places,
    rule: str,
    otherwise: Callable[[Question], Refusal],
) -> dict[Question, Answer]:
    """An answer for each question, from what is remembered (lookups made with `asks=False`).

    `rule` is why nobody is asked (`offline`, `timeout`); `otherwise` tells it for a question that has no answer.
    """

    def nobody(run: Run, reference: Reference, request: Request, scope: str) -> Reply:
        raise Refused(Refusal(rule, f"{place(reference)}: no answer in time"))

    run = Run(None, lambda: 0.0, lambda seconds: None)
    proofs = Proofs(run, Client(nobody), places.scope_of, lookups)
    answers: dict[Question, Answer] = {}
    for question in questions:
        answer = proofs.answer(question)
        if isinstance(answer, Missing) and any(one.rule == rule for one in answer.refusals):
            answer = Missing((otherwise(question),))
        answers[question] = answer
    return answers
