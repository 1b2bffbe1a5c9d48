"""OpenShift's objects: what is refused, what is noted, how all objects together become one mirror for each source."""

from __future__ import annotations

import pytest

from tests.languages.answers import names, notes, places, refused, text, whys
from tests.languages.vectors import vectors
from transformer.languages.model import Imported, Text
from transformer.languages.openshift import KINDS, LANGUAGES, read, recognises

IDMS, ITMS, ICSP = KINDS


def one(kind: str, *entries: str) -> str:
    """An object of this kind with these entries, each in flow style."""
    group, key, _ = KINDS[kind]
    body = "".join(f"  - {entry}\n" for entry in entries)
    return f"apiVersion: {group}/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec:\n  {key}:\n{body}"


def said(*contents: str) -> Imported:
    return read([text(content, f"{index}.yaml") for index, content in enumerate(contents)])


def entry(source: str, *mirrors: str, policy: str = "") -> str:
    never = f", mirrorSourcePolicy: {policy}" if policy else ""
    return f"{{source: {source!r}, mirrors: [{', '.join(map(repr, mirrors))}]{never}}}"


def whens(found: Imported) -> dict[str, list[tuple[str, str]]]:
    return {mirror.source: [(at.to, at.when) for at in mirror.locations] for mirror in found.mirrors}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("{mirrors: [a.test]}", "wants a text under 'source'"),
        ("{source: '', mirrors: [a.test]}", "wants a text under 'source'"),
        ("{source: [q.test], mirrors: [a.test]}", "source: wants a text"),
        ("{source: q.test, mirrors: a.test}", "mirrors: wants a list of strings"),
        ("{source: q.test, mirrors: [[a.test]]}", r"mirrors\[0\]: wants a list of strings"),
        ("{source: q.test, mirrors: ['']}", "an empty location"),
        ("{source: q.test, mirrors: ['https://a.test']}", "no scheme"),
        ("{source: q.test, mirrors: ['u:hunter2@a.test']}", "neither a login"),
        ("{source: q.test, mirrors: [hub]}", "names no host"),
        ("{source: q.test, mirrors: ['a.test/x:1']}", "no tag"),
        ("{source: 'https://q.test', mirrors: [a.test]}", "no scheme"),
        ("{source: 'u:hunter2@q.test', mirrors: [a.test]}", "no login"),
        ("{source: '**.q.test', mirrors: [a.test]}", r"\*"),
        ("{source: 'a.*.test', mirrors: [a.test]}", "wildcard"),
        ("{source: '*.q.test/x', mirrors: [a.test]}", "no path"),
        ("{source: 'q.test/x:1', mirrors: [a.test]}", "no tag"),
        ("{source: q.test, mirrors: [a.test], mirrorSourcePolicy: Never}", "NeverContactSource, not 'Never'"),
        ("plain", "wants a list of mappings"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_entry_is_refused_with_line_and_key(kind, bad, words):
    error = refused(read, one(kind, entry("ok.test", "m.test"), bad))
    assert error.line == 7
    assert f"spec.{KINDS[kind].key}[1]" in str(error)
    with pytest.raises(type(error), match=words):
        raise error
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("kind: ImageDigestMirrorSet\napiVersion: config.openshift.io/v1\nspec: [a]", "spec: wants a mapping"),
        (one(IDMS).replace("  imageDigestMirrors:", "  imageDigestMirrors: x"), "wants a list of mappings"),
    ],
)
def test_a_bad_object_is_refused(content, words):
    with pytest.raises(Exception, match=words):
        raise refused(read, content)


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ("kind: ConfigMap\napiVersion: v1\n", (1, ""), "holds none of"),
        (one(IDMS).replace("config.openshift.io", "example.com"), (1, ""), "holds none of"),
        ("kind: ImageTagMirrorSet\napiVersion: config.openshift.io/v1\n", (1, ""), "no spec"),
        (one(IDMS, "{source: q.test, mirrors: [], mirror: x}"), (6, "spec.imageDigestMirrors[0].mirror"), "'mirrors'"),
        (one(IDMS, entry("q.test")), (6, "spec.imageDigestMirrors[0].source"), "no mirror but the source itself"),
        (one(IDMS, entry("q.test", "q.test")), (6, "spec.imageDigestMirrors[0].source"), "ignores such an entry"),
        (
            one(ITMS).replace("imageTagMirrors", "imageDigestMirrors"),
            (5, "spec.imageDigestMirrors"),
            "'imageTagMirrors'",
        ),
    ],
)
def test_what_is_not_carried_over_is_noted(content, place, words):
    found = said(content)
    assert found.mirrors == ()
    assert place in notes(found)
    assert words in whys(found)


