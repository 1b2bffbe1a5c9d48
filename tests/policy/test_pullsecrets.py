"""Scopes: which pod may use which Secret for which image, and that nobody else may."""

from __future__ import annotations

import base64
import json

import pytest

from tests.kube.test_pullsecrets import survey
from transformer.images.reference import parse
from transformer.kube.identity import AFFIXES, FORMER_NAMES, NOWHERE
from transformer.kube.pullsecrets import ContentError, Secret
from transformer.policy.pullsecrets import ENTRIES_LIMIT, Scoper, keys_of
from transformer.policy.questions import Question
from transformer.text.source import File

CANARY = "canary-4711"
PREVIOUS, PREFIXES, _ = (FORMER_NAMES, *AFFIXES)


def login(user: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{CANARY}".encode()).decode()}


def meta(name: str, namespace: str | None, **notes: str) -> dict[str, object]:
    names = {"previous": PREVIOUS, "prefixes": PREFIXES}
    annotations = {names[key]: value for key, value in notes.items()}
    return {"name": name, **({"namespace": namespace} if namespace else {}), "annotations": annotations}


def secret(name, *keys, namespace=None, user=None, text=None, **notes) -> str:
    """A Secret with a login for each key; `text` instead of them is its whole content."""
    config = json.dumps({"auths": {key: login(user or name) for key in keys}})
    body = {
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": config if text is None else text},
    }
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": meta(name, namespace, **notes), **body})


def account(name, *names, namespace=None, **notes) -> str:
    body = {"imagePullSecrets": [{"name": one} for one in names]}
    return json.dumps(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(name, namespace, **notes), **body}
    )


def pod(*names, namespace=None, runs_as=None, **notes) -> str:
    spec = {
        "containers": [{"name": "main", "image": "registry.test/team/app:1"}],
        "imagePullSecrets": [{"name": one} for one in names],
        **({"serviceAccountName": runs_as} if runs_as else {}),
    }
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta("web", namespace, **notes), "spec": spec})


def scopes(*texts, image="registry.test/team/app:1", locations=(), added=()):
    """For each pod in the texts (one file each) the Secrets of its scope, as namespace/name; and the Scoper."""
    found = survey(*texts)
    scoper = Scoper(found.secrets, found.accounts)
    question = Question(parse(image).normalised(), tuple(parse(one).normalised() for one in locations))
    told = []
    for site in found.sites:
        scope = scoper.scope(site, question, added)
        used = () if scope == "ambient" else scoper.scopes[scope]
        told.append([f"{one.namespace}/{one.name}" for one in used])
    return told, scoper


REGCRED = secret("regcred", "registry.test")

#: Texts with one pod each: ambient.
AMBIENT = {
    "no Secret": [pod()],
    "a Secret that nobody names": [pod(), REGCRED],
    "a Secret that is not here": [pod("other"), REGCRED],
    "another registry": [pod("regcred"), secret("regcred", "other.test")],
    "another path": [pod("regcred"), secret("regcred", "registry.test/other")],
    "another port": [pod("regcred"), secret("regcred", "registry.test:5000")],
    "no entries": [pod("regcred"), secret("regcred")],
    "another namespace": [pod("regcred", namespace="a"), secret("regcred", "registry.test", namespace="b")],
    "a namespace and none": [pod("regcred", namespace="a"), REGCRED],
    "none and a namespace": [pod("regcred"), secret("regcred", "registry.test", namespace="a")],
    "none and default": [pod("regcred"), secret("regcred", "registry.test", namespace="default")],
    "another account": [pod(), account("robot", "regcred"), REGCRED],
    "an account that is not here": [pod(runs_as="robot"), account("default", "regcred"), REGCRED],
    "an account elsewhere": [pod(namespace="a"), account("default", "regcred"), REGCRED],
    "an account's Secret elsewhere": [pod(), account("default", "regcred"), secret("regcred", "r", namespace="b")],
    "an account beside a list": [pod("nothing", runs_as="robot"), account("robot", "regcred"), REGCRED],
}


@pytest.mark.parametrize("texts", AMBIENT.values(), ids=AMBIENT)
def test_nothing_to_use(texts):
    told, scoper = scopes(*texts)
    assert (told, scoper.scopes, scoper.unreadable) == ([[]], {}, [])


