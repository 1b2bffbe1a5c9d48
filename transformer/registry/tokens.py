"""Bearer tokens: the exchange with a token server, and the memory of what it gave (in this process only).

One token for each repository: servers exist that honour only the first or the last of several scopes.
Source: distribution, "Token Authentication Specification" and "OAuth2 token authentication".
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote_plus, urlencode

from transformer.registry.flight import Flights
from transformer.registry.keychain import Credential
from transformer.registry.transport import ERROR_LIMIT, Request, Response, Url

CLIENT_ID = "pindown"
#: Seconds: what the specification says when nothing is said, which is also the least that we believe.
DEFAULT_LIFETIME = 60.0
#: Seconds: no token is believed to live longer.
LONGEST_LIFETIME = 86400.0
#: Seconds: a token this close to its end is renewed first.
RENEW_EARLY = 10.0
#: What a token server answers that does not know the POST form of the exchange.
_NO_OAUTH = frozenset((400, 401, 404, 405))

_TOKEN = re.compile(r"[\x21-\x7e]+")
_SCOPE = re.compile(r"repository:([a-z0-9][a-z0-9._/:-]*):[a-z,*]+", re.ASCII)


Send = Callable[[Request], Response]


class TokenKey(NamedTuple):
    """What a token is good for. Different credentials never share one."""

    origin: str
    realm: Url
    service: str
    scopes: tuple[str, ...]
    credential: Credential | None


class TokenRefused(Exception):
    """The token server gave no token; `response` is what it said, `reason` is set when that was a 200."""

    def __init__(self, response: Response, reason: str = "") -> None:
        self.response, self.reason = response, reason
        super().__init__(f"HTTP {response.status}")


class Tokens:
    """Tokens by key, single flight. `clock` in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[TokenKey, tuple[str, float]] = {}
        self._flights: Flights[str] = Flights(keep=False)

    def get(self, key: TokenKey, send: Send, request: Request, stale: str | None = None) -> str:
        """A token for `key`: a known one unless it is `stale` or near its end, else a new one by `exchange`."""

        def fetch() -> str:
            known = self._current(key, stale)
            if known is not None:
                return known
            token, lifetime = exchange(key, send, request)
            with self._lock:
                self._known[key] = (token, self._clock() + lifetime - RENEW_EARLY)
            return token

        return self._current(key, stale) or self._flights.do(key, fetch)

    def _current(self, key: TokenKey, stale: str | None) -> str | None:
        with self._lock:
            token, end = self._known.get(key, ("", 0.0))
        return token if token and token != stale and self._clock() < end else None


def without_scopes(realm: Url) -> tuple[Url, str]:
    """A realm without the scopes in its own query, and those: they are demands, like a challenge's."""
    path, mark, query = realm.target.partition("?")
    kept, demanded = [], []
    for part in re.split("[&;]", query):
        name, _, value = part.partition("=")
        if unquote_plus(name).strip().lower() == "scope":
            demanded.append(unquote_plus(value))
        else:
            kept.append(part)
    if not demanded:
        return realm, ""
    return realm._replace(target=path + (mark if kept else "") + "&".join(kept)), " ".join(demanded)


def wanted_scopes(repository: str, demanded: str = "") -> tuple[str, ...]:
    """`repository:<path>:pull`, and other repositories that a challenge demands; never more than pull."""
    asked = [match[1] for text in demanded.split() if (match := _SCOPE.fullmatch(text))]
    return tuple(f"repository:{path}:pull" for path in dict.fromkeys((repository, *asked[:8])))


def exchange(key: TokenKey, send: Send, request: Request) -> tuple[str, float]:
    """Asks the token server; `request` carries its URL and rules. Gives (token, lifetime in seconds).

    Raises TokenRefused, or what `send` raises. An identity token goes by POST; who does not know that gets the GET.
    """
    credential = key.credential
    if credential is not None and credential.identity_token:
        response = send(_post(key, request, credential))
        if response.status not in _NO_OAUTH or not credential.basic:
            return _read(response)
    return _read(send(_get(key, request)))


def _get(key: TokenKey, request: Request) -> Request:
    credential = key.credential
    query: list[tuple[str, str]] = [("service", key.service)] if key.service else []
    query += [("scope", scope) for scope in key.scopes]
    query.append(("client_id", CLIENT_ID))
    if credential is not None and credential.username:
        query.append(("account", credential.username))
    target = key.realm.target + ("&" if "?" in key.realm.target else "?") + _encode(query)
    request = request._replace(method="GET", url=key.realm._replace(target=target), limit=ERROR_LIMIT)
    return request.with_header("Authorization", credential.basic if credential is not None else None)


def _post(key: TokenKey, request: Request, credential: Credential) -> Request:
    form = [("grant_type", "refresh_token"), ("refresh_token", credential.identity_token)]
    form += [("service", key.service), ("client_id", CLIENT_ID), ("scope", " ".join(key.scopes))]
    headers = (("Content-Type", "application/x-www-form-urlencoded"),)
    return request._replace(method="POST", headers=headers, body=_encode(form).encode(), limit=ERROR_LIMIT)


def _encode(pairs: Sequence[tuple[str, str]]) -> str:
    return urlencode(pairs, safe=":/,")


def _read(response: Response) -> tuple[str, float]:
    if response.status != 200:
        raise TokenRefused(response)
    try:
        answer: Any = json.loads(response.body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise TokenRefused(response, "the answer is not a JSON object")
    token = answer.get("token") or answer.get("access_token")
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        raise TokenRefused(response, "the answer holds no usable token")
    lifetime = answer.get("expires_in")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float):
        lifetime = DEFAULT_LIFETIME
    # In this order neither NaN nor a number that no float can hold gets through.
    return token, float(min(LONGEST_LIFETIME, max(DEFAULT_LIFETIME, lifetime)))
