"""`list`: every site with what the policy would do, and no connection."""

from __future__ import annotations

import pytest

from tests.doors import ELSEWHERE, item, json_lines, pod, resource_list

KEYS = "file line column apiVersion kind namespace name path shape value registry repository tag digest".split()
KEYS += ["action", "rule", "reason"]
POLICY = """\
apiVersion: pindown.dev/v1alpha1
kind: ImageTransformer
spec:
  images:
  - {match: quay.io/bad, action: deny, reason: unsafe}
  - {match: quay.io/old, action: keep, reason: frozen}
  mirrors:
  - {source: docker.io, locations: [{to: m.example/hub}]}
"""


def test_every_key_is_there(door, workdir):
    (workdir / "a.yaml").write_text("# first\n" + pod("'nginx:1.27'", extra="  namespace: shop\n"))
    ran = door("list", "--format", "json", "a.yaml")
    assert (ran.code, ran.err) == (0, "")
    (line,) = json_lines(ran.out)
    assert list(line) == KEYS
    assert line == {
        "file": "a.yaml",
        "line": 10,
        "column": 12,
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "shop",
        "name": "web",
        "path": "spec.containers[0].image",
        "shape": "image",
        "value": "nginx:1.27",
        "registry": "docker.io",
        "repository": "library/nginx",
        "tag": "1.27",
        "digest": None,
        "action": "pin",
        "rule": "pin",
        "reason": None,
    }


KEPT = '  annotations: {pindown.dev/keep: "the mesh rewrites it"}\n'
ACTIONS = [
    ("nginx", "", "pin", "mirrors[0]", None),
    ("quay.io/bad:1", "", "deny", "images[0]", "unsafe"),
    ("quay.io/bad:1", KEPT, "deny", "images[0]", "unsafe"),
    ("quay.io/old:1", "", "keep", "images[1]", "frozen"),
    ("quay.io/new:1", KEPT, "keep", "annotation pindown.dev/keep", "the mesh rewrites it"),
    ("quay.io/old:1", KEPT, "keep", "annotation pindown.dev/keep", "the mesh rewrites it"),
    ("quay.io/new:1@" + ELSEWHERE, "", "pin", "pin", None),
    ("auto", "", "keep", "the sidecar injector replaces it", None),
]


@pytest.mark.parametrize("image, extra, action, rule, reason", ACTIONS)
def test_actions_rules_and_reasons(door, workdir, image, extra, action, rule, reason):
    (workdir / "pindown.yaml").write_text(POLICY)
    ran = door("list", "--format", "json", stdin=pod(image, extra=extra))
    (line,) = json_lines(ran.out)
    assert (ran.code, line["action"], line["rule"], line["reason"]) == (0, action, rule, reason)


@pytest.mark.parametrize("image, extra, action, rule, reason", ACTIONS)
def test_the_table_tells_the_reason_behind_the_rule(door, workdir, image, extra, action, rule, reason):
    (workdir / "pindown.yaml").write_text(POLICY)
    ran = door("list", stdin=pod(image, extra=extra))
    told = f"{rule}: {reason}" if reason else rule
    assert (ran.code, ran.out.splitlines()[1].partition(f"  {action}")[2].strip()) == (0, told)


def test_a_reason_says_nothing_to_a_terminal_and_is_cut(door):
    extra = '  annotations: {pindown.dev/keep: "a\\e[31m%s"}\n' % ("b" * 5000)
    row = door("list", stdin=pod("a:1", extra=extra)).out.splitlines()[1]
    assert row.isprintable() and row.endswith("b…") and len(row) < 400


@pytest.mark.parametrize("image, rule, value", [("Bad:1", "invalid-reference", "Bad:1"), ("${X}", "templated", "${X}")])
def test_what_no_policy_allows_is_listed_and_is_a_finding(door, image, rule, value):
    ran = door("list", "--format", "json", "-", stdin=pod(image))
    (line,), (finding,) = json_lines(ran.out), json_lines(ran.err)
    assert ran.code == 1
    assert (line["value"], line["registry"], line["action"]) == (value, None, None)
    assert (finding["rule"], finding["severity"], finding["line"], finding["column"]) == (rule, "error", 8, 12)


def test_a_placeholder_in_a_file_is_no_error(door, workdir):
    (workdir / "a.yaml").write_text(pod("${X}"))
    ran = door("list", "a.yaml")
    assert ran.code == 0 and "warning[templated] a.yaml:8:12" in ran.err


def test_a_field_with_a_dotted_key_is_told_as_it_is_written(door, workdir):
    path = 'spec["a.b/c"].image'
    field = f"- {{kind: Widget, path: '{path}'}}\n"
    (workdir / "pindown.yaml").write_text(POLICY + "  fields:\n  " + field)
    ran = door("list", "--format", "json", stdin="apiVersion: x/v1\nkind: Widget\nspec: {a.b/c: {image: 'a:1'}}\n")
    assert [(line["path"], line["value"]) for line in json_lines(ran.out)] == [(path, "a:1")]


def test_nobody_is_asked(door, registry, nginx):
    ran = door("list", stdin=pod(nginx))
    assert (ran.code, registry.log) == (0, [])


def test_what_is_pinned_is_listed_too(door):
    ran = door("list", "--format", "json", stdin=pod("a/b@" + ELSEWHERE))
    assert [line["digest"] for line in json_lines(ran.out)] == [ELSEWHERE]


def test_the_items_of_a_resource_list(door):
    ran = door("list", "--format", "json", stdin=resource_list(pod("a:1"), pod("b:1", "two")))
    assert [(line["line"], line["name"], line["path"]) for line in json_lines(ran.out)] == [
        (11, "web", "spec.containers[0].image"),
        (19, "two", "spec.containers[0].image"),
    ]


def test_the_table(door):
    sent = "apiVersion: v1\nkind: List\nitems:\n" + item(pod("nginx:1.27")) + item(pod("b@" + ELSEWHERE, "other"))
    ran = door("list", stdin=sent)
    assert ran.out.splitlines() == [
        "PLACE          OBJECT     PATH                      IMAGE" + " " * 70 + "ACTION  RULE",
        "<stdin>:11:14  Pod/web    spec.containers[0].image  nginx:1.27" + " " * 65 + "pin     pin",
        f"<stdin>:19:14  Pod/other  spec.containers[0].image  b@{ELSEWHERE}  pin     pin",
    ]


def test_a_long_cell_does_not_push_the_others_out(door):
    ran = door("list", stdin=pod("a/" + "b" * 5000, name="x" * 5000))
    assert ran.code == 1
    row = ran.out.splitlines()[1]
    assert len(row) < 900 and row.endswith("  -       -") and "…" in row


def test_an_object_without_a_name(door):
    ran = door("list", stdin=pod("a:1").replace("  name: web\n", "  generateName: web-\n"))
    assert "  Pod/?  " in ran.out


def test_nothing_to_list(door, workdir):
    assert door("list", "--format", "json", stdin="a: 1\n")[:2] == (0, "")
    assert door("list", stdin="a: 1\n").out == "PLACE  OBJECT  PATH  IMAGE  ACTION  RULE\n"
    assert door("list", stdin="a: [\n").code == 1
    assert door("list", "gone.yaml")[:2] == (1, "")
