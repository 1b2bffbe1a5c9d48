"""Decisions: nothing is silently unpinned, what is written is what was proved, and only some errors may be warnings."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.policy.test_load import HEAD, spec
from tests.policy.test_mirrors import IMAGES, ROWS, policy
from transformer.errors import WARNABLE, PolicyError
from transformer.images.reference import is_digest, parse
from transformer.policy.decide import Decision, decide
from transformer.policy.load import load
from transformer.policy.model import Pin
from transformer.policy.plan import Planner
from transformer.policy.questions import Answer, Missing, Refusal, Resolved

OLD = "sha256:" + "a" * 64
NEW = "sha256:" + "b" * 64

MIRROR = "mirrors: [{source: docker.io, locations: [{to: m.test/hub}, {to: n.test}]%s}]"
#: For a tag the path is as in MIRROR, for a digest it is another one.
REWRITE = """\
mirrors:
- source: docker.io
  locations: [{to: m.test, rewrite: {^: hub/}, when: tag}, {to: m.test/new, rewrite: {^library/: ""}, when: digest}]"""
KEEP = "images: [{match: docker.io, action: keep, reason: built here}]"


def decision(text: str, image: str, answer: Answer | None = None, keep: str | None = None) -> Decision:
    return decide(Planner(load(spec(text) if text else HEAD, "p.yaml")).plan(image, keep), answer)


#: (spec, image, answer, annotation, part of why): the text stays as it is, byte for byte.
UNCHANGED = [
    ("", f"nginx:1.25@{OLD}", None, None, "already carries a digest"),
    ("", f"nginx@{OLD}", None, None, "already carries a digest"),
    ("", f"docker.io/library/nginx@{OLD}", None, None, "already carries a digest"),
    ("pin: {style: digest}", f"nginx:1.25@{OLD}", None, None, "already carries a digest"),
    ("pin: {existing: verify}", f"nginx:1.25@{OLD}", Resolved(OLD), None, "served by docker.io/library/nginx"),
    ("pin: {existing: verify, style: digest}", f"nginx:1.25@{OLD}", Resolved(OLD), None, "the digest that is written"),
    ("pin: {existing: refresh}", f"nginx:1.25@{OLD}", Resolved(OLD), None, "its tag still means"),
    ("pin: {existing: refresh}", f"nginx@{OLD}", None, None, "no tag that could be asked"),
    ("pin: {style: tag}", "nginx", None, None, "style: tag pins nothing"),
    ("pin: {style: tag}", f"nginx:1.25@{OLD}", None, None, "style: tag pins nothing"),
    (KEEP, "nginx:1.25", None, None, "kept by images[0]: built here"),
    (KEEP, f"nginx:1.25@{OLD}", None, None, "kept by images[0]: built here"),
    ("", "nginx:1.25", None, "sidecar is injected", "kept by annotation pindown.dev/keep: sidecar is injected"),
    (MIRROR % ", write: source", f"nginx@{OLD}", Resolved(OLD, chosen=0), None, "the name stays (write: source)"),
    (MIRROR % ", fallback: source", f"nginx@{OLD}", Resolved(OLD), None, "the digest that is written"),
    (KEEP + "\n" + MIRROR % ", write: source", "nginx", None, None, "kept by images[0]"),
    ("", f"m.test/hub/library/nginx@{OLD}", None, None, "already carries a digest"),
]


@pytest.mark.parametrize(("text", "image", "answer", "keep", "why"), UNCHANGED)
def test_stays_as_written(text, image, answer, keep, why):
    made = decision(text, image, answer, keep)
    assert (made.outcome, made.text, made.name) == ("kept", image, None)
    assert why in made.why
    assert made.refusals == ()


#: (spec, image, answer, what is written, name)
PINNED = [
    ("", "nginx", Resolved(NEW), f"nginx@{NEW}", None),
    ("", "nginx:1.25", Resolved(NEW), f"nginx:1.25@{NEW}", None),
    ("", "docker.io/nginx:1.25", Resolved(NEW), f"docker.io/nginx:1.25@{NEW}", None),
    ("", "localhost:5000/a", Resolved(NEW), f"localhost:5000/a@{NEW}", None),
    ("pin: {style: digest}", "nginx:1.25", Resolved(NEW), f"nginx@{NEW}", None),
    ("images: [{match: nginx, style: digest}]", "nginx:1.25", Resolved(NEW), f"nginx@{NEW}", None),
    ("pin: {existing: refresh}", f"nginx:1.25@{OLD}", Resolved(NEW), f"nginx:1.25@{NEW}", None),
    ("pin: {existing: refresh, style: digest}", f"nginx:1.25@{OLD}", Resolved(NEW), f"nginx@{NEW}", None),
    (
        MIRROR % "",
        "nginx",
        Resolved(NEW, chosen=0),
        f"m.test/hub/library/nginx@{NEW}",
        "m.test/hub/library/nginx",
    ),
    (
        MIRROR % "",
        "nginx:1.25",
        Resolved(NEW, chosen=1),
        f"n.test/library/nginx:1.25@{NEW}",
        "n.test/library/nginx",
    ),
    (
        MIRROR % "" + "\npin: {style: digest}",
        "nginx:1.25",
        Resolved(NEW, chosen=0),
        f"m.test/hub/library/nginx@{NEW}",
        "m.test/hub/library/nginx",
    ),
    (
        MIRROR % "",
        f"nginx:1.25@{OLD}",
        Resolved(OLD, chosen=0),
        f"m.test/hub/library/nginx:1.25@{OLD}",
        "m.test/hub/library/nginx",
    ),
    (
        "mirrors: [{source: quay.io, locations: [{to: 'm.test/{name}:v-{tag}'}]}]",
        "quay.io/a/b:1",
        Resolved(NEW, chosen=0),
        f"m.test/b:v-1@{NEW}",
        "m.test/b",
    ),
    (REWRITE, "nginx:1.25", Resolved(NEW, chosen=0), f"m.test/new/nginx:1.25@{NEW}", "m.test/new/nginx"),
    (MIRROR % ", write: source", "nginx:1.25", Resolved(NEW, chosen=0), f"nginx:1.25@{NEW}", None),
    (MIRROR % ", fallback: source", "nginx:1.25", Resolved(NEW), f"nginx:1.25@{NEW}", None),
    (MIRROR % ", resolveAt: mirror", "nginx:1", Resolved(NEW, chosen=0), None, "m.test/hub/library/nginx"),
]


@pytest.mark.parametrize(("text", "image", "answer", "written", "name"), PINNED)
def test_what_is_written(text, image, answer, written, name):
    made = decision(text, image, answer)
    assert (made.outcome, made.name, made.digest) == ("pinned", name, answer.digest)
    assert made.text == (written or f"m.test/hub/library/nginx:1@{NEW}")
    assert made.refusals == ()
    assert made.via == "registry"
    parts = parse(made.text)
    assert (parts.tag, parts.digest) == (made.tag, made.digest)
    if made.name is not None:
        assert parts.written_name == made.name
    assert ":latest" not in made.text


def test_every_pinned_text_is_left_alone_in_a_second_run():
    for text, _, _, written, _ in PINNED:
        if written is None or "refresh" in text or "write: source" in text or "fallback" in text:
            continue
        again = decision(text, written)
        assert (again.outcome, again.text) == ("kept", written)


#: (spec, image, annotation, what is written): kept, and still mapped without being asked.
MAPPED = [
    (KEEP + "\n" + MIRROR % "", "nginx", None, "m.test/hub/library/nginx"),
    (KEEP + "\n" + MIRROR % "", "nginx:1.25", None, "m.test/hub/library/nginx:1.25"),
    (KEEP + "\n" + MIRROR % "", f"nginx:1.25@{OLD}", None, f"m.test/hub/library/nginx:1.25@{OLD}"),
    (MIRROR % "", "nginx:1.25", "mine", "m.test/hub/library/nginx:1.25"),
    (MIRROR % "" + "\npin: {style: tag}", "nginx:1.25", None, "m.test/hub/library/nginx:1.25"),
    (MIRROR % "" + "\npin: {style: tag}", f"nginx@{OLD}", None, f"m.test/hub/library/nginx@{OLD}"),
    (REWRITE + "\n" + KEEP, "nginx:1.25", None, "m.test/hub/library/nginx:1.25"),
    (REWRITE + "\npin: {style: tag}", "nginx:1.25", None, "m.test/hub/library/nginx:1.25"),
    (MIRROR % ", verify: none", f"nginx:1@{OLD}", None, f"m.test/hub/library/nginx:1@{OLD}"),
]


@pytest.mark.parametrize(("text", "image", "keep", "written"), MAPPED)
def test_kept_and_mapped(text, image, keep, written):
    made = decision(text, image, None, keep)
    assert (made.outcome, made.text) == ("kept", written)
    assert made.name == parse(written).written_name
    assert "written as m.test/hub/library/nginx (not verified, mirrors[0])" in made.why


@pytest.mark.parametrize(
    ("text", "image", "answer", "part"),
    [
        ("", "nginx", Resolved(NEW), "resolved (pin)"),
        ("pin: {platform: linux/arm64}", "nginx", Resolved(NEW), "resolved for linux/arm64 (pin)"),
        (MIRROR % "", "nginx", Resolved(NEW, chosen=0), "written as m.test/hub/library/nginx (verified, mirrors[0])"),
        (MIRROR % ", verify: none", "nginx", Resolved(NEW, chosen=0), "(not verified, mirrors[0])"),
        (MIRROR % ", verify: exists", "nginx", Resolved(NEW, chosen=0), "(the mirror's own digest, mirrors[0])"),
        (MIRROR % "", f"nginx@{OLD}", Resolved(OLD, chosen=0), "is served by m.test/hub/library/nginx"),
    ],
)
def test_why(text, image, answer, part):
    assert part in decision(text, image, answer).why


def refusal(rule: str) -> Refusal:
    return Refusal(rule, f"{rule} happened", "do something")


ALWAYS = [
    *("denied", "tls", "digest-mismatch", "schema1", "platform-missing", "mirror-missing", "mirror-differs"),
    *("invalid-reference", "not-a-registry", "unreadable", "templated"),
]


@pytest.mark.parametrize("rule", ALWAYS)
def test_what_is_always_an_error(rule):
    made = decision("onError: warn", "nginx", Missing((refusal(rule),)))
    assert (made.outcome, made.text, made.digest) == ("refused", "nginx", None)
    assert made.refusals == (refusal(rule),)
    assert made.warnings == ()


@pytest.mark.parametrize("rule", sorted(WARNABLE))
def test_what_may_be_a_warning(rule):
    missing = Missing((refusal(rule),))
    assert decision("", "nginx", missing).refusals == (refusal(rule),)
    made = decision("onError: warn", "nginx", missing)
    assert (made.outcome, made.text, made.refusals, made.warnings) == ("kept", "nginx", (), (refusal(rule),))
    assert "NOT pinned" in made.why
    assert rule in made.why


def test_one_unforgivable_refusal_among_others_is_an_error():
    made = decision("onError: warn", "nginx", Missing((refusal("timeout"), refusal("tls"))))
    assert (made.outcome, len(made.refusals)) == ("refused", 2)


def test_a_missing_answer_without_a_reason_is_an_error_all_the_same():
    for text in ("onError: warn", ""):
        made = decision(text, "nginx", Missing(()))
        assert (made.outcome, made.refusals[0].rule) == ("refused", "registry-error")


def test_a_digest_that_could_not_be_verified_is_said_so():
    made = decision("onError: warn\npin: {existing: verify}", f"nginx@{OLD}", Missing((refusal("timeout"),)))
    assert (made.outcome, made.text, made.digest) == ("kept", f"nginx@{OLD}", OLD)
    assert "NOT verified" in made.why


@pytest.mark.parametrize("on_error", ["fail", "warn"])
@pytest.mark.parametrize(
    ("text", "image", "rule"),
    [
        ("images: [{match: nginx, action: deny, reason: no}]", "nginx", "denied"),
        ("", "Nginx", "invalid-reference"),
        ("mirrors: [{source: docker.io, locations: [{to: 'm.test/{tag}/x'}]}]", "nginx", "mirror-missing"),
    ],
)
def test_what_the_plan_refuses_no_setting_forgives(text, image, rule, on_error):
    made = decision(f"onError: {on_error}\n{text}", image)
    assert (made.outcome, made.text) == ("refused", image)
    assert [each.rule for each in made.refusals] == [rule]
    assert made.why == made.refusals[0].message


def test_refused_keeps_are_refused():
    made = decision("keeps: refuse", "nginx", None, "mine")
    assert (made.outcome, made.refusals[0].rule) == ("refused", "unpinned")


def test_a_written_digest_is_never_exchanged_for_what_a_registry_says():
    for text in ("pin: {existing: verify}", MIRROR % "", MIRROR % ", verify: exists"):
        made = decision(text, f"nginx:1@{OLD}", Resolved(NEW, chosen=0 if "mirrors" in text else None))
        assert (made.outcome, made.text) == ("refused", f"nginx:1@{OLD}")
        assert made.refusals[0].rule == "digest-mismatch"
        assert OLD in made.refusals[0].message
        assert NEW in made.refusals[0].message


def test_the_source_is_not_used_where_the_policy_allows_no_fallback():
    made = decision(MIRROR % "", "nginx", Resolved(NEW))
    assert (made.outcome, made.text) == ("refused", "nginx")
    assert made.refusals[0].rule == "mirror-missing"
    made = decision(MIRROR % "", "nginx", Resolved(NEW, notes=(refusal("mirror-differs"),)))
    assert made.refusals == (refusal("mirror-differs"),)


def test_a_fallback_that_happened_is_a_warning():
    made = decision(MIRROR % ", fallback: source", "nginx", Resolved(NEW, notes=(refusal("mirror-missing"),)))
    assert [warning.rule for warning in made.warnings] == ["mirror-missing"]
    assert "its source is used (fallback: source)" in made.warnings[0].message
    assert made.warnings[0].message.endswith(f"; {refusal('mirror-missing').message}")


def test_notes_of_the_answer_are_warnings():
    made = decision(MIRROR % ", verify: exists", "nginx", Resolved(NEW, chosen=0, notes=(refusal("mirror-differs"),)))
    assert made.outcome == "pinned"
    assert made.warnings == (refusal("mirror-differs"),)


def test_who_answered_is_kept():
    assert decision("", "nginx", Resolved(NEW, via="lock")).via == "lock"
    assert decision("", f"nginx@{OLD}").via is None


def test_a_question_without_an_answer_is_our_bug_and_not_a_decision():
    with pytest.raises(ValueError, match="was not answered"):
        decision("", "nginx", None)


def test_never_silently_unpinned():
    """Over every spec, image and answer of the tables: pinned has a digest, kept a reason, refused a refusal."""
    answers: list[Answer | None] = [None, Resolved(NEW), Resolved(OLD, chosen=0), Missing((refusal("timeout"),))]
    specs = {text for text, *_ in [*UNCHANGED, *PINNED, *MAPPED]} | {"onError: warn", "keeps: refuse"}
    count = 0
    for text in sorted(specs):
        for image in ("nginx", "nginx:1", f"nginx@{OLD}", f"nginx:1@{OLD}", "Bad", "quay.io/a/b:1"):
            for keep in (None, "why"):
                plan = Planner(load(spec(text) if text else HEAD, "p.yaml")).plan(image, keep)
                for answer in answers:
                    chosen = getattr(answer, "chosen", None) is not None
                    if plan.question is not None and (answer is None or (chosen and not plan.locations)):
                        continue  # no resolver answers so
                    made = decide(plan, answer)
                    count += 1
                    assert made.outcome in ("pinned", "kept", "refused")
                    assert made.why
                    assert bool(made.refusals) == (made.outcome == "refused")
                    if made.outcome == "pinned":
                        assert is_digest(made.digest or "")
                        assert made.text.endswith(f"@{made.digest}")
                    if made.outcome == "refused":
                        assert made.text == image
    assert count > 500


@pytest.mark.parametrize(
    ("text", "image", "answer", "keep", "rule"),
    [
        ("", "nginx", Resolved(NEW), None, None),
        (MIRROR % "", "nginx", Resolved(NEW, chosen=1), None, "mirrors[0].locations[1]"),
        (MIRROR % ", write: source", "nginx", Resolved(NEW, chosen=1), None, None),
        (MIRROR % ", fallback: source", "nginx", Resolved(NEW), None, None),
        (MIRROR % "", "nginx", None, "mine", "mirrors[0].locations[0]"),
        (MIRROR % ", write: source", "nginx", None, "mine", None),
        (MIRROR % "", "nginx", Missing((refusal("timeout"),)), None, None),
        ("onError: warn\n" + MIRROR % "", "nginx", Missing((refusal("timeout"),)), None, None),
    ],
)
def test_the_location_whose_name_is_written_is_told(text, image, answer, keep, rule):
    made = decision(text, image, answer, keep)
    assert (made.location.rule if made.location else None) == rule


def written(planner: Planner, text: str, keep: str | None, chosen: int) -> Decision:
    """What becomes of a text where the location with its own name, or else one of them, serves what is asked for."""
    plan = planner.plan(text, keep)
    if plan.question is None:
        return decide(plan, None)
    here = plan.reference.written_name if plan.reference else ""
    names = [one.reference.written_name for one in plan.locations]
    at = (names.index(here) if here in names else min(chosen, len(names) - 1)) if names else None
    return decide(plan, Resolved(plan.question.source.digest or NEW, chosen=at))


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ROWS,
    IMAGES,
    st.builds(
        Pin,
        style=st.sampled_from(["tag-and-digest", "digest", "tag"]),
        existing=st.sampled_from(["keep", "verify", "refresh"]),
    ),
    st.sampled_from([None, "mine"]),
    st.integers(0, 2),
)
@example({"*": [("m.test/{name}-{tag}", "all")]}, "q.io/a:1", Pin(style="digest"), None, 0)
@example({"q.io": [("q.io", {"^": "p/"})]}, "q.io/a:1", Pin(), None, 0)
def test_whatever_the_policy_is_what_was_written_stays(rows, image, pin, keep, chosen):
    try:
        planner = Planner(policy(*((source, *places) for source, places in rows.items()))._replace(pin=pin))
    except PolicyError:
        return
    first = written(planner, image, keep, chosen)
    if first.outcome != "refused":
        second = written(planner, first.text, keep, chosen)
        assert (second.outcome, second.text) == ("kept", first.text)


@pytest.mark.parametrize(("resolve_at", "proof"), [("source", "(verified, "), ("mirror", "(the mirror's own word, ")])
def test_what_only_the_mirror_says_is_not_called_verified(resolve_at, proof):
    spec = f"mirrors: [{{source: a.io, locations: [{{to: m.io}}], resolveAt: {resolve_at}}}]"
    policy = load(f"apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec: {{{spec}}}\n", "p.yaml")
    decision = decide(Planner(policy).plan("a.io/x:1"), Resolved("sha256:" + "a" * 64, chosen=0))
    assert decision.outcome == "pinned" and proof in decision.why
