"""The handshake, pauses and memory of a host, over real HTTP."""

from __future__ import annotations

import base64
import json
from email.utils import formatdate

import pytest

from tests.registry.faults import (
    IMAGE,
    INDEX,
    QUICK,
    Answer,
    FaultServer,
    Seen,
    ask,
    bearer,
    content_of,
    digest_of,
    good,
    proper,
    reference,
    refusal,
    resolver,
)
from transformer.policy.questions import Question, Resolved
from transformer.registry.hosts import RegistryRule
from transformer.registry.keychain import Credential, Keychain, KeychainError

FINE = Resolved(digest_of(content_of("/v2/team/app")), IMAGE)
BASIC = Answer(401, {"WWW-Authenticate": 'Basic realm="x"'})
CANARY = "canary-4711"


class Keys(Keychain):
    """A keychain with one source, itself, which has these answers (or raises)."""

    def __init__(self, *answers, deferred=False):
        super().__init__((self,))
        self.deferred, self.answers, self.asked = deferred, answers, []

    def about(self, wanted):
        return "for tests"

    def resolve(self, wanted):
        self.asked.append((wanted.host, wanted.repository))
        for answer in self.answers:
            if isinstance(answer, Exception):
                raise answer
        return self.answers


USER = Credential("config.json at ~/x", "user", CANARY)
USER_BASIC = "Basic " + base64.b64encode(f"user:{CANARY}".encode()).decode()


class TokenServer:
    """A registry with token auth in one server. `grants` are what its token endpoint answers, the last one repeated."""

    def __init__(self, *grants, realm="http://{host}/token", accept=None, **challenge):
        self.grants = list(grants) or [token("t")]
        self.realm, self.accept, self.challenge = realm, accept, challenge

    def __enter__(self):
        self.server = FaultServer(self.script).__enter__()
        return self.server

    def __exit__(self, *args):
        self.server.__exit__()

    def script(self, seen: Seen):
        if seen.path.startswith("/token"):
            return self.grants.pop(0) if len(self.grants) > 1 else self.grants[0]
        given = seen.headers.get("authorization", "")
        accepted = given.startswith("Bearer ") if self.accept is None else given == f"Bearer {self.accept}"
        return proper(seen) if accepted else bearer(self.realm.format(host=self.server.host), **self.challenge)


def token(text, **more):
    return Answer(200, {"Content-Type": "application/json"}, json.dumps({"token": text, **more}).encode())


# Nothing is sent that was not asked for.


def test_no_credential_goes_to_a_registry_that_does_not_ask():
    with FaultServer(proper) as server:
        assert ask(server, keychain=Keys(USER)) == FINE
        assert server.sent_credentials() == []


def test_basic_is_sent_after_the_challenge_and_then_at_once():
    with FaultServer(lambda seen: proper(seen) if "authorization" in seen.headers else BASIC) as server:
        one = resolver(keychain=Keys(USER))
        for image in ("team/app:1", "team/other:1"):
            question = Question(reference(f"{server.host}/{image}"))
            assert isinstance(one.ask([question])[question], Resolved)
        assert server.sent_credentials() == [USER_BASIC] * 2
        assert len(server.seen) == 3


def test_a_refused_basic_is_sent_once_and_its_source_is_named():
    with FaultServer(lambda seen: BASIC) as server:
        problem = refusal(ask(server, keychain=Keys(USER)))
        assert len(server.seen) == 2
    assert problem.rule == "no-permission"
    assert "asked as config.json at ~/x" in problem.message
    assert CANARY not in str(problem)


def test_a_keychain_that_is_broken_does_not_stop_public_images():
    keys = Keys(KeychainError("config.json at ~/x is not valid JSON"))
    with FaultServer(proper) as server:
        assert ask(server, keychain=keys) == FINE
    with FaultServer(lambda seen: BASIC) as server:
        problem = refusal(ask(server, keychain=keys))
    assert "asked as anonymous (config.json at ~/x is not valid JSON)" in problem.message


