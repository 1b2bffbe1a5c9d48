"""Under which keys an answer stands: where it was asked, what, and as whom.

A key holds everything that could make the answer another one. Two keys belong to a lookup: what was answered to nobody
in particular may be told to everybody, the rest only to those who would show the same. Nothing is asked here: whom a
helper or a cloud would make us is known by their names and by the variables that choose the identity.
"""

from __future__ import annotations

from typing import NamedTuple

from transformer.images.reference import Reference
from transformer.registry.hosts import Hosts
from transformer.registry.keychain import ANONYMOUS, Keychain, Wanted
from transformer.registry.transport import TransportError


class Keys(NamedTuple):
    """The two keys of a lookup; the same one when nothing would be shown."""

    anonymous: str
    own: str


class Wish(NamedTuple):
    """One lookup: a tag or a digest of `reference`, or what its digest means on a platform.

    `aging`: the answer may become untrue; not so for what a digest means.
    """

    reference: Reference
    platform: str | None
    scope: str
    aging: bool

    @property
    def selector(self) -> str:
        """The digest or tag that is asked for."""
        return self.reference.digest or self.reference.tag or "latest"


class Places:
    """Makes keys for the registries and the credentials of one run."""

    def __init__(self, hosts: Hosts, keychain: Keychain) -> None:
        self._hosts, self._keychain = hosts, keychain
        self._origins: dict[str, str] = {}
        self._identities: dict[Wanted, str] = {}

    def scope_of(self, reference: Reference, scope: str) -> str:
        """The scope within which lookups of a reference are shared (Keychain.scope)."""
        return scope if scope == "ambient" else self._keychain.scope(_wanted(reference, scope))

    def keys(self, wish: Wish) -> Keys | None:
        """The keys of a lookup, None when its answer must not be shared with other runs."""
        origin = self._origin(wish.reference.registry)
        if not origin:
            return None
        parts = ("1", origin, wish.reference.repository, wish.selector, wish.platform or "")
        wanted = _wanted(wish.reference, wish.scope)
        if wanted not in self._identities:
            self._identities[wanted] = self._keychain.identity(wanted) or ANONYMOUS
        own = "\0".join((*parts, self._identities[wanted]))
        return Keys("\0".join((*parts, ANONYMOUS)), own)

    def _origin(self, registry: str) -> str:
        """The registry with how it is reached; "" for one that the policy of a repository describes.

        Whoever may say `insecure` or name a CA chooses what is answered: not for others.
        """
        if registry not in self._origins:
            try:
                endpoint = self._hosts.endpoint(registry)
            except TransportError:
                return ""  # its lookup fails anyway
            text = f"{endpoint.url.scheme}://{endpoint.url.origin} {endpoint.ca_bundle or ''}"
            self._origins[registry] = text if endpoint.credentials_allowed else ""
        return self._origins[registry]


def _wanted(reference: Reference, scope: str) -> Wanted:
    return Wanted(reference.registry, reference.repository, scope)
