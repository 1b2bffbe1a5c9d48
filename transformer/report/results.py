"""For KRM hosts: the `results` of a ResourceList, as YAML items or as JSON.

Shape: kustomize's functions-spec (message, severity, resourceRef, field, file, tags). Tens of thousands may be written in one
run, so the YAML is put together by hand: block mappings whose every value is a JSON string.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from transformer.errors import Finding
from transformer.kube.survey import NOWHERE, Resource
from transformer.pipeline import Decided, Outcome

_SAFE = re.compile(r'[^"\\\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff]*')


class Result(NamedTuple):
    """One entry. `current` and `proposed` are None where they make no sense."""

    message: str
    severity: str
    rule: str
    resource: Resource = NOWHERE
    path: str | None = None
    current: str | None = None
    proposed: str | None = None


def results(outcome: Outcome, summary_only: bool) -> list[Result]:
    """An entry for each finding, and for each change, or one for all of them. None when there is nothing to say."""
    entries = [_finding(one) for one in outcome.findings]
    if outcome.failed:
        return entries
    changes = [one for one in outcome.decided if one.decision.text != one.site.value]
    if summary_only and changes:
        entries.append(Result(f"{len(changes)} images changed, {outcome.counts.kept} kept", "info", "pin"))
    else:
        entries += map(_change, changes)
    return entries + [_kept(one) for one in outcome.decided if _is_kept_on_purpose(one)]


def yaml(entries: Iterable[Result], indent: str) -> str:
    """Items of a block sequence, each line behind `indent`."""
    return "".join(f"{indent}{'- ' if first else '  '}{line}\n" for entry in entries for first, line in _lines(entry))


def json(entries: Iterable[Result]) -> str:
    """The same as elements of a JSON array, without its brackets."""
    return ", ".join(_json(entry) for entry in entries)


def _lines(entry: Result) -> Iterator[tuple[bool, str]]:
    first = True
    for key, value in _tree(entry):
        if isinstance(value, str):
            yield first, f"{key}: {value}"
        else:
            yield first, f"{key}:"
            for name, text in value:
                yield False, f"  {name}: {text}"
        first = False


def _json(entry: Result) -> str:
    parts = []
    for key, value in _tree(entry):
        if not isinstance(value, str):
            value = "{" + ", ".join(f'"{name}": {text}' for name, text in value) + "}"
        parts.append(f'"{key}": {value}')
    return "{" + ", ".join(parts) + "}"


def _tree(entry: Result) -> Iterator[tuple[str, str | list[tuple[str, str]]]]:
    """Keys with quoted values, or with keys of their own."""
    yield "message", _quote(entry.message)
    yield "severity", _quote(entry.severity)
    resource = entry.resource
    if resource.api_version and resource.kind and resource.name:
        names = (("apiVersion", resource.api_version), ("kind", resource.kind), ("name", resource.name))
        yield "resourceRef", [(key, _quote(text)) for key, text in (*names, ("namespace", resource.namespace)) if text]
        if entry.path:
            values = (("path", entry.path), ("currentValue", entry.current), ("proposedValue", entry.proposed))
            yield "field", [(key, _quote(text)) for key, text in values if text is not None]
    file = _file(resource)
    if file:
        yield "file", file
    yield "tags", [("rule", _quote(entry.rule))]


def _file(resource: Resource) -> list[tuple[str, str]]:
    path, index = file_of(resource)
    if path is None:
        return []
    return [("path", _quote(path)), *([("index", index)] if index and index.isdigit() else [])]


def file_of(resource: Resource) -> tuple[str | None, str | None]:
    """The file that a host says the object came from, and its index there: from kpt's or kustomize's annotations."""
    annotations = resource.annotations
    path = annotations.get("config.kubernetes.io/path") or annotations.get("internal.config.kubernetes.io/path")
    index = annotations.get("config.kubernetes.io/index") or annotations.get("internal.config.kubernetes.io/index")
    if path is None:
        origin = re.search(r"^path: *(\S.*)$", annotations.get("config.kubernetes.io/origin", ""), re.MULTILINE)
        path, index = (origin[1] if origin else None), None
    return path, index


def _finding(one: Finding) -> Result:
    place = one.place
    message = f"{one.message}; {one.help}" if one.help else one.message
    resource = Resource(*place[3:7], {"config.kubernetes.io/path": place.file} if place.file else {})
    return Result(message, one.severity, one.rule, resource, place.path)


def _change(one: Decided) -> Result:
    site, decision = one.site, one.decision
    rule = one.plan.rule if one.plan else "pin"
    return Result(decision.why or decision.outcome, "info", rule, site.resource, site.path, site.value, decision.text)


def _kept(one: Decided) -> Result:
    rule = one.plan.rule if one.plan else "keep"
    return Result(f"kept: {one.decision.why}", "info", rule, one.site.resource, one.site.path, one.site.value)


def _is_kept_on_purpose(one: Decided) -> bool:
    return one.decision.outcome == "kept" and one.decision.text == one.site.value and "@" not in one.site.value


def _quote(text: str) -> str:
    if _SAFE.fullmatch(text):
        return f'"{text}"'
    from json import dumps

    return dumps(text)
