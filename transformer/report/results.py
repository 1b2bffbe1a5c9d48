"""For KRM hosts: the `results` of a ResourceList, as YAML items or as JSON.

Shape: kustomize's functions-spec (message, severity, resourceRef, field, file, tags). Tens of thousands may be written
in one run, so the text is put together by hand: one JSON object an entry, which is YAML as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from transformer.errors import Finding, Place
from transformer.kube.identity import NOWHERE, Resource
from transformer.kube.survey import Site, Standing
from transformer.pipeline import Decided, Outcome
from transformer.report.text import place as tell_place

if TYPE_CHECKING:
    from transformer.policy.injection import Injection

_SAFE = re.compile(r'[^"\\\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]*')
_UNSAFE = re.compile(r"[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_TAGS = '"tags": {"rule":'
#: The rule of what is added: the policy's key.
_INJECTED = "pullSecrets.inject"
_INDEX = re.compile(r"[0-9]{1,9}")


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
    """An entry for each finding, for each change and each list of pull secrets that grew, or one for all of those.

    None when there is nothing to say.
    """
    sites = {_key(where_of(one.site)): one.site for one in outcome.decided} if outcome.findings else {}
    entries = [_finding(one, sites.get(_key(one.place))) for one in outcome.findings]
    if outcome.failed:
        return entries
    changes = [one for one in outcome.decided if one.decision.text != one.site.value]
    if summary_only and changes:
        added = f", pull secrets added in {len(outcome.injections)} places" if outcome.injections else ""
        entries.append(Result(f"{len(changes)} images changed, {outcome.counts.kept} kept{added}", "info", "pin"))
    else:
        entries += map(_change, changes)
        entries += map(_injected, outcome.injections)
    return entries + [_kept(one) for one in outcome.decided if _is_kept_on_purpose(one)]


def unsaid(entries: Sequence[Result], text: str) -> Sequence[Result]:
    """The entries without those that stand in the text already: a second run adds nothing."""
    if _TAGS not in text:
        return entries
    write = _Writer()
    return [entry for entry in entries if write(entry) not in text]


def yaml(entries: Iterable[Result], indent: str) -> str:
    """Items of a block sequence, one a line, each behind `indent`."""
    return "".join([f"{indent}- {entry}\n" for entry in map(_Writer(), entries)])


def json(entries: Iterable[Result]) -> str:
    """The same as elements of a JSON array, without its brackets."""
    return ", ".join(map(_Writer(), entries))


class _Writer:
    """Writes entries as JSON objects, which are YAML too; what many entries share of a resource is written once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, str]] = {}

    def __call__(self, entry: Result) -> str:
        known = self._known.get(id(entry.resource))
        if known is None:
            known = self._known[id(entry.resource)] = _reference(entry.resource), _file(entry.resource)
        reference, file = known
        field = _field(entry) if reference else ""
        head = f'{{"message": {_quote(entry.message)}, "severity": "{entry.severity}", '
        return f'{head}{reference}{field}{file}"tags": {{"rule": {_quote(entry.rule)}}}}}'


def _reference(resource: Resource) -> str:
    """The resourceRef, when all that it requires is known."""
    version, kind, namespace, name = resource[:4]
    if not (version and kind and name):
        return ""
    within = f', "namespace": {_quote(namespace)}' if namespace else ""
    return (
        f'"resourceRef": {{"apiVersion": {_quote(version)}, "kind": {_quote(kind)}, "name": {_quote(name)}{within}}}, '
    )


def _field(entry: Result) -> str:
    if not entry.path:
        return ""
    current = "" if entry.current is None else f', "currentValue": {_quote(entry.current)}'
    proposed = "" if entry.proposed is None else f', "proposedValue": {_quote(entry.proposed)}'
    return f'"field": {{"path": {_quote(entry.path)}{current}{proposed}}}, '


def _file(resource: Resource) -> str:
    path, index = file_of(resource)
    if path is None:
        return ""
    number = f', "index": {int(index)}' if index and _INDEX.fullmatch(index) else ""
    return f'"file": {{"path": {_quote(path)}{number}}}, '


def file_of(resource: Resource) -> tuple[str | None, str | None]:
    """The file that a host says the object came from, and its index there: from kpt's or kustomize's annotations."""
    annotations = resource.annotations
    path = annotations.get("config.kubernetes.io/path") or annotations.get("internal.config.kubernetes.io/path")
    index = annotations.get("config.kubernetes.io/index") or annotations.get("internal.config.kubernetes.io/index")
    if path is None:
        origin = re.search(r"^path: *(\S.*)$", annotations.get("config.kubernetes.io/origin", ""), re.MULTILINE)
        path, index = (origin[1] if origin else None), None
    return path, index


def where_of(thing: Standing) -> Place:
    """Where something in a ResourceList stands: lines mean nothing there, the host says which file it is from."""
    return Place(file_of(thing.resource)[0] or "", 0, 0, *thing.resource[:4], thing.path)


def _key(place: Place) -> tuple[str | int | None, ...]:
    return (place.file, *place[3:])


def _finding(one: Finding, site: Site | None) -> Result:
    """`site` is the one that the finding is about, if any: it knows the index in the file, and the value."""
    message = f"{one.message}; {one.help}" if one.help else one.message
    if site is not None and _reference(site.resource):
        return Result(message, one.severity, one.rule, site.resource, site.path, site.value)
    place = one.place
    resource = Resource(*place[3:7], {"config.kubernetes.io/path": place.file} if place.file else {})
    if not _reference(resource):  # then the message has to say where
        where = tell_place(place)
        return Result(f"{where}: {message}" if where else message, one.severity, one.rule)
    return Result(message, one.severity, one.rule, resource, place.path)


def _change(one: Decided) -> Result:
    site, decision = one.site, one.decision
    rule = one.plan.rule if one.plan else "pin"
    return Result(decision.why or decision.outcome, "info", rule, site.resource, site.path, site.value, decision.text)


def _injected(one: Injection) -> Result:
    names = ", ".join(one.names)
    return Result(f"pull secrets added: {names}", "info", _INJECTED, one.resource, one.path, None, names)


def _kept(one: Decided) -> Result:
    rule = one.plan.rule if one.plan else "keep"
    return Result(f"kept: {one.decision.why}", "info", rule, one.site.resource, one.site.path, one.site.value)


def _is_kept_on_purpose(one: Decided) -> bool:
    return one.decision.outcome == "kept" and one.decision.text == one.site.value and "@" not in one.site.value


def _quote(text: str) -> str:
    if _SAFE.fullmatch(text):
        return f'"{text}"'
    from json import dumps

    # No escaped surrogates, which YAML does not know: characters beyond the first plane stay, halves are replaced.
    return _UNSAFE.sub(_escape, dumps(text, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return "\\ufffd" if 0xD800 <= code < 0xE000 else f"\\u{code:04x}"
