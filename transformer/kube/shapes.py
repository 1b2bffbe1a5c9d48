"""How a reference is spelled in an object: each shape reads one from the values under its keys, and writes one back.

A value is None where the key is absent. `read` answers None where there is no image; `write` answers the new value of
each key, None for unchanged. Nothing here knows about spans or policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from transformer.images.reference import join


class Written(NamedTuple):
    """What is to be written: the name with its registry, as it should read, and tag and digest (None: none)."""

    name: str
    tag: str | None
    digest: str | None
    renamed: bool

    @property
    def text(self) -> str:
        return join(self.name, self.tag, self.digest)


class Shape(Protocol):
    """One spelling.

    `keys` are paths below the row's path; "" is the value itself, a leading / starts at the object's root.
    """

    keys: tuple[str, ...]
    #: Whether an image without a tag means "the operator's choice" here rather than `latest`.
    needs_tag: bool

    def read(self, values: Sequence[str | None]) -> str | None: ...

    def write(self, values: Sequence[str | None], new: Written) -> list[str | None] | None:
        """None when this spelling has no place for the digest."""


class Whole:
    """One string that holds the whole reference, perhaps behind a scheme."""

    keys: tuple[str, ...] = ("",)
    needs_tag = False

    def __init__(self, scheme: str = "") -> None:
        self.scheme = scheme

    def read(self, values: Sequence[str | None]) -> str | None:
        text = values[0]
        if not text or not text.startswith(self.scheme):
            return None
        return text[len(self.scheme) :]

    def write(self, values: Sequence[str | None], new: Written) -> list[str | None] | None:
        return [self.scheme + new.text]


class Versioned:
    """An image that may lack its tag, and a version elsewhere that is it then (system-upgrade-controller's Plan)."""

    keys: tuple[str, ...] = ("", "/spec.version")
    needs_tag = True

    def read(self, values: Sequence[str | None]) -> str | None:
        image, version = values
        if not image or not version or _is_whole(image):
            return image or None
        return f"{image}:{version}"

    def write(self, values: Sequence[str | None], new: Written) -> list[str | None] | None:
        return [new.text, None]


class Split:
    """Name, tag and digest under keys of their own. The digest goes where its key stands, else behind the tag.

    `version` is a key whose value is the tag where none is written, and which has no room for a digest. Without a tag
    the last part of the name may be a whole reference.
    """

    needs_tag = True

    def __init__(
        self, name: tuple[str, ...], tag: str, digest: str = "", algorithm: str = "", version: str = ""
    ) -> None:
        self.keys = (*name, tag, *(key for key in (digest, version) if key))
        self.parts, self.has_digest, self.has_version = len(name), bool(digest), bool(version)
        #: What the digest's key leaves out: prometheus-operator's `sha` is bare hex.
        self.algorithm = algorithm

    def read(self, values: Sequence[str | None]) -> str | None:
        *name, last = values[: self.parts]
        if not last:
            return None
        tag, digest, version = self._rest(values)
        if tag and tag.startswith("sha256:"):
            tag, digest = None, tag
        digest = self.algorithm + digest if digest else None
        return join("/".join([*(part for part in name if part), last]), tag or version, digest)

    def write(self, values: Sequence[str | None], new: Written) -> list[str | None] | None:
        out: list[str | None] = [None] * len(values)
        if new.renamed:
            out[: self.parts] = self._rename(values[: self.parts], new.name)
        tag, digest, version = self._rest(values)
        if digest is not None and new.digest is not None:
            out[self.parts + 1] = new.digest.removeprefix(self.algorithm)
            out[self.parts] = new.tag if tag and new.tag else None
        elif tag:
            plain = "" if tag.startswith("sha256:") else tag.partition("@")[0]
            if new.digest is None and new.tag is None:
                return None  # a mirror keeps the tag elsewhere, and its key cannot go
            named = new.tag or plain
            out[self.parts] = f"{named}@{new.digest}" if named and new.digest else new.digest or named
        elif not version and _is_whole(last := values[self.parts - 1] or ""):
            name = out[self.parts - 1] or _without_tag(last)
            out[self.parts - 1] = join(name, new.tag, new.digest)
        elif new.digest is not None or (version and new.tag != version):
            return None
        return [None if now == before else now for now, before in zip(out, values, strict=True)]

    def _rest(self, values: Sequence[str | None]) -> tuple[str | None, str | None, str | None]:
        """Tag, digest and version: None where the key is absent, and always for a key that this spelling has not."""
        tag, *rest = values[self.parts :]
        digest = rest[0] if self.has_digest else None
        return tag, digest, rest[-1] if self.has_version else None

    def _rename(self, old: Sequence[str | None], name: str) -> list[str | None]:
        """The new name over the keys that are there.

        The first takes the registry (or all but the last part, where it held a path already), the last the rest.
        """
        if len(old) == 1 or not old[0]:
            return [None] * (len(old) - 1) + [name]
        head, _, rest = name.partition("/")
        if "/" not in (old[-1] or "") and "/" in old[0]:
            head, _, rest = name.rpartition("/")
        return [head, *[None] * (len(old) - 2), rest]


def _is_whole(text: str) -> bool:
    """Whether a tag or a digest follows the name."""
    return "@" in text or ":" in text.rpartition("/")[2]


def _without_tag(text: str) -> str:
    name = text.partition("@")[0]
    path, slash, last = name.rpartition("/")
    return path + slash + last.partition(":")[0]


#: The names that catalogue.txt uses; a new spelling is one class above (or one more use of one) and one row here.
SHAPES: dict[str, Shape] = {
    "image": Whole(),
    "docker-image": Whole(),
    "docker-url": Whole("docker://"),
    "oci-url": Whole("oci://"),
    "versioned": Versioned(),
    "split": Split(("registry", "repository"), "tag", "digest"),
    "siblings": Split(("repository", "image"), "version"),
    "prometheus": Split(("baseImage",), "tag", "sha", "sha256:", version="version"),
}
