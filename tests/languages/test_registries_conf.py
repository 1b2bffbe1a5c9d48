"""registries.conf: what no node loads is refused, what cannot be said is noted, and then what the tables mean."""

from __future__ import annotations

import re
from typing import Any

import pytest
import tomli_w

from tests.languages.answers import DIGEST, broken, names, notes, places, refused, replaced, whys
from tests.languages.vectors_of_toml import loaded, vectors
from transformer.errors import PolicyError
from transformer.languages.model import Imported, Text
from transformer.languages.registries_conf import LANGUAGES, read, recognises
from transformer.languages.scopes import nested

NAME = "registries.conf"
CONFIGS = loaded()["configs"]


def said(*contents: str) -> Imported:
    return read([Text(NAME if not index else f"{NAME}.d/{index}.conf", one) for index, one in enumerate(contents)])


def table(*lines: str) -> str:
    return "[[registry]]\n" + "".join(f"{line}\n" for line in lines)


def mirrored(prefix: str, *to: str) -> str:
    return table(f"location = '{prefix}'", *(f"[[registry.mirror]]\nlocation = '{one}'" for one in to))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("registry = 'docker.io'", 1, r"registry: wants tables: \[\[registry\]\]"),
        ("[registry]\nlocation = 'docker.io'", 1, "wants tables"),
        ("registry = ['docker.io']", 1, r"registry\[0\]: wants tables"),
        (table("prefix = 7"), 2, r"registry\[0\]\.prefix: wants a text"),
        (table("location = 'a.test'", "insecure = 'yes'"), 3, "insecure: wants true or false"),
        (table("location = 'a.test'", "blocked = 1"), 3, "blocked: wants true or false"),
        (table("location = 'a.test'", "mirror = 'b.test'"), 3, r"mirror: wants tables"),
        (table("location = 'a.test'", "mirror-by-digest-only = 'x'"), 3, "wants true or false"),
        (table("location = 'a.test'", "pull-from-mirror = 'all'"), 3, r"belongs under \[\[registry.mirror\]\]"),
        (mirrored("a.test", "b.test") + "pull-from-mirror = 'some'", 5, "wants all, digest-only or tag-only"),
        (
            table("location = 'a.test'", "mirror-by-digest-only = true")
            + "[[registry.mirror]]\nlocation = 'b.test'\npull-from-mirror = 'all'\n",
            6,
            "contradicts mirror-by-digest-only",
        ),
        (mirrored("a.test", ""), 4, r"registry\[0\]\.mirror\[0\]\.location: an empty location"),
        (table("location = 'a.test'") + "[[registry.mirror]]\ninsecure = true", 3, "an empty location"),
        (mirrored("a.test", "https://b.test"), 4, "no scheme"),
        (mirrored("a.test", "user:hunter2@b.test"), 4, "neither a login"),
        (mirrored("a.test", "hub"), 4, "names no host"),
        (mirrored("a.test", "b.test/{registry}"), 4, "braces"),
        (mirrored("a.test", "b.test/Hub"), 4, "lower case"),
        (mirrored("https://a.test"), 2, "no scheme"),
        (mirrored("user:hunter2@a.test"), 2, "no login"),
        (mirrored("hub"), 2, "begins with its registry"),
        (table(), 1, "empty source"),
        (table("prefix = ''", "location = ''"), 3, "empty source"),
        (table("prefix = 'a.test'"), 2, "only a wildcard may leave it out"),
        (table("prefix = 'a.test'", "location = 'https://user:hunter2@b.test'"), 3, "no scheme"),
        (table("prefix = '**.a.test'"), 2, "wildcard"),
        (table("prefix = 'a.*.b'"), 2, "wildcard"),
        (table("prefix = '*.a.test/y'"), 2, "no path"),
        (table("prefix = '*.a.test:5000'"), 2, "no port"),
        (table("prefix = '*'"), 2, r"\* alone matches nothing"),
        (table("location = '*.a.test'"), 2, "a location has no wildcard"),
        ("[aliases]\n'a.test/x' = 'b.test/x'", 2, "no registry"),
        ("[aliases]\n'x:1' = 'b.test/x'", 2, "no tag"),
        ("[aliases]\n'X' = 'b.test/x'", 2, "short name"),
        ("[aliases]\nx = 'b.test'", 2, "names a repository"),
        ("[aliases]\nx = 'b.test/x:1'", 2, "no tag"),
        ("[aliases]\nx = 'y'", 2, "names no host"),
        ("[aliases]\nx = 1", 2, "wants a text"),
        ("aliases = 1", 1, "wants a table"),
        ("unqualified-search-registries = 'docker.io'", 1, "wants a list of strings"),
        ("unqualified-search-registries = [1]", 1, "wants a list of strings"),
        ("short-name-mode = 'loose'", 1, "enforcing, permissive or disabled"),
        ("registries = 'a'", 1, "wants a table"),
        ("[registries.search]\nregistries = 'a'", 2, "wants a list of strings"),
        ("[registries.block]\nregistries = ['https://a.test']", 2, "no scheme"),
        ("[registries.search]\nregistries = []\n[[registry]]\nlocation = 'a.test'", 1, "both versions"),
        (
            "[[registry]]\nprefix = 'a.test'\nlocation = 'c.test'\n"
            "[[registry]]\nprefix = 'b.test'\nlocation = 'c.test'\ninsecure = true",
            4,
            r"insecure for c\.test contradicts registries\.conf:1",
        ),
        (
            "[[registry]]\nprefix = 'a.test'\nlocation = 'c.test'\n[[registry]]\nlocation = 'c.test'\nblocked = true",
            4,
            "blocked for c.test contradicts",
        ),
        ("not toml", 1, "is no TOML"),
    ],
)
def test_what_no_node_could_use_is_refused_with_line_and_key(content, line, words):
    error = refused(read, content, NAME)
    assert error.line == line
    assert "hunter2" not in str(error)
    with pytest.raises(PolicyError, match=words):
        raise error


