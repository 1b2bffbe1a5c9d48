"""The law: take the inserted digests out again, and the input is back, byte for byte; a second run changes nothing.

And nothing is missed: every image that a plain walk over `yaml.safe_load` finds is pinned. `EXAMPLES=5000` hunts on.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transformer.pipeline import Outcome, Run
from transformer.policy.model import Policy
from transformer.policy.questions import Question, Resolved
from transformer.text.source import decode

EXAMPLES = int(os.environ.get("EXAMPLES", "200"))
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}")
CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


class Oracle:
    """Knows every image: its digest is the hash of its name and tag."""

    def ask(self, questions, scopes=None):
        return {question: Resolved(self.digest(question)) for question in questions}

    @staticmethod
    def digest(question: Question) -> str:
        return "sha256:" + hashlib.sha256(question.source.canonical.encode()).hexdigest()


def run(data: bytes, name: str = "<stdin>", policy: Policy | None = None) -> Outcome:
    """The main job over one file, with an answer for everything."""
    file = decode(name, data)
    work = Run(policy or Policy())
    work.survey.file(file)
    return work.finish((file,), Oracle())


def pin(data: bytes) -> bytes:
    """The file after the main job, which must have had nothing to complain about."""
    outcome = run(data)
    assert [finding for finding in outcome.findings if finding.severity == "error"] == []
    return outcome.files[0]._replace(text=outcome.text()).marked().encode()


def images(node) -> list[str]:
    """Every image that a walk over plain values finds in lists of containers."""
    found = []
    if isinstance(node, list):
        for child in node:
            found += images(child)
    for key, child in node.items() if isinstance(node, dict) else ():
        if key in CONTAINERS and isinstance(child, list):
            found += [one["image"] for one in child if isinstance(one, dict) and one.get("image")]
        found += images(child)
    return found


def hold(data: bytes) -> bytes:
    """Checks the law on one text that has no digests yet; answers the pinned text."""
    assert not DIGEST.search(data.decode())
    pinned = pin(data)
    assert DIGEST.sub("", pinned.decode()).encode() == data
    assert pin(pinned) == pinned
    before = [one for document in documents(data) for one in images(document)]
    after = [one for document in documents(pinned) for one in images(document)]
    assert [DIGEST.sub("", one) for one in after] == before
    assert [one for one in after if not DIGEST.search(one)] == []
    return pinned


def documents(data: bytes):
    if b"\\ud" in data:
        return [json.loads(data)]  # libyaml refuses surrogate pairs
    return list(yaml.load_all(data.decode().removeprefix("\ufeff"), yaml.CSafeLoader))


# What must not change at all.

UNCHANGED = {
    "nothing": "",
    "comments": "# a\n\n# b",
    "no image": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n",
    "a ConfigMap's text": "kind: ConfigMap\ndata:\n  x: |\n    containers:\n    - image: nginx\n",
    "a CustomResourceDefinition": (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  versions:\n  - schema:\n"
        "      containers:\n      - image: nginx\n"
    ),
    "status": "kind: Pod\nstatus:\n  containers:\n  - image: nginx\n",
    "an absent image": "kind: Pod\nspec:\n  containers:\n  - name: a\n",
    "an empty image": "kind: Pod\nspec:\n  containers:\n  - image: ''\n  - image:\n  - image: ~\n  - image: null\n",
    "the sidecar injector's": "kind: Pod\nspec:\n  containers:\n  - image: auto\n",
    "a pattern": "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec:\n  containers:\n  - image: 'a/* | b/*'\n",
    "an image elsewhere": "kind: Widget\nspec:\n  image: nginx\n",
    "kept": "kind: Pod\nmetadata:\n  annotations:\n    pindown.dev/keep: why\nspec:\n  containers:\n  - image: nginx\n",
}


@pytest.mark.parametrize("text", UNCHANGED.values(), ids=UNCHANGED)
def test_nothing_changes(text):
    assert pin(text.encode()) == text.encode()


#: Each holds the image nginx:1 once for every @ (where its digest goes).
NASTY = {
    "plain": "kind: Pod\nspec:\n  containers:\n  - image: nginx:1@\n",
    "no newline at the end": "kind: Pod\nspec:\n  containers:\n  - image: nginx:1@",
    "single": "spec:\n  containers:\n  - image: 'nginx:1@'\n",
    "double": 'spec:\n  containers:\n  - image: "nginx:1@"\n',
    "escapes": 'spec:\n  containers:\n  - image: "ng\\x69nx\\u003a1@"\n',
    "double over lines": 'spec:\n  containers:\n  - image: "ngi\\\n      nx:1@"\n',
    "literal": "spec:\n  containers:\n  - image: |-\n      nginx:1@\n    name: a\n",
    "folded": "spec:\n  containers:\n  - image: >-\n      nginx:1@\n\n  - name: a\n",
    "literal, CRLF": "spec:\r\n  containers:\r\n  - image: |-\r\n      nginx:1@\r\n    name: a\r\n",
    "literal with a comment": "spec:\n  containers:\n  - image: |- # nginx:1\n      nginx:1@\n",
    "literal with an indicator": "spec:\n  containers:\n  - image: |2-\n      nginx:1@\n",
    "on the next line": "spec:\n  containers:\n  - image:\n      nginx:1@\n",
    "flow": "spec: {containers: [{name: a, image: nginx:1@}, {image: 'nginx:1@'}]}\n",
    "flow over lines": "spec: {\n  containers: [\n{ image: nginx:1@ } # c\n]}\n",
    "JSON": '{"spec": {"containers": [{"image": "nginx:1@"}]}}',
    "JSON with escapes": '{"spec": {"containers": [{"n\\ud83d\\ude42": 1, "image": "ng\\u0069nx:1@"}]}}\n',
    "JSON behind YAML": 'a: b\n---\n{"spec": {"containers": [{"image": "nginx:1@"}]}}\n--- # c\nd: e\n',
    "an anchor": "spec:\n  containers:\n  - image: &x nginx:1@\n  - image: *x\n",
    "an anchor with a comment": "spec:\n  containers:\n  - image: &x # c\n      nginx:1@\n  - image: *x\n",
    "an anchor elsewhere": "x: &x nginx:1@\nspec:\n  containers:\n  - image: *x\n  - {image: *x}\n",
    "a tag": "spec:\n  containers:\n  - image: !!str nginx:1@\n  - image: !!str &y 'nginx:1@'\n",
    "an anchored container": "spec:\n  containers:\n  - &c {image: nginx:1@}\n  initContainers: [*c]\n",
    "a merge key": (
        "x: &x\n  image: nginx:1@\nspec:\n  containers:\n  - <<: *x\n    name: a\n  - {<<: *x, image: 'nginx:1@'}\n"
    ),
    "an image that hides a merged one": (
        "x: &x {image: nginx:2}\nspec:\n  containers:\n  - <<: *x\n    image: nginx:1@\n"
    ),
    "CRLF": "kind: Pod\r\nspec:\r\n  containers:\r\n  - image: nginx:1@ # c\r\n",
    "mixed newlines": "kind: Pod\r\nspec:\n  containers:\r\n  - image: nginx:1@\n",
    "carriage returns alone": "kind: Pod\rspec:\r  containers:\r  - image: nginx:1@\r",
    "a byte order mark": "\ufeffspec:\n  containers:\n  - image: nginx:1@\n",
    "tabs in comments": "spec: #\tc\n  containers:\t# c\n  - image: nginx:1@\t#\tc\n",
    "comments everywhere": (
        "# c\nspec: # c\n# c\n  containers: # c\n  # c\n  - # c\n    image: nginx:1@ # nginx:1\n#c\n"
    ),
    "directives and ends": (
        "%YAML 1.1\n%TAG !e! tag:e,2000:\n---\nspec:\n  containers:\n"
        "  - image: nginx:1@\n...\n# c\n...\n---\na: b\n...\n"
    ),
    "many documents": (
        "---\n---\nspec:\n  containers:\n  - image: nginx:1@\n--- # c\nspec: {containers: [image: nginx:1@]}\n---\n"
    ),
    "unicode": "# é漢🙂\nmétadata: 🙂\nspec:\n  containers:\n  - {n: '漢', image: nginx:1@}\n  - image: nginx:1@ # é\n",
    "line separators": "a: 'b\u2028c'\nspec:\n  containers:\n  - image: nginx:1@\n",
    "quoted keys": '\'spec\':\n  "containers":\n  - "image": nginx:1@\n  - ? image\n    : nginx:1@\n',
    "wide indentation": "spec:\n        containers:\n        -       image:       nginx:1@      \n",
    "a list": "kind: List\nitems:\n- kind: Pod\n  spec:\n    containers:\n    - image: nginx:1@\n- a: b\n# c\n",
    "a list that is read whole": (
        "kind: List\nx: &x nginx:1@\nitems:\n- spec:\n    containers:\n    - image: *x\n-\n  a: b\n"
    ),
    "a list in a list": "kind: List\nitems:\n- kind: PodList\n  items:\n  - spec: {containers: [{image: nginx:1@}]}\n",
    "a ResourceList": (
        "kind: ResourceList\nitems:\n- kind: List\n  items:\n  - spec:\n      containers:\n      - image: nginx:1@\n"
    ),
    "a list in a string of lines": (
        'kind: List\nx: "\nitems:\n- spec: {containers: [{image: nginx:2}]}\n"\ny: {containers: [image: nginx:1@]}\n'
    ),
    "quotes that look like items": (
        "kind: List\nitems:\n- x: 'a\n- spec'\n- spec:\n    containers:\n    - image: nginx:1@\n"
    ),
    "at any depth": (
        "kind: Widget\na:\n- - b:\n    - template:\n        spec:\n"
        "          ephemeralContainers:\n          - image: nginx:1@\n"
    ),
    "an image volume": "kind: Pod\nspec:\n  volumes:\n  - name: a\n    image:\n      reference: nginx:1@\n",
    "a megabyte beside it": (
        f"x: {'y' * 1_000_000}\nspec:\n  containers:\n  - image: nginx:1@\n    z: '{'é' * 300_000}'\n"
    ),
}


@pytest.mark.parametrize("marked", NASTY.values(), ids=NASTY)
def test_nasty_documents(marked):
    digest = Oracle().ask([question := _question()])[question].digest
    text = marked.replace("@", "")
    assert hold(text.encode()).decode() == marked.replace("@", f"@{digest}")


def _question() -> Question:
    from transformer.images.reference import parse

    return Question(parse("nginx:1").normalised())


def test_an_alias_of_containers_that_want_different_answers_is_a_finding():
    text = "metadata: {annotations: {pindown.dev/keep.a: why}}\ncontainers:\n"
    outcome = run(f"{text}- {{name: a, image: &x nginx}}\n- {{name: b, image: *x}}\n".encode())
    assert [finding.rule for finding in outcome.findings] == ["unpinned"]
    assert outcome.findings[0].place.path == "containers[1].image"


def test_an_alias_is_edited_once_where_all_agree():
    text = "x: &x nginx\n" + "".join(f"{key}: [{{image: *x}}]\n" for key in CONTAINERS)
    assert len(run(text.encode()).edits[0]) == 1
    assert len(run(text.encode()).decided) == 3
    hold(text.encode())


@pytest.mark.parametrize("order", [1, -1])
def test_an_alias_that_is_wanted_otherwise_elsewhere_is_a_finding(order):
    items = [
        "- metadata: {annotations: {pindown.dev/keep: why}}\n  containers:\n  - image: X\n",
        "- containers:\n  - image: X\n",
    ]
    text = "".join(items[::order]).replace("X", "&x nginx", 1).replace("X", "*x")
    outcome = run(f"kind: List\nitems:\n{text}".encode())
    assert [finding.rule for finding in outcome.findings] == ["unpinned"]
    assert "want different answers" in outcome.findings[0].message
    assert outcome.failed


def test_duplicate_keys_are_reported_and_the_last_one_is_pinned():
    outcome = run(b"spec:\n  containers:\n  - image: nginx:1\n    name: a\n    name: b\n")
    assert [(one.rule, one.severity, one.place.line, one.place.column) for one in outcome.findings] == [
        ("duplicate-key", "warning", 5, 5)
    ]
    assert not outcome.failed
    outcome = run(b"spec:\n  containers:\n  - image: nginx:1\n    image: nginx:2\n")
    assert [(one.rule, one.severity) for one in outcome.findings] == [("duplicate-key", "error")]
    assert [one.site.value for one in outcome.decided] == ["nginx:2"]


@pytest.mark.parametrize(
    "block", ["|\n      nginx\n", ">\n      nginx\n", "|\n      a\n      b\n", ">\n      a\n      b\n"]
)
def test_a_block_that_is_no_reference_is_a_finding(block):
    """With its newline at the end it is none: the kubelet would refuse it too."""
    outcome = run(f"spec:\n  containers:\n  - image: {block}".encode())
    assert [finding.rule for finding in outcome.findings] == ["invalid-reference"]
    assert outcome.edits == ((),)


# Generated documents: values in all spellings, in block style, flow style and JSON.

IMAGES = st.sampled_from(
    [
        "nginx",
        "nginx:1.25",
        "registry.test:5000/team/app:v1",
        "a/b",
        "ghcr.io/x/y_z:1-rc.1",
        "[::1]:5000/a:b",
        "localhost/c",
        "1",
        "true/x:y",
    ]
)
SPELLINGS = st.sampled_from(["plain", "'", '"', "escaped", "|-", ">-", "anchor", "tag", "next line", "alias", "merge"])
KINDS = st.sampled_from(["apps/v1 Deployment", "v1 Pod", "example.com/v1 Widget", "batch/v1 CronJob"])
PATHS = st.sampled_from([("spec",), ("spec", "template", "spec"), ("spec", "a.b", "pods"), ("data", '"é"', "'x'", "y")])
SHARED = ["x-shared: &s nginx:9", "x-merged: &m", "  image: 'nginx:8'"]
NAMES = st.sampled_from(["  name: a", "  name: é", '  name: "x"', "  name: 'a # b'"])
METADATA = st.sampled_from(
    [[], ["  labels: &l {a: b}"], ["  labels: {}", "  x: []"], ["  annotations:", "    y: >", "     z", "", "     w"]]
)
EXTRAS = st.sampled_from(
    [[], ["args: ['a', \"b\\n\"]"], ["command:", "- sh", "- |", "  image: x", ""], ["env: []"], ["x:"]]
)
ENVELOPES = st.sampled_from(
    [("", ""), ("kind: List\n", ""), ("kind: ResourceList\n# c\n", "\nfunctionConfig: {}"), ("", "\nkind: PodList")]
)
COMMENTS = st.sampled_from(["", "", "", " # c", " #\tnginx: '\"", "  #é 🙂"])


def spell(image: str, how: str, indent: str, flow: bool) -> str:
    """A container's image in one of YAML's spellings; in flow style only those that it has."""
    if how in ("alias", "merge"):
        return "image: *s" if how == "alias" else "<<: *m"
    if how == "escaped":
        return 'image: "' + image.replace("/", "\\x2F").replace("n", "\\u006E") + '"'
    if how in ("'", '"') or image[0] in "[1" or (flow and how in ("|-", ">-", "next line")):
        return f"image: '{image}'" if how == "'" else f'image: "{image}"'
    if how in ("|-", ">-"):
        return f"image: {how}\n{indent}    {image}"
    if how == "next line":
        return f"image:\n{indent}    {image}"
    return "image: " + {"anchor": "&x ", "tag": "!!str "}.get(how, "") + image


def numbered(text: str) -> str:
    """Every anchor with a name of its own: PyYAML takes a name once in a document, YAML more often."""
    number, names = itertools.count(), {}

    def rename(match: re.Match[str]) -> str:
        mark, name = match.groups()
        if mark == "&":
            names[name] = next(number)
        return f"{mark}x{names[name]}"

    return re.sub(r"(?<= )([&*])([a-z]+)(?![a-z])", rename, text)


@st.composite
def containers(draw, indent: str, flow: bool) -> list[str]:
    """The lines of some containers at an indentation."""
    lines = []
    for number in range(draw(st.integers(1, 3))):
        image, comment = spell(draw(IMAGES), draw(SPELLINGS), indent, flow), draw(COMMENTS)
        if flow:
            lines.append(f"{indent}- {{name: c{number}, {image} , 'x': [y, {{}}]}}{comment}")
            continue
        is_block = "-\n" in image  # a comment behind it would be its text
        lines.append(f"{indent}- name: c{number}{draw(COMMENTS)}")
        lines += draw(st.sampled_from([[], ["# c"], ["# d\te"], [f"{indent}   "], [""]]))
        lines.append(f"{indent}  {image}{'' if is_block else comment}")
        lines += [f"{indent}  {line}" for line in draw(EXTRAS)]
    return lines


@st.composite
def objects(draw) -> list[str]:
    """The lines of one object in block style, with containers in flow style perhaps."""
    version, kind = draw(KINDS).split()
    lines = [f"apiVersion: {version}{draw(COMMENTS)}", f"kind: {kind}", "metadata:", draw(NAMES), *draw(METADATA)]
    lines += SHARED
    path = draw(PATHS)
    lines += ["  " * depth + f"{key}:{draw(COMMENTS)}" for depth, key in enumerate(path)]
    column = "  " * len(path)
    lines.append(f"{column}{draw(st.sampled_from(CONTAINERS))}:")
    lines += draw(containers(column + draw(st.sampled_from(["", "  "])), draw(st.booleans())))
    if not any("*" in line for line in lines):
        lines = [line for line in lines if line not in SHARED]
    return "\n".join(lines).split("\n")


@st.composite
def lists(draw) -> str:
    """A List in block style, its items at the key's column or indented, its kind before or behind them (or nowhere)."""
    shift = draw(st.sampled_from(["", "  "]))
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        first, *others = draw(objects())
        lines += [f"{shift}- {first}", *(f"{shift}  {line}" for line in others)]
        lines += draw(st.sampled_from([[], ["# c"], [f"{shift}# c"], [""]]))
    before, behind = draw(ENVELOPES)
    return f"{before}items:\n" + "\n".join(lines) + behind


