"""Which mirror, and which names there: what is not mapped first, then what is, then that it costs little."""

from __future__ import annotations

from pathlib import Path

import pytest

from transformer.errors import PolicyError
from transformer.images.reference import parse
from transformer.policy.locations import Target, check_written, glob_of, target_of
from transformer.policy.mirrors import Mirrors, candidates, check_source, normalise_source
from transformer.policy.model import Location, Mirror, Policy

DIGEST = "sha256:" + "a" * 64


def policy(*rows: tuple[str, ...], **variables: str) -> Policy:
    """A policy with a mirror for each row: its source, then its locations."""
    mirrors = []
    for at, (source, *places) in enumerate(rows):
        locations = tuple(Location(f"mirrors[{at}].locations[{n}]", to, 7) for n, to in enumerate(places))
        mirrors.append(Mirror(f"mirrors[{at}]", source, locations))
    return Policy(mirrors=tuple(mirrors), variables=tuple(sorted(variables.items())), file="p.yaml")


def names(image: str, *rows: tuple[str, ...], **variables: str) -> list[str]:
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
        ("anything.test/x", []),
    ],
)
def test_is_not_mapped(image, rows):
    assert candidates(parse(image), policy(*rows)) == (None, (), ())


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
        # A location that is its own source does not hide the others.
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
    assert "mirrors[0].locations[0].to" in refusal.help


def test_candidates_say_which_location_they_come_from():
    found = candidates(parse("quay.io/a/b"), policy(("quay.io", "m.test/{tag}/x", "n.test")))
    assert found.mirror is not None
    assert found.mirror.name == "mirrors[0]"
    assert [candidate.rule for candidate in found.locations] == ["mirrors[0].locations[1]"]


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
    ("to", "glob"),
    [
        ("m.test/{registry}/{repository}", "m.test/*/**"),
        ("m.test/{name}:{tag}", "m.test/*"),
        ("m.test:5000/{name}-{tag}", "m.test:5000/*-*"),
        ("{registry}.m.test/{repository}", "*.m.test/**"),
    ],
)
def test_the_shape_of_a_template(to, glob):
    assert glob_of(Target("x", to, True, "{tag}" in to)) == glob


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
