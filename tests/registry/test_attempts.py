"""The retry loop with a clock that only its own sleep moves."""

from __future__ import annotations

import pytest

from tests.registry.faults import reference
from transformer.registry.attempts import Attempts, Clocks
from transformer.registry.deadline import OutOfTime, Run
from transformer.registry.gate import Gate
from transformer.registry.retry import Limits
from transformer.registry.transport import Response, TransportError, Url
from transformer.registry.verdicts import Refused

NGINX = reference("nginx")
BROKEN = TransportError("registry-error", "broken", retryable=True)
REFUSED = TransportError("unreachable", "refused")


def answer(status, **headers):
    found = {name.replace("_", "-"): (value,) for name, value in headers.items()}
    return Response(status, found, b"", Url("https", "r.test", 443))


class Rig:
    """Attempts over scripted outcomes; `sent` holds the deadline of each, `slept` the pauses."""

    def __init__(self, *outcomes, timeout=None, random=1.0):
        self.now, self.slept, self.sent, self.outcomes = 0.0, [], [], list(outcomes)
        self.gate = Gate(8, 0, lambda: self.now)
        clocks = Clocks(lambda: self.now, lambda: 1_700_000_000 + self.now, lambda: random)
        self.attempts = Attempts(Limits(), clocks, Gate(8, 0, lambda: self.now))
        self.run = Run(timeout, lambda: self.now, self.sleep)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def once(self, until):
        self.sent.append(until)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def send(self):
        return self.attempts.send(self.run, self.gate, NGINX, self.once)


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 405, 501])
def test_what_is_asked_once(status):
    rig = Rig(answer(status))
    assert rig.send().status == status
    assert (rig.sent, rig.slept) == ([30.0], [])


def test_an_error_that_no_retry_betters():
    rig = Rig(REFUSED)
    with pytest.raises(TransportError) as caught:
        rig.send()
    assert (caught.value, rig.slept) == (REFUSED, [])


@pytest.mark.parametrize(("random", "slept"), [(1.0, [0.25, 0.5, 1.0]), (0.5, [0.125, 0.25, 0.5]), (0.0, [])])
def test_four_attempts_with_full_jitter(random, slept):
    rig = Rig(answer(503), random=random)
    assert rig.send().status == 503
    assert len(rig.sent) == 4
    assert rig.slept == slept


@pytest.mark.parametrize("outcomes", [(answer(503), answer(200)), (BROKEN, answer(200)), (answer(429), answer(200))])
def test_a_success_ends_it(outcomes):
    rig = Rig(*outcomes)
    assert rig.send().status == 200
    assert rig.slept == [0.25]


@pytest.mark.parametrize(
    "outcomes", [(answer(503), BROKEN), (answer(503), answer(500)), (answer(503), REFUSED), (answer(503), answer(429))]
)
def test_the_first_failure_is_kept(outcomes):
    assert Rig(*outcomes).send().status == 503


def test_the_first_error_is_kept():
    with pytest.raises(TransportError, match="broken"):
        Rig(BROKEN, answer(503)).send()


def test_each_request_has_its_deadline_and_the_run_has_the_last_word():
    rig = Rig(answer(503), timeout=30.6)
    rig.send()
    assert rig.sent == [30.0, 30.25, 30.6, 30.6]


@pytest.mark.parametrize(("timeout", "sent"), [(0.2, 1), (0.25, 1), (0.3, 2), (0.76, 3), (1.76, 4)])
def test_no_pause_that_the_run_has_no_time_for(timeout, sent):
    rig = Rig(answer(503), timeout=timeout)
    assert rig.send().status == 503
    assert len(rig.sent) == sent


def test_a_run_that_is_over():
    rig = Rig(answer(200), timeout=1)
    rig.now = 1
    with pytest.raises(OutOfTime):
        rig.send()
    assert rig.sent == []


