"""Whose hosts are whose, and what is said when a cloud gives nothing."""

from __future__ import annotations

import builtins
import re
import subprocess
import sys
import traceback

import pytest

from tests.conftest import ROOT
from transformer.registry.deadline import OutOfTime
from transformer.registry.keychain import Credential, KeychainError, Wanted
from transformer.registry.keychain.clouds import CLOUDS, Cloud, Clouds
from transformer.registry.keychain.credential import NoIdentity

CANARY = "canary-4711"
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def named(host):
    return Clouds({}).about(Wanted(host, "a"))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (ECR, "ECR (boto3)"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ECR (boto3)"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "ECR (boto3)"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "ECR (boto3)"),
        ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "ECR (boto3)"),
        ("public.ecr.aws", "ECR Public (boto3)"),
        ("gcr.io", "Google (google-auth)"),
        ("eu.gcr.io", "Google (google-auth)"),
        ("europe-west1-docker.pkg.dev", "Google (google-auth)"),
        ("team.azurecr.io", "ACR (azure-identity)"),
        ("team-a1b2c3.azurecr.cn", "ACR (azure-identity)"),
        ("team.azurecr.us", "ACR (azure-identity)"),
        ("ghcr.io", "GITHUB_TOKEN"),
        ("GHCR.io", "GITHUB_TOKEN"),
    ],
)
def test_whose_host_it_is(host, name):
    assert named(host) == name


@pytest.mark.parametrize(
    "host",
    [
        "registry.test",
        f"{ECR}.evil.test",
        f"evil.{ECR}",
        f"{ECR}:443",
        f"{ECR}\n",
        ECR.replace("amazonaws.com", "amazonaws.com.evil"),
        ECR.replace("amazonaws.com", "amazonawsxcom"),
        ECR.replace("123456789012", "12345678901"),
        ECR.replace("123456789012", "1234567890123"),
        ECR.replace("eu-west-1", "eu.west"),
        "dkr.ecr.eu-west-1.amazonaws.com",
        "public.ecr.aws.evil.test",
        "xpublic.ecr.aws",
        "gcr.io.evil.test",
        "evilgcr.io",
        "a.b.gcr.io",
        "pkg.dev",
        "evilpkg.dev",
        "europe-docker.pkg.dev.evil.test",
        "azurecr.io",
        "team.azurecr.io.evil.test",
        "teamazurecr.io",
        "a.b.azurecr.io",
        "ghcr.io.evil.test",
        "xghcr.io",
        "sub.ghcr.io",
        "docker.io",
        "localhost",
    ],
)
def test_strangers(host):
    assert named(host) == ""
    assert Clouds({"GITHUB_TOKEN": CANARY}).resolve(Wanted(host, "a")) == []


def test_account_and_region_are_the_hosts():
    match = CLOUDS[0].host.fullmatch("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com")
    assert (match["account"], match["region"], bool(match["fips"])) == ("123456789012", "us-gov-west-1", True)
    assert not CLOUDS[0].host.fullmatch(ECR)["fips"]


@pytest.mark.parametrize(
    ("host", "module", "extra"),
    [
        (ECR, "boto3", "aws"),
        ("public.ecr.aws", "boto3", "aws"),
        ("eu.gcr.io", "google", "gcp"),
        ("team.azurecr.io", "azure", "azure"),
    ],
)
@pytest.mark.parametrize("environ", [{}, {"GCE_METADATA_HOST": "127.0.0.1:1", "MSI_ENDPOINT": "x"}])
def test_a_missing_extra_is_named(monkeypatch, host, module, extra, environ):
    real = builtins.__import__

    def without(name, *args, **options):
        if name == module or name.startswith(module + "."):
            raise ImportError(name)
        return real(name, *args, **options)

    for name in [name for name in sys.modules if name == module or name.startswith(module + ".")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(KeychainError, match=re.escape(f"pip install 'pindown[{extra}]'")):
        Clouds(environ).resolve(Wanted(host, "a"))


# One cloud of the tests' own.


def source(obtain, host=r"(?:a|b)\.cloud\.test"):
    return Clouds({}, [Cloud("Cloud (sdk)", "sdk", re.compile(host), obtain)])


class Obtain:
    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, match, wanted, environ):
        self.asked.append(wanted.host)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


