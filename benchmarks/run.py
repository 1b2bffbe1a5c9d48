"""The figures that the project promises, side by side with its peers where they are on PATH.

    python benchmarks/run.py            everything, about a minute
    python benchmarks/run.py lookups    one table: lookups, bytes, start, growth or mirrors

Asserts nothing; quote ratios of one run. Whole-process figures are medians of five runs after a warm-up.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "fixtures"))

import inputs
import measure
from build_layout import image, write_layout

from transformer.embedded import EmbeddedRegistry, Fault, Request

PINDOWN = [shutil.which("pindown", path=str(Path(sys.executable).parent)) or "pindown"]
BARE = [sys.executable, "-c", "pass"]
_RENAME = """\
functionConfig:
  apiVersion: pindown.dev/v1alpha1
  kind: ImageTransformer
  metadata: {name: rename}
  spec:
    pin: {style: tag}
    mirrors:
    - source: "*"
      locations: [{to: "mirror.example.com/{registry}/{repository}"}]
"""
_PLAIN = """\
functionConfig:
  apiVersion: pindown.dev/v1alpha1
  kind: ImageTransformer
  metadata: {name: plain}
  spec:
    pin: {style: tag-and-digest}
"""


def lookups(directory: Path) -> None:
    """200 images, 101 distinct, each manifest answered after 100 ms."""
    names = [f"bench/app-{number}:1" for number in range(100)] + ["bench/sidecar:1"]
    layout = directory / "layout"
    write_layout(layout, {name: image(name) for name in names})
    slow = Fault(delay=0.1)

    def delay(request: Request) -> Fault | None:
        return slow if "/manifests/" in request.path else None

    def basic(request: Request) -> Fault | None:
        known = request.headers.get("authorization", "").startswith("Basic ")
        return delay(request) if known else slow._replace(status=401, headers={"WWW-Authenticate": "Basic realm=x"})

    def bearer(request: Request) -> Fault | None:
        return slow

    for title, auth, fault in (
        ("anonymous", (), delay),
        ("Basic", (), basic),
        ("Bearer, one token a repository, 100 ms each", {name.partition(":")[0] for name in names}, bearer),
    ):
        with nothing_remembered(), EmbeddedRegistry(layout, auth=auth, fault=fault) as registry:
            path = directory / "lookups.yaml"
            path.write_text(inputs.lookups(registry.host))
            # A login for Basic; the token server of Bearer gives a token to anybody.
            login = {registry.host: {"username": "user", "password": "password"}} if title == "Basic" else {}
            (directory / "config.json").write_text(json.dumps({"auths": login}))
            os.environ["DOCKER_CONFIG"] = str(directory)
            for tool, command in (("pindown", PINDOWN), *peers()):
                registry.log.clear()
                registry.peak = 0
                figures = measure.whole(command, path, runs=3)
                asked = sum("/manifests/" in one.path for one in registry.log) / 4
                row(
                    f"100 Deployments, 101 distinct, 100 ms, {title}",
                    tool,
                    figures,
                    f"{asked:.0f} manifest requests, {registry.peak} in flight",
                )


@contextmanager
def nothing_remembered() -> Iterator[None]:
    """Every lookup goes to its registry, in every run."""
    os.environ["PINDOWN_CACHE"] = "off"
    try:
        yield
    finally:
        del os.environ["PINDOWN_CACHE"]


def peers() -> list[tuple[str, list[str]]]:
    """Peers on PATH that read manifests from stdin."""
    known = (("kbld", ["kbld", "-f", "-"]), ("k8s-digester", ["digester"]))
    return [(name, command) for name, command in known if shutil.which(command[0])]


def bytes_alone(directory: Path) -> None:
    """8 MB with nothing to ask: pinned already, and every name rewritten by a mirror."""
    pinned = written(directory, "pinned.yaml", inputs.resource_list(10_000, pinned=True))
    passed = measure.event_pass(pinned)
    line(f"bare libyaml event pass, {pinned.stat().st_size / 1e6:.1f} MB", "", f"{passed:.2f} s", "")
    row("10,000 Deployments, all pinned", "pindown", measure.whole(PINDOWN, pinned), "", passed)
    tags = written(directory, "tags.yaml", inputs.resource_list(10_000, pinned=False) + _RENAME)
    passed = measure.event_pass(tags)
    line(f"bare libyaml event pass, {tags.stat().st_size / 1e6:.1f} MB", "", f"{passed:.2f} s", "")
    row("10,000 Deployments, every name rewritten", "pindown", measure.whole(PINDOWN, tags), "", passed)
    small = written(directory, "stream.yaml", inputs.stream(2_000))
    for tool, command in (("pindown", PINDOWN), *peers()):
        row(f"{small.stat().st_size / 1e3:.0f} kB stream of 2,000 pinned", tool, measure.whole(command, small))


def start(directory: Path) -> None:
    """What starting costs over a bare interpreter."""
    empty = written(directory, "empty", "")
    bare = measure.whole(BARE, empty, runs=15)
    row("bare interpreter", "python", bare)
    kilobyte = written(directory, "small.yaml", inputs.resource_list(1, pinned=True))
    configured = written(directory, "configured.yaml", inputs.resource_list(1, pinned=True) + _PLAIN)
    for title, command, path in (
        ("--version", [*PINDOWN, "--version"], empty),
        ("1 kB ResourceList", PINDOWN, kilobyte),
        ("1 kB ResourceList with a functionConfig", PINDOWN, configured),
    ):
        figures = measure.whole(command, path, runs=15)
        row(title, "pindown", figures, f"{(figures.seconds - bare.seconds) * 1000:.0f} ms over the interpreter")


def growth(directory: Path) -> None:
    """Cost by size: it must be a line."""
    for count in (1_000, 10_000, 50_000):
        for title, pinned, extra in (("pinned", True, ""), ("rewritten", False, _RENAME)):
            path = written(directory, "growth.yaml", inputs.resource_list(count, pinned) + extra)
            figures = measure.whole(PINDOWN, path, runs=3)
            row(f"{count:,} items, {title}", "pindown", figures, f"{figures.seconds / count * 1e6:.0f} us an item")


def mirrors(directory: Path) -> None:
    """What mirrors cost: choosing names with nothing to ask (at most 0.5 s for 500 rules), and requests of a proof."""
    stream = written(directory, "distinct.yaml", inputs.distinct(20_000))
    none = None
    for title, rules, rewrite in (
        ("no mirrors", 0, False),
        ("500 mirrors", 500, False),
        ("500 with a rewrite", 500, True),
    ):
        policy = written(directory, f"mirrors-{rules}-{rewrite}.yaml", inputs.mirroring(rules, rewrite))
        figures = measure.whole([*PINDOWN, "--policy", str(policy)], stream)
        none = none or figures
        row(f"20,000 distinct references, {title}", "pindown", figures, f"{figures.seconds - none.seconds:+.2f} s")
    line("candidates computed for 20,000 distinct of 40,000", "pindown", f"{candidates_computed()} times")
    proofs(directory)


def candidates_computed() -> int:
    """How often a mirror is chosen when every one of 20,000 references stands twice."""
    from unittest import mock

    from transformer.pipeline import Run
    from transformer.policy.load import load
    from transformer.policy.mirrors import Mirrors
    from transformer.text.source import File

    run = Run(load(inputs.mirroring(500, rewrite=False), "pindown.yaml"))
    text = inputs.distinct(20_000)
    run.survey.file(File("twice.yaml", f"{text}---\n{text}"))
    with mock.patch.object(Mirrors, "candidates", autospec=True, side_effect=Mirrors.candidates) as chosen:
        sites = len(run.plan())
    assert sites == 40_000
    return chosen.call_count


def proofs(directory: Path) -> None:
    """101 images at a source and at a mirror: what each is asked."""
    names = [f"bench/app-{number}:1" for number in range(100)] + ["bench/sidecar:1"]
    write_layout(directory / "source", {name: image(name) for name in names})
    write_layout(directory / "mirror", {f"copy/{name}": image(name) for name in names})
    os.environ["DOCKER_CONFIG"] = str(directory / "nobody")
    nameless = Fault(headers={"Docker-Content-Digest": None})
    for title, warm, fault in (("", False, None), (", warm", True, None), (", no digest header", False, nameless)):
        with (
            nothing_remembered(),
            EmbeddedRegistry(directory / "source") as source,
            EmbeddedRegistry(directory / "mirror", fault=lambda _, fault=fault: fault) as mirror,
        ):
            stream = written(directory, "proofs.yaml", inputs.lookups(source.host))
            policy = written(directory, "proofs-policy.yaml", inputs.proved(source.host, mirror.host, warm))
            figures = measure.whole([*PINDOWN, "--policy", str(policy)], stream, runs=1)
            asked = [
                f"{sum(one.method == method for one in log) // 2} {method}"
                for log in (source.log, mirror.log)
                for method in ("HEAD", "GET")
            ]
            more = f"source {asked[0]} {asked[1]}, mirror {asked[2]} {asked[3]}"
            row(f"a proof of 101 distinct images{title}", "pindown", figures, more)


def written(directory: Path, name: str, text: str) -> Path:
    """The text in a file."""
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def row(work: str, tool: str, figures: measure.Figures, more: str = "", against: float | None = None) -> None:
    """One line of the table."""
    if against is not None:
        more = f"{figures.seconds / against:.2f} x the event pass"
    if figures.codes != {0}:
        more += f" EXIT {sorted(figures.codes)}"
    line(work, tool, f"{figures.seconds:.3f} s", f"{figures.mebibytes:.0f} MiB", more)


def line(*cells: str) -> None:
    """Cells in columns."""
    widths = (64, 13, 10, 9, 0)
    print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)).rstrip(), flush=True)


TABLES: dict[str, Callable[[Path], None]] = {
    "lookups": lookups,
    "bytes": bytes_alone,
    "start": start,
    "growth": growth,
    "mirrors": mirrors,
}


def main(wanted: list[str]) -> None:
    """Prints the tables that were asked for."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="pindown-bench-") as directory:
        os.environ["XDG_CACHE_HOME"] = directory
        for name, table in TABLES.items():
            if not wanted or name in wanted:
                print(f"\n{name}: {table.__doc__}")
                table(Path(directory))
    print(f"\n{os.cpu_count()} cores, Python {sys.version.split()[0]}, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
