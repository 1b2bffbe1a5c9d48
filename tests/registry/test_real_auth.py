"""Against a real docker-registry behind TLS, Basic, client certificates and tokens, with a CA of the tests' own."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import registries
from tests.registry.authority import Authority
from tests.registry.faults import Answer, FaultServer, Seen, reference, refusal, resolver
from tests.registry.middlemen import Proxy
from tests.tools import require_tool
from transformer.policy.questions import Question, Resolved
from transformer.registry.hosts import RegistryRule

CANARY = "canary-4711"
NAME = "registry.test"


class Secure(registries.Registry):
    """A registry behind TLS: pushes go over https, with a client certificate when there is one, and maybe a token."""

    def __init__(self, host, context, user=None, password="", token=None):
        super().__init__(host, user, password)
        self.context, self.token = context, token

    def _call(self, method, target, body=None, media_type=None, headers=None, expect=None):
        sent = dict(headers or {})
        if media_type is not None:
            sent["Content-Type"] = media_type
        if self.user is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        connection = HTTPSConnection(self.host, timeout=10, context=self.context)
        connection.request(method, target, body, sent)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        response = registries.Response(answer.status, found, answer.read())
        connection.close()
        assert expect is None or response.status in expect, (method, target, response)
        return response


@contextmanager
def serve(root, http=None, auth=None) -> Iterator[str]:
    """docker-registry with more under `http` and `auth`; gives 127.0.0.1:port."""
    root.mkdir()
    config = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(root / "storage")}},
        "http": {"addr": "127.0.0.1:0", "secret": "of no importance on loopback", **(http or {})},
        **({"auth": auth} if auth else {}),
    }
    (root / "config.yml").write_text(json.dumps(config))
    command = [require_tool("docker-registry"), "serve", str(root / "config.yml")]
    with registries._process(command, root / "log", r"listening on (127\.0\.0\.1:\d+)\D") as host:
        yield host


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    require_tool("openssl")
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.sign("server", NAME, "127.0.0.1")
    made.sign("client", client=True)
    return made


def client_context(authority):
    context = ssl.create_default_context(cafile=authority.ca)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # a CA as openssl makes it, without key usage
    context.load_cert_chain(str(authority.root / "client.pem"), str(authority.root / "client.key"))
    return context


def tls(authority, **more):
    return {"certificate": str(authority.root / "server.pem"), "key": str(authority.root / "server.key"), **more}


BUILT = registries.multi_platform("secured")


@pytest.fixture(scope="module")
def basic(authority, tmp_path_factory):
    """htpasswd and TLS."""
    root = tmp_path_factory.mktemp("basic")
    (root / "htpasswd").write_text(registries.HTPASSWD)
    auth = {"htpasswd": {"realm": "tests", "path": str(root / "htpasswd")}}
    with serve(root / "registry", {"tls": tls(authority)}, auth) as host:
        registry = Secure(host, client_context(authority), registries.USER, registries.PASSWORD)
        registry.push_image("team/app", "1", BUILT)
        yield registry


@pytest.fixture(scope="module")
def demanding(authority, tmp_path_factory):
    """TLS with a client certificate."""
    with serve(
        tmp_path_factory.mktemp("demanding") / "registry", {"tls": tls(authority, clientcas=[authority.ca])}
    ) as host:
        registry = Secure(host, client_context(authority))
        registry.push_image("team/app", "1", BUILT)
        yield registry


@pytest.fixture
def named(monkeypatch):
    """registry.test is this machine: certs.d and SSL_CERT_FILE are for hosts that speak https without being told to."""
    import socket

    look_up = socket.getaddrinfo

    def answer(host, *args, **rest):
        return look_up("127.0.0.1" if host == NAME else host, *args, **rest)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return lambda registry: f"{NAME}:{registry.host.partition(':')[2]}"


@pytest.fixture
def login(isolation):
    """Logs in as docker does: `login(host, password)` writes config.json, and the resolver finds it by itself."""

    def write(host, password):
        (isolation / ".docker").mkdir(exist_ok=True)
        entry = {"auth": base64.b64encode(f"{registries.USER}:{password}".encode()).decode()}
        (isolation / ".docker" / "config.json").write_text(json.dumps({"auths": {host: entry}}))
        return {"keychain": None}

    return write


def ask(host, image="team/app:1", ca=None, **options):
    rule = RegistryRule(host, ca_bundle=ca)
    question = Question(reference(f"{host}/{image}"))
    one = resolver(**{"registries": [rule], "allowed_hosts": frozenset((host,)), **options})
    return one.ask([question])[question]


FINE = Resolved(BUILT.digest, BUILT.media_type)


# Basic over TLS.


def test_basic_with_a_ca_bundle(basic, authority, login):
    assert ask(basic.host, ca=authority.ca, **login(basic.host, registries.PASSWORD)) == FINE


def test_basic_with_ssl_cert_file(basic, authority, named, monkeypatch, login):
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca)
    assert ask(named(basic), **login(named(basic), registries.PASSWORD)) == FINE


def test_basic_with_certs_d(basic, authority, named, tmp_path, login):
    directory = tmp_path / named(basic)
    directory.mkdir()
    (directory / "ca.crt").write_bytes((authority.root / "ca.pem").read_bytes())
    assert ask(named(basic), certs=(str(tmp_path),), **login(named(basic), registries.PASSWORD)) == FINE


def test_basic_through_a_proxy(basic, authority, named, login, monkeypatch):
    with Proxy(f"user:{CANARY}") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert ask(named(basic), ca=authority.ca, **login(named(basic), registries.PASSWORD)) == FINE
        assert proxy.asked() == [f"CONNECT {named(basic)}"]


def test_without_the_ca_nothing_is_sent(basic, named, login):
    problem = refusal(ask(named(basic), **login(named(basic), CANARY)))
    assert problem.rule == "tls"
    assert "caBundle" in problem.help and CANARY not in str(problem)


def test_a_wrong_password(basic, authority, login):
    problem = refusal(ask(basic.host, ca=authority.ca, **login(basic.host, CANARY)))
    assert problem.rule == "no-permission"
    assert "~/.docker/config.json (key " in problem.message and CANARY not in str(problem)


def test_anonymous(basic, authority):
    assert refusal(ask(basic.host, ca=authority.ca)).rule == "no-permission"


def test_https_is_not_spoken_in_plain(basic):
    """A registry on loopback that speaks only https, and no policy that says so."""
    problem = refusal(ask(basic.host))
    assert problem.rule == "registry-error"
    assert "HTTP 400" in problem.message


# Client certificates.


def test_a_client_certificate_of_certs_d(demanding, authority, named, tmp_path):
    directory = tmp_path / named(demanding)
    directory.mkdir()
    for name, source in (("ca.crt", "ca.pem"), ("client.cert", "client.pem"), ("client.key", "client.key")):
        (directory / name).write_bytes((authority.root / source).read_bytes())
    assert ask(named(demanding), certs=(str(tmp_path),)) == FINE


def test_no_client_certificate(demanding, authority):
    problem = refusal(ask(demanding.host, ca=authority.ca))
    assert problem.rule in ("tls", "registry-error")
    assert demanding.host in problem.message


# Tokens: a small token server in front of a real registry.


class TokenServer:
    """Signs tokens (RS256) that docker-registry accepts: anybody may pull team/public, USER may pull everything."""

    def __init__(self, authority, lifetime=300):
        self.authority, self.lifetime, self.granted = authority, lifetime, []
        der = authority.openssl("x509", "-in", "server.pem", "-outform", "DER")
        self._chain = [base64.b64encode(der).decode()]

    def token(self, account, access, skew=0.0):
        """A signed token; `skew` in seconds moves its time."""
        now = int(time.time() + skew)
        claims = {
            **{"iss": "tests", "sub": account, "aud": "the registry", "jti": f"{now}-{len(self.granted)}"},
            **{"iat": now, "nbf": now - 10, "exp": now + self.lifetime, "access": access},
        }
        head = {"typ": "JWT", "alg": "RS256", "x5c": self._chain}
        text = ".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
        signature = self.authority.openssl("dgst", "-sha256", "-sign", "server.key", stdin=text.encode())
        return f"{text}.{_base64url(signature)}"

    def __call__(self, seen: Seen):
        query = parse_qs(urlsplit(seen.path).query)
        account = ""
        if "authorization" in seen.headers:
            given = base64.b64decode(seen.headers["authorization"].partition(" ")[2]).decode()
            if given != f"{registries.USER}:{registries.PASSWORD}":
                return Answer(
                    401, {"Content-Type": "application/json"}, b'{"details": "incorrect username or password"}'
                )
            account = registries.USER
        access = []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":")
            assert (kind, actions) == ("repository", "pull")
            if account or name == "team/public":
                access.append({"type": kind, "name": name, "actions": ["pull"]})
        self.granted.append((account, [one["name"] for one in access]))
        answer = {"token": self.token(account, access), "expires_in": self.lifetime}
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Tokened:
    def __init__(self, registry, server, tokens):
        self.registry, self.server, self.tokens = registry, server, tokens
        self.host = registry.host


@pytest.fixture(scope="module")
def tokened(authority, tmp_path_factory):
    """A registry with `auth: token`, TLS, and the token server beside it, over TLS too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(authority.root / "server.pem"), str(authority.root / "server.key"))
    tokens = TokenServer(authority)
    with FaultServer(tokens, tls=context) as server:
        auth = {
            "token": {
                **{"realm": f"https://{server.host}/auth?tenant=7", "service": "the registry", "issuer": "tests"},
                "rootcertbundle": str(authority.root / "server.pem"),
            }
        }
        with serve(tmp_path_factory.mktemp("tokened") / "registry", {"tls": tls(authority)}, auth) as host:
            names = ["team/public", "team/app", *(f"team/app{number}" for number in range(12))]
            for name in names:
                access = [{"type": "repository", "name": name, "actions": ["pull", "push"]}]
                Secure(host, client_context(authority), token=tokens.token("pusher", access)).push_image(
                    name, "1", BUILT
                )
            yield Tokened(host_only(host), server, tokens)


