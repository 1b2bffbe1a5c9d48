"""What the user names on the command line: files, directories and stdin, read as Files in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Sequence

from transformer.errors import Finding, HostError, Place, UsageError
from transformer.images.reference import shorten
from transformer.surfaces import console
from transformer.text import source
from transformer.text.source import File
from transformer.text.tree import TextError

SUFFIXES = (".yaml", ".yml", ".json")


def read(paths: Sequence[str]) -> tuple[list[File], list[Finding], bool]:
    """The files in path order, a finding for each that is not text, and whether they are rendered or sources."""
    if "-" in paths and len(paths) > 1:
        raise UsageError("- (stdin) cannot be named beside other paths")
    if not paths and console.stdin_is_terminal():
        raise UsageError("nothing is named and stdin is a terminal; name files or directories, or - to type the input")
    if not paths or "-" in paths:
        return *_decode([(console.STDIN, console.read_stdin())]), True
    return *_decode([(path, _read_file(path)) for path in sorted(set(_files(paths)))]), False


def decode(name: str, data: bytes) -> tuple[File | None, Finding | None]:
    """One File, or the finding that says why its bytes are none."""
    try:
        return source.decode(name, data), None
    except TextError as error:
        return None, Finding("unreadable", error.message, "nothing was written; send UTF-8 text", place=Place(name))


def _decode(read: Sequence[tuple[str, bytes]]) -> tuple[list[File], list[Finding]]:
    decoded = [decode(name, data) for name, data in read]
    return [file for file, _ in decoded if file is not None], [finding for _, finding in decoded if finding is not None]


def _files(paths: Sequence[str]) -> list[str]:
    found: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            for directory, below, names in os.walk(path, onerror=_refuse):
                below[:] = sorted(name for name in below if not name.startswith("."))
                found += [os.path.join(directory, name) for name in names if name.endswith(SUFFIXES)]
        else:
            found.append(path)
    return found


def _refuse(error: OSError) -> None:
    raise HostError(f"{shorten(str(error.filename), 300)} cannot be read: {error.strerror}; check its permissions")


def _read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise HostError(f"{shorten(path, 300)} cannot be read: {error.strerror}; check the path") from None


def join(texts: Sequence[str]) -> str:
    """Several files as one stream: `---` goes between them only where the next one does not begin with a marker."""
    joined, last = "", ""
    for text in texts:
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        if joined and not joined.endswith("\n"):
            joined += "\n"
        if last and lines:
            joined += _marker(last, lines[0])
        joined += text
        last = lines[-1] if lines else last
    return joined


def _marker(last: str, first: str) -> str:
    """What must stand between a text whose last line is `last` and one that begins with `first`, comments left out."""
    if first.startswith("%"):  # a directive wants the document before to have ended
        return "" if last.startswith("...") else "...\n"
    return "" if first.startswith("---") and first.split()[0] == "---" else "---\n"
