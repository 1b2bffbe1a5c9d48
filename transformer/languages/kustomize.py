"""Kustomize's `images:` as mirrors: a name and the newName that stands for it.

Kustomize replaces names without asking anyone, and a name is often no image at all (`my-app`), so the mirror is asked
what the tag means and nothing falls back. It compares texts: `nginx` is not `docker.io/library/nginx` to it, but it is
to us. The entries are applied one after the other, so what one of them renamed the next may rename again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from transformer.images.reference import Reference
from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Language, Text
from transformer.languages.naming import image_of
from transformer.languages.yamltext import At, Map, file_name, has_kind, objects

_FILES = frozenset(("kustomization.yaml", "kustomization.yml", "Kustomization"))
_KINDS = ("Kustomization", "Component")
_GROUP = "kustomize.config.k8s.io/"
#: What makes a name a regular expression on purpose; a dot stands in every host.
_PATTERN = re.compile(r"[*+?()\[\]|^$\\{}]")


class _Rename(NamedTuple):
    at: At
    name: str
    new: str


def read(texts: Sequence[Text]) -> Imported:
    """The renames of all texts; each file has its own order."""
    found = Gathering()
    for text in texts:
        seen, renames = False, list[_Rename]()
        for each in objects(text):
            kind = each.text("kind")
            if kind is not None and kind not in _KINDS:
                continue
            for entry in each.maps("images"):
                seen = True
                _read_entry(found, renames, entry)
        if not seen:
            found.note(At(text.name, text.line, "images"), "is not there, so no name is replaced")
        _write(found, renames)
    return found.imported()


def _read_entry(found: Gathering, renames: list[_Rename], entry: Map) -> None:
    found.notes(entry.unknown(("name", "newName", "newTag", "digest", "tagSuffix")))
    name, at = entry.required("name"), entry.at("name")
    for key in ("newTag", "tagSuffix", "digest"):
        if key in entry:
            found.note(entry.at(key), "is no mirror: a pin belongs in the lock, or stays in the kustomization")
    if "newName" not in entry:
        return
    if _PATTERN.search(name):
        found.note(at, "is a regular expression; write a mirror for each name or registry that it means")
        return
    new = _repository(entry.at("newName"), entry.required("newName"))
    renames.append(_Rename(at, _repository(at, name).name, new.name))


def _repository(at: At, text: str) -> Reference:
    made = image_of(at, text)
    if made.tag is not None or made.digest is not None:
        raise at.fail("is a name without a tag and without a digest in Kustomize; take them out")
    return made


def _write(found: Gathering, renames: list[_Rename]) -> None:
    """From the last entry to the first: then what a name becomes, and what later entries make of that, is known."""
    ends: dict[str, _Rename] = {}
    for each in reversed(renames):
        later = ends.get(each.new)
        ends[each.name] = each if later is None else each._replace(new=later.new)
    for name in dict.fromkeys(each.name for each in renames):
        at, _, to = ends[name]
        if to != name:
            found.mirror(at, name, (location(at, to),), resolve_at="mirror")


def recognises(text: Text) -> bool:
    """By its name, or by its kind."""
    return file_name(text) in _FILES or (_GROUP in text.text and has_kind(text, _KINDS))


LANGUAGES = (Language("kustomize", recognises, read),)
