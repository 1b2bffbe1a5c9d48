"""What the core asks of the outside, and what it is answered: the only types that cross between policy and registry."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from transformer.images.reference import Reference

#: The scope of everything that no pull secret has to do with.
AMBIENT = "ambient"


class Question(NamedTuple):
    """One thing to find out; hashable, the unit of de-duplication and caching. All references are normalised.

    `source` carries a digest when that is already known: then the source is not asked what the tag means, and only
    the locations must serve it (with no locations: the source must still have it).
    """

    source: Reference
    #: The mirror names in the order to try, with the written tag and no digest.
    locations: tuple[Reference, ...] = ()
    #: Who is asked what the tag means: `source`, or `mirror` (the first location that answers).
    resolve_at: str = "source"
    #: What a location must prove: `same-digest`, `exists` (it answers for the tag) or `none`.
    verify: str = "same-digest"
    #: Whether the source's own name may be used when no location qualifies.
    fallback: bool = False
    #: `os/architecture[/variant]`: the digest of that platform's image instead of the index.
    platform: str | None = None
    #: Whose credentials: AMBIENT, or an identity of the pull secrets that the pod names.
    scope: str = AMBIENT
    #: Which locations (indexes) are asked for the tag first, so that a pull-through cache fetches what it means.
    warm: tuple[int, ...] = ()
    #: What is wanted beside the digest: nothing, its `size`, or the digests of its `platforms` too (one request more
    #: for each index).
    details: str = ""


class PullSecret(NamedTuple):
    """A Kubernetes Secret with logins: `config` is its docker config as JSON, `{"auths": …}` or the flat older map."""

    namespace: str
    name: str
    config: str

    def __repr__(self) -> str:  # the generated one would show secrets in a traceback
        return f"PullSecret({self.namespace!r}, {self.name!r})"


class HostCredential(NamedTuple):
    """Where the operator's policy says that a registry's credential is: two variables, or a file. Never the secret."""

    host: str
    username_env: str | None = None
    password_env: str | None = None
    #: The path of a Docker config.
    docker_config: str | None = None
    #: The path of a file with a Kubernetes Secret.
    secret_file: str | None = None


class Refusal(NamedTuple):
    """Why something cannot be used: a rule id, a sentence, and the next step."""

    rule: str
    message: str
    help: str = ""


class Resolved(NamedTuple):
    """An answer. `chosen` is the index of the location that qualified, None for the source."""

    digest: str
    media_type: str | None = None
    via: str = "registry"
    chosen: int | None = None
    #: Locations that were passed over before `chosen`, and things worth a warning.
    notes: tuple[Refusal, ...] = ()
    #: Bytes of what the digest names; only where the question wanted it and the registry said it.
    size: int | None = None
    #: By platform, sorted; only where the question wanted them and the digest names an index.
    platforms: tuple[tuple[str, str], ...] = ()


class Missing(NamedTuple):
    """No answer, and why; one refusal for each thing that failed (the source's own first)."""

    refusals: tuple[Refusal, ...]


Answer = Resolved | Missing


#: The pull secrets behind each scope that a question may name, in the order in which the pod names them.
Scopes = Mapping[str, tuple[PullSecret, ...]]
NO_SCOPES: Scopes = MappingProxyType({})


class Resolver(Protocol):
    """Answers a batch of questions. Never raises for a single image; a question without an answer is `Missing`.

    `scopes` has every scope of the questions but `ambient`.
    """

    def ask(self, questions: Collection[Question], scopes: Scopes = NO_SCOPES) -> Mapping[Question, Answer]: ...
