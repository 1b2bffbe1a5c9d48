"""As whom a registry is asked, in which order, and what is said about it: over real HTTP."""

from __future__ import annotations

import base64
import json
import re

import pytest

from tests.registry.faults import (
    IMAGE,
    Answer,
    FaultServer,
    Seen,
    ask,
    bearer,
    content_of,
    digest_of,
    proper,
    reference,
    refusal,
    resolver,
)
from transformer.policy.questions import PullSecret, Question, Resolved
from transformer.registry.hosts import RegistryRule
from transformer.registry.identities import Visit
from transformer.registry.keychain import Credential, Keychain, KeychainError, ambient_keychain, azure
from transformer.registry.keychain.clouds import Cloud, Clouds

FINE = Resolved(digest_of(content_of("/v2/team/app")), IMAGE)
CANARY = "canary-4711"
HEAD, GET = "HEAD /v2/team/app/manifests/1", "GET /v2/team/app/manifests/1"


def who(name):
    return Credential(f"source {name}", name, CANARY)


A, B, HELPER = who("a"), who("b"), who("helper")
BASIC = Answer(401, {"WWW-Authenticate": 'Basic realm="x"'})


class Source:
    """Answers in turn, the last one for ever; raises what is an exception."""

    def __init__(self, *answers, deferred=False, name="late"):
        self.answers, self.deferred, self.name, self.asked = list(answers), deferred, name, []

    def about(self, wanted):
        return self.name if self.deferred else ""

    def resolve(self, wanted):
        self.asked.append(wanted)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, list) else [answer]


def late(*answers):
    return Source(*answers, deferred=True)


def user_of(seen: Seen) -> str:
    """Who a Basic header is from; "" for nobody."""
    scheme, _, value = seen.headers.get("authorization", "").partition(" ")
    return base64.b64decode(value).decode().partition(":")[0] if scheme == "Basic" else ""


class Basic(FaultServer):
    """Lets in whom `members` names; the others get `refusal`. Says who has asked for a manifest in `users`."""

    def __init__(self, *members, refusal=BASIC):
        self.members, self.refused, self.users = members, refusal, []
        super().__init__(self.judge)

    def judge(self, seen):
        self.users.append(user_of(seen))
        if user_of(seen) in self.members:
            return proper(seen)
        return self.refused if user_of(seen) else BASIC


class Tokens(FaultServer):
    """Bearer: the token server gives `members` (`""` is anybody) a token that counts, and others `other`."""

    def __init__(self, *members, other=None, status=401):
        self.members, self.other, self.status, self.exchanges = members, other, status, []
        super().__init__(self.judge)

    def judge(self, seen):
        if seen.path.startswith("/token"):
            user = user_of(seen)
            self.exchanges.append(user)
            if user in self.members:
                return Answer(200, {}, json.dumps({"token": "in"}).encode())
            return self.other or Answer(200, {}, b'{"token": "out"}')
        given = seen.headers.get("authorization")
        if given == "Bearer in":
            return proper(seen)
        return bearer(f"http://{self.host}/token") if given is None or self.status == 401 else Answer(self.status)


def told(server, *sources, image="team/app:1", **options):
    """(answer, notes, the one story) for an image."""
    one = resolver(keychain=Keychain(sources), **options)
    question = Question(reference(f"{server.host}/{image}"))
    answer = one.ask([question])[question]
    (story,) = one.stories.values()
    assert CANARY not in f"{answer} {one.notes} {story}"
    return answer, one.notes, story


# What lies ready.


def test_the_first_that_is_let_in():
    with Basic("a", "b") as server:
        assert told(server, Source([A, B])) == (FINE, [], "source a — used; anonymous — not needed")
        assert server.users == ["", "a"]


def test_the_next_when_one_is_refused_and_that_is_noted():
    with Basic("b") as server:
        answer, notes, story = told(server, Source([A, B]))
        assert server.users == ["", "a", "b"]
    assert answer == FINE
    assert notes == [f"{server.host}: source a: refused (HTTP 401); asked as source b instead"]
    assert story == "source a — refused (HTTP 401); source b — used; anonymous — not needed"


def test_then_anonymous_and_that_is_noted():
    denied = Answer(403, {}, b'{"errors": [{"code": "DENIED", "message": "wrong password"}]}')
    with Tokens("", other=denied) as server:
        answer, notes, story = told(server, Source(A))
        assert server.exchanges == ["a", ""]
    assert answer == FINE
    why = "refused (HTTP 403 from the token server: DENIED: wrong password)"
    assert notes == [f"{server.host}: source a: {why}; asked as anonymous instead"]
    assert story == f"source a — {why}; anonymous — answered"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_every_way_to_refuse(status):
    with Tokens("", status=status) as server:
        assert told(server, Source(A))[0] == FINE
        assert server.exchanges[-1] == ""


