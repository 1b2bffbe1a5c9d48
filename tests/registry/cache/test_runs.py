"""Whole batches with a cache: what reaches the registry, what is told, and what a fleet of processes sends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from tests.conftest import ROOT
from tests.registry.cache.redisserver import free_port, redis_server
from tests.registry.faults import (
    IMAGE,
    INDEX,
    Answer,
    FaultServer,
    Seen,
    bearer,
    content_of,
    digest_of,
    errors,
    good,
    proper,
    reference,
    resolver,
)
from transformer.policy.questions import Missing, Question, Refusal, Resolved
from transformer.registry.cache.local import LocalStore
from transformer.registry.cache.lookups import Freshness
from transformer.registry.hosts import RegistryRule
from transformer.registry.keychain import Credential, Keychain

SECRET = "a secret of this fleet"


class Login:
    deferred = False

    def about(self, wanted):
        return "a login"

    def resolve(self, wanted):
        return [Credential("a login", "me", "open sesame")]


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "pindown" / "answers")


class Runs:
    """Runs over one cache; `now` is their clock's offset in seconds."""

    def __init__(self, folder):
        self.folder, self.ahead, self.last = folder, 0.0, None

    def ask(self, *questions, freshness=None, **options):
        now = lambda: time.time() + self.ahead  # noqa: E731
        cache = LocalStore(self.folder, now=now)
        self.last = resolver(cache=cache, freshness=freshness, now=now, **options)
        return [self.last.ask(questions)[one] for one in questions]

    def recall(self, *questions, **options):
        now = lambda: time.time() + self.ahead  # noqa: E731
        self.last = resolver(cache=LocalStore(self.folder, now=now), now=now, **options)
        told = self.last.recall(questions, lambda one: Refusal("offline", f"{one.source.canonical} is not known"))
        return [told[one] for one in questions]


@pytest.fixture
def runs(folder):
    return Runs(folder)


def question(server, image="team/app:1", **fields):
    return Question(reference(f"{server.host}/{image}"), **fields)


def rules(answer):
    assert isinstance(answer, Missing), answer
    return [one.rule for one in answer.refusals]


class Changing:
    """A script that can be exchanged while its server runs."""

    def __init__(self, script=proper):
        self.script = script

    def __call__(self, seen: Seen):
        return self.script(seen)


# Asked.


def test_without_a_cache_everything_is_asked(runs):
    with FaultServer(proper) as server:
        for _ in range(2):
            resolver().ask([question(server)])
        assert len(server.asked()) == 2
    assert not os.path.exists(runs.folder)


def test_a_tag_that_has_moved_is_seen_after_its_time(runs):
    script = Changing()
    with FaultServer(script) as server:
        (first,) = runs.ask(question(server))
        script.script = lambda seen: good(content_of("moved"))
        assert runs.ask(question(server))[0].digest == first.digest
        runs.ahead = 601
        assert runs.ask(question(server))[0] == Resolved(digest_of(content_of("moved")), IMAGE)


def test_what_is_asked_afresh(runs):
    with FaultServer(proper) as server:
        runs.ask(question(server))
        (again,) = runs.ask(question(server), freshness=Freshness(fresh=True))
        assert again.via == "registry" and len(server.asked()) == 2


def test_a_host_that_a_repository_describes_is_asked_and_not_remembered(runs):
    with FaultServer(proper) as server:
        rule = RegistryRule(server.host, insecure=True, credentials_allowed=False)
        runs.ask(question(server), registries=[rule])
        runs.ask(question(server), registries=[rule])
        assert len(server.asked()) == 2
        assert runs.ask(question(server))[0].via == "registry"


def test_a_platform_is_another_question(runs):
    import json

    child = content_of("child")
    entry = {
        "mediaType": IMAGE,
        "digest": digest_of(child),
        "size": 5,
        "platform": {"os": "linux", "architecture": "arm64"},
    }
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
    with FaultServer(lambda seen: good(index, INDEX)) as server:
        (of_index,) = runs.ask(question(server))
        (of_child,) = runs.ask(question(server, platform="linux/arm64"))
        assert (of_index.digest, of_child.digest) == (digest_of(index), digest_of(child))
        assert [one.split()[0] for one in server.asked()] == ["HEAD", "GET"]
        assert runs.ask(question(server, platform="linux/arm64"))[0] == of_child._replace(via="cache")
        assert len(server.asked()) == 2
        assert rules(runs.ask(question(server, platform="linux/s390x"))[0]) == ["platform-missing"]
        assert rules(runs.ask(question(server, platform="linux/s390x"))[0]) == ["platform-missing"]
        assert len(server.asked()) == 4


