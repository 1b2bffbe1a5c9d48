"""Credentials that the policy names: the right one, and a clear word when it is not there."""

from __future__ import annotations

import base64
import json

import pytest

from transformer.policy.questions import HostCredential
from transformer.registry.keychain import KeychainError, Wanted
from transformer.registry.keychain.policyfile import PolicyCredentials, secret_config

CANARY = "canary-4711"
ENVIRON = {"HOME": "/nobody", "REG_USER": "user", "REG_PASSWORD": CANARY}
VARIABLES = HostCredential("registry.test", "REG_USER", "REG_PASSWORD")


def config(host="registry.test", user="user"):
    auth = base64.b64encode(f"{user}:{CANARY}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": auth}}})


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def resolve(rows, host="registry.test", environ=ENVIRON):
    return PolicyCredentials(rows, environ).resolve(Wanted(host, "team/app"))


def test_variables():
    (credential,) = resolve([VARIABLES])
    assert credential == ("the policy's variables REG_USER, REG_PASSWORD", "user", CANARY, "", "")


@pytest.mark.parametrize("host", ["other.test", "registry.test:5000", "a.registry.test", "registry.test.evil"])
def test_for_no_other_host(host):
    source = PolicyCredentials([VARIABLES], {})
    assert source.resolve(Wanted(host, "a")) == []
    assert source.about(Wanted(host, "a")) == ""
    assert source.about(Wanted("registry.test", "a")) == "the policy"


@pytest.mark.parametrize("host", ["Registry.TEST", "registry.test"])
def test_hosts_in_any_case(host):
    assert len(resolve([VARIABLES], host)) == 1


def test_docker_hub_under_its_names():
    assert len(resolve([VARIABLES._replace(host="index.docker.io")], "docker.io")) == 1


def test_several_rows_in_order():
    rows = [VARIABLES, HostCredential("registry.test", "REG_PASSWORD", "REG_USER")]
    assert [one.username for one in resolve(rows)] == ["user", CANARY]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (HostCredential("registry.test", "NONE", "REG_PASSWORD"), "usernameEnv: the environment has no NONE"),
        (HostCredential("registry.test", "REG_USER", "NONE"), "passwordEnv: the environment has no NONE"),
        (HostCredential("registry.test", "REG_USER", "EMPTY"), "passwordEnv: the environment has no EMPTY"),
        (HostCredential("registry.test", "REG_USER"), "passwordEnv is missing"),
        (HostCredential("registry.test", None, "REG_USER"), "usernameEnv is missing"),
        (HostCredential("registry.test", docker_config="/none/x.json"), "/none/x.json does not exist"),
        (HostCredential("registry.test", secret_file="/none/x.yaml"), "/none/x.yaml does not exist"),
    ],
)
def test_what_is_missing_is_named(row, words):
    with pytest.raises(KeychainError) as caught:
        resolve([row], environ={**ENVIRON, "EMPTY": ""})
    message = str(caught.value)
    assert message.startswith("the policy's credential: ") and words in message
    assert caught.value.explicit and CANARY not in message


def test_a_docker_config(tmp_path):
    (tmp_path / "x.json").write_text(config())
    (credential,) = resolve([HostCredential("registry.test", docker_config=str(tmp_path / "x.json"))])
    assert (credential.username, credential.password) == ("user", CANARY)
    assert credential.source == f"the policy's {tmp_path}/x.json (key registry.test)"


