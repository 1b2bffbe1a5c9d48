from __future__ import annotations

import pytest

from tests.registry.faults import reference
from transformer.errors import WARNABLE
from transformer.registry.transport import Response, TransportError, Url
from transformer.registry.verdicts import (
    Asked,
    by_status,
    by_transport,
    first_bytes,
    rate_limited,
    token_refused,
    words,
)

NGINX = reference("nginx")
HUB = Asked("registry-1.docker.io", "docker.io")
URL = Url("https", "registry-1.docker.io", 443)


def response(status, body=b""):
    return Response(status, {}, body, URL)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", ""),
        (b"null", ""),
        (b"[]", ""),
        (b"{}", ""),
        (b'{"errors": []}', ""),
        (b'{"errors": "x"}', ""),
        (b'{"errors": [{}]}', ""),
        (b'{"errors": [{"code": 5}]}', ""),
        (b'{"errors": [{"code": "DENIED"}]}', "DENIED"),
        (b'{"errors": [{"code": "DENIED", "message": "no"}]}', "DENIED: no"),
        (b'{"errors": [{"code": "DENIED", "message": "no"}, {"code": "X"}]}', "DENIED: no"),
        (b'{"message": "Bad credentials"}', "Bad credentials"),
        (b'{"details": "wrong"}', "wrong"),
        (b'{"error": "e"}', "e"),
        (b"plain\n  text\t!", "'plain text !'"),
        (b"<h1>\x1b[31m</h1>", "'<h1>\N{REPLACEMENT CHARACTER}[31m</h1>'"),
        (b'{"errors": [{"code": "A\\nB"}]}', "A\N{REPLACEMENT CHARACTER}B"),
    ],
)
def test_what_a_registry_says(body, expected):
    assert words(response(403, body)) == expected


def test_the_beginning_of_something_long():
    assert first_bytes(response(200, b"x" * 1000)) == "x" * 79 + "…"


def test_a_message_as_people_read_it():
    body = b'{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}'
    problem = by_status(NGINX, HUB._replace(source="config.json at ~/.docker/config.json"), response(401, body)).refusal
    assert problem == (
        "no-permission",
        "docker.io/library/nginx:latest: not found or no permission (HTTP 401 from registry-1.docker.io; it says "
        "UNAUTHORIZED: authentication required; asked as config.json at ~/.docker/config.json)",
        "check name and tag; if the image is private, log in to docker.io so that its credential can be found",
    )


@pytest.mark.parametrize(
    ("status", "rule"),
    [
        (400, "registry-error"),
        (401, "no-permission"),
        (403, "no-permission"),
        (404, "not-found"),
        (405, "registry-error"),
        (408, "registry-error"),
        (418, "registry-error"),
        (429, "rate-limited"),
        (500, "registry-error"),
        (503, "registry-error"),
    ],
)
def test_rules_of_statuses(status, rule):
    error = by_status(NGINX, HUB, response(status), "HEAD was answered 405")
    assert (error.refusal.rule, error.status) == (rule, status)
    assert rule in WARNABLE
    assert f"HTTP {status} from registry-1.docker.io; HEAD was answered 405" in error.refusal.message
    assert "{" not in error.refusal.help


def test_a_transport_error_keeps_its_words():
    error = by_transport(NGINX, TransportError("tls", "r.test: no", "do this"), "HEAD was answered 403")
    assert error.refusal == ("tls", "docker.io/library/nginx:latest: r.test: no (HEAD was answered 403)", "do this")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(45, "in 45 s"), (119, "in 119 s"), (120, "in 2 min"), (3600, "in 60 min"), (21600, "in 6.0 h")],
)
def test_how_long_to_wait(seconds, told):
    problem = rate_limited(NGINX, "registry-1.docker.io", 429, seconds, -1).refusal
    assert problem.rule == "rate-limited"
    assert f"asks to wait {seconds} s (HTTP 429), and there are 0 s left to wait" in problem.message
    assert told in problem.help


@pytest.mark.parametrize(
    ("status", "rule"),
    [
        (401, "no-permission"),
        (403, "no-permission"),
        (429, "rate-limited"),
        (200, "registry-error"),
        (500, "registry-error"),
    ],
)
def test_a_token_server(status, rule):
    problem = token_refused(NGINX, HUB, "auth.docker.io", response(status), "").refusal
    assert problem.rule == rule
    assert "the token server auth.docker.io of registry-1.docker.io gave no token" in problem.message


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("IPv6 a::b is fine ## here", "IPv6 a::b is fine ## here"),
        ("::error::owned", ":\N{REPLACEMENT CHARACTER}error::owned"),
        ("\n ::set-output name=a::b", "\N{REPLACEMENT CHARACTER} :\N{REPLACEMENT CHARACTER}set-output name=a::b"),
        ("x ##[add-path]/x", "x #\N{REPLACEMENT CHARACTER}[add-path]/x"),
        ("##vso[task.x]y", "#\N{REPLACEMENT CHARACTER}vso[task.x]y"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b\x1b[31m", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m"),
    ],
)
def test_a_registrys_words_are_no_commands(said, shown):
    import json

    assert words(response(403, json.dumps({"errors": [{"message": said}]}).encode())) == shown


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (rb'{"errors": [{"code": "DENIED", "message": "bad password CANARY\/pw12"}]}', "DENIED: bad password [hidden]"),
        (rb'{"message": "CANARY\u002Fpw12"}', "[hidden]"),
        (rb'{"message": "not JSON: CANARY\/pw12"', '\'{"message": "not JSON: [hidden]"\''),
        (b"CANARY\xff " * 30 + b"CANARY/pw12", None),
        (b" " * 390 + b"CANARY/pw12", "'[hidden]'"),
        (b"x" * 70 + b" CANARY/pw12", "'" + "x" * 70 + " [hidden]'"),
    ],
)
def test_no_secret_gets_into_the_words_however_they_are_written(body, shown):
    told = words(response(403, body)._replace(secrets=("CANARY/pw12",)))
    assert "pw12" not in told and shown in (None, told)
    assert "pw12" not in first_bytes(response(200, body)._replace(secrets=("CANARY/pw12",)))
