"""`mirrors check`: every location of every image, against real registries."""

from __future__ import annotations

import json

import pytest

from tests.doors import ELSEWHERE, json_lines, pod

KEYS = "image variant location rule digest verdict findings file line column kind namespace name path".split()


@pytest.fixture
def source(registry):
    """The demo's registry."""
    return registry.host


@pytest.fixture
def full(embedded):
    """A mirror that has everything, under the same names."""
    return embedded().host


@pytest.fixture
def empty(embedded, tmp_path):
    """A mirror that has nothing."""
    (tmp_path / "blobs" / "sha256").mkdir(parents=True)
    (tmp_path / "index.json").write_text('{"schemaVersion": 2, "manifests": []}')
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return embedded(tmp_path).host


@pytest.fixture
def policy(workdir):
    """Writes pindown.yaml with this spec."""

    def write(**spec):
        value = {"apiVersion": "pindown.dev/v1alpha1", "kind": "ImageTransformer", "spec": spec}
        (workdir / "pindown.yaml").write_text(json.dumps(value))

    return write


def check(door, *images, options=()):
    text = "---\n".join(pod(image, f"p{index}") for index, image in enumerate(images))
    ran = door("mirrors", "check", "--format", "json", *options, "-", stdin=text)
    lines = json_lines(ran.out)
    return ran, [line for line in lines if "verdict" in line], lines[-1]["summary"]


def mirror(source, *places, **more):
    return {"source": source, "locations": [{"to": place} for place in places], **more}


def test_all_is_well(door, policy, source, full, registry):
    policy(mirrors=[mirror(source, full)])
    ran, (line,), summary = check(door, f"{source}/library/nginx:1.27")
    digest = registry.repositories["library/nginx"].tags["1.27"]
    assert (ran.code, list(line)) == (0, KEYS)
    assert (line["verdict"], line["digest"], line["findings"]) == ("serves", digest, [])
    assert (line["location"], line["rule"]) == (f"{full}/library/nginx:1.27", "mirrors[0].locations[0]")
    assert (line["file"], line["line"], line["name"]) == ("<stdin>", 8, "p0")
    assert {key: summary[key] for key in ("images", "unmirrored", "locations", "serve", "requests")} == {
        "images": 1,
        "unmirrored": 0,
        "locations": 1,
        "serve": 1,
        "requests": 2,
    }


def test_every_location_is_asked_although_the_first_will_do(door, policy, source, full, empty):
    policy(mirrors=[mirror(source, full, empty)])
    ran, lines, summary = check(door, f"{source}/library/nginx:1.27")
    assert ran.code == 1
    assert [line["verdict"] for line in lines] == ["serves", "missing"]
    assert [one["rule"] for one in lines[1]["findings"]] == ["mirror-missing"]
    assert lines[1]["digest"] in lines[1]["findings"][0]["message"]
    assert (summary["locations"], summary["serve"]) == (2, 1)


def test_a_mirror_with_other_content_differs(door, policy, registry, embedded, source):
    stale = embedded()
    tags = stale.repositories["library/nginx"].tags
    gone = tags["1.27"]
    tags["1.27"] = stale.repositories["library/redis"].tags["7.4"]
    redis = stale.repositories["library/redis"]
    nginx = stale.repositories["library/nginx"]
    nginx.manifests[tags["1.27"]] = redis.manifests[tags["1.27"]]
    del nginx.manifests[gone]
    policy(mirrors=[mirror(source, stale.host)])
    ran, (line,), _ = check(door, f"{source}/library/nginx:1.27")
    assert (ran.code, line["verdict"], line["digest"]) == (1, "differs", gone)
    (found,) = line["findings"]
    assert found["rule"] == "mirror-differs" and gone in found["message"] and tags["1.27"] in found["message"]


def test_a_source_that_fails_is_no_fault_of_the_mirror(door, policy, source, full):
    policy(mirrors=[mirror(source, full)])
    ran, (line,), _ = check(door, f"{source}/library/nginx:9")
    assert (ran.code, line["verdict"], line["digest"]) == (1, "failed", None)
    assert line["findings"][0]["rule"] == "not-found"


def test_verify_none_is_proved_here_all_the_same(door, policy, source, empty):
    policy(mirrors=[mirror(source, empty, verify="none")])
    ran, (line,), _ = check(door, f"{source}/library/nginx:1.27")
    assert (ran.code, line["verdict"]) == (1, "missing")


