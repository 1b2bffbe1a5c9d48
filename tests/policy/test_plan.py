"""Plans: what is denied, kept, asked and where, for one reference under one policy. No answer is needed for it."""

from __future__ import annotations

import pytest

from tests.policy.test_load import HEAD, spec
from transformer.errors import PolicyError
from transformer.images.reference import Reference, parse
from transformer.policy.load import load
from transformer.policy.model import Policy
from transformer.policy.plan import ANNOTATION, Plan, Planner
from transformer.policy.questions import Question

DIGEST = "sha256:" + "a" * 64

MIRROR = "mirrors: [{source: docker.io, locations: [{to: m.test/hub}, {to: n.test}]%s}]"
WHEN = "mirrors: [{source: docker.io, locations: [{to: m.test/hub, when: tag}, {to: n.test, when: digest}]%s}]"
TAGS = "mirrors: [{source: docker.io, locations: [{to: m.test/hub, when: tag}]%s}]"
WARM = "mirrors: [{source: docker.io, locations: [{to: m.test/hub}, {to: n.test, warm: true}]%s}]"
NGINX = parse("docker.io/library/nginx:1.25")
LATEST = parse("docker.io/library/nginx:latest")
THERE = (parse("m.test/hub/library/nginx:1.25"), parse("n.test/library/nginx:1.25"))
PINNED = parse(f"docker.io/library/nginx:1.25@{DIGEST}")


def plan(text: str, image: str, keep: str | None = None) -> Plan:
    return Planner(load(spec(text) if text else HEAD, "p.yaml")).plan(image, keep)


def test_the_default_asks_the_source_for_the_index():
    assert Planner(Policy()).plan("nginx:1.25") == Plan(
        "nginx:1.25", parse("nginx:1.25"), "pin", "pin", question=Question(NGINX)
    )


@pytest.mark.parametrize("image", ["nginx", "docker.io/nginx", "index.docker.io/library/nginx:latest"])
def test_spellings_of_one_image_ask_one_question(image):
    assert plan("", image).question == Question(LATEST)


