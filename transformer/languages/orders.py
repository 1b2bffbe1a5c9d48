"""Several orders of preference made into one, as OpenShift does for a source that several objects name. Pure.

Deterministic; what the orders agree on is kept, and a contradiction ends in the order of first appearance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise


def merge(orders: Iterable[Sequence[str]]) -> list[str]:
    """Every name once: each order is kept where no other contradicts it."""
    listed = [list(dict.fromkeys(order)) for order in orders]
    names = list(dict.fromkeys(name for order in listed for name in order))
    place = {name: index for index, name in enumerate(names)}
    after: list[set[int]] = [set() for _ in names]
    for order in listed:
        for one, other in pairwise(order):
            after[place[one]].add(place[other])
    return [names[index] for index in _sorted(after)]


def _sorted(after: Sequence[set[int]]) -> list[int]:
    """Kahn's algorithm, the earliest first. In a cycle the earliest that is left is taken as it is."""
    waits = [0] * len(after)
    for followers in after:
        for index in followers:
            waits[index] += 1
    ready = [index for index, count in enumerate(waits) if not count]
    heapify(ready)
    done: list[int] = []
    taken = [False] * len(after)
    earliest = 0
    while len(done) < len(after):
        while taken[earliest]:
            earliest += 1
        index = heappop(ready) if ready else earliest
        if taken[index]:
            continue
        taken[index] = True
        done.append(index)
        for follower in sorted(after[index]):
            waits[follower] -= 1
            if not waits[follower]:
                heappush(ready, follower)
    return done
