"""The clouds' own registries: which hosts are theirs, and who can make a credential for them.

The patterns match the whole host: what only begins or ends like a cloud's registry belongs to a stranger. An SDK is
imported when a host matches and the registry has refused to answer anonymously, and each host is asked for once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from transformer.images.reference import shorten
from transformer.registry.deadline import OutOfTime
from transformer.registry.keychain.credential import Credential, KeychainError, NoIdentity, Wanted, usable
from transformer.registry.keychain.once import Once

_AWS_SITES = r"amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|on\.aws|on\.amazonwebservices\.com\.cn"

_LOGGERS = ("azure", "boto3", "botocore", "google", "msal")

Obtain = Callable[["re.Match[str]", Wanted, Mapping[str, str]], Credential | None]


class Cloud(NamedTuple):
    """One kind of registry. `extra` is what has to be installed for it, "" for nothing."""

    name: str
    extra: str
    host: re.Pattern[str]
    obtain: Obtain


class Clouds:
    """A Source: the cloud whose registry a host is."""

    deferred = True

    def __init__(self, environ: Mapping[str, str], clouds: Sequence[Cloud] | None = None) -> None:
        self._environ, self._clouds = environ, CLOUDS if clouds is None else tuple(clouds)
        self._once = Once()
        self._nobody: dict[str, str] = {}

    def about(self, wanted: Wanted) -> str:
        """See Source."""
        found = self._cloud(wanted.host)
        return found[0].name if found is not None else ""

    def resolve(self, wanted: Wanted) -> list[Credential]:
        """See Source."""
        found = self._cloud(wanted.host)
        if found is None:
            return []
        cloud, match = found
        credential = self._once.get(wanted.host.lower(), lambda: self._obtain(cloud, match, wanted), wanted.stale)
        return [] if credential is None else [credential]

    def _cloud(self, host: str) -> tuple[Cloud, re.Match[str]] | None:
        for cloud in self._clouds:
            match = cloud.host.fullmatch(host.lower())
            if match is not None:
                return cloud, match
        return None

    def _obtain(self, cloud: Cloud, match: re.Match[str], wanted: Wanted) -> Credential | None:
        known = self._nobody.get(cloud.extra)
        if known:
            raise KeychainError(known)
        _silence()
        try:
            found = cloud.obtain(match, wanted, self._environ)
            return None if found is None else usable(found)
        except ImportError:
            text = f"{cloud.name} needs the extra {cloud.extra}: pip install 'pindown[{cloud.extra}]'"
            raise KeychainError(text) from None
        except NoIdentity as error:
            self._nobody[cloud.extra] = f"{cloud.name}: {error}"
            raise KeychainError(f"{cloud.name}: {error}") from None
        except KeychainError as error:
            raise KeychainError(f"{cloud.name}: {error}") from None
        except OutOfTime:
            raise
        except Exception as error:  # an SDK's own: its text may quote requests, so only its kind is told
            raise KeychainError(f"{cloud.name}: no credential ({shorten(type(error).__name__, 60)})") from None


def _silence() -> None:
    """Keeps the SDKs' own logs from stderr, where Python writes what nobody has configured: they quote answers."""
    import logging

    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _ecr(match: re.Match[str], wanted: Wanted, environ: Mapping[str, str]) -> Credential | None:
    from transformer.registry.keychain import aws

    return aws.private(match["account"], match["region"], fips=bool(match["fips"]))


def _ecr_public(match: re.Match[str], wanted: Wanted, environ: Mapping[str, str]) -> Credential | None:
    from transformer.registry.keychain import aws

    return aws.public()


def _google(match: re.Match[str], wanted: Wanted, environ: Mapping[str, str]) -> Credential | None:
    from transformer.registry.keychain import google

    return google.access_token(environ)


def _azure(match: re.Match[str], wanted: Wanted, environ: Mapping[str, str]) -> Credential | None:
    from transformer.registry.keychain import azure

    return azure.refresh_token(wanted, match["cloud"], environ)


def _github(match: re.Match[str], wanted: Wanted, environ: Mapping[str, str]) -> Credential | None:
    from transformer.registry.keychain import github

    return github.job_token(environ)


CLOUDS = (
    Cloud(
        "ECR (boto3)",
        "aws",
        re.compile(
            rf"(?P<account>\d{{12}})\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-z]{{2}}[a-z0-9-]+)\.(?:{_AWS_SITES})",
            re.ASCII,
        ),
        _ecr,
    ),
    Cloud("ECR Public (boto3)", "aws", re.compile(r"public\.ecr\.aws"), _ecr_public),
    Cloud(
        "Google (google-auth)",
        "gcp",
        re.compile(r"(?:[a-z0-9-]+\.)?gcr\.io|[a-z0-9-]+\.pkg\.dev", re.ASCII),
        _google,
    ),
    Cloud("ACR (azure-identity)", "azure", re.compile(r"[a-z0-9-]+\.azurecr\.(?P<cloud>io|cn|us)", re.ASCII), _azure),
    Cloud("GITHUB_TOKEN", "", re.compile(r"ghcr\.io"), _github),
)
