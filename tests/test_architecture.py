"""The floors of docs/architecture.md: imports go down only, the core does no I/O, modules and functions stay small.

Read from the source with ast, so an import inside a function counts, and one under TYPE_CHECKING too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "transformer"

CORE = ("errors", "images", "text", "kube", "policy", "languages", "pipeline")
RIM = (*CORE, "lockfile", "report", "registry", "embedded")

#: What each room or module may import of ours; a dotted name allows that module alone. Itself is always allowed, and
#: `transformer` (for the version) too.
MAY_IMPORT = {
    "errors": (),
    "images": ("errors",),
    "text": ("errors",),
    "kube": ("errors", "images", "text"),
    "policy": ("errors", "images", "text", "kube"),
    "languages": ("errors", "images", "text", "policy"),
    "pipeline": ("errors", "images", "text", "kube", "policy"),
    "registry": ("errors", "images", "policy.questions"),
    "lockfile": CORE,
    "report": CORE,
    "embedded": ("errors", "images"),
    "surfaces": RIM,
    "cli": (*RIM, "surfaces"),
    "__main__": ("cli",),
    "__init__": (),
}

#: No network, file or process calls below the rim.
FORBIDDEN_IN_CORE = frozenset(
    "asyncio ftplib git glob http io multiprocessing os pathlib requests shutil signal smtplib socket socketserver ssl "
    "subprocess tempfile urllib urllib3".split()
)

#: The package's own data is read as code is, by these modules alone and with nothing else of FORBIDDEN_IN_CORE.
READS_PACKAGE_DATA = {"kube.catalogue": ("open()",), "policy.words": ("os",)}

#: Never needed before a lookup, a policy or a report is (DESIGN: start-up is a feature).
HEAVY = "urllib3 ssl http.client jsonschema ruamel ruamel.yaml git dataclasses inspect asyncio email".split()

LINES_OF_A_MODULE, LINES_OF_A_FUNCTION = 400, 45


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(name: str) -> str:
    """The room or module of a dotted name below the package: `policy.load` is in `policy`."""
    return name.partition(".")[0]


def dotted(file: Path, package: Path = PACKAGE) -> str:
    """`policy.load` for transformer/policy/load.py, `policy` for its __init__, `__init__` for the package's own."""
    parts = file.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported; `from a import b` gives `a.b`, which may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def upward(name: str, source: str) -> list[str]:
    """The imports of a module called `name` that MAY_IMPORT does not allow, as `line: name`."""
    allowed = MAY_IMPORT.get(room(name), ())
    wrong = []
    for line, imported in imports(ast.parse(source)):
        if imported.startswith("."):
            wrong.append(f"{line}: {imported} (write imports in full)")
        if not imported.startswith("transformer."):
            continue
        target = imported.removeprefix("transformer.")
        fine = target == "__version__" or room(target) == room(name)
        if not fine and not any(target == one or target.startswith(one + ".") for one in allowed):
            wrong.append(f"{line}: {imported}")
    return wrong


def forbidden(source: str) -> list[str]:
    """What a module of the core may not use: modules that do I/O, and `open`."""
    tree = ast.parse(source)
    wrong = [f"{line}: {name}" for line, name in imports(tree) if room(name) in FORBIDDEN_IN_CORE]
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("open", "input", "print")
        ):
            wrong.append(f"{node.lineno}: {node.func.id}()")
    return wrong


def long_functions(source: str, limit: int = LINES_OF_A_FUNCTION) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > limit:
                found.append(f"{node.lineno}: {node.name} has {lines} lines")
    return found


