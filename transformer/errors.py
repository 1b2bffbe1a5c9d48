"""What can go wrong, as values and exceptions. The lowest floor: imports nothing of ours.

A problem with one image is data (a `Finding`); a problem with the run is an exception that carries its exit code.
"""

from __future__ import annotations

from typing import NamedTuple

EXIT_FINE, EXIT_FINDINGS, EXIT_USAGE, EXIT_BUG, EXIT_INTERRUPTED, EXIT_TERMINATED = 0, 1, 2, 3, 130, 143

#: Findings that `onError: warn` may turn into warnings (docs/policy.md); everything else is always an error.
WARNABLE = frozenset(
    ("not-found", "no-permission", "rate-limited", "timeout", "unreachable", "registry-error", "offline")
)


class Place(NamedTuple):
    """Where something stands: file, position and resource. `line` and `column` are 1-based, 0 when unknown."""

    file: str = ""
    line: int = 0
    column: int = 0
    api_version: str | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    path: str | None = None


class Finding(NamedTuple):
    """One problem: a rule id of docs/findings.md, how bad it is, what is wrong, and what to do next."""

    rule: str
    message: str
    help: str = ""
    severity: str = "error"
    place: Place = Place()


class PindownError(Exception):
    """A problem with the run. `exit_code` is what the process ends with; stdout stays empty."""

    exit_code = EXIT_BUG


class UsageError(PindownError):
    """The command line or the environment cannot be understood; nothing was tried."""

    exit_code = EXIT_USAGE


class PolicyError(UsageError):
    """A policy cannot be used: `file`, 1-based `line` and `column` (0 when unknown) and the reason."""

    def __init__(self, message: str, file: str = "", line: int = 0, column: int = 0) -> None:
        self.file, self.line, self.column = file, line, column
        place = ":".join(str(part) for part in (file, line, column) if part)
        super().__init__(f"{place}: {message}" if place else message)


class HostError(PindownError):
    """Something outside failed: input that cannot be read, a missing program, a result that cannot be written."""

    exit_code = EXIT_FINDINGS
