"""Redirects, followed by hand: few, never from https to http, never with a credential to another origin.

A HEAD stays a HEAD, whatever the status. Source: RFC 9110 §15.4; distribution-spec, "Pulling manifests".
"""

from __future__ import annotations

from transformer.images.reference import shorten
from transformer.registry.hosts import Endpoint
from transformer.registry.transport import (
    ForbiddenAddress,
    Request,
    Response,
    Transport,
    TransportError,
    Url,
    parse_url,
)

REDIRECTS = frozenset((301, 302, 303, 307, 308))


def follow(transport: Transport, endpoint: Endpoint, request: Request, deadline: float, limit: int) -> Response:
    """The first answer that is no redirect, after at most `limit` hops. Raises TransportError."""
    hops = 0
    while True:
        try:
            response = transport.send(request, deadline)
        except ForbiddenAddress as error:
            if not hops:
                raise
            raise _bad(endpoint, f"to {error.place}") from error
        except TransportError as error:
            # Where one image is redirected to says nothing about the registry and its other images.
            error.connected = error.connected or hops > 0
            raise
        location = response.header("location")
        if response.status not in REDIRECTS or location is None:
            return response
        hops += 1
        if hops > limit:
            raise _bad(endpoint, f"more than {limit} times, last to {shorten(request.url.origin)}")
        request = _next(endpoint, request, _target(endpoint, request.url, location))


def _target(endpoint: Endpoint, current: Url, location: str) -> Url:
    try:
        url = parse_url(location, current)
    except ValueError as error:
        raise _bad(endpoint, f"to an unusable place: {error}") from error
    if current.scheme == "https" and url.scheme == "http":
        raise _bad(endpoint, f"from https to plain http ({shorten(url.origin)})")
    return url


def _next(endpoint: Endpoint, request: Request, url: Url) -> Request:
    if not url.same_origin(request.url):
        request = request.with_header("Authorization", None)
    return request._replace(url=url, forbidden=endpoint.elsewhere(url))


def _bad(endpoint: Endpoint, what: str) -> TransportError:
    text = f"{endpoint.url.origin} redirects {what}; not followed"
    step = "check the registry's address; its redirects are set up wrongly, or it is hostile"
    return TransportError("registry-error", text, step)
