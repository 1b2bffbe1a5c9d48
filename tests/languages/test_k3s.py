"""registries.yaml: what is refused, what is only noted, what is mirrored; the vectors of k3s."""

from __future__ import annotations

import pytest

from tests.languages.answers import names, notes, places, refused, text, whys
from tests.languages.vectors import vectors
from transformer.images.reference import parse
from transformer.languages.k3s import read, recognises
from transformer.languages.model import Text
from transformer.policy.mirrors import candidates
from transformer.policy.model import Policy


def said(content: str):
    return read((text(content, "registries.yaml"),))


def mirrors(*lines: str, host: str = "docker.io") -> str:
    return f"mirrors:\n  {host}:\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (mirrors("endpoint: https://a.test"), 3, r"mirrors\.docker\.io\.endpoint: wants a list of strings"),
        (mirrors("endpoint: [{a: b}]"), 3, r"endpoint\[0\]: wants a list of strings"),
        (mirrors("endpoint: []", "rewrite: [a]"), 4, r"rewrite: wants a mapping"),
        (mirrors("endpoint: []", "rewrite: {a: [b]}"), 4, r"rewrite\.a: wants a text"),
        (mirrors("endpoint: [https://a.test]", "rewrite: {'(': x}"), 4, "no pattern of RE2"),
        (mirrors("endpoint: [https://a.test]", "rewrite: {'(?=x)': x}"), 4, "no pattern of RE2"),
        (mirrors("endpoint: [https://a.test]", "rewrite: {'(a)': $2}"), 4, "has no group"),
        (mirrors("endpoint: [https://a.test]", "rewrite: {'((a{900}){900}){900}': x}"), 4, "no pattern of RE2"),
        (mirrors("endpoint:", "- 'https://user:hunter2@a.test'"), 4, r"endpoint\[0\]: an address with a login"),
        (mirrors("endpoint: ['user:hunter2@a.test']"), 3, "an address with a login"),
        (mirrors("endpoint: ['ftp://a.test']"), 3, "http or https"),
        (mirrors("endpoint: ['https://a.test?token=hunter2']"), 3, "no query"),
        (mirrors("endpoint: ['']"), 3, "names no host"),
        (mirrors("endpoint: ['https://']"), 3, "names no host"),
        (mirrors("endpoint: ['https:///v2']"), 3, "names no host"),
        (mirrors("endpoint: ['https://a.test/v2/{hub}']"), 3, "braces"),
        (mirrors("endpoint: ['https://a.test/v2/Hub']"), 3, "lower case"),
        ("mirrors: []", 1, "mirrors: wants a mapping"),
        ("mirrors: {docker.io: [a]}", 1, "mirrors.docker.io: wants a mapping"),
        ("mirrors: {docker.io/library: {endpoint: [https://a.test]}}", 1, "registries only"),
        ("mirrors: {'': {endpoint: [https://a.test]}}", 1, "empty source"),
        ("mirrors: {'a.*.b': {endpoint: [https://a.test]}}", 1, "wildcard"),
        ("mirrors: {hub: {endpoint: [https://a.test]}}", 1, "begins with its registry"),
        ("mirrors: {'https://a.test': {endpoint: [https://b.test]}}", 1, "no scheme"),
        ("mirrors:\n  docker.io: {endpoint: [a.test]}\n  index.docker.io: {endpoint: [b.test]}", 3, "already"),
        ("configs: [a]", 1, "configs: wants a mapping"),
        ("configs: {a.test: {tls: [x]}}", 1, r"configs\.a\.test\.tls: wants a mapping"),
        ("configs: {a.test: {tls: {insecure_skip_verify: hunter2}}}", 1, "wants true or false"),
        ("just words", 1, "wants a mapping"),
    ],
)
def test_what_nobody_could_use_is_refused_with_line_and_key(content, line, words):
    error = refused(read, content, "registries.yaml")
    assert error.line == line
    with pytest.raises(type(error), match=words):
        raise error
    assert "hunter2" not in str(error)


def test_a_source_that_stands_in_two_files_is_refused_and_both_are_named():
    content = mirrors("endpoint: [https://a.test]")
    with pytest.raises(Exception, match=r"b\.yaml:2: mirrors\.docker\.io: docker\.io has a mirror already.*a\.yaml:2"):
        read((text(content, "a.yaml"), text(content, "b.yaml")))