#: Texts with one pod each, and what it may use.
USED = {
    "its Secret": ([pod("regcred"), REGCRED], ["/regcred"]),
    "a Secret before it": ([REGCRED, pod("regcred")], ["/regcred"]),
    "in its namespace": (
        [pod("regcred", namespace="a"), secret("regcred", "registry.test", namespace="a"), REGCRED],
        ["a/regcred"],
    ),
    "only what fits, in its order": (
        [pod("z", "b", "a"), *(secret(name, "registry.test") for name in "az"), secret("b", "other.test")],
        ["/z", "/a"],
    ),
    "its account's": ([pod(runs_as="robot"), account("robot", "regcred"), REGCRED], ["/regcred"]),
    "the default account's": ([pod(), account("default", "regcred"), REGCRED], ["/regcred"]),
    "its own, not its account's": (
        [pod("own", runs_as="robot"), account("robot", "regcred"), REGCRED, secret("own", "registry.test")],
        ["/own"],
    ),
    "a glob": ([pod("regcred"), secret("regcred", "*.test/team")], ["/regcred"]),
    "a key with a scheme": ([pod("regcred"), secret("regcred", "https://registry.test/v1/")], ["/regcred"]),
    "the last of two": (
        [pod("regcred"), secret("regcred", "registry.test/old"), secret("regcred", "registry.test")],
        ["/regcred"],
    ),
}


@pytest.mark.parametrize(("texts", "expected"), USED.values(), ids=USED)
def test_used(texts, expected):
    assert scopes(*texts)[0] == [expected]


def test_a_location_counts_as_well_as_the_source():
    told, _ = scopes(pod("regcred"), REGCRED, image="nginx:1", locations=["registry.test/hub/nginx:1"])
    assert told == [["/regcred"]]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([pod()], []),
        ([pod(), REGCRED], ["/regcred"]),
        ([pod("other"), REGCRED, secret("other", "registry.test")], ["/other", "/regcred"]),
        ([pod("regcred"), REGCRED], ["/regcred"]),
        ([pod(), account("default", "a"), REGCRED, secret("a", "registry.test")], ["/a", "/regcred"]),
        ([pod(), secret("regcred", "other.test")], []),
        ([pod(namespace="a"), REGCRED], []),
    ],
)
def test_secrets_that_the_pod_will_get(texts, expected):
    assert scopes(*texts, added=("regcred",))[0] == [expected]


def test_docker_hub_under_its_old_name():
    hub = secret("hub", "https://index.docker.io/v1/")
    assert scopes(pod("hub"), hub, image="nginx")[0] == [["/hub"]]
    assert scopes(pod("hub"), hub, image="quay.io/a/b")[0] == [[]]
    other = secret("other", "docker.io")
    assert scopes(pod("hub", "other"), hub, other, image="nginx")[0] == [["/other"]]


@pytest.mark.parametrize("kind", ["kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson"])
def test_a_flat_map_counts_in_the_older_type_alone(kind):
    key = ".dockercfg" if kind.endswith("cfg") else ".dockerconfigjson"
    content = {key: json.dumps({"registry.test": login("me")})}
    one = {"apiVersion": "v1", "kind": "Secret", "metadata": meta("old", None), "type": kind, "stringData": content}
    told, scoper = scopes(pod("old"), json.dumps(one))
    assert told == [["/old"] if key == ".dockercfg" else []]
    assert bool(scoper.unreadable) is (key != ".dockercfg")


def test_what_is_handed_over_is_a_docker_config_without_helpers():
    text = json.dumps({"auths": {"registry.test": login("me")}, "credsStore": "evil", "credHelpers": {"x": "evil"}})
    _, scoper = scopes(pod("regcred"), secret("regcred", text=text))
    ((handed,),) = scoper.scopes.values()
    assert json.loads(handed.config) == {"auths": {"registry.test": login("me")}}


# Who shares, and who does not.


def names(texts):
    return list(scopes(*texts)[1].scopes)


def test_the_same_secret_is_the_same_scope():
    told, scoper = scopes(pod("regcred"), pod("regcred"), pod("other", "regcred"), REGCRED)
    assert told == [["/regcred"]] * 3 and len(scoper.scopes) == 1
    (scope,) = scoper.scopes
    assert scope.startswith("/regcred#") and CANARY not in scope


def test_tenants_do_not_share():
    tenants = [
        text
        for name in ("a", "b")
        for text in (pod("regcred", namespace=name), secret("regcred", "registry.test", namespace=name, user=name))
    ]
    told, scoper = scopes(*tenants)
    assert told == [["a/regcred"], ["b/regcred"]] and len(scoper.scopes) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([secret("regcred", "registry.test", user="a")], [secret("regcred", "registry.test", user="b")]),
        ([secret("regcred", "registry.test")], [secret("regcred", "registry.test", "other.test")]),
    ],
)
def test_another_content_is_another_scope(one, other):
    assert names([pod("regcred"), *one]) != names([pod("regcred"), *other])


def test_the_order_is_part_of_it():
    both = [secret(name, "registry.test") for name in "ab"]
    assert names([pod("a", "b"), *both]) != names([pod("b", "a"), *both])


def test_no_choice_of_names_makes_one_scope_look_like_another():
    victims = names([pod("a", "b"), secret("a", "registry.test"), secret("b", "registry.test")])
    head, _, tail = victims[0].partition(",/b#")
    forged = f"{head.removeprefix('/')},/b"
    assert tail and names([pod(forged), secret(forged, "registry.test")]) != victims


# Files and names.