def host_only(host):
    return registries.Registry(host)


@pytest.fixture(autouse=True)
def forget(request):
    if "tokened" in request.fixturenames:
        tokened = request.getfixturevalue("tokened")
        tokened.tokens.granted.clear()
        tokened.server.seen.clear()


def test_an_anonymous_token(tokened, authority):
    assert ask(tokened.host, "team/public:1", ca=authority.ca) == FINE
    assert tokened.tokens.granted == [("", ["team/public"])]
    assert tokened.server.asked("")[0].startswith("GET /auth?tenant=7&service=the+registry&scope=")


def test_a_token_for_a_credential(tokened, authority, login):
    assert ask(tokened.host, ca=authority.ca, **login(tokened.host, registries.PASSWORD)) == FINE
    assert (registries.USER, ["team/app"]) in tokened.tokens.granted


def test_a_token_that_grants_nothing(tokened, authority):
    problem = refusal(ask(tokened.host, ca=authority.ca))
    assert problem.rule == "no-permission"
    assert "not found or no permission" in problem.message
    assert "UNAUTHORIZED" in problem.message or "HTTP 401" in problem.message


def test_a_password_that_the_token_server_refuses(tokened, authority, login):
    problem = refusal(ask(tokened.host, ca=authority.ca, **login(tokened.host, CANARY)))
    assert problem.rule == "no-permission"
    assert "refused (HTTP 401 from the token server" in problem.message
    assert CANARY not in str(problem)


