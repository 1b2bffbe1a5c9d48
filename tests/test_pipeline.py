"""The main job with a resolver that answers from a table: what is asked, decided, edited and counted. No registry."""

from __future__ import annotations

import json

import pytest

from tests.doors import ELSEWHERE, item, pod
from transformer.pipeline import Run, Where
from transformer.policy.model import FieldRule, ImageRule, Location, Mirror, Pin, Policy, PullSecrets
from transformer.policy.questions import Missing, Refusal, Resolved
from transformer.text.source import File

DIGEST = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
CANARY = "canary-4711"


class Table:
    """Answers by canonical source; records the batches that it was asked."""

    requests = 0

    def __init__(self, **digests):
        self.digests, self.batches, self.scopes = digests, [], None

    def ask(self, questions, scopes=None):
        self.scopes = {question.scope: scopes.get(question.scope) for question in questions}
        self.batches.append(sorted(question.source.written for question in questions))
        return {question: self._answer(question) for question in questions}

    def _answer(self, question):
        digest = self.digests.get(question.source.repository.rpartition("/")[2])
        if digest is None:
            return Missing((Refusal("not-found", f"{question.source.written}: gone", "look"),))
        return Resolved(digest, chosen=0 if question.locations else None)


def run(*texts, policy=None, table=None, rendered=True):
    files = [File(f"{number}.yaml", text) for number, text in enumerate(texts)]
    work = Run(policy or Policy(), rendered)
    for file in files:
        work.survey.file(file)
    table = table or Table(a=DIGEST, b=OTHER)
    return work.finish(files, table), table


def outcomes(outcome):
    return [one.decision.outcome for one in outcome.decided]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: 1\n",
        pod(f"x/a:1@{ELSEWHERE}"),
        pod("''"),
        pod("~"),
        pod("auto"),
        "apiVersion: v1\nkind: ConfigMap\ndata: {image: 'x/a:1'}\n",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {containers: [{image: x/a}]}\n",
        "apiVersion: kyverno.io/v1\nkind: P\nspec: {containers: [{image: 'registry.example.com/* | other/*'}]}\n",
    ],
)
def test_what_does_not_change_and_asks_nobody(text):
    outcome, table = run(text)
    assert (outcome.text(), outcome.findings, table.batches) == (text, (), [])
    assert not outcome.failed


def test_everybody_is_asked_once_and_in_one_batch():
    same = "apiVersion: v1\nkind: List\nitems:\n" + item(pod("x/a:1")) + item(pod("docker.io/x/a:1")) + item(pod("x/b"))
    outcome, table = run(same, pod("x/a:1"))
    assert table.batches == [["docker.io/x/a:1", "docker.io/x/b:latest"]]
    assert outcome.text(0) == same.replace("x/a:1", f"x/a:1@{DIGEST}").replace("x/b\n", f"x/b@{OTHER}\n")
    assert outcome.text(1) == pod(f"x/a:1@{DIGEST}")


def test_counts():
    outcome, _ = run(pod("x/a:1"), pod("x/a:1"), pod("x/no:1"), pod("auto"), pod(f"x/c@{ELSEWHERE}"), pod("Bad"))
    assert outcome.counts == (6, 5, 2, 2, 2, 0)
    assert outcomes(outcome) == ["pinned", "pinned", "refused", "kept", "refused"]
    assert outcome.failed and outcome.documents == 6


def test_findings_come_errors_first_in_the_order_of_the_text():
    outcome, _ = run(
        pod("x/no:1") + "---\n" + pod("x/no:2"), pod("Bad", extra="  labels: {a: b, a: c}\n"), pod("x/no:3")
    )
    told = [(one.severity, one.place.file, one.place.line, one.rule) for one in outcome.findings]
    assert told == [
        ("error", "0.yaml", 8, "not-found"),
        ("error", "0.yaml", 17, "not-found"),
        ("error", "1.yaml", 9, "invalid-reference"),
        ("error", "2.yaml", 8, "not-found"),
        ("warning", "1.yaml", 5, "duplicate-key"),
    ]


def test_an_image_in_many_places_is_a_finding_at_each():
    outcome, table = run(pod("x/no:1"), pod("x/no:1", "two"))
    assert [one.place.name for one in outcome.findings] == ["web", "two"] and len(table.batches[0]) == 1


ANCHORED = """\
apiVersion: v1
kind: Pod
metadata: {name: web%s}
spec:
  containers:
  - {name: one, image: &image x/a:1}
  - {name: two, image: *image}
"""


