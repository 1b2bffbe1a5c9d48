"""The directory and the file of the local cache: ours alone, or not used."""

from __future__ import annotations

import os
import stat
import threading

import pytest

from tests.tools import ACCEPTED
from transformer.registry.cache import folders
from transformer.registry.cache.folders import Unusable, locked, move_aside, present, private


def made(path):
    with open(path, "w") as file:
        file.write("new")


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


# What is refused.


@pytest.mark.parametrize("bits", [0o755, 0o750, 0o701, 0o707, 0o777, 0o720])
def test_a_directory_that_is_open_to_others(tmp_path, bits):
    folder = tmp_path / "pindown" / "answers"
    folder.mkdir(parents=True)
    folder.chmod(bits)
    with pytest.raises(Unusable, match=f"mode {bits:04o}; chmod 700"):
        private(str(folder))
    assert mode(folder) == bits


def test_a_link_to_a_directory(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "answers").symlink_to(tmp_path / "real")
    with pytest.raises(Unusable, match="is none"):
        private(str(tmp_path / "answers"))


def test_a_file_in_place_of_a_directory(tmp_path):
    (tmp_path / "answers").write_text("x")
    with pytest.raises((Unusable, OSError)):
        private(str(tmp_path / "answers"))
    (tmp_path / "pindown").write_text("x")
    with pytest.raises(OSError):
        private(str(tmp_path / "pindown" / "answers"))


@pytest.mark.parametrize("folder", ["", "answers", "./answers"])
def test_no_place(folder):
    with pytest.raises(Unusable, match="neither HOME nor XDG_CACHE_HOME"):
        private(folder)


def test_a_directory_of_another_user(tmp_path):
    if os.geteuid() != 0:
        pytest.skip(f"{ACCEPTED}only root can give a directory away")
    folder = tmp_path / "answers"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    with pytest.raises(Unusable, match="another user"):
        private(str(folder))


@pytest.mark.parametrize("bits", [0o644, 0o640, 0o604, 0o666])
def test_a_file_that_is_open_to_others(tmp_path, bits):
    path = tmp_path / "answers.db"
    path.write_text("theirs")
    path.chmod(bits)
    with pytest.raises(Unusable, match=f"mode {bits:04o}; chmod 600"):
        present(str(tmp_path), str(path), made)
    assert path.read_text() == "theirs"


@pytest.mark.parametrize("what", ["link", "dangling", "fifo", "directory"])
def test_what_is_no_file(tmp_path, what):
    path = tmp_path / "answers.db"
    if what == "fifo":
        os.mkfifo(path, 0o600)
    elif what == "directory":
        path.mkdir(mode=0o700)
    else:
        path.symlink_to(tmp_path / "target")
        if what == "link":
            (tmp_path / "target").write_text("theirs")
    with pytest.raises(Unusable, match="no file of ours"):
        present(str(tmp_path), str(path), made)
    assert what != "dangling" or not (tmp_path / "target").exists()


# What is made.


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_is_made_is_ours_alone(tmp_path, umask):
    folder = tmp_path / "a" / "pindown" / "answers"
    before = os.umask(umask)
    try:
        private(str(folder))
        inode = present(str(folder), str(folder / "answers.db"), made)
    finally:
        os.umask(before)
    assert (mode(folder), mode(folder.parent), mode(folder / "answers.db")) == (0o700, 0o700, 0o600)
    assert os.listdir(folder) == ["answers.db"] and inode == (folder / "answers.db").stat().st_ino


def test_what_is_there_is_taken(tmp_path):
    path = tmp_path / "answers.db"
    path.touch(mode=0o600)
    assert present(str(tmp_path), str(path), lambda path: pytest.fail("made anew")) == path.stat().st_ino


def test_what_could_not_be_made_leaves_nothing(tmp_path):
    def full(path):
        made(path)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        present(str(tmp_path), str(tmp_path / "answers.db"), full)
    assert os.listdir(tmp_path) == []


# Putting aside.


def test_a_file_is_put_aside_with_its_companions(tmp_path):
    path = tmp_path / "answers.db"
    for ending in ("", "-wal", "-shm"):
        (tmp_path / f"answers.db{ending}").write_text(ending)
    aside = move_aside(str(tmp_path), str(path))
    assert sorted(os.listdir(tmp_path)) == sorted([aside, f"{aside}-wal", f"{aside}-shm"])
    assert (tmp_path / f"{aside}-wal").read_text() == "-wal"


def test_a_new_file_in_its_place_stays(tmp_path):
    path = tmp_path / "answers.db"
    path.write_text("new")
    assert move_aside(str(tmp_path), str(path), path.stat().st_ino + 1) == ""
    assert path.read_text() == "new"


def test_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "PATIENCE", 0.05)
    inside = []
    with locked(str(tmp_path)):
        with pytest.raises(Unusable, match="locked"):
            with locked(str(tmp_path)):
                inside.append(1)
        thread = threading.Thread(target=lambda: inside.append(2))
        thread.start()
        thread.join()
    with locked(str(tmp_path)):
        inside.append(3)
    assert inside == [2, 3]
