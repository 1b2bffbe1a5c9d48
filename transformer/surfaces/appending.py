"""Adds entries to the `results` of a ResourceList, in block or flow style, without touching anything else.

Where they go is read from libyaml's events over the envelope (the document without its items), so that every spelling
of the list counts: block, indented, flow, empty, null, behind an anchor, with CRLF. JSON that is no YAML (escaped
surrogates) is scanned instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from transformer.report import results
from transformer.report.results import Result
from transformer.text.documents import Span, split_items
from transformer.text.edits import Edit

_BLOCK = r"^{}:[ ]*(?:#[^\n]*)?(?:\n[ ]*$|\n[ ]+[^\n]*|\n#[^\n]*|\n-(?=[ \n])[^\n]*)+"
_END = re.compile(r"^\.\.\.(?:\s|\Z)", re.MULTILINE)
_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]', re.DOTALL)
_BLANK = re.compile(r"[ \t\r]*(?=\n|\Z)")


class _Node(NamedTuple):
    """A value of the envelope: its first and its last event, and the last one of its content (None without any)."""

    first: Any
    last: Any
    content: Any


class _Envelope(NamedTuple):
    """The mapping that a ResourceList is, its value under `results` (None without that key), and its last value."""

    root: Any
    results: _Node | None
    end: int


def block_under(key: str, text: str, start: int = 0, end: int | None = None) -> Span | None:
    """The lines under a top-level key in block style (after the key's own line), else None."""
    match = re.compile(_BLOCK.format(key), re.MULTILINE).search(text, start, len(text) if end is None else end)
    return None if match is None else Span(text.index("\n", match.start()) + 1, match.end())


def append_results(text: str, document: Span, entries: Sequence[Result]) -> Edit:
    """The edit that adds entries behind those that the list has, creating `results` where there is none.

    A value under `results` must be a list or null (`krm` sees to it).
    """
    import yaml

    listed = split_items(text, document)
    piece = listed.envelope(text) if listed else text[document.start : document.end]
    try:
        edit = _edit(piece, _read(piece), entries)
    except yaml.YAMLError:
        edit = _append_json(piece, entries)
    items_at = listed.items[0].start - document.start if listed else len(piece)
    items_length = listed.items[-1].end - listed.items[0].start if listed else 0
    start, end = (at + document.start + (items_length if at >= items_at else 0) for at in edit[:2])
    added = edit.text
    if added.endswith("\n") and text[start - 1] != "\n":  # whole lines, behind a text without a final newline
        added = "\n" + added.removesuffix("\n")
    return Edit(start, end, added.replace("\n", "\r\n") if "\r\n" in piece else added)


def _edit(piece: str, envelope: _Envelope, entries: Sequence[Result]) -> Edit:
    there, is_flow = envelope.results, envelope.root.flow_style
    if there is None:
        if is_flow:
            return Edit(envelope.end, envelope.end, f', "results": [{results.json(entries)}]')
        indent = " " * envelope.root.start_mark.column
        at = _document_end(piece)
        return Edit(at, at, f"{indent}results:\n{results.yaml(entries, indent)}")
    start, end = there.first.start_mark.index, there.last.end_mark.index
    is_alone = not is_flow and _BLANK.match(piece, end)
    if is_alone and (not _is_list(there.first) or piece[start:end].replace(" ", "") == "[]"):
        rows = results.yaml(entries, " " * envelope.root.start_mark.column).removesuffix("\n")
        return Edit(len(piece[:start].rstrip(" ")), end, f"\n{rows}")
    if not _is_list(there.first):
        space = "" if piece[start - 1].isspace() else " "
        return Edit(start, end, f"{space}[{results.json(entries)}]")
    if there.first.flow_style:
        at = there.content.end_mark.index if there.content else there.last.start_mark.index
        return Edit(at, at, (", " if there.content else "") + results.json(entries))
    line_end = piece.find("\n", there.content.end_mark.index - 1)
    at = line_end + 1 if line_end >= 0 else len(piece)
    return Edit(at, at, results.yaml(entries, _indent(piece, there.first)))


def _document_end(piece: str) -> int:
    marker = _END.search(piece)
    return marker.start() if marker else len(piece)


def _indent(piece: str, first: Any) -> str:
    """The columns before the dashes of a block sequence; with an anchor or tag its mark is not at the first dash."""
    at: int = first.start_mark.index
    if first.anchor or first.tag:
        at = piece.index("-", piece.index("\n", at))
    return " " * (at - piece.rfind("\n", 0, at) - 1)


def _is_list(first: Any) -> bool:
    return str(type(first).__name__) == "SequenceStartEvent"


def _read(piece: str) -> _Envelope:
    """Raises yaml.YAMLError for what is not YAML."""
    import yaml

    parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    events = (
        event
        for event in yaml.parse(piece, Loader=parser)
        if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent)
    )
    root = next(events)
    found: _Node | None = None
    last: Any = root
    for key in events:
        if isinstance(key, yaml.MappingEndEvent):
            break
        _rest(key, events)
        value = _rest(next(events), events)
        last = value.last
        if getattr(key, "value", None) == "results":
            found = value
    return _Envelope(root, found, last.end_mark.index)


def _rest(first: Any, events: Iterator[Any]) -> _Node:
    """The node that an event begins, its own events taken from `events`."""
    depth, last, content = 0, first, None
    while True:
        kind = type(last).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        if not depth:
            return _Node(first, last, content)
        # The end of a block collection is marked where the next token begins: behind comments and blank lines.
        is_block_end = kind.endswith("EndEvent") and last.start_mark.index == last.end_mark.index
        content = content if is_block_end or last is first else last
        last = next(events)


def _append_json(text: str, entries: Sequence[Result]) -> Edit:
    added = results.json(entries)
    value = _json_value(text)
    if value is None:
        at = text.rindex("}")
        return Edit(at, at, f', "results": [{added}]')
    start, end = value
    if not text[start:end].startswith("["):
        return Edit(start, end, f"[{added}]")
    return Edit(end - 1, end - 1, added if not text[start + 1 : end - 1].strip() else f", {added}")


def _json_value(text: str) -> Span | None:
    """The span of the value of the top-level key "results"."""
    depth, start = 0, -1
    for token in _JSON.finditer(text):
        mark = token[0]
        if depth == 1 and start >= 0 and mark in ",}":
            end = start + len(text[start : token.start()].rstrip())
            return Span(start + len(text[start:end]) - len(text[start:end].lstrip()), end)
        if mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
        elif depth == 1 and mark == '"results"' and text[token.end() :].lstrip().startswith(":"):
            start = text.index(":", token.end()) + 1
    return None