@st.composite
def json_texts(draw) -> str:
    value = yaml.safe_load(numbered("\n".join(draw(objects()))))
    return json.dumps(value, indent=draw(st.sampled_from([None, 2])), ensure_ascii=draw(st.booleans()))


@st.composite
def streams(draw) -> bytes:
    """A stream of documents: objects, Lists, JSON; with marks, markers and newlines of all sorts."""
    sorts = st.one_of(objects().map("\n".join), lists(), json_texts(), st.just("--- # c\n\n#\td"))
    pieces = draw(st.lists(sorts, min_size=1, max_size=3))
    marker = draw(st.sampled_from(["---\n", "--- # c\n", "...\n---\n", "...\n# c\n---\n", "---  \n"]))
    start = draw(st.sampled_from(["", "---\n", "%YAML 1.1\n---\n", "# c\n---\n", "\n"]))
    end = draw(st.sampled_from(["\n", "", "\n\n", "\n# c", "\n...\n", "\n---\n"]))
    text = (start + numbered(f"\n{marker}".join(pieces)) + end).replace(
        "\n", draw(st.sampled_from(["\n", "\n", "\r\n"]))
    )
    return (draw(st.sampled_from(["", "", "\ufeff"])) + text).encode()


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(streams())
def test_only_digests_are_added(data):
    documents(data)  # the generator makes YAML
    hold(data)


