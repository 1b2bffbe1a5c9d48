from __future__ import annotations

import threading

import pytest

from transformer.registry.flight import Flights


def together(count, work):
    """Runs `work(number)` in threads that start as one; their results in order of number."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(number):
        barrier.wait(10)
        try:
            results[number] = work(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return results


def slowly(made, value):
    """Work that takes long enough for the others to arrive."""

    def work():
        made.append(value)
        threading.Event().wait(0.05)
        if isinstance(value, Exception):
            raise value
        return value

    return work


@pytest.mark.parametrize("keep", [True, False])
def test_one_fetches_and_the_others_take_its_result(keep):
    flights, made = Flights(keep=keep), []
    assert together(8, lambda _: flights.do("key", slowly(made, "value"))) == ["value"] * 8
    assert made == ["value"]


@pytest.mark.parametrize("keep", [True, False])
def test_an_error_is_shared(keep):
    flights, made, error = Flights(keep=keep), [], ValueError("no")
    assert together(8, lambda _: flights.do("key", slowly(made, error))) == [error] * 8
    assert made == [error]


def test_different_keys_do_not_wait_for_each_other():
    flights, made = Flights(keep=True), []
    assert together(4, lambda number: flights.do(number, slowly(made, number))) == [0, 1, 2, 3]
    assert sorted(made) == [0, 1, 2, 3]


def test_what_is_kept_is_not_fetched_again():
    flights = Flights(keep=True)
    assert flights.do("key", lambda: 1) == 1
    assert flights.do("key", lambda: pytest.fail("fetched")) == 1


def test_an_error_is_kept_too():
    flights = Flights(keep=True)
    for _ in range(2):
        with pytest.raises(ValueError, match="first"):
            flights.do("key", lambda: (_ for _ in ()).throw(ValueError("first")))


def test_what_is_not_kept_is_fetched_again():
    flights = Flights(keep=False)
    assert [flights.do("key", lambda value=value: value) for value in (1, 2)] == [1, 2]
    with pytest.raises(ValueError):
        flights.do("key", lambda: (_ for _ in ()).throw(ValueError))
    assert flights.do("key", lambda: 3) == 3


def test_none_is_a_result():
    flights = Flights(keep=True)
    assert flights.do("key", lambda: None) is None
    assert flights.do("key", lambda: pytest.fail("fetched")) is None
