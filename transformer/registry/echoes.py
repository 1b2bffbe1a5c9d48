"""Our own secrets in other people's words: a server or proxy that repeats what it was sent must not get it into a log.

Only for bodies that are shown to people; what is hashed and pinned is never touched (wire.py decides).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, quote_plus

from transformer.registry.transport import Request

HIDDEN = b"[hidden]"
#: Shorter ones are words of every message; whoever has such a password has told it already.
_SHORTEST = 4
_FORM_SECRETS = frozenset(("refresh_token", "access_token", "password"))


def hide(request: Request, body: bytes) -> bytes:
    """The body without the secrets of the request that it answers."""
    for secret in sorted(set(_spellings(request)), key=len, reverse=True):
        body = body.replace(secret, HIDDEN)
    return body


def _spellings(request: Request) -> Iterator[bytes]:
    for secret in _secrets(request):
        if len(secret) >= _SHORTEST:
            written = (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
            yield from (one.encode("utf-8", "surrogateescape") for one in written)


def _secrets(request: Request) -> Iterator[str]:
    for name, value in request.headers:
        scheme, _, shown = value.partition(" ")
        if name.lower() != "authorization":
            continue
        yield shown
        if scheme.lower() == "basic":
            try:
                plain = base64.b64decode(shown).decode()
            except (binascii.Error, ValueError):
                continue
            yield from (plain, plain.partition(":")[2])
    if request.body is not None:
        yield from (value for name, value in parse_qsl(request.body.decode("latin-1")) if name in _FORM_SECRETS)
