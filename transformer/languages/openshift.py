"""OpenShift's mirror objects: ImageDigestMirrorSet, ImageTagMirrorSet, ImageContentSourcePolicy; the cluster's Image.

All objects of all texts are read together, as the machine config operator does: a source that several objects name has
one order of mirrors, and one `NeverContactSource` is enough. A source nested in another one inherits nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from transformer.images.reference import shorten
from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Language, Text
from transformer.languages.naming import location_at, source_at
from transformer.languages.orders import merge
from transformer.languages.scopes import enclosing
from transformer.languages.yamltext import At, Map, has_kind, objects
from transformer.policy.model import Location


class _Kind(NamedTuple):
    group: str
    #: The key under `spec` that holds the list.
    key: str
    #: What its mirrors are for.
    when: str


KINDS = {
    "ImageDigestMirrorSet": _Kind("config.openshift.io", "imageDigestMirrors", "digest"),
    "ImageTagMirrorSet": _Kind("config.openshift.io", "imageTagMirrors", "tag"),
    "ImageContentSourcePolicy": _Kind("operator.openshift.io", "repositoryDigestMirrors", "digest"),
}
_POLICIES = ("", "AllowContactingSource", "NeverContactSource")
_SCOPES = ("insecureRegistries", "blockedRegistries", "allowedRegistries", "containerRuntimeSearchRegistries")


class _Source:
    """What all objects say about one source."""

    def __init__(self, at: At) -> None:
        self.at = at
        self.never = False
        self.orders: dict[str, list[list[str]]] = {"digest": [], "tag": []}
        self.places: dict[str, At] = {}


class _Scopes(NamedTuple):
    """`spec.registrySources` of the cluster's Image."""

    insecure: dict[str, At]
    blocked: dict[str, At]


def read(texts: Sequence[Text]) -> Imported:
    """What the objects of all texts say together."""
    found, sources, scopes = Gathering(), dict[str, _Source](), _Scopes({}, {})
    for text in texts:
        seen = False
        for each in objects(text):
            kind, group = each.text("kind") or "", (each.text("apiVersion") or "").partition("/")[0]
            if kind in KINDS and group == KINDS[kind].group:
                seen = True
                _read_set(found, sources, each, KINDS[kind])
            elif (kind, group) == ("Image", "config.openshift.io"):
                seen = True
                _read_scopes(found, scopes, each)
        if not seen:
            found.note(At(text.name, text.line, ""), f"holds none of {', '.join(KINDS)}")
    _write(found, sources, scopes)
    return found.imported()


def _read_set(found: Gathering, sources: dict[str, _Source], each: Map, kind: _Kind) -> None:
    spec = each.map("spec")
    if spec is None:
        found.note(each.at(), "has no spec, and so no mirrors")
        return
    found.notes(spec.unknown((kind.key,)))
    for entry in spec.maps(kind.key):
        found.notes(entry.unknown(("source", "mirrors", "mirrorSourcePolicy")))
        entry.required("source")
        source = source_at(found, entry.at("source"), entry.required("source"))
        mirrors = [(location_at(at, to), at) for to, at in entry.texts("mirrors")]
        policy = entry.text("mirrorSourcePolicy") or ""
        if policy not in _POLICIES:
            raise entry.at("mirrorSourcePolicy").fail(
                f"wants AllowContactingSource or NeverContactSource, not {shorten(policy, 40)!r}"
            )
        if all(to == source for to, _ in mirrors):
            found.note(
                entry.at("source"), "names no mirror but the source itself; OpenShift ignores such an entry whole"
            )
            continue
        one = sources.setdefault(source, _Source(entry.at("source")._replace(key=entry.at().key)))
        one.never = one.never or policy == "NeverContactSource"
        one.orders[kind.when].append([to for to, _ in mirrors])
        for to, at in mirrors:
            one.places.setdefault(to, at)


