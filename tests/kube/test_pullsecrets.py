"""Facts about pull secrets: what a pod, a ServiceAccount and a Secret say, however they are written down."""

from __future__ import annotations

import base64
import json

import pytest

from tests.doors import item, pod, resource_list
from transformer.kube import pullsecrets
from transformer.kube.identity import AFFIXES, FORMER_NAMES, NOWHERE, Resource
from transformer.kube.pullsecrets import (
    ENFORCES,
    NO_SECRETS,
    ContentError,
    PodSecrets,
    Secret,
    content_of,
    former_names,
)
from transformer.kube.survey import Survey
from transformer.text.source import File

CANARY = "canary-4711"
CONFIG = json.dumps({"auths": {"registry.test": {"auth": base64.b64encode(f"user:{CANARY}".encode()).decode()}}})
ENCODED = base64.b64encode(CONFIG.encode()).decode()
JSON_TYPE, OLD_TYPE = "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"


def survey(*texts: str, **options) -> Survey:
    found = Survey(**options)
    for number, text in enumerate(texts):
        found.file(File(f"{number}.yaml", text))
    assert found.oddities == []
    return found


def pods(text: str) -> list[PodSecrets | None]:
    return [site.pod for site in survey(text).sites]


def secret(lines: str, type_: str = JSON_TYPE, name: str = "regcred", head: str = "") -> str:
    """A Secret with these lines (indented by two) below its type."""
    return f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n{head}type: {type_}\n{lines}"


def in_block(text: str, width: int = 40) -> str:
    """As kustomize writes a long value."""
    rows = [text[start : start + width] for start in range(0, len(text), width)]
    return "data:\n  .dockerconfigjson: |\n" + "".join(f"    {row}\n" for row in rows)


PLAIN = f"data:\n  .dockerconfigjson: {ENCODED}\n"


# What a pod says.

SPECS = {
    "nothing": ("", NO_SECRETS),
    "a list": ("imagePullSecrets: [{name: a}, {name: b}]", PodSecrets(("a", "b"), None)),
    "a name twice": ("imagePullSecrets: [{name: a}, {name: b}, {name: a}]", PodSecrets(("a", "b"), None)),
    "an empty list": ("imagePullSecrets: []", NO_SECRETS),
    "a null": ("imagePullSecrets:", NO_SECRETS),
    "no list": ("imagePullSecrets: a", NO_SECRETS),
    "a map": ("imagePullSecrets: {name: a}", NO_SECRETS),
    "items without a name": ("imagePullSecrets: [{}, {name: }, {name: ~}, {name: [b]}, a]", PodSecrets((), None)),
    "an account": ("serviceAccountName: robot", PodSecrets((), "robot")),
    "an account by its old name": ("serviceAccount: robot", PodSecrets((), "robot")),
    "an account by both": ("serviceAccount: old\nserviceAccountName: robot", PodSecrets((), "robot")),
    "an empty account": ("serviceAccountName: ''\nserviceAccount: old", PodSecrets((), "old")),
    "a null account": ("serviceAccountName: ~", NO_SECRETS),
    "a list and an account": (
        "imagePullSecrets: [{name: a}]\nserviceAccountName: robot",
        PodSecrets(("a",), None, "robot"),
    ),
    "an empty list and an account": ("imagePullSecrets: []\nserviceAccountName: r", PodSecrets((), "r")),
}


@pytest.mark.parametrize(("lines", "expected"), SPECS.values(), ids=SPECS)
def test_a_pod_spec(lines, expected):
    indented = "".join(f"  {line}\n" for line in lines.splitlines())
    assert pods(pod("x/a:1") + indented) == [expected]


BLOCK = """\
  imagePullSecrets:
  - name: a
  - name: 'b'
  serviceAccountName: "robot"
"""


