"""Google: google-auth against a metadata server on loopback, and against none."""

from __future__ import annotations

import json
import time

import pytest

from tests.registry.faults import Answer, FaultServer
from transformer.registry.keychain import Credential, KeychainError, Wanted
from transformer.registry.keychain import google as ours
from transformer.registry.keychain.clouds import Clouds
from transformer.registry.keychain.credential import NoIdentity

pytest.importorskip("google.auth")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

CANARY = "canary-4711"


@pytest.fixture(autouse=True)
def nobody(monkeypatch, isolation):
    for name in (*ours._VARIABLES, "CLOUDSDK_CONFIG", "NO_GCE_CHECK", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ours, "PRODUCT_FILE", str(isolation / "none"))
    return isolation


class Metadata:
    """What a Google machine answers to itself."""

    def __init__(self, token=None):
        self.token = token or Answer(200, {}, json.dumps({"access_token": CANARY, "expires_in": 3600}).encode())

    def __call__(self, seen):
        if seen.headers.get("metadata-flavor") != "Google":
            return Answer(403)
        answer = Answer(200, {}, b"ok")
        if "/service-accounts/" in seen.path:
            account = {"email": "me@project.test", "scopes": [ours.SCOPE], "aliases": ["default"]}
            answer = (
                self.token
                if seen.path.partition("?")[0].endswith("/token")
                else Answer(200, {}, json.dumps(account).encode())
            )
        elif seen.path.endswith("/project-id"):
            answer = Answer(200, {}, b"project")
        headers = {
            "Metadata-Flavor": "Google",
            "Content-Type": "application/json" if answer.body[:1] == b"{" else "text/plain",
        }
        return answer._replace(headers=headers)


@pytest.fixture
def metadata(monkeypatch):
    """google-auth reads the address when it is imported, so its own name for it is changed too."""
    from google.auth.compute_engine import _metadata

    def start(server):
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", server.host)
        # The library looks whether anybody is there by address: never at the real one.
        monkeypatch.setenv("GCE_METADATA_IP", server.host)
        return {"HOME": "/nobody", "GCE_METADATA_HOST": server.host}

    return start


def test_a_token_from_the_metadata_server(metadata):
    with FaultServer(Metadata()) as server:
        clouds = Clouds(metadata(server))
        for host in ("europe-west1-docker.pkg.dev", "eu.gcr.io"):
            assert clouds.resolve(Wanted(host, "a")) == [
                Credential("Google (google-auth)", "oauth2accesstoken", CANARY)
            ]
        asked = [seen for seen in server.seen if "/token" in seen.path]
    assert asked and all(seen.headers["metadata-flavor"] == "Google" for seen in asked)


@pytest.mark.parametrize("status", [403, 404])
def test_a_metadata_server_without_a_token(metadata, status):
    with FaultServer(Metadata(Answer(status, {}, CANARY.encode()))) as server:
        with pytest.raises(KeychainError, match="gave no token") as caught:
            Clouds(metadata(server)).resolve(Wanted("gcr.io", "a"))
    assert CANARY not in str(caught.value)


def test_without_evidence_nobody_is_asked(monkeypatch):
    import google.auth

    monkeypatch.setattr(google.auth, "default", lambda **_: pytest.fail("asked"))
    began = time.monotonic()
    with pytest.raises(NoIdentity, match="this is no Google machine"):
        ours.access_token({"HOME": "/nobody"})
    assert time.monotonic() - began < 5


def test_a_key_file_that_is_no_use(tmp_path, monkeypatch):
    (tmp_path / "key.json").write_text(json.dumps({"type": CANARY}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    with pytest.raises(NoIdentity, match="cannot be used") as caught:
        ours.access_token({"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json")})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("name", ours._VARIABLES)
def test_variables_are_evidence(name):
    assert ours.evidence({"HOME": "/nobody", name: "x"}, "/none")
    assert not ours.evidence({"HOME": "/nobody", name: ""}, "/none")


@pytest.mark.parametrize("variable", ["HOME", "CLOUDSDK_CONFIG"])
def test_a_login_of_gcloud_is_evidence(tmp_path, variable):
    settings = tmp_path / ".config" / "gcloud" if variable == "HOME" else tmp_path
    settings.mkdir(parents=True, exist_ok=True)
    environ = {"HOME": "/nobody", variable: str(tmp_path)}
    assert not ours.evidence(environ, "/none")
    (settings / "application_default_credentials.json").write_text("{}")
    assert ours.evidence(environ, "/none")


@pytest.mark.parametrize(
    ("text", "expected"), [("Google Compute Engine\n", True), ("Standard PC\n", False), ("", False)]
)
def test_the_machine_is_evidence(tmp_path, text, expected):
    (tmp_path / "product").write_text(text)
    assert ours.evidence({"HOME": "/nobody"}, str(tmp_path / "product")) is expected


def test_every_request_of_the_library_is_bounded(monkeypatch):
    import google.auth.transport.urllib3 as transport

    seen = []

    class Recorder:
        def __init__(self, http):
            pass

        def __call__(self, url, **options):
            seen.append(options["timeout"])

    monkeypatch.setattr(transport, "Request", Recorder)
    ours._request()("http://x.test", timeout=120)
    assert seen == [ours.PATIENCE]
