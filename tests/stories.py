"""Plays a story of fixtures/mirrors: its registries under their real names, behind a proxy on loopback.

    stage = build_stage(directory)
    with playing(read("nexus"), stage, elsewhere) as play: … run(["render", …], env=play.environ, cwd=play.directory)

A story's registries are `EmbeddedRegistry`s with what its registries.yaml says; one TLS server with a certificate for
all their names speaks for them, and the proxy leads every name to it. A registry whose name is a literal loopback
address is asked without a proxy, so it gets a free port, which replaces the written one in every text of the copy.
Asserts nothing. How a story is written: fixtures/README.md.
"""

from __future__ import annotations

import json
import re
import shutil
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from build_layout import Built, image, multi_platform, write_layout

from tests.registry.authority import Authority
from tests.registry.faults import Answer, FaultServer, Seen, errors
from tests.registry.middlemen import Proxy
from transformer.embedded import EmbeddedRegistry, Request

STORIES = Path(__file__).parent.parent / "fixtures" / "mirrors"

#: Where a registry is asked, when that is not its own name.
API = {"docker.io": "registry-1.docker.io"}

_BY_DIGEST = re.compile(r"/v2/(.+)/manifests/(sha256:[0-9a-f]{64})")
_BY_TAG = re.compile(r"/v2/(.+)/manifests/([^/:]+)")


class Registry(NamedTuple):
    """One entry of registries.yaml, defaults filled in."""

    name: str
    #: The host of its token server; None for a registry that knows only Basic logins.
    token: str | None
    #: Who may pull, None for anybody; whether the machine has that login, or only a pull secret of the manifests.
    login: tuple[str, str] | None
    of_the_machine: bool
    #: Whether a digest is known only after its tag was asked.
    cache: bool
    #: `repository:tag` to image.
    images: Mapping[str, Built]

    @property
    def loopback(self) -> bool:
        """Whether it is asked where its name says, without a proxy."""
        return self.name.startswith("127.")


class Story(NamedTuple):
    """A directory of fixtures/mirrors."""

    name: str
    directory: Path
    registries: tuple[Registry, ...]

    def variants(self) -> tuple[dict[str, str], ...]:
        """The variables of each expected text, those of the plain one first: expected.region=us-east-1.yaml."""
        names = sorted(file.name for file in self.directory.glob("expected.*=*.yaml"))
        return ({}, *({name.split(".")[1].partition("=")[0]: name.split(".")[1].partition("=")[2]} for name in names))

    def hosts(self) -> set[str]:
        """The hosts that are met under their names, without ports: registries and token servers."""
        named = {API.get(one.name, one.name).partition(":")[0] for one in self.registries if not one.loopback}
        return named | {one.token for one in self.registries if one.token}

    def without(self, registry: str, repository: str) -> Story:
        """The story with a repository missing at a registry."""
        return self.changed(
            registry, lambda images: {n: b for n, b in images.items() if n.partition(":")[0] != repository}
        )

    def holding(self, registry: str, name: str, content: str) -> Story:
        """The story with other content under a `repository:tag` of a registry."""
        return self.changed(registry, lambda images: {**images, name: multi_platform(content)})

    def changed(self, registry: str, change: Callable[[Mapping[str, Built]], Mapping[str, Built]]) -> Story:
        """The story with other images at one registry; KeyError when there is no such registry."""
        if registry not in {one.name for one in self.registries}:
            raise KeyError(registry)
        changed = (one._replace(images=change(one.images)) if one.name == registry else one for one in self.registries)
        return self._replace(registries=tuple(changed))


def names() -> list[str]:
    """Every story."""
    return sorted(directory.name for directory in STORIES.iterdir() if directory.is_dir())


def read(name: str) -> Story:
    """A story from its directory."""
    directory = STORIES / name
    texts = yaml.safe_load((directory / "registries.yaml").read_text(encoding="utf-8"))
    return Story(name, directory, tuple(_registry(host, text) for host, text in texts.items()))


def _registry(name: str, text: Mapping[str, Any]) -> Registry:
    unknown = set(text) - {"token", "login", "secret", "cache", "images"}
    if unknown or ("login" in text and "secret" in text):
        raise ValueError(f"{name}: {sorted(unknown)} {sorted(text)}")
    who = text.get("login") or text.get("secret")
    login = (who["user"], who["password"]) if who else None
    images = {image_name: _image(content) for image_name, content in text["images"].items()}
    return Registry(name, text.get("token"), login, "login" in text, bool(text.get("cache")), images)


def _image(content: str | Mapping[str, str]) -> Built:
    """An index over two platforms; with a mapping the image of one of them alone, which is the same as in the index."""
    if isinstance(content, str):
        return multi_platform(content)
    return image(f"{content['image']} {content['platform']}", content["platform"])


class Stage(NamedTuple):
    """What all stories share: TLS for the names of all of them, and the file of the CA that signed it."""

    tls: ssl.SSLContext
    ca: str


def build_stage(directory: Path) -> Stage:
    """A stage whose keys lie in a directory; openssl makes them, which takes most of a second."""
    authority = Authority(directory)
    hosts = sorted(set().union(*(read(name).hosts() for name in names())))
    return Stage(authority.server("stories", *hosts), authority.ca)


