"""Which mirror, and which names there: what is not mapped first, then what is, then that it costs little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from transformer.errors import PolicyError
from transformer.images.reference import ReferenceError, parse
from transformer.policy.locations import Target, check_written, globs_of, target_of
from transformer.policy.mirrors import Candidates, Mirrors, candidates, check_source, normalise_source
from transformer.policy.model import Location, Mirror, Policy

DIGEST = "sha256:" + "a" * 64


#: A mirror's source, then its locations: a text, or one with its rewrite, or one with `when`.
Row = tuple[Any, ...]


def location(name: str, place: Any) -> Location:
    to, more = place if isinstance(place, tuple) else (place, {})
    when = more if isinstance(more, str) else "all"
    return Location(name, to, 7, () if isinstance(more, str) else tuple(more.items()), when)


def policy(*rows: Row, **variables: str) -> Policy:
    """A policy with a mirror for each row."""
    mirrors = []
    for at, (source, *places) in enumerate(rows):
        locations = tuple(location(f"mirrors[{at}].locations[{n}]", place) for n, place in enumerate(places))
        mirrors.append(Mirror(f"mirrors[{at}]", source, locations, line=5))
    return Policy(mirrors=tuple(mirrors), variables=tuple(sorted(variables.items())), file="p.yaml")


def names(image: str, *rows: Row, **variables: str) -> list[str]:
    """What the image is called at its mirror, in order."""
    found = candidates(parse(image), policy(*rows, **variables))
    assert found.refusals == ()
    return [candidate.reference.written for candidate in found.locations]


HUB = ("docker.io", "mirror.test/hub")


@pytest.mark.parametrize(
    ("image", "rows"),
    [
        # Other hosts, and hosts that only look alike.
        ("ghcr.io/acme/app", [HUB]),
        ("docker.io.evil.test/nginx", [HUB]),
        ("docker.io:5000/nginx", [HUB]),
        ("example.com:5000/foo", [("example.com", "m.test/x")]),
        ("example.com/foo", [("example.com:5000", "m.test/x")]),
        ("example.com/foo", [("*.example.com", "m.test/x")]),
        ("notexample.com/foo", [("*.example.com", "m.test/x")]),
        ("a.example.com.evil.test/foo", [("*.example.com", "m.test/x")]),
        ("a.example.com:5001/foo", [("*.example.com:5000", "m.test/x")]),
        ("bar.test/example.foo", [("*.foo", "m.test/x")]),
        ("localhost/a.example.com/foo", [("*.example.com", "m.test/x")]),
        # Path boundaries.
        ("example.com/foobar/app", [("example.com/foo", "m.test/x")]),
        ("example.com/foo", [("example.com/foo/bar", "m.test/x")]),
        ("bitnamilegacy/redis", [("docker.io/bitnami", "m.test/x")]),
        # What is there already stays: no chaining, and a second run changes nothing.
        ("mirror.test/hub/library/nginx", [HUB]),
        ("mirror.test/hub/library/nginx", [HUB, ("*", "other.test/all")]),
        ("mirror.test/hub/library/nginx", [HUB, ("mirror.test", "other.test/all")]),
        ("MIRROR.test/hub/library/nginx", [HUB, ("*", "other.test/all")]),
        ("m.test/x/foo", [("*", "m.test/x")]),
        ("m.test/hub/nginx", [("*", "m.test/{repository}")]),
        ("m.test/ghcr.io/acme/app", [("*", "m.test/{registry}/{repository}")]),
        ("m.test/app", [("*", "m.test/{name}")]),
        ("m.test/app-1.2", [("*", "m.test/{name}-{tag}")]),
        ("m.test/x/app:9", [("*", "m.test/x/{name}:{tag}")]),
        ("example.com/mirror/app", [("example.com", "example.com/mirror")]),
        ("example.com/mirror/app", [("example.com", "example.com/mirror/{repository}")]),
        ("m.test/hub/official/nginx", [("docker.io", ("m.test/hub", {"^library/": "official/"}))]),
        ("m.test/x/nginx", [("*", ("m.test/{repository}", {"^": "x/"}))]),
        ("anything.test/x", []),
        # The long names of Docker Hub's API are registries of their own, as Docker reads them.
        ("registry-1.docker.io/library/nginx", [HUB]),
        ("nginx", [("registry-1.docker.io", "m.test/hub")]),
        # A user of Docker Hub is not the official image of that name.
        ("nginx", [("docker.io/nginx", "m.test/x")]),
        # :443 is a port like any other.
        ("quay.io:443/a", [("quay.io", "m.test/x")]),
        ("quay.io/a", [("quay.io:443", "m.test/x")]),
    ],
)
def test_is_not_mapped(image, rows):
    assert candidates(parse(image), policy(*rows)) == Candidates()


@pytest.mark.parametrize(
    ("image", "rows", "expected"),
    [
        # A prefix takes the rest of the path; tags are carried, digests are not, no :latest is made up.
        ("nginx", [HUB], ["mirror.test/hub/library/nginx"]),
        ("nginx:1.25", [HUB], ["mirror.test/hub/library/nginx:1.25"]),
        (f"nginx:1.25@{DIGEST}", [HUB], ["mirror.test/hub/library/nginx:1.25"]),
        (f"nginx@{DIGEST}", [HUB], ["mirror.test/hub/library/nginx"]),
        ("bitnami/redis:7", [HUB], ["mirror.test/hub/bitnami/redis:7"]),
        ("index.docker.io/library/nginx", [HUB], ["mirror.test/hub/library/nginx"]),
        ("Docker.io/library/nginx", [HUB], ["mirror.test/hub/library/nginx"]),
        ("nginx", [("index.docker.io", "m.test/hub")], ["m.test/hub/library/nginx"]),
        ("nginx", [("docker.io/", "m.test/hub/")], ["m.test/hub/library/nginx"]),
        ("nginx", [("docker.io/library", "m.test/hub")], ["m.test/hub/nginx"]),
        ("nginx", [("docker.io/library/nginx", "m.test/web")], ["m.test/web"]),
        ("example.com/foo/image:latest", [("example.com/foo", "example.com/path")], ["example.com/path/image:latest"]),
        ("example.com/image:latest", [("example.com", "example.com")], ["example.com/image:latest"]),
        ("a.test/x", [("a.test", "b.test:5000")], ["b.test:5000/x"]),
        ("a.test:5000/x", [("a.test:5000", "localhost:5001")], ["localhost:5001/x"]),
        # Locations in their order.
        ("a.test/x:1", [("a.test", "b.test", "c.test/y", "a.test")], ["b.test/x:1", "c.test/y/x:1", "a.test/x:1"]),
        # An exact host beats a suffix beats anything.
        ("a.b.test/x", [("*", "any.test"), ("*.b.test", "suffix.test"), ("a.b.test", "exact.test")], ["exact.test/x"]),
        ("a.b.test/x", [("*", "any.test"), ("*.b.test", "suffix.test")], ["suffix.test/x"]),
        ("a.b.test/x", [("*", "any.test"), ("*.c.test", "suffix.test")], ["any.test/x"]),
        ("a.b.test/x", [("*", "any.test"), ("a.b.test/y", "exact.test")], ["any.test/x"]),
        ("a.b.test/x", [("*.b.test", "suffix.test"), ("a.b.test/y", "exact.test")], ["suffix.test/x"]),
        # Then more path parts.
        ("a.test/x/y/z", [("a.test", "1.test"), ("a.test/x/y", "3.test"), ("a.test/x", "2.test")], ["3.test/z"]),
        ("a.test/x/q/z", [("a.test", "1.test"), ("a.test/x/y", "3.test"), ("a.test/x", "2.test")], ["2.test/q/z"]),
        ("a.test/w", [("a.test", "1.test"), ("a.test/x/y", "3.test"), ("a.test/x", "2.test")], ["1.test/w"]),
        # Then more labels; any port, unless the source says one.
        ("a.b.c.test/x", [("*.test", "1.test"), ("*.b.c.test", "3.test"), ("*.c.test", "2.test")], ["3.test/x"]),
        ("q.c.test/x", [("*.test", "1.test"), ("*.b.c.test", "3.test"), ("*.c.test", "2.test")], ["2.test/x"]),
        ("a.b.test:5000/x", [("*.b.test", "m.test")], ["m.test/x"]),
        ("a.b.test:5000/x", [("*.b.test", "m.test"), ("*.b.test:5000", "n.test")], ["n.test/x"]),
        ("A.B.test/x", [("*.b.test", "m.test")], ["m.test/x"]),
        # Wildcards: the rest of the path is the whole repository.
        ("quay.io/a/b:1", [("*", "m.test/all")], ["m.test/all/a/b:1"]),
        ("nginx", [("*.io", "m.test")], ["m.test/library/nginx"]),
        ("foo.bar.io/n1/n2/n3", [("*.bar.io", "omg.test/r")], ["omg.test/r/n1/n2/n3"]),
        ("localhost:5000/x", [("*", "m.test/all")], ["m.test/all/x"]),
        # Templates.
        ("quay.io/a/b:1", [("*", "m.test/{registry}/{repository}")], ["m.test/quay.io/a/b:1"]),
        ("quay.io/a/b:1", [("quay.io", "m.test/{name}")], ["m.test/b:1"]),
        ("quay.io/a/b:1", [("quay.io/a", "m.test/{repository}")], ["m.test/a/b:1"]),
        ("quay.io/a/b:1", [("quay.io", "m.test/{name}:v-{tag}")], ["m.test/b:v-1"]),
        ("quay.io/a/b:1", [("quay.io", "m.test/{name}-{tag}")], ["m.test/b-1"]),
        ("quay.io/a/b:1", [("quay.io", "{registry}.m.test/{repository}")], ["quay.io.m.test/a/b:1"]),
        (f"quay.io/a/b@{DIGEST}", [("quay.io", "m.test/{name}")], ["m.test/b"]),
        # {tag} with no tag written disqualifies the location, and only it.
        ("quay.io/a/b", [("quay.io", "m.test/{name}-{tag}")], []),
        (f"quay.io/a/b@{DIGEST}", [("quay.io", "m.test/{name}-{tag}", "n.test")], ["n.test/a/b"]),
        # Rewrites: of the path behind the source, the first that matches; then it goes into the prefix or the template.
        (
            "nginx:1",
            [("docker.io", ("m.test/hub", {"^library/(.*)$": "official/$1"}))],
            ["m.test/hub/official/nginx:1"],
        ),
        ("a/b:1", [("docker.io", ("m.test/hub", {"^library/(.*)$": "official/$1"}))], ["m.test/hub/a/b:1"]),
        ("nginx:1", [("docker.io/library", ("m.test/hub", {"^": "x-"}))], ["m.test/hub/x-nginx:1"]),
        ("nginx:1", [("docker.io/library/nginx", ("m.test/hub", {"^": "x-"}))], ["m.test/hub:1"]),
        ("q.io/a/b:1", [("*", ("m.test/{registry}/{repository}", {"/": "-"}))], ["m.test/q.io/a-b:1"]),
        ("q.io/a/b/c:1", [("q.io/a", ("m.test/{repository}", {"/": "-"}))], ["m.test/a/b-c:1"]),
        ("q.io/a/b:1", [("q.io", ("m.test/{name}", {"^(.*)/(.*)$": "$2/$1"}))], ["m.test/a:1"]),
        (f"q.io/a:1@{DIGEST}", [("q.io", ("m.test/{name}-{tag}", {"a": "bb"}))], ["m.test/bb-1"]),
        # What a node pulls decides.
        ("q.io/a:1", [("q.io", ("t.test", "tag"), ("d.test", "digest"), "all.test")], ["t.test/a:1", "all.test/a:1"]),
        (f"q.io/a:1@{DIGEST}", [("q.io", ("t.test", "tag"), ("d.test", "digest"))], ["d.test/a:1"]),
        (f"q.io/a@{DIGEST}", [("q.io", ("t.test", "tag"), ("d.test", "digest"))], ["d.test/a"]),
        ("q.io/a", [("q.io", ("t.test", "tag"), ("d.test", "digest"))], ["t.test/a"]),
        ("INDEX.docker.io/library/nginx", [HUB], ["mirror.test/hub/library/nginx"]),
        ("registry-1.docker.io/library/nginx", [("registry-1.docker.io", "m.test/hub")], ["m.test/hub/library/nginx"]),
        ("nginx/ingress", [("docker.io/nginx", "m.test/x")], ["m.test/x/ingress"]),
        # A location that is its own source does not hide the others, nor other mirrors.
        ("q.io/a/b", [("q.io", "m.test", "{registry}/{repository}")], ["m.test/a/b", "q.io/a/b"]),
        ("q.io/a/b", [("q.io", "m.test", "q.io/{repository}")], ["m.test/a/b", "q.io/a/b"]),
        ("q.io/a/b", [("*", "m.test", "{registry}/{repository}")], ["m.test/a/b", "q.io/a/b"]),
        ("q.io/a/b", [("*.io", "m.test", "{registry}/{repository}")], ["m.test/a/b", "q.io/a/b"]),
        ("other.test/a", [("q.io", "{registry}/{name}"), ("other.test", "m.test")], ["m.test/a"]),
        ("q.io/team/a", [("q.io", ("q.io", {"^team/": "new/"}))], ["q.io/new/a"]),
        ("q.io/new/a", [("q.io", ("q.io", {"^team/": "new/"}))], ["q.io/new/a"]),
        ("docker.io/library/nginx", [("docker.io", "m.test/hub", "docker.io")], None),
        ("example.com/proxy/app", [("example.com/proxy", "example.com")], ["example.com/app"]),
    ],
)
def test_is_mapped(image, rows, expected):
    if expected is None:
        expected = ["m.test/hub/library/nginx", "docker.io/library/nginx"]
    assert names(image, *rows) == expected


@pytest.mark.parametrize(
    ("to", "variables", "expected"),
    [
        ("{region}.m.test/hub", {"region": "eu"}, "eu.m.test/hub/library/nginx:1"),
        ("{region}.m.test/{name}", {"region": "eu"}, "eu.m.test/nginx:1"),
        ("{host}/{project}", {"host": "m.test:5000", "project": "a/b"}, "m.test:5000/a/b/library/nginx:1"),
        ("m{suffix}.test/hub", {"suffix": ""}, "m.test/hub/library/nginx:1"),
        ("{a}{b}/hub", {"a": "m.", "b": "test"}, "m.test/hub/library/nginx:1"),
        ("m.test/{Region}", {"Region": "x", "region": "y"}, "m.test/x/library/nginx:1"),
    ],
)
def test_variables_are_filled_in_either_way(to, variables, expected):
    assert names("nginx:1", ("docker.io", to), **variables) == [expected]


@pytest.mark.parametrize(
    ("to", "variables", "part"),
    [
        ("{region}.m.test/hub", {}, "the variable 'region' has no value, and {region}.m.test/hub needs it"),
        ("{region}.m.test/hub", {"other": "x"}, "--set region=VALUE or as PINDOWN_VAR_REGION"),
        ("{host}/hub", {"host": "hub"}, "names no host"),
        ("{host}/hub", {"host": ""}, "names no host"),
        ("m.test/{p}", {"p": "Upper"}, "can hold no image"),
        ("m.test/{p}", {"p": "a:b"}, "can hold no image"),
    ],
)
def test_a_location_that_its_variables_spoil_is_a_policy_error_with_its_line(to, variables, part):
    with pytest.raises(PolicyError) as caught:
        Mirrors(policy(("docker.io", to), **variables))
    assert part in str(caught.value)
    assert str(caught.value).startswith("p.yaml:7: mirrors[0].locations[0]: ")


@pytest.mark.parametrize(
    ("image", "row", "made"),
    [
        ("docker.io/library/nginx", ("docker.io/library/nginx", "m.test"), "m.test"),
        ("quay.io/a:V1", ("quay.io", "m.test/{name}-{tag}"), "m.test/a-V1"),
        ("host:5000/a:1", ("host:5000", "m.test/{registry}/{name}"), "m.test/host:5000/a:1"),
        ("quay.io/a:" + "t" * 128, ("quay.io", "m.test/{name}:x{tag}"), "m.test/a:x"),
        ("quay.io/" + "a" * 250, ("quay.io", "m.test/abcdef"), "m.test/abcdef/aaa"),
    ],
)
def test_a_result_that_is_no_reference_is_a_refusal(image, row, made):
    found = candidates(parse(image), policy(row))
    assert found.locations == ()
    (refusal,) = found.refusals
    assert refusal.rule == "invalid-reference"
    assert "mirrors[0].locations[0]" in refusal.message
    assert made in refusal.message
    assert "change mirrors[0].locations[0] in the policy" in refusal.help


def test_candidates_say_which_location_they_come_from():
    found = candidates(parse("quay.io/a/b"), policy(("quay.io", "m.test/{tag}/x", "n.test")))
    assert found.mirror is not None
    assert found.mirror.name == "mirrors[0]"
    assert [candidate.rule for candidate in found.locations] == ["mirrors[0].locations[1]"]


@pytest.mark.parametrize(
    ("image", "row", "made", "code"),
    [
        ("q.io/a", ("q.io", ("m.test/x", {"(a)": "$1$1$1$1/"})), "m.test/x/aaaa/", "invalid-format"),
        ("q.io/a", ("q.io", ("m.test/x", {"^": "/"})), "m.test/x//a", "invalid-format"),
        ("q.io/a", ("q.io", ("m.test/x", {"^": "../"})), "m.test/x/../a", "invalid-format"),
        ("q.io/a", ("q.io", ("m.test/x", {".*": ""})), "makes nothing of q.io/a", "invalid-format"),
        ("q.io/a", ("q.io", ("m.test/x/{name}", {".*": ""})), "makes nothing of q.io/a", "invalid-format"),
        ("q.io/a", ("q.io", ("m.test/x", {"a": "-a"})), "m.test/x/-a", "invalid-format"),
        ("q.io/" + "a" * 100, ("q.io", ("m.test/x", {"a": "$0$0$0"})), "aaa", "too-long"),
        # Nothing is cut: a template that takes the last part only would name another image.
        ("q.io/" + "a" * 250 + "/b/c", ("q.io", ("m.test/{name}", {"a": "$0$0$0$0$0"})), "aaa", "too-long"),
        ("q.io/" + "a" * 250, ("q.io", ("m.test/abcdef", {"^": ""})), "aaa", "too-long"),
    ],
)
def test_a_rewrite_that_makes_no_path_is_a_refusal(image, row, made, code):
    found = candidates(parse(image), policy(row))
    (refusal,) = found.refusals
    assert (found.locations, refusal.rule) == ((), "invalid-reference")
    assert made in refusal.message and f"({code})" in refusal.message
    assert len(refusal.message) < 400


@pytest.mark.parametrize("to", ["m.test/x", "m.test/{repository}", "m.test/{name}", "m.test/{tag}/{name}"])
@pytest.mark.parametrize("path", ["a:9", "a@sha256:" + "b" * 64, "{tag}", "a:9@x", "m.test:5000/b"])
def test_a_rewrite_makes_neither_a_tag_nor_a_digest_nor_a_placeholder(to, path):
    """Whatever stands in a path (no pattern can put it there): only the path's own characters come through."""

    class Rewrites:
        def __call__(self, rest: str) -> str:
            return path

    target = target_of(Location("x", to), {})._replace(rewriting=Rewrites())  # type: ignore[arg-type]
    try:
        made = target.build(parse("q.io/a:1"), "a")
    except ReferenceError:
        return
    assert path == "{tag}" and made is not None and "{tag}" in made


