"""Which requests go through a proxy, what the proxy sees, and what is said when it will not."""

from __future__ import annotations

import socket

import pytest

from tests.registry.authority import Authority
from tests.registry.faults import (
    IMAGE,
    QUICK,
    Answer,
    FaultServer,
    ask,
    content_of,
    digest_of,
    proper,
    reference,
    refusal,
    resolver,
)
from tests.registry.middlemen import Proxy
from tests.tools import require_tool
from transformer.policy.questions import Question, Resolved
from transformer.registry.hosts import RegistryRule
from transformer.registry.keychain import Credential, Keychain
from transformer.registry.proxies import Proxies
from transformer.registry.transport import parse_url

FINE = Resolved(digest_of(content_of("/v2/team/app")), IMAGE)
CANARY = "canary-4711"
PROXY = "http://proxy.test:3128"


def chosen(url, **environ):
    proxy = Proxies({"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY, **environ}).choose(parse_url(url))
    return None if proxy is None else f"{proxy.url.scheme}://{proxy.url.origin}"


# Direct: what must not go through a proxy.


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("", "https://localhost/"),
        ("", "http://localhost:5000/"),
        ("", "http://a.localhost/"),
        ("", "https://127.0.0.1:5000/"),
        ("", "https://127.9.9.9/"),
        ("", "https://[::1]:5000/"),
        ("*", "https://registry.test/"),
        (" a.test , * ", "https://registry.test/"),
        ("registry.test", "https://registry.test/"),
        ("registry.test", "https://registry.test:5000/"),
        ("REGISTRY.test", "https://Registry.TEST/"),
        ("registry.test", "https://a.b.registry.test/"),
        (".registry.test", "https://a.registry.test/"),
        ("*.registry.test", "https://a.registry.test/"),
        ("registry.test:443", "https://registry.test/"),
        ("registry.test:5000", "https://a.registry.test:5000/"),
        (".registry.test:5000", "https://a.registry.test:5000/"),
        ("10.0.0.1", "https://10.0.0.1/"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000/"),
        ("10.0.0.0/8", "https://10.1.2.3:5000/"),
        ("10.1.2.3/8", "https://10.200.0.1/"),
        ("2001:db8::/32", "https://[2001:db8::5]:5000/"),
        ("2001:db8::5", "https://[2001:db8::5]/"),
        ("[2001:db8::5]:5000", "https://[2001:db8::5]:5000/"),
        ("10.0.0.0/8", "https://[::ffff:10.0.0.1]/"),
        ("::ffff:10.0.0.1", "https://10.0.0.1/"),
        ("[::ffff:10.0.0.1]:5000", "https://10.0.0.1:5000/"),
        ("::ffff:10.0.0.0/104", "https://10.9.0.1/"),
        ("registry.test:", "https://registry.test:5000/"),
        ("10.0.0.1:", "https://10.0.0.1:5000/"),
        ("b\u00fccher.example", "https://registry.xn--bcher-kva.example/"),
        ("*.B\u00dcCHER.example", "https://registry.xn--bcher-kva.example/"),
        ("x.test,,.svc,10.0.0.0/8", "https://registry.ns.svc/"),
    ],
)
def test_goes_directly(no_proxy, url):
    assert chosen(url, NO_PROXY=no_proxy) is None


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("", "https://registry.test/"),
        ("registry.test", "https://evilregistry.test/"),
        ("registry.test", "https://registry.test.evil.org/"),
        (".registry.test", "https://registry.test/"),
        ("*.registry.test", "https://registry.test/"),
        ("registry.test:5000", "https://registry.test/"),
        ("registry.test:5000", "https://registry.test:50001/"),
        ("10.0.0.1", "https://10.0.0.11/"),
        ("10.0.0.1:5000", "https://10.0.0.1/"),
        ("10.0.0.0/8", "https://11.0.0.1/"),
        ("10.0.0.0/8", "https://10.registry.test/"),
        ("0.0.0.0/0", "https://[2001:db8::5]/"),
        ("10.0.0.0/33", "https://10.0.0.1/"),
        ("10.0.0.0/255.0.0.0", "https://10.0.0.1/"),
        ("10.0.0.0/", "https://10.0.0.1/"),
        ("::ffff:10.0.0.1", "https://10.0.0.2/"),
        (":", "https://registry.test/"),
        ("\u00fc" * 80 + ".test", "https://registry.test/"),
        ("", "https://[64:ff9b::7f00:1]/"),
        ("**", "https://registry.test/"),
        ("reg*.test", "https://registry.test/"),
        (":5000", "https://registry.test:5000/"),
        (".", "https://registry.test/"),
        ("localhost.test", "https://registry.test/"),
    ],
)
def test_goes_through_the_proxy(no_proxy, url):
    assert chosen(url, NO_PROXY=no_proxy) == PROXY


