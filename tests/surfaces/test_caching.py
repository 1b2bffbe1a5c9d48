"""PINDOWN_CACHE as people and hosts set it, the doors of the cache, and what a run tells of it."""

from __future__ import annotations

import json
import os

import pytest

from tests.registry.cache.redisserver import free_port, redis_server
from tests.registry.faults import FaultServer, proper
from transformer.errors import HostError, UsageError
from transformer.policy.model import CacheRule, Policy
from transformer.surfaces import caching, policyfiles
from transformer.surfaces.caching import Cache, arguments, at_hand, chosen

PASSWORD = "open sesame"
KEY = {"PINDOWN_CACHE_KEY": "a secret of this fleet"}
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: '%s/team/app:1'}]}\n"


# What is refused before anything is tried.


@pytest.mark.parametrize(
    ("url", "environ", "told"),
    [
        ("redis://cache.test", {}, "PINDOWN_CACHE_KEY is missing"),
        ("redis://cache.test", {"PINDOWN_CACHE_KEY": "  "}, "PINDOWN_CACHE_KEY is missing"),
        ("memcached://cache.test", KEY, "memcached:// is no cache"),
        ("https://cache.test", KEY, "https:// is no cache"),
        ("://", KEY, "is no cache"),
        ("redis://", KEY, "is no URL of a Redis"),
        ("redis:///0", KEY, "is no URL of a Redis"),
        ("redis://cache.test:port", KEY, "is no URL of a Redis"),
        ("redis://cache.test:99999", KEY, "is no URL of a Redis"),
        ("redis://cache.test/one", KEY, "is no URL of a Redis"),
        ("redis://cache.test/-1", KEY, "is no URL of a Redis"),
        ("redis://[cache", KEY, "is no URL of a Redis"),
        ("redis://cache.test?prefix", KEY, "is no URL of a Redis"),
        ("redis://cache.test?password=x", KEY, "says 'password'; it may say ca, passwordEnv, prefix, usernameEnv"),
        ("redis://cache.test?passwordEnv=NOPE", KEY, "passwordEnv=NOPE, but the environment has no such variable"),
        ("redis://cache.test?ca=/ca.pem", KEY, "is for rediss:// alone"),
        ("rediss://cache.test?ca=/nowhere/ca.pem", KEY, "is not there"),
    ],
)
def test_a_setting_that_cannot_be_meant(url, environ, told):
    with pytest.raises(UsageError) as caught:
        chosen({"PINDOWN_CACHE": url, "HOME": "/users/me", **environ})
    assert told in str(caught.value) and str(caught.value).startswith("PINDOWN_CACHE")


@pytest.mark.parametrize(
    "url",
    [
        f"redis://me:{PASSWORD}@cache.test:port",
        f"redis://:{PASSWORD}@/0",
        f"redis://:{PASSWORD}@cache.test?what=x",
        f"redis://{PASSWORD}@cache.test",
        f"redis://cache.test:{PASSWORD}",
    ],
)
def test_no_message_holds_a_password(url):
    with pytest.raises(UsageError) as caught:
        chosen({"PINDOWN_CACHE": url})
    assert PASSWORD not in str(caught.value)


def test_without_redis_py(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'pindown\[redis\]'"):
        chosen({"PINDOWN_CACHE": "redis://cache.test", **KEY})


@pytest.mark.parametrize(
    "command", [["render", "-"], ["explain", "nginx"], ["cache", "stats"], ["render", "--offline", "-"]]
)
def test_a_missing_key_stops_every_command(run_pindown, command):
    ran = run_pindown(command, stdin=b"{}", env={"PINDOWN_CACHE": "redis://cache.test"})
    assert (ran.returncode, ran.stdout) == (2, b"") and b"PINDOWN_CACHE_KEY" in ran.stderr


# What is chosen.


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/users/me"}, "/users/me/.cache/pindown/answers"),
        ({"HOME": "/users/me", "XDG_CACHE_HOME": "/var/me"}, "/var/me/pindown/answers"),
        ({"HOME": "/users/me", "XDG_CACHE_HOME": "relative"}, "/users/me/.cache/pindown/answers"),
        ({"XDG_CACHE_HOME": "/var/me"}, "/var/me/pindown/answers"),
        ({"PINDOWN_CACHE": "/fast", "HOME": "/users/me"}, "/fast/answers"),
        ({"PINDOWN_CACHE": "", "HOME": "/users/me"}, "/users/me/.cache/pindown/answers"),
        ({}, ""),
        ({"HOME": ""}, ""),
        ({"HOME": "relative"}, ""),
    ],
)
def test_a_directory(environ, folder):
    assert chosen(environ) == Cache(folder)


