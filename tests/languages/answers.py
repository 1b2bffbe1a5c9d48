"""What was imported, said so that a test can hold it in one line. Shared by the tests of this room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from transformer.errors import PolicyError
from transformer.images.reference import parse
from transformer.languages.model import Imported, Text
from transformer.policy.mirrors import Mirrors
from transformer.policy.model import Policy

Read = Callable[[Sequence[Text]], Imported]
DIGEST = "sha256:" + "a" * 64


def text(content: str, name: str = "file.yaml") -> Text:
    """A file with this content."""
    return Text(name, content)


def places(imported: Imported) -> dict[str, list[str]]:
    """The locations of each source, `to` alone."""
    return {mirror.source: [location.to for location in mirror.locations] for mirror in imported.mirrors}


def notes(imported: Imported) -> list[tuple[int, str]]:
    """Line and key of each note."""
    return [(note.line, note.key) for note in imported.notes]


def whys(imported: Imported) -> str:
    """All sentences of the notes."""
    return "\n".join(note.why for note in imported.notes)


def names(imported: Imported, image: str, pulls: str = "digest") -> list[str] | None:
    """What an image is called at its mirror, in order; None when no mirror is its."""
    found = Mirrors(Policy(mirrors=imported.mirrors)).candidates(parse(image), pulls)
    assert found.refusals == ()
    return None if found.mirror is None else [one.reference.written for one in found.locations]


def refused(read: Read, content: str, name: str = "file.yaml") -> PolicyError:
    """The error for a text that cannot be read."""
    with pytest.raises(PolicyError) as error:
        read((Text(name, content),))
    assert error.value.file == name
    return error.value


def broken(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    """A document once for each of its values and each wrong type: the path of the value, and the whole document."""
    result = []
    if path:
        for wrong in ([["x"]], {"x": {"y": 1}}, "hunter2", 7, True, None):
            if type(wrong) is not type(data):
                result.append((path, wrong))
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in children:
        result += broken(value, (*path, key))
    return result


def replaced(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """The document with another value at a path."""
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = replaced(data[path[0]], path[1:], value)
    return copy
