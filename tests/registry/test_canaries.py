"""A canary in every place where a credential can lie, and every byte that a run writes searched for it.

A new source of credentials is one more entry of SOURCES: how it is planted, and what the registry must see of it.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from tests.registry.faults import Answer, FaultServer, Seen, bearer, errors, proper

CANARY = "canary-4711-secret"
USER = f"user:{CANARY}"
TOKEN = "canary-token-0815"


def spellings(secret: str) -> list[str]:
    """However a secret may be written down, at any offset of a base64 text."""
    whole = [base64.b64encode(b"x" * shift + secret.encode()).decode().rstrip("=")[4:-2] for shift in range(3)]
    return [secret, quote(secret, safe=""), secret[::-1], secret.encode().hex(), *whole]


FORBIDDEN = [text for secret in (CANARY, TOKEN) for text in spellings(secret)]


class Place(NamedTuple):
    """Where a run happens: the registry's host, HOME, a directory of its own, and the environment to add to."""

    host: str
    home: Path
    work: Path
    environ: dict[str, str]

    def write(self, path: Path, content: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path


AUTH = base64.b64encode(USER.encode()).decode()


def config(**entry: str) -> Callable[[Place], None]:
    return lambda at: at.write(at.home / ".docker/config.json", {"auths": {at.host: entry}}) and None


def file_named_by(variable: str) -> Callable[[Place], None]:
    def plant(at: Place) -> None:
        path = at.write(at.home / "hidden/auth.json", {"auths": {at.host: {"auth": AUTH}}})
        at.environ[variable] = str(path.parent if variable == "DOCKER_CONFIG" else path)
        if variable == "DOCKER_CONFIG":
            path.rename(path.with_name("config.json"))

    return plant


def docker_auth_config(at: Place) -> None:
    at.environ["DOCKER_AUTH_CONFIG"] = json.dumps({"auths": {at.host: {"auth": AUTH}}})


def broken_docker_auth_config(at: Place) -> None:
    at.environ["DOCKER_AUTH_CONFIG"] = f'{{"auths": {{"{at.host}": {{"auth": "{CANARY}"'


def dockercfg(at: Place) -> None:
    at.write(at.home / ".dockercfg", {at.host: {"auth": AUTH}})


def podman(at: Place) -> None:
    at.environ["XDG_RUNTIME_DIR"] = str(at.home / "run")
    at.write(at.home / "run/containers/auth.json", {"auths": {f"{at.host}/team": {"auth": AUTH}}})


def helper(script: str, key: str = "credHelpers") -> Callable[[Place], None]:
    """A credential helper; `script` is what it does."""

    def plant(at: Place) -> None:
        program = at.write(at.home / "bin/docker-credential-canary", f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        at.environ["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        asked = {"credsStore": "canary"} if key == "credsStore" else {"credHelpers": {at.host: "canary"}}
        at.write(at.home / ".docker/config.json", asked)

    return plant


GIVES = f"""echo '{{"ServerURL": "x", "Username": "user", "Secret": "{CANARY}"}}'"""
IDENTITY = f"""echo '{{"ServerURL": "x", "Username": "<token>", "Secret": "{CANARY}"}}'"""


def proxy(at: Place) -> None:
    """Nobody is there: the message has to name it."""
    at.environ["HTTPS_PROXY"] = f"http://user:{CANARY}@127.0.0.1:1"


def login(at: Place) -> dict[str, Any]:
    """A docker config with the canary."""
    return {"auths": {at.host: {"auth": AUTH}}}


def secret(at: Place, content: str | None = None) -> dict[str, Any]:
    """A pull secret of Kubernetes with the canary; `content` instead of a docker config."""
    data = base64.b64encode((json.dumps(login(at)) if content is None else content).encode()).decode()
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "regcred"}}
    return {**head, "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": data}}


def policy(at: Place, **credentials: str) -> None:
    """The operator's policy, which says where the login for the host is."""
    registries = [{"host": at.host, "credentials": credentials}]
    spec = {"apiVersion": "pindown.dev/v1alpha1", "kind": "ImageTransformer", "spec": {"registries": registries}}
    at.environ["PINDOWN_POLICY"] = str(at.write(at.home / "operator/pindown.yaml", spec))


