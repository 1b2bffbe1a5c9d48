"""Whose credentials a question may use: from the pull secrets that a pod names to the scope of its question. Pure.

The kubelet's rules: a pod's own list, or its ServiceAccount's when it has none; Secrets of its own namespace; keys as
images.pullkeys matches them. A Secret that is named and is not in the input counts for nothing: it may be in the
cluster. Nobody is asked here; what is shown to whom is the registry room's affair.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Generic, NamedTuple, TypeVar

from transformer.images import pullkeys
from transformer.kube.identity import Resource
from transformer.kube.pullsecrets import (
    Account,
    ContentError,
    Held,
    PodSecrets,
    Secret,
    are_kin,
    content_of,
    former_names,
)
from transformer.kube.survey import Oddity, Site
from transformer.policy.model import PullSecrets
from transformer.policy.plan import Plan
from transformer.policy.questions import AMBIENT, PullSecret, Question
from transformer.text.source import File

#: Registries of one Secret: far more than anyone has logins for, few enough to be matched with every image.
ENTRIES_LIMIT = 500
#: Hexadecimal digits of a Secret's hash in the name of a scope.
_HASH_DIGITS = 24

_Named = TypeVar("_Named", Secret, Account, Held)
#: Secrets in a pod's order, each with its keys as the kubelet files them.
_Ring = tuple["_Login", ...]


class _Login(NamedTuple):
    secret: PullSecret
    keys: tuple[str, ...]
    identity: str

    def __repr__(self) -> str:
        return f"_Login({self.identity!r})"


def to_be_added(rules: PullSecrets, plan: Plan) -> tuple[str, ...]:
    """The names of the pull secrets that a plan's locations may bring to a pod."""
    if not rules.inject or plan.write != "mirror":
        return ()
    return tuple(dict.fromkeys(one.pull_secret for one in plan.locations if one.pull_secret))


class Scoper:
    """Finds the scope of a site's question.

    `scopes` has what was found so far, `unreadable` the Secrets that would have been used and cannot be. Of Secrets
    that are named alike, the one in the site's own file counts, else the last.
    """

    def __init__(self, secrets: Sequence[Secret], accounts: Sequence[Account]) -> None:
        self.scopes: dict[str, tuple[PullSecret, ...]] = {}
        self.unreadable: list[Oddity] = []
        self._secrets, self._accounts = Names(secrets), Names(accounts)
        self._logins: dict[int, _Login | None] = {}
        self._rings: dict[tuple[int, int, PodSecrets, tuple[str, ...]], _Ring] = {}
        self._same: dict[_Ring, _Ring] = {}
        self._matched: dict[tuple[int, str, str], frozenset[int]] = {}

    def scope(self, site: Site, question: Question, added: tuple[str, ...] = ()) -> str:
        """`ambient`, or a scope whose pull secrets have an entry for one of the places that would be asked.

        `added`: names of pull secrets that the pod will get (policy.injection).
        """
        ring = () if site.pod is None else self._ring(site, site.pod, added)
        if not ring:
            return AMBIENT
        places = (question.source, *question.locations)
        used = {index for place in places for index in self._match(ring, place.registry, place.repository)}
        if not used:
            return AMBIENT
        logins = [ring[index] for index in sorted(used)]
        scope = ",".join(login.identity for login in logins)
        self.scopes.setdefault(scope, tuple(login.secret for login in logins))
        return scope

    def _ring(self, site: Site, pod: PodSecrets, added: tuple[str, ...]) -> _Ring:
        key = (id(site.file), id(site.resource), pod, added)
        ring = self._rings.get(key)
        if ring is None:
            more = (self._secrets.find(name, site.resource, site.file) for name in added)
            secrets = (*self._named(site, pod), *(secret for secret in more if secret is not None))
            found = (self._login(secret) for secret in secrets)
            ring = tuple(dict.fromkeys(login for login in found if login is not None))
            ring = self._rings[key] = self._same.setdefault(ring, ring)
        return ring

    def _named(self, site: Site, pod: PodSecrets) -> Iterable[Secret]:
        """The Secrets that a pod pulls with, as far as they are in the input."""
        names, by, file = pod.names, site.resource, site.file
        if pod.account is not None:
            account = self._accounts.find(pod.account, by, file)
            if account is None:
                return
            names, by, file = account.names, account.resource, account.file
        for name in names:
            secret = self._secrets.find(name, by, file)
            if secret is not None:
                yield secret

    def _login(self, secret: Secret) -> _Login | None:
        if id(secret) not in self._logins:
            try:
                self._logins[id(secret)] = _read(secret)
            except ContentError as error:
                self._logins[id(secret)] = None
                place = f'{secret.field}["{secret.key}"]'
                self.unreadable.append(
                    Oddity("pull-secret", secret.file, secret.offset, str(error), secret.resource, place)
                )
        return self._logins[id(secret)]

    def _match(self, ring: _Ring, registry: str, repository: str) -> frozenset[int]:
        """Which Secrets of a ring have an entry for a repository."""
        key = (id(ring), registry, repository)
        matched = self._matched.get(key)
        if matched is None:
            entries = [(index, name) for index, login in enumerate(ring) for name in login.keys]
            chosen = pullkeys.select([name for _, name in entries], registry, repository)
            matched = self._matched[key] = frozenset(entries[place][0] for place in chosen)
        return matched