JSON_TYPE, FLAT_TYPE = "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"
ENCODED = base64.b64encode(config().encode()).decode()
HEAD, INLINE = f"kind: Secret\ntype: {JSON_TYPE}\n", f"data: {{.dockerconfigjson: {ENCODED}}}\n"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({**SECRET, "type": JSON_TYPE, "data": {".dockerconfigjson": encoded(config())}}),
        json.dumps({**SECRET, "type": JSON_TYPE, "stringData": {".dockerconfigjson": config()}}),
        json.dumps(
            {**SECRET, "type": FLAT_TYPE, "data": {".dockercfg": encoded(json.dumps(json.loads(config())["auths"]))}}
        ),
        f"kind: Secret\ntype: {JSON_TYPE}\ndata:\n  .dockerconfigjson: {encoded(config())}\n",
        f"kind: Secret\ntype: {JSON_TYPE}\nstringData:\n  .dockerconfigjson: |\n    {config()}\n",
        f"{HEAD}data:\n  .dockerconfigjson: |\n    {ENCODED[:40]}\n    {ENCODED[40:]}\n",
        f"kind: ConfigMap\n---\nkind: Secret\ntype: Opaque\n---\n{HEAD}{INLINE}",
        json.dumps(
            {
                **SECRET,
                "type": JSON_TYPE,
                "data": {".dockerconfigjson": encoded("{}")},
                "stringData": {".dockerconfigjson": config()},
            }
        ),
        json.dumps({**SECRET, "type": JSON_TYPE, "stringData": {".dockerconfigjson": config("*.test")}}),
    ],
    ids=[
        "json",
        "stringData",
        "dockercfg",
        "yaml",
        "yaml text",
        "folded base64",
        "not the first",
        "stringData wins",
        "glob",
    ],
)
def test_a_secret_file(tmp_path, text):
    (tmp_path / "secret.yaml").write_text(text)
    (credential,) = resolve([HostCredential("registry.test", secret_file=str(tmp_path / "secret.yaml"))])
    assert (credential.username, credential.password) == ("user", CANARY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [canary-4711", "not valid YAML or JSON"),
        ("!!python/object/apply:os.system [canary-4711]", "not valid YAML or JSON"),
        ("\x01", "not valid YAML or JSON"),
        ("", "holds no Secret of type"),
        ("canary-4711", "holds no Secret of type"),
        ("kind: Secret\ntype: Opaque\ndata: {.dockerconfigjson: e30=}", "holds no Secret of type"),
        (f"kind: Secret\ntype: {JSON_TYPE}\n", "has no .dockerconfigjson"),
        (f"kind: Secret\ntype: {JSON_TYPE}\ndata: {{.dockerconfigjson: canary-4711}}", "not base64"),
        (f"kind: Secret\ntype: {JSON_TYPE}\ndata: {{.dockerconfigjson: 1}}", "has no .dockerconfigjson"),
        (f"kind: Secret\ntype: {JSON_TYPE}\ndata: {{.dockerconfigjson: Y2FuYXJ5LTQ3MTE=}}", "not valid JSON"),
        (f"kind: Secret\ntype: {JSON_TYPE}\nstringData: {{.dockerconfigjson: '{{}}'}}", "holds none for registry.test"),
        (" " * (1024 * 1024 + 1), "larger than 1024 KiB"),
    ],
)
def test_a_secret_file_that_is_no_use(tmp_path, text, words):
    (tmp_path / "secret.yaml").write_text(text)
    with pytest.raises(KeychainError) as caught:
        resolve([HostCredential("registry.test", secret_file=str(tmp_path / "secret.yaml"))])
    assert words in str(caught.value) and "secret.yaml" in str(caught.value) and caught.value.explicit
    assert CANARY not in str(caught.value) and str(caught.value).isprintable()


def test_a_config_without_the_host(tmp_path):
    (tmp_path / "x.json").write_text(config("other.test"))
    with pytest.raises(KeychainError, match=r"x\.json holds none for registry\.test"):
        resolve([HostCredential("registry.test", docker_config=str(tmp_path / "x.json"))])


def test_nothing_is_read_before_it_is_wanted(tmp_path):
    row = HostCredential("registry.test", docker_config=str(tmp_path / "x.json"))
    source = PolicyCredentials([row], ENVIRON)
    (tmp_path / "x.json").write_text(config())
    assert len(source.resolve(Wanted("registry.test", "a"))) == 1


def test_a_bomb_of_aliases_is_no_config():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    with pytest.raises(KeychainError, match="no Secret of type"):
        secret_config("\n".join(lines).encode(), "bomb.yaml")


def test_a_variable_that_is_no_text():
    with pytest.raises(KeychainError, match="REG_PASSWORD: what is stored there is no valid text") as caught:
        resolve([VARIABLES], environ={**ENVIRON, "REG_PASSWORD": "\udc80x"})
    assert caught.value.explicit