# Whose answer.


def test_a_private_image_is_told_to_its_owner_alone(runs):
    def script(seen: Seen):
        if seen.headers.get("authorization", "").startswith("Basic "):
            return proper(seen)
        return Answer(401, {"WWW-Authenticate": 'Basic realm="r"'})

    mine = Keychain([Login()])
    with FaultServer(script) as server:
        (first,) = runs.ask(question(server), keychain=mine)
        sent = len(server.seen)
        assert runs.ask(question(server), keychain=mine) == [first._replace(via="cache")]
        assert len(server.seen) == sent
        assert rules(runs.ask(question(server))[0]) == ["no-permission"]
        assert len(server.seen) > sent


def test_a_public_image_of_a_token_registry_is_for_everybody(runs):
    """The token is anonymous: a credential that nobody asked for makes no answer private."""

    def script(seen: Seen):
        if seen.path.startswith("/token"):
            return Answer(200, {}, b'{"token": "t"}')
        return proper(seen) if "authorization" in seen.headers else bearer(f"http://{server.host}/token")

    with FaultServer(script) as server:
        runs.ask(question(server))
        assert runs.ask(question(server), keychain=Keychain([Login()]))[0].via == "cache"


def test_a_token_for_a_login_makes_the_answer_private(runs):
    def script(seen: Seen):
        if seen.path.startswith("/token"):
            return Answer(200, {}, b'{"token": "t"}')
        return proper(seen) if "authorization" in seen.headers else bearer(f"http://{server.host}/token")

    with FaultServer(script) as server:
        runs.ask(question(server), keychain=Keychain([Login()]))
        assert runs.ask(question(server))[0].via == "registry"


def test_not_found_by_nobody_is_asked_again_by_somebody(runs):
    def script(seen: Seen):
        return proper(seen) if "authorization" in seen.headers else Answer(404, {"WWW-Authenticate": 'Basic realm="r"'})

    with FaultServer(script) as server:
        assert rules(runs.ask(question(server))[0]) == ["not-found"]
        sent = len(server.seen)
        assert rules(runs.ask(question(server))[0]) == ["not-found"] and len(server.seen) == sent
        runs.ask(question(server), keychain=Keychain([Login()]))
        assert len(server.seen) > sent


# Remembered.


def test_a_second_run_sends_nothing_and_imports_nothing(runs):
    with FaultServer(proper) as server:
        names = [question(server, f"team/app{n}:1") for n in range(40)]
        first = runs.ask(*names)
        assert runs.ask(*names) == [one._replace(via="cache") for one in first]
        assert len(server.asked()) == 40 and runs.last.requests == 0
        program = (
            "import sys\nfrom transformer.images.reference import parse\n"
            "from transformer.policy.questions import Question\n"
            "from transformer.registry.resolver import RegistryResolver\n"
            "from transformer.registry.cache.local import LocalStore\nhost, folder = sys.argv[1:]\n"
            "asked = [Question(parse(f'{host}/team/app{n}:1').normalised()) for n in range(40)]\n"
            "told = RegistryResolver(timeout=20, cache=LocalStore(folder)).ask(asked)\n"
            "heavy = ('urllib3', 'ssl', 'http.client', 'email', 'redis', 'asyncio')\n"
            "print({one.via for one in told.values()}, [name for name in heavy if name in sys.modules])\n"
        )
        command = [sys.executable, "-c", program, server.host, runs.folder]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert (ran.stdout.strip(), ran.stderr) == ("{'cache'} []", "")


def test_a_mirror_that_was_proved_is_not_asked_again(runs):
    with FaultServer(proper) as source, FaultServer(proper) as mirror:
        one = question(source)._replace(locations=(reference(f"{mirror.host}/team/app:1"),))
        (first,) = runs.ask(one)
        assert (first.via, first.chosen) == ("registry", 0)
        assert runs.ask(one) == [first._replace(via="cache")]
        runs.ahead = 601
        (later,) = runs.ask(one)
        assert (later.via, len(source.asked()), len(mirror.asked())) == ("registry", 2, 1)