def variables_of_the_policy(at: Place) -> None:
    at.environ.update(TEAM_USER="user", TEAM_PASSWORD=CANARY)
    policy(at, usernameEnv="TEAM_USER", passwordEnv="TEAM_PASSWORD")


def half_of_the_variables(at: Place) -> None:
    at.environ["TEAM_PASSWORD"] = CANARY
    policy(at, usernameEnv="TEAM_USER", passwordEnv="TEAM_PASSWORD")


def file_of_the_policy(word: str, content: Callable[[Place], Any]) -> Callable[[Place], None]:
    def plant(at: Place) -> None:
        at.write(at.home / "operator/hidden", content(at))
        policy(at, **{word: "hidden"})

    return plant


def nothing(at: Place) -> None:
    """The canary is in the manifests."""


class Source(NamedTuple):
    """`shown`: the registry or its token server gets to see it, as `as_` (part of a header or of a body)."""

    plant: Callable[[Place], None]
    shown: bool = True
    as_: str = AUTH
    #: The image is at another host than the server.
    image: str = ""
    #: A Secret that stands in the input, and that the pod pulls with.
    secret: Callable[[Place], dict[str, Any]] | None = None


SOURCES = {
    "auth of config.json": Source(config(auth=AUTH)),
    "username and password of config.json": Source(config(username="user", password=CANARY)),
    "identitytoken of config.json": Source(config(identitytoken=CANARY), as_=CANARY),
    "registrytoken of config.json": Source(config(registrytoken=CANARY), as_=CANARY),
    "auth that cannot be read": Source(config(auth=CANARY), shown=False),
    "config.json in DOCKER_CONFIG": Source(file_named_by("DOCKER_CONFIG")),
    "REGISTRY_AUTH_FILE": Source(file_named_by("REGISTRY_AUTH_FILE")),
    "DOCKER_AUTH_CONFIG": Source(docker_auth_config),
    "DOCKER_AUTH_CONFIG that is cut off": Source(broken_docker_auth_config, shown=False),
    "auth.json of podman": Source(podman),
    ".dockercfg": Source(dockercfg),
    "a helper": Source(helper(GIVES)),
    "the helper of credsStore": Source(helper(GIVES, "credsStore")),
    "a helper that gives an identity token": Source(helper(IDENTITY), as_=CANARY),
    "a helper that complains": Source(helper(f"echo {CANARY}; echo {CANARY} >&2; exit 1"), shown=False),
    "a helper that talks nonsense": Source(helper(f"echo 'secret: {CANARY}'"), shown=False),
    "variables that the policy names": Source(variables_of_the_policy),
    "variables of the policy, one of them missing": Source(half_of_the_variables, shown=False),
    "dockerConfig of the policy": Source(file_of_the_policy("dockerConfig", login)),
    "dockerConfig of the policy that is cut off": Source(
        file_of_the_policy("dockerConfig", lambda at: json.dumps(login(at))[:-2]), shown=False
    ),
    "secretFile of the policy": Source(file_of_the_policy("secretFile", secret)),
    "secretFile of the policy that holds something else": Source(
        file_of_the_policy("secretFile", lambda at: secret(at, f"password: {CANARY}")), shown=False
    ),
    "a Secret of the manifests": Source(nothing, secret=secret),
    "a Secret of the manifests that holds something else": Source(
        nothing, shown=False, secret=lambda at: secret(at, f"password: {CANARY}")
    ),
    "a proxy's URL": Source(proxy, shown=False, image="registry.test/team/app:1"),
}


def script(outcome: str, server: Callable[[], FaultServer]) -> Callable[[Seen], Any]:
    """A registry with token auth that lets the canary in, turns it away, or repeats all that it was sent."""

    def answer(seen: Seen) -> Any:
        sent = f"{seen.headers.get('authorization', '')} {seen.body.decode()}"
        known = any(part in sent for part in (AUTH, CANARY, TOKEN))
        if known and outcome == "refused":
            return errors(403, "DENIED", f"not with {sent}")
        if known and outcome == "a page":
            return Answer(200, {"Content-Type": "text/html"}, f"<p>you sent {sent} {seen.headers}".encode())
        if seen.path.startswith("/token"):
            token = json.dumps({"token": TOKEN if known else "nothing"})
            return Answer(200, {"Content-Type": "application/json"}, token.encode())
        realm = f"http://{server().host}/token?secret=no"
        return proper(seen) if known else bearer(realm)

    return answer


