"""kpt calls us: `fn eval` in place, `fn render` by a Kptfile, and the pipe between source and sink."""

from __future__ import annotations

import pytest

from tests.doors import host_if_there

POD = """\
# The public face.
apiVersion: v1
kind: Pod
metadata:
  name: web # its name
spec:
  containers:
    - name: web
      image: "IMAGE" # why this one
"""
OTHER = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n    - port: 80\n"
KPTFILE = """\
apiVersion: kpt.dev/v1
kind: Kptfile
metadata:
  name: package
  annotations:
    config.kubernetes.io/local-config: "true"
pipeline:
  mutators:
    - exec: pindown
      configMap:
        style: %s
"""


VALIDATORS = (KPTFILE % "tag").replace("mutators", "validators").replace("style: tag", "mode: validate")


@pytest.fixture
def kpt() -> str:
    return host_if_there("kpt")


@pytest.fixture
def package(write, web):
    return write({"app/pod.yaml": POD.replace("IMAGE", web.tagged), "app/service.yaml": OTHER})


def files(root):
    return {str(file.relative_to(root)): file.read_text() for file in sorted(root.rglob("*.yaml"))}


def test_eval_in_place(kpt, call, package, web):
    ran = call(kpt, "fn", "eval", str(package), "--exec", "pindown")
    assert ran.returncode == 0, ran.stderr
    assert files(package) == {"app/pod.yaml": POD.replace("IMAGE", web.pinned), "app/service.yaml": OTHER}


def test_eval_with_arguments(kpt, call, package, web):
    ran = call(kpt, "fn", "eval", str(package), "--exec", "pindown", "--", "style=digest")
    digest = web.pinned.partition("@")[2]
    assert ran.returncode == 0, ran.stderr
    assert files(package)["app/pod.yaml"] == POD.replace("IMAGE", f"{web.name}@{digest}")


def test_eval_with_a_mirror(kpt, call, write, web, crane_registry):
    """The mirror's argument holds a `=` of its own."""
    repository = web.name.removeprefix(f"{crane_registry.host}/")
    root = write({"pod.yaml": POD.replace("IMAGE", f"source.example/{repository}:1.0")})
    ran = call(kpt, "fn", "eval", str(root), "--exec", "pindown", "--", f"mirrors=source.example={crane_registry.host}")
    # The source does not exist, and it is the source that is asked what the tag means.
    assert ran.returncode != 0 and "source.example" in ran.stderr
    ran = call(
        *(kpt, "fn", "eval", str(root), "--exec", "pindown", "--", "style=tag"),
        f"mirrors=source.example={crane_registry.host}",
    )
    assert ran.returncode == 0, ran.stderr
    assert files(root) == {"pod.yaml": POD.replace("IMAGE", web.tagged)}


def test_validation_deletes_nothing(kpt, call, package, web):
    """To kpt an empty answer is an empty package, with exit code 0."""
    pod = package / "app" / "pod.yaml"
    for image, told in ((web.pinned, None), (web.tagged, "unpinned"), (f"{web.name}:no-such-tag", "not-found")):
        pod.write_text(POD.replace("IMAGE", image))
        before = files(package)
        ran = call(kpt, "fn", "eval", str(package), "--exec", "pindown", "--", "mode=validate")
        assert (ran.returncode == 0, files(package)) == (told is None, before), ran.stderr
        assert told is None or told in ran.stderr


@pytest.mark.parametrize("image, code", [("pinned", 0), ("tagged", 1)])
def test_validators_of_a_kptfile(kpt, call, package, web, image, code):
    (package / "Kptfile").write_text(VALIDATORS)
    (package / "app" / "pod.yaml").write_text(POD.replace("IMAGE", getattr(web, image)))
    before = files(package)
    ran = call(kpt, "fn", "render", str(package), "--allow-exec")
    assert (ran.returncode, files(package)) == (code, before), ran.stderr


def test_mutators_and_validators_of_one_kptfile(kpt, call, package, web):
    validators = VALIDATORS.partition("pipeline:\n")[2]
    (package / "Kptfile").write_text(KPTFILE % "tag-and-digest" + validators)
    ran = call(kpt, "fn", "render", str(package), "--allow-exec")
    assert ran.returncode == 0, ran.stderr
    assert files(package)["app/pod.yaml"] == POD.replace("IMAGE", web.pinned)


def test_the_results_directory(kpt, call, package, web, tmp_path):
    ran = call(kpt, "fn", "eval", str(package), "--exec", "pindown", "--results-dir", str(tmp_path / "results"))
    told = (tmp_path / "results" / "results.yaml").read_text()
    assert ran.returncode == 0, ran.stderr
    for part in ("severity: info", "path: app/pod.yaml", "path: spec.containers[0].image", web.pinned, "rule: pin"):
        assert part in told


def test_a_failing_image_leaves_the_package_alone(kpt, call, write, web):
    root = write({"pod.yaml": POD.replace("IMAGE", f"{web.name}:no-such-tag"), "two.yaml": OTHER})
    before = files(root)
    ran = call(kpt, "fn", "eval", str(root), "--exec", "pindown", "--truncate-output=false")
    assert ran.returncode != 0 and files(root) == before
    assert "not-found" in ran.stderr and "pod.yaml" in ran.stderr and "MalformedYAML" not in ran.stderr


@pytest.mark.parametrize("arguments", [("stile=digest",), ("policy=pinn: {}",)])
def test_arguments_that_cannot_be_used(kpt, call, package, arguments):
    before = files(package)
    ran = call(kpt, "fn", "eval", str(package), "--exec", "pindown", "--", *arguments)
    assert ran.returncode != 0 and files(package) == before and "did you mean" in ran.stderr


@pytest.mark.parametrize("style", ["tag-and-digest", "digest"])
def test_render(kpt, call, package, web, style):
    (package / "Kptfile").write_text(KPTFILE % style)
    ran = call(kpt, "fn", "render", str(package), "--allow-exec")
    digest = web.pinned.partition("@")[2]
    written = {"tag-and-digest": web.pinned, "digest": f"{web.name}@{digest}"}[style]
    assert ran.returncode == 0, ran.stderr
    assert files(package) == {"app/pod.yaml": POD.replace("IMAGE", written), "app/service.yaml": OTHER}
    assert (package / "Kptfile").read_text().startswith(KPTFILE % style)


def test_source_and_sink(kpt, call, package, web, tmp_path):
    source = call(kpt, "fn", "source", str(package))
    ours = call("pindown", input=source.stdout)
    sink = call(kpt, "fn", "sink", str(tmp_path / "sink"), input=ours.stdout)
    assert (source.returncode, ours.returncode, sink.returncode) == (0, 0, 0), ours.stderr + sink.stderr
    assert files(tmp_path / "sink") == {"app/pod.yaml": POD.replace("IMAGE", web.pinned), "app/service.yaml": OTHER}


def test_a_failing_pipe_sinks_what_came_in_or_nothing(kpt, call, write, web, tmp_path):
    root = write({"pod.yaml": POD.replace("IMAGE", f"{web.name}:no-such-tag")})
    ours = call("pindown", input=call(kpt, "fn", "source", str(root)).stdout)
    assert ours.returncode == 1
    sink = call(kpt, "fn", "sink", str(tmp_path / "sink"), input=ours.stdout)
    assert sink.returncode == 0 and files(tmp_path / "sink") == files(root)


def test_a_package_without_manifests(kpt, call, write):
    ran = call(kpt, "fn", "eval", str(write({"note.txt": "x"})), "--exec", "pindown")
    assert ran.returncode == 0, ran.stderr
