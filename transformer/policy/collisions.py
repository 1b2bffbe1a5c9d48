"""Two sources that land on one name at a mirror: only one of them can be there. Pure.

It is a finding and not only a failed proof: today's proof may succeed by chance, and who reads `mirror-differs` should
know why. Where every image was proved there under its own digest nothing is wrong yet, and it is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from transformer.images.reference import shorten
from transformer.policy.decide import Decision
from transformer.policy.plan import Plan
from transformer.policy.questions import Refusal


class Landing(NamedTuple):
    """An image's name at its source and the one at a mirror (both without tag), and whether its digest was proved."""

    source: str
    there: str
    #: The location that makes the name.
    rule: str
    proved: bool


class Collision(NamedTuple):
    """The landing (its place in the list) at which it is seen, what to say, and how bad it is."""

    at: int
    refusal: Refusal
    severity: str


def landings_of(plan: Plan | None, decision: Decision) -> Iterator[Landing]:
    """Where an image lands: at the location whose name is written, or at any of them when it was refused."""
    if plan is None or plan.reference is None or not plan.locations:
        return
    refused = decision.outcome == "refused"
    proved = not refused and plan.question is not None and plan.question.verify == "same-digest"
    written = () if decision.location is None else (decision.location,)
    for one in plan.locations if refused else written:
        yield Landing(plan.reference.name, one.reference.name, one.rule, proved)


def collisions(landings: Sequence[Landing]) -> Iterator[Collision]:
    """One for each source that lands where another one has landed before, in the order of the landings."""
    first: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    unproved = {one.there for one in landings if not one.proved}
    for at, one in enumerate(landings):
        before = landings[first.setdefault(one.there, at)]
        if one.source == before.source or (one.there, one.source) in seen:
            continue
        seen.add((one.there, one.source))
        yield Collision(at, _refusal(before, one), "error" if one.there in unproved else "warning")


def _refusal(before: Landing, one: Landing) -> Refusal:
    rules = one.rule if one.rule == before.rule else f"{before.rule} and {one.rule}"
    return Refusal(
        "mirror-collision",
        f"{shorten(before.source)} and {shorten(one.source)} both become {shorten(one.there)} ({rules}): "
        "the mirror can hold only one of them",
        "give each source a path of its own at the mirror, such as mirror.example.com/{registry}/{repository}",
    )