def test_a_relative_directory_is_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert chosen({"PINDOWN_CACHE": "here"}) == Cache(str(tmp_path / "here" / "answers"))


def test_off():
    assert chosen({"PINDOWN_CACHE": "off", "HOME": "/users/me"}) is None
    assert chosen({"PINDOWN_CACHE": " off ", "HOME": "/users/me"}) is None


def test_policies_are_remembered_beside_the_answers():
    for environ in ({"HOME": "/users/me"}, {"PINDOWN_CACHE": "/fast"}):
        assert os.path.dirname(policyfiles.memory(environ)._folder) == os.path.dirname(chosen(environ).folder)
    assert policyfiles.memory({"PINDOWN_CACHE": "redis://cache.test", "HOME": "/users/me"}) is not None
    assert policyfiles.memory({"PINDOWN_CACHE": "off", "HOME": "/users/me"}) is None


def test_a_redis(tmp_path):
    pem = tmp_path / "ca.pem"
    pem.write_text("")
    environ = {**KEY, "U": "env user", "P": "env password"}
    for url, expected in {
        "redis://cache.test": ("cache.test", 6379, 0, False, None, None, None, "pindown:"),
        "REDIS://[::1]:6380/3": ("::1", 6380, 3, False, None, None, None, "pindown:"),
        "redis://me:p%40ss@cache.test/": ("cache.test", 6379, 0, False, "me", "p@ss", None, "pindown:"),
        "redis://:pw@cache.test": ("cache.test", 6379, 0, False, None, "pw", None, "pindown:"),
        "redis://cache.test?passwordEnv=P&usernameEnv=U": (
            *("cache.test", 6379, 0, False, "env user", "env password", None, "pindown:"),
        ),
        f"rediss://cache.test?ca={pem}&prefix=team-a:": (
            *("cache.test", 6379, 0, True, None, None, str(pem), "team-a:"),
        ),
    }.items():
        found = chosen({**environ, "PINDOWN_CACHE": url})
        assert tuple(found.server) == expected and found.key == KEY["PINDOWN_CACHE_KEY"], url
        assert KEY["PINDOWN_CACHE_KEY"] not in repr(found)


def test_what_the_policy_says_reaches_the_resolver():
    given = arguments(Cache("/somewhere/answers"), Policy(cache=CacheRule(60.0, 3600.0)), fresh=True)
    assert given["freshness"] == (60.0, 3600.0, True) and given["cache"] is not None
    assert arguments(None, Policy(), fresh=False)["cache"] is None


def test_what_may_be_looked_into_offline(tmp_path):
    assert not at_hand(None) and not at_hand(Cache("")) and not at_hand(Cache(str(tmp_path)))
    (tmp_path / "answers.db").touch()
    assert at_hand(Cache(str(tmp_path)))
    assert not at_hand(chosen({"PINDOWN_CACHE": "redis://cache.test", **KEY}))


# A run.


def lines(ran):
    return [json.loads(line) for line in ran.stderr.decode().splitlines()]


def test_the_second_run_says_who_answered(run_pindown):
    with FaultServer(proper) as server:
        text = (POD % server.host).encode()
        first, second = (run_pindown(["render", "--format", "json", "-"], stdin=text) for _ in range(2))
        assert first.stdout == second.stdout != text
        assert [lines(ran)[0]["via"] for ran in (first, second)] == ["registry", "cache"]
        assert lines(second)[-1]["summary"]["requests"] == 0
        assert len(server.asked()) == 1


@pytest.mark.parametrize(
    "environ", [{"PINDOWN_CACHE": "off"}, {"HOME": "/nowhere/at/all", "XDG_CACHE_HOME": "/dev/null"}]
)
def test_a_run_without_a_cache(run_pindown, environ):
    with FaultServer(proper) as server:
        text = (POD % server.host).encode()
        ran = [run_pindown(["render", "-"], stdin=text, env=environ) for _ in range(2)]
        assert [one.returncode for one in ran] == [0, 0] and len(server.asked()) == 2
        assert ran[1].stderr.count(b"not cached") == ("off" not in environ.values())


