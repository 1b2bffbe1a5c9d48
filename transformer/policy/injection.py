"""Pull secrets of mirrors: which pods and ServiceAccounts need one more, and whether it can work there. Pure.

Kubernetes' rules: an account's secrets are copied only into pods that have none of their own, and without any merging;
so what the account gives is written with what is added. Nothing is taken out and no other secret is judged. What makes
the texts of it: text.insertion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from transformer.images import pullkeys
from transformer.images.reference import Reference, shorten
from transformer.kube.identity import Resource
from transformer.kube.pullsecrets import (
    ENFORCES,
    LIST_KEY,
    POD_KEYS,
    TYPES,
    Account,
    ContentError,
    Held,
    PodPart,
    PodSecrets,
    Secret,
    content_of,
)
from transformer.kube.survey import Site, Survey
from transformer.policy.mirrors import Candidate
from transformer.policy.model import PullSecrets
from transformer.policy.pullsecrets import Names, keys_of
from transformer.policy.questions import Refusal
from transformer.text.documents import Span
from transformer.text.edits import Edit
from transformer.text.insertion import Want, insert, mentions
from transformer.text.source import File

#: How keys end under which kinds of all sorts list their pull secrets.
_LIKE_A_LIST = "pullsecrets"
_ACCOUNT_KEYS = ("secrets", "automountServiceAccountToken", "metadata")
#: What something else fills in, or decrypts, before the cluster sees it: then a content proves nothing.
_FILLED_IN = re.compile(r"ENC\[|\$[({]|\{\{|<[A-Za-z]")


class Injection(NamedTuple):
    """Names that are added to a pod or a ServiceAccount: `path` is the list's in the object."""

    file: File
    resource: Resource
    offset: int
    path: str
    names: tuple[str, ...]
    is_account: bool


class Complaint(NamedTuple):
    """Something to be told at a site."""

    site: Site
    refusal: Refusal
    severity: str


class _Wish:
    """A list that is to grow: where its mapping stands, the names, and the site that first wanted it."""

    def __init__(self, place: Site | Account, at: str, path: str, site: Site, names: Sequence[str] = ()) -> None:
        self.file, self.resource, self.offset, self.span = place.file, place.resource, place.offset, place.span
        self.at, self.path, self.site = at, path, site
        self.is_account = isinstance(place, Account)
        self.names = dict.fromkeys(names)