@pytest.mark.parametrize(
    "text",
    [
        pod("x/a:1") + BLOCK,
        pod("x/a:1") + BLOCK.replace("name: a", "name: |-\n      a"),
        pod("x/a:1") + BLOCK.replace("name: a", "name: &x a"),
        resource_list(pod("x/a:1") + BLOCK),
        "kind: List\nitems:\n" + item(pod("x/a:1") + BLOCK),
        json.dumps({"spec": {"imagePullSecrets": [{"name": "a"}, {"name": "b"}], "containers": [{"image": "x/a:1"}]}}),
    ],
)
def test_a_pod_spec_however_it_is_read(text):
    assert pods(text) == [PodSecrets(("a", "b"), None, "robot" if "robot" in text else "default")]


def test_every_image_of_a_pod_has_its_pods_and_no_other():
    text = (
        "kind: X\nspec:\n  one:\n    imagePullSecrets: [{name: a}]\n    containers: [{image: x}]\n"
        "    initContainers: [{image: x}]\n    ephemeralContainers: [{image: x}]\n"
        "    volumes: [{image: {reference: x}}]\n"
        "  two: {containers: [{image: z}], serviceAccountName: s}\n  imagePullSecrets: [{name: outside}]\n"
    )
    assert pods(text) == [PodSecrets(("a",), None)] * 4 + [PodSecrets((), "s")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apiVersion: tekton.dev/v1\nkind: Task\nspec: {steps: [{image: a}], imagePullSecrets: [{name: x}]}", [None]),
        (
            "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\n"
            "spec: {image: a, containers: [{image: b}], imagePullSecrets: [{name: x}]}",
            [None, PodSecrets(("x",), None)],
        ),
    ],
)
def test_a_field_of_the_catalogue_is_in_no_pod_unless_it_is(text, expected):
    assert sorted(pods(text), key=str, reverse=False) == sorted(expected, key=str)


# Secrets.


@pytest.mark.parametrize(
    "text",
    [
        secret(PLAIN),
        secret(in_block(ENCODED)),
        secret(in_block(ENCODED).replace("|", ">-")),
        secret(f"data: {{.dockerconfigjson: '{ENCODED}'}}\n"),
        secret(f"stringData:\n  .dockerconfigjson: '{CONFIG}'\n"),
        secret(f"stringData:\n  .dockerconfigjson: |\n    {CONFIG}\n"),
        secret(f"stringData:\n  .dockerconfigjson: '{CONFIG}'\ndata:\n  .dockerconfigjson: bm90aGluZw==\n"),
        secret(f"data:\n  .dockercfg: bm90aGluZw==\n  .dockerconfigjson: {ENCODED}\n"),
        secret(f"data:\n  .dockercfg: {ENCODED}\n", OLD_TYPE),
        resource_list(pod("x/a:1"), secret(in_block(ENCODED))),
        pod("x/a:1") + "---\n" + secret(in_block(ENCODED)),
        "kind: List\nitems:\n" + item(secret(PLAIN)),
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "regcred"},
                "type": JSON_TYPE,
                "data": {".dockerconfigjson": ENCODED},
            }
        ),
    ],
)
def test_a_secret_however_it_is_written(text):
    (found,) = survey(text).secrets
    assert json.loads(content_of(found)) == json.loads(CONFIG)
    assert (found.resource.namespace, found.resource.name) == (None, "regcred")


NO_LOGINS = {
    "of another type": secret(PLAIN, "Opaque"),
    "of no type": secret(PLAIN).replace(f"type: {JSON_TYPE}\n", ""),
    "of another kind": secret(PLAIN).replace("kind: Secret", "kind: ConfigMap"),
    "of another group": secret(PLAIN).replace("apiVersion: v1", "apiVersion: example.com/v1"),
    "under the other type's key": secret(PLAIN, OLD_TYPE),
    "without data": secret(""),
    "with a map for a value": secret("data:\n  .dockerconfigjson: {a: b}\n"),
    "with text for data": secret("data: .dockerconfigjson\n"),
    "with a list for data": secret("data: [.dockerconfigjson]\n"),
    "with a list for a type": secret(PLAIN, "[a]"),
    "in a CustomResourceDefinition": "kind: CustomResourceDefinition\nspec:\n  x:\n"
    + "".join(f"    {line}\n" for line in secret(PLAIN).splitlines()),
}


