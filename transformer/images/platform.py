"""Platforms as `os/architecture[/variant]`, and the choice of one child of an image index.

Source: OCI image-spec, image-index.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

_PLATFORM = re.compile(r"([a-z0-9]+)/([a-z0-9_]+)(?:/([a-z0-9]+))?")
#: A variant that is the same as none (containerd/platforms normalises likewise).
_DEFAULT_VARIANT = {"arm64": "v8", "arm": "v7"}


class Platform(NamedTuple):
    """`os`, `architecture` and `variant` ("" when none) in Go's names."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


def parse(text: str) -> Platform:
    """Reads `linux/arm64/v8`; raises ValueError for anything else."""
    match = _PLATFORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a platform; write os/architecture[/variant], such as linux/amd64")
    return Platform(*(part or "" for part in match.groups()))


def choose(wanted: Platform, descriptors: list[Any]) -> tuple[dict[str, Any] | None, list[str]]:
    """The index entry for a platform (None when there is none), and the names of those that there are."""
    offered: list[str] = []
    found: dict[str, Any] | None = None
    for descriptor in descriptors:
        platform = descriptor.get("platform") if isinstance(descriptor, dict) else None
        if not isinstance(platform, dict):
            continue
        here = Platform(*(str(platform.get(key) or "") for key in ("os", "architecture", "variant")))
        if here.os == "unknown":  # an attestation manifest, not an image
            continue
        offered.append(str(here))
        if found is None and _same(wanted, here):
            found = descriptor
    return found, offered


def _same(wanted: Platform, here: Platform) -> bool:
    default = _DEFAULT_VARIANT.get(wanted.architecture, "")
    return (wanted.os, wanted.architecture) == (here.os, here.architecture) and (
        (wanted.variant or default) == (here.variant or default)
    )


def listed(descriptors: list[Any]) -> dict[str, Any]:
    """The entries of an index by platform, attestations left out; of two for one platform the first, as in `choose`."""
    found: dict[str, Any] = {}
    for descriptor in descriptors:
        platform = descriptor.get("platform") if isinstance(descriptor, dict) else None
        if isinstance(platform, dict):
            name = str(Platform(*(str(platform.get(key) or "") for key in ("os", "architecture", "variant"))))
            if _PLATFORM.fullmatch(name) and not name.startswith("unknown/"):
                found.setdefault(name, descriptor)
    return found


def pick(wanted: str, offered: Iterable[str]) -> str | None:
    """The one of the offered platforms that is the wanted one, its default variant written or not."""
    here = parse(wanted)
    return next((one for one in offered if _same(here, parse(one))), None)
