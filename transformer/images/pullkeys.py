"""The keys of a pull secret against repositories, as the kubelet matches them. Pure; knows no secret.

A key is a glob over the labels of a host (as many as it has itself), with the exact port, and a prefix of the path.
Capitals count: a key M.example.com is for no image of m.example.com.
Source: kubernetes pkg/credentialprovider, keyring.go. Used by policy (whose secrets matter) and by registry (which
credential is shown), so that the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from transformer.images.reference import DOCKER_HUB

#: The only other name under which the kubelet finds Docker Hub's credential, and only when no key matches.
_HUB_KEY = "index.docker.io"


def filed(key: str) -> str:
    """A key as the kubelet files it: without scheme, without the API's version at the beginning of the path."""
    for scheme in ("https://", "http://"):
        key = key.removeprefix(scheme)
    host, slash, path = key.partition("/")
    path = slash + path
    if path.startswith(("/v1/", "/v2/")):
        path = path[3:]
    return host + ("" if path == "/" else path)


def select(keys: Sequence[str], host: str, repository: str) -> list[int]:
    """Which of the (filed) keys are for a repository, as indexes in the order in which they are tried.

    That is the reverse order of the alphabet (so longer before shorter); equal keys stay in the order given.
    """
    chosen = [index for index, key in enumerate(keys) if matches(key, host, repository)]
    if not chosen and host.lower() == DOCKER_HUB:
        chosen = [index for index, key in enumerate(keys) if key == _HUB_KEY]
    return sorted(chosen, key=lambda index: keys[index], reverse=True)


def matches(key: str, host: str, repository: str) -> bool:
    """Whether a (filed) key is for this repository."""
    pattern, slash, path = key.partition("/")
    wanted_labels, wanted_port = _labels(host)
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
