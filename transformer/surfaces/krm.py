"""The KRM function: a ResourceList in, the same ResourceList out with images pinned and `results` added.

Everything else in it stays as it is, byte for byte; the answer is YAML or JSON as the input was. On failure the input comes
back with results (hosts throw it away, and parse it first). Source: kustomize's functions-spec.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from transformer.errors import EXIT_FINDINGS, Finding, Place
from transformer.kube.reading import Reader, kind_of
from transformer.kube.survey import Oddity, Site
from transformer.pipeline import Outcome, Run, Where
from transformer.policy.model import Policy
from transformer.policy.questions import Resolver
from transformer.report import results
from transformer.surfaces import console, settings
from transformer.surfaces.appending import append_results, block_under
from transformer.surfaces.job import Job
from transformer.text.documents import Span
from transformer.text.edits import apply
from transformer.text.outline import Outlines
from transformer.text.source import File
from transformer.text.tree import Parsed, TextError, Tree

_CONTENT = re.compile(r"^(?!(?:---|\.\.\.)?[ \t\r]*(?:#.*)?$)", re.MULTILINE)
VERSIONS = ("config.kubernetes.io/v1", "config.kubernetes.io/v1beta1", "config.kubernetes.io/v1alpha1")


class ResourceList(NamedTuple):
    """A recognised ResourceList: its file, its document's span, and its envelope (the tree may hold the items or not)."""

    file: File
    span: Span
    envelope: Parsed
    envelope_text: str
    others: int


class ByAnnotation(Where):
    """In a ResourceList lines mean nothing to the user; the host's annotations say which file an object came from."""

    def __call__(self, thing: Site | Oddity) -> Place:
        if thing.resource.kind is None and thing.resource.name is None:
            return super().__call__(thing)
        file, _ = results.file_of(thing.resource)
        return Place(file or "", 0, 0, *thing.resource[:4], thing.path)


def recognise(file: File) -> ResourceList | None:
    """The ResourceList in a file whose first document is one, else None."""
    reader = Reader(file, Outlines())
    spans = [span for span in reader.documents() if _has_document(file.text[span.start : span.end])]
    if not spans:
        return None
    as_list = reader.as_list(spans[0])
    try:
        parsed = as_list.envelope if as_list else next(iter(reader.read(spans[0])), None)
    except TextError:
        return None
    if (
        parsed is None
        or kind_of(parsed)[1] != "ResourceList"
        or not kind_of(parsed)[0].startswith("config.kubernetes.io/")
    ):
        return None
    text = as_list.envelope_text if as_list else file.text[spans[0].start : spans[0].end]
    return ResourceList(file, spans[0], parsed, text, len(spans) - 1)


def run(found: ResourceList, flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """Answers a ResourceList on stdout; the exit code is 1 when a finding is an error."""
    config = function_config(found)
    job = Job.begin(settings.gather(flags, environ, os.getcwd(), function_config=config, default_timeout=45))
    resolver, where = job.resolver(), ByAnnotation()
    outcome = transform(found, job.settings.policy, resolver, where)
    code = job.report(outcome, where, resolver)
    if job.settings.policy.mode != "validate":
        console.write_result(_answer(found, outcome, job.settings.policy.results == "summary"))
    return code


def transform(found: ResourceList, policy: Policy, resolver: Resolver, where: Where) -> Outcome:
    """The main job over the items of a ResourceList."""
    work = Run(policy, where=where)
    problem = _problem(found)
    if problem is None:
        work.survey.document(work.survey.reader(found.file), found.span)
    outcome = work.finish((found.file,), resolver)
    return outcome if problem is None else outcome._replace(findings=(problem, *outcome.findings))


def _problem(found: ResourceList) -> Finding | None:
    version, items = kind_of(found.envelope)[0], _get(found.envelope.tree, "items")
    place = Place(found.file.name)
    if version not in VERSIONS:
        return Finding(
            "unreadable", f"a ResourceList of {version} is not known here", f"send {VERSIONS[0]}", place=place
        )
    if found.others:
        return Finding("unreadable", "another document follows the ResourceList", "send one ResourceList", place=place)
    is_null = isinstance(items, int) and found.envelope.scalar(items).is_null
    if not (items is None or isinstance(items, list) or is_null):
        return Finding(
            "unreadable", "the items of this ResourceList are no list", "write `items:` with a list", place=place
        )
    return None


def _answer(found: ResourceList, outcome: Outcome, summary_only: bool) -> bytes:
    edits = [] if outcome.failed else list(outcome.edits[0])
    entries = results.results(outcome, summary_only)
    if entries:
        edits.append(append_results(found.file.text, found.span, entries))
    return found.file._replace(text=apply(found.file.text, edits)).encode()


def function_config(found: ResourceList) -> str | None:
    """The functionConfig as a text of its own; None when there is none."""
    config = _get(found.envelope.tree, "functionConfig")
    if config is None or (isinstance(config, int) and found.envelope.scalar(config).is_null):
        return None
    block = block_under("functionConfig", found.envelope_text)
    if block is not None:
        return found.envelope_text[block.start : block.end]
    return to_json(found.envelope, config)


def to_json(parsed: Parsed, node: Tree) -> str:
    """A part of a document as JSON text, plain scalars read by YAML 1.2's core schema."""
    import json

    def value(node: Tree) -> Any:
        if isinstance(node, dict):
            return {key: value(child) for key, child in node.items()}
        if isinstance(node, list):
            return [value(child) for child in node]
        scalar = parsed.scalar(node)
        if scalar.is_null:
            return None
        try:
            return scalar.value if scalar.style or scalar.tagged else json.loads(scalar.value)
        except ValueError:
            return scalar.value

    return json.dumps(value(node), indent=1)


def _get(tree: Tree, key: str) -> Tree | None:
    return tree.get(key) if isinstance(tree, dict) else None


def _has_document(text: str) -> bool:
    return _CONTENT.search(text) is not None