def test_an_entry_that_names_only_its_source_takes_its_policy_with_it():
    found = said(one(IDMS, entry("q.test", "q.test", policy="NeverContactSource"), entry("q.test", "a.test")))
    assert places(found) == {"q.test": ["a.test"]}
    assert [mirror.fallback for mirror in found.mirrors] == ["source"]


@pytest.mark.parametrize(("kind", "when"), [(IDMS, "digest"), (ICSP, "digest"), (ITMS, "tag")])
def test_each_kind_is_for_what_it_says(kind, when):
    found = said(one(kind, entry("quay.io/org", "a.test/org", "b.test")))
    assert whens(found) == {"quay.io/org": [("a.test/org", when), ("b.test", when)]}
    other = "tag" if when == "digest" else "digest"
    assert names(found, "quay.io/org/app:1", when) == ["a.test/org/app:1", "b.test/app:1"]
    assert names(found, "quay.io/org/app:1", other) == []
    assert names(found, "quay.io/orgs/app:1", when) is None


def test_a_wildcard_takes_the_host_away():
    found = said(one(IDMS, entry("*.redhat.io", "a.test/rh")))
    assert names(found, "registry.redhat.io/ubi9/ubi:1") == ["a.test/rh/ubi9/ubi:1"]
    assert names(found, "redhat.io/ubi9/ubi:1") is None


def test_what_stands_for_tags_and_digests_is_one_location():
    found = said(one(IDMS, entry("q.test", "a.test", "b.test")), one(ITMS, entry("q.test", "a.test", "b.test")))
    assert whens(found) == {"q.test": [("a.test", "all"), ("b.test", "all")]}


@pytest.mark.parametrize(
    ("digest", "tag", "expected"),
    [
        ("a b", "a c", [("a", "all"), ("b", "digest"), ("c", "tag")]),
        ("a b", "b", [("a", "digest"), ("b", "all")]),
        ("a x b", "a b", [("a", "all"), ("x", "digest"), ("b", "all")]),
        ("a b", "b a", [("a", "digest"), ("b", "digest"), ("b", "tag"), ("a", "tag")]),
    ],
)
def test_the_order_of_each_kind_is_kept(digest, tag, expected):
    found = said(
        one(IDMS, entry("q.test", *(f"{name}.test" for name in digest.split()))),
        one(ITMS, entry("q.test", *(f"{name}.test" for name in tag.split()))),
    )
    assert whens(found) == {"q.test": [(f"{name}.test", when) for name, when in expected]}


@pytest.mark.parametrize("policies", [("NeverContactSource", ""), ("", "NeverContactSource")])
@pytest.mark.parametrize("kinds", [(IDMS, IDMS), (IDMS, ITMS), (ICSP, ITMS)])
def test_one_object_is_enough_to_forbid_the_source(policies, kinds):
    found = said(*(one(kind, entry("q.test", "a.test", policy=p)) for kind, p in zip(kinds, policies, strict=True)))
    assert [mirror.fallback for mirror in found.mirrors] == ["fail"]
    allowed = said(*(one(kind, entry("q.test", "a.test", policy="AllowContactingSource")) for kind in kinds))
    assert [mirror.fallback for mirror in allowed.mirrors] == ["source"]


def test_a_forbidden_source_is_no_mirror_of_itself():
    found = said(one(IDMS, entry("q.test", "a.test", "q.test", "b.test", policy="NeverContactSource")))
    assert places(found) == {"q.test": ["a.test", "b.test"]}
    assert "may not be contacted" in whys(found)


@pytest.mark.parametrize(
    ("mirrors", "expected"),
    [
        ("a.test q.test b.test", ["a.test", "q.test", "b.test"]),
        ("q.test a.test", ["q.test", "a.test"]),
        ("a.test q.test", ["a.test"]),
    ],
)
def test_the_source_keeps_its_place_among_the_mirrors(mirrors, expected):
    found = said(one(IDMS, entry("q.test", *mirrors.split())))
    assert places(found) == {"q.test": expected}
    assert names(found, "q.test/x:1") == [f"{place}/x:1" for place in expected]


def test_a_source_in_another_one_inherits_nothing():
    found = said(one(IDMS, entry("q.test", "a.test"), entry("q.test/org", "b.test")))
    assert names(found, "q.test/org/x:1") == ["b.test/x:1"]
    assert names(found, "q.test/other/x:1") == ["a.test/other/x:1"]


@pytest.mark.parametrize(("given", "expect"), vectors("merge_mirror_sets"))
@pytest.mark.parametrize("apart", [True, False])
def test_merge_vectors(given, expect, apart):
    sets = [one(IDMS, *(entry(each["source"], *each["mirrors"]) for each in objects)) for objects in given["objects"]]
    found = said(*sets) if apart else said("---\n".join(sets))
    assert places(found) == {each["source"]: each["mirrors"] for each in expect["merged"]}


