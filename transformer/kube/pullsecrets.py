"""Facts about pull secrets: which of them a pod or a ServiceAccount names, and which Secrets the input has and holds.

In two halves, as sites are: parts are leaf numbers, shared by all documents of one outline; facts are their values. The
content of a Secret stays as it was written until somebody asks for it, and is in no `repr`. Who may use which Secret is
not decided here (policy.pullsecrets).
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import NamedTuple

from transformer.kube.identity import AFFIXES, FORMER_NAMES, Identity, Resource, leaf_of
from transformer.text.documents import Span
from transformer.text.source import File
from transformer.text.tree import Parsed, Tree

#: The types of Secrets that hold logins for registries, and the key that each holds them under.
TYPES = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
DEFAULT_ACCOUNT = "default"
#: Characters of a Secret's content, encoded or not: the API server takes 1 MiB.
CONTENT_LIMIT = 2 << 20

#: Where a pod, a ServiceAccount and many other kinds list pull secrets.
LIST_KEY = "imagePullSecrets"
#: On an account: its pods may name no secrets but those that it lists.
ENFORCES = "kubernetes.io/enforce-mountable-secrets"
#: Kinds that make a Secret in the cluster, and the path of its name where that is not their own.
MAKERS = {
    ("bitnami.com", "SealedSecret"): ("spec", "template", "metadata", "name"),
    ("external-secrets.io", "ExternalSecret"): ("spec", "target", "name"),
}
#: The keys of a pod spec, the best first, that a list of pull secrets may be put in front of.
POD_KEYS = ("containers", "initContainers", "ephemeralContainers", "volumes")

_POD_KEYS = frozenset(POD_KEYS)
#: Where a pod spec stands in kinds of all sorts. What has containers elsewhere may be shaped otherwise.
_POD_PLACES = (".template.spec", ".podTemplate.spec")
_NULL = ("~", "null", "Null", "NULL")


class PodPart(NamedTuple):
    """The leaves of a pod spec: names of its pull secrets (None: it has none), and its account, the decisive first.

    `path` is its place in the object, `at` its place in the document or item. `is_pod`: whether that is a place where a
    pod spec stands, and not a kind's own mapping with containers.
    """

    secrets: tuple[int, ...] | None = None
    accounts: tuple[int, ...] = ()
    path: str = ""
    at: str = ""
    is_pod: bool = False


class AccountPart(NamedTuple):
    """The leaves of a ServiceAccount: its pull secrets, and whether its pods are held to them. `at`: as in PodPart."""

    identity: Identity
    secrets: tuple[int, ...]
    at: str = ""
    enforces: int | None = None


class HeldPart(NamedTuple):
    """The leaves of an object that is a Secret or makes one: its name where that is not the object's, and its type."""

    identity: Identity
    name: int | None
    type: int | None
    is_opaque: bool


class SecretPart(NamedTuple):
    """The leaves of a Secret with a docker config: its type, and for each place (TYPES) that has one the content."""

    identity: Identity
    type: int
    #: (field, key, leaf), `stringData` first: it wins.
    contents: tuple[tuple[str, str, int], ...]


class PodSecrets(NamedTuple):
    """What a pod says: the pull secrets that it names, or whose they are when it names none.

    `beside` is the account of a pod that names its own, whose secrets do not count.
    """

    names: tuple[str, ...] = ()
    account: str | None = DEFAULT_ACCOUNT
    beside: str = DEFAULT_ACCOUNT


class Account(NamedTuple):
    """A ServiceAccount, and the pull secrets that it names: maybe none. `span` and `at`: where its mapping stands."""

    file: File
    resource: Resource
    names: tuple[str, ...]
    offset: int = 0
    span: Span = Span(0, 0)
    at: str = ""
    #: Whether its pods may name no other secrets.
    enforces: bool = False


class Held(NamedTuple):
    """A Secret of the input by what others call it (`resource.name`), or an object that makes one (`is_opaque`)."""

    file: File
    resource: Resource
    type: str
    is_opaque: bool


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


def pod_part(node: Mapping[str, Tree], path: str = "", base: str = "", kind: str = "") -> PodPart | None:
    """What a mapping says as a pod spec; None when it is none: it has neither containers nor volumes.

    `path` leads there in its object, `base` to the object; `kind` is the object's, "" outside of the core group.
    """
    if _POD_KEYS.isdisjoint(node):
        return None
    accounts = [node.get(key) for key in ("serviceAccountName", "serviceAccount")]
    is_pod = path == "spec" if kind == "Pod" else f".{path}".endswith(_POD_PLACES)
    at = f"{base}.{path}" if base and path else base + path
    leaves = tuple(leaf for leaf in accounts if isinstance(leaf, int))
    return PodPart(_names(node.get(LIST_KEY)), leaves, path, at, is_pod)


def account_part(identity: Identity, node: Mapping[str, Tree], at: str = "") -> AccountPart:
    """What a ServiceAccount says."""
    metadata = node.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    enforces = leaf_of(annotations, ENFORCES) if isinstance(annotations, dict) else None
    return AccountPart(identity, _names(node.get(LIST_KEY)) or (), at, enforces)


def held_part(identity: Identity, node: Mapping[str, Tree], group: str, kind: str) -> HeldPart | None:
    """What an object says as a Secret or as one of MAKERS; None when it is neither."""
    if not group and kind == "Secret":
        return HeldPart(identity, identity.name, leaf_of(node, "type"), False)
    steps = MAKERS.get((group, kind))
    if steps is None:
        return None
    named: Tree | None = dict(node)
    for step in steps:
        named = named.get(step) if isinstance(named, dict) else None
    return HeldPart(identity, named if isinstance(named, int) else identity.name, None, True)


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
    if part.secrets is None and not part.accounts:
        return NO_SECRETS
    accounts = (_text(parsed, leaf) for leaf in part.accounts)
    account = next((name for name in accounts if name), DEFAULT_ACCOUNT)
    if part.secrets is not None:
        return PodSecrets(read_names(parsed, part.secrets), None, account)
    return PodSecrets((), account)


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


def read_account(file: File, resource: Resource, parsed: Parsed, part: AccountPart, span: Span) -> Account:
    """The account behind a part."""
    offset = 0 if part.identity.kind is None else parsed.scalar(part.identity.kind).start
    enforces = part.enforces is not None and _text(parsed, part.enforces) == "true"
    return Account(file, resource, read_names(parsed, part.secrets), offset, span, part.at, enforces)


def read_held(file: File, resource: Resource, parsed: Parsed, part: HeldPart) -> Held:
    """The Secret behind a part, by its name in the cluster."""
    if part.name is not None and part.name != part.identity.name:
        resource = resource._replace(name=_text(parsed, part.name) or resource.name)
    return Held(file, resource, "" if part.type is None else _text(parsed, part.type), part.is_opaque)


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
