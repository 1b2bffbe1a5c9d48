"""A proxy for tests: does CONNECT and forwards plain http, keeps what it was asked, and refuses as told.

    with Proxy() as proxy: … {"HTTPS_PROXY": proxy.url}

Every name leads to this machine: a proxy does its own look-ups, and the tests' hosts are nowhere else.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.registry.faults import Seen


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_CONNECT(self) -> None:
        self.close_connection = True
        if self._refused():
            return
        with socket.create_connection(self.server.leads_to(self.path)) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 tests\r\n\r\n")
            back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
            back.start()
            _pump(self.connection, there)
            back.join(5)

    def do_GET(self) -> None:
        self.close_connection = True
        if self._refused():
            return
        url = urlsplit(self.path)
        there = http.client.HTTPConnection("127.0.0.1", url.port or 80, timeout=10)
        hidden = ("proxy-authorization", "connection")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in hidden}
        there.request(self.command, url.path + (f"?{url.query}" if url.query else ""), headers=headers)
        answer = there.getresponse()
        body = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        there.close()

    do_HEAD = do_GET

    def _refused(self) -> bool:
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers)
        self.server.seen.append(seen)
        answer = self.server.refusal(seen)
        if answer is not None:
            with suppress(OSError):
                self.wfile.write(answer)
        return answer is not None

    def log_message(self, *args: Any) -> None:
        pass


class Proxy(ThreadingHTTPServer):
    """On a free loopback port, over TLS when given a context. `user` is `name:password`, without which it says 407."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        user: str | None = None,
        answer: Callable[[Seen], bytes | None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._user, self._answer, self._tls = user, answer, tls
        self.seen: list[Seen] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """As for HTTPS_PROXY, with user and password."""
        scheme = "https" if self._tls is not None else "http"
        name = "proxy.test" if self._tls is not None else "127.0.0.1"
        return f"{scheme}://{self._user + '@' if self._user else ''}{name}:{self.server_address[1]}"

    def refusal(self, seen: Seen) -> bytes | None:
        """What to answer instead of doing it."""
        wanted = None if self._user is None else "Basic " + b64encode(self._user.encode()).decode()
        if wanted is not None and seen.headers.get("proxy-authorization") != wanted:
            return (
                b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
            )
        return self._answer(seen) if self._answer is not None else None

    def leads_to(self, place: str) -> tuple[str, int]:
        """Where a CONNECT to `host:port` ends."""
        return "127.0.0.1", int(place.rpartition(":")[2])

    def asked(self) -> list[str]:
        return [f"{seen.method} {seen.path}" for seen in self.seen]

    def get_request(self) -> Any:
        sock, address = super().get_request()
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return sock, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence: clients that hang up are expected here."""

    def __enter__(self) -> Proxy:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
