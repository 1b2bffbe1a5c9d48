"""A policy's mirrors on their way into another language: variables filled in, and what is said about the rest.

Knows what several targets have in common, and none of them. What a target has no word for becomes a note, a mirror that
it cannot say at all is left out, with a note and a line for the head of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from transformer.images.reference import DOCKER_HUB, shorten
from transformer.languages.model import Note
from transformer.languages.scopes import enclosing
from transformer.policy.locations import Target, compile_target
from transformer.policy.mirrors import normalise_source
from transformer.policy.model import Location, Mirror, Policy

HEAD = "# Written by `pindown mirrors export`: change the policy, and export again.\n"
#: Where Docker Hub's API is.
_HUB_API = "registry-1.docker.io"
_WHOLE = "/{repository}"
_PLACEHOLDER = re.compile(r"\{(?:registry|repository|name|tag)\}")
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::[0-9]+)?", re.ASCII)


class Exported(NamedTuple):
    """Files (name below a directory, text), and what they do not say."""

    files: tuple[tuple[str, str], ...] = ()
    notes: tuple[Note, ...] = ()


class Place(NamedTuple):
    """A location as a prefix of names; `plain`: its host is reached over http."""

    location: Location
    to: str
    when: str
    plain: bool = False

    @property
    def rewrite(self) -> dict[str, str]:
        """Patterns and their replacements."""
        return dict(self.location.rewrite)

    @property
    def url(self) -> str:
        """The address of its API, with the path that the names there begin with."""
        host, _, path = self.to.partition("/")
        return api_of(host, self.plain) + (f"/v2/{path}" if path else "")


class Outgoing(NamedTuple):
    """A mirror with the locations that can be said. Without locations its source stays as it is."""

    mirror: Mirror
    source: str
    places: tuple[Place, ...]
    fallback: str


class Report:
    """Collects what a target cannot say."""

    def __init__(self, policy: Policy, target: str) -> None:
        self.policy, self.target = policy, target
        self.notes: list[Note] = []
        self._left_out: list[str] = []

    def note(self, one: Mirror | Location, mirror: Mirror, why: str) -> None:
        """What is not said of a mirror or of its location."""
        self.notes.append(Note(mirror.file or self.policy.file, one.line or mirror.line, one.name, why))

    def leave_out(self, mirror: Mirror, why: str) -> None:
        """The mirror is not in the files."""
        self.note(mirror, mirror, f"{why}; the mirror of {shorten(mirror.source)} is left out")
        self._left_out.append(f"# left out: {shorten(f'{mirror.name} ({mirror.source}): {why}', 300)}\n")

    @property
    def head(self) -> str:
        """The comment with which a file begins."""
        return HEAD + "".join(self._left_out)


def api_of(host: str, plain: bool) -> str:
    """The URL of a registry's API, without a path."""
    return f"{'http' if plain else 'https'}://{_HUB_API if host == DOCKER_HUB else host}"


def insecure_hosts(policy: Policy) -> frozenset[str]:
    """The hosts that the policy reaches over plain http."""
    return frozenset(rule.host.lower() for rule in policy.registries if rule.insecure)


def is_plain(host: str, insecure: Iterable[str]) -> bool:
    """Whether a host is reached over http: marked, or this very machine."""
    return host in insecure or _LOOPBACK.fullmatch(host) is not None


def outgoing(policy: Policy, report: Report, rewrites: bool = False) -> list[Outgoing]:
    """The mirrors as far as prefixes (and `rewrites`) can say them; raises PolicyError for a variable without value."""
    values, insecure = dict(policy.variables), insecure_hosts(policy)
    result = []
    for mirror in policy.mirrors:
        source = normalise_source(mirror.source)
        places = []
        for one in mirror.locations:
            target = compile_target(one, mirror.file or policy.file, values)
            to = _prefix(target, source)
            if to is None:
                report.note(one, mirror, f"{shorten(one.to)} is a template, and {report.target} knows prefixes only")
            elif one.rewrite and not rewrites:
                report.note(one, mirror, f"rewrites paths, which {report.target} cannot; the location is left out")
            else:
                places.append(Place(one, to, one.when, is_plain(to.partition("/")[0], insecure)))
        if not places:
            report.leave_out(mirror, "none of its locations can be said")
            continue
        result.append(_trimmed(mirror, source, places))
    if any(rule.action == "deny" for rule in policy.images):
        report.notes.append(Note(policy.file, 0, "images", "rules with `action: deny` are not exported"))
    return result


def say_words(report: Report, one: Outgoing, resolves: bool = False) -> None:
    """A note with the policy's words that no target has; `resolves`: this one says `resolveAt: mirror`."""
    mirror, words = one.mirror, []
    if one.places:  # otherwise the words are how a policy says that a source stays
        words += [f"write: {mirror.write}"] if mirror.write != "mirror" else []
        words += [f"verify: {mirror.verify}"] if mirror.verify != "same-digest" else []
    words += ["resolveAt: mirror"] if mirror.resolve_at == "mirror" and not resolves else []
    words += ["pullSecret"] if any(place.location.pull_secret for place in one.places) else []
    words += ["warm"] if any(place.location.warm for place in one.places) else []
    if words:
        listed = ", ".join(f"`{word}`" for word in words)
        report.note(mirror, mirror, f"{report.target} has no word for {listed}")


def merged(places: Sequence[Place]) -> list[Place]:
    """Each place once, for a target that lists addresses: the first, for all that any of them is for."""
    result: dict[str, Place] = {}
    for place in places:
        first = result.setdefault(place.to, place)
        if first.when != place.when:
            result[place.to] = first._replace(when="all")
    return list(result.values())


def blockable(mirrors: Sequence[Outgoing], report: Report) -> frozenset[str]:
    """The sources that a target may block because they fall back to nothing.

    A block also holds for what mirrors are asked for: where one lies under the source, or around it, there is none.
    """
    blocked = {one.source for one in mirrors if one.fallback == "fail"}
    sources = {one.source for one in mirrors}
    needed = {place.to: place for one in mirrors for place in one.places}
    governing = {next((scope for scope in enclosing(to) if scope in sources), "") for to in needed}
    inside = {source for source in blocked if any(scope in needed for scope in enclosing(source))}
    for one in mirrors:
        if one.source in blocked and (one.source in governing or one.source in inside):
            why = (
                f"a mirror's location lies there, so {shorten(one.source)} is not blocked: `fallback: fail` is not said"
            )
            report.note(one.mirror, one.mirror, why)
    return frozenset(blocked - governing - inside)


def is_host(source: str) -> bool:
    """Whether a source is one registry, and not a prefix or a wildcard."""
    return "/" not in source and "*" not in source


def _prefix(target: Target, source: str) -> str | None:
    """The prefix that a location is; None for a template that is more than one."""
    host, slash, path = target.to.partition("/")
    to = host.lower() + slash + path
    if not target.template:
        return to
    whole = to.removesuffix(_WHOLE)
    if whole == to or _PLACEHOLDER.search(whole) is not None:
        return None
    return whole + "".join(source.partition("/")[1:])


def _trimmed(mirror: Mirror, source: str, places: list[Place]) -> Outgoing:
    """The source itself as the last location is what `fallback: source` says."""
    fallback, kept = mirror.fallback, list(places)
    while kept and kept[-1].to == source and kept[-1].when == "all" and not kept[-1].rewrite:
        kept.pop()
        fallback = "source"
    return Outgoing(mirror, source, tuple(kept), fallback)
