"""Pull secrets: what the pods' Kubernetes Secrets say, matched as the kubelet matches.

All keys that match (images.pullkeys) are tried, the most specific first. That a pod may use a Secret was decided before
(policy.pullsecrets); here scopes are only names.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from transformer.images import pullkeys
from transformer.images.reference import shorten
from transformer.policy.questions import PullSecret
from transformer.registry.keychain.configtext import credential, parse
from transformer.registry.keychain.credential import AMBIENT, Credential, KeychainError, Wanted, collected


class PullSecrets:
    """A Source: `scopes` holds the Secrets of each scope in the order in which the pod names them."""

    deferred = False

    def __init__(self, scopes: Mapping[str, tuple[PullSecret, ...]]) -> None:
        self._scopes = scopes
        self._lock = threading.Lock()
        self._entries: dict[str, list[tuple[str, str, Any]]] = {}
        self._problems: dict[str, KeychainError] = {}
        self._first: dict[tuple[Credential, ...], str] = {}

    def about(self, wanted: Wanted) -> str:
        """See Source."""
        try:
            return ", ".join(credential.source for credential in self.resolve(wanted))
        except KeychainError:
            return ""

    def resolve(self, wanted: Wanted) -> list[Credential]:
        """See Source. A Secret that cannot be read counts only when no other matches."""
        entries = self._of(wanted.scope)
        found = matching(entries, wanted.host, wanted.repository)
        if not found and wanted.scope in self._problems:
            raise self._problems[wanted.scope]
        return found

    def scope(self, wanted: Wanted) -> str:
        """The scope that lookups are shared in: the first with the same credentials, `ambient` when there are none."""
        try:
            found = tuple(self.resolve(wanted))
        except KeychainError:
            return wanted.scope
        if not found:
            return AMBIENT
        with self._lock:
            return self._first.setdefault(tuple(one._replace(source="") for one in found), wanted.scope)

    def _of(self, scope: str) -> list[tuple[str, str, Any]]:
        """(key, place, entry) of all the scope's Secrets."""
        with self._lock:
            if scope not in self._entries:
                entries: list[tuple[str, str, Any]] = []
                for secret in self._scopes.get(scope, ()):
                    place = "Secret " + "/".join(shorten(part, 63) for part in secret[:2] if part)
                    try:
                        entries += secret_entries(secret.config, place)
                    except KeychainError as error:
                        self._problems.setdefault(scope, error)
                self._entries[scope] = entries
            return self._entries[scope]


def secret_entries(config: str, place: str) -> list[tuple[str, str, Any]]:
    """(key, place, entry) of one Secret's docker config; raises KeychainError."""
    auths = parse(config.encode("utf-8", "surrogatepass"), place, flat=True).auths
    return [(pullkeys.filed(key), place, entry) for key, entry in auths.items()]


def matching(entries: Sequence[tuple[str, str, Any]], host: str, repository: str) -> list[Credential]:
    """The credentials for a repository, in the order of pullkeys.select."""
    chosen = [entries[index] for index in pullkeys.select([entry[0] for entry in entries], host, repository)]
    return collected(partial(credential, place, key, entry) for key, place, entry in chosen)