@pytest.mark.parametrize("status", [400, 429, 500])
def test_other_answers_are_not_about_who_asks(status):
    with Tokens("", other=Answer(status)) as server:
        answer, notes, story = told(server, Source(A))
        assert "" not in server.exchanges
    assert "asked as source a" in refusal(answer).message
    assert notes == [] and "source a — refused" in story


def test_a_refresh_token_that_is_no_longer_valid():
    with Tokens("", other=Answer(400)) as server:
        server.members = ()
        keychain = Keychain((Source(Credential("source a", identity_token=CANARY)),))
        script = server.script
        server.script = lambda seen: (
            Answer(400)
            if seen.method == "POST"
            else Answer(200, {}, b'{"token": "in"}')
            if seen.path.startswith("/token")
            else script(seen)
        )
        one = resolver(keychain=keychain)
        question = Question(reference(f"{server.host}/team/app:1"))
        assert one.ask([question])[question] == FINE
        assert "source a: refused (HTTP 400 from the token server)" in one.notes[0]


def test_nobody_is_let_in_and_all_are_named():
    with Basic() as server:
        answer, notes, story = told(server, Source([A, B]))
        assert server.users == ["", "a", "b"]
    problem = refusal(answer)
    assert problem.rule == "no-permission"
    assert (
        "asked as source a, refused (HTTP 401), then as source b, refused (HTTP 401), then as anonymous, refused "
        "(HTTP 401))"
    ) in problem.message
    assert notes == []
    assert story.count("refused (HTTP 401)") == 3


def test_the_answer_nearest_to_the_image_is_told():
    with Tokens("", other=Answer(401), status=404) as server:
        server.members = ()
        server.script = lambda seen: (
            server.judge(seen)
            if seen.path.startswith("/token") and user_of(seen)
            else Answer(200, {}, b'{"token": "t"}')
            if seen.path.startswith("/token")
            else server.judge(seen)
        )
        problem = refusal(told(server, Source(A))[0])
    assert problem.rule == "not-found"
    assert "asked as source a, refused (HTTP 401 from the token server), then as anonymous" in problem.message


def test_what_has_worked_is_begun_with():
    with Basic("b") as server:
        one = resolver(keychain=Keychain((Source([A, B]),)))
        for _ in range(2):
            question = Question(reference(f"{server.host}/team/app:1"))
            assert one.ask([question])[question] == FINE
        assert server.users == ["", "a", "b", "b"]


def test_a_credential_that_is_not_asked_for_is_not_used():
    with FaultServer(proper) as server:
        assert told(server, Source(A), late(HELPER)) == (
            FINE,
            [],
            "source a — not demanded; anonymous — answered; late — not asked",
        )
        assert server.sent_credentials() == []


def test_a_broken_source_is_told_with_the_failure_only():
    broken = Source(KeychainError("x.json is not valid JSON"))
    with FaultServer(proper) as server:
        assert told(server, broken)[1] == []
    with Basic() as server:
        assert "asked as anonymous (x.json is not valid JSON)" in refusal(told(server, broken)[0]).message


def test_unless_somebody_has_named_it():
    broken = Source(KeychainError("the policy's credential: no X", explicit=True))
    with FaultServer(proper) as server:
        answer, notes, _ = told(server, broken)
    assert (answer, notes) == (FINE, [f"{server.host}: the policy's credential: no X"])


def test_a_note_is_made_once_for_a_host():
    with Tokens("", other=Answer(401)) as server:
        one = resolver(keychain=Keychain((Source(A),)))
        questions = [Question(reference(f"{server.host}/team/app{number}:1")) for number in range(20)]
        assert all(isinstance(answer, Resolved) for answer in one.ask(questions).values())
    assert len(one.notes) == 1


# Helpers and clouds wait.


