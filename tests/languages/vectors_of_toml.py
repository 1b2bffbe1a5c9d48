"""The vectors of `vectors_toml.yaml`, as parameters of a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

FILE = Path(__file__).parent / "vectors_toml.yaml"


def loaded() -> dict[str, Any]:
    """The whole file."""
    data: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return data


def vectors(operation: str, wanted: Callable[[dict[str, Any]], bool] = lambda case: True) -> list[Any]:
    """What is given and what is expected, for each wanted case of an operation; at least one."""
    cases = [case for case in loaded()["cases"] if case["op"] == operation and wanted(case)]
    assert cases, f"no vector for {operation}"
    return [pytest.param(case["given"], case["expect"], id=case["id"]) for case in cases]
