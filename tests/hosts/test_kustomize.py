"""kustomize itself calls us: the exec function under `transformers:` and `validators:`, and the legacy plugin.

What kustomize does with its own data (name hashes, references, prefixes) must come out as without us.
"""

from __future__ import annotations

import pytest
import yaml

from tests.doors import host_if_there
from tests.tools import require_tool

FLAGS = ("--enable-alpha-plugins", "--enable-exec")
POLICY = "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nmetadata:\n  name: pin\n%sspec: %s\n"
EXEC = "  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: pindown}\n"

BASE = """\
resources: [web.yaml]
configMapGenerator:
- {name: settings, literals: [LEVEL=info]}
images:
- {name: web, newName: %s}
"""
OVERLAY = """\
resources: [../base]
namePrefix: prod-
namespace: shop
images:
- {name: %s, newTag: "1.0"}
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
      initContainers:
      - {name: first, image: %s}
      containers:
      - name: web
        image: web:0.1
        envFrom: [{configMapRef: {name: settings}}]
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: any}
spec: {template: {spec: {containers: [{name: a, image: %s}]}}}
"""


@pytest.fixture
def kustomize() -> str:
    return require_tool("kustomize")


@pytest.fixture
def shop(write, web, api):
    """A base with its own images and an overlay that has our policy under a key: `shop("transformers")`."""

    def lay(key, policy, api_image=api.tagged):
        return write(
            {
                "base/kustomization.yaml": BASE % web.name,
                "base/web.yaml": WEB % (api_image, api.pinned),
                "prod/kustomization.yaml": OVERLAY % web.name + (f"{key}: [pindown.yaml]\n" if key else ""),
                "prod/pindown.yaml": policy,
            }
        )

    return lay


def pinned_by_hand(built, web, api):
    """The build without us, with what the registries say put in by hand."""
    return built.replace(web.tagged + "\n", web.pinned + "\n").replace(api.tagged + "\n", api.pinned + "\n")


