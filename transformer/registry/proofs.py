"""One Question to one Answer: what the source means, and which mirror serves exactly that.

Semantics of the fields: policy/questions.py. Opens nothing itself; each lookup is made once in a run, whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from transformer.images.reference import Reference, join
from transformer.policy.questions import Answer, Missing, Question, Refusal, Resolved
from transformer.registry.cache.lookups import Direct, Lookups
from transformer.registry.cache.places import Wish
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
    """The questions of one run. `scope_of` says within which scope a lookup is shared (Session.scope_of).

    `lookups` may know an answer without asking.
    """

    def __init__(
        self,
        run: Run,
        client: Client,
        scope_of: Callable[[Reference, str], str] = _alone,
        lookups: Lookups | None = None,
    ) -> None:
        self._run, self._client, self._scope_of = run, client, scope_of
        self._lookups = lookups or Direct()
        self._flights: Flights[Descriptor] = Flights(keep=True)

    def answer(self, question: Question) -> Answer:
        """The answer; raises OutOfTime when the run ends first."""
        try:
            if question.resolve_at == "mirror" and question.locations and question.source.digest is None:
                answer = self._at_mirror(question)
            else:
                answer = self._at_source(question)
            return self._detailed(question, answer)
        except Refused as error:
            return Missing((error.refusal,))

    def first(self, question: Question) -> Wish:
        """What will be looked up first."""
        first, aging = question.source, True
        if question.locations and question.source.digest is not None:
            first, aging = _by_digest(question.locations[0], question.source.digest), False
        elif question.locations and question.resolve_at == "mirror":
            first = question.locations[0]
        return Wish(first, None, self._scope_of(first, question.scope), aging)

    def _at_source(self, question: Question) -> Answer:
        source = question.source
        if source.digest is not None and question.locations:
            wanted = Descriptor(source.digest, None)  # already known: the source is not asked
        else:
            wanted = self._meaning(source, question.platform, question.scope)
        if not question.locations:
            return _resolved(wanted)
        proof = self._prove(question, wanted)
        if proof.chosen is None and not question.fallback:
            told = zip(question.locations, proof.notes, strict=True)
            return Missing(tuple(self._diagnosed(question, *one, wanted) for one in told))
        found = proof.found if source.digest is not None else proof.found._replace(via=wanted.via)
        return _resolved(found._replace(notes=(*wanted.notes, *found.notes)), proof.chosen, proof.notes)

    def _at_mirror(self, question: Question) -> Answer:
        """The first location that answers for the tag decides; the source is asked last, and only as the fallback."""
        notes: list[Refusal] = []
        for index, location in enumerate(question.locations):
            try:
                found = self._meaning(location, question.platform, question.scope)
            except Refused as error:
                notes.append(_at_location(error, location, "an image with this tag").refusal)
            else:
                return _resolved(found, index, tuple(notes))
        if not question.fallback:
            return Missing(tuple(notes))
        try:
            found = self._meaning(question.source, question.platform, question.scope)
        except Refused as error:
            return Missing((error.refusal, *notes))
        return _resolved(found, None, tuple(notes))

    def _prove(self, question: Question, wanted: Descriptor) -> _Proof:
        if question.verify == "none":
            return _Proof(0, wanted, ())
        notes: list[Refusal] = []
        for index, location in enumerate(question.locations):
            if index in question.warm:
                self._warm(location, question.scope)
            try:
                found = self._serves(question, location, wanted)
            except Refused as error:
                notes.append(error.refusal)
                continue
            if found.digest != wanted.digest:
                notes.append(_differs(location, wanted.digest, found.digest, question.source))
            return _Proof(index, found, tuple(notes))
        return _Proof(None, wanted, tuple(notes))

    def _diagnosed(self, question: Question, location: Reference, note: Refusal, wanted: Descriptor) -> Refusal:
        """The refusal, after a look at the tag: a stale mirror is another matter than an empty one.

        Asked only where the image fails anyway, so that a proof that succeeds costs one request for each location.
        """
        if note.rule != "mirror-missing" or location.tag is None or question.source.digest is not None:
            return note  # where a digest is written its tag may have moved on: nothing is stale
        try:
            found = self._meaning(location, question.platform, question.scope)
        except Refused:
            return note
        return note if found.digest == wanted.digest else _stale(location, wanted.digest, found.digest, question.source)

    def _warm(self, location: Reference, scope: str) -> None:
        """Asks a location for the tag, so that a pull-through cache has fetched what the digest is asked of next."""
        if location.tag is not None:
            with suppress(Refused):  # whatever it says about the tag: only the digest counts
                self._lookup(location, scope)

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
                found = self._lookup(asked, question.scope, aging=False)
        except Refused as error:
            raise _at_location(error, asked, expected) from error
        return found._replace(media_type=found.media_type or wanted.media_type)

    def _detailed(self, question: Question, answer: Answer) -> Answer:
        """The answer with what the question wants beside the digest, asked where that came from or was proved."""
        if isinstance(answer, Missing):
            return answer
        if question.details != "platforms" or question.platform is not None:
            return answer if question.details else answer._replace(size=None)
        proved = answer.chosen is not None and (question.verify != "none" or question.resolve_at == "mirror")
        at = question.locations[answer.chosen] if proved and answer.chosen is not None else question.source
        found = Descriptor(answer.digest, answer.media_type)
        return answer._replace(
            platforms=self._client.platforms(self._run, at, found, self._scope_of(at, question.scope))
        )

    def _meaning(self, reference: Reference, platform: str | None, scope: str) -> Descriptor:
        """What a tag means, on a platform when one is given. A written digest is only looked for."""
        found = self._lookup(reference, scope)
        if platform is None or reference.digest is not None:
            return found
        scope = self._scope_of(reference, scope)
        key = (reference.registry, reference.repository, found.digest, platform, scope)
        wish = Wish(reference._replace(digest=found.digest), platform, scope, aging=False)

        def ask() -> Descriptor:
            return self._client.child(self._run, reference, found, platform, scope)

        child = self._flights.do(key, lambda: self._lookups.find(wish, ask, self._run))
        return child._replace(via=found.via, notes=(*found.notes, *child.notes))

    def _lookup(self, reference: Reference, scope: str, *, aging: bool = True) -> Descriptor:
        """What is there. `aging`: it may be another tomorrow; a proof that a mirror has a digest stays one."""
        scope = self._scope_of(reference, scope)
        key = (reference.registry, reference.repository, reference.digest or reference.tag, scope)
        wish = Wish(reference, None, scope, aging)

        def ask() -> Descriptor:
            return self._client.describe(self._run, reference, scope)

        return self._flights.do(key, lambda: self._lookups.find(wish, ask, self._run))


def _resolved(found: Descriptor, chosen: int | None = None, notes: tuple[Refusal, ...] = ()) -> Resolved:
    told = tuple(dict.fromkeys((*notes, *found.notes)))
    return Resolved(found.digest, found.media_type, found.via, chosen, told, found.size)


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


def _stale(location: Reference, expected: str, found: str, source: Reference) -> Refusal:
    cause = f"the mirror's tag means {found}, but {place(source)} means {expected}, which the mirror does not serve"
    step = f"copy the image to {location.name} again, or let the mirror's cache expire"
    return refused("mirror-differs", location, cause, step).refusal


def _differs(location: Reference, expected: str, found: str, source: Reference) -> Refusal:
    cause = f"the mirror has {found}, but {place(source)} means {expected}"
    step = "copy the image again, or set verify: same-digest to refuse it"
    return refused("mirror-differs", location, cause, step).refusal