def test_a_host_of_an_untrusted_policy_gets_no_credential():
    keys = Keys(USER)
    with FaultServer(lambda seen: BASIC) as server:
        rule = RegistryRule(server.host, insecure=True, credentials_allowed=False)
        problem = refusal(ask(server, keychain=keys, registries=[rule]))
        assert server.sent_credentials() == [] and keys.asked == []
    assert "not trusted with credentials" in problem.message


# Bearer.


def test_anonymous_bearer():
    with TokenServer() as server:
        assert ask(server) == FINE
        assert server.asked("") == [
            "HEAD /v2/team/app/manifests/1",
            "GET /token?service=the%20registry&scope=repository:team/app:pull&client_id=pindown".replace("%20", "+"),
            "HEAD /v2/team/app/manifests/1",
        ]
        assert server.sent_credentials() == ["Bearer t"]


def test_bearer_with_a_credential():
    with TokenServer() as server:
        assert ask(server, keychain=Keys(USER)) == FINE
        assert server.sent_credentials() == [USER_BASIC, "Bearer t"]
        assert "account=user" in server.asked("/token")[0]


def test_the_realms_own_query_is_kept():
    with TokenServer(realm="http://{host}/token?tenant=7") as server:
        assert ask(server) == FINE
        assert server.asked("/token")[0].startswith("GET /token?tenant=7&service=")


@pytest.mark.parametrize(
    "grant", [Answer(200, {}, b'{"access_token": "t"}'), token("t", expires_in=0), token("t", expires_in="x")]
)
def test_shapes_of_a_grant(grant):
    with TokenServer(grant) as server:
        assert ask(server) == FINE


def test_a_fresh_token_that_is_refused_is_replaced_once():
    with TokenServer(token("stale"), token("fresh"), accept="fresh") as server:
        assert ask(server) == FINE
        assert server.sent_credentials() == ["Bearer stale", "Bearer fresh"]


def test_and_only_once():
    with TokenServer(accept="never") as server:
        problem = refusal(ask(server))
        assert len(server.asked("/token")) == 2
        assert len(server.asked()) <= 3
    assert problem.rule == "no-permission"
    assert "not found or no permission" in problem.message


def test_insufficient_scope_is_asked_for_once_and_never_more_than_pull():
    more = {"error": "insufficient_scope", "scope": "repository:team/base:pull,push repository:team/app:*"}
    with TokenServer(accept="never", **more) as server:
        assert refusal(ask(server)).rule == "no-permission"
        wanted = server.asked("/token")
    assert "scope=repository:team/app:pull&scope=repository:team/base:pull&" in wanted[0]
    assert len(wanted) <= 3
    assert "push" not in "".join(wanted)


def test_basic_in_reply_to_bearer():
    def script(seen: Seen):
        if seen.path.startswith("/token"):
            return token("t")
        given = seen.headers.get("authorization", "")
        return proper(seen) if given == USER_BASIC else BASIC if given else bearer(f"http://{server.host}/token")

    with FaultServer(script) as server:
        assert ask(server, keychain=Keys(USER)) == FINE


def test_an_identity_token_goes_by_post():
    keys = Keys(Credential("file", identity_token=CANARY))
    with TokenServer() as server:
        assert ask(server, keychain=keys) == FINE
        (seen,) = [seen for seen in server.seen if seen.path == "/token"]
    assert seen.method == "POST"
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert seen.body == (
        f"grant_type=refresh_token&refresh_token={CANARY}&service=the+registry&client_id=pindown"
        "&scope=repository:team/app:pull".encode()
    )


@pytest.mark.parametrize("status", [400, 401, 404, 405])
def test_a_server_that_knows_no_post_gets_the_get(status):
    keys = Keys(USER._replace(identity_token="id"))
    with TokenServer(Answer(status), token("t")) as server:
        assert ask(server, keychain=keys) == FINE
        assert [line.partition("?")[0] for line in server.asked("/token")] == ["POST /token", "GET /token"]


def test_a_registry_token_is_used_as_it_is():
    with TokenServer(accept="mine") as server:
        assert ask(server, keychain=Keys(Credential("file", registry_token="mine"))) == FINE
        assert server.asked("/token") == []


