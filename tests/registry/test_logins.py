"""Who may show a login, and when it is not shown any more."""

from __future__ import annotations

import threading
import time

import pytest

from transformer.registry.deadline import OutOfTime, Run
from transformer.registry.logins import Login, Logins
from transformer.registry.transport import Response, Url

URL = Url("https", "registry.test", 443)
LOGIN = Login(URL, ("secret",))


def run(timeout=None):
    return Run(timeout, time.monotonic, time.sleep)


class Asked:
    """Answers with these statuses in turn, the last one for ever."""

    def __init__(self, logins, *statuses, url=URL):
        self.logins, self.statuses, self.url, self.count = logins, list(statuses), url, 0

    def __call__(self, what="a", enough=1, login=LOGIN):
        return self.logins.send(run(), login, what, enough, self.answer).status

    def answer(self):
        self.count += 1
        return Response(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0], {}, b"", self.url)


@pytest.mark.parametrize(
    ("statuses", "enough", "shown"),
    [
        ([401], 1, 1),
        ([401], 2, 2),
        ([200, 401], 1, 5),
        ([404, 401], 1, 5),
        ([503, 401], 1, 2),
        ([429, 401], 2, 3),
        ([401, 200, 401], 2, 5),
    ],
)
def test_how_often_a_login_is_shown(statuses, enough, shown):
    asked = Asked(Logins(1), *statuses)
    for number in range(5):
        asked(str(number), enough)
    assert asked.count == shown


def test_one_thing_refused_twice_is_one_refusal():
    asked = Asked(Logins(1), 401)
    assert [asked("a", 2) for _ in range(5)] == [401] * 5
    assert asked.count == 5


def test_logins_and_hosts_are_apart():
    asked = Asked(Logins(1), 401)
    for login in (LOGIN, Login(URL, ("other",)), Login(URL._replace(port=5000), ("secret",))):
        asked.url = login.url
        asked(login=login)
        asked(login=login._replace(url=login.url._replace(target="/x")))
    assert asked.count == 3


def test_a_401_from_where_it_was_redirected_to_is_not_about_the_login():
    asked = Asked(Logins(1), 401, url=URL._replace(host="elsewhere.test"))
    for _ in range(3):
        asked()
    assert asked.count == 3


def test_a_failure_lets_the_others_go():
    logins = Logins(60)

    def fail():
        raise OSError

    with pytest.raises(OSError):
        logins.send(run(), LOGIN, "a", 1, fail)
    assert Asked(logins, 200)() == 200


@pytest.mark.parametrize(("patience", "timeout"), [(0.1, None), (60, 0.1)])
def test_nobody_waits_for_long(patience, timeout):
    logins, leave = Logins(patience), threading.Event()
    inside = threading.Event()

    def hang():
        inside.set()
        leave.wait(10)
        return Response(200, {}, b"", URL)

    first = threading.Thread(target=lambda: logins.send(run(), LOGIN, "a", 1, hang), daemon=True)
    first.start()
    inside.wait(5)
    began = time.monotonic()
    if timeout is None:
        assert Asked(logins, 200)() == 200
    else:
        with pytest.raises(OutOfTime):
            logins.send(run(timeout), LOGIN, "a", 1, hang)
    assert time.monotonic() - began < 5
    leave.set()
