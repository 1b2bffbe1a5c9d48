"""TLS with a CA of the test's own, over real sockets."""

from __future__ import annotations

import shutil
import ssl
import subprocess

import pytest

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
from transformer.policy.questions import Question, Resolved
from transformer.registry.addresses import LOCAL, Dialler
from transformer.registry.deadline import Watch
from transformer.registry.hosts import RegistryRule
from transformer.registry.transport import Request, TransportError, Url
from transformer.registry.wire import Wire

FINE = Resolved(digest_of(content_of("/v2/team/app")), IMAGE)
HOST = "registry.test"


class Certificates:
    """A CA and a server certificate for registry.test; `expired` has another that is over."""

    def __init__(self, root):
        self.root, self.ca = root, str(root / "ca.pem")
        self._openssl(
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "2",
            "-subj",
            "/CN=Test CA",
        )
        self._openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=x"
        )
        (root / "extensions").write_text(f"subjectAltName=DNS:{HOST}\n")
        for name, days in (("server", "2"), ("expired", "-1")):
            self._openssl(
                "x509",
                "-req",
                "-in",
                "server.csr",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-out",
                f"{name}.pem",
                "-days",
                days,
                "-extfile",
                "extensions",
            )

    def context(self, name="server"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.root / f"{name}.pem", self.root / "server.key")
        return context

    def _openssl(self, *arguments):
        ran = subprocess.run(["openssl", *arguments], cwd=self.root, capture_output=True, text=True, timeout=60)
        if ran.returncode and "-1" in arguments:
            pytest.skip("accepted in CI: this openssl makes no certificate that is over")
        assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on PATH")
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def names(monkeypatch):
    """registry.test (and other.test) are this machine."""
    import socket

    def answer(host, port, **rest):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def over_tls(server, ca=None, host=HOST, **options):
    port = server.server_address[1]
    name = f"{host}:{port}"
    rule = RegistryRule(name, ca_bundle=ca)
    return ask(name, registries=[rule], allowed_hosts=frozenset((name,)), **options)


def test_a_ca_bundle_makes_it_trusted(certificates, names):
    with FaultServer(proper, tls=certificates.context()) as server:
        assert over_tls(server, certificates.ca) == FINE
        assert server.seen[0].headers["host"] == f"{HOST}:{server.server_address[1]}"


