"""Calls that hang, fail or are slow: how long anybody waits for them, and that there is no second one."""

from __future__ import annotations

import threading
import time

import pytest

from transformer.registry.cache import calls
from transformer.registry.cache.calls import ALLOWANCE, PATIENCE, SLOW, THREADS, Calls, Unanswered, overloaded

#: Generous: a busy machine may take this long to do what is promised at once.
PROMPT = 5.0


def idle():
    return False


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_value_and_an_error_come_back():
    one = Calls(idle)
    assert one.make(lambda: 42) == 42
    with pytest.raises(KeyError):
        one.make(lambda: {}["x"])
    assert one.closed == ""


def test_a_call_that_hangs_is_left_and_is_the_last():
    one, forever = Calls(idle), threading.Event()
    began = time.monotonic()
    with pytest.raises(Unanswered, match="in time"):
        one.make(lambda: forever.wait(30))
    assert PATIENCE <= time.monotonic() - began < PROMPT
    with pytest.raises(Unanswered, match="in time"):
        one.make(lambda: pytest.fail("it was called"))
    forever.set()


def test_those_that_wait_behind_a_call_that_hangs_are_let_go():
    one, forever = Calls(idle), threading.Event()
    left = []

    def hang():
        try:
            one.make(lambda: forever.wait(30))
        except Unanswered:
            left.append(1)

    threads = [threading.Thread(target=hang) for _ in range(THREADS * 5)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PROMPT)
    assert len(left) == THREADS * 5 and time.monotonic() - began < PROMPT
    forever.set()


def test_an_overloaded_machine_is_given_time():
    one, ready = Calls(lambda: True), threading.Event()
    threading.Timer(PATIENCE * 2.5, ready.set).start()
    assert one.make(lambda: ready.wait(30)) is True
    assert one.closed == ""


def test_but_not_for_ever(monkeypatch):
    monkeypatch.setattr(calls, "BUSY_PATIENCE", PATIENCE * 1.5)
    one, forever = Calls(lambda: True), threading.Event()
    with pytest.raises(Unanswered):
        one.make(lambda: forever.wait(30))
    forever.set()


@pytest.mark.parametrize(
    ("seconds", "closed"),
    [
        ([SLOW / 2] * 100, False),
        ([ALLOWANCE * 0.9], False),
        ([ALLOWANCE * 0.6, SLOW / 2] * 10, False),
        ([ALLOWANCE], True),
        ([ALLOWANCE * 0.6] * 2, True),
        ([SLOW * 1.5] * 6, True),
    ],
    ids=["quick", "one slow", "now and then", "very slow", "two", "many"],
)
def test_slow_ones_one_after_the_other_are_a_slow_server(seconds, closed):
    clock = Clock()
    one = Calls(idle, clock)

    def work(taken):
        clock.now += taken

    for taken in seconds:
        if not one.closed:
            one.make(lambda taken=taken: work(taken))
    assert bool(one.closed) is closed


def test_a_busy_machine_is_no_slow_server():
    clock = Clock()
    one = Calls(lambda: True, clock)

    def work():
        clock.now += 1

    for _ in range(5):
        one.make(work)
    assert one.closed == ""


def test_no_more_threads_than_agreed():
    one, together = Calls(idle), threading.Barrier(THREADS)
    before = threading.active_count()
    threads = [threading.Thread(target=lambda: one.make(lambda: together.wait(PROMPT), PROMPT)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PROMPT)
    assert threading.active_count() - before <= THREADS
    one.close("done")


def test_closing_tells_the_first_reason_and_ends_the_threads():
    one = Calls(idle)
    one.make(lambda: None)
    assert (one.close("a"), one.close("b")) == ("a", "a")
    until = time.monotonic() + PROMPT
    while one._idle and time.monotonic() < until:
        time.sleep(0.005)
    with pytest.raises(Unanswered, match="a"):
        one.check()


def test_overload_is_seen_where_it_is_told(monkeypatch, tmp_path):
    assert overloaded() in (True, False)
    monkeypatch.setattr(calls.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(calls.os, "cpu_count", lambda: 10**6)
    assert overloaded() is False
    monkeypatch.setattr(calls.os, "cpu_count", lambda: -1)
    assert overloaded() is True
