"""harbor-container-webhook: which expressions are no prefix, which are, and which rule wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.languages.answers import names, notes, places, refused, text, whys
from transformer.languages.harbor_webhook import prefix_of, read, recognises
from transformer.languages.model import Text


def rule(matches: str, excludes: str = "[]", replace: str = "h.test/hub", more: str = "") -> str:
    return f"- {{name: r, matches: {matches}, excludes: {excludes}, replace: {replace}{more}}}\n"


def said(*rules: str):
    return read((text("rules:\n" + "".join(rules)),))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("rules: {a: b}", 1, "rules: wants a list of mappings"),
        ("rules: [a]", 1, r"rules\[0\]: wants a list of mappings"),
        ("rules:\n" + rule("'^docker.io'"), 2, "matches: wants a list of strings"),
        ("rules:\n" + rule("['^docker.io']", "x"), 2, "excludes: wants a list of strings"),
        ("rules:\n- {matches: []}", 2, "wants a text under 'replace'"),
        ("rules:\n" + rule("['^docker.io']", replace="'https://h.test'"), 2, "replace: .*no scheme"),
        ("rules:\n" + rule("['^docker.io']", replace="'u:hunter2@h.test'"), 2, "replace: .*neither a login"),
        ("rules:\n" + rule("['^docker.io']", replace="''"), 2, "wants a text under 'replace'"),
        ("rules:\n" + rule("['^docker.io']", more=", checkUpstream: 'yes'"), 2, "checkUpstream: wants true or false"),
    ],
)
def test_a_bad_rule_is_refused_with_line_and_key(content, line, words):
    error = refused(read, content)
    assert error.line == line
    with pytest.raises(type(error), match=words):
        raise error
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^",
        ".*",
        "docker.io",
        "docker.io/.*",
        "^docker.io$",
        "^.*docker.io",
        "^(docker.io|quay.io)/",
        "^docker.io/(library/)?ubuntu:.*$",
        "^docker.io/[a-c].*/x",
        "^docker.io/a+",
        "^docker.io/a.*b.*",
        "^docker.io:.*",
        "^docker/.*",
        "^nginx",
        "^/docker.io",
        r"^\w+",
        "^Docker.io",
        "(a+)+$",
        "^docker.io" + "/a" * 600,
    ],
)
def test_expressions_that_are_no_prefix(pattern):
    assert prefix_of(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "name", "ended"),
    [
        ("^docker.io", "docker.io", False),
        (r"^docker\.io", "docker.io", False),
        ("^docker.io/", "docker.io", True),
        ("^docker.io/.*", "docker.io", True),
        (r"^docker\.io\/.*$", "docker.io", True),
        ("^docker.io.*$", "docker.io", False),
        ("^docker.io/.+", "docker.io", True),
        ("^quay.io/a/b", "quay.io/a/b", False),
        ("^quay.io/a/b/.*", "quay.io/a/b", True),
        ("^quay.io/a/b:.*$", "quay.io/a/b", True),
        ("^q.test:5000/.*", "q.test:5000", True),
        ("^q-x.test:5000", "q-x.test:5000", False),
    ],
)
def test_expressions_that_are_a_prefix(pattern, name, ended):
    assert prefix_of(pattern) == (name, ended)


@given(st.text(alphabet="^$.*+?()[]{}|\\/:abcio-", max_size=30))
def test_a_prefix_is_never_more_than_the_expression_says(pattern):
    found = prefix_of(pattern)
    if found is not None:
        assert found.name.replace("/", "").replace(".", "") in pattern.replace("\\", "").replace("/", "").replace(
            ".", ""
        )


@pytest.mark.parametrize(
    ("rules", "key", "words"),
    [
        ([rule("['docker.io']")], "rules[0].matches[0]", "no single registry"),
        ([rule("['^docker.io']", "['ubuntu']")], "rules[0].excludes[0]", "no single registry"),
        ([rule("['^quay.io/org']")], "rules[0].matches[0]", "only begin so"),
        ([rule("['^docker.io']", more=", authSecretName: s")], "rules[0].authSecretName", "own login"),
        ([rule("['^docker.io']", more=", checkUpstream: true, platforms: [a]")], "rules[0].platforms", "platform"),
        ([rule("['^docker.io']", more=", exclude: []")], "rules[0].exclude", "'excludes'"),
        (
            [rule("['^docker.io']"), rule("['^docker.io/x/']", replace="b.test")],
            "rules[1].matches[0]",
            "rules[0] takes",
        ),
        ([rule("['^docker.io']"), rule("['^docker.io/']", replace="b.test")], "", ""),
    ],
)
def test_what_is_not_carried_over_is_noted(rules, key, words):
    found = said(*rules)
    assert [place for _, place in notes(found)] == ([key] if key else [])
    assert words in whys(found)


def test_a_text_without_rules_says_so():
    assert notes(read((text("verbose: true\n"),))) == [(1, "rules")]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule("['^docker.io']")], {"docker.io": ["h.test/hub"]}),
        ([rule("['^docker.io/.*', '^quay.io/.*']")], {"docker.io": ["h.test/hub"], "quay.io": ["h.test/hub"]}),
        ([rule("['^quay.io/org/.*']")], {"quay.io/org": ["h.test/hub/org"]}),
        # The first rule that fits wins, whatever is longer.
        ([rule("['^docker.io']"), rule("['^docker.io/x/']", replace="b.test")], {"docker.io": ["h.test/hub"]}),
        (
            [rule("['^docker.io/x/']", replace="b.test"), rule("['^docker.io']")],
            {"docker.io/x": ["b.test/x"], "docker.io": ["h.test/hub"]},
        ),
        # What a rule leaves out goes to the next one, or stays.
        (
            [rule("['^docker.io']", "['^docker.io/x/']"), rule("['^docker.io/']", replace="b.test")],
            {"docker.io": ["h.test/hub"], "docker.io/x": ["b.test/x"]},
        ),
        ([rule("['^docker.io']", "['^docker.io/x/']")], {"docker.io": ["h.test/hub"], "docker.io/x": ["docker.io/x"]}),
        ([rule("['^docker.io/x/']", "['^docker.io/']")], {}),
    ],
)
def test_rules(rules, expected):
    assert places(said(*rules)) == expected


def test_the_rest_of_the_name_is_kept():
    found = said(rule("['^docker.io']", "['^docker.io/library/ubuntu:.*']"), rule("['^quay.io/a/.*']"))
    assert names(found, "nginx:1") == ["h.test/hub/library/nginx:1"]
    assert names(found, "ubuntu:1") == ["docker.io/library/ubuntu:1"]
    assert names(found, "quay.io/a/b:1") == ["h.test/hub/a/b:1"]
    assert names(found, "quay.io/ab/b:1") is None


def test_extra_rules_come_after():
    found = read(
        (text("extraRules:\n" + rule("['^docker.io']", replace="b.test") + "rules:\n" + rule("['^docker.io']")),)
    )
    assert places(found) == {"docker.io": ["h.test/hub"]}


@pytest.mark.parametrize(("more", "fallback"), [("", "fail"), (", checkUpstream: true", "source")])
def test_a_check_of_the_place_is_a_fallback(more, fallback):
    (mirror,) = said(rule("['^docker.io']", more=more)).mirrors
    assert (mirror.fallback, mirror.line, mirror.name) == (fallback, 2, "rules[0].matches[0]")


def test_the_pull_secret_comes_along_where_pods_get_it():
    (mirror,) = said(rule("['^docker.io']", more=", replaceImagePullSecrets: true, authSecretName: harbor")).mirrors
    assert mirror.locations[0].pull_secret == "harbor"


def test_many_rules_are_no_search():
    rules = [rule(f"['^r{index}.test/.*', '^docker.io/a{index}/.*']") for index in range(1_500)]
    assert len(said(*rules).mirrors) == 3_000


@pytest.mark.parametrize(
    ("content", "known"),
    [
        ("port: 1\nrules:\n" + rule("['^docker.io']"), True),
        ("rules: []\n", False),
        ("apiVersion: rbac\nrules:\n- verbs: [get]\n", False),
    ],
)
def test_it_is_recognised_by_its_rules(content, known):
    assert recognises(Text("x.yaml", content)) is known
