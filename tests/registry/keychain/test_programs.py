"""Helpers that speak the protocol, and helpers that do anything else."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback

import pytest

from transformer.registry.keychain import Credential, KeychainError, Wanted
from transformer.registry.keychain.configfiles import documents
from transformer.registry.keychain.programs import PATIENCE, Helpers

CANARY = "canary-4711"


@pytest.fixture
def helper(tmp_path):
    """Installs `docker-credential-NAME`, a Python program; it leaves a line in `asked` each time."""
    (tmp_path / "bin").mkdir()

    def install(program, name="test", mode=0o755):
        path = tmp_path / "bin" / f"docker-credential-{name}"
        log = f"import sys, os\nasked = sys.stdin.readline()\nopen({str(tmp_path / 'asked')!r}, 'a').write(asked)\n"
        path.write_text(f"#!{sys.executable} -IS\n{log}{program}\n")
        path.chmod(mode)
        return path

    return install


@pytest.fixture
def helpers(tmp_path):
    """The source for a config.json."""

    def make(config, **options):
        (tmp_path / ".docker").mkdir(exist_ok=True)
        (tmp_path / ".docker" / "config.json").write_text(json.dumps(config))
        environ = {"HOME": str(tmp_path), "PATH": str(tmp_path / "bin"), "XDG_RUNTIME_DIR": str(tmp_path / "none")}
        return Helpers(documents(environ), environ, **options)

    return make


def asked(tmp_path):
    log = tmp_path / "asked"
    return log.read_text().splitlines() if log.exists() else []


def says(**answer):
    return f"print({json.dumps(answer)!r})"


GOOD = says(ServerURL="x", Username="user", Secret=CANARY)
STORE = {"credsStore": "test"}


def resolve(source, host="registry.test", **more):
    return source.resolve(Wanted(host, "team/app", **more))


def test_a_helper_that_knows(tmp_path, helper, helpers):
    helper(GOOD)
    source = helpers(STORE)
    assert resolve(source) == [Credential("helper test", "user", CANARY)]
    assert source.about(Wanted("registry.test", "a")) == "helper test"
    assert source.deferred


def test_each_host_is_asked_once(tmp_path, helper, helpers):
    helper(GOOD)
    source = helpers(STORE)
    for host in ("registry.test", "other.test", "registry.test", "REGISTRY.test"):
        assert resolve(source, host) == [Credential("helper test", "user", CANARY)]
    assert asked(tmp_path) == ["registry.test", "other.test"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("docker.io", "https://index.docker.io/v1/"),
        ("registry.test", "registry.test"),
        ("registry.test:5000", "registry.test:5000"),
    ],
)
def test_what_a_helper_is_asked(tmp_path, helper, helpers, host, url):
    helper(GOOD)
    resolve(helpers(STORE), host)
    assert asked(tmp_path) == [url]


def test_it_gets_one_argument_and_the_environment(tmp_path, helper, helpers):
    helper("import json; print(json.dumps({'Username': ' '.join(sys.argv[1:]), 'Secret': os.environ['HOME']}))")
    assert resolve(helpers(STORE))[0].secret[:2] == ("get", str(tmp_path))


def test_an_identity_token(helper, helpers):
    helper(says(Username="<token>", Secret=CANARY))
    assert resolve(helpers(STORE)) == [Credential("helper test", identity_token=CANARY)]


@pytest.mark.parametrize(
    "program",
    [
        "print('credentials not found in native keychain'); sys.exit(1)",
        "print('Error: Credentials not found'); sys.exit(2)",
        says(Username="", Secret=""),
        says(Username="u", Secret=""),
    ],
)
def test_a_helper_that_knows_nothing(helper, helpers, program):
    helper(program)
    assert resolve(helpers(STORE)) == []


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (f"print('{CANARY}'); sys.exit(1)", "failed (exit code 1)"),
        (f"print('{CANARY}', file=sys.stderr); sys.exit(3)", "failed (exit code 3)"),
        ("os.kill(os.getpid(), 9)", "failed (signal 9)"),
        (f"print('{CANARY}')", "no credential"),
        ("", "no credential"),
        ("print('[]')", "no credential"),
        ("print('[' * 10000)", "no credential"),
        (says(Username=1, Secret=CANARY), "no credential"),
        (says(Username="u"), "no credential"),
        ("sys.stdout.write('x' * 70000)", "more than 64 KiB"),
        ("while True: os.write(1, b'x' * 4096)", "more than 64 KiB"),
        ("sys.stdout.buffer.write(bytes(range(256)))", "no credential"),
    ],
)
def test_a_helper_that_fails(helper, helpers, program, words):
    helper(program)
    source = helpers(STORE)
    for _ in range(2):
        with pytest.raises(KeychainError) as caught:
            resolve(source)
        assert "docker-credential-test" in str(caught.value) and words in str(caught.value)
        assert str(caught.value).isprintable()
        assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("other", 0o755, "docker-credential-test, named by ~/.docker/config.json, is not on PATH"),
        ("test", 0o644, "is not on PATH or not executable"),
    ],
)
def test_a_helper_that_is_not_there(helper, helpers, name, mode, words):
    helper(GOOD, name, mode)
    with pytest.raises(KeychainError) as caught:
        resolve(helpers(STORE))
    assert words in str(caught.value)


def test_a_helper_that_is_no_program(helper, helpers):
    helper("").write_text("#!/nowhere/at/all\n")
    with pytest.raises(KeychainError, match="cannot be started"):
        resolve(helpers(STORE))


@pytest.mark.parametrize("name", ["../evil", "a/b", "a b", "a;b", "$(x)", "é", "x" * 65, "a\n"])
def test_names_that_are_none(tmp_path, helper, helpers, name):
    with pytest.raises(KeychainError, match="no name of a credential helper"):
        resolve(helpers({"credsStore": name}))


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    "hang",
    ["import time\nwhile True: time.sleep(0.1)", "os.close(1)\nimport time\nwhile True: time.sleep(0.1)"],
    ids=["silent", "output closed"],
)
def test_a_helper_that_hangs_is_ended_with_its_children(tmp_path, helper, helpers, hang):
    pids = tmp_path / "pids"
    helper(f"child = os.fork()\nopen({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n{hang}")
    began = time.monotonic()
    with pytest.raises(KeychainError, match="gave no answer within"):
        resolve(helpers(STORE, patience=0.5))
    assert time.monotonic() - began < 5
    limit = time.monotonic() + 5
    while any(running(pid) for pid in pids.read_text().split()):
        assert time.monotonic() < limit
        time.sleep(0.01)
    assert len(pids.read_text().split()) == 2


def test_a_daemon_that_keeps_the_pipe_does_not_matter(tmp_path, helper, helpers):
    wait = "import time\n    os.setsid()\n    for _ in range(30): time.sleep(0.1)"
    helper(f"{GOOD}\nsys.stdout.flush()\nif os.fork() == 0:\n    {wait}")
    began = time.monotonic()
    assert resolve(helpers(STORE)) == [Credential("helper test", "user", CANARY)]
    assert time.monotonic() - began < 2.5


def test_it_may_not_take_longer_than_the_run(helper, helpers):
    helper("import time\nwhile True: time.sleep(0.1)")
    began = time.monotonic()
    with pytest.raises(KeychainError):
        resolve(helpers(STORE), left=0.8)
    assert time.monotonic() - began < 5
    assert PATIENCE == 10


def test_it_need_not_read_its_input(tmp_path, helpers):
    path = tmp_path / "bin" / "docker-credential-test"
    path.parent.mkdir()
    path.write_text('#!/bin/sh\nexec 0<&-\necho \'{"Username": "u", "Secret": "s"}\'\n')
    path.chmod(0o755)
    assert resolve(helpers(STORE))[0].username == "u"


# Who is asked.


def test_a_hosts_own_helper_before_the_store(tmp_path, helper, helpers):
    helper(says(Username="own", Secret="s"), "own")
    helper(says(Username="store", Secret="s"), "store")
    source = helpers(
        {"credHelpers": {"registry.test": "own", "https://index.docker.io/v1/": "own"}, "credsStore": "store"}
    )
    assert [resolve(source, host)[0].username for host in ("registry.test", "docker.io", "x.test")] == [
        "own",
        "own",
        "store",
    ]
    assert source.about(Wanted("registry.test", "a")) == "helper own"


def test_no_helper_no_question(helpers):
    source = helpers({"auths": {"registry.test": {}}, "credHelpers": {"gcr.io": "gcloud"}})
    assert (resolve(source), source.about(Wanted("registry.test", "a"))) == ([], "")
    assert source.about(Wanted("gcr.io", "a")) == "helper gcloud"


def test_helpers_of_several_files(tmp_path, helper, helpers):
    helper("sys.exit(1)", "broken")
    helper(GOOD)
    (tmp_path / "none" / "containers").mkdir(parents=True)
    (tmp_path / "none" / "containers" / "auth.json").write_text('{"credHelpers": {"registry.test": "broken"}}')
    source = helpers(STORE)
    assert source.about(Wanted("registry.test", "a")) == "helper broken, helper test"
    assert resolve(source) == [Credential("helper test", "user", CANARY)]


def test_a_broken_config_names_no_helper(tmp_path, helpers):
    source = helpers({})
    (tmp_path / ".docker" / "config.json").write_text("broken")
    assert (resolve(source), source.about(Wanted("registry.test", "a"))) == ([], "")


def test_nothing_is_run_before_it_is_wanted(tmp_path, helper, helpers):
    helper(GOOD)
    helpers(STORE).about(Wanted("registry.test", "a"))
    assert asked(tmp_path) == []
    assert os.path.exists(tmp_path / "bin")


@pytest.mark.parametrize("user", ["user", "<token>"])
def test_a_secret_that_is_no_text(helper, helpers, user):
    helper(says(ServerURL="x", Username=user, Secret="\ud800"))
    with pytest.raises(KeychainError, match="helper test: what is stored there is no valid text"):
        resolve(helpers(STORE))


def test_who_leaves_ends_the_helpers_with_their_children(tmp_path, helper, helpers):
    started = tmp_path / "started"
    helper(
        f"import subprocess, time\nchild = subprocess.Popen(['/bin/sleep', '60'])\n"
        f"open({str(started)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} ')\ntime.sleep(60)"
    )
    source, caught = helpers(STORE), []

    def work():
        try:
            resolve(source)
        except KeychainError as error:
            caught.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while not (started.exists() and started.read_text().endswith(" ")):
        time.sleep(0.01)
    source.close()
    thread.join(5)
    assert not thread.is_alive() and "signal 9" in str(caught[0])
    for process in started.read_text().split():
        assert not running(int(process))
