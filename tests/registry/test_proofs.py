"""What a Question's fields mean, as a table over several servers of one image."""

from __future__ import annotations

import json

import pytest

from tests.registry.faults import (
    IMAGE,
    INDEX,
    Answer,
    FaultServer,
    Seen,
    content_of,
    digest_of,
    good,
    reference,
    resolver,
)
from transformer.images.reference import join
from transformer.policy.questions import Missing, Question, Resolved

SAME, OTHER = content_of("same"), content_of("other")
SAME_DIGEST, OTHER_DIGEST = digest_of(SAME), digest_of(OTHER)


class Place:
    """A registry with one image under tag 1: `content`, None for an empty registry, or a script."""

    def __init__(self, content):
        self.content = content
        self.server = FaultServer(self.script)

    def script(self, seen: Seen):
        if callable(self.content):
            return self.content(seen)
        if self.content is None or not seen.path.endswith(("/1", digest_of(self.content))):
            return Answer(404)
        return good(self.content)

    @property
    def name(self):
        return reference(f"{self.server.host}/hub/app:1")

    @property
    def asked(self):
        return [line.replace("/v2/hub/app/manifests/", "") for line in self.server.asked("")]


@pytest.fixture
def places():
    """Starts a Place for each content."""
    started = []

    def start(*contents):
        for content in contents:
            place = Place(content)
            place.server.__enter__()
            started.append(place)
        return started[-len(contents) :]

    yield start
    for place in started:
        place.server.__exit__()


def ask(source, locations=(), digest=None, **fields):
    name = source.name
    if digest is not None:
        name = name._replace(digest=digest, written=join(name.name, name.tag, digest))
    question = Question(name, tuple(place.name for place in locations), **fields)
    return resolver(jobs=4).ask([question])[question]


def rules(refusals):
    return [refusal.rule for refusal in refusals]


# The source alone.


def test_a_tag_at_its_source(places):
    (source,) = places(SAME)
    assert ask(source) == Resolved(SAME_DIGEST, IMAGE)


def test_a_digest_without_locations_must_exist(places):
    (source,) = places(SAME)
    assert ask(source, digest=SAME_DIGEST) == Resolved(SAME_DIGEST, IMAGE)
    assert source.asked == [f"HEAD {SAME_DIGEST}"]
    gone = ask(source, digest=OTHER_DIGEST)
    assert isinstance(gone, Missing) and rules(gone.refusals) == ["not-found"]


# same-digest.


def test_a_mirror_with_the_same_digest_is_chosen(places):
    source, mirror = places(SAME, SAME)
    assert ask(source, [mirror]) == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    assert (source.asked, mirror.asked) == (["HEAD 1"], [f"HEAD {SAME_DIGEST}"])


def test_a_mirror_that_says_no_digest_is_proved_by_its_bytes(places):
    source, mirror = places(SAME, lambda seen: good(SAME, docker_content_digest=""))
    assert ask(source, [mirror]) == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    assert mirror.asked == [f"HEAD {SAME_DIGEST}", f"GET {SAME_DIGEST}"]


def test_a_known_digest_is_proved_at_the_mirror_and_the_source_is_left_in_peace(places):
    source, mirror = places(None, SAME)
    assert ask(source, [mirror], digest=SAME_DIGEST) == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    assert source.asked == []


