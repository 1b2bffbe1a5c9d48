"""What is read, in which order, and how texts are joined."""

from __future__ import annotations

import os

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transformer.errors import HostError, UsageError
from transformer.surfaces import console, inputs


@pytest.mark.parametrize(
    "texts, joined",
    [
        ([], ""),
        (["a: 1\n"], "a: 1\n"),
        (["a: 1", "b: 2"], "a: 1\n---\nb: 2"),
        (["a: 1\n", "---\nb: 2\n"], "a: 1\n---\nb: 2\n"),
        (["a: 1\n", "# c\n--- # d\nb: 2\n"], "a: 1\n# c\n--- # d\nb: 2\n"),
        (["a: 1\n", "# c\nb: 2\n"], "a: 1\n---\n# c\nb: 2\n"),
        (["a: 1\n", "# only\n", "b: 2\n"], "a: 1\n# only\n---\nb: 2\n"),
        (["a: 1\n", "", "\n", "b: 2\n"], "a: 1\n\n---\nb: 2\n"),
        (["# first\n", "b: 2\n"], "# first\nb: 2\n"),
        (["a: 1\n...\n", "b: 2\n"], "a: 1\n...\n---\nb: 2\n"),
        (["a: 1\n", "%YAML 1.1\n---\nb: 2\n"], "a: 1\n...\n%YAML 1.1\n---\nb: 2\n"),
        (["a: 1\n", "# c\n%YAML 1.1\n---\nb: 2\n"], "a: 1\n...\n# c\n%YAML 1.1\n---\nb: 2\n"),
        (["# c\n", "%YAML 1.1\n---\nb: 2\n"], "# c\n%YAML 1.1\n---\nb: 2\n"),
        (["a: 1\n...\n", "%YAML 1.1\n---\nb: 2\n"], "a: 1\n...\n%YAML 1.1\n---\nb: 2\n"),
        (["a: 1\r\n", "---\r\nb: 2\r\n"], "a: 1\r\n---\r\nb: 2\r\n"),
        (['{"a": 1}', '{"b": 2}'], '{"a": 1}\n---\n{"b": 2}'),
        (["a: 1\n", "---x: 2\n"], "a: 1\n---\n---x: 2\n"),
    ],
)
def test_joining(texts, joined):
    assert inputs.join(texts) == joined
    wanted = [value for text in texts for value in yaml.safe_load_all(text) if value is not None]
    assert [value for value in yaml.safe_load_all(joined) if value is not None] == wanted


DOCUMENT = st.sampled_from(
    ["a: 1\n", "b: 2", "---\nc: 3\n", "# d\n", "", "%YAML 1.1\n---\ne: 5\n", "--- {f: 6}\n...\n"]
)


@given(st.lists(DOCUMENT, max_size=6))
def test_no_document_is_lost_or_merged(texts):
    wanted = [value for text in texts for value in yaml.safe_load_all(text) if value is not None]
    assert [value for value in yaml.safe_load_all(inputs.join(texts)) if value is not None] == wanted


@pytest.fixture
def tree(workdir):
    for name in ("b/2.yaml", "b/1.yml", "a.json", "b/c/3.YAML", "b/x.txt", "b/.hidden/4.yaml", "b/c/5.yaml"):
        (workdir / name).parent.mkdir(parents=True, exist_ok=True)
        (workdir / name).write_text("a: 1\n")
    return workdir


@pytest.mark.parametrize(
    "paths, found",
    [
        (["."], ["./a.json", "./b/1.yml", "./b/2.yaml", "./b/c/5.yaml"]),
        (["b", "a.json"], ["a.json", "b/1.yml", "b/2.yaml", "b/c/5.yaml"]),
        (["b/2.yaml", "b"], ["b/1.yml", "b/2.yaml", "b/c/5.yaml"]),
        (["b/x.txt"], ["b/x.txt"]),
        (["b/.hidden"], ["b/.hidden/4.yaml"]),
    ],
)
def test_paths(tree, paths, found):
    files, findings, rendered = inputs.read(paths)
    assert ([file.name for file in files], findings, rendered) == (found, [], False)


def test_stdin_is_rendered(monkeypatch):
    monkeypatch.setattr(console, "read_stdin", lambda: b"a: 1\n")
    monkeypatch.setattr(console, "stdin_is_terminal", lambda: False)
    for paths in ([], ["-"]):
        (file,), findings, rendered = inputs.read(paths)
        assert (file.name, file.text, findings, rendered) == ("<stdin>", "a: 1\n", [], True)


def test_a_terminal_is_read_only_when_asked_for(monkeypatch):
    monkeypatch.setattr(console, "read_stdin", lambda: b"a: 1\n")
    monkeypatch.setattr(console, "stdin_is_terminal", lambda: True)
    assert inputs.read(["-"])[0][0].text == "a: 1\n"
    with pytest.raises(UsageError, match="stdin is a terminal; name files or directories"):
        inputs.read([])


def test_a_broken_link_in_a_directory_is_not_passed_over(tree):
    (tree / "b" / "gone.yaml").symlink_to("nowhere")
    with pytest.raises(HostError, match=r"b/gone\.yaml cannot be read: No such file"):
        inputs.read(["b"])


@pytest.mark.skipif(os.geteuid() == 0, reason="accepted in CI: root may read every directory")
def test_a_directory_that_cannot_be_read_is_not_passed_over(tree):
    (tree / "b" / "c").chmod(0)
    with pytest.raises(HostError, match="b/c cannot be read: Permission denied"):
        inputs.read(["b"])


def test_an_error_of_the_walk_is_not_passed_over(tree, monkeypatch):
    def walk(path, onerror):
        onerror(PermissionError(13, "Permission denied", f"{path}/c"))
        return iter(())

    monkeypatch.setattr(inputs.os, "walk", walk)
    with pytest.raises(HostError, match="b/c cannot be read: Permission denied"):
        inputs.read(["b"])


def test_files_that_are_no_text_are_findings_and_the_others_are_read(tree):
    (tree / "b" / "2.yaml").write_bytes(b"\xff\xfea")
    files, (finding,), _ = inputs.read(["b"])
    assert [file.name for file in files] == ["b/1.yml", "b/c/5.yaml"]
    assert (finding.rule, finding.severity, finding.place.file) == ("unreadable", "error", "b/2.yaml")
