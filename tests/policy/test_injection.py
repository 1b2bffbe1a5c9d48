"""Which lists of pull secrets grow, which do not, and what is wrong with the secrets that are to be there."""

from __future__ import annotations

import base64
import json

import pytest
import yaml

from tests.doors import item
from tests.kube.test_pullsecrets import survey
from tests.policy.test_pullsecrets import CANARY, login, meta, secret
from transformer.images.reference import parse
from transformer.kube.pullsecrets import ENFORCES
from transformer.policy.injection import Injector
from transformer.policy.mirrors import Candidate
from transformer.policy.model import PullSecrets
from transformer.text.edits import apply

MIRROR = "mirror.test/hub/library/nginx"
HUB = secret("hub", "mirror.test/hub")
POD, ACCOUNT_ABSENT = PullSecrets(True), "which is not among the manifests"
TO_ACCOUNT = PullSecrets(True, "serviceAccount")


def pod(lines="", name="web", namespace=None, image="nginx:1"):
    """A Deployment; `lines` stand in its pod spec."""
    where = f", namespace: {namespace}" if namespace else ""
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}{where}}}\nspec:\n  template:\n    spec:\n"
        + "".join(f"      {line}\n" for line in lines.splitlines())
        + f"      containers:\n      - image: {image}\n"
    )


def account(name, *names, namespace=None, enforces=None):
    where = f", namespace: {namespace}" if namespace else ""
    notes = f", annotations: {{{ENFORCES}: '{enforces}'}}" if enforces else ""
    listed = f"imagePullSecrets: [{', '.join(f'{{name: {one}}}' for one in names)}]\n" if names else ""
    return f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}{where}{notes}}}\n{listed}"


def injected(*texts, rules=POD, wanted="hub", at=MIRROR, known=()):
    """The texts afterwards, what was added as (object, path, names), and the complaints."""
    found = survey(*texts)
    injector = Injector(rules._replace(known=(*rules.known, *known)), found)
    for site in found.sites:
        injector.add(site, Candidate(parse(at), "mirrors[0].locations[0]", wanted))
    made, edits = injector.finish()
    files = {one.file.name: one.file for one in (*found.sites, *found.accounts)}
    told = [(one.resource.name, one.path, one.names) for one in made]
    changed = [apply(text, edits.get(id(files.get(f"{at}.yaml")), ())) for at, text in enumerate(texts)]
    return changed, told, [(one.severity, one.refusal.rule, one.refusal.message) for one in injector.complaints]


def specs(*texts):
    """The pull secrets of every object in the texts, by name."""
    found = {}
    for text in texts:
        for one in yaml.safe_load_all(text):
            holder = one["spec"]["template"]["spec"] if one["kind"] == "Deployment" else one
            found[one["metadata"]["name"]] = [each["name"] for each in holder.get("imagePullSecrets") or ()]
    return found


LIST = "spec.template.spec.imagePullSecrets"
OWN = "imagePullSecrets: [{name: own}]"
ROBOT = "serviceAccountName: robot"

# Where nothing is added.

NOTHING = {
    "no secret at this location": ([pod(), account("default")], {"wanted": None}),
    "it is in the list": ([pod("imagePullSecrets: [{name: hub}]")], {}),
    "it is in the list, of several": ([pod("imagePullSecrets: [{name: own}, {name: hub}]")], {}),
    "the account has it": ([pod(), account("default", "hub")], {}),
    "the account that it names has it": ([pod(ROBOT), account("robot", "other", "hub")], {}),
    "the account by its old name has it": ([pod("serviceAccount: robot"), account("robot", "hub")], {}),
    "the account has it, which is the target": ([pod(), account("default", "hub")], {"rules": TO_ACCOUNT}),
}


@pytest.mark.parametrize(("texts", "options"), NOTHING.values(), ids=NOTHING)
def test_nothing_is_added(texts, options):
    assert injected(*texts, HUB, **options) == ([*texts, HUB], [], [])


def test_a_name_that_kustomize_has_not_mended_is_the_same_secret():
    notes = {"prefixes": "prod-"}
    one = json.loads(pod_json(imagePullSecrets=[{"name": "prod-hub"}]))
    one["metadata"] = meta("web", None, **notes)
    texts = [json.dumps(one), secret("prod-hub", "mirror.test", previous="hub", **notes)]
    assert injected(*texts) == (texts, [], [])


# What is no pod.