def everything(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


COMMANDS = {
    "render with a report": ["render", "-v", "-v", "--report", "report.txt", "-"],
    "render with JSON": ["render", "-v", "-v", "--format", "json", "-"],
    "explain": ["explain", "-v", "-v"],
    "the bare command": [],
}


def stdin_of(command: str, image: str, *others: dict[str, Any]) -> bytes:
    """A Pod with the image, which pulls with the Secrets among the others; as what the command reads."""
    pulls = [{"name": one["metadata"]["name"]} for one in others]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"imagePullSecrets": pulls, "containers": [{"name": "c", "image": image}]},
    }
    version, kind = ("config.kubernetes.io/v1", "ResourceList") if command == "the bare command" else ("v1", "List")
    return json.dumps({"apiVersion": version, "kind": kind, "items": [*others, pod]}).encode()


@pytest.mark.parametrize("outcome", ["accepted", "refused", "a page"])
@pytest.mark.parametrize("name", SOURCES)
def test_no_byte_tells(name, outcome, isolation, tmp_path, run_pindown):
    source = SOURCES[name]
    with FaultServer(script(outcome, lambda: server)) as server:
        environ = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
        at = Place(server.host, isolation, tmp_path / "work", environ)
        at.work.mkdir()
        source.plant(at)
        image = source.image or f"{server.host}/team/app:1"
        secrets = [source.secret(at)] if source.secret else []
        written = {}
        for command, arguments in COMMANDS.items():
            if (outcome == "a page" and command.startswith("render")) or (secrets and command == "explain"):
                continue
            more = [image] if command == "explain" else []
            ran = run_pindown(
                [*arguments, *more], stdin=stdin_of(command, image, *secrets), env=at.environ, cwd=at.work
            )
            assert ran.returncode == (0 if source.shown and outcome == "accepted" else 1), (command, ran.stderr)
            stdout = ran.stdout
            for one in secrets:  # what is a manifest comes out as it came in
                stdout = stdout.replace(one["data"][".dockerconfigjson"].encode(), b"")
            written |= {f"{command}: stdout": stdout, f"{command}: stderr": ran.stderr}
        seen = [f"{one.headers.get('authorization', '')} {one.body.decode()}" for one in server.seen]
    assert any(source.as_ in sent for sent in seen) is source.shown, "the canary was not planted where it is looked for"
    written |= everything(tmp_path)
    leaks = [(place, text) for place, content in written.items() for text in FORBIDDEN if text.encode() in content]
    assert leaks == []
    assert any(written.values())


@pytest.mark.parametrize(
    "told",
    [CANARY, f"Basic {AUTH}", quote(USER), base64.b64encode(f"a{CANARY}".encode()).decode(), f"token={TOKEN}"],
)
def test_the_search_finds_it_however_it_is_written(told):
    assert any(text in f"before {told} after" for text in FORBIDDEN)


URLS = {
    "a realm with user information": lambda host: bearer(f"http://user:{CANARY}@{host}/token"),
    "a realm with a query": lambda host: bearer(f"http://169.254.169.254/token?key={CANARY}"),
    "a redirect with user information": lambda host: Answer(307, {"Location": f"http://user:{CANARY}@{host}/x"}),
    "a signed redirect": lambda host: Answer(307, {"Location": f"http://{host}/gone?signature={CANARY}"}),
    "a signed redirect to a dead port": lambda host: Answer(307, {"Location": f"http://127.0.0.1:1/?s={CANARY}"}),
}


@pytest.mark.parametrize("name", URLS)
def test_nothing_of_an_urls_secrets(name, tmp_path, run_pindown):
    def answer(seen: Seen) -> Any:
        return Answer(403, {}, b"expired") if seen.path.startswith("/gone") else URLS[name](server.host)

    with FaultServer(answer) as server:
        image = f"{server.host}/team/app:1"
        for command, arguments in COMMANDS.items():
            more = [image] if command == "explain" else []
            ran = run_pindown([*arguments, *more], stdin=stdin_of(command, image), cwd=tmp_path)
            assert ran.returncode == 1, ran.stderr
            assert [text for text in FORBIDDEN if text.encode() in ran.stdout + ran.stderr] == []
    assert [path for path, content in everything(tmp_path).items() if CANARY.encode() in content] == []
