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


# Added to what is sent to a mirror.

MIRRORED = """{mirrors: [{source: "%(source)s", locations: [{to: "%(mirror)s", pullSecret: regcred}]}],
  pullSecrets: {inject: true, target: %(target)s}}"""
ROBOTS = USES["an account"].replace("robot", "robot2")
PLAIN_ACCOUNT = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot2}\n"


@pytest.fixture(scope="module")
def mirrored(docker_registry_basic, private):
    """The same image at two places of one registry: the policy's source and its location, and the digest."""
    digest = docker_registry_basic.push_image("at-mirror/web", "1", registries.image("kustomized"))
    host = docker_registry_basic.host
    assert digest == private[1]
    return {"source": f"{host}/kustomized", "mirror": f"{host}/at-mirror"}, f"{host}/at-mirror/web:1@{digest}"


@pytest.fixture
def inject(call, shop, mirrored, tmp_path):
    """Builds the overlay with a policy that adds the generated Secret; answers that, and what a second run makes."""

    def build(uses, overlay, target):
        spec = MIRRORED % {**mirrored[0], "target": target}
        directory = shop(uses, overlay, POLICY % (EXEC, spec))
        base = tmp_path / "root" / "base" / "web.yaml"
        base.write_text(base.read_text() + PLAIN_ACCOUNT)
        built = call(require_tool("kustomize"), "build", *FLAGS, directory)
        assert built.returncode == 0, built.stderr
        (tmp_path / "again.yaml").write_text(POLICY % ("", spec))
        again = call("pindown", "render", "--policy", str(tmp_path / "again.yaml"), "-", input=built.stdout)
        assert again.returncode == 0, again.stderr
        return built, again.stdout

    return build


def listed(text, kind, ending):
    """The pull secrets of the one object of a kind whose name holds a word."""
    (one,) = (one for one in yaml.safe_load_all(text) if one["kind"] == kind and ending in one["metadata"]["name"])
    holder = one["spec"]["template"]["spec"] if kind == "Deployment" else one
    return [each["name"] for each in holder.get("imagePullSecrets") or ()]


@pytest.mark.parametrize("overlay", OVERLAYS.values(), ids=OVERLAYS)
@pytest.mark.parametrize(
    ("uses", "target", "pods", "accounts"),
    [
        (ROBOTS, "pod", 1, 0),
        (ROBOTS, "serviceAccount", 0, 1),
        (USES["an account"], "pod", 0, 0),
        (USES["a list"], "pod", 1, 0),
        (USES["a list"], "serviceAccount", 1, 0),
    ],
    ids=["a pod", "an account", "an account that has it", "a list that has it", "a list, whatever the target"],
)
def test_a_generated_secret_is_added_under_the_name_that_it_gets(
    inject, mirrored, overlay, uses, target, pods, accounts
):
    built, again = inject(uses, overlay, target)
    (secret,) = (one["metadata"]["name"] for one in yaml.safe_load_all(built.stdout) if one["kind"] == "Secret")
    assert images(built.stdout) == [mirrored[1]]
    assert listed(built.stdout, "Deployment", "web") == [secret] * pods
    assert listed(built.stdout, "ServiceAccount", "robot2") == [secret] * accounts
    assert again == built.stdout
    assert "pull-secret" not in built.stderr and registries.PASSWORD not in built.stderr


def test_an_account_that_is_not_there_is_told(inject):
    built, again = inject("serviceAccountName: elsewhere", "namePrefix: prod-\n", "pod")
    assert len(listed(built.stdout, "Deployment", "web")) == 1 and again == built.stdout
    assert "warning[pull-secret-conflict]" in built.stderr and "ServiceAccount elsewhere" in built.stderr
