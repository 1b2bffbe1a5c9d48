"""What holds for every text file of the repository, and for the README's two commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

#: Written in pieces, so that this file does not hold what it looks for.
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.~<])/" + r"(?:root|work|home/\w+|Users/\w+)/"),
    "the host of a package registry": re.compile(
        r"\b(?:pypi\.org|pythonhosted" + r"\.org|proxy\.golang|registry\.npmjs|deb\.debian)"
    ),
    "a conflict marker": re.compile(r"^(?:<{7}|>{7})" + r" ", re.MULTILINE),
}


def repository_files() -> list[Path]:
    """What git tracks or would track; without git or a repository (an sdist), everything that is not hidden."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        command = [git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout.decode().split("\0")
        return [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    return [file for file in ROOT.rglob("*") if file.is_file() and not any(p.startswith(".") for p in file.parts)]


def violations(text: str) -> list[str]:
    return [f"{what}: {match[0]!r}" for what, rule in FORBIDDEN.items() for match in rule.finditer(text)]


def quick_start(readme: str) -> list[str]:
    """The contents of the fenced blocks under `## Quick start`."""
    section = re.search(r"^## Quick start\n(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```\w*\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL) if section else []


@pytest.mark.parametrize(
    "text",
    [
        "/rooted/x",
        "https://example.com/" + "work/x",
        "a/" + "root/b",
        "~/" + "work/x",
        "./" + "work/x",
        "spec.work/",
        "pip install pindown",
        "<<<<<<<<",
    ],
)
def test_what_may_be_written(text):
    assert violations(text) == []


@pytest.mark.parametrize(
    "text", ["cd /" + "root/x", "see /" + "work/main", "(/" + "home/me/x)", "https://pypi" + ".org/simple"]
)
def test_what_may_not_be_written(text):
    assert len(violations(text)) == 1


def test_no_file_names_a_machine_or_a_registry_of_packages():
    found = {}
    for file in repository_files():
        try:
            wrong = violations(file.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue  # a fixture that is no text
        if wrong:
            found[str(file.relative_to(ROOT))] = wrong
    assert found == {}


def test_the_repository_has_files():
    names = {str(file.relative_to(ROOT)) for file in repository_files()}
    assert {"pyproject.toml", ".ci/run", "transformer/__init__.py", "tests/test_house.py"} <= names
    assert not any(name.startswith((".venv/", "dist/")) or name.endswith(".pyc") for name in names)


def test_blocks_of_a_readme_are_found():
    readme = "# x\n```\nno\n```\n## Quick start\n\nText\n```sh\none\n```\nand\n```\ntwo\n```\n## Next\n```\nno\n```\n"
    assert quick_start(readme) == ["one\n", "two\n"]
    assert quick_start("# x\n") == []


def test_the_quick_start_is_two_commands_of_one_line():
    blocks = quick_start((ROOT / "README.md").read_text())
    assert len(blocks) == 2
    assert [len(block.splitlines()) for block in blocks] == [1, 1]
    demo, tests = blocks
    assert demo.strip().endswith("pindown demo")
    assert "pytest" in tests


def test_the_ci_script_reads_the_same_blocks():
    """`.ci/run` takes the blocks apart with awk; both readings must agree."""
    script = (ROOT / ".ci" / "run").read_text()
    function = re.search(r"^quick_start\(\) \{.*?^\}", script, re.MULTILINE | re.DOTALL)
    assert function is not None
    for number, block in enumerate(quick_start((ROOT / "README.md").read_text()), 1):
        ran = subprocess.run(
            ["bash", "-c", f"{function[0]}\nquick_start {number}"], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
        assert (ran.returncode, ran.stdout) == (0, block)


def test_the_ci_script_refuses_a_block_of_two_lines(tmp_path):
    script = (ROOT / ".ci" / "run").read_text()
    function = re.search(r"^quick_start\(\) \{.*?^\}", script, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "README.md").write_text("## Quick start\n```\na\nb\n```\n```\n```\n## Next\n```\nc\n```\n")
    for number in (1, 2, 3):
        ran = subprocess.run(
            ["bash", "-c", f"{function}\nquick_start {number}"], cwd=tmp_path, capture_output=True, timeout=30
        )
        assert ran.returncode == 1


@pytest.mark.parametrize("script", ["run", "install-tools"])
def test_shell_scripts_parse(script):
    assert subprocess.run(["bash", "-n", str(ROOT / ".ci" / script)], timeout=30).returncode == 0


def test_every_pinned_tool_has_an_exact_version():
    rows = [line.split() for line in (ROOT / ".ci" / "tools").read_text().splitlines() if line and line[0] != "#"]
    assert [row[0] for row in rows] == ["kustomize", "crane", "docker-registry", "redis-server"]
    for name, installer, source in rows:
        assert installer in ("go", "debian"), name
        assert installer == "debian" or re.search(r"@v\d+\.\d+\.\d+$", source), name
