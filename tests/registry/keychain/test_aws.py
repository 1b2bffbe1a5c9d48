"""ECR against moto, and ECR Public against a stub (moto has none)."""

from __future__ import annotations

import base64

import pytest

from transformer.registry.keychain import Credential, KeychainError, Wanted, aws
from transformer.registry.keychain.clouds import Clouds
from transformer.registry.keychain.credential import NoIdentity

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto")
# Old idioms inside the SDKs are their own affair.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
CANARY = "canary-4711"


@pytest.fixture(autouse=True)
def identity(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)


@pytest.fixture
def calls(monkeypatch):
    """Every client that is made, and the arguments of every call; answers are whatever `answer` holds."""

    class Client:
        answer: object = {"authorizationData": {"authorizationToken": "token"}}
        made: list = []  # noqa: RUF012

        def get_authorization_token(self, **arguments):
            self.made[-1].update(arguments)
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    Client.made = []

    def client(self, service, region_name, config):
        Client.made.append({"service": service, "region": region_name, "config": config})
        return Client()

    monkeypatch.setattr(boto3.session.Session, "client", client)
    return Client


def test_a_password_from_ecr():
    with moto.mock_aws():
        (credential,) = Clouds({}).resolve(Wanted(HOST, "team/app"))
    assert credential.username == "AWS" and credential.password
    assert credential.source == "ECR (boto3, account 123456789012, eu-west-1)"


def test_account_and_region_come_from_the_host(calls, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")
    token = base64.b64encode(b"AWS:secret:with:colons").decode()
    calls.answer = {"authorizationData": [{"authorizationToken": token}]}
    assert aws.private("123456789012", "eu-west-1").password == "secret:with:colons"
    (made,) = calls.made
    assert (made["service"], made["region"], made["registryIds"]) == ("ecr", "eu-west-1", ["123456789012"])
    assert made["config"].connect_timeout <= 5 and made["config"].read_timeout <= 5
    assert not made["config"].use_fips_endpoint


def test_fips(calls):
    calls.answer = {"authorizationData": [{"authorizationToken": base64.b64encode(b"AWS:x").decode()}]}
    aws.private("123456789012", "us-gov-west-1", fips=True)
    assert calls.made[0]["config"].use_fips_endpoint


def test_ecr_public_is_asked_in_its_one_region(calls):
    (credential,) = Clouds({}).resolve(Wanted("public.ecr.aws", "x"))
    assert credential == Credential("ECR Public (boto3)", registry_token="token")
    assert (calls.made[0]["service"], calls.made[0]["region"]) == ("ecr-public", "us-east-1")


def test_without_an_identity(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(NoIdentity, match="AWS credentials were not found"):
        aws.public()


def test_a_refusal_is_told_by_its_code(calls):
    from botocore.exceptions import ClientError

    error = {"Error": {"Code": "AccessDeniedException", "Message": f"arn:{CANARY} is not authorised"}}
    calls.answer = ClientError(error, "GetAuthorizationToken")
    with pytest.raises(KeychainError, match=r"in eu-west-1 was refused \(AccessDeniedException\)") as caught:
        aws.private("123456789012", "eu-west-1")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"authorizationData": []},
        {"authorizationData": [{}]},
        {"authorizationData": [{"authorizationToken": ""}]},
        {"authorizationData": [{"authorizationToken": base64.b64encode(b"canary-4711").decode()}]},
        {"authorizationData": [{"authorizationToken": "/////w=="}]},
    ],
)
def test_answers_without_a_token(calls, answer):
    calls.answer = answer
    with pytest.raises(KeychainError, match="GetAuthorizationToken gave") as caught:
        aws.private("123456789012", "eu-west-1")
    assert CANARY not in str(caught.value)
