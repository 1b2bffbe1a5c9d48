from __future__ import annotations

import threading
import time

import pytest

from transformer.registry.deadline import OutOfTime, Run
from transformer.registry.gate import Gate


class Clock:
    """A clock that only `advance` moves."""

    def __init__(self):
        self.time, self.slept = 100.0, []

    def __call__(self):
        return self.time

    def advance(self, seconds):
        self.slept.append(seconds)
        self.time += seconds

    def run(self, timeout=None):
        return Run(timeout, self, self.advance)


@pytest.fixture
def clock():
    return Clock()


def real_run(timeout=None):
    return Run(timeout, time.monotonic, time.sleep)


def test_a_place_is_given_back(clock):
    gate = Gate(1, 0, clock)
    for _ in range(3):
        with gate.place(clock.run()):
            pass
    assert clock.slept == []


def test_a_place_is_given_back_after_an_error(clock):
    gate = Gate(1, 0, clock)
    with pytest.raises(ValueError), gate.place(clock.run()):
        raise ValueError
    with gate.place(clock.run()):
        pass


def test_a_limit_below_one_is_one(clock):
    assert (Gate(0, 0, clock).limit, Gate(-3, 0, clock).limit) == (1, 1)


def test_a_full_house_ends_with_the_run():
    gate = Gate(1, 0, time.monotonic)
    with gate.place(real_run()), pytest.raises(OutOfTime), gate.place(real_run(0.05)):
        pytest.fail("entered")


def test_a_run_that_is_over_enters_nothing(clock):
    run = clock.run(10)
    run.close()
    with pytest.raises(OutOfTime), Gate(1, 0, clock).place(run):
        pytest.fail("entered")


def test_a_pause_is_slept_through(clock):
    gate = Gate(4, 0, clock)
    gate.pause(7)
    assert gate.paused() == 7
    with gate.place(clock.run()):
        assert clock.slept == [7]
    assert gate.paused() == 0


def test_a_pause_longer_than_the_run_is_not_begun(clock):
    gate = Gate(4, 0, clock)
    gate.pause(7)
    with pytest.raises(OutOfTime), gate.place(clock.run(5)):
        pytest.fail("entered")
    assert clock.slept == []


def test_pauses_do_not_add_up_and_the_longest_counts(clock):
    gate = Gate(4, 0, clock)
    for seconds in (3, 7, 5):
        gate.pause(seconds)
    assert gate.paused() == 7


def test_answers_that_were_under_way_together_halve_the_limit_once(clock):
    gate = Gate(32, 0, clock)
    for _ in range(10):
        gate.pause(1)
    assert gate.limit == 16
    clock.advance(2)
    gate.pause(1)
    assert gate.limit == 8
    for _ in range(10):
        clock.advance(2)
        gate.pause(1)
    assert gate.limit == 1


def test_never_more_inside_than_the_limit():
    gate, inside, peak, lock = Gate(3, 0, time.monotonic), 0, 0, threading.Lock()

    def visit():
        nonlocal inside, peak
        with gate.place(real_run()):
            with lock:
                inside += 1
                peak = max(peak, inside)
            time.sleep(0.005)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=visit) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (inside, peak) == (0, 3)


def test_the_first_is_not_held_up_and_the_second_waits_for_its_answer():
    gate = Gate(4, 30, time.monotonic)
    gate.yield_to_first(real_run())
    passed = threading.Event()

    def second():
        gate.yield_to_first(real_run())
        passed.set()

    threading.Thread(target=second, daemon=True).start()
    assert not passed.wait(0.05)
    gate.answered()
    assert passed.wait(10)
    gate.yield_to_first(real_run())


def test_the_head_start_ends_and_the_run_ends_it_sooner():
    for gate, run in ((Gate(4, 0.01, time.monotonic), real_run()), (Gate(4, 60, time.monotonic), real_run(0.01))):
        gate.yield_to_first(run)
        began = time.monotonic()
        gate.yield_to_first(run)
        assert time.monotonic() - began < 10


def test_a_locked_door_turns_away_those_who_wait_and_those_who_come():
    gate, reason, left = Gate(1, 0, time.monotonic), ValueError("nobody there"), []

    def visit():
        try:
            with gate.place(real_run()):
                pytest.fail("entered")
        except ValueError as error:
            left.append(error)

    with gate.place(real_run()):
        threads = [threading.Thread(target=visit) for _ in range(5)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        gate.lock(reason)
        began = time.monotonic()
        for thread in threads:
            thread.join(10)
        assert time.monotonic() - began < 0.9  # woken, and not found out by the next look
    visit()
    assert left == [reason] * 6


def test_where_something_was_heard_no_door_is_locked(clock):
    gate = Gate(1, 0, clock)
    gate.lock(ValueError("early"))
    gate.hear()
    gate.lock(ValueError("late"))
    with gate.place(clock.run()):
        assert gate.down is None
