"""Pull secrets: what the pods' Kubernetes Secrets say, matched as the kubelet matches.

Keys are globs over the labels of a host, with the exact port, and a prefix of the path; all that match are tried, the
most specific first. That a pod may use a Secret was decided before (policy); here scopes are only names.
Source: kubernetes pkg/credentialprovider, keyring.go.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from transformer.images.reference import DOCKER_HUB, shorten
from transformer.policy.questions import PullSecret
from transformer.registry.keychain.configtext import credential, parse
from transformer.registry.keychain.credential import AMBIENT, Credential, KeychainError, Wanted

#: The only other name under which the kubelet finds Docker Hub's credential, and only when no key matches.
_HUB_KEY = "index.docker.io"


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
                    place = f"Secret {shorten(secret.namespace, 63)}/{shorten(secret.name, 63)}"
                    try:
                        entries += secret_entries(secret.config, place)
                    except KeychainError as error:
                        self._problems.setdefault(scope, error)
                self._entries[scope] = entries
            return self._entries[scope]


def secret_entries(config: str, place: str) -> list[tuple[str, str, Any]]:
    """(key, place, entry) of one Secret's docker config; raises KeychainError."""
    auths = parse(config.encode("utf-8", "surrogatepass"), place, flat=True).auths
    return [(kubelet_key(key), place, entry) for key, entry in auths.items()]


def matching(entries: Sequence[tuple[str, str, Any]], host: str, repository: str) -> list[Credential]:
    """The credentials for a repository: keys in reverse order of the alphabet (so longer before shorter)."""
    ordered = sorted(entries, key=lambda entry: entry[0], reverse=True)  # stable: ties stay in the order given
    chosen = [entry for entry in ordered if matches(entry[0], host, repository)]
    if not chosen and host.lower() == DOCKER_HUB:
        chosen = [entry for entry in ordered if entry[0] == _HUB_KEY]
    found: list[Credential] = []
    problem: KeychainError | None = None
    for key, place, entry in chosen:
        try:
            one = credential(place, key, entry)
        except KeychainError as error:
            problem = problem or error
            continue
        if one is not None:
            found.append(one)
    if problem is not None and not found:
        raise problem
    return found


def kubelet_key(key: str) -> str:
    """A key as the kubelet files it: without scheme, without the API's version at the beginning of the path."""
    for scheme in ("https://", "http://"):
        key = key.removeprefix(scheme)
    host, slash, path = key.partition("/")
    path = slash + path
    if path.startswith(("/v1/", "/v2/")):
        path = path[3:]
    return host.lower() + ("" if path == "/" else path)


def matches(key: str, host: str, repository: str) -> bool:
    """Whether a key (kubelet_key) is for this repository."""
    pattern, slash, path = key.partition("/")
    wanted_labels, wanted_port = _labels(host.lower())
    labels, port = _labels(pattern)
    if port != wanted_port or len(labels) != len(wanted_labels):
        return False
    if not f"/{repository}".startswith(slash + path):
        return False
    # Go writes a negated class with ^, Python with !.
    globs = (label.replace("[^", "[!") for label in labels)
    return all(fnmatchcase(wanted, glob) for wanted, glob in zip(wanted_labels, globs, strict=True))


def _labels(host: str) -> tuple[list[str], str]:
    """The labels of a host, and its port ("" when none is written)."""
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name, port = host, ""
    return name.split("."), port
