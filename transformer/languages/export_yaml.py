"""A policy's mirrors as registries.yaml of k3s and RKE2, and as OpenShift's mirror sets.

registries.yaml knows registries only, rewrites the paths of all endpoints of one alike, and always asks the registry
itself last. A mirror set is for digests or for tags: what is for both needs both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformer.images.reference import shorten
from transformer.languages.model import Note
from transformer.languages.outgoing import (
    Exported,
    Outgoing,
    Place,
    Report,
    api_of,
    blockable,
    insecure_hosts,
    is_host,
    is_plain,
    merged,
    outgoing,
    say_words,
)
from transformer.policy.model import Policy

_SETS = {
    "idms": ("ImageDigestMirrorSet", "imageDigestMirrors", "digest"),
    "itms": ("ImageTagMirrorSet", "imageTagMirrors", "tag"),
}


def registries_yaml(policy: Policy) -> Exported:
    """registries.yaml, for every registry in one file."""
    report, insecure = Report(policy, "registries.yaml"), insecure_hosts(policy)
    mirrors: dict[str, Any] = {}
    for one in outgoing(policy, report, rewrites=True):
        if one.source != "*" and not is_host(one.source):
            report.leave_out(one.mirror, "registries.yaml knows registries only, no prefixes and no *.example.com")
            continue
        say_words(report, one)
        if one.fallback == "fail":
            why = "registries.yaml has no word for `fallback: fail`; nodes need --disable-default-registry-endpoint"
            report.note(one.mirror, one.mirror, why)
        mirrors[one.source] = _endpoints(report, one, insecure)
    return Exported((("registries.yaml", report.head + _dump({"mirrors": mirrors})),), tuple(report.notes))


def _endpoints(report: Report, one: Outgoing, insecure: frozenset[str]) -> dict[str, Any]:
    places = []
    for place in one.places:
        if place.location.rewrite != one.places[0].location.rewrite:
            why = "rewrites paths in another way than the location before it, and registries.yaml has one for all"
            report.note(place.location, one.mirror, f"{why}; the location is left out")
        else:
            places.append(place)
    for place in places:
        if place.when != "all":
            why = f"registries.yaml has no word for `when: {place.when}`: nodes ask there for all images"
            report.note(place.location, one.mirror, why)
    if not places:
        return {"endpoint": [api_of(one.source, is_plain(one.source, insecure))]}
    entry: dict[str, Any] = {"endpoint": [place.url for place in merged(places)]}
    rewrite = places[0].rewrite
    if len(rewrite) > 1:
        report.note(places[0].location, one.mirror, "has several patterns, of which nodes take any that matches")
    return entry | ({"rewrite": rewrite} if rewrite else {})


def mirror_set(policy: Policy, to: str) -> Exported:
    """An ImageDigestMirrorSet (`idms`) or an ImageTagMirrorSet (`itms`)."""
    kind, key, pulls = _SETS[to]
    report, mirrors = Report(policy, kind), list[Outgoing]()
    for one in outgoing(policy, report):
        places = tuple(_for(report, one, pulls))
        if one.source == "*" or (one.source.startswith("*.") and ":" in one.source):
            report.leave_out(one.mirror, "its wildcards are *.example.com, without a port")
        elif not places or all(place.to == one.source for place in places):
            report.leave_out(one.mirror, f"it has no location for {pulls}s")
        else:
            mirrors.append(one._replace(places=places))
    blocked = blockable(mirrors, report)
    entries = []
    for one in mirrors:
        say_words(report, one)
        never = {"mirrorSourcePolicy": "NeverContactSource"} if one.source in blocked else {}
        entries.append({"mirrors": _names(one.places), "source": one.source, **never})
    if any(place.when == "all" for one in mirrors for place in one.places):
        other = "itms" if pulls == "digest" else "idms"
        report.notes.append(Note(policy.file, 0, "", f"{kind} is for {pulls}s alone; export {other} too"))
    _say_plain(report, mirrors, policy)
    data = {
        "apiVersion": "config.openshift.io/v1",
        "kind": kind,
        "metadata": {"name": "pindown"},
        "spec": {key: entries},
    }
    return Exported(((f"{to}.yaml", report.head + _dump(data)),), tuple(report.notes))


def _for(report: Report, one: Outgoing, pulls: str) -> list[Place]:
    places = []
    for place in one.places:
        if place.when in ("all", pulls):
            places.append(place)
        else:
            report.note(place.location, one.mirror, f"is for {place.when}s, which {report.target} does not know")
    return places


def _names(places: Sequence[Place]) -> list[str]:
    return list(dict.fromkeys(place.to for place in places))


def _say_plain(report: Report, mirrors: Sequence[Outgoing], policy: Policy) -> None:
    insecure = insecure_hosts(policy)
    for one in mirrors:
        for place in one.places:
            host = place.to.partition("/")[0]
            if host in insecure:
                why = f"{shorten(host)} is reached over http; list it in `insecureRegistries` of the cluster's Image"
                report.note(place.location, one.mirror, why)


def _dump(data: dict[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(data, sort_keys=False, default_flow_style=False, width=4096)
    return text
