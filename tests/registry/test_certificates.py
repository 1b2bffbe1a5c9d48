"""Whom TLS trusts, from where, and what is said about a file that is no good."""

from __future__ import annotations

import os
import socket
import ssl

import pytest

from tests.registry.authority import Authority
from tests.registry.faults import IMAGE, FaultServer, ask, content_of, digest_of, proper, reference, refusal, resolver
from tests.tools import require_tool
from transformer.policy.questions import Question, Resolved
from transformer.registry.certificates import Certificates
from transformer.registry.hosts import RegistryRule
from transformer.registry.transport import TransportError, Url

FINE = Resolved(digest_of(content_of("/v2/team/app")), IMAGE)
HTTPS = Url("https", "registry.test", 5443)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    require_tool("openssl")
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.sign("client", client=True)
    return made


@pytest.fixture(scope="module")
def context(authority):
    return authority.server("server", "registry.test", "127.0.0.1")


@pytest.fixture(scope="module")
def demanding(authority):
    """A server that wants a client's certificate."""
    return authority.server("demanding", "registry.test", clients=True)


@pytest.fixture
def names(monkeypatch):
    def answer(host, port, *args, **rest):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.fixture
def certs(tmp_path, authority):
    """Lays out a certs.d: `certs(host, **{"ca.crt": "ca.pem"})` copies files of the authority; answers its path."""

    def lay(host, root="certs.d", **files):
        directory = tmp_path / root / host
        directory.mkdir(parents=True, exist_ok=True)
        for name, source in files.items():
            text = (authority.root / source).read_bytes() if not isinstance(source, bytes) else source
            (directory / name).write_bytes(text)
        return (str(tmp_path / root),)

    return lay


def secure(server, ca=None, **options):
    name = f"registry.test:{server.server_address[1]}"
    rule = RegistryRule(name, ca_bundle=ca)
    return ask(name, registries=[rule], allowed_hosts=frozenset((name,)), **options)


CA = {"ca.crt": "ca.pem"}
CLIENT = {"client.cert": "client.pem", "client.key": "client.key"}


# Nobody else is trusted.


@pytest.mark.parametrize("host", ["other.test", "registry.test", "registry.test:1", "evil-registry.test"])
def test_another_hosts_directory_means_nothing(names, context, certs, host):
    with FaultServer(proper, tls=context) as server:
        problem = refusal(secure(server, certs=certs(host, **CA)))
        assert server.seen == []
    assert problem.rule == "tls"


def test_files_of_another_kind_are_not_read(names, context, certs):
    with FaultServer(proper, tls=context) as server:
        host = f"registry.test:{server.server_address[1]}"
        problem = refusal(secure(server, certs=certs(host, **{"ca.pem": "ca.pem", "ca.crt.bak": "ca.pem"})))
    assert "is not trusted" in problem.message


def test_no_directory_is_no_problem(tmp_path):
    made = Certificates({}, (str(tmp_path / "none"), "/dev/null"))
    assert made.context(HTTPS).verify_mode == ssl.CERT_REQUIRED
    assert made.context(HTTPS).check_hostname


# Who is.


def test_a_bundle_adds_to_what_is_trusted(authority):
    plain, more = Certificates({}, ()).context(HTTPS), Certificates({}, ()).context(HTTPS, authority.ca)
    assert len(more.get_ca_certs()) == len(plain.get_ca_certs()) + 1


def test_a_bundle_on_loopback_means_https(context, authority):
    with FaultServer(proper, tls=context) as server:
        rule = RegistryRule(server.host, ca_bundle=authority.ca)
        assert ask(server, registries=[rule]) == FINE


def test_certs_d(names, context, certs):
    with FaultServer(proper, tls=context) as server:
        host = f"registry.test:{server.server_address[1]}"
        assert secure(server, certs=certs(host, **CA)) == FINE


def test_several_directories(names, demanding, certs):
    with FaultServer(proper, tls=demanding) as server:
        host = f"registry.test:{server.server_address[1]}"
        directories = certs(host, "containers", **CA) + certs(host, "docker", **CLIENT)
        assert secure(server, certs=directories) == FINE


