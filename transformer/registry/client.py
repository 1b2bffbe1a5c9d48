"""One reference to one Descriptor: HEAD, at most one GET, and the verdict on what came back.

The digest is the registry's word over TLS for a HEAD, and ours (SHA-256 of the bytes) for a GET. Source:
distribution-spec, "Pulling manifests" and "Checking if content exists in the registry".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from transformer.images.platform import Platform, choose, listed
from transformer.images.platform import parse as parse_platform
from transformer.images.reference import Reference, is_digest, join
from transformer.policy.questions import Refusal
from transformer.registry.deadline import Run
from transformer.registry.echoes import told
from transformer.registry.session import Reply
from transformer.registry.transport import MANIFEST_LIMIT, Request, Response, Url
from transformer.registry.verdicts import Refused, by_status, first_bytes, refused

#: All four, always: with fewer a registry answers 404, or converts and so changes the digest.
MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
#: Those of a single image.
_SINGLE = frozenset(MEDIA_TYPES[2:])
SCHEMA1_TYPES = frozenset(f"application/vnd.docker.distribution.manifest.v1+{kind}" for kind in ("json", "prettyjws"))
#: What HEAD is answered by registries that would have answered a GET.
HEAD_REFUSED = frozenset((400, 403, 404, 405, 406, 501))

#: Session.fetch: the run, whose registry, what, and in which credential scope.
Fetch = Callable[[Run, Reference, Request, str], Reply]


class Descriptor(NamedTuple):
    """What a reference means: its digest, and the media type and size (bytes) when the registry says them."""

    digest: str
    media_type: str | None
    size: int | None = None
    #: Whether it was told to a credential, and so not to everybody.
    private: bool = False
    #: Who said so: `registry` or `cache`.
    via: str = "registry"
    #: What is worth a warning about it.
    notes: tuple[Refusal, ...] = ()


class _Got(NamedTuple):
    """What a GET has brought: the descriptor of the bytes, what they say, and the answer that they came in."""

    descriptor: Descriptor
    content: dict[str, Any]
    response: Response


class Client:
    """Lookups through `fetch`. `scope` is whose credentials may be used. Every method raises Refused or OutOfTime."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def describe(self, run: Run, reference: Reference, scope: str = "ambient") -> Descriptor:
        """The descriptor of a tag, or of a digest that must exist."""
        reply = self._fetch(run, reference, _request("HEAD", reference, f"manifests/{_selector(reference)}"), scope)
        response = reply.response
        if response.status == 200:
            media_type = _media_type(reply)
            _refuse_schema1(reference, media_type)
            digest = response.header("docker-content-digest") or ""
            if is_digest(digest) and reference.digest in (None, digest) and media_type != "text/html":
                return Descriptor(digest, media_type, _length(response), reply.asked.shown)
        elif response.status not in HEAD_REFUSED:
            raise by_status(reference, reply.asked, response)
        return self._get(run, reference, scope, response.status).descriptor

    def child(
        self, run: Run, reference: Reference, found: Descriptor, platform: str, scope: str = "ambient"
    ) -> Descriptor:
        """What a descriptor of `reference` means on a platform: the index's child, or itself when it is no index."""
        by_digest = reference._replace(tag=None, digest=found.digest, written=join(reference.name, None, found.digest))
        got = self._get(run, by_digest, scope)
        wanted = parse_platform(platform)
        entries = got.content.get("manifests")
        if isinstance(entries, list):
            entry, offered = choose(wanted, entries)
            if entry is None:
                raise _platform_missing(reference, wanted, got.response, offered)
            return _from_entry(reference, got.response, entry)._replace(private=got.descriptor.private)
        self._check_config(run, reference, got.content, wanted, scope)
        return got.descriptor

    def platforms(
        self, run: Run, reference: Reference, found: Descriptor, scope: str = "ambient"
    ) -> tuple[tuple[str, str], ...]:
        """The digests of an index's images by platform, sorted; nothing for what is no index."""
        if found.media_type in _SINGLE:
            return ()
        by_digest = reference._replace(tag=None, digest=found.digest, written=join(reference.name, None, found.digest))
        entries = self._get(run, by_digest, scope).content.get("manifests")
        named = listed(entries) if isinstance(entries, list) else {}
        digests = ((name, entry.get("digest")) for name, entry in named.items())
        return tuple(
            sorted((name, digest) for name, digest in digests if isinstance(digest, str) and is_digest(digest))
        )

    def _get(self, run: Run, reference: Reference, scope: str, head: int = 0) -> _Got:
        """GETs a descriptor's content and hashes it; `head` is the status that HEAD was answered."""
        request = _request("GET", reference, f"manifests/{_selector(reference)}")
        reply = self._fetch_after_head(run, reference, request, scope, head)
        if reply.response.status != 200:
            earlier = f"HEAD was answered {head}" if head not in (0, 200, reply.response.status) else ""
            raise by_status(reference, reply.asked, reply.response, earlier)
        media_type = _media_type(reply)
        _refuse_schema1(reference, media_type)
        content = _content(reference, reply)
        digest = _verified_digest(reference, reply)
        inside = content.get("mediaType")
        if inside in MEDIA_TYPES and media_type in MEDIA_TYPES and inside != media_type:
            cause = f"{reply.asked.host} calls it {media_type}, but the content says {inside}"
            step = "ask the operators of the registry; nothing is pinned in doubt"
            raise refused("registry-error", reference, cause, step)
        media_type = inside if inside in MEDIA_TYPES else media_type
        found = Descriptor(digest, media_type, len(reply.response.body), reply.asked.shown)
        return _Got(found, content, reply.response)

    def _fetch_after_head(self, run: Run, reference: Reference, request: Request, scope: str, head: int) -> Reply:
        try:
            return self._fetch(run, reference, request, scope)
        except Refused as error:
            if head in (0, 200):
                raise
            # The first real cause stays visible: the registry did answer, and this is what it said.
            refusal = error.refusal
            message = f"{refusal.message} (HEAD was answered HTTP {head})"
            raise Refused(refusal._replace(message=message), error.status) from error

    def _check_config(
        self, run: Run, reference: Reference, content: dict[str, Any], wanted: Platform, scope: str
    ) -> None:
        """A single image says its platform in its config; one that says none is taken as it is."""
        config = content.get("config")
        digest = config.get("digest") if isinstance(config, dict) else None
        if not isinstance(digest, str) or not is_digest(digest):
            return
        reply = self._fetch(run, reference, _request("GET", reference, f"blobs/{digest}"), scope)
        if reply.response.status != 200:
            raise by_status(reference, reply.asked, reply.response, f"asking for its config {digest[:19]}…")
        if _hash(digest, reply.response.body) != digest:
            raise _mismatch(reference, f"its config {digest}", _hash(digest, reply.response.body), reply.asked.host)
        here = _parse(reply.response.body)
        if not here or not here.get("os") or not here.get("architecture"):
            return
        found, offered = choose(wanted, [{"platform": here}])
        if found is None:
            raise _platform_missing(reference, wanted, reply.response, offered)


