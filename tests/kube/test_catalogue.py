"""Every row of the catalogue: an object that has the field is found, and found right; the pinned text reads back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.test_byte_law import DIGEST, Oracle
from transformer.kube import catalogue, paths
from transformer.kube.shapes import SHAPES
from transformer.kube.survey import Survey
from transformer.pipeline import Run
from transformer.policy.model import Policy
from transformer.text.source import File

TEXT = (Path(catalogue.__file__).parent / "catalogue.txt").read_text(encoding="utf-8")
ROWS = [line.split(" ") for line in TEXT.splitlines() if not line.startswith("#")]
KINDS = sorted({row[0] for row in ROWS})

REF, NAME = "registry.example.com/team/app:1.2", "registry.example.com/team/app"
POD = {
    "containers": [{"name": "c", "image": REF}],
    "initContainers": [{"name": "i", "image": REF}],
    "ephemeralContainers": [{"name": "e", "image": REF}],
    "volumes": [{"name": "v", "image": {"reference": REF}}],
}
POD_PATHS = [
    "containers[0].image",
    "initContainers[0].image",
    "ephemeralContainers[0].image",
    "volumes[0].image.reference",
]

#: What stands at the row's path, for each shape; and the paths of the images below it ("" is the place itself).
SAMPLES = {
    "image": [(REF, [""])],
    "docker-image": [(REF, [""])],
    "docker-url": [(f"docker://{REF}", [""]), (f"https://{NAME}", []), (NAME, [])],
    "oci-url": [(f"oci://{REF}", [""]), ("https://example.com/x.wasm", []), ("file:///x", [])],
    "versioned": [(NAME, [""]), (REF, [""])],
    "split": [
        ({"repository": NAME, "tag": "1.2"}, [""]),
        ({"registry": "registry.example.com", "repository": "team/app", "tag": "1.2", "pullPolicy": "Always"}, [""]),
        ({"tag": "1.2"}, []),
        (REF, [""]),
    ],
    "siblings": [
        ({"repository": "registry.example.com/team", "image": "app", "version": "1.2", "enabled": True}, [""]),
        ({"image": NAME, "version": "1.2"}, [""]),
        ({"version": "1.2"}, []),
    ],
    "prometheus": [({"baseImage": NAME, "tag": "1.2"}, [""]), ({"version": "v1.2"}, [])],
    "pod": [(POD, POD_PATHS), ({"containers": [{"name": "c"}]}, [])],
    "containers": [([{"name": "c", "image": REF}, {"name": "d"}], ["[0].image"])],
    "object": [
        (
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": POD},
            [f"spec.{path}" for path in POD_PATHS],
        )
    ],
    "unread": [("image: nginx:1", []), ({"image": {"repository": "nginx"}}, [])],
    "never": [("nginx:1", []), ({"image": "nginx:1", "repository": "nginx", "tag": "1", "hub": "x"}, [])],
}


def build(row, sample) -> dict[str, object]:
    """An object of the row's kind with a sample at its path."""
    group, _, kind = row[0].rpartition("/")
    node = sample
    for step in reversed(paths.parse(row[1])):
        node = [node] if step == paths.EVERY_ITEM else {"any" if step == paths.EVERY_VALUE else step: node}
    assert isinstance(node, dict)
    if row[2] == "versioned":
        node["spec"]["version"] = "1.2"
    version = "v1" if group == "core" else f"{group}/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **node}


def place(path: str) -> str:
    """A row's path as reports write it."""
    return path.replace("[]", "[0]").replace(".*", ".any")


def survey(text: str) -> Survey:
    found = Survey()
    found.file(File("x.yaml", text))
    return found


def dumps(value) -> list[str]:
    """The object in block style (for outlines), in flow style (for events) and as JSON."""
    return [
        yaml.safe_dump(value, sort_keys=False),
        yaml.safe_dump(value, default_flow_style=True, width=10_000),
        json.dumps(value, indent=1),
    ]


def test_the_catalogue_is_large():
    assert len(ROWS) >= 923
    assert len(KINDS) >= 295


@pytest.mark.parametrize("number", range(0, len(ROWS), 50))
def test_rows_are_well_formed(number):
    for row in ROWS[number : number + 50]:
        assert len(row) == 3
        kind, path, shape = row
        assert kind.count("/") == 1
        assert shape in SAMPLES
        assert paths.parse(path)
        assert not path.startswith("status")


