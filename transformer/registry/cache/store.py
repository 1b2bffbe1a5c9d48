"""What both stores promise: texts under keys, and whose turn it is to ask.

A store never raises and never waits long. What it cannot do it leaves out, with a sentence in `notes`, said once.
Keys are canonical texts (places.py); a store writes them down only as an HMAC. Texts are opaque here (entries.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Stats(NamedTuple):
    """What a store holds: `size` and `limit` in bytes, None where that is not known."""

    where: str
    entries: int
    size: int | None
    limit: int | None = None
    #: Unix seconds of the first and the last answer.
    oldest: float | None = None
    newest: float | None = None


class Store(Protocol):
    """A place for answers."""

    @property
    def notes(self) -> Sequence[str]:
        """What the user should hear: why this run goes without the store, or without a part of it."""
        ...

    def read(self, keys: Sequence[str]) -> Mapping[str, str]:
        """The texts that there are."""
        ...

    def write(self, texts: Mapping[str, str], keep: float) -> None:
        """Stores texts for at least `keep` seconds, if there is room."""
        ...

    def claim(self, key: str) -> bool:
        """Whether this process shall ask; False while another one does. Who has claimed must release."""
        ...

    def release(self, key: str, answered: bool) -> None:
        """The answer is stored, or there is none: then the others find a text under `failed_key(key)` for a moment."""
        ...

    def tick(self) -> None:
        """Called now and then by the thread that waits: keeps claims alive."""
        ...

    def close(self) -> None:
        """The run is over: what is still to be written is written."""
        ...


class StoreError(Exception):
    """A store cannot be looked into or emptied; the message says why, and holds no secret."""


def failed_key(key: str) -> str:
    """Where it stands that who has asked has no answer for the others."""
    return f"{key}\0failed"


def mac(secret: bytes, *parts: str) -> str:
    """An HMAC-SHA256 over texts that stay apart, in hex."""
    import hmac  # where nothing is looked up it is not needed

    joined = b"".join(len(part).to_bytes(8, "big") + part for part in (one.encode() for one in parts))
    return hmac.new(secret, joined, "sha256").hexdigest()


def span(seconds: float) -> str:
    """A time for people."""
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"