def _selector(reference: Reference) -> str:
    return reference.digest or reference.tag or "latest"


def _request(method: str, reference: Reference, what: str) -> Request:
    # Every part has matched the reference grammar, so nothing needs quoting (images/reference.py).
    url = Url("https", "", 443, f"/v2/{reference.repository}/{what}")
    accept = ", ".join(MEDIA_TYPES) if what.startswith("manifests/") else "*/*"
    return Request(method, url, (("Accept", accept),), limit=MANIFEST_LIMIT)


def _media_type(reply: Reply) -> str | None:
    """The Content-Type without parameters, which some registries add."""
    text = (reply.response.header("content-type") or "").partition(";")[0].strip().lower()
    return told(reply.response, text) or None


def _length(response: Response) -> int | None:
    """What a HEAD says the content's length is."""
    text = "" if response.header("content-encoding") else response.header("content-length") or ""
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,14}", text, re.ASCII) else None


def _refuse_schema1(reference: Reference, media_type: str | None) -> None:
    if media_type in SCHEMA1_TYPES:
        step = "push the image again with a current tool; current runtimes refuse it too"
        raise refused("schema1", reference, "the registry has it only in the withdrawn format schema 1", step)


def _content(reference: Reference, reply: Reply) -> dict[str, Any]:
    """The parsed body, when it is what a registry would send."""
    content = _parse(reply.response.body)
    if content is not None and content.get("schemaVersion") == 1:
        _refuse_schema1(reference, "application/vnd.docker.distribution.manifest.v1+json")
    if content is None or not _like_an_image(content):
        kind = _media_type(reply) or "no content type"
        cause = f"{reply.asked.host} answered with {kind}, no image: it begins {first_bytes(reply.response)!r}"
        step = "check the registry's address; a login page or a proxy may have answered in its place"
        raise refused("not-a-registry", reference, cause, step)
    return content


def _like_an_image(content: dict[str, Any]) -> bool:
    versioned = content.get("schemaVersion") == 2 or content.get("mediaType") in MEDIA_TYPES
    return versioned and (isinstance(content.get("manifests"), list) or isinstance(content.get("config"), dict))


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _verified_digest(reference: Reference, reply: Reply) -> str:
    """The digest of the bytes, held against the digest asked for and the one that the registry claims."""
    body, claimed = reply.response.body, reply.response.header("docker-content-digest") or ""
    for expected, what in ((reference.digest, "that digest"), (claimed, "the digest it claims")):
        if expected and is_digest(expected) and _hash(expected, body) != expected:
            raise _mismatch(reference, f"{what}, {expected}", _hash(expected, body), reply.asked.host)
    if reference.digest:
        return reference.digest
    return claimed if is_digest(claimed) else _hash("sha256", body)


def _hash(digest: str, body: bytes) -> str:
    """The digest of some bytes by the algorithm of another digest."""
    algorithm = digest.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


def _mismatch(reference: Reference, expected: str, found: str, host: str) -> Refused:
    cause = f"the bytes that {host} sent are not {expected}: they are {found}"
    step = "do not deploy it; a proxy changes answers, or the registry is damaged"
    return refused("digest-mismatch", reference, cause, step)


def _platform_missing(reference: Reference, wanted: Platform, response: Response, offered: list[str]) -> Refused:
    listed = told(response, ", ".join(dict.fromkeys(offered)) or "none at all", 300)
    step = "choose one of these platforms, or an image that is built for the one you need"
    return refused("platform-missing", reference, f"there is no {wanted} image; offered: {listed}", step)


def _from_entry(reference: Reference, response: Response, entry: dict[str, Any]) -> Descriptor:
    digest, media_type = entry.get("digest"), entry.get("mediaType")
    if not isinstance(digest, str) or not is_digest(digest):
        cause = "its index names a child without a valid digest"
        raise refused("registry-error", reference, cause, "push the image again")
    size = entry.get("size") if type(entry.get("size")) is int and entry["size"] > 0 else None
    return Descriptor(digest, told(response, media_type) if isinstance(media_type, str) else None, size)