@pytest.mark.parametrize("text", NO_LOGINS.values(), ids=NO_LOGINS)
def test_what_is_no_secret_with_logins(text):
    assert survey(text).secrets == []


def test_where_a_secret_stands():
    text = "# a\n" + secret(PLAIN, head="  namespace: team\n")
    (found,) = survey(text).secrets
    assert found.offset == text.index(ENCODED)
    assert (found.resource.namespace, found.field, found.key) == ("team", "data", ".dockerconfigjson")


@pytest.mark.parametrize(
    ("field", "content", "reason"),
    [
        ("data", CANARY, "is not base64 of a text"),
        ("data", "ENC[AES256_GCM,data:canary-4711]", "is not base64 of a text"),
        ("data", ENCODED[:-1], "is not base64 of a text"),
        ("data", base64.b64encode(b"\xff" + CANARY.encode()).decode(), "is not base64 of a text"),
        ("data", "ä", "is not base64 of a text"),
        ("data", "A" * (pullsecrets.CONTENT_LIMIT + 4), "is longer than 2 MiB"),
        ("stringData", "x" * (pullsecrets.CONTENT_LIMIT + 1), "is longer than 2 MiB"),
    ],
)
def test_content_that_is_no_text(field, content, reason):
    with pytest.raises(ContentError) as caught:
        content_of(Secret(File("x", ""), NOWHERE, 0, field, ".dockerconfigjson", content))
    assert str(caught.value) == reason
    assert caught.value.__cause__ is None and (caught.value.__suppress_context__ or not caught.value.__context__)


def test_the_content_is_in_no_repr():
    found = survey(secret(f"stringData:\n  .dockerconfigjson: '{CONFIG}'\n", head="  namespace: team\n"))
    assert CONFIG in found.secrets[0]
    assert repr(found.secrets) == "[Secret('team', 'regcred')]"
    assert CANARY not in str(found.secrets) and CANARY not in f"{found.secrets[0]}"


# ServiceAccounts.

ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot, namespace: team}\n"


def test_an_account():
    found = survey(ACCOUNT + "imagePullSecrets: [{name: a}, {name: b}, {}]\nsecrets: [{name: c}]\n").accounts
    assert [(one.resource.namespace, one.resource.name, one.names) for one in found] == [("team", "robot", ("a", "b"))]


@pytest.mark.parametrize("lines", ["", "imagePullSecrets: []\n", "imagePullSecrets:\n", "secrets: [{name: c}]\n"])
def test_an_account_that_names_none(lines):
    assert [(one.resource.name, one.names) for one in survey(ACCOUNT + lines).accounts] == [("robot", ())]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [("", False), ("'true'", True), ('"true"', True), ("true", True), ("'false'", False), ("[x]", False), ("", False)],
)
def test_an_account_that_enforces_its_list(lines, expected):
    text = f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n  annotations:\n    {ENFORCES}: {lines}\n"
    assert [one.enforces for one in survey(text).accounts] == [expected]


def test_where_accounts_stand():
    text = (
        "# a\n" + ACCOUNT + "---\nkind: List\nitems:\n" + item(ACCOUNT) + item("kind: List\nitems:\n" + item(ACCOUNT))
    )
    told = [(text[slice(*one.span)].lstrip("- ")[:14], one.at) for one in survey(text).accounts]
    assert told == [("# a\napiVersion", ""), ("apiVersion: v1", ""), ("kind: List\n  i", "items[0]")]
    for one in survey(text).accounts:
        assert text.startswith("ServiceAccount", one.offset)


@pytest.mark.parametrize("version", ["x.test/v1", "apps/v1"])
def test_an_account_of_another_group(version):
    assert survey(ACCOUNT.replace("v1", version, 1)).accounts == []


def test_an_account_of_block_scalars():
    (found,) = survey(ACCOUNT + "imagePullSecrets:\n- name: |-\n    a\n").accounts
    assert found.names == ("a",)


# Which Secrets there are, whatever they hold.

