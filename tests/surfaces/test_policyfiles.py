"""Finding and reading policies, and the memory of valid ones: what is refused first."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.policy.test_load import HEAD, spec
from transformer.errors import PolicyError
from transformer.policy.load import load
from transformer.policy.questions import HostCredential
from transformer.policy.words import SIZE_LIMIT
from transformer.surfaces import policyfiles
from transformer.surfaces.policyfiles import Memory, PolicyText


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a directory two levels down; the directory above it is not in it."""
    root = tmp_path / "repo"
    (root / "apps" / "web").mkdir(parents=True)
    (root / ".git").mkdir()
    return root


# ---- the search


def test_nothing_found_is_fine(repository):
    assert policyfiles.found(str(repository / "apps" / "web")) is None


def test_nothing_above_the_repository_is_looked_at(repository):
    (repository.parent / "pindown.yaml").write_text(HEAD)
    assert policyfiles.found(str(repository / "apps" / "web")) is None


def test_without_a_repository_only_the_working_directory_is_looked_at(tmp_path):
    (tmp_path / "pindown.yaml").write_text(HEAD)
    (tmp_path / "sub").mkdir()
    assert policyfiles.found(str(tmp_path / "sub")) is None
    assert policyfiles.found(str(tmp_path)) == PolicyText(HEAD, "pindown.yaml", str(tmp_path), str(tmp_path))


@pytest.mark.parametrize(
    ("where", "cwd", "label"),
    [
        (".", ".", "pindown.yaml"),
        (".", "apps", "../pindown.yaml"),
        (".", "apps/web", "../../pindown.yaml"),
        ("apps", "apps/web", "../pindown.yaml"),
        ("apps/web", "apps/web", "pindown.yaml"),
    ],
)
def test_found_upwards(repository, where, cwd, label):
    (repository / where / "pindown.yaml").write_text(HEAD)
    found = policyfiles.found(os.path.normpath(repository / cwd))
    assert found is not None
    assert (found.text, found.file) == (HEAD, label)
    assert found.base == os.path.normpath(repository / where)
    assert found.bound == str(repository)


def test_the_nearest_is_found(repository):
    (repository / "pindown.yaml").write_text("far")
    (repository / "apps" / "pindown.yaml").write_text("near")
    found = policyfiles.found(str(repository / "apps" / "web"))
    assert found is not None
    assert found.text == "near"


def test_a_git_file_marks_a_root_too(tmp_path):
    (tmp_path / "pindown.yaml").write_text(HEAD)
    worktree = tmp_path / "worktree"
    (worktree / "sub").mkdir(parents=True)
    (worktree / ".git").write_text("gitdir: elsewhere\n")
    assert policyfiles.found(str(worktree / "sub")) is None


def test_a_link_that_leaves_the_repository_is_refused(repository):
    (repository.parent / "outside.yaml").write_text(HEAD)
    (repository / "pindown.yaml").symlink_to("../outside.yaml")
    with pytest.raises(PolicyError, match="a symbolic link that leaves the repository"):
        policyfiles.found(str(repository))


def test_a_link_inside_the_repository_is_followed(repository):
    (repository / "apps" / "policy.yaml").write_text(HEAD)
    (repository / "pindown.yaml").symlink_to("apps/policy.yaml")
    found = policyfiles.found(str(repository))
    assert found is not None
    assert found.text == HEAD


@pytest.mark.parametrize("kind", ["directory", "fifo", "dangling", "loop"])
def test_what_is_no_file_is_refused_and_never_waited_for(repository, kind):
    path = repository / "pindown.yaml"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("pindown.yaml" if kind == "loop" else "missing.yaml")
    with pytest.raises(PolicyError) as caught:
        policyfiles.found(str(repository))
    assert str(caught.value).startswith("pindown.yaml: ")


# ---- reading


def test_a_named_policy_may_lie_anywhere(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "p.yaml").write_text(HEAD)
    (tmp_path / "cwd").mkdir()
    source = policyfiles.named("../etc/p.yaml", str(tmp_path / "cwd"))
    assert source == PolicyText(HEAD, "../etc/p.yaml", str(tmp_path / "etc"), None)