def _read_scopes(found: Gathering, scopes: _Scopes, each: Map) -> None:
    spec = each.map("spec")
    registries = spec.map("registrySources") if spec is not None else None
    if registries is None:
        return
    found.notes(registries.unknown(_SCOPES))
    for key, where in (("insecureRegistries", scopes.insecure), ("blockedRegistries", scopes.blocked)):
        for scope, at in registries.texts(key):
            where.setdefault(source_at(found, at, scope), at)
    if "allowedRegistries" in registries:
        why = "pindown knows what is denied, not what alone is allowed; write `images` rules with `action: deny`"
        found.note(registries.at("allowedRegistries"), why)
    if "containerRuntimeSearchRegistries" in registries:
        why = "short names are Docker Hub's in Kubernetes; write the registry into the manifests"
        found.note(registries.at("containerRuntimeSearchRegistries"), why)


def _write(found: Gathering, sources: dict[str, _Source], scopes: _Scopes) -> None:
    mirrored = {scope for source in sources for scope in enclosing(source)}
    for scope, at in scopes.blocked.items():
        if scope in mirrored or not sources.keys().isdisjoint(enclosing(scope)):
            found.note(at, f"{shorten(scope)} has mirrors, which stay allowed: it is left out of what is denied")
        else:
            found.deny(at, scope, f"blocked in {shorten(at.file)} ({at.key})")
    for source, one in sources.items():
        never = one.never or not scopes.blocked.keys().isdisjoint(enclosing(source))
        locations = list(_locations(found, source, one, scopes, never))
        if locations:
            found.mirror(one.at, source, locations, "fail" if never else "source")
    _write_insecure(found, sources.values(), scopes.insecure)


def _locations(found: Gathering, source: str, one: _Source, scopes: _Scopes, never: bool) -> Iterable[Location]:
    pairs = _joined(merge(one.orders["digest"]), merge(one.orders["tag"]))
    for index, (to, when) in enumerate(pairs):
        at = one.places[to]
        if to == source and (never or all(other == source for other, _ in pairs[index:])):
            if never:
                found.note(at, f"{shorten(source)} may not be contacted, so it is no mirror of itself")
        elif not scopes.blocked.keys().isdisjoint(enclosing(to)):
            found.note(at, f"{shorten(to)} is a blocked registry, so no node pulls from it")
        else:
            yield location(at, to, when=when)


def _joined(digest: list[str], tag: list[str]) -> list[tuple[str, str]]:
    """Both orders as one, what stands in both once; apart when they contradict each other."""
    order = merge((digest, tag))
    by_digest, by_tag = set(digest), set(tag)
    if [to for to in order if to in by_digest] != digest or [to for to in order if to in by_tag] != tag:
        return [*((to, "digest") for to in digest), *((to, "tag") for to in tag)]
    both = by_digest & by_tag
    return [(to, "all" if to in both else "digest" if to in by_digest else "tag") for to in order]


def _write_insecure(found: Gathering, sources: Iterable[_Source], insecure: dict[str, At]) -> None:
    """Hosts that an insecure scope covers: its own, and those of the mirrors in it."""
    if not insecure:
        return
    places = {to: at for one in sources for to, at in one.places.items()}
    for scope, at in insecure.items():
        why = "insecure means plain http here; for a certificate that is not trusted give its caBundle in `registries`"
        found.note(at, why if "/" not in scope else f"{why}. It is the whole host's in pindown")
        if "*" not in scope:
            found.plain(at, scope.partition("/")[0])
    for to, at in places.items():
        if not insecure.keys().isdisjoint(enclosing(to)):
            found.plain(at, to.partition("/")[0])


def recognises(text: Text) -> bool:
    """Whether one of the kinds is there."""
    return has_kind(text, KINDS) or ("config.openshift.io/" in text.text and has_kind(text, ("Image",)))


def _never(text: Text) -> bool:
    return False


#: The single kinds are names for `--from`: they are read together whatever they are called.
LANGUAGES = (
    Language("openshift", recognises, read),
    *(Language(name, _never, read) for name in ("idms", "itms", "icsp")),
)