@pytest.mark.parametrize(
    ("image", "rows", "part"),
    [
        (
            "q.io/a",
            [("q.io", ("q.io", {"^": "x/"}))],
            "makes q.io/x/a of q.io/a, which mirrors[0] (q.io) would map again",
        ),
        ("q.io/a:1", [("q.io", "{registry}/{repository}:v-{tag}")], "makes q.io/a:v-1 of q.io/a"),
        ("q.io/a/b", [("q.io/a", "q.io"), ("q.io/b", "m.test/x")], "which mirrors[1] (q.io/b) would map again"),
        ("q.io/p/p/b", [("q.io/p", "q.io")], "makes q.io/p/b of q.io/p/p/b, which mirrors[0] (q.io/p)"),
    ],
)
def test_a_name_that_the_next_run_would_change_is_a_refusal(image, rows, part):
    (refusal,) = candidates(parse(image), policy(*rows)).refusals
    assert refusal.rule == "invalid-reference"
    assert part in refusal.message
    assert "mirrors[0].locations[0]" in refusal.help


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ([("q.io", "m.test"), ("m.test", "n.test")], "mirrors[1]: m.test lies under m.test, a location of another"),
        ([("q.io", "m.test/x"), ("m.test/x/y", "n.test")], "mirrors[1]: m.test/x/y lies under m.test/x, a location"),
        ([("ghcr.io/hub", "docker.io"), ("docker.io", "m.test")], "mirrors[1]: docker.io lies under docker.io"),
    ],
)
def test_a_mirror_that_could_never_apply_is_a_policy_error(rows, part):
    with pytest.raises(PolicyError) as caught:
        Mirrors(policy(*rows))
    assert str(caught.value).startswith(f"p.yaml:5: {part}")
    assert "take one of the two out" in str(caught.value)


