"""YAML and JSON texts of other systems as typed values with places: the layer under every language written in YAML.

A value of a wrong type is a PolicyError with file, line and key; an unknown key is a Note with the nearest known one.
Knows no language. Reads no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from transformer.errors import PolicyError
from transformer.languages.model import Note, Text
from transformer.languages.sources import check_size
from transformer.policy.reading import Path, Tree, dotted, read
from transformer.policy.words import nearest
from transformer.text.documents import split

#: Values looked at in one text: far above any configuration, far below what aliases can make of a megabyte.
VISIT_LIMIT = 200_000
#: How deep lists of objects may stand in each other.
LIST_DEPTH = 5

_TOP_KEY = re.compile(r"""^(["']?)([A-Za-z_][\w.-]*)\1[ \t]*:(?=\s|$)""", re.MULTILINE | re.ASCII)
_KIND = r"""(?:^|[\s{{,])["']?kind["']?[ \t]*:[ \t]*["']?(?:{})["']?[ \t]*(?=[,}}#\r\n]|\Z)"""
_NAMES = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "empty"}


class At(NamedTuple):
    """A place in a text: its file, the line there, and the key for people."""

    file: str
    line: int
    key: str

    def fail(self, message: object) -> PolicyError:
        """The error to raise for what stands here."""
        return PolicyError(f"{self.key}: {message}" if self.key else str(message), self.file, self.line)

    def note(self, why: str) -> Note:
        """The note that what stands here is not carried over."""
        return Note(self.file, self.line, self.key, why)


class _Reading:
    """One document: its values, where it begins, and how much of it has been looked at."""

    def __init__(self, text: Text, tree: Tree, before: int, visits: list[int]) -> None:
        self.text, self.tree, self.before, self._visits = text, tree, before, visits

    def at(self, path: Path, own: int, key: bool = False) -> At:
        """The place of a path; `own` parts of it are left out of the name: those that lead to the object."""
        line = self.tree.locate(path, key)[0] if path else 1
        return At(self.text.name, self.before + max(line, 1), dotted(tuple(map(_without_login, path[own:]))))

    def visit(self, at: At, count: int = 1) -> None:
        """Counts values, so that aliases of aliases come to an end."""
        self._visits[0] += count
        if self._visits[0] > VISIT_LIMIT:
            raise at.fail(f"more than {VISIT_LIMIT} values once aliases are followed; split the file")


class Map:
    """A mapping of a text. Reading a key of another type than asked for raises PolicyError; a null is no value."""

    def __init__(self, reading: _Reading, path: Path, data: dict[str, Any], own: int = 0) -> None:
        self._reading, self._path, self._data, self._own = reading, path, data, own

    def __contains__(self, key: str) -> bool:
        return self._data.get(key) is not None

    def at(self, key: str | None = None) -> At:
        """The place of this mapping, or of the value under a key."""
        return self._reading.at(self._path if key is None else (*self._path, key), self._own)

    def keys(self) -> list[tuple[str, At]]:
        """Every key with its place."""
        return [(key, self._reading.at((*self._path, key), self._own, key=True)) for key in self._data]

    def text(self, key: str) -> str | None:
        """A text, or a number as it is written (accounts and tags look like numbers)."""
        value = self._data.get(key)
        return None if value is None else self._scalar((*self._path, key), value)

    def required(self, key: str) -> str:
        """A text that has to be there and to say something."""
        found = self.text(key)
        if not found:
            raise self.at(key if key in self._data else None).fail(f"wants a text under {key!r}")
        return found

    def flag(self, key: str) -> bool:
        """true or false; false when there is none."""
        value = self._data.get(key, False)
        if value is not None and not isinstance(value, bool):
            raise self.at(key).fail(f"wants true or false, and is {_named(value)}")
        return bool(value)

    def texts(self, key: str) -> list[tuple[str, At]]:
        """A list of strings, each with its place."""
        wants = "wants a list of strings"
        result = []
        for index, value in enumerate(self._list(key, wants)):
            path = (*self._path, key, index)
            result.append((self._scalar(path, value, wants), self._reading.at(path, self._own)))
        return result

    def map(self, key: str) -> Map | None:
        """A mapping."""
        value = self._data.get(key)
        return None if value is None else self._child((key,), value)

    def maps(self, key: str) -> list[Map]:
        """A list of mappings."""
        wants = "wants a list of mappings"
        return [self._child((key, index), value, wants) for index, value in enumerate(self._list(key, wants))]

    def pairs(self) -> list[tuple[str, str, At]]:
        """This mapping as one of texts to texts; an empty value is an empty text."""
        result = []
        for key, value in self._data.items():
            path = (*self._path, key)
            text = "" if value is None else self._scalar(path, value)
            result.append((key, text, self._reading.at(path, self._own)))
        return result

    def unknown(self, known: Iterable[str]) -> list[Note]:
        """A note for each key that is none of these."""
        known = tuple(known)
        return [
            at.note(f"is no key that pindown knows in this format, and is not carried over{nearest(key, known)}")
            for key, at in self.keys()
            if key not in known
        ]

    def object(self, index: int) -> Map | None:
        """The item of a list of objects, as an object of its own; None when it is none."""
        value = self._data["items"][index]
        path = (*self._path, "items", index)
        self._reading.visit(self.at("items"))
        return Map(self._reading, path, value, len(path)) if isinstance(value, dict) else None

    def count(self) -> int:
        """How many items a list of objects has; -1 when this is none."""
        kind, items = self._data.get("kind"), self._data.get("items")
        return len(items) if isinstance(items, list) and isinstance(kind, str) and kind.endswith("List") else -1

    def _child(self, keys: Path, value: Any, wants: str = "wants a mapping") -> Map:
        path = (*self._path, *keys)
        at = self._reading.at(path, self._own)
        if not isinstance(value, dict):
            raise at.fail(f"{wants}, and is {_named(value)}")
        self._reading.visit(at, 1 + len(value))
        return Map(self._reading, path, value, self._own)

    def _list(self, key: str, wants: str) -> list[Any]:
        value = self._data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.at(key).fail(f"{wants}, and is {_named(value)}")
        self._reading.visit(self.at(key), len(value))
        return value

    def _scalar(self, path: Path, value: Any, wants: str = "wants a text") -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, (bool, dict, list)) or value is None:
            raise self._reading.at(path, self._own).fail(f"{wants}, and is {_named(value)}")
        spot = self._reading.tree.spot(path)
        return spot.raw if spot is not None and spot.raw is not None else str(value)


