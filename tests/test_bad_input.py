"""Bad input, as the list of the first issue has it: a clear error, nothing lost, nothing half done.

Every row goes through the pipe and, where it makes sense, through the KRM function, as processes.
"""

from __future__ import annotations

import json
import socket
import threading

import pytest
import yaml

from tests.doors import ELSEWHERE, item, pod, resource_list, results, rules, without_results
from transformer.embedded import Fault

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefghi", "bcdefghij", strict=True)
)
DEEP = "".join(f"{'  ' * depth}a:\n" for depth in range(200)) + "  " * 200 + "b: 1\n"
DEEP_FLOW = "a: " + "[" * 200 + "]" * 200 + "\n"
DEEPER = "a: " + "[" * 100_000


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "there is no Kubernetes object"),
        (b"{a: [", "not valid YAML"),
        (b'{"kind": "Pod", "spec": {"containers": [{"image": "a', "not valid"),
        (pod("a:1")[:-5].encode() + b"'", "not valid YAML"),
        (b"kind: Pod\nspec:\n\tcontainers: []\n", "<stdin>:3:1: not valid YAML"),
        (bytes(range(256)), "binary data"),
        (pod("a:1").encode("utf-16"), "UTF-16"),
        (DEEPER.encode(), "nest"),
        (BOMB.encode() + b"spec: {containers: [*j]}\n", "aliases make more than"),
        (pod("[a, b]").encode(), "list"),
        (pod("{a: b}").encode(), "map"),
        (pod("1.25").encode(), "number"),
        (pod("a" * 10_000).encode(), "too-long"),
    ],
    ids="empty braces json-cut-off cut-off tab binary utf-16 deep bomb list map number long".split(),
)
@pytest.mark.parametrize("args", [(), ("render", "-"), ("--on-error", "warn")], ids=str)
def test_input_that_cannot_be_used(run_pindown, data, said, args):
    ran = run_pindown(["--offline", *args] if not args or args[0][0] == "-" else [*args, "--offline"], stdin=data)
    told = ran.stderr.decode()
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert (
        told.startswith("error[") and said in told and "\n  next: " in told and max(map(len, told.split("\n"))) < 1500
    )


@pytest.mark.parametrize("text", [DEEP, DEEP_FLOW], ids=["block", "flow"])
def test_200_levels_are_no_problem(run_pindown, text):
    ran = run_pindown(stdin=text.encode())
    assert (ran.returncode, ran.stdout) == (0, text.encode())


@pytest.mark.parametrize("where", ["document", "item"])
def test_an_alias_bomb_that_names_no_image_costs_nothing(run_pindown, where):
    text = BOMB if where == "document" else f"apiVersion: v1\nkind: List\nitems:\n{item(BOMB)}"
    ran = run_pindown(["--offline"], stdin=text.encode(), timeout=20)
    assert ran.returncode in (0, 1)
    assert ran.stdout in (b"", text.encode())


@pytest.mark.parametrize("image", ["1.25", "[a]", "{a: b}", "a" * 10_000, "Upper:1", "a:b:c", "${X}", "http://a/b"])
def test_images_that_are_none_in_a_resource_list(run_pindown, image):
    sent = resource_list(pod("nginx@sha256:" + "e" * 64), pod(image, "two"))
    ran = run_pindown(stdin=sent.encode())
    answer = ran.stdout.decode()
    (found,) = results(answer)
    assert (ran.returncode, without_results(answer)) == (1, sent)
    assert found["severity"] == "error" and found["resourceRef"]["name"] == "two"
    assert found["field"]["path"] == "spec.containers[0].image" and len(found["message"]) < 1200


@pytest.mark.parametrize(
    "spec", ["{pinn: {}}", "{images: [{match: '['}]}", "{mirrors: [{source: a, locations: [{to: '{x'}]}]}", "[1]"]
)
def test_policies_that_cannot_be_used(run_pindown, tmp_path, spec):
    policy = f"apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec: {spec}\n"
    (tmp_path / "pindown.yaml").write_text(policy)
    config = "functionConfig:\n" + "".join(f"  {line}\n" for line in policy.splitlines())
    for args, stdin, place in (
        ([], pod("a:1"), "pindown.yaml:3:"),
        (["list"], pod("a:1"), "pindown.yaml:3:"),
        (["--policy", "pindown.yaml"], resource_list(pod("a:1")), "pindown.yaml:3:"),
        ([], resource_list(pod("a:1"), config=config), "functionConfig:3:"),
    ):
        ran = run_pindown(args, stdin=stdin.encode(), cwd=tmp_path)
        assert (ran.returncode, ran.stdout) == (2, b""), ran.stderr
        assert ran.stderr.decode().startswith(f"pindown: error: {place}"), ran.stderr


# Registries.

HTML = b"<!doctype html><html><body>Log in to the Wi-Fi</body></html>"
SCHEMA1 = b'{"schemaVersion": 1, "name": "a", "tag": "1", "fsLayers": [], "history": [], "signatures": []}'
SCHEMA1_TYPE = "application/vnd.docker.distribution.manifest.v1+prettyjws"

