"""All languages of YAML and lines alike: wrong types at every key, large texts, cycles, and what is never shown."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.languages.answers import DIGEST, broken, replaced
from transformer.errors import PolicyError
from transformer.languages import (
    harbor_webhook,
    imageswap,
    k3s,
    kbld,
    kustomize,
    oc_mirror,
    openshift,
    swapper,
    zarf,
)
from transformer.languages.model import Text
from transformer.policy.load import load
from transformer.policy.mirrors import Mirrors
from transformer.policy.model import Policy

OPENSHIFT = {"apiVersion": "config.openshift.io/v1", "kind": "ImageDigestMirrorSet"}
ENTRY = {"source": "q.test", "mirrors": ["a.test", "b.test/x"], "mirrorSourcePolicy": "NeverContactSource"}
SCOPES = {"insecureRegistries": ["a.test"], "blockedRegistries": ["c.test"], "allowedRegistries": ["x"]}
LOCK = {"apiVersion": "imgpkg.carvel.dev/v1alpha1", "kind": "ImagesLock"}

#: For each language a document in which every key stands that it reads.
DOCUMENTS = [
    (
        k3s,
        {
            "mirrors": {"docker.io": {"endpoint": ["https://a.test/v2/x", "b.test"], "rewrite": {"^a": "b"}}},
            "configs": {"a.test": {"auth": {"password": "p"}, "tls": {"ca_file": "c", "insecure_skip_verify": True}}},
        },
    ),
    (openshift, {**OPENSHIFT, "spec": {"imageDigestMirrors": [ENTRY, {"source": "*.r.test", "mirrors": ["a.test"]}]}}),
    (openshift, {**OPENSHIFT, "kind": "Image", "spec": {"registrySources": SCOPES}}),
    (openshift, {"kind": "List", "items": [{**OPENSHIFT, "spec": {"imageDigestMirrors": [ENTRY]}}]}),
    (kustomize, {"kind": "Kustomization", "images": [{"name": "a", "newName": "b.test/c", "newTag": "1"}]}),
    (
        kbld,
        {
            "apiVersion": "kbld.k14s.io/v1alpha1",
            "kind": "Config",
            "overrides": [{"image": "a:1", "newImage": "b.test/c:1", "preresolved": True}],
        },
    ),
    (
        kbld,
        {**LOCK, "spec": {"images": [{"image": f"a.test/b@{DIGEST}", "annotations": {"kbld.carvel.dev/id": "c:1"}}]}},
    ),
    (zarf, {"kind": "ZarfPackageConfig", "components": [{"images": ["a:1"], "imageArchives": [{"images": ["b:1"]}]}]}),
    (zarf, {"registryInfo": {"address": "a.test", "pushPassword": "p"}}),
    (zarf, {"kind": "Secret", "metadata": {"name": "zarf-state"}, "data": {"state": "e30="}}),
    (
        swapper,
        {
            "imageSwapPolicy": "exists",
            "source": {"filters": [{"jmespath": "x"}]},
            "target": {"type": "aws", "aws": {"accountId": "1", "region": "eu", "role": "r"}},
        },
    ),
    (swapper, {"target": {"type": "gcp", "gcp": {"location": "eu", "projectId": "p", "repositoryId": "r"}}}),
    (
        harbor_webhook,
        {
            "rules": [
                {
                    "matches": ["^docker.io/"],
                    "excludes": ["^docker.io/x/"],
                    "replace": "a.test/b",
                    "checkUpstream": True,
                    "platforms": ["linux/amd64"],
                    "replaceImagePullSecrets": True,
                    "authSecretName": "s",
                }
            ]
        },
    ),
    (imageswap, {"kind": "ConfigMap", "data": {"maps": "default::\nquay.io::a.test\n"}}),
]
LINES = [
    (imageswap, "default::a.test/x-\nquay.io::b.test\n[REPLACE]q.test/*::c.test\n"),
    (oc_mirror, "a.test/b:1=c.test/d:1\n"),
]
ALL = [*((module, json.dumps(document)) for module, document in DOCUMENTS), *LINES]


@pytest.mark.parametrize(("module", "document"), DOCUMENTS)
@pytest.mark.parametrize(
    "write", [json.dumps, lambda data: yaml.safe_dump(data, sort_keys=False)], ids=["json", "yaml"]
)
def test_a_wrong_type_anywhere_is_refused_or_harmless(module, document, write):
    module.read((Text("ok.yaml", write(document)),))
    refusals = 0
    for path, wrong in broken(document):
        content = write(replaced(document, path, wrong))
        try:
            found = module.read((Text("bad.yaml", content),))
        except PolicyError as error:
            refusals += 1
            assert error.file == "bad.yaml" and error.line >= 1, (path, wrong)
            shown = str(error)
        else:
            Mirrors(Policy(mirrors=found.mirrors))
            shown = str(found.notes)
        assert "hunter2" not in shown.replace("hunter2 names no host", ""), (path, wrong)
    assert refusals >= 3


@pytest.mark.parametrize(("module", "content"), ALL)
def test_every_mirror_is_one_that_a_policy_may_hold(module, content):
    found = module.read((Text("ok.yaml", content),))
    spec = {
        "mirrors": [
            {
                "source": mirror.source,
                "locations": [
                    {"to": at.to, "when": at.when, **({"rewrite": dict(at.rewrite)} if at.rewrite else {})}
                    for at in mirror.locations
                ],
                "resolveAt": mirror.resolve_at,
                "write": mirror.write,
                "verify": mirror.verify,
                "fallback": mirror.fallback,
            }
            for mirror in found.mirrors
        ],
        "images": [{"match": rule.match, "action": rule.action, "reason": rule.reason} for rule in found.denies],
        "registries": [{"host": rule.host, "insecure": rule.insecure} for rule in found.registries],
    }
    policy = load(
        json.dumps({"apiVersion": "pindown.dev/v1alpha1", "kind": "ImageTransformer", "spec": spec}), "p.json"
    )
    assert [mirror.source for mirror in policy.mirrors] == [mirror.source for mirror in found.mirrors]
    for mirror in found.mirrors:
        assert mirror.file == "ok.yaml" and mirror.line >= 1 and mirror.name
        assert all(at.line >= 1 and at.name for at in mirror.locations)


@pytest.mark.parametrize("module", [module for module, _ in ALL])
def test_nothing_is_nothing(module):
    found = module.read(())
    assert (found.mirrors, found.denies, found.registries) == ((), (), ())


@pytest.mark.parametrize("module", [k3s, openshift, kustomize, kbld, zarf, swapper, harbor_webhook])
@pytest.mark.parametrize(
    "content",
    ["a: &a [*a]", "a: &a {b: *a}", "x" * ((1 << 20) + 1), "[" * 5_000, "{" * 5_000, "\x00", "a: \ud800", "- - -\n:"],
    ids=["cycle", "cycle-map", "large", "deep", "deep-json", "null", "surrogate", "nonsense"],
)
def test_a_text_that_is_none_is_refused(module, content):
    with pytest.raises(PolicyError) as error:
        module.read((Text("bad.yaml", content),))
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


def test_each_document_is_recognised_by_its_own_language_alone():
    modules = list(dict.fromkeys(module for module, _ in ALL))
    told = {
        content: [
            module for module in modules if any(one.recognises(Text("some.txt", content)) for one in module.LANGUAGES)
        ]
        for _, content in ALL
    }
    for module, content in ALL:
        named = module is kustomize or '"gcp"' in content  # by its file's name alone
        assert told[content] == ([] if named else [module])


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + depth)}: &{chr(98 + depth)} [{','.join([f'*{chr(97 + depth)}'] * 9)}]\n" for depth in range(9)
)


@pytest.mark.parametrize("module", [module for module, _ in DOCUMENTS])
def test_aliases_of_aliases_end(module):
    if module is not imageswap:  # it looks into ConfigMaps only
        with pytest.raises(PolicyError, match="once its aliases are followed"):
            module.read((Text("bomb.yaml", BOMB),))


@pytest.mark.parametrize(
    ("module", "line", "head"),
    [
        (imageswap, "r{}.test::a.test/m-\n", "default::\n"),
        (oc_mirror, "q.test/r{}:1=a.test/r{}:1\n", ""),
        (kustomize, "- {{name: q.test/r{}, newName: a.test/r{}}}\n", "images:\n"),
        (k3s, "  r{}.test: {{endpoint: [a.test]}}\n", "mirrors:\n"),
        (
            openshift,
            "  - {{source: r{}.test, mirrors: [a.test]}}\n",
            yaml.safe_dump(OPENSHIFT) + "spec:\n  imageDigestMirrors:\n",
        ),
    ],
)
def test_there_is_an_end_to_rules(module, line, head):
    with pytest.raises(PolicyError, match="more than 10000 rules"):
        module.read((Text("many.yaml", head + "".join(line.format(n, n) for n in range(10_001))),))
