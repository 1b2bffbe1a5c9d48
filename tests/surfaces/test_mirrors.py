"""`mirrors import` and `mirrors export`, and `mirrorsFrom`: files of other systems through the real doors."""

from __future__ import annotations

import os

import pytest
import yaml

from tests.doors import pod
from transformer.policy.load import load

CONF = """\
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "mirror.test/hub"
"""
HOSTS = 'server = "https://registry-1.docker.io"\n[host."https://mirror.test"]\ncapabilities = ["pull", "resolve"]\n'
K3S = "mirrors:\n  docker.io:\n    endpoint: [https://mirror.test]\n    rewrite: {'^library/(.*)': 'hub/$1'}\n"
IDMS = """\
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: m}
spec:
  imageDigestMirrors:
  - source: docker.io
    mirrors: [mirror.test/hub]
    mirrorSourcePolicy: NeverContactSource
"""


def spec(text):
    load(text, "out.yaml")  # what is printed is a policy
    return yaml.safe_load(text)["spec"]


def first(text):
    (mirror,) = spec(text)["mirrors"]
    return mirror["source"], [place["to"] for place in mirror["locations"]]


class TestImport:
    @pytest.mark.parametrize(
        ("name", "text", "expected"),
        [
            ("registries.conf", CONF, ("docker.io", ["mirror.test/hub"])),
            ("certs.d/docker.io/hosts.toml", HOSTS, ("docker.io", ["mirror.test"])),
            ("registries.yaml", K3S, ("docker.io", ["mirror.test"])),
            ("idms.yaml", IDMS, ("docker.io", ["mirror.test/hub"])),
        ],
    )
    def test_recognised_by_name_and_content(self, door, workdir, name, text, expected):
        (workdir / name).parent.mkdir(parents=True, exist_ok=True)
        (workdir / name).write_text(text)
        ran = door("mirrors", "import", name)
        assert (ran.code, first(ran.out)) == (0, expected)

    def test_a_tree_of_hosts(self, door, workdir):
        for host in ("docker.io", "quay.io"):
            (workdir / "certs.d" / host).mkdir(parents=True)
            (workdir / "certs.d" / host / "hosts.toml").write_text(HOSTS.replace("registry-1.docker.io", host))
            (workdir / "certs.d" / host / "ca.crt").write_text("no toml")
        ran = door("mirrors", "import", "certs.d/")
        assert (ran.code, [one["source"] for one in spec(ran.out)["mirrors"]]) == (0, ["docker.io", "quay.io"])

    def test_drop_ins_beside_the_file_replace_its_tables(self, door, workdir):
        (workdir / "registries.conf").write_text(CONF)
        (workdir / "registries.conf.d").mkdir()
        (workdir / "registries.conf.d" / "10-a.conf").write_text(CONF.replace("mirror.test", "newer.test"))
        (workdir / "registries.conf.d" / "notes.txt").write_text("[")
        ran = door("mirrors", "import", "registries.conf")
        assert first(ran.out) == ("docker.io", ["newer.test/hub"])

    def test_stdin(self, door):
        ran = door("mirrors", "import", "-", stdin=IDMS)
        assert first(ran.out) == ("docker.io", ["mirror.test/hub"])

    def test_from_overrides(self, door, workdir):
        (workdir / "odd").write_text(CONF)
        assert door("mirrors", "import", "odd", "--from", "registries.conf").code == 0

    def test_what_is_not_carried_over_is_said_twice(self, door, workdir):
        (workdir / "registries.conf").write_text('short-name-mode = "enforcing"\n' + CONF)
        ran = door("mirrors", "import", "registries.conf")
        assert ran.code == 0
        for text in (ran.out, ran.err):
            assert "not carried over: registries.conf:1: short-name-mode" in text

    def test_files_of_one_directory_that_are_something_else(self, door, workdir):
        (workdir / "idms.yaml").write_text(IDMS)
        (workdir / "catalog.yaml").write_text("apiVersion: v1\nkind: Pod\n")
        ran = door("mirrors", "import", ".")
        assert first(ran.out)[0] == "docker.io" and "catalog.yaml" in ran.err and "passed over" in ran.err

    def test_a_chain_that_would_not_apply_is_said_and_what_is_printed_is_usable(self, door, workdir):
        tables = [("q.test/a", "q.test/b"), ("q.test/b", "q.test/c")]
        text = "".join(f'[[registry]]\nprefix = "{prefix}"\nlocation = "{to}"\n' for prefix, to in tables)
        (workdir / "registries.conf").write_text(text)
        ran = door("mirrors", "import", "registries.conf")
        assert (ran.code, first(ran.out)) == (0, ("q.test/a", ["q.test/b"]))
        assert "registries.conf:4: registry[1]: q.test/b lies under q.test/b" in ran.err
        (workdir / "pindown.yaml").write_text(ran.out)
        assert door("list", "-", stdin=pod("q.test/b/x:1")).code == 0

    def test_the_same_said_twice_is_said_once(self, door, workdir):
        (workdir / "a.yaml").write_text(IDMS)
        (workdir / "b.yaml").write_text(IDMS)
        assert first(door("mirrors", "import", "a.yaml", "b.yaml").out) == ("docker.io", ["mirror.test/hub"])

    @pytest.mark.parametrize(
        ("name", "text", "parts"),
        [
            ("x.yaml", "a: b\n", ("x.yaml", "no language", "--from")),
            ("registries.conf", "[[registry]\n", ("registries.conf:1",)),
            (
                "registries.conf",
                '[[registry]]\nprefix = "**.x"\nlocation = "m.test"\n',
                ("registries.conf:2", "prefix"),
            ),
            (
                "registries.conf",
                '[[registry]]\nprefix = "a.io"\nlocation = "https://bob:hunter2@m.test"\n',
                ("registries.conf:3", "location"),
            ),
            ("idms.yaml", IDMS.replace("[mirror.test/hub]", "[1: 2]"), ("idms.yaml:7", "mirrors")),
            (
                "registries.yaml",
                K3S.replace("https://mirror.test", "https://bob:hunter2@m.test"),
                ("registries.yaml:3",),
            ),
            ("registries.yaml", K3S.replace("^library", "(^library"), ("registries.yaml:4",)),
        ],
    )
    def test_refused_with_file_line_and_key(self, door, workdir, name, text, parts):
        (workdir / name).write_text(text)
        ran = door("mirrors", "import", name)
        assert (ran.code, ran.out) == (2, "")
        assert all(part in ran.err for part in parts), ran.err
        assert "hunter2" not in ran.err

    def test_nothing_named(self, door):
        ran = door("mirrors", "import")
        assert (ran.code, ran.out) == (2, "") and "name the files" in ran.err

    @pytest.mark.parametrize("name", ["gone.conf", "pipe"])
    def test_what_cannot_be_read(self, door, workdir, name):
        os.mkfifo(workdir / "pipe")
        ran = door("mirrors", "import", name)
        assert (ran.code, ran.out) == (2, "") and name in ran.err

    def test_too_large(self, door, workdir):
        (workdir / "registries.conf").write_text("#" * ((1 << 20) + 1))
        assert "larger than 1 MiB" in door("mirrors", "import", "registries.conf").err

    def test_not_text(self, door, workdir):
        (workdir / "registries.conf").write_bytes(b"#\n\xff\xfe")
        assert "registries.conf:2: is not UTF-8" in door("mirrors", "import", "registries.conf").err


