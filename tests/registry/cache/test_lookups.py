"""Which answer is used, for how long, and who asks: what must be asked anew comes first."""

from __future__ import annotations

import pytest

from tests.registry.cache.memory import DIGEST, INDEX, OTHER, Stage
from transformer.registry.cache.entries import NEVER, Entry, encode
from transformer.registry.cache.lookups import KEEP, KEEP_DIGESTS, NEXT_CLAIM, NOT_FOUND_TTL, SKEW, WAITING_LIMIT
from transformer.registry.cache.store import failed_key
from transformer.registry.client import Descriptor
from transformer.registry.deadline import OutOfTime
from transformer.registry.verdicts import Refused

TTL = 600.0
BY_DIGEST = f"registry.test/app@{DIGEST}"


@pytest.fixture
def stage():
    return Stage()


def refused(stage, rule, *args, **more):
    with pytest.raises(Refused) as caught:
        stage.find(rule, *args, **more)
    return caught.value.refusal


def plant(stage, entry, text="registry.test/app:1", user=None, anonymous=True):
    from tests.registry.faults import reference
    from transformer.registry.cache.places import Wish

    keys = stage.lookups(user)._places.keys(Wish(reference(text), None, "ambient", True))
    stage.store.texts[keys.anonymous if anonymous else keys.own] = entry if isinstance(entry, str) else encode(entry)


# Asked again.


def test_a_tag_that_is_too_old(stage):
    stage.find(DIGEST)
    stage.now += TTL
    assert (stage.find(OTHER).digest, stage.asked) == (OTHER, 2)


@pytest.mark.parametrize("ttl", [0.0, 1.0])
def test_a_policy_that_trusts_no_answer_for_long(stage, ttl):
    stage.find(DIGEST)
    stage.now += 1
    assert (stage.find(OTHER, ttl=ttl).via, stage.asked) == ("registry", 2)
    assert stage.store.claimed == set()


def test_an_answer_holds_no_longer_than_the_one_who_asked_says(stage):
    stage.find(DIGEST, ttl=10.0)
    stage.now += 10
    assert stage.find(OTHER, ttl=1e6).digest == OTHER


@pytest.mark.parametrize(
    "entry",
    [
        "garbage",
        "",
        encode(Entry(1_000_000.0, NEVER, DIGEST)) + "\n",
        Entry(1_000_000.0 + SKEW + 1, NEVER, DIGEST),
        Entry(1_000_000.0 + 3600, NEVER, DIGEST),
        Entry(1_000_000.0 - TTL, NEVER, DIGEST),
        Entry(999_999.0, 1_000_000.0, DIGEST),
    ],
    ids=["garbage", "nothing", "a line more", "from the future", "far future", "old", "expired"],
)
def test_no_entry(stage, entry):
    plant(stage, entry)
    assert stage.find(OTHER) == Descriptor(OTHER, INDEX, 7)
    assert stage.asked == 1


def test_an_entry_for_another_digest(stage):
    plant(stage, Entry(1_000_000.0, NEVER, OTHER), BY_DIGEST)
    assert stage.find(DIGEST, BY_DIGEST, aging=False).via == "registry"


@pytest.mark.parametrize("rule", ["no-permission", "rate-limited", "timeout", "unreachable", "tls", "registry-error"])
def test_what_is_never_remembered(stage, rule):
    assert refused(stage, rule).rule == rule
    assert stage.find(DIGEST).digest == DIGEST
    assert stage.asked == 2


def test_not_found_after_half_a_minute(stage):
    refused(stage, "not-found")
    stage.now += NOT_FOUND_TTL
    assert (stage.find(DIGEST).digest, stage.asked) == (DIGEST, 2)


def test_what_nobody_finds_somebody_may(stage):
    refused(stage, "not-found")
    assert stage.find(DIGEST, user="me").digest == DIGEST


@pytest.mark.parametrize("other", [None, "you"])
def test_what_was_told_to_somebody_is_not_told_to_others(stage, other):
    stage.find(Descriptor(DIGEST, INDEX, 7, private=True), user="me")
    assert refused(stage, "no-permission", user=other).rule == "no-permission"


def test_what_is_asked_afresh_is_asked_and_stored(stage):
    stage.find(DIGEST)
    assert (stage.find(OTHER, fresh=True).digest, stage.asked) == (OTHER, 2)
    assert (stage.find(DIGEST).digest, stage.asked) == (OTHER, 2)


