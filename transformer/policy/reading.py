"""Policy text to plain data with places: YAML 1.2 (core schema) or JSON, read by one assembler from parser events.

Two parsers feed it. The strict one is ruamel.yaml's; the quick one is PyYAML's C parser, for texts that were found
valid before. Scalars are resolved here and not by either library, so that `yes`, `on` and `010` mean the same in both.
Knows nothing about policies beyond their size limits; does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from transformer.errors import PolicyError
from transformer.images.reference import shorten
from transformer.policy.words import SIZE_LIMIT

DEPTH_LIMIT = 40
#: Nodes after aliases are followed: far above any policy, far below what an alias bomb wants.
NODE_LIMIT = 200_000

Path = tuple[str | int, ...]

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,60}|0o[0-7]{1,60}|0x[0-9a-fA-F]{1,60}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,60}|[0-9]{1,60}(?:\.[0-9]{0,60})?)(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
_STR_TAGS = (None, "!", "tag:yaml.org,2002:str")
_COLLECTION_TAGS = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class Spot(NamedTuple):
    """Where an entry stands (marks with a 0-based `line` and `column`) and its scalar text (None for a collection)."""

    key: Any
    value: Any
    raw: str | None


class Tree(NamedTuple):
    """Plain data, the spots of the entries of its containers (by the container's id), and other names of paths."""

    data: Any
    spots: dict[int, dict[str | int, Spot]]
    #: The places that have another name for people: `spec.pin.style` of a ConfigMap is its `data.style`.
    names: Mapping[Path, str] = MappingProxyType({})
    file: str = ""

    def spot(self, path: Path) -> Spot | None:
        """The spot of the deepest entry on the path that has one."""
        found, node = None, self.data
        for part in path:
            found = self.spots.get(id(node), {}).get(part, found)
            try:
                node = node[part]
            except (KeyError, IndexError, TypeError):
                break
        return found

    def locate(self, path: Path, key: bool = False) -> tuple[int, int]:
        """1-based line and column of an entry's value (or key); (0, 0) when unknown."""
        spot = self.spot(path)
        if spot is None:
            return (0, 0)
        empty = spot.raw == "" and spot.value.line != spot.key.line  # parsers put a missing value where the next one is
        mark = spot.key if key or empty else spot.value
        return (mark.line + 1, mark.column + 1)

    def say(self, path: Path) -> str:
        """The path for people: `spec.mirrors[0].locations[1].to`."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.names:
                return self.names[path[:length]] + dotted(path[length:], lead=True)
        return dotted(path)


def read(text: str, file: str, quick: bool = False) -> Tree:
    """Reads one YAML or JSON document; raises PolicyError with the place for anything else."""
    if len(text) > SIZE_LIMIT:
        raise PolicyError(f"the policy has {len(text)} characters, the limit is {SIZE_LIMIT}", file)
    text = text.removeprefix("\ufeff")
    events, broken = _quick_events(text) if quick else _strict_events(text)
    try:
        return _Assembler(events, file).document()
    except (broken, UnicodeError, RecursionError) as error:
        if text.lstrip()[:1] in ("{", "["):  # JSON may hold escapes and tabs that a YAML reader refuses
            return Tree(_json(text, file), {}, file=file)
        raise _syntax_error(error, file) from None


def plain(text: str) -> Any:
    """What an unquoted scalar means by YAML 1.2's core schema (section 10.3.2); `.inf` and `.nan` stay text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return float(text) if _FLOAT.fullmatch(text) else text


class _Assembler:
    """Builds data from events; bounded in depth and, with aliases followed, in nodes."""

    def __init__(self, events: Iterator[Any], file: str) -> None:
        self.events, self.file = events, file
        self.anchors: dict[str, tuple[Any, str | None, int]] = {}
        self.spots: dict[int, dict[str | int, Spot]] = {}
        self.nodes = 0

    def document(self) -> Tree:
        data: Any = None
        documents = 0
        for event in self.events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise self._fail("a second document; a policy is one document", event.start_mark)
            elif kind not in ("StreamStartEvent", "DocumentEndEvent", "StreamEndEvent"):
                data, _ = self._node(event, 0)
        return Tree(data, self.spots, file=self.file)

    def _node(self, event: Any, depth: int) -> tuple[Any, str | None]:
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event)
        before, raw = self.nodes, None
        self._count(1, event)
        if depth > DEPTH_LIMIT:
            raise self._fail(f"nested more than {DEPTH_LIMIT} levels deep", event.start_mark)
        if kind == "ScalarEvent":
            value, raw = self._scalar(event), event.value
        elif event.tag not in _COLLECTION_TAGS:
            raise self._fail(f"the tag {shorten(event.tag, 60)} has no meaning in a policy", event.start_mark)
        else:
            value = self._mapping(depth) if kind == "MappingStartEvent" else self._sequence(depth)
        if event.anchor:
            self.anchors[event.anchor] = (value, raw, self.nodes - before)
        return value, raw

    def _alias(self, event: Any) -> tuple[Any, str | None]:
        if event.anchor not in self.anchors:
            raise self._fail(f"the alias *{shorten(event.anchor, 60)} has no anchor before it", event.start_mark)
        value, raw, size = self.anchors[event.anchor]
        self._count(size, event)
        return value, raw

    def _scalar(self, event: Any) -> Any:
        if event.tag not in _STR_TAGS:
            raise self._fail(f"the tag {shorten(event.tag, 60)} has no meaning in a policy", event.start_mark)
        if event.implicit[0] and event.tag is None:
            return plain(event.value)
        return _joined(event.value)

    def _mapping(self, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        spots = self.spots[id(result)] = {}
        while type(event := next(self.events)).__name__ != "MappingEndEvent":
            key_mark = event.start_mark
            key = self._node(event, depth + 1)[1]
            if key is None:
                raise self._fail("a key must be a word, not a list or a mapping", key_mark)
            if key in result:
                first = spots[key].key.line + 1
                raise self._fail(f"the key {shorten(key, 60)!r} stands twice (first in line {first})", key_mark)
            event = next(self.events)
            value, raw = self._node(event, depth + 1)
            result[key] = value
            spots[key] = Spot(key_mark, event.start_mark, raw)
        return result

    def _sequence(self, depth: int) -> list[Any]:
        result: list[Any] = []
        spots = self.spots[id(result)] = {}
        while type(event := next(self.events)).__name__ != "SequenceEndEvent":
            value, raw = self._node(event, depth + 1)
            spots[len(result)] = Spot(event.start_mark, event.start_mark, raw)
            result.append(value)
        return result

    def _count(self, nodes: int, event: Any) -> None:
        self.nodes += nodes
        if self.nodes > NODE_LIMIT:
            raise self._fail(f"more than {NODE_LIMIT} values once its aliases are followed", event.start_mark)

    def _fail(self, message: str, mark: Any) -> PolicyError:
        return PolicyError(message, self.file, mark.line + 1, mark.column + 1)


def _joined(text: str) -> str:
    """JSON writes a character beyond the first plane as two escapes; a half alone is an error (UnicodeError)."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    return text


def _quick_events(text: str) -> tuple[Iterator[Any], type[Exception]]:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # without libyaml it is slower, and the same
    return yaml.parse(text, Loader=loader), yaml.YAMLError


def _strict_events(text: str) -> tuple[Iterator[Any], type[Exception]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    return YAML(typ="safe", pure=True).parse(text), YAMLError


def _json(text: str, file: str) -> Any:
    import json

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in items:
            if key in result:
                raise PolicyError(f"the key {shorten(key, 60)!r} stands twice", file)
            result[key] = value
        return result

    def constant(word: str) -> Any:
        raise PolicyError(f"{word} is no value of JSON", file)

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise PolicyError(f"not JSON: {error.msg}; fix the text", file, error.lineno, error.colno) from None
    except (RecursionError, ValueError):  # deep nesting, or a number of thousands of digits
        raise PolicyError("the JSON cannot be read: nested too deep, or a number too long", file) from None


def _syntax_error(error: BaseException, file: str) -> PolicyError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
    message = f"not YAML: {shorten(str(problem))}; fix the text around here"
    return PolicyError(message, file, *((mark.line + 1, mark.column + 1) if mark is not None else (0, 0)))


def dotted(path: Path, lead: bool = False) -> str:
    """A path for people, with `lead` as the rest of another one."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{shorten(part, 60)}" for part in path)
    return text if lead else text.removeprefix(".")
