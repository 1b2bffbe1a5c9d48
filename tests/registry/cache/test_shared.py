"""The Redis store, against a real redis-server: what must never come of it first."""

from __future__ import annotations

import signal
import subprocess
import threading
import time

import pytest

from tests.registry.cache.redisserver import dripping, free_port, listener, redis_server, says, silent, slow
from transformer.registry.cache.entries import Entry, encode
from transformer.registry.cache.shared import LEASE, Server, SharedStore
from transformer.registry.cache.store import StoreError, failed_key

TEXT = encode(Entry(100.0, 700.0, "sha256:" + "a" * 64))
EVIL = encode(Entry(100.0, 700.0, "sha256:" + "e" * 64))
SECRET = "a secret of this fleet"
#: What a Redis in trouble may cost in a run, and what a busy machine may add to that in a test.
COST, SLACK = 0.2, 0.8
PASSWORD = "open sesame"


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(autouse=True)
def imported():
    """redis-py takes a tenth of a second to import, which is not Redis' fault."""
    import redis  # noqa: F401


@pytest.fixture
def clean(redis):
    redis.client().flushall()
    return redis


def store(where, secret=SECRET, busy=lambda: False, **changes):
    server = where if isinstance(where, Server) else where.server
    return SharedStore(server._replace(**changes), secret, busy)


def patient(where, **options):
    """A store on a machine that is busy with tests."""
    return store(where, busy=lambda: True, **options)


def without(one):
    """What a whole run costs with such a Redis: seconds; one note, nothing read, everybody asks."""
    began = time.monotonic()
    for n in range(200):
        assert one.read([f"{n}", "b"]) == {}
        assert one.claim(f"{n}") is True
        one.write({f"{n}": TEXT}, 60)
        one.release(f"{n}", answered=n % 2 == 0)
        one.tick()
    one.close()
    assert len(one.notes) == 1 and one.notes[0].startswith("this run goes on without the shared cache at "), one.notes
    assert one.notes[0].isprintable() and PASSWORD not in one.notes[0]
    return time.monotonic() - began, one.notes[0]


# In trouble: a moment, one note, and never an answer.


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (silent, "it does not answer in time"),
        (dripping, "it does not answer in time"),
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "InvalidResponse"),
        (says(b"\x00\xff\xfe garbage \r\n"), "InvalidResponse"),
        (says(b"-LOADING Redis is loading\r\n"), "BusyLoadingError"),
        (says(b"-MOVED 1 127.0.0.1:1\r\n"), "Error"),
        (says(b"$999999999\r\n"), "it does not answer in time"),
        (says(b"*1000000\r\n"), "it does not answer in time"),
        (lambda connection: connection.close(), "ConnectionError"),
    ],
    ids=["silent", "drips", "HTTP", "garbage", "loading", "a cluster", "a huge text", "a huge list", "hangs up"],
)
def test_what_is_no_redis(serve, why):
    with listener(serve) as server:
        seconds, note = without(store(server))
    assert (why in note or "in time" in note) and seconds < COST + SLACK


def test_nobody_listens():
    seconds, note = without(store(Server("127.0.0.1", free_port())))
    assert "Connection refused" in note and seconds < COST + SLACK


def test_nobody_answers_at_all():
    """An address of the documentation's network: packets to it are lost, or refused."""
    seconds, _ = without(store(Server("192.0.2.1")))
    assert seconds < COST + SLACK


def test_a_name_that_nobody_knows():
    seconds, _ = without(store(Server("redis.invalid")))
    assert seconds < COST + SLACK


def test_a_name_server_that_hangs(monkeypatch):
    import socket

    forever = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: forever.wait(30))
    seconds, note = without(store(Server("redis.test")))
    forever.set()
    assert "in time" in note and seconds < COST + SLACK


@pytest.mark.parametrize("delay", [0.02, 0.05, 0.09, 0.5])
def test_a_slow_one(clean, delay):
    with listener(slow(clean.server, delay)) as server:
        one = store(server)
        began = time.monotonic()
        for n in range(50):
            one.read([f"{n}"])
            one.write({f"{n}": TEXT}, 60)
        assert time.monotonic() - began < COST + SLACK
        one.close()
    assert len(one.notes) == 1 and ("it is slow" in one.notes[0] or "in time" in one.notes[0])


def test_one_that_was_stopped(clean):
    one = store(clean)
    one.write({"a": TEXT}, 60)
    clean.process.send_signal(signal.SIGSTOP)
    try:
        seconds, note = without(one)
    finally:
        clean.process.send_signal(signal.SIGCONT)
    assert "in time" in note and seconds < COST + SLACK


