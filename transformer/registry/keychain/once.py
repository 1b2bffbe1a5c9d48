"""What a slow source has said: found out once, by one thread while the others wait, and renewed at most once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

from transformer.registry.keychain.credential import Credential, KeychainError


class _Slot:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known = self.renewed = False
        self.value: Credential | None = None
        self.error: KeychainError | None = None


class Once:
    """Credentials and failures by key, for the life of a resolver."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[Hashable, _Slot] = {}

    def get(
        self, key: Hashable, work: Callable[[], Credential | None], stale: Credential | None = None
    ) -> Credential | None:
        """What `work` gives for the first who asks, a KeychainError included; once more when that is `stale`."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
        with slot.lock:
            expired = slot.known and not slot.renewed and stale is not None and slot.value == stale
            if not slot.known or expired:
                slot.renewed = slot.known
                self._fill(slot, work)
            if slot.error is not None:
                raise KeychainError(str(slot.error), explicit=slot.error.explicit)
            return slot.value

    def _fill(self, slot: _Slot, work: Callable[[], Credential | None]) -> None:
        slot.value = slot.error = None
        try:
            slot.value = work()
        except KeychainError as error:
            slot.error = error
        slot.known = True