#: (spec, image, question): nothing is asked twice as much, and nothing too much.
QUESTIONS = [
    # A digest that is written.
    ("", f"nginx:1.25@{DIGEST}", None),
    ("", f"nginx@{DIGEST}", None),
    ("pin: {existing: verify}", f"nginx:1.25@{DIGEST}", Question(PINNED)),
    ("pin: {existing: verify}", "nginx:1.25", Question(NGINX)),
    ("pin: {existing: refresh}", f"nginx:1.25@{DIGEST}", Question(NGINX)),
    ("pin: {existing: refresh}", f"nginx@{DIGEST}", None),
    # Platforms: never for a digest that is written.
    ("pin: {platform: linux/arm64}", "nginx:1.25", Question(NGINX, platform="linux/arm64")),
    ("pin: {digest: index, platform: linux/arm64}", "nginx:1.25", Question(NGINX)),
    ("images: [{match: nginx, platform: linux/arm64}]", "nginx:1.25", Question(NGINX, platform="linux/arm64")),
    ("pin: {platform: linux/arm64, existing: verify}", f"nginx:1.25@{DIGEST}", Question(PINNED)),
    (
        "pin: {platform: linux/arm64, existing: refresh}",
        f"nginx:1.25@{DIGEST}",
        Question(NGINX, platform="linux/arm64"),
    ),
    # Style tag asks nothing.
    ("pin: {style: tag}", "nginx:1.25", None),
    ("pin: {style: tag, existing: verify}", f"nginx:1.25@{DIGEST}", None),
    ("images: [{match: nginx, style: tag}]", "nginx:1.25", None),
    ("pin: {style: tag}\nimages: [{match: nginx, style: digest}]", "nginx:1.25", Question(NGINX)),
    # Mirrors.
    (MIRROR % "", "nginx:1.25", Question(NGINX, THERE)),
    (MIRROR % ", resolveAt: mirror", "nginx:1.25", Question(NGINX, THERE, "mirror")),
    (MIRROR % ", verify: exists", "nginx:1.25", Question(NGINX, THERE, "source", "exists")),
    (MIRROR % ", verify: none", "nginx:1.25", Question(NGINX, THERE, "source", "none")),
    (MIRROR % ", fallback: source", "nginx:1.25", Question(NGINX, THERE, fallback=True)),
    (MIRROR % ", write: source", "nginx:1.25", Question(NGINX, THERE)),
    (MIRROR % "", "quay.io/a/b:1", Question(parse("quay.io/a/b:1"))),
    (
        MIRROR % "",
        "nginx",
        Question(LATEST, (parse("m.test/hub/library/nginx:latest"), parse("n.test/library/nginx:latest"))),
    ),
    # Mirrors and a digest that is written: the locations must serve that one.
    (MIRROR % "", f"nginx:1.25@{DIGEST}", Question(PINNED, THERE)),
    (MIRROR % ", verify: exists", f"nginx:1.25@{DIGEST}", Question(PINNED, THERE)),
    (MIRROR % ", verify: none", f"nginx:1.25@{DIGEST}", None),
    (MIRROR % ", verify: none" + "\npin: {existing: verify}", f"nginx:1.25@{DIGEST}", Question(PINNED, THERE)),
    (MIRROR % "" + "\npin: {existing: refresh}", f"nginx:1.25@{DIGEST}", Question(NGINX, THERE)),
    (MIRROR % "" + "\npin: {style: tag}", "nginx:1.25", None),
    # No location fits.
    (
        "mirrors: [{source: docker.io, locations: [{to: 'm.test/{name}-{tag}'}], resolveAt: mirror, fallback: source}]",
        "nginx",
        Question(LATEST),
    ),
    # What a node will pull is a digest, unless nothing is pinned.
    (WHEN % "", "nginx:1.25", Question(NGINX, THERE[1:])),
    (WHEN % "", f"nginx:1.25@{DIGEST}", Question(PINNED, THERE[1:])),
    (WHEN % "" + "\npin: {existing: refresh}", f"nginx:1.25@{DIGEST}", Question(NGINX, THERE[1:])),
    (WHEN % ", write: source", "nginx:1.25", Question(NGINX, THERE[1:])),
    # A location for tags alone is none for what is pinned; the source is asked itself.
    (TAGS % ", fallback: source", "nginx:1.25", Question(NGINX)),
    (TAGS % ", fallback: source, resolveAt: mirror", "nginx:1.25", Question(NGINX)),
    (TAGS % ", fallback: source, verify: none", f"nginx:1.25@{DIGEST}", None),
    (TAGS % "" + "\npin: {style: tag}", "nginx:1.25", None),
    # Caches that must be asked for the tag first.
    (WARM % "", "nginx:1.25", Question(NGINX, THERE, warm=(1,))),
    (WARM % "", f"nginx:1.25@{DIGEST}", Question(PINNED, THERE, warm=(1,))),
    (WARM % ", resolveAt: mirror", "nginx:1.25", Question(NGINX, THERE, "mirror", warm=(1,))),
    # Kept images are asked for nowhere.
    ("images: [{match: nginx, action: keep, reason: x}]", "nginx:1.25", None),
    ("images: [{match: nginx, action: keep, reason: x}]\n" + MIRROR % "", "nginx:1.25", None),
    ("images: [{match: nginx, action: keep, reason: x}]\npin: {existing: verify}", f"nginx@{DIGEST}", None),
    # Other rules do not.
    ("images: [{match: redis, action: keep, reason: x}]", "nginx:1.25", Question(NGINX)),
]


@pytest.mark.parametrize(("text", "image", "question"), QUESTIONS)
def test_what_is_asked(text, image, question):
    made = plan(text, image)
    assert made.question == question
    assert made.refusals == ()


