"""Pipe, files and the legacy plugin: the byte law through a door, what is refused, and what is left to others."""

from __future__ import annotations

import pytest

from tests.doors import ELSEWHERE, item, pod, transformer

#: name -> a stream with one image; IMAGE is where it stands.
UNTOUCHED = {
    "plain": pod("IMAGE"),
    "no final newline": pod("IMAGE").removesuffix("\n"),
    "comment": pod("IMAGE", comment="  # why"),
    "quotes": pod('"IMAGE"'),
    "markers": "---\n" + pod("IMAGE") + "...\n",
    "two documents": pod("IMAGE") + "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n",
    "comments alone in a document": "# a\n---\n# b\n---\n" + pod("IMAGE") + "---\n# c\n",
    "tab in a comment": "#\tx\n" + pod("IMAGE"),
    "list": "apiVersion: v1\nkind: List\nitems:\n" + item(pod("IMAGE")),
    "nested list": "apiVersion: v1\nkind: List\nitems:\n"
    + item("apiVersion: v1\nkind: PodList\nitems:\n" + item(pod("IMAGE"))),
    "json": '{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "image": "IMAGE"}]}}',
    "folded": pod(">-\n      IMAGE"),
    "trailing spaces": pod("IMAGE   "),
    "an object without a name": pod("IMAGE").replace("  name: web\n", "  generateName: web-\n"),
    "helm's comment": "---\n# Source: web/templates/pod.yaml\n" + pod("IMAGE"),
}


@pytest.mark.parametrize("name", UNTOUCHED)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("argv", [(), ("render",), ("render", "-")], ids=["bare", "render", "render -"])
def test_a_pipe_changes_nothing_but_the_image(door, nginx, pinned, name, newline, argv):
    sent = UNTOUCHED[name].replace("\n", newline)
    ran = door(*argv, stdin=sent.replace("IMAGE", nginx))
    assert (ran.code, ran.out) == (0, sent.replace("IMAGE", pinned)), ran.err
    assert ran.err.startswith("pindown: 1 image (1 distinct): 1 pinned, 0 kept, 0 refused; 1 request, ")


@pytest.mark.parametrize("name", UNTOUCHED)
def test_a_second_run_changes_nothing(door, pinned, name):
    sent = UNTOUCHED[name].replace("IMAGE", pinned)
    ran = door("--offline", stdin=sent)
    assert (ran.code, ran.out) == (0, sent)


def test_a_byte_order_mark_stays(door, nginx, pinned):
    assert door(stdin="\ufeff" + pod(nginx)).out == "\ufeff" + pod(pinned)


@pytest.mark.parametrize("text", ["a: 1\n", "{}\n", "apiVersion: v1\nkind: ConfigMap\ndata: {image: 'a:1'}\n"])
def test_objects_without_images_pass(door, text):
    assert door(stdin=text)[:2] == (0, text)


EMPTY = ["", "\n", "# only this\n", "---\n", "---\n# c\n---\n...\n", "null\n", "~\n", "\ufeff", "   \n\n"]


@pytest.mark.parametrize("text", EMPTY)
@pytest.mark.parametrize("argv", [(), ("render", "-"), ("--offline", "--on-error", "warn")], ids=str)
def test_an_empty_input_is_an_error(door, text, argv):
    """Argo CD and Flux would prune what runs."""
    ran = door(*argv, stdin=text)
    assert (ran.code, ran.out) == (1, "")
    assert "error[unreadable] <stdin>: there is no Kubernetes object in the input" in ran.err


@pytest.mark.parametrize(
    "data, said",
    [
        (pod("a:1").encode("utf-16"), "UTF-16"),
        (pod("a:1").encode("utf-16-be"), "binary data"),
        (b"\x7fELF\x02\x01\x00\x00\xff", "binary data"),
        (b"a: caf\xe9\n", "not UTF-8 text: byte 0xe9"),
        (b"a: [1, 2\n", "<stdin>:2:1: not valid YAML"),
        (b"a: 'x\n", "not valid YAML"),
        (pod("a:1").encode() + b"---\n{\n", "not valid YAML"),
        (b"a:\n\tb: 1\n", "<stdin>:2:1: not valid YAML"),
        (b"a: b: c\n", "<stdin>:1:5: not valid YAML"),
        (b"%&/()=\n", "not valid YAML"),
        (b'{"a": 1,,}', "not valid"),
        (b"just words\n", "a single scalar"),
        (b"- a\n- b\n", "the document is a list"),
        (b"a: \x01\n", "not valid YAML"),
        (b"a: *nowhere\n", "<stdin>:1:4: not valid YAML: the alias *nowhere names no anchor"),
    ],
)
def test_what_cannot_be_read(door, data, said):
    ran = door(stdin=data)
    assert (ran.code, ran.out) == (1, "")
    assert "error[unreadable] <stdin>" in ran.err and said in ran.err and "\x01" not in ran.err


