"""Plain block YAML, read line by line: what nearly every rendered manifest is, at a fifth of libyaml's cost.

One regular expression takes a document apart into lines of `head` (indentation, dashes, key) and value. The heads alone
decide the structure, so documents of one shape share one analysis; an empty `[]` or `{}` is structure too, and part of
the head. Whatever is not surely plain is declined (None) and goes to `events`: anchors, aliases, tags, merge keys, flow
collections, escapes, quoted keys, comments behind keys, tabs, CR, several-line scalars, duplicate keys, deep nesting,
and every line or indentation that this module does not understand, so no broken document passes here.
A test holds its answers to those of `events`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from transformer.text.tree import DEPTH_LIMIT, Duplicate, Scalar, Tree

_DASHES = r" *+(?:- ++)*+"
_KEY = r"[A-Za-z0-9_./][A-Za-z0-9_./-]{0,200}+:"
_WORD = r"[^\s:#][^\s:]*+(?::++[^\s:]++)*+"
_PLAIN = rf"(?![-?] |[-?:,\[\]{{}}#&*!|>'\"%@`]\n|[,\[\]{{}}#&*!|>'\"%@`]){_WORD}(?: ++{_WORD})*+"
_VALUE = rf"{_PLAIN}|'[^'\n]*+'|\"[^\"\\\n]*+\""
_EMPTY = r"(?:\[\]|\{\}) *+\n"
#: Groups: head, value, indentation of a block scalar (part of its head too), a line that is not understood.
_LINE = re.compile(
    rf"^({_DASHES}(?:{_KEY}(?:\n| {_EMPTY}|(?= ))|(?<=- )(?:{_EMPTY}|(?=\S))))"
    rf"(?:(?<=\n)| *+({_VALUE})(?: ++(?:#[^\n]*+)?)?\n)"
    rf"|^({_DASHES}(?:{_KEY} |(?<=- ))[|>][+-]?+\n( ++))(?=\S)[^\n]*+\n(?:\4[^\n]*+\n|[ ]*+\n)*+"
    rf"|^(?: *+(?:#[^\n]*+)?\n)"
    rf"|^([^\n]*+\n?)",
    re.MULTILINE,
)
_MARKER = re.compile(r"---[ ]*\n")
_HEAD = re.compile(r"( *)((?:- +)*)(.*)", re.DOTALL)
_UNUSUAL_ASCII = re.compile("[^\t\n\x20-\x7e]")
_UNUSUAL = "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_MEMORY = 2000


def is_usual(text: str) -> bool:
    """Whether the text has only characters that this module can read: no CR, no control, no Unicode line break."""
    if text.isascii():
        return _UNUSUAL_ASCII.search(text) is None
    return re.search(_UNUSUAL, text) is None  # compiled only here: it would be a twentieth of a small run


class Outline:
    """The structure that documents of one shape have in common; leaves are numbers of lines."""

    __slots__ = ("blocks", "kinds", "tree")

    def __init__(self, tree: Tree, kinds: tuple[int, ...], blocks: frozenset[int]) -> None:
        self.tree = tree
        #: The leaves under a key `kind` or `apiVersion`, wherever they stand.
        self.kinds = kinds
        #: Lines that start a block scalar: their value is not known here.
        self.blocks = blocks


class Lines:
    """One document by its outline: `raw` values are as written, quotes included, "" for none."""

    __slots__ = ("_rows", "_text", "_where", "outline", "raw")
    duplicates: Sequence[Duplicate] = ()

    def __init__(self, outline: Outline, raw: list[str], text: str, where: tuple[int, int]) -> None:
        self.outline, self.raw = outline, raw
        self._text, self._where = text, where
        self._rows: list[re.Match[str]] = []

    @property
    def tree(self) -> Tree:
        return self.outline.tree

    def value(self, leaf: int) -> str:
        """What the leaf says."""
        raw = self.raw[leaf]
        return raw[1:-1] if raw[:1] in ("'", '"') else raw

    def scalar(self, leaf: int) -> Scalar:
        """The leaf with its span; the first call reads the lines again to have the spans."""
        if not self._rows:
            self._rows = list(_LINE.finditer(self._text, *self._where))
        row, raw = self._rows[leaf], self.raw[leaf]
        start, end = row.span(2) if raw else (row.end(1) - 1, row.end(1) - 1)
        style = raw[:1] if raw[:1] in ("'", '"') else ""
        return Scalar(start, end, style, raw[1:-1] if style else raw)


class Outlines:
    """Reads documents and remembers the outlines it has met (bounded)."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Outline | None] = {}

    def read(self, text: str, start: int, end: int) -> Lines | None:
        """The document in `text[start:end]`, or None when it is not plain enough. The text must be `is_usual`."""
        marker = _MARKER.match(text, start, end)
        if marker is not None:
            start = marker.end()
        rows = _LINE.findall(text, start, end)
        heads = tuple([row[0] or row[2] or row[4] for row in rows])
        outline = self._known.get(heads, _UNSEEN)
        if isinstance(outline, _Unseen):
            outline = _analyse(heads, [row[4] for row in rows], [row[3] for row in rows])
            if len(self._known) >= _MEMORY:
                self._known.clear()
            self._known[heads] = outline
        if outline is None:
            return None
        return Lines(outline, [row[1] for row in rows], text, (start, end))