def test_a_mirror_that_lacks_it_is_asked_again_soon(runs):
    script = Changing(lambda seen: Answer(404))
    with FaultServer(proper) as source, FaultServer(script) as mirror:
        one = question(source)._replace(locations=(reference(f"{mirror.host}/team/app:1"),))
        assert rules(runs.ask(one)[0]) == ["mirror-missing"]
        script.script = proper
        assert rules(runs.ask(one)[0]) == ["mirror-missing"]
        runs.ahead = 31
        assert runs.ask(one)[0].chosen == 0


def test_an_interrupted_run_has_stored_what_it_knew(runs):
    def script(seen: Seen):
        return proper(seen) if "app1" in seen.path else errors(500, "E", "no")

    with FaultServer(script) as server:
        runs.ask(*[question(server, f"team/app{n}:1") for n in range(3)], timeout=5)
        told = runs.ask(question(server, "team/app1:1"))
        assert told[0].via == "cache"


# Nobody answers.

STALE = Freshness(stale=86400.0)


def test_a_registry_that_is_down_is_no_answer(runs):
    with FaultServer(proper) as server:
        one = question(server)
        runs.ask(one)
    runs.ahead = 700
    assert rules(runs.ask(one)[0]) == ["unreachable"]


def test_with_stale_if_error_an_old_answer_is_used_and_told(runs):
    with FaultServer(proper) as server:
        one = question(server)
        (first,) = runs.ask(one)
    runs.ahead = 7300
    (answer,) = runs.ask(one, freshness=STALE)
    assert (answer.digest, answer.via, answer.notes[0].rule) == (first.digest, "cache", "unreachable")
    assert "the answer of 2 h ago is used" in answer.notes[0].message
    runs.ahead = 90_000
    assert rules(runs.ask(one, freshness=STALE)[0]) == ["unreachable"]


def test_also_for_what_the_runs_end_overtakes(runs):
    script = Changing()
    with FaultServer(script) as server:
        known, unknown = [question(server, f"team/app{n}:1") for n in range(3)], question(server, "team/new:1")
        runs.ask(*known)
        runs.ahead = 700
        stuck = threading.Event()
        script.script = lambda seen: stuck.wait(20) and Answer(500)
        told = runs.ask(*known, unknown, freshness=STALE, timeout=0.3, jobs=1)
        stuck.set()
    assert [(one.via, one.notes[0].rule) for one in told[:3]] == [("cache", "timeout")] * 3
    assert rules(told[3]) == ["timeout"]


def test_but_not_where_the_policy_does_not_say_so(runs):
    script = Changing()
    with FaultServer(script) as server:
        known = question(server)
        runs.ask(known)
        runs.ahead = 700
        stuck = threading.Event()
        script.script = lambda seen: stuck.wait(20) and Answer(500)
        assert rules(runs.ask(known, timeout=0.3)[0]) == ["timeout"]
        stuck.set()


# Offline.


def test_offline_nothing_is_opened_and_what_is_unknown_is_told(runs, monkeypatch):
    import socket

    with FaultServer(proper) as server:
        known = question(server)
        (first,) = runs.ask(known)
        asked = Question(reference(f"{server.host}/team/app@{first.digest}"))
        runs.ask(asked)
        elsewhere = Question(reference(f"{server.host}/team/other@{first.digest}"))
    monkeypatch.setattr(socket, "socket", lambda *args, **more: pytest.fail("a socket was made"))
    told = runs.recall(known, asked, elsewhere, question(server, "team/app:2"))
    assert [one.via for one in told[:2]] == ["cache", "cache"] and told[0].notes == ()
    assert [rules(one) for one in told[2:]] == [["offline"], ["offline"]]
    assert told[3].refusals[0].message.endswith("team/app:2 is not known")
    runs.ahead = 86400 * 10
    told = runs.recall(known, asked)
    assert told[0].notes[0].rule == "offline" and "10 days ago" in told[0].notes[0].message


def test_offline_a_mirror_must_have_been_proved(runs):
    with FaultServer(proper) as source, FaultServer(proper) as mirror:
        plain = question(source)
        mirrored = plain._replace(locations=(reference(f"{mirror.host}/team/app:1"),))
        runs.ask(plain)
        assert rules(runs.recall(mirrored)[0]) == ["offline"]
        runs.ask(mirrored)
    assert runs.recall(mirrored)[0].chosen == 0