def test_all_that_is_wrong_is_told_in_one_run(door, registry, nginx):
    host = registry.host
    sent = [pod(f"{host}/no/such:1", "one"), pod(nginx, "two"), pod("Bad:1", "three"), "a: [\n", pod(1.25, "five")]
    ran = door(stdin="---\n".join([*sent, pod(f"{host}/no/other:1", "six")]))
    assert (ran.code, ran.out) == (1, "")
    places = [line.split(" ")[1] for line in ran.err.splitlines() if line.startswith("error[")]
    assert places == [f"<stdin>:{place}" for place in ("8:12", "26:12", "29:1:", "37:12", "46:12")]
    assert ran.err.count("\n  next: ") == 5
    assert ran.err.splitlines()[-1].startswith(
        "pindown: 4 images (4 distinct): 1 pinned, 0 kept, 3 refused, 5 errors, 0 warnings; "
    )


# Files and directories.


def test_files_come_in_path_order_with_markers_only_where_needed(door, workdir, nginx, pinned):
    (workdir / "k8s" / "sub").mkdir(parents=True)
    (workdir / "k8s" / ".git").mkdir()
    files = {
        "k8s/b.yaml": pod("IMAGE"),
        "k8s/a.yml": "---\n" + pod("IMAGE").removesuffix("\n"),
        "k8s/c.json": '{"apiVersion": "v1", "kind": "Service"}',
        "k8s/sub/d.yaml": "# sub\n" + pod("IMAGE"),
        "k8s/e.txt": "not: mine",
        "k8s/.git/x.yaml": "a: [",
    }
    for name, text in files.items():
        (workdir / name).write_text(text.replace("IMAGE", nginx))
    ran = door("render", "k8s")
    expected = (
        "---\n"
        + pod("IMAGE")
        + "---\n"
        + pod("IMAGE")
        + "---\n"
        + files["k8s/c.json"]
        + "\n---\n# sub\n"
        + pod("IMAGE")
    )
    assert (ran.code, ran.out) == (0, expected.replace("IMAGE", pinned))


def test_one_file_keeps_its_bytes(door, workdir, nginx, pinned):
    (workdir / "a.yaml").write_bytes(b"\xef\xbb\xbf" + pod(nginx).replace("\n", "\r\n").removesuffix("\n").encode())
    ran = door("render", "a.yaml")
    assert ran.out == "\ufeff" + pod(pinned).replace("\n", "\r\n").removesuffix("\n")
    assert (workdir / "a.yaml").read_bytes().count(b"@sha256") == 0


def test_a_finding_names_its_file(door, workdir, registry):
    (workdir / "a.yaml").write_text(pod("a:1@" + ELSEWHERE))
    (workdir / "b.yaml").write_text(pod(f"{registry.host}/no/such:1"))
    ran = door("render", "b.yaml", "a.yaml")
    assert (ran.code, ran.out) == (1, "")
    assert "error[not-found] b.yaml:8:12 Pod/web spec.containers[0].image: " in ran.err


@pytest.mark.parametrize(
    "argv, code, said",
    [
        (("render", "-", "a.yaml"), 2, "- (stdin) cannot be named beside other paths"),
        (("render", "missing.yaml"), 1, "missing.yaml cannot be read: No such file or directory; check the path"),
        (("render", "missing\x1b[31m.yaml"), 1, "missing\ufffd[31m.yaml cannot be read"),
        (("render", "empty"), 1, "there is no Kubernetes object in the input"),
        (("render", "utf16.yaml", "bad.yaml"), 1, "utf16.yaml: the text is UTF-16"),
        (("render", "utf16.yaml", "bad.yaml"), 1, "bad.yaml:1:4: not valid YAML"),
    ],
)
def test_paths_that_do_not_work(door, workdir, argv, code, said):
    (workdir / "empty").mkdir()
    (workdir / "a.yaml").write_text(pod("a:1"))
    (workdir / "utf16.yaml").write_bytes("a: 1".encode("utf-16"))
    (workdir / "bad.yaml").write_text("a: *x\n")
    ran = door(*argv)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err and "\x1b" not in ran.err