WHOLE = {
    "unqualified-search-registries": ["docker.io"],
    "short-name-mode": "enforcing",
    "registry": [
        {
            "prefix": "a.test",
            "location": "a.test",
            "insecure": True,
            "blocked": False,
            "mirror": [{"location": "m.test", "insecure": False, "pull-from-mirror": "all"}],
        },
        {"location": "b.test", "mirror-by-digest-only": True},
    ],
    "aliases": {"x": "b.test/x"},
}


@pytest.mark.parametrize(("path", "wrong"), [case for case in broken(WHOLE) if case[1] is not None])
def test_a_wrong_type_anywhere_is_said_and_never_shown(path, wrong):
    content = tomli_w.dumps(replaced(WHOLE, path, wrong))
    if isinstance(wrong, str):
        content = content.replace("hunter2", "user:hunter2@x.test")
    error = refused(read, content, NAME)
    assert error.line > 0
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("content", "noted", "words"),
    [
        ("foo = 1", [(1, "foo")], "known here: aliases"),
        (table("location = 'a.test'", "insecur = true"), [(3, "registry[0].insecur")], "did you mean 'insecure'"),
        (
            mirrored("a.test", "b.test") + "pull-from-miror = 'all'",
            [(5, "registry[0].mirror[0].pull-from-miror")],
            "did you mean 'pull-from-mirror'",
        ),
        (mirrored("a.test/b:1", "m.test"), [(2, "registry[0].location")], "the table does nothing"),
        (mirrored(f"a.test/b@{DIGEST}", "m.test"), [(2, "registry[0].location")], "the table does nothing"),
        ("short-name-mode = 'enforcing'", [(1, "short-name-mode")], "short names"),
        ("credential-helpers = ['secretservice']", [(1, "credential-helpers")], "how to log in"),
        (
            "unqualified-search-registries = ['quay.io', 'docker.io']",
            [(1, "unqualified-search-registries")],
            "Docker Hub's in Kubernetes",
        ),
        ("[registries.search]\nregistries = ['quay.io']", [(2, "unqualified-search-registries")], "Docker Hub's"),
        ("[registries.find]\nregistries = ['quay.io']", [(1, "registries.find")], "known here: block"),
        (table("prefix = '*.a.test'", "insecure = true"), [(1, "registry[0]")], "names no host"),
        (
            mirrored("a.test", "m.test") + mirrored("a.test", "n.test"),
            [(5, "registry[1]")],
            r"a\.test has a table already \(line 1\)",
        ),
        (mirrored("registry-1.docker.io", "m.test"), [(2, "registry[0].location")], "docker.io"),
    ],
)
def test_what_cannot_be_said_is_noted(content, noted, words):
    imported = said(content)
    assert notes(imported) == noted
    assert re.search(words, whys(imported))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# comment\n",
        "unqualified-search-registries = ['docker.io', 'quay.io']",
        "unqualified-search-registries = []",
        table("location = 'a.test'"),
        table("prefix = '*.a.test'"),
        "[aliases]\nnginx = 'docker.io/library/nginx'",
        "[aliases]\nx = ''",
    ],
)
def test_what_means_nothing_for_names_is_silent(content):
    assert said(content) == Imported()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (mirrored("docker.io", "m.test/hub/", "n.test:5000"), {"docker.io": ["m.test/hub", "n.test:5000"]}),
        (mirrored("index.docker.io/library/", "m.test"), {"docker.io/library": ["m.test"]}),
        # A remap: the location comes behind the mirrors.
        (
            table("prefix = 'in.test/a'", "location = 'out.test/b'", "[[registry.mirror]]", "location = 'm.test'"),
            {"in.test/a": ["m.test", "out.test/b"]},
        ),
        (table("prefix = '*.a.test'", "location = 'b.test/c'"), {"*.a.test": ["b.test/c"]}),
        (table("prefix = '*.a.test'", "[[registry.mirror]]", "location = 'm.test'"), {"*.a.test": ["m.test"]}),
        # The source itself among its mirrors keeps its place.
        (mirrored("a.test", "m.test", "a.test", "n.test"), {"a.test": ["m.test", "a.test", "n.test"]}),
        # Its own table, with no mirrors, keeps names out of the wider one.
        (
            mirrored("docker.io", "m.test") + table("location = 'docker.io/library'"),
            {"docker.io": ["m.test"], "docker.io/library": ["docker.io/library"]},
        ),
        # Written inline, it is the same.
        ("registry = [{location = 'a.test', mirror = [{location = 'm.test'}]}]", {"a.test": ["m.test"]}),
        (
            "[aliases]\nubi9 = 'b.test/ubi9'\n'a/b' = 'b.test/b'",
            {"docker.io/library/ubi9": ["b.test/ubi9"], "docker.io/a/b": ["b.test/b"]},
        ),
    ],
)
def test_tables_become_mirrors(content, expected):
    assert places(said(content)) == expected


