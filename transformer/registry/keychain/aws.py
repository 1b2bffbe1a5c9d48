"""Amazon ECR: boto3 signs the request with whatever identity the machine has, and gets a password for twelve hours.

Account and region are the host's own, never those of the environment. Every time-out is short: outside AWS the look
for instance metadata must end soon (one attempt, one second).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from transformer.images.reference import shorten
from transformer.registry.keychain.credential import Credential, KeychainError, NoIdentity

#: ECR Public has its API in this region alone.
PUBLIC_REGION = "us-east-1"


def private(account: str, region: str, *, fips: bool = False) -> Credential:
    """`AWS` and a password for one account's registry in one region. Raises KeychainError, ImportError."""
    answer = _call("ecr", region, fips, registryIds=[account])
    rows = answer.get("authorizationData")
    username, password = _decode(_token(rows[0] if isinstance(rows, list) and rows else None))
    return Credential(f"ECR (boto3, account {account}, {region})", username, password)


def public() -> Credential:
    """A token that ECR Public takes as a Bearer token."""
    answer = _call("ecr-public", PUBLIC_REGION, False)
    return Credential("ECR Public (boto3)", registry_token=_token(answer.get("authorizationData")))


def _call(service: str, region: str, fips: bool, **arguments: Any) -> dict[str, Any]:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError, NoCredentialsError

    session = boto3.session.Session()
    if session.get_credentials() is None:
        raise NoIdentity("AWS credentials were not found (environment, ~/.aws, web identity, instance metadata)")
    config = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2}, use_fips_endpoint=fips)
    try:
        client = session.client(service, region_name=region, config=config)
        answer: dict[str, Any] = client.get_authorization_token(**arguments)
    except NoCredentialsError:
        raise NoIdentity("AWS credentials were not found") from None
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise KeychainError(f"GetAuthorizationToken in {region} was refused ({shorten(str(code), 60)})") from None
    return answer


def _token(row: Any) -> str:
    token = row.get("authorizationToken") if isinstance(row, dict) else None
    if not isinstance(token, str) or not token:
        raise KeychainError("GetAuthorizationToken gave no token")
    return token


def _decode(token: str) -> tuple[str, str]:
    try:
        username, colon, password = base64.b64decode(token).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if not colon:
        raise KeychainError("GetAuthorizationToken gave a token of an unknown form")
    return username, password
