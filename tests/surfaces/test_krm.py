"""The KRM door: what must not change first, then the results, the policies it takes, and how it fails."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.doors import ELSEWHERE, V1, item, pod, resource_list, results, rules, transformer, without_results
from transformer.surfaces import krm
from transformer.text.source import File

VERSIONS = (V1, "config.kubernetes.io/v1beta1", "config.kubernetes.io/v1alpha1")
EMPTY = f"apiVersion: {V1}\nkind: ResourceList\n"

KUSTOMIZE = """\
  annotations:
    config.k8s.io/id: '1'
    config.kubernetes.io/index: '0'
    internal.config.kubernetes.io/annotations-migration-resource-id: '0'
    internal.config.kubernetes.io/needsHashSuffix: enabled
    kustomize.config.k8s.io/id: |
      kind: Pod
      name: web
      version: v1
"""
KPT = """\
  annotations:
    config.kubernetes.io/index: '3'
    config.kubernetes.io/path: 'base/web.yaml'
    internal.config.kubernetes.io/index: '3'
    internal.config.kubernetes.io/path: 'base/web.yaml'
    internal.config.kubernetes.io/seqindent: 'wide'
"""
KEPT = "  annotations: {pindown.dev/keep: frozen}\n"

#: name -> a ResourceList with one image; IMAGE is where it stands.
UNTOUCHED = {
    "bare": resource_list(pod("IMAGE")),
    "kustomize's annotations": resource_list(pod("IMAGE", extra=KUSTOMIZE)),
    "kpt's annotations": resource_list(pod("IMAGE", extra=KPT)),
    "functionConfig after": resource_list(pod("IMAGE"), config=transformer()),
    "functionConfig before": f"{EMPTY}{transformer()}items:\n{item(pod('IMAGE'))}",
    "items first": f"items:\n{item(pod('IMAGE'))}kind: ResourceList\napiVersion: {V1}\n",
    "comments": "# top\n" + resource_list("# in\n" + pod("IMAGE", comment=" # why"), config="# tail\n"),
    "marker in front": "---\n" + resource_list(pod("IMAGE")),
    "marker with comment": "--- # here\n" + resource_list(pod("IMAGE")),
    "directive": "%YAML 1.2\n---\n" + resource_list(pod("IMAGE")),
    "blank lines": "\n\n" + resource_list(pod("IMAGE")) + "\n\n",
    "comment document before": "# nothing\n---\n" + resource_list(pod("IMAGE")),
    "indented items": f"{EMPTY}items:\n" + "".join(f"    {line}\n" for line in item(pod("IMAGE")).splitlines()),
    "double quotes": resource_list(pod('"IMAGE"')),
    "single quotes": resource_list(pod("'IMAGE'")),
    "tilde and octal": resource_list(pod("IMAGE", extra="  labels: {a: ~, b: 010, c: yes}\n")),
    "unicode": resource_list(pod("IMAGE", extra="  annotations: {note: 'café 🎉'}\n")),
    "a pod of another": resource_list(pod("IMAGE"), pod("a/b@" + ELSEWHERE, "other")),
}


@pytest.mark.parametrize("name", UNTOUCHED)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_nothing_but_the_image_changes(door, nginx, pinned, name, newline):
    sent = UNTOUCHED[name].replace("\n", newline)
    ran = door(stdin=sent.replace("IMAGE", nginx))
    assert ran.code == 0, ran.err
    assert ran.out.startswith(sent.replace("IMAGE", pinned))
    assert rules(results(ran.out)) == ["pin"]


@pytest.mark.parametrize("name", UNTOUCHED)
def test_a_second_run_changes_nothing(door, nginx, name):
    once = door(stdin=UNTOUCHED[name].replace("IMAGE", nginx)).out
    assert door(stdin=once).out == once


@pytest.mark.parametrize("version", VERSIONS)
def test_the_version_is_echoed(door, nginx, pinned, version):
    ran = door(stdin=resource_list(pod(nginx), version=version))
    assert without_results(ran.out) == resource_list(pod(pinned), version=version)


def test_what_stands_behind_the_end_marker_stays(door, nginx, pinned):
    ran = door(stdin=resource_list(pod(nginx)) + "...\n# behind\n")
    assert ran.out.startswith(resource_list(pod(pinned)) + "results:\n")
    assert ran.out.endswith("\n...\n# behind\n")
    assert len(results(ran.out)) == 1


def test_a_byte_order_mark_stays(door, nginx, pinned):
    ran = door(stdin="\ufeff" + resource_list(pod(nginx)))
    assert ran.out.startswith("\ufeff" + resource_list(pod(pinned)))


def test_a_missing_final_newline(door, nginx, pinned):
    ran = door(stdin=resource_list(pod(nginx)).removesuffix("\n"))
    assert ran.out.startswith(resource_list(pod(pinned)) + "results:\n- ")
    assert len(results(ran.out)) == 1


@pytest.mark.parametrize("indent", [None, 2, "\t"], ids=repr)
def test_json_is_answered_in_json(door, nginx, pinned, indent):
    sent = {"kind": "ResourceList", "apiVersion": V1, "note": "🎉", "items": [yaml.safe_load(pod(nginx))]}
    ran = door(stdin=json.dumps(sent, indent=indent))
    answer = json.loads(ran.out)
    assert answer.pop("results")[0]["field"]["proposedValue"] == pinned
    sent["items"] = [yaml.safe_load(pod(pinned))]
    assert (ran.code, answer, list(answer)) == (0, sent, list(sent))


def test_flow_style_stays(door, nginx, pinned):
    spec = "{containers: [{name: main, image: '%s'}]}"
    pods = f"[{{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {spec}}},]"
    flow = f"{{kind: ResourceList, apiVersion: {V1}, items: {pods},}} # }}\n"
    ran = door(stdin=flow % nginx)
    assert ran.out.startswith((flow % pinned)[:-7])
    assert ran.out.endswith(",} # }\n") and rules(results(ran.out)) == ["pin"]


@pytest.mark.parametrize("items", ["", "items:\n", "items: []\n", "items: null\n", "items: ~\n"])
def test_a_list_without_items_is_fine_and_unchanged(door, items):
    ran = door(stdin=EMPTY + items)
    assert (ran.code, ran.out) == (0, EMPTY + items)


def test_nothing_to_say_adds_no_results(door):
    sent = resource_list(pod("a/b:1@" + ELSEWHERE))
    assert door(stdin=sent)[:2] == (0, sent)


OLD = {"message": "old", "severity": "info"}


@pytest.mark.parametrize(
    "before, kept",
    [
        ("results:\n- message: old\n  severity: info\n", [OLD]),
        ("results:\n  - message: old\n    severity: info\n", [OLD]),
        ("results:\n    - message: old\n      severity: info # why\n# tail\n", [OLD]),
        ("results: &r\n- {message: old, severity: info}\n", [OLD]),
        ("results: [{message: old, severity: info}]\n", [OLD]),
        ("results: [{message: old, severity: info}, ]\n", [OLD]),
        ("results:\n  [{message: old, severity: info}]\n", [OLD]),
        ('"results": [ {message: old, severity: info} ] # why\n', [OLD]),
        ("results:\n- severity: info\n  message: |-\n    old\n\n\n", [OLD]),
        ("results: []\n", []),
        ("results: [ ] # none\n", []),
        ("results:\n", []),
        ("results: # none\n", []),
        ("results: null\n", []),
        ("results: ~\n", []),
    ],
)
@pytest.mark.parametrize("place", ["after", "before"])
def test_results_that_are_there_are_kept(door, nginx, pinned, before, kept, place):
    items = "items:\n" + item(pod("IMAGE"))
    sent = EMPTY + (items + before if place == "after" else before + items)
    ran = door(stdin=sent.replace("IMAGE", nginx))
    found = results(ran.out)
    assert ran.code == 0, ran.err
    assert found[:-1] == kept and found[-1]["field"]["proposedValue"] == pinned
    assert ran.out.count("results") == sent.count("results")


def test_results_in_json_are_kept(door, nginx):
    sent = {"kind": "ResourceList", "results": [OLD], "apiVersion": V1, "items": [yaml.safe_load(pod(nginx))]}
    answer = json.loads(door(stdin=json.dumps(sent)).out)
    assert answer["results"][0] == OLD and len(answer["results"]) == 2


def test_the_shape_of_a_change(door, nginx, pinned):
    extra = "  namespace: shop\n" + KPT
    assert results(door(stdin=resource_list(pod(nginx, extra=extra))).out) == [
        {
            "message": "resolved (pin)",
            "severity": "info",
            "resourceRef": {"apiVersion": "v1", "kind": "Pod", "name": "web", "namespace": "shop"},
            "field": {"path": "spec.containers[0].image", "currentValue": nginx, "proposedValue": pinned},
            "file": {"path": "base/web.yaml", "index": 3},
            "tags": {"rule": "pin"},
        }
    ]


def test_the_shape_of_a_failure(door, registry):
    image = f"{registry.host}/library/nginx:9"
    ran = door(stdin=resource_list(pod(image, extra=KPT)))
    (found,) = results(ran.out)
    message = found.pop("message")
    assert ran.code == 1
    assert message.startswith(f"{image}: not found (HTTP 404 from {registry.host}; ") and "; check the name" in message
    assert found == {
        "severity": "error",
        "resourceRef": {"apiVersion": "v1", "kind": "Pod", "name": "web"},
        "field": {"path": "spec.containers[0].image", "currentValue": image},
        "file": {"path": "base/web.yaml", "index": 3},
        "tags": {"rule": "not-found"},
    }


def test_the_file_is_known_from_where_kustomize_says_it_is(door, nginx):
    origin = "  annotations:\n    config.kubernetes.io/origin: |\n      path: base/pod.yaml\n"
    assert results(door(stdin=resource_list(pod(nginx, extra=origin))).out)[0]["file"] == {"path": "base/pod.yaml"}


@pytest.mark.parametrize("index", ["x", "²", "-1", "9" * 20, ""])
def test_an_index_that_is_none_is_left_out(door, nginx, index):
    extra = f"  annotations:\n    config.kubernetes.io/path: a.yaml\n    config.kubernetes.io/index: '{index}'\n"
    assert results(door(stdin=resource_list(pod(nginx, extra=extra))).out)[0]["file"] == {"path": "a.yaml"}


def test_results_as_a_summary(door, nginx):
    sent = resource_list(pod(nginx), pod(nginx, "two"), config=transformer(results="summary"))
    (found,) = results(door(stdin=sent).out)
    assert found == {"message": "2 images changed, 0 kept", "severity": "info", "tags": {"rule": "pin"}}


def test_an_image_that_is_kept_is_told_with_its_reason(door, registry):
    extra = '  annotations: {pindown.dev/keep: "say \\"no\\" 🎉"}\n'
    sent = resource_list(pod("a/b:1", extra=extra))
    ran = door(stdin=sent)
    (found,) = results(ran.out)
    assert ran.code == 0 and without_results(ran.out) == sent
    assert (found["severity"], found["field"]) == (
        "info",
        {"path": "spec.containers[0].image", "currentValue": "a/b:1"},
    )
    assert 'say "no" 🎉' in found["message"]


#: Keeps whose results must not be told twice: the objects (IMAGE can be resolved), and the configuration.
KEEPS = {
    "an annotation": ([pod("a/b:1", extra=KEPT)], ""),
    "an annotation, and an image that is pinned": ([pod("a/b:1", extra=KEPT), pod("IMAGE", "two")], ""),
    "a reason with everything in it": ([pod("a/b:1", extra=KEPT.replace("frozen", "'say \"no\" \\ 🎉'"))], ""),
    "from a file": ([pod("a/b:1", extra=KPT + "    pindown.dev/keep: frozen\n")], ""),
    "a rule": ([pod("a/b:1")], transformer(images=[{"match": "a/b", "action": "keep", "reason": "frozen"}])),
    "a summary": ([pod("a/b:1", extra=KEPT), pod("IMAGE", "two")], transformer(results="summary")),
}


@pytest.mark.parametrize("as_json", [False, True], ids=["yaml", "json"])
@pytest.mark.parametrize("objects, config", KEEPS.values(), ids=KEEPS)
def test_a_second_run_tells_of_no_keep_again(door, nginx, objects, config, as_json):
    sent = resource_list(*objects, config=config).replace("IMAGE", nginx)
    once = door(stdin=json.dumps(yaml.safe_load(sent)) if as_json else sent)
    kept = [one for one in results(once.out) if one["message"].startswith("kept: ")]
    assert once.code == 0 and len(kept) == 1
    assert door(stdin=once.out)[:2] == (0, once.out)


def test_what_is_new_is_told_beside_what_is_known(door):
    once = door(stdin=resource_list(pod("a/b:1", extra=KEPT))).out
    more = once.replace("results:\n", item(pod("a/c:1", "two", extra=KEPT)) + "results:\n")
    assert [one["resourceRef"]["name"] for one in results(door(stdin=more).out)] == ["web", "two"]


# Which policy.

PINS = [
    transformer(),
    "",
    "functionConfig:\n",
    "functionConfig: null\n",
    "functionConfig: {}\n",
    "functionConfig: {apiVersion: pindown.dev/v1alpha1, kind: ImageTransformer}\n",
    'functionConfig: {"apiVersion": "pindown.dev/v1alpha1", "kind": "ImageTransformer", "spec": null}\n',
    "functionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: function-input}\n  data: {}\n",
    "functionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n  data:\n",
    "functionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n  data: null\n",
]


@pytest.mark.parametrize("config", PINS)
def test_configurations_that_just_pin(door, nginx, pinned, config):
    sent = resource_list(pod("IMAGE"), config=config)
    ran = door(stdin=sent.replace("IMAGE", nginx))
    assert (ran.code, without_results(ran.out)) == (0, sent.replace("IMAGE", pinned))


@pytest.mark.parametrize(
    "config",
    [
        transformer(pin={"style": "digest"}),
        "functionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n  data:\n    style: digest\n",
        "functionConfig: {apiVersion: v1, kind: ConfigMap, data: {style: digest}}\n",
        "functionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n  data:\n    policy: |\n      pin: {style: digest}\n",
        transformer(pin={"style": "digest"}).replace("\n", "\r\n"),
    ],
)
def test_configurations_are_obeyed(door, nginx, pinned, config):
    digest = pinned.partition("@")[2]
    (found,) = results(door(stdin=resource_list(pod(nginx), config=config)).out)
    assert found["field"]["proposedValue"] == f"{nginx.removesuffix(':1.27')}@{digest}"


def test_plain_words_in_flow_style_mean_what_yaml_1_2_says():
    text = (
        f"{{apiVersion: {V1}, kind: ResourceList, functionConfig: {{a: True, b: 010, c: yes, d: '1', e: ~, f: [1.5]}}}}"
    )
    found = krm.recognise(File("x", text))
    assert json.loads(krm.function_config(found)) == {"a": True, "b": 10, "c": "yes", "d": "1", "e": None, "f": [1.5]}


@pytest.mark.parametrize(
    "config, said",
    [
        ("functionConfig: {apiVersion: v1, kind: Secret}\n", ["kind is Secret", "ImageTransformer or a ConfigMap"]),
        ("functionConfig: {apiVersion: v2, kind: ConfigMap}\n", ["apiVersion v1"]),
        ("functionConfig: {apiVersion: pindown.dev/v9, kind: ImageTransformer}\n", ["pindown.dev/v9", "v1alpha1"]),
        ("functionConfig: {apiVersion: pindown.dev/v1alpha1, kind: ImageTransfomer}\n", ["mean 'ImageTransformer'?"]),
        ("functionConfig: text\n", ["a single value"]),
        ("functionConfig: [1]\n", ["a list"]),
        (transformer(pinn={}), ["functionConfig:", "pinn", "did you mean 'pin'?"]),
        (transformer(mirrors=[{"source": "docker.io", "locations": [{"to": "{x}/y"}]}]), ["x", "mirrors[0]"]),
        (
            "functionConfig: {apiVersion: v1, kind: ConfigMap, data: {stile: digest}}\n",
            ["stile", "did you mean 'style'?"],
        ),
    ],
)
def test_a_configuration_that_cannot_be_used_is_2_with_nothing_on_stdout(door, config, said):
    ran = door(stdin=resource_list(pod("a/b:1"), config=config))
    assert (ran.code, ran.out) == (2, "")
    assert [part for part in said if part not in ran.err] == []


# Failure: the input with results, or nothing.


def test_one_failing_image_leaves_all_as_they_were(door, registry, nginx):
    sent = resource_list(pod(nginx), pod(f"{registry.host}/no/such:1", "two"), pod("Bad:1", "three"))
    ran = door(stdin=sent)
    assert (ran.code, without_results(ran.out)) == (1, sent)
    assert sorted(rules(results(ran.out))) == ["invalid-reference", "not-found"]
    assert {one["severity"] for one in results(ran.out)} == {"error"}
    assert "Pod/two" in ran.err and "Pod/three" in ran.err and "nothing was written" in ran.err


@pytest.mark.parametrize(
    "sent, said",
    [
        (resource_list(pod("a:1"), version="config.kubernetes.io/v9"), "config.kubernetes.io/v9"),
        (resource_list(pod("a:1")) + "---\n" + resource_list(pod("a:1")), "another document"),
        (resource_list(pod("a:1")) + "---\n" + pod("a:1"), "another document"),
        (EMPTY + "items: text\n", "items"),
        (resource_list(pod("a:1"), config=transformer() + "functionConfig: {}\n"), "functionConfig stands twice"),
        (EMPTY + "items: []\nitems:\n" + item(pod("a:1")), "items stands twice"),
        (EMPTY + "kind: ResourceList\n" + "items:\n" + item(pod("a:1")), "kind stands twice"),
        (EMPTY + "items: {a: 1}\n", "items"),
        (EMPTY + "items: [1]\n", "no Kubernetes object"),
        (EMPTY + "items:\n- text\n", "no Kubernetes object"),
        (EMPTY + "items:\n- [a]\n", "no Kubernetes object"),
        (EMPTY + "items:\n- null\n", "no Kubernetes object"),
    ],
)
def test_lists_that_are_refused_come_back_with_a_result(door, sent, said):
    ran = door(stdin=sent)
    (found,) = results(ran.out)
    rule = "duplicate-key" if "twice" in said else "unreadable"
    assert (ran.code, found["severity"], found["tags"]["rule"]) == (1, "error", rule)
    assert said in found["message"] and said in ran.err
    assert yaml.safe_load_all(ran.out).__next__()["items"] == yaml.safe_load_all(sent).__next__()["items"]


@pytest.mark.parametrize(
    "sent",
    [
        resource_list(pod("[a")),
        resource_list(pod("a:1")) + "---\na: [\n",
        EMPTY + "items: [{a: ]\n",
        resource_list(pod("a:1"), results="results: text\n"),
        resource_list(pod("a:1"), results="results: {a: 1}\n"),
        resource_list(pod("a:1"), results="results:\n  a: 1\n"),
    ],
)
def test_what_no_host_could_parse_is_not_answered(door, sent):
    """Kustomize and kpt parse stdout before they look at the exit code, and would show that error alone."""
    ran = door(stdin=sent)
    assert (ran.code, ran.out) == (1, "")
    assert "error[unreadable]" in ran.err


def test_a_finding_about_no_object_says_where_it_is(door):
    (found,) = results(door(stdin=resource_list(pod("a:1")) + "---\na: 1\n").out)
    assert found["message"].startswith("<stdin>: another document") and "file" not in found


def test_a_warning_does_not_fail(door, registry):
    sent = resource_list(pod(f"{registry.host}/no/such:1"), config=transformer(onError="warn"))
    ran = door(stdin=sent)
    found = results(ran.out)
    assert (ran.code, without_results(ran.out)) == (0, sent)
    assert (found[0]["severity"], found[0]["tags"]["rule"]) == ("warning", "not-found")


# Validation.

VALIDATE = [
    transformer(mode="validate"),
    "functionConfig: {apiVersion: v1, kind: ConfigMap, data: {mode: validate}}\n",
]


@pytest.mark.parametrize("config", VALIDATE)
def test_validation_answers_nothing(door, registry, pinned, nginx, config):
    fine = door(stdin=resource_list(pod(pinned), pod(nginx, "two", extra=KEPT), config=config))
    assert (fine.code, fine.out) == (0, "")
    bad = door(stdin=resource_list(pod(f"{registry.host}/no/such:1"), config=config))
    assert (bad.code, bad.out) == (1, "") and "error[not-found]" in bad.err


@pytest.mark.parametrize("config", VALIDATE)
def test_validation_fails_for_what_could_be_pinned_and_is_not(door, pinned, nginx, config):
    bad = door(stdin=resource_list(pod(pinned), pod(nginx, "two"), config=config))
    assert (bad.code, bad.out) == (1, "") and bad.err.count("error[") == 1
    assert f"error[unpinned] Pod/two spec.containers[0].image: {nginx} should read {pinned}\n" in bad.err


def mirrored(host, **spec):
    """A validator whose policy maps a registry that does not exist to the one that does."""
    mirrors = [{"source": "quay.test", "locations": [{"to": host}], "resolveAt": "mirror"}]
    return transformer(mode="validate", mirrors=mirrors, **spec)


@pytest.mark.parametrize(
    "spec, image, wanted",
    [
        ({}, "quay.test/library/nginx:1.27", "HOST/library/nginx:1.27@DIGEST"),
        ({}, "quay.test/library/nginx:1.27@DIGEST", "HOST/library/nginx:1.27@DIGEST"),
        ({}, "HOST/library/nginx:1.27@DIGEST", None),
        ({"pin": {"style": "tag"}}, "quay.test/library/nginx:1.27", "HOST/library/nginx:1.27"),
        ({"pin": {"style": "tag"}}, "HOST/library/nginx:1.27", None),
        (
            {"images": [{"match": "**", "action": "keep", "reason": "frozen"}]},
            "quay.test/library/nginx:1.27",
            "HOST/library/nginx:1.27",
        ),
        ({"images": [{"match": "**", "action": "keep", "reason": "frozen"}]}, "HOST/library/nginx:1.27", None),
        ({"images": [{"match": "**", "action": "deny", "reason": "no"}]}, "HOST/library/nginx:1.27@DIGEST", "denied"),
        ({"offline": True}, "HOST/library/nginx:1.27", "offline"),
        ({"offline": True}, "HOST/library/nginx:1.27@DIGEST", None),
    ],
)
def test_validation_is_as_the_policy_would_write_it(door, registry, pinned, spec, image, wanted):
    def real(text):
        return text.replace("HOST", registry.host).replace("DIGEST", pinned.partition("@")[2])

    image = real(image)
    ran = door(stdin=resource_list(pod(image), config=mirrored(registry.host, **spec)))
    assert (ran.code, ran.out) == (int(wanted is not None), ""), ran.err
    if wanted in ("denied", "offline"):
        assert f"error[{wanted}]" in ran.err
    elif wanted is not None:
        assert f"error[unpinned] Pod/web spec.containers[0].image: {image} should read {real(wanted)}\n" in ran.err


@pytest.mark.parametrize("config", VALIDATE)
def test_validation_for_kpt_answers_what_came_in(door, registry, nginx, pinned, config):
    """kpt takes an empty answer for an empty package and deletes every file (tests/hosts/test_kpt.py)."""
    sent = resource_list(pod(pinned, extra=KPT), config=config)
    assert door(stdin=sent)[:2] == (0, sent)
    for image, rule in ((nginx, "unpinned"), (f"{registry.host}/no/such:1", "not-found")):
        wrong = resource_list(pod(image, extra=KPT), config=config)
        ran = door(stdin=wrong)
        assert (ran.code, without_results(ran.out)) == (1, wrong) and rules(results(ran.out)) == [rule]


def test_validation_of_a_list_without_items(door):
    assert door(stdin=resource_list(config=VALIDATE[0]))[:2] == (0, "")


# Recognition.


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# ResourceList\n",
        "kind: ResourceList\n",
        "apiVersion: v1\nkind: ResourceList\nitems: []\n",
        "apiVersion: v1\nkind: List\nitems: []\n",
        pod("a:1") + "---\n" + resource_list(pod("a:1")),
        "kind: {ResourceList",
    ],
)
def test_what_is_no_resource_list(text):
    assert krm.recognise(File("x", text)) is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("before", ["", "---\n", "# c\n---\n# d\n"])
def test_what_is_one(version, before):
    assert krm.recognise(File("x", before + resource_list(pod("a:1"), version=version))) is not None