class TestExport:
    @pytest.fixture
    def policy(self, workdir):
        (workdir / "pindown.yaml").write_text(
            "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec:\n  mirrors:\n"
            "  - {source: docker.io, locations: [{to: '{region}.test/hub'}], fallback: source}\n"
        )

    @pytest.mark.parametrize("to", ["registries.conf", "registries.yaml", "idms", "itms", "hosts.toml"])
    def test_what_is_printed_can_be_imported(self, door, policy, workdir, to):
        ran = door("mirrors", "export", "--to", to, "--set", "region=eu")
        assert ran.code == 0
        again = door("mirrors", "import", "-", "--from", to, stdin=ran.out)
        assert (again.code, first(again.out)) == (0, ("docker.io", ["eu.test/hub"]))

    def test_files_below_a_directory(self, door, policy, workdir):
        ran = door("mirrors", "export", "--to", "hosts.toml", "--set", "region=eu", "--output", "out/certs.d")
        assert (ran.code, ran.out) == (0, "")
        assert [path.name for path in (workdir / "out" / "certs.d").rglob("*.new")] == []
        assert first(door("mirrors", "import", "out/certs.d").out)[0] == "docker.io"

    @pytest.mark.parametrize("arguments", [(), ("--to", "idsm"), ("--to", "")])
    def test_the_format_must_be_one(self, door, policy, arguments):
        ran = door("mirrors", "export", "--set", "region=eu", *arguments)
        assert (ran.code, ran.out) == (2, "") and "registries.conf" in ran.err and "idms" in ran.err

    def test_a_variable_without_a_value(self, door, policy):
        ran = door("mirrors", "export", "--to", "idms")
        assert (ran.code, ran.out) == (2, "") and "'region'" in ran.err


