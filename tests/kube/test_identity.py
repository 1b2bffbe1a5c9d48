"""Which object something stands in, and which objects are lists of others."""

from __future__ import annotations

import pytest

from transformer.kube.identity import (
    AFFIXES,
    FILE_ANNOTATIONS,
    FORMER_NAMES,
    LISTS,
    NOWHERE,
    Identity,
    Resource,
    identity_of,
    is_list,
    leaf_of,
)

NOBODY = Identity(None, None, None, None, {})
READ = ["pindown.dev/keep", "pindown.dev/keep.a", "pindown.dev/", *FILE_ANNOTATIONS, FORMER_NAMES, *AFFIXES]
UNREAD = ["pindown.dev", "x.pindown.dev/keep", "kpt.dev/path", "config.kubernetes.io/function", "", "path"]


@pytest.mark.parametrize(
    ("node", "identity"),
    [
        ({}, NOBODY),
        ({"spec": {"kind": 1, "name": 2}, "name": 3, "annotations": {"pindown.dev/keep": 4}}, NOBODY),
        ({"apiVersion": [1], "kind": {"a": 2}, "metadata": {"name": [3], "namespace": {}}}, NOBODY),
        ({"metadata": 1}, NOBODY),
        ({"metadata": [{"name": 1}]}, NOBODY),
        ({"metadata": {"annotations": 1}}, NOBODY),
        ({"metadata": {"annotations": [1]}}, NOBODY),
        ({"apiVersion": 0, "kind": 0}, Identity(0, 0, None, None, {})),  # one leaf, by an alias
        (
            {"kind": 2, "apiVersion": 1, "metadata": {"name": 4, "namespace": 3, "labels": {"name": 5}}},
            Identity(1, 2, 3, 4, {}),
        ),
    ],
)
def test_identity(node, identity):
    assert identity_of(node) == identity


@pytest.mark.parametrize("key", READ)
def test_annotations_that_are_read(key):
    assert identity_of({"metadata": {"annotations": {key: 7, "other": 8}}}).annotations == {key: 7}
    assert identity_of({"metadata": {"annotations": {key: {"a": 7}}}}).annotations == {}


@pytest.mark.parametrize("key", UNREAD)
def test_annotations_that_are_not(key):
    assert identity_of({"metadata": {"annotations": {key: 7}}}).annotations == {}


@pytest.mark.parametrize(
    ("mapping", "leaf"), [({"a": 0}, 0), ({"a": 7}, 7), ({}, None), ({"a": {}}, None), ({"a": [1]}, None)]
)
def test_leaf_of(mapping, leaf):
    assert leaf_of(mapping, "a") == leaf


ITEMS = {"apiVersion": 0, "kind": 1, "metadata": {}, "items": []}


@pytest.mark.parametrize(
    ("kind", "node", "expected"),
    [
        ("List", {"items": []}, True),
        ("List", ITEMS, True),
        ("List", {**ITEMS, "spec": {}}, True),
        ("ResourceList", {**ITEMS, "functionConfig": {}, "results": []}, True),
        ("PodList", ITEMS, True),
        ("PodList", {"items": [{}]}, True),
        ("PodList", {"items": 5}, True),  # a null, or the place where the items were cut out
        ("AllowList", ITEMS, True),
        ("AllowList", {**ITEMS, "spec": {}}, False),
        ("AllowList", {**ITEMS, "data": 2}, False),
        ("AllowList", {"spec": {}}, False),
        ("PodList", {"apiVersion": 0, "kind": 1}, False),
        ("List", {"kind": 1}, False),
        ("Listing", ITEMS, False),
        ("Lister", ITEMS, False),
        ("list", ITEMS, False),
        ("", ITEMS, False),
        ("List", [], False),
        ("List", 3, False),
    ],
)
def test_lists(kind, node, expected):
    assert is_list(kind, node) is expected


def test_the_lists_by_name_are_those_of_kubectl_and_of_krm():
    assert LISTS == ("List", "ResourceList")


def test_nowhere_is_no_object():
    assert Resource(None, None, None, None, {}) == NOWHERE and not any(NOWHERE)