def test_the_first_that_qualifies_is_chosen_and_the_others_are_told(places):
    source, empty, wrong, right, never = places(SAME, None, lambda seen: good(OTHER), SAME, SAME)
    answer = ask(source, [empty, wrong, right, never])
    assert (answer.digest, answer.chosen, rules(answer.notes)) == (SAME_DIGEST, 2, ["mirror-missing", "mirror-differs"])
    assert never.asked == []
    missing, differs = answer.notes
    assert missing.message.startswith(f"{empty.server.host}/hub/app@{SAME_DIGEST}: not found (HTTP 404")
    assert f"expected there: {SAME_DIGEST} (which {source.name.canonical} means)" in missing.message
    assert OTHER_DIGEST in differs.message and SAME_DIGEST in differs.message
    assert f"copy the image to {empty.server.host}/hub/app" in missing.help


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (None, "mirror-missing"),
        (lambda seen: good(OTHER), "mirror-differs"),
        (lambda seen: good(OTHER, docker_content_digest=""), "mirror-differs"),
        (lambda seen: Answer(401), "no-permission"),
        (lambda seen: Answer(403), "no-permission"),
        (lambda seen: Answer(500), "registry-error"),
        (lambda seen: Answer(200, {"Content-Type": "text/html"}, b"<html>"), "not-a-registry"),
    ],
)
def test_when_none_qualifies(places, content, rule):
    source, mirror = places(SAME, content)
    answer = ask(source, [mirror])
    assert isinstance(answer, Missing) and rules(answer.refusals) == [rule]
    assert "expected there" in answer.refusals[0].message
    answer = ask(source, [mirror], fallback=True)
    assert (answer.digest, answer.chosen, rules(answer.notes)) == (SAME_DIGEST, None, [rule])


def test_when_the_source_fails_no_mirror_is_asked(places):
    source, mirror = places(None, SAME)
    answer = ask(source, [mirror], fallback=True)
    assert isinstance(answer, Missing) and rules(answer.refusals) == ["not-found"]
    assert mirror.asked == []


# exists and none.


def test_exists_takes_what_the_mirror_has_and_says_so(places):
    source, mirror = places(SAME, OTHER)
    answer = ask(source, [mirror], verify="exists")
    assert (answer.digest, answer.chosen, rules(answer.notes)) == (OTHER_DIGEST, 0, ["mirror-differs"])
    assert SAME_DIGEST in answer.notes[0].message and OTHER_DIGEST in answer.notes[0].message


def test_exists_with_the_same_digest_says_nothing(places):
    source, mirror = places(SAME, SAME)
    assert ask(source, [mirror], verify="exists") == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    assert mirror.asked == ["HEAD 1"]


def test_exists_fails_when_the_tag_is_missing(places):
    source, mirror = places(SAME, None)
    answer = ask(source, [mirror], verify="exists")
    assert isinstance(answer, Missing) and rules(answer.refusals) == ["mirror-missing"]
    assert "expected there: an image with this tag" in answer.refusals[0].message


def test_exists_never_exchanges_a_written_digest(places):
    source, mirror = places(None, SAME)
    assert ask(source, [mirror], digest=SAME_DIGEST, verify="exists") == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    other = ask(source, [mirror], digest=OTHER_DIGEST, verify="exists")
    assert isinstance(other, Missing) and rules(other.refusals) == ["mirror-missing"]


def test_none_asks_no_mirror(places):
    source, mirror = places(SAME, None)
    assert ask(source, [mirror], verify="none") == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    assert mirror.asked == []


def test_none_with_a_known_digest_asks_nobody(places):
    source, mirror = places(None, None)
    assert ask(source, [mirror], digest=SAME_DIGEST, verify="none") == Resolved(SAME_DIGEST, None, chosen=0)
    assert source.asked == mirror.asked == []


# resolveAt: mirror.


def test_the_first_mirror_that_answers_decides(places):
    source, empty, mirror = places(SAME, None, OTHER)
    answer = ask(source, [empty, mirror], resolve_at="mirror")
    assert (answer.digest, answer.chosen, rules(answer.notes)) == (OTHER_DIGEST, 1, ["mirror-missing"])
    assert source.asked == []


def test_no_mirror_answers(places):
    source, empty = places(SAME, None)
    answer = ask(source, [empty], resolve_at="mirror")
    assert isinstance(answer, Missing) and rules(answer.refusals) == ["mirror-missing"]
    assert source.asked == []


