"""A real redis-server on a free loopback port, and proxies that misbehave between it and its clients."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.tools import require_tool
from transformer.registry.cache.shared import Server, connect

_START_SECONDS = 10.0


class Redis:
    """A running server: `server` says where it is."""

    def __init__(self, process: subprocess.Popen[bytes], server: Server) -> None:
        self.process, self.server = process, server

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.server.port}"

    def client(self):
        return connect(self.server, 5.0)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def redis_server(
    folder: Path, *options: str, tls: tuple[Path, Path] | None = None, **server: object
) -> Iterator[Redis]:
    """Runs redis-server with `options` until the block ends; `tls` is a certificate and its key."""
    port = free_port()
    plain = ["--port", str(port)]
    if tls is not None:
        certificate, key = map(str, tls)
        plain = ["--port", "0", "--tls-port", str(port), "--tls-cert-file", certificate, "--tls-key-file", key]
        plain += ["--tls-auth-clients", "no"]
    command = [require_tool("redis-server"), *plain, "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with (
        (folder / "redis.log").open("wb") as log,
        subprocess.Popen([*command, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process,
    ):
        try:
            _wait(process, port, folder / "redis.log")
            yield Redis(process, Server("127.0.0.1", port, **server))
        finally:
            process.kill()
            process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise AssertionError(f"redis-server did not start: {log.read_text(errors='replace')[-1000:]}")


@contextmanager
def listener(serve: Callable[[socket.socket], None]) -> Iterator[Server]:
    """Something that listens like a Redis; `serve` has each connection in a thread of its own."""
    sockets: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=128) as one:

        def accept() -> None:
            while True:
                try:
                    connection = one.accept()[0]
                except OSError:
                    return
                sockets.append(connection)
                threading.Thread(target=_quietly, args=(serve, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield Server("127.0.0.1", one.getsockname()[1])
        finally:
            one.shutdown(socket.SHUT_RDWR)
            for connection in sockets:
                connection.close()


def _quietly(serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with suppress(OSError):
        serve(connection)


def slow(target: Server, seconds: float) -> Callable[[socket.socket], None]:
    """Each answer of `target` comes later than it would."""

    def serve(connection: socket.socket) -> None:
        with socket.create_connection((target.host, target.port)) as behind:
            while asked := connection.recv(1 << 20):
                behind.sendall(asked)
                answer = behind.recv(1 << 20)
                time.sleep(seconds)
                connection.sendall(answer)

    return serve


def says(answer: bytes) -> Callable[[socket.socket], None]:
    """The same answer to everything."""

    def serve(connection: socket.socket) -> None:
        while connection.recv(1 << 16):
            connection.sendall(answer)

    return serve


def silent(connection: socket.socket) -> None:
    """Never answers."""
    while connection.recv(1 << 16):
        pass


def dripping(connection: socket.socket) -> None:
    """Answers without end, a byte every 20 ms."""
    connection.recv(1 << 16)
    for byte in b"+" + b"x" * 3000:
        connection.sendall(bytes((byte,)))
        time.sleep(0.02)
