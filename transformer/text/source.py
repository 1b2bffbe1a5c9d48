"""A File: one unit of text from any surface, decoded, with its byte order mark kept aside; and positions in a text."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from transformer.text.tree import TextError

BOM = "\ufeff"
_NEWLINE = re.compile("\n")


class File(NamedTuple):
    """`name` is a path or `<stdin>`; `text` has no byte order mark. Newlines are as in the bytes."""

    name: str
    text: str
    has_bom: bool = False

    def __repr__(self) -> str:
        return f"File({self.name!r}, {len(self.text)} characters)"

    def marked(self) -> str:
        """The text with the byte order mark that it came with."""
        return BOM + self.text if self.has_bom else self.text


class Positions:
    """Offsets of one text as 1-based line and column (in characters); the lines are counted once, when first asked."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[int] = []

    def __call__(self, offset: int) -> tuple[int, int]:
        if not self._starts:
            self._starts = [0, *(match.end() for match in _NEWLINE.finditer(self._text))]
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def decode(name: str, data: bytes) -> File:
    """UTF-8 bytes as a File; raises TextError for anything else, saying what it seems to be."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise TextError("the text is UTF-16 or UTF-32; save it as UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        what = "binary data" if b"\x00" in data[:4096] else "not UTF-8 text"
        raise TextError(f"{what}: byte 0x{data[error.start]:02x} at offset {error.start}") from None
    if "\x00" in text:
        raise TextError(f"binary data: a NUL byte at offset {data.index(0)}")
    has_bom = text.startswith(BOM)
    return File(name, text[1:] if has_bom else text, has_bom)