def test_a_named_policy_may_be_a_pipe_and_then_names_files_of_the_working_directory(tmp_path):
    read, write = os.pipe()
    try:
        os.write(write, HEAD.encode())
        os.close(write)
        source = policyfiles.named(f"/dev/fd/{read}", str(tmp_path))
    finally:
        os.close(read)
    assert source == PolicyText(HEAD, f"/dev/fd/{read}", str(tmp_path), str(tmp_path))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "No such file or directory"),
        (b"a: \xff\xfe", "not UTF-8 text"),
        ("a: é\n".encode("utf-16"), "not UTF-8 text"),
        (b"#" * (SIZE_LIMIT + 1), "larger than 1048576 bytes"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, content, part):
    if content is not None:
        (tmp_path / "p.yaml").write_bytes(content)
    with pytest.raises(PolicyError) as caught:
        policyfiles.named("p.yaml", str(tmp_path))
    assert part in str(caught.value)
    assert str(caught.value).startswith("p.yaml:")
    assert "\n" not in str(caught.value)


def test_a_directory_as_policy(tmp_path):
    with pytest.raises(PolicyError, match="Is a directory"):
        policyfiles.named(".", str(tmp_path))


def test_the_line_of_the_byte_that_is_not_utf8(tmp_path):
    (tmp_path / "p.yaml").write_bytes(b"a: 1\nb: 2\nc: \xff\n")
    with pytest.raises(PolicyError) as caught:
        policyfiles.named("p.yaml", str(tmp_path))
    assert caught.value.line == 3


def test_the_same_file_by_two_names(repository):
    (repository / "pindown.yaml").write_text(HEAD)
    cwd = str(repository / "apps")
    found = policyfiles.found(cwd)
    assert found is not None
    assert policyfiles.same(found, "../pindown.yaml", cwd)
    assert policyfiles.same(found, str(repository / "pindown.yaml"), cwd)
    assert not policyfiles.same(found, "../other.yaml", cwd)


# ---- files that a policy names


def bundles(text: str, source: PolicyText) -> list[str | None]:
    policy = policyfiles.with_files(load(spec(text), source.file), source)
    return [rule.ca_bundle for rule in policy.registries]


@pytest.mark.parametrize("path", ["ca.pem", "./ca.pem", "sub/../ca.pem"])
@pytest.mark.parametrize("bound", [True, False])
def test_bundles_are_placed_beside_the_policy(tmp_path, path, bound):
    (tmp_path / "sub").mkdir()
    (tmp_path / "ca.pem").write_text("x")
    source = PolicyText("", "p.yaml", str(tmp_path), str(tmp_path) if bound else None)
    text = f"registries: [{{host: a.test, caBundle: {path}}}, {{host: b.test}}]"
    assert bundles(text, source) == [os.path.realpath(tmp_path / "ca.pem"), None]


@pytest.mark.parametrize("path", ["../ca.pem", "link.pem", "sub/../../ca.pem", "ABSOLUTE"])
def test_a_bound_policy_may_not_name_files_outside(tmp_path, path):
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (tmp_path / "ca.pem").write_text("x")
    (inside / "link.pem").symlink_to("../ca.pem")
    path = path.replace("ABSOLUTE", str(inside / "ca.pem"))
    text = f"registries: [{{host: a.test, caBundle: {path}}}]"
    with pytest.raises(PolicyError, match=r"p.yaml:4: the caBundle of a.test, .* leaves the tree"):
        bundles(text, PolicyText("", "p.yaml", str(inside), str(inside)))
    if not path.endswith("inside/ca.pem"):
        unbound = PolicyText("", "p.yaml", str(inside), None)
        assert bundles(text, unbound) == [os.path.realpath(tmp_path / "ca.pem")]


def test_a_missing_bundle_is_a_policy_error_and_not_a_tls_error_later(tmp_path):
    with pytest.raises(PolicyError, match=r"p.yaml:4: the caBundle of a.test, ca.pem, is not there"):
        bundles("registries: [{host: a.test, caBundle: ca.pem}]", PolicyText("", "p.yaml", str(tmp_path), None))


def test_files_with_credentials_are_placed_beside_the_policy_and_may_be_missing(tmp_path):
    text = (
        "registries:\n- {host: a.test, credentials: {dockerConfig: sub/config.json}}\n"
        "- {host: b.test, credentials: {secretFile: /run/x.yaml}}\n"
        "- {host: c.test, credentials: {usernameEnv: A, passwordEnv: B}}"
    )
    source = PolicyText("", "p.yaml", str(tmp_path), None)
    found = [rule.credentials for rule in policyfiles.with_files(load(spec(text), "p.yaml"), source).registries]
    assert found == [
        HostCredential("a.test", docker_config=str(tmp_path / "sub/config.json")),
        HostCredential("b.test", secret_file="/run/x.yaml"),
        HostCredential("c.test", "A", "B"),
    ]