class Injector:
    """Takes the images that were sent to a location with a pull secret, one after the other; then tells what to add.

    `complaints` has what is wrong, each thing once for a namespace, a secret and a host, or for an account.
    """

    def __init__(self, rules: PullSecrets, survey: Survey) -> None:
        self._rules = rules
        self._secrets, self._accounts, self._held = Names(survey.secrets), Names(survey.accounts), Names(survey.held)
        self._wishes: dict[tuple[int, Span, str], _Wish] = {}
        self._told: set[object] = set()
        self._keys: dict[int, tuple[str, ...]] = {}
        self._mentioned: dict[tuple[int, Span, str], bool] = {}
        self.complaints: list[Complaint] = []

    def add(self, site: Site, location: Candidate) -> None:
        """An image that is written under the name that a location gives."""
        secret = location.pull_secret
        if secret is None:
            return
        self._judge(site, secret, location.reference)
        if site.pod is None or site.part is None or not site.part.is_pod:
            self._by_hand(site, secret)
        elif site.pod.account is None:
            self._to_own_list(site, site.part, site.pod, secret)
        else:
            self._to_account_or_pod(site, site.part, site.pod.account, secret)

    def finish(self) -> tuple[tuple[Injection, ...], dict[int, list[Edit]]]:
        """What is added, and the edits by `id` of the file."""
        documents: dict[tuple[int, Span], list[_Wish]] = {}
        for key, wish in self._wishes.items():
            documents.setdefault(key[:2], []).append(wish)
        made: list[Injection] = []
        edits: dict[int, list[Edit]] = {}
        for (file, span), wishes in documents.items():
            found = dict[Edit, None]()
            for wish, edit in zip(wishes, _insert(span, wishes), strict=True):
                if isinstance(edit, str):
                    self._tell(wish.site, _not_added(wish, edit), "error", wish)
                    continue
                found[edit] = None
                made.append(
                    Injection(wish.file, wish.resource, wish.offset, wish.path, tuple(wish.names), wish.is_account)
                )
            edits.setdefault(file, []).extend(found)
        return tuple(made), edits

    def _to_own_list(self, site: Site, part: PodPart, pod: PodSecrets, secret: str) -> None:
        """The account's secrets are not copied anyway."""
        if self._has(pod.names, site.resource, site.file, secret):
            return
        self._wish_pod(site, part, (), secret)
        account = self._accounts.find(pod.beside, site.resource, site.file)
        if account is not None:
            self._enforced(site, account, secret, "")

    def _to_account_or_pod(self, site: Site, part: PodPart, name: str, secret: str) -> None:
        account = self._accounts.find(name, site.resource, site.file)
        if account is None:
            self._wish_pod(site, part, (), secret)
            refusal = _unknown_account(name, secret, self._rules.target)
            self._tell(site, refusal, "warning", ("account", site.resource.namespace, name))
        elif self._has(account.names, account.resource, account.file, secret):
            return
        elif self._rules.target == "serviceAccount":
            key = (id(account.file), account.span, account.at)
            wish = self._wishes.setdefault(key, _Wish(account, account.at, LIST_KEY, site))
            wish.names[secret] = None
        else:
            self._wish_pod(site, part, account.names, secret)
            self._enforced(site, account, secret, ", or say `pullSecrets.target: serviceAccount`")

    def _wish_pod(self, site: Site, part: PodPart, given: Sequence[str], secret: str) -> None:
        key = (id(site.file), site.span, part.at)
        if key not in self._wishes:
            path = f"{part.path}.{LIST_KEY}" if part.path else LIST_KEY
            self._wishes[key] = _Wish(site, part.at, path, site, given)
        self._wishes[key].names[secret] = None

    def _has(self, names: Sequence[str], by: Resource, file: File, secret: str) -> bool:
        """Whether a list has the secret, by its name or by one that kustomize has not mended."""
        if secret in names:
            return True
        wanted = self._held.find(secret, by, file)
        return wanted is not None and any(self._held.find(name, by, file) is wanted for name in names)

    def _enforced(self, site: Site, account: Account, secret: str, otherwise: str) -> None:
        if account.enforces and not self._has(account.names, account.resource, account.file, secret):
            refusal = _not_listed(account, secret, otherwise)
            self._tell(site, refusal, "warning", ("enforced", id(account), secret, otherwise))

    def _by_hand(self, site: Site, secret: str) -> None:
        """Of a kind whose list we do not know."""
        if site.pod is not None and self._has(site.pod.names, site.resource, site.file, secret):
            return
        key = (id(site.file), site.span, secret)
        if key not in self._mentioned:
            self._mentioned[key] = mentions(site.file.text, site.span, _LIKE_A_LIST, secret)
        if not self._mentioned[key]:
            self._tell(site, _by_hand(site, secret), "warning", ("by hand", key, id(site.resource)))

    def _judge(self, site: Site, secret: str, image: Reference) -> None:
        """Whether the secret is there, and can be of use for an image."""
        if secret in self._rules.known:
            return
        held = self._held.find(secret, site.resource, site.file)
        if held is None:
            told = ("missing", site.resource.namespace, secret, image.registry)
            self._tell(site, _missing(site, secret, image), "warning", told)
            return
        problem = None if held.is_opaque else self._problem(site, held, secret, image)
        if problem is not None:
            self._tell(site, _of_no_use(held, image, *problem), "error", ("no use", id(held), image.registry))

    def _problem(self, site: Site, held: Held, name: str, image: Reference) -> tuple[str, str] | None:
        """What is wrong with a Secret of the input, and the next step."""
        if held.type not in TYPES:
            if _FILLED_IN.search(held.type):
                return None
            says = f"its type is {shorten(held.type, 100)}" if held.type else "it has no type"
            return says, "give it the type kubernetes.io/dockerconfigjson"
        secret = self._secrets.find(name, site.resource, site.file)
        if secret is None:
            key = TYPES[held.type]
            return f"it has no text under {key}", f'write a docker config under data["{key}"]'
        try:
            if id(secret) not in self._keys:
                self._keys[id(secret)] = keys_of(secret)
        except ContentError as error:
            return None if _is_filled_in(secret) else (f"its content {error}", "correct the Secret")
        if pullkeys.select(self._keys[id(secret)], image.registry, image.repository) or _is_filled_in(secret):
            return None
        where = f"{image.registry}/{image.repository}"
        return f"it has no entry for {shorten(where)}", f"add an entry for {shorten(image.registry)} to it"

    def _tell(self, site: Site, refusal: Refusal, severity: str, key: object) -> None:
        if key not in self._told:
            self._told.add(key)
            self.complaints.append(Complaint(site, refusal, severity))