def test_one_that_is_killed(tmp_path):
    with redis_server(tmp_path) as running:
        one = patient(running)
        one.write({"a": TEXT}, 60)
        assert one.read(["a"]) == {"a": TEXT} and one.claim("a")
        running.kill()
        seconds, note = without(one)
    assert seconds < COST + SLACK


def test_one_that_is_full(tmp_path):
    with redis_server(tmp_path, "--maxmemory", "2mb", "--maxmemory-policy", "noeviction") as running:
        with pytest.raises(Exception, match="OOM|memory"):
            for n in range(100_000):
                running.client().set(f"x{n}", "x" * 10_000)
        _, note = without(patient(running))
    assert "OutOfMemory" in note or "OOM" in note


def test_one_that_may_not_be_written_to(tmp_path):
    with redis_server(tmp_path, "--replicaof", "127.0.0.1", str(free_port())) as running:
        _, note = without(patient(running))
    assert "ReadOnly" in note or "MasterDown" in note or "READONLY" in note


def test_one_that_wants_a_password(tmp_path):
    with redis_server(tmp_path, "--requirepass", PASSWORD) as running:
        for password in (None, "wrong " + PASSWORD):
            _, note = without(patient(running, password=password))
            assert "Authentication" in note or "NOAUTH" in note
        one = patient(running, password=PASSWORD)
        one.write({"a": TEXT}, 60)
        assert one.read(["a"]) == {"a": TEXT}
        one.close()


def test_a_certificate_that_nobody_vouches_for(tmp_path, certificates):
    certificate, key, _ = certificates
    with redis_server(tmp_path, tls=(certificate, key)) as running:
        _, note = without(patient(running, tls=True))
    assert "Error" in note


# Poisoned.


def poison(clean, value, key="a"):
    one = patient(clean)
    one.write({key: TEXT}, 60)
    client = clean.client()
    (name,) = client.keys("pindown:a:*")
    if isinstance(value, bytes):
        client.set(name, value)
    else:
        value(client, name)
    return one


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"garbage",
        b"\xff" * 300,
        EVIL.encode(),
        b"0" * 64 + EVIL.encode(),
        b"x" * 10_000_000,
    ],
    ids=["empty", "garbage", "bytes", "unsigned", "signed wrongly", "huge"],
)
def test_what_is_not_signed_is_not_there(clean, value):
    one = poison(clean, value)
    for _ in range(3):
        assert one.read(["a"]) == {}
    one.close()
    assert len(one.notes) == 1 and "not ours" in one.notes[0] and "PINDOWN_CACHE_KEY" in one.notes[0]


def test_a_changed_text(clean):
    def change(client, name):
        client.set(name, client.get(name).replace(b"a" * 8, b"e" * 8))

    assert poison(clean, change).read(["a"]) == {}


def test_an_answer_under_another_key(clean):
    """Whoever can write there moves a signed answer from one image to another."""
    one = patient(clean)
    one.write({"one": TEXT, "other": EVIL}, 60)
    client = clean.client()
    first, second = client.keys("pindown:a:*")
    values = client.get(first), client.get(second)
    client.set(first, values[1])
    client.set(second, values[0])
    assert one.read(["one", "other"]) == {}


def test_another_type_is_no_answer(clean):
    def change(client, name):
        client.delete(name)
        client.lpush(name, TEXT)

    assert poison(clean, change).read(["a"]) == {}


@pytest.mark.parametrize("change", [{"secret": "another"}, {"prefix": "other:"}])
def test_another_secret_or_prefix_is_another_cache(clean, change):
    one = patient(clean)
    one.write({"a": TEXT}, 60)
    other = patient(clean, **change)
    assert other.read(["a"]) == {}


def test_a_lease_that_never_ends_is_none(clean):
    one = patient(clean)
    assert one.claim("a") and not patient(clean).claim("a")
    (name,) = clean.client().keys("pindown:l:*")
    clean.client().set(name, "forever")
    assert patient(clean).claim("a")
    clean.client().set(name, "long", px=LEASE * 100)
    assert patient(clean).claim("a")


# What works.


def test_what_is_written_is_there_for_others(clean):
    patient(clean).write({"a": TEXT, "b": "2"}, 60)
    other = patient(clean)
    assert other.read(["a", "b", "c"]) == {"a": TEXT, "b": "2"}
    assert other.read([]) == {} and other.notes == []


def test_it_ends_when_it_is_told_to(clean):
    one = patient(clean)
    one.write({"a": TEXT}, 0.05)
    one.write({"b": TEXT}, 500)
    client = clean.client()
    assert sorted(client.pttl(name) > 1000 for name in client.keys("pindown:a:*"))[-1]
    until = time.monotonic() + 10
    while one.read(["a"]) and time.monotonic() < until:
        time.sleep(0.02)
    assert one.read(["a", "b"]) == {"b": TEXT}


