"""The demo: all of it, with and without kustomize, and nothing left behind. From the wheel: tests/test_packaging.py."""

from __future__ import annotations

import os
import re

import pytest

from tests.tools import require_tool

CHANGED = (
    "library/nginx:1.27",
    "team/api:2.3.1",
    "library/busybox:1.36",
    "team/report:0.9",
    "monitoring/prometheus:v3.1.0",
)


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """A PATH without kustomize."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_the_main_job(door, alone):
    ran = door("demo")
    assert (ran.code, ran.err) == (0, "")
    for image in CHANGED:
        assert re.search(rf"^\+ .*image: 127\.0\.0\.1:\d+/{image}@sha256:[0-9a-f]{{64}}$", ran.out, re.MULTILINE), image
    assert "pindown: 7 images (6 distinct): 6 pinned, 1 kept, 0 refused; " in ran.out
    assert "kustomize is not on PATH" in ran.out and "Try next:" in ran.out


def test_the_diff_is_about_images_only(door, alone):
    lines = door("demo").out.split("What changed:")[1].split("The results")[0].splitlines()
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---") and line.strip()]
    assert len(changed) == 12 and all("image: 127.0.0.1:" in line for line in changed)


def test_through_kustomize(door):
    require_tool("kustomize")
    ran = door("demo")
    built = ran.out.partition("The same through a real")[2].partition("Try next")[0]
    images = re.findall(r"image: 127\.0\.0\.1:\d+/(\S+)@sha256:[0-9a-f]{64}\n", built)
    assert ran.code == 0 and len(images) == 7 and set(images) >= set(CHANGED)


def test_a_kustomize_that_fails_is_told(door, tmp_path, monkeypatch):
    (tmp_path / "kustomize").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    (tmp_path / "kustomize").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    ran = door("demo")
    assert "kustomize build failed:\nbroken" in ran.out and "6 pinned" in ran.out


@pytest.mark.parametrize("tmp", ["with blank", "plain"])
def test_nothing_is_left_behind(run_pindown, tmp_path, isolation, tmp):
    empty, scratch = tmp_path / "empty", tmp_path / tmp
    empty.mkdir(), scratch.mkdir()
    assert run_pindown(["demo"], cwd=empty, env={"TMPDIR": str(scratch)}).returncode == 0
    assert [*empty.iterdir(), *scratch.iterdir(), *isolation.iterdir()] == []


def test_what_a_newcomer_has_around_it_does_not_matter(run_pindown, tmp_path):
    """A proxy, a policy in the working directory, a broken docker config: the demo is about itself."""
    (tmp_path / "pindown.yaml").write_text("[")
    (tmp_path / "config.json").write_text("{")
    env = {
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "PINDOWN_POLICY": "gone.yaml",
        "PINDOWN_OFFLINE": "1",
        "DOCKER_CONFIG": str(tmp_path),
    }
    ran = run_pindown(["demo"], cwd=tmp_path, env=env)
    assert ran.returncode == 0 and b"6 pinned" in ran.stdout, ran.stderr
    assert b"kustomize build failed" not in ran.stdout
