"""The committed fixtures are what their README says they are."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from io import BytesIO

import build_layout
import pytest
import yaml
from build_layout import DEMO, DOCKER_LIST, OCI_INDEX, demo_images, digest_of, image, multi_platform, write_layout

from tests.conftest import DEMO as DIRECTORY
from tests.tools import require_tool

PLACEHOLDER = "localhost:5000"


def files(directory):
    return {str(file.relative_to(directory)): file.read_bytes() for file in directory.rglob("*") if file.is_file()}


def images_of(resources):
    """Every `image` at any depth, in order."""
    if isinstance(resources, dict):
        for key, value in resources.items():
            if key == "image" and isinstance(value, str):
                yield value
            yield from images_of(value)
    elif isinstance(resources, list):
        for value in resources:
            yield from images_of(value)


@pytest.fixture(scope="module")
def resource_list():
    return yaml.safe_load((DIRECTORY / "resources.yaml").read_text())


def test_the_committed_layout_is_what_the_script_makes(tmp_path):
    write_layout(tmp_path, demo_images())
    assert files(tmp_path) == files(DIRECTORY / "layout")


def test_the_script_itself_writes_beside_itself(tmp_path, monkeypatch):
    stale = tmp_path / "demo" / "layout" / "blobs" / "sha256" / "stale"
    stale.parent.mkdir(parents=True)
    stale.touch()
    monkeypatch.setattr(build_layout, "__file__", str(tmp_path / "build_layout.py"))
    build_layout.main()
    assert files(tmp_path / "demo" / "layout") == files(DIRECTORY / "layout")


def test_every_blob_is_named_by_its_digest():
    for file in (DIRECTORY / "layout" / "blobs" / "sha256").iterdir():
        assert digest_of(file.read_bytes()) == f"sha256:{file.name}"


@pytest.mark.parametrize("name", sorted(DEMO))
def test_descriptors_hold_digest_and_size(name):
    built = demo_images()[name]
    for whole in (built, *built.children):
        known = {**whole.blobs, **{child.digest: child.content for child in whole.children}}
        body = json.loads(whole.content)
        assert (body["schemaVersion"], body["mediaType"]) == (2, whole.media_type)
        parts = body["manifests"] if "manifests" in body else [body["config"], *body["layers"]]
        assert [part["digest"] for part in parts] == list(known)
        assert [part["size"] for part in parts] == [len(content) for content in known.values()]


def test_layers_are_tar_archives_and_configs_know_them():
    config, layer = image("library/x:1", "linux/arm64/v8").blobs.values()
    with tarfile.open(fileobj=BytesIO(layer)) as archive:
        (member,) = archive.getmembers()
        assert member.name == "etc/image"
        assert archive.extractfile(member).read() == b"library/x:1\n"
    described = json.loads(config)
    assert described["rootfs"] == {"type": "layers", "diff_ids": [digest_of(layer)]}
    assert (described["os"], described["architecture"], described["variant"]) == ("linux", "arm64", "v8")


def test_a_manifest_list_has_docker_children():
    assert {child.media_type for child in multi_platform("x", DOCKER_LIST).children} == {build_layout.DOCKER_IMAGE}
    assert {child.media_type for child in multi_platform("x", OCI_INDEX).children} == {build_layout.OCI_IMAGE}


def test_the_resources_show_what_the_readme_says(resource_list):
    assert resource_list["kind"] == "ResourceList"
    assert [item["kind"] for item in resource_list["items"]] == [
        "Deployment",
        "Service",
        "CronJob",
        "Prometheus",
        "ConfigMap",
    ]
    found = list(images_of(resource_list["items"]))
    assert len(found) == 7
    assert found.count(f"{PLACEHOLDER}/library/nginx:1.27") == 2
    assert [text for text in found if "@" in text] == [
        f"{PLACEHOLDER}/library/redis:7.4@{demo_images()['library/redis:7.4'].digest}"
    ]


def test_every_image_of_the_resources_is_in_the_layout_and_the_other_way_round(resource_list):
    named = {text.removeprefix(f"{PLACEHOLDER}/").partition("@")[0] for text in images_of(resource_list["items"])}
    assert named == set(DEMO)


def test_the_resources_are_what_kustomize_sends(tmp_path, monkeypatch):
    kustomize = require_tool("kustomize")
    recorder = tmp_path / "pindown"
    recorder.write_text(f"#!/bin/sh\nexec tee '{tmp_path}/sent.yaml'\n")
    recorder.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    command = [kustomize, "build", "--enable-alpha-plugins", "--enable-exec", str(DIRECTORY / "kustomize")]
    built = subprocess.run(command, capture_output=True, timeout=60)
    assert (built.returncode, built.stderr) == (0, b"")
    assert (tmp_path / "sent.yaml").read_bytes() == (DIRECTORY / "resources.yaml").read_bytes()
    assert list(images_of(list(yaml.safe_load_all(built.stdout)))) != []
