"""Mirrors on their way into another language: prefixes, addresses, and what may be blocked."""

from __future__ import annotations

import pytest

from transformer.errors import PolicyError
from transformer.languages.outgoing import Place, Report, api_of, blockable, is_host, is_plain, merged, outgoing
from transformer.policy.model import Location, Mirror, Policy, RegistryRule


def said(mirror: Mirror, **words):
    policy = Policy(mirrors=(mirror,), file="p.yaml", **words)
    report = Report(policy, "somewhere")
    return outgoing(policy, report), report


def mirror(source: str, *to: str, **words) -> Mirror:
    return Mirror("m", source, tuple(Location(f"l{index}", one, 7) for index, one in enumerate(to)), line=2, **words)


@pytest.mark.parametrize(
    ("source", "to"),
    [
        ("a.test", "m.test/{registry}"),
        ("a.test", "m.test/{name}"),
        ("a.test", "m.test/{repository}/x"),
        ("a.test", "m.test/{registry}/{repository}"),
        ("a.test", "m.test/x{repository}"),
        ("a.test", "m.test/{repository}:{tag}"),
        ("a.test", "m.test/x:{tag}"),
    ],
)
def test_templates_that_are_no_prefix_are_left_out_with_two_notes(source, to):
    found, report = said(mirror(source, to))
    assert found == []
    assert [(note.key, note.line) for note in report.notes] == [("l0", 7), ("m", 2)]
    assert "# left out: m (a.test)" in report.head


@pytest.mark.parametrize(
    ("source", "to", "prefix"),
    [
        ("a.test", "m.test", "m.test"),
        ("a.test", "M.Test/x/", "m.test/x"),
        ("a.test/b", "m.test/x", "m.test/x"),
        ("a.test", "m.test/{repository}", "m.test"),
        ("a.test/b/c", "m.test/x/{repository}", "m.test/x/b/c"),
        ("*", "m.test/x/{repository}", "m.test/x"),
        ("a.test", "{zone}.m.test/x", "eu.m.test/x"),
    ],
)
def test_prefixes(source, to, prefix):
    (one,), report = said(mirror(source, to), variables=(("zone", "eu"),))
    assert [place.to for place in one.places] == [prefix]
    assert report.notes == []


def test_a_variable_without_a_value_names_the_file_of_the_mirror():
    with pytest.raises(PolicyError, match="'zone' has no value") as error:
        said(mirror("a.test", "{zone}.m.test", file="other.yaml"))
    assert (error.value.file, error.value.line) == ("other.yaml", 7)


@pytest.mark.parametrize(
    ("locations", "fallback", "kept", "falls"),
    [
        (("m.test",), "fail", ["m.test"], "fail"),
        (("m.test", "a.test"), "fail", ["m.test"], "source"),
        (("m.test", "a.test"), "source", ["m.test"], "source"),
        (("a.test", "m.test"), "fail", ["a.test", "m.test"], "fail"),
        (("a.test",), "fail", [], "source"),
    ],
)
def test_the_source_at_the_end_is_the_fallback(locations, fallback, kept, falls):
    (one,), _ = said(mirror("a.test", *locations, fallback=fallback))
    assert ([place.to for place in one.places], one.fallback) == (kept, falls)


@pytest.mark.parametrize(
    ("to", "plain", "url"),
    [
        ("m.test", False, "https://m.test"),
        ("m.test/a/b", False, "https://m.test/v2/a/b"),
        ("m.test:5000/a", True, "http://m.test:5000/v2/a"),
        ("docker.io/a", False, "https://registry-1.docker.io/v2/a"),
    ],
)
def test_addresses(to, plain, url):
    assert Place(Location("l", to), to, "all", plain).url == url


def test_hosts():
    assert (api_of("docker.io", False), api_of("a.test", True)) == ("https://registry-1.docker.io", "http://a.test")
    assert [is_plain(host, {"a.test"}) for host in ("a.test", "b.test", "localhost:1", "127.0.0.1", "[::1]:5")] == [
        True,
        False,
        True,
        True,
        True,
    ]
    assert not is_plain("localhost.a.test", ())
    assert [is_host(source) for source in ("a.test:5000", "a.test/b", "*.a.test", "*")] == [True, False, False, False]


def test_insecure_registries_are_plain():
    (one,), _ = said(mirror("a.test", "m.test/x", "n.test"), registries=(RegistryRule("M.test", insecure=True),))
    assert [place.plain for place in one.places] == [True, False]


@pytest.mark.parametrize(
    ("whens", "when"),
    [(("digest",), "digest"), (("digest", "digest"), "digest"), (("digest", "tag"), "all"), (("all", "tag"), "all")],
)
def test_an_address_is_for_all_that_its_locations_are_for(whens, when):
    places = [Place(Location("l", "m.test"), "m.test", one) for one in whens]
    assert [(place.to, place.when) for place in merged(places)] == [("m.test", when)]


@pytest.mark.parametrize(
    ("mirrors", "blocked"),
    [
        ((mirror("a.test", "m.test"),), {"a.test"}),
        ((mirror("a.test", "m.test", fallback="source"),), set()),
        ((mirror("a.test", "a.test/cache"),), set()),
        ((mirror("a.test/b", "a.test/c"),), {"a.test/b"}),
        ((mirror("a.test/b", "a.test"),), set()),
        ((mirror("a.test", "b.test"), mirror("b.test", "m.test")), {"a.test"}),
        ((mirror("a.test", "x.b.test"), mirror("*.b.test", "m.test")), {"a.test"}),
        (
            (mirror("a.test", "b.test/x"), mirror("b.test", "m.test"), mirror("b.test/x", "n.test", fallback="source")),
            {"a.test", "b.test"},
        ),
    ],
)
def test_a_block_would_also_hold_for_what_mirrors_are_asked_for(mirrors, blocked):
    policy = Policy(mirrors=mirrors)
    report = Report(policy, "somewhere")
    found = outgoing(policy, report)
    assert blockable(found, report) == blocked
    assert len(report.notes) == len({one.source for one in mirrors if one.fallback == "fail"}) - len(blocked)