@pytest.mark.parametrize(
    ("grant", "rule", "words"),
    [
        (Answer(401), "no-permission", "HTTP 401"),
        (Answer(403, {}, b'{"errors": [{"code": "DENIED", "message": "no"}]}'), "no-permission", "DENIED: no"),
        (Answer(429), "rate-limited", "HTTP 429"),
        (Answer(500), "registry-error", "HTTP 500"),
        (Answer(404), "registry-error", "HTTP 404"),
        (Answer(302, {"Location": "/elsewhere"}), "registry-error", "HTTP 302"),
        (Answer(200, {}, b"<html>"), "registry-error", "not a JSON object"),
        (Answer(200, {}, b"[]"), "registry-error", "not a JSON object"),
        (Answer(200, {}, b"{}"), "registry-error", "no usable token"),
        (Answer(200, {}, b'{"token": 1}'), "registry-error", "no usable token"),
        (Answer(200, {}, b'{"token": "a\\r\\nX-Injected: b"}'), "registry-error", "no usable token"),
        (Answer(200, {}, b'{"token": "' + b"x" * 70_000 + b'"}'), "registry-error", "more than 64 KiB"),
        (b"", "registry-error", "broke off"),
    ],
)
def test_a_token_server_that_gives_none_is_named_and_never_means_not_found(grant, rule, words):
    with TokenServer(grant) as server:
        problem = refusal(ask(server, keychain=Keys(USER)))
        assert "/elsewhere" not in "".join(server.asked(""))
    assert (problem.rule, "token server" in problem.message, words in problem.message) == (rule, True, True), problem
    assert CANARY not in str(problem)


# The realm is hostile.


@pytest.mark.parametrize(
    "realm",
    [
        "http://169.254.169.254/token",
        "http://[fd00:ec2::254]/token",
        "http://100.100.100.200/",
        "http://0.0.0.0/token",
        "http://[fe80::1]/",
        "http://224.0.0.1/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/token",
        "http://user:pw@{host}/token",
        "ftp://{host}/token",
        "/token",
        "token",
        "//x",
        "http://{host}:0/",
        "file:///etc/passwd",
    ],
)
def test_realms_that_are_not_asked(realm):
    with TokenServer(realm=realm) as server:
        problem = refusal(ask(server, keychain=Keys(USER)))
        assert server.asked("") == ["HEAD /v2/team/app/manifests/1"]
        assert server.sent_credentials() == []
    assert problem.rule == "registry-error"
    assert "token server that is not asked" in problem.message
    assert CANARY not in str(problem)


def test_a_realm_on_another_site_is_asked_anonymously_and_that_is_said():
    with FaultServer(lambda seen: Answer(401)) as realm:
        port = realm.host.partition(":")[2]
        with TokenServer(realm=f"http://localhost:{port}/token") as server:
            problem = refusal(ask(server, keychain=Keys(USER)))
        assert len(realm.seen) == 1
        assert realm.sent_credentials() == []
    assert f"anonymous (config.json at ~/x is kept from localhost:{port}, which is another site)" in problem.message


# Redirects.


def test_a_redirect_on_the_same_host_keeps_the_credential_and_the_method():
    def script(seen: Seen):
        if "authorization" not in seen.headers:
            return BASIC
        return proper(seen) if seen.path.startswith("/moved") else Answer(303, {"Location": f"/moved{seen.path}"})

    with FaultServer(script) as server:
        assert isinstance(ask(server, keychain=Keys(USER)), Resolved)
        assert server.asked("/moved") == ["HEAD /moved/v2/team/app/manifests/1"]
        assert server.sent_credentials() == [USER_BASIC] * 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_loses_it(status):
    with FaultServer(proper) as other:
        location = f"http://{other.host}/v2/team/app/manifests/1"
        with FaultServer(
            lambda seen: Answer(status, {"Location": location}) if "authorization" in seen.headers else BASIC
        ) as server:
            assert ask(server, keychain=Keys(USER)) == FINE
            assert server.sent_credentials() == [USER_BASIC]
        assert other.sent_credentials() == []
        assert other.asked("") == ["HEAD /v2/team/app/manifests/1"]