@pytest.mark.parametrize(
    ("content", "resolve_at", "fallback"),
    [
        (mirrored("a.test", "m.test"), "source", "source"),
        (table("location = 'a.test'", "blocked = true", "mirror = [{location = 'm.test'}]"), "source", "fail"),
        (table("prefix = 'a.test'", "location = 'b.test'"), "mirror", "fail"),
        (table("prefix = '*.a.test'", "mirror = [{location = 'm.test'}]"), "source", "source"),
        (table("prefix = '*.a.test'", "blocked = true", "mirror = [{location = 'm.test'}]"), "source", "fail"),
        ("[aliases]\nx = 'b.test/x'", "mirror", "fail"),
    ],
)
def test_who_is_asked_and_what_when_nobody_answers(content, resolve_at, fallback):
    (mirror,) = said(content).mirrors
    assert (mirror.resolve_at, mirror.fallback, mirror.write, mirror.verify) == (
        resolve_at,
        fallback,
        "mirror",
        "same-digest",
    )


def test_a_mirror_says_where_it_stands():
    (mirror,) = said("\n" + mirrored("a.test", "m.test")).mirrors
    assert (mirror.name, mirror.file, mirror.line) == ("registry[0]", NAME, 2)
    assert (mirror.locations[0].name, mirror.locations[0].line) == ("registry[0].mirror[0].location", 5)


@pytest.mark.parametrize(
    ("registry", "mirror", "when"),
    [
        ("", "", "all"),
        ("", "pull-from-mirror = ''", "all"),
        ("", "pull-from-mirror = 'all'", "all"),
        ("", "pull-from-mirror = 'digest-only'", "digest"),
        ("", "pull-from-mirror = 'tag-only'", "tag"),
        ("mirror-by-digest-only = true", "", "digest"),
        ("mirror-by-digest-only = false", "pull-from-mirror = 'tag-only'", "tag"),
    ],
)
def test_what_a_mirror_is_for(registry, mirror, when):
    content = table(
        "prefix = 'a.test'", "location = 'b.test'", registry, "[[registry.mirror]]", "location = 'm.test'", mirror
    )
    (found,) = said(content).mirrors
    # The table's own location is for everything.
    assert [one.when for one in found.locations] == [when, "all"]


