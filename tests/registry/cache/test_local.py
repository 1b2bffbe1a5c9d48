"""The SQLite store: what it does without, what it puts aside, and what sixteen processes leave in it."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import threading

import pytest

from tests.conftest import ROOT
from tests.tools import ACCEPTED
from transformer.registry.cache import local
from transformer.registry.cache.entries import Entry, encode
from transformer.registry.cache.local import BATCH, LIMIT, LocalStore
from transformer.registry.cache.store import StoreError

TEXT = encode(Entry(100.0, 700.0, "sha256:" + "a" * 64))
HOUR = 3600.0


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "pindown" / "answers")


def store(folder, **options):
    return LocalStore(folder, **options)


def put(folder, **texts):
    one = store(folder)
    one.write(texts, 1)
    one.close()
    assert one.notes == []


def read(folder, *keys):
    one = store(folder)
    found = one.read(list(keys))
    one.close()
    return found, one.notes


def path_of(folder):
    return os.path.join(folder, "answers.db")


def files(folder):
    """What lies there; SQLite's companions stay when processes close the file at the same moment."""
    names = [name for name in os.listdir(folder) if not name.endswith(("-wal", "-shm"))]
    return sorted(name.partition(".aside-")[0] + (" aside" if ".aside-" in name else "") for name in names)


# Without.


def without(one):
    """One note, however often the store is used; nothing is read, nothing raised."""
    for _ in range(3):
        assert one.read(["a", "b"]) == {}
        one.write({"a": TEXT}, 60)
        assert one.claim("a") is True
        one.release("a", answered=True)
        one.tick()
    one.close()
    assert len(one.notes) == 1 and one.notes[0].isprintable(), one.notes
    return one.notes[0]