@pytest.mark.parametrize(
    ("environ", "url", "expected"),
    [
        ({"HTTPS_PROXY": PROXY}, "http://registry.test/", None),
        ({"HTTP_PROXY": PROXY}, "https://registry.test/", None),
        ({"ALL_PROXY": PROXY}, "https://registry.test/", None),
        ({"https_proxy": PROXY}, "https://registry.test/", PROXY),
        ({"http_proxy": PROXY}, "http://registry.test/", PROXY),
        ({"HTTPS_PROXY": PROXY, "https_proxy": "http://other.test"}, "https://registry.test/", PROXY),
        ({"HTTPS_PROXY": "", "https_proxy": PROXY}, "https://registry.test/", PROXY),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "registry.test"}, "https://registry.test/", None),
        ({"HTTPS_PROXY": "proxy.test:3128"}, "https://registry.test/", PROXY),
        ({"HTTPS_PROXY": "https://proxy.test"}, "https://registry.test/", "https://proxy.test"),
        ({"HTTPS_PROXY": " http://proxy.test/ "}, "https://registry.test/", "http://proxy.test"),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, "https://registry.test/", "http://[::1]:3128"),
        # CGI: HTTP_PROXY is a client's header there.
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "http://registry.test/", None),
        ({"http_proxy": PROXY, "REQUEST_METHOD": "GET"}, "http://registry.test/", PROXY),
        ({"HTTPS_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "https://registry.test/", PROXY),
    ],
)
def test_variables(environ, url, expected):
    proxy = Proxies(environ).choose(parse_url(url))
    assert (None if proxy is None else f"{proxy.url.scheme}://{proxy.url.origin}") == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (f"socks5://user:{CANARY}@proxy.test:1080", "HTTPS_PROXY holds a proxy of kind socks5"),
        (f"http://user:{CANARY}@proxy.test:0", "HTTPS_PROXY holds no proxy's address"),
        (f"http://user:{CANARY}@", "HTTPS_PROXY holds no proxy's address"),
        (f"http://user:{CANARY}@host\N{ACCOUNT OF}.test", "HTTPS_PROXY holds no proxy's address"),
        (f"::error::{CANARY}", "HTTPS_PROXY holds no proxy's address"),
        (f"{CANARY}://x", "HTTPS_PROXY holds no proxy's address"),
    ],
)
def test_a_variable_that_holds_no_proxy(value, words):
    problem = refusal(ask("registry.test", environ={"HTTPS_PROXY": value}))
    assert problem.rule == "unreachable"
    assert words in problem.message
    assert "NO_PROXY" in problem.help
    assert CANARY not in str(problem)


def test_a_proxys_password_is_in_no_text_of_it():
    proxy = Proxies({"HTTPS_PROXY": f"http://user:{CANARY}@proxy.test"}).choose(parse_url("https://registry.test"))
    assert proxy.authorization.startswith("Basic ")
    assert repr(proxy) == "Proxy('proxy.test:80 (HTTPS_PROXY)')"
    assert CANARY not in f"{proxy!r} {proxy!s} {[proxy]}"


