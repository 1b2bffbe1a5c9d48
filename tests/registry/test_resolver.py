"""The batch: how much is asked, how much at once, and when the caller gets its thread back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.registry.faults import (
    IMAGE,
    QUICK,
    Answer,
    FaultServer,
    Seen,
    ask,
    bearer,
    content_of,
    digest_of,
    drip,
    good,
    proper,
    reference,
    refusal,
    resolver,
)
from transformer.policy.questions import Missing, Question, Resolved
from transformer.registry.hosts import RegistryRule
from transformer.registry.keychain import Keychain

#: What is allowed for an answer that must come "at once" on a busy machine, in seconds.
PROMPT = 5.0


def questions_for(host, count=101, **fields):
    return [Question(reference(f"{host}/team/app{number}:1"), **fields) for number in range(count)]


def tokens(server):
    """A script with token auth on every repository; a token is good for its own repository only."""

    def script(seen: Seen):
        if seen.path.startswith("/token"):
            return Answer(
                200, {}, json.dumps({"token": seen.path.partition("repository:")[2].partition(":")[0]}).encode()
            )
        repository = seen.path.removeprefix("/v2/").partition("/manifests/")[0]
        allowed = seen.headers.get("authorization") == f"Bearer {repository}"
        return proper(seen) if allowed else bearer(f"http://{server().host}/token")

    return script


# Nothing to ask.


def test_nothing_asked_nothing_opened(monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *args: pytest.fail("a socket was made"))
    one = resolver()
    assert one.ask([]) == {}
    assert (one.requests, one.notes) == (0, [])


def test_urllib3_is_imported_only_for_a_question():
    program = (
        "import sys\nfrom transformer.registry.resolver import RegistryResolver\n"
        "RegistryResolver(registries=(), timeout=1).ask([])\n"
        "heavy = ('urllib3', 'ssl', 'http.client', 'dataclasses', 'json', 'email')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ran.stdout.strip(), ran.stderr) == ("[]", "")


# How much is asked.


def test_101_images_are_101_requests_many_at_a_time():
    with FaultServer(proper, delay=0.1) as server:
        one = resolver()
        answers = one.ask(questions_for(server.host))
        assert len(server.asked()) == len(server.seen) == one.requests == 101
        assert set(server.asked()) == {f"HEAD /v2/team/app{number}/manifests/1" for number in range(101)}
        assert 16 < server.peak <= 32
    assert len(answers) == 101
    assert all(
        answer == Resolved(digest_of(content_of(f"/v2/{question.source.repository}")), IMAGE)
        for question, answer in answers.items()
    )


@pytest.mark.parametrize("jobs", [1, 3])
def test_jobs_bound_what_is_in_flight(jobs):
    with FaultServer(proper, delay=0.01) as server:
        resolver(jobs=jobs).ask(questions_for(server.host, 20))
        assert server.peak <= jobs
        assert len(server.seen) == 20


def test_jobs_bound_all_hosts_together():
    with FaultServer(proper, delay=0.02) as first, FaultServer(proper, delay=0.02) as second:
        resolver(jobs=4).ask([*questions_for(first.host, 15), *questions_for(second.host, 15)])
        assert max(first.peak, second.peak) <= 4
        assert len(first.seen) == len(second.seen) == 15


def test_max_concurrency_bounds_one_host():
    with FaultServer(proper, delay=0.01) as server:
        resolver(registries=[RegistryRule(server.host, max_concurrency=2)]).ask(questions_for(server.host, 20))
        assert server.peak <= 2


def test_a_slow_host_does_not_hold_up_another():
    """With two in flight and one host of one at a time, the quick host is done long before the slow one."""
    order = []
    with FaultServer(proper, delay=0.1) as slow, FaultServer(proper) as quick:
        slow_ones, quick_ones = questions_for(slow.host, 8), questions_for(quick.host, 8)
        one = resolver(jobs=2, registries=[RegistryRule(slow.host, max_concurrency=1)])
        one._progress = lambda done, total: order.append((len(slow.seen), len(quick.seen)))
        one.ask([*slow_ones, *quick_ones])
    assert next(slow_seen for slow_seen, quick_seen in order if quick_seen == 8) < 8


def test_a_question_asked_twice_is_asked_once():
    with FaultServer(proper) as server:
        question = Question(reference(f"{server.host}/team/app:1"))
        same = Question(reference(f"{server.host}/team/app:1"))
        assert len(resolver().ask([question, same, question])) == 1
        assert len(server.seen) == 1


def test_different_questions_share_a_lookup():
    with FaultServer(proper, delay=0.02) as server, FaultServer(proper) as mirror:
        source, location = reference(f"{server.host}/team/app:1"), reference(f"{mirror.host}/team/app:1")
        asked = [
            Question(source),
            Question(source, scope="another"),
            Question(source, (location,)),
            Question(source, (location,), fallback=True),
            Question(source, (location,), verify="exists"),
        ]
        answers = resolver().ask(asked)
        assert [answer.digest for answer in answers.values()] == [digest_of(content_of("/v2/team/app"))] * 5
        assert server.asked() == ["HEAD /v2/team/app/manifests/1"]
        assert len(mirror.asked()) == 2


def test_a_failing_lookup_is_shared_too():
    with FaultServer(lambda seen: Answer(404), delay=0.02) as server:
        source = reference(f"{server.host}/team/app:1")
        answers = resolver().ask([Question(source), Question(source, scope="another"), Question(source, fallback=True)])
        assert {refusal(answer).rule for answer in answers.values()} == {"not-found"}
        assert len(server.seen) == 2  # HEAD, and one GET before the verdict


# Tokens.


def test_one_token_for_each_repository_and_few_challenges():
    with FaultServer(tokens(lambda: server)) as server:
        answers = resolver().ask(questions_for(server.host))
        assert all(isinstance(answer, Resolved) for answer in answers.values())
        assert len(server.asked("/token")) == 101
        challenged = [
            seen for seen in server.seen if "/manifests/" in seen.path and "authorization" not in seen.headers
        ]
        assert 1 <= len(challenged) <= 32


def test_the_head_start_spares_the_others_the_challenge():
    limits = QUICK._replace(head_start=2)
    with FaultServer(tokens(lambda: server)) as server:
        resolver(limits=limits).ask(questions_for(server.host, 40))
        challenged = [
            seen for seen in server.seen if "/manifests/" in seen.path and "authorization" not in seen.headers
        ]
        assert len(challenged) == 1


def test_a_token_is_fetched_once_by_all_who_wait_for_it():
    with FaultServer(tokens(lambda: server), delay=0.02) as server:
        asked = [Question(reference(f"{server.host}/team/app:{tag}")) for tag in range(20)]
        answers = resolver().ask(asked)
        assert all(isinstance(answer, Resolved) for answer in answers.values())
        assert len(server.asked("/token")) == 1


def test_tokens_and_challenges_are_kept_between_batches():
    with FaultServer(tokens(lambda: server)) as server:
        one = resolver()
        one.ask([Question(reference(f"{server.host}/team/app:1"))])
        one.ask([Question(reference(f"{server.host}/team/app:2"))])
        assert len(server.asked("/token")) == 1
        assert len(server.asked()) == 3


# Deadlines.

FULL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n"


def dripping(prefix, method="HEAD"):
    """Drips after `prefix` when asked by `method`; other methods get a 405."""
    return lambda server: lambda seen: drip(prefix, server) if seen.method == method else Answer(405)


def silent(server):
    return lambda seen: lambda handler: server().stopped.wait(10)


STUCK = {
    "drips the status line": dripping(b""),
    "drips headers": dripping(b"HTTP/1.1 200 OK\r\nX-Slow: "),
    "drips the body": dripping(FULL, "GET"),
    "drips a body that ends with the connection": dripping(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "GET"),
    "says nothing": silent,
}


@pytest.mark.parametrize("case", STUCK)
def test_the_deadline_of_a_request_holds(case):
    with FaultServer(STUCK[case](lambda: server)) as server:
        began = time.monotonic()
        problem = refusal(ask(server, limits=QUICK._replace(request=0.4)))
        assert time.monotonic() - began < PROMPT
    assert problem.rule == "timeout"
    assert f"{server.host} did not answer" in problem.message


@pytest.mark.parametrize("case", STUCK)
def test_the_deadline_of_the_run_holds(case):
    with FaultServer(STUCK[case](lambda: server)) as server:
        began = time.monotonic()
        answers = resolver(timeout=0.4).ask(questions_for(server.host, 40))
        assert time.monotonic() - began < PROMPT
    assert {refusal(answer).rule for answer in answers.values()} == {"timeout"}


def test_a_token_server_that_drips():
    def script(seen: Seen):
        if seen.path.startswith("/token"):
            return drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", lambda: server)
        return bearer(f"http://{server.host}/token")

    with FaultServer(script) as server:
        problem = refusal(ask(server, limits=QUICK._replace(request=0.4)))
    assert problem.rule == "timeout"
    assert "the token server of" in problem.message


def test_what_is_answered_before_the_deadline_stays_answered():
    def script(seen: Seen):
        return proper(seen) if "quick" in seen.path else drip(b"", lambda: server)

    with FaultServer(script) as server:
        quick, slow = (Question(reference(f"{server.host}/{name}/app:1")) for name in ("quick", "slow"))
        answers = resolver(timeout=1).ask([quick, slow])
    assert isinstance(answers[quick], Resolved)
    problem = refusal(answers[slow])
    assert problem.rule == "timeout"
    assert "PINDOWN_TIMEOUT" in problem.help or "did not answer" in problem.message


def test_a_name_server_that_hangs_does_not_hold_the_caller(monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **rest: released.wait(20) and [])
    began = time.monotonic()
    problem = refusal(ask("registry.test", timeout=0.3))
    assert time.monotonic() - began < PROMPT
    released.set()
    assert problem.rule == "timeout"
    assert problem.message == "registry.test/team/app:1: no answer from registry.test within the run's 0.3 s"


def test_no_attempt_is_begun_that_the_run_has_no_time_for():
    slept = []
    with FaultServer(lambda seen: Answer(503)) as server:
        limits = QUICK._replace(backoff_base=100, backoff_cap=100)
        problem = refusal(ask(server, limits=limits, random=lambda: 1.0, sleep=slept.append))
        assert (len(server.seen), slept) == (1, [])
    assert "HTTP 503" in problem.message


# The caller's thread.


def test_progress_is_told_in_the_callers_thread():
    told = []
    with FaultServer(proper) as server:
        resolver(progress=lambda done, total: told.append((done, total, threading.current_thread()))).ask(
            questions_for(server.host, 5)
        )
    assert told == [(number, 5, threading.current_thread()) for number in range(1, 6)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_leaves_at_once(error):
    def interrupt(done, total):
        raise error

    def script(seen: Seen):
        return proper(seen) if seen.path.startswith("/v2/team/app0/") else drip(b"", lambda: server)

    with FaultServer(script) as server:
        began = time.monotonic()
        with pytest.raises(error):
            resolver(progress=interrupt).ask(questions_for(server.host, 10))
        assert time.monotonic() - began < PROMPT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_lookup_ends_the_process(number):
    program = (
        "import signal, sys\n"
        "from transformer.images.reference import parse\n"
        "from transformer.policy.questions import Question\n"
        "from transformer.registry.resolver import RegistryResolver\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "RegistryResolver(registries=(), timeout=None).ask([Question(parse(sys.argv[1]).normalised())])\n"
    )
    with FaultServer(silent(lambda: server)) as server:
        command = [sys.executable, "-c", program, f"{server.host}/team/app:1"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 20
            while not server.seen and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(number)
            assert process.wait(PROMPT) in (143, -signal.SIGINT, 130, 1)


def test_a_bug_of_ours_is_raised_and_not_an_answer(monkeypatch):
    from transformer.registry.client import Client

    def broken(self, run, reference, scope):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(Client, "describe", broken)
    with FaultServer(proper) as server, pytest.raises(ZeroDivisionError, match="ours"):
        ask(server)


def test_connections_are_used_again():
    peers = set()

    class Remembering(FaultServer):
        def get_request(self):
            sock, address = super().get_request()
            peers.add(address)
            return sock, address

    with Remembering(proper) as server:
        resolver(jobs=2).ask(questions_for(server.host, 20))
    assert len(peers) <= 3  # one rests (connections.py)


def test_no_descriptor_is_left_open():
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("accepted in CI: needs /proc")

    def open_ones():
        return {name for name in os.listdir("/proc/self/fd")}

    with FaultServer(proper) as server:
        resolver().ask(questions_for(server.host, 3))
        before = len(open_ones())
        for _ in range(3):
            resolver().ask(questions_for(server.host, 10))
        server.stopped.wait(0.2)
        assert len(open_ones()) <= before + 8


# Hosts that come from a manifest.


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_an_impossible_port_is_not_asked(port):
    one = resolver()
    question = Question(reference(f"127.0.0.1:{port}/team/app:1"))
    problem = refusal(one.ask([question])[question])
    assert (problem.rule, one.requests) == ("unreachable", 0)
    assert "between 1 and 65535" in problem.message


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "0.0.0.0", "100.100.100.200", "[fe80::1]", "224.0.0.1", "[::]:5000"]
)
def test_addresses_that_no_manifest_may_name(host):
    began = time.monotonic()
    problem = refusal(ask(host))
    assert time.monotonic() - began < PROMPT
    assert problem.rule == "unreachable"
    assert "address; it is not asked" in problem.message
    assert f"registries: [{{host: {host}}}]" in problem.help


def test_loopback_may_be_forbidden_and_be_allowed_by_name():
    with FaultServer(proper) as server:
        problem = refusal(ask(server, loopback_allowed=False))
        assert (problem.rule, server.seen) == ("unreachable", [])
        assert f"{server.host.partition(':')[0]} is a loopback address" in problem.message
        allowed = frozenset((server.host,))
        assert isinstance(ask(server, loopback_allowed=False, allowed_hosts=allowed), Resolved)


def test_a_name_that_resolves_to_loopback_needs_the_operator(monkeypatch):
    with FaultServer(proper) as server:
        port = server.server_address[1]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **rest: found)
        host = f"registry.test:{port}"
        rules = [RegistryRule(host, insecure=True)]
        problem = refusal(ask(host, registries=rules))
        assert (problem.rule, server.seen) == ("unreachable", [])
        assert "registry.test resolves to 127.0.0.1, a loopback address" in problem.message
        assert isinstance(ask(host, registries=rules, allowed_hosts=frozenset((host,))), Resolved)
        assert server.seen[0].headers["host"] == host


def test_localhost_is_asked_over_http():
    with FaultServer(proper) as server:
        assert isinstance(ask(f"localhost:{server.server_address[1]}"), Resolved)
        assert isinstance(ask(f"registry.localhost:{server.server_address[1]}"), Resolved)


def test_all_failing_images_are_told_in_one_run():
    def script(seen: Seen):
        return {"a": Answer(404), "b": Answer(403), "c": good(b"{}", "text/html")}.get(
            seen.path.split("/")[2]
        ) or proper(seen)

    with FaultServer(script) as server:
        names = ["a", "b", "c", "d"]
        asked = {name: Question(reference(f"{server.host}/{name}:1")) for name in names}
        answers = resolver().ask(asked.values())
    found = [answers[asked[name]] for name in names]
    assert [one.refusals[0].rule if isinstance(one, Missing) else "fine" for one in found] == [
        "not-found",
        "no-permission",
        "not-a-registry",
        "fine",
    ]


@pytest.mark.parametrize("stop", [None, KeyboardInterrupt])
def test_whoever_leaves_ends_what_the_keychain_has_started(stop):
    closed = []

    def progress(done, total):
        if stop is not None:
            raise stop

    with FaultServer(proper) as server:
        one = resolver(keychain=Keychain((), lambda: closed.append(True)), progress=progress)
        if stop is None:
            one.ask(questions_for(server.host, 2))
        else:
            with pytest.raises(stop):
                one.ask(questions_for(server.host, 2))
    assert closed == [True]