def test_a_name_with_a_digest_alone_is_asked_by_digest_everywhere():
    question = plan(MIRROR % "", f"nginx@{DIGEST}").question
    assert question is not None
    assert question.source == parse(f"docker.io/library/nginx@{DIGEST}")
    assert question.locations[0] == Reference("m.test", "hub/library/nginx", None, None, "m.test/hub/library/nginx")


#: (spec, image, keep, action, rule, reason, mirror)
RULES = [
    ("", "nginx", None, "pin", "pin", None, None),
    ("images: [{match: nginx}]", "nginx", None, "pin", "images[0]", None, None),
    ("images: [{match: redis}, {match: nginx, reason: why}]", "nginx", None, "pin", "images[1]", "why", None),
    ("images: [{match: nginx}, {match: '**', action: deny, reason: x}]", "nginx", None, "pin", "images[0]", None, None),
    ("images: [{match: nginx, action: keep, reason: why}]", "nginx", None, "keep", "images[0]", "why", None),
    (MIRROR % "", "nginx", None, "pin", "mirrors[0]", None, "mirrors[0]"),
    (MIRROR % "", "quay.io/x", None, "pin", "pin", None, None),
    (MIRROR % "", "m.test/hub/library/nginx", None, "pin", "pin", None, None),
    (MIRROR % "" + "\nimages: [{match: nginx}]", "nginx", None, "pin", "images[0]", None, "mirrors[0]"),
    ("", "nginx", "local build", "keep", ANNOTATION, "local build", None),
    (MIRROR % "", "nginx", "local build", "keep", ANNOTATION, "local build", "mirrors[0]"),
    ("images: [{match: nginx, action: keep, reason: a}]", "nginx", "b", "keep", ANNOTATION, "b", None),
]


@pytest.mark.parametrize(("text", "image", "keep", "action", "rule", "reason", "mirror"), RULES)
def test_which_rule(text, image, keep, action, rule, reason, mirror):
    made = plan(text, image, keep)
    assert (made.action, made.rule, made.reason, made.mirror) == (action, rule, reason, mirror)
    assert made.refusals == ()


DENY = "images: [{match: docker.io, action: deny, reason: use our registry}]"


@pytest.mark.parametrize("keep", [None, "please"])
@pytest.mark.parametrize(
    "image", ["nginx", f"nginx@{DIGEST}", "Docker.IO/library/nginx", "docker.io:443/library/nginx"]
)
def test_deny_comes_before_everything_and_no_keep_overrides_it(image, keep):
    made = plan(f"{DENY}\n{MIRROR % ''}\npin: {{style: tag}}", image, keep)
    assert (made.action, made.rule, made.question, made.locations) == ("deny", "images[0]", None, ())
    (refusal,) = made.refusals
    assert refusal.rule == "denied"
    assert "images[0] (docker.io): use our registry" in refusal.message


@pytest.mark.parametrize(
    ("image", "refused"), [("nginx:1", True), ("nginx", True), (f"nginx@{DIGEST}", False), (f"nginx:1@{DIGEST}", False)]
)
def test_refused_keeps(image, refused):
    made = plan("keeps: refuse", image, "because")
    assert [refusal.rule for refusal in made.refusals] == (["unpinned"] if refused else [])
    assert made.action == "keep"
    if refused:
        assert "because" in made.refusals[0].message


def test_the_policys_own_keeps_are_not_refused():
    assert plan("keeps: refuse\nimages: [{match: nginx, action: keep, reason: x}]", "nginx").refusals == ()