def test_a_public_image_never_waits_for_a_helper():
    for script in (Tokens(""), FaultServer(proper)):
        helper = late(HELPER)
        with script as server:
            answer, notes, story = told(server, helper)
        assert (answer, notes, helper.asked) == (FINE, [], [])
        assert story == "anonymous — answered; late — not asked"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_helper_is_asked_when_anonymous_is_refused(status):
    helper = late(HELPER)
    with Tokens("helper", status=status) as server:
        answer, notes, story = told(server, helper)
        assert server.exchanges[0] == "" and server.exchanges[-1] == "helper"
    assert (answer, notes, len(helper.asked)) == (FINE, [], 1)
    assert "anonymous — refused" in story and story.endswith("source helper — used")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_or_the_anonymous_exchange(status):
    with Tokens("helper", other=Answer(status)) as server:
        assert told(server, late(HELPER))[0] == FINE
        assert server.exchanges == ["", "helper"]


def test_and_after_what_lies_ready():
    helper = late(HELPER)
    with Basic("helper") as server:
        assert told(server, helper, Source(A))[0] == FINE
        assert server.users == ["", "a", "helper"]


def test_a_broken_helper_is_told_when_anonymous_fails_too():
    with Basic() as server:
        problem = refusal(told(server, late(KeychainError("docker-credential-x is not on PATH")))[0])
    assert "asked as anonymous (docker-credential-x is not on PATH)" in problem.message


def test_a_missing_image_costs_one_more_round_and_one_question():
    helper = late(HELPER)
    with Tokens("helper", status=404) as server:
        server.members = ("", "helper")
        script = server.script
        server.script = lambda seen: (
            Answer(404) if "/gone/manifests" in seen.path and "authorization" in seen.headers else script(seen)
        )
        one = resolver(keychain=Keychain((helper,)), jobs=1)
        gone = Question(reference(f"{server.host}/team/gone:1"))
        assert refusal(one.ask([gone])[gone]).rule == "not-found"
        assert len(server.asked("/manifests/")) == 5  # the first 401; HEAD and GET as nobody, and as the helper's
        assert sorted(server.exchanges) == ["", "helper"]


def test_who_got_in_is_begun_with_for_other_images_too():
    with Basic("helper") as server:
        one = resolver(keychain=Keychain((late(HELPER),)))
        for first, last in ((0, 30), (30, 50)):
            before = len(server.seen)
            questions = [Question(reference(f"{server.host}/team/app{number}:1")) for number in range(first, last)]
            assert all(isinstance(answer, Resolved) for answer in one.ask(questions).values())
        assert server.users[before:] == ["helper"] * 20


def test_a_real_helper_is_run_once_for_fifty_images(tmp_path, isolation, monkeypatch):
    program = tmp_path / "docker-credential-test"
    answer = json.dumps({"Username": "helper", "Secret": CANARY})
    program.write_text(f"#!/bin/sh\necho x >> {tmp_path}/ran\necho '{answer}'\n")
    program.chmod(0o755)
    (isolation / ".docker").mkdir()
    (isolation / ".docker" / "config.json").write_text('{"credsStore": "test"}')
    environ = {"HOME": str(isolation), "PATH": f"{tmp_path}:/usr/bin:/bin", "XDG_RUNTIME_DIR": str(isolation)}
    with Basic("helper") as server:
        questions = [Question(reference(f"{server.host}/team/app{number}:1")) for number in range(50)]
        answers = resolver(keychain=ambient_keychain(environ)).ask(questions)
    assert all(isinstance(answer, Resolved) for answer in answers.values())
    assert (tmp_path / "ran").read_text() == "x\n"


def test_what_has_expired_is_renewed_once():
    old, new = who("old"), who("new")

    def obtain(match, wanted, environ):
        asked.append(wanted.stale)
        return new if wanted.stale else old

    asked = []
    with Basic("old", refusal=Answer(403)) as server:
        clouds = Clouds({}, [Cloud("Cloud", "x", re.compile(r"127\.0\.0\.1:\d+"), obtain)])
        one = resolver(keychain=Keychain((clouds,)))
        question = Question(reference(f"{server.host}/team/app:1"))
        assert one.ask([question])[question] == FINE
        server.members = ("new",)
        for number in range(3):
            again = Question(reference(f"{server.host}/team/app{number}:1"))
            assert isinstance(one.ask([again])[again], Resolved)
        assert asked == [None, old]
        server.members = ()
        assert refusal(one.ask([question])[question]).rule == "no-permission"
        assert len(asked) == 2


# Where a credential may not go.


