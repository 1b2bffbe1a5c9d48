"""Image references: the grammar of distribution/reference with Docker's normalisation, the text as written kept.

Grammar first: everything that later becomes part of a URL has matched one of the expressions here.
Source: https://github.com/distribution/reference (regexp.go, normalize.go); stricter where that parser yields an empty
registry.
"""

from __future__ import annotations

import re
from typing import NamedTuple

DOCKER_HUB = "docker.io"
DIGEST_LENGTHS = {"sha256": 64, "sha512": 128}
PATH_LIMIT = 255

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = rf"{_PART}(?:/{_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

_REFERENCE = re.compile(rf"({_HOST})/({_PATH})(?::({_TAG}))?(?:@({_DIGEST}))?", re.ASCII)
_IMAGE_ID = re.compile(r"[a-f0-9]{64}", re.ASCII)
_COMMAND = re.compile(r"\A\W*::|##(?=[^#]*\[)")
_LOWER_HEX = re.compile(r"[a-f0-9]+", re.ASCII)


class ReferenceError(ValueError):
    """Why a text is no reference.

    `code` is one of empty, invalid-format, uppercase, too-long, digest, image-id, templated.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Reference(NamedTuple):
    """A parsed reference. `registry` and `repository` are normalised, `tag` and `digest` are None when not written."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None
    written: str

    @property
    def name(self) -> str:
        """`registry/repository`, normalised: what a policy's patterns are matched against."""
        return f"{self.registry}/{self.repository}"

    @property
    def written_name(self) -> str:
        """The name exactly as the user wrote it, without tag and digest."""
        text = self.written
        if self.digest is not None:
            text = text[: -len(self.digest) - 1]
        if self.tag is not None:
            text = text[: -len(self.tag) - 1]
        return text

    @property
    def canonical(self) -> str:
        """`registry/repository[:tag][@digest]`, the default tag filled in when neither is written."""
        tag = self.tag or (None if self.digest else "latest")
        return join(self.name, tag, self.digest)

    def normalised(self) -> Reference:
        """The same image whichever way it was written: equal for `nginx` and `docker.io/library/nginx:latest`."""
        tag = self.tag or (None if self.digest else "latest")
        return Reference(self.registry, self.repository, tag, self.digest, self.canonical)


def join(name: str, tag: str | None, digest: str | None) -> str:
    """`name[:tag][@digest]`."""
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def is_templated(text: str) -> bool:
    """Whether the text still holds a placeholder: `${X}`, `{{ … }}` or `$(x)`."""
    return "{{" in text or "${" in text or "$(" in text


def is_digest(text: str) -> bool:
    """Whether the text is a digest we can compare: a known algorithm and lower-case hex of its length."""
    algorithm, _, value = text.partition(":")
    return DIGEST_LENGTHS.get(algorithm) == len(value) and _LOWER_HEX.fullmatch(value) is not None


def parse(text: str) -> Reference:
    """Reads a reference as Docker and the kubelet do; raises ReferenceError with a code (see there)."""
    if not text:
        raise ReferenceError("empty", "the reference is empty")
    if "${" in text or "{{" in text:
        raise ReferenceError("templated", f"{shorten(text)} holds a placeholder that nothing has filled in")
    if _IMAGE_ID.fullmatch(text):
        raise ReferenceError(
            "image-id", f"{shorten(text)} is an image ID, which no registry can look up; use name@sha256:…"
        )
    registry, rest = _split_registry(text)
    repository = rest.partition(":")[0]
    if repository.lower() != repository:
        raise ReferenceError(
            "uppercase", f"{shorten(text)}: the repository must be lower case; try {shorten(text.lower())}"
        )
    match = _REFERENCE.fullmatch(f"{registry}/{rest}")
    if match is None:
        raise ReferenceError("invalid-format", f"{shorten(text)} is not an image reference (name[:tag][@sha256:…])")
    registry, path, tag, digest = match.groups()
    if len(path) > PATH_LIMIT:
        raise ReferenceError(
            "too-long", f"{shorten(text)}: the repository has {len(path)} characters, the limit is {PATH_LIMIT}"
        )
    if digest is not None and not is_digest(digest):
        raise ReferenceError(
            "digest", f"{shorten(text)}: not a sha256 digest of 64 or a sha512 digest of 128 lower-case hex digits"
        )
    return Reference(registry, path, tag, digest, text)


def shorten(text: str, limit: int = 120) -> str:
    """Untrusted text for a message: printable, on one line, no command of a CI runner, at most `limit` characters."""
    if len(text) <= limit and text.isprintable() and not ("##" in text or text.lstrip().startswith("::")):
        return text
    # Runners obey `::error::…` at the beginning of a line, `##[…]` and `##vso[…]` anywhere in it.
    text = _COMMAND.sub(lambda match: match[0][:-1] + "\N{REPLACEMENT CHARACTER}", text[: limit + 1])
    safe = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if not slash:
        return DOCKER_HUB, "library/" + text
    if first == "index.docker.io":
        first = DOCKER_HUB
    elif first != "localhost" and "." not in first and ":" not in first and first.lower() == first:
        first, rest = DOCKER_HUB, text
    if first == DOCKER_HUB and "/" not in rest:
        rest = "library/" + rest
    return first, rest
