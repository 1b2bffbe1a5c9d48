"""The failure catalogue: what registries, token servers, proxies and networks do, and what the user then reads.

One row a case: what the fake does, the rule id (None: it resolves all the same), words of the message, and every
request that arrives. No row may show a secret: the credential in config.json, signed queries, user information in URLs.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import socket
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest

from tests.registry.faults import (
    IMAGE,
    INDEX,
    QUICK,
    Answer,
    FaultServer,
    Seen,
    bearer,
    content_of,
    digest_of,
    drip,
    errors,
    good,
    proper,
    reference,
    resolver,
)
from transformer.policy.questions import Missing, Question, Resolved

CANARY = "canary-4711"
USER = f"user:{CANARY}"
#: However a secret is written, it is none of these in an output.
SECRETS = (CANARY, quote(CANARY), *(base64.b64encode(text.encode()).decode() for text in (USER, CANARY)))
PATH = "/v2/team/app/manifests/1"
HEAD, GET, PING, TOKEN = f"HEAD {PATH}", f"GET {PATH}", "GET /v2/", "GET /token"
CONTENT = content_of("/v2/team/app")
DIGEST, OTHER = digest_of(CONTENT), "sha256:" + "0" * 64
BASIC = Answer(401, {"WWW-Authenticate": 'Basic realm="x"'})
HTML = Answer(200, {"Content-Type": "text/html"}, b"<html><title>Log in</title>")
ANSI = "\x1b]0;owned\x07\x1b[31m"
COMMAND = "\n::error::owned\n::set-output name=a::b\n##[add-path]/x ##vso[task.setvariable]x"
BIDI = "\N{RIGHT-TO-LEFT OVERRIDE}\N{LEFT-TO-RIGHT ISOLATE}\N{ZERO WIDTH SPACE}"


class Rig:
    """The servers of one case: `registry`, and `other` for where it sends people to."""

    def __init__(self, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
        self.row, self.monkeypatch = row, monkeypatch
        self.registry = FaultServer(lambda seen: row.script(self, seen))
        self.other = FaultServer(lambda seen: row.elsewhere(self, seen))
        self.host = self.registry.host
        self.options: dict[str, Any] = {}

    def __enter__(self) -> Rig:
        self.registry.__enter__()
        self.other.__enter__()
        if self.row.prepare is not None:
            self.row.prepare(self)
        return self

    def __exit__(self, *args: object) -> None:
        self.registry.__exit__()
        self.other.__exit__()

    @property
    def port(self) -> str:
        return self.registry.host.partition(":")[2]

    def far(self, path: str = "/x", host: str = "") -> str:
        """An URL at the other server; `localhost` is another host than 127.0.0.1."""
        return f"http://{host or self.other.host}{path}" if not host else f"http://{host}:{self.other.host[10:]}{path}"


Script = Callable[[Rig, Seen], Any]


def missing(rig: Rig, seen: Seen) -> Any:
    return Answer(404)


class Row(NamedTuple):
    """`asked` are the registry's requests and `there` those of the other server, without their queries."""

    script: Script
    rule: str | None
    words: Sequence[str]
    asked: Sequence[str]
    there: Sequence[str] = ()
    elsewhere: Script = missing
    #: The user is logged in to the registry.
    login: bool = False
    prepare: Callable[[Rig], None] | None = None
    image: str = "team/app:1"
    note: str = ""
    #: Quick and without retries: run once more as a process.
    process: bool = False


def always(answer: Any) -> Script:
    return lambda rig, seen: answer


def by(**answers: Any) -> Script:
    """By method."""
    return lambda rig, seen: answers[seen.method]


def once(answer: Any) -> Script:
    """The first request only; then everything is fine."""
    return lambda rig, seen: answer if len(rig.registry.seen) == 1 else proper(seen)


def token(text: str = "t", **more: Any) -> Answer:
    return Answer(200, {"Content-Type": "application/json"}, json.dumps({"token": text, **more}).encode())


def tokens(grant: Any, realm: str = "http://{host}/token", accept: str = "Bearer ", **challenge: str) -> Script:
    """A registry that wants a token; `grant` is what its token server answers, a list is used up one by one."""

    def script(rig: Rig, seen: Seen) -> Any:
        if seen.path.startswith("/token"):
            place = len([one for one in rig.registry.seen if one.path.startswith("/token")]) - 1
            answer = grant[min(place, len(grant) - 1)] if isinstance(grant, list) else grant
            return answer(rig, seen) if callable(answer) else answer
        if seen.headers.get("authorization", "").startswith(accept) and seen.path != "/v2/":
            return proper(seen)
        far = {"other": rig.other.host, "far": rig.far("", "localhost")}
        return bearer(realm.format(host=rig.registry.host, **far), **challenge)

    return script


def repeat(status: int) -> Script:
    """Says what it was sent, as a debugging proxy does."""

    def script(rig: Rig, seen: Seen) -> Any:
        sent = seen.headers.get("authorization", "")
        plain = base64.b64decode(sent.partition(" ")[2]).decode() if sent.startswith("Basic ") else ""
        return Answer(status, {"Content-Type": "text/plain"}, f"you sent {plain} as {sent}".encode())

    return script


