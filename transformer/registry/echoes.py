"""Other people's words in our messages: the one place where they are made fit to be shown.

A server or proxy that repeats what it was sent must not get it into a log. So every Response carries the secrets of its
request (`Response.secrets`, filled by wire.py with `sent`), and whatever of it goes into a message, already decoded,
goes through `told`. What is hashed and pinned never comes here.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import parse_qsl, unquote, unquote_plus

from transformer.images.reference import shorten
from transformer.registry.transport import Request, Response

HIDDEN = "[hidden]"
#: Shorter ones are words of every message; whoever has such a password has told it already.
_SHORTEST = 4
_FORM_SECRETS = frozenset(("refresh_token", "access_token", "password"))
_BACKSLASHED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)


def told(response: Response, text: str, limit: int = 120) -> str:
    """Text of an answer as a message may hold it: without the secrets that were sent, printable, at most `limit`."""
    return shorten(hide(text, response.secrets), limit)


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, in any case and under any of the usual escapes; what is found comes unescaped."""
    worth = sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)
    if not worth:
        return text
    expression = re.compile("|".join(map(re.escape, worth)), re.IGNORECASE)
    for of_url in (unquote, unquote_plus):
        plain = text
        for decode in (*_ESCAPES, of_url):
            plain = decode(plain)
            clean = expression.sub(HIDDEN, plain)
            if clean != plain:
                text = plain = clean
    return text


def sent(request: Request, proxy: str | None = None) -> tuple[str, ...]:
    """The secrets that go out with a request; `proxy` is the value of its Proxy-Authorization."""
    headers = [value for name, value in request.headers if name.lower() == "authorization"]
    found = [secret for value in (*headers, proxy or "") for secret in of_header(value)]
    if request.body is not None:
        found += [value for name, value in parse_qsl(request.body.decode("latin-1")) if name in _FORM_SECRETS]
    return tuple(dict.fromkeys(found))


def of_header(value: str) -> Iterator[str]:
    """The secrets in the value of an Authorization header: as it is shown, and what that is the base64 of."""
    scheme, _, shown = value.partition(" ")
    if not shown:
        return
    yield from (shown, shown.rstrip("="))
    if scheme.lower() == "basic":
        try:
            plain = base64.b64decode(shown).decode()
        except (binascii.Error, ValueError):
            return
        yield from (plain, plain.partition(":")[2])


def _unescaped(text: str) -> str:
    """Without the backslashes of JSON."""
    return _BACKSLASHED.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[2], text)


#: One upon the other: JSON, JSON in JSON, HTML; an URL may be inside.
_ESCAPES: tuple[Callable[[str], str], ...] = (str, _unescaped, _unescaped, html.unescape)
