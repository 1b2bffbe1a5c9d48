"""`explain`: each reference, whatever is wrong with the others."""

from __future__ import annotations

import json

import pytest

from tests.doors import ELSEWHERE, json_lines

KEYS = "input registry repository tag digest canonical action rule candidates credentials written error".split()


def explain(door, *references, options=("--offline",)):
    ran = door("explain", "--format", "json", *options, "--", *references)
    return ran, json_lines(ran.out)


@pytest.mark.parametrize(
    "text, registry, repository, tag, digest, canonical",
    [
        ("nginx", "docker.io", "library/nginx", None, None, "docker.io/library/nginx:latest"),
        ("nginx:1", "docker.io", "library/nginx", "1", None, "docker.io/library/nginx:1"),
        ("ghcr.io/a/b:v1", "ghcr.io", "a/b", "v1", None, "ghcr.io/a/b:v1"),
        (f"a/b@{ELSEWHERE}", "docker.io", "a/b", None, ELSEWHERE, f"docker.io/a/b@{ELSEWHERE}"),
        (f"h:5/b:1@{ELSEWHERE}", "h:5", "b", "1", ELSEWHERE, f"h:5/b:1@{ELSEWHERE}"),
    ],
)
def test_parts(door, text, registry, repository, tag, digest, canonical):
    ran, (line,) = explain(door, text)
    assert (ran.code, list(line)) == (0, KEYS)
    assert [line[key] for key in KEYS[:6]] == [text, registry, repository, tag, digest, canonical]
    assert (line["action"], line["rule"], line["error"]) == ("pin", "pin", None)
    assert line["candidates"][0]["role"] == "source"
    assert line["written"] == (text if digest else None)


@pytest.mark.parametrize(
    "text, code",
    [
        ("", "empty"),
        ("a:b:c", "invalid-format"),
        ("-x", "invalid-format"),
        ("Nginx", "uppercase"),
        ("a" * 256, "too-long"),
        ("a@sha256:" + "e" * 40, "digest"),
        ("e" * 64, "image-id"),
        ("a:${X}", "templated"),
        ("{{ .x }}", "templated"),
    ],
)
def test_codes(door, text, code):
    ran, (line,) = explain(door, text)
    assert (ran.code, list(line), line["input"], line["error"]["code"]) == (1, KEYS, text, code)
    assert line["error"]["message"] and {line[key] for key in KEYS[1:8] + ["written"]} == {None}
    assert line["candidates"] == []


def test_all_references_are_answered_when_some_are_wrong(door, registry, nginx, pinned):
    gone = f"{registry.host}/library/nginx:9"
    ran, lines = explain(door, "Bad", nginx, gone, options=())
    assert ran.code == 1
    assert [line["written"] for line in lines] == [None, pinned, None]
    assert [line["error"] and line["error"]["code"] for line in lines] == ["uppercase", None, "not-found"]


def test_nobody_is_asked_offline(door, registry, nginx):
    ran, (line,) = explain(door, nginx)
    assert (ran.code, line["written"], line["error"], registry.log) == (0, None, None, [])


POLICY = """\
apiVersion: pindown.dev/v1alpha1
kind: ImageTransformer
spec:
  images:
  - {match: quay.io/bad, action: deny, reason: unsafe}
  mirrors:
  - {source: docker.io, locations: [{to: "one.example/hub"}, {to: "two.example/{name}"}]}
"""


def test_candidates_come_in_the_order_in_which_they_are_tried(door, workdir):
    (workdir / "pindown.yaml").write_text(POLICY)
    _, (line,) = explain(door, "nginx:1")
    assert [(one["reference"], one["role"]) for one in line["candidates"]] == [
        ("one.example/hub/library/nginx:1", "mirror"),
        ("two.example/nginx:1", "mirror"),
        ("docker.io/library/nginx:1", "source"),
    ]
    assert [one["rule"] is not None for one in line["candidates"]] == [True, True, False]


def test_what_is_denied_has_no_candidates(door, workdir):
    (workdir / "pindown.yaml").write_text(POLICY)
    ran, (line,) = explain(door, "quay.io/bad:1")
    assert (ran.code, line["action"], line["rule"], line["candidates"]) == (1, "deny", "images[0]", [])
    assert line["error"]["code"] == "denied" and "unsafe" in line["error"]["message"]


def test_the_text_form(door, registry, nginx, pinned):
    ran = door("explain", nginx)
    assert (ran.code, ran.out.splitlines()[0]) == (0, nginx)
    rows = dict(line.split(None, 1) for line in ran.out.splitlines()[1:] if not line.startswith("  credential"))
    assert rows["repository"] == "library/nginx" and rows["digest"] == "(none)" and rows["rule"] == "pin"
    assert rows["written"] == f"{pinned} (resolved (pin))"
    assert f"credential for {registry.host}  anonymous" in ran.out