def test_the_source_comes_last_as_the_fallback(places):
    source, empty = places(SAME, None)
    answer = ask(source, [empty], resolve_at="mirror", fallback=True)
    assert (answer.digest, answer.chosen, rules(answer.notes)) == (SAME_DIGEST, None, ["mirror-missing"])


def test_when_that_fails_too_its_refusal_comes_first(places):
    source, empty = places(None, None)
    answer = ask(source, [empty], resolve_at="mirror", fallback=True)
    assert isinstance(answer, Missing) and rules(answer.refusals) == ["not-found", "mirror-missing"]


def test_resolve_at_mirror_with_a_known_digest_is_a_proof(places):
    source, mirror = places(None, SAME)
    assert ask(source, [mirror], digest=SAME_DIGEST, resolve_at="mirror") == Resolved(SAME_DIGEST, IMAGE, chosen=0)


def test_resolve_at_mirror_without_locations_asks_the_source(places):
    (source,) = places(SAME)
    assert ask(source, resolve_at="mirror") == Resolved(SAME_DIGEST, IMAGE)


# With a platform the proof is about the digest that will be written.


def with_platform(children):
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                {"digest": digest_of(SAME), "mediaType": IMAGE, "platform": {"os": "linux", "architecture": "amd64"}}
            ],
        }
    ).encode()

    def script(seen: Seen):
        for content, media_type in ((index, INDEX), *((child, IMAGE) for child in children)):
            if seen.path.endswith(digest_of(content)):
                return good(content, media_type)
        return good(index, INDEX) if seen.path.endswith("/1") else Answer(404)

    return script


def test_the_child_is_proved_at_the_mirror(places):
    source, mirror = places(with_platform([]), SAME)
    assert ask(source, [mirror], platform="linux/amd64") == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    assert mirror.asked == [f"HEAD {SAME_DIGEST}"]


def test_a_mirror_that_has_the_index_but_not_the_child(places):
    source, mirror = places(with_platform([]), with_platform([]))
    answer = ask(source, [mirror], platform="linux/amd64")
    assert isinstance(answer, Missing) and rules(answer.refusals) == ["mirror-missing"]


def test_exists_means_the_child_of_what_the_mirror_has(places):
    source, mirror = places(with_platform([]), with_platform([SAME]))
    assert ask(source, [mirror], platform="linux/amd64", verify="exists") == Resolved(SAME_DIGEST, IMAGE, chosen=0)


def test_resolve_at_mirror_with_a_platform(places):
    source, mirror = places(None, with_platform([]))
    answer = ask(source, [mirror], platform="linux/amd64", resolve_at="mirror")
    assert answer == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    missing = ask(source, [mirror], platform="linux/s390x", resolve_at="mirror")
    assert isinstance(missing, Missing) and rules(missing.refusals) == ["platform-missing"]


# warm: the tag first, for caches that fetch by tag.


class Cache:
    """A pull-through cache: it knows a digest only after it was asked for the tag."""

    def __init__(self):
        self.filled = False

    def __call__(self, seen: Seen):
        self.filled = self.filled or seen.path.endswith("/1")
        return good(SAME) if self.filled else Answer(404)


def test_a_cold_cache_is_missing_and_warm_it_is_not(places):
    source, cold, warm = places(SAME, Cache(), Cache())
    answer = ask(source, [warm], warm=(0,))
    assert answer == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    assert warm.asked == ["HEAD 1", f"HEAD {SAME_DIGEST}"]
    assert ask(source, [cold]) != answer


def test_only_the_locations_that_say_so_are_asked_for_the_tag(places):
    source, plain, warm, later = places(SAME, lambda seen: good(OTHER), SAME, SAME)
    assert ask(source, [plain, warm, later], warm=(1, 2)).chosen == 1
    assert plain.asked[0] == f"HEAD {SAME_DIGEST}"
    assert warm.asked == ["HEAD 1", f"HEAD {SAME_DIGEST}"]
    assert later.asked == []


