"""One reference to one descriptor: a table of what a server does, what is asked of it, and what the user reads."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.registry.faults import (
    IMAGE,
    INDEX,
    Answer,
    FaultServer,
    Seen,
    ask,
    bearer,
    content_of,
    digest_of,
    errors,
    good,
    proper,
    reference,
    refusal,
    resolver,
)
from transformer.policy.questions import Question, Resolved
from transformer.registry.client import MEDIA_TYPES

PATH = "/v2/team/app/manifests/1"
CONTENT = content_of("/v2/team/app")
DIGEST = digest_of(CONTENT)
OTHER = "sha256:" + "0" * 64
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def fixed(**answers):
    """A script that gives an answer by method: `HEAD=…, GET=…`."""
    return lambda seen: answers[seen.method]


# What needs no GET, and what must not change.


@pytest.mark.parametrize(
    ("headers", "media_type"),
    [
        ({}, IMAGE),
        ({"Content-Type": f"{IMAGE}; charset=utf-8"}, IMAGE),
        ({"Content-Type": INDEX.upper()}, INDEX),
        ({"Content-Type": "application/vnd.docker.distribution.manifest.list.v2+json"}, MEDIA_TYPES[1]),
        ({"Content-Encoding": "gzip"}, IMAGE),
    ],
)
def test_a_head_is_enough(headers, media_type):
    answer = good(CONTENT)
    with FaultServer(fixed(HEAD=answer._replace(headers={**answer.headers, **headers}))) as server:
        assert ask(server) == Resolved(DIGEST, media_type)
        assert server.asked("") == [f"HEAD {PATH}"]


def test_a_head_with_a_sha512_digest_is_enough():
    digest = "sha512:" + hashlib.sha512(CONTENT).hexdigest()
    with FaultServer(fixed(HEAD=good(CONTENT, docker_content_digest=digest))) as server:
        assert ask(server) == Resolved(digest, IMAGE)


def test_what_is_sent():
    with FaultServer(proper) as server:
        ask(server)
        (seen,) = server.seen
    assert seen.headers["accept"] == (
        "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
        "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    )
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["user-agent"].startswith("pindown/")
    assert seen.headers["host"] == server.host
    assert set(seen.headers) == {"accept", "accept-encoding", "user-agent", "host"}


# HEAD that does not do: exactly one GET.


@pytest.mark.parametrize(
    "head",
    [
        good(CONTENT, docker_content_digest=""),
        good(CONTENT, docker_content_digest=DIGEST.removeprefix("sha256:")),
        good(CONTENT, docker_content_digest="sha256:" + "A" * 64),
        good(CONTENT, docker_content_digest="md5:" + "0" * 32),
        good(CONTENT, docker_content_digest="sha256:abc"),
        *(Answer(status) for status in (400, 403, 404, 405, 406, 501)),
    ],
)
@pytest.mark.parametrize("claimed", [DIGEST, "", "bc1c", "sha256:" + "A" * 64])
def test_one_get_when_head_does_not_do(head, claimed):
    with FaultServer(fixed(HEAD=head, GET=good(CONTENT, docker_content_digest=claimed))) as server:
        assert ask(server) == Resolved(DIGEST, IMAGE)
        assert server.asked("") == [f"HEAD {PATH}", f"GET {PATH}"]


def test_a_get_may_claim_sha512():
    digest = "sha512:" + hashlib.sha512(CONTENT).hexdigest()
    with FaultServer(fixed(HEAD=Answer(405), GET=good(CONTENT, docker_content_digest=digest))) as server:
        assert ask(server) == Resolved(digest, IMAGE)


def test_the_content_says_its_type_when_the_header_is_vague():
    with FaultServer(fixed(HEAD=Answer(405), GET=good(CONTENT, "application/json"))) as server:
        assert ask(server) == Resolved(DIGEST, IMAGE)


@pytest.mark.parametrize("head", [403, 404])
def test_by_get_the_bytes_of_a_digest_are_held_to_it(head):
    with FaultServer(fixed(HEAD=Answer(head), GET=good(CONTENT, docker_content_digest=""))) as server:
        assert ask(server, f"team/app@{DIGEST}") == Resolved(DIGEST, IMAGE)
        assert refusal(ask(server, f"team/app@{OTHER}")).rule == "digest-mismatch"


def test_a_head_by_digest_that_names_another_is_looked_into():
    with FaultServer(proper) as server:
        problem = refusal(ask(server, f"team/app@{OTHER}"))
        assert problem.rule == "digest-mismatch"
        assert OTHER in problem.message and DIGEST in problem.message
        assert server.asked("") == [f"HEAD /v2/team/app/manifests/{OTHER}", f"GET /v2/team/app/manifests/{OTHER}"]


# The failure table: name -> (script, rule, words in the message, what is asked).

HEAD, GET = f"HEAD {PATH}", f"GET {PATH}"
LOGIN = Answer(200, {"Content-Type": "text/html"}, b"<html>\n <title>Log in\x1b[31m</title>")
BAD = {
    "404 both": (
        fixed(HEAD=Answer(404), GET=errors(404, "MANIFEST_UNKNOWN", "manifest unknown")),
        "not-found",
        ["not found", "HTTP 404", "MANIFEST_UNKNOWN: manifest unknown", "asked as anonymous"],
        [HEAD, GET],
    ),
    "403 with its reason only on GET": (
        fixed(HEAD=Answer(403), GET=errors(403, "DENIED", "requested access is denied")),
        "no-permission",
        ["HTTP 403", "DENIED: requested access is denied"],
        [HEAD, GET],
    ),
    "404 for HEAD and 403 for GET": (
        fixed(HEAD=Answer(404), GET=errors(403, "DENIED", "no")),
        "no-permission",
        ["HTTP 403", "HEAD was answered 404"],
        [HEAD, GET],
    ),
    "401 without a challenge": (
        lambda seen: Answer(401),
        "no-permission",
        ["not found or no permission", "HTTP 401", "asked as anonymous"],
        [HEAD, "GET /v2/"],
    ),
    "401 with a challenge that nobody can answer": (
        lambda seen: Answer(401, {"WWW-Authenticate": "Negotiate"}),
        "no-permission",
        ["HTTP 401"],
        [HEAD],
    ),
    "401 Basic without a credential": (
        lambda seen: Answer(401, {"WWW-Authenticate": 'Basic realm="x"'}),
        "no-permission",
        ["HTTP 401"],
        [HEAD],
    ),
    "410": (lambda seen: Answer(410), "registry-error", ["HTTP 410"], [HEAD]),
    "204": (lambda seen: Answer(204), "registry-error", ["HTTP 204"], [HEAD]),
    "500 for ever": (lambda seen: Answer(500), "registry-error", ["HTTP 500"], [HEAD] * 4),
    "503 for ever": (lambda seen: Answer(503), "registry-error", ["HTTP 503"], [HEAD] * 4),
    "429 for ever": (lambda seen: Answer(429), "rate-limited", ["too many requests", "HTTP 429"], [HEAD] * 4),
    "408 for ever": (lambda seen: Answer(408), "registry-error", ["HTTP 408"], [HEAD] * 4),
    "HTML with 200": (
        lambda seen: LOGIN,
        "not-a-registry",
        ["text/html", "<html> <title>Log in\N{REPLACEMENT CHARACTER}[31m"],
        [HEAD, GET],
    ),
    "HTML with a digest header": (
        lambda seen: LOGIN._replace(headers={**LOGIN.headers, "Docker-Content-Digest": DIGEST}),
        "not-a-registry",
        ["<html>"],
        [HEAD, GET],
    ),
    "JSON that is no image": (
        lambda seen: Answer(200, {"Content-Type": "application/json"}, b'{"ok": true}'),
        "not-a-registry",
        ['{"ok": true}'],
        [HEAD, GET],
    ),
    "JSON that is a list": (lambda seen: Answer(200, {}, b"[]"), "not-a-registry", ["no content type"], [HEAD, GET]),
    "JSON without end": (lambda seen: Answer(200, {}, b"[" * 100_000), "not-a-registry", [], [HEAD, GET]),
    "no body": (lambda seen: Answer(200), "not-a-registry", [], [HEAD, GET]),
    "wrong digest header on GET": (
        fixed(HEAD=Answer(405), GET=good(CONTENT, docker_content_digest=OTHER)),
        "digest-mismatch",
        [OTHER, DIGEST],
        [HEAD, GET],
    ),
    "schema 1 on HEAD": (lambda seen: good(CONTENT, SCHEMA1), "schema1", ["schema 1"], [HEAD]),
    "schema 1 on GET": (
        fixed(HEAD=Answer(404), GET=good(CONTENT, f"{SCHEMA1}; charset=utf-8")),
        "schema1",
        ["schema 1"],
        [HEAD, GET],
    ),
    "schema 1 in the content": (
        fixed(HEAD=Answer(404), GET=good(b'{"schemaVersion": 1}', "application/json")),
        "schema1",
        ["schema 1"],
        [HEAD, GET],
    ),
    "type and content disagree": (
        fixed(HEAD=Answer(405), GET=good(CONTENT, INDEX)),
        "registry-error",
        [IMAGE, INDEX],
        [HEAD, GET],
    ),
    "gzip": (
        fixed(HEAD=Answer(405), GET=good(CONTENT, content_encoding="gzip")),
        "registry-error",
        ["encoded", "gzip"],
        [HEAD, GET],
    ),
    "5 MiB": (
        fixed(HEAD=Answer(405), GET=good(b"x" * (5 << 20))),
        "registry-error",
        ["more than 4096 KiB"],
        [HEAD, GET],
    ),
    "truncated for ever": (
        fixed(HEAD=Answer(405), GET=b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + CONTENT),
        "registry-error",
        ["broke off"],
        [HEAD, *[GET] * 4],
    ),
    "closed without an answer, for ever": (lambda seen: b"", "registry-error", ["broke off"], [HEAD] * 4),
    "not HTTP": (lambda seen: b"SSH-2.0-server\r\n\r\n", "registry-error", ["no proper HTTP"], [HEAD]),
    "a header without end": (
        lambda seen: b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        "registry-error",
        ["no proper HTTP"],
        [HEAD],
    ),
    "200 headers": (
        lambda seen: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        "registry-error",
        ["no proper HTTP"],
        [HEAD],
    ),
    "two lengths": (
        lambda seen: b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "registry-error",
        [],
        [HEAD],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_the_failure_table(case):
    script, rule, words, asked = BAD[case]
    with FaultServer(script) as server:
        problem = refusal(ask(server))
        assert problem.rule == rule, problem
        assert server.asked("") == asked
        assert problem.message.startswith(f"{server.host}/team/app:1: ")
        assert [word for word in words if word not in problem.message] == []
        assert problem.help
        assert len(problem.message) < 700
        assert problem.message.isprintable() and problem.help.isprintable()


@pytest.mark.parametrize(
    "body",
    [
        b"\x1b]0;title\x07\x00\r\n::error::injected",
        b"\xff\xfe" * 100,
        b"x" * 200_000,
        b'{"errors": [{"code": "A\\u001b[2J"}]}',
        b'{"errors": []}',
        b'{"errors": {}}',
        b'{"errors": [1]}',
        b'{"errors": [{"code": 1, "message": []}]}',
        b"[[[[",
        b"null",
    ],
)
def test_error_bodies_stay_printable_and_short(body):
    with FaultServer(fixed(HEAD=Answer(403), GET=Answer(403, {}, body))) as server:
        problem = refusal(ask(server))
    assert problem.rule == "no-permission"
    assert problem.message.isprintable() and len(problem.message) < 400


def test_a_failing_get_keeps_what_head_said():
    with FaultServer(fixed(HEAD=Answer(403), GET=b"")) as server:
        problem = refusal(ask(server))
    assert problem.rule == "registry-error"
    assert "HEAD was answered HTTP 403" in problem.message


# Retries that end well.


@pytest.mark.parametrize("fault", [Answer(500), Answer(502), Answer(503), Answer(429), b""])
@pytest.mark.parametrize("times", [1, 3])
def test_a_fault_that_passes(fault, times):
    def script(seen: Seen):
        return fault if len(server.seen) <= times else proper(seen)

    with FaultServer(script) as server:
        assert ask(server) == Resolved(DIGEST, IMAGE)
        assert len(server.seen) == times + 1


def test_the_first_failure_is_the_one_that_is_told():
    with FaultServer(lambda seen: Answer(503) if len(server.seen) == 1 else b"") as server:
        assert "HTTP 503" in refusal(ask(server)).message


# Platforms.

ARM, AMD = content_of("arm"), content_of("amd")
ENTRIES = [
    {"digest": digest_of(AMD), "mediaType": IMAGE, "platform": {"os": "linux", "architecture": "amd64"}},
    {
        "digest": digest_of(ARM),
        "mediaType": IMAGE,
        "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"},
    },
    {"digest": OTHER, "mediaType": IMAGE, "platform": {"os": "unknown", "architecture": "unknown"}},
]
INDEX_CONTENT = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": ENTRIES}).encode()


def on_platform(server, platform, image="team/app:1"):
    question = Question(reference(f"{server.host}/{image}"), platform=platform)
    return resolver().ask([question])[question]


@pytest.mark.parametrize(("platform", "content"), [("linux/amd64", AMD), ("linux/arm64", ARM), ("linux/arm64/v8", ARM)])
def test_the_child_of_an_index(platform, content):
    with FaultServer(lambda seen: good(INDEX_CONTENT, INDEX)) as server:
        assert on_platform(server, platform) == Resolved(digest_of(content), IMAGE)
        assert server.asked("") == [HEAD, f"GET /v2/team/app/manifests/{digest_of(INDEX_CONTENT)}"]


def test_a_platform_that_is_not_offered_lists_those_that_are():
    with FaultServer(lambda seen: good(INDEX_CONTENT, INDEX)) as server:
        problem = refusal(on_platform(server, "windows/amd64"))
    assert problem.rule == "platform-missing"
    assert problem.message.endswith("there is no windows/amd64 image; offered: linux/amd64, linux/arm64/v8")


@pytest.mark.parametrize("entry", [{}, {"digest": 1}, {"digest": "sha256:../../etc"}, {"digest": "sha256:" + "A" * 64}])
def test_a_child_without_a_valid_digest(entry):
    entry = {**entry, "platform": {"os": "linux", "architecture": "amd64"}}
    content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [1, None, entry]}).encode()
    with FaultServer(lambda seen: good(content, INDEX)) as server:
        assert refusal(on_platform(server, "linux/amd64")).rule == "registry-error"


def test_an_index_whose_bytes_are_not_its_digest():
    with FaultServer(fixed(HEAD=good(INDEX_CONTENT, INDEX), GET=good(INDEX_CONTENT + b" ", INDEX))) as server:
        assert refusal(on_platform(server, "linux/amd64")).rule == "digest-mismatch"


def single(config: bytes, digest: str | None = None):
    """A registry with one image that is no index, and its config."""
    descriptor = {"digest": digest or digest_of(config)}
    content = json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": descriptor, "layers": []}).encode()
    return content, lambda seen: Answer(200, {}, config) if "/blobs/" in seen.path else good(content)


@pytest.mark.parametrize(
    "config", [b'{"os": "linux", "architecture": "amd64"}', b"{}", b"[]", b"no json", b'{"os": "linux"}']
)
def test_a_single_image_of_the_platform_or_of_none_that_it_says(config):
    content, script = single(config)
    with FaultServer(script) as server:
        assert on_platform(server, "linux/amd64") == Resolved(digest_of(content), IMAGE)
        assert server.asked("") == [
            HEAD,
            f"GET /v2/team/app/manifests/{digest_of(content)}",
            f"GET /v2/team/app/blobs/{digest_of(config)}",
        ]


def test_a_single_image_of_another_platform():
    with FaultServer(single(b'{"os": "linux", "architecture": "s390x"}')[1]) as server:
        problem = refusal(on_platform(server, "linux/amd64"))
    assert problem.rule == "platform-missing"
    assert "offered: linux/s390x" in problem.message


def test_a_config_that_is_not_its_digest():
    with FaultServer(single(b'{"os": "linux", "architecture": "amd64"}', OTHER)[1]) as server:
        assert refusal(on_platform(server, "linux/amd64")).rule == "digest-mismatch"


def test_a_config_that_is_gone():
    content, _ = single(b"{}")
    with FaultServer(lambda seen: Answer(404) if "/blobs/" in seen.path else good(content)) as server:
        assert refusal(on_platform(server, "linux/amd64")).rule == "not-found"


def test_an_image_without_a_config_is_taken_as_it_is():
    content = json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": {"digest": "none"}}).encode()
    with FaultServer(lambda seen: good(content)) as server:
        assert on_platform(server, "linux/amd64") == Resolved(digest_of(content), IMAGE)


def test_the_token_is_used_for_all_requests_of_a_repository():
    def script(seen: Seen):
        if seen.path.startswith("/token"):
            return Answer(200, {}, b'{"token": "t"}')
        return good(INDEX_CONTENT, INDEX) if "authorization" in seen.headers else bearer(f"http://{server.host}/token")

    with FaultServer(script) as server:
        assert on_platform(server, "linux/amd64") == Resolved(digest_of(AMD), IMAGE)
        assert len(server.asked("/token")) == 1
        assert server.sent_credentials() == ["Bearer t"] * 2
