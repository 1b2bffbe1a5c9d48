"""Where documents, and the items of a list, begin and end: found in the text alone, before anything is parsed.

`---` at the start of a line always separates documents (YAML 1.2, 9.1.2: it may not occur inside one, not even quoted),
so that cut is exact. The cut at list items can fall inside a scalar or a flow collection that spans lines against all
custom; then the envelope has no empty `items` where the cut was made, or a piece cannot be parsed, and the caller
parses the whole document instead.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# The expressions that run over whole files begin with a literal newline: that is what the engine can skip to.
_BOUNDARY = re.compile(r"\n(?:---(?=[ \t\r\n]|\Z)|\.\.\.(?=[ \t\r\n]|\Z)[^\n]*)")
_COMMENTS = re.compile(r"(?:[ \t\r]*+(?:#[^\n]*+)?\n)*+")
_ITEMS = re.compile(r"^items:[ ]*\n", re.MULTILINE)
_FIRST_ITEM = re.compile(r"(?:[ ]*(?:#[^\n]*)?\n)*( *)- ")


class Span(NamedTuple):
    """Offsets into a text."""

    start: int
    end: int


class Listed(NamedTuple):
    """A document with a block list under `items`: where its items stand; the rest is its envelope.

    `key` is the offset just behind the colon of `items:`, in the envelope.
    """

    document: Span
    items: tuple[Span, ...]
    key: int

    def envelope(self, text: str) -> str:
        """The document without its items: `items:` is left with no value, every other byte is there."""
        return text[self.document.start : self.items[0].start] + text[self.items[-1].end : self.document.end]


def split(text: str) -> list[Span]:
    """The documents of a stream: every character belongs to exactly one span. Spans of comments alone are possible."""
    spans: list[Span] = []
    start = 0
    for boundary in _BOUNDARY.finditer(text):
        is_end = boundary[0].startswith("\n...")
        cut = min(boundary.end() + 1, len(text)) if is_end else boundary.start() + 1
        if is_end and spans and _COMMENTS.fullmatch(text, start, boundary.start() + 1):
            spans[-1] = Span(spans[-1].start, start := cut)  # a second end mark ends nothing, and is no text by itself
        elif cut > start and (is_end or not _has_directive(text, start, cut)):
            spans.append(Span(start, cut))
            start = cut
    if start < len(text):
        spans.append(Span(start, len(text)))
    return spans


def _has_directive(text: str, start: int, end: int) -> bool:
    return text.startswith("%", start) or text.find("\n%", start, end) >= 0


def split_items(text: str, document: Span) -> Listed | None:
    """The items of a list that is written in block style at the document's top level, else None."""
    key = _ITEMS.search(text, document.start, document.end)
    first = _FIRST_ITEM.match(text, key.end(), document.end) if key else None
    if key is None or first is None:
        return None
    indent = len(first[1])
    outside = re.compile(rf"\n(?! {{{indent}}}(?:-?[ \n])|[ ]*(?:#[^\n]*)?(?:\n|\Z))")
    after = outside.search(text, key.end() - 1, document.end)
    end = after.start() + 1 if after else document.end
    item = re.compile(rf"\n {{{indent}}}- ")
    starts = [match.start() + 1 for match in item.finditer(text, key.end() - 1, end)]
    return Listed(document, tuple(map(Span, starts, [*starts[1:], end])), key.start() + len("items:") - document.start)
