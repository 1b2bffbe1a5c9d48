"""Names are added to a list, or with a new key, and every other byte stays. What cannot be done comes first."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transformer.text.documents import Span
from transformer.text.edits import Edit, apply
from transformer.text.insertion import Want, insert, mentions

KEY = "secrets"
BEFORE = ("containers", "volumes")


def wants(*paths, names=("new",)):
    return [Want(path, tuple(names), BEFORE) for path in paths]


def tried(text, *paths, names=("new",), span=None):
    return insert(text, span or Span(0, len(text)), KEY, wants(*paths, names=names))


def inserted(text, *paths, names=("new",)):
    """The text with the names added at each path; it must be possible, and touch nothing else."""
    edits = tried(text, *paths, names=names)
    assert all(isinstance(edit, Edit) for edit in edits), edits
    return apply(text, dict.fromkeys(edits))


# What is refused.

NO_LIST = "what stands under the key is no list"
ELSEWHERE = "it stands at an anchor, or is merged in, and other places use it too"
REFUSED = {
    "no such place": ("a: {containers: []}\n", "b", "no mapping is written at b"),
    "a list": ("a: [containers]\n", "a", "no mapping is written at a"),
    "a text": ("a: containers\n", "a", "no mapping is written at a"),
    "an empty mapping": ("a: {}\n", "a", "no mapping is written at a"),
    "a text for a list": ("a:\n  secrets: x\n  containers: []\n", "a", NO_LIST),
    "a map for a list": ("a: {secrets: {name: x}}\n", "a", NO_LIST),
    "a null behind an anchor": ("a: {secrets: &x , b: *x}\n", "a", NO_LIST),
    "a null by an alias": ("b: &x ~\na: {secrets: *x}\n", "a", NO_LIST),
    "a tagged null": ("a: {secrets: !!str }\n", "a", NO_LIST),
    "a null in quotes": ("a: {secrets: '~'}\n", "a", NO_LIST),
    "no YAML": ("a: {\n", "a", "it cannot be read as YAML"),
    "nothing": ("# a\n", "a", "it holds nothing"),
    "an anchor that others use": ("a: &x\n  containers: []\nb: *x\n", "a", ELSEWHERE),
    "a list that others use": ("a: {secrets: &x [name: y], containers: []}\nb: {secrets: *x}\n", "a", ELSEWHERE),
    "an alias of a list": ("b: {labels: &x [{name: y}]}\na: {secrets: *x, containers: []}\n", "a", ELSEWHERE),
    "merged into others": ("a: &x\n  containers: []\nb: {<<: *x}\n", "a", ELSEWHERE),
    "in what is merged into others": ("a: &x {b: {containers: []}}\nc: {<<: *x}\n", "a.b", ELSEWHERE),
    "keys behind question marks": ("a:\n  ? containers\n  : []\n", "a", "its keys do not begin their lines"),
    "the same in flow": ("a: {? containers : []}\n", "a", "its keys are written with question marks"),
    "lines that end with CR alone": ("a:\r  containers: []\r", "a", "its keys do not begin their lines"),
    "a path that is none": ("a: {}\n", "a..", "a path that cannot be read"),
}


@pytest.mark.parametrize(("text", "path", "why"), REFUSED.values(), ids=REFUSED)
def test_refused(text, path, why):
    assert tried(text, path) == [why]


@pytest.mark.parametrize("name", ["a\nb: c", 'a"b', "a\\b", "\x1b", "ä", "", "x" * 300])
def test_names_that_cannot_be_spelled(name):
    for text in ("a:\n  containers: []\n", "a: {containers: []}\n", "a:\n  secrets: [{name: x}]\n"):
        assert tried(text, "a", names=[name]) == ["a name in the list that is copied needs characters that no name has"]


def test_one_anchor_with_two_wishes():
    text = "a: &x\n  containers: []\nb: *x\n"
    answers = insert(text, Span(0, len(text)), KEY, [Want("a", ("one",)), Want("b", ("two",))])
    assert answers == ["the places that use one anchor want different names"] * 2


def test_one_that_cannot_be_does_not_hinder_the_others():
    text = "a: {secrets: x}\nb: {containers: []}\n"
    refused, edit = tried(text, "a", "b")
    assert (
        refused == NO_LIST and apply(text, [edit]) == "a: {secrets: x}\nb: {secrets: [{name: new}], containers: []}\n"
    )


# A new key.

NEW = {
    "block": ("a:\n  containers:\n  - x\n", "a:\n  secrets:\n  - name: new\n  containers:\n  - x\n"),
    "with indented lists": (
        "a:\n  containers:\n    - x\n",
        "a:\n  secrets:\n    - name: new\n  containers:\n    - x\n",
    ),
    "before the best key": (
        "a:\n  volumes: []\n  b: 1\n  containers: []\n  c: 1\n",
        "a:\n  volumes: []\n  b: 1\n  secrets:\n  - name: new\n  containers: []\n  c: 1\n",
    ),
    "before another": ("a:\n  b: 1\n  volumes: []\n", "a:\n  b: 1\n  secrets:\n  - name: new\n  volumes: []\n"),
    "before the first of all": ("a:\n  b: 1\n  c: 1\n", "a:\n  secrets:\n  - name: new\n  b: 1\n  c: 1\n"),
    "at the top": ("containers: []\n", "secrets:\n- name: new\ncontainers: []\n"),
    "behind a block scalar": (
        "a:\n  b: |\n    x\n\n  containers: []\n",
        "a:\n  b: |\n    x\n\n  secrets:\n  - name: new\n  containers: []\n",
    ),
    "before a block scalar at the end": (
        "a:\n  containers: []\n  b: |+\n    x\n\n",
        "a:\n  secrets:\n  - name: new\n  containers: []\n  b: |+\n    x\n\n",
    ),
    "above the comment on the key": (
        "a:\n  b: 1 # b\n\n  # c\n  # d\n  containers: []\n",
        "a:\n  b: 1 # b\n\n  secrets:\n  - name: new\n  # c\n  # d\n  containers: []\n",
    ),
    "below a comment in another column": (
        "a:\n  b: 1\n    # c\n  containers: []\n",
        "a:\n  b: 1\n    # c\n  secrets:\n  - name: new\n  containers: []\n",
    ),
    "below a comment on the mapping": (
        "a:\n  # c\n  containers: []\n",
        "a:\n  # c\n  secrets:\n  - name: new\n  containers: []\n",
    ),
    "below a text that looks like a comment": (
        'a:\n  b: "x\n  # y"\n  containers: []\n',
        'a:\n  b: "x\n  # y"\n  secrets:\n  - name: new\n  containers: []\n',
    ),
    "below a block scalar that ends like a comment": (
        "a:\n  b: |\n    x\n    # y\n  # z\n  containers: []\n",
        "a:\n  b: |\n    x\n    # y\n  secrets:\n  - name: new\n  # z\n  containers: []\n",
    ),
    "with CRLF": (
        "a:\r\n  containers:\r\n  - x\r\n",
        "a:\r\n  secrets:\r\n  - name: new\r\n  containers:\r\n  - x\r\n",
    ),
    "with CRLF and a last line without": (
        "a:\r\n  containers: []",
        "a:\r\n  secrets:\r\n  - name: new\r\n  containers: []",
    ),
    "the last line without newline": ("a:\n  containers: []", "a:\n  secrets:\n  - name: new\n  containers: []"),
    "a text of one line without newline": ("a: {containers: []}", "a: {secrets: [{name: new}], containers: []}"),
    "a quoted key in block style": ('a:\n  "containers": []\n', 'a:\n  secrets:\n  - name: new\n  "containers": []\n'),
    "behind an anchor": ("a: &x\n  containers: []\n", "a: &x\n  secrets:\n  - name: new\n  containers: []\n"),
    "a key behind an anchor": ("a:\n  &x containers: []\n", "a:\n  secrets:\n  - name: new\n  &x containers: []\n"),
    "a key that is an alias": (
        "b: &c containers\na:\n  *c : []\n",
        "b: &c containers\na:\n  secrets:\n  - name: new\n  *c : []\n",
    ),
    "flow": ("a: {b: 1, containers: []}\n", "a: {b: 1, secrets: [{name: new}], containers: []}\n"),
    "flow over lines": (
        "a: {\n  b: 1,\n  containers: []\n}\n",
        "a: {\n  b: 1,\n  secrets: [{name: new}],\n  containers: []\n}\n",
    ),
    "flow with a comment": (
        "a: {b: 1, # c\n  containers: []}\n",
        "a: {b: 1, # c\n  secrets: [{name: new}],\n  containers: []}\n",
    ),
    "JSON on one line": (
        '{"a": {"b": 1, "containers": []}}\n',
        '{"a": {"b": 1, "secrets": [{"name": "new"}], "containers": []}}\n',
    ),
    "JSON without blanks": (
        '{"a":{"b":1,"containers":[]}}',
        '{"a":{"b":1,"secrets":[{"name":"new"}],"containers":[]}}',
    ),
    "JSON over lines": (
        '{\n  "a": {\n    "containers": []\n  }\n}\n',
        '{\n  "a": {\n    "secrets": [{"name": "new"}],\n    "containers": []\n  }\n}\n',
    ),
    "JSON with tabs": (
        '{\n\t"a": {\n\t\t"containers": []\n\t}\n}\n',
        '{\n\t"a": {\n\t\t"secrets": [{"name": "new"}],\n\t\t"containers": []\n\t}\n}\n',
    ),
    "JSON with CRLF": (
        '{"a": {\r\n "containers": []}}',
        '{"a": {\r\n "secrets": [{"name": "new"}],\r\n "containers": []}}',
    ),
    "JSON that is no YAML": (
        '{"x": "\\ud83d\\ude00", "a": {"containers": ["\\""]}}',
        '{"x": "\\ud83d\\ude00", "a": {"secrets": [{"name": "new"}], "containers": ["\\""]}}',
    ),
    "an item of a list": (
        "- a:\n    containers: []\n",
        "- a:\n    secrets:\n    - name: new\n    containers: []\n",
    ),
    "merged content": (
        "x-b: &b {containers: []}\na:\n  <<: *b\n",
        "x-b: &b {containers: []}\na:\n  secrets:\n  - name: new\n  <<: *b\n",
    ),
    "a merged list, which the key would hide": (
        "x-b: &b {secrets: [{name: x}, {name: w}]}\na:\n  <<: *b\n  containers: []\n",
        "x-b: &b {secrets: [{name: x}, {name: w}]}\n"
        "a:\n  <<: *b\n  secrets:\n  - name: x\n  - name: w\n  - name: new\n  containers: []\n",
    ),
    "held for others": (
        "x-b: &b\n  containers: []\na: *b\n",
        "x-b: &b\n  secrets:\n  - name: new\n  containers: []\na: *b\n",
    ),
}


@pytest.mark.parametrize(("text", "expected"), NEW.values(), ids=NEW)
def test_a_new_key(text, expected):
    assert inserted(text, "a" if "a" in loaded(text) else "") == expected
    same(text, expected)


def test_a_key_on_the_line_of_a_dash():
    assert inserted("- containers: []\n  b: 1\n", "") == "- secrets:\n  - name: new\n  containers: []\n  b: 1\n"
    assert inserted("  -   containers: []\n", "") == "  -   secrets:\n      - name: new\n      containers: []\n"


def test_several_names():
    assert inserted("containers: []\n", "", names=["a", "b"]) == "secrets:\n- name: a\n- name: b\ncontainers: []\n"
    text = '{"containers":[]}'
    assert inserted(text, "", names=["a", "b"]) == '{"secrets":[{"name":"a"},{"name":"b"}],"containers":[]}'


# A list that is there.

GROWN = {
    "block": ("  - name: x\n", "  - name: x\n  - name: new\n"),
    "block, not indented": ("- name: x\n", "- name: x\n- name: new\n"),
    "block, far in": ("        - name: x\n", "        - name: x\n        - name: new\n"),
    "several": ("- name: x\n- name: y\n", "- name: x\n- name: y\n- name: new\n"),
    "a comment behind the last": ("- name: x # c\n", "- name: x # c\n- name: new\n"),
    "comments below": ("- name: x\n# c\n\n# d\n", "- name: x\n- name: new\n# c\n\n# d\n"),
    "wide dashes": ("-   name: x\n", "-   name: x\n-   name: new\n"),
    "quotes": ("- name: 'x'\n", "- name: 'x'\n- name: 'new'\n"),
    "a quoted key": ('- "name": "x"\n', '- "name": "x"\n- "name": "new"\n'),
    "flow items": ("- {name: x}\n", "- {name: x}\n- {name: new}\n"),
    "flow items with blanks": ("- { name: x }\n", "- { name: x }\n- { name: new }\n"),
    "more than a name": ("- name: x\n  b: 1\n", "- name: x\n  b: 1\n- name: new\n"),
    "an item below its dash": ("-\n  name: x\n", "-\n  name: x\n- name: new\n"),
    "an item that is null": ("- name: x\n-\n", "- name: x\n-\n- name: new\n"),
    "a name that is null": ("- name:\n", "- name:\n- name: new\n"),
    "a block scalar": ("- name: |-\n    x\n", "- name: |-\n    x\n- name: new\n"),
    "an anchor in it": ("- &y\n  name: x\n", "- &y\n  name: x\n- name: new\n"),
    "an alias in it": ("- *q\n", "- *q\n- name: new\n"),
    "trailing blanks": ("- name: x  \t\n", "- name: x  \t\n- name: new\n"),
}


@pytest.mark.parametrize("ending", ["", "  z: 1\n", "z: 1\n"])
@pytest.mark.parametrize(("rows", "grown"), GROWN.values(), ids=GROWN)
def test_a_block_list_grows(rows, grown, ending):
    def text(rows):
        indented = "".join(f"  {row}" if row.strip() else row for row in rows.splitlines(True))
        return f"q: &q {{name: q}}\na:\n  containers: []\n  secrets:\n{indented}{ending}"

    assert inserted(text(rows), "a") == text(grown)
    same(text(rows), text(grown))
    crlf = text(rows).replace("\n", "\r\n")
    assert inserted(crlf, "a") == text(grown).replace("\n", "\r\n")
    if not ending and "scalar" not in rows and not rows.endswith(("\n\n", "d\n")):
        assert inserted(text(rows).rstrip("\n"), "a").rstrip("\n") == text(grown).rstrip("\n")


FLOW = {
    "empty": ("[]", "[{name: new}]"),
    "empty with blanks": ("[ ]", "[{name: new} ]"),
    "empty over lines": ("[\n  ]", "[{name: new}\n  ]"),
    "one": ("[{name: x}]", "[{name: x}, {name: new}]"),
    "blanks": ("[ { name: x } ]", "[ { name: x }, { name: new } ]"),
    "without blanks": ("[{name: x},{name: y}]", "[{name: x},{name: y},{name: new}]"),
    "a comma at the end": ("[{name: x},]", "[{name: x}, {name: new},]"),
    "pairs without braces": ("[name: x]", "[name: x, name: new]"),
    "quotes": ("[{'name': 'x'}]", "[{'name': 'x'}, {'name': 'new'}]"),
    "more than a name": ("[{name: x, b: 1}]", "[{name: x, b: 1}, {name: new}]"),
    "an alias": ("[*q]", "[*q, {name: new}]"),
    "lines": ("[\n    {name: x}\n  ]", "[\n    {name: x},\n    {name: new}\n  ]"),
    "lines and comments": ("[\n    {name: x}, # c\n  ]", "[\n    {name: x},\n    {name: new}, # c\n  ]"),
    "an anchor": ("&y [{name: x}]", "&y [{name: x}, {name: new}]"),
    "null": ("null", "[{name: new}]"),
    "a tilde": ("~ # c", "[{name: new}] # c"),
}


@pytest.mark.parametrize(("value", "grown"), FLOW.values(), ids=FLOW)
def test_a_flow_list_grows(value, grown):
    text = "q: &q {name: q}\na:\n  secrets: %s\n  containers: []\n"
    text, expected = text % value, text % grown
    assert inserted(text, "a") == expected
    same(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("secrets:\ncontainers: []\n", "secrets: [{name: new}]\ncontainers: []\n"),
        ("secrets: # c\ncontainers: []\n", "secrets: [{name: new}] # c\ncontainers: []\n"),
        ("secrets :\n", "secrets : [{name: new}]\n"),
        ("containers: []\nsecrets:", "containers: []\nsecrets: [{name: new}]"),
        ("{secrets: , b: 1}\n", "{secrets: [{name: new}], b: 1}\n"),
        ("secrets: []\nsecrets:\n- name: x\n", "secrets: []\nsecrets:\n- name: x\n- name: new\n"),
        ('{"secrets":[]}', '{"secrets":[{"name":"new"}]}'),
        ('{"secrets": null}', '{"secrets": [{"name": "new"}]}'),
        ('{"secrets":[{"name":"x"}]}', '{"secrets":[{"name":"x"},{"name":"new"}]}'),
        ('{"secrets": [{"name": "x"}]}', '{"secrets": [{"name": "x"}, {"name": "new"}]}'),
        (
            '{\n "secrets": [\n  {\n   "name": "x"\n  }\n ]\n}',
            '{\n "secrets": [\n  {\n   "name": "x"\n  },\n  {\n   "name": "new"\n  }\n ]\n}',
        ),
        (
            '{\n\t"secrets": [\n\t\t{ "name": "x" }\n\t]\n}',
            '{\n\t"secrets": [\n\t\t{ "name": "x" },\n\t\t{ "name": "new" }\n\t]\n}',
        ),
    ],
)
def test_other_lists_that_are_there(text, expected):
    assert inserted(text, "") == expected
    same(text, expected)


@pytest.mark.parametrize(
    ("name", "spelled"),
    [("a-b.c", "a-b.c"), ("1a", "1a"), ("123", '"123"'), ("1.5", '"1.5"'), ("on", '"on"'), ("null", '"null"')]
    + [("${X}", '"${X}"'), ("a b: c", '"a b: c"'), ("#", '"#"'), ("1e3", '"1e3"')],
)
def test_a_name_stays_a_text(name, spelled):
    assert inserted("containers: []\n", "", names=[name]) == f"secrets:\n- name: {spelled}\ncontainers: []\n"
    assert inserted("secrets: [{name: x}]\n", "", names=[name]) == f"secrets: [{{name: x}}, {{name: {spelled}}}]\n"


# Anchors: one edit for all that use it, when all want it.


def test_all_that_use_an_anchor_want_it():
    text = "a: &x\n  containers: []\nb: *x\n"
    one, other = tried(text, "a", "b")
    assert one == other and apply(text, [one]) == "a: &x\n  secrets:\n  - name: new\n  containers: []\nb: *x\n"


def test_all_that_use_a_list_want_it():
    text = "a: {secrets: &x [{name: y}], containers: []}\nb: {secrets: *x, containers: []}\n"
    assert inserted(text, "a", "b") == text.replace("[{name: y}]", "[{name: y}, {name: new}]")


def test_what_is_merged_gets_keys_of_its_own():
    text = "a: &x\n  containers: []\nb:\n  <<: *x\n  c: 1\n"
    key = "  secrets:\n  - name: new\n"
    assert inserted(text, "a", "b") == f"a: &x\n{key}  containers: []\nb:\n{key}  <<: *x\n  c: 1\n"


# Where in a file.


def test_only_the_document_that_is_meant():
    text = "a: {containers: []}\n---\n# c\na: {containers: []}\n---\na: {containers: []}\n"
    start, end = text.index("---"), text.rindex("---")
    (edit,) = tried(text, "a", span=Span(start, end))
    changed = apply(text, [edit])
    assert changed[start:] == text[start:].replace("{c", "{secrets: [{name: new}], c", 1)
    assert changed[:start] == text[:start]


@pytest.mark.parametrize("after", ["---\nb: 1\n", "- b: 1\n", "...\n", ""])
def test_at_the_end_of_a_document(after):
    text = "- containers: []\n  secrets:\n  - name: x\n"
    (edit,) = tried(text + after, "", span=Span(0, len(text)))
    assert apply(text + after, [edit]) == f"{text}  - name: new\n{after}"


# Whether a name is there at all.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("a: {", False),
        ("a: x\n", False),
        ("secrets: [{name: y}]\nother: [{name: x}]\n", False),
        ("secrets: {x: 1}\n", False),
        ("secrets: [{name: x}]\n", True),
        ("spec: {imagePullSecrets: [x]}\n", True),
        ("spec: {image: {pullSecrets: {x: {a: [x]}}}}\n", True),
        ("a: &x {name: x}\nb: {secrets: [*x]}\n", True),
        ('{"a": "\\ud83d\\ude00", "regSecrets": ["x"]}', True),
    ],
)
def test_mentions(text, expected):
    assert mentions(text, Span(0, len(text)), "secrets", "x") is expected


# The byte law.


def loaded(text):
    """The data (without surrogate pairs, which YAML does not know), of a list the first item."""
    data = yaml.load(text.replace("\\ud83d\\ude00", ""), yaml.CBaseLoader)
    return data[0] if isinstance(data, list) else data


def same(text, changed):
    """Both are readable, and nothing differs but the lists."""

    def stripped(value):
        if isinstance(value, dict):
            return {key: stripped(child) for key, child in value.items() if key != KEY}
        return [stripped(child) for child in value] if isinstance(value, list) else value

    assert stripped(loaded(text)) == stripped(loaded(changed))


NAMES = st.lists(st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,8}[a-z0-9])?", fullmatch=True), max_size=3, unique=True)
LEAVES = st.sampled_from(["x", 1, None, True, "a: b # c", "é\n# 🎉\n", "", "- a", "x\n\n", "'\""])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("bcdefg"), inner, max_size=3),
    max_leaves=8,
)
PODS = st.builds(
    lambda around, names, listed, containers: {
        **around,
        **({KEY: [{"name": name} for name in names]} if listed else {}),
        "containers": containers,
    },
    st.dictionaries(st.sampled_from("bcdefg"), VALUES, max_size=3),
    NAMES,
    st.booleans(),
    st.lists(VALUES, max_size=2),
)


def dumped(value, how):
    style, indent, crlf = how
    if style == "json":
        text = json.dumps(value, indent=indent, ensure_ascii=bool(indent))
    elif style == "compact":
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    else:
        flow = {"block": False, "mixed": None, "flow": True}[style]
        text = yaml.safe_dump(value, default_flow_style=flow, indent=indent, allow_unicode=True, sort_keys=False)
    return text.replace("\n", "\r\n") if crlf else text


@given(
    PODS,
    st.tuples(
        st.sampled_from(["block", "mixed", "flow", "json", "compact"]), st.sampled_from([2, 4, None]), st.booleans()
    ),
    st.sampled_from(["new", "123", "on", "a.b-c"]),
    st.sampled_from(["", "\n", "# c\n", "---\nz: 1\n"]),
)
def test_exactly_the_name_is_added(spec, how, name, after):
    text = dumped({"kind": "Pod", "spec": spec, "z": [1]}, how)
    (edit,) = insert(text + after, Span(0, len(text)), KEY, [Want("spec", (name,), BEFORE)])
    assert isinstance(edit, Edit), (edit, text)
    changed = apply(text + after, [edit])
    assert changed[: edit.start] + changed[edit.start + len(edit.text) :] == text + after  # nothing was replaced
    read = json.loads if how[0] in ("json", "compact") else lambda one: yaml.load(one, yaml.CSafeLoader)
    expected = read(text)
    expected["spec"][KEY] = [*(expected["spec"].get(KEY) or []), {"name": name}]
    assert changed.endswith(after) and read(changed[: len(changed) - len(after)]) == expected


@pytest.mark.parametrize(
    "before",
    [
        "- # x - y\n  key: a\n",
        "-   # x\n  # - z\n\n  key: a\n",
        "- key: a # - b\n- # c - d\n  key: e\n",
    ],
)
@pytest.mark.parametrize("indent", ["", "  "])
def test_a_comment_behind_a_dash_is_no_obstacle(before, indent):
    listed = "".join(indent + line for line in before.splitlines(True))
    text = f"tolerations:\n{listed}containers:\n- image: a\n"
    (edit,) = insert(text, Span(0, len(text)), "imagePullSecrets", [Want("", ("s",), ("containers",))])
    assert not isinstance(edit, str), edit
    assert apply(text, [edit]) == text.replace("containers:", f"imagePullSecrets:\n{indent}- name: s\ncontainers:")
    own = f"imagePullSecrets:\n{listed.replace('key', 'name')}containers: []\n"
    (edit,) = insert(own, Span(0, len(own)), "imagePullSecrets", [Want("", ("s",))])
    assert not isinstance(edit, str), edit
    assert apply(own, [edit]) == own.replace("containers", f"{indent}- name: s\ncontainers")
