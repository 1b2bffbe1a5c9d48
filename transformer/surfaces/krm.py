"""The KRM function: a ResourceList in, the same ResourceList out with images pinned and `results` added.

Everything else in it stays as it is, byte for byte; the answer is YAML or JSON as the input was. On failure the input
comes back with results (hosts throw it away, and parse it first). Source: kustomize's functions-spec.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from transformer.errors import Finding, Place
from transformer.kube.reading import Reader, kind_of
from transformer.kube.survey import Standing
from transformer.pipeline import Outcome, Run, Where
from transformer.policy.model import Policy
from transformer.policy.questions import Resolver
from transformer.surfaces import console, settings
from transformer.surfaces.job import Job
from transformer.text.documents import Span
from transformer.text.edits import apply
from transformer.text.outline import Outlines
from transformer.text.source import File
from transformer.text.tree import Parsed, TextError, Tree

_CONTENT = re.compile(r"^(?!(?:---|\.\.\.)?[ \t\r]*(?:#.*)?$)", re.MULTILINE)
#: Only kpt says which file an object is from in this way. It takes an empty answer for an empty package and deletes the
#: files, so to kpt a validation answers what came in; its validators do not look at that.
_KPT = "internal.config.kubernetes.io/path"
#: Keys that must not stand twice: what would one run by, or what would be deployed?
_ONCE = frozenset(("apiVersion", "kind", "items", "functionConfig", "results"))
VERSIONS = ("config.kubernetes.io/v1", "config.kubernetes.io/v1beta1", "config.kubernetes.io/v1alpha1")


class ResourceList(NamedTuple):
    """A recognised ResourceList: its document's span, its items where they can be cut, its envelope (or all)."""

    reader: Reader
    span: Span
    items: tuple[Span, ...]
    envelope: Parsed
    envelope_text: str

    @property
    def file(self) -> File:
        return self.reader.file


class ByAnnotation(Where):
    """In a ResourceList lines mean nothing to the user; the host's annotations say which file an object came from."""

    def __call__(self, thing: Standing) -> Place:
        if thing.resource.kind is None and thing.resource.name is None:
            return super().__call__(thing)
        from transformer.report import results

        return results.where_of(thing)


def recognise(file: File) -> ResourceList | None:
    """The ResourceList in a file whose first document is one, else None."""
    reader = Reader(file, Outlines())
    span = next((span for span in reader.documents() if _has_document(file, span)), None)
    if span is None:
        return None
    as_list = reader.as_list(span)
    try:
        parsed = as_list.envelope if as_list else next(iter(reader.read(span)), None)
    except TextError:
        return None
    if parsed is None or not _is_resource_list(*kind_of(parsed)):
        return None
    if as_list is None:
        return ResourceList(reader, span, (), parsed, file.text[span.start : span.end])
    return ResourceList(reader, span, as_list.listed.items, parsed, as_list.envelope_text)