def test_a_401_over_there_is_answered_anonymously():
    with TokenServer(token("theirs")) as other:
        location = f"http://{other.host}/v2/team/app/manifests/1"
        with FaultServer(lambda seen: Answer(307, {"Location": location})) as server:
            assert ask(server, keychain=Keys(USER)) == FINE
            assert server.sent_credentials() == []
        assert other.sent_credentials() == ["Bearer theirs"]


def test_a_basic_challenge_over_there_gets_nothing():
    with FaultServer(lambda seen: BASIC) as other:
        location = f"http://{other.host}/x"
        with FaultServer(lambda seen: Answer(307, {"Location": location})) as server:
            problem = refusal(ask(server, keychain=Keys(USER)))
        assert other.sent_credentials() == []
    assert problem.rule == "no-permission"


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("/v2/team/app/manifests/1", "more than 5 times"),
        ("http://169.254.169.254/latest/meta-data", "a metadata address"),
        ("http://0.0.0.0/", "an unspecified address"),
        ("file:///etc/passwd", "unusable place"),
        ("http://user:secret@host/", "unusable place"),
        ("http://host:0/", "unusable place"),
    ],
)
def test_redirects_that_are_not_followed(location, words):
    with FaultServer(lambda seen: Answer(307, {"Location": location})) as server:
        problem = refusal(ask(server))
        assert len(server.seen) == (6 if location.startswith("/") else 1)
    assert (problem.rule, words in problem.message) == ("registry-error", True), problem
    assert "secret" not in problem.message


def test_where_one_image_is_redirected_to_does_not_take_the_host_down():
    def script(seen: Seen):
        return proper(seen) if "good" in seen.path else Answer(307, {"Location": "http://127.0.0.1:1/"})

    with FaultServer(script) as server:
        one = resolver(jobs=1)
        questions = [Question(reference(f"{server.host}/{name}:1")) for name in ("bad/a", "good/b")]
        answers = one.ask(questions)
    assert refusal(answers[questions[0]]).rule == "unreachable"
    assert isinstance(answers[questions[1]], Resolved)


# 429 and Retry-After.


def test_a_retry_after_that_fits_is_waited_for():
    slept = []
    with FaultServer(
        lambda seen: Answer(429, {"Retry-After": "0"}) if len(server.seen) == 1 else proper(seen)
    ) as server:
        assert ask(server, sleep=slept.append) == FINE
        assert len(server.seen) == 2


@pytest.mark.parametrize("header", ["45", formatdate(1_700_000_045, usegmt=True)])
@pytest.mark.parametrize("status", [429, 503])
def test_one_that_does_not_fit_is_told_at_once(header, status):
    with FaultServer(lambda seen: Answer(status, {"Retry-After": header})) as server:
        problem = refusal(ask(server, now=lambda: 1_700_000_000.0, sleep=lambda seconds: pytest.fail("slept")))
        assert len(server.seen) == 1
    assert problem.rule == "rate-limited"
    assert f"asks to wait 45 s (HTTP {status})" in problem.message
    assert "45 s" in problem.help


def test_without_a_timeout_the_ceiling_holds():
    with FaultServer(lambda seen: Answer(429, {"Retry-After": "31"})) as server:
        assert refusal(ask(server, timeout=None)).rule == "rate-limited"
        assert len(server.seen) == 1


@pytest.mark.parametrize("header", ["soon", "880.092µs, allowed: 44000/minute".encode().decode("latin-1")])
def test_one_that_cannot_be_read_means_backoff(header):
    with FaultServer(
        lambda seen: Answer(429, {"Retry-After": header}) if len(server.seen) == 1 else proper(seen)
    ) as server:
        assert ask(server) == FINE


def test_a_429_pauses_the_whole_host():
    with FaultServer(lambda seen: Answer(429, {"Retry-After": "3600"})) as server:
        questions = [Question(reference(f"{server.host}/team/app{number}:1")) for number in range(20)]
        answers = resolver(jobs=1).ask(questions)
        assert {refusal(answer).rule for answer in answers.values()} == {"rate-limited"}
        assert len(server.seen) == 1


