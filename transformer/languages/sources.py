"""What other systems write where our policy has a source or a location: their texts as ours. Pure, and no format here.

A prefix or location is a name (`host[:port][/path]`); an endpoint is the address of a registry's API, and is a name
only when its path is `/v2` or lies under it. Everything wrong is a ValueError with a sentence that never shows a login.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from transformer.errors import PolicyError
from transformer.images.reference import DOCKER_HUB, ReferenceError, parse, shorten
from transformer.languages.model import Text
from transformer.policy.locations import has_host
from transformer.policy.mirrors import check_source, normalise_source
from transformer.policy.words import SIZE_LIMIT

#: Other names of Docker Hub: the last one is where its API is.
HUB_NAMES = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")

#: Characters of a name or address: above any that can be pulled.
LENGTH_LIMIT = 512

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_PORTS = {"http": "80", "https": "443"}
_TAG = re.compile(r"[^/]*/.*:[^/]*", re.DOTALL)
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::[0-9]+)?", re.ASCII)


class Endpoint(NamedTuple):
    """Where a registry's API is. `path` has no slash at its end; `plain`: over http."""

    host: str
    path: str = ""
    plain: bool = False


def source_of(text: str) -> str:
    """A source as the policy compares it; Docker Hub under its one name."""
    text = _bounded(text)
    if "@" in text or "://" in text:
        raise ValueError("a source has no scheme, no login and no digest; write host[:port][/path]")
    if text.startswith("*."):
        _check_suffix(text)
    elif "*" in text and text != "*":
        raise ValueError(f"{shorten(text)}: a wildcard stands for whole labels at the front: *.example.com, or * alone")
    elif has_tag(text):
        raise ValueError(f"{shorten(text)}: a source has no tag; take it out")
    check_source(text)
    source = normalise_source(text)
    host, slash, path = source.partition("/")
    return (DOCKER_HUB if host in HUB_NAMES else host) + slash + path


def location_of(text: str) -> str:
    """A location as our `to`: the name that another system writes in front of the rest of an image's path."""
    text = _bounded(text)
    if not text:
        raise ValueError("an empty location; write host[:port][/path]")
    if "://" in text:
        raise ValueError("a location is a name and has no scheme; write host[:port][/path]")
    return _name(text)


def endpoint_of(text: str, plain_loopback: bool = False) -> Endpoint:
    """The address of an API, as a URL or a bare host; `plain_loopback`: a bare loopback host is asked over http."""
    text = _bounded(text)
    match = _URL.fullmatch(text)
    scheme, rest = (match[1].lower(), match[2]) if match else ("", text)
    if "@" in rest:
        raise ValueError("an address with a login in it; take it out: pindown has `registries[].credentials`")
    if scheme not in ("", "http", "https"):
        raise ValueError(f"{shorten(text)}: the scheme is http or https")
    if "?" in rest or "#" in rest:
        raise ValueError(f"{shorten(re.split('[?#]', text)[0])}: an address has no query and no fragment; take it out")
    authority, _, path = rest.partition("/")
    plain = scheme == "http" or (not scheme and plain_loopback and _LOOPBACK.fullmatch(authority.lower()) is not None)
    host = _host(authority, scheme or ("http" if plain else "https"), text)
    return Endpoint(host, f"/{path}".rstrip("/"), plain)


def name_of(endpoint: Endpoint, root: str | None = None) -> str | None:
    """The `to` of an API whose root is this path (None: the endpoint's own); None when no image name leads there."""
    root = endpoint.path if root is None else root
    if root != "/v2" and not root.startswith("/v2/"):
        return None
    return _name(endpoint.host + root.removeprefix("/v2"))


def has_tag(text: str) -> bool:
    """Whether a name carries a tag or a digest."""
    return "://" not in text and (_TAG.fullmatch(text.partition("@")[0]) is not None or "@sha" in text)


def fail(text: Text, line: int, key: str, message: object) -> PolicyError:
    """The error to raise for what stands at this line (1-based) of the text, under this key."""
    place = text.line + max(line, 1) - 1
    return PolicyError(f"{shorten(key, 200)}: {message}" if key else str(message), text.name, place)


def check_size(text: Text) -> None:
    """Raises PolicyError for a text that is larger than any configuration."""
    if len(text.text) > SIZE_LIMIT:
        raise PolicyError(f"has {len(text.text)} characters, the limit is {SIZE_LIMIT}; split it", text.name)


def _bounded(text: str) -> str:
    if len(text) > LENGTH_LIMIT:
        raise ValueError(f"a name of {len(text)} characters; none that can be pulled is longer than {LENGTH_LIMIT}")
    return text.strip()


def _check_suffix(text: str) -> None:
    shown = shorten(text)
    if "*" in text[1:]:
        raise ValueError(f"{shown}: one * only, at the front: *.example.com stands for all subdomains")
    if "/" in text:
        raise ValueError(f"{shown}: a wildcard has no path; write *.example.com, or the hosts one by one")
    if ":" in text:
        raise ValueError(f"{shown}: a wildcard has no port; *.example.com holds for every port")


def _host(authority: str, scheme: str, text: str) -> str:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise ValueError(f"{shorten(text)} names no host; write https://host[:port]")
    host, port = match[1].lower(), match[2]
    if not has_host(host) and port is None:
        port = _PORTS[scheme]  # without a dot or a port the name would be one of Docker Hub
    host = host + (f":{port}" if port else "")
    return _name(DOCKER_HUB if host in HUB_NAMES else host)


def _name(text: str) -> str:
    if "@" in text:
        raise ValueError("a location holds neither a login nor a digest; write host[:port][/path]")
    shown, name = shorten(text), text.rstrip("/")
    if "{" in name or "}" in name:
        raise ValueError(f"{shown}: braces in a name; write the real host and path")
    host, slash, path = name.partition("/")
    host = host.lower()
    host = DOCKER_HUB if host in HUB_NAMES else host
    if not has_host(host):
        raise ValueError(f"{shown} names no host; write host[:port][/path], such as mirror.example.com/hub")
    try:
        parsed = parse(f"{host}/{path or 'name/name'}")
    except ReferenceError as error:
        raise ValueError(
            f"{shown} can be the beginning of no image name ({error.code}); write it in lower case"
        ) from None
    if parsed.tag is not None:
        raise ValueError(f"{shown}: a location has no tag; take it out")
    return host + slash + path
