"""Single flight, failures remembered, renewed once."""

from __future__ import annotations

import threading

import pytest

from transformer.registry.keychain import Credential, KeychainError
from transformer.registry.keychain.once import Once

OLD, NEW, NEWER = (Credential("cloud", "u", word) for word in ("old", "new", "newer"))


class Work:
    """Gives its answers in turn; raises what is an exception."""

    def __init__(self, *answers):
        self.answers, self.done = list(answers), 0

    def __call__(self):
        self.done += 1
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.mark.parametrize("answer", [OLD, None])
def test_found_out_once(answer):
    once, work = Once(), Work(answer)
    assert [once.get("k", work) for _ in range(3)] == [answer] * 3
    assert work.done == 1


def test_each_key_for_itself():
    once, work = Once(), Work(OLD, NEW)
    assert (once.get("a", work), once.get("b", work)) == (OLD, NEW)


def test_a_failure_is_remembered():
    once, work = Once(), Work(KeychainError("hung", explicit=True))
    for _ in range(3):
        with pytest.raises(KeychainError, match="hung") as caught:
            once.get("k", work)
        assert caught.value.explicit
    assert work.done == 1


def test_anything_else_is_not():
    once, work = Once(), Work(ZeroDivisionError(), OLD)
    with pytest.raises(ZeroDivisionError):
        once.get("k", work)
    assert once.get("k", work) == OLD


def test_what_has_expired_is_renewed_once():
    once, work = Once(), Work(OLD, NEW, NEWER)
    assert once.get("k", work) == OLD
    assert once.get("k", work, stale=OLD) == NEW
    assert once.get("k", work, stale=OLD) == NEW
    assert once.get("k", work, stale=NEW) == NEW
    assert work.done == 2


def test_what_somebody_else_calls_stale_means_nothing_here():
    once, work = Once(), Work(OLD, NEW)
    assert once.get("k", work, stale=NEWER) == OLD
    assert once.get("k", work, stale=NEWER) == OLD


def test_fifty_at_once():
    once, work, found = Once(), Work(OLD), []
    begin = threading.Barrier(50)

    def ask():
        begin.wait()
        found.append(once.get("k", work))

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (found, work.done) == ([OLD] * 50, 1)