UNKNOWN = {
    "a kind of its own with containers": "apiVersion: x.test/v1\nkind: Widget\nmetadata: {name: w}\n"
    "spec: {runner: {containers: [{image: nginx}]}}\n",
    "containers in the spec of another kind": "apiVersion: x.test/v1\nkind: Pod\nmetadata: {name: w}\n"
    "spec: {containers: [{image: nginx}]}\n",
    "a field of the catalogue": "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: w}\n"
    "spec: {image: nginx}\n",
    "no key before the spec": "kind: X\nmetadata: {name: w}\ntemplate: {containers: [{image: nginx}]}\n",
}


@pytest.mark.parametrize("text", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_no_pod_is_left_alone_and_told(text):
    changed, told, ((severity, rule, message),) = injected(text, HUB)
    assert (changed, told, severity, rule) == ([text, HUB], [], "warning", "pull-secret-missing")
    assert "needs the pull secret hub" in message and "NOT added" in message


@pytest.mark.parametrize(
    "lines",
    [
        "spec: {image: nginx, imagePullSecrets: [{name: hub}]}\n",
        "spec: {image: nginx, registry: {pullSecrets: [hub]}}\n",
        "spec: {containers: [{image: nginx}], imagePullSecrets: [{name: hub}]}\n",
    ],
)
def test_what_somebody_added_by_hand_is_not_told_again(lines):
    text = f"apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {{name: w}}\n{lines}"
    assert injected(text, HUB) == ([text, HUB], [], [])


def test_several_images_of_one_object_are_told_once():
    text = "apiVersion: x.test/v1\nkind: Widget\nspec: {containers: [{image: a}, {image: b}]}\n"
    assert len(injected(text, HUB)[2]) == 1


# To the pod.

PODS = {
    "its own list": ([pod(OWN), account("default", "theirs")], ["own", "hub"]),
    "its own list, and no account": ([pod(OWN)], ["own", "hub"]),
    "its own list without a name": ([pod("imagePullSecrets: [{}]")], None),
    "an account without any": ([pod(), account("default")], ["hub"]),
    "an account's are written with it": ([pod(), account("default", "a", "b")], ["a", "b", "hub"]),
    "of the account that it names": ([pod(ROBOT), account("robot", "a"), account("default", "b")], ["a", "hub"]),
    "an empty list": ([pod("imagePullSecrets: []"), account("default", "a")], ["a", "hub"]),
    "a null": ([pod("imagePullSecrets:"), account("default", "a")], ["a", "hub"]),
}


@pytest.mark.parametrize(("texts", "expected"), PODS.values(), ids=PODS)
def test_a_pod(texts, expected):
    changed, told, complaints = injected(*texts, HUB)
    assert complaints == [] and changed[1:] == [*texts[1:], HUB]
    names = yaml.safe_load(changed[0])["spec"]["template"]["spec"]["imagePullSecrets"]
    assert names == ([{}, {"name": "hub"}] if expected is None else [{"name": one} for one in expected])
    assert [(name, path) for name, path, _ in told] == [("web", LIST)]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{image: nginx}]}\n",
        "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: p}\ntemplate: {spec: {containers: [{image: nginx}]}}\n",
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: p}\n"
        "spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: nginx}]}}}}}\n",
        "apiVersion: x.test/v1\nkind: X\nspec: {sets: [{podTemplate: {spec: {containers: [{image: nginx}]}}}]}",
        "apiVersion: x.test/v1\nkind: X\nspec: {a.b/c: {template: {spec: {containers: [{image: nginx}]}}}}\n",
        "kind: X\nspec: {template: {spec: {volumes: [{image: {reference: nginx}}]}}}\n",
        "kind: X\nspec: {template: {spec: {initContainers: [{image: nginx}]}}}\n",
    ],
)
def test_places_of_pods(text):
    (changed, *_), ((_, path, names),), _ = injected(text, HUB, account("default"))
    assert names == ("hub",) and path.endswith(".imagePullSecrets")
    assert changed.count("imagePullSecrets: [{name: hub}], ") == 1
    assert changed.replace("imagePullSecrets: [{name: hub}], ", "") == text


def test_all_images_of_a_pod_and_all_secrets_are_one_list():
    found = survey(
        pod() + "      - image: redis:1\n      initContainers: [{image: busybox}]\n", account("default", "a")
    )
    injector = Injector(POD._replace(known=("one", "two")), found)
    for site, name in zip(found.sites, ("two", "one", "two"), strict=True):
        injector.add(site, Candidate(parse(MIRROR), "mirrors[0].locations[0]", name))
    ((one,), _) = injector.finish()
    assert (one.names, one.path, one.is_account) == (("a", "two", "one"), LIST, False)


