"""What a scalar is to Kubernetes: null, a string, or something else."""

from __future__ import annotations

import pytest

from transformer.text.tree import Scalar

TEXTS = [
    "nginx",
    "nginx:1.25",
    "1.25.3",
    "0x",
    "1a",
    "e5",
    "truth",
    "Nul",
    "~x",
    "-",
    ".",
    "1-2",
    "library/1",
    "yes/no",
]
TYPED = [
    *(
        "0",
        "1",
        "-1",
        "+1",
        "1.25",
        ".5",
        "1.",
        "1e5",
        "1.5e-3",
        "0x1F",
        "0o17",
        "017",
        "0b101",
        "1_000",
        ".inf",
        "-.Inf",
        ".nan",
    ),
    *("true", "False", "TRUE", "yes", "No", "ON", "off", "y", "N"),
]
NULLS = ["", "~", "null", "Null", "NULL"]


@pytest.mark.parametrize("text", TEXTS)
def test_plain_strings(text):
    scalar = Scalar(0, 0, "", text)
    assert (scalar.is_text, scalar.is_null) == (True, False)


@pytest.mark.parametrize("text", TYPED)
def test_plain_numbers_and_booleans(text):
    scalar = Scalar(0, 0, "", text)
    assert (scalar.is_text, scalar.is_null) == (False, False)


@pytest.mark.parametrize("text", NULLS)
def test_plain_nulls(text):
    scalar = Scalar(0, 0, "", text)
    assert (scalar.is_text, scalar.is_null) == (False, True)


@pytest.mark.parametrize("text", [*TEXTS, *TYPED, *NULLS])
@pytest.mark.parametrize("style", ["'", '"', "|", ">"])
def test_whatever_is_quoted_is_a_string(text, style):
    scalar = Scalar(0, 0, style, text)
    assert (scalar.is_text, scalar.is_null) == (True, False)


def test_a_tag_makes_a_string():
    assert Scalar(0, 0, "", "1.25", True).is_text
    assert not Scalar(0, 0, "", "", True).is_null
