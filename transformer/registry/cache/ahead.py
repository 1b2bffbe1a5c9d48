"""Texts that will be wanted, read together: one look into the store for all that wait, and not one for each.

A look is repeated when it is old, by whoever comes next; who comes meanwhile takes what was seen. Of the threads that
wait for another process one looks, and wakes the others when there is news. Knows texts and keys, not what they mean.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

#: Seconds after which another look is worth it.
INTERVAL = 0.05


class Ahead:
    """The texts of the keys that were announced, as of the last look. `read` looks into the store."""

    def __init__(self, read: Callable[[Sequence[str]], Mapping[str, str]], clock: Callable[[], float]) -> None:
        self._read, self._clock = read, clock
        self._lock = threading.Condition()
        self._leading = False
        self._texts: dict[str, str | None] = {}
        #: What somebody waits for: looked up again although there is a text, which is too old then.
        self._awaited: set[str] = set()
        self._looked = float("-inf")

    def announce(self, keys: Iterable[str]) -> None:
        """These will be wanted."""
        with self._lock:
            for key in keys:
                self._texts.setdefault(key, None)

    def forget(self, keys: Iterable[str]) -> None:
        """These will not be wanted again."""
        with self._lock:
            for key in keys:
                self._texts.pop(key, None)
                self._awaited.discard(key)

    def get(self, keys: Sequence[str]) -> Mapping[str, str]:
        """What there is; a key that was not announced is looked up by itself."""
        with self._lock:
            announced = all(key in self._texts for key in keys)
            old = self._clock() - self._looked >= INTERVAL
            if announced and not (old and any(self._texts[key] is None for key in keys)):
                return self._seen(keys)
        if not announced:
            return self._read(keys)
        self._look()
        with self._lock:
            return self._seen(keys)

    def wait(self, keys: Sequence[str], pause: Callable[[float], None], longest: float) -> Mapping[str, str]:
        """What there is after a while: about INTERVAL, at most `longest` seconds for those that another wakes."""
        with self._lock:
            self._awaited.update(keys)
            if self._leading:
                self._lock.wait(longest)
                return self._seen(keys)
            self._leading = True
        try:
            pause(INTERVAL)
            self._look()
        finally:
            with self._lock:
                self._leading = False
                self._lock.notify()  # when this one does not wait any more, another must look
        with self._lock:
            return self._seen(keys)

    def _look(self) -> None:
        with self._lock:
            self._looked = self._clock()
            wanted = [key for key, text in self._texts.items() if text is None or key in self._awaited]
        found = self._read(wanted)
        with self._lock:
            news = {key: text for key, text in found.items() if self._texts.get(key, text) != text}
            self._texts |= news
            if news:
                self._lock.notify_all()

    def _seen(self, keys: Sequence[str]) -> dict[str, str]:
        return {key: text for key in keys if (text := self._texts.get(key)) is not None}