def test_a_written_digest_that_is_to_be_there_still(stage):
    stage.find(DIGEST, BY_DIGEST)
    stage.now += TTL
    assert refused(stage, "not-found", BY_DIGEST).rule == "not-found"


# Remembered.


def test_a_tag_within_its_time(stage):
    stage.find(DIGEST)
    stage.now += TTL - 1
    assert stage.find(OTHER) == Descriptor(DIGEST, INDEX, 7, via="cache")
    assert (stage.asked, stage.store.claimed) == (1, set())


def test_clocks_may_differ_a_little(stage):
    plant(stage, Entry(1_000_000.0 + SKEW - 1, NEVER, DIGEST))
    assert stage.find(OTHER).digest == DIGEST


def test_what_a_digest_means_for_ever(stage):
    stage.find(DIGEST, BY_DIGEST, aging=False)
    stage.find(Descriptor(OTHER, None), BY_DIGEST, platform="linux/amd64", aging=False)
    stage.now += 3e8
    assert stage.find(OTHER, BY_DIGEST, aging=False).via == "cache"
    assert stage.find(DIGEST, BY_DIGEST, platform="linux/amd64", aging=False).digest == OTHER


def test_that_a_tag_means_a_digest_is_no_proof_of_it(stage):
    stage.find(DIGEST)
    assert stage.find(DIGEST, BY_DIGEST, aging=False).via != "cache"
    assert stage.asked == 2


def test_not_found_for_half_a_minute_with_its_reason(stage):
    first = refused(stage, "not-found")
    stage.now += NOT_FOUND_TTL - 1
    again = refused(stage, "unreachable")
    assert again == first._replace(message=f"{first.message} (answered 29 s ago)")
    assert stage.asked == 1


def test_an_anonymous_answer_is_for_everybody(stage):
    stage.find(DIGEST, user="me")
    assert stage.find(OTHER, user="you").digest == DIGEST
    assert stage.find(OTHER).digest == DIGEST
    assert {identity for _, identity in stage.entries()} == {"anonymous"}


def test_a_private_answer_is_for_those_who_show_the_same(stage):
    stage.find(Descriptor(DIGEST, INDEX, 7, private=True), user="me")
    assert stage.find(OTHER, user="me").digest == DIGEST
    assert all(identity != "anonymous" for _, identity in stage.entries())


def test_how_long_things_are_kept(stage):
    stage.find(DIGEST)
    stage.find(DIGEST, BY_DIGEST, aging=False)
    refused(stage, "not-found", "registry.test/app:2")
    kept = {key.split("\0")[3][:6]: seconds for key, seconds in stage.store.kept.items()}
    assert kept == {"1": KEEP, "sha256": KEEP_DIGESTS, "2": NOT_FOUND_TTL}


# Nobody answers.


@pytest.mark.parametrize("rule", ["timeout", "unreachable", "rate-limited", "registry-error"])
def test_an_old_answer_where_the_policy_says_so(stage, rule):
    stage.find(DIGEST)
    stage.now += 7200
    found = stage.find(rule, stale=86400.0)
    assert (found.digest, found.via) == (DIGEST, "cache")
    (note,) = found.notes
    assert note.rule == rule and note.message.endswith("; the answer of 2 h ago is used") and note.help == "look"


@pytest.mark.parametrize(
    ("rule", "age", "stale"),
    [
        ("timeout", 7200, 0.0),
        ("timeout", 7200, 7199.0),
        ("tls", 7200, 86400.0),
        ("no-permission", 7200, 86400.0),
        ("digest-mismatch", 7200, 86400.0),
        ("not-found", 7200, 86400.0),
        ("not-a-registry", 7200, 86400.0),
    ],
)
def test_no_old_answer(stage, rule, age, stale):
    stage.find(DIGEST)
    stage.now += age
    assert refused(stage, rule, stale=stale).rule == rule


def test_no_old_answer_for_what_is_asked_afresh(stage):
    stage.find(DIGEST)
    assert refused(stage, "timeout", fresh=True, stale=86400.0).rule == "timeout"


def test_an_image_that_is_gone_does_not_come_back(stage):
    stage.find(DIGEST)
    stage.now += TTL
    refused(stage, "not-found")
    stage.now += NOT_FOUND_TTL
    assert refused(stage, "timeout", stale=86400.0).rule == "timeout"


