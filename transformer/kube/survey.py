"""Goes through files and lists what it meets: sites (places that name an image) and oddities.

States facts, judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from transformer.kube.find import Candidate, Field, Finder, Found, Strange
from transformer.kube.identity import NOWHERE, OWN_ANNOTATIONS, Identity, Resource
from transformer.kube.pullsecrets import (
    Account,
    Held,
    PodPart,
    PodSecrets,
    Secret,
    read_account,
    read_held,
    read_pod,
    read_secret,
)
from transformer.kube.reading import Reader, kind_of, read_slowly
from transformer.kube.shapes import SHAPES
from transformer.text.documents import Span
from transformer.text.outline import Lines, Outlines
from transformer.text.source import File
from transformer.text.tree import Duplicate, Parsed, Plain, Scalar, TextError, Tree

#: How far before a text that is not read the word "image" still speaks of it, in characters.
_NEAR = 200
#: A null where a reason should be.
_NO_REASON = ("~", "null", "Null", "NULL")


class Standing(Protocol):
    """What stands somewhere: a site, an oddity, and what others find."""

    @property
    def file(self) -> File: ...
    @property
    def resource(self) -> Resource: ...
    @property
    def path(self) -> str | None: ...
    @property
    def offset(self) -> int: ...


class Site(NamedTuple):
    """A place that names an image.

    `value` is the reference as its shape reads it; `values` and `scalars` are those of the shape's keys. `pod` is what
    its pod says about pull secrets, None where there is no pod spec; `part` says where that stands, in `span`: the
    document, or the item of a list, that was read.
    """

    file: File
    resource: Resource
    path: str
    shape: str
    value: str
    values: tuple[str | None, ...]
    scalars: tuple[Scalar | None, ...]
    container: str | None = None
    pod: PodSecrets | None = None
    part: PodPart | None = None
    span: Span = Span(0, 0)

    @property
    def offset(self) -> int:
        return next(scalar.start for scalar in self.scalars if scalar is not None)


class Oddity(NamedTuple):
    """A fact that someone must judge.

    `what` is unreadable, duplicate-key, hiding-key (it hides an image), not-text, map, list, not-object, unread or
    pull-secret (its content is of no use; `text` says why, and nothing of it).
    """

    what: str
    file: File
    offset: int
    text: str
    resource: Resource = NOWHERE
    path: str | None = None


class Survey:
    """Collects the sites of files, in their order. A site whose text is `settled` is only counted (`left_alone`).

    Also the ServiceAccounts, the Secrets with logins for registries, and which Secrets there are at all (`held`).
    `rendered`: every document must be an object, or nothing at all.
    """

    def __init__(
        self,
        fields: Sequence[Field] = (),
        settled: Callable[[str], bool] = lambda text: False,
        rendered: bool = True,
    ) -> None:
        self._outlines, self._finder, self._settled = Outlines(), Finder(fields), settled
        self._rendered = rendered
        self.sites: list[Site] = []
        self.oddities: list[Oddity] = []
        self.left_alone: list[str] = []
        self.secrets: list[Secret] = []
        self.accounts: list[Account] = []
        self.held: list[Held] = []
        self.documents = 0

    def file(self, file: File) -> None:
        """Every document of a file; an unreadable one is an oddity, and the others are still looked at."""
        reader = Reader(file, self._outlines)
        for span in reader.documents():
            self.document(reader, span)

    def document(self, reader: Reader, span: Span) -> None:
        """One document; the items of a List are taken one by one where the text allows it."""
        as_list = reader.as_list(span)
        if as_list is None or self._finder.names(*kind_of(as_list.envelope)):
            self._whole(reader, span)
        else:
            self.items(reader, as_list.listed.items, span)

    def items(self, reader: Reader, items: Sequence[Span], whole: Span) -> None:
        """The items of a list; when one cannot be read by itself, the whole document is read instead."""
        lists: tuple[list[Any], ...] = (
            *(self.sites, self.oddities, self.left_alone),
            *(self.secrets, self.accounts, self.held),
        )
        before, documents = [len(one) for one in lists], self.documents
        try:
            for span in items:
                parsed, root = reader.item(span)
                self._take(reader.file, parsed, root, span)
        except TextError:
            self.documents = documents
            for one, length in zip(lists, before, strict=True):
                del one[length:]
            self._whole(reader, whole)

    def _whole(self, reader: Reader, span: Span) -> None:
        try:
            for parsed in reader.read(span):
                own = parsed.span if isinstance(parsed, Plain) else None
                self._take(reader.file, parsed, parsed.tree, Span(*own) if own else span)
        except TextError as error:
            self.oddities.append(Oddity("unreadable", reader.file, error.position, error.message))

    def _take(self, file: File, parsed: Parsed, root: Tree, span: Span) -> None:
        if not isinstance(root, dict):
            self._no_object(parsed, root, span)
            return
        found = self._finder.find(parsed, root)
        if found.is_blocked:
            parsed = read_slowly(file.text, span)[0]
            root = parsed.tree[0] if isinstance(parsed.tree, list) else parsed.tree
            found = self._finder.find(parsed, root)
        self.documents += 1
        resources: dict[int, Resource] = {}
        for candidate in found.candidates:
            self._candidate(file, parsed, candidate, resources, span)
        for strange in found.strange:
            self._strange(file, parsed, strange, resources)
        if found.held or found.accounts:
            self._pull_secrets(file, parsed, found, resources, span)
        for duplicate in parsed.duplicates:
            what = "hiding-key" if _holds_image(duplicate) else "duplicate-key"
            self.oddities.append(Oddity(what, file, duplicate.position, duplicate.key))

    def _no_object(self, parsed: Parsed, root: Tree, span: Span) -> None:
        """What is deployed must be objects; among sources there are patches, values and the like."""
        if not self._rendered or root == [] or (isinstance(root, int) and parsed.scalar(root).is_null):
            return
        what = "list" if isinstance(root, list) else "single scalar"
        raise TextError(f"not a Kubernetes object: the document is a {what}", span.start)

    def _candidate(
        self, file: File, parsed: Parsed, found: Candidate, resources: dict[int, Resource], span: Span
    ) -> None:
        raw = parsed.raw if isinstance(parsed, Lines) else None
        if (
            raw is not None and len(found.leaves) == 1 and found.leaves[0] is not None
        ):  # most sites: look before taking spans
            text = raw[found.leaves[0]]
            text = text[1:-1] if text[:1] in ("'", '"') else text
            if found.shape == "image" and self._settled(text):
                self.left_alone.append(text)
                return
        scalars = tuple(None if leaf is None else parsed.scalar(leaf) for leaf in found.leaves)
        values = tuple([None if one is None else "" if one.is_null else one.value for one in scalars])
        value = SHAPES[found.shape].read(values)
        if value is None:
            return
        resource = self._resource(parsed, found.identity, resources)
        first = scalars[0]
        if len(scalars) == 1 and first is not None and not first.is_text:
            self.oddities.append(Oddity("not-text", file, first.start, value, resource, found.path))
        elif found.shape == "image" and self._settled(value):
            self.left_alone.append(value)
        else:
            container = None if found.container is None else parsed.value(found.container)
            pod = None if found.pod is None else read_pod(parsed, found.pod)
            self.sites.append(
                Site(file, resource, found.path, found.shape, value, values, scalars, container, pod, found.pod, span)
            )

    def _pull_secrets(
        self, file: File, parsed: Parsed, found: Found, resources: dict[int, Resource], span: Span
    ) -> None:
        for part in found.secrets:
            secret = read_secret(file, self._resource(parsed, part.identity, resources), parsed, part)
            if secret is not None:
                self.secrets.append(secret)
        for one in found.accounts:
            resource = self._resource(parsed, one.identity, resources)
            self.accounts.append(read_account(file, resource, parsed, one, span))
        for held in found.held:
            self.held.append(read_held(file, self._resource(parsed, held.identity, resources), parsed, held))

    def _strange(self, file: File, parsed: Parsed, strange: Strange, resources: dict[int, Resource]) -> None:
        scalars = [parsed.scalar(leaf) for leaf in strange.leaves]
        offset = scalars[0].start if scalars else 0
        text = "\n".join(one.value for one in scalars)
        if strange.what == "unread":
            before = file.text[max(0, offset - _NEAR) : offset]
            if not scalars or not ("image" in text.lower() or "image" in before.lower()):
                return
        resource = self._resource(parsed, strange.identity, resources)
        self.oddities.append(Oddity(strange.what, file, offset, text, resource, strange.path))

    def _resource(self, parsed: Parsed, identity: Identity, known: dict[int, Resource]) -> Resource:
        resource = known.get(id(identity))
        if resource is None:
            version, kind, namespace, name = (None if leaf is None else parsed.value(leaf) for leaf in identity[:4])
            annotations = {key: parsed.value(leaf) for key, leaf in identity.annotations.items()}
            resource = known[id(identity)] = Resource(version, kind, namespace, name, annotations)
        return resource


def keep_reason(site: Site) -> str | None:
    """Why an annotation keeps this site's image: the value of `pindown.dev/keep[.CONTAINER]`; None when none does."""
    annotations = site.resource.annotations
    if site.container is not None:
        reason = annotations.get(f"{OWN_ANNOTATIONS}keep.{site.container}")
        if reason is not None:
            return "" if reason in _NO_REASON else reason
    reason = annotations.get(f"{OWN_ANNOTATIONS}keep")
    return "" if reason in _NO_REASON else reason


def _holds_image(duplicate: Duplicate) -> bool:
    """Whether what the second key hides names an image: under this key, or under one in its value."""
    waiting, seen = [duplicate.hidden], set[int]()
    keys = [duplicate.key]
    while waiting:
        node = waiting.pop()
        if isinstance(node, int) or id(node) in seen:  # aliases may lead here more than once
            continue
        seen.add(id(node))
        if isinstance(node, dict):
            keys += node
        waiting += node.values() if isinstance(node, dict) else node
    return any("image" in key.lower() for key in keys)
