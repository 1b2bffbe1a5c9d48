"""Artifact Registry and GCR: google-auth makes an access token of the Application Default Credentials.

The library would look for a metadata server for many seconds where there is none, so it is asked only on evidence: a
variable, a login of gcloud, or a machine that says it is Google's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from transformer.registry.keychain.configfiles import home_of
from transformer.registry.keychain.credential import Credential, KeychainError, NoIdentity

USERNAME = "oauth2accesstoken"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: Seconds for each request that the library makes.
PATIENCE = 5
#: What a Google machine says of itself.
PRODUCT_FILE = "/sys/class/dmi/id/product_name"
_VARIABLES = (
    *("GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"),
    *("K_SERVICE", "CLOUD_RUN_JOB", "GAE_SERVICE"),
)


def access_token(environ: Mapping[str, str]) -> Credential:
    """A token of this machine's or person's identity. Raises KeychainError, ImportError."""
    if not evidence(environ):
        # First of all the extra: without it, evidence would not help either.
        import google.auth  # noqa: F401

        raise NoIdentity(
            "no identity was looked for: no GOOGLE_APPLICATION_CREDENTIALS, no `gcloud auth application-default "
            "login`, and this is no Google machine"
        )
    import google.auth
    import google.auth.exceptions

    request = _request()
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE], request=request)
        identity: Any = credentials
        identity.refresh(request)
    except google.auth.exceptions.DefaultCredentialsError:
        raise NoIdentity("the Application Default Credentials cannot be used") from None
    except google.auth.exceptions.GoogleAuthError as error:
        raise KeychainError(f"the Application Default Credentials gave no token ({type(error).__name__})") from None
    token = identity.token
    if not isinstance(token, str) or not token:
        raise KeychainError("the Application Default Credentials gave no token")
    return Credential("Google (google-auth)", USERNAME, token)


def evidence(environ: Mapping[str, str], product_file: str = PRODUCT_FILE) -> bool:
    """Whether an identity is likely to be here."""
    if any(environ.get(name) for name in _VARIABLES):
        return True
    settings = environ.get("CLOUDSDK_CONFIG") or os.path.join(home_of(environ), ".config", "gcloud")
    if os.path.exists(os.path.join(settings, "application_default_credentials.json")):
        return True
    try:
        with open(product_file, encoding="ascii", errors="replace") as file:
            return file.read(64).startswith("Google")
    except OSError:
        return False


def _request() -> Any:
    """The library's way to HTTP over urllib3, which is here anyway, with a time-out that it cannot raise."""
    import urllib3
    from google.auth.transport import urllib3 as transport

    make: Any = transport.Request
    inner = make(urllib3.PoolManager(retries=False))

    def bounded(url: str, method: str = "GET", body: Any = None, headers: Any = None, **rest: Any) -> Any:
        rest["timeout"] = PATIENCE
        return inner(url, method=method, body=body, headers=headers, **rest)

    return bounded
