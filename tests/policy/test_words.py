"""The schema against the loader: what one knows, the other knows, and every word changes something."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.policy.test_load import EVERYTHING, spec
from transformer.errors import PindownError
from transformer.policy import build, words
from transformer.policy.configmap import DATA
from transformer.policy.load import load
from transformer.policy.model import Policy

SCHEMA = json.loads(words.schema_text())


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    return SCHEMA["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def properties(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of the schema by its path: `spec.images[].match`."""
    node = resolved(node)
    for name, child in node.get("properties", {}).items():
        here = f"{path}.{name}".removeprefix(".")
        yield here, resolved(child)
        yield from properties(child, here)
    if "items" in node:
        yield from properties(node["items"], f"{path}[]")


PATHS = dict(properties(SCHEMA))
SPEC = sorted(path for path in PATHS if path.startswith("spec."))

#: One row for each word: a spec that uses it, and one that says the same with another value or without it.
CHANGES = {
    "spec.pin": ("pin: {style: tag}", ""),
    "spec.pin.digest": (
        "pin: {digest: platform, platform: linux/amd64}",
        "pin: {digest: index, platform: linux/amd64}",
    ),
    "spec.pin.platform": ("pin: {platform: linux/amd64}", "pin: {platform: linux/arm64}"),
    "spec.pin.style": ("pin: {style: digest}", "pin: {style: tag}"),
    "spec.pin.existing": ("pin: {existing: verify}", "pin: {existing: refresh}"),
    "spec.images": ("images: [{match: a}]", ""),
    "spec.images[].match": ("images: [{match: a}]", "images: [{match: b}]"),
    "spec.images[].action": (
        "images: [{match: a, action: keep, reason: x}]",
        "images: [{match: a, action: deny, reason: x}]",
    ),
    "spec.images[].reason": ("images: [{match: a, reason: x}]", "images: [{match: a, reason: y}]"),
    "spec.images[].platform": ("images: [{match: a, platform: linux/arm64}]", "images: [{match: a}]"),
    "spec.images[].style": ("images: [{match: a, style: tag}]", "images: [{match: a}]"),
    "spec.mirrors": ("mirrors: [{source: a.io, locations: [{to: b.io}]}]", ""),
    "spec.mirrors[].source": (
        "mirrors: [{source: a.io, locations: [{to: c.io}]}]",
        "mirrors: [{source: b.io, locations: [{to: c.io}]}]",
    ),
    "spec.mirrors[].locations": (
        "mirrors: [{source: a.io, locations: [{to: b.io}, {to: c.io}]}]",
        "mirrors: [{source: a.io, locations: [{to: b.io}]}]",
    ),
    "spec.mirrors[].locations[].to": (
        "mirrors: [{source: a.io, locations: [{to: b.io}]}]",
        "mirrors: [{source: a.io, locations: [{to: c.io}]}]",
    ),
    "spec.mirrors[].resolveAt": (
        "mirrors: [{source: a.io, locations: [{to: b.io}], resolveAt: mirror}]",
        "mirrors: [{source: a.io, locations: [{to: b.io}], resolveAt: source}]",
    ),
    "spec.mirrors[].write": (
        "mirrors: [{source: a.io, locations: [{to: b.io}], write: source}]",
        "mirrors: [{source: a.io, locations: [{to: b.io}], write: mirror}]",
    ),
    "spec.mirrors[].verify": (
        "mirrors: [{source: a.io, locations: [{to: b.io}], verify: none}]",
        "mirrors: [{source: a.io, locations: [{to: b.io}], verify: exists}]",
    ),
    "spec.mirrors[].fallback": (
        "mirrors: [{source: a.io, locations: [{to: b.io}], fallback: source}]",
        "mirrors: [{source: a.io, locations: [{to: b.io}], fallback: fail}]",
    ),
    "spec.mirrors[].locations[].rewrite": (
        "mirrors: [{source: a.io, locations: [{to: b.io, rewrite: {'^a/': 'c/'}}]}]",
        "mirrors: [{source: a.io, locations: [{to: b.io, rewrite: {'^a/': 'd/'}}]}]",
    ),
    "spec.mirrors[].locations[].when": (
        "mirrors: [{source: a.io, locations: [{to: b.io, when: tag}]}]",
        "mirrors: [{source: a.io, locations: [{to: b.io, when: digest}]}]",
    ),
    "spec.mirrors[].locations[].pullSecret": (
        "mirrors: [{source: a.io, locations: [{to: b.io, pullSecret: x}]}]",
        "mirrors: [{source: a.io, locations: [{to: b.io, pullSecret: y}]}]",
    ),
    "spec.mirrors[].locations[].warm": (
        "mirrors: [{source: a.io, locations: [{to: b.io, warm: true}]}]",
        "mirrors: [{source: a.io, locations: [{to: b.io, warm: false}]}]",
    ),
    "spec.mirrorsFrom": ("mirrorsFrom: [{file: a}]", ""),
    "spec.mirrorsFrom[].file": ("mirrorsFrom: [{file: a}]", "mirrorsFrom: [{file: b}]"),
    "spec.mirrorsFrom[].manifests": ("mirrorsFrom: [{manifests: true}]", "mirrorsFrom: [{file: a}]"),
    "spec.mirrorsFrom[].format": ("mirrorsFrom: [{file: a, format: x}]", "mirrorsFrom: [{file: a}]"),
    "spec.matrix": ("matrix: {a: [b]}", "matrix: {a: [c]}"),
    "spec.pullSecrets": ("pullSecrets: {inject: true}", ""),
    "spec.pullSecrets.inject": ("pullSecrets: {inject: true}", "pullSecrets: {inject: false}"),
    "spec.pullSecrets.target": ("pullSecrets: {target: pod}", "pullSecrets: {target: serviceAccount}"),
    "spec.pullSecrets.known": ("pullSecrets: {known: [a]}", "pullSecrets: {known: [b]}"),
    "spec.variables": ("variables: {a: b}", "variables: {a: c}"),
    "spec.fields": ("fields: [{kind: A, path: a}]", ""),
    "spec.fields[].group": ("fields: [{kind: A, path: a, group: ''}]", "fields: [{kind: A, path: a}]"),
    "spec.fields[].kind": ("fields: [{kind: A, path: a}]", "fields: [{kind: B, path: a}]"),
    "spec.fields[].path": ("fields: [{kind: A, path: a}]", "fields: [{kind: A, path: b}]"),
    "spec.registries": ("registries: [{host: a.io}]", ""),
    "spec.registries[].host": ("registries: [{host: a.io}]", "registries: [{host: b.io}]"),
    "spec.registries[].insecure": ("registries: [{host: a.io, insecure: true}]", "registries: [{host: a.io}]"),
    "spec.registries[].caBundle": ("registries: [{host: a.io, caBundle: x}]", "registries: [{host: a.io}]"),
    "spec.registries[].maxConcurrency": (
        "registries: [{host: a.io, maxConcurrency: 1}]",
        "registries: [{host: a.io, maxConcurrency: 2}]",
    ),
    "spec.registries[].credentials": (
        "registries: [{host: a.io, credentials: {secretFile: x}}]",
        "registries: [{host: a.io}]",
    ),
    "spec.registries[].credentials.usernameEnv": (
        "registries: [{host: a.io, credentials: {usernameEnv: A, passwordEnv: P}}]",
        "registries: [{host: a.io, credentials: {usernameEnv: B, passwordEnv: P}}]",
    ),
    "spec.registries[].credentials.passwordEnv": (
        "registries: [{host: a.io, credentials: {usernameEnv: A, passwordEnv: P}}]",
        "registries: [{host: a.io, credentials: {usernameEnv: A, passwordEnv: Q}}]",
    ),
    "spec.registries[].credentials.dockerConfig": (
        "registries: [{host: a.io, credentials: {dockerConfig: x}}]",
        "registries: [{host: a.io, credentials: {secretFile: x}}]",
    ),
    "spec.registries[].credentials.secretFile": (
        "registries: [{host: a.io, credentials: {secretFile: x}}]",
        "registries: [{host: a.io, credentials: {secretFile: y}}]",
    ),
    "spec.registries[].trustedRealms": (
        "registries: [{host: a.io, trustedRealms: [b.io]}]",
        "registries: [{host: a.io}]",
    ),
    "spec.onError": ("onError: warn", "onError: fail"),
    "spec.timeout": ("timeout: 1", "timeout: 2"),
    "spec.keeps": ("keeps: refuse", "keeps: honour"),
    "spec.mode": ("mode: validate", "mode: transform"),
    "spec.results": ("results: summary", "results: full"),
    "spec.offline": ("offline: true", "offline: false"),
    "spec.useManifestSecrets": ("useManifestSecrets: false", "useManifestSecrets: true"),
}


