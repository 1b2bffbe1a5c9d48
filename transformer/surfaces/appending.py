"""Adds entries to the `results` of a ResourceList, in block or flow style, without touching anything else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from transformer.report import results
from transformer.report.results import Result
from transformer.text.documents import Span
from transformer.text.edits import Edit

_BLOCK = r"^{}:[ ]*(?:#[^\n]*)?(?:\n[ ]*$|\n[ ]+[^\n]*|\n#[^\n]*|\n-(?=[ \n])[^\n]*)+"
_EMPTY = re.compile(r"^results:[ ]*(?:\[[ ]*\]|null|~)?[ ]*$", re.MULTILINE)
_ITEM = re.compile(r"^( *)- ", re.MULTILINE)
_END = re.compile(r"^\.\.\.(?:\s|\Z)", re.MULTILINE)
_FLOW = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]', re.DOTALL)


def block_under(key: str, text: str, start: int = 0, end: int | None = None) -> Span | None:
    """The lines under a top-level key in block style (after the key's own line), else None."""
    match = re.compile(_BLOCK.format(key), re.MULTILINE).search(text, start, len(text) if end is None else end)
    return None if match is None else Span(text.index("\n", match.start()) + 1, match.end())


def append_results(text: str, document: Span, entries: Sequence[Result]) -> Edit:
    """The edit that adds entries behind those that the list has, creating `results` where there is none."""
    start, end = document
    if text[start:end].lstrip().removeprefix("---").lstrip().startswith("{"):
        return _append_flow(text, document, entries)
    block = block_under("results", text, start, end)
    item = _ITEM.search(text, block.start, block.end) if block else None
    if block is not None and item is not None:
        at = block.start + len(text[block.start : block.end].rstrip())
        return Edit(at, at, "\n" + results.yaml(entries, item[1]).removesuffix("\n"))
    empty = _EMPTY.search(text, start, end)
    if empty is not None:
        return Edit(empty.start(), empty.end(), "results:\n" + results.yaml(entries, "").removesuffix("\n"))
    marker = _END.search(text, start, end)
    at = marker.start() if marker else end
    return Edit(at, at, ("" if text[:at].endswith("\n") else "\n") + "results:\n" + results.yaml(entries, ""))


def _append_flow(text: str, document: Span, entries: Sequence[Result]) -> Edit:
    added = results.json(entries)
    value = _flow_value(text, document)
    if value is None:
        at = text.rindex("}", *document)
        return Edit(at, at, f', "results": [{added}]')
    start, end = value
    if not text[start:end].startswith("["):
        return Edit(start, end, f"[{added}]")
    return Edit(end - 1, end - 1, added if not text[start + 1 : end - 1].strip() else f", {added}")


def _flow_value(text: str, document: Span) -> Span | None:
    """The span of the value of the top-level key "results"."""
    depth, start = 0, -1
    for token in _FLOW.finditer(text, *document):
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