@pytest.mark.parametrize(
    "rows",
    [
        [("q.io", "m.test/x"), ("m.test", "n.test")],
        [("q.io", "eu.m.test"), ("eu.m.test", "eu.m.test"), ("us.m.test", "eu.m.test")],
        [("q.io", "m.test"), ("*.test", "n.test"), ("*", "n.test")],
    ],
)
def test_a_mirror_that_applies_to_some_names_is_none(rows):
    Mirrors(policy(*rows))


def test_mirrors_of_other_systems_may_be_dead_as_they_are_on_the_nodes():
    read = policy(("q.io", "m.test"), ("m.test", "n.test"))
    Mirrors(read._replace(mirrors=(read.mirrors[0], read.mirrors[1]._replace(file="registries.conf"))))


def test_an_error_of_a_mirror_from_elsewhere_names_its_file():
    read = policy(("q.io", "{region}.m.test"))
    with pytest.raises(PolicyError, match=r"^nodes\.conf:7: mirrors\[0\]\.locations\[0\]: the variable 'region'"):
        Mirrors(read._replace(mirrors=(read.mirrors[0]._replace(file="nodes.conf"),)))


def test_what_does_not_fit_is_told():
    found = candidates(parse("q.io/a"), policy(("q.io", ("m.test", "digest"), "m.test/{name}-{tag}")))
    assert found.locations == found.refusals == ()
    assert found.unfit == (
        "mirrors[0].locations[0] is for images that are pulled by digest (when: digest)",
        "mirrors[0].locations[1] needs {tag}",
    )


