"""One command measured from outside: wall seconds and peak memory of a whole process, the median of several runs.

The runs are started by a small process of their own (this file as a script): Linux counts the memory that a child
shares with its parent before it becomes another program, so a large parent would make every child look large.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Figures(NamedTuple):
    """Medians: wall seconds, peak resident MiB; and the exit codes that were seen."""

    seconds: float
    mebibytes: float
    codes: frozenset[int]


def whole(command: Sequence[str], stdin: Path, runs: int = 5) -> Figures:
    """Runs a command `runs` times after one warm-up, its output thrown away."""
    starter = [sys.executable, "-S", __file__, str(runs), str(stdin), *command]
    measured = json.loads(subprocess.run(starter, stdout=subprocess.PIPE, check=True).stdout)[1:]
    walls, peaks, codes = zip(*measured, strict=True)
    return Figures(statistics.median(walls), statistics.median(peaks) / 1024, frozenset(codes))


def _once(command: Sequence[str], stdin: str) -> tuple[float, int, int]:
    with open(stdin, "rb") as source:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return seconds, usage.ru_maxrss, process.returncode


_EVENTS = """
import gc, sys, time, yaml
text = open(sys.argv[1], encoding="utf-8").read()
gc.disable()
began = time.perf_counter()
for event in yaml.parse(text, Loader=yaml.CLoader):
    pass
print(time.perf_counter() - began)
"""


def event_pass(path: Path, runs: int = 5) -> float:
    """Median seconds of a bare libyaml event pass over a file: the loop alone, without start-up and reading."""
    command = [sys.executable, "-c", _EVENTS, str(path)]
    return statistics.median(
        float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(runs)
    )


if __name__ == "__main__":
    print(json.dumps([_once(sys.argv[3:], sys.argv[2]) for _ in range(int(sys.argv[1]) + 1)]))