def repeat_as_json(escape: Callable[[str], str] = str, status: int = 200, key: str = "Authorization") -> Script:
    """Wants Basic, and then says in JSON what it was sent."""

    def script(rig: Rig, seen: Seen) -> Any:
        given = seen.headers.get("authorization")
        if given is None:
            return BASIC
        plain = base64.b64decode(given.partition(" ")[2]).decode()
        body = json.dumps({key: f"{given} {plain}"}).replace(CANARY, escape(CANARY))
        return Answer(status, {"Content-Type": "application/json"}, body.encode())

    return script


def repeat_as_type(rig: Rig, seen: Seen) -> Any:
    given = seen.headers.get("authorization")
    return BASIC if given is None else Answer(200, {"Content-Type": f"x/{CANARY}; {given}"}, b"{}")


def redirect(location: str, status: int = 307) -> Script:
    def script(rig: Rig, seen: Seen) -> Any:
        return Answer(status, {"Location": location.format(other=rig.other.host, host=rig.registry.host)})

    return script


def challenged(header: str) -> Script:
    """The realm is `/token` here; what else the challenge says is given."""

    def script(rig: Rig, seen: Seen) -> Any:
        if seen.path.startswith("/token"):
            return token()
        if seen.headers.get("authorization") == "Bearer t":
            return proper(seen)
        return Answer(401, {"WWW-Authenticate": header.format(realm=f"http://{rig.registry.host}/token")})

    return script


def only_root_challenges(rig: Rig, seen: Seen) -> Any:
    if seen.path.startswith("/token"):
        return token()
    if seen.path == "/v2/":
        return bearer(f"http://{rig.registry.host}/token")
    return proper(seen) if "authorization" in seen.headers else Answer(401)


def basic_after_bearer(rig: Rig, seen: Seen) -> Any:
    if seen.path.startswith("/token"):
        return token()
    given = seen.headers.get("authorization", "")
    if given.startswith("Basic "):
        return proper(seen)
    return BASIC if given else bearer(f"http://{rig.registry.host}/token")


def stuck(prefix: bytes, method: str = "HEAD") -> Script:
    """Answers a byte every 50 ms after `prefix`."""
    return lambda rig, seen: drip(prefix, lambda: rig.registry) if seen.method == method else Answer(405)


