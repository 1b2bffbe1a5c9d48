"""Plain manifests in, pinned manifests out: a pipe, files, and Kustomize's legacy exec plugin."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from transformer.errors import Finding, Place, UsageError
from transformer.pipeline import Outcome, Run, Where
from transformer.surfaces import console, inputs, settings
from transformer.surfaces.job import Job
from transformer.surfaces.settings import Settings
from transformer.text.source import File


def bare(flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """The command without arguments: a KRM function when a ResourceList comes in, a filter for anything else."""
    files, findings, rendered = inputs.read(["-"])
    if files and "ResourceList" in files[0].text:
        from transformer.surfaces import krm

        found = krm.recognise(files[0])
        if found is not None:
            return krm.run(found, flags, environ)
    gathered = settings.gather(flags, environ, os.getcwd(), default_timeout=45)
    return _filter(files, findings, rendered, gathered)


def render(paths: Sequence[str], flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """Files, directories or stdin as one pinned stream on stdout."""
    gathered = settings.gather(flags, environ, os.getcwd(), default_timeout=None)
    return _filter(*inputs.read(paths), gathered)


def legacy(config_path: str, flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """Kustomize's legacy exec plugin: the policy is in a file that it names, the objects come on stdin as a stream."""
    try:
        with open(config_path, encoding="utf-8") as file:
            config = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the plugin's configuration {config_path} cannot be read: {error}") from None
    gathered = settings.gather(flags, environ, os.getcwd(), function_config=config, default_timeout=45)
    return _filter(*inputs.read(["-"]), gathered, may_validate=True)


def _filter(
    files: Sequence[File], findings: Sequence[Finding], rendered: bool, gathered: Settings, may_validate: bool = False
) -> int:
    if gathered.policy.mode == "validate" and not may_validate:
        raise UsageError("mode: validate answers nothing and is only for Kustomize's validators; here use another mode")
    gathered = settings.for_files(gathered, files)
    job, where = Job.begin(gathered), Where()
    resolver = job.resolver()
    outcome = transform(files, findings, rendered, gathered, where, resolver)
    code = job.report(outcome, where, resolver)
    if code == 0 and gathered.policy.mode != "validate":
        texts = [outcome.text(index) for index in range(len(files))]
        joined = File("", texts[0] if len(texts) == 1 else inputs.join(texts), bool(files) and files[0].has_bom)
        console.write_result(joined.marked())
    return code


def transform(
    files: Sequence[File], findings: Sequence[Finding], rendered: bool, gathered: Settings, where: Where, resolver: Any
) -> Outcome:
    """The main job over files; no object in any of them is a finding, since an empty answer would delete what runs."""
    work = Run(gathered.policy, rendered, where, everything=gathered.format == "json")
    for file in files:
        work.survey.file(file)
    outcome = work.finish(files, resolver)
    if not (outcome.documents or findings or outcome.failed):
        name = files[0].name if files else ""
        empty = Finding(
            "unreadable", "there is no Kubernetes object in the input", "check what feeds pindown", place=Place(name)
        )
        findings = [empty]
    return outcome._replace(findings=(*findings, *outcome.findings))
