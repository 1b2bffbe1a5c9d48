"""Time: what a run has left, and the watch that cuts connections which have outlived their deadline.

A read timeout of a socket starts anew with every byte, so a server that drips one byte a second holds a worker on.
Here the thread that waits for the answers anyway looks at a table of exchanges and shuts down the sockets of those that
are late; the worker then sees its connection end. This module knows sockets only as something to shut down.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

FOREVER = float("inf")


class OutOfTime(Exception):
    """The run is over: its deadline has passed, or the caller has left. Work that is under way stops here."""


class Run:
    """One batch of questions. `timeout` is in seconds for the whole batch, None for no limit."""

    def __init__(self, timeout: float | None, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.timeout = timeout
        self._clock, self._sleep = clock, sleep
        self._deadline = FOREVER if timeout is None else clock() + timeout
        self._closed = False

    def remaining(self) -> float:
        """Seconds left: infinite without a timeout, 0 or less when the run is over."""
        return 0.0 if self._closed else self._deadline - self._clock()

    def until(self, seconds: float) -> float:
        """The clock's time `seconds` from now, or the run's deadline when that comes first."""
        return min(self._clock() + seconds, self._deadline)

    def check(self) -> None:
        """Raises OutOfTime when nothing more may be started."""
        if self.remaining() <= 0:
            raise OutOfTime

    def pause(self, seconds: float) -> None:
        """Sleeps, unless the run would be over by then: OutOfTime at once."""
        if seconds >= self.remaining():
            raise OutOfTime
        if seconds > 0:
            self._sleep(seconds)
        self.check()

    def close(self) -> None:
        """The caller leaves; workers stop at their next step."""
        self._closed = True


class _Exchange:
    __slots__ = ("cut", "deadline", "handle")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.handle: socket.socket | None = None
        self.cut = False

    def shut(self) -> None:
        self.cut = True
        if self.handle is not None:
            try:
                self.handle.shutdown(socket.SHUT_RDWR)
            except OSError:  # not connected yet (bounded by the connect timeout), or gone already
                pass


class Watch:
    """The exchanges under way, at most one per thread.

    A worker calls `begin`, `attach` for each socket that it uses, and `end`; the waiting thread calls `cut_late`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._exchanges: dict[int, _Exchange] = {}

    def begin(self, deadline: float) -> None:
        """This thread's exchange has until `deadline` (time of the clock)."""
        with self._lock:
            self._exchanges[threading.get_ident()] = _Exchange(deadline)

    def attach(self, sock: socket.socket) -> None:
        """This thread's exchange now uses `sock`. Without an exchange nothing happens."""
        with self._lock:
            exchange = self._exchanges.get(threading.get_ident())
            if exchange is None:
                return
            _close(exchange.handle)
            # A duplicate of our own: wrapping in TLS detaches the original, and a closed descriptor's number may by
            # then belong to another connection. Shutting down the duplicate ends the connection for both.
            exchange.handle = socket.socket(sock.family, sock.type, sock.proto, fileno=os.dup(sock.fileno()))
            if exchange.cut:
                exchange.shut()

    def end(self) -> bool:
        """Closes this thread's exchange; True when it was cut."""
        with self._lock:
            exchange = self._exchanges.pop(threading.get_ident(), None)
            if exchange is None:
                return False
            _close(exchange.handle)
            return exchange.cut

    def cut_late(self) -> float:
        """Shuts down what is past its deadline; returns the seconds until the next deadline (infinite when idle)."""
        with self._lock:
            now = self._clock()
            pending = [exchange for exchange in self._exchanges.values() if not exchange.cut]
            for exchange in pending:
                if exchange.deadline <= now:
                    exchange.shut()
            return min((exchange.deadline - now for exchange in pending if not exchange.cut), default=FOREVER)

    def cut_all(self) -> None:
        """Shuts down everything under way: the caller leaves."""
        with self._lock:
            for exchange in self._exchanges.values():
                exchange.shut()


def _close(handle: socket.socket | None) -> None:
    if handle is not None:
        handle.close()
