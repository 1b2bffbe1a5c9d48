"""Asking until there is an answer worth keeping: the retry loop, with the host's door and the run's clock in hand.

Knows statuses and times; knows nothing about images, credentials or redirects: those are inside `send`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from transformer.images.reference import Reference
from transformer.registry.deadline import Run
from transformer.registry.gate import Gate
from transformer.registry.retry import RETRYABLE, Limits, retry_after
from transformer.registry.transport import Response, TransportError
from transformer.registry.verdicts import rate_limited


class Clocks(NamedTuple):
    """Time and chance, injectable: `clock` counts seconds, `now` is the time of day, `random` is in [0, 1)."""

    clock: Callable[[], float]
    now: Callable[[], float]
    random: Callable[[], float]


class Attempts:
    """The loop. `slots` bounds the requests in flight over all hosts."""

    def __init__(self, limits: Limits, clocks: Clocks, slots: Gate) -> None:
        self._limits, self._clocks, self._slots = limits, clocks, slots

    def send(self, run: Run, gate: Gate, reference: Reference, once: Callable[[float], Response]) -> Response:
        """The first answer that no retry could better, or, when there is none, the first failure.

        `once` gets the deadline of one request. Raises TransportError, Refused `rate-limited`, OutOfTime.
        """
        first: Response | TransportError | None = None
        for attempt in range(self._limits.attempts):
            self._refuse_long_pause(run, gate, reference)
            outcome = self._once(run, gate, once)
            if isinstance(outcome, Response) and outcome.status not in RETRYABLE:
                return outcome
            first = first or outcome
            if isinstance(outcome, TransportError) and not _worth_another(gate, outcome):
                break
            pause = self._pause(run, gate, reference, outcome, attempt)
            if attempt + 1 == self._limits.attempts or pause >= run.remaining():
                break
            run.pause(pause)
        assert first is not None
        if isinstance(first, TransportError):
            if not first.connected:
                gate.lock(first)
            raise first
        return first

    def _once(self, run: Run, gate: Gate, once: Callable[[float], Response]) -> Response | TransportError:
        with gate.place(run), self._slots.place(run):
            gate.check()  # the wait for a slot may have been long
            try:
                response = once(run.until(self._limits.request))
            except TransportError as error:
                if error.connected:
                    gate.hear()
                return error
        gate.hear()
        return response

    def _pause(
        self, run: Run, gate: Gate, reference: Reference, outcome: Response | TransportError, attempt: int
    ) -> float:
        """Seconds to wait before the next attempt; raises Refused when the registry asks for too many.

        What the registry asks for makes the pause longer, never shorter: `Retry-After: 0` is no leave to hammer.
        """
        pause = self._limits.backoff(attempt, self._clocks.random)
        if isinstance(outcome, TransportError):
            return pause
        told = retry_after(outcome.header("retry-after"), self._clocks.now()) or 0.0
        if outcome.status == 429:
            gate.pause(max(pause, told))
        if told >= self._patience(run):
            raise rate_limited(reference, outcome.url.origin, outcome.status, told, self._patience(run))
        return max(pause, told)

    def _refuse_long_pause(self, run: Run, gate: Gate, reference: Reference) -> None:
        """Another image's 429 has brought a pause that is too long to wait for: no request is needed to find out."""
        paused = gate.paused()
        if paused and paused >= self._patience(run):
            raise rate_limited(reference, reference.registry, 429, paused, self._patience(run))

    def _patience(self, run: Run) -> float:
        """The longest that may be waited now, in seconds."""
        return self._limits.retry_after if run.timeout is None else run.remaining()


def _worth_another(gate: Gate, error: TransportError) -> bool:
    """Whether a failure may pass. A host that has never said anything and lets the whole time go by will not."""
    return error.retryable and (gate.heard or error.connected or error.rule != "timeout")
