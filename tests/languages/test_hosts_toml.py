"""hosts.toml trees: refused, noted, and what hosts, servers and folders mean."""

from __future__ import annotations

import re

import pytest
import tomli_w

from tests.languages.answers import broken, names, notes, places, replaced, whys
from tests.languages.vectors_of_toml import vectors
from transformer.errors import PolicyError
from transformer.languages.hosts_toml import api_root, read, recognises
from transformer.languages.model import Imported, Text
from transformer.languages.sources import endpoint_of

NAME = "certs.d/docker.io/hosts.toml"


def said(content: str, folder: str = "docker.io") -> Imported:
    return read([Text(f"certs.d/{folder}/hosts.toml", content)])


def tree(**folders: str) -> Imported:
    return read([Text(f"certs.d/{folder}/hosts.toml", content) for folder, content in folders.items()])


def host(url: str, *lines: str) -> str:
    return f'[host."{url}"]\n' + "".join(f"{line}\n" for line in lines)


OVERRIDE = "override_path = true"
HUB = host("https://m.test/v2/hub", OVERRIDE)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("host = 'https://m.test'", 1, "host: wants a table"),
        ("[host]\n'https://m.test' = 1", 2, r'host\."https://m\.test": wants a table'),
        ("server = ['https://m.test']", 1, "server: wants a text"),
        (host("https://m.test", "capabilities = 'pull'"), 2, "wants a list of strings"),
        (host("https://m.test", "capabilities = ['pull',", "7]"), 3, r"capabilities\[1\]: wants a list of strings"),
        (host("https://m.test", "capabilities = ['pull',", "'fetch']"), 3, "'fetch' is no capability; there is pull"),
        ("server = 'https://m.test'\ncapabilities = ['fetch']", 2, "is no capability"),
        (host("https://m.test", "override_path = 'yes'"), 2, "wants true or false"),
        (host("https://m.test", "skip_verify = 'hunter2'"), 2, "wants true or false"),
        (host("https://user:hunter2@m.test"), 1, "a login"),
        (host("https://m.test?token=hunter2"), 1, "no query"),
        (host("ftp://m.test"), 1, "http or https"),
        (host("https://"), 1, "names no host"),
        (host(""), 1, "names no host"),
        (host("https://m.test/v2/Hub", OVERRIDE), 1, "lower case"),
        (host("https://m.test/v2/{a}", OVERRIDE), 1, "braces"),
        ("server = 'https://user:hunter2@m.test'", 1, "server: an address with a login"),
        ("server = 'm test'", 1, "server: .*image name"),
        ("no toml", 1, "is no TOML"),
    ],
)
def test_what_containerd_could_not_use_is_refused_with_line_and_key(content, line, words):
    with pytest.raises(PolicyError, match=words) as error:
        said(content)
    assert (error.value.file, error.value.line) == (NAME, line)
    assert "hunter2" not in str(error.value)


WHOLE = {
    "server": "https://m.test",
    "host": {
        "https://n.test": {"capabilities": ["pull", "resolve"], "skip_verify": False, "override_path": False},
    },
}


@pytest.mark.parametrize(("path", "wrong"), [case for case in broken(WHOLE) if case[1] is not None])
def test_a_wrong_type_anywhere_is_said_and_never_shown(path, wrong):
    if path == ("server",) and isinstance(wrong, str):
        pytest.skip("another text is a host")
    content = tomli_w.dumps(replaced(WHOLE, path, wrong))
    with pytest.raises(PolicyError) as error:
        said(content)
    assert error.value.line > 0
    if path[-1] != 0:  # which capability it is that nobody knows is said
        assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("folder", ["*", "a b", "**.x", "a.*.b", "*.x.test", "user:hunter2@x.test"])
def test_folders_that_are_no_registry_are_refused(folder):
    with pytest.raises(PolicyError) as error:
        said(HUB, folder)
    assert "hunter2" not in str(error.value).partition(": ")[2]


@pytest.mark.parametrize("name", ["hosts.toml", "-", "docker/hosts.toml"])
def test_a_file_without_its_folder_says_what_to_do(name):
    with pytest.raises(PolicyError, match="told by its folder; import the folder above"):
        read([Text(name, HUB)])


def test_a_file_that_was_only_found_there_is_passed_over_with_a_note():
    imported = read([Text("certs.d/docker/hosts.toml", HUB, found=True)])
    assert (imported.mirrors, notes(imported)) == ((), [(1, "")])


