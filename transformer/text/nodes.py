"""A document as nodes with spans: where each key, value and collection stands, aliases and merge keys as written.

For the few documents that get something inserted (`insertion`): slower than the readers behind `Tree`, which know only
where scalars stand. Judges nothing; the document has been read before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from transformer.text.tree import TextError

MERGE = "<<"
#: More places of one mapping than any document has that a person wrote; merges of merges multiply.
POSITIONS_LIMIT = 10_000

_STEP = re.compile(r"\.?(?:\[([0-9]{1,9})\]|\[\"(.*?)\"\](?=[.\[]|\Z)|([^.\[]+))", re.DOTALL)
_JSON_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_HARMLESS = re.compile(r"[A-Za-z0-9_./-]{0,500}")


class Node(NamedTuple):
    """A value: `kind` is map, list or scalar. Spans count from the properties (anchor, tag) in front of it.

    `inside` is where its content begins: for a flow collection just behind the bracket. A block collection's `end` lies
    behind the comments that follow it; see `content_end`. To be compared by identity.
    """

    kind: str
    start: int
    inside: int
    end: int
    is_flow: bool
    children: Sequence[Child] = ()
    value: str = ""
    style: str = ""
    #: Whether an anchor or a tag stands in front of it.
    has_properties: bool = False
    #: Of a mapping its own children by their keys: the last one, where a key stands twice.
    keys: Mapping[str, Child] = MappingProxyType({})


class Child(NamedTuple):
    """A value where it is used: its key (None in a list), and the span here, which for an alias is the alias's."""

    key: Node | None
    node: Node
    start: int
    end: int
    is_alias: bool


class Document(NamedTuple):
    """The root, and all collections, each after those that it holds."""

    root: Node
    collections: Sequence[Node]

    def find(self, path: str) -> Node | None:
        """The node at a path such as `items[0].spec.template.spec`; in a list of one object, that object's."""
        node: Node | None = self.root
        if self.root.kind == "list" and self.root.children:
            node = self.root.children[0].node
        for step in _steps(path):
            if node is None:
                return None
            if isinstance(step, str):
                found = own(node, step) or merged(node, step)
            else:
                found = node.children[step] if node.kind == "list" and step < len(node.children) else None
            node = found.node if found else None
        return node


class Uses:
    """How often the collections of a document are used, by way of aliases and merge keys.

    What stands under an `x-` key at the top is held there for others, and is no use.
    """

    def __init__(self, document: Document) -> None:
        self._mergers: dict[int, list[Node]] = {}
        for node in document.collections:
            for source in _merges(node):
                self._mergers.setdefault(id(source), []).append(node)
        self._reach: dict[int, int] = {id(document.root): 1}
        for node in reversed(document.collections):
            for child in node.children:
                if child.node.kind != "scalar":
                    self._add(document, node, child)

    def of(self, node: Node) -> int:
        """How often a collection is used."""
        return self._reach.get(id(node), 0)

    def of_key(self, mapping: Node, key: str, given: frozenset[int] = frozenset()) -> int:
        """How many mappings have the value that this one has (or would get) under a key: itself, and those it is merged
        into that have none of their own. `given`: ids of mappings that get one.
        """
        total, waiting, steps = 0, [mapping], 0
        while waiting and total < POSITIONS_LIMIT:
            node = waiting.pop()
            total += self.of(node)
            mergers = self._mergers.get(id(node), ())
            waiting += [one for one in mergers if id(one) not in given and own(one, key) is None]
            steps += 1
            if steps > POSITIONS_LIMIT:
                return POSITIONS_LIMIT
        return total

    def _add(self, document: Document, node: Node, child: Child) -> None:
        if child.key is None:
            count = self.of(node)
        elif _is_merge(child) or (node is document.root and child.key.value.startswith("x-")):
            return
        else:
            count = self.of_key(node, child.key.value)
        self._reach[id(child.node)] = min(POSITIONS_LIMIT, self.of(child.node) + count)


def own(node: Node, key: str) -> Child | None:
    """What a mapping itself has under a key."""
    return node.keys.get(key)


def merged(node: Node, key: str) -> Child | None:
    """What a mapping has under a key by its merge keys, the first source first."""
    waiting, seen = list(_merges(node))[::-1], set[int]()
    while waiting:
        source = waiting.pop()
        if id(source) in seen:
            continue
        seen.add(id(source))
        found = own(source, key)
        if found is not None:
            return found
        waiting += list(_merges(source))[::-1]
    return None