@pytest.mark.parametrize("status", [401, 403, 404, 418, 500])
@pytest.mark.parametrize("echo", [CANARY, A.basic, f'{{"errors": [{{"code": "X", "message": "no {CANARY}"}}]}}'])
def test_a_credential_that_is_echoed_is_shown_to_nobody(status, echo):
    """`told` looks for it; here at the registry and at the token server, with HEAD refused so that bodies come."""
    answer = Answer(status, {}, echo.encode())
    with Tokens("a") as server:
        script = server.script
        server.script = lambda seen: answer if "authorization" in seen.headers else script(seen)
        first = told(server, Source(A))[0]
    with Tokens("a", status=404) as server:
        judge = server.judge
        server.script = lambda seen: (
            answer._replace(status=status if seen.method == "GET" else 403)
            if seen.headers.get("authorization") == "Bearer in"
            else judge(seen)
        )
        second = told(server, Source(A))[0]
    assert A.basic.partition(" ")[2] not in f"{first} {second}"


def test_a_host_that_is_not_trusted_asks_no_source_at_all():
    ready, helper = Source(A), late(HELPER)
    with Basic("a", "helper") as server:
        rule = RegistryRule(server.host, insecure=True, credentials_allowed=False)
        answer, notes, story = told(server, ready, helper, registries=[rule])
        assert server.sent_credentials() == [] == ready.asked + helper.asked
    assert "not trusted with credentials" in refusal(answer).message and "not trusted" in story


def test_a_realm_on_another_site_sees_nobody_and_the_rest_is_tried():
    with Tokens("") as realm:
        port = realm.host.partition(":")[2]
        with FaultServer(
            lambda seen: (
                proper(seen)
                if seen.headers.get("authorization") == "Bearer in"
                else bearer(f"http://localhost:{port}/token")
            )
        ) as server:
            answer, notes, _ = told(server, Source([A, B]))
        assert realm.exchanges == [""] and realm.sent_credentials() == []
    assert answer == FINE
    assert notes == [
        f"{server.host}: source {name}: kept from localhost:{port}, which is another site; asked as anonymous instead"
        for name in "ab"
    ]


# A 401 that does not say how.


class Silent(FaultServer):
    """Refuses without a challenge; only the API's root says `challenge`."""

    def __init__(self, challenge, *members, status=401):
        self.challenge, self.members, self.status = challenge, members, status
        super().__init__(self.judge)

    def judge(self, seen):
        if seen.path == "/v2/":
            return self.challenge
        return proper(seen) if user_of(seen) in self.members else Answer(self.status)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_root_is_asked_once_how_to_log_in(status):
    with Silent(BASIC, "a", status=status) as server:
        one = resolver(keychain=Keychain((Source(A),)))
        questions = [Question(reference(f"{server.host}/team/app{number}:1")) for number in range(20)]
        assert all(isinstance(answer, Resolved) for answer in one.ask(questions).values())
        assert server.asked("").count("GET /v2/") == 1


def test_a_token_for_nobody_may_be_had_that_way():
    with Tokens("") as server:
        script = server.script
        server.script = lambda seen: (
            Answer(401)
            if "/manifests/" in seen.path and "authorization" not in seen.headers
            else script(seen._replace(headers={}))
            if seen.path == "/v2/"
            else script(seen)
        )
        assert ask(server) == FINE


@pytest.mark.parametrize("root", [Answer(200), Answer(401), Answer(404), b""])
def test_a_root_that_knows_nothing(root):
    with Silent(root, "a", status=404) as server:
        answer, _, story = told(server, Source(A))
        assert server.asked("").count("GET /v2/") == 1 or root == b""
        assert server.sent_credentials() == []
    assert refusal(answer).rule == "not-found"
    assert "source a is not demanded" in refusal(answer).message
    assert story.startswith("source a — not demanded; anonymous — refused (HTTP 404)")


def test_nobody_asks_the_root_who_has_nothing_to_show():
    with Silent(BASIC, status=404) as server:
        assert refusal(ask(server)).rule == "not-found"
        assert server.asked("") == [HEAD, GET]


def test_a_helper_is_not_run_for_a_registry_that_wants_no_login():
    helper = late(HELPER)
    with Silent(Answer(200), status=404) as server:
        assert refusal(told(server, helper)[0]).rule == "not-found"
    assert helper.asked == []


# ACR: the registry exchanges a token of the cloud for one of its own.


