"""Adds names to a list of `{name: …}` in a document, or the whole list under a new key, in the style of what is there.

Pure text: every other byte stays, comments and newlines too. Where a document uses one text at several places by
anchors, it is changed once, and only if all of them want the same; else the answer is a reason and no edit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from transformer.text.documents import Span
from transformer.text.edits import Edit
from transformer.text.nodes import Child, Document, Node, Uses, content_end, merged, own, read
from transformer.text.tree import Scalar, TextError

_FIELD = "name"
_PLAIN = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
#: What needs no escapes in double quotes.
_QUOTABLE = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,253}")
_LEAD = re.compile(r" *(?:- +)*")
#: From the end of one block item to the dash of the next.
_TO_DASH = re.compile(r"(?:[ \t]*(?:#[^\r\n]*)?\r?\n)*[ \t]*-")
#: What may stand behind a key before that: its colon, and an anchor or a tag.
_COLON = re.compile(r"[ \t]*:(?:[ \t]+[&!][^\s]*)*")
_REST = re.compile(r"[ \t]*(?:#[^\r\n]*)?\r?(?:\n|\Z)")
_HEAD = re.compile(r"(?:\{\s*)?([\"']?)name\1\s*:\s*")
_TAIL = re.compile(r"(?:\s*,?\s*\})?")


class Want(NamedTuple):
    """Names to be added, in order, to the list of the mapping at a path.

    `before`: keys of the mapping, the best first, before which a new key is put.
    """

    path: str
    names: tuple[str, ...]
    before: tuple[str, ...] = ()


class _Target(NamedTuple):
    """What is to be changed: the mapping, its own value under the key (None: to be added), and all names to write."""

    mapping: Node
    value: Child | None
    names: tuple[str, ...]
    before: tuple[str, ...]

    @property
    def place(self) -> int:
        """What two targets have in common that are changed by one edit."""
        is_list = self.value is not None and self.value.node.kind == "list"
        return id(self.value.node) if is_list and self.value is not None else id(self.mapping)


class _Unfit(Exception):
    """Why something cannot be inserted."""


def insert(text: str, span: Span, key: str, wants: Sequence[Want]) -> list[Edit | str]:
    """For each want, in order, the edit (the same one for all that share it), or why there is none.

    `span` holds one document or one list item. Paths must be different ones.
    """
    try:
        document = read(text, *span)
    except TextError as error:
        return [error.message] * len(wants)
    targets = [_target(document, key, want) for want in wants]
    shared: dict[int, list[_Target]] = {}
    for one in targets:
        if isinstance(one, _Target):
            shared.setdefault(one.place, []).append(one)
    uses = Uses(document) if _has_anchors(document) else None
    given = frozenset(id(one.mapping) for one in targets if isinstance(one, _Target) and one.value is None)
    edits = {place: _edit(text, key, group, uses, given) for place, group in shared.items()}
    return [edits[one.place] if isinstance(one, _Target) else one for one in targets]


def mentions(text: str, span: Span, ending: str, name: str) -> bool:
    """Whether a value somewhere under a key with this ending (in lower case) is this name."""
    try:
        document = read(text, *span)
    except TextError:
        return False
    waiting = [(document.root, False)]
    seen = set[tuple[int, bool]]()
    while waiting:
        node, is_under = waiting.pop()
        if is_under and node.kind == "scalar" and node.value == name:
            return True
        if (id(node), is_under) not in seen:
            seen.add((id(node), is_under))
            waiting += [(one.node, is_under or _ends(one.key, ending)) for one in node.children]
    return False


def _ends(key: Node | None, ending: str) -> bool:
    return key is not None and key.value.lower().endswith(ending)


def _target(document: Document, key: str, want: Want) -> _Target | str:
    try:
        mapping = document.find(want.path)
    except TextError as error:
        return error.message
    if mapping is None or mapping.kind != "map" or not mapping.children:
        return f"no mapping is written at {want.path or 'the top'}"
    value = own(mapping, key)
    if value is not None:
        return _Target(mapping, value, want.names, want.before)
    there = merged(mapping, key)
    names = (*_names(there.node), *want.names) if there else want.names
    return _Target(mapping, None, tuple(dict.fromkeys(names)), want.before)


def _names(node: Node) -> list[str]:
    found = (own(child.node, _FIELD) for child in node.children)
    return [child.node.value for child in found if child is not None and child.node.kind == "scalar"]


def _has_anchors(document: Document) -> bool:
    return any(child.is_alias for node in document.collections for child in node.children)


def _edit(text: str, key: str, group: list[_Target], uses: Uses | None, given: frozenset[int]) -> Edit | str:
    first = group[0]
    if any(one.names != first.names for one in group):
        return "the places that use one anchor want different names"
    if uses is not None:
        is_list = first.value is not None and first.value.node.kind == "list"
        used = uses.of(first.value.node) if first.value and is_list else uses.of_key(first.mapping, key, given)
        if used > len(group):
            return "it stands at an anchor, or is merged in, and other places use it too"
    try:
        if first.value is None:
            return _new_key(text, key, first)
        return _into(text, first.value, first.names)
    except _Unfit as error:
        return str(error)


def _into(text: str, value: Child, names: Sequence[str]) -> Edit:
    """Names added to what stands under the key already."""
    node, style = value.node, _Style.at(text, value.key)
    if node.kind == "list" and not node.is_flow:
        return _block_items(text, value, names)
    if node.kind == "list" and node.children:
        return _flow_items(text, node, names, style)
    if node.kind == "list":
        return Edit(node.inside, node.inside, style.items(names))
    is_null = node.kind == "scalar" and Scalar(0, 0, node.style, node.value, node.has_properties).is_null
    if not is_null or value.is_alias:
        raise _Unfit("what stands under the key is no list")
    space = " " if value.start == value.end and text[value.start - 1 : value.start] == ":" else ""
    return Edit(value.start, value.end, f"{space}[{style.items(names)}]")


class _Style(NamedTuple):
    """How flow text is spelled: keys in quotes, as JSON has them, and whether blanks follow `:` and `,`."""

    is_quoted: bool = False
    blank: str = " "

    @classmethod
    def at(cls, text: str, key: Node | None) -> _Style:
        """The style around a key."""
        if key is None or text[key.start : key.start + 1] != '"':
            return cls()
        return cls(True, "" if re.match(r":\S", text[key.end : key.end + 2]) else " ")

    def key(self, name: str) -> str:
        """A key with its colon."""
        return (f'"{name}":' if self.is_quoted else f"{name}:") + self.blank

    def items(self, names: Sequence[str]) -> str:
        """Items of a flow list."""
        quote = '"' if self.is_quoted else ""
        items = [f"{{{self.key(_FIELD)}{_spelled(name, quote)}}}" for name in names]
        return f",{self.blank}".join(items)


def _spelled(name: str, quote: str = "") -> str:
    """A name as a scalar, in these quotes where that is possible."""
    if not quote and _PLAIN.fullmatch(name) and Scalar(0, 0, "", name).is_text:
        return name
    if not _QUOTABLE.fullmatch(name):
        raise _Unfit("a name in the list that is copied needs characters that no name has")
    return f"'{name}'" if quote == "'" and "'" not in name else f'"{name}"'


def _like(text: str, child: Child, end: int, name: str) -> str | None:
    """An item spelled as another one is; None where that has more than a name."""
    node = child.node
    if child.is_alias or len(node.children) != 1 or node.children[0].node.kind != "scalar":
        return None
    value = node.children[0]
    head, tail = text[child.start : value.start], text[value.end : end]
    if value.is_alias or not (_HEAD.fullmatch(head) and _TAIL.fullmatch(tail)) or value.node.has_properties:
        return None
    if value.node.style in ("|", ">") or (value.start == value.end and not value.node.style):
        return None
    return head + _spelled(name, value.node.style) + tail


def _flow_items(text: str, node: Node, names: Sequence[str], style: _Style) -> Edit:
    """Behind the last item of a flow list, with what stands between items."""
    last = node.children[-1]
    if last.end == last.start:
        raise _Unfit("the list ends with an empty item")
    lead = _blank_before(text, node.children[-1].start)
    if len(node.children) == 1 and "\n" not in lead:
        lead = style.blank
    if "\n" not in lead:
        lead = lead and " "
    items = [_like(text, last, last.end, name) or style.items([name]) for name in names]
    return Edit(last.end, last.end, "".join(f",{lead}{item}" for item in items))


def _block_items(text: str, value: Child, names: Sequence[str]) -> Edit:
    """On lines of their own behind the last item of a block list."""
    node = value.node
    last = node.children[-1]
    end = content_end(last)
    dash = _dash(text, value, len(node.children) - 1)
    indent = text[text.rfind("\n", 0, dash) + 1 : dash]
    gap = text[dash + 1 : last.start]
    if not _LEAD.fullmatch(indent):
        raise _Unfit("its items stand where no other can be put")
    lead = " " * len(indent) + "-" + (gap if gap and not gap.strip(" ") else " ")
    rows = [lead + (_like(text, last, end, name) or f"{_FIELD}: {_spelled(name)}") for name in names]
    return _rows(text, end, rows)


def _rows(text: str, end: int, rows: Sequence[str]) -> Edit:
    """Whole lines behind the line on which a value ends."""
    newline = _newline(text, end)
    at_start = text[end - 1 : end] == "\n"  # behind a block scalar
    rest = None if at_start else _REST.match(text, end)
    if not at_start and rest is None:
        raise _Unfit("more stands behind it on its line")
    at = rest.end() if rest else end
    if text[at - 1 : at] == "\n":
        return Edit(at, at, "".join(row + newline for row in rows))
    return Edit(at, at, "".join(newline + row for row in rows))


def _dash(text: str, value: Child, place: int) -> int:
    """Where the dash of an item of a block list stands; comments may stand between the two."""
    items, before = value.node.children, 0
    if place:
        before = content_end(items[place - 1])
    elif value.key is not None and not value.is_alias:
        colon = _COLON.match(text, value.key.end)
        before = colon.end() if colon else 0
    found = _TO_DASH.match(text, before) if before else None
    dash = found.end() - 1 if found else text.rfind("-", 0, items[place].start)
    if dash < 0 or (found is None and text[dash + 1 : items[place].start].strip()):
        raise _Unfit("its items stand where no other can be put")
    return dash


def _new_key(text: str, key: str, target: _Target) -> Edit:
    """The key with its list, before another key of the mapping."""
    mapping = target.mapping
    at = next((one for name in target.before if (one := own(mapping, name)) is not None), mapping.children[0])
    assert at.key is not None
    return (_flow_key if mapping.is_flow else _block_key)(text, key, mapping, at, at.key.start, target.names)


def _flow_key(text: str, key: str, mapping: Node, at: Child, start: int, names: Sequence[str]) -> Edit:
    style, lead = _Style.at(text, at.key), _blank_before(text, start)
    if text.startswith("?", start - len(lead) - 1):
        raise _Unfit("its keys are written with question marks")
    separator = "," + (lead if "\n" in lead else style.blank)
    return Edit(start, start, f"{style.key(key)}[{style.items(names)}]{separator}")


def _block_key(text: str, key: str, mapping: Node, at: Child, start: int, names: Sequence[str]) -> Edit:
    line = text.rfind("\n", 0, start) + 1
    lead = text[line:start]
    if not _LEAD.fullmatch(lead):
        raise _Unfit("its keys do not begin their lines")
    newline, pad = _newline(text, start), " " * len(lead)
    items = pad + " " * _indentation(text, mapping)
    rows = "".join(f"{items}- {_FIELD}: {_spelled(name)}{newline}" for name in names)
    if lead.strip():
        return Edit(start, start, f"{key}:{newline}{rows}{pad}")
    line = _above_comments(text, mapping, at, line, len(lead))
    return Edit(line, line, f"{pad}{key}:{newline}{rows}")


def _above_comments(text: str, mapping: Node, at: Child, line: int, column: int) -> int:
    """The start of the comment lines that stand right above a key, in its column; `line` where there are none."""
    place = next(index for index, one in enumerate(mapping.children) if one is at)
    if place == 0:  # above may be comments on the mapping
        return line
    bound = content_end(mapping.children[place - 1])
    while True:
        above = text.rfind("\n", 0, line - 1) + 1
        if above < bound or not text.startswith(" " * column + "#", above):
            return line
        line = above


def _indentation(text: str, mapping: Node) -> int:
    """How far the mapping's own lists are indented below their keys."""
    for one in mapping.children:
        if one.node.kind == "list" and not (one.node.is_flow or one.is_alias) and one.key is not None:
            dash = _dash(text, one, 0)
            return max(0, dash - text.rfind("\n", 0, dash) - (one.key.start - text.rfind("\n", 0, one.key.start)))
    return 0


def _blank_before(text: str, position: int) -> str:
    start = position
    while start and text[start - 1].isspace():
        start -= 1
    return text[start:position]


def _newline(text: str, position: int) -> str:
    """The newline style around a place."""
    at = text.find("\n", position)
    if at < 0:
        at = text.rfind("\n", 0, position)
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"
