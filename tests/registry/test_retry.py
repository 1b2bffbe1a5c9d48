from __future__ import annotations

import pytest

from transformer.registry.retry import RETRYABLE, Limits, retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "soon",
        "880.092µs, allowed: 44000/minute",
        "-1",
        "1.5",
        "1e3",
        "٣",
        "9999999999",
        "Tue, 99 Nov 2023",
    ],
)
def test_what_says_nothing(value):
    assert retry_after(value, NOW) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("999999999", 999999999.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:20 GMT", 0.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("Tuesday, 14-Nov-23 22:13:50 GMT", 30.0),
        ("Tue Nov 14 22:13:50 2023 +0000", 30.0),
    ],
)
def test_seconds(value, expected):
    assert retry_after(value, NOW) == expected


@pytest.mark.parametrize(
    ("attempt", "ceiling"), [(0, 0.25), (1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 5.0), (60, 5.0)]
)
def test_backoff_is_full_jitter_under_a_doubling_ceiling(attempt, ceiling):
    limits = Limits()
    assert limits.backoff(attempt, lambda: 0.0) == 0.0
    assert limits.backoff(attempt, lambda: 1.0) == ceiling
    assert limits.backoff(attempt, lambda: 0.5) == ceiling / 2


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 405, 406, 501, 505])
def test_statuses_that_no_retry_betters(status):
    assert status not in RETRYABLE


@pytest.mark.parametrize("status", [408, 425, 429, 499, 500, 502, 503, 504, 522])
def test_statuses_that_are_asked_again(status):
    assert status in RETRYABLE