def test_no_name_and_no_secret_is_told(clean):
    patient(clean).write({"https://registry.test\0team/secret-project": TEXT}, 60)
    told = " ".join(map(str, clean.client().keys("*")))
    assert "secret-project" not in told and SECRET not in told


def test_one_asks_at_a_time(clean):
    one, other = patient(clean), patient(clean)
    assert one.claim("a") and not other.claim("a") and other.claim("b")
    one.release("a", answered=True)
    assert other.read([failed_key("a")]) == {}
    assert other.claim("a")


def test_a_lease_is_given_back_by_its_holder_alone(clean):
    one, other = patient(clean), patient(clean)
    assert one.claim("a")
    (name,) = clean.client().keys("pindown:l:*")
    clean.client().set(name, "somebody else's by now", px=LEASE)
    one.release("a", answered=True)
    assert not other.claim("a")


def test_a_failure_is_told_for_a_moment(clean):
    one, other = patient(clean), patient(clean)
    one.claim("a")
    one.release("a", answered=False)
    assert other.read([failed_key("a"), "a"]) == {failed_key("a"): "failed"}


def test_a_lease_lives_while_its_holder_does(clean):
    one = patient(clean)
    one.claim("a")
    client = clean.client()
    (name,) = client.keys("pindown:l:*")
    client.pexpire(name, 50)
    one.tick()
    assert client.pttl(name) > 1000
    client.pexpire(name, 20)
    until = time.monotonic() + 10
    while client.exists(name) and time.monotonic() < until:
        time.sleep(0.005)
    one.tick()
    assert not client.exists(name) and patient(clean).claim("a")


def test_a_run_that_is_broken_off_gives_its_leases_back(clean):
    one = patient(clean)
    assert one.claim("a") and one.claim("b")
    one.close()
    assert clean.client().keys("*") == []


def test_after_a_batch_comes_another(clean):
    one = patient(clean)
    one.write({"a": TEXT}, 60)
    one.close()
    assert (one.read(["a"]), one.claim("b"), one.notes) == ({"a": TEXT}, True, [])
    one.close()


def test_a_redis_in_trouble_is_not_asked_in_the_next_batch():
    with listener(silent) as server:
        one = store(server)
        one.read(["a"])
        one.close()
        began = time.monotonic()
        assert one.read(["a"]) == {} and time.monotonic() - began < 0.05 + SLACK
        assert len(one.notes) == 1


def test_threads_share_a_store(clean):
    one = patient(clean)

    def work(part):
        for n in range(20):
            assert one.claim(f"{part}-{n}")
            one.write({f"{part}-{n}": TEXT}, 60)
            one.release(f"{part}-{n}", answered=True)
            assert one.read([f"{part}-{n}"])

    threads = [threading.Thread(target=work, args=(part,)) for part in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert one.notes == [] and one.stats().entries == 320


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate for 127.0.0.1, its key, and the CA that vouches for it (itself)."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "server.pem", folder / "server.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-out", str(certificate), "-keyout", str(key)], check=True, capture_output=True)
    return certificate, key, certificate


def test_tls(tmp_path, certificates):
    certificate, key, ca = certificates
    with redis_server(tmp_path, tls=(certificate, key)) as running:
        one = patient(running, tls=True, ca=str(ca))
        one.write({"a": TEXT}, 60)
        assert (one.read(["a"]), one.notes) == ({"a": TEXT}, [])


# For people.


def test_stats_and_clear_keep_to_the_prefix(clean):
    for prefix in ("pindown:", "a*:", "ab:", "a[b]:"):
        patient(clean, prefix=prefix).write({f"{n}": TEXT for n in range(1200)}, 60)
    clean.client().set("theirs", "x")
    found = patient(clean, prefix="a*:").stats()
    assert found.entries == 1200 and found.size == 1200 * (64 + len(TEXT)) and "a*:" in found.where
    assert patient(clean, prefix="a*:").clear() == 1200
    assert [patient(clean, prefix=one).stats().entries for one in ("pindown:", "a*:", "ab:", "a[b]:")] == [
        1200,
        0,
        1200,
        1200,
    ]
    assert clean.client().get("theirs") == b"x"


@pytest.mark.parametrize("method", ["stats", "clear"])
def test_a_redis_that_is_down_is_an_error_for_people(method):
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:\d+: .*"):
        getattr(store(Server("127.0.0.1", free_port(), password=PASSWORD)), method)()


def test_no_password_in_a_traceback():
    assert PASSWORD not in repr(Server("h", password=PASSWORD))