def endless(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        handler.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")


def continues(handler: Any) -> None:
    while True:
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def raw(head: str, body: bytes = b"") -> bytes:
    return head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body


# Circumstances.


def hurried(rig: Rig) -> None:
    rig.options["limits"] = QUICK._replace(request=0.4)


def named(host: str) -> Callable[[Rig], None]:
    def prepare(rig: Rig) -> None:
        rig.host = host

    return prepare


def closed(rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        rig.host = f"127.0.0.1:{server.getsockname()[1]}"


def look_up(*found: str, host: str = "registry.test", error: int | None = None) -> Callable[[Rig], None]:
    """registry.test has these addresses (`error`: an answer of the resolver)."""

    def prepare(rig: Rig) -> None:
        def answer(name: str, port: int, *args: Any, **rest: Any) -> Any:
            if error is not None:
                raise socket.gaierror(error, "because")
            kinds = {True: socket.AF_INET6, False: socket.AF_INET}
            return [(kinds[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

        rig.monkeypatch.setattr(socket, "getaddrinfo", answer)
        rig.host = f"{host}:{rig.port}"

    return prepare


def blackhole(rig: Rig) -> None:
    """registry.test has two addresses, and the first, preferred one takes no connection."""
    from tests.registry.test_addresses import Silent
    from transformer.registry.hosts import RegistryRule

    look_up("127.0.0.2", "127.0.0.1")(rig)
    rig.options["silent"] = Silent(socket.AF_INET, "127.0.0.2", int(rig.port))
    rig.options["registries"] = [RegistryRule(rig.host, insecure=True)]
    rig.options["allowed_hosts"] = frozenset((rig.host,))


def proxied(url: str) -> Callable[[Rig], None]:
    """Everything that is not here goes through a proxy at the other server."""

    def prepare(rig: Rig) -> None:
        rig.host = "registry.test"
        rig.monkeypatch.setenv("HTTPS_PROXY", url.format(other=rig.other.host))

    return prepare


def bad_bundle(rig: Rig) -> None:
    from transformer.registry.hosts import RegistryRule

    rig.options["registries"] = [RegistryRule(rig.host, ca_bundle=__file__)]


def https_here(rig: Rig) -> None:
    """A registry with a certificate by policy, which speaks plain http."""
    import ssl

    from transformer.registry.hosts import RegistryRule

    bundle = ssl.get_default_verify_paths()
    rig.options["registries"] = [RegistryRule(rig.host, ca_bundle=bundle.cafile or bundle.openssl_cafile)]


RETRY = [HEAD] * 4
NOT_HTTP, CUT = ["no proper HTTP"], ["broke off the connection"]
SLOW = ["did not answer", "completely in time"]
NOT_ASKED, NOT_FOLLOWED = ["names a token server that is not asked"], ["not followed"]

ROWS: dict[str, Row] = {
    # Limits and overload.
    "429 with Retry-After: 0": Row(once(Answer(429, {"Retry-After": "0"})), None, [], [HEAD] * 2),
    "429 with a date that is over": Row(
        once(Answer(429, {"Retry-After": formatdate(0, usegmt=True)})), None, [], [HEAD] * 2
    ),
    "429 for an hour": Row(
        always(Answer(429, {"Retry-After": "3600"})),
        "rate-limited",
        ["asks to wait 3600 s (HTTP 429)"],
        [HEAD],
        process=True,
    ),
    "429 with a hint that nobody can read": Row(
        once(Answer(429, {"Retry-After": "880.092us, allowed: 44000/minute"})), None, [], [HEAD] * 2
    ),
    "429 for ever": Row(always(errors(429, "TOOMANYREQUESTS", "slow down")), "rate-limited", ["HTTP 429"], RETRY),
    "503 with Retry-After for an hour": Row(
        always(Answer(503, {"Retry-After": "3600"})), "rate-limited", ["HTTP 503"], [HEAD]
    ),
    "a pull limit that is used up": Row(
        always(good(CONTENT, ratelimit_remaining="0;w=21600")), None, [], [HEAD], note="0 pulls left in its rate limit"
    ),
    "500 once": Row(once(Answer(500)), None, [], [HEAD] * 2),
    "500 for ever": Row(always(Answer(500)), "registry-error", ["HTTP 500"], RETRY),
    "502 for ever": Row(always(Answer(502, {}, b"<html>")), "registry-error", ["HTTP 502"], RETRY),
    "503 for ever": Row(always(Answer(503)), "registry-error", ["HTTP 503"], RETRY),
    "504 for ever": Row(always(Answer(504)), "registry-error", ["HTTP 504"], RETRY),
    "499 of a proxy": Row(once(Answer(499)), None, [], [HEAD] * 2),
    # Digests and content.
    "no digest header": Row(by(HEAD=good(CONTENT, docker_content_digest=""), GET=good(CONTENT)), None, [], [HEAD, GET]),
    "a digest header without its algorithm": Row(
        by(HEAD=good(CONTENT, docker_content_digest=DIGEST[7:]), GET=good(CONTENT)), None, [], [HEAD, GET]
    ),
    "a digest header that is a lie": Row(
        by(HEAD=Answer(405), GET=good(CONTENT, docker_content_digest=OTHER)),
        "digest-mismatch",
        [OTHER, DIGEST],
        [HEAD, GET],
        process=True,
    ),
    "other bytes for a digest": Row(
        by(HEAD=Answer(404), GET=good(b'{"schemaVersion": 2, "config": {}}')),
        "digest-mismatch",
        [DIGEST],
        [f"{method} /v2/team/app/manifests/{DIGEST}" for method in ("HEAD", "GET")],
        image=f"team/app@{DIGEST}",
    ),
    "HEAD is not allowed": Row(by(HEAD=Answer(405), GET=good(CONTENT)), None, [], [HEAD, GET]),
    "HEAD is not there": Row(by(HEAD=Answer(404), GET=good(CONTENT)), None, [], [HEAD, GET]),
    "HEAD is forbidden and GET says why": Row(
        by(HEAD=Answer(403), GET=errors(403, "DENIED", "billing is disabled")),
        "no-permission",
        ["HTTP 403", "DENIED: billing is disabled"],
        [HEAD, GET],
    ),
    "HEAD 404 and then a dead GET": Row(
        by(HEAD=Answer(404), GET=b""), "registry-error", [*CUT, "HEAD was answered HTTP 404"], [HEAD, *[GET] * 4]
    ),
    "the image is not there": Row(
        by(HEAD=Answer(404), GET=errors(404, "MANIFEST_UNKNOWN", "manifest unknown")),
        "not-found",
        ["HTTP 404", "MANIFEST_UNKNOWN: manifest unknown", "asked as anonymous"],
        [HEAD, GET],
        process=True,
    ),
    "schema 1": Row(
        always(good(CONTENT, "application/vnd.docker.distribution.manifest.v1+prettyjws")),
        "schema1",
        ["schema 1"],
        [HEAD],
    ),
    "a content type with a charset": Row(always(good(CONTENT, f"{IMAGE}; charset=utf-8")), None, [], [HEAD]),
    "a gzipped answer": Row(
        by(HEAD=Answer(405), GET=good(gzip.compress(CONTENT), content_encoding="gzip")),
        "registry-error",
        ["encoded body (gzip)"],
        [HEAD, GET],
    ),
    "a gzip bomb": Row(
        by(HEAD=Answer(405), GET=good(gzip.compress(bytes(50 << 20)), content_encoding="gzip")),
        "registry-error",
        ["encoded body (gzip)"],
        [HEAD, GET],
    ),
    "a gzipped error": Row(
        always(Answer(404, {"Content-Encoding": "gzip"}, gzip.compress(bytes(50 << 20)))),
        "not-found",
        ["HTTP 404"],
        [HEAD, GET],
    ),
    "a login page": Row(always(HTML), "not-a-registry", ["text/html", "Log in"], [HEAD, GET], process=True),
    "JSON of something else": Row(
        always(Answer(200, {"Content-Type": "application/json"}, b'{"ok": true}')),
        "not-a-registry",
        ['{"ok": true}'],
        [HEAD, GET],
    ),
    "JSON without end": Row(always(Answer(200, {}, b"[" * 100_000)), "not-a-registry", [], [HEAD, GET]),
    "type and content disagree": Row(
        by(HEAD=Answer(405), GET=good(CONTENT, INDEX)), "registry-error", [IMAGE, INDEX], [HEAD, GET]
    ),
    "an image of 5 MiB": Row(
        by(HEAD=Answer(405), GET=good(b"x" * (5 << 20))), "registry-error", ["more than 4096 KiB"], [HEAD, GET]
    ),
    "an image without end": Row(
        by(HEAD=Answer(405), GET=endless), "registry-error", ["more than 4096 KiB"], [HEAD, GET]
    ),
    "an error of 5 MiB": Row(
        by(HEAD=Answer(404), GET=Answer(404, {}, b"x" * (5 << 20))), "not-found", ["HTTP 404", "xxxx"], [HEAD, GET]
    ),
    # Who asks.
    "401 without a challenge, and the root has one": Row(only_root_challenges, None, [], [HEAD, PING, TOKEN, HEAD]),
    "401 that nobody can answer": Row(
        always(Answer(401, {"WWW-Authenticate": "Negotiate YIIx, Digest realm=x"})),
        "no-permission",
        ["HTTP 401"],
        [HEAD],
    ),
    "several challenges in one header, oddly written": Row(
        challenged('Negotiate, BASIC realm="a, b" ,bEaReR ReAlM="{realm}", error="x\\"y"'),
        None,
        [],
        [HEAD, TOKEN, HEAD],
    ),
    "Basic without a credential": Row(
        always(BASIC), "no-permission", ["not found or no permission", "asked as anonymous"], [HEAD], process=True
    ),
    "Basic with a wrong password": Row(
        always(BASIC), "no-permission", ["~/.docker/config.json", "HTTP 401"], [HEAD] * 2, login=True, process=True
    ),
    "a registry that repeats our header in a good answer": Row(
        repeat_as_json(), "not-a-registry", ["it begins", "[hidden]"], [HEAD, HEAD, GET], login=True, process=True
    ),
    "a Content-Type that repeats our password": Row(
        repeat_as_type, "not-a-registry", ["answered with x/[hidden]"], [HEAD, HEAD, GET], login=True, process=True
    ),
    "a password repeated with the escapes of JSON": Row(
        repeat_as_json(lambda text: text.replace("-", r"\u002d"), 403, "message"),
        "no-permission",
        ["it says Basic [hidden]"],
        [HEAD, HEAD, GET, GET],
        login=True,
        process=True,
    ),
    "a password repeated with backslashes, in no JSON": Row(
        repeat_as_json(lambda text: text.replace("-", r"\-"), 403, "message"),
        "no-permission",
        ["[hidden]"],
        [HEAD, HEAD, GET, GET],
        login=True,
    ),
    "Basic after Bearer": Row(basic_after_bearer, None, [], [HEAD, TOKEN, HEAD, HEAD], login=True),
    "a token that is refused once": Row(
        tokens([token("stale"), token("fresh")], accept="Bearer fresh"), None, [], [HEAD, TOKEN, HEAD, TOKEN, HEAD]
    ),
    "a token that is always refused": Row(
        tokens(token(), accept="never"), "no-permission", ["HTTP 401"], [HEAD, TOKEN, HEAD, TOKEN]
    ),
    "a token that lives for ever": Row(
        tokens(Answer(200, {}, b'{"token": "t", "expires_in": 1' + b"0" * 309 + b"}")), None, [], [HEAD, TOKEN, HEAD]
    ),
    "a token server that is dead, and a login": Row(
        tokens(token(), realm="http://127.0.0.1:1/token"),
        "unreachable",
        ["the token server", "~/.docker/config.json", "no answer"],
        [HEAD],
        login=True,
    ),
    "a token that lives for no time": Row(tokens(token(expires_in=0)), None, [], [HEAD, TOKEN, HEAD]),
    "a token under its other name": Row(
        tokens(Answer(200, {}, b'{"access_token": "t"}')), None, [], [HEAD, TOKEN, HEAD]
    ),
    # Token servers.
    "the token server says 401": Row(
        tokens(Answer(401)), "no-permission", ["the token server", "HTTP 401"], [HEAD, TOKEN], process=True
    ),
    "the token server says 404": Row(
        tokens(Answer(404)), "registry-error", ["the token server", "HTTP 404"], [HEAD, TOKEN]
    ),
    "the token server limits": Row(
        tokens(Answer(429)), "rate-limited", ["the token server", "HTTP 429"], [HEAD, *[TOKEN] * 4]
    ),
    "the token server is broken": Row(
        tokens(Answer(500)), "registry-error", ["the token server", "HTTP 500"], [HEAD, *[TOKEN] * 4]
    ),
    "the token server redirects": Row(
        tokens(Answer(302, {"Location": f"http://169.254.169.254/?{CANARY}"})),
        "registry-error",
        ["the token server", "HTTP 302"],
        [HEAD, TOKEN],
        login=True,
        process=True,
    ),
    "the token server sends a page": Row(tokens(HTML), "registry-error", ["not a JSON object"], [HEAD, TOKEN]),
    "the token server sends no token": Row(
        tokens(Answer(200, {}, b"{}")), "registry-error", ["no usable token"], [HEAD, TOKEN]
    ),
    "a token with a line break": Row(
        tokens(token("a\r\nX-Injected: b")), "registry-error", ["no usable token"], [HEAD, TOKEN]
    ),
    "a token of 100 KiB": Row(tokens(token("x" * 100_000)), "registry-error", ["more than 64 KiB"], [HEAD, TOKEN]),
    "the token server repeats the password": Row(
        tokens(repeat(403)),
        "no-permission",
        ["[hidden]"],
        [HEAD, TOKEN, TOKEN],
        login=True,
        process=True,
    ),
    "the registry repeats the password": Row(
        lambda rig, seen: repeat(403)(rig, seen) if "authorization" in seen.headers else BASIC,
        "no-permission",
        ["[hidden]"],
        [HEAD, HEAD, GET, GET],
        login=True,
        process=True,
    ),
    "a page that repeats the password": Row(
        lambda rig, seen: repeat(200)(rig, seen) if "authorization" in seen.headers else BASIC,
        "not-a-registry",
        ["[hidden]"],
        [HEAD, HEAD, GET],
        login=True,
        process=True,
    ),
    "the token server drips": Row(
        lambda rig, seen: (
            drip(b"HTTP/1.1 200 OK\r\n", lambda: rig.registry)
            if seen.path.startswith("/token")
            else bearer(f"http://{rig.registry.host}/token")
        ),
        "timeout",
        ["the token server of", *SLOW],
        [HEAD, TOKEN],
        prepare=hurried,
    ),
    # Realms.
    **{
        f"a realm of {what}": Row(
            tokens(token(), realm=realm), "registry-error", [*NOT_ASKED, *words], [HEAD], login=True, process=process
        )
        for what, realm, words, process in (
            ("metadata", "http://169.254.169.254/token", ["a metadata address"], True),
            ("metadata in decimal", "http://2852039166/token", ["a metadata address"], False),
            ("metadata, mapped", "http://[::ffff:169.254.169.254]/", ["a metadata address"], False),
            ("metadata over IPv6", "http://[fd00:ec2::254]/", ["a metadata address"], False),
            ("another cloud's metadata", "http://100.100.100.200/", ["a metadata address"], False),
            ("link-local IPv6", "http://[fe80::1]/", ["a link-local address"], False),
            ("no address", "http://0.0.0.0/token", ["an unspecified address"], False),
            ("multicast", "http://224.0.0.1/", ["a multicast address"], False),
            ("user information", f"http://user:{CANARY}@{{host}}/token", ["carries user information"], True),
            ("odd user information", f"http://user:{CANARY}@a\N{ACCOUNT OF}b/".encode().decode("latin-1"), [], True),
            ("a relative path", "/token", ["the scheme is ''"], False),
            ("a file", "file:///etc/passwd", ["the scheme is 'file'"], False),
            ("no host", "http:///token", ["no valid host"], False),
            ("port 0", "http://{host}0000/token", ["the port"], False),
            ("8 KiB and more", "http://{host}/" + "x" * 9000, ["characters"], False),
        )
    },
    "a realm of another site": Row(
        tokens(token(), realm="{far}/token"),
        None,
        [],
        [HEAD, HEAD],
        there=[TOKEN],
        elsewhere=lambda rig, seen: Answer(401) if "authorization" in seen.headers else token(),
        login=True,
    ),
    "a realm of another site that refuses": Row(
        tokens(token(), realm="{far}/token"),
        "no-permission",
        ["kept from localhost:", "which is another site"],
        [HEAD],
        there=[TOKEN],
        elsewhere=always(Answer(401)),
        login=True,
        process=True,
    ),
    # Redirects.
    "a redirect to storage": Row(
        redirect(f"http://{{other}}{PATH}?X-Signature={CANARY}"),
        None,
        [],
        [HEAD],
        there=[HEAD],
        elsewhere=lambda rig, seen: Answer(400) if "authorization" in seen.headers else proper(seen),
    ),
    "a signed redirect that has run out": Row(
        redirect(f"http://{{other}}/x?X-Signature={CANARY}"),
        "no-permission",
        ["HTTP 403", "SignatureExpired"],
        [HEAD, GET],
        there=["HEAD /x", "GET /x"],
        elsewhere=by(HEAD=Answer(403), GET=errors(403, "SignatureExpired", "too late")),
        process=True,
    ),
    "a signed redirect to nowhere": Row(
        redirect(f"http://127.0.0.1:1/x?X-Signature={CANARY}"), "unreachable", ["127.0.0.1:1"], [HEAD], process=True
    ),
    "a redirect to another registry": Row(
        redirect(f"http://{{other}}{PATH}"),
        None,
        [],
        [HEAD],
        there=[HEAD, TOKEN, HEAD],
        elsewhere=lambda rig, seen: (
            token("theirs")
            if seen.path.startswith("/token")
            else proper(seen)
            if seen.headers.get("authorization") == "Bearer theirs"
            else bearer(f"http://{rig.other.host}/token")
        ),
        login=True,
    ),
    "a redirect by 303 stays a HEAD": Row(
        redirect(f"http://{{other}}{PATH}", 303),
        None,
        [],
        [HEAD],
        there=[HEAD],
        elsewhere=lambda rig, seen: proper(seen),
    ),
    "a redirect without a place": Row(always(Answer(302)), "registry-error", ["HTTP 302"], [HEAD]),
    "a redirect in a circle": Row(redirect(PATH), "registry-error", ["more than 5 times", *NOT_FOLLOWED], [HEAD] * 6),
    **{
        f"a redirect to {what}": Row(
            redirect(location), "registry-error", [*words, *NOT_FOLLOWED], [HEAD], process=process
        )
        for what, location, words, process in (
            ("metadata", f"http://169.254.169.254/?{CANARY}", ["a metadata address"], True),
            ("no address", "http://0.0.0.0/", ["an unspecified address"], False),
            ("a file", "file:///etc/passwd", ["unusable place"], False),
            ("user information", f"http://user:{CANARY}@{{host}}/", ["carries user information"], True),
            ("port 0", "http://{host}0000/", ["the port"], False),
            ("a path with a space", f"/a b?{CANARY}", ["characters that no URL may hold"], False),
        )
    },
    # The network, and what comes over it.
    "the connection is refused": Row(proper, "unreachable", ["connection refused"], [], prepare=closed, process=True),
    "there is no such host": Row(
        proper, "unreachable", ["there is no such host"], [], prepare=look_up(error=socket.EAI_NONAME)
    ),
    "the name server does not answer": Row(
        proper, "unreachable", ["the name server did not answer"], [], prepare=look_up(error=socket.EAI_AGAIN)
    ),
    "a name that leads to metadata": Row(
        proper,
        "unreachable",
        ["resolves to 169.254.169.254", "it is not asked"],
        [],
        prepare=look_up("169.254.169.254"),
    ),
    "a name that leads to loopback": Row(
        proper, "unreachable", ["resolves to 127.0.0.1", "it is not asked"], [], prepare=look_up("127.0.0.1")
    ),
    "a name of which one address is metadata": Row(
        proper, "unreachable", ["it is not asked"], [], prepare=look_up("192.0.2.1", "fd00:ec2::254")
    ),
    "a manifest that names metadata": Row(
        proper,
        "unreachable",
        ["a metadata address; it is not asked"],
        [],
        prepare=named("169.254.169.254"),
        process=True,
    ),
    "a port that is none": Row(proper, "unreachable", ["the port"], [], prepare=named("127.0.0.1:99999")),
    "an address that leads nowhere beside one that works": Row(
        lambda rig, seen: proper(seen), None, [], [HEAD], prepare=blackhole
    ),
    "closed without an answer, once": Row(once(b""), None, [], [HEAD] * 2),
    "closed without an answer": Row(always(b""), "registry-error", CUT, RETRY),
    "closed within the headers": Row(always(b"HTTP/1.1 200 OK\r\nContent-"), "not-a-registry", [], [HEAD, GET]),
    "closed within the body": Row(
        by(HEAD=Answer(405), GET=raw("HTTP/1.1 200 OK\nContent-Length: 999", CONTENT)),
        "registry-error",
        CUT,
        [HEAD, *[GET] * 4],
    ),
    "a length that is none": Row(
        by(HEAD=Answer(405), GET=raw("HTTP/1.1 200 OK\nContent-Length: many", CONTENT)),
        None,
        [],
        [HEAD, GET],
    ),
    "two lengths": Row(
        by(HEAD=Answer(405), GET=raw("HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6", CONTENT)),
        "registry-error",
        [],
        [HEAD, GET],
    ),
    "a chunk that is none": Row(
        by(HEAD=Answer(405), GET=raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"zz\r\n")),
        "registry-error",
        [],
        [HEAD, *[GET] * 4],
    ),
    "not HTTP": Row(always(b"SSH-2.0-OpenSSH\r\n\r\n"), "registry-error", NOT_HTTP, [HEAD], process=True),
    "a status that is none": Row(always(b"HTTP/1.1 abc OK\r\n\r\n"), "registry-error", NOT_HTTP, [HEAD]),
    "a header of 70 kB": Row(
        always(raw("HTTP/1.1 200 OK\nX: " + "x" * 70_000)), "registry-error", NOT_HTTP, [HEAD], process=True
    ),
    "200 headers": Row(always(raw("HTTP/1.1 200 OK" + "\nX: y" * 200)), "registry-error", NOT_HTTP, [HEAD]),
    "early hints instead of an answer": Row(
        always(raw("HTTP/1.1 103 Early Hints")), "registry-error", ["HTTP 103"], [HEAD]
    ),
    "a hundred continues": Row(always(continues), "timeout", SLOW, [HEAD], prepare=hurried),
    "no answer at all": Row(
        lambda rig, seen: lambda handler: rig.registry.stopped.wait(10), "timeout", SLOW, [HEAD], prepare=hurried
    ),
    "a status line that drips": Row(stuck(b""), "timeout", SLOW, [HEAD], prepare=hurried),
    "headers that drip": Row(stuck(b"HTTP/1.1 200 OK\r\nX: "), "timeout", SLOW, [HEAD], prepare=hurried),
    "a body that drips": Row(
        stuck(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", "GET"), "timeout", SLOW, [HEAD, GET], prepare=hurried
    ),
    "plain http where the policy has a certificate": Row(proper, "tls", ["no TLS connection"], [], prepare=https_here),
    "a CA bundle that is none": Row(proper, "tls", ["it holds no certificate"], [], prepare=bad_bundle),
    # Proxies.
    "a proxy that is no proxy": Row(
        proper,
        "unreachable",
        ["(HTTPS_PROXY)", "HTTP 501"],
        [],
        prepare=proxied(f"http://user:{CANARY}@{{other}}"),
        process=True,
    ),
    "a proxy that is not there": Row(
        proper,
        "unreachable",
        ["the proxy of HTTPS_PROXY is not reached", "connection refused"],
        [],
        prepare=proxied(f"http://user:{CANARY}@127.0.0.1:1"),
        process=True,
    ),
    "a proxy of another kind": Row(
        proper,
        "unreachable",
        ["HTTPS_PROXY holds a proxy of kind socks5"],
        [],
        prepare=proxied(f"socks5://user:{CANARY}@127.0.0.1:1"),
        process=True,
    ),
    # Words that are meant for somebody else's terminal or log.
    **{
        f"{what} in {where}": Row(script(text), rule, [], asked, process=True)
        for what, text in (("terminal codes", ANSI), ("workflow commands", COMMAND), ("text that runs backwards", BIDI))
        for where, script, rule, asked in (
            (
                "an error",
                lambda text: by(HEAD=Answer(403), GET=errors(403, text, text)),
                "no-permission",
                [HEAD, GET],
            ),
            ("a page", lambda text: always(Answer(200, {}, text.encode())), "not-a-registry", [HEAD, GET]),
            (
                "a token server's error",
                lambda text: tokens(Answer(403, {}, json.dumps({"details": text}).encode())),
                "no-permission",
                [HEAD, TOKEN],
            ),
        )
    },
}


def login(home: str, host: str) -> None:
    os.makedirs(f"{home}/.docker", exist_ok=True)
    entry = {"auth": base64.b64encode(USER.encode()).decode()}
    with open(f"{home}/.docker/config.json", "w") as file:
        json.dump({"auths": {host: entry}}, file)


def without_queries(server: FaultServer) -> list[str]:
    return [f"{seen.method} {urlsplit(seen.path).path}" for seen in server.seen]


def assert_printable(text: str) -> None:
    """Nothing that a terminal obeys or a CI runner takes for a command."""
    assert all(char.isprintable() or char == "\n" for char in text), repr(text)
    assert "##[" not in text and "##vso[" not in text
    assert not any(line.strip().startswith("::") for line in text.splitlines()), repr(text)


def test_the_catalogue_is_as_long_as_it_should_be():
    assert len(ROWS) >= 60
    assert sum(row.process for row in ROWS.values()) >= 12
    assert {row.rule for row in ROWS.values()} >= {
        *("not-found", "no-permission", "rate-limited", "timeout", "tls", "unreachable", "registry-error"),
        *("not-a-registry", "digest-mismatch", "schema1", None),
    }


@pytest.mark.parametrize("name", ROWS)
def test_failure(name, monkeypatch, isolation):
    row = ROWS[name]
    with Rig(row, monkeypatch) as rig:
        if row.login:
            login(str(isolation), rig.host)
        silent = rig.options.pop("silent", None)
        one = resolver(**({"keychain": None} if row.login else {}), **rig.options)
        question = Question(reference(f"{rig.host}/{row.image}"))
        answer = one.ask([question])[question]
        if silent is not None:
            silent.__exit__()
        assert without_queries(rig.registry) == list(row.asked)
        if not name.startswith("a proxy"):
            assert without_queries(rig.other) == list(row.there)
        assert rig.other.sent_credentials() in ([], ["Bearer theirs"])
        notes = one.notes
    told = repr(answer) + repr(notes) + "".join(notes)
    if row.rule is None:
        assert isinstance(answer, Resolved), answer
        assert answer.digest == DIGEST
        assert row.note in "".join(notes)
    else:
        assert isinstance(answer, Missing), answer
        (problem,) = answer.refusals
        assert problem.rule == row.rule, problem
        assert problem.message.startswith(rig.host), problem
        assert problem.help
        assert [word for word in row.words if word not in problem.message] == [], problem
        told += problem.message + problem.help
        assert_printable(problem.message)
        assert_printable(problem.help)
    assert [secret for secret in SECRETS if secret in told] == []


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.process])
def test_the_whole_run(name, monkeypatch, isolation, run_pindown):
    row = ROWS[name]
    with Rig(row, monkeypatch) as rig:
        if row.login:
            login(str(isolation), rig.host)
        image = f"{rig.host}/{row.image}"
        text = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec: {{containers: [{{image: '{image}'}}]}}\n"
        ran = run_pindown(["render", "-v", "-v", "-"], stdin=text.encode())
    stderr = ran.stderr.decode()
    assert (ran.returncode, ran.stdout) == (1, b""), stderr
    assert f"error[{row.rule}]" in stderr
    assert [word for word in row.words if word not in stderr] == []
    assert [secret for secret in SECRETS if secret in stderr] == []
    assert_printable(stderr)


# What is dead is found out once, and not by every image.


def ask_many(host: str, count: int = 20, **options: Any) -> tuple[Any, list[Any]]:
    one = resolver(jobs=1, **options)
    answers = one.ask([Question(reference(f"{host}/team/app{number}:1")) for number in range(count)])
    return one, [answer.refusals[0] for answer in answers.values()]


def test_a_host_that_takes_connections_and_never_answers():
    with FaultServer(lambda seen: lambda handler: server.stopped.wait(10)) as server:
        one, problems = ask_many(server.host, limits=QUICK._replace(request=0.3))
    assert one.requests == 1
    assert {problem.rule for problem in problems} == {"timeout"}
    assert all(problem.message.startswith(f"{server.host}/team/app") for problem in problems)


def test_a_host_that_accepts_no_connection_costs_one_connect_timeout():
    from tests.registry.test_addresses import Silent

    with Silent(socket.AF_INET, "127.0.0.2") as dead, FaultServer(proper) as server:
        images = [f"127.0.0.2:{dead.port}/team/app{number}:1" for number in range(60)]
        images += [f"{server.host}/team/app{number}:1" for number in range(41)]
        one = resolver(limits=QUICK._replace(connect=1, backoff_base=0.25, backoff_cap=5))
        began = time.monotonic()
        answers = one.ask([Question(reference(image)) for image in images])
        took = time.monotonic() - began
    problems = [answer.refusals[0] for answer in answers.values() if isinstance(answer, Missing)]
    assert [problem.rule for problem in problems] == ["timeout"] * 60
    assert all("did not accept a connection within 1 s" in problem.message for problem in problems)
    assert one.requests <= 41 + 32
    assert took < 1.9, "a second wave of attempts"


def test_a_host_that_has_answered_before_is_given_every_chance():
    def answer(seen: Seen) -> Any:
        return proper(seen) if "app0/" in seen.path else lambda handler: server.stopped.wait(10)

    with FaultServer(answer) as server:
        one = resolver(jobs=1, limits=QUICK._replace(request=0.2))
        answers = one.ask([Question(reference(f"{server.host}/team/app{number}:1")) for number in range(3)])
        assert [isinstance(one, Resolved) for one in answers.values()] == [True, False, False]
        assert len(server.asked()) == 3


@pytest.mark.parametrize("silent", [False, True])
def test_a_token_server_that_is_dead(silent):
    with socket.create_server(("127.0.0.1", 0)) as dead:
        realm = f"http://127.0.0.1:{dead.getsockname()[1]}/token"
        if not silent:
            dead.close()
        with FaultServer(lambda seen: bearer(realm)) as server:
            one, problems = ask_many(server.host, 5, limits=QUICK._replace(request=0.3))
            # One request finds the challenge and one the dead server; later images know the challenge already.
            assert (one.requests, len(server.seen)) == (2, 1)
    assert {problem.rule for problem in problems} == {"timeout" if silent else "unreachable"}
    assert all(f"the token server of {server.host}" in problem.message for problem in problems)


def test_a_proxy_that_is_dead(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{CANARY}@127.0.0.1:1")
    one, problems = ask_many("registry.test")
    assert one.requests == 1
    assert {problem.rule for problem in problems} == {"unreachable"}


def test_a_pull_limit_is_told_once(monkeypatch):
    with FaultServer(lambda seen: good(CONTENT, ratelimit_remaining="3;w=21600")) as server:
        one = resolver()
        one.ask([Question(reference(f"{server.host}/team/app{number}:1")) for number in range(20)])
        assert one.notes == [f"{server.host}: 3 pulls left in its rate limit"]
