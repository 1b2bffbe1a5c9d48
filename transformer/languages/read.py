"""Texts to our model: which language each is written in, and what all of them say together.

A new language is one module and one row here. Reads no file (`surfaces.mirrorfiles`).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from transformer.errors import PolicyError
from transformer.images.reference import shorten
from transformer.languages.model import Imported, Language, Note, Text
from transformer.policy.locations import variables_of
from transformer.policy.mirrors import Mirrors
from transformer.policy.model import ImageRule, Mirror, Policy, RegistryRule

#: Where the languages stand, in the order in which they are tried: those that a name tells come first.
MODULES = (
    "registries_conf",
    "containerd",
    "k3s",
    "openshift",
    "kustomize",
    "kbld",
    "zarf",
    "oc_mirror",
    "swapper",
    "harbor_webhook",
    "imageswap",
)


def languages() -> tuple[Language, ...]:
    """Every language, in the order in which they are tried."""
    found: list[Language] = []
    for name in MODULES:
        found += import_module(f"transformer.languages.{name}").LANGUAGES
    return tuple(found)


def read(texts: Sequence[Text], format: str | None = None) -> Imported:
    """What the texts say, those of one language together; raises PolicyError with file, line and key.

    `format` names the language of all of them; without it each is recognised by its name and content.
    """
    known = languages()
    by_language: dict[Language, list[Text]] = {}
    passed: list[Note] = []
    for text in texts:
        language = _recognised(known, text) if format is None else _named(known, format, text)
        if language is not None:
            by_language.setdefault(language, []).append(text)
        elif text.found:
            passed.append(Note(text.name, 0, "", "is in no language that is recognised; it was passed over"))
        else:
            names = ", ".join(one.name for one in known)
            raise PolicyError(
                f"is in no language that is recognised; name it (--from, or `format`): {names}", text.name
            )
    parts = [language.read(its) for language, its in by_language.items()]
    return join([*parts, Imported(notes=tuple(passed))])


def join(parts: Sequence[Imported]) -> Imported:
    """Several answers as one; raises PolicyError for a source about which two of them disagree."""
    mirrors: dict[str, Mirror] = {}
    for mirror in (mirror for part in parts for mirror in part.mirrors):
        other = mirrors.setdefault(mirror.source, mirror)
        if _meaning(other) != _meaning(mirror):  # one run of oc-mirror writes the same into several files
            _check_once(mirrors, mirror, "")
    registries = {rule.host: rule for part in reversed(parts) for rule in reversed(part.registries)}
    reached, notes = _reached(tuple(mirrors.values()), tuple(mirrors.values()))
    return Imported(
        reached,
        tuple(rule for part in parts for rule in part.denies),
        tuple(reversed(registries.values())),
        (*(note for part in parts for note in part.notes), *notes),
    )


def into(policy: Policy, imported: Imported) -> Policy:
    """The policy with what was imported; raises PolicyError for a source that it has itself.

    Imported `deny` rules come first; what the policy says about a registry counts. What is not carried over is among
    the policy's notes.
    """
    known = tuple(one for one in policy.mirrors if not any(variables_of(place.to) for place in one.locations))
    reached, notes = _reached(imported.mirrors, (*known, *imported.mirrors))
    mirrors = {mirror.source: mirror for mirror in policy.mirrors}
    for mirror in map(_with_file, reached):
        _check_once(mirrors, mirror, policy.file)
        mirrors[mirror.source] = mirror
    policy = policy._replace(notes=(*policy.notes, *map(told, (*imported.notes, *notes))))
    hosts = {rule.host for rule in policy.registries}
    added: tuple[RegistryRule, ...] = tuple(rule for rule in imported.registries if rule.host not in hosts)
    images: tuple[ImageRule, ...] = (*imported.denies, *policy.images)
    return policy._replace(mirrors=tuple(mirrors.values()), images=images, registries=(*policy.registries, *added))


def told(note: Note) -> str:
    """A note for people."""
    place = ":".join(str(part) for part in (note.file, note.line) if part)
    return f"{shorten(place, 300)}: {shorten(note.key, 200) + ': ' if note.key else ''}{note.why}"


def _reached(mirrors: tuple[Mirror, ...], beside: tuple[Mirror, ...]) -> tuple[tuple[Mirror, ...], list[Note]]:
    """The mirrors that can apply beside all others, and a note for each that cannot: nodes would map its names on."""
    # The file keeps them from being errors.
    known = Mirrors(Policy(mirrors=tuple(one._replace(file=one.file or "policy") for one in beside)))
    dead = {(one.source, one.line): why for one, why in known.unreached()}
    kept, notes = [], []
    for one in mirrors:
        why = dead.get((one.source, one.line))
        if why is None:
            kept.append(one)
        else:
            notes.append(Note(one.file, one.line, one.name, f"{why}; write the last place of such a chain"))
    return tuple(kept), notes


def _with_file(mirror: Mirror) -> Mirror:
    """The mirror under names that tell the file too: those of its language are keys in it."""
    places = tuple(place._replace(name=f"{mirror.file}: {place.name}") for place in mirror.locations)
    return mirror._replace(name=f"{mirror.file}: {mirror.name}", locations=places)


def _meaning(mirror: Mirror) -> Mirror:
    """The mirror without where it stands."""
    places = tuple(place._replace(name="", line=0) for place in mirror.locations)
    return mirror._replace(name="", line=0, file="", locations=places)


def _check_once(known: dict[str, Mirror], mirror: Mirror, file: str) -> None:
    other = known.get(mirror.source)
    if other is not None:
        where = f"{other.file or file}:{other.line}"
        message = f"{mirror.name}: {shorten(mirror.source)} is the source of {other.name} ({where}) too"
        raise PolicyError(f"{message}; take one of them out", mirror.file, mirror.line)


def _named(known: Sequence[Language], format: str, text: Text) -> Language:
    for language in known:
        if language.name == format:
            return language
    from difflib import get_close_matches

    names = [language.name for language in known]
    near = get_close_matches(format, names, 1)
    guess = f"did you mean {near[0]}?" if near else f"there is {', '.join(names)}"
    raise PolicyError(f"there is no format {shorten(format, 60)!r}; {guess}", text.name)


def _recognised(known: Sequence[Language], text: Text) -> Language | None:
    return next((language for language in known if language.recognises(text)), None)