def test_an_account_that_is_not_here_is_told_once():
    texts = [pod(), pod(name="other"), pod(ROBOT, name="third"), pod(name="fourth", namespace="b")]
    changed, told, complaints = injected(*texts, known=["hub"])
    assert specs(*changed) == dict.fromkeys(("web", "other", "third", "fourth"), ["hub"])
    assert [(severity, rule) for severity, rule, _ in complaints] == [("warning", "pull-secret-conflict")] * 3
    assert all(ACCOUNT_ABSENT in message for _, _, message in complaints)
    assert "ServiceAccount default" in complaints[0][2] and "ServiceAccount robot" in complaints[1][2]


@pytest.mark.parametrize("elsewhere", [account("default", "a", namespace="b"), account("other", "a")])
def test_an_account_elsewhere_does_not_count(elsewhere):
    changed, _, ((_, _, message),) = injected(pod(), elsewhere, HUB)
    assert specs(changed[0]) == {"web": ["hub"]} and ACCOUNT_ABSENT in message


def test_the_next_step_depends_on_the_target():
    for rules, expected in ((POD, True), (TO_ACCOUNT, False)):
        found = survey(pod())
        injector = Injector(rules._replace(known=("hub",)), found)
        injector.add(found.sites[0], Candidate(parse(MIRROR), "", "hub"))
        (complaint,) = injector.complaints
        assert ("target: serviceAccount" in complaint.refusal.help) is expected


# To the account.


def test_the_account_gets_it():
    texts = [pod(), pod(ROBOT, name="other"), account("default", "a"), account("robot")]
    changed, told, complaints = injected(*texts, HUB, rules=TO_ACCOUNT)
    assert changed[:2] == texts[:2] and complaints == []
    assert specs(*changed[:4]) == {"web": [], "other": [], "default": ["a", "hub"], "robot": ["hub"]}
    assert told == [("default", "imagePullSecrets", ("hub",)), ("robot", "imagePullSecrets", ("hub",))]


def test_the_account_gets_it_once():
    changed, told, _ = injected(pod(), pod(name="b"), account("default"), HUB, rules=TO_ACCOUNT)
    assert len(told) == 1 and changed[2].count("hub") == 1


def test_a_pod_with_a_list_gets_it_itself():
    texts = [pod(OWN), account("default")]
    changed, told, complaints = injected(*texts, HUB, rules=TO_ACCOUNT)
    assert specs(*changed[:2]) == {"web": ["own", "hub"], "default": []}
    assert (told, complaints) == ([("web", LIST, ("hub",))], [])


def test_where_an_account_has_its_list():
    changed, _, _ = injected(pod(), account("default") + "secrets:\n- name: x\n", HUB, rules=TO_ACCOUNT)
    assert changed[1] == account("default") + "imagePullSecrets:\n- name: hub\nsecrets:\n- name: x\n"
    changed, _, _ = injected(pod(), account("default"), HUB, rules=TO_ACCOUNT)
    assert changed[1] == account("default").replace("metadata", "imagePullSecrets:\n- name: hub\nmetadata")


@pytest.mark.parametrize(
    ("lines", "names", "rules", "warned"),
    [
        ("", ("a",), POD, True),
        ("", ("a", "hub"), POD, False),
        ("", ("a",), TO_ACCOUNT, False),
        (OWN, ("own",), POD, True),
        (OWN, ("own", "hub"), POD, False),
        (OWN, ("own",), TO_ACCOUNT, True),
    ],
)
def test_an_account_that_enforces_its_list(lines, names, rules, warned):
    told = injected(pod(lines), account("default", *names, enforces="true"), HUB, rules=rules)[2]
    assert [rule for _, rule, _ in told] == ["pull-secret-conflict"] * warned
    assert all(severity == "warning" and "API server will refuse" in message for severity, _, message in told)
    assert injected(pod(lines), account("default", *names, enforces="false"), HUB, rules=rules)[2] == []


# However it is written.


def pod_json(**spec):
    body = {"template": {"spec": {**spec, "containers": [{"image": "nginx:1"}]}}}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": body})


def test_json_values_on_end():
    text = "\n".join([pod_json(), account_json("default", "a"), pod_json(imagePullSecrets=[{"name": "\U0001f389"}])])
    changed, told, _ = injected(text, HUB)
    one, _, other = (json.loads(line) for line in changed[0].splitlines())
    assert one["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "a"}, {"name": "hub"}]
    assert other["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "\U0001f389"}, {"name": "hub"}]


def account_json(name, *names):
    listed = {"imagePullSecrets": [{"name": one} for one in names]}
    return json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}, **listed})