FAULTS = {
    "404": (Fault(status=404, body=b""), "not-found"),
    "401": (Fault(status=401, body=b"", headers={"WWW-Authenticate": None}), "no-permission"),
    "403": (Fault(status=403, body=b""), "no-permission"),
    "429 with a long Retry-After": (Fault(status=429, headers={"Retry-After": "600"}), "rate-limited"),
    "429 for ever": (Fault(status=429, headers={"Retry-After": "0"}), "rate-limited"),
    "500": (Fault(status=500, body=b"boom"), "registry-error"),
    "HTML with 200": (
        Fault(body=HTML, headers={"Content-Type": "text/html", "Docker-Content-Digest": None}),
        "not-a-registry",
    ),
    "truncated": (Fault(cut=250, headers={"Docker-Content-Digest": None}), "registry-error"),
    "a wrong digest": (Fault(headers={"Docker-Content-Digest": ELSEWHERE}), "digest-mismatch"),
    "schema1": (Fault(body=SCHEMA1, headers={"Content-Type": SCHEMA1_TYPE, "Docker-Content-Digest": None}), "schema1"),
    "a redirect loop": (Fault(status=307, headers={"Location": "/v2/library/nginx/manifests/1.27"}), "registry-error"),
    "dropped": (Fault(drop=True), "registry-error"),
    "slow": (Fault(delay=30), "timeout"),
    "dripping": (Fault(drip=0.5), "timeout"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("make", [pod, lambda image: resource_list(pod(image))], ids=["pipe", "krm"])
def test_registries_that_misbehave(run_pindown, embedded, name, make):
    fault, rule = FAULTS[name]
    # The answer to GET is what can be wrong in itself; a registry that refuses HEAD is asked that way.
    refused = Fault(status=405) if name == "a wrong digest" else fault
    registry = embedded(fault=lambda request: refused if request.method == "HEAD" else fault)
    image = f"{registry.host}/library/nginx:1.27"
    sent = make(image)
    ran = run_pindown(["--timeout", "2"], stdin=sent.encode(), timeout=30)
    told = ran.stderr.decode()
    assert (ran.returncode, told.count(f"error[{rule}] ")) == (1, 1), told
    assert f"{image}: " in told and "Pod/web spec.containers[0].image: " in told and "\n  next: " in told
    if make is pod:
        assert ran.stdout == b"" and " <stdin>:8:12 " in told
    else:
        assert without_results(ran.stdout.decode()) == sent
        assert rules(results(ran.stdout.decode())) == [rule]


@pytest.mark.parametrize("digest", ["sha256:zz", "", "md5:00", "sha256:" + "E" * 64])
def test_a_header_that_is_no_digest_is_not_written(run_pindown, embedded, digest):
    """Then the content is asked for and its digest is computed."""
    registry = embedded(fault=lambda request: Fault(headers={"Docker-Content-Digest": digest}))
    image = f"{registry.host}/library/nginx:1.27"
    ran = run_pindown(["--timeout", "3"], stdin=pod(image).encode())
    real = registry.repositories["library/nginx"].tags["1.27"]
    assert ran.stdout.decode() in ("", pod(f"{image}@{real}")) and ran.returncode == (0 if ran.stdout else 1)


def test_nobody_listens(run_pindown):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        image = f"127.0.0.1:{taken.getsockname()[1]}/a/b:1"
        ran = run_pindown(["--timeout", "5"], stdin=pod(image).encode())
    assert (ran.returncode, ran.stdout) == (1, b"") and b"error[unreachable] <stdin>:8:12" in ran.stderr


def test_somebody_listens_and_never_answers(run_pindown):
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        image = f"127.0.0.1:{mute.getsockname()[1]}/a/b:1"
        ran = run_pindown(["--timeout", "1"], stdin=pod(image).encode())
    assert (ran.returncode, ran.stdout) == (1, b"") and b"error[timeout] <stdin>:8:12" in ran.stderr


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x01\x02" * 50,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000,
    ],
)
def test_somebody_else_answers(run_pindown, answer):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        other.settimeout(20)

        def serve():
            while True:
                try:
                    connection, _ = other.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        image = f"127.0.0.1:{other.getsockname()[1]}/a/b:1"
        ran = run_pindown(["--timeout", "3"], stdin=pod(image).encode())
    told = ran.stderr.decode()
    assert (ran.returncode, ran.stdout) == (1, b""), told
    assert told.startswith("error[") and "a bug in" not in told and "\x00" not in told


def test_all_failing_images_are_told_in_one_run(run_pindown, embedded):
    """Each with its place, its cause and the next step, whoever was asked and whatever went wrong."""
    slow = embedded(
        fault=lambda request: Fault(delay=30) if "redis" in request.path else None, auth={"team/api"}, users={}
    )
    images = {
        "gone": (f"{slow.host}/library/nginx:9", "not-found"),
        "closed": (f"{slow.host}/team/api:2.3.1", "no-permission"),
        "slow": (f"{slow.host}/library/redis:7.4", "timeout"),
        "odd": ("Upper/Case:1", "invalid-reference"),
        "open": ("${IMAGE}", "templated"),
        "fine": (f"{slow.host}/library/nginx:1.27", None),
    }
    sent = resource_list(*(pod(image, name) for name, (image, _) in images.items()))
    ran = run_pindown(["--timeout", "2"], stdin=sent.encode())
    found = {one["resourceRef"]["name"]: one for one in results(ran.stdout.decode())}
    assert (ran.returncode, without_results(ran.stdout.decode())) == (1, sent)
    assert {name: one["tags"]["rule"] for name, one in found.items()} == {
        name: rule for name, (_, rule) in images.items() if rule
    }
    told = ran.stderr.decode()
    assert told.count("\n  next: ") == 5 and told.count("error[") == 5
    assert "6 images (6 distinct): 1 pinned, 0 kept, 5 refused, 5 errors" in told


def test_json_cut_off_in_the_middle_of_an_item(run_pindown):
    whole = json.dumps(
        {"kind": "ResourceList", "apiVersion": "config.kubernetes.io/v1", "items": [yaml.safe_load(pod("a"))]}
    )
    for cut in (10, 60, len(whole) - 1):
        ran = run_pindown(stdin=whole[:cut].encode())
        assert (ran.returncode, ran.stdout) == (1, b"") and b"error[unreadable] <stdin>:1:" in ran.stderr
