"""Paths into a document, as the catalogue and a policy's `fields` write them: `spec.runners[].image`, `spec.*`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from transformer.text.tree import Tree

EVERY_ITEM, EVERY_VALUE = "[]", ".*"
_STEP = re.compile(r"\.?(?:(\[\])|(\*)|\[\"([^\"]+)\"\]|([^.\[\]]+))")


@functools.lru_cache(maxsize=2048)
def parse(path: str) -> tuple[str, ...]:
    """A path as steps: keys, EVERY_ITEM and EVERY_VALUE. A key with dots is written ["a.b/c"]. Raises ValueError."""
    steps: list[str] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise ValueError(f"{path!r} is not a path such as spec.runners[].image")
        item, value, quoted, key = match.groups()
        steps.append(EVERY_ITEM if item else EVERY_VALUE if value else quoted or key)
        position = match.end()
    if not steps:
        raise ValueError("an empty path")
    return tuple(steps)


def walk(node: Tree | None, steps: tuple[str, ...], path: str = "") -> Iterator[tuple[str, Tree]]:
    """Every place that the steps lead to: its path as messages write it, and the node. An absent key leads nowhere."""
    if node is None:
        return
    if not steps:
        yield path, node
    elif steps[0] == EVERY_ITEM:
        for index, child in enumerate(node if isinstance(node, list) else ()):
            yield from walk(child, steps[1:], f"{path}[{index}]")
    elif isinstance(node, dict):
        if steps[0] == EVERY_VALUE:
            for key, child in node.items():
                yield from walk(child, steps[1:], extend(path, key))
        else:
            yield from walk(node.get(steps[0]), steps[1:], extend(path, steps[0]))


def extend(path: str, key: str) -> str:
    """The path one key further down."""
    if "." in key or "[" in key:
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key