def objects(text: Text) -> Iterator[Map]:
    """The objects of a text, documents and lists (`kind: List` and the like) opened; what is empty is passed over."""
    check_size(text)
    line, visits = text.line, [0]
    for start, end in split(text.text):
        piece = text.text[start:end]
        tree = _read(piece, text.name, line - 1)
        reading = _Reading(text, tree, line - 1, visits)
        if isinstance(tree.data, dict):
            reading.visit(reading.at((), 0), 1 + len(tree.data))
            yield from _opened(Map(reading, (), tree.data), 0)
        elif tree.data is not None:
            raise PolicyError(f"wants a mapping, and is {_named(tree.data)}", text.name, line)
        line += piece.count("\n")


def has_kind(text: Text, kinds: Iterable[str]) -> bool:
    """Whether an object of one of these kinds seems to be there: told by the text alone, for recognition."""
    return re.search(_KIND.format("|".join(map(re.escape, kinds))), text.text, re.MULTILINE) is not None


def top_keys(text: Text) -> frozenset[str]:
    """The keys at the top of a text, told without reading it where it is not JSON."""
    if not text.text.lstrip("\ufeff \t\r\n").startswith("{"):
        return frozenset(match[2] for match in _TOP_KEY.finditer(text.text.removeprefix("\ufeff")))
    try:
        data = read(text.text, text.name, quick=True).data
    except PolicyError:
        return frozenset()
    return frozenset(data) if isinstance(data, dict) else frozenset()


def file_name(text: Text) -> str:
    """The last part of the text's name."""
    return text.name.replace("\\", "/").rpartition("/")[2]


def _opened(found: Map, depth: int) -> Iterator[Map]:
    count = found.count()
    if count < 0 or depth >= LIST_DEPTH:
        yield found
        return
    for index in range(count):
        item = found.object(index)
        if item is not None:
            yield from _opened(item, depth + 1)


def _read(piece: str, file: str, before: int) -> Tree:
    """`reading.read` for a piece of a file: its errors name the lines of the file."""
    try:
        return read(piece, file, quick=True)
    except PolicyError as error:
        place = ":".join(str(part) for part in (file, error.line, error.column) if part)
        message = str(error).removeprefix(f"{place}: ")
        raise PolicyError(message, file, before + max(error.line, 1), error.column) from None


def _without_login(part: str | int) -> str | int:
    """A key that is an address may hold a login, and is in every message."""
    return part.rpartition("@")[2] if isinstance(part, str) else part


def _named(value: Any) -> str:
    """What a value is. Never the value itself: where it stands by mistake it may be a password."""
    return _NAMES.get(type(value), "a number")
