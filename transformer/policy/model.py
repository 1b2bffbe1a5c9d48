"""The policy as values: what a loaded `pindown.yaml` or functionConfig means. Frozen; changed by replacing.

Says nothing about YAML, files or precedence: `load` makes these, `ownership` joins them, `plan` reads them.
`line` is where a rule stands in `Policy.file` (1-based, 0 when unknown): a rule can turn out wrong after loading,
when a variable gets its value.
"""

from __future__ import annotations

from typing import NamedTuple

from transformer.policy.questions import HostCredential


class Pin(NamedTuple):
    """How images are pinned: `platform` counts only with `digest: platform`."""

    digest: str = "index"
    platform: str | None = None
    style: str = "tag-and-digest"
    existing: str = "keep"


class ImageRule(NamedTuple):
    """One exception: `name` is what reports call it (`images[2]`), `match` a pattern of `policy.patterns`."""

    name: str
    match: str
    action: str = "pin"
    reason: str | None = None
    platform: str | None = None
    style: str | None = None
    line: int = 0


class Location(NamedTuple):
    """One place of a mirror, as written: variables and placeholders are still in `to`."""

    name: str
    to: str
    line: int = 0


class Mirror(NamedTuple):
    """Where a source is mirrored. `source` is a registry, a prefix, `*.suffix` or `*`."""

    name: str
    source: str
    locations: tuple[Location, ...]
    resolve_at: str = "source"
    write: str = "mirror"
    verify: str = "same-digest"
    fallback: str = "fail"
    line: int = 0


class FieldRule(NamedTuple):
    """A field that names an image, besides the catalogue. `group` None: any group; "": the core group."""

    group: str | None
    kind: str
    path: str
    line: int = 0


class RegistryRule(NamedTuple):
    """How one registry is reached, and as whom. Paths are absolute once `settings` has placed them.

    `credentials_allowed` is False where an untrusted policy weakened the transport (`ownership`). `trusted_realms` are
    hosts (or URLs) of token servers that may see the registry's credentials.
    """

    host: str
    insecure: bool = False
    ca_bundle: str | None = None
    max_concurrency: int | None = None
    credentials_allowed: bool = True
    trusted_realms: tuple[str, ...] = ()
    credentials: HostCredential | None = None
    line: int = 0


class Policy(NamedTuple):
    """Everything the user wants. `Policy()` is the default: pin every image to the index digest at its source."""

    pin: Pin = Pin()
    images: tuple[ImageRule, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    #: Sorted by name.
    variables: tuple[tuple[str, str], ...] = ()
    fields: tuple[FieldRule, ...] = ()
    registries: tuple[RegistryRule, ...] = ()
    on_error: str = "fail"
    timeout: float | None = None
    keeps: str = "honour"
    mode: str = "transform"
    results: str = "full"
    offline: bool = False
    #: Whether pods are asked for with the pull secrets that they name, where those are in the input.
    use_manifest_secrets: bool = True
    #: Where it was read from ("" for the default).
    file: str = ""
    #: Whether it is the operator's own, or was declared trustworthy by the operator.
    trusted: bool = False
    #: The keys that the text held, such as `onError`, `pin`, `pin.existing`, `registries[0].credentials`, with their
    #: lines.
    written: tuple[tuple[str, int], ...] = ()

    @classmethod
    def default(cls) -> Policy:
        """What holds when there is no policy."""
        return cls()
