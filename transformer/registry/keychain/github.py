"""GHCR: the token that a GitHub Actions job has, for ghcr.io and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from transformer.registry.keychain.credential import Credential

#: GHCR wants a user name and does not look at it.
NOBODY = "unset"


def job_token(environ: Mapping[str, str]) -> Credential | None:
    """The job's token, None where there is none."""
    token = environ.get("GITHUB_TOKEN")
    if not token:
        return None
    return Credential("GITHUB_TOKEN", environ.get("GITHUB_ACTOR") or NOBODY, token)
