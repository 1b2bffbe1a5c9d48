"""kustomize itself generates the pull secret: at our time its name has neither hash nor, where it is used, prefix."""

from __future__ import annotations

import base64
import json

import pytest
import yaml

from tests import registries
from tests.tools import require_tool

FLAGS = ("--enable-alpha-plugins", "--enable-exec")
#: To be filled with lines of annotations and the spec.
POLICY = "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nmetadata:\n  name: pin\n%sspec: %s\n"
EXEC = "  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: pindown}\n"
BASE = """\
resources: [web.yaml]
secretGenerator:
- name: regcred
  type: kubernetes.io/dockerconfigjson
  files: [.dockerconfigjson=config.json]
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      %s
      containers: [{name: web, image: %s}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
imagePullSecrets: [{name: regcred}]
"""
USES = {"a list": "imagePullSecrets: [{name: regcred}]", "an account": "serviceAccountName: robot"}


@pytest.fixture(scope="module")
def private(docker_registry_basic):
    digest = docker_registry_basic.push_image("kustomized/web", "1", registries.image("kustomized"))
    return f"{docker_registry_basic.host}/kustomized/web:1", digest


def config(image, password=registries.PASSWORD):
    login = base64.b64encode(f"{registries.USER}:{password}".encode()).decode()
    return json.dumps({"auths": {image.partition("/")[0]: {"auth": login}}})


@pytest.fixture
def shop(write, private):
    """A base with the generated Secret and an overlay with our policy; `overlay` are more lines of the overlay."""

    def lay(uses, overlay="", policy=POLICY % (EXEC, "{}"), password=registries.PASSWORD):
        files = {
            "base/kustomization.yaml": BASE,
            "base/config.json": config(private[0], password),
            "base/web.yaml": WEB % (uses, private[0]),
            "prod/kustomization.yaml": f"resources: [../base]\n{overlay}transformers: [pindown.yaml]\n",
            "prod/pindown.yaml": policy,
        }
        return str(write(files) / "prod")

    return lay


OVERLAYS = {
    "plain": "",
    "a prefix": "namePrefix: prod-\n",
    "a suffix": "nameSuffix: -v2\n",
    "both in a namespace": "namePrefix: prod-\nnameSuffix: -v2\nnamespace: shop\n",
}


def images(text):
    pods = [one["spec"]["template"]["spec"] for one in yaml.safe_load_all(text) if one["kind"] == "Deployment"]
    return [container["image"] for pod in pods for container in pod["containers"]]


@pytest.mark.parametrize("overlay", OVERLAYS.values(), ids=OVERLAYS)
@pytest.mark.parametrize("uses", USES.values(), ids=USES)
def test_a_generated_secret(call, shop, private, uses, overlay):
    built = call(require_tool("kustomize"), "build", *FLAGS, shop(uses, overlay))
    assert built.returncode == 0, built.stderr
    assert images(built.stdout) == ["@".join(private)]
    (secret,) = (one for one in yaml.safe_load_all(built.stdout) if one["kind"] == "Secret")
    assert secret["metadata"]["name"].rpartition("-")[0].endswith(("regcred", "regcred-v2"))
    assert registries.PASSWORD not in built.stderr


def test_the_legacy_plugin(call, shop, private):
    assert call("pindown", "plugin", "install", "kustomize").returncode == 0
    built = call(
        require_tool("kustomize"), "build", FLAGS[0], shop(USES["a list"], "namePrefix: prod-\n", POLICY % ("", "{}"))
    )
    assert built.returncode == 0 and images(built.stdout) == ["@".join(private)], built.stderr


def test_another_login_fails_the_build_and_is_named(call, shop):
    built = call(require_tool("kustomize"), "build", *FLAGS, shop(USES["a list"], password="wrong-word-0815"))
    assert built.returncode != 0 and built.stdout == ""
    assert "Secret regcred (key " in built.stderr and "wrong-word" not in built.stderr


def test_left_alone_by_the_policy(call, shop):
    policy = POLICY % (EXEC, "{useManifestSecrets: false}")
    built = call(require_tool("kustomize"), "build", *FLAGS, shop(USES["a list"], policy=policy))
    assert built.returncode != 0 and "asked as anonymous" in built.stderr


def test_two_layers_side_by_side_have_logins_of_their_own(call, write, private):
    """One may see the image, the other may not; both call their Secret by the base's name."""
    files = {
        "all/kustomization.yaml": "resources: [../one, ../two]\ntransformers: [pindown.yaml]\n",
        "all/pindown.yaml": POLICY % (EXEC, "{}"),
    }
    for layer, password in (("one", registries.PASSWORD), ("two", "wrong-word-0815")):
        files |= {
            f"{layer}/kustomization.yaml": BASE + f"namePrefix: {layer}-\n",
            f"{layer}/config.json": config(private[0], password),
            f"{layer}/web.yaml": WEB % (USES["a list"], private[0]),
        }
    built = call(require_tool("kustomize"), "build", *FLAGS, str(write(files) / "all"))
    assert built.returncode != 0
    assert "Deployment/two-web" in built.stderr and "Deployment/one-web" not in built.stderr
    assert "Secret two-regcred (key " in built.stderr and "wrong-word" not in built.stderr
