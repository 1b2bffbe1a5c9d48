"""The order of the sources, their two moments, and what each costs."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from transformer.policy.questions import HostCredential, PullSecret
from transformer.registry.keychain import Credential, Keychain, KeychainError, NoKeychain, Wanted, ambient_keychain
from transformer.registry.keychain.chain import TRIES

CANARY = "canary-4711"


def auth(user):
    return base64.b64encode(f"{user}:{CANARY}".encode()).decode()


class Source:
    def __init__(self, *answers, deferred=False, name="test"):
        self.answers, self.deferred, self.name, self.asked = answers, deferred, name, []

    def about(self, wanted):
        return self.name

    def resolve(self, wanted):
        self.asked.append(wanted)
        for answer in self.answers:
            if isinstance(answer, Exception):
                raise answer
        return list(self.answers)


A, B, C = (Credential(name, name, "p") for name in "abc")
WANTED = Wanted("registry.test", "team/app")


def test_nobody():
    assert NoKeychain().at_once(WANTED) == NoKeychain().on_refusal(WANTED) == ((), (), ())
    assert NoKeychain().waiting(WANTED) == ()
    assert NoKeychain().describe(WANTED) == "anonymous"
    assert NoKeychain().scope(WANTED._replace(scope="s")) == "ambient"


def test_each_moment_asks_its_own_sources_in_order():
    late, early = Source(C, deferred=True), Source(B, A)
    keychain = Keychain((late, early, Source()))
    assert keychain.at_once(WANTED).credentials == (B, A)
    assert late.asked == []
    assert keychain.on_refusal(WANTED).credentials == (C,)
    assert len(early.asked) == 1
    assert keychain.waiting(WANTED) == ("test",)


def test_a_source_that_fails_does_not_stop_the_others():
    keychain = Keychain((Source(KeychainError("broken")), Source(A), Source(KeychainError("named", explicit=True))))
    assert keychain.at_once(WANTED) == ((A,), ("broken", "named"), ("named",))
    assert keychain.describe(WANTED) == "a; anonymous (broken; named)"


def test_one_secret_in_two_places_is_tried_once():
    assert Keychain((Source(A), Source(A._replace(source="elsewhere")))).at_once(WANTED).credentials == (A,)


def test_there_is_an_end_to_it():
    many = [Credential(str(number), str(number), "p") for number in range(30)]
    assert len(Keychain((Source(*many),)).at_once(WANTED).credentials) == TRIES


@pytest.fixture
def machine(tmp_path):
    """A login in every source for ghcr.io; gives the keychain."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "docker-credential-test"
    program.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/ran\necho '{json.dumps({'Username': 'helper', 'Secret': CANARY})}'\n"
    )
    program.chmod(0o755)
    (tmp_path / ".docker").mkdir()
    config = {"auths": {"ghcr.io": {"auth": auth("file")}}, "credHelpers": {"ghcr.io": "test"}}
    (tmp_path / ".docker" / "config.json").write_text(json.dumps(config))
    environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:/bin:/usr/bin", "XDG_RUNTIME_DIR": str(tmp_path)}
    environ |= {"USER_OF_POLICY": "policy", "PASSWORD_OF_POLICY": CANARY}
    environ |= {"GITHUB_TOKEN": CANARY, "GITHUB_ACTOR": "cloud"}
    secret = PullSecret("team", "regcred", json.dumps({"auths": {"ghcr.io": {"auth": auth("secret")}}}))
    row = HostCredential("ghcr.io", "USER_OF_POLICY", "PASSWORD_OF_POLICY")
    return ambient_keychain(environ, {"pods": (secret,)}, [row])


GHCR = Wanted("ghcr.io", "team/app", "pods")


def test_the_whole_order(machine):
    assert [one.username for one in machine.at_once(GHCR).credentials] == ["policy", "file", "secret"]
    assert [one.username for one in machine.on_refusal(GHCR).credentials] == ["helper", "cloud"]


def test_another_scope_has_no_secret(machine):
    found = machine.at_once(GHCR._replace(scope="ambient")).credentials
    assert [one.username for one in found] == ["policy", "file"]
    assert machine.scope(GHCR) == "pods"
    assert machine.scope(GHCR._replace(host="other.test")) == "ambient"


def test_describing_runs_and_shows_nothing(machine, tmp_path):
    told = machine.describe(GHCR)
    assert told == (
        "the policy's variables USER_OF_POLICY, PASSWORD_OF_POLICY; ~/.docker/config.json (key ghcr.io); "
        "Secret team/regcred (key ghcr.io); anonymous; helper test; GITHUB_TOKEN"
    )
    assert not (tmp_path / "ran").exists()
    assert CANARY not in f"{told} {machine.at_once(GHCR)!r}"


def test_what_it_costs_to_have_no_credential():
    """No subprocess, no SDK, no YAML: neither when the chain is made nor when it is asked at once."""
    program = (
        "import sys\n"
        "from transformer.registry.keychain import Wanted, ambient_keychain\n"
        "keychain = ambient_keychain({'HOME': '/nobody', 'XDG_RUNTIME_DIR': '/nobody'})\n"
        "keychain.at_once(Wanted('ghcr.io', 'a')); keychain.waiting(Wanted('ghcr.io', 'a'))\n"
        "names = 'subprocess ssl urllib3 yaml boto3 google.auth azure.identity shutil dataclasses'.split()\n"
        "print(*(name for name in names if name in sys.modules))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout.strip()) == (0, ""), ran.stderr
