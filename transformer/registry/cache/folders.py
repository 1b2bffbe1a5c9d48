"""The directory of the local cache: made for us alone, or not used; and a file in it that is put aside.

Whoever may write there could choose digests, and whoever may read it would learn what is deployed.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

NAME = "answers.db"
#: Seconds that another process is waited for which makes or moves the file.
PATIENCE = 0.5


class Unusable(Exception):
    """There can be no cache here; the message says why."""


def private(folder: str) -> None:
    """Makes the directory where it is missing; raises Unusable (or OSError) unless it is ours alone."""
    if not os.path.isabs(folder):
        raise Unusable("there is no place for it (neither HOME nor XDG_CACHE_HOME is set)")
    parent = os.path.dirname(folder)
    os.makedirs(os.path.dirname(parent), exist_ok=True)
    for one in (parent, folder):
        if not os.path.isdir(one):
            with suppress(FileExistsError):
                os.mkdir(one, 0o700)
    info = os.lstat(folder)
    if not stat.S_ISDIR(info.st_mode):
        raise Unusable("its directory is none")
    if info.st_uid != os.geteuid():
        raise Unusable("its directory belongs to another user")
    if info.st_mode & 0o077:
        raise Unusable(f"its directory is open to others (mode {info.st_mode & 0o777:04o}; chmod 700 it)")


def present(folder: str, path: str, create: Callable[[str], None]) -> int:
    """The inode of the file, which `create` has filled if it was missing. Raises Unusable unless it is ours alone."""
    if not os.path.lexists(path):
        with locked(folder):
            if not os.path.lexists(path):
                _made(path, create)
    info = os.lstat(path)
    if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
        raise Unusable("it is no file of ours")
    if info.st_mode & 0o077:
        raise Unusable(f"it is open to others (mode {info.st_mode & 0o777:04o}; chmod 600 it)")
    return info.st_ino


def _made(path: str, create: Callable[[str], None]) -> None:
    """Fills the file under another name first: whoever opens it finds it whole."""
    new = f"{path}.new-{os.getpid()}"
    try:
        os.close(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        create(new)
        os.rename(new, path)
    finally:
        with suppress(OSError):
            os.unlink(new)


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """One process at a time; raises Unusable when another takes too long."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + PATIENCE
        while not _taken(handle):
            if time.monotonic() >= until:
                raise Unusable("another process keeps its directory locked")
            time.sleep(0.005)
        yield
    finally:
        os.close(handle)


def move_aside(folder: str, path: str, inode: int | None = None) -> str:
    """Renames the file and SQLite's companions; answers the new name, "" when another process was first.

    `inode` is the file that was found wrong: a new one that stands in its place by now stays.
    """
    with locked(folder):
        if inode is not None and os.lstat(path).st_ino != inode:
            return ""
        aside = f"{path}.aside-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
        os.rename(path, aside)
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.rename(path + ending, aside + ending)
        return os.path.basename(aside)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
