"""Files: bytes in, the same bytes out; and positions as people count them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformer.text.source import BOM, File, Positions, decode
from transformer.text.tree import TextError

KEPT = [
    b"",
    b"a: b\n",
    b"a: b",
    b"a: b\r\n",
    b"\xef\xbb\xbfa: b\n",
    b"\xef\xbb\xbf",
    "é漢🙂".encode(),
    b"a\rb",
    b"\xef\xbb\xbf\xef\xbb\xbfa",
]

REFUSED = {
    "UTF-16 little": ("a: b".encode("utf-16"), "UTF-16"),
    "UTF-16 big": (b"\xfe\xff" + "a".encode("utf-16-be"), "UTF-16"),
    "UTF-32": ("a: b".encode("utf-32"), "UTF-32"),
    "UTF-16 without a mark": ("a: b".encode("utf-16-le"), "binary data: a NUL byte at offset 1"),
    "Latin-1": ("a: é\n".encode("latin-1"), "not UTF-8 text: byte 0xe9 at offset 3"),
    "cut off": ("a: é".encode()[:-1], "not UTF-8 text: byte 0xc3 at offset 3"),
    "binary": (b"\x7fELF\x02\x01\x00\xff", "binary data: byte 0xff at offset 7"),
    "NUL": (b"a: \x00b", "binary data: a NUL byte at offset 3"),
    "NUL behind a mark": (b"\xef\xbb\xbfa\x00", "binary data: a NUL byte at offset 4"),
    "a surrogate": (b"a: \xed\xa0\x80", "not UTF-8 text: byte 0xed at offset 3"),
    "overlong": (b"\xc0\xaf", "not UTF-8 text: byte 0xc0 at offset 0"),
}


@pytest.mark.parametrize("data", KEPT)
def test_bytes_come_back(data):
    assert decode("x.yaml", data).marked().encode() == data


def test_the_mark_is_kept_aside():
    assert decode("x.yaml", b"\xef\xbb\xbfa: b\n") == File("x.yaml", "a: b\n", True)
    assert decode("x.yaml", b"a: b\n") == File("x.yaml", "a: b\n", False)
    assert File("x", "a", True).marked() == BOM + "a"


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_text(data, message):
    with pytest.raises(TextError) as caught:
        decode("x.yaml", data)
    assert message in caught.value.message


def test_a_file_does_not_print_its_text():
    assert repr(File("x.yaml", "password: hunter2")) == "File('x.yaml', 17 characters)"


@pytest.mark.parametrize(
    ("text", "offset", "position"),
    [
        ("", 0, (1, 1)),
        ("abc", 0, (1, 1)),
        ("abc", 3, (1, 4)),
        ("a\nbc\n", 1, (1, 2)),
        ("a\nbc\n", 2, (2, 1)),
        ("a\nbc\n", 5, (3, 1)),
        ("a\r\nb", 3, (2, 1)),
        ("é🙂: b", 4, (1, 5)),
        ("\n\n\nx", 3, (4, 1)),
    ],
)
def test_positions(text, offset, position):
    assert Positions(text)(offset) == position


@given(st.text(st.sampled_from("ab\n\ré🙂"), max_size=40), st.data())
def test_positions_lead_back(text, data):
    positions = Positions(text)
    offset = data.draw(st.integers(0, len(text)))
    line, column = positions(offset)
    assert sum(len(one) + 1 for one in text.split("\n")[: line - 1]) + column - 1 == offset