def test_every_shape_is_used_and_every_row_is_there_once():
    assert {row[2] for row in ROWS} == set(SAMPLES)
    assert set(SHAPES) <= set(SAMPLES)
    assert len({tuple(row) for row in ROWS}) == len(ROWS)
    assert TEXT.endswith("\n") and "\t" not in TEXT and "\r" not in TEXT


def test_rows_of_a_kind():
    assert catalogue.rows("upgrade.cattle.io", "Plan") == (
        catalogue.Row("spec.upgrade.image", "versioned"),
        catalogue.Row("spec.prepare.image", "versioned"),
    )
    assert catalogue.rows("", "List") == (catalogue.Row("items[]", "object"),)


@pytest.mark.parametrize(
    ("group", "kind"),
    [("", ""), ("", "Widget"), ("cattle.io", "Plan"), ("upgrade.cattle.io", "Pla"), ("", "#"), ("core", "")],
)
def test_unknown_kinds(group, kind):
    assert catalogue.rows(group, kind) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_look_up_finds_the_rows_of_the_file(kind):
    group, _, name = kind.rpartition("/")
    assert [[kind, *row] for row in catalogue.rows("" if group == "core" else group, name)] == [
        row for row in ROWS if row[0] == kind
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_absent_fields_cost_nothing(kind):
    group, _, name = kind.rpartition("/")
    version = "v1" if group == "core" else f"{group}/v1"
    for rest in (
        {},
        {"spec": {}},
        {"spec": None},
        {"spec": {"template": {}}, "status": {}},
        {"spec": []},
        {"spec": "x"},
    ):
        found = survey(yaml.safe_dump({"apiVersion": version, "kind": name, **rest}))
        assert (found.sites, [one for one in found.oddities if one.what != "unread"], found.documents) == ([], [], 1)


@pytest.mark.parametrize("row", ROWS, ids=map(" ".join, ROWS))
def test_row(row):
    """Exactly the images of the sample are found, whatever they are written as; what is pinned reads back as pinned."""
    for sample, below in SAMPLES[row[2]]:
        for text in dumps(build(row, sample)):
            found = survey(text)
            prefix = "" if row[2] == "object" else place(row[1])
            expected = [prefix + (f".{path}" if path[:1] not in ("[", "") and prefix else path) for path in below]
            assert sorted(site.path for site in found.sites) == sorted(expected)
            assert {site.value for site in found.sites} <= {REF}
            assert [one.what for one in found.oddities] == (["unread"] if row[2] == "unread" else [])
            hold_pinned(text, len(expected), ":1.2" if row[2] == "versioned" and sample == NAME else "")


def hold_pinned(text: str, count: int, tag: str) -> None:
    """Pins a text. `tag` is what is written beside the digest: it stands elsewhere and must not be lost."""
    file = File("x.yaml", text)
    work = Run(Policy())
    work.survey.file(file)
    outcome = work.finish((file,), Oracle())
    assert not outcome.failed
    assert DIGEST.sub("", outcome.text()).replace(REF, REF.removesuffix(tag)) == text
    again = survey(outcome.text())
    assert len(again.sites) == count
    assert all(DIGEST.sub("", site.value) == REF and DIGEST.search(site.value) for site in again.sites)


@pytest.mark.parametrize("kind", ["core/ImageStreamTag", "ImageStreamTag", "DockerImage", None])
def test_an_image_of_openshift_is_one_only_as_a_docker_image(kind):
    row = next(row for row in ROWS if row[2] == "docker-image" and row[1].endswith("dockerStrategy.from.name"))
    value = build(row, REF)
    if kind is not None:
        value["spec"]["strategy"]["dockerStrategy"]["from"]["kind"] = kind
    for text in dumps(value):
        assert len(survey(text).sites) == (kind in ("DockerImage", None))


def test_an_object_in_an_object_is_one_object():
    """Its images belong to it, and not a second time to what holds it; a CustomResourceDefinition in it stays shut."""
    row = next(row for row in ROWS if row[0].endswith("/ManifestWork"))
    inner = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": POD, "status": POD}
    for text in dumps(build(row, inner)):
        assert [(site.resource.kind, site.resource.name) for site in survey(text).sites] == [("Pod", "p")] * 4
    for text in dumps(build(row, dict(inner, kind="CustomResourceDefinition"))):
        assert survey(text).sites == []
