"""The demo's registry: what it serves, what it refuses, its tokens, its faults, and that it stops."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from build_layout import DOCKER_IMAGE, DOCKER_LIST, OCI_IMAGE, OCI_INDEX, demo_images, digest_of, image, write_layout

from tests.registries import Registry, Response
from tests.tools import require_tool
from transformer.embedded import EmbeddedRegistry, Fault, Logged, Request, demo_directory, read_layout

ACCEPT = {"Accept": ", ".join((OCI_INDEX, DOCKER_LIST, OCI_IMAGE, DOCKER_IMAGE))}
DEMO = demo_images()
NGINX = "/v2/library/nginx/manifests/1.27"
API = "/v2/team/api/manifests/2.3.1"


def ask(registry: EmbeddedRegistry, path: str, method: str = "GET", **headers: str) -> Response:
    return Registry(registry.host).request(method, path, {**ACCEPT, **headers})


def code(response: Response) -> str:
    """The one error code of an OCI error body."""
    assert response.headers["content-type"] == "application/json"
    (error,) = json.loads(response.body)["errors"]
    assert set(error) == {"code", "message", "detail"} and error["message"]
    return error["code"]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# What must not be served.


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../../index.json",
        "/v2/library/nginx/blobs/../../index.json",
        "/v2/library/nginx/blobs/..%2F..%2Findex.json",
        "/v2/library/nginx/blobs/%2e%2e/%2e%2e/oci-layout",
        "/v2/library/nginx/manifests/../../../oci-layout",
        "/v2/library/../team/api/manifests/2.3.1",
        "/v2/library/nginx/blobs/sha256:../../index.json",
        "/v2/library/nginx/blobs//etc/passwd",
        "/v2/library/nginx/manifests/1.27%00",
        "/v2/library/nginx/manifests/1.27%0d%0aX-Injected:%201",
        "/v2/library/nginx/tags/list",
        "/v2/_catalog",
        "/index.json",
        "/",
        "//evil.example.com/v2/",
        "*",
    ],
)
def test_no_path_leads_out_of_the_tables(embedded, path):
    answer = ask(embedded(), path)
    assert answer.status == 404
    assert code(answer) in {"NOT_FOUND", "NAME_UNKNOWN", "BLOB_UNKNOWN"}
    assert "x-injected" not in answer.headers


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/library/unknown/manifests/1", "NAME_UNKNOWN"),
        ("/v2/library/nginx/manifests/1.26", "MANIFEST_UNKNOWN"),
        ("/v2/library/nginx/manifests/sha256:" + "0" * 64, "MANIFEST_UNKNOWN"),
        # Right digests, asked of a repository that does not hold them.
        ("/v2/library/nginx/manifests/" + DEMO["library/busybox:1.36"].digest, "MANIFEST_UNKNOWN"),
        ("/v2/library/nginx/blobs/" + next(iter(DEMO["team/report:0.9"].blobs)), "BLOB_UNKNOWN"),
        # A manifest is no blob of its repository.
        ("/v2/library/nginx/blobs/" + DEMO["library/nginx:1.27"].digest, "BLOB_UNKNOWN"),
    ],
)
def test_unknown_is_404_with_its_code(embedded, path, expected):
    answer = ask(embedded(), path)
    assert (answer.status, code(answer)) == (404, expected)


@pytest.mark.parametrize("accept", ["", "application/json", OCI_IMAGE, DOCKER_LIST])
def test_an_index_is_not_shown_to_a_client_that_cannot_read_it(embedded, accept):
    answer = ask(embedded(), NGINX, Accept=accept)
    assert (answer.status, code(answer)) == (404, "MANIFEST_UNKNOWN")
    assert OCI_INDEX in json.loads(answer.body)["errors"][0]["message"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_is_read_only(embedded, method):
    answer = ask(embedded(), "/v2/library/nginx/blobs/uploads/", method)
    assert (answer.status, code(answer), answer.headers["allow"]) == (405, "UNSUPPORTED", "GET, HEAD")
    assert answer.headers["connection"] == "close"


# What must be served.


@pytest.mark.parametrize("name", sorted(DEMO))
def test_every_image_by_tag_and_by_digest(embedded, name):
    registry, built = embedded(), DEMO[name]
    repository, _, tag = name.rpartition(":")
    for reference in (tag, built.digest, built.digest.replace(":", "%3A")):
        head = ask(registry, f"/v2/{repository}/manifests/{reference}", "HEAD")
        got = ask(registry, f"/v2/{repository}/manifests/{reference}")
        assert (head.status, head.body, head.headers) == (200, b"", got.headers)
        assert (got.status, got.body) == (200, built.content)
        assert got.headers["content-type"] == built.media_type
        assert got.headers["content-length"] == str(len(built.content))
        assert got.headers["docker-content-digest"] == built.digest


def test_children_and_blobs(embedded):
    registry = embedded()
    for child in DEMO["library/redis:7.4"].children:
        got = ask(registry, f"/v2/library/redis/manifests/{child.digest}")
        assert (got.body, got.headers["content-type"]) == (child.content, DOCKER_IMAGE)
        for digest, content in child.blobs.items():
            got = ask(registry, f"/v2/library/redis/blobs/{digest}", Accept="")
            assert (got.status, got.body) == (200, content)
            assert got.headers["content-type"] == "application/octet-stream"
            assert ask(registry, f"/v2/library/redis/blobs/{digest}", "HEAD").headers == got.headers


def test_any_accept_will_do(embedded):
    assert ask(embedded(), NGINX, Accept="*/*").status == 200


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
def test_ping(embedded, path):
    answer = ask(embedded(), path)
    assert (answer.status, answer.headers["docker-distribution-api-version"]) == (200, "registry/2.0")


def test_one_connection_serves_many_requests(embedded):
    registry = embedded(auth={"team/api"})
    connection = http.client.HTTPConnection(registry.host, timeout=5)
    seen = set()
    for path, status in ((NGINX, 200), ("/v2/nothing", 404), (API, 401), (NGINX, 200)):
        for method in ("HEAD", "GET"):
            connection.request(method, path, headers=ACCEPT)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
            seen.add(connection.sock.getsockname())
    connection.close()
    assert len(seen) == 1


def test_the_log_tells_method_path_and_status(embedded):
    registry = embedded(auth={"team/api"})
    ask(registry, NGINX, "HEAD")
    ask(registry, "/v2/team/api/manifests/2.3.1?x=1")
    assert registry.log == [Logged("HEAD", NGINX, 200), Logged("GET", API + "?x=1", 401)]


# Tokens.


def challenge_of(answer: Response) -> dict[str, str]:
    assert (answer.status, code(answer)) == (401, "UNAUTHORIZED")
    scheme, _, parameters = answer.headers["www-authenticate"].partition(" ")
    assert scheme == "Bearer"
    return dict(re.findall(r'(\w+)="([^"]*)"', parameters))


def token(registry: EmbeddedRegistry, scope: str, **headers: str) -> Response:
    return ask(registry, f"/token?service=pindown-embedded&scope={scope}", **headers)


def test_the_challenge_names_realm_service_and_scope(embedded):
    registry = embedded(auth={"team/api"})
    assert challenge_of(ask(registry, API)) == {
        "realm": f"http://{registry.host}/token",
        "service": "pindown-embedded",
        "scope": "repository:team/api:pull",
    }


def test_the_realm_is_not_taken_from_the_host_header(embedded):
    registry = embedded(auth={"team/api"})
    challenge = challenge_of(ask(registry, API, Host="evil.example.com"))
    assert challenge["realm"] == f"http://{registry.host}/token"


def test_a_public_repository_wants_nothing(embedded):
    assert ask(embedded(auth={"team/api"}), NGINX).status == 200


def test_a_repository_that_is_unknown_and_private_does_not_say_so(embedded):
    assert ask(embedded(auth={"team/gone"}), "/v2/team/gone/manifests/1").status == 401


def test_the_ping_challenges_without_a_scope(embedded):
    registry = embedded(auth={"team/api"})
    assert challenge_of(ask(registry, "/v2/")) == {
        "realm": f"http://{registry.host}/token",
        "service": "pindown-embedded",
    }


def test_an_anonymous_token_opens_its_repository_and_no_other(embedded):
    registry = embedded(auth={"team/api", "team/report"})
    issued = json.loads(token(registry, "repository:team/api:pull").body)
    assert issued["token"] == issued["access_token"] and issued["expires_in"] == 60
    bearer = {"Authorization": f"Bearer {issued['token']}"}
    assert ask(registry, API, **bearer).body == DEMO["team/api:2.3.1"].content
    refused = ask(registry, "/v2/team/report/manifests/0.9", **bearer)
    assert challenge_of(refused)["error"] == "insufficient_scope"


@pytest.mark.parametrize(
    "scope", ["", "repository:team/api:push", "registry:catalog:*", "repository:team/ap:pull", "%00"]
)
def test_other_scopes_open_nothing(embedded, scope):
    registry = embedded(auth={"team/api"})
    issued = json.loads(token(registry, scope).body)["token"]
    assert ask(registry, API, Authorization=f"Bearer {issued}").status == 401


@pytest.mark.parametrize(
    "scope", ["repository:team/api:pull,push", "repository:team/api:push,pull", "x:y:z%20repository:team/api:pull"]
)
def test_scopes_that_hold_pull(embedded, scope):
    registry = embedded(auth={"team/api"})
    issued = json.loads(token(registry, scope).body)["token"]
    assert ask(registry, API, Authorization=f"Bearer {issued}").status == 200


def test_an_invented_token_is_refused(embedded):
    registry = embedded(auth={"team/api"})
    assert challenge_of(ask(registry, API, Authorization="Bearer invented"))["error"] == "invalid_token"


def test_a_token_runs_out(embedded, monkeypatch):
    registry = embedded(auth={"team/api"})
    issued = json.loads(token(registry, "repository:team/api:pull").body)["token"]
    later = time.monotonic() + 61
    monkeypatch.setattr("transformer.embedded.time.monotonic", lambda: later)
    assert ask(registry, API, Authorization=f"Bearer {issued}").status == 401


def test_tokens_differ(embedded):
    registry = embedded(auth={"team/api"})
    issued = {json.loads(token(registry, "repository:team/api:pull").body)["token"] for _ in range(10)}
    assert len(issued) == 10


def test_with_users_the_password_decides(embedded):
    registry = embedded(auth={"team/api"}, users={"demo": "pa:ss ä"})
    issued = json.loads(token(registry, "repository:team/api:pull", Authorization=basic("demo", "pa:ss ä")).body)[
        "token"
    ]
    assert ask(registry, API, Authorization=f"Bearer {issued}").status == 200
    anonymous = json.loads(token(registry, "repository:team/api:pull").body)["token"]
    assert ask(registry, API, Authorization=f"Bearer {anonymous}").status == 401


@pytest.mark.parametrize(
    "authorization",
    [
        basic("demo", "wrong"),
        basic("demo", ""),
        basic("", ""),
        basic("nobody", "secret"),
        "Basic ?",
        "Basic",
        "Bearer x",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Digest " + base64.b64encode(b"demo:secret").decode(),
    ],
)
def test_wrong_credentials_get_no_token(embedded, authorization):
    registry = embedded(auth={"team/api"}, users={"demo": "secret"})
    answer = token(registry, "repository:team/api:pull", Authorization=authorization)
    assert (answer.status, code(answer)) == (401, "UNAUTHORIZED")


def test_credentials_where_nobody_has_any_are_wrong(embedded):
    registry = embedded(auth={"team/api"})
    assert token(registry, "repository:team/api:pull", Authorization=basic("a", "b")).status == 401


def test_basic_does_not_open_a_repository(embedded):
    registry = embedded(auth={"team/api"}, users={"demo": "secret"})
    assert ask(registry, API, Authorization=basic("demo", "secret")).status == 401


# Faults.


def test_a_fault_sees_the_request(embedded):
    seen: list[Request] = []
    registry = embedded(fault=seen.append)
    ask(registry, NGINX + "?a=b", "HEAD", **{"X-Case": "Kept"})
    (request,) = seen
    assert (request.method, request.path, request.headers["x-case"]) == ("HEAD", NGINX + "?a=b", "Kept")


def test_a_status_body_and_headers_can_be_replaced(embedded):
    fault = Fault(status=429, body=b"slow down", headers={"Retry-After": "3", "Content-Type": None})
    registry = embedded(fault=lambda request: fault)
    answer = ask(registry, NGINX)
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (429, b"slow down", "3")
    assert "content-type" not in answer.headers
    assert registry.log == [Logged("GET", NGINX, 429)]


def test_the_digest_header_can_be_wrong_or_missing(embedded):
    for value in ("sha256:" + "f" * 64, None):
        registry = embedded(fault=lambda request, value=value: Fault(headers={"Docker-Content-Digest": value}))
        answer = ask(registry, NGINX)
        assert (answer.status, answer.headers.get("docker-content-digest")) == (200, value)
        assert answer.body == DEMO["library/nginx:1.27"].content


def test_an_unheard_of_status_is_still_an_answer(embedded):
    assert ask(embedded(fault=lambda request: Fault(status=599)), NGINX).status == 599


def test_a_dropped_connection_has_no_answer(embedded):
    registry = embedded(fault=lambda request: Fault(drop=True))
    with pytest.raises(http.client.RemoteDisconnected):
        ask(registry, NGINX)
    assert registry.log == [Logged("GET", NGINX, 0)]


def test_a_cut_answer_is_short_of_its_length(embedded):
    whole = len(DEMO["library/nginx:1.27"].content)
    registry = embedded(fault=lambda request: Fault(cut=400))
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(registry, NGINX)
    assert 0 < len(caught.value.partial) < whole


def test_a_dripped_answer_arrives_whole(embedded):
    registry = embedded(fault=lambda request: Fault(drip=0.0001))
    assert ask(registry, NGINX).body == DEMO["library/nginx:1.27"].content


def test_a_fault_may_spare_a_request(embedded):
    registry = embedded(fault=lambda request: Fault(status=500) if "nginx" in request.path else None)
    assert ask(registry, NGINX).status == 500
    assert ask(registry, API).status == 200


def test_many_clients_are_served_at_once(embedded):
    clients = 64
    together = threading.Barrier(clients, timeout=10)

    def fault(request: Request) -> None:
        together.wait()  # broken, and the requests with it, unless all of them are in flight at the same time

    registry = embedded(fault=fault)
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda _: ask(registry, NGINX, "HEAD"), range(clients)))
    assert {answer.status for answer in answers} == {200}
    assert registry.peak == clients
    assert len(registry.log) == clients


# Life and death.


def test_it_listens_on_loopback_only_and_not_before_it_is_entered():
    registry = EmbeddedRegistry(demo_directory() / "layout")
    with pytest.raises(RuntimeError, match="context manager"):
        _ = registry.host
    with registry as running:
        assert running is registry
        assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d+", running.host)
    with pytest.raises(RuntimeError):
        _ = registry.host


def test_it_stops_listening_and_leaves_no_thread():
    before = set(threading.enumerate())
    with EmbeddedRegistry(demo_directory() / "layout") as registry:
        address = ("127.0.0.1", int(registry.host.rpartition(":")[2]))
        idle = socket.create_connection(address, timeout=5)  # a keep-alive connection that asks nothing
        idle.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
    while idle.recv(1000):
        pass
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def test_it_stops_while_an_answer_is_delayed():
    entered = threading.Event()

    def fault(request: Request) -> Fault:
        entered.set()
        return Fault(delay=300)

    with EmbeddedRegistry(demo_directory() / "layout", fault=fault) as registry:
        client = threading.Thread(
            target=lambda: pytest.raises((OSError, http.client.HTTPException), ask, registry, NGINX)
        )
        client.start()
        assert entered.wait(5)
        began = time.monotonic()
    client.join(5)
    assert not client.is_alive()
    assert time.monotonic() - began < 10


def test_it_can_be_entered_again():
    registry = EmbeddedRegistry(demo_directory() / "layout")
    for _ in range(2):
        with registry:
            assert ask(registry, NGINX, "HEAD").status == 200


def test_it_is_quiet():
    program = (
        "import http.client\n"
        "from transformer.embedded import *\n"
        "with EmbeddedRegistry(demo_directory() / 'layout', fault=lambda r: Fault(drop='drop' in r.path)) as running:\n"
        "    for path in ('/v2/', '/nothing', '/drop'):\n"
        "        connection = http.client.HTTPConnection(running.host)\n"
        "        try:\n"
        "            connection.request('GET', path); connection.getresponse().read()\n"
        "        except http.client.RemoteDisconnected: pass\n"
        "        connection.close()\n"
    )
    root = str(Path(__file__).parent.parent)
    ran = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, timeout=30)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


# Layouts.


def test_two_tags_of_one_repository(tmp_path):
    old, new = image("old"), image("new")
    write_layout(tmp_path, {"a/b:1": old, "a/b:2": new, "a/b:latest": new})
    (repository,) = read_layout(tmp_path).values()
    assert repository.tags == {"1": old.digest, "2": new.digest, "latest": new.digest}
    assert set(repository.manifests) == {old.digest, new.digest}
    assert set(repository.blobs) == set(old.blobs) | set(new.blobs)


def test_a_layout_that_names_a_path_as_digest_is_refused(tmp_path):
    write_layout(tmp_path, {"a:1": image("x")})
    text = (tmp_path / "index.json").read_text()
    (tmp_path / "index.json").write_text(text.replace(image("x").digest, "sha256:../../../secret"))
    with pytest.raises(ValueError, match="is not a sha256 digest"):
        read_layout(tmp_path)


# The judgement of somebody else's client.


def test_crane_agrees(embedded, tmp_path):
    crane = require_tool("crane")
    registry = embedded(auth={"team/api"})
    for name, built in DEMO.items():
        said = subprocess.run([crane, "digest", f"{registry.host}/{name}"], capture_output=True, text=True, timeout=30)
        assert (said.stdout, said.returncode) == (built.digest + "\n", 0), said.stderr
    pulled = tmp_path / "api"
    command = [crane, "pull", "--format", "oci", f"{registry.host}/team/api:2.3.1", str(pulled)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert said.returncode == 0, said.stderr
    stored = {digest_of(file.read_bytes()) for file in (pulled / "blobs" / "sha256").iterdir()}
    api = DEMO["team/api:2.3.1"]
    expected = {api.digest, *(child.digest for child in api.children)}
    assert expected | {digest for child in api.children for digest in child.blobs} <= stored