def test_an_alias_is_edited_once_at_its_anchor():
    outcome, _ = run(ANCHORED % "")
    assert outcome.text() == (ANCHORED % "").replace("x/a:1", f"x/a:1@{DIGEST}")
    assert outcomes(outcome) == ["pinned", "pinned"]


def test_an_anchor_whose_users_want_different_answers_is_a_finding():
    keep = ", annotations: {pindown.dev/keep.two: frozen}"
    outcome, _ = run(ANCHORED % keep)
    (finding,) = outcome.findings
    assert outcome.failed and finding.rule == "unpinned" and "want different answers" in finding.message


@pytest.mark.parametrize("rendered, severity, outcome", [(True, "error", "refused"), (False, "warning", "kept")])
def test_placeholders(rendered, severity, outcome):
    found, table = run(pod("${X}"), rendered=rendered)
    assert [(one.rule, one.severity) for one in found.findings] == [("templated", severity)]
    assert outcomes(found) == [outcome] and table.batches == []


@pytest.mark.parametrize(
    "rule, text, asked",
    [
        (ImageRule("images[0]", "docker.io/x/*", "keep", "frozen"), "kept", 0),
        (ImageRule("images[0]", "docker.io/x/*", "deny", "unsafe"), "refused", 0),
        (ImageRule("images[0]", "docker.io/y/*", "deny", "unsafe"), "pinned", 1),
    ],
)
def test_rules(rule, text, asked):
    outcome, table = run(pod("x/a:1"), policy=Policy(images=(rule,)))
    assert (outcomes(outcome), len(table.batches)) == ([text], asked)


def test_deny_is_before_everything():
    deny = ImageRule("images[0]", "docker.io/**", "deny", "unsafe")
    extra = "  annotations: {pindown.dev/keep: frozen}\n"
    outcome, table = run(
        pod("x/a:1", extra=extra), pod("auto"), pod(f"x/a@{ELSEWHERE}"), pod("x/a:1", comment=" # renovate: x"),
        policy=Policy(images=(deny,)), rendered=False,
    )  # fmt: skip
    assert [one.rule for one in outcome.findings] == ["denied"] * 4 and table.batches == []


MIRROR = Mirror("mirrors[0]", "docker.io", (Location("mirrors[0].locations[0]", "m.example/hub"),))


@pytest.mark.parametrize(
    "image, pin, written",
    [
        ("x/a:1", Pin(), f"m.example/hub/x/a:1@{DIGEST}"),
        ("x/a", Pin(), f"m.example/hub/x/a@{DIGEST}"),
        ("x/a:1", Pin(style="digest"), f"m.example/hub/x/a@{DIGEST}"),
        ("x/a:1", Pin(style="tag"), "m.example/hub/x/a:1"),
        ("quay.io/x/a:1", Pin(), f"quay.io/x/a:1@{DIGEST}"),
    ],
)
def test_names_and_styles(image, pin, written):
    outcome, _ = run(pod(image), policy=Policy(pin=pin, mirrors=(MIRROR,)))
    assert outcome.text() == pod(written)


def solr(repository, tag=None):
    """An object that spells its image in two keys."""
    beside = f"    tag: {tag}\n" if tag else ""
    return (
        "apiVersion: solr.apache.org/v1\nkind: SolrCloud\nmetadata:\n  name: s\n"
        f"spec:\n  solrImage:\n    repository: {repository}\n{beside}"
    )


def mirrors(to, **options):
    return (MIRROR._replace(locations=(MIRROR.locations[0]._replace(to=to),), **options),)


@pytest.mark.parametrize(
    "to, style, sent, written",
    [
        ("m.example/hub", "tag-and-digest", ("x/a", "1"), ("m.example/hub/x/a", f"1@{DIGEST}")),
        ("m.example/hub", "tag", ("x/a", "1"), ("m.example/hub/x/a", "1")),
        ("m.example/hub", "tag", ("x/a:1",), ("m.example/hub/x/a:1",)),
        ("m.example/{repository}:{tag}-x", "tag-and-digest", ("x/a", "1"), ("m.example/x/a", f"1-x@{DIGEST}")),
        ("m.example/{repository}:{tag}-x", "tag", ("x/a", "1"), ("m.example/x/a", "1-x")),
        ("m.example/{repository}:{tag}-x", "tag", ("x/a:1",), ("m.example/x/a:1-x",)),
        ("m.example/{repository}/{tag}", "tag", ("x/a:1",), ("m.example/x/a/1",)),
        ("m.example/{repository}/{tag}", "tag-and-digest", ("x/a:1",), (f"m.example/x/a/1@{DIGEST}",)),
    ],
)
def test_mirrors_of_an_image_in_two_keys(to, style, sent, written):
    policy = Policy(pin=Pin(style=style), mirrors=mirrors(to))
    outcome, _ = run(solr(*sent), policy=policy)
    assert (outcome.text(), outcome.findings) == (solr(*written), ())
    again, _ = run(outcome.text(), policy=policy)
    assert (again.text(), again.failed) == (outcome.text(), False)