@pytest.mark.parametrize(("pulls", "expected"), [("tag", "t.test/a:1"), ("digest", "d.test/a:1")])
def test_what_a_node_will_pull_may_differ_from_what_is_written(pulls, expected):
    rows = policy(("q.io", ("t.test", "tag"), ("d.test", "digest")))
    for image in ("q.io/a:1", f"q.io/a:1@{DIGEST}"):
        assert [one.reference.written for one in candidates(parse(image), rows, pulls).locations] == [expected]


def test_pull_secret_and_warmth_travel_with_a_name():
    places = (Location("a", "m.test", pull_secret="hub", warm=True), Location("b", "n.test"))
    found = candidates(parse("q.io/a"), Policy(mirrors=(Mirror("mirrors[0]", "q.io", places),)))
    assert [(one.pull_secret, one.warm) for one in found.locations] == [("hub", True), (None, False)]


HOSTS = ["docker.io", "q.io", "a.b.test", "m.test", "m.test:5000", "localhost"]
PATHS = ["", "/a", "/a/b", "/library", "/p"]
SOURCES = [*(host + path for host in HOSTS for path in PATHS), "*", "*.test", "*.b.test", "*.io"]
PLACES = st.builds(
    lambda to, more: (to, more),
    st.one_of(
        st.builds("{}{}".format, st.sampled_from(HOSTS), st.sampled_from(PATHS)),
        st.sampled_from(
            [
                *("{registry}/{repository}", "{registry}/{name}", "m.test/{registry}/{repository}", "m.test/{name}"),
                *("q.io/{repository}", "{registry}.m.test/{repository}", "m.test/{name}-{tag}", "m.test/{name}:v{tag}"),
                *("{registry}/{repository}:v{tag}", "docker.io/p/{name}", "a.b.test/{tag}/{name}"),
            ]
        ),
    ),
    st.one_of(
        st.sampled_from(["all", "tag", "digest"]),
        st.dictionaries(
            st.sampled_from(["^", "^library/", "/", "(a)", "^(.*)$", "b$", ".*", "x?", "^p/"]),
            st.sampled_from(["", "p/", "$0", "a/$0", "-", "official/", "$0$0"]),
            max_size=2,
        ),
    ),
)
ROWS = st.dictionaries(st.sampled_from(SOURCES), st.lists(PLACES, min_size=1, max_size=3), min_size=1, max_size=4)
IMAGES = st.builds(
    "{}{}{}".format,
    st.sampled_from([*(f"{host}/" for host in HOSTS), "", "A.B.test/"]),
    st.sampled_from(["a", "a/b", "a/b/c", "library/x", "p/a", "p/p/a", "x"]),
    st.sampled_from(["", ":1", ":v1", f"@{DIGEST}", f":1@{DIGEST}"]),
)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, IMAGES, st.sampled_from(["tag", "digest"]))
@example({"q.io": [("q.io", {"^": "p/"})]}, "q.io/a", "digest")
@example({"*": [("{registry}/{repository}", "all")]}, "q.io/a", "digest")
@example({"q.io/p": [("q.io", "all")]}, "q.io/p/p/a", "digest")
@example({"q.io/a": [("docker.io/a", "all")], "docker.io": [("{registry}/{repository}", "all")]}, "q.io/a", "tag")
@example({"docker.io": [("{registry}/{name}", "all"), ("docker.io/a", "all")]}, "docker.io/p/a", "tag")
def test_whatever_the_policy_is_a_second_run_changes_no_name(rows, image, pulls):
    """Each name that a location gives is left alone, or is one of the same list again."""
    made = [(source, *places) for source, places in rows.items()]
    try:
        index = Mirrors(policy(*made))
    except PolicyError:
        return
    first = index.candidates(parse(image), pulls)
    if first.refusals:
        assert all(refusal.message.isprintable() for refusal in first.refusals)
        return
    for at in first.locations:
        assert parse(at.reference.written) == at.reference
        again = index.candidates(parse(f"{at.reference.written}@{DIGEST}"), pulls)
        assert again.refusals == ()
        listed = [one.reference.written for one in again.locations]
        assert not listed or (listed == [one.reference.written for one in first.locations])


