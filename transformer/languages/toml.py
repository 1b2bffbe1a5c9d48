"""TOML texts of other systems as typed values with places: the layer under every language written in TOML.

`tomllib` reads the values and knows no lines, so a small scan finds them first; the scan also bounds what tomllib gets:
deep nesting and endless dotted keys. A value of a wrong type is a PolicyError with file, line and key; a key that
nobody knows is a Note with the nearest one. Knows no language. Reads no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from transformer.images.reference import shorten
from transformer.languages.model import Note, Text
from transformer.languages.sources import check_size, fail
from transformer.languages.yamltext import At
from transformer.policy.words import nearest

Path = tuple[str | int, ...]

#: Parts of one key, and values that stand in each other.
DEPTH_LIMIT = 32

_TOKEN = re.compile(
    r"""[ \t\r]*(?:(?P<comment>\#[^\n]*)
    |(?P<string>\"{3}[^"\\]*(?:(?:\\.|"{1,2}(?!"))[^"\\]*)*"{3,5} | '{3}.*?'{3,5}
               | "[^"\\\n]*(?:\\.[^"\\\n]*)*" | '[^'\n]*')
    |(?P<newline>\n) | (?P<mark>[\[\]{}=,.]) | (?P<bare>[^\s\[\]{}=,."'\#]+))""",
    re.DOTALL | re.VERBOSE,
)
_PLACE = re.compile(r"\(at line (\d+), column \d+\)")
_QUERY = re.compile(r"[?#].*", re.DOTALL)
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_NAMES = {dict: "a table", list: "a list", str: "a text", bool: "true or false"}


class Table:
    """A table of a text. Reading a key of another type than asked for raises PolicyError."""

    def __init__(self, text: Text, lines: dict[Path, int], data: dict[str, Any], path: Path = ()) -> None:
        self._text, self._lines, self._data, self._path = text, lines, data, path

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def at(self, *keys: str | int) -> At:
        """The place of this table, or of what stands under these keys of it."""
        path = (*self._path, *keys)
        known = next((self._lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self._lines), 1)
        return At(self._text.name, self._text.line + known - 1, dotted(path))

    def keys(self) -> tuple[str, ...]:
        """The keys in the order of the file."""
        return tuple(self._data)

    def text(self, key: str) -> str:
        """A text; "" when there is none."""
        found: str = self._value(key, str, "wants a text", "")
        return found

    def flag(self, key: str) -> bool:
        """true or false; false when there is none."""
        found: bool = self._value(key, bool, "wants true or false", False)
        return found

    def texts(self, key: str) -> list[tuple[str, At]]:
        """A list of strings, each with its place."""
        wants = "wants a list of strings"
        found: list[Any] = self._value(key, list, wants, [])
        for index, value in enumerate(found):
            self._check(value, str, wants, key, index)
        return [(value, self.at(key, index)) for index, value in enumerate(found)]

    def table(self, key: str) -> Table | None:
        """A table; None when there is none."""
        data: dict[str, Any] | None = self._value(key, dict, "wants a table", None)
        return None if data is None else Table(self._text, self._lines, data, (*self._path, key))

    def tables(self, key: str) -> list[Table]:
        """An array of tables."""
        wants = f"wants tables: [[{key}]]"
        found: list[Any] = self._value(key, list, wants, [])
        for index, value in enumerate(found):
            self._check(value, dict, wants, key, index)
        return [Table(self._text, self._lines, value, (*self._path, key, index)) for index, value in enumerate(found)]

    def unknown(self, known: Iterable[str]) -> list[Note]:
        """A note for each key that is none of these."""
        known = tuple(known)
        why = "is no key that pindown knows in this format, and is not carried over"
        return [self.at(key).note(f"{why}{nearest(key, known)}") for key in self._data if key not in known]

    def _value(self, key: str, kind: type, wants: str, default: Any) -> Any:
        if key not in self._data:
            return default
        self._check(self._data[key], kind, wants, key)
        return self._data[key]

    def _check(self, value: Any, kind: type, wants: str, *keys: str | int) -> None:
        if not isinstance(value, kind):
            # Never the value itself: where it stands by mistake it may be a password.
            raise self.at(*keys).fail(f"{wants}, and is {_NAMES.get(type(value), 'a number or a date')}")


def read(text: Text) -> Table:
    """The text's values; raises PolicyError with a line for what is no TOML."""
    check_size(text)
    plain = text.text.removeprefix("\ufeff").replace("\r\n", "\n")
    scan = _Scan(plain)
    try:
        scan.run()
    except _Deep as error:
        raise fail(text, scan.line, "", error) from None
    except _Lost:
        # What the scan does not follow is no TOML; tomllib says why, and gets nothing that was not looked at.
        _load(text, plain[: scan.end])
        raise fail(text, scan.line, "", "is no TOML here; check the brackets and quotes") from None
    return Table(text, scan.lines, _load(text, plain))


def dotted(path: Path) -> str:
    """A key path for people, as TOML writes it: `registry[0].mirror[1].location`, `host."https://x".ca`."""
    result = ""
    for part in path:
        if isinstance(part, int):
            result += f"[{part}]"
        else:
            shown = part if _BARE.fullmatch(part) else f'"{_without_login(part)}"'
            result += f".{shown}" if result else shown
    return result


def _without_login(part: str) -> str:
    """A key that is a URL may hold a login or a token: nothing before the last @ or behind a ? is shown."""
    return shorten(f"…{part[part.rindex('@') :]}" if "@" in part else _QUERY.sub("…", part))


def _load(text: Text, plain: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(plain)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        match = _PLACE.search(str(error))
        line = int(match[1]) if match else plain.count("\n") + 1
        cause = shorten(_PLACE.sub("", str(error)).removesuffix(" (at end of document)").strip())
        raise fail(text, line, "", f"is no TOML: {cause}") from None
    except ValueError:  # a date such as 2026-02-31, a number with too many digits
        raise fail(text, 1, "", "holds a number or date that cannot be") from None


class _Lost(Exception):
    """The scan does not understand the text: it is no TOML."""


class _Deep(Exception):
    """The text goes beyond a bound."""


class _Scan:
    """Finds the line of every key and of every item of a list. Judges nothing but depth."""

    def __init__(self, text: str) -> None:
        self._text = text
        #: Where the next token begins, and its line; the same of the token that was read last.
        self._at, self._next_line = 0, 1
        self._before = (0, 1)
        self.lines: dict[Path, int] = {}
        #: The last index of each array of tables.
        self._last: dict[Path, int] = {}

    @property
    def line(self) -> int:
        """The line of the token that was read last."""
        return self._before[1]

    @property
    def end(self) -> int:
        """Where the line that is being read ends."""
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end

    def run(self) -> None:
        """Reads the whole text."""
        base: Path = ()
        while (token := self._token(skip=True)) is not None:
            if token == "[":
                base = self._header()
            else:
                self._pair(base, token)

    def _token(self, skip: bool = False) -> str | None:
        """The next token (None at the end); `skip`: newlines do not count."""
        while True:
            self._before = (self._at, self._next_line)
            match = _TOKEN.match(self._text, self._at)
            if match is None:
                if self._text[self._at :].strip(" \t\r"):
                    raise _Lost
                return None
            self._at, token = match.end(), match[0].lstrip(" \t\r")
            self._next_line += token.count("\n")
            if match.lastgroup != "comment" and not (skip and token == "\n"):
                return token

    def _header(self) -> Path:
        line, token = self.line, self._token()
        array = token == "["
        parts = self._key(self._token() if array else token, "]")
        path = self._resolved(parts[:-1])
        path = (*path, parts[-1])
        if array:
            self._last[path] = self._last.get(path, -1) + 1
            path = (*path, self._last[path])
            if self._token() != "]":
                raise _Lost
        elif path in self._last:
            path = (*path, self._last[path])
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], line)
        return path

    def _pair(self, base: Path, token: str | None) -> None:
        line = self.line
        path = base
        for part in self._key(token, "="):
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._value(path)

    def _value(self, path: Path) -> None:
        if len(path) > DEPTH_LIMIT:
            raise _Deep(f"values stand in each other more than {DEPTH_LIMIT} deep")
        token = self._token(skip=True)
        self.lines.setdefault(path, self.line)
        if token == "[":
            self._items(path)
        elif token == "{":
            self._inline(path)
        elif token is None or token in "]}=,":
            raise _Lost
        elif token[0] not in "\"'":
            self._scalar()

    def _scalar(self) -> None:
        """The rest of a number or date: `1.5`, `2026-11-25 10:00:00.5`."""
        while (token := self._token()) is not None and token not in "\n]}=,[{" and token[0] not in "\"'":
            pass
        self._unread()

    def _unread(self) -> None:
        self._at, self._next_line = self._before

    def _items(self, path: Path) -> None:
        index = 0
        while (token := self._token(skip=True)) != "]":
            if token is None:
                raise _Lost
            if token == ",":
                index += 1
            else:
                self._unread()
                self._value((*path, index))

    def _inline(self, path: Path) -> None:
        while (token := self._token(skip=True)) != "}":
            if token is None:
                raise _Lost
            if token != ",":
                self._pair(path, token)

    def _key(self, token: str | None, end: str) -> list[str]:
        """The parts of a key; the token is its first one."""
        parts: list[str] = []
        while token is not None and token not in "[]{}=,.\n":
            parts.append(_unquoted(token))
            if len(parts) > DEPTH_LIMIT:
                raise _Deep(f"a key of more than {DEPTH_LIMIT} parts")
            if (token := self._token()) == end:
                return parts
            token = self._token() if token == "." else None
        raise _Lost

    def _resolved(self, parts: list[str]) -> Path:
        path: Path = ()
        for part in parts:
            path = (*path, part)
            if path in self._last:
                path = (*path, self._last[path])
        return path


def _unquoted(token: str) -> str:
    if token[0] not in "\"'":
        return token
    if "\\" not in token or token[0] == "'":
        return token[1:-1]
    import tomllib

    try:
        return str(tomllib.loads(f"x = {token}")["x"])
    except tomllib.TOMLDecodeError:
        raise _Lost from None