def test_a_tag_that_its_key_cannot_give_away_is_refused():
    outcome, _ = run(solr("x/a", "1"), policy=Policy(pin=Pin(style="tag"), mirrors=mirrors("m.example/{name}/{tag}")))
    (finding,) = outcome.findings
    assert (outcome.failed, finding.rule, finding.severity) == (True, "unpinned", "error")
    assert finding.message == "x/a:1: this spelling has no place for m.example/a/1"


@pytest.mark.parametrize(
    "options, policy, written",
    [
        ({}, Policy(), "x/a"),
        ({}, Policy(mirrors=(MIRROR,)), "m.example/hub/x/a"),
        ({}, Policy(pin=Pin(style="digest"), mirrors=(MIRROR,)), "m.example/hub/x/a"),
        ({"write": "source"}, Policy(mirrors=(MIRROR,)), "x/a"),
        ({"fallback": "source"}, Policy(mirrors=mirrors("m.example/{name}:{tag}")), "x/a"),
        ({}, Policy(mirrors=(MIRROR._replace(source="quay.io"),)), "x/a"),
    ],
)
def test_without_a_tag_the_version_is_the_operators_and_the_name_goes_to_the_mirror(options, policy, written):
    policy = policy._replace(mirrors=tuple(one._replace(**options) for one in policy.mirrors))
    outcome, table = run(solr("x/a"), policy=policy)
    assert (outcome.text(), outcomes(outcome), table.batches) == (solr(written), ["kept"], [])
    rules = ["mirror-missing", "unpinned"] if "fallback" in options else ["unpinned"]
    assert sorted((one.rule, one.severity) for one in outcome.findings) == [(rule, "warning") for rule in rules]
    again, _ = run(outcome.text(), policy=policy)
    assert again.text() == outcome.text()


@pytest.mark.parametrize(
    ("policy", "keep", "rule"),
    [
        (Policy(mirrors=mirrors("m.example/{name}:{tag}")), None, "mirror-missing"),
        (Policy(keeps="refuse"), "why", "unpinned"),
    ],
)
def test_without_a_tag_what_the_policy_refuses_is_an_error(policy, keep, rule):
    text = solr("x/a")
    if keep:
        text = text.replace("  name: s\n", f"  name: s\n  annotations:\n    pindown.dev/keep: {keep}\n", 1)
    outcome, _ = run(text, policy=policy)
    assert outcome.failed and outcome.text() == text
    assert [one.rule for one in outcome.findings if one.severity == "error"] == [rule]


def test_without_a_tag_deny_still_rules():
    deny = ImageRule("images[0]", "docker.io/**", "deny", "unsafe")
    outcome, _ = run(solr("x/a"), policy=Policy(images=(deny,), mirrors=(MIRROR,)))
    assert (outcome.text(), [one.rule for one in outcome.findings]) == (solr("x/a"), ["denied"])


WIDGET = "apiVersion: example.com/v1\nkind: Widget\n%s\n"


@pytest.mark.parametrize(
    "path, text",
    [
        ('spec["a.b/c"].image', "spec: {a.b/c: {image: IMAGE}, a: {b/c: {image: 'x/b:2'}}}"),
        ('["a.b/c"]', "a.b/c: IMAGE"),
        ('metadata.annotations["a.b/image"]', "metadata:\n  annotations:\n    a.b/image: IMAGE # why"),
        ('spec["a.b"][]["c.d"]', "spec:\n  a.b:\n  - c.d: 'IMAGE'\n  - c.d: \"IMAGE\""),
        ('spec["a.b"]', "spec:\n  a.b:\n    repository: x/a\n    tag: 1"),
    ],
)
def test_fields_with_keys_that_hold_dots(path, text):
    sent = WIDGET % text
    outcome, _ = run(sent.replace("IMAGE", "x/a:1"), policy=Policy(fields=(FieldRule("example.com", "Widget", path),)))
    assert outcome.text() == sent.replace("IMAGE", f"x/a:1@{DIGEST}").replace("tag: 1", f"tag: 1@{DIGEST}")
    found = [one.site.path for one in outcome.decided]
    assert found == [path.replace("[]", f"[{index}]") for index in range(len(found))] != []