# What is left alone, and where.


@pytest.mark.parametrize(
    "comment",
    [' # {"$imagepolicy": "flux-system:web"}', " # renovate: datasource=docker", " # x-release-please-version"],
)
def test_lines_of_other_tools_are_theirs_in_files_and_ours_in_a_stream(door, workdir, nginx, pinned, comment):
    text = pod("IMAGE", comment=comment)
    (workdir / "a.yaml").write_text(text.replace("IMAGE", nginx))
    assert door("render", "a.yaml")[:2] == (0, text.replace("IMAGE", nginx))
    assert door(stdin=text.replace("IMAGE", nginx))[:2] == (0, text.replace("IMAGE", pinned))


@pytest.mark.parametrize("image", ["${IMAGE}", "a/b:${TAG}", '"{{ .Values.image }}"', "$(IMAGE)"])
def test_placeholders_are_errors_in_a_stream_and_warnings_in_files(door, workdir, image):
    (workdir / "a.yaml").write_text(pod(image))
    piped, file = door(stdin=pod(image)), door("render", "a.yaml")
    assert (piped.code, piped.out) == (1, "") and "error[templated] <stdin>:8:12" in piped.err
    assert (file.code, file.out) == (0, pod(image)) and "warning[templated] a.yaml:8:12" in file.err


@pytest.mark.parametrize("image", ["auto", "''"])
def test_images_that_are_none(door, image):
    ran = door("--offline", stdin=pod(image))
    assert (ran.code, ran.out) == (0, pod(image))


def keep(reason: str, key: str = "keep") -> str:
    return f"  annotations:\n    pindown.dev/{key}: {reason}\n"


@pytest.mark.parametrize("key", ["keep", "keep.main"])
@pytest.mark.parametrize("image", ["a/b:1", "${IMAGE}"])
def test_a_keep_keeps(door, key, image):
    sent = pod(image, extra=keep("frozen", key))
    ran = door("-v", "--offline", stdin=sent)
    assert (ran.code, ran.out) == (0, sent)
    assert "Pod/web spec.containers[0].image:" in ran.err and "frozen" in ran.err


def test_a_keep_of_another_container_keeps_nothing(door, nginx, pinned):
    extra = keep("frozen", "keep.sidecar")
    assert door(stdin=pod(nginx, extra=extra))[:2] == (0, pod(pinned, extra=extra))


@pytest.mark.parametrize("reason", ['""', "'  '", ""])
def test_a_keep_without_a_reason_is_an_error(door, reason):
    ran = door("--offline", stdin=pod("a/b:1", extra=keep(reason)))
    assert (ran.code, ran.out) == (1, "") and "its keep annotation gives no reason" in ran.err


def test_deny_wins_over_keep(door, workdir):
    (workdir / "pindown.yaml").write_text(
        "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\n"
        "spec: {images: [{match: 'docker.io/a/**', action: deny, reason: unsafe}]}\n"
    )
    ran = door("--offline", stdin=pod("a/b:1", extra=keep("frozen")))
    assert (ran.code, ran.out) == (1, "") and "error[denied]" in ran.err and "unsafe" in ran.err


def test_a_keep_does_not_skip_a_mirror(door, workdir):
    (workdir / "pindown.yaml").write_text(
        "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\n"
        "spec: {mirrors: [{source: docker.io, locations: [{to: h.example/hub}]}]}\n"
    )
    ran = door("--offline", stdin=pod("a/b:1", extra=keep("frozen")))
    assert ran[:2] == (0, pod("h.example/hub/a/b:1", extra=keep("frozen")))


@pytest.mark.parametrize(
    "text, severity",
    [
        (pod("a/b:1@" + ELSEWHERE, extra="  labels: {a: b, a: c}\n"), "warning"),
        (pod("a/b:1@" + ELSEWHERE, comment="\n    image: a/c:1@" + ELSEWHERE), "error"),
    ],
)
def test_duplicate_keys(door, text, severity):
    ran = door("--offline", stdin=text)
    assert (ran.code, ran.out) == ((1, "") if severity == "error" else (0, text))
    assert f"{severity}[duplicate-key] <stdin>:" in ran.err


