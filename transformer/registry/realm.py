"""Where a token may be asked for, and with whose credential: a challenge's realm is an address chosen by a stranger.

Pure. That the realm's host resolves to a permitted address is checked when the connection is made (addresses.py).
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from transformer.images.reference import shorten
from transformer.registry.hosts import Endpoint
from transformer.registry.transport import TransportError, Url, parse_url

#: Registries whose token server lives on another site of the same owner: (registry's host, realm's host).
KNOWN_PAIRS = frozenset((("registry-1.docker.io", "auth.docker.io"), ("registry.gitlab.com", "gitlab.com")))

#: Under these, each name belongs to somebody else: two names below one of them are two sites.
SHARED_SUFFIXES = frozenset(
    """
    amazonaws.com amazonaws.com.cn azurecontainer.io azurecr.cn azurecr.io azurewebsites.net cloudapp.net cloudfront.net
    cluster.local svc.cluster.local duckdns.org fly.dev github.io gitlab.io googleapis.com appspot.com a.run.app run.app
    pkg.dev gcr.io herokuapp.com netlify.app ngrok.app ngrok.io ngrok-free.app nip.io sslip.io onrender.com pages.dev
    readthedocs.io vercel.app web.app workers.dev
    """.split()
)
#: Second levels that are public under two-letter country domains (co.uk, com.au, …).
_COUNTRY_SECOND_LEVELS = frozenset("ac co com edu go gob gov gv ltd me mil ne net nom or org plc sch".split())


class Realm(NamedTuple):
    """A token server that may be asked. `forbidden` are kinds of addresses; `trusted`: it may see the credential."""

    url: Url
    forbidden: frozenset[str]
    trusted: bool


def judge(realm: str, endpoint: Endpoint) -> Realm:
    """The realm of a challenge by `endpoint`. Raises TransportError when it may not be asked at all."""
    try:
        url = parse_url(realm)
    except ValueError as error:
        raise _refused(endpoint, f"{error}") from error
    if url.scheme == "http" and endpoint.url.scheme != "http":
        raise _refused(endpoint, f"{shorten(url.origin)} is plain http, and the registry itself is not")
    return Realm(url, endpoint.elsewhere(url), same_site(endpoint.url.host, url.host))


def same_site(registry: str, realm: str) -> bool:
    """Whether a credential for one host may be shown to the other: the same host, site, or a known pair."""
    if registry == realm or (registry, realm) in KNOWN_PAIRS:
        return True
    if _is_address(registry) or _is_address(realm):
        return False
    site = _site(registry)
    return site is not None and site == _site(realm)


def _site(host: str) -> str | None:
    """The shortest parent of a host that has one owner; None for a single label or a shared suffix itself."""
    labels = host.rstrip(".").split(".")
    known = next((size for size in range(len(labels), 1, -1) if ".".join(labels[-size:]) in SHARED_SUFFIXES), 1)
    if known == 1 and len(labels) > 1 and len(labels[-1]) == 2 and labels[-2] in _COUNTRY_SECOND_LEVELS:
        known = 2
    return ".".join(labels[-known - 1 :]) if len(labels) > known else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _refused(endpoint: Endpoint, reason: str) -> TransportError:
    text = f"{endpoint.url.origin} names a token server that is not asked: {reason}"
    return TransportError("registry-error", text, "the registry is set up wrongly, or hostile; check its address")