class _Unseen:
    pass


_UNSEEN = _Unseen()


class _Declined(Exception):
    pass


def _analyse(heads: Sequence[str], strange: Sequence[str], bodies: Sequence[str]) -> Outline | None:
    if any(strange):
        return None
    structure = _Structure()
    blocks = set()
    try:
        for number, head in enumerate(heads):
            if head:
                structure.take(number, head, bodies[number])
            if bodies[number]:
                blocks.add(number)
    except _Declined:
        return None
    if structure.root is None:
        return None
    return Outline(structure.root, tuple(structure.kinds), frozenset(blocks))


class _Structure:
    """Follows the indentation. `stack` holds the open collections and their columns, `pending` a key with no value."""

    def __init__(self) -> None:
        self.root: Tree | None = None
        self.kinds: list[int] = []
        self.stack: list[tuple[int, Tree]] = []
        self.pending: tuple[dict[str, Tree], str, int] | None = None

    def take(self, number: int, head: str, body: str) -> None:
        column, dashes, key, value = _split(head, body)
        node: Tree = [] if value == "[]" else {} if value == "{}" else number
        if not dashes:
            self._entry(self._collection(column, {}), key, node, column, value == ":")
            limit = column
        else:
            inner = column + len(dashes)
            limit = inner if key else column + dashes.rindex("-")
            items = self._collection(column, [])
            for dash in [at for at, char in enumerate(dashes) if char == "-"][1:]:
                items = self._nest(items, column + dash, [])
            if key:
                self._entry(self._nest(items, inner, {}), key, node, inner, value == ":")
            elif isinstance(items, list):
                items.append(node)
        if body and len(body) <= limit:
            raise _Declined

    def _nest(self, items: Tree, column: int, fresh: Tree) -> Tree:
        assert isinstance(items, list)
        items.append(fresh)
        return self._push(column, fresh)

    def _push(self, column: int, fresh: Tree) -> Tree:
        if len(self.stack) >= DEPTH_LIMIT:
            raise _Declined  # events says so, with the place
        self.stack.append((column, fresh))
        return fresh

    def _collection(self, column: int, fresh: Tree) -> Tree:
        """The open collection that a line at `column` belongs to, or a fresh one where the pending key allows it."""
        if self.root is None:
            self.root = fresh
            return self._push(column, fresh)
        pending, self.pending = self.pending, None
        if pending is not None:
            mapping, key, at = pending
            if column > at or (column == at and isinstance(fresh, list)):
                mapping[key] = fresh
                return self._push(column, fresh)
        while self.stack and (self.stack[-1][0] > column or not self._fits(column, fresh)):
            self.stack.pop()
        if not self.stack or self.stack[-1][0] != column:
            raise _Declined
        return self.stack[-1][1]

    def _fits(self, column: int, fresh: Tree) -> bool:
        at, node = self.stack[-1]
        return at != column or isinstance(node, type(fresh))

    def _entry(self, mapping: Tree, key: str, node: Tree, column: int, is_pending: bool) -> None:
        assert isinstance(mapping, dict)
        if key in mapping:
            raise _Declined  # a duplicate key: events reports it
        mapping[key] = node
        if is_pending:
            self.pending = (mapping, key, column)
        elif key in ("kind", "apiVersion") and isinstance(node, int):
            self.kinds.append(node)


def _split(head: str, body: str) -> tuple[int, str, str, str]:
    """A head as its column, its dashes, its key ("" for none) and its value: "" a leaf, ":" none yet, "[]" or "{}"."""
    if body:
        head = head.partition("\n")[0].rstrip("+-")[:-1]
        head = head.rstrip() if head.rstrip().endswith(":") else head
    match = _HEAD.match(head)
    assert match is not None
    indent, dashes, rest = match.groups()
    key, colon, value = rest.partition(":")
    if not colon:
        key, value = "", rest
    return len(indent), dashes, key, ":" if value == "\n" else value.strip()