@pytest.mark.parametrize("image, what", [("1.25", "number"), ("true", "number"), ("[a, b]", "list"), ("{a: b}", "map")])
def test_images_that_are_no_texts(door, image, what):
    ran = door("--offline", stdin=pod(image))
    assert (ran.code, ran.out) == (1, "") and "error[invalid-reference]" in ran.err and what in ran.err


def test_control_characters_never_reach_a_terminal(door):
    name = '"\\e[2Jname"'
    sent = pod('"a\\e[31mb"', name=name, extra=keep('"why\\a"', "keep.other"))
    ran = door("-v", "--offline", stdin=sent)
    assert ran.code == 1 and "error[invalid-reference]" in ran.err
    kept = door("-v", "--offline", stdin=pod('"${\\e[31m}"', name=name, extra=keep('"why\\a\\e"')))
    assert kept.code == 0 and "why" in kept.err
    assert [char for char in ran.err + kept.err if char != "\n" and not char.isprintable()] == []


def test_no_message_is_longer_than_a_screen(door):
    for image in ("a" * 10_000, "a/" * 5_000, "a:" + "b" * 10_000, "${" + "a" * 10_000, "host" * 3000 + ".x/a"):
        ran = door("--offline", stdin=pod(image))
        assert ran.code == 1 and max(map(len, ran.err.splitlines())) < 1_500


# The modes and policies that a pipe refuses.


def test_validation_is_refused_in_a_pipe(door, workdir):
    (workdir / "pindown.yaml").write_text(
        "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec: {mode: validate}\n"
    )
    for argv in ((), ("render", "-")):
        ran = door(*argv, stdin=pod("a:1"))
        assert (ran.code, ran.out) == (2, "") and "mode: validate" in ran.err


# The legacy plugin.


@pytest.fixture
def legacy(door, workdir, monkeypatch):
    """Calls as Kustomize does: the policy in a file, named first."""
    monkeypatch.setenv("KUSTOMIZE_PLUGIN_CONFIG_ROOT", str(workdir))

    def call(config, stdin, *argv):
        (workdir / "kust-plugin-config-1").write_text(config)
        return door("kust-plugin-config-1", *argv, stdin=stdin)

    return call


POLICY = "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nmetadata: {name: x}\n"


@pytest.mark.parametrize("name", UNTOUCHED)
def test_the_legacy_plugin_is_a_pipe_with_a_policy(legacy, nginx, pinned, name):
    sent = UNTOUCHED[name]
    assert legacy(POLICY, sent.replace("IMAGE", nginx))[:2] == (0, sent.replace("IMAGE", pinned))


def test_the_legacy_plugin_obeys_its_policy_and_its_options(legacy, nginx, pinned):
    digest = pinned.partition("@")[2]
    ran = legacy(POLICY + "spec: {pin: {style: digest}}\n", pod(nginx), "-q")
    assert ran == (0, pod(f"{nginx.removesuffix(':1.27')}@{digest}"), "")


@pytest.mark.parametrize(
    "image, code, rule",
    [("PINNED", 0, ""), ("NGINX", 1, "unpinned"), ("Bad:1", 1, "invalid-reference")],
)
def test_the_legacy_plugin_validates(legacy, nginx, pinned, image, code, rule):
    sent = pod(image.replace("PINNED", pinned).replace("NGINX", nginx))
    ran = legacy(POLICY + "spec: {mode: validate}\n", sent)
    assert ran[:2] == (code, "") and (f"error[{rule}]" in ran.err) is bool(rule)


@pytest.mark.parametrize("config", ["kind: X\n", "[", POLICY + "spec: {pinn: 1}\n"])
def test_a_plugin_policy_that_cannot_be_used(legacy, config):
    assert legacy(config, pod("a:1"))[:2] == (2, "")


def test_a_resource_list_is_no_policy_of_a_pipe(door, nginx):
    """`render` takes what it gets as manifests: a ResourceList's items, too, and its functionConfig does not rule."""
    text = transformer(mode="validate")
    ran = door("render", "-", stdin=f"apiVersion: v1\nkind: List\nitems:\n{item(pod(nginx))}{text}")
    assert ran.code == 0 and "@sha256:" in ran.out
