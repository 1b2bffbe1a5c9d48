"""In CI nothing is skipped for want of a tool."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LEAKS, ROOT
from tests.tools import ACCEPTED, refuse_skip, require_tool


class Report:
    """As much of a pytest report as the rule looks at."""

    def __init__(self, longrepr, outcome="skipped", **extra):
        self.longrepr, self.outcome = longrepr, outcome
        self.__dict__.update(extra)

    @property
    def skipped(self):
        return self.outcome == "skipped"


@pytest.mark.parametrize(
    ("report", "in_ci"),
    [
        (Report(("file", 1, "Skipped: kustomize is not on PATH")), False),
        (Report(("file", 1, f"Skipped: {ACCEPTED}root reads everything")), True),
        (Report(("file", 1, "a known bug"), wasxfail="reason"), True),
        (Report(None, "passed"), True),
    ],
)
def test_reports_that_are_left_alone(report, in_ci):
    before = (report.longrepr, report.outcome)
    refuse_skip(report, in_ci)
    assert (report.longrepr, report.outcome) == before


@pytest.mark.parametrize("longrepr", [("file", 1, "Skipped: no kustomize"), "no kustomize"])
def test_a_skip_in_ci_is_a_failure_with_its_reason(longrepr):
    report = Report(longrepr)
    refuse_skip(report, True)
    assert (report.outcome, report.longrepr) == ("failed", "skipped in CI, where nothing may be missing: no kustomize")


def test_a_tool_on_path_is_found(tmp_path, monkeypatch):
    tool = tmp_path / "some-tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert require_tool("some-tool") == str(tool)


def test_a_tool_that_is_absent_skips_and_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="crane is not on PATH; bash .ci/install-tools to run this test"):
        require_tool("crane")


@pytest.mark.parametrize(
    ("ci", "expected", "status"), [("1", "1 failed, 1 passed, 1 skipped, 1 error", 1), ("", "1 passed, 3 skipped", 0)]
)
def test_the_hooks_hold_for_a_whole_run(tmp_path, ci, expected, status):
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_makereport\n")
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "from tests.tools import ACCEPTED, require_tool\n"
        "@pytest.fixture(scope='session')\ndef server(): require_tool('no-such-tool')\n"
        "def test_fixture(server): pass\n"
        "def test_call(): require_tool('no-such-tool')\n"
        "def test_fine(): pass\n"
        "def test_accepted(): pytest.skip(ACCEPTED + 'x')\n"
    )
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT} {ROOT / 'fixtures'}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), **({"PINDOWN_CI": ci} if ci else {})}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert expected in ran.stdout.splitlines()[-1], ran.stdout + ran.stderr
    assert ran.returncode == status


def test_a_module_that_skips_itself_fails_too(tmp_path):
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_make_collect_report\n")
    (tmp_path / "test_some.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT} {ROOT / 'fixtures'}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PINDOWN_CI": "1"}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert "1 error" in ran.stdout.splitlines()[-1], ran.stdout + ran.stderr
    assert "skipped in CI" in ran.stdout
    assert ran.returncode != 0


def test_nothing_of_the_developer_leaks(isolation, monkeypatch):
    assert os.environ["HOME"] == str(isolation)
    assert list(Path(isolation).iterdir()) == []
    prefixes = tuple(leak for leak in LEAKS if leak.endswith("_"))
    assert [name for name in os.environ if name.upper() in LEAKS or name.startswith(prefixes)] == []
    assert "PATH" in os.environ


def test_the_command_on_path_is_this_checkout(pindown_on_path):
    assert shutil.which("pindown") == str(pindown_on_path)
    assert str(ROOT) in pindown_on_path.read_text()