def test_an_operators_link_stays_a_link(tmp_path):
    """A mounted Secret changes where its links lead."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "login.yaml").symlink_to("..data/login.yaml")
    text = "registries: [{host: a.test, credentials: {secretFile: login.yaml}}]"
    policy = policyfiles.with_files(load(spec(text), "p"), PolicyText("", "p", str(tmp_path), None))
    assert policy.registries[0].credentials == HostCredential("a.test", secret_file=str(tmp_path / "login.yaml"))


@pytest.mark.parametrize("key", ["dockerConfig", "secretFile"])
@pytest.mark.parametrize("path", ["../login", "link", "/etc/login"])
def test_a_bound_policy_may_not_name_credentials_outside(tmp_path, key, path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to("../login")
    text = f"registries: [{{host: a.test, credentials: {{{key}: {path}}}}}]"
    inside = str(tmp_path / "inside")
    with pytest.raises(PolicyError, match=rf"p.yaml:4: the {key} of a.test, .* leaves the tree"):
        policyfiles.with_files(load(spec(text), "p.yaml"), PolicyText("", "p.yaml", inside, inside))


# ---- the memory


def test_what_was_not_remembered_was_not_seen(tmp_path):
    memory = Memory(str(tmp_path / "a" / "b"))
    assert not memory.seen("d" * 64)
    memory.remember("d" * 64)
    assert memory.seen("d" * 64)
    assert not memory.seen("e" * 64)
    assert Memory(str(tmp_path / "a" / "b")).seen("d" * 64)


def test_the_memory_is_ours_alone(tmp_path):
    Memory(str(tmp_path / "pindown" / "policies")).remember("d" * 64)
    for folder in (tmp_path / "pindown", tmp_path / "pindown" / "policies"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
def test_a_directory_that_others_may_write_to_is_not_believed(tmp_path, mode):
    memory = Memory(str(tmp_path / "m"))
    memory.remember("d" * 64)
    (tmp_path / "m").chmod(mode)
    assert not memory.seen("d" * 64)
    memory.remember("e" * 64)
    assert not (tmp_path / "m" / ("e" * 64)).exists()


def test_a_directory_of_someone_else_is_not_believed(tmp_path, monkeypatch):
    memory = Memory(str(tmp_path / "m"))
    memory.remember("d" * 64)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert not memory.seen("d" * 64)


def test_a_link_is_not_believed(tmp_path):
    Memory(str(tmp_path / "real")).remember("d" * 64)
    (tmp_path / "m").symlink_to("real")
    assert not Memory(str(tmp_path / "m")).seen("d" * 64)


@pytest.mark.parametrize(
    "folder", ["file/policies", "/proc/nowhere/policies", "/dev/null/x/policies", "nul\0/policies"]
)
def test_without_a_place_it_forgets_and_never_fails(tmp_path, folder):
    (tmp_path / "file").write_text("")
    memory = Memory(os.path.join(tmp_path, folder))
    memory.remember("d" * 64)
    assert not memory.seen("d" * 64)


def test_the_memory_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(policyfiles, "MEMORY_LIMIT", 3)
    memory = Memory(str(tmp_path / "m"))
    for number in range(10):
        memory.remember(str(number))
        assert memory.seen(str(number))
        assert len(os.listdir(tmp_path / "m")) <= 3


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({}, None),
        ({"HOME": ""}, None),
        ({"HOME": "relative"}, None),
        ({"XDG_CACHE_HOME": "relative"}, None),
        ({"HOME": "/h", "PINDOWN_CACHE": "off"}, None),
        ({"HOME": "/h"}, "/h/.cache/pindown/policies"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/pindown/policies"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "x"}, "/h/.cache/pindown/policies"),
        ({"HOME": "/h", "PINDOWN_CACHE": "/c"}, "/c/policies"),
        ({"HOME": "/h", "PINDOWN_CACHE": "redis://cache.test:6379/0"}, "/h/.cache/pindown/policies"),
    ],
)
def test_where_the_memory_is(environ, folder):
    memory = policyfiles.memory(environ)
    assert (memory and memory._folder) == folder
