"""One Question to one Answer: what the source means, and which mirror serves exactly that.

Semantics of the fields: policy/questions.py. Opens nothing itself; each lookup is made once in a run, whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from transformer.images.reference import Reference, join
from transformer.policy.questions import Answer, Missing, Question, Refusal, Resolved
from transformer.registry.client import Client, Descriptor
from transformer.registry.deadline import Run
from transformer.registry.flight import Flights
from transformer.registry.verdicts import Refused, place, refused


class _Proof(NamedTuple):
    """The location that qualified, None for none; what is written; and what was said on the way."""

    chosen: int | None
    found: Descriptor
    notes: tuple[Refusal, ...]


def _alone(reference: Reference, scope: str) -> str:
    return scope


class Proofs:
    """The questions of one run. `scope_of` says within which scope a lookup is shared (Session.scope_of)."""

    def __init__(self, run: Run, client: Client, scope_of: Callable[[Reference, str], str] = _alone) -> None:
        self._run, self._client, self._scope_of = run, client, scope_of
        self._flights: Flights[Descriptor] = Flights(keep=True)

    def answer(self, question: Question) -> Answer:
        """The answer; raises OutOfTime when the run ends first."""
        try:
            if question.resolve_at == "mirror" and question.locations and question.source.digest is None:
                return self._at_mirror(question)
            return self._at_source(question)
        except Refused as error:
            return Missing((error.refusal,))

    def _at_source(self, question: Question) -> Answer:
        source = question.source
        if source.digest is not None and question.locations:
            wanted = Descriptor(source.digest, None)  # already known: the source is not asked
        else:
            wanted = self._meaning(source, question.platform, question.scope)
        if not question.locations:
            return Resolved(wanted.digest, wanted.media_type)
        proof = self._prove(question, wanted)
        if proof.chosen is None and not question.fallback:
            return Missing(proof.notes)
        return Resolved(proof.found.digest, proof.found.media_type, "registry", proof.chosen, proof.notes)

    def _at_mirror(self, question: Question) -> Answer:
        """The first location that answers for the tag decides; the source is asked last, and only as the fallback."""
        notes: list[Refusal] = []
        for index, location in enumerate(question.locations):
            try:
                found = self._meaning(location, question.platform, question.scope)
            except Refused as error:
                notes.append(_at_location(error, location, "an image with this tag").refusal)
            else:
                return Resolved(found.digest, found.media_type, "registry", index, tuple(notes))
        if not question.fallback:
            return Missing(tuple(notes))
        try:
            found = self._meaning(question.source, question.platform, question.scope)
        except Refused as error:
            return Missing((error.refusal, *notes))
        return Resolved(found.digest, found.media_type, "registry", None, tuple(notes))

    def _prove(self, question: Question, wanted: Descriptor) -> _Proof:
        if question.verify == "none":
            return _Proof(0, wanted, ())
        notes: list[Refusal] = []
        for index, location in enumerate(question.locations):
            try:
                found = self._serves(question, location, wanted)
            except Refused as error:
                notes.append(error.refusal)
                continue
            if found.digest != wanted.digest:
                notes.append(_differs(location, wanted.digest, found.digest, question.source))
            return _Proof(index, found, tuple(notes))
        return _Proof(None, wanted, tuple(notes))

    def _serves(self, question: Question, location: Reference, wanted: Descriptor) -> Descriptor:
        """What a location would give a node. Raises Refused when it does not qualify."""
        # A digest that was written is never exchanged for what a mirror's tag means: then `exists` is about the digest.
        by_tag = question.verify == "exists" and question.source.digest is None
        asked = location if by_tag else _by_digest(location, wanted.digest)
        expected = "an image with this tag" if by_tag else f"{wanted.digest} (which {place(question.source)} means)"
        try:
            if by_tag:
                found = self._meaning(asked, question.platform, question.scope)
            else:
                found = self._lookup(asked, question.scope)
        except Refused as error:
            raise _at_location(error, asked, expected) from error
        return found._replace(media_type=found.media_type or wanted.media_type)

    def _meaning(self, reference: Reference, platform: str | None, scope: str) -> Descriptor:
        """What a tag means, on a platform when one is given. A written digest is only looked for."""
        found = self._lookup(reference, scope)
        if platform is None or reference.digest is not None:
            return found
        scope = self._scope_of(reference, scope)
        key = (reference.registry, reference.repository, found.digest, platform, scope)
        return self._flights.do(key, lambda: self._client.child(self._run, reference, found, platform, scope))

    def _lookup(self, reference: Reference, scope: str) -> Descriptor:
        scope = self._scope_of(reference, scope)
        key = (reference.registry, reference.repository, reference.digest or reference.tag, scope)
        return self._flights.do(key, lambda: self._client.describe(self._run, reference, scope))


def _by_digest(location: Reference, digest: str) -> Reference:
    return Reference(location.registry, location.repository, None, digest, join(location.name, None, digest))


def _at_location(error: Refused, location: Reference, expected: str) -> Refused:
    """A failed lookup told as what it means for a mirror: what was expected, what was found, and where."""
    rule, message, step = error.refusal
    if rule == "not-found":
        rule, step = "mirror-missing", f"copy the image to {location.name}, or let the mirror fetch it"
    elif rule == "digest-mismatch":
        rule, step = "mirror-differs", f"do not use {location.name} for it; copy the image again"
    return Refused(Refusal(rule, f"{message}; expected there: {expected}", step), error.status)


def _differs(location: Reference, expected: str, found: str, source: Reference) -> Refusal:
    cause = f"the mirror has {found}, but {place(source)} means {expected}"
    step = "copy the image again, or set verify: same-digest to refuse it"
    return refused("mirror-differs", location, cause, step).refusal
