"""The vectors of `vectors_yaml.yaml`, as parameters of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

FILE = Path(__file__).parent / "vectors_yaml.yaml"


def vectors(operation: str) -> list[Any]:
    """What is given and what is expected, for each case of an operation; at least one."""
    cases = yaml.safe_load(FILE.read_text(encoding="utf-8"))["cases"]
    found = [pytest.param(case["given"], case["expect"], id=case["id"]) for case in cases if case["op"] == operation]
    assert found, f"no vector for {operation}"
    return found
