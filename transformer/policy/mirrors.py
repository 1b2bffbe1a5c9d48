"""Which mirror a reference has, and its names there, in order. Pure: whether a mirror serves them is asked elsewhere.

An exact host beats `*.suffix` beats `*`; then more path parts; then more labels in the suffix. Path boundaries count,
and so do ports. Nothing is mapped twice: a name that already lies under one of the policy's locations stays, and a
location whose names cannot be told from its source's may only make names that a second run leaves alone.
Choosing costs a few look-ups for each part of the name, however many mirrors there are.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import NamedTuple

from transformer.errors import PolicyError
from transformer.images.reference import DOCKER_HUB, Reference, ReferenceError, parse, shorten
from transformer.policy.locations import Target, compile_target, globs_of, has_host
from transformer.policy.model import Mirror, Policy
from transformer.policy.patterns import Glob, compile_glob
from transformer.policy.questions import Refusal

_SUFFIX = re.compile(r"\*\.([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]+)?)", re.ASCII)


class Candidate(NamedTuple):
    """A name that a location gives (`reference` as it would be written, without a digest) and the location's name.

    `pull_secret` and `warm` are the location's.
    """

    reference: Reference
    rule: str
    pull_secret: str | None = None
    warm: bool = False


class Candidates(NamedTuple):
    """The mirror that applies (None: none does), its candidates in order, and what is wrong with the others.

    `unfit`: why locations are not for this reference, which is no mistake of theirs.
    """

    mirror: Mirror | None = None
    locations: tuple[Candidate, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unfit: tuple[str, ...] = ()


class _Route(NamedTuple):
    mirror: Mirror
    targets: tuple[Target, ...]
    #: How many characters of the repository the source has taken, its slash included.
    taken: int
    #: Whether a location may make names that are not known for being there, so that they might be mapped again.
    blurred: bool


class Mirrors:
    """An index over a policy's mirrors; raises PolicyError when a location is unusable with the policy's variables."""

    def __init__(self, policy: Policy) -> None:
        values = dict(policy.variables)
        self._exact: dict[str, dict[str, _Route]] = {}
        self._suffixes: dict[str, _Route] = {}
        self._any: _Route | None = None
        self._there: dict[str, set[str]] = {}
        #: What templates can make, by the host that a template begins with ("" where it begins with a placeholder).
        self._shapes: dict[str, list[Glob]] = {}
        for mirror in policy.mirrors:
            file = mirror.file or policy.file
            targets = tuple(compile_target(location, file, values) for location in mirror.locations)
            source = normalise_source(mirror.source)
            told = [self._add_location(source, target) for target in targets]
            self._add_source(source, mirror, targets, not all(told))
        self._check_reach(policy)

    def candidates(self, reference: Reference, pulls: str | None = None) -> Candidates:
        """The mirror of a reference and its names there.

        `pulls` is what a node will pull: `tag` or `digest`; None: what the reference has.
        """
        host = normalise_source(reference.registry)
        if self._lies_there(host, reference.repository):
            return Candidates()
        route = self._route(host, reference.repository)
        if route is None:
            return Candidates()
        pulls = pulls or ("tag" if reference.digest is None else "digest")
        found = _built(reference, route, pulls)
        if route.blurred:
            again = tuple(self._mapped_again(reference, found, at, pulls) for at in range(len(found.locations)))
            found = found._replace(refusals=(*found.refusals, *(each for each in again if each is not None)))
        return found

    def _mapped_again(self, reference: Reference, found: Candidates, at: int, pulls: str) -> Refusal | None:
        """What is wrong with a name that the next run would change."""
        there, rule, *_ = found.locations[at]
        host = normalise_source(there.registry)
        route = None if self._lies_there(host, there.repository) else self._route(host, there.repository)
        if route is None or _names(_built(there, route, pulls)) == _names(found):
            return None
        return Refusal(
            "invalid-reference",
            f"{rule} makes {shorten(there.written)} of {shorten(reference.name)}, which {route.mirror.name} "
            f"({shorten(route.mirror.source)}) would map again: every run would change the name",
            f"change {rule} in the policy, or give {route.mirror.name} a longer source",
        )

    def _route(self, host: str, repository: str) -> _Route | None:
        paths = self._exact.get(host)
        if paths is not None:
            path = _longest(paths, repository)
            if path is not None:
                return paths[path]
        if self._suffixes:
            rest = host
            while "." in rest:
                rest = rest.partition(".")[2]
                route = self._suffixes.get(rest) or self._suffixes.get(rest.partition(":")[0])
                if route is not None:
                    return route
        return self._any

    def _lies_there(self, host: str, repository: str) -> bool:
        paths = self._there.get(host)
        if paths is not None and _longest(paths, repository) is not None:
            return True
        if not self._shapes:
            return False
        name = f"{host}/{repository}"
        return any(shape.matches(name) for key in (host, "") for shape in self._shapes.get(key, ()))

    def _add_source(self, source: str, mirror: Mirror, targets: tuple[Target, ...], blurred: bool) -> None:
        if source == "*":
            self._any = _Route(mirror, targets, 0, blurred)
        elif source.startswith("*."):
            self._suffixes[source[2:]] = _Route(mirror, targets, 0, blurred)
        else:
            host, _, path = source.partition("/")
            self._exact.setdefault(host, {})[path] = _Route(mirror, targets, len(path) + 1 if path else 0, blurred)

    def _add_location(self, source: str, target: Target) -> bool:
        """Whether the location's names can be told from its source's: if not, they are not taken for being there."""
        if target.template:
            globs = [compile_glob(text.lower()) for text in globs_of(target, source)]
            if all(any(glob.matches(name) for glob in globs) for name in _samples(source)):
                return False
            hosts = [shape.prefix.partition("/")[0] if "/" in shape.prefix else "" for shape in globs]
            for host, shape in zip(hosts, globs, strict=True):
                if shape not in self._shapes.setdefault(host, []):
                    self._shapes[host].append(shape)
            return DOCKER_HUB not in hosts and "" not in hosts
        place = normalise_source(target.to)
        if f"{source}/".startswith(f"{place}/"):
            return False
        host, _, path = place.partition("/")
        self._there.setdefault(host, set()).add(path)
        return host != DOCKER_HUB  # where `a` may become `library/a`, which is not under `a`

    def unreached(self) -> Iterator[tuple[Mirror, str]]:
        """Mirrors that never apply, each with why: all names of their source lie at another mirror's location."""
        for host, routes in self._exact.items():
            paths = self._there.get(host, set())
            for path, route in routes.items() if paths else ():
                place = _longest(paths, path)
                if place is not None and not route.blurred:
                    there = shorten(f"{host}/{place}".rstrip("/"))
                    yield (
                        route.mirror,
                        f"{shorten(route.mirror.source)} lies under {there}, a location of another mirror, and names "
                        "there are not mapped again: it would never apply",
                    )

    def _check_reach(self, policy: Policy) -> None:
        """Raises PolicyError for a mirror of the policy's own that never applies; what is imported was told of."""
        for mirror, why in self.unreached():
            if not mirror.file:
                raise PolicyError(f"{mirror.name}: {why}; take one of the two out", policy.file, mirror.line)

    def holds(self, reference: Reference) -> bool:
        """Whether a name lies at one of the policy's locations already."""
        return self._lies_there(normalise_source(reference.registry), reference.repository)


