"""JSON documents with spans, where libyaml will not do: it refuses surrogate pairs and several documents on end.

A tokeniser, not a validator of numbers; duplicate keys are noted, the last one wins as in Go's encoding/json.
"""

from __future__ import annotations

import re

from transformer.text.tree import DEPTH_LIMIT, Duplicate, Plain, Scalar, TextError, Tree

_TOKEN = re.compile(
    r'[ \t\r\n]*+(?:([{}\[\],:])|"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+)"'
    r"|(-?[0-9][0-9.eE+-]*+|true|false|null))"
)
_BLANK = re.compile(r"[ \t\r\n]*")
_OBJECT = re.compile(r'[ \t\r\n]*\{[ \t\r\n]*["}]')


def starts_json(text: str, start: int, end: int) -> bool:
    """Whether the text looks like a JSON object: `{`, then a quoted key or `}`."""
    return _OBJECT.match(text, start, end) is not None


def read(text: str, start: int, end: int) -> list[Plain]:
    """The JSON values of `text[start:end]`, one after the other; raises TextError where it is not JSON."""
    documents = []
    while (start := _skip(text, start, end)) < end:
        reader = _Reader(text, start, end)
        tree = reader.value(0)
        documents.append(Plain(tree, reader.scalars, reader.duplicates, (start, reader.position)))
        start = reader.position
    return documents


def _skip(text: str, start: int, end: int) -> int:
    blank = _BLANK.match(text, start, end)
    return blank.end() if blank else start


class _Reader:
    def __init__(self, text: str, start: int, end: int) -> None:
        self.text, self.position, self.end = text, start, end
        self.scalars: list[Scalar] = []
        self.duplicates: list[Duplicate] = []

    def value(self, depth: int) -> Tree:
        token = self._next()
        if depth > DEPTH_LIMIT:
            raise TextError(f"nested deeper than {DEPTH_LIMIT} levels", self.position)
        if token[1] == "{":
            return self._object(depth)
        if token[1] == "[":
            return self._array(depth)
        if token[1]:
            raise TextError(f"not valid JSON: unexpected {token[1]}", token.start(1))
        return self._scalar(token)

    def _object(self, depth: int) -> Tree:
        mapping: dict[str, Tree] = {}
        token = self._next()
        while token[1] != "}":
            if token[2] is None:
                raise TextError("not valid JSON: expected a quoted key", token.end() - 1)
            key = _decode(token[2], token.start(2))
            self._expect(":")
            value = self.value(depth + 1)
            if key in mapping:
                self.duplicates.append(Duplicate(token.start(2) - 1, key, mapping[key]))
            mapping[key] = value
            token = self._next()
            if token[1] == ",":
                token = self._next()
                if token[1] == "}":
                    raise TextError("not valid JSON: a comma before }", token.start(1))
            elif token[1] != "}":
                raise TextError("not valid JSON: expected , or }", token.end() - 1)
        return mapping

    def _array(self, depth: int) -> Tree:
        items: list[Tree] = []
        closing = self._peek()
        if closing[1] == "]":
            self.position = closing.end()
            return items
        while True:
            items.append(self.value(depth + 1))
            token = self._next()
            if token[1] == "]":
                return items
            if token[1] != ",":
                raise TextError("not valid JSON: expected , or ]", token.end() - 1)

    def _scalar(self, token: re.Match[str]) -> Tree:
        if token[2] is not None:
            scalar = Scalar(token.start(2) - 1, token.end(2) + 1, '"', _decode(token[2], token.start(2)))
        else:
            scalar = Scalar(token.start(3), token.end(3), "", token[3])
        self.scalars.append(scalar)
        return len(self.scalars) - 1

    def _peek(self) -> re.Match[str]:
        token = _TOKEN.match(self.text, self.position, self.end)
        if token is None:
            where = _skip(self.text, self.position, self.end)
            what = "cut off" if where >= self.end else "not valid JSON: unexpected text"
            raise TextError(what, where)
        return token

    def _next(self) -> re.Match[str]:
        token = self._peek()
        self.position = token.end()
        return token

    def _expect(self, mark: str) -> None:
        token = self._next()
        if token[1] != mark:
            raise TextError(f"not valid JSON: expected {mark}", token.end() - 1)


def _decode(inner: str, position: int) -> str:
    if "\\" not in inner:
        return inner
    import json

    text: str = json.loads(f'"{inner}"')
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise TextError("not valid JSON: half of a surrogate pair", position)
    return text
