"""When to ask again, and after how long. Pure arithmetic; who sleeps is session.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

#: Statuses that may be different a moment later. 499 and 522 come from proxies in front of registries.
RETRYABLE = frozenset((408, 425, 429, 499, 500, 502, 503, 504, 522))


class Limits(NamedTuple):
    """Times in seconds and counts for one run."""

    connect: float = 5.0
    #: One request in total: connecting, headers and body.
    request: float = 30.0
    attempts: int = 4
    backoff_base: float = 0.25
    backoff_cap: float = 5.0
    #: The longest `Retry-After` that is waited for when the run itself has no deadline.
    retry_after: float = 30.0
    #: How long the first request to a host goes alone, so that a quick registry says 401 once and not 32 times.
    head_start: float = 0.025
    redirects: int = 5

    def backoff(self, attempt: int, random: Callable[[], float]) -> float:
        """The pause after failed attempt 0, 1, …: full jitter, any time up to a ceiling that doubles."""
        return float(random() * min(self.backoff_cap, self.backoff_base * 2.0**attempt))


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a `Retry-After` header (number or HTTP date; RFC 9110 §10.2.3), None when it says nothing.

    `now` is the time of day in seconds since 1970.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    from email.utils import parsedate_to_datetime

    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
