"""stdin, stdout and stderr: the input read whole, the result written once, and nothing for people on stdout."""

from __future__ import annotations

import os
import sys
import time

from transformer.errors import HostError, UsageError

STDIN = "<stdin>"
_CHUNK = 1 << 20


def read_stdin() -> bytes:
    """Everything on stdin."""
    if sys.stdin is None:
        raise UsageError("stdin is closed")
    try:
        os.set_blocking(sys.stdin.fileno(), True)  # a pipe that does not block would end at the first pause
        return sys.stdin.buffer.read()
    except OSError as error:
        raise HostError(f"stdin cannot be read: {error.strerror}") from None


def stdin_is_terminal() -> bool:
    """Whether a person sits there, from whom no manifests will come."""
    return sys.stdin is None or sys.stdin.isatty()


def write_result(text: str) -> None:
    """The result on stdout: all of it, or HostError. Called once, as the last thing."""
    try:
        if text:
            os.set_blocking(1, True)  # some parents leave their pipes otherwise, and half of a result is none
        # Encoded in parts: a second copy of the whole would be the peak of memory. Halves of surrogates, which a JSON
        # input or a file's name may hold and UTF-8 has no bytes for, are written as JSON escapes them.
        for start in range(0, len(text), _CHUNK):
            view = memoryview(text[start : start + _CHUNK].encode("utf-8", "backslashreplace"))
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


class Progress:
    """A line on stderr that counts answers, where a person watches and the run lasts over half a second."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = False
        self._watched = sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        if not self._watched or (not self._shown and time.monotonic() - self._began < 0.5):
            return
        width = 24 * done // max(total, 1)
        self._shown = done < total
        say(f"\r\x1b[Kpindown: {'#' * width}{'.' * (24 - width)} {done}/{total} images" if self._shown else "\r\x1b[K")


def wants_color(choice: str) -> bool:
    """Whether stderr takes colours: `always`, `never`, or `auto` (where it is a terminal)."""
    return choice == "always" or (choice == "auto" and sys.stderr is not None and sys.stderr.isatty())
