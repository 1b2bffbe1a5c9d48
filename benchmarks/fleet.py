"""What a fleet sends to a registry: many applications rendered several times, without a cache and with each.

    python benchmarks/fleet.py                    everything; without a cache that takes minutes
    python benchmarks/fleet.py sqlite redis       only these stores
    python benchmarks/fleet.py --small            a tenth of it, to see that it works

200 applications with 50 images each out of 1,000 distinct, eight processes at a time, three rounds, against a registry
that answers after 50 ms and says 429 to what goes beyond 100 requests in a second. Redis needs `redis-server` on PATH
and the extra `redis`. Asserts nothing; docs/scale.md reads these figures.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PINDOWN = [shutil.which("pindown", path=str(Path(sys.executable).parent)) or "pindown"]
#: Seconds before an answer, and requests in a second before the registry refuses.
LATENCY, LIMIT = 0.05, 100
PROCESSES, ROUNDS = 8, 3
#: Seconds that a run may take: longer than a host would wait, so that the figures are of whole runs.
TIMEOUT = 600


class Size(NamedTuple):
    """How much is rendered."""

    applications: int = 200
    images: int = 50
    distinct: int = 1000


class Registry:
    """Every image exists; what is asked too quickly is refused and counted."""

    def __init__(self) -> None:
        self.answered = self.refused = self._second = self._in_second = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                writer.write(await self._answer(method, path))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: str) -> bytes:
        if path == "/figures":
            body = json.dumps({"answered": self.answered, "refused": self.refused}).encode()
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        second = int(time.monotonic())
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        if self._in_second > LIMIT:
            self.refused += 1
            return b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
        self.answered += 1
        await asyncio.sleep(LATENCY)
        digest = hashlib.sha256(path.encode()).hexdigest()
        kind = "application/vnd.oci.image.index.v1+json"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nDocker-Content-Digest: sha256:{digest}\r\n"
        return f"{head}Content-Length: 1000\r\n\r\n".encode()


async def registry() -> None:
    """Serves until it is ended; prints its port."""
    server = await asyncio.start_server(Registry().serve, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def running_registry() -> Iterator[str]:
    """The registry in a process of its own; gives its host."""
    with subprocess.Popen([sys.executable, __file__, "registry"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


@contextmanager
def store(name: str, directory: Path) -> Iterator[dict[str, str]]:
    """The environment of a store, empty at first."""
    if name == "none":
        yield {"PINDOWN_CACHE": "off"}
    elif name == "sqlite":
        yield {"PINDOWN_CACHE": str(directory / "cache")}
    else:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            time.sleep(0.5)
            try:
                yield {"PINDOWN_CACHE": f"redis://127.0.0.1:{port}", "PINDOWN_CACHE_KEY": "of no importance here"}
            finally:
                process.terminate()


def application(host: str, number: int, size: Size) -> bytes:
    """The manifests of one application: the same images whenever it is made."""
    chance = random.Random(number)
    names = chance.sample(range(size.distinct), size.images)
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{0}}}\n"
    pod += "spec: {{containers: [{{name: a, image: '{1}/a/i{0}:1'}}]}}\n"
    return "---\n".join(pod.format(name, host) for name in names).encode()


def render(text: bytes, environ: dict[str, str]) -> tuple[float, bool]:
    """Seconds of one run, and whether it ended well."""
    command = [*PINDOWN, "render", "-", "--timeout", str(TIMEOUT)]
    began = time.monotonic()
    done = subprocess.run(command, input=text, env={**os.environ, **environ}, capture_output=True)
    if done.returncode != 0 and b"rate-limited" not in done.stderr:
        raise SystemExit(f"a run failed: {done.stderr.decode()[-500:]}")
    return time.monotonic() - began, done.returncode == 0


def figures(host: str) -> tuple[int, int]:
    """Requests that the registry has answered and refused."""
    told = json.loads(urllib.request.urlopen(f"http://{host}/figures").read())
    return told["answered"], told["refused"]


def measure(name: str, size: Size) -> None:
    """Prints a row for each round of a store."""
    with tempfile.TemporaryDirectory(prefix="pindown-fleet-") as below, running_registry() as host:
        texts = [application(host, number, size) for number in range(size.applications)]
        with store(name, Path(below)) as environ, ThreadPoolExecutor(PROCESSES) as pool:
            before = figures(host)
            for round_ in range(1, ROUNDS + 1):
                began = time.monotonic()
                runs = list(pool.map(lambda text: render(text, {**environ, "HOME": below}), texts))
                wall, after = time.monotonic() - began, figures(host)
                answered, refused = after[0] - before[0], after[1] - before[1]
                seconds = sorted(one[0] for one in runs)
                slowest, median = seconds[-1], seconds[len(seconds) // 2]
                failed = sum(not one[1] for one in runs)
                row = (name, round_, answered, refused, failed, f"{wall:.1f}", f"{median:.2f}", f"{slowest:.1f}")
                print("| " + " | ".join(map(str, row)) + " |", flush=True)
                before = after


def main(words: list[str]) -> None:
    """Runs what is wanted."""
    size = Size(20, 50, 100) if "--small" in words else Size()
    print(f"{size.applications} applications x {size.images} images of {size.distinct}, {PROCESSES} at a time\n")
    heads = ("cache", "round", "answered", "429", "failed runs", "wall s", "median run s", "slowest run s")
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for name in [word for word in words if word != "--small"] or ["none", "sqlite", "redis"]:
        measure(name, size)


if __name__ == "__main__":
    if sys.argv[1:] == ["registry"]:
        asyncio.run(registry())
    else:
        main(sys.argv[1:])
