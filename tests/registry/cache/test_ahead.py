"""Looks into the store: few, shared, and never older than they may be."""

from __future__ import annotations

import threading
import time

import pytest

from transformer.registry.cache.ahead import INTERVAL, Ahead


class Shelf:
    """A store's `read` over a dict, with what was looked for, and a clock."""

    def __init__(self, **texts):
        self.texts, self.looks, self.now = texts, [], 100.0

    def read(self, keys):
        self.looks.append(sorted(keys))
        return {key: self.texts[key] for key in keys if key in self.texts}

    def clock(self):
        return self.now


def ahead(shelf, *announced):
    one = Ahead(shelf.read, shelf.clock)
    one.announce(announced)
    return one


def test_what_was_not_announced_is_looked_up_alone_each_time():
    shelf = Shelf(a="1")
    one = ahead(shelf, "x")
    assert (one.get(["a"]), one.get(["a"]), one.get(["b"])) == ({"a": "1"}, {"a": "1"}, {})
    assert shelf.looks == [["a"], ["a"], ["b"]]


def test_what_was_announced_is_read_at_once_and_together():
    shelf = Shelf(a="1", b="2")
    one = ahead(shelf, "a", "b", "c")
    assert [one.get([key]) for key in "abc"] == [{"a": "1"}, {"b": "2"}, {}]
    assert shelf.looks == [["a", "b", "c"]]


def test_what_was_missing_is_looked_up_again_when_the_look_is_old():
    shelf = Shelf(a="1")
    one = ahead(shelf, "a", "b")
    one.get(["b"])
    shelf.texts["b"] = "2"
    assert one.get(["b"]) == {}
    shelf.now += 2 * INTERVAL
    assert (one.get(["a"]), one.get(["b"])) == ({"a": "1"}, {"b": "2"})
    assert shelf.looks == [["a", "b"], ["b"]]


def test_what_is_forgotten_is_not_read_any_more():
    shelf = Shelf()
    one = ahead(shelf, "a", "b")
    one.forget(["a", "never there"])
    one.get(["b"])
    assert shelf.looks == [["b"]]


def test_waiting_sees_an_answer_that_replaces_an_old_one():
    shelf = Shelf(a="old")
    one = ahead(shelf, "a")
    assert one.get(["a"]) == {"a": "old"}

    def pause(seconds):
        shelf.texts["a"] = "new"

    assert one.wait(["a"], pause, 1.0) == {"a": "new"}


def test_only_one_of_those_that_wait_looks():
    shelf, go = Shelf(), threading.Event()
    one = ahead(shelf, *"abcd")
    seen = {}

    def pause(seconds):
        assert go.wait(10)
        shelf.texts |= {key: key for key in "abcd"}

    def wait(key):
        texts = {}
        while not texts:
            texts = one.wait([key], pause, 10.0)
        seen[key] = texts

    threads = [threading.Thread(target=wait, args=(key,)) for key in "abcd"]
    for thread in threads:
        thread.start()
    while len(one._awaited) < 4:
        time.sleep(0.002)
    go.set()
    for thread in threads:
        thread.join(10)
    assert seen == {key: {key: key} for key in "abcd"}
    assert shelf.looks == [["a", "b", "c", "d"]]


def test_when_the_one_that_looks_leaves_another_does():
    shelf = Shelf()
    one = ahead(shelf, "a", "b")
    leads, leave = threading.Event(), threading.Event()

    def broken(seconds):
        leads.set()
        assert leave.wait(10)
        raise RuntimeError("the run is over")

    def first():
        with pytest.raises(RuntimeError):
            one.wait(["a"], broken, 10.0)

    leader = threading.Thread(target=first)
    leader.start()
    assert leads.wait(10)
    second = threading.Thread(target=lambda: one.wait(["b"], lambda seconds: None, 10.0))
    second.start()
    while "b" not in one._awaited:
        time.sleep(0.002)
    leave.set()
    second.join(10)
    assert not second.is_alive()
    shelf.texts["b"] = "2"
    assert one.wait(["b"], lambda seconds: None, 10.0) == {"b": "2"}
