"""Zarf packages as mirrors: each image of zarf.yaml, and the name that Zarf's agent would give it in the cluster.

The name is <registry>/<path>:<tag>-zarf-<checksum of the name>; what is pulled by digest has no such suffix. The
registry is the one of Zarf's state, or the one inside the cluster. Logins in a state are never read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zlib import crc32

from transformer.errors import PolicyError
from transformer.images.reference import shorten
from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Language, Text
from transformer.languages.naming import image_of, location_at
from transformer.languages.yamltext import At, Map, file_name, has_kind, objects, top_keys

#: Where nodes reach the registry that Zarf brings along.
DEFAULT_REGISTRY = "127.0.0.1:31999"

_KINDS = ("ZarfPackageConfig", "ZarfInitConfig")
_SECRET, _KEY = "zarf-state", "state"
#: Characters of a state: above any, and little work.
_STATE_LIMIT = 1 << 18
_TEMPLATED = ("###", "{{", "${")


def read(texts: Sequence[Text]) -> Imported:
    """The images of all packages, under the registry of the state among the texts."""
    found = Gathering()
    images: list[tuple[str, At]] = []
    registry: tuple[str, At] | None = None
    for text in texts:
        for each in objects(text):
            if each.text("kind") in _KINDS:
                images += _images(found, each)
            else:
                registry = _registry(each) or registry
    host = location_at(registry[1], registry[0]) if registry is not None else DEFAULT_REGISTRY
    for image, at in images:
        _add(found, host, image, at)
    if images and registry is None:
        why = "no state with registryInfo is among the files, so the registry is the one that Zarf brings along"
        found.note(images[0][1]._replace(key="registryInfo"), f"{why} ({host}), which only nodes reach")
    elif not images:
        found.note(At(texts[0].name if texts else "", 1, "components"), "no package with images is among the files")
    return found.imported()


def _images(found: Gathering, each: Map) -> Iterator[tuple[str, At]]:
    for component in each.maps("components"):
        yield from component.texts("images")
        for archive in component.maps("imageArchives"):
            yield from archive.texts("images")
        for key in ("charts", "manifests", "repos"):
            if key in component:
                found.note(component.at(key), "may hold more images; list them under `images`, as Zarf wants it too")


def _registry(each: Map) -> tuple[str, At] | None:
    """The registry that a state, or the Secret with one, names; the list of its keys holds logins and is not read."""
    names = each.map("metadata") if each.text("kind") == "Secret" else None
    if names is not None and names.text("name") == _SECRET:
        for key, encoded in (("data", True), ("stringData", False)):
            data = each.map(key)
            state = data.text(_KEY) if data is not None else None
            if data is not None and state is not None:
                return _address(_state(data.at(_KEY), state, encoded), data.at(_KEY))
        return None
    return _address(each, None)


def _state(at: At, text: str, encoded: bool) -> Map:
    import binascii

    try:
        plain = binascii.a2b_base64(text[:_STATE_LIMIT]).decode("utf-8") if encoded else text
        for each in objects(Text(at.file, plain, at.line)):
            return each
    except (ValueError, PolicyError):  # neither error may tell what stands there
        raise at.fail("is no readable state of Zarf (its content is not shown)") from None
    raise at.fail("is an empty state of Zarf")


def _address(each: Map, at: At | None) -> tuple[str, At] | None:
    info = each.map("registryInfo")
    address = info.text("address") if info is not None else None
    return (address, at or info.at("address")) if info is not None and address else None


def _add(found: Gathering, registry: str, image: str, at: At) -> None:
    if any(mark in image for mark in _TEMPLATED):
        found.note(at, f"{shorten(image)} is filled in when the package is built; write the mirror by hand")
        return
    source = image_of(at, image.removeprefix("oci://"))
    if source.name in found or registry.startswith(source.registry):
        return  # the agent leaves what lies in its registry alone
    path = f"{registry}/{source.repository}"
    suffix = f":{{tag}}-zarf-{crc32(source.name.encode())}"
    found.mirror(at, source.name, (location(at, path + suffix), location(at, path, when="digest")))


def recognises(text: Text) -> bool:
    """By its kind, by the state's Secret, or by the state's own keys."""
    if has_kind(text, _KINDS) or file_name(text) in ("zarf.yaml", "zarf.yml"):
        return True
    if has_kind(text, ("Secret",)):
        return _SECRET in text.text
    return '"registryInfo"' in text.text and "registryInfo" in top_keys(text)


LANGUAGES = (Language("zarf", recognises, read),)