def test_escapes_in_user_and_password_are_read():
    import base64

    proxy = Proxies({"HTTPS_PROXY": "http://us%40er:p%3Aw%2F@proxy.test"}).choose(parse_url("https://registry.test"))
    assert base64.b64decode(proxy.authorization.partition(" ")[2]) == b"us@er:p:w/"


@pytest.mark.parametrize("user", ["us\udcffer:p\udcffw", "us%ffer:p%ffw"])
def test_a_byte_that_is_no_text_reaches_the_proxy_as_it_is(user):
    import base64

    proxy = Proxies({"HTTPS_PROXY": f"http://{user}@proxy.test"}).choose(parse_url("https://registry.test"))
    assert base64.b64decode(proxy.authorization.partition(" ")[2]) == b"us\xffer:p\xffw"


def test_what_is_no_environments_text_is_no_proxys_either():
    problem = refusal(ask("registry.test", environ={"HTTPS_PROXY": f"http://user:{CANARY}\ud800@proxy.test"}))
    assert (problem.rule, CANARY in str(problem)) == ("unreachable", False)
    assert "HTTPS_PROXY holds no proxy's address" in problem.message


# Plain http: handed over whole.


def plain(server, proxy, host="plain.test", **options):
    """Asks for a host that only the proxy finds."""
    name = f"{host}:{server.server_address[1]}"
    options = {"environ": {"HTTP_PROXY": proxy if isinstance(proxy, str) else proxy.url}, **options}
    return ask(name, registries=[RegistryRule(name, insecure=True)], **options)


class Keys(Keychain):
    deferred = False

    def __init__(self):
        super().__init__((self,))

    def about(self, wanted):
        return "config.json"

    def resolve(self, wanted):
        return [Credential("config.json", "user", "registry-password")]


def test_plain_http_is_forwarded():
    with FaultServer(proper) as server, Proxy(f"user:{CANARY}") as proxy:
        assert plain(server, proxy) == FINE
        port = server.server_address[1]
        assert proxy.asked() == [f"HEAD http://plain.test:{port}/v2/team/app/manifests/1"]
        assert server.seen[0].headers["host"] == f"plain.test:{port}"
        assert "proxy-authorization" not in server.seen[0].headers


def test_the_registrys_credential_is_not_the_proxys():
    basic = Answer(401, {"WWW-Authenticate": "Basic"})
    with FaultServer(lambda seen: proper(seen) if "authorization" in seen.headers else basic) as server:
        with Proxy(f"user:{CANARY}") as proxy:
            assert plain(server, proxy, keychain=Keys()) == FINE
            sent = {seen.headers["proxy-authorization"] for seen in proxy.seen}
        assert len(sent) == 1 and not sent & set(server.sent_credentials())


def test_loopback_is_asked_directly():
    with FaultServer(proper) as server, Proxy() as proxy:
        assert ask(server, environ={"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url}) == FINE
        assert proxy.seen == []


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "0.0.0.0", "[fe80::1]", "100.100.100.200", "metadata.google.internal"]
)
def test_behind_a_proxy_literal_addresses_are_judged(host):
    with Proxy() as proxy:
        name = f"{host}:5000"
        rule = RegistryRule(name, insecure=True)
        problem = refusal(ask(name, registries=[rule], environ={"HTTP_PROXY": proxy.url}))
        assert proxy.seen == []
    assert problem.rule == "unreachable"
    assert "it is not asked" in problem.message


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/x", "http://2852039166/x", "http://metadata.google.internal/"]
)
def test_and_so_are_those_of_redirects(location):
    with FaultServer(lambda seen: Answer(307, {"Location": location})) as server, Proxy() as proxy:
        problem = refusal(plain(server, proxy))
        assert len(proxy.seen) == 1
    assert "a metadata address; not followed" in problem.message