@pytest.mark.parametrize(
    ("header", "slept"),
    [
        ("3", [3.0]),
        ("0", [0.25]),
        ("Tue, 14 Nov 2023 22:13:24 GMT", [4.0]),
        ("Tue, 14 Nov 2023 22:13:19 GMT", [0.25]),
        ("soon", [0.25]),
        ("30", None),
        ("3600", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_without_a_timeout(status, header, slept):
    rig = Rig(answer(status, retry_after=header), answer(200))
    if slept is None:
        with pytest.raises(Refused) as caught:
            rig.send()
        assert (caught.value.refusal.rule, rig.slept, len(rig.sent)) == ("rate-limited", [], 1)
    else:
        assert rig.send().status == 200
        assert rig.slept == slept


@pytest.mark.parametrize(("timeout", "fits"), [(44, False), (45, False), (46, True)])
def test_retry_after_against_the_runs_time(timeout, fits):
    rig = Rig(answer(429, retry_after="45"), answer(200), timeout=timeout)
    if fits:
        assert (rig.send().status, rig.slept) == (200, [45.0])
    else:
        with pytest.raises(Refused, match=f"asks to wait 45 s .HTTP 429., and there are {timeout} s left"):
            rig.send()


def test_a_429_pauses_those_who_come_after():
    rig = Rig(answer(429, retry_after="45"))
    for sent in (1, 1):
        with pytest.raises(Refused, match="asks to wait 45 s"):
            rig.send()
        assert len(rig.sent) == sent


@pytest.mark.parametrize("header", ["0", "Tue, 14 Nov 2023 22:13:19 GMT"])
def test_no_time_to_wait_is_no_leave_to_hammer(header):
    rig = Rig(answer(429, retry_after=header))
    paused, pause = [], rig.gate.pause
    rig.gate.pause = lambda seconds: (paused.append(seconds), pause(seconds))
    assert rig.send().status == 429
    assert (len(rig.sent), rig.slept, paused) == (4, [0.25, 0.5, 1.0], [0.25, 0.5, 1.0, 2.0])


def test_a_503_does_not():
    rig = Rig(answer(503, retry_after="45"))
    with pytest.raises(Refused):
        rig.send()
    assert rig.gate.paused() == 0


# A place from which nothing was ever heard.

DEAD = TransportError("timeout", "silent", retryable=True, connected=False)
UNKNOWN = TransportError("unreachable", "the name server did not answer", retryable=True, connected=False)


def failures(rig, count):
    found = []
    for _ in range(count):
        with pytest.raises(TransportError) as caught:
            rig.send()
        found.append(caught.value)
    return found


@pytest.mark.parametrize(("error", "sent"), [(DEAD, 1), (UNKNOWN, 4)])
def test_what_never_answered_is_not_asked_again(error, sent):
    rig = Rig(error)
    assert failures(rig, 5) == [error] * 5
    assert len(rig.sent) == sent  # the attempts of the first; one is enough to know silence


def test_who_is_between_two_attempts_when_the_door_is_locked_leaves_too():
    rig = Rig(UNKNOWN)
    plain = rig.run._sleep
    rig.run._sleep = lambda seconds: (plain(seconds), rig.gate.lock(DEAD))
    assert failures(rig, 1) == [DEAD]
    assert len(rig.sent) == 1


def test_nor_does_anybody_who_waited_for_a_slot():
    rig = Rig(answer(200))
    slots = rig.attempts._slots
    enter = slots._enter
    slots._enter = lambda run: (enter(run), rig.gate.lock(DEAD))
    assert failures(rig, 1) == [DEAD]
    assert rig.sent == []


@pytest.mark.parametrize("outcome", [BROKEN, REFUSED])
def test_a_failure_after_something_was_heard_says_nothing_about_the_next(outcome):
    rig = Rig(outcome)
    failures(rig, 2)
    assert len(rig.sent) in (2, 8)


def test_one_answer_keeps_the_door_open():
    rig = Rig(answer(404), DEAD)
    assert rig.send().status == 404
    failures(rig, 2)
    assert len(rig.sent) == 9


def test_an_answer_after_a_failure_opens_it():
    rig = Rig(UNKNOWN, answer(404))
    assert rig.send().status == 404
    assert rig.gate.down is None