# Memory of a host.


def test_a_host_that_cannot_be_reached_is_tried_once():
    with FaultServer(proper) as server:
        host = server.host
    questions = [Question(reference(f"{host}/team/app{number}:1")) for number in range(20)]
    one = resolver(jobs=1)
    answers = one.ask(questions)
    assert one.requests == 1
    for question, answer in answers.items():
        problem = refusal(answer)
        assert problem.rule == "unreachable"
        assert problem.message == f"{question.source.canonical}: {host}: connection refused"


@pytest.mark.parametrize(("left", "notes"), [("11;w=21600", 0), ("10;w=21600", 1), ("0", 1), ("many", 0), ("", 0)])
def test_few_pulls_left_are_noted(left, notes):
    content = content_of("/v2/team/app")
    with FaultServer(lambda seen: good(content, ratelimit_remaining=left)) as server:
        one = resolver()
        question = Question(reference(f"{server.host}/team/app:1"))
        assert one.ask([question])[question] == FINE
        assert len(one.notes) == notes
        assert all(server.host in note for note in one.notes)


def test_limits_are_the_documented_ones():
    assert (QUICK.attempts, QUICK.redirects, QUICK.retry_after) == (4, 5, 30.0)


# A login that was refused.


def many(host, count=20, keychain=None, **options):
    one = resolver(keychain=keychain or Keys(USER), **options)
    answers = one.ask([Question(reference(f"{host}/team/app{number}:1")) for number in range(count)])
    return one, list(answers.values())


def test_a_wrong_password_is_shown_to_a_token_server_once():
    def script(seen):
        if seen.path.startswith("/token"):
            return Answer(401, {}, b'{"message": "wrong password"}') if "authorization" in seen.headers else token("t")
        return proper(seen) if "authorization" in seen.headers else bearer(f"http://{server.host}/token")

    with FaultServer(script, delay=0.02) as server:
        one, answers = many(server.host)
        assert all(isinstance(answer, Resolved) for answer in answers)
        assert [sent for sent in server.sent_credentials() if sent.startswith("Basic")] == [USER_BASIC]
    assert one.notes == [
        f"{server.host}: config.json at ~/x: refused (HTTP 401 from the token server: wrong password); "
        "asked as anonymous instead"
    ]


def test_a_login_that_was_accepted_once_is_not_given_up():
    def script(seen):
        if seen.path.startswith("/token"):
            return Answer(401) if "app3" in seen.path else token("t")
        return proper(seen) if "authorization" in seen.headers else bearer(f"http://{server.host}/token")

    with FaultServer(script) as server:
        _, answers = many(server.host, jobs=1)
    assert [isinstance(answer, Resolved) for answer in answers].count(False) == 1


def test_a_wrong_password_is_shown_to_a_registry_twice():
    with FaultServer(lambda seen: BASIC, delay=0.02) as server:
        _, answers = many(server.host)
        assert server.sent_credentials() == [USER_BASIC] * 2
    assert all("asked as config.json at ~/x" in answer.refusals[0].message for answer in answers)


def test_a_repository_with_a_login_of_its_own_spoils_none():
    def script(seen):
        return proper(seen) if "authorization" in seen.headers and "app0/" not in seen.path else BASIC

    with FaultServer(script) as server:
        _, answers = many(server.host)
    assert [isinstance(answer, Resolved) for answer in answers].count(False) == 1


def test_a_token_server_in_trouble_holds_up_nobody():
    def script(seen):
        return Answer(503) if seen.path.startswith("/token") else bearer(f"http://{server.host}/token")

    with FaultServer(script, delay=0.1) as server:
        _, answers = many(server.host, 8, limits=QUICK._replace(attempts=1))
        assert server.peak > 4
    assert {answer.refusals[0].rule for answer in answers} == {"registry-error"}


# What is said when a token server does not answer.


