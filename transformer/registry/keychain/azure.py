"""Azure Container Registry: azure-identity gives a token of Entra ID, which the registry exchanges for its own.

The exchange goes to the registry itself, through our own transport: the same host, the same rules as any request.
Source: Azure/acr, "Azure Container Registry integration with Azure Active Directory OAuth".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from transformer.registry.keychain.credential import Credential, KeychainError, NoIdentity, Wanted

#: The user name that goes with a refresh token where a server wants a password.
USERNAME = "00000000-0000-0000-0000-000000000000"
#: What the token of Entra ID is for, by the cloud that a host's last label names.
SCOPES = {
    "io": "https://containerregistry.azure.net/.default",
    "cn": "https://management.chinacloudapi.cn/.default",
    "us": "https://management.usgovcloudapi.net/.default",
}
#: What a virtual machine of Azure says of itself.
CHASSIS_FILE = "/sys/class/dmi/id/chassis_asset_tag"
_CHASSIS = "7783-7084-3265-9085-8269-3286-77"
_VARIABLES = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE")


def refresh_token(wanted: Wanted, cloud: str, environ: Mapping[str, str]) -> Credential:
    """The registry's refresh token for this machine's or person's identity. Raises KeychainError, ImportError."""
    identity = _identity(environ)
    from azure.core.exceptions import AzureError, ClientAuthenticationError

    try:
        token = identity.get_token(SCOPES[cloud]).token
    except ClientAuthenticationError:
        raise NoIdentity("no identity of Entra ID was found (environment, workload, managed identity, az)") from None
    except AzureError as error:
        raise KeychainError(f"Entra ID gave no token ({type(error).__name__})") from None
    return exchange(wanted, token, environ.get("AZURE_TENANT_ID") or "")


def exchange(wanted: Wanted, access_token: str, tenant: str = "") -> Credential:
    """The registry's own token for one of Entra ID."""
    form = [("grant_type", "access_token"), ("service", wanted.host), ("access_token", access_token)]
    if tenant:
        form.append(("tenant", tenant))
    status, body = wanted.post("/oauth2/exchange", urlencode(form).encode())
    if status != 200:
        raise KeychainError(f"the registry does not exchange the token of Entra ID (HTTP {status})")
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    refresh = answer.get("refresh_token") if isinstance(answer, dict) else None
    if not isinstance(refresh, str) or not refresh.isascii() or not refresh.isprintable():
        raise KeychainError("the registry's exchange gave no refresh token")
    return Credential("ACR (azure-identity)", USERNAME, refresh, identity_token=refresh)


def managed(environ: Mapping[str, str], chassis_file: str = CHASSIS_FILE) -> bool:
    """Whether a managed identity is likely to be here: elsewhere the look for it takes long."""
    if any(environ.get(name) for name in _VARIABLES):
        return True
    try:
        with open(chassis_file, encoding="ascii", errors="replace") as file:
            return file.read(64).strip() == _CHASSIS
    except OSError:
        return False


def _identity(environ: Mapping[str, str]) -> Any:
    """Who this machine is, from the sources that can answer soon."""
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential(
        exclude_managed_identity_credential=not managed(environ),
        exclude_powershell_credential=True,
        exclude_developer_cli_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_shared_token_cache_credential=True,
        process_timeout=8,
        connection_timeout=5,
        read_timeout=5,
        retry_total=1,
    )