OLD, NEW = Credential("Cloud", "u", "old"), Credential("Cloud", "u", "new")


def test_each_host_is_asked_for_once_and_once_more_when_it_has_expired():
    obtain = Obtain(OLD, NEW)
    clouds = source(obtain)
    for stale, expected in ((None, OLD), (None, OLD), (OLD, NEW), (OLD, NEW), (NEW, NEW)):
        assert clouds.resolve(Wanted("a.cloud.test", "x", stale=stale)) == [expected]
    assert obtain.asked == ["a.cloud.test"] * 2


def test_nothing_is_an_answer():
    assert source(Obtain(None)).resolve(Wanted("a.cloud.test", "x")) == []


def test_no_identity_is_found_out_once_for_all_hosts():
    obtain = Obtain(NoIdentity("nobody is logged in"))
    clouds = source(obtain)
    for host in ("a.cloud.test", "b.cloud.test"):
        with pytest.raises(KeychainError, match=r"Cloud \(sdk\): nobody is logged in"):
            clouds.resolve(Wanted(host, "x"))
    assert obtain.asked == ["a.cloud.test"]


def test_one_hosts_failure_is_its_own():
    clouds = source(Obtain(KeychainError("refused"), OLD))
    with pytest.raises(KeychainError, match=r"Cloud \(sdk\): refused"):
        clouds.resolve(Wanted("a.cloud.test", "x"))
    assert clouds.resolve(Wanted("b.cloud.test", "x")) == [OLD]


def test_an_sdks_own_error_is_told_by_its_kind_alone():
    with pytest.raises(KeychainError) as caught:
        source(Obtain(ValueError(CANARY))).resolve(Wanted("a.cloud.test", "x"))
    assert str(caught.value) == "Cloud (sdk): no credential (ValueError)"
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("logger", ["google.auth", "azure.identity", "botocore.x", "boto3", "msal.y"])
def test_an_sdk_writes_nothing_to_stderr(logger):
    """Python prints warnings of loggers that nobody has configured; theirs may quote what they were answered."""
    program = (
        "import logging, re\n"
        "from transformer.registry.keychain import Wanted\n"
        "from transformer.registry.keychain.clouds import Cloud, Clouds\n"
        "def obtain(*_):\n"
        f"    logging.getLogger({logger!r}).error({CANARY!r})\n"
        "    print('asked')\n"
        "Clouds({}, [Cloud('x', 'x', re.compile('h'), obtain)]).resolve(Wanted('h', 'a'))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "asked\n", "")


def test_the_end_of_the_run_is_no_failure():
    clouds = source(Obtain(OutOfTime(), OLD))
    with pytest.raises(OutOfTime):
        clouds.resolve(Wanted("a.cloud.test", "x"))
    assert clouds.resolve(Wanted("a.cloud.test", "x")) == [OLD]


# GHCR needs no SDK.


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, []),
        ({"GITHUB_TOKEN": ""}, []),
        ({"GITHUB_ACTOR": "me"}, []),
        ({"GITHUB_TOKEN": CANARY}, [Credential("GITHUB_TOKEN", "unset", CANARY)]),
        ({"GITHUB_TOKEN": CANARY, "GITHUB_ACTOR": "me"}, [Credential("GITHUB_TOKEN", "me", CANARY)]),
    ],
)
def test_ghcr(environ, expected):
    assert Clouds(environ).resolve(Wanted("ghcr.io", "a")) == expected


def test_a_token_that_is_no_text():
    cloud = Cloud("Cloud", "", re.compile("cloud.test"), lambda *_: Credential("Cloud", "user", "\udc80"))
    with pytest.raises(KeychainError, match="no valid text"):
        Clouds({}, [cloud]).resolve(Wanted("cloud.test", "a"))
