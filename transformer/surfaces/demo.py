"""`demo`: the main job on the embedded registry, with nothing else installed and nothing left behind.

A registry of our own on loopback answers for the images of `fixtures/demo`, one of them behind token auth; the
ResourceList there goes through the same door as any other. Where kustomize is on PATH, the same is shown through a
real build.
"""

from __future__ import annotations

import difflib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformer.embedded import EmbeddedRegistry, demo_directory
from transformer.errors import EXIT_FINDINGS, EXIT_FINE
from transformer.policy.model import Policy
from transformer.report import text
from transformer.surfaces import console, krm
from transformer.surfaces.job import Job
from transformer.surfaces.settings import Settings
from transformer.text.source import File

#: Where the fixtures expect their registry.
_PLACEHOLDER = "localhost:5000"
_NEXT = """
Try next:
  kubectl get deployment web -o yaml | pindown > pinned.yaml    any pipe: manifests in, pinned manifests out
  pindown list k8s/                                             every image in your files, and what would happen to it
  pindown explain nginx:1.27                                    one reference: the rule, who is asked, the answer
  pindown plugin install kustomize                              for kubectl kustomize --enable-alpha-plugins
A policy goes into pindown.yaml: `pindown schema` prints its vocabulary.
"""


def run(flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """Prints what happened; exit code 1 when the main job did not end well."""
    directory = demo_directory()
    with EmbeddedRegistry(directory / "layout", auth={"team/api"}) as registry:
        told, code = _main_job(registry, directory)
        told += _through_kustomize(registry, directory, environ)
    console.write_result(told + _NEXT)
    return code


def _main_job(registry: EmbeddedRegistry, directory: Path) -> tuple[str, int]:
    source = (directory / "resources.yaml").read_text(encoding="utf-8").replace(_PLACEHOLDER, registry.host)
    found = krm.recognise(File("resources.yaml", source))
    assert found is not None, "fixtures/demo/resources.yaml is a ResourceList"
    job = Job.begin(Settings(Policy(), timeout=30))
    resolver = job.resolver()
    outcome = krm.transform(found, job.settings.policy, resolver, krm.ByAnnotation())
    told = [
        f"A registry of our own serves {registry.host} for this demo; team/api wants a token there.\n",
        "A ResourceList, as kustomize sends it, went through pindown. What changed:\n\n",
        *difflib.unified_diff(source.splitlines(True), outcome.text().splitlines(True), "before", "after", n=1),
        "\nThe results, as a KRM host sees them:\n",
        *(f"{line}\n" for line in text.changes(outcome)),
        *(f"{text.finding(one)}\n" for one in outcome.findings),
        f"\n{text.summary(outcome, job.seconds())}\n",
    ]
    return "".join(told), EXIT_FINDINGS if outcome.failed else EXIT_FINE


def _through_kustomize(registry: EmbeddedRegistry, directory: Path, environ: Mapping[str, str]) -> str:
    kustomize = shutil.which("kustomize", path=environ.get("PATH"))
    if kustomize is None:
        return "\nkustomize is not on PATH; with it, this demo would now show the same through `kustomize build`.\n"
    with tempfile.TemporaryDirectory(prefix="pindown-demo-") as below:
        root, programs = Path(below, "kustomize"), Path(below, "bin")
        shutil.copytree(directory / "kustomize", root)
        for file in root.glob("*.yaml"):
            file.write_text(file.read_text(encoding="utf-8").replace(_PLACEHOLDER, registry.host), encoding="utf-8")
        programs.mkdir()
        ours = programs / "pindown"
        ours.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m transformer "$@"\n', encoding="utf-8")
        ours.chmod(0o755)
        path = os.pathsep.join((str(programs), environ.get("PATH", "")))
        # The demo is about itself: no settings of the user's, and nothing left in a cache.
        own = {name: value for name, value in environ.items() if not name.startswith("PINDOWN_")}
        command = [kustomize, "build", "--enable-alpha-plugins", "--enable-exec", str(root)]
        built = subprocess.run(
            command,
            env={**own, "PATH": path, "PINDOWN_CACHE": "off"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    if built.returncode:
        return f"\nkustomize build failed:\n{built.stderr}"
    images = "".join(
        line + "\n" for line in built.stdout.splitlines() if line.strip().removeprefix("- ").startswith("image:")
    )
    shown = f"kustomize {' '.join(command[1:-1])} ."
    return f"\nThe same through a real `{shown}` with pindown under `transformers:`; its images are now:\n\n{images}"
