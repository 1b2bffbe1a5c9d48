"""k8s-image-swapper's configuration: every image under one target, its registry being part of the path there.

It copies images and skips some by JMESPath over the pod; pindown does neither, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Language, Text
from transformer.languages.naming import location_at
from transformer.languages.yamltext import At, Map, file_name, objects, top_keys

_POLICIES = {"": "source", "exists": "source", "always": "fail"}
_KNOWN = ("source", "target", "imageSwapPolicy")
#: Keys of the webhook itself, which say nothing about names.
_OWN = (
    "logLevel",
    "logFormat",
    "ListenAddress",
    "listenAddress",
    "TLSCertFile",
    "TLSKeyFile",
    "tlsCertFile",
    "tlsKeyFile",
)
_SAID = {
    "dryRun": "is a switch of the webhook; use `write: source`, or leave the mirror out",
    "imageCopyPolicy": "says how images are copied; pindown copies none and only uses what is there",
    "imageCopyDeadline": "says how images are copied; pindown copies none and only uses what is there",
    "cacheTtlMinutes": "is the webhook's own cache",
}


def read(texts: Sequence[Text]) -> Imported:
    """The one target of each text."""
    found = Gathering()
    for text in texts:
        for each in objects(text):
            inner = each.map("config") if "target" not in each else None
            _read(found, inner or each)
    return found.imported()


def _read(found: Gathering, config: Map) -> None:
    for key, why in _SAID.items():
        if key in config:
            found.note(config.at(key), why)
    found.notes(config.unknown((*_KNOWN, *_OWN, *_SAID)))
    _read_source(found, config)
    policy = config.text("imageSwapPolicy") or ""
    if policy not in _POLICIES:
        raise config.at("imageSwapPolicy").fail("wants exists or always")
    goal = _target(found, config)
    if goal is None:
        found.note(config.at(), "has no target, so no image is swapped")
        return
    at, target = goal
    found.mirror(at, "*", (location(at, f"{target}/{{registry}}/{{repository}}"),), _POLICIES[policy])
    found.stays(at, target)


def _read_source(found: Gathering, config: Map) -> None:
    source = config.map("source")
    if source is None:
        return
    found.notes(source.unknown(("filters", "registries", "privateRegistries")))
    for entry in source.maps("filters"):
        why = "skips images by JMESPath over the pod; write an `images` rule or a mirror for what it means"
        found.note(entry.at("jmespath"), why)
    for key in ("registries", "privateRegistries"):
        if key in source:
            found.note(source.at(key), "says how to log in to sources; see `registries[].credentials`")


def _target(found: Gathering, config: Map) -> tuple[At, str] | None:
    target = config.map("target")
    if target is None:
        return None
    found.notes(target.unknown(("type", "aws", "gcp")))
    kind = target.text("type") or ("gcp" if "gcp" in target and "aws" not in target else "aws")
    if kind.lower() not in ("aws", "gcp"):
        raise target.at("type").fail("wants aws or gcp")
    place = target.map(kind.lower())
    if place is None:
        return None
    return place.at(), location_at(place.at(), _gcp(found, place) if kind.lower() == "gcp" else _aws(found, place))


def _aws(found: Gathering, place: Map) -> str:
    found.notes(place.unknown(("accountId", "region", "role", "ecrOptions")))
    if "ecrOptions" in place:
        found.note(place.at("ecrOptions"), "says how repositories are made; pindown makes none")
    if "role" in place:
        found.note(place.at("role"), "says how to log in; pindown uses the credentials of its environment")
    region = place.required("region")
    end = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{place.required('accountId')}.dkr.ecr.{region}.{end}"


def _gcp(found: Gathering, place: Map) -> str:
    found.notes(place.unknown(("location", "projectId", "repositoryId")))
    names = (place.required("projectId"), place.required("repositoryId"))
    return f"{place.required('location')}-docker.pkg.dev/{'/'.join(names)}"


def recognises(text: Text) -> bool:
    """By its name, or by the keys that only it has."""
    keys = top_keys(text)
    return "k8s-image-swapper" in file_name(text) or (
        "target" in keys and not keys.isdisjoint(("imageSwapPolicy", "imageCopyPolicy"))
    )


LANGUAGES = (Language("k8s-image-swapper", recognises, read),)