@pytest.mark.parametrize(
    ("url", "directory"),
    [
        (Url("https", "registry.test", 443), "registry.test"),
        (Url("https", "registry.test", 443), "registry.test:443"),
        (Url("https", "registry.test", 5000), "registry.test:5000"),
        (Url("https", "[::1]", 5000), "[::1]:5000"),
        (Url("https", "registry-1.docker.io", 443), "docker.io"),
        (Url("https", "registry-1.docker.io", 443), "registry-1.docker.io"),
    ],
)
def test_what_a_directory_is_called(certs, url, directory):
    plain = len(Certificates({}, ()).context(url).get_ca_certs())
    made = Certificates({}, certs(directory, **CA))
    assert len(made.context(url).get_ca_certs()) == plain + 1
    assert len(made.context(Url("https", "other.test", 443)).get_ca_certs()) == plain


@pytest.mark.parametrize("hashed", [False, True])
def test_ssl_cert_dir_is_read_with_and_without_hashes(names, context, authority, tmp_path, monkeypatch, hashed):
    name = "ca.pem"
    if hashed:
        name = authority.openssl("x509", "-hash", "-noout", "-in", "ca.pem").decode().strip() + ".0"
    (tmp_path / name).write_bytes((authority.root / "ca.pem").read_bytes())
    (tmp_path / "README").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_DIR", f"/nowhere:{tmp_path}")
    with FaultServer(proper, tls=context) as server:
        assert secure(server) == FINE


# Client certificates.


def test_a_client_certificate_is_shown(names, demanding, certs):
    with FaultServer(proper, tls=demanding) as server:
        host = f"registry.test:{server.server_address[1]}"
        assert secure(server, certs=certs(host, **CA, **CLIENT)) == FINE


def test_and_only_to_its_own_host(names, demanding, certs, authority):
    with FaultServer(proper, tls=demanding) as server:
        problem = refusal(secure(server, authority.ca, certs=certs("other.test", **CLIENT)))
        assert server.seen == []
    assert problem.rule in ("tls", "registry-error")  # TLS 1.3 says so after the handshake


@pytest.mark.parametrize(("first", "fine"), [("client", True), ("stranger", False)])
def test_of_several_the_first_by_name_counts(names, demanding, certs, authority, tmp_path, first, fine):
    (tmp_path / "elsewhere").mkdir()
    certificate, key = Authority(tmp_path / "elsewhere").sign("stranger", client=True)
    pairs = {"client": ("client.pem", "client.key"), "stranger": (certificate, key)}
    second = "stranger" if first == "client" else "client"
    files = {"a.cert": pairs[first][0], "a.key": pairs[first][1], "z.cert": pairs[second][0], "z.key": pairs[second][1]}
    with FaultServer(proper, tls=demanding) as server:
        host = f"registry.test:{server.server_address[1]}"
        assert (secure(server, authority.ca, certs=certs(host, **files)) == FINE) is fine


# What is no good is named.


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"client.cert": "client.pem"}, "client.cert cannot be used: client.key is not beside it"),
        ({"client.key": "client.key"}, "client.key cannot be used: client.cert is not beside it"),
        ({"ca.crt": b"garbage"}, "ca.crt cannot be used: it holds no certificate"),
        ({"ca.crt": b""}, "ca.crt cannot be used: it holds no certificate"),
        ({"ca.crt": b"-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n"}, "ca.crt cannot be used"),
        ({"a.cert": "client.pem", "a.key": b"canary"}, "a.cert with a.key cannot be used"),
        ({"a.cert": b"canary", "a.key": "client.key"}, "a.cert with a.key cannot be used"),
        ({"a.cert": "client.pem", "a.key": "server.key"}, "a.cert with a.key cannot be used"),
        ({"a\x1b[31m.cert": "client.pem"}, "is not beside it"),
    ],
)
def test_a_file_that_is_no_good(names, context, certs, files, words):
    with FaultServer(proper, tls=context) as server:
        host = f"registry.test:{server.server_address[1]}"
        problem = refusal(secure(server, certs=certs(host, **files)))
        assert server.seen == []
    assert (problem.rule, words in problem.message) == ("tls", True), problem
    assert "canary" not in str(problem) and "\x1b" not in str(problem)


