"""The CRI plugin's mirrors in config.toml: refused, noted, and what endpoints mean."""

from __future__ import annotations

import re

import pytest
import tomli_w

from tests.languages.answers import broken, names, notes, places, refused, replaced, whys
from transformer.errors import PolicyError
from transformer.languages.containerd import LANGUAGES, read, recognises
from transformer.languages.model import Imported, Text

NAME = "config.toml"
OLD, NEW = "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"


def config(registry: dict[str, object], plugin: str = OLD) -> str:
    return tomli_w.dumps({"version": 2, "plugins": {plugin: {"registry": registry, "sandbox_image": "pause:3.10"}}})


def mirror(**hosts: object) -> str:
    return config({"mirrors": {host: {"endpoint": endpoint} for host, endpoint in hosts.items()}})


def said(content: str) -> Imported:
    return read([Text(NAME, content)])


REGISTRY = f'[plugins."{OLD}".registry]\n'
MIRROR = f'[plugins."{OLD}".registry.mirrors."docker.io"]\n'


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("plugins = 1", 1, "plugins: wants a table"),
        (f"[plugins]\n'{OLD}' = 1", 2, "wants a table"),
        (f"[plugins.'{OLD}']\nregistry = 1", 2, "registry: wants a table"),
        (REGISTRY + "mirrors = ['a']", 2, "mirrors: wants a table"),
        (REGISTRY + "config_path = 1", 2, "config_path: wants a text"),
        (REGISTRY + "configs = 1", 2, "configs: wants a table"),
        (f"[plugins.'{OLD}'.registry.mirrors]\n'docker.io' = 'x'", 2, "wants a table"),
        (MIRROR + "endpoint = 'https://m.test'", 2, "endpoint: wants a list of strings"),
        (MIRROR + "endpoint = ['https://m.test',\n7]", 3, r"endpoint\[1\]: wants a list of strings"),
        (MIRROR + "endpoint = ['https://user:hunter2@m.test']", 2, "a login"),
        (MIRROR + "endpoint = ['ftp://m.test']", 2, "http or https"),
        (MIRROR + "endpoint = ['']", 2, "names no host"),
        (MIRROR + "endpoint = ['https://m.test/v2/Hub']", 2, "lower case"),
        (MIRROR.replace("docker.io", "docker.io/library"), 1, r"host\[:port\] and \* only"),
        (MIRROR.replace("docker.io", "*.docker.io"), 1, r"host\[:port\] and \* only"),
        (MIRROR.replace("docker.io", "**.docker.io"), 1, "wildcard"),
        (MIRROR.replace("docker.io", "https://user:hunter2@docker.io"), 1, "no scheme"),
        (MIRROR.replace("docker.io", ""), 1, "empty source"),
        (REGISTRY + "config_path = '/etc/certs.d'\n" + MIRROR + "endpoint = []", 3, "beside config_path"),
        (
            MIRROR + "endpoint = ['a.test']\n" + MIRROR.replace("docker", "index.docker") + "endpoint = ['b.test']",
            3,
            "already",
        ),
        ("[plugins", 1, "is no TOML"),
    ],
)
def test_what_containerd_could_not_use_is_refused_with_line_and_key(content, line, words):
    error = refused(read, content, NAME)
    assert error.line == line
    assert "hunter2" not in str(error)
    with pytest.raises(PolicyError, match=words):
        raise error


WHOLE = {
    "plugins": {
        OLD: {
            "registry": {
                "mirrors": {"docker.io": {"endpoint": ["https://m.test"]}},
                "configs": {"m.test": {"tls": {"insecure_skip_verify": True}}},
            }
        }
    }
}


