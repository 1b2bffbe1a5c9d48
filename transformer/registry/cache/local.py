"""The store of one machine: a SQLite file in a directory of ours, shared by the processes of one user.

Whatever SQLite says means "without": a cache on an odd file system, on a full disk or under contention costs nothing
but itself. A file that is garbage or was written by a newer version is moved aside, not deleted. Source of what WAL
needs: https://sqlite.org/wal.html.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from transformer.images.reference import shorten
from transformer.registry.cache.folders import NAME, Unusable, move_aside, present, private
from transformer.registry.cache.store import Stats, StoreError, mac

SCHEMA = 1
#: Bytes of the file and its log together.
LIMIT = 100 * 1024 * 1024
#: Seconds that another process's write is waited for.
BUSY = 0.1
#: Seconds after which a use is written down: the order of eviction need not be exact.
USE_STEP = 3600.0
#: Answers that are held back until they are written in one transaction.
BATCH = 64
#: SQLite's codes for a file that is not what it should be, and for one that somebody else is writing to.
_DAMAGED, _BUSY, _NO_TABLE = (11, 26), (5, 6), 1
#: Times in a row that the file may be busy before this run goes on without.
PATIENCE = 3
SECRET_LENGTH = 32
#: Keys in one SELECT: below every limit on variables.
_CHUNK = 400
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE answers (key TEXT PRIMARY KEY, text TEXT NOT NULL, asked REAL NOT NULL, used REAL NOT NULL)"
    " WITHOUT ROWID",
    "CREATE INDEX answers_used ON answers (used)",
)


class LocalStore:
    """A Store in `folder`, which is made when it is missing. Opened at the first use; `limit` in bytes."""

    def __init__(self, folder: str, limit: int = LIMIT, now: Callable[[], float] = time.time) -> None:
        self._folder, self._path, self._limit, self._now = folder, os.path.join(folder, NAME), limit, now
        self.notes: list[str] = []
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._secret, self._off, self._busy = b"", False, 0
        self._pending: dict[str, tuple[str, float]] = {}
        self._used: set[str] = set()

    def read(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See Store."""
        with self._lock, self._safely() as database:
            if database is None:
                return {}
            names = {mac(self._secret, key): key for key in keys}
            return {names[name]: text for name, text in self._select(database, list(names))}
        return {}

    def write(self, texts: Mapping[str, str], keep: float) -> None:
        """See Store: written in batches."""
        with self._lock, self._safely() as database:
            if database is None:
                return
            self._pending |= {mac(self._secret, key): (text, self._now()) for key, text in texts.items()}
            if len(self._pending) >= BATCH:
                self._flush(database)

    def claim(self, key: str) -> bool:
        """See Store: on one machine everybody asks for himself."""
        return True

    def release(self, key: str, answered: bool) -> None:
        """See Store."""

    def tick(self) -> None:
        """See Store: what has been answered is there for others before this run ends."""
        with self._lock:
            if self._pending:
                with self._safely() as database:
                    if database is not None:
                        self._flush(database)

    def close(self) -> None:
        """See Store."""
        with self._lock:
            if self._database is None:
                return
            with self._safely() as database:
                if database is not None and (self._pending or self._used):
                    self._flush(database)
            self._shut()

    def stats(self) -> Stats:
        """What is in it; raises StoreError."""
        with self._lock, self._safely() as database:
            if database is not None:
                count, oldest, newest = database.execute(
                    "SELECT count(*), min(asked), max(asked) FROM answers"
                ).fetchone()
                return Stats(self._path, count, self._size(), self._limit, oldest, newest)
        raise StoreError("; ".join(self.notes) or f"{shorten(self._path)} is busy; try again")

    def clear(self) -> int:
        """Removes every answer, and the files that were moved aside; says how many answers. Raises StoreError."""
        with self._lock, self._safely() as database:
            if database is not None:
                count = int(database.execute("DELETE FROM answers").rowcount)
                with suppress(sqlite3.Error):  # the room is used again in any case
                    database.execute("VACUUM")
                    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                for name in os.listdir(self._folder):
                    if name.startswith(f"{NAME}.aside-"):
                        os.unlink(os.path.join(self._folder, name))
                return count
        raise StoreError("; ".join(self.notes) or f"{shorten(self._path)} is busy; try again")

    @contextmanager
    def _safely(self) -> Iterator[sqlite3.Connection | None]:
        """The database, None without one. What goes wrong inside the block ends the store, or is let pass when busy."""
        if self._database is None and not self._off:
            try:
                self._open()
            except (sqlite3.Error, Unusable, OSError, ValueError) as error:  # ValueError: a NUL in the path
                self._end(error)
        try:
            yield self._database
            self._busy = 0
        except sqlite3.Error as error:
            self._busy += 1
            if _code(error) not in _BUSY or self._busy >= PATIENCE:  # else somebody else writes: this time without
                self._end(error)
        except OSError as error:
            self._end(error)

    def _end(self, error: Exception) -> None:
        """This run goes on without."""
        self._off = True
        self._shut()
        if _code(error) in _DAMAGED and self._put_aside("it is damaged"):
            return
        why = shorten(str(error) if not isinstance(error, OSError) else error.strerror or "unusable", 300)
        step = "PINDOWN_CACHE may name another directory, or off"
        self.notes.append(f"answers are not cached: {shorten(self._path, 300)}: {why}; {step}")

    def _shut(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):
                database.close()

    def _open(self) -> None:
        private(self._folder)
        for _ in range(2):  # a second time when the first file was put aside
            inode = present(self._folder, self._path, _create)
            self._database = sqlite3.connect(self._path, timeout=BUSY, isolation_level=None, check_same_thread=False)
            reason = self._unfit(self._database)
            if not reason:
                self._database.execute("PRAGMA synchronous = NORMAL")
                self._database.execute("PRAGMA journal_size_limit = 4194304")
                return
            self._shut()
            self._put_aside(reason, inode)
        raise Unusable("it cannot be made anew")

    def _unfit(self, database: sqlite3.Connection) -> str:
        """Why the file is no use, "" when it is; reads its secret."""
        try:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version != SCHEMA:
                return "a newer version has written it" if version > SCHEMA else "it is no cache"
            row = database.execute("SELECT value FROM meta WHERE name = 'secret'").fetchone()
        except sqlite3.DatabaseError as error:
            if _code(error) not in (*_DAMAGED, _NO_TABLE):
                raise
            return "it is no cache, or is damaged"
        if row is None or not isinstance(row[0], bytes) or len(row[0]) != SECRET_LENGTH:
            return "it has lost its secret"
        self._secret = row[0]
        return ""

    def _put_aside(self, reason: str, inode: int | None = None) -> bool:
        with suppress(OSError, Unusable):
            aside = move_aside(self._folder, self._path, inode)
            if aside:
                self.notes.append(f"the cache {shorten(self._path, 300)} was moved aside ({reason}): {aside}")
            return True
        return False

    def _select(self, database: sqlite3.Connection, names: list[str]) -> Iterator[tuple[str, str]]:
        for at in range(0, len(names), _CHUNK):
            chunk = names[at : at + _CHUNK]
            marks = ",".join("?" * len(chunk))
            for name, text, used in database.execute(
                f"SELECT key, text, used FROM answers WHERE key IN ({marks})", chunk
            ).fetchall():
                if not isinstance(text, str) or name in self._pending:
                    continue
                if self._now() - used > USE_STEP:
                    self._used.add(name)
                yield name, text
        yield from ((name, self._pending[name][0]) for name in names if name in self._pending)

    def _flush(self, database: sqlite3.Connection) -> None:
        rows = [(name, text, now, now) for name, (text, now) in self._pending.items()]
        database.execute("BEGIN IMMEDIATE")
        try:
            self._make_room(database)
            database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", rows)
            database.executemany(
                "UPDATE answers SET used = ? WHERE key = ?", [(self._now(), one) for one in self._used]
            )
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise
        self._pending.clear()
        self._used.clear()

    def _make_room(self, database: sqlite3.Connection) -> None:
        """Forgets a part of what was not used for longest; the log of that needs room too, so well before the limit."""
        pages, free, size = (
            int(database.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size < self._limit * 0.7:
            return
        count = int(database.execute("SELECT count(*) FROM answers").fetchone()[0])
        database.execute(
            "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY used LIMIT ?)", (count // 5 + 1,)
        )

    def _size(self) -> int:
        total = 0
        for ending in ("", "-wal"):
            with suppress(OSError):
                total += os.stat(self._path + ending).st_size
        return total


def _create(path: str) -> None:
    """An empty cache with a secret of its own."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            database.execute(table)
        database.execute("INSERT INTO meta VALUES ('secret', ?)", (os.urandom(SECRET_LENGTH),))
        database.execute(f"PRAGMA user_version = {SCHEMA}")
        database.execute("COMMIT")
    finally:
        database.close()


def _code(error: Exception) -> int:
    """SQLite's primary code, 0 for what does not come from it."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