def _insert(span: Span, wishes: Sequence[_Wish]) -> list[Edit | str]:
    wants = [Want(one.at, tuple(one.names), _ACCOUNT_KEYS if one.is_account else POD_KEYS) for one in wishes]
    return insert(wishes[0].file.text, span, LIST_KEY, wants)


def _is_filled_in(secret: Secret) -> bool:
    """Whether something else writes the content, or a part of it, before the cluster sees it."""
    if _FILLED_IN.search(secret.content):
        return True
    try:
        return _FILLED_IN.search(content_of(secret)) is not None
    except ContentError:
        return False


def _missing(site: Site, secret: str, image: Reference) -> Refusal:
    namespace = site.resource.namespace
    where = f"namespace {shorten(namespace)}" if namespace else "its namespace"
    return Refusal(
        "pull-secret-missing",
        f"{shorten(image.name)} is pulled with the pull secret {secret}, and no Secret of that name is among the "
        f"manifests of {where}",
        "add it (or the SealedSecret or ExternalSecret that makes it), or declare that the cluster has it: "
        f"`pullSecrets: {{known: [{secret}]}}`",
    )


def _by_hand(site: Site, secret: str) -> Refusal:
    return Refusal(
        "pull-secret-missing",
        f"{shorten(site.value)} needs the pull secret {secret} at its mirror, and it was NOT added: this is no pod "
        f"spec, and where {shorten(site.resource.kind or 'this kind')} takes pull secrets is not known",
        f"add {secret} by hand where this kind wants it",
    )


def _of_no_use(held: Held, image: Reference, says: str, advice: str) -> Refusal:
    name = shorten(held.resource.name or "")
    message = f"the Secret {name} cannot be used to pull {shorten(image.name)}: {says}"
    return Refusal("pull-secret-conflict", message, advice)


def _unknown_account(name: str, secret: str, target: str) -> Refusal:
    advice = "put the ServiceAccount among the manifests"
    if target != "serviceAccount":
        advice += " and say `pullSecrets: {target: serviceAccount}`"
    return Refusal(
        "pull-secret-conflict",
        f"the pull secret {secret} is added to pods of the ServiceAccount {shorten(name)}, which is not among the "
        "manifests: pull secrets of its own, if it has any, are no longer copied into them",
        f"{advice}; if it has none, nothing is lost",
    )


def _not_listed(account: Account, secret: str, otherwise: str) -> Refusal:
    name = shorten(account.resource.name or "")
    return Refusal(
        "pull-secret-conflict",
        f"the ServiceAccount {name} does not list the pull secret {secret}, and {ENFORCES} lets its pods name only "
        "those that it lists: the API server will refuse them",
        f"list {secret} in the account's {LIST_KEY}{otherwise}",
    )


def _not_added(wish: _Wish, why: str) -> Refusal:
    names = ", ".join(shorten(name) for name in wish.names)
    where = "the ServiceAccount's " if wish.is_account else ""
    return Refusal(
        "pull-secret-conflict",
        f"{names} cannot be added to {where}{shorten(wish.path)}: {shorten(why, 300)}",
        "add it by hand, or write the list out where it is used",
    )