def test_an_offline_run_answers_from_the_cache(run_pindown):
    with FaultServer(proper) as server:
        text = (POD % server.host).encode()
        unknown = run_pindown(["render", "--offline", "-"], stdin=text)
        online = run_pindown(["render", "-"], stdin=text)
    offline = run_pindown(["render", "--offline", "-"], stdin=text)
    assert unknown.returncode == 1 and b"[offline]" in unknown.stderr
    assert (offline.returncode, offline.stdout) == (0, online.stdout)


def test_mirrors_check_believes_nobody_but_the_registries(run_pindown, tmp_path):
    with FaultServer(proper) as server:
        (tmp_path / "pindown.yaml").write_text(
            "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nmetadata: {name: a}\nspec:\n  mirrors:\n"
            f"  - source: {server.host}/team\n    locations: [{{to: {server.host}/team}}]\n"
        )
        text = (POD % server.host).encode()
        assert run_pindown(["render", "-"], stdin=text, cwd=tmp_path).returncode == 0
        before = len(server.asked())
        assert run_pindown(["mirrors", "check", "-"], stdin=text, cwd=tmp_path).returncode == 0
        assert len(server.asked()) > before


def test_a_redis_that_is_down_is_a_note(run_pindown):
    url = f"redis://:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{free_port()}"
    with FaultServer(proper) as server:
        ran = run_pindown(["render", "-"], stdin=(POD % server.host).encode(), env={**KEY, "PINDOWN_CACHE": url})
    assert ran.returncode == 0 and ran.stderr.count(b"goes on without the shared cache") == 1
    assert b"sesame" not in ran.stderr


# The doors.


def test_stats_and_clear(run_pindown, isolation):
    with FaultServer(proper) as server:
        run_pindown(["render", "-"], stdin=(POD % server.host).encode())
    ran = run_pindown(["cache", "stats"])
    rows = dict(line.split(None, 1) for line in ran.stdout.decode().splitlines())
    assert rows["where"] == f"{isolation}/.cache/pindown/answers/answers.db" and rows["entries"] == "1"
    assert rows["size"].endswith("of at most 100.0 MB") and rows["newest"].endswith(" ago")
    found = json.loads(run_pindown(["cache", "stats", "--format", "json"]).stdout)
    assert found["entries"] == 1 and sorted(found) == ["entries", "limit", "newest", "oldest", "size", "where"]
    assert run_pindown(["cache", "clear"]).stdout == b"1 answer was removed\n"
    assert json.loads(run_pindown(["cache", "stats", "--format", "json"]).stdout)["entries"] == 0


def test_stats_and_clear_of_a_redis(run_pindown, tmp_path):
    with redis_server(tmp_path) as redis, FaultServer(proper) as server:
        environ = {**KEY, "PINDOWN_CACHE": f"{redis.url}?prefix=a:"}
        run_pindown(["render", "-"], stdin=(POD % server.host).encode(), env=environ)
        redis.client().set("theirs", "x")
        found = json.loads(run_pindown(["cache", "stats", "--format", "json"], env=environ).stdout)
        assert found["entries"] == 1 and found["where"] == f"127.0.0.1:{redis.server.port} (keys a:*)"
        assert run_pindown(["cache", "clear"], env=environ).stdout == b"1 answer was removed\n"
        assert redis.client().keys("*") == [b"theirs"]


@pytest.mark.parametrize("door", ["stats", "clear"])
def test_doors_to_nothing(door, run_pindown):
    call = (lambda environ: caching.stats({}, environ)) if door == "stats" else caching.clear
    with pytest.raises(UsageError, match="off"):
        call({"PINDOWN_CACHE": "off"})
    with pytest.raises(HostError, match="PINDOWN_CACHE"):
        call({"PINDOWN_CACHE": "/dev/null"})
    with pytest.raises(HostError, match="127.0.0.1"):
        call({"PINDOWN_CACHE": f"redis://127.0.0.1:{free_port()}", **KEY})
    ran = run_pindown(["cache", door], env={"PINDOWN_CACHE": "/dev/null"})
    assert (ran.returncode, ran.stdout) == (1, b"")


def test_the_group_tells_its_words(run_pindown):
    ran = run_pindown(["cache"])
    assert ran.returncode == 2 and b"cache stats, cache clear" in ran.stderr