def test_offline_any_age_will_do(stage):
    stage.find(DIGEST)
    stage.find(DIGEST, BY_DIGEST, aging=False)
    assert stage.find("offline", asks=False, stale=float("inf")).notes == ()
    stage.now += 86400 * 40
    (note,) = stage.find("offline", asks=False, stale=float("inf")).notes
    assert note.rule == "offline" and "40 days ago" in note.message
    assert stage.find("offline", BY_DIGEST, aging=False, asks=False, stale=float("inf")).notes == ()


def test_offline_nothing_is_claimed_or_stored(stage):
    assert refused(stage, "offline", asks=False, stale=float("inf")).rule == "offline"
    assert (stage.store.texts, stage.store.released) == ({}, [])


# One asks, the others wait.


def key_of(stage, user=None):
    from tests.registry.faults import reference
    from transformer.registry.cache.places import Wish

    return stage.lookups(user)._places.keys(Wish(reference("registry.test/app:1"), None, "ambient", True)).own


def test_who_asks_claims_and_releases(stage):
    claimed = []
    stage.store.claim = lambda key: claimed.append(key) or True
    stage.find(DIGEST)
    refused(stage, "timeout", "registry.test/app:2")
    assert len(claimed) == 2 and stage.store.released == [("1", True), ("2", False)]


def test_the_others_take_the_answer(stage):
    stage.store.claimed.add(key_of(stage))
    looks = []

    def meanwhile():
        looks.append(1)
        if len(looks) == 4:
            plant(stage, Entry(stage.now, stage.now + TTL, OTHER))

    stage.store.meanwhile = meanwhile
    assert (stage.find(DIGEST).digest, stage.asked) == (OTHER, 0)


def test_an_old_answer_is_not_the_one_that_is_waited_for(stage):
    stage.find(DIGEST)
    stage.now += TTL
    stage.store.claimed.add(key_of(stage))
    looks = []

    def meanwhile():
        looks.append(1)
        if len(looks) == 4:
            plant(stage, Entry(stage.now, stage.now + TTL, OTHER))

    stage.store.meanwhile = meanwhile
    began = stage.now
    assert stage.find(DIGEST).digest == OTHER
    assert stage.now - began < NEXT_CLAIM


def test_who_hears_of_a_failure_asks_himself_at_once(stage):
    stage.store.claimed.add(key_of(stage))
    stage.store.texts[failed_key(key_of(stage))] = "failed"
    began = stage.now
    assert (stage.find(DIGEST).digest, stage.asked) == (DIGEST, 1)
    assert stage.now - began < NEXT_CLAIM


def test_who_is_gone_is_replaced(stage):
    stage.store.claimed.add(key_of(stage))
    began = stage.now

    def meanwhile():
        if stage.now - began > 2 * NEXT_CLAIM:
            stage.store.claimed.clear()

    stage.store.meanwhile = meanwhile
    assert (stage.find(DIGEST).digest, stage.asked) == (DIGEST, 1)
    assert stage.now - began < 4 * NEXT_CLAIM


def test_who_never_answers_is_waited_for_once_in_a_run(stage):
    lookups, began = stage.lookups(), stage.now
    stage.store.claim = lambda key: False
    stage.find(DIGEST, lookups=lookups)
    assert WAITING_LIMIT <= stage.now - began < WAITING_LIMIT + 1
    began = stage.now
    stage.find(DIGEST, "registry.test/app:2", lookups=lookups)
    assert (stage.now, stage.asked) == (began, 2)


def test_the_answer_that_came_between_look_and_turn(stage):
    def claim(key):
        plant(stage, Entry(stage.now, stage.now + TTL, OTHER))
        return True

    stage.store.claim = claim
    assert (stage.find(DIGEST).digest, stage.asked) == (OTHER, 0)
    assert stage.store.released == [("1", True)]


def test_a_run_that_ends_does_not_wait(stage):
    stage.store.claim = lambda key: False
    began = stage.now
    with pytest.raises(OutOfTime):
        stage.find(DIGEST, run=stage.run(timeout=0.5))
    assert stage.now - began <= 0.5 and stage.asked == 0


def test_a_run_that_ends_gives_its_turn_back(stage):
    def ends():
        raise OutOfTime

    from tests.registry.faults import reference
    from transformer.registry.cache.places import Wish

    with pytest.raises(OutOfTime):
        stage.lookups().find(Wish(reference("registry.test/app:1"), None, "ambient", True), ends, stage.run())
    assert stage.store.released == [("1", False)]
