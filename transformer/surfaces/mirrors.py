"""`mirrors import|export`: other systems' mirror configuration to our policy, and our policy to theirs.

What cannot be said on the other side is told on stderr and in a comment of what is written; nothing is dropped in
silence. `mirrors check` is next door (`mirrorcheck`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from transformer.errors import EXIT_FINE, HostError, UsageError
from transformer.images.reference import shorten
from transformer.languages.model import Imported, Note, Text
from transformer.languages.read import read, told
from transformer.policy.model import Location, Mirror
from transformer.policy.words import API_VERSION, KIND
from transformer.surfaces import console
from transformer.surfaces.mirrorfiles import texts_of
from transformer.surfaces.settings import Settings

_DEFAULTS = Mirror("", "", ())
_LOCATION_DEFAULTS = Location("", "")


def import_(paths: Sequence[str], format: str | None) -> int:
    """Prints the policy that files of other systems amount to; raises PolicyError for what no system could use."""
    if not paths:
        raise UsageError("name the files to import, such as /etc/containers/registries.conf, or - for stdin")
    texts: list[Text] = []
    for path in paths:
        texts += [_stdin()] if path == "-" else texts_of(path, path)
    imported = read(texts, format)
    console.write_result(_comments(imported.notes) + _policy(imported))
    _say(imported.notes)
    return EXIT_FINE


def export(to: str | None, directory: str | None, settings: Settings) -> int:
    """Prints the policy's mirrors in another language, or writes them as files below a directory."""
    from transformer.languages.export import FORMATS, export

    if to not in FORMATS:
        raise UsageError(f"--to {shorten(to or '', 60) or '(missing)'}: write one of {', '.join(FORMATS)}")
    exported = export(settings.policy, to)
    if directory is None:
        console.write_result("".join(text for _, text in exported.files))
    else:
        _write(directory, exported.files)
    _say(exported.notes)
    return EXIT_FINE


def _stdin() -> Text:
    try:
        return Text(console.STDIN, console.read_stdin().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise HostError("stdin is not UTF-8 text") from None


def _policy(imported: Imported) -> str:
    import yaml

    spec: dict[str, Any] = {}
    if imported.denies:
        spec["images"] = [{"match": one.match, "action": one.action, "reason": one.reason} for one in imported.denies]
    if imported.mirrors:
        spec["mirrors"] = [_mirror(one) for one in imported.mirrors]
    if imported.registries:
        spec["registries"] = [{"host": one.host, "insecure": one.insecure} for one in imported.registries]
    document = {"apiVersion": API_VERSION, "kind": KIND, "spec": spec}
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times quicker than ruamel.yaml's
    text: str = yaml.dump(document, Dumper=dumper, sort_keys=False, width=4096, allow_unicode=True)
    return text


def _mirror(one: Mirror) -> dict[str, Any]:
    words = {"resolveAt": "resolve_at", "write": "write", "verify": "verify", "fallback": "fallback"}
    return {
        "source": one.source,
        "locations": [_location(place) for place in one.locations],
        **{word: getattr(one, name) for word, name in words.items() if getattr(one, name) != getattr(_DEFAULTS, name)},
    }


def _location(one: Location) -> dict[str, Any]:
    words = {"when": "when", "pullSecret": "pull_secret", "warm": "warm"}
    changed = {
        word: getattr(one, name)
        for word, name in words.items()
        if getattr(one, name) != getattr(_LOCATION_DEFAULTS, name)
    }
    return {"to": one.to, **({"rewrite": dict(one.rewrite)} if one.rewrite else {}), **changed}


def _comments(notes: Iterable[Note]) -> str:
    return "".join(f"# not carried over: {shorten(told(note), 600)}\n" for note in notes)


def _say(notes: Iterable[Note]) -> None:
    console.say("".join(f"note: not carried over: {shorten(told(note), 600)}\n" for note in notes))


def _write(directory: str, files: Sequence[tuple[str, str]]) -> None:
    """Writes the files; those that are there are replaced whole."""
    for name, text in files:
        path = os.path.join(directory, name)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(f"{path}.new", "w", encoding="utf-8", newline="") as file:
                file.write(text)
            os.replace(f"{path}.new", path)
        except OSError as error:
            raise HostError(f"{shorten(path, 300)} cannot be written: {error.strerror}; check --output") from None
