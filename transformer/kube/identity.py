"""Which object something stands in: first as leaf numbers, shared by all documents of one outline, then as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from transformer.text.tree import Tree

#: What a user tells pindown at an object, and where kpt and kustomize say that it came from.
OWN_ANNOTATIONS = "pindown.dev/"
FILE_ANNOTATIONS = (
    "config.kubernetes.io/path",
    "internal.config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "internal.config.kubernetes.io/index",
    "config.kubernetes.io/origin",
)
#: What kustomize notes at objects while it has not yet mended the names by which they refer to each other.
FORMER_NAMES = "internal.config.kubernetes.io/previousNames"
AFFIXES = ("internal.config.kubernetes.io/prefixes", "internal.config.kubernetes.io/suffixes")
_ANNOTATIONS = frozenset((*FILE_ANNOTATIONS, FORMER_NAMES, *AFFIXES))
#: What a list has besides its items; a kind such as AllowList that has more is an object of its own.
_LIST_KEYS = frozenset(("apiVersion", "kind", "metadata", "items"))
LISTS = ("List", "ResourceList")


class Identity(NamedTuple):
    """The leaves that say which object this is; None where absent. Of the annotations only those that we read."""

    api_version: int | None
    kind: int | None
    namespace: int | None
    name: int | None
    annotations: Mapping[str, int]


class Resource(NamedTuple):
    """Which object: identity as written, and the annotations that we read."""

    api_version: str | None
    kind: str | None
    namespace: str | None
    name: str | None
    annotations: Mapping[str, str]


NOWHERE = Resource(None, None, None, None, {})


def identity_of(node: Mapping[str, Tree]) -> Identity:
    """The identity of an object."""
    metadata = node.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    annotations = metadata.get("annotations")
    annotations = annotations if isinstance(annotations, dict) else {}
    kept = {key: leaf for key, leaf in annotations.items() if isinstance(leaf, int) and _is_read(key)}
    version, kind = leaf_of(node, "apiVersion"), leaf_of(node, "kind")
    return Identity(version, kind, leaf_of(metadata, "namespace"), leaf_of(metadata, "name"), kept)


def leaf_of(mapping: Mapping[str, Tree], key: str) -> int | None:
    """The leaf under a key, None where something else or nothing is there."""
    leaf = mapping.get(key)
    return leaf if isinstance(leaf, int) else None


def is_list(kind: str, node: Tree) -> bool:
    """Whether an object of this kind is a list of objects: a List, or one such as PodList that holds nothing else."""
    if not isinstance(node, dict) or "items" not in node:
        return False
    return kind in LISTS or (kind.endswith("List") and node.keys() <= _LIST_KEYS)


def _is_read(annotation: str) -> bool:
    return annotation.startswith(OWN_ANNOTATIONS) or annotation in _ANNOTATIONS