def test_a_written_digest_is_what_must_be_there(door, policy, registry, source, full, empty):
    digest = registry.repositories["library/nginx"].tags["1.27"]
    policy(mirrors=[mirror(source, full, empty)])
    ran, lines, summary = check(door, f"{source}/library/nginx@{digest}")
    assert [(line["verdict"], line["digest"]) for line in lines] == [("serves", digest), ("missing", digest)]
    assert ran.code == 1


def test_where_the_mirror_decides_its_locations_must_agree(door, policy, source, full, embedded):
    other = embedded()
    nginx, redis = other.repositories["library/nginx"], other.repositories["library/redis"]
    nginx.tags["1.27"] = redis.tags["7.4"]
    nginx.manifests.update(redis.manifests)
    policy(mirrors=[mirror("gone.test", full, other.host, resolveAt="mirror")])
    ran, lines, _ = check(door, "gone.test/library/nginx:1.27")
    assert (ran.code, [line["verdict"] for line in lines]) == (1, ["serves", "differs"])
    assert other.host in lines[1]["findings"][0]["message"]


def test_a_kept_image_is_proved_too(door, policy, source, empty):
    policy(mirrors=[mirror(source, empty)], images=[{"match": f"{source}/**", "action": "keep", "reason": "x"}])
    ran, (line,), _ = check(door, f"{source}/library/nginx:1.27")
    assert (ran.code, line["verdict"]) == (1, "missing")


@pytest.mark.parametrize("rule", [{"action": "deny", "reason": "no"}])
def test_a_denied_image_is_not_asked_for(door, policy, source, full, registry, rule):
    policy(mirrors=[mirror(source, full)], images=[{"match": f"{source}/**", **rule}])
    ran, lines, _ = check(door, f"{source}/library/nginx:1.27")
    assert (ran.code, lines, registry.log) == (0, [], [])


class TestPinnedTrees:
    """What an earlier run has written names the mirror already: the nightly job is about exactly that."""

    def test_a_digest_that_is_there(self, door, policy, source, full, registry):
        digest = registry.repositories["library/nginx"].tags["1.27"]
        policy(mirrors=[mirror(source, full)])
        ran, (line,), summary = check(door, f"{full}/library/nginx:1.27@{digest}")
        assert (ran.code, line["verdict"], line["digest"], line["rule"]) == (0, "serves", digest, "already there")
        assert (summary["unmirrored"], summary["requests"], registry.log) == (0, 1, [])

    def test_a_digest_that_is_gone(self, door, policy, source, full):
        policy(mirrors=[mirror(source, full)])
        ran, (line,), summary = check(door, f"{full}/library/nginx:1.27@{ELSEWHERE}")
        assert (ran.code, line["verdict"], line["digest"]) == (1, "missing", ELSEWHERE)
        assert [one["rule"] for one in line["findings"]] == ["mirror-missing"] and summary["serve"] == 0

    def test_a_tag(self, door, policy, source, full, registry):
        policy(mirrors=[mirror(source, full)])
        ran, lines, _ = check(door, f"{full}/library/nginx:1.27", f"{full}/library/nginx:9")
        assert [line["verdict"] for line in lines] == ["serves", "missing"]
        assert (ran.code, lines[0]["digest"]) == (1, registry.repositories["library/nginx"].tags["1.27"])

    def test_its_own_source_is_no_collision(self, door, policy, source, full):
        policy(mirrors=[mirror(source, full)])
        ran, lines, _ = check(door, f"{full}/library/nginx:1.27", f"{source}/library/nginx:1.27")
        assert (ran.code, [line["verdict"] for line in lines]) == (0, ["serves", "serves"])
        assert len(json_lines(ran.out)) == 3


def test_a_failing_source_is_told_once_in_the_table(door, policy, source, full, empty):
    policy(mirrors=[mirror(source, full, empty)])
    ran = door("mirrors", "check", "-", stdin=pod(f"{source}/library/nginx:9"))
    assert (ran.code, ran.out.count("error[not-found]"), ran.out.count(" failed ")) == (1, 1, 2)