@pytest.mark.parametrize(("path", "wrong"), [case for case in broken(WHOLE) if case[1] is not None])
def test_a_wrong_type_anywhere_is_said_and_never_shown(path, wrong):
    if path[-1] == 0 and isinstance(wrong, str):
        pytest.skip("another text is a host")
    error = refused(read, tomli_w.dumps(replaced(WHOLE, path, wrong)), NAME)
    assert error.line > 0
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("content", "key", "words"),
    [
        ("version = 2", "plugins", "no `registry`"),
        (config({"config_path": "/etc/containerd/certs.d"}), "config_path", "import that: /etc/containerd/certs.d"),
        (config({"auths": {"m.test": {"password": "hunter2"}}}), "auths", "not read"),
        (config({"headers": {"x": ["hunter2"]}}), "headers", "not read"),
        (config({"configs": {"m.test": {"auth": {"password": "hunter2"}}}}), "auth", "login"),
        (config({"configs": {"m.test": {"tls": {"ca_file": "a.pem"}}}}), "tls.ca_file", "caBundle"),
        (config({"configs": {"m.test": {"tls": {"insecure_skip_verify": True}}}}), "insecure_skip_verify", "caBundle"),
        (config({"configs": {"m.test": {"tls": {"cert_file": "a.pem"}}}}), "cert_file", "client certificate"),
        (config({"configs": {"m.test": {"tsl": {}}}}), "tsl", "mean 'tls'"),
        (config({"mirors": {}}), "registry.mirors", "mean 'mirrors'"),
        (config({"mirrors": {"docker.io": {"endpoints": []}}}), "endpoints", "mean 'endpoint'"),
        (
            mirror(**{"docker.io": ["https://m.test/proxy"]}),
            "endpoint[0]",
            "below /proxy, which no image name can hold",
        ),
    ],
)
def test_what_cannot_be_said_is_noted(content, key, words):
    imported = said(content)
    ((line, noted),) = notes(imported)
    assert noted.endswith(key)
    assert line > 0
    assert re.search(words, whys(imported))
    assert "hunter2" not in whys(imported)


@pytest.mark.parametrize(
    "content",
    [
        config({}),
        config({"config_path": "", "mirrors": {}}),
        mirror(**{"docker.io": []}),
        mirror(**{"docker.io": ["https://registry-1.docker.io"]}),
        config({"configs": {"m.test": {"tls": {"insecure_skip_verify": False}}}}),
    ],
)
def test_what_means_nothing_for_names_is_silent(content):
    assert said(content) == Imported()


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        (["https://m.test", "https://n.test/"], ["m.test", "n.test"]),
        (["https://m.test/v2/hub"], ["m.test/hub"]),
        (["https://m.test/v2"], ["m.test"]),
        (["m.test:5000"], ["m.test:5000"]),
        (["https://m.test", "https://m.test/v2"], ["m.test"]),
        # The registry itself, in any spelling, is asked last anyway.
        (["https://m.test", "https://docker.io"], ["m.test"]),
        (["https://registry-1.docker.io", "https://m.test"], ["docker.io", "m.test"]),
        (["https://m.test/proxy", "https://n.test"], ["n.test"]),
    ],
)
def test_endpoints_become_locations(endpoints, expected):
    (found,) = said(mirror(**{"docker.io": endpoints})).mirrors
    assert [one.to for one in found.locations] == expected
    assert (found.source, found.fallback, found.resolve_at) == ("docker.io", "source", "source")


@pytest.mark.parametrize("plugin", [OLD, NEW, "cri"])
def test_every_version_of_the_file(plugin):
    content = config({"mirrors": {"docker.io": {"endpoint": ["https://m.test"]}}}, plugin)
    assert places(said(content)) == {"docker.io": ["m.test"]}
    assert recognises(Text("-", content))


@pytest.mark.parametrize(
    ("endpoint", "hosts"),
    [
        ("https://m.test", []),
        ("m.test", []),
        ("https://localhost:5000", []),
        ("http://m.test", ["m.test"]),
        ("localhost:5000", ["localhost:5000"]),
        ("127.0.0.1:5000", ["127.0.0.1:5000"]),
    ],
)
def test_http_is_plain(endpoint, hosts):
    assert [rule.host for rule in said(mirror(**{"docker.io": [endpoint]})).registries] == hosts


def test_a_registry_that_is_listed_has_nothing_of_the_star():
    imported = said(
        mirror(**{"*": ["https://m.test"], "quay.io": ["https://quay.io"], "docker.io": ["https://n.test"]})
    )
    assert names(imported, "ghcr.io/a:1") == ["m.test/a:1"]
    assert names(imported, "quay.io/a:1") == ["quay.io/a:1"]
    assert names(imported, "nginx:1") == ["n.test/library/nginx:1"]


@pytest.mark.parametrize(
    ("name", "content", "answer"),
    [
        ("registries.conf", "[[registry]]", False),
        ("-", "[plugins.'io.containerd.snapshotter']", False),
        ("x.toml", "# [plugins.cri.registry]", False),
        ("etc/containerd/config.toml", "", True),
        ("-", MIRROR, True),
    ],
)
def test_recognition(name, content, answer):
    assert recognises(Text(name, content)) is answer
    assert [one.name for one in LANGUAGES] == ["hosts.toml", "config.toml"]
