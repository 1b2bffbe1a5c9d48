"""Single flight: of several threads that want the same thing at once, one fetches it and the others take its result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class _Flight(Generic[V]):
    __slots__ = ("done", "error", "value")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: list[V] = []
        self.error: BaseException | None = None


class Flights(Generic[V]):
    """With `keep`, results and errors are remembered for good; without, a landed flight is forgotten."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight[V]] = {}

    def do(self, key: Hashable, work: Callable[[], V]) -> V:
        """What `work()` gives, or raises, for the first to ask for `key`.

        Cannot deadlock as long as `work` asks for no key that could be waiting for this one.
        """
        with self._lock:
            flight = self._flights.get(key)
            leading = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if leading:
            self._fly(key, flight, work)
        else:
            flight.done.wait()
        if flight.error is not None:
            raise flight.error
        return flight.value[0]

    def _fly(self, key: Hashable, flight: _Flight[V], work: Callable[[], V]) -> None:
        try:
            flight.value.append(work())
        except BaseException as error:
            flight.error = error
        finally:
            if not self._keep:
                with self._lock:
                    self._flights.pop(key, None)
            flight.done.set()