def denied(imported: Imported) -> list[str]:
    assert all(rule.action == "deny" and rule.reason for rule in imported.denies)
    return [rule.match for rule in imported.denies]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (table("location = 'a.test'"), []),
        (mirrored("a.test", "m.test") + table("location = 'b.test'", "blocked = true"), ["b.test"]),
        (table("prefix = '*.a.test'", "blocked = true"), ["*.a.test/**", "*.a.test:*/**"]),
        (table("location = 'a.test/b'", "blocked = true"), ["a.test/b"]),
        (table("prefix = 'a.test'", "location = 'b.test'", "blocked = true"), ["a.test"]),
        ("[registries.block]\nregistries = ['a.test', 'b.test']", ["a.test", "b.test"]),
        # Blocked inside blocked is denied twice; an exception inside is more than a deny can say.
        (
            table("location = 'a.test'", "blocked = true") + table("location = 'a.test/b'", "blocked = true"),
            ["a.test", "a.test/b"],
        ),
        (table("location = 'a.test'", "blocked = true") + table("location = 'a.test/b'"), []),
        (table("prefix = '*.test'", "blocked = true") + table("location = 'a.test'"), []),
    ],
)
def test_what_is_blocked_is_denied(content, expected):
    assert denied(said(content)) == expected


def test_a_deny_names_the_file():
    assert said("\n" + table("location = 'a.test'", "blocked = true")).denies[0].reason == f"blocked in {NAME}:2"


def test_an_exception_to_a_block_is_noted():
    imported = said(table("location = 'a.test'", "blocked = true") + mirrored("a.test/b", "m.test"))
    assert notes(imported) == [(1, "registry[0]")]
    assert "a.test/b in it is not blocked" in whys(imported)
    assert places(imported) == {"a.test/b": ["m.test"]}


def test_a_blocked_mirror_is_left_out_and_noted():
    imported = said(mirrored("quay.io", "m.test/x", "n.test") + table("location = 'm.test'", "blocked = true"))
    assert places(imported) == {"quay.io": ["n.test"]}
    assert notes(imported) == [(4, "registry[0].mirror[0].location")]
    assert "m.test/x lies under m.test, which is blocked" in whys(imported)


def test_a_blocked_registry_whose_mirrors_are_all_blocked_is_denied():
    content = table("location = 'a.test'", "blocked = true", "mirror = [{location = 'a.test/cache'}]")
    imported = said(content)
    assert (imported.mirrors, denied(imported)) == ((), ["a.test"])


@pytest.mark.parametrize(
    ("content", "hosts"),
    [
        (mirrored("a.test", "m.test"), []),
        (mirrored("a.test", "m.test:5000/x") + "insecure = true", ["m.test:5000"]),
        (table("location = 'a.test/x'", "insecure = true", "mirror = [{location = 'm.test'}]"), ["a.test"]),
        (table("prefix = 'a.test'", "location = 'b.test'", "insecure = true"), ["b.test"]),
        ("[registries.insecure]\nregistries = ['a.test:5000']", ["a.test:5000"]),
        (
            mirrored("a.test", "m.test/x") + "insecure = true\n" + mirrored("b.test", "m.test/y") + "insecure = true",
            ["m.test"],
        ),
    ],
)
def test_insecure_hosts_are_plain_and_said_once(content, hosts):
    imported = said(content)
    assert [rule.host for rule in imported.registries] == hosts
    assert all(rule.insecure for rule in imported.registries)
    assert [note.why.partition(":")[0] for note in imported.notes] == [host.partition(":")[0] for host in hosts]


def test_a_wildcard_inside_a_mirrored_one_cannot_be_kept_out():
    imported = said(table("prefix = '*.test'", "mirror = [{location = 'm.test'}]") + table("prefix = '*.a.test'"))
    assert places(imported) == {"*.test": ["m.test"]}
    assert notes(imported) == [(4, "registry[1]")]


def test_aliases_stand_for_short_names_only_and_one_note_says_so():
    imported = said("[aliases]\na = 'b.test/a'\nc = 'b.test/c'\n")
    assert notes(imported) == [(2, "aliases")]
    assert "short name only" in whys(imported)


