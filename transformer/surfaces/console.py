"""stdin, stdout and stderr: the input read whole, the result written once, and nothing for people on stdout."""

from __future__ import annotations

import os
import sys

from transformer.errors import HostError, UsageError

STDIN = "<stdin>"


def read_stdin() -> bytes:
    """Everything on stdin."""
    if sys.stdin is None:
        raise UsageError("stdin is closed")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise HostError(f"stdin cannot be read: {error.strerror}") from None


def stdin_is_terminal() -> bool:
    """Whether a person sits there, from whom no manifests will come."""
    return sys.stdin is None or sys.stdin.isatty()


def write_result(data: bytes) -> None:
    """The result on stdout: all of it, or HostError. Called once, as the last thing."""
    if not data:
        return
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]
    except BrokenPipeError:
        raise HostError("the reader of stdout went away before the result was written") from None
    except OSError as error:
        raise HostError(f"the result cannot be written to stdout: {error.strerror}") from None


def say(text: str) -> None:
    """Something for people on stderr; a stderr that is gone is nobody's problem."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass


def wants_color(choice: str) -> bool:
    """Whether stderr takes colours: `always`, `never`, or `auto` (where it is a terminal)."""
    return choice == "always" or (choice == "auto" and sys.stderr is not None and sys.stderr.isatty())
