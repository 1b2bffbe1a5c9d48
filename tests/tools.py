"""Programs that tests run beside Python, and the rule that CI never skips a test for want of one.

On a user's machine a test that needs kustomize says so and is skipped. With PINDOWN_CI set (.ci/run sets it and
installs what .ci/tools names) every skip is a failure, whoever skipped, unless its reason begins with ACCEPTED.
"""

from __future__ import annotations

import os
import shutil

import pytest

#: Read once, before any test can change the environment.
IN_CI = bool(os.environ.get("PINDOWN_CI"))

#: How the reason of a skip begins that is right in CI too, such as a test that cannot hold for root.
ACCEPTED = "accepted in CI: "

_HOW = {
    "kustomize": "bash .ci/install-tools",
    "crane": "bash .ci/install-tools",
    "docker-registry": "bash .ci/install-tools",
    "redis-server": "bash .ci/install-tools",
}


def require_tool(name: str) -> str:
    """The path of a program on PATH; without it the test is skipped, or failed in CI."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on PATH; {_HOW.get(name, 'install it')} to run this test")
    return path


def refuse_skip(report: pytest.TestReport | pytest.CollectReport, in_ci: bool = IN_CI) -> None:
    """Turns a skip into a failure when in CI; leaves expected failures and accepted reasons alone."""
    if not in_ci or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(ACCEPTED):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be missing: {reason}"
