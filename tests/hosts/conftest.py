"""Images in a registry that other people wrote, and hosts with our command on their PATH."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.registries import Registry, image, multi_platform


class Image:
    """One image in the registry: `tagged` as users write it, `pinned` as it must become."""

    def __init__(self, registry: Registry, repository: str, tag: str, digest: str) -> None:
        self.name = f"{registry.host}/{repository}"
        self.tagged, self.pinned = f"{self.name}:{tag}", f"{self.name}:{tag}@{digest}"


@pytest.fixture(scope="session")
def web(crane_registry: Registry) -> Image:
    """An index of two platforms."""
    digest = crane_registry.push_image("hosts/web", "1.0", multi_platform("web"))
    return Image(crane_registry, "hosts/web", "1.0", digest)


@pytest.fixture(scope="session")
def api(docker_registry: Registry) -> Image:
    """A single image, in another registry."""
    digest = docker_registry.push_image("hosts/api", "2", image("api"))
    return Image(docker_registry, "hosts/api", "2", digest)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Lays out files below an empty directory, which it answers."""
    root = tmp_path / "root"

    def lay(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    return lay


@pytest.fixture
def call(pindown_on_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a host; `cwd` and stdin as `subprocess.run` takes them."""

    def run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=60, **options)

    return run