@pytest.mark.parametrize("folder", ["", "relative/answers"])
def test_no_place(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "neither HOME nor XDG_CACHE_HOME is set" in without(store(folder))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("folder", ["/proc/pindown/answers", "/dev/null/pindown/answers", "/nowhere\0/a/answers"])
def test_a_place_where_nothing_can_be(folder):
    note = without(store(folder))
    assert note.startswith("answers are not cached: ") and "PINDOWN_CACHE" in note


def test_a_directory_that_others_may_write_to(folder):
    os.makedirs(folder, mode=0o700)
    os.chmod(folder, 0o777)
    assert "chmod 700" in without(store(folder))
    assert os.listdir(folder) == []


def test_a_file_that_others_may_read(folder):
    put(folder, a=TEXT)
    os.chmod(path_of(folder), 0o644)
    assert "chmod 600" in without(store(folder))


def test_a_directory_that_may_not_be_written_to(folder):
    if os.geteuid() == 0:
        pytest.skip(f"{ACCEPTED}root may write everywhere")
    os.makedirs(folder, mode=0o700)
    os.chmod(folder, 0o500)
    without(store(folder))


def test_a_full_disk(folder):
    """A limit on the size of files is met like the end of a disk."""
    program = (
        "import sys, signal\nfrom transformer.registry.cache.local import LocalStore\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\none = LocalStore(sys.argv[1])\n"
        "for n in range(200):\n one.write({f'{n}-{m}': 'x' * 2000 for m in range(20)}, 1)\n"
        "one.close()\nprint(one.notes)\n"
    )

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    ran = subprocess.run(
        [sys.executable, "-c", program, folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=limited,
        timeout=60,
    )
    assert ran.stderr == "" and ran.stdout.count("answers are not cached") == 1, ran
    assert read(folder, "0-0")[1] == []


def test_a_file_that_is_locked_for_long(folder, monkeypatch):
    monkeypatch.setattr(local, "BUSY", 0.01)
    put(folder, a=TEXT)
    other = sqlite3.connect(path_of(folder), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    one = store(folder)
    assert one.read(["a"]) == {"a": TEXT}
    one.write({"b": TEXT}, 1)
    for _ in range(4):
        one.tick()
    one.close()
    other.execute("ROLLBACK")
    other.close()
    assert len(one.notes) == 1 and "locked" in one.notes[0]
    assert read(folder, "a", "b") == ({"a": TEXT}, [])


def test_a_file_that_is_locked_for_a_moment(folder, monkeypatch):
    monkeypatch.setattr(local, "BUSY", 0.01)
    put(folder, a=TEXT)
    other = sqlite3.connect(path_of(folder), isolation_level=None)
    one = store(folder)
    one.write({"b": TEXT}, 1)
    other.execute("BEGIN IMMEDIATE")
    one.tick()
    other.execute("ROLLBACK")
    other.close()
    one.close()
    assert one.notes == [] and read(folder, "b") == ({"b": TEXT}, [])


# Put aside.


def new_version(path):
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.commit()
    database.close()


def foreign(path):
    os.unlink(path)
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE theirs (x)")
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()
    os.chmod(path, 0o600)


def no_secret(path):
    database = sqlite3.connect(path)
    database.execute("DELETE FROM meta")
    database.commit()
    database.close()


def overwrite(content):
    def write(path):
        with open(path, "wb") as file:
            file.write(content)

    return write


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (overwrite(b"garbage" * 1000), "it is no cache, or is damaged"),
        (overwrite(b""), "it is no cache"),
        (overwrite(b"SQLite format 3\0" + b"\xff" * 4096), "it is no cache, or is damaged"),
        (new_version, "a newer version has written it"),
        (foreign, "it is no cache, or is damaged"),
        (no_secret, "it has lost its secret"),
    ],
    ids=["garbage", "empty", "a damaged head", "a newer version", "another database", "no secret"],
)
def test_a_file_that_is_no_cache_is_put_aside_and_said_once(folder, damage, reason):
    put(folder, a=TEXT)
    damage(path_of(folder))
    with open(path_of(folder), "rb") as file:
        before = file.read()
    found, notes = read(folder, "a")
    assert found == {} and len(notes) == 1 and f"moved aside ({reason}): answers.db.aside-" in notes[0], notes
    assert files(folder) == ["answers.db", "answers.db aside"]
    aside = next(name for name in os.listdir(folder) if "aside" in name)
    with open(os.path.join(folder, aside), "rb") as file:
        assert file.read() == before
    put(folder, a=TEXT)
    assert read(folder, "a") == ({"a": TEXT}, [])


def test_a_file_that_turns_out_damaged_while_it_is_used(folder):
    one = store(folder)
    one.write({f"{n}": TEXT for n in range(2000)}, 1)
    one.close()
    size = os.path.getsize(path_of(folder))
    with open(path_of(folder), "r+b") as file:
        file.seek(4096 * 4)
        file.write(b"\xff" * (size - 4096 * 4))
    one = store(folder)
    for n in range(2000):
        one.read([f"{n}"])
    one.close()
    assert len(one.notes) == 1 and "moved aside" in one.notes[0]
    assert "answers.db aside" in files(folder)


# Remembered.


def test_what_is_written_is_there(folder):
    put(folder, a=TEXT, b="2")
    put(folder, b="3")
    assert read(folder, "a", "b", "c") == ({"a": TEXT, "b": "3"}, [])


def test_what_is_not_written_yet_is_read_too(folder):
    one = store(folder)
    one.write({"a": "1"}, 1)
    assert one.read(["a"]) == {"a": "1"}
    assert read(folder, "a")[0] == {}
    one.tick()
    assert read(folder, "a")[0] == {"a": "1"}
    one.write({f"{n}": "x" for n in range(BATCH)}, 1)
    assert read(folder, "7")[0] == {"7": "x"}
    one.close()


def test_many_keys_at_once(folder):
    keys = [f"key {n}" for n in range(2500)]
    put(folder, **dict.fromkeys(keys, TEXT))
    assert read(folder, *keys, "none")[0] == dict.fromkeys(keys, TEXT)


def test_the_file_is_ours_alone_and_tells_no_names(folder):
    put(folder, **{"https://registry.test\0team/secret-project\0001\0": TEXT})
    assert os.stat(path_of(folder)).st_mode & 0o777 == 0o600 and os.stat(folder).st_mode & 0o777 == 0o700
    with open(path_of(folder), "rb") as file:
        assert b"secret-project" not in file.read()


def test_the_companions_are_ours_alone(folder):
    one = store(folder)
    one.write({"a": TEXT}, 1)
    one.tick()
    modes = {name: os.stat(os.path.join(folder, name)).st_mode & 0o777 for name in os.listdir(folder)}
    one.close()
    assert len(modes) == 3 and set(modes.values()) == {0o600}, modes


def test_each_file_has_a_secret_of_its_own(folder, tmp_path):
    put(folder, a=TEXT)
    other = str(tmp_path / "other" / "answers")
    put(other, a=TEXT)

    def names(path):
        database = sqlite3.connect(path_of(path))
        found = database.execute("SELECT key FROM answers").fetchall()
        database.close()
        return found

    assert names(folder) != names(other)


def test_nothing_is_opened_before_it_is_used(folder):
    store(folder).close()
    assert not os.path.exists(folder)


def test_threads_share_a_store(folder):
    one = store(folder)

    def work(part):
        for n in range(100):
            one.write({f"{part}-{n}": TEXT}, 1)
            assert one.read([f"{part}-{n}"])

    threads = [threading.Thread(target=work, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    one.close()
    assert one.notes == [] and store(folder).stats().entries == 800


# Bounded.


def test_what_was_not_used_for_longest_goes_first(folder):
    now = [1_000_000.0]
    one = store(folder, limit=400_000, now=lambda: now[0])
    one.write({"kept": TEXT, "lost": TEXT}, 1)
    one.tick()
    for round_ in range(60):
        now[0] += 2 * HOUR
        assert one.read(["kept"]), round_
        one.write({f"{round_}-{n}": "x" * 200 for n in range(BATCH)}, 1)
    assert one.read(["kept", "lost"]) == {"kept": TEXT}
    entries = one.stats().entries
    one.close()
    assert os.path.getsize(path_of(folder)) < 400_000 and entries > 300


def test_uses_are_written_down_now_and_then_only(folder):
    now = [1_000_000.0]
    put_ = store(folder, now=lambda: now[0])
    put_.write({"a": TEXT}, 1)
    put_.close()
    before = os.stat(path_of(folder)).st_mtime_ns
    for _ in range(3):
        one = store(folder, now=lambda: now[0])
        one.read(["a"])
        one.close()
    assert os.stat(path_of(folder)).st_mtime_ns == before
    now[0] += 2 * HOUR
    one = store(folder, now=lambda: now[0])
    one.read(["a"])
    one.close()
    assert os.stat(path_of(folder)).st_mtime_ns != before


def test_the_limit_is_a_hundred_megabytes():
    assert LIMIT == 100 * 1024 * 1024


# Many processes.

_WORKER = """\
import sys
from transformer.registry.cache.local import LocalStore
folder, part = sys.argv[1:]
for round in range(4):
    one = LocalStore(folder)
    for n in range(50):
        one.read([f"{part}-{n}", "shared"])
        one.write({f"{part}-{round}-{n}": "x" * 150, "shared": part}, 1)
    one.close()
    assert all("locked" in note or "moved aside" in note for note in one.notes), one.notes
"""


@pytest.mark.parametrize("start", ["nothing", "garbage"])
def test_sixteen_processes_at_once(folder, start):
    if start == "garbage":
        os.makedirs(folder, mode=0o700)
        os.close(os.open(path_of(folder), os.O_CREAT | os.O_WRONLY, 0o600))
        with open(path_of(folder), "wb") as file:
            file.write(b"garbage" * 2000)
    running = [
        subprocess.Popen([sys.executable, "-c", _WORKER, folder, str(part)], cwd=ROOT, stderr=subprocess.PIPE)
        for part in range(16)
    ]
    told = [one.communicate(timeout=120)[1] for one in running]
    assert [one.returncode for one in running] == [0] * 16, told
    assert files(folder) == ["answers.db"] + (["answers.db aside"] if start == "garbage" else [])
    entries = store(folder).stats().entries
    assert entries > 16 * 200 * 0.5  # what could not be written at once may be left out


# For people.


def test_stats(folder):
    now = [1_000_000.0]
    one = store(folder, now=lambda: now[0])
    one.write({"a": TEXT}, 1)
    one.tick()
    now[0] += 50
    one.write({"b": TEXT}, 1)
    one.tick()
    found = one.stats()
    one.close()
    assert (found.where, found.entries, found.limit) == (path_of(folder), 2, LIMIT)
    assert (found.oldest, found.newest) == (1_000_000.0, 1_000_050.0) and found.size > 4096


def test_stats_of_nothing(folder):
    found = store(folder).stats()
    assert (found.entries, found.oldest, found.newest) == (0, None, None)


def test_clear_forgets_answers_and_what_was_put_aside_and_nothing_else(folder):
    put(folder, a=TEXT, b=TEXT)
    overwrite(b"garbage")(path_of(folder))
    put_ = store(folder)
    put_.write({"c": TEXT, "d": TEXT}, 1)
    put_.close()
    with open(os.path.join(folder, "theirs"), "w") as file:
        file.write("x")
    one = store(folder)
    assert one.clear() == 2
    one.close()
    assert files(folder) == ["answers.db", "theirs"]
    assert read(folder, "c") == ({}, [])


@pytest.mark.parametrize("method", ["stats", "clear"])
def test_what_cannot_be_opened_is_an_error_for_people(method):
    with pytest.raises(StoreError, match="PINDOWN_CACHE"):
        getattr(store("/proc/pindown/answers"), method)()
