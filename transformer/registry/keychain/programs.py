"""Docker's credential helpers: `docker-credential-NAME get`, the server's URL on stdin, JSON on stdout.

A helper is a program that may hang, talk too much or not exist. It is started without a shell, in a process group of
its own, asked once for each host in a run, and what it prints is never shown: on a bad day it is the secret.
Source: docker/docker-credential-helpers; hosts as docker/cli names them.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from transformer.images.reference import DOCKER_HUB, shorten
from transformer.registry.keychain.configfiles import ConfigDocument
from transformer.registry.keychain.configtext import HUB_URL
from transformer.registry.keychain.credential import Credential, KeychainError, Wanted, canonical, collected, usable
from transformer.registry.keychain.once import Once

if TYPE_CHECKING:
    import subprocess

#: Seconds that a helper may take.
PATIENCE = 10.0
#: Bytes that it may print.
OUTPUT_LIMIT = 64 * 1024
#: The user name that says: the secret is an identity token.
TOKEN_USER = "<token>"

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_NOT_FOUND = b"credentials not found"


class Helpers:
    """A Source: the helpers that the documents name for a host."""

    deferred = True

    def __init__(self, documents: Sequence[ConfigDocument], environ: Mapping[str, str], patience: float = PATIENCE):
        self._documents, self._environ, self._patience = tuple(documents), environ, patience
        self._once, self._running = Once(), _Running()

    def about(self, wanted: Wanted) -> str:
        """See Source."""
        return ", ".join(f"helper {shorten(name, 64)}" for name, _ in self._named(wanted.host))

    def resolve(self, wanted: Wanted) -> list[Credential]:
        """See Source. A broken helper counts only when no other has an answer."""
        host = canonical(wanted.host)
        return collected(
            partial(self._once.get, (name, host), partial(self._ask, name, place, wanted))
            for name, place in self._named(wanted.host)
        )

    def close(self) -> None:
        """Ends whatever is still running: its caller does not wait any more."""
        self._running.end()

    def _named(self, host: str) -> list[tuple[str, str]]:
        """Helpers with the place that names them: each document's own for the host, else its store."""
        named: dict[str, str] = {}
        for document in self._documents:
            try:
                config = document.config()
            except KeychainError:  # told by the source that reads it for its entries
                continue
            name = config.helpers.get(canonical(host)) or config.store
            if name:
                named.setdefault(name, document.place)
        return list(named.items())

    def _ask(self, name: str, place: str, wanted: Wanted) -> Credential | None:
        if _NAME.fullmatch(name) is None:
            raise KeychainError(f"{place}: {shorten(name, 64)!r} is no name of a credential helper")
        import shutil

        program = f"docker-credential-{name}"
        path = shutil.which(program, path=self._environ.get("PATH"))
        if path is None:
            raise KeychainError(f"{program}, named by {place}, is not on PATH or not executable")
        host = canonical(wanted.host)
        # Less than the run has left: the process ends with the run, and would leave the helper behind.
        patience = min(self._patience, max(wanted.left - 0.5, 0.1))
        url = HUB_URL if host == DOCKER_HUB else host
        status, output = _run(path, program, url, self._environ, patience, self._running)
        return _read(status, output, program, f"helper {name}")


def _read(status: int, output: bytes, program: str, source: str) -> Credential | None:
    if status != 0:
        if _NOT_FOUND in output[:1024].lower():
            return None
        ended = f"exit code {status}" if status > 0 else f"signal {-status}"
        raise KeychainError(f"{program} failed ({ended}); run `{program} get` to see why")
    import json

    try:
        answer: Any = json.loads(output)
    except (ValueError, RecursionError):
        answer = None
    username, secret = (answer.get("Username"), answer.get("Secret")) if isinstance(answer, dict) else (None, None)
    if not isinstance(username, str) or not isinstance(secret, str):
        raise KeychainError(f"{program} answered with something that is no credential")
    if not secret:
        return None
    if username == TOKEN_USER:
        return usable(Credential(source, identity_token=secret))
    return usable(Credential(source, username, secret))


class _Running:
    """The helpers that run at the moment, each the head of a process group."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, path: str, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Starts one, in a group of its own; raises OSError, ValueError."""
        import subprocess

        with self._lock:  # so that `end` misses none
            process = subprocess.Popen(
                [path, "get"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(environ),
                start_new_session=True,
            )
            self._processes.append(process)
            return process

    def over(self, process: subprocess.Popen[bytes]) -> None:
        """It has ended and was waited for: from now on its number may be somebody else's."""
        with self._lock:
            self._processes.remove(process)

    def end(self) -> None:
        """Kills them all, with what they have started; does not wait for one that is about to start for ever."""
        held = self._lock.acquire(timeout=0.5)
        for process in list(self._processes):
            if process.returncode is None:
                _kill(process)
        if held:
            self._lock.release()


def _run(
    path: str, program: str, url: str, environ: Mapping[str, str], patience: float, running: _Running
) -> tuple[int, bytes]:
    """(exit status, stdout). Kills the whole group when it is late or prints too much."""
    try:
        process = running.start(path, environ)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "its environment is unusable"
        raise KeychainError(f"{program} cannot be started: {reason}") from None
    try:
        with process:
            try:
                return _converse(process, url, time.monotonic() + patience, program, patience)
            except BaseException:
                _kill(process)
                raise
    finally:
        running.over(process)


def _converse(
    process: subprocess.Popen[bytes], url: str, deadline: float, program: str, patience: float
) -> tuple[int, bytes]:
    import select

    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(url.encode() + b"\n")
        process.stdin.close()
    except OSError:  # it does not want to know, which is its affair
        pass
    output, descriptor = b"", process.stdout.fileno()
    while True:
        ended = process.poll() is not None
        if select.select([descriptor], [], [], 0 if ended else 0.05)[0]:
            chunk = os.read(descriptor, OUTPUT_LIMIT)
            output += chunk
            if len(output) > OUTPUT_LIMIT:
                raise KeychainError(f"{program} printed more than {OUTPUT_LIMIT // 1024} KiB")
            if not chunk:
                return _status(process, deadline, program, patience), output
        elif ended:  # a daemon that it has started may hold the pipe open for ever
            return process.returncode, output
        if time.monotonic() >= deadline:
            raise _late(program, patience)


def _status(process: subprocess.Popen[bytes], deadline: float, program: str, patience: float) -> int:
    import subprocess

    try:
        return process.wait(max(deadline - time.monotonic(), 0.01))
    except subprocess.TimeoutExpired:
        raise _late(program, patience) from None


def _late(program: str, patience: float) -> KeychainError:
    return KeychainError(f"{program} gave no answer within {patience:.0f} s and was ended")


def _kill(process: subprocess.Popen[bytes]) -> None:
    import signal

    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
