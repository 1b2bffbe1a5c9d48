"""Facts about sites: patterns, the injector's placeholder, and lines that another tool owns."""

from __future__ import annotations

import pytest

from transformer.kube import facts
from transformer.kube.survey import Site, Survey
from transformer.text.source import File


def site(text: str) -> Site:
    survey = Survey()
    survey.file(File("x.yaml", text))
    (found,) = survey.sites
    return found


def with_image(image: str, version: str = "v1") -> Site:
    return site(f"apiVersion: {version}\nspec:\n  containers:\n  - image: {image}\n")


@pytest.mark.parametrize(
    ("version", "image"),
    [
        ("v1", "'*'"),
        ("apps/v1", "nginx:*"),
        ("batch/v1", "'a/* | b/*'"),
        ("v1", "nginx"),
        ("example.com/v1", "nginx"),
        ("example.com/v1", "'a | b'"),
        ("example.com/v1", "'!a'"),
        ("kyverno.io/v1", "nginx:1"),
        ("example.com/v1", "'{{ a }}'"),
        ("notkyverno.io/v1", "'a | b'"),
    ],
)
def test_no_pattern(version, image):
    assert not facts.is_pattern(with_image(image, version))


@pytest.mark.parametrize(
    ("version", "image"),
    [
        ("kyverno.io/v1", "'*'"),
        ("kyverno.io/v2beta1", "'a/* | b/*'"),
        ("policies.kyverno.io/v1", "'!a'"),
        ("kyverno.io/v1", "'a?'"),
        ("kyverno.io/v1", "'<1'"),
        ("kyverno.io/v1", "'{{request.object}}'"),
        ("constraints.gatekeeper.sh/v1beta1", "a/*"),
        ("policy.sigstore.dev/v1beta1", "a/**"),
        ("example.com/v1", "registry.example.com/*"),
        ("example.com/v1", "'a/* | b/*'"),
    ],
)
def test_patterns(version, image):
    assert facts.is_pattern(with_image(image, version))


@pytest.mark.parametrize(
    ("image", "injected"), [("auto", True), ("'auto'", True), ("Auto", False), ("auto:1", False), ("a/auto", False)]
)
def test_injected(image, injected):
    assert facts.is_injected(with_image(image)) == injected


OWNERS = {
    "no comment": ("- image: nginx\n", None),
    "another comment": ("- image: nginx # the renovated one\n", None),
    "Flux": ('- image: nginx # {"$imagepolicy": "flux-system:app"}\n', "a Flux image policy"),
    "Flux, with blanks": ('- image: nginx  #  { "$imagepolicy": "a:b:tag"}\n', "a Flux image policy"),
    "Renovate on the line": ("- image: nginx # renovate: datasource=docker\n", "Renovate"),
    "Renovate above": ("# renovate: datasource=docker\n  - image: nginx\n", "Renovate"),
    "Renovate two lines above": ("# renovate: datasource=docker\n  # x\n  - image: nginx\n", None),
    "Renovate behind another line": ("- name: x # renovate: y\n    image: nginx\n", None),
    "Renovate below": ("- image: nginx\n    # renovate: datasource=docker\n", None),
    "release-please": ("- image: nginx # x-release-please-version\n", "release-please"),
    "at the end of the text": ("- image: nginx # renovate: x", "Renovate"),
    "the words without a comment": ("- image: nginx\n    name: 'renovate: x'\n", None),
}


@pytest.mark.parametrize(("lines", "owner"), OWNERS.values(), ids=OWNERS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_owner(lines, owner, newline):
    assert facts.owner(site(f"spec:\n  containers:\n  {lines}".replace("\n", newline))) == owner


@pytest.mark.parametrize("marked", ["repository", "tag"])
def test_the_owner_of_one_part_owns_the_image(marked):
    comment = ' # {"$imagepolicy": "a:b"}'
    parts = "".join(f"    {key}: x{comment if key == marked else ''}\n" for key in ("repository", "tag"))
    found = site(f"apiVersion: solr.apache.org/v1\nkind: SolrCloud\nspec:\n  solrImage:\n{parts}")
    assert facts.owner(found) == "a Flux image policy"


def test_a_very_long_line_is_not_searched_for_ever():
    image = "{image: nginx}, "
    survey = Survey()
    survey.file(File("x.yaml", f"containers: [{image * 20_000}] # {'#' * 1_000_000}\n"))
    assert [one for one in survey.sites if facts.owner(one) is not None] == []


def test_the_first_line_has_none_above():
    assert facts.owner(site("containers: [{image: nginx}]")) is None
    assert facts.owner(site("# renovate: x\ncontainers: [{image: nginx}]")) == "Renovate"
