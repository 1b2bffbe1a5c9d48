"""Edits: spans and new text, applied from the end; how a scalar is made to say something else in its own spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from transformer.text.tree import Scalar, TextError

#: What may stand plainly in any context, block or flow: no indicator first, none of YAML's separators inside.
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+-]*(?::[A-Za-z0-9_./@+-]+)*")


_LINE_END = re.compile(r"[\r\n]")


class Edit(NamedTuple):
    """Replaces `[start, end)` of a text; an empty span inserts."""

    start: int
    end: int
    text: str


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; they must not overlap."""
    pieces: list[str] = []
    done = 0
    for edit in sorted(edits):
        assert edit.start >= done, "edits overlap"
        pieces += (text[done : edit.start], edit.text)
        done = edit.end
    pieces.append(text[done:])
    return "".join(pieces)


def respell(text: str, scalar: Scalar, new: str) -> Edit:
    """The edit after which the scalar says `new`, in the same style; raises TextError for a block of several lines.

    `new` must be printable ASCII without quotes or blanks.
    """
    start, end = scalar.start, scalar.end
    if scalar.style in ("|", ">"):
        word = scalar.value.strip()
        header = _LINE_END.search(text, start, end)
        start = text.find(word, header.end(), end) if header else -1
        if start < 0 or not word:
            raise TextError("a block scalar of several lines cannot be rewritten", scalar.start)
        return Edit(start, start + len(word), new)
    if scalar.style:
        start, end = start + 1, end - 1
        if text[start:end] != scalar.value and new.startswith(scalar.value):
            return Edit(end, end, new[len(scalar.value) :])  # escapes stay; only what is new is added
        return Edit(start, end, new)
    can_be_plain = _PLAIN.fullmatch(new) and Scalar(start, end, "", new).is_text
    spelled = new if can_be_plain else f'"{new}"'
    if start == end and not text[start - 1 : start].isspace():  # behind a colon, a dash or an anchor
        spelled = " " + spelled
    return Edit(start, end, spelled)