@pytest.mark.parametrize(
    ("realm", "became"),
    [
        ("http://127.0.0.1:1/t", "no answer"),
        ("https://169.254.169.254/t", "kept from 169.254.169.254, which is another site"),
    ],
)
def test_what_became_of_the_credential_when_no_token_came(realm, became):
    with FaultServer(lambda seen: bearer(realm)) as server:
        one, (answer,) = many(server.host, 1)
    assert f"config.json at ~/x: {became}" in answer.refusals[0].message
    (story,) = one.stories.values()
    assert f"config.json at ~/x — {became}" in story and "token server" in story


def test_a_realm_with_scopes_of_its_own_gets_no_more_than_pull():
    realm = "http://{host}/token?scope=repository:prod/app:pull,push,delete&service=other"
    with TokenServer(realm=realm) as server:
        assert ask(server, keychain=Keys(USER)) == FINE
        (asked,) = server.asked("/token")
    assert "prod" not in asked and "push" not in asked and "scope=repository:team/app:pull" in asked


# Secrets in other people's words: what no row of the failure catalogue can hold.


def test_a_platform_that_repeats_our_token():
    def script(seen):
        if seen.path.startswith("/token"):
            return token(CANARY)
        if "authorization" not in seen.headers:
            return bearer(f"http://{server.host}/token")
        platform = {"os": "linux", "architecture": seen.headers["authorization"]}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"platform": platform}]}
        return good(json.dumps(index).encode(), INDEX)

    with FaultServer(script) as server:
        question = Question(reference(f"{server.host}/team/app:1"), platform="linux/amd64")
        problem = refusal(resolver().ask([question])[question])
    assert problem.rule == "platform-missing" and "offered: linux/Bearer [hidden]" in problem.message


@pytest.mark.parametrize("status", [200, 403])
def test_a_proxy_that_repeats_its_password(status):
    def script(seen):
        plain = base64.b64decode(seen.headers["proxy-authorization"][6:]).decode()
        body = json.dumps({"message": f"{seen.headers['proxy-authorization']} {plain}"})
        return Answer(status, {"Content-Type": "application/json"}, body.encode())

    with FaultServer(script) as server:
        problem = refusal(
            ask(
                "registry.test",
                registries=[RegistryRule("registry.test", insecure=True)],
                environ={"HTTP_PROXY": f"http://user:{CANARY}@{server.host}"},
            )
        )
    assert "[hidden]" in problem.message and CANARY not in problem.message and USER_BASIC[6:] not in problem.message


def test_a_redirect_that_repeats_our_password():
    def script(seen):
        given = "authorization" in seen.headers
        return Answer(307, {"Location": f"http://{CANARY}.invalid:1/"}) if given else BASIC

    with FaultServer(script) as server:
        one, (answer,) = many(server.host, 1)
    assert "[hidden].invalid" in answer.refusals[0].message and CANARY not in repr(answer) + repr(one.stories)


def test_a_realm_that_repeats_our_password():
    def script(seen):
        return bearer(f"https://{CANARY}.invalid/") if "authorization" in seen.headers else BASIC

    with FaultServer(script) as server:
        one, (answer,) = many(server.host, 1)
    assert "[hidden].invalid" in repr(answer) and CANARY not in repr(answer) + repr(one.stories)


def test_an_encoding_that_repeats_our_password():
    def script(seen):
        given = "authorization" in seen.headers
        return Answer(200, {"Content-Encoding": f"x{CANARY * 3}"}, b"x") if given else BASIC

    with FaultServer(script) as server:
        _, (answer,) = many(server.host, 1)
    assert "an encoded body" in answer.refusals[0].message and CANARY not in repr(answer)


def test_a_secret_of_an_earlier_request_is_hidden_too():
    """The registry repeats what its token server was shown."""

    def script(seen):
        if seen.path.startswith("/token"):
            return token("t")
        given = "authorization" in seen.headers
        return (
            Answer(403, {}, f'{{"message": "{CANARY}"}}'.encode()) if given else bearer(f"http://{server.host}/token")
        )

    with FaultServer(script) as server:
        one, (answer,) = many(server.host, 1)
    assert "[hidden]" in answer.refusals[0].message and CANARY not in repr(answer) + repr(one.stories)