def run(found: ResourceList, flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """Answers a ResourceList on stdout; the exit code is 1 when a finding is an error."""
    config = function_config(found)
    gathered = settings.gather(flags, environ, os.getcwd(), function_config=config, default_timeout=45)
    job = Job.begin(settings.for_files(gathered, (found.file,)))
    resolver, where = job.resolver(), ByAnnotation()
    outcome = transform(found, job.settings.policy, resolver, where, everything=job.settings.format == "json")
    code = job.report(outcome, where, resolver)
    console.write_result(_answer(found, outcome, job.settings.policy))
    return code


def transform(
    found: ResourceList, policy: Policy, resolver: Resolver, where: Where, everything: bool = False
) -> Outcome:
    """The main job over the items of a ResourceList; `everything`: with a decision for what is left alone too."""
    work = Run(policy, where=where, everything=everything)
    problem = _problem(found)
    if problem is None:
        if found.items:
            work.survey.items(found.reader, found.items, found.span)
        else:
            work.survey.document(found.reader, found.span)
    outcome = work.finish((found.file,), resolver)
    return outcome if problem is None else outcome._replace(findings=(problem, *outcome.findings))


def _problem(found: ResourceList) -> Finding | None:
    version, place = kind_of(found.envelope)[0], Place(found.file.name)
    if version not in VERSIONS:
        return Finding(
            "unreadable", f"a ResourceList of {version} is not known here", f"send {VERSIONS[0]}", place=place
        )
    if any(_has_document(found.file, span) for span in found.reader.documents() if span.start > found.span.start):
        return Finding("unreadable", "another document follows the ResourceList", "send one ResourceList", place=place)
    twice = next((one for one in found.envelope.duplicates if one.key in _ONCE), None)
    if twice is not None:
        message = f"the key {twice.key} stands twice in this ResourceList"
        return Finding("duplicate-key", message, "remove one of the two", place=place)
    for key, advice in (("items", "write `items:` with a list"), ("results", "take them out, or write a list")):
        if not _is_list(found.envelope, _get(found.envelope.tree, key)):
            return Finding("unreadable", f"the {key} of this ResourceList are no list", advice, place=place)
    return None


def _is_list(envelope: Parsed, node: Tree | None) -> bool:
    """Whether it is a list, or nothing that could be another thing."""
    return node is None or isinstance(node, list) or (isinstance(node, int) and envelope.scalar(node).is_null)


def _answer(found: ResourceList, outcome: Outcome, policy: Policy) -> str:
    is_check = policy.mode == "validate"
    if is_check and _KPT not in found.file.text:
        return ""  # Kustomize's validators fail on any other answer
    if outcome.failed and not _takes_results(found):
        return ""  # hosts parse the answer before they look at the exit code, and would tell of nothing else
    from transformer.report import results
    from transformer.surfaces.appending import append_results

    edits = [] if outcome.failed or is_check else list(outcome.edits[0])
    entries: Sequence[results.Result] = []
    if outcome.failed or not is_check:
        entries = results.results(outcome, policy.results == "summary")
    entries = results.unsaid(entries, found.file.text)
    if entries:
        edits.append(append_results(found.file.text, found.span, entries))
    return found.file._replace(text=apply(found.file.text, edits)).marked()


def _takes_results(found: ResourceList) -> bool:
    """Whether the input with results added would be something that a host can parse."""
    try:
        for span in found.reader.documents():
            found.reader.read(span)
    except TextError:
        return False
    return _is_list(found.envelope, _get(found.envelope.tree, "results"))


def function_config(found: ResourceList) -> str | None:
    """The functionConfig as a text of its own; None when there is none."""
    config = _get(found.envelope.tree, "functionConfig")
    if config is None or (isinstance(config, int) and found.envelope.scalar(config).is_null):
        return None
    from transformer.surfaces.appending import block_under

    block = block_under("functionConfig", found.envelope_text)
    if block is not None and not found.envelope.duplicates:
        return found.envelope_text[block.start : block.end]
    return to_json(found.envelope, config)


def to_json(parsed: Parsed, node: Tree) -> str:
    """A part of a document as JSON text, plain scalars read by YAML 1.2's core schema."""
    import json

    from transformer.policy.reading import plain

    def value(node: Tree) -> Any:
        if isinstance(node, dict):
            return {key: value(child) for key, child in node.items()}
        if isinstance(node, list):
            return [value(child) for child in node]
        scalar = parsed.scalar(node)
        return scalar.value if scalar.style or scalar.tagged else plain(scalar.value)

    return json.dumps(value(node), indent=1)


def _get(tree: Tree, key: str) -> Tree | None:
    return tree.get(key) if isinstance(tree, dict) else None


def _is_resource_list(version: str, kind: str) -> bool:
    return kind == "ResourceList" and version.startswith("config.kubernetes.io/")


def _has_document(file: File, span: Span) -> bool:
    return _CONTENT.search(file.text, *span) is not None