VALIDATE = Policy(mode="validate")


@pytest.mark.parametrize(
    "text, policy, told",
    [
        ("", VALIDATE, []),
        (pod(f"x/a:1@{ELSEWHERE}"), VALIDATE, []),
        (pod("auto"), VALIDATE, []),
        (pod("x/a:1", extra="  annotations: {pindown.dev/keep: frozen}\n"), VALIDATE, []),
        (pod("x/a:1"), VALIDATE, [("unpinned", "error", f"x/a:1 should read x/a:1@{DIGEST}")]),
        (solr("x/a", "1"), VALIDATE, [("unpinned", "error", f"x/a:1 should read x/a:1@{DIGEST}")]),
        (solr("x/a", f"1@{DIGEST}"), VALIDATE, []),
        (pod("x/a:1"), VALIDATE._replace(pin=Pin(style="tag")), []),
        (
            pod(f"x/a:1@{DIGEST}"),
            VALIDATE._replace(mirrors=(MIRROR,)),
            [("unpinned", "error", f"x/a:1@{DIGEST} should read m.example/hub/x/a:1@{DIGEST}")],
        ),
        (pod(f"m.example/hub/x/a:1@{DIGEST}"), VALIDATE._replace(mirrors=(MIRROR,)), []),
        (
            pod(f"x/a:1@{ELSEWHERE}"),
            VALIDATE._replace(pin=Pin(existing="refresh")),
            [("unpinned", "error", f"x/a:1@{ELSEWHERE} should read x/a:1@{DIGEST}")],
        ),
        (pod("x/no:1"), VALIDATE, [("not-found", "error", "docker.io/x/no:1: gone")]),
        (pod("x/no:1"), VALIDATE._replace(on_error="warn"), [("not-found", "warning", "docker.io/x/no:1: gone")]),
    ],
)
def test_validation_fails_for_every_text_that_would_change(text, policy, told):
    outcome, _ = run(text, policy=policy)
    assert [(one.rule, one.severity, one.message) for one in outcome.findings] == told
    assert outcome.failed is any(severity == "error" for _, severity, _ in told)


def test_what_was_transformed_passes_the_same_policy_as_a_validator():
    for mirror in ((), (MIRROR,)):
        for style in ("tag-and-digest", "digest", "tag"):
            policy = Policy(pin=Pin(style=style), mirrors=mirror)
            outcome, _ = run(pod("x/a:1") + "---\n" + pod("x/b"), ANCHORED % "", solr("x/a", "1"), policy=policy)
            for number in range(3):
                again, _ = run(outcome.text(number), policy=policy._replace(mode="validate"))
                assert again.findings == ()


def test_a_warned_run_does_not_fail():
    outcome, _ = run(pod("x/no:1"), policy=Policy(on_error="warn"))
    assert not outcome.failed and [one.severity for one in outcome.findings] == ["warning"]
    assert outcome.text() == pod("x/no:1")


def test_list_sees_what_is_settled():
    work = Run(Policy(), everything=True)
    work.survey.file(File("a", pod(f"x/a@{ELSEWHERE}")))
    (row,) = work.plan()
    assert row[0].value == f"x/a@{ELSEWHERE}"


def test_places_of_several_files():
    files = [File("a", "# c\n" + pod("x/no:1")), File("b", pod("x/no:1"))]
    work, where = Run(Policy()), Where()
    for file in files:
        work.survey.file(file)
    assert [where(site)[:3] for site in work.survey.sites] == [("a", 9, 12), ("b", 8, 12)]


def test_no_message_holds_what_a_terminal_obeys():
    outcome, _ = run(
        pod('"a\\e[31mb"', extra="  annotations: {pindown.dev/keep: ''}\n"), pod('"${\\e[31m}"'), pod('"\\a"')
    )
    assert len(outcome.findings) == 3
    assert [one for one in outcome.findings if not one.message.isprintable()] == []


def test_nobody_is_asked_about_what_is_left_to_others():
    outcome, table = run(pod("auto"), pod("x/a:1", comment=" # x-release-please-version"), rendered=False)
    assert (outcomes(outcome), table.batches) == (["kept", "kept"], [])


# Pull secrets.


