"""Doors opened in this process: quick enough for tables. tests/test_cli.py has them as processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doors import Ran
from transformer import cli
from transformer.embedded import EmbeddedRegistry
from transformer.errors import PindownError
from transformer.surfaces import console


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    directory = tmp_path / "work"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def door(workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """`door("render", "-", stdin="…")`: what the command answers; a refusal is told on stderr as the process does."""

    def call(*argv: str, stdin: str | bytes = b"") -> Ran:
        written: list[str] = []
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr(console, "read_stdin", lambda: data)
        monkeypatch.setattr(console, "stdin_is_terminal", lambda: False)
        monkeypatch.setattr(console, "write_result", written.append)
        try:
            code, said = cli.main(argv), ""
        except PindownError as error:
            code, said = error.exit_code, f"pindown: error: {error}\n"
        return Ran(code, "".join(written), capsys.readouterr().err + said)

    return call


@pytest.fixture
def registry(embedded: Callable[..., EmbeddedRegistry]) -> EmbeddedRegistry:
    """The demo's images on loopback: library/nginx:1.27, library/redis:7.4, team/api:2.3.1 and more."""
    return embedded()


@pytest.fixture
def nginx(registry: EmbeddedRegistry) -> str:
    """`127.0.0.1:port/library/nginx:1.27`, which can be resolved."""
    return f"{registry.host}/library/nginx:1.27"


@pytest.fixture
def pinned(registry: EmbeddedRegistry, nginx: str) -> str:
    """What `nginx` becomes."""
    return f"{nginx}@{registry.repositories['library/nginx'].tags['1.27']}"
