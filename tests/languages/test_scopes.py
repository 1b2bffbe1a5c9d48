"""What lies in what: the vectors, and that neighbours do not."""

from __future__ import annotations

import pytest

from tests.languages.vectors import vectors
from transformer.languages.scopes import enclosing, nested


@pytest.mark.parametrize(("given", "expect"), vectors("scope_nested"))
def test_vectors(given, expect):
    assert nested(given["sub"], given["super"]) is expect["nested"]


@pytest.mark.parametrize(
    ("name", "scope", "inside"),
    [
        ("quay.io/a/b", "quay.io/a", True),
        ("quay.io/ab", "quay.io/a", False),
        ("quay.io", "quay.io/a", False),
        ("quay.io:443/a", "quay.io", False),
        ("example.com", "*.example.com", False),
        ("a.b.example.com/x", "*.example.com", True),
        ("*.b.example.com", "*.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "*.b.example.com", False),
        ("notexample.com", "*.example.com", False),
        ("a.example.com:5000", "*.example.com", False),
        ("a.example.com:5000", "*.example.com:5000", True),
        ("", "quay.io", False),
    ],
)
def test_boundaries(name, scope, inside):
    assert nested(name, scope) is inside


def test_itself_comes_first_then_outwards():
    assert list(enclosing("a.b.c/x/y")) == ["a.b.c/x/y", "a.b.c/x", "a.b.c", "*.b.c", "*.c"]
