from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from transformer.registry.deadline import FOREVER, OutOfTime, Run, Watch


class Clock:
    def __init__(self, now=0.0):
        self.now = now

    def __call__(self):
        return self.now


def sleeper(clock, slept):
    def sleep(seconds):
        slept.append(seconds)
        clock.now += seconds

    return sleep


def test_a_run_without_a_timeout_never_ends_by_itself():
    clock = Clock(50)
    run = Run(None, clock, pytest.fail)
    clock.now = 1e9
    run.check()
    assert (run.remaining(), run.until(30)) == (FOREVER, 1e9 + 30)


def test_a_run_ends():
    clock = Clock(50)
    run = Run(10, clock, pytest.fail)
    assert (run.remaining(), run.until(3), run.until(30)) == (10, 53, 60)
    clock.now = 59.9
    run.check()
    clock.now = 60
    with pytest.raises(OutOfTime):
        run.check()


def test_a_run_that_the_caller_has_left():
    run = Run(None, Clock(), pytest.fail)
    run.close()
    assert run.remaining() == 0
    with pytest.raises(OutOfTime):
        run.check()


@pytest.mark.parametrize(("pause", "slept"), [(0, []), (-1, []), (3, [3])])
def test_pauses_that_fit(pause, slept):
    clock, done = Clock(), []
    Run(10, clock, sleeper(clock, done)).pause(pause)
    assert done == slept


@pytest.mark.parametrize("pause", [10, 11])
def test_pauses_that_do_not_fit_are_not_begun(pause):
    with pytest.raises(OutOfTime):
        Run(10, Clock(), pytest.fail).pause(pause)


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        yield ours, theirs


def test_an_idle_watch_has_nothing_to_wait_for():
    watch = Watch(Clock())
    assert watch.cut_late() == FOREVER
    assert watch.end() is False
    watch.cut_all()


def test_before_the_deadline_nothing_is_cut(pair):
    ours, theirs = pair
    watch = Watch(Clock(5))
    watch.begin(7)
    watch.attach(ours)
    assert watch.cut_late() == 2
    theirs.sendall(b"x")
    assert ours.recv(1) == b"x"
    assert watch.end() is False


def test_at_the_deadline_the_connection_ends_for_whoever_reads(pair):
    ours, _ = pair
    clock = Clock(5)
    watch, read = Watch(clock), []

    def work():
        watch.begin(7)
        watch.attach(ours)
        begun.set()
        read.append(ours.recv(1))
        read.append(watch.end())

    begun = threading.Event()
    worker = threading.Thread(target=work)
    worker.start()
    assert begun.wait(10)
    clock.now = 7
    assert watch.cut_late() == FOREVER
    worker.join(10)
    assert read == [b"", True]


def test_a_socket_attached_too_late_is_cut_at_once(pair):
    ours, _ = pair
    watch = Watch(Clock(9))
    watch.begin(7)
    watch.cut_late()
    watch.attach(ours)
    assert ours.recv(1) == b""
    assert watch.end() is True


def test_leaving_cuts_everything(pair):
    ours, _ = pair
    watch = Watch(Clock())
    watch.begin(FOREVER)
    watch.attach(ours)
    watch.cut_all()
    assert ours.recv(1) == b""
    assert watch.end() is True


def test_a_socket_without_an_exchange_is_left_alone(pair):
    ours, theirs = pair
    watch = Watch(Clock())
    watch.attach(ours)
    watch.cut_all()
    theirs.sendall(b"x")
    assert ours.recv(1) == b"x"


def test_a_finished_exchange_is_never_cut(pair):
    ours, theirs = pair
    watch = Watch(Clock(9))
    watch.begin(7)
    watch.attach(ours)
    assert watch.end() is False
    watch.cut_late()
    theirs.sendall(b"x")
    assert ours.recv(1) == b"x"


def test_the_watch_holds_a_descriptor_of_its_own_and_gives_it_back(pair):
    ours, _ = pair
    watch = Watch(time.monotonic)
    before = _open_descriptors()
    watch.begin(FOREVER)
    for _ in range(5):
        watch.attach(ours)
    assert _open_descriptors() == before + 1
    watch.end()
    assert _open_descriptors() == before


def _open_descriptors():
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("accepted in CI: needs /proc")
    return len(os.listdir("/proc/self/fd"))