@pytest.mark.parametrize("keep", [None, "reason"])
@pytest.mark.parametrize(
    ("image", "rule", "code"),
    [
        ("", "invalid-reference", "empty"),
        ("Nginx", "invalid-reference", "uppercase"),
        ("nginx:", "invalid-reference", "invalid-format"),
        ("a b", "invalid-reference", "invalid-format"),
        ("nginx@sha256:abc", "invalid-reference", "invalid-format"),
        ("a" * 64, "invalid-reference", "image-id"),
        ("a" * 10_000, "invalid-reference", "too-long"),
        ("nginx@sha512:" + "a" * 64, "invalid-reference", "digest"),
        ("nginx:${TAG}", "templated", "templated"),
        ("nginx\x1b[31m", "invalid-reference", "invalid-format"),
    ],
)
def test_what_is_no_reference_is_refused_and_not_asked(image, rule, code, keep):
    made = plan("", image, keep)
    assert (made.reference, made.question, made.locations) == (None, None, ())
    (refusal,) = made.refusals
    assert (refusal.rule, refusal.message.endswith(f"({code})")) == (rule, True)
    assert refusal.message.isprintable()
    assert len(refusal.message) < 300


@pytest.mark.parametrize("keep", [None, "reason"])
def test_a_mirror_without_a_fitting_location(keep):
    text = "mirrors: [{source: docker.io, locations: [{to: 'm.test/{name}-{tag}'}]%s}]"
    refused = plan(text % "", "nginx", keep)
    assert [refusal.rule for refusal in refused.refusals] == ["mirror-missing"]
    assert refused.question is None
    passed = plan(text % ", fallback: source", "nginx", keep)
    assert passed.refusals == ()
    assert [note.rule for note in passed.notes] == ["mirror-missing"]
    assert plan(text % "", "nginx:1", keep).refusals == ()


def test_a_mirror_whose_result_is_no_reference_is_refused_before_any_request():
    made = plan("mirrors: [{source: docker.io/library/nginx, locations: [{to: m.test}, {to: n.test/x}]}]", "nginx")
    assert [refusal.rule for refusal in made.refusals] == ["invalid-reference"]
    assert made.question is None


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("", True),
        ("pin: {style: digest}", True),
        ("pin: {style: tag}", True),
        ("keeps: refuse", True),
        ("pin: {existing: verify}", False),
        ("pin: {existing: refresh}", False),
        ("images: [{match: nginx}]", False),
        ("mirrors: [{source: a.io, locations: [{to: b.io}]}]", False),
    ],
)
def test_when_a_pinned_text_needs_no_plan(text, alone):
    assert Planner(load(spec(text) if text else HEAD, "p.yaml")).leaves_pinned_alone is alone


def test_a_variable_without_a_value_stops_the_planner():
    with pytest.raises(PolicyError, match="has no value"):
        Planner(load(spec("mirrors: [{source: a.io, locations: [{to: '{region}.b.io'}]}]"), "p.yaml"))


def test_settings_travel_with_the_plan():
    made = plan("onError: warn\npin: {style: digest, platform: linux/amd64}", "nginx")
    assert (made.on_error, made.style, made.platform) == ("warn", "digest", "linux/amd64")
    made = plan("images: [{match: nginx, style: tag, platform: linux/arm64}]", "nginx")
    assert (made.style, made.platform) == ("tag", "linux/arm64")
    assert plan(MIRROR % ", write: source", "nginx").write == "source"


def test_candidates_are_listed_as_written():
    made = plan(MIRROR % "", "nginx")
    assert [(candidate.reference.written, candidate.rule) for candidate in made.locations] == [
        ("m.test/hub/library/nginx", "mirrors[0].locations[0]"),
        ("n.test/library/nginx", "mirrors[0].locations[1]"),
    ]


@pytest.mark.parametrize(
    ("text", "image", "keep", "pulls", "there"),
    [
        (WHEN % "", "nginx:1.25", None, "digest", "n.test/library/nginx:1.25"),
        (WHEN % "", "nginx:1.25", "mine", "tag", "m.test/hub/library/nginx:1.25"),
        (WHEN % "", f"nginx:1.25@{DIGEST}", "mine", "digest", "n.test/library/nginx:1.25"),
        (
            WHEN % "" + "\nimages: [{match: nginx, action: keep, reason: x}]",
            "nginx",
            None,
            "tag",
            "m.test/hub/library/nginx",
        ),
        (WHEN % "" + "\npin: {style: tag}", "nginx", None, "tag", "m.test/hub/library/nginx"),
        (WHEN % "" + "\npin: {style: tag}", f"nginx@{DIGEST}", None, "digest", "n.test/library/nginx"),
        (WHEN % "" + "\nimages: [{match: nginx, style: tag}]", "nginx", None, "tag", "m.test/hub/library/nginx"),
        (
            WHEN % "" + "\npin: {style: tag}\nimages: [{match: nginx, style: digest}]",
            "nginx",
            None,
            "digest",
            "n.test/library/nginx",
        ),
    ],
)
def test_when_is_judged_on_what_a_node_will_pull(text, image, keep, pulls, there):
    made = plan(text, image, keep)
    assert (made.pulls, [one.reference.written for one in made.locations]) == (pulls, [there])
    assert made.refusals == ()