def test_the_law_can_fail():
    with pytest.raises(AssertionError):
        hold(b"kind: Pod\nstatus:\n  containers:\n  - image: nginx\n")
    with pytest.raises(AssertionError):
        hold(b"kind: CustomResourceDefinition\nspec:\n  containers:\n  - image: nginx\n")


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("x-image: &x nginx\nspec: {containers: [{image: *x}]}\n", False),  # it only holds the text
        ("x-a: {image: &x nginx}\nspec: {containers: [{image: *x}]}\n", False),
        ("metadata: {labels: {a: &x nginx}}\nspec: {containers: [{image: *x}]}\n", True),
        ("spec: {containers: [{env: [{name: IMAGE, value: &x nginx}], image: *x}]}\n", True),
        ("metadata: {labels: {a: &x nginx, b: *x}}\nspec: {containers: [{image: *x}]}\n", True),
        ("spec: {containers: [{image: &x nginx, env: [{name: IMAGE, value: *x}]}]}\n", True),
        ("spec: {containers: [{image: &x nginx}, {image: *x}]}\n", False),
    ],
)
def test_an_anchor_whose_text_is_also_something_else_is_a_finding(text, fails):
    outcome = run(text.encode())
    assert [finding.rule for finding in outcome.findings] == ["unpinned"] * fails
