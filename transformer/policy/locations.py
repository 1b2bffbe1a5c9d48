"""What one location of a mirror makes of an image name: a prefix, or a template, and a rewritten path in it.

`to` is a template exactly when it holds {registry}, {repository}, {name} or {tag}; other braces are variables and are
filled in first, once; a value that holds braces is not a template. No index here (`mirrors`), no proof (`registry`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from transformer.errors import PolicyError
from transformer.images.reference import PATH_LIMIT, Reference, ReferenceError, parse, shorten
from transformer.policy.model import Location
from transformer.policy.rewriting import Rewriting, compile_rewriting

#: Filled from the reference, and so no names for variables.
PLACEHOLDERS = ("registry", "repository", "name", "tag")
VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)

_PORT = re.compile(r"[^/:]*:([0-9]{1,20})(?:/|\Z)", re.ASCII)
_BRACED = re.compile(r"\{([^{}]*)\}")
#: A reference that stands for any other when a location is judged before it is used.
_SAMPLE = Reference("registry.example.com", "path/name", "tag", None, "registry.example.com/path/name:tag")


class Target(NamedTuple):
    """A location with its variables filled in."""

    name: str
    to: str
    template: bool
    takes_tag: bool
    rewriting: Rewriting | None = None
    when: str = "all"
    pull_secret: str | None = None
    warm: bool = False

    def build(self, source: Reference, rest: str) -> str | None:
        """The reference there for a source's (no digest); None when {tag} is wanted and no tag is written.

        `rest` is what follows the mirror's source in the repository path ("" when nothing does). Raises ReferenceError,
        with the path as its message, when the rewrite makes something that is no path.
        """
        repository = source.repository
        if self.rewriting is not None and rest:
            kept, rest = repository[: len(repository) - len(rest)], _checked(self.rewriting(rest))
            repository = kept + rest
        if not self.template:
            text = f"{self.to}/{rest}" if rest else self.to
        elif self.takes_tag and source.tag is None:
            return None
        else:
            parts = {"registry": source.registry, "repository": repository, "tag": source.tag or ""}
            parts["name"] = repository.rpartition("/")[2]
            text = _BRACED.sub(lambda match: parts.get(match.group(1), match.group(0)), self.to)
        return text if self.takes_tag or source.tag is None else f"{text}:{source.tag}"


def check_written(to: str) -> None:
    """Raises ValueError for what is wrong with `to` whatever its variables become."""
    shown = shorten(to)
    if "://" in to:
        raise ValueError(
            f"{_redacted(to)}: a location is a name and has no scheme; write {_redacted(to.partition('://')[2])}"
        )
    if "@" in to:
        raise ValueError(f"{_redacted(to)}: a location holds neither credentials nor a digest")
    if not to.strip("/ "):
        raise ValueError("an empty location; write host[:port][/path]")
    if to != to.strip() or any(char.isspace() for char in to):
        raise ValueError(f"{shown}: a location has no spaces")
    port = _PORT.match(to)
    if port is not None and not 0 < int(port[1]) < 65536:
        raise ValueError(f"{shown}: there is no port {port[1]}; write one from 1 to 65535")
    braced(to)


def braced(to: str) -> tuple[str, ...]:
    """The names in braces, in order; raises ValueError for a brace that belongs to nothing."""
    if re.search(r"[{}]", _BRACED.sub("", to)):
        raise ValueError(f"{shorten(to)}: a brace without its partner; write {{name}}")
    names: tuple[str, ...] = tuple(_BRACED.findall(to))
    for name in names:
        if VARIABLE.fullmatch(name) is None:
            raise ValueError(f"{shorten(to)}: {{{shorten(name, 40)}}} is no variable; letters, digits and _ only")
    return names


def variables_of(to: str) -> tuple[str, ...]:
    """The variables (not the placeholders) that a location uses, in order."""
    return tuple(name for name in braced(to) if name not in PLACEHOLDERS)


def target_of(location: Location, values: Mapping[str, str]) -> Target:
    """The location with these values; raises ValueError when one is missing or the result can hold no image."""
    names = braced(location.to)
    for name in names:
        if name not in values and name not in PLACEHOLDERS:
            raise ValueError(
                f"the variable {name!r} has no value, and {shorten(location.to)} needs it; "
                f"give it in spec.variables, with --set {name}=VALUE or as PINDOWN_VAR_{name.upper()}"
            )
    to = _BRACED.sub(lambda match: values.get(match.group(1), match.group(0)), location.to).strip("/")
    template, rewriting = not set(names).isdisjoint(PLACEHOLDERS), compile_rewriting(location.rewrite)
    rest = location.when, location.pull_secret, location.warm
    target = Target(location.name, to, template, "tag" in names, rewriting, *rest)
    problem = _problem(target)
    if problem:
        raise ValueError(problem)
    return target


def compile_target(location: Location, file: str, values: Mapping[str, str]) -> Target:
    """`target_of`, with a PolicyError that names the location, its file and line instead."""
    try:
        return target_of(location, values)
    except ValueError as error:
        raise PolicyError(f"{location.name}: {error}", file, location.line) from None


def globs_of(target: Target, source: str) -> tuple[str, ...]:
    """The globs of the names that a template can make of a mirror's source (without their tags)."""
    head, slash, tail = target.to.rpartition("/")
    text = head + slash + tail.partition(":")[0]
    for placeholder, wildcard in (("{repository}", "**"), ("{name}", "*"), ("{tag}", "*")):
        text = text.replace(placeholder, wildcard)
    if not text.startswith("{registry}"):
        return (text.replace("{registry}", "*"),)
    host = source.partition("/")[0]  # as wide as the source and no wider: other registries are not there
    ports = ("", ":*") if host.startswith("*.") else ("",)
    return tuple(text.replace("{registry}", host + port) for port in ports)


def has_host(name: str) -> bool:
    """Whether the first path part is a registry, by Docker's rule."""
    first = name.partition("/")[0]
    return first == "localhost" or "." in first or ":" in first


def _checked(path: str) -> str:
    """What a rewrite has made, if it is a path: a tag, a digest or nothing would be another image."""
    if len(path) > PATH_LIMIT:
        raise ReferenceError("too-long", path)
    if not path or ":" in path or "@" in path:
        raise ReferenceError("invalid-format", path or "nothing")
    return path


def _problem(target: Target) -> str | None:
    made = target._replace(rewriting=None).build(_SAMPLE, _SAMPLE.repository) or ""
    if not has_host(made) or "/" not in made:
        return f"{shorten(target.to)} names no host; write host[:port][/path], such as mirror.example.com/hub"
    try:
        parse(made)
    except ReferenceError:
        return f"{shorten(target.to)} can hold no image ({shorten(made)}); write host[:port][/path], lower case, no tag"
    return None


def _redacted(to: str) -> str:
    """The text without anything that may be a credential."""
    scheme, separator, rest = to.rpartition("://")
    authority, slash, path = rest.partition("/")
    return shorten(scheme + separator + authority.rpartition("@")[2] + slash + path.partition("@")[0])