def test_the_order_is_merged_over_all_objects_and_texts():
    found = said(one(IDMS, entry("q.test", "z.test", "y.test")), one(ICSP, entry("q.test", "y.test", "x.test")))
    assert places(found) == {"q.test": ["z.test", "y.test", "x.test"]}


def test_a_mirror_knows_where_it_stands():
    (mirror,) = said(one(IDMS, entry("q.test", "a.test")), one(ITMS, entry("q.test", "b.test"))).mirrors
    assert (mirror.name, mirror.file, mirror.line) == ("spec.imageDigestMirrors[0]", "0.yaml", 6)
    assert [at.name for at in mirror.locations] == [
        "spec.imageDigestMirrors[0].mirrors[0]",
        "spec.imageTagMirrors[0].mirrors[0]",
    ]


def test_contradicting_orders_end_and_are_the_same_again():
    sets = [one(IDMS, entry("q.test", "a.test", "b.test")), one(IDMS, entry("q.test", "b.test", "a.test"))]
    assert places(said(*sets)) == {"q.test": ["a.test", "b.test"]}
    assert said(*sets) == said(*sets)


def image(**lists: list[str]) -> str:
    """The cluster's Image with these lists."""
    return f"apiVersion: config.openshift.io/v1\nkind: Image\nspec:\n  registrySources: {lists!r}\n"


@pytest.mark.parametrize(("given", "expect"), vectors("to_registries_conf"))
def test_insecure_vectors(given, expect):
    sets = one(IDMS, *(entry(each["source"], *each["mirrors"]) for each in given["idms"]))
    found = said(sets, image(insecureRegistries=given["insecure"]))
    insecure = {rule.host for rule in found.registries if rule.insecure}
    assert {to: to.partition("/")[0] in insecure for to in expect["mirror_insecure"]} == expect["mirror_insecure"]


def test_blocked_registries_are_denied_unless_they_have_mirrors():
    found = said(
        image(blockedRegistries=["bad.test", "*.evil.test", "q.test/no", "m.test"]),
        one(IDMS, entry("q.test", "a.test", "m.test/x"), entry("bad.test/but/this", "a.test")),
    )
    assert [(rule.match, rule.action) for rule in found.denies] == [("*.evil.test/**", "deny"), ("m.test", "deny")]
    assert all(rule.reason and "0.yaml" in rule.reason for rule in found.denies)
    assert places(found) == {"q.test": ["a.test"], "bad.test/but/this": ["a.test"]}
    assert [mirror.fallback for mirror in found.mirrors] == ["source", "fail"]
    assert "no node pulls from it" in whys(found) and "left out of what is denied" in whys(found)


def test_what_the_cluster_allows_and_searches_is_noted():
    found = said(
        image(allowedRegistries=["a.test"], containerRuntimeSearchRegistries=["b.test"], insecureRegistrys=["c"])
    )
    keys = {"allowedRegistries", "containerRuntimeSearchRegistries", "insecureRegistrys"}
    assert {key for _, key in notes(found)} == {f"spec.registrySources.{key}" for key in keys}
    assert "'insecureRegistries'" in whys(found)


def test_many_objects_are_quick_enough_to_be_read():
    sets = [entry(f"q.test/n{number}", f"a.test/n{number}", "b.test") for number in range(3_000)]
    blocked = [f"b{number}.test" for number in range(3_000)]
    found = said(one(IDMS, *sets), image(blockedRegistries=blocked, insecureRegistries=blocked))
    assert (len(found.mirrors), len(found.denies)) == (3_000, 3_000)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kinds_are_recognised_alone_and_in_lists(kind):
    content = one(kind, entry("q.test", "a.test"))
    assert recognises(Text("x.yaml", content))
    listed = f"kind: List\nitems:\n- {content.strip().replace(chr(10), chr(10) + '  ')}\n"
    assert recognises(Text("x.yaml", listed))
    assert places(said(listed)) == {"q.test": ["a.test"]}


def test_other_images_are_not_recognised():
    assert not recognises(Text("x.yaml", "apiVersion: kpack.io/v1\nkind: Image\n"))
    assert recognises(Text("x.yaml", image()))
    assert not recognises(Text("registries.yaml", "mirrors: {}\n"))


def test_the_kinds_are_names_of_the_language_too():
    assert [language.name for language in LANGUAGES] == ["openshift", "idms", "itms", "icsp"]
    assert [language.recognises(Text("x", one(IDMS))) for language in LANGUAGES] == [True, False, False, False]