def _built(reference: Reference, route: _Route, pulls: str) -> Candidates:
    """What a mirror's locations make of a reference."""
    rest = reference.repository[route.taken :]
    found: list[Candidate] = []
    refusals: list[Refusal] = []
    unfit: list[str] = []
    for target in route.targets:
        if target.when not in ("all", pulls):
            unfit.append(f"{target.name} is for images that are pulled by {target.when} (when: {target.when})")
            continue
        text: str | None = ""
        try:
            text = target.build(reference, rest)
            if text is None:
                unfit.append(f"{target.name} needs {{tag}}")
                continue
            if not has_host(text) or "/" not in text:  # it would be read as a name of Docker Hub
                raise ReferenceError("invalid-format", "no registry with a path")
            found.append(Candidate(parse(text), target.name, target.pull_secret, target.warm))
        except ReferenceError as error:
            refusals.append(_unusable(reference, target, text or str(error), error))
    return Candidates(route.mirror, tuple(found), tuple(refusals), tuple(unfit))


def candidates(reference: Reference, policy: Policy, pulls: str | None = None) -> Candidates:
    """For one reference; who has many keeps a `Mirrors`."""
    return Mirrors(policy).candidates(reference, pulls)


def normalise_source(source: str) -> str:
    """A source as it is compared: the host in lower case, Docker Hub under its one name, no slash at the end."""
    host, slash, path = source.rstrip("/").partition("/")
    host = host.lower()
    return (DOCKER_HUB if host == "index.docker.io" else host) + slash + path


def check_source(source: str) -> None:
    """Raises ValueError for a source that could never match, or not what its author means."""
    shown, text = shorten(source), normalise_source(source)
    if not text:
        raise ValueError("an empty source; write a registry such as docker.io, a prefix of names, *.example.com or *")
    if "://" in source or "@" in source:
        raise ValueError("a source is a registry or a prefix of names: no scheme, no credentials, no digest")
    if text == "*" or _SUFFIX.fullmatch(text):
        return
    if "*" in text:
        raise ValueError(f"{shown}: a wildcard is *.example.com (any subdomain, no path) or * alone")
    if not has_host(text):
        raise ValueError(f"{shown}: a source begins with its registry; write docker.io/{shown} for Docker Hub")
    host, _, path = text.partition("/")
    try:
        parsed = parse(f"{host}/{path or 'name'}")
    except ReferenceError:
        parsed = None
    if parsed is None or parsed.tag is not None:
        raise ValueError(f"{shown} is no registry and no prefix of names; write host[:port][/path], lower case, no tag")


def _longest(paths: Container[str], repository: str) -> str | None:
    """The longest of the paths that holds the repository, on path boundaries ("" holds everything)."""
    path = repository
    while path:
        if path in paths:
            return path
        path = path.rpartition("/")[0]
    return "" if "" in paths else None


def _samples(source: str) -> tuple[str, str]:
    """Two names of a source that no template makes by chance."""
    host, slash, path = source.partition("/")
    place = host.replace("*", "zq0.test" if host == "*" else "zq0") + slash + path
    return f"{place}/zq1", f"{place}/zq1/zq2/zq3"


def _names(found: Candidates) -> list[str]:
    return [one.reference.written for one in found.locations]


def _unusable(reference: Reference, target: Target, text: str, error: ReferenceError) -> Refusal:
    return Refusal(
        "invalid-reference",
        f"{target.name} makes {shorten(text)} of {shorten(reference.name)}: no image reference ({error.code})",
        f"change {target.name} in the policy, or give this image a mirror of its own",
    )