class TestMirrorsFrom:
    @pytest.fixture
    def policy(self, workdir):
        def write(text):
            head = "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec:\n"
            (workdir / "pindown.yaml").write_text(head + "".join(f"  {line}\n" for line in text.splitlines()))

        return write

    @pytest.fixture
    def mirror(self, registry, embedded):
        """registries.conf that sends the demo's registry to a second one."""
        other = embedded().host
        text = f'[[registry]]\nlocation = "{registry.host}"\n[[registry.mirror]]\nlocation = "{other}"\n'
        return other, text

    def test_a_file_beside_the_policy(self, door, workdir, policy, mirror, nginx):
        other, text = mirror
        (workdir / "nodes").mkdir()
        (workdir / "nodes" / "registries.conf").write_text(text)
        policy("mirrorsFrom: [{file: nodes/registries.conf}]")
        ran = door("render", "-", stdin=pod(nginx))
        assert ran.code == 0 and f"image: {other}/library/nginx:1.27@sha256:" in ran.out
        assert door("render", "-", stdin=ran.out).out == ran.out

    def test_the_policy_may_not_have_the_source_too(self, door, workdir, policy):
        (workdir / "registries.conf").write_text(CONF)
        policy("mirrors: [{source: docker.io, locations: [{to: m.test}]}]\nmirrorsFrom: [{file: registries.conf}]")
        ran = door("list", "-", stdin=pod("nginx"))
        assert ran.code == 2 and "docker.io" in ran.err and "mirrors[0]" in ran.err and "registries.conf" in ran.err

    def test_errors_name_the_entry_and_the_place(self, door, workdir, policy):
        (workdir / "registries.conf").write_text("[[registry]]\nlocation = 1\n")
        policy("mirrorsFrom:\n- {file: registries.conf}")
        ran = door("list", "-", stdin=pod("nginx"))
        assert ran.code == 2 and "pindown.yaml:5: mirrorsFrom[0]: registries.conf:2" in ran.err

    @pytest.mark.parametrize("file", ["../outside.conf", "/etc/hostname", "link.conf", "gone.conf"])
    def test_a_repository_names_no_file_outside(self, door, workdir, policy, file):
        (workdir.parent / "outside.conf").write_text(CONF)
        (workdir / "link.conf").symlink_to(workdir.parent / "outside.conf")
        policy(f"mirrorsFrom: [{{file: {file}, format: registries.conf}}]")
        ran = door("list", "-", stdin=pod("nginx"))
        assert (ran.code, ran.out) == (2, "") and "mirrorsFrom[0]" in ran.err

    def test_what_lies_under_a_location_of_the_policy_is_a_note(self, door, workdir, policy, registry, nginx):
        (workdir / "registries.conf").write_text(CONF.replace("docker.io", "m.test/hub"))
        policy("mirrors: [{source: quay.io, locations: [{to: m.test}]}]\nmirrorsFrom: [{file: registries.conf}]")
        ran = door("render", "-", stdin=pod(nginx))
        assert ran.code == 0 and "note: registries.conf:1: registry[0]: m.test/hub lies under m.test" in ran.err

    def test_a_blocked_source_is_denied(self, door, workdir, policy):
        (workdir / "registries.conf").write_text('[[registry]]\nlocation = "evil.test"\nblocked = true\n')
        policy("mirrorsFrom: [{file: registries.conf}]")
        ran = door("render", "-", stdin=pod("evil.test/x:1"))
        assert (ran.code, ran.out) == (1, "") and "error[denied]" in ran.err and "registries.conf" in ran.err

    def test_what_is_not_carried_over_is_a_note_of_every_run(self, door, workdir, policy, mirror, nginx):
        (workdir / "registries.conf").write_text('short-name-mode = "permissive"\n' + mirror[1])
        policy("mirrorsFrom: [{file: registries.conf}]")
        ran = door("render", "-", stdin=pod(nginx))
        assert ran.code == 0 and "note: registries.conf:1: short-name-mode" in ran.err

    def test_objects_among_the_manifests_count_only_when_the_policy_says_so(
        self, door, policy, registry, mirror, nginx
    ):
        objects = IDMS.replace("docker.io", registry.host).replace("mirror.test/hub", mirror[0])
        text = f"{objects}---\n{pod(nginx)}"
        ignored = door("render", "-", stdin=text)
        assert ignored.code == 0 and f"image: {nginx}@" in ignored.out
        policy("mirrorsFrom: [{manifests: true}]")
        used = door("render", "-", stdin=text)
        assert used.code == 0 and f"image: {mirror[0]}/library/nginx:1.27@" in used.out
        assert used.out.startswith(objects)

    def test_in_a_resource_list_too(self, door, policy, registry, mirror, nginx):
        from tests.doors import resource_list, without_results

        objects = IDMS.replace("docker.io", registry.host).replace("mirror.test/hub", mirror[0])
        policy("mirrorsFrom: [{manifests: true}]")
        ran = door(stdin=resource_list(objects, pod(nginx)))
        assert ran.code == 0 and f"image: {mirror[0]}/library/nginx:1.27@" in without_results(ran.out)

    def test_a_malformed_object_is_an_error_with_its_line(self, door, policy):
        policy("mirrorsFrom: [{manifests: true}]")
        ran = door("list", "-", stdin=pod("nginx") + "---\n" + IDMS.replace("docker.io", "'a.*.b'"))
        assert ran.code == 2 and "<stdin>:15" in ran.err and "a.*.b" in ran.err

    def test_a_definition_of_the_kind_is_no_object_of_it(self, door, policy, nginx):
        policy("mirrorsFrom: [{manifests: true}]")
        text = (
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n"
            "spec:\n  names:\n    kind: ImageDigestMirrorSet\n---\n"
        )
        ran = door("render", "-", stdin=text + pod(nginx))
        assert ran.code == 0 and f"{nginx}@" in ran.out
