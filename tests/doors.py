"""What the tests of the doors share: a door's answer, objects to send through it, and how to take an answer apart."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest
import yaml

from tests.tools import ACCEPTED

V1 = "config.kubernetes.io/v1"
#: As long as a digest, and in no registry.
ELSEWHERE = "sha256:" + "e" * 64


class Ran(NamedTuple):
    """How a command ended: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


def pod(image: object, name: str = "web", extra: str = "", comment: str = "") -> str:
    """A Pod with one container; `extra` lines go into its metadata, `comment` behind the image."""
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n{extra}"
        f"spec:\n  containers:\n  - name: main\n    image: {image}{comment}\n"
    )


def item(text: str) -> str:
    """A document as an item of a block list."""
    lines = text.splitlines(True)
    return "- " + "  ".join(lines)


def resource_list(*objects: str, config: str = "", results: str = "", version: str = V1) -> str:
    """A ResourceList in block style; `config` and `results` are whole lines with their keys."""
    items = "items:\n" + "".join(map(item, objects)) if objects else "items: []\n"
    return f"apiVersion: {version}\nkind: ResourceList\n{items}{config}{results}"


def transformer(**spec: Any) -> str:
    """A functionConfig of our own kind."""
    value = {"apiVersion": "pindown.dev/v1alpha1", "kind": "ImageTransformer", "metadata": {"name": "x"}, "spec": spec}
    return "functionConfig:\n" + "".join(f"  {line}\n" for line in yaml.safe_dump(value).splitlines())


def results(answer: str) -> list[dict[str, Any]]:
    """The results in a ResourceList that came back; it must be YAML."""
    found = next(iter(yaml.safe_load_all(answer))).get("results") or []
    assert isinstance(found, list)
    return found


def without_results(answer: str) -> str:
    """A block-style answer without the results that were added to one that had none."""
    return answer.partition("\nresults:")[0] + "\n"


def json_lines(text: str) -> list[dict[str, Any]]:
    """The objects of JSON Lines."""
    return [json.loads(line) for line in text.splitlines()]


def rules(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rule ids of results, in order."""
    return [one["tags"]["rule"] for one in found]


def host_if_there(name: str) -> str:
    """The path of a host that `.ci/tools` does not install; without it the test is skipped, in CI too."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{ACCEPTED}{name} is not on PATH")
    return path
