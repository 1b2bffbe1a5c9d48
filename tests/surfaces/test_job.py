"""What every door does around the pipeline."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, yaml
yaml.__with_libyaml__ = {has}
sys.argv = ["pindown", "--offline"]
from transformer import cli
cli.run()
"""


@pytest.mark.parametrize(("has", "said"), [(True, False), (False, True)])
@pytest.mark.parametrize(
    ("text", "parsed"), [("kind: Pod\n", False), ("kind: {a: b}\n", True), ('{"kind": "Pod"}\n', False)]
)
def test_a_missing_c_parser_is_said_when_it_would_have_been_used(has, said, text, parsed):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(has=has)], input=text, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout) == (0, text)
    assert ("libyaml" in ran.stderr) == (said and parsed)
