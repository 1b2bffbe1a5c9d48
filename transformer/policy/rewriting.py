"""The `rewrite` of a location: patterns over the path behind its source, and what becomes of their matches.

Patterns are RE2's (Go's regular expressions, as k3s reads them), so that none can take more than linear time, whoever
wrote it. Knows nothing of references: what comes out is judged where it is used (`mirrors`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from transformer.images.reference import shorten

#: Patterns of one location, characters of one pattern, and bytes that a compiled one may take.
RULES_LIMIT, LENGTH_LIMIT, MEMORY_LIMIT = 100, 1000, 1 << 17
#: Characters of a rewritten path: more than any reference may have.
_RESULT_LIMIT = 1024

_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+)|)", re.ASCII)
#: What can stand in the path of an image; whatever else a replacement holds would spoil every image.
_IN_PATHS = re.compile(r"[a-z0-9._/-]*", re.ASCII)


class _Rule(NamedTuple):
    pattern: Any
    #: Texts and groups (by number or name) in turn.
    parts: tuple[str | int, ...]


class Rewriting:
    """Rewrites paths: the first pattern that matches is applied, to all its matches."""

    def __init__(self, rules: Sequence[_Rule]) -> None:
        self._rules = tuple(rules)

    def __call__(self, path: str) -> str:
        """The path after the rewrite; the same one when no pattern matches."""
        for rule in self._rules:
            match = rule.pattern.search(path)
            if match is not None:
                # Most patterns are anchored: then one search is all, and half the time.
                whole = match.span() == (0, len(path))
                made = _expand(match, rule.parts) if whole else _replaced(rule, path)
                return made[:_RESULT_LIMIT]
        return path


def compile_rewriting(rules: tuple[tuple[str, str], ...]) -> Rewriting | None:
    """What the rules do, None when there are none; raises ValueError with a sentence for one that cannot be used."""
    return _compiled(rules) if rules else None


@lru_cache(maxsize=1000)
def _compiled(rules: tuple[tuple[str, str], ...]) -> Rewriting:
    if len(rules) > RULES_LIMIT:
        raise ValueError(f"{len(rules)} patterns in one rewrite; at most {RULES_LIMIT}")
    return Rewriting([_rule(pattern, replacement) for pattern, replacement in rules])


def _rule(text: str, replacement: str) -> _Rule:
    import re2  # a C++ library: only for those who rewrite

    if not text:
        raise ValueError("an empty pattern matches everywhere; write ^ to put something in front")
    if len(text) > LENGTH_LIMIT or len(replacement) > LENGTH_LIMIT:
        raise ValueError(f"a pattern or replacement of more than {LENGTH_LIMIT} characters")
    options = re2.Options()
    options.log_errors, options.max_mem = False, MEMORY_LIMIT
    try:
        pattern = re2.compile(text, options)
    except re2.error as error:
        cause = error.args[0] if error.args else ""
        cause = cause.decode("utf-8", "replace") if isinstance(cause, bytes) else str(cause)
        raise ValueError(f"{shorten(text)} is no pattern of RE2: {shorten(cause)}") from None
    return _Rule(pattern, _parts(text, replacement, pattern.groups, pattern.groupindex))


def _parts(text: str, replacement: str, groups: int, names: dict[str, int]) -> tuple[str | int, ...]:
    """A replacement by Go's rules: $1, ${1} and ${name}; $1x is the group named 1x."""
    parts: list[str | int] = []
    done = 0
    for match in _REFERENCE.finditer(replacement):
        parts.append(_literal(replacement, replacement[done : match.start()]))
        done = match.end()
        name = match.group(1) or match.group(2)
        if name is None:
            raise ValueError(f"{shorten(replacement)}: a $ without a group; write $1 or ${{1}}")
        group = int(name) if name.isdigit() and len(name) < 4 else names.get(name, -1)
        if not 0 <= group <= groups:
            advice = "write ${1} where a letter or digit follows"
            raise ValueError(f"{shorten(replacement)}: {shorten(text)} has no group {shorten(name, 40)!r}; {advice}")
        parts.append(group)
    return (*parts, _literal(replacement, replacement[done:]))


def _literal(replacement: str, text: str) -> str:
    """A part of a replacement that is written as it stands; a brace would be no variable, a colon no tag."""
    if _IN_PATHS.fullmatch(text) is None:
        advice = "lower-case letters, digits, . _ - and / only, and groups such as $1; variables belong into `to`"
        raise ValueError(f"{shorten(replacement)}: is put into the path of an image, without a tag: {advice}")
    return text


def _replaced(rule: _Rule, path: str) -> str:
    """All matches replaced by Go's rules: an empty match right behind another one does not count."""
    pieces: list[str] = []
    done, last = 0, -1
    for match in rule.pattern.finditer(path):
        start, end = match.span()
        if start == end == last:
            continue
        pieces += (path[done:start], _expand(match, rule.parts))
        done = last = end
    return "".join(pieces) + path[done:]


def _expand(match: Any, parts: tuple[str | int, ...]) -> str:
    return "".join(part if isinstance(part, str) else match.group(part) or "" for part in parts)