def test_a_login_in_a_key_is_never_shown():
    found = said(
        "mirrors: {}\nconfigs: {'u:hunter2@a.test': {auth: {}, tls: {ca_file: x, insecure_skip_verify: true}}}\n"
    )
    assert len(found.notes) == 3
    assert "hunter2" not in str(found)
    assert "hunter2" not in str(refused(read, "mirrors: {'https://u:hunter2@a.test': {endpoint: []}}"))


def test_logins_and_certificates_are_noted_and_never_shown():
    found = said(
        "configs:\n"
        "  a.test:\n"
        "    auth: {username: bob, password: hunter2}\n"
        "    tls:\n"
        "      ca_file: /etc/ca.pem\n"
        "      cert_file: /etc/cert.pem\n"
        "      key_file: /etc/key.pem\n"
        "      insecure_skip_verify: true\n"
        "mirrors: {}\n"
    )
    keys = ["auth", "tls.ca_file", "tls.insecure_skip_verify", "tls.cert_file", "tls.key_file"]
    assert sorted(notes(found)) == sorted(zip((3, 5, 8, 6, 7), (f"configs.a.test.{key}" for key in keys), strict=True))
    assert "caBundle" in whys(found)
    assert "hunter2" not in str(found) and "/etc" not in str(found)


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (mirrors("endpoint: [https://a.test]", "endpoints: []"), (4, "mirrors.docker.io.endpoints"), "'endpoint'"),
        ("mirror: {}\nmirrors: {}\n", (1, "mirror"), "did you mean 'mirrors'"),
        (mirrors("endpoint: [https://a.test/us]"), (3, "mirrors.docker.io.endpoint[0]"), "/us is a path of its own"),
        (mirrors("endpoint: [https://a.test/us/v2]"), (3, "mirrors.docker.io.endpoint[0]"), "left out"),
        (mirrors("endpoint: [a.test]", "rewrite: {a: b, c: d}"), (4, "mirrors.docker.io.rewrite"), "the first"),
        ("mirrors:\n  '*':\n", (2, "mirrors.*"), "no endpoints"),
        (mirrors("endpoint: []"), (2, "mirrors.docker.io"), "no endpoint but the registry itself"),
        (mirrors("endpoint: [https://registry-1.docker.io]"), (2, "mirrors.docker.io"), "the registry itself"),
        (mirrors("endpoint: [a.test]", host="registry-1.docker.io"), (2, "mirrors.registry-1.docker.io"), "Docker Hub"),
        ("configs: {}", (1, "mirrors"), "is not there"),
    ],
)
def test_what_is_not_carried_over_is_noted(content, place, words):
    found = said(content)
    assert place in notes(found)
    assert words in whys(found)


@pytest.mark.parametrize(
    ("endpoints", "to"),
    [
        ("[https://a.test]", ["a.test"]),
        ("[https://a.test/, https://A.test/v2, https://a.test/v2/, a.test]", ["a.test"]),
        ("[https://a.test:5000]", ["a.test:5000"]),
        ("[https://a.test/v2/hub/proxy/]", ["a.test/hub/proxy"]),
        ("[a.test, https://b.test/v2/x]", ["a.test", "b.test/x"]),
        ("[https://a.test, https://registry-1.docker.io]", ["a.test"]),
        ("[https://registry-1.docker.io, https://a.test]", ["docker.io", "a.test"]),
        ("[localhost:5000, 'http://127.0.0.1:5001']", ["localhost:5000", "127.0.0.1:5001"]),
        ("[https://mirror]", ["mirror:443"]),
    ],
)
def test_endpoints(endpoints, to):
    found = said(mirrors(f"endpoint: {endpoints}"))
    assert places(found) == {"docker.io": to}
    assert [mirror.fallback for mirror in found.mirrors] == ["source"]


def test_plain_http_is_the_hosts():
    found = said(mirrors("endpoint: ['http://a.test:5000/v2/hub', https://b.test, 'http://a.test:5000']"))
    assert [(rule.host, rule.insecure) for rule in found.registries] == [("a.test:5000", True)]


