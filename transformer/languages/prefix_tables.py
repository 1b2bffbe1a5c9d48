"""Tables of prefixes as registries.conf has them, in our words: mirrors, denials and plain hosts.

The table with the longest prefix speaks for an image, and it alone: mirrors of wider tables are not added. A table
whose location is another name than its prefix is a remap: the prefix may be no registry, so the location is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from transformer.images.reference import shorten
from transformer.languages.gathering import Gathering, location
from transformer.languages.scopes import enclosing
from transformer.languages.yamltext import At

_INSECURE = (
    "insecure also accepts a certificate that nobody signed; pindown reads it as plain http: "
    "give a caBundle in `registries` where the host speaks TLS"
)


class Place(NamedTuple):
    """A location of a table: the name, where it stands, and what it is for."""

    at: At
    to: str
    when: str = "all"
    insecure: bool = False


class PrefixTable(NamedTuple):
    """One `[[registry]]`. `primary` is None where a wildcard leaves its location out."""

    at: At
    prefix: str
    primary: Place | None
    mirrors: tuple[Place, ...] = ()
    insecure: bool = False
    blocked: bool = False

    @property
    def remaps(self) -> bool:
        """Whether its location is another one than what it stands for."""
        return self.primary is not None and self.primary.to != self.prefix

    @property
    def speaks(self) -> bool:
        """Whether images of it have another name than their own."""
        return bool(self.mirrors) or self.remaps


def write(found: Gathering, tables: Mapping[str, PrefixTable]) -> None:
    """Adds what the tables (by prefix) mean together; raises PolicyError where two contradict each other."""
    _check_conflicts(tables)
    writer = _Writer(found, tables)
    for table in tables.values():
        writer.table(table)
        writer.insecure(table)


def _check_conflicts(tables: Mapping[str, PrefixTable]) -> None:
    first: dict[str, PrefixTable] = {}
    for table in tables.values():
        if table.primary is None:
            continue
        other = first.setdefault(table.primary.to, table)
        for word in ("insecure", "blocked"):
            if getattr(other, word) != getattr(table, word):
                where, shown = f"{shorten(other.at.file)}:{other.at.line}", shorten(table.primary.to)
                raise table.at.fail(f"{word} for {shown} contradicts {where}; no node loads this: make them agree")


class _Writer:
    """Writes one table after the other, knowing all of them."""

    def __init__(self, found: Gathering, tables: Mapping[str, PrefixTable]) -> None:
        self._found, self._tables = found, tables
        self._plain: set[str] = set()
        #: For a prefix, one in it that has a table of its own and is not blocked.
        self._excepted: dict[str, str] = {}
        for prefix, table in tables.items():
            for scope in () if table.blocked else self._around(prefix):
                self._excepted.setdefault(scope, prefix)

    def table(self, table: PrefixTable) -> None:
        """Its mirror, or what else it says about its images."""
        places = [place for place in (*table.mirrors, *_last(table)) if self._is_open(place)]
        if places:
            remaps = table.remaps
            locations = [location(place.at, place.to, when=place.when) for place in places]
            fallback = "fail" if remaps or table.blocked else "source"
            self._found.mirror(table.at, table.prefix, locations, fallback, "mirror" if remaps else "source")
        elif table.blocked:
            self._deny(table)
        elif any(self._tables[scope].speaks for scope in self._around(table.prefix)):
            self._stays(table)

    def insecure(self, table: PrefixTable) -> None:
        """The hosts that it reaches without checking who they are."""
        primary = (table.primary,) if table.primary is not None else ()
        if table.insecure and table.primary is None:
            why = f"insecure for {shorten(table.prefix)} names no host; write each one in `registries`"
            self._found.note(table.at, why)
        for place in (*table.mirrors, *primary):
            host = place.to.partition("/")[0]
            if place.insecure and host not in self._plain:
                self._plain.add(host)
                self._found.plain(place.at, host)
                self._found.note(place.at, f"{shorten(host)}: {_INSECURE}")

    def _is_open(self, place: Place) -> bool:
        governing = next((scope for scope in enclosing(place.to) if scope in self._tables), None)
        if governing is None or not self._tables[governing].blocked:
            return True
        why = f"{shorten(place.to)} lies under {shorten(governing)}, which is blocked: no node asks it"
        self._found.note(place.at, why)
        return False

    def _deny(self, table: PrefixTable) -> None:
        inner = self._excepted.get(table.prefix)
        if inner is not None:
            why = "is not blocked, and a deny has no exceptions: pindown denies nothing here, nodes still block it"
            self._found.note(table.at, f"{shorten(inner)} in it {why}")
            return
        reason = f"blocked in {shorten(table.at.file)}:{table.at.line}"
        self._found.deny(table.at, table.prefix, reason)
        if "*" in table.prefix:
            self._found.deny(table.at, f"{table.prefix}:*", reason)

    def _stays(self, table: PrefixTable) -> None:
        if "*" in table.prefix:
            why = f"{shorten(table.prefix)} has no mirrors here, but those of the wider prefix hold for it in pindown"
            self._found.note(table.at, why)
        else:
            self._found.stays(table.at, table.prefix)

    def _around(self, prefix: str) -> Iterator[str]:
        """The wider tables that a prefix lies in."""
        for scope in enclosing(prefix.removeprefix("*.")):
            if scope in self._tables and prefix not in (scope, f"*.{scope}"):
                yield scope


def _last(table: PrefixTable) -> tuple[Place, ...]:
    return (table.primary,) if table.remaps and not table.blocked and table.primary is not None else ()