@pytest.mark.parametrize("kind", ["List", "ResourceList"])
@pytest.mark.parametrize("odd", ["", '- {kind: X, a: "b\n\n  c"}\n'])
def test_items_of_a_list(kind, odd):
    """Cut into items by the text, and (`odd`) where that is not possible."""
    texts = [pod(), account("robot", "a"), pod(ROBOT, name="b")]
    text = f"apiVersion: v1\nkind: {kind}\nitems:\n" + "".join(map(item, texts)) + odd
    (changed, _), told, _ = injected(text, HUB, rules=POD)
    items = yaml.safe_load(changed)["items"]
    assert [one["name"] for one in items[0]["spec"]["template"]["spec"]["imagePullSecrets"]] == ["hub"]
    assert [one["name"] for one in items[2]["spec"]["template"]["spec"]["imagePullSecrets"]] == ["a", "hub"]
    added = "      imagePullSecrets:\n"
    assert changed.count(added.strip()) == 3 and len(told) == 2


def test_lists_in_lists():
    inner = "apiVersion: v1\nkind: List\nitems:\n" + item(pod())
    text = "kind: List\nitems:\n" + item(inner)
    (changed, _), told, _ = injected(text, HUB)
    spec = yaml.safe_load(changed)["items"][0]["items"][0]["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "hub"}] and told == [("web", LIST, ("hub",))]


def test_an_object_inside_an_object():
    text = "apiVersion: template.openshift.io/v1\nkind: Template\nobjects:\n" + item(pod())
    (changed, _), told, _ = injected(text, HUB)
    spec = yaml.safe_load(changed)["objects"][0]["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "hub"}] and told == [("web", LIST, ("hub",))]


SHARED = """\
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: one}
  spec: &x {template: {spec: {containers: [{image: nginx}]}}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: two}
  spec: *x
"""


def test_one_text_for_two_pods():
    (changed, _), told, _ = injected(SHARED, HUB)
    assert changed.count("hub") == 1 and [name for name, _, _ in told] == ["one", "two"]


@pytest.mark.parametrize(
    "text",
    [
        SHARED.replace("spec: *x", "status: {former: *x}"),
        SHARED.replace("{name: two}", "{name: two, namespace: b}") + item(account("default", "a")),
    ],
)
def test_one_text_with_two_meanings(text):
    changed, _, complaints = injected(text, HUB, known=["hub"])
    errors = [message for severity, _, message in complaints if severity == "error"]
    assert changed[0] == text and errors and all("cannot be added" in message for message in errors)


# Whether the secret is there.


def missing(*texts, **options):
    told = injected(*texts, account("default"), account("default", namespace="a"), **options)[2]
    return [(severity, rule) for severity, rule, _ in told]


THERE = {
    "a Secret": [HUB],
    "in its namespace": [pod(namespace="a"), secret("hub", "mirror.test", namespace="a")],
    "a SealedSecret": ["apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: hub}\n"],
    "a SealedSecret of another name": [
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: x}\n"
        "spec: {template: {metadata: {name: hub}}}\n"
    ],
    "an ExternalSecret": ["apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: hub}\n"],
    "an ExternalSecret of another name": [
        "apiVersion: external-secrets.io/v1beta1\nkind: ExternalSecret\nmetadata: {name: x}\n"
        "spec:\n  target:\n    name: hub\n"
    ],
}


@pytest.mark.parametrize("texts", THERE.values(), ids=THERE)
def test_it_is_there(texts):
    assert missing(*(texts if len(texts) > 1 else [pod(), *texts])) == []


ABSENT = {
    "nothing": [],
    "another name": [secret("other", "mirror.test")],
    "another namespace": [secret("hub", "mirror.test", namespace="b")],
    "another kind": ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hub}\n"],
    "a SealedSecret that makes another": [
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: hub}\n"
        "spec: {template: {metadata: {name: x}}}\n"
    ],
    "an ExternalSecret of nobody's": ["apiVersion: x.test/v1\nkind: ExternalSecret\nmetadata: {name: hub}\n"],
}


@pytest.mark.parametrize("texts", ABSENT.values(), ids=ABSENT)
def test_it_is_not_there(texts):
    assert missing(pod(), *texts) == [("warning", "pull-secret-missing")]
    assert missing(pod(), *texts, known=["hub"]) == []


def test_it_is_told_once_for_a_namespace():
    texts = [pod(), pod(name="b"), pod(name="c", namespace="a")]
    assert missing(*texts) == [("warning", "pull-secret-missing")] * 2


def test_a_secret_that_the_pod_has_already_is_judged_as_well():
    assert missing(pod("imagePullSecrets: [{name: hub}]")) == [("warning", "pull-secret-missing")]