ALL_ROWS = [HUB, ("*.b.test", "m.test/b/{name}"), ("*", "any.test/{registry}/{repository}")]


@pytest.mark.parametrize("image", ["nginx:1", "a.b.test/x/y:2", "quay.io/a/b/c:3", f"ghcr.io/a/b:4@{DIGEST}"])
def test_a_second_run_changes_nothing(image):
    (first, *_) = names(image, *ALL_ROWS)
    assert names(first, *ALL_ROWS) == []


@pytest.mark.parametrize(
    "source",
    [
        "",
        "/",
        "**.x.test",
        "*.",
        "*.*.x",
        "a.*.b",
        "*.x.test/y",
        "*x.test",
        "x.test/*",
        "library/nginx",
        "nginx",
        "a b.test",
    ]
    + [
        "https://x.test",
        "u:p@x.test",
        "x.test/a:1",
        "x.test/a@sha256:b",
        "x.test/A",
        "x.test//a",
        "x..test/a",
        "-x.test",
    ],
)
def test_malformed_sources(source):
    with pytest.raises(ValueError):
        check_source(source)


@pytest.mark.parametrize(
    "source",
    [
        "*",
        "*.example.com",
        "*.example.com:5000",
        "*.io",
        "docker.io",
        "Docker.io/",
        "localhost",
        "localhost:5000",
        "x:5000",
    ]
    + ["ghcr.io/acme", "ghcr.io/acme/a-b/c_d", "registry.test:5000/a", "index.docker.io/bitnami", "[::1]:5000/x"],
)
def test_sources(source):
    check_source(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("Docker.IO/", "docker.io"), ("index.docker.io/a", "docker.io/a"), ("X.test:5/a/b/", "x.test:5/a/b"), ("*", "*")],
)
def test_sources_are_compared_normalised(source, expected):
    assert normalise_source(source) == expected