def test_a_table_beats_an_alias():
    imported = said(mirrored("docker.io/library/x", "m.test") + "[aliases]\nx = 'b.test/x'")
    assert places(imported) == {"docker.io/library/x": ["m.test"]}
    assert notes(imported) == [(6, "aliases.x")]


def test_two_spellings_of_an_alias_are_refused():
    assert "already" in str(refused(read, "[aliases]\nx = 'b.test/x'\n'library/x' = 'c.test/x'", NAME))


DROP_INS = [
    # A later table replaces all of an earlier one with the same prefix, its mirrors too.
    ((mirrored("a.test", "m.test"), mirrored("a.test", "n.test")), {"a.test": ["n.test"]}),
    ((mirrored("a.test", "m.test"), table("location = 'a.test'")), {}),
    ((mirrored("a.test", "m.test"), mirrored("b.test", "n.test")), {"a.test": ["m.test"], "b.test": ["n.test"]}),
    ((mirrored("a.test", "m.test"), ""), {"a.test": ["m.test"]}),
    ((mirrored("docker.io", "m.test"), mirrored("index.docker.io", "n.test")), {"docker.io": ["n.test"]}),
    # Aliases merge, and an empty one erases.
    (
        ("[aliases]\na = 'm.test/a'\nb = 'm.test/b'", "[aliases]\nb = 'n.test/b'\na = ''"),
        {"docker.io/library/b": ["n.test/b"]},
    ),
    (("[aliases]\na = ''", "[aliases]\na = 'm.test/a'"), {"docker.io/library/a": ["m.test/a"]}),
]


@pytest.mark.parametrize(("contents", "expected"), DROP_INS)
def test_drop_ins(contents, expected):
    assert places(said(*contents)) == expected


def test_a_drop_in_replaces_or_clears_the_search_list():
    first = "unqualified-search-registries = ['quay.io']"
    assert notes(said(first)) == [(1, "unqualified-search-registries")]
    assert notes(said(first, "unqualified-search-registries = []")) == []
    assert notes(said(first, "unqualified-search-registries = ['docker.io']")) == []
    assert notes(said(first, "short-name-mode = ''"))[-1] == (1, "unqualified-search-registries")


def test_a_drop_in_is_named_by_its_own_file():
    with pytest.raises(PolicyError) as error:
        said(mirrored("a.test", "m.test"), "\n[[registry]]\nprefix = 'x'")
    assert (error.value.file, error.value.line) == (f"{NAME}.d/1.conf", 3)


@pytest.mark.parametrize(
    ("name", "content", "answer"),
    [
        ("certs.d/docker.io/hosts.toml", "[host.'https://m.test']", False),
        ("registries.yaml", "mirrors: {}", False),
        ("notes.yaml", "# [[registry]]\n[[registry]]", False),
        ("config.toml", "[plugins.'io.containerd.grpc.v1.cri'.registry]", False),
        ("app.conf", "[server]\nport = 1", False),
        ("etc/containers/registries.conf", "", True),
        ("registries.conf", "", True),
        ("registries.conf.d/000-shortnames.conf", "", True),
        ("shortnames.conf", "[aliases]\nx = 'b.test/x'", True),
        ("-", "[[registry]]\nlocation = 'a.test'", True),
        ("-", "registry = [{location = 'a.test'}]", True),
        ("-", "registry = 'a.test'", False),
        ("-", "# first\n[registries.search]\nregistries = []", True),
        ("x.conf", "unqualified-search-registries = []", True),
    ],
)
def test_recognition(name, content, answer):
    assert recognises(Text(name, content)) is answer
    assert LANGUAGES[0].name == "registries.conf"


def test_ten_thousand_tables_are_read_and_one_more_is_not():
    content = "".join(f"[[registry]]\nlocation='r{index}.test'\nblocked=true\n" for index in range(10_001))
    assert "more than 10000 rules" in str(refused(read, content, NAME))
    assert len(said(content[: content.rindex("[[")]).denies) == 10_000


# The vectors.


def toml(registries: list[dict[str, Any]]) -> str:
    """A vector's tables as a file; `mirrors` there is `mirror` here."""
    tables = [{("mirror" if key == "mirrors" else key): value for key, value in one.items()} for one in registries]
    return tomli_w.dumps({"registry": tables})


def _images_only(case: dict[str, Any]) -> bool:
    return "/" in case["given"]["ref"]


