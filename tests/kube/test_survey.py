"""The survey: sites and oddities of whole files, the same however a file was read."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from transformer.kube import reading
from transformer.kube.identity import NOWHERE, Resource
from transformer.kube.pullsecrets import NO_SECRETS, PodPart
from transformer.kube.survey import Site, Survey, keep_reason
from transformer.text.documents import Span
from transformer.text.outline import Outlines
from transformer.text.source import File
from transformer.text.tree import Scalar

EXAMPLES = int(os.environ.get("EXAMPLES", "300"))


def survey(text: str, fields=(), **options) -> Survey:
    found = Survey(fields, **options)
    found.file(File("x.yaml", text))
    return found


def odd(text: str) -> list[tuple[str, str]]:
    return [(one.what, one.text) for one in survey(text).oddities]


def told(found: Survey) -> list[object]:
    """All that a survey tells, for comparison."""
    sites = [(site.resource, site.path, site.shape, site.value, site.scalars, site.container) for site in found.sites]
    return [
        sites,
        [(one.what, one.offset, one.text, one.resource, one.path) for one in found.oddities],
        found.documents,
    ]


NO_ODDITY = {
    "nothing": "",
    "comments": "# a\n---\n# b\n",
    "a null document": "---\n~\n---\n",
    "an empty list": "[]\n",
    "an empty object": "{}\n",
    "an empty image": "containers:\n- image:\n- image: ''\n- image: ~\n- image: null\n- name: a\n",
    "a List without items": "kind: List\nitems: []\n",
    "a List with null items": "kind: List\nitems:\n",
    "a list of texts": "kind: AllowList\nitems:\n- a\n- b\n",
    "a list of texts and more": "kind: AllowList\nitems:\n- a\nspec:\n  x: y\n",
    "a list of texts in a List": "kind: List\nitems:\n- kind: AllowList\n  items:\n  - a\n  spec: {}\n",
    "values without images": "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nspec:\n  valuesContent: |\n    a: b\n",
    "empty values": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n# image\nspec:\n  values: {}\n",
}

ODD = {
    "not YAML": (
        "a: [b\n",
        [("unreadable", "not valid YAML: did not find expected ',' or ']', while parsing a flow sequence")],
    ),
    "a scalar": ("nginx\n", [("unreadable", "not a Kubernetes object: the document is a single scalar")]),
    "a list": ("- a: b\n", [("unreadable", "not a Kubernetes object: the document is a list")]),
    "cut-off JSON": ('{"a": ', [("unreadable", "cut off")]),
    "a number": ("containers:\n- image: 5\n", [("not-text", "5")]),
    "a boolean": ("containers: [{image: true}]\n", [("not-text", "true")]),
    "a float in JSON": ('{"containers": [{"image": 1.5}]}', [("not-text", "1.5")]),
    "a list of images": ("containers:\n- image: [a, b]\n", [("list", "a\nb")]),
    "a map": ("containers:\n- image: {repository: a}\n", [("map", "a")]),
    "an empty map": ("containers:\n- image: {}\n", [("map", "")]),
    "an empty list": ("containers:\n- image: []\n", [("list", "")]),
    "a duplicate": ("a: b\na: c\n", [("duplicate-key", "a")]),
    "a duplicate that hides an image": ("image: a\nimage: b\n", [("hiding-key", "image")]),
    "a duplicate that hides images deeper": ("a: [{b: {initImages: c}}]\na: b\n", [("hiding-key", "a")]),
    "items that are no objects": ("kind: List\nitems:\n- a\n- {}\n- ~\n", [("not-object", "a"), ("not-object", "~")]),
    "items of a ResourceList that are no objects": (
        "kind: ResourceList\nitems:\n- kind: Pod\n- a\nfunctionConfig: {}\n",
        [("not-object", "a")],
    ),
    "an empty list as an item": ("kind: List\nitems:\n- []\n", [("not-object", "")]),
    "a null item": ("kind: ResourceList\nitems:\n- kind: Pod\n- ~\n", [("not-object", "~")]),
    "values": (
        "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nspec:\n  valuesContent: |\n    image: nginx\n",
        [("unread", "image: nginx\n")],
    ),
    "values behind the word": (
        "apiVersion: kustomize.config.k8s.io/v1\nkind: Kustomization\nimages:\n- name: a\n  newTag: b\n",
        [("unread", "a\nb")],
    ),
    "a duplicate in an envelope": ("kind: A\nkind: List\nitems:\n- a: b\n", [("duplicate-key", "kind")]),
}


@pytest.mark.parametrize("text", NO_ODDITY.values(), ids=NO_ODDITY)
def test_nothing_to_tell(text):
    found = survey(text)
    assert (found.sites, found.oddities) == ([], [])


@pytest.mark.parametrize(("text", "expected"), ODD.values(), ids=ODD)
def test_oddities(text, expected):
    assert odd(text) == expected
    assert survey(text).sites == []


def test_a_site():
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  namespace: 'n'\n  annotations:\n    pindown.dev/keep: why\n"
        "spec:\n  containers:\n  - name: c\n    image: 'nginx:1'\n"
    )
    found = survey(text)
    start = text.index("'nginx")
    resource = Resource("v1", "Pod", "n", "p", {"pindown.dev/keep": "why"})
    scalar = Scalar(start, start + 9, "'", "nginx:1")
    file, part = File("x.yaml", text), PodPart(None, (), "spec", "spec", True)
    place = ("spec.containers[0].image", "image", "nginx:1", ("nginx:1",), (scalar,), "c", NO_SECRETS, part)
    assert found.sites == [Site(file, resource, *place, (0, len(text)))]
    assert found.sites[0].offset == start
    assert found.documents == 1


def test_a_site_of_several_scalars():
    text = "apiVersion: solr.apache.org/v1\nkind: SolrCloud\nspec:\n  solrImage:\n    tag: 9\n    repository: solr\n"
    (site,) = survey(text).sites
    assert (site.value, site.values, site.shape) == ("solr:9", (None, "solr", "9", None), "split")
    assert site.offset == text.index("solr\n")


@pytest.mark.parametrize(
    ("annotations", "container", "reason"),
    [
        ({}, None, None),
        ({}, "c", None),
        ({"pindown.dev/keep": "all"}, None, "all"),
        ({"pindown.dev/keep": "all"}, "c", "all"),
        ({"pindown.dev/keep.c": "one", "pindown.dev/keep": "all"}, "c", "one"),
        ({"pindown.dev/keep.c": "one"}, "d", None),
        ({"pindown.dev/keep.c": "one"}, None, None),
        ({"pindown.dev/keep": ""}, "c", ""),
    ],
)
def test_keep_reason(annotations, container, reason):
    site = Site(File("x", ""), NOWHERE._replace(annotations=annotations), "p", "image", "a", ("a",), (None,), container)
    assert keep_reason(site) == reason


@pytest.mark.parametrize(
    "text",
    [
        "containers:\n- image: a@b\n- image: 'a@b'\n- image: c\n",
        "{containers: [{image: a@b}, {image: 'a@b'}, {image: c}]}",
    ],
)
def test_what_is_settled_is_only_counted(text):
    found = survey(text, settled=lambda value: "@" in value)
    assert found.left_alone == ["a@b", "a@b"]
    assert [site.value for site in found.sites] == ["c"]


def test_an_unreadable_document_does_not_hide_the_others():
    found = survey("containers: [{image: a}]\n---\n: [\n---\n- b\n---\ncontainers: [{image: c}]\n")
    assert [site.value for site in found.sites] == ["a", "c"]
    assert [one.what for one in found.oddities] == ["unreadable"] * 2
    assert found.documents == 2


def test_the_word_image_before_a_text_counts_at_the_very_start_of_a_file():
    text = "images: [{name: a}]\nkind: Kustomization\napiVersion: kustomize.config.k8s.io/v1\n" + f"# {'x' * 500}\n"
    assert odd(text) == [("unread", "a")]


def test_documents_are_counted_with_the_items_of_lists():
    assert survey("a: b\n---\n# c\n---\nkind: List\nitems:\n- a: b\n- c: d\n").documents == 3


@pytest.mark.parametrize("levels", [200, 390])
def test_depth(levels):
    text = "a: " + "[" * levels + "{containers: [{image: nginx}], b: c, b: [" + "]" * levels
    text = "a: " + "[" * levels + "{containers: [{image: nginx}], b: {image: x}, b: c}" + "]" * levels + "\n"
    found = survey(text)
    assert [site.value for site in found.sites] == ["nginx"]
    assert [one.what for one in found.oddities] == ["hiding-key"]
    block = (
        "".join(f"{' ' * depth}a:\n" for depth in range(levels))
        + " " * levels
        + "containers:\n"
        + " " * levels
        + "- image: nginx\n"
    )
    assert [site.value for site in survey(block).sites] == ["nginx"]


@pytest.mark.parametrize("levels", [401, 1200, 5000])
@pytest.mark.parametrize("shape", ["a: {}\n", "kind: List\nitems:\n- a: {}\n", '{{"a": {}}}'])
def test_too_deep(levels, shape):
    found = survey(shape.format("[" * levels + "]" * levels))
    assert [one.what for one in found.oddities] == ["unreadable"]


def test_too_deep_in_block_style():
    for text in ("a:\n " + "- " * 5000 + "b\n", "".join(f"{' ' * depth}a:\n" for depth in range(1200))):
        assert [one.what for one in survey(text).oddities] == ["unreadable"]


def test_a_bomb_of_aliases_is_unreadable():
    bomb = ["a0: &a0 [lol]\n"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)]
    for text in ("".join(bomb), "kind: List\nitems:\n- " + "  ".join(bomb), "".join(bomb) + "a11: b\n"):
        assert [one.what for one in survey(text).oddities] in (["unreadable"], ["hiding-key"], ["duplicate-key"], [])
    assert [one.what for one in survey("".join(bomb)).oddities] == ["unreadable"]


# However it is read: outlines or events, item by item or whole, the survey tells the same.

LINES = [
    *(
        "apiVersion: v1",
        "kind: List",
        "kind: Pod",
        "kind: |-\n  Task",
        "apiVersion: tekton.dev/v1",
        "metadata:",
        "  name: a",
        "  annotations:",
    ),
    *(
        "    pindown.dev/keep: why",
        "    pindown.dev/keep: {}",
        "    pindown.dev/keep: >-\n      x",
        "spec:",
        "  containers:",
        "  - image: nginx",
    ),
    *(
        "  - image: 'nginx:1' # c",
        "    image: |-\n      nginx",
        "  - image: []",
        "  - image: {}",
        "    name: c",
        "  - image:",
        "  steps:",
        "  - image: 5",
    ),
    *(
        "  initContainers: &x",
        "  ephemeralContainers: *x",
        "  - {image: a}",
        "  volumes:",
        "  - image:",
        "      reference: v",
        "    x: |",
        "      - y",
    ),
    *(
        "status: {}",
        "# c",
        "",
        "  - image: ~",
        "    image: b",
        "  - 'image': d",
        "kind: 'Pod'",
        "  x: {}",
        "  y: []",
        "items:",
        "- a",
        "  image: {a: b}",
    ),
]
OBJECTS = st.lists(st.sampled_from(LINES), max_size=10).map(
    lambda lines: "".join(f"{line}\n" for line in ["kind: Pod", "spec:", "  containers:", *lines])
)


def without_outlines(text: str) -> Survey:
    class Declining(Outlines):
        def read(self, text: str, start: int, end: int) -> None:
            return None

    found = Survey()
    found._outlines = Declining()
    found.file(File("x.yaml", text))
    return found


def whole(text: str) -> Survey:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading.Reader, "as_list", lambda self, span: None)
        return survey(text)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12).map(lambda lines: "".join(f"{line}\n" for line in lines)))
@example("kind: |-\n  Task\napiVersion: tekton.dev/v1\nspec:\n  steps:\n  - image: a\n")
@example("spec:\n  containers:\n  - image: {}\n")
def test_outlines_and_events_tell_the_same(text):
    assert told(survey(text)) == told(without_outlines(text))


PIECES = [
    *(
        "- kind: Pod",
        "  spec:",
        "    containers:",
        "    - image: nginx",
        "    - image: 'a",
        "      b'",
        "- 'c",
        "  d'",
        "- {a: [",
        "- b]}",
        "- a",
    ),
    *(
        "-",
        "  kind: Pod",
        "- ~",
        "- {}",
        "- []",
        "# c",
        "  # d",
        "",
        "  x: |",
        "    - y",
        "   - z",
        "- |",
        "  - image: x",
        "- &x {a: b}",
        "- *x",
    ),
    *(
        "- kind: List",
        "  items:",
        "  - containers: [{image: e}]",
        "- containers:",
        "  - image: &y f",
        "  - image: *y",
        "kind: List",
        "items: 5",
    ),
    *(
        "x: '",
        "'",
        "metadata: {annotations: {pindown.dev/keep: g}}",
        "- -",
        "-\tkind: Pod",
        "items:",
        "- a: b",
        "  a: c",
        "status: h",
        '"',
        "]",
    ),
]


@settings(max_examples=2 * EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(
        [
            "kind: List\n",
            "",
            "kind: ResourceList\n",
            'kind: List\nx: "\n',
            "kind: List\nx: '\n",
            "kind: List\nx: [\n",
            "kind: PodList\n",
            "kind: AllowList\nspec: {containers: [{image: i}]}\n",
        ]
    ),
    st.sampled_from(["", "  "]),
    st.lists(st.sampled_from(PIECES), max_size=12),
    st.sampled_from(["", "kind: List\n", "'\n", '"\n', "]\n", "kind: List\nkind: A\n", "metadata: x\n"]),
)
@example('kind: List\nx: "\n', "", ["- containers: [{image: e}]", '"'], "")
@example("", "", ["- a: b"], "kind: A\nkind: List\n")
def test_items_one_by_one_and_the_whole_tell_the_same(before, indent, pieces, behind):
    items = "".join(f"{indent}{line}\n" for line in pieces)
    text = f"{before}items:\n{items}{behind}"
    by_item, at_once = told(survey(text)), told(whole(text))
    if "List" in text:
        # The whole counts as one document what the pieces count one by one.
        by_item[2] = at_once[2] = 0
    assert by_item == at_once


#: name -> a document, its images in order, whether it is cut at its items.
LISTS = {
    "a PodList": ("kind: PodList\nitems:\n- spec:\n    containers:\n    - image: a\nmetadata: {}\n", ["a"], True),
    "texts among the objects of a PodList": (
        "kind: PodList\nitems:\n- a\n- spec:\n    containers:\n    - image: b\n",
        ["b"],
        True,
    ),
    "a ResourceList and its functionConfig": (
        "kind: ResourceList\nfunctionConfig:\n  containers:\n  - image: a\nitems:\n- containers:\n  - image: b\n",
        ["b"],
        True,
    ),
    "an object whose kind ends like a list's": (
        "kind: AllowList\nitems:\n- a\n- b\nspec:\n  containers:\n  - image: c\n",
        ["c"],
        False,
    ),
    "the same before its items": (
        "kind: AllowList\nspec:\n  containers:\n  - image: c\nitems:\n- x: a\n- y: b\n",
        ["c"],
        False,
    ),
    "pods in the items of such an object": (
        "kind: AllowList\nspec: {}\nitems:\n- containers:\n  - image: a\n- b\n",
        ["a"],
        False,
    ),
}


@pytest.mark.parametrize(("text", "images", "cut"), LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("inside", [False, True])
def test_what_is_a_list_and_what_is_only_called_one(text, images, cut, inside):
    if inside:
        text = "kind: List\nitems:\n- " + text.replace("\n", "\n  ").rstrip(" ")
    found = survey(text)
    assert ([site.value for site in found.sites], found.oddities) == (images, [])
    assert told(found)[:2] == told(whole(text))[:2]
    reader = reading.Reader(File("x.yaml", text), Outlines())
    assert (reader.as_list(Span(0, len(text))) is not None) is (cut or inside)


def test_the_object_of_a_site_in_a_list_that_is_none_is_that_object():
    (site,) = survey("kind: AllowList\nmetadata:\n  name: x\nitems:\n- containers:\n  - image: a\nspec: {}\n").sites
    assert (site.resource.kind, site.resource.name, site.path) == ("AllowList", "x", "items[0].containers[0].image")


def test_items_are_read_one_by_one():
    """The property above says nothing if the whole is always read."""
    text = "kind: List\nitems:\n- containers: [{image: a}]\n- containers:\n  - image: b\n"
    assert (survey(text).documents, whole(text).documents) == (2, 1)


@pytest.mark.parametrize("text", ["- op: add\n  path: /a\n", "hello\n", "- 1\n"])
@pytest.mark.parametrize("rendered", [True, False])
def test_what_is_no_object_is_unreadable_only_where_it_would_be_deployed(text, rendered):
    survey = Survey(rendered=rendered)
    survey.file(File("f", text))
    assert [oddity.what for oddity in survey.oddities] == ["unreadable"] * rendered
    assert survey.documents == 0