def test_ssl_cert_file_does_too(certificates, names, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", certificates.ca)
    with FaultServer(proper, tls=certificates.context()) as server:
        assert over_tls(server) == FINE


def test_an_unknown_ca_is_told_once_and_not_retried(certificates, names):
    with FaultServer(proper, tls=certificates.context()) as server:
        one_host = f"{HOST}:{server.server_address[1]}"
        one = resolver(allowed_hosts=frozenset((one_host,)), jobs=1)
        questions = [Question(reference(f"{one_host}/team/app{number}:1")) for number in range(5)]
        answers = one.ask(questions)
        assert (server.seen, one.requests) == ([], 1)
    problem = refusal(answers[questions[-1]])
    assert problem.rule == "tls"
    assert f"{one_host}: its certificate is not trusted" in problem.message
    assert "caBundle" in problem.help


def test_a_wrong_name(certificates, names):
    with FaultServer(proper, tls=certificates.context()) as server:
        problem = refusal(over_tls(server, certificates.ca, "other.test"))
        assert server.seen == []
    assert problem.rule == "tls"
    assert "other.test" in problem.message


def test_a_certificate_that_is_over(certificates, names):
    if not (certificates.root / "expired.pem").exists():
        pytest.skip("accepted in CI: this openssl makes no certificate that is over")
    with FaultServer(proper, tls=certificates.context("expired")) as server:
        problem = refusal(over_tls(server, certificates.ca))
    assert (problem.rule, "expired" in problem.message) == ("tls", True)


def test_plain_http_on_a_tls_port_is_no_downgrade(names):
    with FaultServer(proper) as server:
        problem = refusal(over_tls(server))
        assert server.seen == []
    assert problem.rule == "tls"
    assert "insecure" in problem.help


def test_a_ca_bundle_that_is_missing_or_none(names, tmp_path):
    (tmp_path / "empty.pem").write_text("no certificate")
    with FaultServer(proper) as server:
        for path, reason in ((tmp_path / "none.pem", "No such file"), (tmp_path / "empty.pem", "no certificate")):
            problem = refusal(over_tls(server, str(path)))
            assert (problem.rule, reason in problem.message) == ("tls", True), problem
            assert path.name in problem.message
        assert server.seen == []


def test_a_redirect_from_https_to_http_is_not_followed(certificates, names):
    with FaultServer(proper) as plain:
        target = f"http://{HOST}:{plain.server_address[1]}/v2/team/app/manifests/1"
        with FaultServer(lambda seen: Answer(307, {"Location": target}), tls=certificates.context()) as server:
            problem = refusal(over_tls(server, certificates.ca))
        assert plain.seen == []
    assert problem.rule == "registry-error"
    assert "from https to plain http" in problem.message


def test_a_realm_over_http_of_a_registry_over_https_is_not_asked(certificates, names):
    with FaultServer(proper) as plain:
        challenge = f'Bearer realm="http://{HOST}:{plain.server_address[1]}/token"'
        with FaultServer(
            lambda seen: Answer(401, {"WWW-Authenticate": challenge}), tls=certificates.context()
        ) as server:
            problem = refusal(over_tls(server, certificates.ca))
        assert plain.seen == []
    assert "is plain http, and the registry itself is not" in problem.message


def test_a_registry_not_on_loopback_may_not_redirect_there(certificates, names):
    with FaultServer(proper, tls=certificates.context()) as other:
        target = f"https://{HOST}:{other.server_address[1]}/x"
        with FaultServer(lambda seen: Answer(307, {"Location": target}), tls=certificates.context()) as server:
            problem = refusal(over_tls(server, certificates.ca))
        assert other.seen == []
    assert (
        "redirects to registry.test, which resolves to 127.0.0.1, a loopback address; not followed" in problem.message
    )


def test_a_handshake_that_never_ends(names):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"{HOST}:{silent.getsockname()[1]}"
        limits = QUICK._replace(request=0.3)
        problem = refusal(ask(host, allowed_hosts=frozenset((host,)), limits=limits))
    assert problem.rule == "timeout"


# The wire by itself.


def wire():
    import time

    return Wire(Watch(time.monotonic), Dialler(2), time.monotonic), time.monotonic() + 10


def request(server, method="GET", **more):
    return Request(method, Url("http", "127.0.0.1", server.server_address[1], "/x"), forbidden=LOCAL, **more)


def test_an_answer_is_taken_as_it_is():
    with FaultServer(lambda seen: Answer(418, {"X-Two": "1"}, b"teapot")) as server:
        transport, deadline = wire()
        response = transport.send(request(server), deadline)
        assert (response.status, response.header("x-two"), response.body) == (418, "1", b"teapot")
        assert transport.sent == 1
        transport.close()


def test_redirects_are_not_followed_here():
    with FaultServer(lambda seen: Answer(302, {"Location": "/y"})) as server:
        transport, deadline = wire()
        assert transport.send(request(server), deadline).status == 302
        assert server.asked("") == ["GET /x"]
        transport.close()


@pytest.mark.parametrize(("size", "fine"), [(0, True), (99, True), (100, True), (101, False)])
def test_the_limit_of_a_good_body(size, fine):
    with FaultServer(lambda seen: Answer(200, {}, b"x" * size)) as server:
        transport, deadline = wire()
        if fine:
            assert len(transport.send(request(server, limit=100), deadline).body) == size
        else:
            with pytest.raises(TransportError, match="sent more than"):
                transport.send(request(server, limit=100), deadline)
        transport.close()


def test_a_chunked_body():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with FaultServer(lambda seen: chunked) as server:
        transport, deadline = wire()
        assert transport.send(request(server), deadline).body == b"abcde"
        transport.close()


def test_an_endless_chunked_body_is_cut_at_the_limit():
    def endless(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            handler.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    with FaultServer(lambda seen: endless) as server:
        transport, deadline = wire()
        with pytest.raises(TransportError, match="sent more than 64 KiB"):
            transport.send(request(server, limit=64 * 1024), deadline)
        transport.close()


def test_an_error_body_is_cut_and_its_truncation_forgiven():
    truncated = b"HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\nshort"
    with FaultServer(lambda seen: truncated if seen.method == "POST" else Answer(403, {}, b"x" * 100_000)) as server:
        transport, deadline = wire()
        assert len(transport.send(request(server), deadline).body) == 64 * 1024
        assert transport.send(request(server, "POST"), deadline).status == 403
        transport.close()


def test_an_encoded_error_body_is_left_out():
    import gzip

    packed = gzip.compress(bytes(50 << 20))
    with FaultServer(lambda seen: Answer(403, {"Content-Encoding": "gzip"}, packed)) as server:
        transport, deadline = wire()
        response = transport.send(request(server), deadline)
        assert (response.status, response.body) == (403, b"")
        transport.close()


@pytest.mark.parametrize("status", [200, 403])
def test_an_answer_knows_the_secrets_of_its_request_and_its_body_is_left_alone(status):
    header = ("Authorization", "Bearer canary-4711")
    with FaultServer(lambda seen: Answer(status, {"Content-Type": IMAGE}, b"you sent canary-4711")) as server:
        transport, deadline = wire()
        response = transport.send(request(server, headers=(header,)), deadline)
        assert (response.body, response.secrets) == (b"you sent canary-4711", ("canary-4711",))
        transport.close()


@pytest.mark.parametrize("begun", [False, True])
def test_a_late_answer_says_whether_anything_was_heard(begun):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" if begun else b""

    def answer(handler):
        handler.wfile.write(head)
        server.stopped.wait(10)

    import time

    with FaultServer(lambda seen: answer) as server:
        transport = Wire(Watch(time.monotonic), Dialler(2), time.monotonic)
        with pytest.raises(TransportError) as caught:
            transport.send(request(server), time.monotonic() + 0.3)
        transport.close()
    assert (caught.value.rule, caught.value.connected) == ("timeout", begun)


def test_connections_are_shared_by_many_threads_without_mixing_answers():
    """A HEAD's answer has to be read before its connection goes to another thread."""
    import threading

    with FaultServer(lambda seen: Answer(200, {"X-Path": seen.path})) as server:
        transport, deadline = wire()
        wrong = []

        def work(number):
            for turn in range(20):
                url = Url("http", "127.0.0.1", server.server_address[1], f"/{number}/{turn}")
                response = transport.send(Request("HEAD", url, forbidden=LOCAL), deadline)
                if response.header("x-path") != url.target:
                    wrong.append(url.target)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        transport.close()
    assert (wrong, transport.sent) == ([], 320)