def test_no_location_for_what_is_pulled_says_which_are_for_what():
    (refusal,) = plan(TAGS % "", "nginx:1.25").refusals
    assert refusal.rule == "mirror-missing"
    assert "mirrors[0].locations[0] is for images that are pulled by tag (when: tag)" in refusal.message
    assert "fallback: source" in refusal.help
    (note,) = plan(TAGS % ", fallback: source", "nginx:1.25").notes
    assert "pulled by tag (when: tag)); its source's name is used" in note.message


def test_reasons_are_bounded():
    places = ", ".join(f"{{to: m.test/x{n}, when: tag}}" for n in range(9))
    (refusal,) = plan(f"mirrors: [{{source: docker.io, locations: [{places}]}}]", "nginx").refusals
    assert refusal.message.count("(when: tag)") == 3
    assert refusal.message.endswith(" and more")


def test_one_location_that_cannot_be_is_an_error_whatever_the_fallback():
    text = (
        "mirrors: [{source: docker.io, locations: [{to: m.test, rewrite: {'.*': ''}}, {to: n.test}], fallback: source}]"
    )
    made = plan(text, "nginx")
    assert [refusal.rule for refusal in made.refusals] == ["invalid-reference"]
    assert (made.question, made.notes) == (None, ())


#: (spec, image): what `mirrors check` asks of each location by itself.
PROOFS = [
    ("", "nginx", []),
    ("images: [{match: nginx, action: deny, reason: x}]\n" + MIRROR % "", "nginx", []),
    (MIRROR % "", "quay.io/a", []),
    (MIRROR % "", "Nginx", []),
    (MIRROR % "", "nginx:1.25", [Question(NGINX, THERE[:1]), Question(NGINX, THERE[1:])]),
    (
        MIRROR % ", verify: none, fallback: source",
        "nginx:1.25",
        [Question(NGINX, one) for one in (THERE[:1], THERE[1:])],
    ),
    (
        MIRROR % ", verify: exists",
        "nginx:1.25",
        [Question(NGINX, one, verify="exists") for one in (THERE[:1], THERE[1:])],
    ),
    (MIRROR % ", verify: none", f"nginx:1.25@{DIGEST}", [Question(PINNED, THERE[:1]), Question(PINNED, THERE[1:])]),
    ("pin: {style: tag}\n" + WHEN % "", "nginx:1.25", [Question(NGINX, THERE[:1])]),
    (WHEN % "", "nginx:1.25", [Question(NGINX, THERE[1:])]),
    (WARM % "", "nginx:1.25", [Question(NGINX, THERE[:1]), Question(NGINX, THERE[1:], warm=(0,))]),
    (
        "pin: {platform: linux/arm64}\n" + WHEN % "",
        "nginx:1.25",
        [Question(NGINX, THERE[1:], platform="linux/arm64")],
    ),
]


@pytest.mark.parametrize(("text", "image", "questions"), PROOFS)
def test_each_location_is_proved_by_itself(text, image, questions):
    planner = Planner(load(spec(text) if text else HEAD, "p.yaml"))
    made = planner.plan(image)
    asked = planner.proofs(made)
    assert [question for _, question in asked] == questions
    assert tuple(one for one, _ in asked) == (made.locations if questions else ())