def test_a_digest_with_its_tag_is_warmed_by_the_tag(places):
    source, cache = places(None, Cache())
    assert ask(source, [cache], digest=SAME_DIGEST, warm=(0,)) == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    assert (source.asked, cache.asked) == ([], ["HEAD 1", f"HEAD {SAME_DIGEST}"])


def test_without_a_tag_there_is_nothing_to_warm(places):
    source, mirror = places(None, SAME)
    bare = mirror.name._replace(tag=None, written=mirror.name.name)
    name = source.name._replace(tag=None, digest=SAME_DIGEST, written=join(source.name.name, None, SAME_DIGEST))
    question = Question(name, (bare,), warm=(0,))
    assert resolver(jobs=4).ask([question])[question] == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    assert mirror.asked == [f"HEAD {SAME_DIGEST}"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_the_cache_says_about_the_tag_does_not_matter(places, status):
    def by_digest_only(seen: Seen):
        return good(SAME) if seen.path.endswith(SAME_DIGEST) else Answer(status)

    source, mirror = places(SAME, by_digest_only)
    assert ask(source, [mirror], warm=(0,)) == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    assert mirror.asked[0] == "HEAD 1" and mirror.asked[-1] == f"HEAD {SAME_DIGEST}"


def test_a_cache_whose_tag_has_moved_is_still_proved_by_digest(places):
    def stale(seen: Seen):
        return good(SAME) if seen.path.endswith(SAME_DIGEST) else good(OTHER)

    source, mirror = places(SAME, stale)
    assert ask(source, [mirror], warm=(0,)) == Resolved(SAME_DIGEST, IMAGE, chosen=0)


def test_exists_and_none_are_not_asked_twice(places):
    source, mirror, unasked = places(SAME, SAME, SAME)
    assert ask(source, [mirror], verify="exists", warm=(0,)).chosen == 0
    assert mirror.asked == ["HEAD 1"]
    assert ask(source, [unasked], verify="none", warm=(0,)).chosen == 0
    assert unasked.asked == []


def test_resolve_at_mirror_needs_no_warmth(places):
    source, mirror = places(None, SAME)
    assert ask(source, [mirror], resolve_at="mirror", warm=(0,)) == Resolved(SAME_DIGEST, IMAGE, chosen=0)
    assert mirror.asked == ["HEAD 1"]


def test_one_warmth_for_one_tag_however_many_ask(places):
    source, mirror = places(SAME, SAME)
    questions = [
        Question(source.name, (mirror.name,), warm=(0,)),
        Question(source.name, (mirror.name,), fallback=True, warm=(0,)),
    ]
    resolver(jobs=4).ask(questions)
    assert sorted(mirror.asked) == ["HEAD 1", f"HEAD {SAME_DIGEST}"]


# A mirror whose tag is behind is told from one that has nothing.


def test_a_stale_mirror_is_said_to_be_stale(places):
    source, stale = places(SAME, OTHER)
    answer = ask(source, [stale])
    assert isinstance(answer, Missing) and rules(answer.refusals) == ["mirror-differs"]
    assert f"the mirror's tag means {OTHER_DIGEST}" in answer.refusals[0].message
    assert SAME_DIGEST in answer.refusals[0].message
    assert "cache expire" in answer.refusals[0].help


def test_with_a_fallback_the_tag_is_not_looked_at(places):
    source, stale = places(SAME, OTHER)
    assert rules(ask(source, [stale], fallback=True).notes) == ["mirror-missing"]
    assert "HEAD 1" not in stale.asked


def test_where_a_digest_is_written_nothing_is_stale(places):
    source, stale = places(None, OTHER)
    answer = ask(source, [stale], digest=SAME_DIGEST)
    assert isinstance(answer, Missing) and rules(answer.refusals) == ["mirror-missing"]
