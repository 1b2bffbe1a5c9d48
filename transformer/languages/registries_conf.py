"""containers' registries.conf (podman, CRI-O, skopeo), both versions, with its drop-ins.

One table speaks for an image: the one with the longest prefix. Its mirrors come first, its own location last. Files
come in the order in which the node reads them, drop-ins behind the file that they change. Short names are Docker Hub's
in Kubernetes, so an alias becomes a mirror of the name that Docker Hub would have.
Described in https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from transformer.images.reference import DOCKER_HUB, ReferenceError, parse, shorten
from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Language, Text
from transformer.languages.naming import location_at, source_at
from transformer.languages.prefix_tables import Place, PrefixTable, write
from transformer.languages.sources import has_tag
from transformer.languages.toml import Table
from transformer.languages.toml import read as read_toml
from transformer.languages.yamltext import At
from transformer.policy.locations import has_host

_TOP = ("registry", "aliases", "unqualified-search-registries", "credential-helpers", "short-name-mode")
_REGISTRY = ("prefix", "location", "insecure", "blocked", "mirror-by-digest-only", "mirror")
_MIRROR = ("location", "insecure", "pull-from-mirror")
_FIRST_VERSION = ("search", "insecure", "block")
_PULLS = {"": "all", "all": "all", "digest-only": "digest", "tag-only": "tag"}
_MODES = ("", "enforcing", "permissive", "disabled")
_ALIASES = re.compile(r"^[ \t]*\[aliases\]", re.MULTILINE)
_CONTENT = re.compile(
    r"^[ \t]*(?:\[\[[ \t]*registry(?:[ \t]*\]\]|\.)|\[registries\."
    r"|registry[ \t]*=[ \t]*\[|(?:unqualified-search-registries|short-name-mode)[ \t]*=)",
    re.MULTILINE,
)


class _Configuration:
    """All files together."""

    def __init__(self) -> None:
        self.found = Gathering()
        self.tables: dict[str, PrefixTable] = {}
        self.aliases: dict[str, tuple[At, str]] = {}
        self.search: list[tuple[str, At]] = []

    def read(self, text: Text) -> None:
        """A file: the main one or a drop-in of those before it."""
        top = read_toml(text)
        if "registries" in top:
            if "registry" in top:
                raise top.at("registries").fail("both versions of the format in one file; keep the [[registry]] tables")
            return self._first_version(top)
        self.found.notes(top.unknown(_TOP))
        if "unqualified-search-registries" in top:
            self.search = top.texts("unqualified-search-registries")
        if top.text("short-name-mode") not in _MODES:
            raise top.at("short-name-mode").fail("wants enforcing, permissive or disabled")
        for key, why in (
            ("short-name-mode", "is about short names, which Kubernetes reads as Docker Hub's"),
            ("credential-helpers", "says how to log in; pindown has `registries[].credentials`"),
        ):
            if key in top:
                self.found.note(top.at(key), why)
        self._tables(top)
        names = top.table("aliases")
        for name in names.keys() if names is not None else ():
            assert names is not None
            self.aliases[name] = (names.at(name), names.text(name))

    def _tables(self, top: Table) -> None:
        own: dict[str, PrefixTable] = {}
        for entry in top.tables("registry"):
            table = self._table(entry)
            if table is None:
                continue
            first = own.setdefault(table.prefix, table)
            if first is not table:
                why = f"{shorten(table.prefix)} has a table already (line {first.at.line}); that one counts"
                self.found.note(table.at, why)
        for prefix, table in own.items():
            self.tables.pop(prefix, None)
            self.tables[prefix] = table

    def _table(self, entry: Table) -> PrefixTable | None:
        self.found.notes(entry.unknown(_REGISTRY))
        if "pull-from-mirror" in entry:
            raise entry.at("pull-from-mirror").fail(
                "belongs under [[registry.mirror]]; here mirror-by-digest-only does"
            )
        key = "prefix" if entry.text("prefix") else "location"
        written = entry.text(key).rstrip("/")
        if has_tag(written):
            why = f"{_shown(written)} has a tag or digest, and no image is looked up with one: the table does nothing"
            self.found.note(entry.at(key), why)
            return None
        prefix = source_at(self.found, entry.at(key), written)
        if prefix == "*":
            raise entry.at(key).fail("* alone matches nothing; write *.example.com, or the registries one by one")
        insecure = entry.flag("insecure")
        primary = self._primary(entry, prefix, insecure)
        return PrefixTable(entry.at(), prefix, primary, self._mirrors(entry), insecure, entry.flag("blocked"))

    def _primary(self, entry: Table, prefix: str, insecure: bool) -> Place | None:
        at, text = entry.at("location"), entry.text("location")
        if text:
            if prefix.startswith("*.") and not entry.text("prefix"):
                raise at.fail(f"{shorten(text)}: a location has no wildcard; write the prefix, and where it is")
            return Place(at, location_at(at, text), insecure=insecure)
        if prefix.startswith("*."):
            return None
        raise entry.at("prefix").fail("has no location; only a wildcard may leave it out")

    def _mirrors(self, entry: Table) -> tuple[Place, ...]:
        by_digest = entry.flag("mirror-by-digest-only")
        result = []
        for mirror in entry.tables("mirror"):
            self.found.notes(mirror.unknown(_MIRROR))
            pulls = mirror.text("pull-from-mirror")
            if pulls not in _PULLS:
                raise mirror.at("pull-from-mirror").fail("wants all, digest-only or tag-only")
            if pulls and by_digest:
                raise mirror.at("pull-from-mirror").fail("contradicts mirror-by-digest-only; take one of them out")
            at = mirror.at("location")
            to = location_at(at, mirror.text("location"))
            result.append(Place(at, to, "digest" if by_digest else _PULLS[pulls], mirror.flag("insecure")))
        return tuple(result)

    def _first_version(self, top: Table) -> None:
        parts = top.table("registries")
        assert parts is not None
        self.found.notes([*top.unknown(("registries",)), *parts.unknown(_FIRST_VERSION)])
        lists = {}
        for key in _FIRST_VERSION:
            part = parts.table(key)
            lists[key] = part.texts("registries") if part is not None else []
            if part is not None:
                self.found.notes(part.unknown(("registries",)))
        self.search = lists["search"]
        insecure = {source_at(self.found, at, text): at for text, at in lists["insecure"]}
        blocked = {source_at(self.found, at, text): at for text, at in lists["block"]}
        for prefix in {**insecure, **blocked}:
            at = blocked.get(prefix) or insecure[prefix]
            primary = None if prefix.startswith("*.") else Place(at, prefix, insecure=prefix in insecure)
            self.tables[prefix] = PrefixTable(at, prefix, primary, (), prefix in insecure, prefix in blocked)

    def write(self) -> Imported:
        """What all of it means."""
        write(self.found, self.tables)
        self._write_aliases()
        if self.search and self.search[0][0] not in (DOCKER_HUB, "index.docker.io"):
            at = self.search[0][1]._replace(key="unqualified-search-registries")
            why = "short names are Docker Hub's in Kubernetes; write the registry into the manifests, or an alias here"
            self.found.note(at, why)
        return self.found.imported()

    def _write_aliases(self) -> None:
        named: dict[str, At] = {}
        for name, (at, text) in self.aliases.items():
            source, to = _short_name(at, name), _alias_target(at, text) if text else ""
            if to in ("", source):  # erased by a drop-in, or what the name means anyway
                continue
            if source in named or source not in self.found:
                named.setdefault(source, at)
                self.found.mirror(at, source, (location(at, to),), "fail", "mirror")
            else:
                why = "has a table, which counts; the alias stands for the short name only"
                self.found.note(at, f"{shorten(source)} {why}")
        if named:
            why = "an alias stands for the short name only; pindown applies it to the full name of Docker Hub too"
            self.found.note(next(iter(named.values()))._replace(key="aliases"), why)


def read(texts: Sequence[Text]) -> Imported:
    """What the files say together; each is a drop-in of those before it."""
    configuration = _Configuration()
    for text in texts:
        configuration.read(text)
    return configuration.write()


def recognises(text: Text) -> bool:
    """By its name, by its folder, or by the tables that only it has."""
    name = text.name.replace("\\", "/")
    if name.endswith("registries.conf") or (name.endswith(".conf") and "/registries.conf.d/" in f"/{name}"):
        return True
    if name.endswith(".conf") and _ALIASES.search(text.text) is not None:
        return True
    return not name.endswith((".yaml", ".yml", ".json")) and _CONTENT.search(text.text) is not None


def _shown(text: str) -> str:
    return shorten(text.partition("@")[0])


def _short_name(at: At, name: str) -> str:
    try:
        source = parse(name)
    except ReferenceError as error:
        raise at.fail(f"an alias is a short name such as `ubi9` ({error.code})") from None
    if has_host(name) or source.tag is not None or source.digest is not None:
        raise at.fail("an alias is a short name: no registry, no tag, no digest")
    return source.name


def _alias_target(at: At, text: str) -> str:
    to = location_at(at, text)
    if "/" not in to:
        raise at.fail(f"{shorten(text)} is a registry; an alias names a repository: host/path")
    return to


LANGUAGES = (Language("registries.conf", recognises, read),)