@pytest.mark.parametrize("to", ["m.test", "m.test:5000/a", "{x}", "{x}.m.test/{repository}", "m.test/a/"])
def test_what_may_be_written_as_a_location(to):
    check_written(to)


@pytest.mark.parametrize(
    ("to", "source", "globs"),
    [
        ("m.test/{registry}/{repository}", "*", ["m.test/*/**"]),
        ("m.test/{registry}/{repository}", "quay.io/a", ["m.test/*/**"]),
        ("m.test/{name}:{tag}", "*", ["m.test/*"]),
        ("m.test:5000/{name}-{tag}", "*", ["m.test:5000/*-*"]),
        # A registry in front is as wide as the source: names at others are not there.
        ("{registry}.m.test/{repository}", "*", ["*.m.test/**"]),
        ("{registry}.m.test/{repository}", "quay.io/a", ["quay.io.m.test/**"]),
        ("{registry}/{name}", "*.b.test", ["*.b.test/*", "*.b.test:*/*"]),
        ("{registry}/{name}", "b.test:5000", ["b.test:5000/*"]),
    ],
)
def test_the_shape_of_a_template(to, source, globs):
    assert list(globs_of(Target("x", to, True, "{tag}" in to), source)) == globs


def test_a_value_that_holds_braces_is_not_a_template():
    target = target_of(Location("x", "m.test/{v}"), {"v": "a"})
    assert (target.to, target.template) == ("m.test/a", False)
    with pytest.raises(ValueError, match="can hold no image"):
        target_of(Location("x", "m.test/{v}"), {"v": "{tag}"})


