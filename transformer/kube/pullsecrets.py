"""Facts about pull secrets: which of them a pod or a ServiceAccount names, and what the Secrets of the input hold.

In two halves, as sites are: parts are leaf numbers, shared by all documents of one outline; facts are their values. The
content of a Secret stays as it was written until somebody asks for it, and is in no `repr`. Who may use which Secret is
not decided here (policy.pullsecrets).
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import NamedTuple

from transformer.kube.identity import AFFIXES, FORMER_NAMES, Identity, Resource
from transformer.text.source import File
from transformer.text.tree import Parsed, Tree

#: The types of Secrets that hold logins for registries, and the key that each holds them under.
TYPES = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
DEFAULT_ACCOUNT = "default"
#: Characters of a Secret's content, encoded or not: the API server takes 1 MiB.
CONTENT_LIMIT = 2 << 20

_POD_KEYS = frozenset(("containers", "initContainers", "ephemeralContainers", "volumes"))
_NULL = ("~", "null", "Null", "NULL")


class PodPart(NamedTuple):
    """The leaves of a pod spec: names of its pull secrets (None: it has none), and its account, the decisive first."""

    secrets: tuple[int, ...] | None = None
    accounts: tuple[int, ...] = ()


class AccountPart(NamedTuple):
    """The leaves of a ServiceAccount with pull secrets."""

    identity: Identity
    secrets: tuple[int, ...]


class SecretPart(NamedTuple):
    """The leaves of a Secret with a docker config: its type, and for each place (TYPES) that has one the content."""

    identity: Identity
    type: int
    #: (field, key, leaf), `stringData` first: it wins.
    contents: tuple[tuple[str, str, int], ...]


class PodSecrets(NamedTuple):
    """What a pod says: the pull secrets that it names, or whose they are when it names none."""

    names: tuple[str, ...] = ()
    account: str | None = DEFAULT_ACCOUNT


class Account(NamedTuple):
    """A ServiceAccount, and the pull secrets that it names."""

    file: File
    resource: Resource
    names: tuple[str, ...]


class Secret(NamedTuple):
    """A Secret with a docker config under `field` and `key`; `content` is as written, encoded when under `data`."""

    file: File
    resource: Resource
    offset: int
    field: str
    key: str
    content: str

    def __repr__(self) -> str:  # the generated one would show logins in a traceback
        return f"Secret({self.resource.namespace!r}, {self.resource.name!r})"


NO_SECRETS = PodSecrets()


class ContentError(Exception):
    """Why the content of a Secret is no text; says nothing of the content."""


def pod_part(node: Mapping[str, Tree]) -> PodPart | None:
    """What a mapping says as a pod spec; None when it is none: it has neither containers nor volumes."""
    if _POD_KEYS.isdisjoint(node):
        return None
    listed = node.get("imagePullSecrets")
    accounts = [node.get(key) for key in ("serviceAccountName", "serviceAccount")]
    return PodPart(_names(listed), tuple(leaf for leaf in accounts if isinstance(leaf, int)))


def account_part(identity: Identity, node: Mapping[str, Tree]) -> AccountPart | None:
    """What a ServiceAccount says; None when it names no pull secrets."""
    names = _names(node.get("imagePullSecrets"))
    return AccountPart(identity, names) if names else None


def secret_part(identity: Identity, node: Mapping[str, Tree]) -> SecretPart | None:
    """What a core Secret says; None when it cannot hold a docker config, whatever its type."""
    kind, contents = node.get("type"), []
    for field in ("stringData", "data"):
        held = node.get(field)
        for key in TYPES.values() if isinstance(held, dict) else ():
            leaf = held.get(key) if isinstance(held, dict) else None
            if isinstance(leaf, int):
                contents.append((field, key, leaf))
    return SecretPart(identity, kind, tuple(contents)) if contents and isinstance(kind, int) else None


def read_pod(parsed: Parsed, part: PodPart) -> PodSecrets:
    """The names behind a part."""
    if part.secrets is not None:
        return PodSecrets(read_names(parsed, part.secrets), None)
    if not part.accounts:
        return NO_SECRETS
    names = (_text(parsed, leaf) for leaf in part.accounts)
    return PodSecrets((), next((name for name in names if name), DEFAULT_ACCOUNT))


def read_names(parsed: Parsed, leaves: tuple[int, ...]) -> tuple[str, ...]:
    """The names, in order and each once."""
    return tuple(dict.fromkeys(name for name in (_text(parsed, leaf) for leaf in leaves) if name))


def read_secret(file: File, resource: Resource, parsed: Parsed, part: SecretPart) -> Secret | None:
    """The Secret, when its type is one of TYPES and the key of that type is there."""
    wanted = TYPES.get(_text(parsed, part.type))
    for field, key, leaf in part.contents:
        if key == wanted:
            scalar = parsed.scalar(leaf)
            return Secret(file, resource, scalar.start, field, key, scalar.value)
    return None


def content_of(secret: Secret) -> str:
    """The docker config as text; raises ContentError."""
    if len(secret.content) > CONTENT_LIMIT:
        raise ContentError(f"is longer than {CONTENT_LIMIT >> 20} MiB")
    if secret.field == "stringData":
        return secret.content
    try:
        # Long values are block scalars of many lines (kustomize writes them so).
        return binascii.a2b_base64("".join(secret.content.split()), strict_mode=True).decode()
    except ValueError:  # binascii.Error and UnicodeDecodeError are; both would quote the content
        raise ContentError("is not base64 of a text") from None


def former_names(resource: Resource) -> tuple[str, ...]:
    """Names by which other objects may still call this one."""
    noted = resource.annotations.get(FORMER_NAMES, "")
    return tuple(dict.fromkeys(name for name in noted.split(",") if name and name != resource.name))


def are_kin(one: Resource, other: Resource) -> bool:
    """Whether kustomize has put the same affixes around both, as far as both have come together.

    A layer adds its prefix to all that it builds on: the list of one ends with the list of the other.
    """
    for annotation in AFFIXES:
        lists = [thing.annotations.get(annotation, "").split(",") for thing in (one, other)]
        short, long = sorted(([name for name in names if name] for names in lists), key=len)
        if long[len(long) - len(short) :] != short:
            return False
    return True


def _names(listed: Tree | None) -> tuple[int, ...] | None:
    """The leaves of the names in a list of references; None for no list, and for an empty one."""
    if not isinstance(listed, list) or not listed:
        return None
    names = (item.get("name") for item in listed if isinstance(item, dict))
    return tuple(leaf for leaf in names if isinstance(leaf, int))


def _text(parsed: Parsed, leaf: int) -> str:
    value = parsed.value(leaf)
    return "" if value in _NULL else value
