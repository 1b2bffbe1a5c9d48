from __future__ import annotations

import json

import pytest

from transformer.registry.keychain import Credential
from transformer.registry.tokens import TokenKey, TokenRefused, Tokens, exchange, wanted_scopes, without_scopes
from transformer.registry.transport import Request, Response, Url

REALM = Url("https", "auth.test", 443, "/token")
KEY = TokenKey("registry.test", REALM, "service", ("repository:a:pull",), None)
USER = Credential("here", "user", "pass")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Server:
    """Gives the answers in turn and remembers the requests."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, request):
        self.asked.append(request)
        status, body = self.answers.pop(0)
        return Response(status, {}, json.dumps(body).encode(), request.url)


def grants(*lifetimes):
    return Server(*((200, {"token": f"t{number}", "expires_in": life}) for number, life in enumerate(lifetimes)))


def get(tokens, server, key=KEY, stale=None):
    return tokens.get(key, server, Request("GET", REALM), stale)


@pytest.mark.parametrize(
    "demanded",
    [
        "",
        "repository:a:pull",
        "repository:a:pull,push",
        "repository:a:*",
        "registry:catalog:*",
        "repository:A:pull",
        "x",
        "repository::pull",
        "repository:a",
        "repository:../b:pull",
        "repository:b\n:pull",
    ],
)
def test_scopes_that_stay_as_they_are(demanded):
    assert wanted_scopes("a", demanded) == ("repository:a:pull",)


def test_another_repository_may_be_demanded_and_only_for_pull():
    assert wanted_scopes("a", "repository:b/c:pull,push repository:d:*") == (
        "repository:a:pull",
        "repository:b/c:pull",
        "repository:d:pull",
    )
    assert len(wanted_scopes("a", " ".join(f"repository:r{number}:pull" for number in range(100)))) == 9


@pytest.mark.parametrize(
    ("lifetime", "known_after", "gone_after"),
    [
        (300, 289, 290),
        (60, 49, 50),
        (5, 49, 50),
        (0, 49, 50),
        (-1, 49, 50),
        (None, 49, 50),
        ("300", 49, 50),
        (True, 49, 50),
        (float("nan"), 49, 50),
        (10**400, 86389, 86390),
        (float("inf"), 86389, 86390),
    ],
)
def test_how_long_a_token_is_known(lifetime, known_after, gone_after):
    clock, server = Clock(), grants(lifetime, lifetime)
    tokens = Tokens(clock)
    assert get(tokens, server) == "t0"
    clock.now = 1000 + known_after
    assert get(tokens, server) == "t0"
    clock.now = 1000 + gone_after
    assert get(tokens, server) == "t1"


def test_a_stale_token_is_replaced_unless_it_has_been_already():
    tokens, server = Tokens(Clock()), grants(300, 300)
    assert get(tokens, server) == "t0"
    assert get(tokens, server, stale="t0") == "t1"
    assert get(tokens, server, stale="t0") == "t1"
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "other",
    [
        KEY._replace(origin="x"),
        KEY._replace(realm=REALM._replace(target="/x")),
        KEY._replace(service="x"),
        KEY._replace(scopes=("repository:b:pull",)),
        KEY._replace(credential=USER),
        KEY._replace(credential=USER._replace(password="other")),
    ],
)
def test_nothing_is_shared_between_different_keys(other):
    tokens, server = Tokens(Clock()), grants(300, 300)
    assert (get(tokens, server), get(tokens, server, other)) == ("t0", "t1")


def test_a_failure_is_not_remembered():
    tokens, server = Tokens(Clock()), Server((500, {}), (200, {"token": "t"}))
    with pytest.raises(TokenRefused):
        get(tokens, server)
    assert get(tokens, server) == "t"


@pytest.mark.parametrize(
    ("key", "target"),
    [
        (KEY, "/token?service=service&scope=repository:a:pull&client_id=pindown"),
        (KEY._replace(service=""), "/token?scope=repository:a:pull&client_id=pindown"),
        (
            KEY._replace(realm=REALM._replace(target="/t?x=1")),
            "/t?x=1&service=service&scope=repository:a:pull&client_id=pindown",
        ),
        (KEY._replace(service="a&b=c"), "/token?service=a%26b%3Dc&scope=repository:a:pull&client_id=pindown"),
        (
            KEY._replace(credential=USER),
            "/token?service=service&scope=repository:a:pull&client_id=pindown&account=user",
        ),
        (KEY._replace(scopes=("s1", "s2")), "/token?service=service&scope=s1&scope=s2&client_id=pindown"),
    ],
)
def test_what_a_token_server_is_asked(key, target):
    server = grants(60)
    exchange(key, server, Request("GET", REALM))
    (request,) = server.asked
    assert (request.method, request.url.target, request.body) == ("GET", target, None)
    assert dict(request.headers) == ({"Authorization": USER.basic} if key.credential else {})


def test_an_identity_token_without_a_password_has_no_get_to_fall_back_to():
    server = Server((404, {}))
    with pytest.raises(TokenRefused):
        exchange(KEY._replace(credential=Credential("here", identity_token="id")), server, Request("GET", REALM))
    assert [request.method for request in server.asked] == ["POST"]


@pytest.mark.parametrize(
    "answer", [{"token": ""}, {"token": None}, {"token": ["x"]}, {"token": "a b"}, {"token": "ä"}, {}, [], 1]
)
def test_answers_without_a_token(answer):
    with pytest.raises(TokenRefused) as caught:
        exchange(KEY, Server((200, answer)), Request("GET", REALM))
    assert caught.value.reason


def test_an_empty_token_beside_an_access_token():
    assert exchange(KEY, Server((200, {"token": "", "access_token": "a"})), Request("GET", REALM)) == ("a", 60.0)


@pytest.mark.parametrize(
    ("target", "left", "demanded"),
    [
        ("/token", "/token", ""),
        ("/token?a=b&c=d;e", "/token?a=b&c=d;e", ""),
        ("/token?scope=repository:x:push&service=other", "/token?service=other", "repository:x:push"),
        ("/token?a=b&SCOPE=x;%73cope=y", "/token?a=b", "x y"),
        ("/token?scope", "/token", ""),
    ],
)
def test_a_realms_own_scopes_are_demands(target, left, demanded):
    url, found = without_scopes(REALM._replace(target=target))
    assert (url.target, found) == (left, demanded)