def test_one_token_for_each_repository(tokened, authority, login):
    host = tokened.host
    one = resolver(
        registries=[RegistryRule(host, ca_bundle=authority.ca)],
        allowed_hosts=frozenset((host,)),
        **login(host, registries.PASSWORD),
    )
    questions = [Question(reference(f"{host}/team/app{number}:1")) for number in range(12)]
    assert set(one.ask(questions).values()) == {FINE}
    granted = [names for account, names in tokened.tokens.granted if account]
    assert sorted(granted) == sorted([f"team/app{number}"] for number in range(12))


def test_a_token_from_a_server_whose_clock_is_behind_is_replaced(tokened, authority, monkeypatch, login):
    """The registry refuses the first token (it is over); the second, asked for once more, is good."""
    skews = [-10_000.0]
    sign = tokened.tokens.token
    monkeypatch.setattr(
        tokened.tokens, "token", lambda account, access: sign(account, access, skews.pop() if skews else 0.0)
    )
    assert ask(tokened.host, ca=authority.ca, **login(tokened.host, registries.PASSWORD)) == FINE
    assert len([account for account, _ in tokened.tokens.granted if account]) == 2


def test_a_trusted_realm_on_another_host(tokened, authority, named, login):
    """The realm is 127.0.0.1 and the registry registry.test: two sites, until the policy joins them."""
    host = named(tokened.registry)
    rule = RegistryRule(host, ca_bundle=authority.ca)
    options = {"allowed_hosts": frozenset((host,)), **login(host, registries.PASSWORD)}
    problem = refusal(ask(host, **{**options, "registries": [rule]}))
    assert problem.rule == "registry-error"
    assert "token server that is not asked: 127.0.0.1 is a loopback address" in problem.message
    assert tokened.server.seen == []
    trusting = rule._replace(trusted_realms=(tokened.server.host,))
    assert ask(host, **{**options, "registries": [trusting]}) == FINE
    assert (registries.USER, ["team/app"]) in tokened.tokens.granted
