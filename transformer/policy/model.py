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
    #: RE2 patterns and their replacements (`$1`), for the path behind the source; the first that matches is applied.
    rewrite: tuple[tuple[str, str], ...] = ()
    #: For what a node pulls: `all`, `tag` or `digest`.
    when: str = "all"
    #: The name of the Secret that pods need to pull from here.
    pull_secret: str | None = None
    #: Whether the tag is asked here before the digest: a pull-through cache may not know the digest otherwise.
    warm: bool = False


class Mirror(NamedTuple):
    """Where a source is mirrored. `source` is a registry, a prefix, `*.suffix` or `*`.

    `file` is where it was read from when that is not the policy itself (`mirrorsFrom`).
    """

    name: str
    source: str
    locations: tuple[Location, ...]
    resolve_at: str = "source"
    write: str = "mirror"
    verify: str = "same-digest"
    fallback: str = "fail"
    line: int = 0
    file: str = ""


class MirrorSource(NamedTuple):
    """An entry of `mirrorsFrom`: a file or directory in another system's language, or the manifests themselves.

    `format` None: recognised by name and content.
    """

    name: str
    file: str | None = None
    manifests: bool = False
    format: str | None = None
    line: int = 0


class PullSecrets(NamedTuple):
    """Whether the locations' pull secrets are added, to what (`pod` or `serviceAccount`), and which exist unseen."""

    inject: bool = False
    target: str = "pod"
    known: tuple[str, ...] = ()


class CacheRule(NamedTuple):
    """How long answers may be remembered, in seconds: `ttl` for tags, `stale_if_error` when nobody answers any more."""

    ttl: float = 600.0
    stale_if_error: float = 0.0


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
    #: The values that a variable may have, for those that are listed.
    matrix: tuple[tuple[str, tuple[str, ...]], ...] = ()
    mirrors_from: tuple[MirrorSource, ...] = ()
    pull_secrets: PullSecrets = PullSecrets()
    fields: tuple[FieldRule, ...] = ()
    registries: tuple[RegistryRule, ...] = ()
    on_error: str = "fail"
    timeout: float | None = None
    keeps: str = "honour"
    mode: str = "transform"
    results: str = "full"
    offline: bool = False
    #: The lock's file, absolute once `policyfiles` has placed it.
    lock: str | None = None
    cache: CacheRule = CacheRule()
    #: Whether pods are asked for with the pull secrets that they name, where those are in the input.
    use_manifest_secrets: bool = True
    #: Where it was read from ("" for the default).
    file: str = ""
    #: Whether it is the operator's own, or was declared trustworthy by the operator.
    trusted: bool = False
    #: What `mirrorsFrom` could not carry over, as sentences for people.
    notes: tuple[str, ...] = ()
    #: The keys that the text held, such as `onError`, `pin`, `pin.existing`, `registries[0].credentials`, with their
    #: lines.
    written: tuple[tuple[str, int], ...] = ()

    @classmethod
    def default(cls) -> Policy:
        """What holds when there is no policy."""
        return cls()