# The proxy will not.


CANNOT = {
    "no user": (Proxy, {"user": f"user:{CANARY}"}, "wants a user and a password (HTTP 407)", 1),
    "forbidden": (
        Proxy,
        {"answer": lambda seen: b"HTTP/1.1 403 No\r\n\r\n"},
        "gives no connection there (HTTP 403)",
        1,
    ),
    "no target": (
        Proxy,
        {"answer": lambda seen: b"HTTP/1.1 503 No\r\n\r\n"},
        "gives no connection there (HTTP 503)",
        4,
    ),
    "hangs up": (Proxy, {"answer": lambda seen: b""}, "broke off the connection", 4),
    "not HTTP": (Proxy, {"answer": lambda seen: b"SSH-2.0-x\r\n\r\n"}, "is no proxy", 1),
    "no end": (Proxy, {"answer": lambda seen: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000}, "is no proxy", 1),
    "chatty": (Proxy, {"answer": lambda seen: b"HTTP/1.1 200 OK\r\n\r\nhello"}, "is no proxy", 1),
}


@pytest.mark.parametrize("case", CANNOT)
def test_a_proxy_that_gives_no_tunnel_is_named(case):
    make, options, words, asked = CANNOT[case]
    with make(**options) as proxy:
        problem = refusal(ask("registry.test", environ={"HTTPS_PROXY": f"http://{proxy.host}"}))
        assert proxy.asked() == ["CONNECT registry.test:443"] * asked
    assert problem.rule == "unreachable"
    assert "registry.test/team/app:1: registry.test: " in problem.message
    assert f"{proxy.host} (HTTPS_PROXY) {words}" in problem.message
    assert "PROXY" in problem.help


def test_a_wrong_password_is_named_and_not_shown():
    with Proxy("user:right") as proxy:
        url = f"http://user:{CANARY}@{proxy.host}"
        problem = refusal(ask("registry.test", environ={"HTTPS_PROXY": url}))
        with FaultServer(proper) as server:
            forwarded = refusal(plain(server, url))
            assert server.seen == []
    for one in (problem, forwarded):
        assert (one.rule, "refuses the user name and password of its URL (HTTP 407)" in one.message) == (
            "unreachable",
            True,
        )
        assert CANARY not in str(one) and "dXNlcj" not in str(one)


def test_a_proxy_that_is_not_there_is_asked_once():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    one = resolver(environ={"HTTPS_PROXY": f"http://user:{CANARY}@127.0.0.1:{port}"}, jobs=1)
    questions = [Question(reference(f"registry.test/app{number}:1")) for number in range(5)]
    problems = [refusal(answer) for answer in one.ask(questions).values()]
    assert one.requests == 1
    assert all("the proxy of HTTPS_PROXY is not reached: 127.0.0.1:" in problem.message for problem in problems)
    assert all("connection refused" in problem.message and CANARY not in str(problem) for problem in problems)


def test_a_proxy_that_never_answers_is_cut_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        problem = refusal(ask("registry.test", environ=environ, limits=QUICK._replace(request=0.3)))
    assert problem.rule == "timeout"
    assert "HTTPS_PROXY" in problem.message


# Through a tunnel.


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    require_tool("openssl")
    return Authority(tmp_path_factory.mktemp("proxied"))


def secure(server, environ, ca, **options):
    name = f"registry.test:{server.server_address[1]}"
    return ask(name, registries=[RegistryRule(name, ca_bundle=ca)], environ=environ, **options)


def test_a_tunnel(authority):
    tls = authority.server("registry", "registry.test")
    with FaultServer(proper, tls=tls) as server, Proxy(f"user:{CANARY}") as proxy:
        assert secure(server, {"HTTPS_PROXY": proxy.url}, authority.ca) == FINE
        assert proxy.asked() == [f"CONNECT registry.test:{server.server_address[1]}"]
        assert set(proxy.seen[0].headers) == {"host", "user-agent", "proxy-authorization"}
        assert "proxy-authorization" not in server.seen[0].headers


