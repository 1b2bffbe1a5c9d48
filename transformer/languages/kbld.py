"""kbld's overrides, its lock, and imgpkg's ImagesLock as mirrors: an image and the one that stands for it.

kbld compares texts and takes the new image as it is, and what it names is often no image at all (`my-app`), so the new
place is asked what the tag means and nothing falls back. Which digest an image has is no mirror: that is what a lock
says, and `pindown lock --from` reads these files for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformer.images.reference import shorten
from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Language, Text
from transformer.languages.naming import image_of
from transformer.languages.yamltext import At, Map, has_kind, objects

_GROUP = "kbld.k14s.io"
_KINDS = ("Config", "ImageOverrides")
_LOCK_GROUP, _LOCK = "imgpkg.carvel.dev", "ImagesLock"
#: The annotation of an ImagesLock in which kbld keeps the name that was replaced.
_ID = "kbld.carvel.dev/id"
_OF_CONFIG = ("apiVersion", "kind", "metadata", "minimumRequiredVersion", "overrides")
_OF_BUILDS = {
    "sources": "says what is built, which is no mirror",
    "destinations": "says where built images are pushed, which is no mirror",
    "searchRules": "says where images stand; write `fields` in the policy",
    "keys": "says where images stand; write `fields` in the policy",
}


class _Reader:
    """One text: its renames, and how many of its entries are pins."""

    def __init__(self, found: Gathering, text: Text) -> None:
        self.found = found
        self.first: dict[str, tuple[str, At]] = {}
        self.pins: list[At] = []
        for each in objects(text):
            kind, group = each.text("kind"), (each.text("apiVersion") or "").partition("/")[0]
            if kind in _KINDS and group == _GROUP:
                self._config(each)
            elif (kind, group) == (_LOCK, _LOCK_GROUP):
                self._lock(each)
        self._write(At(text.name, text.line, ""))

    def _config(self, each: Map) -> None:
        for key, why in _OF_BUILDS.items():
            if key in each:
                self.found.note(each.at(key), why)
        self.found.notes(each.unknown((*_OF_CONFIG, *_OF_BUILDS)))
        for entry in each.maps("overrides"):
            self.found.notes(
                entry.unknown(("image", "imageRepo", "newImage", "preresolved", "metadata", "tagSelection"))
            )
            if "tagSelection" in entry:
                self.found.note(entry.at("tagSelection"), "chooses a tag, which is no mirror")
            key = "image" if "image" in entry else "imageRepo"
            self._add(entry.at(key), entry.required(key), entry.at("newImage"), entry.required("newImage"))

    def _lock(self, each: Map) -> None:
        spec = each.map("spec")
        for entry in spec.maps("images") if spec is not None else ():
            notes = entry.map("annotations")
            known = notes.text(_ID) if notes is not None else None
            if known is None:
                self.pins.append(entry.at("image"))
            else:
                self._add(entry.at("image"), known, entry.at("image"), entry.required("image"))

    def _add(self, at: At, old: str, new_at: At, new: str) -> None:
        source, to = image_of(at, old), image_of(new_at, new)
        if to.digest is not None:
            self.pins.append(new_at)
        elif to.tag is not None and to.tag != source.tag:
            self.found.note(new_at, "a mirror carries the tag that is written, and this one changes it")
        if source.name == to.name:
            return
        known = self.first.setdefault(source.name, (to.name, at))
        if known[0] != to.name:
            why = f"is another place for {shorten(source.name)}, for another tag of it; the first one counts"
            self.found.note(new_at, f"{why} (line {known[1].line})")

    def _write(self, top: At) -> None:
        for source, (to, at) in self.first.items():
            self.found.mirror(at, source, (location(at, to),), resolve_at="mirror")
        if self.pins:
            why = f"{len(self.pins)} digests are no mirrors: they belong in a lock (pindown lock --from)"
            self.found.note(self.pins[0], why)
        elif not self.first:
            self.found.note(top, "holds no override")


def read(texts: Sequence[Text]) -> Imported:
    """The overrides of all texts."""
    found = Gathering()
    for text in texts:
        _Reader(found, text)
    return found.imported()


def recognises(text: Text) -> bool:
    """By its kinds."""
    config = _GROUP in text.text and has_kind(text, _KINDS)
    return config or (_LOCK_GROUP in text.text and has_kind(text, (_LOCK,)))


LANGUAGES = (Language("kbld", recognises, read),)