#: With a digest in the prefix: matched by the function alone, never at a pull, which looks up names without one.
DEAD = "registries.conf-043"


@pytest.mark.parametrize(
    ("given", "expect"), vectors("match_prefix", lambda case: _images_only(case) and case["id"] != DEAD)
)
def test_vectors_of_prefixes(given, expect):
    content = table(f"prefix = '{given['prefix']}'", "location = 'elsewhere.test/x'")
    try:
        imported = said(content)
    except PolicyError:
        assert not expect["matched"]
        return
    found = names(imported, given["ref"])
    assert (found is not None) is expect["matched"]
    if found is not None:
        rest = given["ref"].removeprefix(expect["consumed"]).partition("@")[0]
        assert found == [f"elsewhere.test/x{rest}"]


@pytest.mark.parametrize(
    ("given", "expect"), vectors("match_prefix", lambda case: not _images_only(case) or case["id"] == DEAD)
)
def test_vectors_of_prefixes_that_no_image_can_show(given, expect):
    """The reference is a bare host, which is no image; or the prefix has a digest, and then it is dead."""
    if "@" in given["prefix"]:
        assert said(table(f"prefix = '{given['prefix']}'", "location = 'm.test'")).mirrors == ()
        return
    assert nested(given["ref"], given["prefix"]) is expect["matched"]


#: Its function gets a location that the loader has not trimmed; a file's location has no slash at its end.
UNTRIMMED = "registries.conf-068"


@pytest.mark.parametrize(("given", "expect"), vectors("rewrite", lambda case: case["id"] != UNTRIMMED))
def test_vectors_of_rewriting(given, expect):
    imported = said(table(f"prefix = '{given['prefix']}'", f"location = '{given['location']}'"))
    found = names(imported, given["ref"])
    if expect.get("error"):
        assert found is None
    elif given["location"] in (given["prefix"], ""):
        assert (found, expect["ref"]) == (None, given["ref"])  # it keeps its name
    else:
        assert found == [expect["ref"]]


def test_the_vector_of_a_slash_at_the_end():
    ((given, expect),) = [case.values for case in vectors("rewrite", lambda case: case["id"] == UNTRIMMED)]
    assert expect == {"error": True}
    imported = said(table(f"prefix = '{given['prefix']}'", f"location = '{given['location']}'"))
    assert names(imported, given["ref"]) == ["example.com/path/image:latest"]


@pytest.mark.parametrize(("given", "expect"), vectors("candidates"))
def test_vectors_of_candidates(given, expect):
    config = given.get("config_inline") or CONFIGS[given["config"]]
    imported = said(toml(config["registries"]))
    ref, _, digest = given["ref"].partition("@")
    insecure = {rule.host for rule in imported.registries}
    found = names(imported, given["ref"], "digest" if digest else "tag") or []
    expected = [one for one in expect["candidates"] if not one.get("blocked")]
    # The source itself is no location: that is what the fallback says.
    kept = [one for one in expected if one["ref"] != given["ref"]]
    assert found == [one["ref"].partition("@")[0] for one in kept]
    assert [name.partition("/")[0] in insecure for name in found] == [one["insecure"] for one in kept]
    fallbacks = [one.fallback for one in imported.mirrors if f"{ref}/".startswith(f"{one.source}/")]
    blocked = [one for one in expect["candidates"] if one.get("blocked")]
    falls_back = any(one["ref"] == given["ref"] for one in expected)
    assert fallbacks == (["source" if falls_back else "fail"] if found else [])
    assert not blocked or all(one["ref"].partition("@")[0] not in found for one in blocked)


@pytest.mark.parametrize(("given", "expect"), vectors("find_registry"))
def test_vectors_of_choosing_the_table(given, expect):
    config = CONFIGS[given["config"]]
    imported = said(toml(config["registries"]), *(toml(one["registries"]) for one in config["drop_ins"]))
    source = expect["prefix"]
    assert places(imported)[source] == [expect["location"]]
    ref = given["ref"] if "/" in given["ref"] else f"{given['ref']}/image"
    found = names(imported, ref)
    assert found is not None
    assert found[0].startswith(expect["location"] + "/")


def test_a_port_is_part_of_the_host():
    """Where the other system says itself that it matches by mistake, we do not."""
    imported = said(mirrored("example.com", "m.test"))
    assert names(imported, "example.com:5000/a") is None
