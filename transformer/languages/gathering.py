"""What a language finds in its files, put together: mirrors, denials, plain hosts and notes, in our words.

Each source stands once: a second one is an error, because only one of them could count. Knows no format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from transformer.images.reference import shorten
from transformer.languages.model import Imported, Note
from transformer.languages.yamltext import At
from transformer.policy.model import ImageRule, Location, Mirror, RegistryRule

RULES_LIMIT = 10_000
#: Notes of one reading; the last one says how many more there are.
NOTES_LIMIT = 1_000


class Gathering:
    """Grows while files are read; `imported` is what was found."""

    def __init__(self) -> None:
        self._mirrors: dict[str, Mirror] = {}
        self._denies: list[ImageRule] = []
        self._hosts: dict[str, RegistryRule] = {}
        self._notes: dict[Note, None] = {}

    def __contains__(self, source: str) -> bool:
        return source in self._mirrors

    def mirror(
        self, at: At, source: str, locations: Sequence[Location], fallback: str = "fail", resolve_at: str = "source"
    ) -> None:
        """A mirror; raises PolicyError when its source has one already."""
        self._add(at, Mirror(at.key, source, tuple(locations), resolve_at, "mirror", "same-digest", fallback))

    def stays(self, at: At, source: str) -> None:
        """A source that a wider one does not speak for: its names stay as they are."""
        there = location(at, source)
        self._add(at, Mirror(at.key, source, (there,), "source", "source", "none", "source"))

    def deny(self, at: At, scope: str, reason: str) -> None:
        """A host, a prefix of names or `*.suffix` that nobody may pull from."""
        match = f"{scope}/**" if "*" in scope else scope
        self._bounded(at)
        self._denies.append(ImageRule(at.key, match, "deny", reason, line=at.line))

    def plain(self, at: At, host: str) -> None:
        """A host that is reached over plain http."""
        self._hosts.setdefault(host, RegistryRule(host, insecure=True, line=at.line))

    def note(self, at: At, why: str) -> None:
        """What is not carried over, and why."""
        self._notes.setdefault(at.note(why))

    def notes(self, notes: Iterable[Note]) -> None:
        """Several notes."""
        self._notes.update(dict.fromkeys(notes))

    def imported(self) -> Imported:
        """All of it; the notes in the order of their files."""
        notes = tuple(self._notes)
        if len(notes) > NOTES_LIMIT:
            last = notes[NOTES_LIMIT]
            more = Note(last.file, last.line, "", f"{len(notes) - NOTES_LIMIT} more notes of this kind are not shown")
            notes = (*notes[:NOTES_LIMIT], more)
        return Imported(tuple(self._mirrors.values()), tuple(self._denies), tuple(self._hosts.values()), notes)

    def _add(self, at: At, mirror: Mirror) -> None:
        first = self._mirrors.get(mirror.source)
        if first is not None:
            where = f"{first.name}, {first.file}:{first.line}"
            raise at.fail(f"{shorten(mirror.source)} has a mirror already ({where}); take one of them out")
        self._bounded(at)
        self._mirrors[mirror.source] = mirror._replace(line=at.line, file=at.file)

    def _bounded(self, at: At) -> None:
        if len(self._mirrors) + len(self._denies) >= RULES_LIMIT:
            raise at.fail(f"more than {RULES_LIMIT} rules; split the configuration by registry")


def location(at: At, to: str, rewrite: tuple[tuple[str, str], ...] = (), when: str = "all") -> Location:
    """A location that stands at this place."""
    return Location(at.key, to, at.line, rewrite, when)
