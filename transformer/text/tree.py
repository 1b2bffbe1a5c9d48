"""The one picture of a document that every reader in this room draws, whatever it was written as.

A tree is made of plain dicts, lists and ints: a mapping, a sequence, and the number of a scalar ("leaf"). Aliases and
merge keys are the same object, or the same leaf, seen from several places. What a leaf says and where it stands is
asked of the `Parsed`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | int"

#: What YAML 1.1 (Kubernetes) reads as null, and as a number or a boolean, when it is written plainly.
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TYPED = re.compile(
    r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*|(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
    r"|y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF"
)


#: Deeper than any manifest, shallower than Python's recursion limit: whoever walks a tree may recurse.
DEPTH_LIMIT = 400


class Scalar(NamedTuple):
    """A scalar's span in the file's text (properties such as anchors left out), its style and its decoded value.

    `style` is "" (plain), "'", '"', "|" or ">"; `tagged` says that an explicit tag stands before it;
    `places` counts who uses it: its own place and each alias of it; an anchor at the top of a document only holds it
    for the others, and does not count.
    """

    start: int
    end: int
    style: str
    value: str
    tagged: bool = False
    places: int = 1

    @property
    def is_null(self) -> bool:
        return not self.style and not self.tagged and self.value in _NULL

    @property
    def is_text(self) -> bool:
        """Whether it is a string to Kubernetes; a plain 1.25, true or ~ is not."""
        return bool(self.style) or self.tagged or not (self.value in _NULL or _TYPED.fullmatch(self.value))


class Duplicate(NamedTuple):
    """A key that a mapping has twice: where the second one stands, its text, and the value that it hides."""

    position: int
    key: str
    hidden: Tree


class Parsed(Protocol):
    """One document: its tree, and access to the leaves by number."""

    @property
    def tree(self) -> Tree: ...

    @property
    def duplicates(self) -> Sequence[Duplicate]: ...

    def scalar(self, leaf: int) -> Scalar: ...

    def value(self, leaf: int) -> str:
        """What the leaf says: cheaper than asking for the scalar with its span."""


class Plain(NamedTuple):
    """A document whose scalars are all at hand. `span`: where it stands, when others may stand beside it."""

    tree: Tree
    scalars: list[Scalar]
    duplicates: Sequence[Duplicate] = ()
    span: tuple[int, int] | None = None

    def scalar(self, leaf: int) -> Scalar:
        return self.scalars[leaf]

    def value(self, leaf: int) -> str:
        return self.scalars[leaf].value


class TextError(Exception):
    """A text that is no YAML or JSON: what is wrong, and the offset (in characters) where it was seen."""

    def __init__(self, message: str, position: int = 0) -> None:
        self.message, self.position = message, position
        super().__init__(message)
