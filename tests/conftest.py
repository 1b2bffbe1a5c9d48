"""Fixtures that every room's tests may use: registries, the command, and an environment that is nobody's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import registries
from tests.tools import refuse_skip, require_tool
from transformer.embedded import EmbeddedRegistry

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "fixtures" / "demo"

#: Variables of the developer that would change what a test sees; those that end in _ are prefixes.
LEAKS = (
    *("PINDOWN_", "XDG_", "KUSTOMIZE_", "ARGOCD_", "GITHUB_", "HELM_"),
    *("AWS_", "AZURE_", "GOOGLE_", "GCE_", "CLOUDSDK_"),
    *("DOCKER_CONFIG", "DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "KUBECONFIG"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES"),
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    refuse_skip(report)
    return report


@pytest.fixture(autouse=True)
def isolation(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty HOME and none of the developer's settings; PATH, GOPATH and the like stay. Answers the HOME."""
    for name in list(os.environ):
        if any(name.upper().startswith(leak) if leak.endswith("_") else name.upper() == leak for leak in LEAKS):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Registry]:
    """Debian's docker-registry, empty at the start and shared: choose a repository that is yours."""
    with registries.debian(require_tool("docker-registry"), tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="session")
def docker_registry_basic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Registry]:
    """The same behind Basic auth: registries.USER and registries.PASSWORD, without which everything is 401."""
    root = tmp_path_factory.mktemp("registry-basic")
    with registries.debian(require_tool("docker-registry"), root, registries.HTPASSWD) as registry:
        yield registry


@pytest.fixture(scope="session")
def crane_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Registry]:
    """`crane registry serve`, empty at the start and shared: choose a repository that is yours."""
    with registries.crane(require_tool("crane"), tmp_path_factory.mktemp("registry-crane")) as registry:
        yield registry


@pytest.fixture(params=["docker_registry", "crane_registry"])
def any_registry(request: pytest.FixtureRequest) -> registries.Registry:
    """The test runs once against each registry that needs no credentials."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def embedded() -> Iterator[Callable[..., EmbeddedRegistry]]:
    """Starts our own registry, over the demo's layout unless told otherwise: `embedded(auth={"team/api"}, fault=…)`."""
    with ExitStack() as running:

        def start(layout: Path = DEMO / "layout", **options: object) -> EmbeddedRegistry:
            return running.enter_context(EmbeddedRegistry(layout, **options))

        yield start


@pytest.fixture
def run_pindown() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs the command as a process: `run_pindown(["list", "-"], stdin=b"…", env={…}, cwd=…)`, bytes in and out.

    `env` is added to this process's environment (None takes a variable away); `timeout` is generous, in seconds.
    """

    def run(
        args: Sequence[str] = (),
        stdin: bytes | None = None,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | str | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "transformer", *args]
        return subprocess.run(
            command, input=stdin or b"", env=_environment(env or {}), cwd=cwd, timeout=timeout, capture_output=True
        )

    return run


@pytest.fixture
def pindown_on_path(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts a `pindown` that runs this checkout first on PATH, for hosts that look for it there; answers its path."""
    program = tmp_path_factory.mktemp("bin") / "pindown"
    program.write_text(f"#!/bin/sh\nPYTHONPATH='{ROOT}' exec '{sys.executable}' -m transformer \"$@\"\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


def _environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    merged: dict[str, str | None] = {**os.environ, "PYTHONPATH": str(ROOT), **changes}
    return {name: value for name, value in merged.items() if value is not None}
