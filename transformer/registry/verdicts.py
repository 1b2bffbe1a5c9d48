"""From an answer that is no answer to a Refusal: the rule id, a sentence, and the next step.

Read at night in somebody else's log: each sentence names the reference, the host, the HTTP status and what the registry
said, printable and short. No credential, no URL query, no raw byte of an answer gets in here (echoes.py).
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from transformer.images.reference import Reference, shorten
from transformer.policy.questions import Refusal
from transformer.registry.echoes import hide, told
from transformer.registry.keychain import ANONYMOUS
from transformer.registry.transport import ERROR_LIMIT, Response, TransportError

_RATE_HELP = "wait, log in (a credential raises the limit), or pull through a mirror"


class Refused(Exception):
    """A lookup has failed; `refusal` is why, `status` the HTTP status behind it (0 when there was none)."""

    def __init__(self, refusal: Refusal, status: int = 0) -> None:
        self.refusal, self.status = refusal, status
        super().__init__(refusal.message)


class Asked(NamedTuple):
    """Who was asked, and as whom: `host` of the API, `registry` as in references, `source` of the credential.

    `shown`: the answer was given to that credential, and not to everybody.
    """

    host: str
    registry: str
    source: str = ANONYMOUS
    shown: bool = False


def by_status(reference: Reference, asked: Asked, response: Response, earlier: str = "") -> Refused:
    """The verdict on a status other than 200. `earlier` is what HEAD was answered, when that differs."""
    status = response.status
    rule, cause, step = _JUDGED.get(status, ("registry-error", "no usable answer", _ERROR_HELP))
    said = words(response)
    details = [f"HTTP {status} from {asked.host}"]
    if earlier:
        details.append(earlier)
    if said:
        details.append(f"it says {said}")
    if status in (401, 403, 404):
        details.append(f"asked as {asked.source}")
    step = step.format(registry=shorten(asked.registry))
    return Refused(Refusal(rule, f"{place(reference)}: {cause} ({'; '.join(details)})", step), status)


def by_transport(
    reference: Reference, error: TransportError, earlier: str = "", secrets: tuple[str, ...] = ()
) -> Refused:
    """The verdict when there was no answer at all; `secrets` had been sent by then."""
    tail = f" ({earlier})" if earlier else ""
    return Refused(Refusal(error.rule, f"{place(reference)}: {hide(str(error), secrets)}{tail}", error.help))


def refused(rule: str, reference: Reference, cause: str, step: str) -> Refused:
    """A verdict in our own words."""
    return Refused(Refusal(rule, f"{place(reference)}: {cause}", step))


def rate_limited(reference: Reference, host: str, status: int, seconds: float, left: float) -> Refused:
    """`Retry-After` asks for more time than there is. Both in seconds; `left` is what could be waited."""
    cause = f"{host} asks to wait {seconds:.0f} s (HTTP {status}), and there are {max(left, 0):.0f} s left to wait"
    step = f"try again in {_span(seconds)}; {_RATE_HELP}"
    return Refused(Refusal("rate-limited", f"{place(reference)}: {cause}", step), status)


def token_refused(reference: Reference, asked: Asked, realm: str, response: Response, reason: str) -> Refused:
    """The token server said no; its words are not about the image."""
    status = response.status
    rule = {401: "no-permission", 403: "no-permission", 429: "rate-limited"}.get(status, "registry-error")
    said = reason or words(response)
    cause = f"the token server {told(response, realm)} of {asked.host} gave no token (HTTP {status}"
    cause += f"; {said}" if said else ""
    cause += f"; asked as {asked.source})"
    step = _RATE_HELP if status == 429 else f"check the credential for {shorten(asked.registry)}, or try again later"
    return Refused(Refusal(rule, f"{place(reference)}: {cause}", step), status)


def place(reference: Reference) -> str:
    """The reference as messages begin."""
    return shorten(reference.canonical, 300)


def words(response: Response) -> str:
    """What a registry says in an error body: its code and message, or the first words of the body; "" when nothing."""
    if not response.body:
        return ""
    try:
        parsed: Any = json.loads(response.body)
    except (ValueError, RecursionError):
        return repr(first_bytes(response))
    errors = parsed.get("errors") if isinstance(parsed, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else parsed
    if not isinstance(first, dict):
        return ""
    texts = (first.get("code"), first.get("message") or first.get("details") or first.get("error"))
    return ": ".join(told(response, text, 160) for text in texts if isinstance(text, str) and text)


def first_bytes(response: Response) -> str:
    """The beginning of something unexpected, at most 80 characters, printable."""
    clean = hide(response.body[:ERROR_LIMIT].decode("utf-8", "replace"), response.secrets)
    return shorten(" ".join(clean[:400].split()), 80)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


_ERROR_HELP = "try again later; if it stays, ask the operators of {registry}"
_ACCESS_HELP = "check name and tag; if the image is private, log in to {registry} so that its credential can be found"
_JUDGED = {
    401: ("no-permission", "not found or no permission", _ACCESS_HELP),
    403: ("no-permission", "no permission", _ACCESS_HELP),
    404: ("not-found", "not found", "check the name and the tag; is {registry} the right registry?"),
    429: ("rate-limited", "too many requests", _RATE_HELP),
    408: ("registry-error", "the registry gave up waiting", _ERROR_HELP),
}