def test_choosing_does_not_look_at_every_mirror():
    """The look-ups of one reference, counted: as many with 2,000 mirrors as with 20."""

    class Counting(dict):  # type: ignore[type-arg]
        asked = 0

        def __contains__(self, key: object) -> bool:
            Counting.asked += 1
            return super().__contains__(key)

    counts = []
    for size in (20, 2000):
        rows = [(f"a.test/team{n}", f"m.test/x{n}") for n in range(size)]
        index = Mirrors(policy(*rows))
        index._exact = {host: Counting(paths) for host, paths in index._exact.items()}
        Counting.asked = 0
        assert index.candidates(parse("a.test/team7/app/x:1")).locations[0].reference.written == "m.test/x7/app/x:1"
        counts.append(Counting.asked)
    assert counts[0] == counts[1] <= 4


def test_this_room_knows_no_network():
    room = Path(__file__).parents[2] / "transformer" / "policy"
    text = "".join(file.read_text(encoding="utf-8") for file in room.glob("*.py"))
    assert [word for word in ("import socket", "urllib", "subprocess", "transformer.registry") if word in text] == []


@pytest.mark.parametrize("to", ["m.test:65536/hub", "m.test:0", "m.test:99999/{repository}", "{region}.m.test:70000/x"])
def test_a_port_that_no_host_has_is_refused(to):
    with pytest.raises(ValueError, match="there is no port"):
        check_written(to)


@pytest.mark.parametrize("to", ["m.test:65535/hub", "m.test:1", "m.test/a", "{host}:{port}/x"])
def test_a_port_that_may_be(to):
    check_written(to)
