"""The words of this room: a Credential, what is wanted of a source, and the Protocol that every source keeps.

Pure values. How sources are put in order is chain.py.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from transformer.images.reference import DOCKER_HUB

ANONYMOUS = "anonymous"
#: The scope of everything that no pull secret has to do with.
AMBIENT = "ambient"
#: Names under which people and tools have stored Docker Hub's credential.
HUB_ALIASES = frozenset((DOCKER_HUB, "index.docker.io", "registry-1.docker.io"))
#: Bytes of any file or text that holds credentials.
FILE_LIMIT = 1024 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]+")


class Credential(NamedTuple):
    """What to show a registry, and where it was found (`source`, for people)."""

    source: str
    username: str = ""
    password: str = ""
    #: An OAuth2 refresh token, exchanged by POST.
    identity_token: str = ""
    #: Used as a Bearer token as it is.
    registry_token: str = ""

    def __repr__(self) -> str:  # the generated one would show secrets in a traceback
        return f"Credential({self.source!r})"

    @property
    def basic(self) -> str | None:
        """The value of an `Authorization` header of scheme Basic, None without a user name."""
        if not self.username:
            return None
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    @property
    def secret(self) -> tuple[str, ...]:
        """What a registry would see: two credentials with the same one are worth one try."""
        return self[1:]


class KeychainError(Exception):
    """A source that is there cannot be used. The message names the place, never its content.

    `explicit`: somebody has named this place for this very purpose, so the problem is told even when all goes well.
    """

    def __init__(self, message: str, *, explicit: bool = False) -> None:
        self.explicit = explicit
        super().__init__(message)


def usable(credential: Credential) -> Credential:
    """The credential, when it can be sent at all; KeychainError names its source otherwise."""
    try:
        for text in credential.secret:
            text.encode()
    except UnicodeEncodeError:
        raise KeychainError(f"{credential.source}: what is stored there is no valid text") from None
    if credential.registry_token and _TOKEN.fullmatch(credential.registry_token) is None:
        raise KeychainError(f"{credential.source}: its registry token holds characters that no header can carry")
    return credential


class NoIdentity(KeychainError):
    """This machine has no identity in that cloud: the same for all of its hosts, so it is found out once."""


#: POSTs a form to a path of the registry itself, by its own rules for addresses, TLS and time: (status, body).
Post = Callable[[str, bytes], tuple[int, bytes]]


def no_post(path: str, form: bytes) -> tuple[int, bytes]:
    """For where no registry can be asked."""
    raise KeychainError("the registry cannot be asked here")


class Wanted(NamedTuple):
    """For what a credential is wanted. `host` is spelt as in references (`docker.io` for Hub).

    `stale` has been accepted before and is refused now: a source that can make a new one does. `left` in seconds.
    """

    host: str
    repository: str
    scope: str = AMBIENT
    stale: Credential | None = None
    left: float = float("inf")
    post: Post = no_post


class Source(Protocol):
    """One source of credentials."""

    @property
    def deferred(self) -> bool:
        """Whether it is asked only after an anonymous request was refused: it runs a program, or asks a cloud."""
        ...

    def about(self, wanted: Wanted) -> str:
        """What people call it; "" when it has nothing to do with this host. Cheap; never raises, never a secret."""
        ...

    def resolve(self, wanted: Wanted) -> Sequence[Credential]:
        """The credentials in the order in which to try them; raises KeychainError."""
        ...


def canonical(host: str) -> str:
    """A host as it is compared: lower case, Docker Hub under its one name."""
    host = host.lower()
    return DOCKER_HUB if host in HUB_ALIASES else host


def collected(attempts: Iterable[Callable[[], Credential | None]]) -> list[Credential]:
    """What several places answer, in their order; one that cannot be read counts only when no other has an answer."""
    found: list[Credential] = []
    problem: KeychainError | None = None
    for attempt in attempts:
        try:
            credential = attempt()
        except KeychainError as error:
            problem = problem or error
            continue
        if credential is not None:
            found.append(credential)
    if problem is not None and not found:
        raise problem
    return found
