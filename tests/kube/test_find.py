"""The search itself: what is a place, what is strange, and that no document makes it run away."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from transformer.kube.find import Finder, Found
from transformer.kube.survey import Survey
from transformer.text import events
from transformer.text.outline import Lines, Outlines
from transformer.text.source import File
from transformer.text.tree import DEPTH_LIMIT, TextError


class AField(NamedTuple):
    group: str | None
    kind: str
    path: str


def find(text: str, fields=()) -> tuple[Found, events.Plain]:
    (document,) = events.read(text)
    return Finder(fields).find(document, document.tree), document


def places(text: str, fields=()) -> dict[str, str | None]:
    """Path to value (the first one that is there)."""
    found, document = find(text, fields)
    return {
        one.path: next((document.value(leaf) for leaf in one.leaves if leaf is not None), None)
        for one in found.candidates
    }


NOTHING = {
    "a scalar": "x",
    "nothing": "{}",
    "no containers": "kind: Service\nspec: {image: a}",
    "containers that are no list": "spec: {containers: {image: a}}",
    "containers that are text": "spec: {containers: image}",
    "a container that is no map": "spec: {containers: [a, [b], ~]}",
    "a list under another key": "spec: {container: [{image: a}]}",
    "status": "kind: Pod\nstatus: {containers: [{image: a}]}",
    "a volume without an image": "spec: {volumes: [{name: a}, {image: {pullPolicy: b}}, {image: c}, d]}",
    "volumes that are no list": "spec: {volumes: {a: {image: {reference: b}}}}",
    "a CustomResourceDefinition": "kind: CustomResourceDefinition\nspec: {containers: [{image: a}]}",
    "one in a List": "kind: List\nitems: [{kind: CustomResourceDefinition, spec: {containers: [{image: a}]}}]",
    "a ConfigMap's text": "kind: ConfigMap\ndata: {x: 'containers: [{image: a}]'}",
    "the texts of an object whose kind ends like a list's": "kind: AllowList\nitems: [a, b]\nspec: {x: y}",
    "the texts of a list that may be none": "apiVersion: v1\nkind: AllowList\nmetadata: {name: a}\nitems: [a, [b], ~]",
    "what stands beside the items": "kind: List\nitems: []\nspec: {containers: [{image: a}]}",
}

FOUND = {
    "a pod": ("spec: {containers: [{image: a}]}", {"spec.containers[0].image": "a"}),
    "all kinds of containers": (
        "spec: {initContainers: [{image: a}], ephemeralContainers: [{}, {image: b}]}",
        {"spec.initContainers[0].image": "a", "spec.ephemeralContainers[1].image": "b"},
    ),
    "at the top": ("containers: [{image: a}]", {"containers[0].image": "a"}),
    "at any depth": ("a: [[{b.c: {containers: [{image: d}]}}]]", {'a[0][0]["b.c"].containers[0].image': "d"}),
    "containers in containers": (
        "containers: [{image: a, x: {containers: [{image: b}]}}]",
        {"containers[0].image": "a", "containers[0].x.containers[0].image": "b"},
    ),
    "a volume": ("spec: {volumes: [{name: x}, {image: {reference: a}}]}", {"spec.volumes[1].image.reference": "a"}),
    "a status that is not the object's": (
        "spec: {status: {containers: [{image: a}]}}",
        {"spec.status.containers[0].image": "a"},
    ),
    "a null image": ("containers: [{image: }]", {"containers[0].image": ""}),
    "a List": (
        "kind: List\nitems: [{containers: [{image: a}]}, {kind: PodList, items: [{spec: {containers: [{image: b}]}}]}]",
        {"containers[0].image": "a", "spec.containers[0].image": "b"},
    ),
    "a List of a version": (
        "apiVersion: v1\nkind: PodList\nmetadata: {resourceVersion: '1'}\nitems: [{containers: [{image: a}]}]",
        {"containers[0].image": "a"},
    ),
    "a ResourceList with all that it has": (
        "kind: ResourceList\nfunctionConfig: {containers: [{image: a}]}\nresults: []\n"
        "items: [{containers: [{image: b}]}]",
        {"containers[0].image": "b"},
    ),
    "an object whose kind ends like a list's": (
        "kind: AllowList\nitems: [a, {b: {containers: [{image: c}]}}]\nspec: {containers: [{image: d}]}",
        {"items[1].b.containers[0].image": "c", "spec.containers[0].image": "d"},
    ),
    "one in a List": (
        "kind: List\nitems: [{kind: AllowList, items: [a], spec: {containers: [{image: b}]}}]",
        {"spec.containers[0].image": "b"},
    ),
    "one whose items are none": (
        "kind: AllowList\nitems: text\nspec: {containers: [{image: a}]}",
        {"spec.containers[0].image": "a"},
    ),
    "a List without items": ("kind: AllowList\nspec: {containers: [{image: a}]}", {"spec.containers[0].image": "a"}),
    "a kind of the catalogue": (
        "apiVersion: tekton.dev/v1\nkind: Task\nspec: {steps: [{image: a}], stepTemplate: {image: b}}",
        {"spec.steps[0].image": "a", "spec.stepTemplate.image": "b"},
    ),
    "a map written whole": (
        "apiVersion: solr.apache.org/v1\nkind: SolrCloud\nspec: {solrImage: a}",
        {"spec.solrImage": "a"},
    ),
    "a map": (
        "apiVersion: solr.apache.org/v1\nkind: SolrCloud\nspec: {solrImage: {repository: a, tag: b}}",
        {"spec.solrImage": "a"},
    ),
}


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_nothing_to_find(text):
    found, _ = find(text)
    assert found == Found((), (), False)


@pytest.mark.parametrize(("text", "expected"), FOUND.values(), ids=FOUND)
def test_found(text, expected):
    assert places(text) == expected


STRANGE = {
    "a list": ("containers: [{image: [a, b]}]", [("containers[0].image", "list", ["a", "b"])]),
    "a map": ("containers: [{image: {a: b}}]", [("containers[0].image", "map", ["b"])]),
    "an empty map": ("containers: [{image: {}}]", [("containers[0].image", "map", [])]),
    "a key of a shape": (
        "apiVersion: solr.apache.org/v1\nkind: SolrCloud\nspec: {solrImage: {repository: a, tag: [b]}}",
        [("spec.solrImage.tag", "list", ["b"])],
    ),
    "a key at the root": (
        "apiVersion: upgrade.cattle.io/v1\nkind: Plan\nspec: {version: [a], upgrade: {image: b}}",
        [("spec.version", "list", ["a"])],
    ),
    "items that are no objects": (
        "kind: List\nitems: [a, [b], ~]",
        [("items[0]", "not-object", ["a"]), ("items[1]", "not-object", ["b"]), ("items[2]", "not-object", ["~"])],
    ),
    "items of a ResourceList that are no objects": (
        "kind: ResourceList\nfunctionConfig: {}\nitems: [a, {}]",
        [("items[0]", "not-object", ["a"])],
    ),
    "items of a List in a list that are no objects": (
        "kind: PodList\nitems: [{kind: List, items: [a]}, b]",
        [("items[0]", "not-object", ["a"])],
    ),
    "what is not read": (
        "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nspec: {valuesContent: a}",
        [("spec.valuesContent", "unread", ["a"])],
    ),
}


@pytest.mark.parametrize(("text", "expected"), STRANGE.values(), ids=STRANGE)
def test_strange(text, expected):
    found, document = find(text)
    assert [(one.path, one.what, [document.value(leaf) for leaf in one.leaves]) for one in found.strange] == expected
    assert found.candidates == ()


def test_identity():
    found, document = find(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  namespace: n\n  name: p\n  annotations:\n    pindown.dev/keep.a: why\n"
        "    config.kubernetes.io/path: x.yaml\n    other: no\n    pindown.dev/map: {}\n"
        "spec:\n  containers: [{name: a, image: b}]\n"
    )
    (candidate,) = found.candidates
    identity = candidate.identity
    assert [document.value(leaf) for leaf in identity[:4] if leaf is not None] == ["v1", "Pod", "n", "p"]
    assert {key: document.value(leaf) for key, leaf in identity.annotations.items()} == {
        "pindown.dev/keep.a": "why",
        "config.kubernetes.io/path": "x.yaml",
    }
    assert candidate.container is not None and document.value(candidate.container) == "a"


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "metadata:",
        "metadata: x",
        "metadata: [a]",
        "metadata: {name: [a], annotations: [b]}",
        "metadata: {annotations: x}",
    ],
)
def test_an_identity_that_is_not_there(metadata):
    found, _ = find(f"{metadata}\ncontainers: [{{image: a}}]")
    (candidate,) = found.candidates
    assert candidate.identity == (None, None, None, None, {})


FIELDS = {
    "any group": (
        AField(None, "Widget", "spec.runners[].image"),
        {"spec.runners[0].image": "a", "spec.runners[1].image": "b"},
    ),
    "its group": (
        AField("example.com", "Widget", "spec.runners[].image"),
        {"spec.runners[0].image": "a", "spec.runners[1].image": "b"},
    ),
    "a map": (AField(None, "Widget", "spec.split"), {"spec.split": "c"}),
    "another group": (AField("example.org", "Widget", "spec.runners[].image"), {}),
    "core": (AField("", "Widget", "spec.runners[].image"), {}),
    "another kind": (AField(None, "Gadget", "spec.runners[].image"), {}),
    "nowhere": (AField(None, "Widget", "spec.absent"), {}),
}


@pytest.mark.parametrize(("field", "expected"), FIELDS.values(), ids=FIELDS)
def test_fields_of_the_user(field, expected):
    spec = "{runners: [{image: a}, {image: b}], split: {repository: c, tag: d}}"
    text = f"apiVersion: example.com/v1\nkind: Widget\nspec: {spec}"
    assert places(text, [field]) == expected


def test_a_place_that_two_rules_name_is_one_place():
    field = AField(None, "Pod", "spec.containers[].image")
    found, _ = find("kind: Pod\nspec: {containers: [{name: x, image: a}]}", [field, field])
    assert [one.path for one in found.candidates] == ["spec.containers[0].image"]


def outlined(text: str) -> Lines:
    lines = Outlines().read(text, 0, len(text))
    assert lines is not None
    return lines


@pytest.mark.parametrize(
    ("text", "is_blocked"),
    [
        ("kind: Pod\nx: |\n  y\nspec:\n  containers:\n  - image: a\n", False),
        ("kind: Pod\nspec:\n  containers:\n  - image: |-\n      a\n", True),
        ("kind: Pod\nspec:\n  containers:\n  - image: a\n    name: |-\n      x\n", True),
        ("kind: Pod\nmetadata:\n  name: |-\n    x\nspec:\n  containers:\n  - image: a\n", True),
        (
            "kind: Pod\nmetadata:\n  annotations:\n    pindown.dev/keep: |-\n      x\ncontainers:\n- image: a\n",
            True,
        ),
        ("kind: Pod\nmetadata:\n  annotations:\n    other: |-\n      x\nspec:\n  containers:\n  - image: a\n", False),
        ("kind: |-\n  Task\napiVersion: tekton.dev/v1\nspec:\n  steps:\n  - image: a\n", True),
        ("kind: ConfigMap\ndata:\n  x: |\n    y\n", False),
    ],
)
def test_values_that_an_outline_does_not_know_are_asked_for(text, is_blocked):
    lines = outlined(text)
    assert Finder().find(lines, lines.tree).is_blocked == is_blocked


def test_documents_of_one_outline_and_kind_are_searched_once():
    finder, outlines = Finder(), Outlines()
    texts = [
        f"apiVersion: {version}\nkind: {kind}\nspec:\n  image: {image}\n"
        for version, kind, image in (
            ("rabbitmq.com/v1", "RabbitmqCluster", "a"),
            ("rabbitmq.com/v1", "RabbitmqCluster", "b"),
            ("v1", "Service", "c"),
        )
    ]
    one, two, three = (finder.find(lines, lines.tree) for text in texts if (lines := outlines.read(text, 0, len(text))))
    assert one is two
    assert [candidate.path for candidate in one.candidates] == ["spec.image"]
    assert three.candidates == ()


BOMB = "".join(
    [
        f"a0: &a0 [{', '.join(['X'] * 10)}]\n",
        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 20)),
    ]
)


@pytest.mark.parametrize("leaf", ["lol", "{containers: [{image: x}]}", "{image: x}"])
def test_a_bomb_is_refused(leaf):
    (document,) = events.read(BOMB.replace("X", leaf))
    with pytest.raises(TextError, match="aliases make more than 2000[0-9]0 nodes of this document"):
        Finder().find(document, document.tree)


def test_a_bomb_of_lists_is_refused():
    lines = ["x0: &x0 {kind: Pod}\n"]
    lines += [f"x{n}: &x{n} {{kind: List, items: [{', '.join([f'*x{n - 1}'] * 10)}]}}\n" for n in range(1, 20)]
    (document,) = events.read("".join(lines) + "kind: List\nitems: [*x19]\n")
    with pytest.raises(TextError, match="aliases make more than"):
        Finder().find(document, document.tree)


@pytest.mark.parametrize("place", ["spec: {valuesContent: *a19}", "containers: [{image: *a19}]"])
def test_a_bomb_in_the_place_of_an_image_is_refused(place):
    (document,) = events.read(BOMB.replace("X", "lol") + f"apiVersion: helm.cattle.io/v1\nkind: HelmChart\n{place}\n")
    with pytest.raises(TextError, match="aliases make more than"):
        Finder().find(document, document.tree)


def test_a_small_bomb_in_the_place_of_an_image_is_a_list():
    bomb = BOMB.splitlines(keepends=True)[:4]
    found, _ = find("".join(bomb).replace("X", "lol") + "containers: [{image: *a3}]\n")
    assert [(one.what, len(one.leaves)) for one in found.strange] == [("list", 10)]


def test_a_large_document_is_no_bomb():
    """300,000 nodes that are really there."""
    text = "kind: List\nitems: [" + "{a: {b: [{c: d}, {e: f}], g: {h: i}}}, " * 60_000 + "]\n"
    assert find(text)[0] == Found((), (), False)


@pytest.mark.parametrize("levels", [200, DEPTH_LIMIT - 5])
@pytest.mark.parametrize("around", [("[", "]"), ("{a: ", "}")])
def test_depth_is_no_problem(levels, around):
    inner = around[0] * (levels // 2) + "{containers: [{image: x}]}" + around[1] * (levels // 2)
    assert list(places(f"a: {inner}").values()) == ["x"]
    assert len(find(f"containers: [{{image: {around[0] * (levels - 5)}{around[1] * (levels - 5)}}}]")[0].strange) == 1


def test_aliased_items_are_objects_of_their_own():
    found, document = find("kind: List\nitems: [&x {kind: Pod, containers: [{image: a}]}, *x]")
    assert [one.path for one in found.candidates] == ["containers[0].image"] * 2
    assert found.candidates[0].leaves == found.candidates[1].leaves


@pytest.mark.parametrize("extra", ["", "spec: {}\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_kind_that_the_users_fields_name_is_no_list(extra, newline):
    text = f"apiVersion: x.io/v1\nkind: AllowList\nitems:\n- image: nginx:1\n- image: redis:7\n{extra}"
    survey = Survey((AField(None, "AllowList", "items[].image"),))
    survey.file(File("f", text.replace("\n", newline)))
    found = [(site.path, site.value) for site in survey.sites]
    assert found == [("items[0].image", "nginx:1"), ("items[1].image", "redis:7")]