def test_a_mirror_knows_where_it_stands():
    (mirror,) = said("# nodes\n" + mirrors("endpoint:", "- a.test", "- b.test")).mirrors
    assert (mirror.name, mirror.file, mirror.line) == ("mirrors.docker.io", "registries.yaml", 3)
    assert [(at.name, at.line) for at in mirror.locations] == [
        ("mirrors.docker.io.endpoint[0]", 5),
        ("mirrors.docker.io.endpoint[1]", 6),
    ]


def test_the_star_speaks_for_the_others_only():
    found = said(mirrors("endpoint: [a.test]") + "  '*': {endpoint: [b.test]}\n  quay.io:443: {endpoint: [c.test]}\n")
    assert names(found, "nginx:1") == ["a.test/library/nginx:1"]
    assert names(found, "ghcr.io/a/b:1") == ["b.test/a/b:1"]
    assert names(found, "quay.io/a/b:1") == ["b.test/a/b:1"]
    assert names(found, "quay.io:443/a/b:1") == ["c.test/a/b:1"]


def test_the_rewrite_holds_for_every_endpoint_and_not_for_the_registry_itself():
    found = said(mirrors("endpoint: [a.test, b.test/v2/p]", "rewrite: {'^library/(.*)': 'hub/$1'}"))
    assert names(found, "nginx:1") == ["a.test/hub/nginx:1", "b.test/p/hub/nginx:1"]
    assert names(found, "bitnami/redis") == ["a.test/bitnami/redis", "b.test/p/bitnami/redis"]
    assert [mirror.fallback for mirror in found.mirrors] == ["source"]


def test_an_endpoint_that_rewrites_the_registrys_own_names_is_left_out():
    found = said(mirrors("endpoint: [https://docker.io, a.test]", "rewrite: {'^library/': 'mine/'}"))
    assert names(found, "nginx:1") == ["a.test/mine/nginx:1"]
    assert notes(found) == [(3, "mirrors.docker.io.endpoint[0]")]
    assert "once more" in whys(found)


@pytest.mark.parametrize(("given", "expect"), vectors("rewrite_repo"))
def test_vectors(given, expect):
    """Where a vector names no endpoint, only what becomes of the path is told: another host stands for the registry."""
    endpoint = given.get("endpoint", "https://mirror.test")
    rewrite = "".join(f"      '{pattern}': '{to}'\n" for pattern, to in given["rewrite"].items())
    found = said(mirrors(f"endpoint: [{endpoint}]", "rewrite:", host=given["registry"]) + rewrite)
    image, expected = parse(given["ref"]), expect["ref"].replace("index.docker.io/", "docker.io/")
    made = names(found, given["ref"])
    if image.registry == given["registry"]:
        assert made is not None
        if "endpoint" not in given:
            expected = "mirror.test" + expected.removeprefix(given["registry"])
        assert [name if image.tag else f"{name}:latest" for name in made] == [expected]
    else:
        assert made is None
        assert image.canonical == expected


@pytest.mark.parametrize(
    ("name", "content", "known"),
    [
        ("/etc/rancher/k3s/registries.yaml", "", True),
        ("registries.yml", "anything", True),
        ("other.yaml", "mirrors:\n  docker.io:\n", True),
        ("other.yaml", '{"mirrors": {}, "configs": {}}', True),
        ("other.yaml", "mirrors: {}\nkind: X\n", False),
        ("other.yaml", "configs: {}\n", False),
        ("other.yaml", "", False),
    ],
)
def test_it_is_recognised_by_name_and_keys(name, content, known):
    assert recognises(Text(name, content)) is known


@pytest.mark.parametrize("entry", ["{}", "", "{endpoint: []}", '{endpoint: ["https://quay.io"]}'])
def test_a_registry_with_an_entry_of_its_own_is_not_for_any(entry):
    text = f'mirrors:\n  "*": {{endpoint: ["https://all.test/v2/cache"]}}\n  quay.io: {entry}\n'
    policy = Policy(mirrors=read([Text("registries.yaml", text)]).mirrors)
    names = [
        [one.reference.name for one in candidates(parse(image), policy).locations]
        for image in ("quay.io/x/y:1", "ghcr.io/x/y:1")
    ]
    assert names == [["quay.io/x/y"], ["all.test/cache/x/y"]]
