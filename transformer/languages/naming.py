"""The names of other systems as ours, at a place in a text: sources, locations, endpoints and images.

What `sources` says of a name becomes a PolicyError with file, line and key here, and a note where a name is folded.
"""

from __future__ import annotations

from typing import NamedTuple

from transformer.images.reference import Reference, ReferenceError, parse, shorten
from transformer.languages.gathering import Gathering
from transformer.languages.sources import endpoint_of, location_of, name_of, source_of
from transformer.languages.yamltext import At

#: Characters of a name: above any that can be pulled.
NAME_LIMIT = 512
_HUB_API = "registry-1.docker.io"


class Place(NamedTuple):
    """Where an endpoint leads: its host, whether that is reached over plain http, and what names there begin with.

    `to` is None when the API stands under a `path` that no image name can hold.
    """

    host: str
    plain: bool
    path: str
    to: str | None


def source_at(found: Gathering, at: At, text: str) -> str:
    """A source as the policy compares it."""
    try:
        source = source_of(_bounded(text))
    except ValueError as error:
        raise at.fail(error) from None
    if text.strip().lower().partition("/")[0] == _HUB_API:
        found.note(at, f"{_HUB_API} is where Docker Hub's API is; its images, and so the source, are docker.io's")
    return source


def location_at(at: At, text: str) -> str:
    """A host, or a host and a path, as a location."""
    try:
        return location_of(_bounded(text))
    except ValueError as error:
        raise at.fail(error) from None


def endpoint_at(at: At, text: str) -> Place:
    """The address of a registry's API as k3s reads it: a path other than /v2 is taken as it is, nothing appended."""
    try:
        endpoint = endpoint_of(_bounded(text), plain_loopback=True)
        to = name_of(endpoint, endpoint.path or "/v2")
    except ValueError as error:
        raise at.fail(error) from None
    return Place(endpoint.host, endpoint.plain, endpoint.path, to)


def image_of(at: At, text: str) -> Reference:
    """An image as another system names it, `docker.io/library/` filled in."""
    try:
        return parse(text.strip())
    except ReferenceError as error:
        # A login before the host would stand here in the clear.
        shown = "this" if "://" in text or "@" in text else shorten(text)
        raise at.fail(f"{shown} is no image name ({error.code}); write host[:port]/path in lower case") from None


def _bounded(text: str) -> str:
    if len(text) > NAME_LIMIT:
        raise ValueError(f"a name of {len(text)} characters; none that can be pulled is longer than {NAME_LIMIT}")
    return text
