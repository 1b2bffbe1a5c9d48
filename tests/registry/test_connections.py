"""Servers that say more than they are asked for: no answer is taken for that to another request."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.registry.authority import Authority
from tests.registry.faults import (
    IMAGE,
    FaultServer,
    content_of,
    digest_of,
    proper,
    reference,
    resolver,
)
from tests.tools import require_tool
from transformer.policy.questions import Question
from transformer.registry.addresses import LOCAL, Dialler
from transformer.registry.connections import REST
from transformer.registry.deadline import Watch
from transformer.registry.hosts import RegistryRule
from transformer.registry.retry import Limits
from transformer.registry.transport import Request, TransportError, Url
from transformer.registry.wire import Wire

OTHER = "sha256:" + "0" * 64
JSON = b'{"schemaVersion": 2, "mediaType": "x", "config": {}}'
FORGED = f"HTTP/1.1 200 OK\r\nContent-Type: {IMAGE}\r\nDocker-Content-Digest: {OTHER}\r\n\r\n".encode()


class Rude:
    """Answers HEAD well, and `late` seconds after each answer sends `more`, on a connection that it keeps open."""

    def __init__(self, more: bytes, late: float, tls=None):
        self._more, self._late, self._tls = more, late, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections, self.asked = 0, []

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            sock = self._tls.wrap_socket(sock, server_side=True) if self._tls is not None else sock
            with sock, sock.makefile("rb") as lines:
                while line := lines.readline():
                    while lines.readline() not in (b"\r\n", b""):
                        pass
                    self._answer(sock, line.split()[1].decode())
        except OSError:
            pass

    def _answer(self, sock, path):
        self.asked.append(path)
        digest = digest_of(content_of(path.partition("/manifests/")[0]))
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {IMAGE}\r\nDocker-Content-Digest: {digest}\r\nContent-Length: 52\r\n\r\n"
        )
        sock.sendall(head.encode())
        time.sleep(self._late)
        sock.sendall(self._more)

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *args):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def expected(host, count):
    return {
        Question(reference(f"{host}/team/app{number}:1")): digest_of(content_of(f"/v2/team/app{number}"))
        for number in range(count)
    }


def pinned(answers):
    return {question: getattr(answer, "digest", answer) for question, answer in answers.items()}


@pytest.mark.parametrize("jobs", [1, 2, 8])
@pytest.mark.parametrize("late", [0, 0.01])
@pytest.mark.parametrize("more", [JSON, FORGED, JSON * 1000], ids=["json", "forged", "much"])
def test_a_body_after_head_is_nobodys_answer(more, late, jobs):
    with Rude(more, late) as server:
        host = f"127.0.0.1:{server.port}"
        wanted = expected(host, 10)
        assert pinned(resolver(jobs=jobs).ask(list(wanted))) == wanted


def test_nor_inside_tls(tmp_path, monkeypatch):
    require_tool("openssl")
    authority = Authority(tmp_path)
    here = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, **rest: [(*here, ("127.0.0.1", port))])
    for more, late in ((FORGED, 0.01), (JSON, 0.01), (JSON * 1000, 0)):
        with Rude(more, late, authority.server("registry", "registry.test")) as server:
            host = f"registry.test:{server.port}"
            rule = RegistryRule(host, ca_bundle=authority.ca)
            wanted = expected(host, 10)
            one = resolver(jobs=2, registries=[rule], allowed_hosts=frozenset((host,)))
            assert pinned(one.ask(list(wanted))) == wanted


def test_what_comes_later_still_than_the_rest_is_noticed_when_it_is_no_answer():
    with Rude(JSON, 3 * REST) as server:
        host = f"127.0.0.1:{server.port}"
        wanted = expected(host, 6)
        assert pinned(resolver(jobs=1).ask(list(wanted))) == wanted


def test_polite_servers_keep_their_connections_and_one_rest_is_all_it_costs():
    peers = set()

    class Remembering(FaultServer):
        def get_request(self):
            sock, address = super().get_request()
            peers.add(address)
            return sock, address

    with Remembering(proper) as server:
        wanted = expected(server.host, 30)
        assert pinned(resolver(jobs=1).ask(list(wanted))) == wanted
    assert len(peers) == 2


def test_a_server_that_ends_its_connections_is_not_rude():
    def last(seen):
        return proper(seen)._replace(headers={**proper(seen).headers, "Connection": "close"})

    with FaultServer(last) as server:
        one = resolver(jobs=1)
        wanted = expected(server.host, 5)
        assert pinned(one.ask(list(wanted))) == wanted
        assert one.requests == 5


@pytest.mark.parametrize("secret", ["canary\nX: y", "canary\r", "canary-\N{EURO SIGN}", "canary\ud800"])
def test_a_header_that_cannot_be_sent_is_no_fault_of_the_registry(secret):
    with FaultServer(proper) as server:
        url = Url("http", "127.0.0.1", server.server_address[1], "/x")
        request = Request("GET", url, (("Authorization", f"Bearer {secret}"),), forbidden=LOCAL)
        transport = Wire(Watch(time.monotonic), Dialler(Limits().connect), time.monotonic)
        with pytest.raises(TransportError) as caught:
            transport.send(request, time.monotonic() + 10)
        transport.close()
        assert server.seen == []
    assert (caught.value.rule, caught.value.retryable) == ("no-permission", False)
    assert "the credential for it holds characters that no HTTP header can carry" in str(caught.value)
    error: BaseException | None = caught.value
    while error is not None:
        assert "canary" not in str(error)
        error = error.__cause__