@pytest.mark.parametrize(
    ("content", "noted", "words"),
    [
        (HUB + "capabilties = ['pull']", [(3, 'host."https://m.test/v2/hub".capabilties')], "mean 'capabilities'"),
        ("servre = 'https://docker.io'\n" + HUB, [(1, "servre")], "mean 'server'"),
        (HUB + "skip_verify = true", [(3, 'host."https://m.test/v2/hub".skip_verify')], "caBundle"),
        (HUB + "ca = ['a.pem']", [(3, 'host."https://m.test/v2/hub".ca')], "caBundle"),
        (HUB + "client = 'a.pem'", [(3, 'host."https://m.test/v2/hub".client')], "client certificate"),
        (
            HUB + "[host.'https://m.test/v2/hub'.header]\nx = 'hunter2'",
            [(3, 'host."https://m.test/v2/hub".header')],
            "not read",
        ),
        (HUB + "dial_timeout = '1s'", [(3, 'host."https://m.test/v2/hub".dial_timeout')], "timeout"),
        ("ca = 'a.pem'\n" + HUB, [(1, "ca")], "caBundle"),
        (host("https://m.test"), [(1, 'host."https://m.test"')], r"\?ns=.*docker\.io.*m\.test has to hold it"),
        (host("https://m.test/us"), [(1, 'host."https://m.test/us"')], "below /us, which no image name can hold"),
        (host("https://m.test/us/v2"), [(1, 'host."https://m.test/us/v2"')], "no image name can hold"),
        (host("https://m.test/v2/hub"), [(1, 'host."https://m.test/v2/hub"')], "is override_path missing"),
        (host("https://m.test", OVERRIDE), [(1, 'host."https://m.test"')], "below /, which"),
        (host("https://m.test/hub", OVERRIDE), [(1, 'host."https://m.test/hub"')], "no image name can hold"),
        (HUB + "capabilities = ['push']", [(1, 'host."https://m.test/v2/hub"')], "no capability `pull`"),
        (HUB + "capabilities = ['resolve']", [(1, 'host."https://m.test/v2/hub"')], "no capability `pull`"),
        (HUB + "capabilities = []", [(1, 'host."https://m.test/v2/hub"')], "no capability `pull`"),
        ("server = 'https://m.test/us'", [(1, "server")], "no image name can hold"),
        ("server = 'https://docker.io'\ncapabilities = ['push']\n" + HUB, [(1, "server")], "not asked for images"),
        ("server = 'https://docker.io'\ncapabilities = ['pull']\n" + HUB, [(1, "server")], "not asked for tags"),
    ],
)
def test_what_cannot_be_said_is_noted(content, noted, words):
    imported = said(content)
    assert notes(imported) == noted
    assert re.search(words, whys(imported))
    assert "hunter2" not in whys(imported)


@pytest.mark.parametrize("content", ["", "# nothing", "server = 'https://registry-1.docker.io'", "skip_verify = false"])
def test_what_means_nothing_for_names_is_silent(content):
    assert said(content) == Imported()


@pytest.mark.parametrize(
    ("content", "expected", "fallback"),
    [
        # No server: the registry itself is asked at the end.
        (HUB, ["m.test/hub"], "source"),
        ("server = 'https://registry-1.docker.io'\n" + HUB, ["m.test/hub"], "source"),
        ("server = 'https://docker.io'\n" + HUB, ["m.test/hub"], "source"),
        ("server = 'registry-1.docker.io/v2'\n" + HUB, ["m.test/hub"], "source"),
        # A mirror as the server: there is no way out.
        ("server = 'https://n.test'\n" + HUB, ["m.test/hub", "n.test"], "fail"),
        (f"server = 'https://m.test/v2/hub'\n{OVERRIDE}\n" + HUB, ["m.test/hub"], "fail"),
        (f"server = 'https://n.test/v2/x'\n{OVERRIDE}\n", ["n.test/x"], "fail"),
        # Docker Hub below a path is a mirror like any other.
        (f"server = 'https://docker.io/v2/x'\n{OVERRIDE}\n", ["docker.io/x"], "fail"),
        # In the order of the file, whatever the names.
        (
            host("https://z.test") + host("https://a.test") + host("https://m.test/v2"),
            ["z.test", "a.test", "m.test"],
            "source",
        ),
        # The registry itself keeps its place, but not at the end.
        (host("https://docker.io") + HUB, ["docker.io", "m.test/hub"], "source"),
        (HUB + host("https://registry-1.docker.io"), ["m.test/hub"], "source"),
        (host("https://m.test/v2", OVERRIDE), ["m.test"], "source"),
        (host("https://m.test") + host("https://m.test/v2"), ["m.test"], "source"),
        (host("https://m.test/us") + HUB, ["m.test/hub"], "source"),
        (host("m.test:5000"), ["m.test:5000"], "source"),
    ],
)
def test_hosts_become_locations(content, expected, fallback):
    (mirror,) = said(content).mirrors
    assert ([one.to for one in mirror.locations], mirror.fallback) == (expected, fallback)
    assert (mirror.source, mirror.resolve_at, mirror.file) == ("docker.io", "source", NAME)


@pytest.mark.parametrize(
    ("capabilities", "when"),
    [
        (None, "all"),
        ("['pull', 'resolve']", "all"),
        ("['resolve', 'push', 'pull', 'referrers']", "all"),
        ("['pull']", "digest"),
        ("['pull', 'push']", "digest"),
    ],
)
@pytest.mark.parametrize("where", ["host", "server"])
def test_capabilities_say_what_a_host_is_for(capabilities, when, where):
    lines = [OVERRIDE, *([f"capabilities = {capabilities}"] if capabilities else [])]
    content = host("https://m.test/v2/hub", *lines)
    if where == "server":
        content = "\n".join(["server = 'https://m.test/v2/hub'", *lines])
    (mirror,) = said(content).mirrors
    assert [one.when for one in mirror.locations] == [when]


