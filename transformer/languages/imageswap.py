"""imageswap-webhook's map: lines `registry::place`, in a file of its own or in the ConfigMap that holds it.

The webhook compares texts, so `nginx` becomes place/nginx and `docker.io/library/nginx` place/library/nginx; to us both
are one name, and both places are tried. It takes exact images first, then patterns, then registries, then the default:
so does the longest source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from transformer.images.reference import DOCKER_HUB, shorten
from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Language, Text
from transformer.languages.naming import image_of, location_at, source_at
from transformer.languages.scopes import enclosing
from transformer.languages.sources import check_size
from transformer.languages.yamltext import At, has_kind, objects
from transformer.policy.locations import has_host

_LIBRARY = f"{DOCKER_HUB}/library"
_EXACT, _REPLACE = "[EXACT]", "[REPLACE]"
_DEFAULT, _KEPT = "default", "noswap_wildcards"
_LINE = re.compile(r"^(?:default|\[EXACT\]\S+|\[REPLACE\]\S+)[ \t]*::", re.MULTILINE)
_MAPS = re.compile(r"""(?:^[ \t]+|[{,][ \t]*)["']?maps["']?[ \t]*:[ \t]*["'|>]""", re.MULTILINE)
_NAMES = ("imageswap", "map_file")


class _Map(NamedTuple):
    at: At
    key: str
    value: str


def read(texts: Sequence[Text]) -> Imported:
    """The maps of all texts, the last one of a key counting."""
    found = Gathering()
    maps: dict[str, _Map] = {}
    for text in texts:
        check_size(text)
        for each in _lines(found, text):
            known = maps.pop(each.key, None)
            if known is not None:
                found.note(known.at, f"stands again in line {each.at.line}, which counts")
            maps[each.key] = each
    _exact(found, (each for key, each in maps.items() if key.startswith(_EXACT)))
    _replace(found, (each for key, each in maps.items() if key.startswith(_REPLACE)))
    _registries(found, {key: each for key, each in maps.items() if not key.startswith((_EXACT, _REPLACE))})
    return found.imported()


def _lines(found: Gathering, text: Text) -> Iterator[_Map]:
    if not has_kind(text, ("ConfigMap",)):
        yield from _parsed(found, text.name, text.line, text.text.removeprefix("\ufeff"))
        return
    for each in objects(text):
        data = each.map("data") if each.text("kind") == "ConfigMap" else None
        for key, value, at in data.pairs() if data is not None else ():
            if key == "maps" or "::" in value:
                yield from _parsed(found, text.name, at.line + 1, value)


def _parsed(found: Gathering, file: str, first: int, text: str) -> Iterator[_Map]:
    for number, line in enumerate(text.splitlines(), first):
        plain = "".join(line.partition("#")[0].split())
        if not plain:
            continue
        parts = plain.split("::" if "::" in plain else ":")
        key = shorten(parts[0].rpartition("@")[2], 60)  # what stands before may be a login
        if len(parts) == 2 and parts[0]:
            yield _Map(At(file, number, key), parts[0], parts[1])
        else:
            found.note(At(file, number, key), "is no line `key::value`; the webhook passes over it too")


def _exact(found: Gathering, maps: Iterable[_Map]) -> None:
    for at, key, value in maps:
        old, new = image_of(at, key.removeprefix(_EXACT)), image_of(at, value)
        if old.tag or old.digest or new.tag or new.digest:
            found.note(at, "is for one tag or digest; a mirror carries the tag that is written")
        elif old.name != new.name:
            found.note(at, "is for the image without a tag there, and for all its tags here")
            found.mirror(at, old.name, (location(at, new.name),), resolve_at="mirror")


def _replace(found: Gathering, maps: Iterable[_Map]) -> None:
    """The last part of a name under another place. The first pattern that fits counts in the webhook."""
    seen: set[str] = set()
    for at, key, value in maps:
        pattern = key.removeprefix(_REPLACE)
        name = pattern.removesuffix("*").removesuffix("/")
        whole = pattern.endswith("/*") or (pattern.endswith("*") and "/" not in name)
        if not whole or any(char in name for char in "*?[") or not has_host(name):
            why = f"{shorten(pattern)} means no single registry or prefix of names; write a mirror for what it means"
            found.note(at, why)
            continue
        source = source_at(found, at, name)
        if source in found or not seen.isdisjoint(enclosing(source)):
            found.note(at, "never counts: a line above takes its images first")
            continue
        seen.add(source)
        found.mirror(at, source, (location(at, f"{location_at(at, value)}/{{name}}"),))


def _registries(found: Gathering, maps: dict[str, _Map]) -> None:
    default, kept = maps.pop(_DEFAULT, None), maps.pop(_KEPT, None)
    if default is None:
        for each in (*maps.values(), *((kept,) if kept is not None else ())):
            found.note(each.at, "does not count: without a line `default::` the webhook swaps no registry")
        return
    for each in sorted(maps.values(), key=lambda each: each.key != _LIBRARY):
        _registry(found, each, default)
    if kept is not None:
        _wildcards(found, kept, default)
    if default.value:
        hub = _place(default, DOCKER_HUB)
        to = f"{hub.removesuffix(DOCKER_HUB)}{{registry}}/{{repository}}" if default.value.endswith("-") else hub
        found.mirror(default.at, "*", (location(default.at, to),))
        if DOCKER_HUB not in maps:
            _library(found, default.at, hub)


def _registry(found: Gathering, each: _Map, default: _Map) -> None:
    at, key, value = each
    host = key.partition("/")[0]
    if key not in (host, _LIBRARY) or not has_host(host):
        found.note(at, "never counts: the webhook knows registries (and docker.io/library) as keys, and no paths")
        return
    source = source_at(found, at, key)
    if source in found:
        found.note(at, "never counts: a line with a pattern takes its images first")
    elif not value:
        if default.value or source == _LIBRARY:
            found.stays(at, source)
    else:
        to = _place(each, host.partition(":")[0])
        found.mirror(at, source, (location(at, to),))
        if source == DOCKER_HUB:
            _library(found, at, to)


def _place(each: _Map, host: str) -> str:
    """Where a registry's images are: a value that ends in a dash goes on with the registry's name."""
    return location_at(each.at, each.value + host if each.value.endswith("-") else each.value)


def _library(found: Gathering, at: At, to: str) -> None:
    """Docker Hub's own images, which are mostly written without `library/`."""
    if _LIBRARY not in found:
        found.mirror(at, _LIBRARY, (location(at, to), location(at, f"{to}/library")))


def _wildcards(found: Gathering, kept: _Map, default: _Map) -> None:
    for text in filter(None, kept.value.split(",")):
        if not has_host(text):
            found.note(kept.at, f"{shorten(text)} is searched anywhere in a name; write a mirror for what it means")
        elif default.value:
            source = source_at(found, kept.at, text)
            found.note(kept.at, f"{shorten(text)} is searched anywhere in a name there; here it is that registry alone")
            if source not in found:
                found.stays(kept.at, source)


def recognises(text: Text) -> bool:
    """By its name, or by lines that only it has."""
    name = text.name.replace("\\", "/").rpartition("/")[2]
    if name.startswith(_NAMES) and name.endswith((".conf", ".txt")):
        return True
    if has_kind(text, ("ConfigMap",)):
        return "::" in text.text and _MAPS.search(text.text) is not None
    return _LINE.search(text.text) is not None


LANGUAGES = (Language("imageswap", recognises, read),)