# The rules themselves: each must be able to fail.


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("errors", "import re\nfrom typing import Any"),
        ("kube.find", "from transformer.kube.catalogue import rows"),
        ("kube.find", "from transformer.text import spans\nfrom transformer.images.reference import parse"),
        ("registry.client", "from transformer.policy.questions import Question"),
        ("registry.client", "from transformer.policy import questions"),
        ("cli", "from transformer import __version__\ndef f():\n from transformer.surfaces import krm"),
        ("surfaces.demo", "from transformer.embedded import EmbeddedRegistry"),
        ("__main__", "from transformer.cli import run"),
        ("text.edits", "import transformers_of_another_kind"),
    ],
)
def test_arrows_that_are_fine(name, source):
    assert upward(name, source) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("errors", "from transformer.images import reference"),
        ("errors", "import transformer.images.reference"),
        ("images.reference", "from transformer.text import edits"),
        ("text.edits", "def f():\n    from transformer.policy import model"),
        ("kube.find", "from transformer.policy.questions import Question"),
        ("policy.decide", "import transformer.registry.client as client"),
        ("pipeline", "from transformer.surfaces import krm"),
        ("registry.client", "from transformer.policy.model import Policy"),
        ("registry.client", "from transformer import policy"),
        ("registry.client", "from transformer.policy import questions_of_another_kind"),
        ("registry.client", "from transformer.kube.find import Site"),
        ("report.text", "from transformer.registry import client"),
        ("surfaces.krm", "from transformer.cli import run"),
        ("cli", "from . import surfaces"),
        ("pipeline", "if TYPE_CHECKING:\n from transformer.registry import client"),
        ("a_new_room", "from transformer.errors import Finding"),
    ],
)
def test_arrows_that_go_up(name, source):
    assert len(upward(name, source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import os.path",
        "def f():\n  from urllib.parse import quote",
        "from pathlib import Path",
        "open('x')",
        "print(1)",
    ],
)
def test_io_is_seen(source):
    assert len(forbidden(source)) == 1


@pytest.mark.parametrize(
    "source", ["import re, yaml", "import osmosis", "x.open()", "'open(1)'", "from typing import IO"]
)
def test_what_is_no_io(source):
    assert forbidden(source) == []


def test_length_counts_every_line_of_a_function():
    source = "def f():\n" + "    x = 1\n" * 3
    assert long_functions(source, 4) == []
    assert long_functions(source, 3) == ["1: f has 4 lines"]


def test_names_of_modules():
    names = [dotted(PACKAGE / path) for path in ("__init__.py", "cli.py", "policy/__init__.py", "policy/load.py")]
    assert names == ["__init__", "cli", "policy", "policy.load"]


def test_a_module_may_import_only_what_is_below_it():
    """The table itself has no cycle: following it down always ends."""

    def below(name: str, path: tuple[str, ...] = ()) -> None:
        assert name not in path, " -> ".join((*path, name))
        for target in MAY_IMPORT[name]:
            below(room(target), (*path, name))

    for name in MAY_IMPORT:
        below(name)


# The rules held against the code.


@pytest.mark.parametrize("file", modules(), ids=dotted)
def test_module(file):
    source = file.read_text()
    name = dotted(file)
    assert room(name) in MAY_IMPORT, f"{name}: say in MAY_IMPORT which floor it is on"
    assert upward(name, source) == []
    if room(name) in CORE:
        allowed = READS_PACKAGE_DATA.get(name, ())
        assert [use for use in forbidden(source) if use.partition(": ")[2] not in allowed] == []
    assert ast.get_docstring(ast.parse(source)), f"{name} has no docstring"
    assert len(source.splitlines()) <= LINES_OF_A_MODULE
    assert long_functions(source) == []


@pytest.mark.parametrize("name", sorted(READS_PACKAGE_DATA))
def test_an_exception_that_nobody_needs_is_taken_back(name):
    source = (PACKAGE / f"{name.replace('.', '/')}.py").read_text()
    assert {use.partition(": ")[2] for use in forbidden(source)} == set(READS_PACKAGE_DATA[name])


def test_public_things_have_docstrings():
    silent = []
    for file in modules():
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                if not ast.get_docstring(node):
                    silent.append(f"{dotted(file)}.{node.name}")
    assert silent == []


def test_starting_imports_nothing_heavy():
    program = f"import sys, transformer.cli\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout.strip()) == (0, ""), ran.stderr


@pytest.mark.parametrize("file", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda file: file.stem)
def test_tests_do_not_sleep_long(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "sleep":
            seconds = node.args[0]
            assert not isinstance(seconds, ast.Constant) or seconds.value <= 1, f"{file}:{node.lineno}"