def login(home, host, auth="bWU6c2VjcmV0LXdvcmQ="):
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}, "credsStore": "absent"}))


def credentials(ran):
    """The lines about credentials, without their indentation."""
    return [line.strip() for line in ran.out.splitlines() if "credential for" in line]


def test_where_a_credential_comes_from_is_told_and_never_what_it_is(door, registry, nginx, isolation):
    login(isolation, registry.host)
    ran = door("explain", nginx)
    assert ran.code == 0 and credentials(ran) == [
        f"credential for {registry.host}  ~/.docker/config.json (key {registry.host}) — not demanded; "
        "anonymous — answered; helper absent — not asked"
    ]
    assert "secret-word" not in ran.out and "bWU6" not in ran.out


def test_which_credential_was_used(door, embedded, isolation):
    registry = embedded(auth={"team/api"}, users={"me": "secret-word"})
    login(isolation, registry.host)
    ran = door("explain", f"{registry.host}/team/api:2.3.1")
    assert ran.code == 0 and credentials(ran) == [
        f"credential for {registry.host}  ~/.docker/config.json (key {registry.host}) — used; "
        "anonymous — not needed; helper absent — not asked"
    ]
    assert "secret-word" not in ran.out + ran.err and "bWU6" not in ran.out + ran.err


def test_programs_are_told_the_same(door, embedded, isolation):
    registry = embedded(auth={"team/api"}, users={"me": "secret-word"})
    login(isolation, registry.host)
    ran, (line,) = explain(door, f"{registry.host}/team/api:2.3.1", options=())
    chain = f"~/.docker/config.json (key {registry.host}) — used; anonymous — not needed; helper absent — not asked"
    assert ran.code == 0 and line["credentials"] == [{"registry": registry.host, "chain": chain}]
    assert explain(door, f"{registry.host}/team/api:2.3.1")[1][0]["credentials"] == []


def test_which_credentials_were_refused(door, embedded, isolation):
    registry = embedded(auth={"team/api"}, users={"me": "another-word"})
    login(isolation, registry.host)
    ran = door("explain", f"{registry.host}/team/api:2.3.1")
    (told,) = credentials(ran)
    assert ran.code == 1 and f"~/.docker/config.json (key {registry.host}) — refused (HTTP 401" in told
    assert "anonymous — refused" in told and "docker-credential-absent, named by ~/.docker/config.json" in told
    assert "-word" not in told and "bWU6" not in ran.out + ran.err


def test_the_chain_is_told_where_nobody_was_asked(door, isolation):
    login(isolation, "registry.invalid")
    ran = door("explain", "127.0.0.1:1/a:1")
    assert ran.code == 1 and credentials(ran) == ["credential for 127.0.0.1:1  anonymous; helper absent"]


POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a, image: IMAGE}]}\n"


@pytest.mark.parametrize("options, told", [((), False), (("-v",), True)])
def test_a_verbose_run_tells_the_same(door, embedded, isolation, options, told):
    registry = embedded(auth={"team/api"}, users={"me": "secret-word"})
    login(isolation, registry.host)
    ran = door("render", *options, "-", stdin=POD.replace("IMAGE", f"{registry.host}/team/api:2.3.1"))
    assert ran.code == 0
    note = f"note: credential for {registry.host}: ~/.docker/config.json (key {registry.host}) — used; anonymous"
    assert (note in ran.err) is told
    assert "secret-word" not in ran.out + ran.err and "bWU6" not in ran.out + ran.err


def test_the_text_form_of_what_is_wrong(door):
    ran = door("explain", "--", "", "-Bad", "a\x1b[31m")
    assert ran.code == 1
    assert ran.out.splitlines()[0] == '""' and "  error  [empty] the reference is empty" in ran.out
    assert ran.out.count("\n  next ") == 3 and "\x1b" not in ran.out


def test_bytes_that_are_no_text(door):
    ran, (line,) = explain(door, "a\udcff")
    assert (ran.code, line["input"]) == (1, "a\udcff")


def test_offline_in_the_text_form(door):
    ran = door("explain", "--offline", "nginx")
    assert ran.code == 0 and "(unknown: nothing was asked, this run is offline)" in ran.out


def test_at_least_one_reference_is_wanted(door):
    ran = door("explain")
    assert ran.code == 2 and "name at least one reference" in ran.err