def test_the_proxy_sees_nothing_of_a_credential_in_a_tunnel(authority):
    basic = Answer(401, {"WWW-Authenticate": "Basic"})
    tls = authority.server("registry", "registry.test")
    with FaultServer(lambda seen: proper(seen) if "authorization" in seen.headers else basic, tls=tls) as server:
        with Proxy() as proxy:
            assert secure(server, {"HTTPS_PROXY": proxy.url}, authority.ca, keychain=Keys()) == FINE
            assert len(proxy.seen) == 1  # the connection is kept
            assert "authorization" not in proxy.seen[0].headers


def test_the_registrys_certificate_is_verified_in_a_tunnel(authority):
    tls = authority.server("other", "other.test")
    with FaultServer(proper, tls=tls) as server, Proxy() as proxy:
        problem = refusal(secure(server, {"HTTPS_PROXY": proxy.url}, authority.ca))
        assert server.seen == []
    assert problem.rule == "tls"
    assert f"through the proxy {proxy.host} (HTTPS_PROXY)" in problem.message


def test_many_through_a_tunnel(authority):
    tls = authority.server("registry", "registry.test")
    with FaultServer(proper, delay=0.02, tls=tls) as server, Proxy() as proxy:
        name = f"registry.test:{server.server_address[1]}"
        rule = RegistryRule(name, ca_bundle=authority.ca)
        one = resolver(registries=[rule], environ={"HTTPS_PROXY": proxy.url})
        answers = one.ask([Question(reference(f"{name}/team/app{number}:1")) for number in range(60)])
        assert all(isinstance(answer, Resolved) for answer in answers.values())
        assert len(proxy.seen) <= 33  # one rests (connections.py)


def test_a_proxy_that_is_reached_over_tls(authority, monkeypatch):
    _proxy_test_is_here(monkeypatch)
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca)
    tls = authority.server("registry", "registry.test")
    with FaultServer(proper, tls=tls) as server, Proxy(tls=authority.server("proxy", "proxy.test")) as proxy:
        name = f"registry.test:{server.server_address[1]}"
        one = resolver(environ={"HTTPS_PROXY": proxy.url})
        for tag in ("1", "2"):
            question = Question(reference(f"{name}/team/app:{tag}"))
            assert one.ask([question])[question] == FINE
        assert proxy.asked() == [f"CONNECT {name}"] * 2


@pytest.mark.parametrize("host", ["other.test", "proxy.test"])
def test_the_certificate_of_a_proxy_is_verified(authority, monkeypatch, host):
    _proxy_test_is_here(monkeypatch)
    if host == "other.test":
        monkeypatch.setenv("SSL_CERT_FILE", authority.ca)
    with Proxy(f"user:{CANARY}", tls=authority.server("wrong", host)) as proxy:
        problem = refusal(ask("registry.test", environ={"HTTPS_PROXY": proxy.url}))
        assert proxy.seen == []
    assert problem.rule == "tls"
    assert "no TLS connection to the proxy proxy.test:" in problem.message
    assert CANARY not in str(problem)


def test_inside_the_tls_of_a_proxy_the_registry_is_verified_too(authority, monkeypatch):
    _proxy_test_is_here(monkeypatch)
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca)
    tls = authority.server("other", "other.test")
    with FaultServer(proper, tls=tls) as server, Proxy(tls=authority.server("proxy", "proxy.test")) as proxy:
        problem = refusal(secure(server, {"HTTPS_PROXY": proxy.url}, authority.ca))
        assert server.seen == []
    assert problem.rule == "tls"


def _proxy_test_is_here(monkeypatch):
    def answer(host, port, *args, **rest):
        assert host in ("proxy.test", "127.0.0.1"), "everything else is looked up by the proxy"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