@pytest.mark.parametrize(
    ("content", "hosts"),
    [
        (HUB, []),
        (host("http://m.test:5000"), ["m.test:5000"]),
        (host("http://mirror"), ["mirror:80"]),
        ("server = 'http://m.test'", ["m.test"]),
        (host("http://m.test/us"), []),
    ],
)
def test_http_is_plain(content, hosts):
    imported = said(content)
    assert [(rule.host, rule.insecure) for rule in imported.registries] == [(one, True) for one in hosts]


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("x.test_5000_", "x.test:5000"),
        ("x.test:5000", "x.test:5000"),
        ("localhost_5000_", "localhost:5000"),
        ("my_registry_5000_", "my_registry:5000"),
        ("_default", "*"),
    ],
)
def test_folders_name_registries(folder, source):
    if "my_" in folder:  # an underscore is in no host name
        with pytest.raises(PolicyError):
            said(HUB, folder)
        return
    assert list(places(said(HUB, folder))) == [source]


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_folders_containerd_reads_the_newer_spelling(turned):
    texts = [
        Text("certs.d/x.test_5000_/hosts.toml", host("https://m.test/v2/new", OVERRIDE)),
        Text("certs.d/x.test:5000/hosts.toml", host("https://m.test/v2/old", OVERRIDE)),
    ]
    imported = read(texts[::-1] if turned else texts)
    assert places(imported) == {"x.test:5000": ["m.test/new"]}
    assert [(note.file, "reads one only" in note.why) for note in imported.notes] == [(texts[1].name, True)]


def test_a_registry_with_a_folder_of_its_own_has_nothing_of_the_default():
    imported = tree(**{"_default": HUB, "quay.io": "server = 'https://quay.io'", "ghcr.io": host("https://m.test/us")})
    assert places(imported) == {"*": ["m.test/hub"], "quay.io": ["quay.io"], "ghcr.io": ["ghcr.io"]}
    assert names(imported, "quay.io/a:1") == ["quay.io/a:1"]
    assert names(imported, "other.test/a:1") == ["m.test/hub/a:1"]
    kept = imported.mirrors[1]
    assert (kept.write, kept.verify, kept.fallback) == ("source", "none", "source")


def test_without_a_default_such_a_folder_says_nothing():
    assert tree(**{"quay.io": "server = 'https://quay.io'"}) == Imported()


ONE_TEXT = f"""# written by hand

# docker.io/hosts.toml
{HUB}
# x.test_5000_/hosts.toml
server = "https://n.test"
capabilities = ["fetch"]
"""


def test_one_text_holds_several_files_each_with_its_lines():
    good = ONE_TEXT.replace("fetch", "pull")
    imported = read([Text("-", good)])
    assert places(imported) == {"docker.io": ["m.test/hub"], "x.test:5000": ["n.test"]}
    assert [mirror.line for mirror in imported.mirrors] == [3, 7]
    with pytest.raises(PolicyError) as error:
        read([Text("-", ONE_TEXT)])
    assert (error.value.file, error.value.line) == ("-", 9)


def test_what_stands_before_the_first_file_is_refused():
    with pytest.raises(PolicyError, match="in front of the first"):
        read([Text("-", "server = 'https://m.test'\n" + ONE_TEXT)])


def test_a_folder_beats_such_a_line():
    assert list(places(said("# quay.io/hosts.toml\n" + HUB))) == ["docker.io"]


@pytest.mark.parametrize(
    ("name", "content", "answer"),
    [
        ("registries.conf", "[[registry]]", False),
        ("values.yaml", "# docker.io/hosts.toml\n", False),
        ("-", "x = 1 # docker.io/hosts.toml", False),
        ("certs.d/docker.io/hosts.toml", "", True),
        ("-", "\n# docker.io/hosts.toml\nserver = 'x'", True),
    ],
)
def test_recognition(name, content, answer):
    assert recognises(Text(name, content)) is answer


@pytest.mark.parametrize(("given", "expect"), vectors("parse_host"))
def test_vectors_of_hosts(given, expect):
    lines = {key: given[key] for key in ("capabilities", "override_path", "skip_verify") if key in given}
    content = tomli_w.dumps({"host": {given["host_key"]: lines}})
    if "error" in expect:
        with pytest.raises(PolicyError, match="is no capability"):
            said(content)
        return
    endpoint = endpoint_of(given["host_key"])
    scheme = "http" if endpoint.plain else "https"
    url = f"{scheme}://{endpoint.host}{api_root(endpoint, given.get('override_path', False))}"
    assert url == expect["url"]
    when = "all" if "resolve" in expect["capabilities"] else "digest"
    root = expect["url"].partition("://")[2].partition("/")[2]
    expected = [when] if root.split("/")[0] == "v2" else []
    assert [one.when for mirror in said(content).mirrors for one in mirror.locations] == expected
