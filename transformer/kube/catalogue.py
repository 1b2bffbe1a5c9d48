"""The catalogue of known kinds: `catalogue.txt`, one row a field. A new kind is a new row there, no code.

Read once, when the first kind is looked up, and never taken apart as a whole: a look-up finds the kind's rows in the
text.
"""

from __future__ import annotations

import functools
from typing import NamedTuple


class Row(NamedTuple):
    """One field: a path (see catalogue.txt) and the name of a shape."""

    path: str
    shape: str


@functools.cache
def _text() -> str:
    with open(__file__.removesuffix("catalogue.py") + "catalogue.txt", encoding="utf-8") as file:
        return "\n" + file.read()


@functools.lru_cache(maxsize=512)
def rows(group: str, kind: str) -> tuple[Row, ...]:
    """The rows of a kind; `group` is "" for core. Empty when the catalogue does not know it."""
    text, start = _text(), f"\n{group or 'core'}/{kind} "
    found = []
    at = text.find(start)
    while at >= 0:
        end = text.find("\n", at + 1)
        path, shape = text[at + len(start) : end].split()
        found.append(Row(path, shape))
        at = text.find(start, end)
    return tuple(found)
