"""What every language reads into, and how it says what it cannot read: the types of this room.

A language states only what its file states. What our model cannot express becomes a `Note`, never silence; what no
system could use is a PolicyError with file, line and key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from transformer.policy.model import ImageRule, Mirror, RegistryRule


class Text(NamedTuple):
    """A file to read: `name` as shown in messages (with its folders: certs.d/docker.io/hosts.toml), and its text.

    `line` is the line of the file at which the text begins: 1, unless it was cut from a larger one (a manifest among
    others). `found`: it was met in a directory and not named, so that another kind of file is no mistake.
    """

    name: str
    text: str
    line: int = 1
    found: bool = False


class Note(NamedTuple):
    """Something in a file that is not carried over: where, the key, and why (a sentence for people)."""

    file: str
    line: int
    key: str
    why: str


class Imported(NamedTuple):
    """What files say, in our words. The same source stands once."""

    mirrors: tuple[Mirror, ...] = ()
    #: Sources that nobody may contact, as rules with `action: deny`.
    denies: tuple[ImageRule, ...] = ()
    #: Hosts that are reached over plain http.
    registries: tuple[RegistryRule, ...] = ()
    notes: tuple[Note, ...] = ()


class Language(NamedTuple):
    """One format: its name (for `--from`), how a file is recognised, and how files of it are read together.

    `recognises` gets the file's name and its text; `read` gets all files of this format, in order. Each module of this
    room that reads has a tuple `LANGUAGES`, and stands in the table of `read`.
    """

    name: str
    recognises: Callable[[Text], bool]
    read: Callable[[Sequence[Text]], Imported]