def test_images_without_a_mirror_are_counted(door, policy, source, full):
    policy(mirrors=[mirror(source, full)])
    ran, lines, summary = check(door, "ghcr.io/a/b:1", "ghcr.io/a/b:1", "ghcr.io/a/c:1")
    assert (ran.code, lines, summary["unmirrored"], summary["requests"]) == (0, [], 2, 0)


def test_the_same_image_twice_is_asked_once(door, policy, source, full):
    policy(mirrors=[mirror(source, full)])
    ran, lines, summary = check(door, *[f"{source}/library/nginx:1.27"] * 3)
    assert (len(lines), summary["requests"]) == (1, 2)


def test_a_name_that_cannot_be_made_is_told(door, policy, source, full):
    policy(mirrors=[mirror(source, f"{full}/{'x' * 244}")])
    ran, lines, _ = check(door, f"{source}/library/nginx:1.27")
    assert (ran.code, lines) == (1, [])
    assert [one["rule"] for one in json_lines(ran.out)[:-1]] == ["invalid-reference"]


def test_two_sources_on_one_name(door, policy, source, full, registry):
    policy(mirrors=[mirror(source, full + "/library/{name}")])
    ran, lines, _ = check(door, f"{source}/library/nginx:1.27", f"{source}/other/nginx:1.27")
    found = [line for line in json_lines(ran.out) if line.get("rule") == "mirror-collision"]
    assert (ran.code, len(found), found[0]["severity"]) == (1, 1, "error")


class TestVariants:
    @pytest.fixture
    def regions(self, policy, source, full, empty):
        ports = {"full": full.rpartition(":")[2], "empty": empty.rpartition(":")[2]}
        policy(mirrors=[mirror(source, "127.0.0.1:{port}")], matrix={"port": list(ports.values())})
        return ports

    def test_one_must_be_chosen(self, door, regions, source):
        ran = door("mirrors", "check", "-", stdin=pod(f"{source}/library/nginx:1.27"))
        assert (ran.code, ran.out) == (2, "")
        assert "mirrors[0].locations[0]" in ran.err and "'port'" in ran.err

    def test_all(self, door, regions, source):
        ran, lines, summary = check(door, f"{source}/library/nginx:1.27", options=["--all-variants"])
        assert ran.code == 1
        assert [(line["variant"], line["verdict"]) for line in lines] == [
            ({"port": regions["full"]}, "serves"),
            ({"port": regions["empty"]}, "missing"),
        ]
        assert f"port={regions['empty']}" in lines[1]["findings"][0]["message"]

    def test_a_chosen_value_is_the_only_one(self, door, regions, source):
        options = ["--all-variants", "--set", f"port={regions['full']}"]
        ran, lines, _ = check(door, f"{source}/library/nginx:1.27", options=options)
        assert (ran.code, [line["verdict"] for line in lines]) == (0, ["serves"])

    def test_the_table_names_them(self, door, regions, source):
        ran = door("mirrors", "check", "--all-variants", "-", stdin=pod(f"{source}/library/nginx:1.27"))
        head, *rows = ran.out.splitlines()
        assert head.split() == ["VARIANT", "IMAGE", "LOCATION", "VERDICT", "DIGEST", "PLACE"]
        assert rows[0].startswith(f"port={regions['full']} ") and "error[mirror-missing]" in ran.out
        assert "1 of 2 locations" in rows[-1]


def test_the_table_without_mirrors_is_the_summary_alone(door):
    ran = door("mirrors", "check", "-", stdin=pod("nginx"))
    assert ran.code == 0 and ran.out.startswith("pindown: 0 images with a mirror") and ran.out.count("\n") == 1


def test_offline_nothing_is_proved(door, policy, source, full, registry):
    policy(mirrors=[mirror(source, full)])
    ran, (line,), _ = check(door, f"{source}/library/nginx:1.27", options=["--offline"])
    assert (ran.code, line["verdict"], line["findings"][0]["rule"], registry.log) == (1, "failed", "offline", [])


def test_an_unreadable_text_is_told_and_the_others_are_proved(door, policy, source, full):
    policy(mirrors=[mirror(source, full)])
    text = f"a: [\n---\n{pod(f'{source}/library/nginx:1.27')}"
    ran = door("mirrors", "check", "--format", "json", "-", stdin=text)
    lines = json_lines(ran.out)
    assert ran.code == 1
    assert [line.get("verdict") or line.get("rule") for line in lines[:-1]] == ["serves", "unreadable"]