def test_the_exchange_goes_to_the_registry_itself():
    def script(seen):
        if seen.path == "/oauth2/exchange":
            assert "access_token=entra" in seen.body.decode() and "authorization" not in seen.headers
            return Answer(200, {}, json.dumps({"refresh_token": CANARY}).encode())
        if seen.path == "/oauth2/token":
            fine = seen.method == "POST" and f"refresh_token={CANARY}" in seen.body.decode()
            return Answer(200, {}, b'{"access_token": "in"}') if fine else Answer(401)
        if seen.headers.get("authorization") == "Bearer in":
            return proper(seen)
        return Answer(401, {"WWW-Authenticate": f'Bearer realm="http://{server.host}/oauth2/token",service="x"'})

    def obtain(match, wanted, environ):
        return azure.exchange(wanted, "entra")

    with FaultServer(lambda seen: script(seen) if "?" not in seen.path else Answer(401)) as server:
        clouds = Clouds({}, [Cloud("ACR", "azure", re.compile(r"127\.0\.0\.1:\d+"), obtain)])
        one = resolver(keychain=Keychain((clouds,)))
        questions = [Question(reference(f"{server.host}/team/app{number}:1")) for number in range(10)]
        assert all(isinstance(answer, Resolved) for answer in one.ask(questions).values())
        assert server.asked("/oauth2/exchange") == ["POST /oauth2/exchange"]
    assert CANARY not in f"{one.notes} {one.stories}"


@pytest.mark.parametrize("answer", [Answer(302, {"Location": "http://127.0.0.1:1/x"}), Answer(500), b""])
def test_an_exchange_that_fails_is_told_and_never_redirected(answer):
    def obtain(match, wanted, environ):
        return azure.exchange(wanted, CANARY)

    with FaultServer(lambda seen: answer if seen.path == "/oauth2/exchange" else BASIC) as server:
        clouds = Clouds({}, [Cloud("ACR", "azure", re.compile(r"127\.0\.0\.1:\d+"), obtain)])
        problem = refusal(told(server, clouds)[0])
    assert problem.rule == "no-permission" and "asked as anonymous (ACR: " in problem.message


# Pull secrets: what one scope may see another may not.


def secret(host, user, name="regcred"):
    auth = base64.b64encode(f"{user}:{CANARY}".encode()).decode()
    return PullSecret("team", name, json.dumps({"auths": {host: {"auth": auth}}}))


def scoped(server, scopes, *questions):
    one = resolver(keychain=None, scopes=scopes, environ={"HOME": "/nobody", "XDG_RUNTIME_DIR": "/nobody"})
    asked = [Question(reference(f"{server.host}/{image}"), scope=scope) for image, scope in questions]
    answers = one.ask(asked)
    assert CANARY not in f"{answers} {one.notes} {one.stories}"
    return [answers[question] for question in asked], one


def test_each_scope_with_its_own_secret():
    with Basic("alice") as server:
        scopes = {"a": (secret(server.host, "alice"),), "m": (secret(server.host, "mallory"),)}
        (a, m, ambient), _ = scoped(server, scopes, *(("team/app:1", scope) for scope in ("a", "m", "ambient")))
        assert a == FINE
        assert "Secret team/regcred" in refusal(m).message
        assert "asked as anonymous" in refusal(ambient).message
        assert server.users.count("alice") == 1


def test_tokens_are_not_shared_between_scopes():
    with Tokens("alice") as server:
        scopes = {"a": (secret(server.host, "alice"),), "m": (secret(server.host, "mallory"),)}
        for order in (("a", "m"), ("m", "a")):
            answers, _ = scoped(server, scopes, *(("team/app:1", scope) for scope in order))
            assert [isinstance(answer, Resolved) for answer in answers] == [scope == "a" for scope in order]


def test_all_secrets_that_match_are_tried():
    with Basic("bob") as server:
        scopes = {"s": (secret(server.host, "alice"), secret(server.host, "bob", "other"))}
        (answer,), one = scoped(server, scopes, ("team/app:1", "s"))
    assert answer == FINE
    assert "Secret team/regcred" in one.notes[0] and "asked as Secret team/other" in one.notes[0]


def test_where_no_secret_matches_lookups_are_shared():
    with FaultServer(proper) as server:
        scopes = {name: (secret("other.test", name),) for name in "abc"}
        answers, _ = scoped(server, scopes, *(("team/app:1", scope) for scope in ("a", "b", "c", "ambient")))
        assert answers == [FINE] * 4
        assert server.asked("") == [HEAD]


def test_copies_of_one_secret_share_their_lookups():
    with Basic("alice") as server:
        scopes = {name: (secret(server.host, "alice")._replace(namespace=name),) for name in "abc"}
        answers, _ = scoped(server, scopes, *(("team/app:1", scope) for scope in "abc"))
        assert answers == [FINE] * 3
        assert server.users == ["", "alice"]


# The words.


def test_a_visit_that_has_gone_nowhere():
    assert (Visit().source(), Visit().story(), Visit().notes()) == ("anonymous", "", {})
