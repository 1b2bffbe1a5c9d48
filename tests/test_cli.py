"""The command as a process: words, streams, exit codes, signals. What the doors say is tested in tests/surfaces."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.doors import pod, resource_list
from transformer import __version__, cli
from transformer.embedded import Fault

COMMAND = [sys.executable, "-m", "transformer"]


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Starts the command with pipes and leaves it running: `start(["list"], stdin=…)`."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    running = []

    def begin(args, **streams):
        pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
        running.append(subprocess.Popen([*COMMAND, *args], cwd=tmp_path, **{**pipes, **streams}))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait(30)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def nginx(embedded):
    registry = embedded()
    return f"{registry.host}/library/nginx:1.27"


# Words.


@pytest.mark.parametrize("args", [["--version"], ["-V"], ["render", "--version"], ["-q", "--version"]])
def test_version(run_pindown, args):
    ran = run_pindown(args)
    assert (ran.returncode, ran.stdout.decode(), ran.stderr) == (0, f"pindown {__version__}\n", b"")


@pytest.mark.parametrize("args", [["-h"], ["--help"], *([name, "-h"] for name in cli.COMMANDS)], ids=" ".join)
def test_help_is_a_result(run_pindown, args):
    ran = run_pindown(args)
    assert (ran.returncode, ran.stderr) == (0, b"") and ran.stdout.startswith(b"usage: pindown ")


def test_help_names_every_command(run_pindown):
    told = run_pindown(["-h"]).stdout.decode()
    assert [name for name in cli.COMMANDS if not re.search(rf"^  {name}  ", told, re.MULTILINE)] == []


@pytest.mark.parametrize(
    "args, said",
    [
        (["rendr"], "there is no command 'rendr'; did you mean render? The commands are render, list, "),
        (["zzz"], "there is no command 'zzz'. The commands are "),
        (["\x1b[31m"], "there is no command '\ufffd[31m'"),
        ([""], "there is no command ''"),
        (["pod.yaml"], "to pin that file: pindown render pod.yaml"),
        (["--polcy", "x"], "there is no option '--polcy'; did you mean --policy?"),
        (["--polcy=x"], "did you mean --policy?"),
        (["render", "--ofline", "x"], "there is no option '--ofline'; did you mean --offline?"),
        (["render", "--of", "x"], "there is no option '--of'"),
        (["--zzzzzz"], "there is no option '--zzzzzz'; what begins with - and is no option comes after --; pindown -h"),
        (["-"], "unexpected argument '-' (stdin is read without it)"),
        (["--offline", "rendr"], "unexpected argument 'rendr'"),
        (["--policy", "render"], "render"),  # the option's value, not a command
        (["render", "--policy"], "expected one argument"),
        (["render", "--format", "jsn"], "invalid choice: 'jsn'"),
        (["render", "--on-error", "ignore"], "invalid choice"),
        (["render", "--timeout", "soon"], "--timeout"),
        (["render", "--jobs", "0"], "--jobs"),
        (["render", "--set", "x"], "write NAME=VALUE"),
        (["render", "--policy", "gone.yaml"], "gone.yaml"),
        (["schema", "lok"], "invalid choice: 'lok'"),
        (["plugin", "install", "helmm"], "invalid choice: 'helmm'"),
        (["plugin"], "required: action, host"),
        (["explain", "-x"], "what begins with - and is no option comes after --"),
        (["explain"], "name at least one reference"),
    ],
)
def test_what_cannot_be_understood_is_2(run_pindown, tmp_path, args, said):
    (tmp_path / "pod.yaml").write_text(pod("a:1"))
    ran = run_pindown(args, stdin=b"a: 1\n", cwd=tmp_path)
    told = ran.stderr.decode()
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert told.startswith("pindown: error: ") and said in told and "\x1b" not in told and told.count("\n") == 1


def test_the_schema_is_printed(run_pindown):
    ran = run_pindown(["schema"])
    assert (
        ran.stdout
        == (ROOT / "schemas" / "imagetransformer.schema.json").read_bytes()
        == run_pindown(["schema", "policy"]).stdout
    )


@pytest.mark.parametrize("args, code", [([], 2), (["--offline"], 2), (["render"], 2), (["list"], 2)])
def test_a_terminal_gets_help_and_no_wait(start, args, code):
    ours, theirs = pty.openpty()
    try:
        process = start(args, stdin=theirs)
        out, err = process.communicate(timeout=30)
    finally:
        os.close(ours), os.close(theirs)
    assert (process.returncode, out) == (code, b"")
    assert (b"usage: pindown" in err) if not args or args[0].startswith("-") else (b"stdin is a terminal" in err)


def test_a_closed_stdin_is_no_input(tmp_path):
    ran = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m transformer <&-"], capture_output=True, cwd=ROOT, timeout=30
    )
    assert (ran.returncode, ran.stdout) == (2, b"")


# The report.


def test_what_is_said(run_pindown, nginx):
    sent = pod(nginx).encode()
    plain = run_pindown(stdin=sent).stderr.decode()
    assert plain.count("\n") == 1 and plain.startswith("pindown: 1 image (1 distinct): 1 pinned")
    assert run_pindown(["-q"], stdin=sent).stderr == b""
    verbose = run_pindown(["-v"], stdin=sent).stderr.decode()
    assert (
        verbose.startswith(f"  Pod/web spec.containers[0].image: {nginx} -> {nginx}@sha256:") and plain[:30] in verbose
    )


def test_quiet_is_not_silent_about_what_is_wrong(run_pindown):
    ran = run_pindown(["-q", "--offline"], stdin=pod("Bad:1").encode())
    assert ran.returncode == 1 and b"error[invalid-reference]" in ran.stderr


@pytest.mark.parametrize("sent, code", [(pod("Bad:1"), 1), (resource_list(pod("Bad:1")), 1), (pod("auto"), 0)])
@pytest.mark.parametrize("by_option", [True, False])
def test_the_report_goes_into_a_file(run_pindown, tmp_path, sent, code, by_option):
    args, env = (["--report", "r.txt"], {}) if by_option else ([], {"PINDOWN_REPORT": "r.txt"})
    ran = run_pindown(args, stdin=sent.encode(), env=env, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (code, b"")
    assert (tmp_path / "r.txt").read_text().splitlines()[-1].startswith("pindown: 1 image ")


@pytest.mark.parametrize("place", ["no/such/r.txt", "."])
def test_a_report_that_cannot_be_written(run_pindown, tmp_path, place):
    ran = run_pindown(["--report", place], stdin=pod("auto").encode(), cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert f"the report cannot be written to {place}: ".encode() in ran.stderr


@pytest.mark.parametrize(
    "args, env, colored",
    [
        ([], {}, False),
        (["--color", "always"], {}, True),
        (["--color", "never"], {}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "auto"], {}, False),
        (["--color", "always", "--report", "r"], {}, False),
    ],
)
def test_colours(run_pindown, tmp_path, args, env, colored):
    ran = run_pindown(["--offline", *args], stdin=pod("Bad:1").encode(), env=env, cwd=tmp_path)
    assert (b"\x1b[31;1merror[invalid-reference]\x1b[0m" in ran.stderr) == colored
    assert colored or b"\x1b" not in ran.stderr


@pytest.mark.parametrize("env, colored", [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_on_a_terminal(start, monkeypatch, env, colored):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    ours, theirs = pty.openpty()
    process = start(["--offline"], stderr=theirs)
    process.communicate(pod("Bad:1").encode(), timeout=30)
    os.close(theirs)
    told = os.read(ours, 4096)
    os.close(ours)
    assert b"invalid-reference" in told and (b"\x1b[" in told) == colored


def test_the_report_as_json_lines(run_pindown, nginx):
    sent = pod(nginx) + "---\n" + pod("Bad:1", "two")
    ran = run_pindown(["--format", "json"], stdin=sent.encode())
    first, second, finding, last = map(json.loads, ran.stderr.decode().splitlines())
    assert list(first) == "file line column kind namespace name path before after decision via why".split()
    assert (first["decision"], first["via"], first["after"].partition("@")[0]) == ("pinned", "registry", nginx)
    assert (second["decision"], second["via"], second["before"]) == ("refused", None, "Bad:1")
    assert (
        list(finding)[:6] == "rule severity message help file line".split() and finding["rule"] == "invalid-reference"
    )
    assert list(last["summary"]) == "sites images pinned kept refused requests seconds".split()


# Streams and ends.


def test_a_reader_that_goes_away_is_1_with_a_sentence(start, nginx):
    process = start([])
    process.stdout.close()
    process.stdin.write(pod(nginx).encode())
    process.stdin.close()
    told = process.stderr.read()
    assert process.wait(30) == 1
    assert b"pindown: error: the reader of stdout went away" in told and b"Traceback" not in told


def test_pipes_that_do_not_block_are_read_and_written_whole(start):
    """Some parents hand on pipes like that; half of an input or of a result would be half of a cluster."""
    text = "".join(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: n{number}}}\n---\n" for number in range(4000))
    source, sink = os.pipe(), os.pipe()
    for end in (source[0], sink[1]):
        os.set_blocking(end, False)
    process = start([], stdin=source[0], stdout=sink[1])
    os.close(source[0]), os.close(sink[1])
    with open(source[1], "wb") as pipe:
        pipe.write(text[:100].encode())
        pipe.flush()
        time.sleep(0.4)
        pipe.write(text[100:].encode())
    time.sleep(0.4)  # nobody reads yet, and the result is larger than a pipe
    with open(sink[0], "rb") as pipe:
        assert pipe.read().decode() == text
    assert process.wait(30) == 0


@pytest.mark.parametrize("args", [[], ["list"], ["schema"], ["--version"], ["explain", "--offline", "a"]], ids=str)
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="accepted in CI: there is no /dev/full here")
def test_a_full_disk_is_1_with_a_sentence(start, args):
    with open("/dev/full", "wb") as full:
        process = start(args, stdout=full)
        _, told = process.communicate(pod("auto").encode(), timeout=30)
    assert process.returncode == 1
    assert b"the result cannot be written to stdout: No space left on device" in told


def test_a_stderr_that_is_gone_is_nobodys_problem(start, nginx):
    process = start([])
    process.stderr.close()
    out = process.communicate(pod(nginx).encode(), timeout=30)[0]
    assert process.returncode == 0 and b"@sha256:" in out


@pytest.mark.parametrize(
    "number, code, said", [(signal.SIGTERM, 143, b"terminated"), (signal.SIGINT, 130, b"interrupted")]
)
@pytest.mark.parametrize("make", [pod, lambda image: resource_list(pod(image))], ids=["pipe", "krm"])
def test_a_signal_during_a_lookup(start, embedded, number, code, said, make):
    registry = embedded(fault=lambda request: Fault(delay=5))
    process = start([])
    process.stdin.write(make(f"{registry.host}/library/nginx:1.27").encode())
    process.stdin.close()
    until = time.monotonic() + 20
    while not registry.peak and time.monotonic() < until:
        time.sleep(0.02)
    sent = time.monotonic()
    process.send_signal(number)
    assert process.wait(30) == code
    assert time.monotonic() - sent < 4
    assert process.stdout.read() == b"" and process.stderr.read() == b"pindown: " + said + b"; nothing was written\n"


def test_a_signal_while_reading(start):
    process = start([])
    process.stdin.write(b"a: 1\n")
    process.stdin.flush()
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (143, b"")


def test_the_time_is_limited(run_pindown, embedded):
    registry = embedded(fault=lambda request: Fault(delay=20))
    began = time.monotonic()
    ran = run_pindown(["--timeout", "0.5"], stdin=pod(f"{registry.host}/library/nginx:1.27").encode())
    assert time.monotonic() - began < 10
    assert (ran.returncode, ran.stdout) == (1, b"") and b"error[timeout] <stdin>:8:12 Pod/web" in ran.stderr


@pytest.mark.parametrize("args, env", [(["--offline"], {}), ([], {"PINDOWN_OFFLINE": "1"})])
def test_offline_connects_to_nobody(run_pindown, embedded, args, env):
    registry = embedded()
    ran = run_pindown(args, stdin=pod(f"{registry.host}/library/nginx:1.27").encode(), env=env)
    assert (ran.returncode, ran.stdout, registry.log) == (1, b"", [])
    assert b"error[offline] <stdin>:8:12 Pod/web" in ran.stderr and b"run once without --offline" in ran.stderr


BUG = """
import sys
from transformer import cli, pipeline
def fail(*_):
    secret = "hunter2"
    raise KeyError(secret)