class Names(Generic[_Named]):
    """Objects by namespace and name, and by the names that kustomize has not yet mended where they are used."""

    def __init__(self, things: Sequence[_Named]) -> None:
        self._by_name: dict[tuple[str, str], list[_Named]] = {}
        self._by_former: dict[tuple[str, str], list[_Named]] = {}
        for thing in things:
            namespace, name = thing.resource.namespace or "", thing.resource.name
            if name:
                self._by_name.setdefault((namespace, name), []).append(thing)
                for former in former_names(thing.resource):
                    self._by_former.setdefault((namespace, former), []).append(thing)

    def find(self, name: str, by: Resource, file: File) -> _Named | None:
        """The object that an object of a file calls by this name."""
        key = (by.namespace or "", name)
        found = self._by_name.get(key) or [one for one in self._by_former.get(key, ()) if are_kin(one.resource, by)]
        return next((one for one in reversed(found) if one.file is file), found[-1] if found else None)


def keys_of(secret: Secret) -> tuple[str, ...]:
    """The keys of a Secret, as the kubelet files them; raises ContentError, which says nothing of the content.

    One login that cannot be decoded spoils the whole Secret for the kubelet (credentialprovider, config.go).
    """
    login = _read(secret)
    for entry in json.loads(login.secret.config)["auths"].values():
        auth = entry.get("auth") if isinstance(entry, dict) else entry
        if not isinstance(entry, dict) or not (auth is None or auth == "" or _is_login(auth)):
            raise ContentError("has an entry that is no login: `auth` is base64 of user:password")
    return login.keys


def _is_login(auth: object) -> bool:
    """Whether it is base64, padded or not, of a text with a colon."""
    if not isinstance(auth, str):
        return False
    try:
        bare = auth.rstrip("=")
        return b":" in binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)
    except ValueError:  # binascii.Error is one
        return False


def _read(secret: Secret) -> _Login:
    """The logins of a Secret; raises ContentError, which says nothing of the content."""
    content = content_of(secret)
    try:
        auths = _auths(json.loads(content), secret.key)
        config = json.dumps({"auths": auths})
    except (ValueError, RecursionError):  # a decoder's text would quote the content
        raise ContentError("is not JSON") from None
    namespace, name = secret.resource.namespace or "", secret.resource.name or ""
    # The hash is of all three parts, so that no choice of names makes one scope look like another.
    digest = sha256(json.dumps([namespace, name, config]).encode()).hexdigest()[:_HASH_DIGITS]
    identity = f"{namespace}/{name}#{digest}"
    return _Login(PullSecret(namespace, name, config), tuple(pullkeys.filed(key) for key in auths), identity)


def _auths(parsed: object, key: str) -> Mapping[str, object]:
    """The entries by registry: below `auths`, or (`.dockercfg`) all there is."""
    auths = parsed if key == ".dockercfg" or not isinstance(parsed, dict) else parsed.get("auths")
    if not isinstance(auths, dict):
        raise ContentError("is not a mapping" if key == ".dockercfg" else "is not a mapping with a mapping `auths`")
    if len(auths) > ENTRIES_LIMIT:
        raise ContentError(f"has more than {ENTRIES_LIMIT} registries")
    return auths
