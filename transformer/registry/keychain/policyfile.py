"""Credentials that the operator's policy names: two variables, a Docker config, or a file with a Kubernetes Secret.

Somebody has said where the credential is, so a place without one is told, whatever comes of the images. Who may write
such a policy is decided before (policy.ownership).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from transformer.images.reference import shorten
from transformer.policy.questions import HostCredential
from transformer.registry.keychain.configfiles import ConfigDocument, file_document, home_of, place_of, read_file
from transformer.registry.keychain.credential import FILE_LIMIT, Credential, KeychainError, Wanted, canonical, usable
from transformer.registry.keychain.pullsecrets import matching, secret_entries

#: Types of Secrets with the key that holds the config.
_SECRET_KEYS = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
}


class PolicyCredentials:
    """A Source: the policy's rows for a host, in order."""

    deferred = False

    def __init__(self, rows: Sequence[HostCredential], environ: Mapping[str, str]) -> None:
        self._rows, self._environ, self._home = tuple(rows), environ, home_of(environ)
        self._documents: dict[str, ConfigDocument] = {
            row.docker_config: file_document(row.docker_config, self._home, explicit=True)
            for row in self._rows
            if row.docker_config is not None
        }

    def about(self, wanted: Wanted) -> str:
        """See Source."""
        return "the policy" if any(canonical(row.host) == canonical(wanted.host) for row in self._rows) else ""

    def resolve(self, wanted: Wanted) -> list[Credential]:
        """See Source. The first row that cannot be used is the answer: it was asked for by name."""
        found: list[Credential] = []
        for row in self._rows:
            if canonical(row.host) == canonical(wanted.host):
                try:
                    found += self._of(row, wanted)
                except KeychainError as error:
                    raise KeychainError(f"the policy's credential: {error}", explicit=True) from None
        return found

    def _of(self, row: HostCredential, wanted: Wanted) -> list[Credential]:
        if row.username_env is not None or row.password_env is not None:
            return [self._from_variables(row)]
        if row.docker_config is not None:
            found = self._documents[row.docker_config].find(wanted.host, wanted.repository)
            credentials = [] if found is None else [found]
        else:
            credentials = self._from_secret(row.secret_file or "", wanted)
        if not credentials:
            place = place_of(row.docker_config or row.secret_file or "", self._home)
            raise KeychainError(f"{place} holds none for {shorten(wanted.host)} that fits")
        return [one._replace(source=f"the policy's {one.source}") for one in credentials]

    def _from_variables(self, row: HostCredential) -> Credential:
        values = []
        for key, name in (("usernameEnv", row.username_env), ("passwordEnv", row.password_env)):
            if name is None:
                raise KeychainError(f"{key} is missing beside its partner")
            value = self._environ.get(name)
            if not value:
                raise KeychainError(f"{key}: the environment has no {shorten(name, 60)}")
            values.append(value)
        source = f"the policy's variables {shorten(row.username_env or '', 60)}, {shorten(row.password_env or '', 60)}"
        return usable(Credential(source, *values))

    def _from_secret(self, path: str, wanted: Wanted) -> list[Credential]:
        place = place_of(path, self._home)
        content = read_file(path, place)
        if content is None:
            raise KeychainError(f"{place} does not exist")
        if len(content) > FILE_LIMIT:
            raise KeychainError(f"{place} is larger than {FILE_LIMIT // 1024} KiB")
        return matching(secret_entries(secret_config(content, place), place), wanted.host, wanted.repository)


def secret_config(content: bytes, place: str) -> str:
    """The docker config in the text of a Kubernetes Secret (YAML or JSON; the first Secret of a fitting type)."""
    import yaml

    try:
        parsed = list(yaml.safe_load_all(content))
    except (yaml.YAMLError, ValueError, RecursionError):  # their texts quote the file
        raise KeychainError(f"{place} is not valid YAML or JSON") from None
    for document in parsed:
        if isinstance(document, dict) and document.get("kind") == "Secret":
            text = _config_of(document, place)
            if text is not None:
                return text
    raise KeychainError(f"{place} holds no Secret of type {' or '.join(_SECRET_KEYS)}")


def _config_of(secret: Mapping[str, Any], place: str) -> str | None:
    """The config in one Secret, None when it is of another type; `stringData` overrides `data`, as in the API."""
    key = _SECRET_KEYS.get(str(secret.get("type")))
    if key is None:
        return None
    plain, encoded = secret.get("stringData"), secret.get("data")
    text = plain.get(key) if isinstance(plain, dict) else None
    if isinstance(text, str):
        return text
    text = encoded.get(key) if isinstance(encoded, dict) else None
    if not isinstance(text, str):
        raise KeychainError(f"{place}: the Secret has no {key}")
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise KeychainError(f"{place}: data.{key} is not base64 of a text") from None
