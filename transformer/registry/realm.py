"""Where a token may be asked for, and with whose credential: a challenge's realm is an address chosen by a stranger.

Pure. That the realm's host resolves to a permitted address is checked when the connection is made (addresses.py).
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from transformer.images.reference import shorten
from transformer.registry.addresses import OPEN
from transformer.registry.hosts import Endpoint
from transformer.registry.transport import TransportError, Url, parse_url

#: Registries whose token server lives on another site of the same owner: (registry's host, realm's host).
KNOWN_PAIRS = frozenset((("registry-1.docker.io", "auth.docker.io"), ("registry.gitlab.com", "gitlab.com")))

#: Under these, each name belongs to somebody else: two names below one of them are two sites.
SHARED_SUFFIXES = frozenset(
    """
    a.run.app appspot.com azurecontainer.io azurecr.cn azurecr.io azurecr.us azurewebsites.net cloudapp.net
    cloudsmith.io cluster.local codeberg.page container-registry.com ddns.net deno.dev duckdns.org dynv6.net
    dyndns.org eu.org firebaseapp.com fly.dev gcr.io gitbook.io github.dev github.io gitlab.io gitpod.io glitch.me
    herokuapp.com hf.space hopto.org jfrog.io koyeb.app lambda-url.on.aws localhost.run loca.lt lhr.life myfritz.net
    netlify.app ngrok-free.app ngrok-free.dev ngrok.app ngrok.dev ngrok.io ngrok.pro nip.io no-ip.org onrender.com
    pages.dev pkg.dev readthedocs.io repl.co replit.app replit.dev run.app serveo.net sslip.io
    surge.sh svc.cluster.local synology.me traefik.me trycloudflare.com ts.net up.railway.app us.com vercel.app web.app
    workers.dev xip.io zapto.org
    """.split()
)
#: Under these, customers have names at several depths: here two names are one site only when they are equal.
CLOUDS = frozenset(
    """
    aliyuncs.com amazonaws.com amazonaws.com.cn amazonaws.eu azure.com azure-api.net azureedge.net azurefd.net
    backblazeb2.com cloudflarestorage.com cloudfront.net digitaloceanspaces.com fastly.net googleapis.com
    googleusercontent.com linodeobjects.com myqcloud.com on.aws oraclecloud.com ovh.net scw.cloud wasabisys.com
    windows.net
    """.split()
)
#: Second levels that are public under two-letter country domains (co.uk, com.au, …).
_COUNTRY_SECOND_LEVELS = frozenset(
    """
    ac ad co com ed edu firm gen go gob gouv gov govt gv id in ind info lg ltd me mil muni my ne net nhs nic nom or
    org plc police sch web
    """.split()
)
#: In Japan a domain may lie below a place: shop.city.kyoto.jp and bank.city.kyoto.jp are two sites.
_JAPANESE_REGIONS = frozenset(
    """
    aichi akita aomori chiba ehime fukui fukuoka fukushima gifu gunma hiroshima hokkaido hyogo ibaraki ishikawa iwate
    kagawa kagoshima kanagawa kawasaki kitakyushu kobe kochi kumamoto kyoto mie miyagi miyazaki nagano nagasaki nagoya
    nara niigata oita okayama okinawa osaka saga saitama sapporo sendai shiga shimane shizuoka tochigi tokushima tokyo
    tottori toyama wakayama yamagata yamaguchi yamanashi yokohama
    """.split()
)


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
    if any(_names(entry, url) for entry in endpoint.trusted_realms):
        return Realm(url, OPEN, True)  # the operator has named it, and so its address
    return Realm(url, endpoint.elsewhere(url), same_site(endpoint.url.host, url.host))


def _names(entry: str, url: Url) -> bool:
    """Whether an entry of trustedRealms means this realm: `host[:port]`, or an URL that it begins with."""
    try:
        named = parse_url(entry if "://" in entry else f"{url.scheme}://{entry}")
    except ValueError:
        return False
    path, prefix = url.target.partition("?")[0], named.target.rstrip("/")
    inside = path == prefix or path.startswith(f"{prefix}/")
    return named.same_origin(url) and inside and "/." not in path


def same_site(registry: str, realm: str) -> bool:
    """Whether a credential for one host may be shown to the other: the same host, site, or a known pair."""
    if registry == realm or (registry, realm) in KNOWN_PAIRS:
        return True
    if _is_address(registry) or _is_address(realm):
        return False
    site = _site(registry)
    return site is not None and site == _site(realm)


def _site(host: str) -> str | None:
    """The shortest parent of a host that has one owner; None where there is no such parent."""
    labels = host.rstrip(".").split(".")
    if any(".".join(labels[-size:]) in CLOUDS for size in range(len(labels), 1, -1)):
        return None
    known = next((size for size in range(len(labels), 1, -1) if ".".join(labels[-size:]) in SHARED_SUFFIXES), 1)
    if known == 1 and len(labels) > 1:
        known = _public_levels(labels)
    return ".".join(labels[-known - 1 :]) if len(labels) > known else None


def _public_levels(labels: list[str]) -> int:
    """How many labels at the end of a name are a country's and not an owner's."""
    if labels[-1] == "jp" and labels[-2] in _JAPANESE_REGIONS:
        return 3
    return 2 if len(labels[-1]) == 2 and labels[-2] in _COUNTRY_SECOND_LEVELS else 1


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _refused(endpoint: Endpoint, reason: str) -> TransportError:
    text = f"{endpoint.url.origin} names a token server that is not asked: {reason}"
    return TransportError("registry-error", text, "the registry is set up wrongly, or hostile; check its address")
