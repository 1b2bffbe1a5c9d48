"""Registries that other people wrote, started on free loopback ports, and a client that pushes images to them.

The pushes speak the real protocol over http.client and share no code with `transformer.registry`, so that a mistake
there cannot agree with itself here. Images to push come from `image`, `index` and `multi_platform` of
fixtures/build_layout.py, which are re-exported. Source: OCI distribution-spec 1.1, "Push".
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from build_layout import (
    DOCKER_IMAGE,
    DOCKER_LIST,
    OCI_IMAGE,
    OCI_INDEX,
    Built,
    digest_of,
    image,
    index,
    multi_platform,
)

__all__ = [
    "DOCKER_IMAGE",
    "DOCKER_LIST",
    "OCI_IMAGE",
    "OCI_INDEX",
    "Built",
    "Registry",
    "Response",
    "crane",
    "debian",
    "digest_of",
    "image",
    "index",
    "multi_platform",
]

USER, PASSWORD = "pusher", "open sesame: ä"
#: `USER` and `PASSWORD` as htpasswd writes them, bcrypt at its cheapest cost.
HTPASSWD = "pusher:$2y$04$abcdefghijklmnopqrstuu/lOxFlwCa0g2rj4u5Cqd1ldP7cpyeYa\n"

_START_SECONDS = 10.0
_REF_NAME = "org.opencontainers.image.ref.name"


class Response(NamedTuple):
    """An answer: status, headers with lower-case names, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Registry:
    """A running registry at `host` (`127.0.0.1:port`) with, maybe, a user name and password."""

    def __init__(self, host: str, user: str | None = None, password: str = "") -> None:
        self.host, self.user, self.password = host, user, password

    def push(
        self, repository: str, reference: str, manifest: bytes, media_type: str, blobs: Mapping[str, bytes]
    ) -> str:
        """Stores blobs (by digest) and then the manifest under a tag or digest; answers the manifest's digest."""
        for digest, content in blobs.items():
            self._push_blob(repository, digest, content)
        self._call("PUT", f"/v2/{repository}/manifests/{reference}", manifest, media_type, expect=(201,))
        return digest_of(manifest)

    def push_image(self, repository: str, reference: str, built: Built) -> str:
        """Stores an image or index with all that belongs to it, children first; answers its digest."""
        for child in built.children:
            self.push_image(repository, child.digest, child)
        return self.push(repository, reference, built.content, built.media_type, built.blobs)

    def push_layout(self, layout: Path) -> dict[str, str]:
        """Stores every image of an OCI layout; answers the digests by `repository:tag`."""
        pushed = {}
        for descriptor in json.loads((layout / "index.json").read_bytes())["manifests"]:
            name = descriptor["annotations"][_REF_NAME]
            repository, _, tag = name.rpartition(":")
            pushed[name] = self.push_image(repository, tag, _read(layout, descriptor))
        return pushed

    def delete(self, repository: str, digest: str) -> None:
        """Removes a manifest by digest."""
        self._call("DELETE", f"/v2/{repository}/manifests/{digest}", expect=(202,))

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """Any request without a body, on a connection of its own, whatever its status."""
        return self._call(method, path, headers=headers)

    def _push_blob(self, repository: str, digest: str, content: bytes) -> None:
        started = self._call("POST", f"/v2/{repository}/blobs/uploads/", b"", expect=(202,))
        place = urlsplit(started.headers["location"])
        target = f"{place.path}?{place.query + '&' if place.query else ''}digest={digest}"
        self._call("PUT", target, content, "application/octet-stream", expect=(201,))

    def _call(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        media_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        expect: tuple[int, ...] | None = None,
    ) -> Response:
        sent = dict(headers or {})
        if media_type is not None:
            sent["Content-Type"] = media_type
        if self.user is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        connection = http.client.HTTPConnection(self.host, timeout=10)
        try:
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            response = Response(answer.status, found, answer.read())
        finally:
            connection.close()
        if expect is not None and response.status not in expect:
            raise AssertionError(f"{method} {target} at {self.host}: {response.status} {response.body[:300]!r}")
        return response


def _read(layout: Path, descriptor: Mapping[str, str]) -> Built:
    def blob(digest: str) -> bytes:
        return (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()

    content = blob(descriptor["digest"])
    body = json.loads(content)
    parts = [body["config"], *body["layers"]] if "config" in body else []
    blobs = {part["digest"]: blob(part["digest"]) for part in parts}
    children = tuple(_read(layout, child) for child in body.get("manifests", ()))
    return Built(content, descriptor["mediaType"], descriptor["digest"], blobs, children)


@contextmanager
def debian(program: str, root: Path, htpasswd: str | None = None) -> Iterator[Registry]:
    """Debian's docker-registry (distribution 2.8), stored under `root`; Basic auth when `htpasswd` is given."""
    config = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(root / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0", "secret": "of no importance on loopback"},
    }
    if htpasswd is not None:
        (root / "htpasswd").write_text(htpasswd)
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(root / "htpasswd")}}
    (root / "config.yml").write_text(json.dumps(config))
    with _process(
        [program, "serve", str(root / "config.yml")], root / "log", r"listening on (127\.0\.0\.1:\d+)\D"
    ) as host:
        yield Registry(host, USER if htpasswd else None, PASSWORD)


@contextmanager
def crane(program: str, root: Path) -> Iterator[Registry]:
    """`crane registry serve` of go-containerregistry, in memory."""
    command = [program, "registry", "serve", "--address", "127.0.0.1:0"]
    with _process(command, root / "log", r"serving on port (\d+)\s") as port:
        yield Registry(f"127.0.0.1:{port}")


@contextmanager
def _process(command: list[str], log: Path, pattern: str) -> Iterator[str]:
    """Runs a server until the block ends; gives the group of `pattern` in its log, which names the port it chose."""
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as it,
    ):
        try:
            yield _wait_for(log, pattern, it)
        finally:
            it.terminate()
            it.wait(10)


def _wait_for(log: Path, pattern: str, server: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        match = re.search(pattern, log.read_text(errors="replace"))
        if match is not None:
            return match[1]
        time.sleep(0.02)
    raise AssertionError(f"{server.args} did not start: {log.read_text(errors='replace')[-1000:]}")
