"""What is written down reads back; whatever else a store holds is no entry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformer.policy.questions import Refusal
from transformer.registry.cache.entries import NEVER, TEXT_LIMIT, Entry, decode, encode

DIGEST = "sha256:" + "a" * 64
INDEX = "application/vnd.oci.image.index.v1+json"
GOOD = f"1\n100.000\n700.000\n{DIGEST}\n{INDEX}\n1234\n\n\n"
GONE = Refusal("not-found", "registry.test/app:1: not found (HTTP 404 from registry.test)", "check the tag")


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("nothing", ""),
        ("garbage", "\x00\x01\xff"),
        ("JSON", '{"digest": "sha256:…"}'),
        ("another version", "2" + GOOD[1:]),
        ("cut off", GOOD[:-1]),
        ("a line more", GOOD + "\n"),
        ("carriage returns", GOOD.replace("\n", "\r\n")),
        ("no time", GOOD.replace("100.000", "")),
        ("a time that is none", GOOD.replace("100.000", "nan")),
        ("a negative time", GOOD.replace("100.000", "-1")),
        ("a time in other digits", GOOD.replace("100.000", "١٠٠")),
        ("an endless time", GOOD.replace("700.000", "9" * 400)),
        ("no digest and no refusal", GOOD.replace(DIGEST, "")),
        ("a short digest", GOOD.replace(DIGEST, DIGEST[:-1])),
        ("a digest in capitals", GOOD.replace(DIGEST, DIGEST.upper())),
        ("a digest of an unknown algorithm", GOOD.replace("sha256", "md5")),
        ("a tag for a digest", GOOD.replace(DIGEST, "latest")),
        ("a media type with a space", GOOD.replace(INDEX, "text/html; charset=x")),
        ("a media type of escapes", GOOD.replace(INDEX, "\x1b[31m")),
        ("a size that is none", GOOD.replace("1234", "0")),
        ("both a digest and a refusal", GOOD[:-2] + "not-found\ngone\n"),
        ("a digest and a message", GOOD[:-2] + "\ngone\n"),
        ("a refusal that is never remembered", GOOD.replace(DIGEST, "")[:-2] + "denied\nno\n"),
        ("escapes in a message", GOOD.replace(DIGEST, "")[:-2] + "not-found\n\x1b[2J\n"),
        ("a message that breaks the line", GOOD.replace(DIGEST, "")[:-2] + "not-found\na\nb\n"),
        ("too long", GOOD.replace(DIGEST, "")[:-2] + f"not-found\n{'x' * TEXT_LIMIT}\n"),
    ],
)
def test_no_entry(what, text):
    assert decode(text) is None


@pytest.mark.parametrize(
    "entry",
    [
        Entry(100.0, 700.0, DIGEST, INDEX, 1234),
        Entry(100.0, NEVER, DIGEST),
        Entry(100.5, 100.5, "sha512:" + "0" * 128, None, 1),
        Entry(100.0, 130.0, refusal=GONE),
        Entry(0.0, NEVER, refusal=Refusal("not-found", "gone")),
    ],
)
def test_round_trip(entry):
    assert decode(encode(entry)) == entry


def test_the_format_is_the_one_that_older_files_have():
    assert encode(Entry(100.0, 700.0, DIGEST, INDEX, 1234)) == GOOD


def test_a_message_is_shortened_and_made_printable():
    entry = decode(encode(Entry(1.0, 2.0, refusal=Refusal("not-found", "a\nb\x1b" + "c" * 9000, "\r"))))
    assert entry is not None and entry.refusal is not None
    assert entry.refusal.message.isprintable() and len(entry.refusal.message) == 1500
    assert entry.refusal.help == "\N{REPLACEMENT CHARACTER}"


def test_a_media_type_that_could_not_be_read_back_is_left_out():
    assert decode(encode(Entry(1.0, 2.0, DIGEST, "TEXT HTML"))) == Entry(1.0, 2.0, DIGEST)


@given(st.text(max_size=300))
def test_no_text_raises(text):
    assert decode(text) is None or encode(decode(text))


@given(st.text(max_size=60), st.text(max_size=60), st.floats(0, 1e10), st.floats(0, 1e10))
def test_any_refusal_reads_back(message, step, asked, expires):
    entry = decode(encode(Entry(asked, expires, refusal=Refusal("not-found", message, step))))
    assert entry is not None and entry.refusal is not None and entry.refusal.rule == "not-found"


@given(st.integers(0, len(GOOD) - 1), st.characters())
def test_a_changed_character_is_no_entry_or_a_valid_one(at, char):
    entry = decode(GOOD[:at] + char + GOOD[at + 1 :])
    assert entry is None or encode(entry).count("\n") == 8