def test_an_encrypted_key_asks_nobody_for_its_password(certs, authority):
    authority.openssl(*"rsa -aes128 -passout pass:canary -in client.key -out locked.key".split())
    directories = certs("registry.test:5443", **{"a.cert": "client.pem", "a.key": "locked.key"})
    with pytest.raises(TransportError, match=r"a\.cert with a\.key cannot be used") as caught:
        Certificates({}, directories).context(HTTPS)
    assert "must not be encrypted" in caught.value.help


def test_a_directory_that_may_not_be_read(certs, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("accepted in CI: root may read everything")
    directories = certs("registry.test:5443", **CA)
    (tmp_path / "certs.d" / "registry.test:5443").chmod(0)
    with pytest.raises(TransportError, match="cannot be used: Permission denied"):
        Certificates({}, directories).context(HTTPS)


def test_one_hosts_bad_file_does_not_stop_another(names, context, certs, authority):
    with FaultServer(proper, tls=context) as server:
        directories = certs("other.test", **{"ca.crt": b"garbage"})
        assert secure(server, authority.ca, certs=directories) == FINE
        one = resolver(certs=directories)
        question = Question(reference("other.test/team/app:1"))
        assert refusal(one.ask([question])[question]).rule == "tls"
        assert one.requests == 0


@pytest.mark.parametrize(
    ("variable", "content", "words"),
    [
        ("SSL_CERT_FILE", None, "No such file or directory"),
        ("SSL_CERT_FILE", "garbage", "it holds no certificate"),
        ("SSL_CERT_DIR", None, "No such file or directory"),
    ],
)
def test_a_bad_variable_is_named_where_it_matters(
    names, context, authority, tmp_path, monkeypatch, variable, content, words
):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(variable, str(path))
    with FaultServer(proper, tls=context) as server:
        assert secure(server, authority.ca) == FINE  # the bundle is enough
        problem = refusal(secure(server))
    assert problem.rule == "tls"
    assert "its certificate is not trusted" in problem.message
    assert f"{variable} {path}: {words}" in problem.message


# One context for each set of files, and none before it is needed.


def test_contexts_are_shared(authority, certs, monkeypatch):
    made = []
    create = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda *args, **rest: made.append(1) or create(*args, **rest))
    pool = Certificates({}, certs("own.test", **CA))
    first = pool.context(Url("https", "a.test", 443))
    assert pool.context(Url("https", "b.test", 8443, "/x")) is first
    assert pool.context(Url("https", "a.test", 443), authority.ca) is not first
    assert pool.context(Url("https", "b.test", 443), authority.ca) is pool.context(
        Url("https", "c.test", 443), authority.ca
    )
    assert pool.context(Url("https", "own.test", 443)) not in (
        first,
        pool.context(Url("https", "a.test", 443), authority.ca),
    )
    assert len(made) == 3


def test_plain_http_makes_no_context_and_reads_no_directory(monkeypatch, tmp_path):
    monkeypatch.setattr(ssl, "create_default_context", lambda *args, **rest: pytest.fail("a context was made"))
    monkeypatch.setattr(os, "listdir", lambda path: pytest.fail(f"{path} was read"))
    with FaultServer(proper) as server:
        assert ask(server, certs=(str(tmp_path),)) == FINE


def test_only_http_1_1_is_offered(authority, names):
    context, agreed = authority.server("alpn", "registry.test"), []
    context.set_alpn_protocols(["h2", "http/1.1"])

    class Watched(FaultServer):
        def answer(self, seen):
            agreed.extend(sock.selected_alpn_protocol() for sock in self.accepted)
            return super().answer(seen)

        def get_request(self):
            sock, address = super().get_request()
            self.accepted = [sock]
            return sock, address

    with Watched(proper, tls=context) as server:
        assert secure(server, authority.ca) == FINE
    assert agreed == ["http/1.1"]