def test_no_other_secret_is_judged():
    assert missing(pod(OWN), HUB, secret("own", text=CANARY)) == []


# Whether it can work.


def opaque(name, type_="Opaque", **data):
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": type_, "data": data})


def encoded(text):
    return base64.b64encode(text.encode()).decode()


JSON_TYPE, JSON_KEY = "kubernetes.io/dockerconfigjson", ".dockerconfigjson"
BROKEN = json.dumps({"auths": {"mirror.test": login("x")}})[:-3]
USELESS = {
    "another type": (opaque("hub", data=CANARY), "its type is Opaque"),
    "no type": (opaque("hub", "").replace(', "type": ""', ""), "it has no type"),
    "the key of the other type": (opaque("hub", JSON_TYPE, **{".dockercfg": encoded("{}")}), "it has no text under"),
    "no data": (opaque("hub", JSON_TYPE), "it has no text under .dockerconfigjson"),
    "no base64": (opaque("hub", JSON_TYPE, **{JSON_KEY: CANARY}), "its content is not base64 of a text"),
    "no JSON": (opaque("hub", JSON_TYPE, **{JSON_KEY: encoded(BROKEN)}), "its content is not JSON"),
    "no mapping": (opaque("hub", JSON_TYPE, **{JSON_KEY: encoded("[]")}), "its content is not a mapping with"),
    "another host": (secret("hub", "docker.io"), "it has no entry for mirror.test/hub/library/nginx"),
    "another path": (secret("hub", "mirror.test/quay"), "it has no entry for mirror.test/hub/library/nginx"),
    "another port": (secret("hub", "mirror.test:5000"), "it has no entry for"),
    "one label less": (secret("hub", "*"), "it has no entry for"),
    "no entries": (secret("hub"), "it has no entry for"),
}


@pytest.mark.parametrize(("text", "why"), USELESS.values(), ids=USELESS)
def test_what_cannot_work(text, why):
    changed, told, complaints = injected(pod(), pod(name="b"), account("default"), text)
    ((severity, rule, message),) = complaints
    assert (severity, rule) == ("error", "pull-secret-conflict") and why in message
    assert "the Secret hub cannot be used to pull mirror.test/hub/library/nginx" in message
    assert CANARY not in str(complaints) and login("x")["auth"] not in str(complaints)
    assert injected(pod(), account("default"), text, known=["hub"])[2] == []


@pytest.mark.parametrize(
    "text",
    [
        secret("hub", "*.test"),
        secret("hub", "https://mirror.test/v2/"),
        secret("hub", "mirror.test/hub/lib"),
        secret("hub", "other.test", "mirror.test"),
    ],
)
def test_what_works(text):
    assert injected(pod(), account("default"), text)[2] == []


def test_docker_hub_by_the_name_that_everybody_uses():
    old = secret("hub", "https://index.docker.io/v1/")
    assert injected(pod(), account("default"), old, at="docker.io/acme/nginx")[2] == []
    assert injected(pod(), account("default"), old)[2] != []


@pytest.mark.parametrize(
    "text",
    [
        opaque("hub", "${TYPE}"),
        opaque("hub", JSON_TYPE, **{JSON_KEY: "ENC[AES256_GCM,data:x,type:str]"}),
        opaque("hub", JSON_TYPE, **{JSON_KEY: "<path:secret/data/hub#config>"}),
        opaque("hub", JSON_TYPE, **{JSON_KEY: "{{ .Values.config | b64enc }}"}),
        secret("hub", text="${CONFIG}"),
        secret("hub", "${REGISTRY}"),
        opaque("hub", JSON_TYPE, **{JSON_KEY: encoded("<path:secret/data/hub#config>")}),
    ],
)
def test_what_something_else_fills_in_proves_nothing(text):
    assert injected(pod(), account("default"), text)[2] == []


def test_names_from_outside_are_not_shown_raw():
    bad = json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}})
    evil = json.dumps("a\x1b[0m\n" + "b" * 500)
    texts = [pod(f"serviceAccountName: {evil}"), bad]
    for _, _, message in injected(*texts, known=["hub"])[2]:
        assert "\x1b" not in message and "\n" not in message and len(message) < 600


def test_names_of_the_account_that_cannot_be_copied():
    text = account("default") + 'imagePullSecrets: [{name: "a\\nb: c"}]\n'
    changed, told, ((severity, rule, message),) = injected(pod(), text, HUB)
    assert (changed[0], told, severity, rule) == (pod(), [], "error", "pull-secret-conflict")
    assert "\n" not in message