def test_offline_not_found_is_believed_no_longer_than_else(runs):
    with FaultServer(lambda seen: Answer(404)) as server:
        one = question(server)
        runs.ask(one)
    assert rules(runs.recall(one)[0]) == ["not-found"]
    runs.ahead = 31
    assert rules(runs.recall(one)[0]) == ["offline"]


def test_offline_without_a_cache():
    one = Question(reference("registry.test/app:1"))
    told = resolver().recall([one], lambda one: Refusal("offline", "nothing is known"))
    assert told == {one: Missing((Refusal("offline", "nothing is known"),))}


# A cache that cannot be used.


def test_a_cache_that_cannot_be_opened_is_a_note(runs):
    runs.folder = "/proc/pindown/answers"
    with FaultServer(proper) as server:
        (answer,) = runs.ask(question(server))
    assert answer.via == "registry"
    (note,) = runs.last.notes
    assert note.startswith("answers are not cached: /proc/pindown/answers/answers.db")


# A fleet.


def manifests(host, count):
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {{name: p{0}}}\n"
    pod += "spec: {{containers: [{{name: a, image: '{1}/team/app{0}:1'}}]}}\n"
    return "---\n".join(pod.format(n, host) for n in range(count)).encode()


def fleet(host, processes, images, home, url):
    """Renders the same images in many processes at once; answers (exit code, stdout, stderr) of each."""
    environ = {**os.environ, "HOME": str(home), "PINDOWN_CACHE": url, "PINDOWN_CACHE_KEY": SECRET}
    command = [sys.executable, "-m", "transformer", "render", "-", "--timeout", "300"]
    pipe = subprocess.PIPE
    running = [
        subprocess.Popen(command, cwd=ROOT, env=environ, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(processes)
    ]
    told: list[tuple[bytes, bytes]] = [(b"", b"")] * processes
    text = manifests(host, images)

    def talk(at):
        told[at] = running[at].communicate(text, timeout=300)

    threads = [threading.Thread(target=talk, args=(at,)) for at in range(processes)]
    for thread in threads:
        thread.start()
    return running, threads, told


def test_32_processes_send_each_request_once(tmp_path, isolation):
    with redis_server(tmp_path) as redis, FaultServer(proper) as server:
        running, threads, told = fleet(server.host, 32, 500, isolation, redis.url)
        for thread in threads:
            thread.join()
        assert [one.returncode for one in running] == [0] * 32, [one[1][-500:] for one in told]
        assert len({one[0] for one in told}) == 1
        assert not any(b"goes on without" in one[1] for one in told), [one[1][-500:] for one in told]
        assert 500 <= len(server.asked()) <= 505


@pytest.mark.parametrize("victim", ["the redis", "a process"])
def test_what_is_killed_in_the_middle_stops_nobody(tmp_path, isolation, victim):
    with redis_server(tmp_path) as redis, FaultServer(proper, delay=0.02) as server:
        running, threads, told = fleet(server.host, 4, 150, isolation, redis.url)
        until = time.monotonic() + 60
        while len(server.asked()) < 50 and time.monotonic() < until:
            time.sleep(0.005)
        if victim == "the redis":
            redis.kill()
        else:
            running[0].kill()
        for thread in threads:
            thread.join()
        rest = running if victim == "the redis" else running[1:]
        outcomes = told if victim == "the redis" else told[1:]
        assert [one.returncode for one in rest] == [0] * len(rest), outcomes
        assert len({one[0] for one in outcomes}) == 1 and outcomes[0][0].count(b"@sha256:") == 150
        if victim == "a process":
            assert len(server.asked()) < 2 * 150


def test_processes_that_share_a_file_ask_little_twice(tmp_path, isolation):
    home = str(tmp_path / "cache")
    with FaultServer(proper) as server:
        for _ in range(2):
            running, threads, told = fleet(server.host, 4, 50, isolation, home)
            for thread in threads:
                thread.join()
            assert [one.returncode for one in running] == [0] * 4, told
        assert len(server.asked()) <= 4 * 50


def test_a_registry_that_fails_fails_in_all_of_them_soon(tmp_path, isolation):
    """Nobody waits for the turn of everybody else."""
    with redis_server(tmp_path) as redis:
        began = time.monotonic()
        running, threads, told = fleet(f"127.0.0.1:{free_port()}", 6, 60, isolation, redis.url)
        for thread in threads:
            thread.join()
        assert {one.returncode for one in running} == {1}
        assert time.monotonic() - began < 30