HELD = {
    "a Secret": (secret(PLAIN), [("regcred", JSON_TYPE, False)]),
    "a Secret of another type": (secret("", "Opaque"), [("regcred", "Opaque", False)]),
    "a Secret of no type": ("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n", [("a", "", False)]),
    "a type that is null": (secret("", "~"), [("regcred", "", False)]),
    "a Secret in JSON": ('{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}', [("a", "", False)]),
    "a Secret of another group": ("apiVersion: x.test/v1\nkind: Secret\nmetadata: {name: a}\n", []),
    "a SealedSecret": (
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a}\n",
        [("a", "", True)],
    ),
    "a SealedSecret of another name": (
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a}\n"
        "spec:\n  template:\n    metadata:\n      name: b\n",
        [("b", "", True)],
    ),
    "an ExternalSecret": (
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: a}\nspec: {target: {x: y}}\n",
        [("a", "", True)],
    ),
    "an ExternalSecret of another name": (
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: a}\nspec:\n  target:\n"
        "    name: |-\n      b\n",
        [("b", "", True)],
    ),
    "a name that is null": (
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: a}\nspec: {target: {name: ~}}\n",
        [("a", "", True)],
    ),
    "of another group": ("apiVersion: x.test/v1\nkind: ExternalSecret\nmetadata: {name: a}\n", []),
}


@pytest.mark.parametrize(("text", "expected"), HELD.values(), ids=HELD)
def test_which_secrets_there_are(text, expected):
    for whole in (text, "kind: List\nitems:\n" + item(text)):
        assert [(one.resource.name, one.type, one.is_opaque) for one in survey(whole).held] == expected


def test_secrets_are_not_counted_twice_when_a_list_is_read_again():
    text = "kind: List\nitems:\n" + item(secret(PLAIN)) + '- {kind: X, a: "b\n\n  c"}\n'
    assert len(survey(text).held) == 1


# Where pods stand.


def places(text):
    return [(one.part.path, one.part.at, one.part.is_pod) for one in survey(text).sites if one.part is not None]


RUNS = "{containers: [{image: x/a}]}"
PLACES = {
    "a Pod": (f"apiVersion: v1\nkind: Pod\nspec: {RUNS}\n", ("spec", "spec", True)),
    "a Pod of another group": (f"apiVersion: x.test/v1\nkind: Pod\nspec: {RUNS}\n", ("spec", "spec", False)),
    "something else in a Pod": (f"apiVersion: v1\nkind: Pod\nspec: {{x: {RUNS}}}\n", ("spec.x", "spec.x", False)),
    "a PodTemplate": (f"kind: PodTemplate\ntemplate: {{spec: {RUNS}}}\n", ("template.spec", "template.spec", True)),
    "another kind": (f"kind: X\nspec: {RUNS}\n", ("spec", "spec", False)),
    "the object itself": ("kind: X\ncontainers: [{image: x/a}]\n", ("", "", False)),
    "a template": (f"kind: X\na: {{template: {{spec: {RUNS}}}}}\n", ("a.template.spec", "a.template.spec", True)),
    "a word that ends alike": (
        f"kind: X\nmytemplate: {{spec: {RUNS}}}\n",
        ("mytemplate.spec", "mytemplate.spec", False),
    ),
    "a podTemplate": (f"kind: X\npodTemplate: {{spec: {RUNS}}}\n", ("podTemplate.spec", "podTemplate.spec", True)),
    "below keys with dots": (
        f"kind: X\na.b: [{{template: {{spec: {RUNS}}}}}]\n",
        ('["a.b"][0].template.spec', '["a.b"][0].template.spec', True),
    ),
    "in a list that is an item": (
        "kind: List\nitems:\n" + item(f"kind: List\nitems:\n- {{kind: Pod, spec: {RUNS}}}\n"),
        ("spec", "items[0].spec", True),
    ),
    "an object in an object": (
        f"apiVersion: template.openshift.io/v1\nkind: Template\nobjects:\n- {{kind: Pod, spec: {RUNS}}}\n",
        ("spec", "objects[0].spec", True),
    ),
}


