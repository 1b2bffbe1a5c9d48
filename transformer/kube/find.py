"""Finds every place in a document where an image is named, and every fact about it that a policy may judge.

Structure only: apart from `kind` and `apiVersion` no value is read, so the answer can be shared by all documents of one
outline (`Finder` does). Covers pod specs at any depth of any kind, the catalogue, the policy's own fields, and Lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from transformer.kube import catalogue, paths
from transformer.kube.identity import LISTS, Identity, identity_of, is_list, leaf_of
from transformer.kube.pullsecrets import (
    AccountPart,
    HeldPart,
    PodPart,
    SecretPart,
    account_part,
    held_part,
    pod_part,
    secret_part,
)
from transformer.kube.shapes import SHAPES
from transformer.text.outline import Lines, Outline
from transformer.text.tree import Parsed, Plain, TextError, Tree

_CONTAINERS = frozenset(("containers", "initContainers", "ephemeralContainers"))
#: More places than any real document has, beyond what its size allows; aliases of aliases reach it within a second.
_PLACES_LIMIT, _PLACES_PER_SCALAR = 200_000, 4


class Field(Protocol):
    """A field that the user adds to the catalogue; `group` is "" for core kinds, None for any group."""

    @property
    def group(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def path(self) -> str: ...


class Candidate(NamedTuple):
    """A place that names an image: object, path, shape, the leaf of each of the shape's keys, the container's name.

    `pod`: what the pod spec that it stands in says about pull secrets; None outside of one.
    """

    identity: Identity
    path: str
    shape: str
    leaves: tuple[int | None, ...]
    container: int | None = None
    pod: PodPart | None = None


class Strange(NamedTuple):
    """A place where an image should be and something else is.

    `what` is "list", "map", "not-object" or "unread" (a text we do not edit).
    """

    identity: Identity
    path: str
    what: str
    leaves: tuple[int, ...]


class Found(NamedTuple):
    """All that a document holds. `is_blocked`: a value is wanted, or decides, that an outline does not know."""

    candidates: tuple[Candidate, ...]
    strange: tuple[Strange, ...]
    is_blocked: bool
    secrets: tuple[SecretPart, ...] = ()
    accounts: tuple[AccountPart, ...] = ()
    held: tuple[HeldPart, ...] = ()


def rows_of(fields: Sequence[Field], group: str, kind: str) -> Sequence[catalogue.Row]:
    """What the user's fields and the catalogue say of a kind; the user's first."""
    named = [field for field in fields if field.kind == kind and field.group in (None, group)]
    known = catalogue.rows(group, kind) if kind else ()
    return (*(catalogue.Row(field.path, "field") for field in named), *known)


class Finder:
    """Searches documents; remembers the answer for each outline and the kinds named in it (bounded)."""

    def __init__(self, fields: Sequence[Field] = ()) -> None:
        self._fields = fields
        self._known: dict[tuple[Outline, tuple[str, ...]], Found] = {}

    def names(self, version: str, kind: str) -> bool:
        """Whether a kind that looks like a list has fields of its own, so that it must be searched as an object."""
        return kind not in LISTS and bool(rows_of(self._fields, version.rpartition("/")[0], kind))

    def find(self, document: Parsed, root: Tree) -> Found:
        """Everything in `root` (the document's tree or a part of it); TextError when aliases multiply without end."""
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
        size = len(
            document.raw if isinstance(document, Lines) else document.scalars if isinstance(document, Plain) else ()
        )
        search = _Search(document.value, self._fields, _PLACES_LIMIT + _PLACES_PER_SCALAR * size)
        search.object(root)
        candidates, secrets = tuple(search.candidates.values()), tuple(search.secrets)
        found = Found(candidates, tuple(search.strange), False, secrets, tuple(search.accounts), tuple(search.held))
        if not isinstance(document, Lines) or not document.outline.blocks:
            return found
        wanted = (*document.outline.kinds, *_needed(found))
        return found._replace(is_blocked=not document.outline.blocks.isdisjoint(wanted))


def _needed(found: Found) -> Iterator[int]:
    parts: list[Candidate | Strange | SecretPart | AccountPart | HeldPart] = [*found.candidates, *found.strange]
    parts += [*found.secrets, *found.accounts, *found.held]
    for one in parts:
        yield from (leaf for leaf in one.identity[:4] if leaf is not None)
        yield from one.identity.annotations.values()
        if isinstance(one, Candidate | Strange):
            yield from (leaf for leaf in one.leaves if leaf is not None)
        if isinstance(one, Candidate) and one.container is not None:
            yield one.container
        if isinstance(one, Candidate) and one.pod is not None:
            yield from (*(one.pod.secrets or ()), *one.pod.accounts)
        if isinstance(one, SecretPart):
            yield from (one.type, *(leaf for _, _, leaf in one.contents))
        if isinstance(one, AccountPart):
            yield from (*one.secrets, *(() if one.enforces is None else (one.enforces,)))
        if isinstance(one, HeldPart):
            yield from (leaf for leaf in (one.name, one.type) if leaf is not None)


class _Search:
    def __init__(self, value: Callable[[int], str], fields: Sequence[Field], limit: int) -> None:
        self.value, self.fields, self.limit = value, fields, limit
        #: By object and path: a place that two rules name is one place, the first rule's.
        self.candidates: dict[object, Candidate] = {}
        self.strange: list[Strange] = []
        self.secrets: list[SecretPart] = []
        self.accounts: list[AccountPart] = []
        self.held: list[HeldPart] = []
        #: The object that is searched: its place in the document, and its kind when it is a core one.
        self.base, self.core = "", ""
        #: Nodes that a row names as objects: `_anywhere` leaves them to `object`.
        self.objects: set[int] = set()
        self.places = 0

    def object(self, node: Tree, path: str = "", listed: Identity | None = None) -> None:
        """One Kubernetes object; paths in it start anew. `listed` says whose item it is; an item must be an object."""
        outside = self.base, self.core
        self.base = f"{self.base}.{path}" if self.base and path else self.base + path
        self._object(node, path, listed)
        self.base, self.core = outside

    def _object(self, node: Tree, path: str, listed: Identity | None) -> None:
        self._visit()
        if not isinstance(node, dict):
            if listed is not None:
                self.strange.append(Strange(listed, path, "not-object", tuple(_leaves(node))))
            return
        identity = identity_of(node)
        group, kind = self._group_kind(identity)
        self.core = "" if group else kind
        if kind == "CustomResourceDefinition":
            return
        rows = rows_of(self.fields, group, kind)
        if is_list(kind, node) and (kind in LISTS or not rows):
            for index, item in enumerate(_list(node["items"])):
                self.object(item, f"items[{index}]", identity if kind in LISTS else None)
            return
        for row in rows:
            self._row(identity, node, row)
        self._pull_secrets(identity, group, kind, node)
        pod = pod_part(node, "", self.base)
        for key, child in node.items():
            if key != "status" and not isinstance(child, int):
                self._anywhere(identity, child, key, paths.extend("", key), pod)

    def _pull_secrets(self, identity: Identity, group: str, kind: str, node: dict[str, Tree]) -> None:
        """Objects that matter for what pods may pull with."""
        secret = secret_part(identity, node) if self.core == "Secret" else None
        held = held_part(identity, node, group, kind)
        if secret is not None:
            self.secrets.append(secret)
        if held is not None:
            self.held.append(held)
        if self.core == "ServiceAccount":
            self.accounts.append(account_part(identity, node, self.base))

    def _group_kind(self, identity: Identity) -> tuple[str, str]:
        version, kind = (self.value(leaf) if leaf is not None else "" for leaf in (identity.api_version, identity.kind))
        return version.rpartition("/")[0], kind

    def _anywhere(self, identity: Identity, node: Tree, key: str, path: str, pod: PodPart | None = None) -> None:
        """Pod specs at any depth: lists of containers, and volumes that are images. `pod` is of the mapping above."""
        self._visit()
        if id(node) in self.objects:
            return
        if isinstance(node, dict):
            pod = pod_part(node, path, self.base, self.core)
            for name, child in node.items():
                if not isinstance(child, int):
                    self._anywhere(identity, child, name, paths.extend(path, name), pod)
        elif isinstance(node, list):
            if key in _CONTAINERS:
                self._containers(identity, node, path, pod)
            elif key == "volumes":
                for place, child in paths.walk(node, ("[]", "image", "reference"), path):
                    self._candidate(identity, "image", place, child, pod=pod)
            for index, child in enumerate(node):
                if not isinstance(child, int):
                    self._anywhere(identity, child, "", f"{path}[{index}]")

    def _visit(self) -> None:
        self.places += 1
        if self.places > self.limit:
            raise TextError(f"aliases make more than {self.limit} nodes of this document")

    def _containers(self, identity: Identity, node: list[Tree], path: str, pod: PodPart | None = None) -> None:
        for index, container in enumerate(node):
            if isinstance(container, dict) and "image" in container:
                place, name = f"{path}[{index}].image", leaf_of(container, "name")
                self._candidate(identity, "image", place, container["image"], name, pod=pod)

    def _row(self, identity: Identity, root: dict[str, Tree], row: catalogue.Row) -> None:
        if row.shape in ("never", "pod"):  # pods are found anywhere
            return
        steps = paths.parse(row.path)
        for path, node in paths.walk(root, steps):
            self._visit()
            if row.shape == "object":
                self.objects.add(id(node))
                self.object(node, path)
            elif row.shape == "containers":
                self._containers(identity, _list(node), path)
            elif row.shape == "unread":
                self.strange.append(Strange(identity, path, "unread", tuple(_leaves(node))))
            elif row.shape == "docker-image":
                beside = next((found for _, found in paths.walk(root, (*steps[:-1], "kind"))), None)
                if not isinstance(beside, int) or self.value(beside) == "DockerImage":
                    self._candidate(identity, row.shape, path, node)
            elif row.shape == "field":
                is_split = isinstance(node, dict) and "repository" in node
                self._candidate(identity, "split" if is_split else "image", path, node)
            elif row.shape == "split" and isinstance(node, int):  # written whole where a map is usual
                self._candidate(identity, "image", path, node)
            else:
                self._candidate(identity, row.shape, path, node, root=root)

    def _candidate(
        self,
        identity: Identity,
        shape: str,
        path: str,
        node: Tree,
        container: int | None = None,
        root: Tree = 0,
        pod: PodPart | None = None,
    ) -> None:
        leaves: list[int | None] = []
        for key in SHAPES[shape].keys:
            base, start = (root, "") if key.startswith("/") else (node, path)
            steps = paths.parse(key.removeprefix("/")) if key else ()
            place, found = next(paths.walk(base, steps, start), (start, None))
            if found is not None and not isinstance(found, int):
                self.strange.append(Strange(identity, place, _what(found), tuple(_leaves(found))))
                return
            leaves.append(found)
        if any(leaf is not None for leaf in leaves):
            candidate = Candidate(identity, path, shape, tuple(leaves), container, pod)
            first = self.candidates.setdefault((id(identity), path), candidate)
            if first.pod is None and pod is not None:  # a row has named it before the pod spec was met
                self.candidates[(id(identity), path)] = first._replace(pod=pod)


def _list(node: Tree) -> list[Tree]:
    return node if isinstance(node, list) else []


def _leaves(node: Tree) -> Iterator[int]:
    """The leaves of a part, each node once however many aliases lead there."""
    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, int):
            yield node
        elif id(node) not in seen:
            seen.add(id(node))
            waiting += reversed(node.values() if isinstance(node, dict) else node)


def _what(node: Tree) -> str:
    return "list" if isinstance(node, list) else "map"