pipeline.decide = fail
sys.argv = ["pindown", *sys.argv[1:]]
cli.run()
"""


@pytest.mark.parametrize("sent", [pod("NAME"), resource_list(pod("NAME"))], ids=["pipe", "krm"])
def test_a_bug_of_ours_is_3_and_tells_nothing_of_what_was_read(nginx, sent):
    data = sent.replace("NAME", nginx).replace("web", "hidden-name").encode()
    ran = subprocess.run([sys.executable, "-c", BUG], input=data, capture_output=True, cwd=ROOT, timeout=30)
    told = ran.stderr.decode()
    assert (ran.returncode, ran.stdout) == (3, b"")
    assert told.startswith(f"pindown: error: a bug in pindown {__version__}: KeyError at ") and "pipeline.py:" in told
    assert "please report it" in told and told.count("\n") == 1
    assert [word for word in ("hunter2", "hidden-name", nginx) if word in told] == []


@pytest.mark.parametrize("variable, value", [("PINDOWN_TIMEOUT", "x"), ("PINDOWN_OFFLINE", "maybe")])
def test_an_environment_that_cannot_be_understood_is_2(run_pindown, variable, value):
    ran = run_pindown(stdin=pod("auto").encode(), env={variable: value})
    assert (ran.returncode, ran.stdout) == (2, b"") and variable.encode() in ran.stderr


def test_a_path_of_any_bytes(run_pindown, tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.yaml"
    with open(name, "w") as file:
        file.write(pod("Bad:1"))
    for args in (["render"], ["list"], ["list", "--format", "json"], ["--format", "json", "--report", "r"]):
        command = args if args[0].startswith("-") else [*args, os.fsdecode(name)]
        ran = run_pindown(command, stdin=pod("Bad:1").encode(), cwd=tmp_path)
        assert ran.returncode == 1 and b"a bug in" not in ran.stderr, ran.stderr


def test_a_second_policy_word_beats_the_first(run_pindown, tmp_path, nginx):
    """The nearer wins: option, environment, policy."""
    (tmp_path / "pindown.yaml").write_text(
        "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec: {offline: true, onError: warn}\n"
    )
    sent = pod(nginx).encode()
    assert b"warning[offline]" in run_pindown(stdin=sent, cwd=tmp_path).stderr
    assert b"error[offline]" in run_pindown(["--on-error", "fail"], stdin=sent, cwd=tmp_path).stderr
    assert b"@sha256:" in run_pindown(stdin=sent, cwd=tmp_path, env={"PINDOWN_OFFLINE": "0"}).stdout


@pytest.mark.parametrize(
    "args",
    [
        ["list", "--offline", "--format", "json", "-"],
        ["--offline", "list", "--format", "json"],
        ["--format", "json", "--offline", "list", "-"],
        ["--format=json", "list", "--offline"],
        ["--report", "list", "--format", "json", "list"],
    ],
)
def test_options_may_stand_before_the_command(run_pindown, args):
    ran = run_pindown(args, pod("a:1").encode())
    assert (ran.returncode, b'"value":"a:1"' in ran.stdout) == (0, True)