def login(name, *keys, namespace=None, text=None):
    """A Secret with a login for each key."""
    config = json.dumps({"auths": {key: {"auth": CANARY} for key in keys}}) if text is None else text
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    body = {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": config}}
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": meta, **body})


def pulling(image, *names, namespace=None):
    """A Pod that names pull secrets."""
    listed = "".join(f"  - name: {name}\n" for name in names)
    text = pod(image, extra=f"  namespace: {namespace}\n" if namespace else "")
    return text + (f"  imagePullSecrets:\n{listed}" if names else "")


def test_without_secrets_everything_is_ambient():
    _, table = run(pulling("x/a:1", "regcred"), pod("x/b:1"))
    assert table.scopes == {"ambient": None}


def test_a_pods_own_image_is_asked_in_its_scope_and_edited_alike():
    outcome, table = run(pulling("x/a:1", "regcred"), pod("x/a:1"), login("regcred", "docker.io"))
    assert outcome.text(0) == pulling(f"x/a:1@{DIGEST}", "regcred") and outcome.text(1) == pod(f"x/a:1@{DIGEST}")
    assert table.batches == [["docker.io/x/a:1"] * 2]  # one question for each scope
    (scope,) = set(table.scopes) - {"ambient"}
    (secret,) = table.scopes[scope]
    assert scope.startswith("/regcred#") and (secret.namespace, secret.name) == ("", "regcred")
    assert outcome.findings == () and not outcome.failed


class ByScope(Table):
    """Answers each scope with another digest, and `ambient` with nothing."""

    def _answer(self, question):
        if question.scope == "ambient":
            return super()._answer(question._replace(source=question.source._replace(repository="none")))
        return Resolved({"a": DIGEST, "b": OTHER}[question.scope.partition("/")[0]])


def test_two_tenants_do_not_share_an_answer():
    texts = [pulling("x/a:1", "regcred", namespace=name) for name in "ab"]
    outcome, table = run(*texts, *(login("regcred", "docker.io", namespace=name) for name in "ab"), table=ByScope())
    assert outcome.text(0) == texts[0].replace("x/a:1", f"x/a:1@{DIGEST}")
    assert outcome.text(1) == texts[1].replace("x/a:1", f"x/a:1@{OTHER}")
    assert len(table.batches) == 1 and outcome.counts.images == 1


def test_a_pod_without_the_secret_is_refused_and_the_other_is_not():
    outcome, _ = run(
        pulling("x/a:1", "regcred", namespace="a"), pod("x/a:1"), login("regcred", "docker.io", namespace="a"),
        table=ByScope(),
    )  # fmt: skip
    assert outcomes(outcome) == ["pinned", "refused"]
    assert [(one.rule, one.place.file) for one in outcome.findings] == [("not-found", "1.yaml")]


@pytest.mark.parametrize(
    "policy, asked",
    [
        (Policy(use_manifest_secrets=False), {"ambient"}),
        (Policy(pin=Pin(style="tag")), None),
        (Policy(images=(ImageRule("images[0]", "docker.io/**", "keep", "frozen"),)), None),
        (Policy(images=(ImageRule("images[0]", "docker.io/**", "deny", "unsafe"),)), None),
    ],
)
def test_where_no_secret_is_looked_at(policy, asked):
    outcome, table = run(pulling("x/a:1", "bad"), login("bad", text=CANARY), policy=policy)
    assert (set(table.scopes) if table.scopes else None) == asked
    assert [one for one in outcome.findings if one.rule == "unreadable"] == []


def test_a_secret_that_cannot_be_used_is_one_warning_without_its_content():
    outcome, table = run(pulling("x/a:1", "bad") + "---\n" + pulling("x/b:1", "bad"), login("bad", text=CANARY))
    assert set(table.scopes) == {"ambient"} and not outcome.failed
    (finding,) = outcome.findings
    assert (finding.rule, finding.severity, finding.place.name) == ("unreadable", "warning", "bad")
    assert "its content is not JSON: it is not used" in finding.message and finding.place.line == 1
    assert CANARY not in repr(outcome.findings) + repr(finding)


def test_a_mirrors_secret_counts():
    _, table = run(pulling("x/a:1", "hub"), login("hub", "m.example"), policy=Policy(mirrors=(MIRROR,)))
    assert {scope.partition("#")[0] for scope in table.scopes} == {"/hub"}


def test_pinned_already_asks_nobody_whatever_secrets_there_are():
    outcome, table = run(pulling(f"x/a:1@{ELSEWHERE}", "regcred"), login("regcred", "docker.io"))
    assert (table.batches, outcome.findings) == ([], ())


def test_list_looks_at_no_secret():
    work = Run(Policy())
    work.survey.file(File("a", pulling("x/a:1", "bad") + "---\n" + login("bad", text=CANARY)))
    (row,) = work.plan()
    assert row[1].question.scope == "ambient" and work.findings() == ()


def test_an_outcome_shows_no_secret():
    outcome, _ = run(pulling("x/a:1", "regcred"), login("regcred", "docker.io"))
    assert CANARY not in repr(outcome)


# Pull secrets of mirrors.

HUB = Mirror("mirrors[0]", "docker.io/x", (Location("mirrors[0].locations[0]", "m.test/hub", pull_secret="hub"),))
INJECTS = Policy(mirrors=(HUB,), pull_secrets=PullSecrets(True, known=("hub",)))
ROBOT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\n"


def test_nothing_is_added_unless_the_policy_says_so():
    for policy in (INJECTS._replace(pull_secrets=PullSecrets()), INJECTS._replace(mirrors=())):
        outcome, _ = run(pod("x/a:1"), ROBOT, policy=policy)
        assert outcome.injections == () and "imagePullSecrets" not in outcome.text() + outcome.text(1)
        assert outcome.findings == ()


@pytest.mark.parametrize(
    "mirror",
    [
        HUB._replace(write="source"),
        HUB._replace(locations=(HUB.locations[0]._replace(pull_secret=None),)),
        HUB._replace(source="docker.io/y"),
    ],
)
def test_nothing_is_added_to_what_was_not_sent_there(mirror):
    outcome, _ = run(pod("x/a:1"), ROBOT, policy=INJECTS._replace(mirrors=(mirror,)))
    assert outcome.injections == () and outcome.text().count("imagePullSecrets") == 0 and outcome.findings == ()


def test_a_pull_secret_is_added_where_an_image_was_sent():
    outcome, _ = run(pod("x/a:1"), ROBOT, pod("y/b:1"), policy=INJECTS)
    sent = pod(f"m.test/hub/a:1@{DIGEST}").replace("  containers", "  imagePullSecrets:\n  - name: hub\n  containers")
    assert (outcome.text(), outcome.text(1), outcome.text(2)) == (sent, ROBOT, pod(f"y/b:1@{OTHER}"))
    ((one,), findings) = (outcome.injections, outcome.findings)
    assert (one.path, one.names, findings) == ("spec.imagePullSecrets", ("hub",), ())
    again, table = run(outcome.text(), ROBOT, policy=INJECTS)
    assert (again.text(), again.injections, again.findings) == (sent, (), ())


@pytest.mark.parametrize(("inject", "write", "asked"), [(True, "mirror", 1), (False, "mirror", 0), (True, "source", 0)])
def test_the_secret_that_is_added_counts_for_the_proof(inject, write, asked):
    policy = Policy(mirrors=(HUB._replace(write=write),), pull_secrets=PullSecrets(inject))
    _, table = run(pod("x/a:1"), ROBOT, login("hub", "m.test"), policy=policy)
    assert sum(scope is not None for scope in table.scopes.values()) == asked


def test_a_kept_image_that_is_sent_gets_it_too():
    text = pod("x/a:1", extra="  annotations: {pindown.dev/keep: frozen}\n")
    outcome, table = run(text, ROBOT, policy=INJECTS)
    assert (table.batches, len(outcome.injections)) == ([], 1)


def test_what_is_wrong_with_it_is_reported_at_the_image():
    outcome, _ = run("# a\n" + pod("x/a:1"), policy=INJECTS._replace(pull_secrets=PullSecrets(True)))
    told = [(one.rule, one.severity, one.place.line, one.place.path) for one in outcome.findings]
    place = (9, "spec.containers[0].image")
    assert told == [(rule, "warning", *place) for rule in ("pull-secret-missing", "pull-secret-conflict")]
    assert not outcome.failed


def test_a_secret_that_cannot_work_fails_the_run():
    text = login("hub", "other.test")
    outcome, _ = run(pod("x/a:1"), ROBOT, text, policy=INJECTS._replace(pull_secrets=PullSecrets(True)))
    assert outcome.failed and outcome.findings[0].rule == "pull-secret-conflict"
    assert CANARY not in str(outcome.findings)


def test_an_image_that_is_refused_gets_nothing():
    outcome, _ = run(pod("x/a:1"), ROBOT, policy=INJECTS, table=Table())
    assert outcome.failed and outcome.injections == ()
