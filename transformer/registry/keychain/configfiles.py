"""The files (and one variable) in which Docker and Podman keep logins, in the order in which they are asked.

Each is read when the first registry asks for a credential, and once. What stands in them is configtext.py's affair;
the helpers that they name are run by helpers.py.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from transformer.images.reference import shorten
from transformer.registry.keychain.configtext import DockerConfig, find, parse
from transformer.registry.keychain.credential import FILE_LIMIT, Credential, KeychainError, Wanted, collected


class ConfigDocument:
    """One config. `place` is what messages call it; `read` gives its bytes, None when it does not exist."""

    def __init__(self, place: str, read: Callable[[], bytes | None], *, explicit: bool = False, flat: bool = False):
        self.place = place
        self._read, self._explicit, self._flat = read, explicit, flat
        self._lock = threading.Lock()
        self._config: DockerConfig | None = None
        self._error = ""

    def config(self) -> DockerConfig:
        """What it says, nothing when it does not exist; raises KeychainError, the same each time."""
        with self._lock:
            if self._config is None:
                self._config = DockerConfig()
                try:
                    self._config = self._load()
                except KeychainError as error:
                    self._error = str(error)
            if self._error:
                raise KeychainError(self._error, explicit=self._explicit)
            return self._config

    def find(self, host: str, repository: str) -> Credential | None:
        """The credential for a repository, None when there is none here; raises KeychainError."""
        config = self.config()
        try:
            return find(config, self.place, host, repository)
        except KeychainError as error:
            raise KeychainError(str(error), explicit=self._explicit) from None

    def _load(self) -> DockerConfig:
        content = self._read()
        if content is not None:
            return parse(content, self.place, flat=self._flat)
        if self._explicit:
            raise KeychainError(f"{self.place} does not exist")
        return DockerConfig()


class ConfigFiles:
    """A Source: every document that has a credential for the repository, in order."""

    deferred = False

    def __init__(self, documents: Sequence[ConfigDocument]) -> None:
        self._documents = tuple(documents)

    def about(self, wanted: Wanted) -> str:
        """See Source."""
        try:
            return ", ".join(credential.source for credential in self.resolve(wanted))
        except KeychainError:
            return ""

    def resolve(self, wanted: Wanted) -> list[Credential]:
        """See Source. A file that cannot be read counts only when no other has an answer."""
        return collected(partial(document.find, wanted.host, wanted.repository) for document in self._documents)


def file_document(path: str, home: str, *, explicit: bool = False, flat: bool = False) -> ConfigDocument:
    """The document in a file; it must exist when `explicit`."""
    place = place_of(path, home)
    return ConfigDocument(place, lambda: read_file(path, place), explicit=explicit, flat=flat)


def documents(environ: Mapping[str, str]) -> tuple[ConfigDocument, ...]:
    """The documents of an environment, first come first asked."""
    home = home_of(environ)
    docker = os.path.join(environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker"), "config.json")
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/containers/{os.getuid()}"
    podman = "containers/auth.json" if environ.get("XDG_RUNTIME_DIR") else "auth.json"
    settings = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    found = []
    text, explicit = environ.get("DOCKER_AUTH_CONFIG"), environ.get("REGISTRY_AUTH_FILE")
    if text:
        content = text.encode("utf-8", "surrogateescape")
        found.append(ConfigDocument("DOCKER_AUTH_CONFIG", lambda: content, explicit=True))
    if explicit:
        found.append(file_document(explicit, home, explicit=True))
    found += [
        file_document(os.path.join(runtime, podman), home),
        file_document(os.path.join(settings, "containers", "auth.json"), home),
        file_document(docker, home),
        file_document(os.path.join(home, ".dockercfg"), home, flat=True),
    ]
    return tuple(found)


def read_file(path: str, place: str) -> bytes | None:
    """A file's bytes, one more than FILE_LIMIT at most; None when there is none. KeychainError names the place."""
    try:
        with open(path, "rb") as file:
            return file.read(FILE_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = (isinstance(error, OSError) and error.strerror) or "the path is none"
        raise KeychainError(f"{place} cannot be read: {reason}") from None


def home_of(environ: Mapping[str, str]) -> str:
    """The home directory of an environment."""
    return environ.get("HOME") or os.path.expanduser("~")


def place_of(path: str, home: str) -> str:
    """A path as people write it: from ~ when it is inside the home directory."""
    inside = path.startswith(home.rstrip("/") + "/") and home != "/"
    return shorten("~" + path[len(home.rstrip("/")) :] if inside else path, 200)
