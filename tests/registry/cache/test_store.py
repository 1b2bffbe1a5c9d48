"""The few things that both stores share."""

from __future__ import annotations

import pytest

from transformer.registry.cache.store import failed_key, mac, span


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((b"k", "ab"), (b"k", "ba")),
        ((b"k", "ab"), (b"l", "ab")),
        ((b"k", "a", "b"), (b"k", "ab")),
        ((b"k", "a", "bc"), (b"k", "ab", "c")),
        ((b"k", "a", ""), (b"k", "", "a")),
        ((b"k", "a\0b"), (b"k", "a", "b")),
    ],
)
def test_different_texts_have_different_macs(one, other):
    assert mac(*one) != mac(*other)


def test_a_mac_is_hmac_sha256_in_hex():
    import hashlib
    import hmac

    expected = hmac.new(b"k", b"\0\0\0\0\0\0\0\x02\xc3\xa4", hashlib.sha256).hexdigest()
    assert mac(b"k", "ä") == expected


def test_the_key_of_a_failure_is_no_key_of_an_answer():
    assert failed_key("a\0anonymous") != "a\0anonymous" and failed_key("a") != failed_key("b")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (172800, "2 days"),
        (1e7, "116 days"),
    ],
)
def test_spans(seconds, told):
    assert span(seconds) == told
