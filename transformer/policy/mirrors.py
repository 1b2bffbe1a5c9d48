"""Which mirror a reference has, and its names there, in order. Pure: whether a mirror serves them is asked elsewhere.

An exact host beats `*.suffix` beats `*`; then more path parts; then more labels in the suffix. Path boundaries count,
and so do ports. Nothing is mapped twice: a name that already lies under one of the policy's locations stays.
Choosing costs a few look-ups for each part of the name, however many mirrors there are.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import NamedTuple

from transformer.images.reference import DOCKER_HUB, Reference, ReferenceError, parse, shorten
from transformer.policy.locations import Target, compile_target, glob_of, has_host
from transformer.policy.model import Mirror, Policy
from transformer.policy.patterns import Glob, compile_glob
from transformer.policy.questions import Refusal

_SUFFIX = re.compile(r"\*\.([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]+)?)", re.ASCII)


class Candidate(NamedTuple):
    """A name that a location gives (`reference` as it would be written, without a digest) and the location's name."""

    reference: Reference
    rule: str


class Candidates(NamedTuple):
    """The mirror that applies (None: none does), its candidates in order, and what is wrong with the others."""

    mirror: Mirror | None = None
    locations: tuple[Candidate, ...] = ()
    refusals: tuple[Refusal, ...] = ()


class _Route(NamedTuple):
    mirror: Mirror
    targets: tuple[Target, ...]
    #: How many characters of the repository the source has taken, its slash included.
    taken: int


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
            targets = tuple(compile_target(location, policy, values) for location in mirror.locations)
            self._add_source(mirror, targets)
            for target in targets:
                self._add_location(normalise_source(mirror.source), target)

    def candidates(self, reference: Reference) -> Candidates:
        """The mirror of a reference and its names there."""
        host = reference.registry.lower()
        if self._lies_there(host, reference.repository):
            return Candidates()
        route = self._route(host, reference.repository)
        if route is None:
            return Candidates()
        rest = reference.repository[route.taken :]
        found: list[Candidate] = []
        refusals: list[Refusal] = []
        for target in route.targets:
            text = target.build(reference, rest)
            if text is None:
                continue
            try:
                if "/" not in text:  # a host alone would be read as a name of Docker Hub
                    raise ReferenceError("invalid-format", "a registry without a path")
                found.append(Candidate(parse(text), target.name))
            except ReferenceError as error:
                refusals.append(_unusable(reference, target, text, error))
        return Candidates(route.mirror, tuple(found), tuple(refusals))

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

    def _add_source(self, mirror: Mirror, targets: tuple[Target, ...]) -> None:
        source = normalise_source(mirror.source)
        if source == "*":
            self._any = _Route(mirror, targets, 0)
        elif source.startswith("*."):
            self._suffixes[source[2:]] = _Route(mirror, targets, 0)
        else:
            host, _, path = source.partition("/")
            self._exact.setdefault(host, {})[path] = _Route(mirror, targets, len(path) + 1 if path else 0)

    def _add_location(self, source: str, target: Target) -> None:
        if target.template:
            shape = compile_glob(glob_of(target).lower())
            shapes = self._shapes.setdefault(shape.prefix.partition("/")[0] if "/" in shape.prefix else "", [])
            if shape not in shapes:
                shapes.append(shape)
            return
        host, _, path = target.to.partition("/")
        place = f"{host.lower()}/{path}".rstrip("/")
        if f"{source}/".startswith(f"{place}/"):
            return  # the source itself is one of its locations: then its names are not there yet
        self._there.setdefault(host.lower(), set()).add(path)


def candidates(reference: Reference, policy: Policy) -> Candidates:
    """For one reference; who has many keeps a `Mirrors`."""
    return Mirrors(policy).candidates(reference)


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


def _unusable(reference: Reference, target: Target, text: str, error: ReferenceError) -> Refusal:
    return Refusal(
        "invalid-reference",
        f"{target.name} makes {shorten(text)} of {shorten(reference.name)}: no image reference ({error.code})",
        f"change {target.name}.to in the policy, or keep this image with a rule of its own",
    )
