"""One host's door: how many may be inside, who goes first, and when everybody waits.

A 429 is about the client, not about one request: it pauses the whole host and halves how many are let in. The first
request to a host goes a moment ahead of the others, so that they already know the challenge it meets. A door behind
which nobody lives is locked, and whoever waits in front of it leaves with the reason.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from transformer.registry.deadline import FOREVER, Run


class Gate:
    """`limit` requests at a time; `head_start` in seconds."""

    def __init__(self, limit: int, head_start: float, clock: Callable[[], float]) -> None:
        self._limit, self._head_start, self._clock = max(limit, 1), head_start, clock
        self._inside = 0
        self._paused_until = -FOREVER
        self._changed = threading.Condition()
        self._first_taken = False
        self._first_answered = threading.Event()
        #: Whether anything was ever heard from behind this door.
        self.heard = False
        #: Why nothing comes from there; found out once, not by every image.
        self.down: Exception | None = None

    def hear(self) -> None:
        """Something came from behind the door, which therefore is not locked any more."""
        self.heard, self.down = True, None

    def lock(self, reason: Exception) -> None:
        """Nobody enters from now on, those who wait included: they get the reason. Not where anything was heard."""
        with self._changed:
            if not self.heard:
                self.down = reason
                self._changed.notify_all()

    def check(self) -> None:
        """Raises the reason of a locked door."""
        down = self.down
        if down is not None:
            raise down

    def yield_to_first(self, run: Run) -> None:
        """Lets the first caller go ahead: the others wait here until it is answered, or its head start is over."""
        if self._first_answered.is_set():
            return
        with self._changed:
            first, self._first_taken = not self._first_taken, True
        if not first:
            self._first_answered.wait(max(min(self._head_start, run.remaining()), 0))

    @contextmanager
    def place(self, run: Run) -> Iterator[None]:
        """Waits for a place inside; raises OutOfTime when the run ends first, and the reason of a locked door."""
        self._enter(run)
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify()

    def answered(self) -> None:
        """The first answer is in (or failed): nobody needs to hold back any more."""
        self._first_answered.set()

    def pause(self, seconds: float) -> None:
        """Nobody enters for so long, and fewer at a time afterwards. Pauses do not add up: the latest end counts."""
        with self._changed:
            now = self._clock()
            if self._paused_until <= now:  # answers that were under way together count once
                self._limit = max(self._limit // 2, 1)
            self._paused_until = max(self._paused_until, now + seconds)

    def paused(self) -> float:
        """Seconds until somebody may enter, 0 when the host is not paused."""
        with self._changed:
            return max(self._paused_until - self._clock(), 0.0)

    @property
    def limit(self) -> int:
        """How many are let in at the moment."""
        return self._limit

    def _enter(self, run: Run) -> None:
        while True:
            run.check()
            self.check()
            pause = self.paused()
            if pause > 0:
                run.pause(pause)
                continue
            with self._changed:
                if self._inside < self._limit:
                    self._inside += 1
                    return
                # Not longer than a second, so that nobody sleeps on when the caller has left.
                self._changed.wait(max(min(run.remaining(), 1.0), 0))
