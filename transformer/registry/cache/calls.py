"""Calls that may hang, bounded: made by threads of their own, so that nobody waits longer than was agreed.

A socket's timeout bounds one read, not a name server, not a handshake, not an answer that drips. Here the caller leaves
when its time is up, and after the first such call, or when calls are slow one after the other, no more are made.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

#: Threads, and so calls at once.
THREADS = 4
#: Seconds that a call may take, then between two looks at the machine, and at most when that is overloaded.
PATIENCE, SECOND_PATIENCE, BUSY_PATIENCE = 0.06, 0.03, 4.0
#: Times that a machine must look idle while a call is late: chance may make it look so.
STRIKES = 3
#: Seconds from which on a call is slow, and that slow calls may take one after the other.
SLOW, ALLOWANCE = 0.01, 0.08


class Unanswered(Exception):
    """A call was not made, or did not come back in time."""


class _Call:
    __slots__ = ("done", "error", "value", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work, self.done = work, threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None


class Calls:
    """Makes calls until one fails. `busy` says whether the machine is to blame for a slow one."""

    def __init__(self, busy: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._busy, self._clock = busy, clock
        self._waiting: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads, self._idle = 0, 0
        self._slow = 0.0
        #: Why no more calls are made, "" while they are.
        self.closed = ""

    def check(self) -> None:
        """Raises Unanswered when no more calls are made."""
        if self.closed:
            raise Unanswered(self.closed)

    def make(self, work: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """What `work()` gives or raises; Unanswered when it is not called, or takes too long."""
        self.check()
        call = _Call(work)
        self._start()
        self._waiting.put(call)
        left, strikes = BUSY_PATIENCE, STRIKES
        while not call.done.wait(patience):
            left, patience = left - patience, SECOND_PATIENCE
            strikes -= not self._busy()
            if left <= 0 or not strikes:
                raise Unanswered(self.close("it does not answer in time"))
        if call.error is not None:
            raise call.error
        return call.value

    def close(self, why: str) -> str:
        """No more calls; answers the first reason that was given."""
        with self._lock:
            self.closed = self.closed or why
            while not self._waiting.empty():
                with suppress(queue.Empty):
                    self._dropped(self._waiting.get_nowait())
            for _ in range(self._threads):
                self._waiting.put(None)
        return self.closed

    def _dropped(self, call: _Call | None) -> None:
        if call is not None:
            call.error = Unanswered(self.closed)
            call.done.set()

    def _start(self) -> None:
        with self._lock:
            if self._threads < THREADS and self._idle == 0:
                self._threads += 1
                threading.Thread(target=self._serve, daemon=True, name="pindown-cache").start()

    def _serve(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            call = self._waiting.get()
            with self._lock:
                self._idle -= 1
            if call is None:
                return
            if self.closed:
                self._dropped(call)
            else:
                self._work(call)
                call.done.set()

    def _work(self, call: _Call) -> None:
        began = self._clock()
        try:
            call.value = call.work()
        except BaseException as error:
            call.error = error
        self._account(self._clock() - began)

    def _account(self, seconds: float) -> None:
        """Slow calls one after the other are a slow server; a single one is chance, or this machine."""
        slow = seconds >= SLOW and not self._busy()
        with self._lock:
            self._slow = self._slow + seconds if slow else 0.0
            late = self._slow >= ALLOWANCE
        if late:
            self.close("it is slow")


def overloaded() -> bool:
    """Whether it is this machine or this process that is slow: a thread that sleeps is not woken in time, or more want
    to run than there are processors (Linux).
    """
    for _ in range(3):
        began = time.monotonic()
        time.sleep(0.0005)
        if time.monotonic() - began > 0.0025:
            return True
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            running = file.read(100).split()[3].partition("/")[0]
        return int(running) > (os.cpu_count() or 1)
    except (OSError, ValueError, IndexError):
        return False
