"""Policy text to `Policy`: read, checked against the schema, built. No I/O: who remembers valid texts is passed in.

A text that was found valid before is not checked against the schema again, and neither ruamel.yaml nor jsonschema is
imported for it: start-up is a feature. The memory is only a shortcut: whatever goes wrong on it is tried again in full.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import transformer
from transformer.errors import PolicyError
from transformer.images.reference import shorten
from transformer.policy.build import build
from transformer.policy.configmap import as_document
from transformer.policy.model import Policy
from transformer.policy.reading import Tree, read
from transformer.policy.words import API_VERSION, KIND, nearest, schema_text


class Seen(Protocol):
    """Remembers which texts were found valid, by digest; must not raise."""

    def seen(self, digest: str) -> bool: ...

    def remember(self, digest: str) -> None: ...


def load(text: str, file: str, *, seen: Seen | None = None) -> Policy:
    """The policy of a `pindown.yaml` (YAML or JSON); raises PolicyError naming place and cause."""
    return _load(text, file, seen, _transformer)


def from_function_config(text: str, file: str, *, seen: Seen | None = None) -> Policy:
    """The policy of a functionConfig: an ImageTransformer, a flat ConfigMap, or nothing (null, or an empty mapping)."""
    return _load(text, file, seen, _function_config)


def _load(text: str, file: str, seen: Seen | None, shape: Callable[[Tree], Tree]) -> Policy:
    digest = _digest(text) if seen is not None else ""
    if seen is not None and seen.seen(digest):
        try:
            return build(shape(read(text, file, quick=True)))
        except (PolicyError, ValueError, TypeError, KeyError, AttributeError):
            pass  # not what was remembered: read it as if it had never been seen
    tree = read(text, file)
    document = shape(tree)
    from transformer.policy.complaints import check

    check(document)
    policy = build(document)
    if seen is not None and read(text, file, quick=True).data == tree.data:
        seen.remember(digest)
    return policy


def _digest(text: str) -> str:
    from hashlib import sha256

    whole = f"{transformer.__version__}\0{schema_text()}\0{text}"
    return sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def _function_config(tree: Tree) -> Tree:
    if tree.data is None or tree.data == {}:
        return Tree({"apiVersion": API_VERSION, "kind": KIND}, {}, file=tree.file)
    if isinstance(tree.data, dict) and tree.data.get("kind") == "ConfigMap":
        if tree.data.get("apiVersion") != "v1":
            raise _head(tree, "apiVersion", "a ConfigMap is of apiVersion v1")
        return as_document(tree)
    return _transformer(tree, f"{KIND} or a ConfigMap")


def _transformer(tree: Tree, wanted: str = KIND) -> Tree:
    data = tree.data
    if not isinstance(data, dict):
        found = "nothing" if data is None else "a list" if isinstance(data, list) else "a single value"
        raise PolicyError(
            f"a policy is a mapping (apiVersion: {API_VERSION}, kind: {KIND}), not {found}", tree.file, 1, 1
        )
    kind, version = data.get("kind"), data.get("apiVersion")
    if kind != KIND:
        guess = nearest(kind, [KIND]) if isinstance(kind, str) else ""
        guess = guess if "mean" in guess else ""
        raise _head(tree, "kind", f"kind is {_shown(kind)}; a policy is of kind {wanted}{guess}")
    if version != API_VERSION:
        raise _head(tree, "apiVersion", f"apiVersion is {_shown(version)}; this pindown reads {API_VERSION}")
    return tree


def _shown(value: object) -> str:
    return "missing" if value is None else shorten(str(value), 60)


def _head(tree: Tree, key: str, message: str) -> PolicyError:
    return PolicyError(message, tree.file, *(tree.locate((key,)) if key in tree.data else (1, 1)))
