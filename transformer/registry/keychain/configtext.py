"""What a Docker config says: `auths`, `credHelpers`, `credsStore`, in the spellings that have been met. Pure.

Also reads the flat map of `.dockercfg`, which is `auths` without anything around it. Source: docker/cli config file,
containers-auth.json(5). A decoder's own errors carry the document, so they are replaced and not chained.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from transformer.images.reference import DOCKER_HUB, shorten
from transformer.registry.keychain.credential import FILE_LIMIT, Credential, KeychainError, canonical, usable

#: Under which Docker stores the login of Docker Hub.
HUB_URL = "https://index.docker.io/v1/"
_FIELDS = ("auth", "username", "password", "identitytoken", "registrytoken")


class DockerConfig(NamedTuple):
    """`auths` as written; `helpers` by canonical host; `store` is the helper for all other hosts, "" for none."""

    auths: Mapping[str, Any] = {}  # noqa: RUF012
    helpers: Mapping[str, str] = {}  # noqa: RUF012
    store: str = ""


def parse(content: bytes, place: str, *, flat: bool = False) -> DockerConfig:
    """Reads a config; with `flat` a map without `auths` is one of entries. KeychainError names `place` only."""
    if len(content) > FILE_LIMIT:
        raise KeychainError(f"{place} is larger than {FILE_LIMIT // 1024} KiB")
    parsed = _json(content.removeprefix(b"\xef\xbb\xbf").rstrip(b"\0"), place)
    if not isinstance(parsed, dict):
        raise KeychainError(f"{place}: a mapping with a mapping `auths` was expected")
    if flat and not any(name in parsed for name in ("auths", "credHelpers", "credsStore")):
        return DockerConfig(parsed)
    auths, helpers, store = parsed.get("auths") or {}, parsed.get("credHelpers") or {}, parsed.get("credsStore") or ""
    if not isinstance(auths, dict):
        raise KeychainError(f"{place}: a mapping with a mapping `auths` was expected")
    if not isinstance(helpers, dict) or not all(isinstance(name, str) for name in helpers.values()):
        raise KeychainError(f"{place}: credHelpers is not a mapping of hosts to names")
    if not isinstance(store, str):
        raise KeychainError(f"{place}: credsStore is not a name")
    return DockerConfig(auths, {normalise(host): name for host, name in helpers.items()}, store)


def credential(place: str, key: str, entry: Any) -> Credential | None:
    """The credential of one entry, None for an empty one (which means: it lives in a helper)."""
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise KeychainError(f"{place}: the entry of {shorten(key)} is not a mapping")
    texts = {}
    for name in _FIELDS:
        value = entry.get(name) or ""
        if not isinstance(value, str):
            raise KeychainError(f"{place}: {name} of {shorten(key)} is not a text")
        texts[name] = value
    username, password = texts["username"], texts["password"]
    if texts["auth"]:
        username, password = _decode(place, key, texts["auth"])
    source = f"{place} (key {shorten(key)})"
    found = Credential(source, username, password, texts["identitytoken"], texts["registrytoken"])
    return usable(found) if any(found.secret) else None


def find(config: DockerConfig, place: str, host: str, repository: str) -> Credential | None:
    """The credential for a repository: the longest key on path boundaries whose entry is not empty."""
    index = _index(config.auths)
    name = f"{canonical(host)}/{repository}"
    while True:
        found = credential(place, *index[name]) if name in index else None
        if found is not None:
            return found
        name, slash, _ = name.rpartition("/")
        if not slash:
            return None


def normalise(key: str) -> str:
    """A key as `host` or `host/path`. With a scheme only the host counts, as in Docker; versions of the API go too."""
    scheme, separator, rest = key.partition("://")
    host, _, path = (rest if separator else scheme).partition("/")
    path = "" if separator or path.strip("/") in ("v1", "v2") else path.strip("/")
    return canonical(host) + (f"/{path}" if path else "")


def _index(auths: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """(key as written, entry) under normalised keys. Of several spellings of one key the exact one counts, else the
    first; empty entries give way to others."""
    index: dict[str, tuple[str, Any]] = {}
    for key, entry in sorted(auths.items(), key=lambda item: not _exact(item[0])):
        name = normalise(key)
        if name not in index or not index[name][1]:
            index[name] = (key, entry)
    return index


def _exact(key: str) -> bool:
    name = normalise(key)
    return key == (HUB_URL if name == DOCKER_HUB else name)


def _json(content: bytes, place: str) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise KeychainError(f"{place} is not valid JSON (line {error.lineno}, column {error.colno})") from None
    except (ValueError, RecursionError):
        raise KeychainError(f"{place} is not valid JSON") from None


def _decode(place: str, key: str, auth: str) -> tuple[str, str]:
    problem = KeychainError(f"{place}: auth of {shorten(key)} is not base64 of user:password")
    text = auth.strip().rstrip("=")
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise problem from None
    username, colon, password = plain.partition(":")
    if not colon or not username:
        raise problem
    return username, password.rstrip("\0")