def test_of_two_secrets_alike_the_one_in_the_same_file_counts():
    files = [f"{pod('regcred')}\n---\n{secret('regcred', 'registry.test', user=user)}" for user in ("dev", "prod")]
    told, scoper = scopes(*files)
    users = [json.loads(one.config)["auths"]["registry.test"] for (one,) in scoper.scopes.values()]
    assert told == [["/regcred"]] * 2 and users == [login("dev"), login("prod")]


@pytest.mark.parametrize(
    ("pod_notes", "secret_notes", "expected"),
    [
        ({"prefixes": "prod-"}, {"prefixes": "prod-", "previous": "regcred,regcred"}, ["/prod-regcred"]),
        ({"prefixes": "a-,prod-"}, {"prefixes": "prod-", "previous": "regcred"}, ["/prod-regcred"]),
        ({"prefixes": "b-"}, {"prefixes": "prod-", "previous": "regcred"}, []),
        ({"prefixes": "prod-"}, {"prefixes": "prod-"}, []),
    ],
)
def test_a_name_that_kustomize_has_not_mended(pod_notes, secret_notes, expected):
    told, _ = scopes(pod("regcred", **pod_notes), secret("prod-regcred", "registry.test", **secret_notes))
    assert told == [expected]


def test_an_account_that_kustomize_has_not_mended():
    notes = {"prefixes": "prod-", "previous": "robot"}
    texts = [
        pod(runs_as="robot", prefixes="prod-"),
        account("prod-robot", "regcred", **notes),
        secret("prod-regcred", "registry.test", **{**notes, "previous": "regcred"}),
    ]
    assert scopes(*texts)[0] == [["/prod-regcred"]]


def test_layers_side_by_side_keep_their_own():
    texts = [
        text
        for layer in ("a-", "b-")
        for text in (
            pod("regcred", prefixes=layer),
            secret(f"{layer}regcred", "registry.test", user=layer, prefixes=layer, previous="regcred"),
        )
    ]
    assert scopes(*texts)[0] == [["/a-regcred"], ["/b-regcred"]]


def test_a_name_as_it_is_comes_before_a_former_one():
    texts = [secret("x-regcred", "registry.test", prefixes="x-", previous="regcred"), REGCRED, pod("regcred")]
    assert scopes(*texts)[0] == [["/regcred"]]


# Content that is of no use.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CANARY, "is not JSON"),
        ("", "is not JSON"),
        ("${DOCKER_CONFIG}", "is not JSON"),
        ('{"auths": {"registry.test": {"auth": "canary-4711"', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a mapping with a mapping `auths`"),
        ("{}", "is not a mapping with a mapping `auths`"),
        ('{"auths": "canary-4711"}', "is not a mapping with a mapping `auths`"),
        (
            json.dumps({"auths": {f"{number}.test": login("x") for number in range(ENTRIES_LIMIT + 1)}}),
            f"has more than {ENTRIES_LIMIT} registries",
        ),
    ],
)
def test_content_that_cannot_be_used(text, reason):
    told, scoper = scopes(pod("bad", "good"), pod("bad"), secret("bad", text=text), secret("good", "registry.test"))
    assert told == [["/good"], []]
    (oddity,) = scoper.unreadable
    assert (oddity.what, oddity.text, oddity.resource.name) == ("pull-secret", reason, "bad")
    assert oddity.path == 'stringData[".dockerconfigjson"]' and CANARY not in str(scoper.unreadable)


def test_it_is_no_matter_where_nobody_names_it():
    assert scopes(pod("good"), secret("bad", text=CANARY), secret("good", "registry.test"))[1].unreadable == []


def test_nothing_shows_a_secret():
    _, scoper = scopes(pod("regcred"), REGCRED)
    shown = repr(scoper.scopes) + repr(vars(scoper))
    assert "regcred" in shown
    assert CANARY not in shown and login("regcred")["auth"] not in shown


@pytest.mark.parametrize(
    ("entry", "is_fine"),
    [
        ({}, True),
        ({"username": "a", "password": "b"}, True),
        ({"auth": ""}, True),
        ({"auth": None}, True),
        ({"auth": "YTpi"}, True),
        ({"auth": "YTpiYw"}, True),
        ({"auth": "YTpiYw=="}, True),
        ({"auth": "YWI="}, False),
        ({"auth": "!!!YTpi"}, False),
        ({"auth": 1}, False),
        ("YTpi", False),
        ([], False),
    ],
)
def test_one_login_that_cannot_be_decoded_spoils_the_secret(entry, is_fine):
    content = json.dumps({"auths": {"good.test": {"auth": "YTpi"}, "other.test": entry}})
    resource = NOWHERE._replace(namespace="x", name="s")
    one = Secret(File("x.yaml", ""), resource, 0, "stringData", ".dockerconfigjson", content)
    if is_fine:
        assert keys_of(one) == ("good.test", "other.test")
    else:
        with pytest.raises(ContentError) as caught:
            keys_of(one)
        assert "YTpi" not in str(caught.value)
