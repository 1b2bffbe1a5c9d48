"""Finds every place in a document where an image is named, and every fact about it that a policy may judge.

Structure only: apart from `kind` and `apiVersion` no value is read, so the answer can be shared by all documents of one
outline (`Finder` does). Covers pod specs at any depth of any kind, the catalogue, the policy's own fields, and Lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from transformer.kube import catalogue, paths
from transformer.kube.shapes import SHAPES
from transformer.text.outline import Lines, Outline
from transformer.text.tree import Parsed, TextError, Tree

_CONTAINERS = frozenset(("containers", "initContainers", "ephemeralContainers"))
#: What a user tells pindown at an object, and where kpt and kustomize say that it came from.
OWN_ANNOTATIONS = "pindown.dev/"
FILE_ANNOTATIONS = (
    "config.kubernetes.io/path",
    "internal.config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "internal.config.kubernetes.io/index",
    "config.kubernetes.io/origin",
)
#: More places than any real document has; aliases of aliases reach it within milliseconds.
_PLACES_LIMIT = 200_000


class Field(Protocol):
    """A field that the user adds to the catalogue; `group` is "" for core kinds, None for any group."""

    @property
    def group(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def path(self) -> str: ...


class Identity(NamedTuple):
    """The leaves that say which object this is; None where absent. Of the annotations only those that we read."""

    api_version: int | None
    kind: int | None
    namespace: int | None
    name: int | None
    annotations: Mapping[str, int]


class Candidate(NamedTuple):
    """A place that names an image: object, path, shape, the leaf of each of the shape's keys, the container's name."""

    identity: Identity
    path: str
    shape: str
    leaves: tuple[int | None, ...]
    container: int | None = None


class Strange(NamedTuple):
    """A place where an image should be and something else is: `what` is "list", "map", "not-object" or "unread" (a text we do not edit)."""

    identity: Identity
    path: str
    what: str
    leaves: tuple[int, ...]


class Found(NamedTuple):
    """All that a document holds. `is_blocked`: a value that will be wanted is one that an outline does not know."""

    candidates: tuple[Candidate, ...]
    strange: tuple[Strange, ...]
    is_blocked: bool


class Finder:
    """Searches documents; remembers the answer for each outline and the kinds named in it (bounded)."""

    def __init__(self, fields: Sequence[Field] = ()) -> None:
        self._fields = fields
        self._known: dict[tuple[Outline, tuple[str, ...]], Found] = {}

    def find(self, document: Parsed, root: Tree) -> Found:
        """Everything in `root` (the document's tree or a part of it); raises TextError when aliases multiply without end."""
        if isinstance(document, Lines):
            raw = document.raw
            key = (document.outline, tuple([raw[leaf] for leaf in document.outline.kinds]))
            found = self._known.get(key)
            if found is None:
                if len(self._known) >= 4000:
                    self._known.clear()
                found = self._known[key] = self._search(document, root)
            return found
        return self._search(document, root)

    def _search(self, document: Parsed, root: Tree) -> Found:
        search = _Search(lambda leaf: document.scalar(leaf).value, self._fields)
        search.object(root)
        found, strange = tuple(search.candidates.values()), tuple(search.strange)
        blocks = document.outline.blocks if isinstance(document, Lines) else frozenset()
        return Found(found, strange, bool(blocks) and not blocks.isdisjoint(_needed((*found, *strange))))


def _needed(found: Iterable[Candidate | Strange]) -> Iterator[int]:
    for one in found:
        yield from (leaf for leaf in one.leaves if leaf is not None)
        yield from (leaf for leaf in one.identity[:4] if leaf is not None)
        yield from one.identity.annotations.values()
        if isinstance(one, Candidate) and one.container is not None:
            yield one.container


class _Search:
    def __init__(self, value: Callable[[int], str], fields: Sequence[Field]) -> None:
        self.value, self.fields = value, fields
        #: By the leaves that hold the image: a place that two rules name is one place, the first rule's.
        self.candidates: dict[object, Candidate] = {}
        self.strange: list[Strange] = []
        self.places = 0

    def object(self, node: Tree, path: str = "", listed: Identity | None = None) -> None:
        """One Kubernetes object; paths in it start anew. `listed` says whose item it is, if any: an item must be an object."""
        if not isinstance(node, dict):
            if listed is not None:
                self.strange.append(Strange(listed, path, "not-object", tuple(_leaves(node))))
            return
        identity = _identity(node)
        group, kind = self._group_kind(identity)
        if kind == "CustomResourceDefinition":
            return
        if kind.endswith("List") and isinstance(node.get("items"), list):
            for index, item in enumerate(_list(node["items"])):
                self.object(item, f"items[{index}]", identity)
            return
        for field in self.fields:
            if field.kind == kind and field.group in (None, group):
                self._row(identity, node, catalogue.Row(field.path, "field"))
        for row in catalogue.rows(group, kind) if kind else ():
            self._row(identity, node, row)
        for key, child in node.items():
            if key != "status" and not isinstance(child, int):
                self._anywhere(identity, child, key, key)

    def _group_kind(self, identity: Identity) -> tuple[str, str]:
        version, kind = (self.value(leaf) if leaf is not None else "" for leaf in (identity.api_version, identity.kind))
        return version.rpartition("/")[0], kind

    def _anywhere(self, identity: Identity, node: Tree, key: str, path: str) -> None:
        """Pod specs at any depth: lists of containers, and volumes that are images."""
        self.places += 1
        if self.places > _PLACES_LIMIT:
            raise TextError(f"aliases make more than {_PLACES_LIMIT} nodes of this document")
        if isinstance(node, dict):
            for name, child in node.items():
                if not isinstance(child, int):
                    self._anywhere(identity, child, name, paths.extend(path, name))
        elif isinstance(node, list):
            if key in _CONTAINERS:
                self._containers(identity, node, path)
            elif key == "volumes":
                for place, child in paths.walk(node, ("[]", "image", "reference"), path):
                    self._candidate(identity, "image", place, child)
            for index, child in enumerate(node):
                if not isinstance(child, int):
                    self._anywhere(identity, child, "", f"{path}[{index}]")

    def _containers(self, identity: Identity, node: list[Tree], path: str) -> None:
        for index, container in enumerate(node):
            if isinstance(container, dict) and "image" in container:
                name = container.get("name")
                self._candidate(
                    identity, "image", f"{path}[{index}].image", container["image"], name if isinstance(name, int) else None
                )

    def _row(self, identity: Identity, root: dict[str, Tree], row: catalogue.Row) -> None:
        if row.shape in ("never", "pod"):  # pods are found anywhere
            return
        steps = paths.parse(row.path)
        for path, node in paths.walk(root, steps):
            if row.shape == "object":
                self.object(node)
            elif row.shape == "containers":
                self._containers(identity, _list(node), path)
            elif row.shape == "unread":
                self.strange.append(Strange(identity, path, "unread", tuple(_leaves(node))))
            elif row.shape == "docker-image":
                beside = next((found for _, found in paths.walk(root, (*steps[:-1], "kind"))), None)
                if not isinstance(beside, int) or self.value(beside) == "DockerImage":
                    self._candidate(identity, row.shape, path, node)
            elif row.shape == "field":
                self._candidate(identity, "split" if isinstance(node, dict) and "repository" in node else "image", path, node)
            else:
                self._candidate(identity, row.shape, path, node, root=root)

    def _candidate(
        self, identity: Identity, shape: str, path: str, node: Tree, container: int | None = None, root: Tree = 0
    ) -> None:
        leaves: list[int | None] = []
        for key in SHAPES[shape].keys:
            base, steps = (root, paths.parse(key[1:])) if key.startswith("/") else (node, paths.parse(key) if key else ())
            place, found = next(paths.walk(base, steps, path), (path, None))
            if found is not None and not isinstance(found, int):
                self.strange.append(Strange(identity, place, _what(found), tuple(_leaves(found))))
                return
            leaves.append(found)
        if any(leaf is not None for leaf in leaves):
            self.candidates.setdefault((id(identity), leaves[0], tuple(leaves)), Candidate(identity, path, shape, tuple(leaves), container))


def _identity(node: dict[str, Tree]) -> Identity:
    metadata = node.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    annotations = metadata.get("annotations")
    annotations = annotations if isinstance(annotations, dict) else {}
    kept = {key: leaf for key, leaf in annotations.items() if isinstance(leaf, int) and _is_ours(key)}
    version, kind = _leaf(node, "apiVersion"), _leaf(node, "kind")
    return Identity(version, kind, _leaf(metadata, "namespace"), _leaf(metadata, "name"), kept)


def _is_ours(annotation: str) -> bool:
    return annotation.startswith(OWN_ANNOTATIONS) or annotation in FILE_ANNOTATIONS


def _leaf(mapping: dict[str, Tree], key: str) -> int | None:
    leaf = mapping.get(key)
    return leaf if isinstance(leaf, int) else None


def _list(node: Tree) -> list[Tree]:
    return node if isinstance(node, list) else []


def _leaves(node: Tree) -> Iterable[int]:
    if isinstance(node, int):
        yield node
    else:
        for child in node.values() if isinstance(node, dict) else node:
            yield from _leaves(child)


def _what(node: Tree) -> str:
    return "list" if isinstance(node, list) else "map"
