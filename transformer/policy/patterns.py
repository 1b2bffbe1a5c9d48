"""Patterns over image names: `*` stays inside a path part, `**` crosses; without either, a prefix on path boundaries.

Matched in time linear in the name whatever the pattern is (a set of positions held in one integer, no backtracking):
patterns may come from an untrusted repository. A pattern is normalised as Docker normalises a reference, so `nginx` is
`docker.io/library/nginx`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from transformer.images.reference import DOCKER_HUB, Reference, shorten

LENGTH_LIMIT = 512

_ALLOWED = re.compile(r"[A-Za-z0-9._:/*-]+|\[[0-9a-fA-F:]+\](?::[0-9]+)?(?:/[a-z0-9._/*-]*)?", re.ASCII)
#: A registry with a port and no path; `nginx:1` is a name with a tag.
_PORT = re.compile(r"(?:localhost|[^/:]*\.[^/:]*):[0-9]+", re.ASCII)


class Glob(NamedTuple):
    """A compiled glob. Bit i of a set of positions: the first i tokens have been matched."""

    prefix: str
    #: A text that every match holds: most names are told apart by it.
    needle: str
    masks: dict[str, int]
    within: int
    across: int
    skips: int
    end: int

    def matches(self, name: str) -> bool:
        """Whether the whole name matches."""
        if self.needle not in name or not name.startswith(self.prefix):
            return False
        stars, masks, across = self.within | self.across, self.masks, self.across
        here = self._closed(1, self.skips)
        for char in name:
            stay = here & (across if char == "/" else stars)
            here = self._closed((here & masks.get(char, 0)) << 1, self.skips) | self._closed(stay, 0)
            if not here:
                return False
        return bool(here & self.end)

    def _closed(self, here: int, skips: int) -> int:
        """The positions that can be reached from these without a further character.

        `skips` are the ** whose slash may be left out with them: only where nothing has been taken by them yet.
        """
        while True:
            more = here | (here & (self.within | self.across)) << 1 | (here & skips) << 2
            if more == here:
                return here
            here = more


class Pattern(NamedTuple):
    """A pattern of `images[].match`: prefixes on path boundaries and globs, any of which may match."""

    prefixes: tuple[str, ...]
    globs: tuple[Glob, ...]

    def matches(self, name: str) -> bool:
        """Whether a name as `subject` gives it matches."""
        for prefix in self.prefixes:
            if name.startswith(prefix) and name[len(prefix) : len(prefix) + 1] in ("", "/"):
                return True
        return any(glob.matches(name) for glob in self.globs)


def subject(reference: Reference) -> str:
    """What patterns are matched against: host names know no case, and `:443` is the port that is asked anyway."""
    return f"{_host(reference.registry)}/{reference.repository}"


def compile_pattern(text: str) -> Pattern:
    """Reads a pattern; raises ValueError with a sentence when it could never match what its author means."""
    _check(text)
    first, slash, rest = text.strip("/").partition("/")
    wild = "*" in text
    if not _is_host(first, bool(slash)):
        first, rest = DOCKER_HUB, first + slash + rest
        if "/" not in rest and "**" not in rest:
            rest = f"library/{rest}"
    first = _host(first)
    if not wild:
        name = f"{first}/{rest}" if rest else first
        extra = (f"{first}/library/{rest}",) if first == DOCKER_HUB and rest and "/" not in rest else ()
        return Pattern((name, *extra), ())
    if not rest and "**" not in first:
        rest = "**"  # a registry alone means everything in it
    elif first == DOCKER_HUB and "/" not in rest and "**" not in rest:
        rest = f"library/{rest}"
    return Pattern((), (compile_glob(f"{first}/{rest}" if rest else first),))


def compile_glob(text: str) -> Glob:
    """Compiles a glob over whole names. `/**/` also matches a single slash."""
    masks: dict[str, int] = {}
    within = across = skips = position = index = 0
    while index < len(text):
        if text[index] != "*":
            masks[text[index]] = masks.get(text[index], 0) | 1 << position
        elif text.startswith("**", index):
            across |= 1 << position
            if text[index - 1 : index] in ("", "/") and text.startswith("/", index + 2):
                skips |= 1 << position
            index += 1
        else:
            within |= 1 << position
        index += 1
        position += 1
    needle = max((run.strip("/") for run in text.split("*")), key=len)
    return Glob(text.partition("*")[0], needle, masks, within, across, skips, 1 << position)


def _check(text: str) -> None:
    shown = shorten(text)
    if not text.strip("/"):
        raise ValueError("an empty pattern; write ** for every image")
    if len(text) > LENGTH_LIMIT:
        raise ValueError(f"the pattern has {len(text)} characters, the limit is {LENGTH_LIMIT}")
    if "@" in text:
        raise ValueError("a pattern matches names; take what stands from the @ on out")
    if ":" in text.rpartition("/")[2] and not _ends_in_host(text):
        raise ValueError(f"{shown}: a pattern matches names; take the tag out")
    if _ALLOWED.fullmatch(text) is None:
        raise ValueError(f"{shown}: only letters, digits, . _ - : / and the wildcards * and ** can stand in a pattern")
    if "***" in text or "//" in text:
        raise ValueError(f"{shown}: write * for a path part, ** for any number of them, and single slashes")
    if text.strip("/") == "*":
        raise ValueError("* stays inside one path part and every name has two; write ** for every image")
    first, slash, rest = text.partition("/")
    path = rest if _is_host(first, bool(slash)) else text
    if path != path.lower():
        raise ValueError(f"{shown}: repositories are lower case, this can never match; write {shorten(path.lower())}")


def _ends_in_host(text: str) -> bool:
    return "/" not in text and (_PORT.fullmatch(text) is not None or text.startswith("["))


def _is_host(first: str, path_follows: bool) -> bool:
    if first == "localhost" or first.startswith("[") or "." in first or ":" in first:
        return True
    return "*" in first and (path_follows or "**" in first)


def _host(text: str) -> str:
    text = text.lower().removesuffix(":443")
    return DOCKER_HUB if text == "index.docker.io" else text
