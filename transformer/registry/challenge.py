"""`WWW-Authenticate` as RFC 9110 §11.6.1 writes it: several headers, many challenges in one, parameters in any order.

Only reads; whether a realm may be asked is decided in realm.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_SEPARATOR = re.compile(r"[\s,]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_SPACES = re.compile(r"[ \t]+")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))", re.ASCII)
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
#: Wider than a token: registries forget the quotes around URLs.
_BARE = re.compile(r'[^\s,"]*')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Challenge(NamedTuple):
    """One challenge; `scheme` and the names of `params` are lower case."""

    scheme: str
    params: Mapping[str, str]


def parse(values: Iterable[str]) -> list[Challenge]:
    """The challenges of all `WWW-Authenticate` headers in order. What cannot be read is passed over; never raises."""
    return [challenge for value in values for challenge in _parse_one(value)]


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The one to answer: the first Bearer that names a realm, else the first Basic, else None."""
    basic = None
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.params.get("realm"):
            return challenge
        if challenge.scheme == "basic" and basic is None:
            basic = challenge
    return basic


def _parse_one(text: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(text):
        position = _end(_SEPARATOR, text, position)
        name = _NAME.match(text, position)
        if name is None:
            position += 1
            continue
        equals = _EQUALS.match(text, name.end()) if found else None
        if equals is not None:
            position, value = _value(text, equals.end())
            found[-1][1].setdefault(name[0].lower(), value)
            continue
        found.append((name[0].lower(), {}))
        position = _after_scheme(text, name.end())
    return [Challenge(scheme, params) for scheme, params in found]


def _after_scheme(text: str, position: int) -> int:
    """Past the spaces behind a scheme, and past a token68 (Negotiate, NTLM) when that is all it has."""
    spaces = _SPACES.match(text, position)
    if spaces is None:
        return position
    token = _TOKEN68.match(text, spaces.end())
    return token.end() if token is not None else spaces.end()


def _value(text: str, position: int) -> tuple[int, str]:
    quoted = _QUOTED.match(text, position)
    if quoted is not None:
        return quoted.end(), _ESCAPE.sub(r"\1", quoted[1])
    bare = _BARE.match(text, position)
    # An opening quote that nothing closes: skip the quote, the rest is read as what it looks like.
    return (max(bare.end(), position + 1), bare[0]) if bare is not None else (position + 1, "")


def _end(expression: re.Pattern[str], text: str, position: int) -> int:
    match = expression.match(text, position)
    return match.end() if match is not None else position