@pytest.mark.parametrize(("text", "expected"), PLACES.values(), ids=PLACES)
def test_where_a_pod_stands(text, expected):
    assert places(text) == [expected]


def test_after_an_object_inside_an_object_paths_go_on():
    text = f"apiVersion: template.openshift.io/v1\nkind: Template\nobjects: [{{kind: Pod, spec: {RUNS}}}]\nx: {RUNS}\n"
    assert places(text) == [("spec", "objects[0].spec", True), ("x", "x", False)]


def test_a_site_knows_what_was_read():
    text = pod("x/a:1") + "---\nkind: List\nitems:\n" + item(pod("x/b:1"))
    assert [text[slice(*site.span)] for site in survey(text).sites] == [pod("x/a:1"), item(pod("x/b:1"))]
    text = '{"kind": "X", "containers": [{"image": "a"}]}\n {"kind": "Y", "containers": [{"image": "b"}]}\n'
    assert [text[slice(*site.span)] for site in survey(text).sites] == [line.strip() for line in text.splitlines()]


# All of the input.


def test_secrets_of_all_files_and_documents():
    many = "---\n".join(secret(PLAIN, name=name) for name in "abc")
    found = survey(many, pod("x/a:1"), secret(PLAIN, name="d"))
    assert [(one.file.name, one.resource.name) for one in found.secrets] == [
        *(("0.yaml", name) for name in "abc"),
        ("2.yaml", "d"),
    ]


def test_a_list_that_is_read_twice_is_counted_once():
    text = "kind: List\nitems:\n" + item(secret(PLAIN)) + item(ACCOUNT + "imagePullSecrets: [{name: a}]\n")
    text += '- {kind: X, a: "b\n\n  c"}\n- &x {kind: Pod, containers: [{image: x/a}]}\n- *x\n'
    found = survey(text)
    assert (len(found.secrets), len(found.accounts), len(found.sites)) == (1, 1, 2)


def test_secrets_are_noted_when_their_pods_are_settled():
    found = survey(pod("x/a:1") + "---\n" + secret(PLAIN), settled=lambda text: True)
    assert (len(found.secrets), found.sites) == (1, [])


# Names that kustomize has not mended.

PREVIOUS, PREFIXES, SUFFIXES = (FORMER_NAMES, *AFFIXES)


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        (None, ()),
        ("", ()),
        ("regcred", ("regcred",)),
        ("regcred,regcred,base-regcred", ("regcred", "base-regcred")),
        ("prod-regcred,", ()),
    ],
)
def test_former_names(noted, expected):
    annotations = {} if noted is None else {PREVIOUS: noted}
    assert former_names(Resource("v1", "Secret", None, "prod-regcred", annotations)) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({}, {}, True),
        ({PREFIXES: "a-"}, {}, True),
        ({PREFIXES: "a-"}, {PREFIXES: "a-"}, True),
        ({PREFIXES: "a-"}, {PREFIXES: "b-"}, False),
        ({PREFIXES: "a-,prod-"}, {PREFIXES: "prod-"}, True),
        ({PREFIXES: "prod-"}, {PREFIXES: "a-,prod-"}, True),
        ({PREFIXES: "a-,prod-"}, {PREFIXES: "b-,prod-"}, False),
        ({PREFIXES: "a-,prod-"}, {PREFIXES: "a-"}, False),
        ({SUFFIXES: "-a"}, {SUFFIXES: "-b"}, False),
        ({PREFIXES: "a-", SUFFIXES: "-a"}, {PREFIXES: "a-", SUFFIXES: "-a"}, True),
    ],
)
def test_kin(one, other, expected):
    things = [Resource("v1", "X", None, "x", annotations) for annotations in (one, other)]
    assert pullsecrets.are_kin(*things) is expected and pullsecrets.are_kin(*reversed(things)) is expected


def test_the_annotations_are_read():
    annotations = "".join(f"    {name}: x\n" for name in (FORMER_NAMES, *AFFIXES))
    found = survey(secret(PLAIN, head=f"  annotations:\n{annotations}"))
    assert set(found.secrets[0].resource.annotations) == set((FORMER_NAMES, *AFFIXES))