def meaning(text: str) -> Policy:
    return load(spec(text), "p.yaml")._replace(written=())


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_tables_hold_every_word_of_the_schema():
    assert sorted(CHANGES) == SPEC


@pytest.mark.parametrize("path", SPEC)
def test_every_word_of_the_schema_changes_what_is_loaded(path):
    one, other = CHANGES[path]
    assert meaning(one) != meaning(other)


def test_the_loader_asks_for_no_word_that_the_schema_lacks():
    known = {path.rpartition(".")[2] for path in PATHS}
    asked = set()
    for node in ast.walk(ast.parse(Path(build.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            asked.add(ast.literal_eval(node.args[0]))
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            asked.add(node.slice.value)
    assert len(asked) > 20
    assert asked - known - {0, 1, 2} == set()


def test_every_object_refuses_unknown_keys():
    open_objects = {"metadata", "metadata.labels", "metadata.annotations", "spec.variables", "spec.matrix"}
    open_objects.add("spec.mirrors[].locations[].rewrite")
    for path, node in {**PATHS, "": SCHEMA}.items():
        types = node.get("type")
        if "object" in (types if isinstance(types, list) else [types]):
            assert (node.get("additionalProperties") is False) != (path in open_objects), path
        for inner in [resolved(node["items"])] if "items" in node else []:
            assert inner.get("additionalProperties") is False or inner["type"] == "string", path


def test_every_word_is_described():
    assert [path for path, node in PATHS.items() if "[]" not in path and not node.get("description")] == []
    assert [path for path, node in PATHS.items() if len(node.get("description", "x")) > 220] == []


def test_defaults_of_the_schema_are_the_defaults_of_the_model():
    policy = Policy()
    assert PATHS["spec.pin.style"]["default"] == policy.pin.style
    assert PATHS["spec.pin.existing"]["default"] == policy.pin.existing
    assert PATHS["spec.onError"]["default"] == policy.on_error
    assert PATHS["spec.keeps"]["default"] == policy.keeps
    assert PATHS["spec.mode"]["default"] == policy.mode
    assert PATHS["spec.results"]["default"] == policy.results
    assert PATHS["spec.offline"]["default"] is policy.offline
    assert PATHS["spec.useManifestSecrets"]["default"] is policy.use_manifest_secrets
    mirror = load(spec("mirrors: [{source: a.io, locations: [{to: b.io}]}]"), "p").mirrors[0]
    assert PATHS["spec.mirrors[].resolveAt"]["default"] == mirror.resolve_at
    assert PATHS["spec.mirrors[].write"]["default"] == mirror.write
    assert PATHS["spec.mirrors[].verify"]["default"] == mirror.verify
    assert PATHS["spec.mirrors[].fallback"]["default"] == mirror.fallback
    location = mirror.locations[0]
    assert PATHS["spec.mirrors[].locations[].when"]["default"] == location.when
    assert PATHS["spec.mirrors[].locations[].warm"]["default"] is location.warm
    assert PATHS["spec.pullSecrets.inject"]["default"] is policy.pull_secrets.inject
    assert PATHS["spec.pullSecrets.target"]["default"] == policy.pull_secrets.target


def test_an_editor_says_what_the_loader_says_of_a_whole_policy():
    assert list(Draft202012Validator(SCHEMA).iter_errors(yaml.safe_load(EVERYTHING))) == []


def test_words_of_later_versions_are_in_neither():
    names = {path.rpartition(".")[2] for path in PATHS}
    assert words.LATER & names == set()
    assert words.LATER & set(DATA) == set()


def test_the_flat_form_points_at_words_of_the_schema():
    assert [word for word, path in DATA.items() if ".".join(map(str, path)) not in PATHS] == []


def test_the_schema_is_found_in_a_checkout_and_named_when_unknown():
    assert words.schema_text("policy") == words.schema_text()
    with pytest.raises(PindownError, match="there is policy"):
        words.schema_text("../../etc/passwd")


def test_the_schema_is_found_in_a_wheel(tmp_path, monkeypatch):
    (tmp_path / "transformer" / "schemas").mkdir(parents=True)
    (tmp_path / "transformer" / "schemas" / "imagetransformer.schema.json").write_text("{}")
    monkeypatch.setattr("transformer.__file__", str(tmp_path / "transformer" / "__init__.py"))
    assert words.schema_text() == "{}"


def test_an_installation_without_its_schema_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("transformer.__file__", str(tmp_path / "transformer" / "__init__.py"))
    with pytest.raises(PindownError, match="install pindown again"):
        words.schema_text()


@pytest.mark.parametrize(
    ("word", "known", "sentence"),
    [
        ("stle", ["style", "pin"], "; did you mean 'style'?"),
        ("STYLE", ["style", "pin"], "; did you mean 'style'?"),
        ("zzz", ["style", "pin"], "; known here: pin, style"),
        ("zzz", [], ""),
        ("x" * 10_000, ["style"], "; known here: style"),
    ],
)
def test_nearest(word, known, sentence):
    assert words.nearest(word, known) == sentence