def content_end(child: Child) -> int:
    """Where a value really ends: a block collection with the last thing in it, before the comments that follow."""
    while child.node.children and not child.node.is_flow and not child.is_alias:
        child = child.node.children[-1]
    return child.end


def read(text: str, start: int, end: int) -> Document:
    """The document in `text[start:end]`, with spans as offsets into `text`; raises TextError. JSON is taken as YAML."""
    import yaml

    piece = text[start:end]
    try:
        return _read(piece, start)
    except yaml.YAMLError:
        if not piece.lstrip().startswith("{"):
            raise TextError("it cannot be read as YAML", start) from None
        # JSON may hold strings and tabs that YAML does not know. What replaces them is as long, so the spans are right.
        piece = _JSON_STRING.sub(_blanked, piece).replace("\t", " ")
    try:
        return _read(piece, start)
    except yaml.YAMLError:
        raise TextError("it cannot be read as YAML", start) from None


def _blanked(match: re.Match[str]) -> str:
    return match[0] if _HARMLESS.fullmatch(match[1]) else '"x"'.rjust(len(match[0]))


def _read(piece: str, start: int) -> Document:
    import yaml

    parser: Any = (yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader)(piece)
    try:
        while (event := parser.get_event()) is not None:
            if type(event).__name__ == "DocumentStartEvent":
                return _Builder(start).build(parser)
    finally:
        parser.dispose()
    raise TextError("it holds nothing", start)


class _Builder:
    """One document's nodes from libyaml's events, with a stack of open collections."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._collections: list[Node] = []
        self._anchors: dict[str, Node] = {}
        #: For each open collection its first event, its children and the key that awaits a value.
        self._open: list[tuple[Any, list[Child], list[Node]]] = [(None, [], [])]

    def build(self, parser: Any) -> Document:
        """The document that has begun."""
        while True:
            event = parser.get_event()
            name = type(event).__name__
            if name == "DocumentEndEvent":
                return Document(self._open[0][1][0].node, self._collections)
            if name in ("MappingStartEvent", "SequenceStartEvent"):
                self._open.append((event, [], []))
            elif name in ("MappingEndEvent", "SequenceEndEvent"):
                self._close(event)
            elif name == "AliasEvent":
                self._alias(event)
            else:
                self._scalar(event)

    def _scalar(self, event: Any) -> None:
        start, end = self._span(event)
        properties = bool(event.anchor or event.tag)
        node = Node("scalar", start, start, end, False, (), event.value, event.style or "", properties)
        self._place(self._known(event, node), event)

    def _alias(self, event: Any) -> None:
        named = self._anchors[event.anchor]
        start, end = self._span(event)  # for a key: where it stands here
        self._place(named, event, is_alias=True, key=named._replace(start=start, end=end))

    def _close(self, last: Any) -> None:
        first, children, _ = self._open.pop()
        (start, inside), end = self._span(first), self._span(last)[1]
        kind = "map" if type(last).__name__ == "MappingEndEvent" else "list"
        keys = {one.key.value: one for one in children if one.key is not None}
        properties = bool(first.anchor or first.tag)
        node = Node(kind, start, inside, end, bool(first.flow_style), children, "", "", properties, keys)
        self._collections.append(self._known(first, node))
        self._place(node, first, end)

    def _known(self, event: Any, node: Node) -> Node:
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _place(
        self, node: Node, event: Any, end: int | None = None, is_alias: bool = False, key: Node | None = None
    ) -> None:
        parent, children, keys = self._open[-1]
        if type(parent).__name__ == "MappingStartEvent" and not keys:
            keys.append(key or node)
            return
        start, last = self._span(event)
        children.append(Child(keys.pop() if keys else None, node, start, last if end is None else end, is_alias))

    def _span(self, event: Any) -> tuple[int, int]:
        return self._offset + event.start_mark.index, self._offset + event.end_mark.index


def _steps(path: str) -> Iterator[str | int]:
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise TextError("a path that cannot be read")
        yield int(match[1]) if match[1] else match[2] if match[2] is not None else match[3]
        position = match.end()


def _is_merge(child: Child) -> bool:
    return child.key is not None and child.key.value == MERGE and child.node.kind != "scalar"


def _merges(node: Node) -> Iterator[Node]:
    """The mappings that a mapping merges in."""
    for child in node.children:
        if _is_merge(child):
            yield from (one.node for one in child.node.children) if child.node.kind == "list" else (child.node,)
