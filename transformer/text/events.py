"""Any YAML, by libyaml's events (PyYAML's C parser): exact spans, and nothing built but dicts, lists and ints.

The reader of last resort and the judge: what `outline` declines comes here, and what this refuses is unreadable.
libyaml counts in characters, so its marks are offsets into the text; a byte order mark must have been taken off before.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from transformer.text.tree import DEPTH_LIMIT, Duplicate, Plain, Scalar, TextError, Tree

#: Anchors and tags, and the comments that may stand between them and their node.
_PROPERTIES = re.compile(r"(?:[&!]\S*+(?:\s++(?:#[^\r\n]*+)?+)++)*+")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

#: More values than merge keys bring into any real document; each costs memory that the text did not.
MERGED_LIMIT = 500_000

#: Whether the C parser is there. The pure one gives the same answers, about 20 times slower.
HAS_LIBYAML = bool(yaml.__with_libyaml__)
# Not CLoader: of its parts only the parser is of use here, and thousands of documents may each want one.
_Parser: Any = yaml.__dict__["cyaml"].CParser if HAS_LIBYAML else yaml.Loader


def read(text: str, start: int = 0, end: int | None = None) -> list[Plain]:
    """The documents of `text[start:end]` (mostly one), with spans as offsets into `text`; raises TextError."""
    piece = text if start == 0 and end is None else text[start:end]
    parser = _Parser(piece)
    builder = _Builder(text, start)
    try:
        while (event := parser.get_event()) is not None:
            builder.take(event)
    except yaml.reader.ReaderError as error:
        bad = _UNPRINTABLE.search(piece)
        raise TextError(_sentence(error.reason), start + (bad.start() if bad else 0)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.problem, error.context) if part)
        raise TextError(_sentence(what), start + (mark.index if mark else 0)) from None
    finally:
        parser.dispose()
    return builder.documents


def _sentence(what: str) -> str:
    return f"not valid YAML: {what}"


class _Open(NamedTuple):
    """A collection that has not ended: its anchor, and for a mapping the keys written in it (not those merged in)."""

    node: Tree
    anchor: str | None
    own: set[str]


class _Builder:
    """Builds one tree after the other from events, with a stack of open collections and of keys that await a value."""

    def __init__(self, text: str, offset: int) -> None:
        self.text, self.offset = text, offset
        self.documents: list[Plain] = []
        self._begin()

    def _begin(self) -> None:
        self.scalars: list[Scalar] = []
        self.duplicates: list[Duplicate] = []
        self.anchors: dict[str, Tree | None] = {}
        self.stack: list[_Open] = []
        #: How many levels the collections in `stack` hold so far, and those that an anchor names.
        self.levels: list[int] = []
        self.anchored_levels: dict[str, int] = {}
        self.keys: list[tuple[str, int] | None] = []
        self.root: Tree | None = None
        self.merged = 0

    def take(self, event: Any) -> None:
        kind = event.__class__
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent:
            self._open({}, event)
        elif kind is yaml.SequenceStartEvent:
            self._open([], event)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close()
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentEndEvent:
            if self.root is not None:
                self.documents.append(Plain(self.root, self.scalars, self.duplicates))
            self._begin()

    def _scalar(self, event: Any) -> None:
        position = self.offset + event.start_mark.index
        is_key = self._awaits_key()
        if is_key:
            self.keys[-1] = (event.value, position)
        if is_key and not event.anchor:
            return
        leaf = self._leaf(event, position)
        if event.anchor:
            self.anchors[event.anchor] = leaf
            self._is_held(leaf)
        if not is_key:
            self._place(leaf)

    def _is_held(self, leaf: int) -> None:
        """An anchor at the top of a document, or under an `x-` key, holds its text only for others to use."""
        keys = [key[0] for key in self.keys if key is not None]
        if len(keys) == 1 or any(key.startswith("x-") for key in keys):
            self.scalars[leaf] = self.scalars[leaf]._replace(places=0)

    def _leaf(self, event: Any, position: int) -> int:
        end = self.offset + event.end_mark.index
        if event.anchor or event.tag:
            skipped = _PROPERTIES.match(self.text, position, end)
            position = skipped.end() if skipped and (event.value or event.style) else end
        self.scalars.append(Scalar(position, end, event.style or "", event.value, bool(event.tag)))
        return len(self.scalars) - 1

    def _open(self, collection: Tree, event: Any) -> None:
        position = self.offset + event.start_mark.index
        if len(self.stack) >= DEPTH_LIMIT:
            raise TextError(f"nested deeper than {DEPTH_LIMIT} levels", position)
        if self._awaits_key():
            raise TextError("a mapping or sequence as a key has no meaning in Kubernetes", position)
        if event.anchor:
            self.anchors[event.anchor] = None  # open: an alias in here would contain itself
        self.stack.append(_Open(collection, event.anchor, set()))
        self.keys.append(None)
        self.levels.append(1)

    def _close(self) -> None:
        closed, levels = self.stack.pop(), self.levels.pop()
        self.keys.pop()
        if closed.anchor:
            self.anchors[closed.anchor], self.anchored_levels[closed.anchor] = closed.node, levels
        self._deepen(levels)
        self._place(closed.node)

    def _deepen(self, levels: int) -> None:
        if self.levels:
            self.levels[-1] = max(self.levels[-1], levels + 1)

    def _alias(self, event: Any) -> None:
        position = self.offset + event.start_mark.index
        if event.anchor not in self.anchors:
            raise TextError(f"not valid YAML: the alias *{event.anchor} names no anchor", position)
        node = self.anchors[event.anchor]
        if node is None:
            raise TextError(f"the alias *{event.anchor} stands inside the node that it names", position)
        if isinstance(node, int):
            self.scalars[node] = self.scalars[node]._replace(places=self.scalars[node].places + 1)
        if not self._awaits_key():
            levels = 0 if isinstance(node, int) else self.anchored_levels[event.anchor]
            if len(self.stack) + levels > DEPTH_LIMIT:
                raise TextError(f"with its aliases nested deeper than {DEPTH_LIMIT} levels", position)
            self._deepen(levels)
            self._place(node)
        elif isinstance(node, int):
            self.keys[-1] = (self.scalars[node].value, position)
        else:
            raise TextError("a mapping or sequence as a key has no meaning in Kubernetes", position)

    def _awaits_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].node, dict) and self.keys[-1] is None

    def _place(self, node: Tree) -> None:
        if not self.stack:
            self.root = node
            return
        parent, _, own = self.stack[-1]
        if isinstance(parent, list):
            parent.append(node)
        elif isinstance(parent, dict):
            pending, self.keys[-1] = self.keys[-1], None
            assert pending is not None
            key, position = pending
            if key == "<<" and not isinstance(node, int):
                self._merge(parent, node, position)
                return
            if key in own:
                self.duplicates.append(Duplicate(position, key, parent[key]))
            own.add(key)
            parent[key] = node

    def _merge(self, mapping: dict[str, Tree], node: Tree, position: int) -> None:
        """YAML 1.1 merge: what the mapping says itself wins, then the first of several sources."""
        for source in node if isinstance(node, list) else [node]:
            if isinstance(source, dict):
                self.merged += len(source)
                if self.merged > MERGED_LIMIT:
                    raise TextError(f"merge keys bring more than {MERGED_LIMIT} values into this document", position)
                for key, value in source.items():
                    mapping.setdefault(key, value)