def test_an_overlay_over_a_base(kustomize, call, shop, web, api):
    plain = call(kustomize, "build", str(shop(None, "") / "prod"))
    built = call(kustomize, "build", *FLAGS, str(shop("transformers", POLICY % (EXEC, "{}")) / "prod"))
    assert built.returncode == 0, built.stderr
    assert built.stdout == pinned_by_hand(plain.stdout, web, api) != plain.stdout
    assert "pindown: 3 images (3 distinct): 2 pinned, 1 kept, 0 refused" in built.stderr
    deployment = next(one for one in yaml.safe_load_all(built.stdout) if one["kind"] == "Deployment")
    (reference,) = deployment["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    assert reference["configMapRef"]["name"].startswith("prod-settings-")


def test_the_policy_of_the_overlay_rules(kustomize, call, shop, web, api):
    policy = POLICY % (EXEC, "{pin: {style: digest}}")
    built = call(kustomize, "build", *FLAGS, str(shop("transformers", policy) / "prod"))
    digest = web.pinned.partition("@")[2]
    assert built.returncode == 0 and f"image: {web.name}@{digest}\n" in built.stdout


def with_a_validator(root, note):
    """The same overlay with a validator behind its transformer."""
    (root / "prod" / "check.yaml").write_text(POLICY.replace("name: pin", "name: check") % (note, "{mode: validate}"))
    with (root / "prod" / "kustomization.yaml").open("a") as file:
        file.write("validators: [check.yaml]\n")
    return root / "prod"


def test_validators_pass_what_a_transformer_has_pinned(kustomize, call, shop, web, api):
    plain = call(kustomize, "build", str(shop(None, "") / "prod"))
    root = with_a_validator(shop("transformers", POLICY % (EXEC, "{}")), EXEC)
    built = call(kustomize, "build", *FLAGS, str(root))
    assert (built.returncode, built.stdout) == (0, pinned_by_hand(plain.stdout, web, api)), built.stderr
    assert "pindown: 3 images (2 distinct): 0 pinned, 3 kept, 0 refused; 0 requests" in built.stderr


def test_validators_fail_on_what_is_not_pinned(kustomize, call, shop, web, api):
    built = call(kustomize, "build", *FLAGS, str(shop("validators", POLICY % (EXEC, "{mode: validate}")) / "prod"))
    assert built.returncode != 0 and built.stdout == ""
    for image in (web, api):
        assert f"image: {image.tagged} should read {image.pinned}\n" in built.stderr
    assert built.stderr.count("error[unpinned] ") == 2


@pytest.mark.parametrize("key, spec", [("transformers", "{}"), ("validators", "{mode: validate}")])
def test_a_failing_image_fails_the_build_with_our_words(kustomize, call, shop, api, key, spec):
    root = shop(key, POLICY % (EXEC, spec), api_image=f"{api.name}:no-such-tag")
    built = call(kustomize, "build", *FLAGS, str(root / "prod"))
    assert built.returncode != 0 and built.stdout == ""
    place = "Deployment/prod-web (namespace shop) spec.template.spec.initContainers[0].image: "
    assert f"error[not-found] {place}{api.name}:no-such-tag: not found (HTTP 404 from " in built.stderr
    assert "\n  next: check the name and the tag" in built.stderr


def test_a_policy_that_cannot_be_used_fails_the_build_with_our_words(kustomize, call, shop):
    built = call(kustomize, "build", *FLAGS, str(shop("transformers", POLICY % (EXEC, "{pinn: {}}")) / "prod"))
    assert built.returncode != 0 and built.stdout == ""
    assert "unknown key 'pinn'; did you mean 'pin'?" in built.stderr and "MalformedYAML" not in built.stderr


def test_the_origin_of_an_object_is_told_where_kustomize_knows_it(kustomize, call, shop, api):
    root = shop("transformers", POLICY % (EXEC, "{}"), api_image=f"{api.name}:no-such-tag")
    with (root / "prod" / "kustomization.yaml").open("a") as file:
        file.write("buildMetadata: [originAnnotations]\n")
    built = call(kustomize, "build", *FLAGS, str(root / "prod"))
    assert "error[not-found] ../base/web.yaml Deployment/prod-web" in built.stderr


def test_without_enable_exec_kustomize_skips_us_and_says_nothing(kustomize, call, shop):
    """Not ours to change, and what README and docs/kustomize.md warn of: this test says when they may stop."""
    plain = call(kustomize, "build", str(shop(None, "") / "prod"))
    root = shop("transformers", POLICY % (EXEC, "{}"))
    built = call(kustomize, "build", "--enable-alpha-plugins", str(root / "prod"))
    assert (built.returncode, built.stdout, built.stderr) == (0, plain.stdout, "")


# The legacy plugin, for kubectl too.


@pytest.fixture(params=["kustomize", "kubectl"])
def build(request, call):
    """`build --enable-alpha-plugins` of either program, with the plugin installed where it looks by default."""
    verb = {"kustomize": "build", "kubectl": "kustomize"}[request.param]
    program = {"kustomize": require_tool, "kubectl": host_if_there}[request.param](request.param)
    installed = call("pindown", "plugin", "install", "kustomize")
    assert installed.returncode == 0, installed.stderr
    return lambda root: call(program, verb, "--enable-alpha-plugins", str(root))


def test_the_legacy_plugin(build, kustomize, call, shop, web, api):
    plain = call(kustomize, "build", str(shop(None, "") / "prod"))
    built = build(shop("transformers", POLICY % ("", "{}")) / "prod")
    assert built.returncode == 0, built.stderr
    assert list(yaml.safe_load_all(built.stdout)) == list(yaml.safe_load_all(pinned_by_hand(plain.stdout, web, api)))


def test_the_legacy_plugin_validates(build, shop, web):
    fine = build(with_a_validator(shop("transformers", POLICY % ("", "{}")), ""))
    assert fine.returncode == 0 and web.pinned in fine.stdout, fine.stderr
    tagged = build(shop("validators", POLICY % ("", "{mode: validate}")) / "prod")
    assert tagged.returncode != 0 and tagged.stdout == "" and "error[unpinned] " in tagged.stderr


@pytest.mark.parametrize("key, spec", [("transformers", "{}"), ("validators", "{mode: validate}")])
def test_the_legacy_plugin_fails_the_build(build, shop, api, key, spec):
    built = build(shop(key, POLICY % ("", spec), api_image=f"{api.name}:no-such-tag") / "prod")
    assert built.returncode != 0 and built.stdout == ""
    assert "error[not-found] " in built.stderr and f"{api.name}:no-such-tag: not found" in built.stderr


def test_a_package_of_our_name_beside_the_kustomization_is_not_run(build, shop):
    root = shop("transformers", POLICY % ("", "{}")) / "prod"
    (root / "transformer").mkdir()
    (root / "transformer" / "__init__.py").write_text("raise SystemExit(99)\n")
    built = build(root)
    assert built.returncode == 0 and "@sha256:" in built.stdout, built.stderr
