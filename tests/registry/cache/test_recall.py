"""Answers from what is remembered alone: none is made up, and who is not known is told as the caller wants."""

from __future__ import annotations

import pytest

from tests.registry.cache.memory import DIGEST, OTHER, Stage
from tests.registry.faults import reference
from transformer.policy.questions import Missing, Question, Refusal
from transformer.registry.cache.places import Places
from transformer.registry.cache.recall import recall
from transformer.registry.hosts import Hosts
from transformer.registry.keychain import NoKeychain

APP = reference("registry.test/app:1")
UNKNOWN = Refusal("offline", "not known")


@pytest.fixture
def stage():
    return Stage()


def told(stage, question, rule="offline", **freshness):
    lookups = stage.lookups(asks=False, **{"stale": float("inf"), **freshness})
    return recall([question], lookups, Places(Hosts(), NoKeychain()), rule, lambda one: UNKNOWN)[question]


@pytest.mark.parametrize(
    "question",
    [
        Question(reference("registry.test/app:2")),
        Question(reference("registry.test/other:1")),
        Question(reference("other.test/app:1")),
        Question(reference(f"registry.test/app@{OTHER}")),
        Question(APP, platform="linux/amd64"),
        Question(APP, (reference("mirror.test/app:1"),)),
        Question(APP, (reference("mirror.test/app:1"),), resolve_at="mirror"),
        Question(APP, (reference("mirror.test/app:1"),), verify="exists"),
        Question(APP, details="platforms"),
    ],
)
def test_what_is_not_known(stage, question):
    stage.find(DIGEST)
    assert told(stage, question) == Missing((UNKNOWN,))
    assert stage.store.released == [("1", True)]


def test_a_mirror_that_is_not_known_may_be_left_out_where_the_policy_says_so(stage):
    stage.find(DIGEST)
    answer = told(stage, Question(APP, (reference("mirror.test/app:1"),), fallback=True))
    assert (answer.digest, answer.chosen, answer.notes[0].rule) == (DIGEST, None, "offline")


def test_what_is_known(stage):
    stage.find(DIGEST)
    answer = told(stage, Question(APP))
    assert (answer.digest, answer.via, answer.notes) == (DIGEST, "cache", ())
    assert isinstance(told(stage, Question(reference(f"registry.test/app@{DIGEST}"))), Missing)
    stage.find(DIGEST, f"registry.test/app@{DIGEST}")
    assert told(stage, Question(reference(f"registry.test/app@{DIGEST}"))).via == "cache"


def test_why_nobody_was_asked_is_told_with_an_old_answer(stage):
    stage.find(DIGEST)
    stage.now += 7200
    (note,) = told(stage, Question(APP), "timeout", stale=8000.0).notes
    assert note.rule == "timeout" and note.message.endswith("no answer in time; the answer of 2 h ago is used")
    assert told(stage, Question(APP), "timeout", stale=7000.0) == Missing((UNKNOWN,))


def test_what_is_remembered_as_missing_is_missing(stage):
    with pytest.raises(Exception, match="not-found"):
        stage.find("not-found")
    assert [one.rule for one in told(stage, Question(APP)).refusals] == ["not-found"]
