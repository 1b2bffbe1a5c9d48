"""The wheel holds what the command needs, and works from an empty directory without the checkout.

The wheel is built by the hatchling of this environment and installed without dependencies, so no network is needed.
That the declared dependencies suffice is shown by the README's first command, which CI runs.
"""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from transformer import __version__


def run(*command: str, **options) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran


def files(directory: str) -> set[str]:
    """The files below a directory of the checkout, relative to the checkout."""
    found = (file for file in (ROOT / directory).rglob("*") if file.is_file() and file.suffix != ".pyc")
    return {str(file.relative_to(ROOT)) for file in found}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """The wheel and the sdist."""
    directory = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "--directory", str(directory), cwd=ROOT)
    (wheel,), (sdist,) = directory.glob("*.whl"), directory.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    """A directory into which the wheel alone is installed."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    run(*pip, str(built["wheel"]))
    return target


@pytest.fixture
def command(installed, tmp_path, monkeypatch):
    """Runs the installed console script in an empty directory; the checkout is not importable."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    empty = tmp_path / "empty"
    empty.mkdir()

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        return run(str(installed / "bin" / "pindown"), *args, cwd=empty, stdin=subprocess.DEVNULL)

    return call


def test_the_wheel_holds_package_schemas_and_demo(built):
    with zipfile.ZipFile(built["wheel"]) as archive:
        names = set(archive.namelist())
    data = {f"transformer/{name}" for name in (*files("fixtures/demo"), *files("schemas"))}
    assert data | files("transformer") <= names
    assert {"transformer/py.typed", "transformer/kube/catalogue.txt"} <= names
    assert "transformer/fixtures/demo/layout/index.json" in names


def test_the_wheel_holds_nothing_else(built):
    with zipfile.ZipFile(built["wheel"]) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {"transformer", f"pindown-{__version__}.dist-info"}
    assert [name for name in names if re.search(r"\.pyc$|__pycache__|/tests?/|build_layout", name)] == []


def test_the_sdist_can_run_its_tests_and_holds_no_environment(built):
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        ".ci/run",
        "tests/conftest.py",
        "fixtures/build_layout.py",
    } <= names
    assert [name for name in names if re.match(r"\.venv|\.git/|dist/|.*__pycache__", name)] == []


def test_metadata(built):
    with zipfile.ZipFile(built["wheel"]) as archive:
        metadata = email.message_from_bytes(archive.read(f"pindown-{__version__}.dist-info/METADATA"))
        scripts = archive.read(f"pindown-{__version__}.dist-info/entry_points.txt").decode()
        licenses = [name for name in archive.namelist() if name.endswith("/LICENSE")]
    assert (metadata["Name"], metadata["Version"], metadata["Requires-Python"]) == ("pindown", __version__, ">=3.11")
    assert metadata["License-Expression"] == "Apache-2.0" and len(licenses) == 1
    assert "pindown = transformer.cli:run" in scripts
    required = {re.split(r"[^\w.-]", line)[0] for line in metadata.get_all("Requires-Dist") if "extra ==" not in line}
    assert required == {"gitpython", "google-re2", "jsonschema", "pyyaml", "ruamel-yaml", "tomli-w", "urllib3"}


def test_versions_are_told_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project and project["dynamic"] == ["version"]


def test_the_installed_command_tells_its_version(command):
    ran = command("--version")
    assert (ran.stdout, ran.stderr) == (f"pindown {__version__}\n", "")


def test_the_installed_command_prints_the_schema(command):
    assert command("schema").stdout == (ROOT / "schemas" / "imagetransformer.schema.json").read_text()


def test_the_installed_command_runs_the_demo_and_leaves_nothing_behind(command, isolation):
    ran = command("demo")
    assert "@sha256:" in ran.stdout + ran.stderr
    assert list(isolation.rglob("*")) == []


def test_the_demo_is_found_inside_the_installed_package(installed, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(installed))
    program = "from transformer.embedded import demo_directory; print(demo_directory())"
    ran = run(sys.executable, "-c", program, cwd=os.sep)
    assert Path(ran.stdout.strip()) == installed / "transformer" / "fixtures" / "demo"
