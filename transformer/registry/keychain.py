"""Credentials: one Protocol, and the source that most machines have: Docker's config.json (and files of its shape).

Each source is lazy: a file is read when the first registry asks for a credential. Credential helpers (`credsStore`,
`credHelpers`) are noticed, not run. A secret never leaves a Credential except into a header.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from transformer.images.reference import DOCKER_HUB, shorten

FILE_LIMIT = 1024 * 1024
#: Keys under which people and tools have stored Docker Hub's credential.
HUB_ALIASES = frozenset((DOCKER_HUB, "index.docker.io", "registry-1.docker.io"))
ANONYMOUS = "anonymous"


class Credential(NamedTuple):
    """What to show a registry, and where it was found. Equal credentials share tokens."""

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


class KeychainError(Exception):
    """A source that is there cannot be read. The message names the file, never its content."""


class Keychain(Protocol):
    """A source of credentials. `host` is spelt as in references (`docker.io` for Hub)."""

    def resolve(self, host: str, repository: str) -> Credential | None:
        """The credential for a repository, None for anonymous; raises KeychainError."""
        ...

    def describe(self, host: str, repository: str) -> str:
        """For people: where the credential comes from, or why there is none. Never a secret; never raises."""
        ...


class ConfigFile:
    """One file with `auths`. `place` is what messages call it."""

    def __init__(self, path: str, place: str, *, required: bool = False) -> None:
        self._path, self.place, self._required = path, place, required
        self._lock = threading.Lock()
        self._auths: dict[str, Any] | None = None
        self._error = ""

    def find(self, host: str, repository: str) -> tuple[str, Any] | None:
        """The entry for a repository with its key, longest key first; None when there is none. Raises KeychainError."""
        auths = self._load()
        name = f"{_canonical(host)}/{repository}"
        while True:
            if name in auths:
                return name, auths[name]
            name, slash, _ = name.rpartition("/")
            if not slash:
                return None

    def resolve(self, host: str, repository: str) -> Credential | None:
        """The credential of that entry; None when there is no entry, or an empty one."""
        found = self.find(host, repository)
        return None if found is None else self._credential(*found)

    def _load(self) -> dict[str, Any]:
        with self._lock:
            if self._auths is None:
                self._auths = {}
                try:
                    self._auths = _index(self._read())
                except KeychainError as error:
                    self._error = str(error)
            if self._error:
                raise KeychainError(self._error)
            return self._auths

    def _read(self) -> dict[str, Any]:
        try:
            with open(self._path, "rb") as file:
                content = file.read(FILE_LIMIT + 1)
        except (FileNotFoundError, NotADirectoryError):
            if self._required:
                raise KeychainError(f"{self.place} does not exist") from None
            return {}
        except OSError as error:
            raise KeychainError(f"{self.place} cannot be read: {error.strerror}") from None
        if len(content) > FILE_LIMIT:
            raise KeychainError(f"{self.place} is larger than {FILE_LIMIT // 1024} KiB")
        # The decoder's own errors carry the document: they are replaced, not chained.
        try:
            parsed = json.loads(content)
        except json.JSONDecodeError as error:
            raise KeychainError(f"{self.place} is not valid JSON (line {error.lineno}, column {error.colno})") from None
        except (ValueError, RecursionError):
            raise KeychainError(f"{self.place} is not valid JSON") from None
        auths = parsed.get("auths", {}) if isinstance(parsed, dict) else None
        if auths is None and isinstance(parsed, dict):
            return {}
        if not isinstance(auths, dict):
            raise KeychainError(f"{self.place}: a mapping with a mapping `auths` was expected")
        return auths

    def _credential(self, key: str, entry: Any) -> Credential | None:
        if not isinstance(entry, dict):
            raise KeychainError(f"{self.place}: the entry of {shorten(key)} is not a mapping")
        texts = {}
        for name in ("auth", "username", "password", "identitytoken", "registrytoken"):
            value = entry.get(name) or ""
            if not isinstance(value, str):
                raise KeychainError(f"{self.place}: {name} of {shorten(key)} is not a text")
            texts[name] = value
        username, password = texts["username"], texts["password"]
        if texts["auth"]:
            username, password = self._decode(key, texts["auth"])
        credential = Credential(self.place, username, password, texts["identitytoken"], texts["registrytoken"])
        return credential if any(credential[1:]) else None

    def _decode(self, key: str, auth: str) -> tuple[str, str]:
        problem = KeychainError(f"{self.place}: auth of {shorten(key)} is not base64 of user:password")
        try:
            plain = base64.b64decode(auth + "=" * (-len(auth) % 4), validate=True).decode()
        except (binascii.Error, ValueError):
            raise problem from None
        username, colon, password = plain.partition(":")
        if not colon or not username:
            raise problem
        return username, password.rstrip("\0")


class ConfigFiles:
    """Several files; the first that has a credential for a repository answers."""

    def __init__(self, files: tuple[ConfigFile, ...]) -> None:
        self._files = files

    def resolve(self, host: str, repository: str) -> Credential | None:
        """See Keychain. A file that cannot be read counts only when no other has an answer."""
        problem: KeychainError | None = None
        for file in self._files:
            try:
                credential = file.resolve(host, repository)
            except KeychainError as error:
                problem = problem or error
                continue
            if credential is not None:
                return credential
        if problem is not None:
            raise problem
        return None

    def describe(self, host: str, repository: str) -> str:
        """See Keychain."""
        try:
            credential = self.resolve(host, repository)
        except KeychainError as error:
            return f"{ANONYMOUS} ({error})"
        return ANONYMOUS if credential is None else credential.source


class NoKeychain:
    """Anonymous, always."""

    def resolve(self, host: str, repository: str) -> Credential | None:
        """None."""
        return None

    def describe(self, host: str, repository: str) -> str:
        """`anonymous`."""
        return ANONYMOUS


def ambient_keychain(environ: Mapping[str, str] | None = None) -> ConfigFiles:
    """The files of an environment, this process's by default.

    REGISTRY_AUTH_FILE first, then config.json in DOCKER_CONFIG, else in ~/.docker.
    """
    environ = os.environ if environ is None else environ
    home = environ.get("HOME") or os.path.expanduser("~")
    files = []
    explicit = environ.get("REGISTRY_AUTH_FILE")
    if explicit:
        files.append(ConfigFile(explicit, _place(explicit, home), required=True))
    path = os.path.join(environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker"), "config.json")
    files.append(ConfigFile(path, _place(path, home)))
    return ConfigFiles(tuple(files))


def _place(path: str, home: str) -> str:
    inside = path.startswith(home.rstrip("/") + "/") and home != "/"
    return f"{os.path.basename(path)} at {shorten('~' + path[len(home.rstrip('/')) :] if inside else path)}"


def _index(auths: dict[str, Any]) -> dict[str, Any]:
    """The entries under normalised keys; of two spellings of one key the first that is not empty counts."""
    index: dict[str, Any] = {}
    for key, entry in auths.items():
        name = _normalise(key)
        if name not in index or not index[name]:
            index[name] = entry
    return index


def _normalise(key: str) -> str:
    """A key as `host` or `host/path`. With a scheme only the host counts, as in Docker; versions of the API go too."""
    scheme, separator, rest = key.partition("://")
    host, _, path = (rest if separator else scheme).partition("/")
    path = "" if separator or path.strip("/") in ("v1", "v2") else path.strip("/")
    return _canonical(host) + (f"/{path}" if path else "")


def _canonical(host: str) -> str:
    host = host.lower()
    return DOCKER_HUB if host in HUB_ALIASES else host