class Play:
    """A story that is on: `environ` for the command, `directory` with a copy of the story's files, `asked` so far."""

    def __init__(self, story: Story, directory: Path) -> None:
        self.story, self.directory = story, directory
        self.environ: dict[str, str] = {}
        #: `METHOD host path` of every request to a registry (not to a token server), in order of arrival.
        self.asked: list[str] = []
        #: The free ports of loopback registries by the name as written: what stands for it in the copy's texts.
        self.ports: dict[str, str] = {}

    def text(self, name: str) -> str:
        """A file of the story as the copy has it."""
        return (self.directory / name).read_bytes().decode()

    def expected(self, variables: Mapping[str, str] | None = None) -> str:
        """What a render must give."""
        variant = "".join(f".{name}={value}" for name, value in (variables or {}).items())
        return self.text(f"expected{variant}.yaml")

    def served(self) -> dict[str, str]:
        """The digest of every `registry/repository:tag`."""
        return {
            f"{self.ports.get(one.name, one.name)}/{name}": built.digest
            for one in self.story.registries
            for name, built in one.images.items()
        }


@contextmanager
def playing(
    story: Story, stage: Stage, directory: Path, answer: Callable[[Seen], Answer | None] | None = None
) -> Iterator[Play]:
    """Runs a story's registries until the block ends. `answer` may answer a request in a registry's place."""
    play = Play(story, directory / "story")
    shutil.copytree(story.directory, play.directory)
    with ExitStack() as running:
        counters: dict[str, _Counter] = {}
        for registry in story.registries:
            layout = directory / "layouts" / registry.name.replace(":", "_")
            write_layout(layout, registry.images)
            counter = _Counter(registry, layout, running)
            counters[API.get(registry.name, registry.name)] = counter
            if registry.token:
                counters.setdefault(registry.token, counter)
        desk = _Desk(counters, play.asked, answer)
        for registry in story.registries:
            if registry.loopback:
                server = running.enter_context(FaultServer(desk))
                play.ports[registry.name] = server.host
                counters[server.host] = counters[registry.name]
        front = running.enter_context(FaultServer(desk, tls=stage.tls))
        proxy = running.enter_context(_Proxy(front))
        _place(play)
        play.environ = _environ(play, proxy, stage, directory)
        yield play


class _Counter:
    """One registry, as it is met under its own name."""

    def __init__(self, registry: Registry, layout: Path, running: ExitStack) -> None:
        self.registry = registry
        repositories = {name.partition(":")[0] for name in registry.images}
        users = dict((registry.login,)) if registry.login else None
        self._serves = running.enter_context(
            EmbeddedRegistry(
                layout, auth=repositories if registry.token else (), users=users if registry.token else None
            )
        )
        self._known: set[tuple[str, str]] = set()

    def __call__(self, seen: Seen) -> Answer:
        """What the registry answers."""
        if self.registry.login and not self.registry.token and not self._basic(seen):
            challenge = {"WWW-Authenticate": f'Basic realm="{self.registry.name}"'}
            return errors(401, "UNAUTHORIZED", "authentication required", **challenge)
        found = self._serves.answer(Request(seen.method, seen.path, seen.headers))
        if self.registry.cache and found.status == 200 and not self._fetched(seen, found.headers):
            return errors(404, "MANIFEST_UNKNOWN", "manifest unknown")
        here = f"http://{self._serves.host}/token"
        headers = {
            name: value.replace(here, f"https://{self.registry.token}/token") for name, value in found.headers.items()
        }
        return Answer(found.status, headers, found.body)

    def _fetched(self, seen: Seen, headers: Mapping[str, str]) -> bool:
        """Whether a cache has what is asked; a tag makes it fetch."""
        by_digest, by_tag = _BY_DIGEST.fullmatch(seen.path), _BY_TAG.fullmatch(seen.path)
        if by_tag:
            self._known.add((by_tag[1], headers["Docker-Content-Digest"]))
        return by_digest is None or (by_digest[1], by_digest[2]) in self._known

    def _basic(self, seen: Seen) -> bool:
        user, password = self.registry.login or ("", "")
        return seen.headers.get("authorization") == "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class _Desk:
    """Passes every request on to the registry whose name it carries."""

    def __init__(
        self, counters: Mapping[str, _Counter], asked: list[str], answer: Callable[[Seen], Answer | None] | None
    ) -> None:
        self._counters, self._asked, self._answer = counters, asked, answer

    def __call__(self, seen: Seen) -> Answer:
        host = seen.headers["host"]
        if "/manifests/" in seen.path:
            self._asked.append(f"{seen.method} {host} {seen.path}")
        counter = self._counters.get(host)
        if counter is None:
            return errors(404, "NAME_UNKNOWN", f"no such registry in this story: {host}")
        return (self._answer(seen) if self._answer else None) or counter(seen)


class _Proxy(Proxy):
    """Leads every name to one server."""

    def __init__(self, front: FaultServer) -> None:
        super().__init__()
        self._front = front

    def leads_to(self, place: str) -> tuple[str, int]:
        return "127.0.0.1", int(self._front.server_address[1])


def _place(play: Play) -> None:
    """Writes the real ports of loopback registries into the copy."""
    for file in play.directory.rglob("*"):
        if file.is_file() and play.ports:
            content = file.read_bytes()
            for written, real in play.ports.items():
                content = content.replace(written.encode(), real.encode())
            file.write_bytes(content)


def _environ(play: Play, proxy: Proxy, stage: Stage, directory: Path) -> dict[str, str]:
    """The proxy, its CA, the logins that the machine has, and no memory of what was answered before."""
    logins = {
        play.ports.get(one.name, one.name): {"auth": b64encode(":".join(one.login).encode()).decode()}
        for one in play.story.registries
        if one.login and one.of_the_machine
    }
    (directory / "docker").mkdir()
    (directory / "docker" / "config.json").write_text(json.dumps({"auths": logins}))
    return {
        "HTTPS_PROXY": proxy.url,
        "HTTP_PROXY": proxy.url,
        "SSL_CERT_FILE": stage.ca,
        "PINDOWN_CACHE": "off",
        "DOCKER_CONFIG": str(directory / "docker"),
    }
