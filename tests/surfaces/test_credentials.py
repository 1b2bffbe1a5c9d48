"""The policy's words for credentials, from the file that is named to the registry that is asked."""

from __future__ import annotations

import base64
import json

import pytest

from tests import registries
from tests.doors import pod
from tests.registries import PASSWORD, USER
from tests.registry.faults import Answer, FaultServer, bearer, proper
from tests.surfaces.test_pullsecrets import SECRETS, config, secret

POLICY = "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec:\n  registries:\n  - host: %s\n    %s\n"


@pytest.fixture(scope="module")
def built(docker_registry_basic):
    digest = docker_registry_basic.push_image("policy/app", "1", registries.image("policy"))
    return f"{docker_registry_basic.host}/policy/app:1", digest


@pytest.fixture
def host(docker_registry_basic):
    return docker_registry_basic.host


@pytest.fixture
def operator(workdir, host):
    """The operator's directory beside the working directory, with files to name and a policy in it: its path."""
    folder = workdir.parent / "operator"
    folder.mkdir()
    (folder / "config.json").write_text(config(host))
    (folder / "login.yaml").write_text(secret(config(host)))

    def write(words, name="policy.yaml"):
        (folder / name).write_text(POLICY % (host, words))
        return str(folder / name)

    return write


WAYS = {
    "variables": (
        "credentials: {usernameEnv: TEAM_USER, passwordEnv: TEAM_PASSWORD}",
        "the policy's variables TEAM_USER",
    ),
    "a Docker config": ("credentials: {dockerConfig: config.json}", "/operator/config.json (key "),
    "a Secret": ("credentials: {secretFile: login.yaml}", "/operator/login.yaml (key "),
}


@pytest.fixture
def variables(monkeypatch):
    monkeypatch.setenv("TEAM_USER", USER)
    monkeypatch.setenv("TEAM_PASSWORD", PASSWORD)


@pytest.mark.parametrize(("words", "source"), WAYS.values(), ids=WAYS)
def test_three_ways(door, operator, variables, built, words, source):
    image, digest = built
    ran = door("render", "-v", "--policy", operator(words), "-", stdin=pod(image))
    assert (ran.code, ran.out) == (0, pod(f"{image}@{digest}")), ran.err
    assert source in ran.err and [text for text in SECRETS if text in ran.err] == []


@pytest.mark.parametrize(("words", "source"), WAYS.values(), ids=WAYS)
def test_explain_says_which(door, operator, variables, built, words, source):
    ran = door("explain", "--policy", operator(words), built[0])
    assert ran.code == 0 and source in ran.out and "— used" in ran.out, ran.out
    assert [text for text in SECRETS if text in ran.out + ran.err] == []


def test_explain_says_which_would_be_asked_where_nobody_was(door, operator, variables, host):
    path = operator("credentials: {usernameEnv: TEAM_USER, passwordEnv: TEAM_PASSWORD}")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(host, "127.0.0.1:1"))
    ran = door("explain", "--policy", path, "127.0.0.1:1/a:1")
    assert ran.code == 1 and "the policy's variables TEAM_USER, TEAM_PASSWORD" in ran.out, ran.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("credentials: {usernameEnv: TEAM_USER, passwordEnv: TEAM_PASSWORD}", "the environment has no TEAM_USER"),
        ("credentials: {dockerConfig: missing.json}", "missing.json does not exist"),
        ("credentials: {secretFile: missing.yaml}", "missing.yaml does not exist"),
    ],
)
def test_what_is_missing_is_told_when_it_is_needed_and_not_before(door, operator, built, words, told):
    path = operator(words)
    ran = door("render", "--policy", path, "-", stdin=pod(built[0]))
    assert (ran.code, ran.out) == (1, "") and told in ran.err, ran.err
    fine = door("render", "--policy", path, "-", stdin=pod("auto"))
    assert (fine.code, fine.out) == (0, pod("auto")), fine.err


def test_a_repositorys_policy_may_not_and_a_trusted_one_may(door, workdir, host, built, monkeypatch):
    (workdir / "login.yaml").write_text(secret(config(host)))
    (workdir / "pindown.yaml").write_text(POLICY % (host, "credentials: {secretFile: login.yaml}"))
    ran = door("render", "-", stdin=pod(built[0]))
    assert (ran.code, ran.out) == (2, "") and "spec.registries[0].credentials: only the operator's policy" in ran.err
    assert door("render", "--trust-policy", "-", stdin=pod(built[0])).code == 0
    monkeypatch.setenv("PINDOWN_TRUST_POLICY", "1")
    assert door("render", "-", stdin=pod(built[0])).code == 0


def test_a_password_in_a_policy_is_refused_and_not_repeated(door, operator):
    ran = door("render", "--policy", operator(f"credentials: {{username: {USER}, password: wrong-word-0815}}"), "-")
    assert (ran.code, ran.out) == (2, "") and "never write a login or password in a policy" in ran.err
    assert [text for text in SECRETS if text in ran.err] == []


@pytest.mark.parametrize(("trusted", "code"), [(True, 0), (False, 1)])
def test_trusted_realms(door, workdir, monkeypatch, trusted, code):
    """A token server on another site sees the credential only when the operator has named it."""
    monkeypatch.setenv("TEAM_USER", USER)
    monkeypatch.setenv("TEAM_PASSWORD", "wrong-word-0815")
    basic = "Basic " + base64.b64encode(f"{USER}:wrong-word-0815".encode()).decode()

    def tokens(seen):
        known = seen.headers.get("authorization") == basic
        return Answer(200, {"Content-Type": "application/json"}, json.dumps({"token": "t" if known else "n"}).encode())

    with FaultServer(tokens) as server:
        realm = f"localhost:{server.host.partition(':')[2]}"

        def registry(seen):
            return proper(seen) if seen.headers.get("authorization") == "Bearer t" else bearer(f"http://{realm}/token")

        with FaultServer(registry) as asked:
            words = "credentials: {usernameEnv: TEAM_USER, passwordEnv: TEAM_PASSWORD}\n"
            words += f"    trustedRealms: [{realm}]\n" if trusted else ""
            (workdir.parent / "operator.yaml").write_text(POLICY % (asked.host, words))
            ran = door("render", "--policy", "../operator.yaml", "-", stdin=pod(f"{asked.host}/team/app:1"))
    assert ran.code == code, ran.err
    assert (basic in server.sent_credentials()) is trusted
    assert "wrong-word" not in ran.err and ("another site" in ran.err) is not trusted
