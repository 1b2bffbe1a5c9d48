"""How one request gets its `Authorization`: from what is known of the host, and from each 401 it meets.

    HEAD image  --401 Bearer realm=…-->  GET realm?service=…&scope=repository:image:pull  --token-->  HEAD image

Each kind of answer to a 401 is tried once. Which credential is shown was decided before (identities.py); whether a
realm may see it is decided in realm.py.
"""

from __future__ import annotations

from collections.abc import Callable

from transformer.images.reference import shorten
from transformer.registry.challenge import Challenge, choose, parse
from transformer.registry.hosts import Endpoint
from transformer.registry.keychain import Credential
from transformer.registry.realm import judge
from transformer.registry.tokens import TokenKey, Tokens, wanted_scopes, without_scopes
from transformer.registry.transport import Request, Response

Realms = Callable[[Endpoint, Request], Response]


class Withheld(Exception):
    """The token server may not see this credential; nothing was sent to it. The message says why."""


def challenge_of(response: Response) -> Challenge | None:
    """The challenge of a 401 that we can answer."""
    return choose(parse(response.headers.get("www-authenticate", ())))


class Handshake:
    """For one request as one identity (None: anonymous), by one thread. `ask_realm` sends to a token server.

    Every method raises Withheld, TokenRefused, TransportError.
    """

    def __init__(
        self, endpoint: Endpoint, repository: str, credential: Credential | None, tokens: Tokens, ask_realm: Realms
    ) -> None:
        self._endpoint, self._repository, self._credential = endpoint, repository, credential
        self._tokens, self._ask_realm = tokens, ask_realm
        self._tried: set[str] = set()
        #: The header to send, None for none.
        self.authorization: str | None = None

    def begin(self, challenge: Challenge | None) -> None:
        """Sets the header by what the host has demanded before."""
        if challenge is None:
            return
        if challenge.scheme == "basic":
            self.authorization = self._basic()
        else:
            self.authorization = self._bearer(challenge)

    def answer(self, response: Response) -> bool:
        """Sets the header by a 401; False when there is nothing new to try."""
        challenge = challenge_of(response)
        sent, step = self.authorization, ""
        if challenge is not None:
            step = self._step(challenge)
        if challenge is None or step in self._tried:
            return False
        self._tried.add(step)
        stale = sent.partition(" ")[2] if sent is not None and step == "again" else None
        authorization = self._basic() if step == "basic" else self._bearer(challenge, step == "scope", stale)
        if authorization is None or authorization == sent:
            return False
        self.authorization = authorization
        return True

    def _step(self, challenge: Challenge) -> str:
        if challenge.scheme == "basic":
            return "basic"
        if challenge.params.get("error") == "insufficient_scope" and "scope" not in self._tried:
            return "scope"
        # A fresh token may be refused by a node whose clock is behind: one more is asked for.
        return "again" if self.authorization is not None and self.authorization.startswith("Bearer ") else "bearer"

    def _basic(self) -> str | None:
        return self._credential.basic if self._credential is not None else None

    def _bearer(self, challenge: Challenge, as_demanded: bool = False, stale: str | None = None) -> str | None:
        """`as_demanded`: with the other repositories too for which the challenge wants a token."""
        credential, endpoint = self._credential, self._endpoint
        if credential is not None and credential.registry_token:
            return f"Bearer {credential.registry_token}"
        realm = judge(challenge.params["realm"], endpoint)
        if credential is not None and not realm.trusted:
            raise Withheld(f"kept from {shorten(realm.url.origin)}, which is another site")
        url, more = without_scopes(realm.url)
        demanded = f"{challenge.params.get('scope', '')} {more}" if as_demanded else ""
        scopes = wanted_scopes(self._repository, demanded)
        key = TokenKey(endpoint.url.origin, url, challenge.params.get("service", ""), scopes, credential)
        request = Request("GET", url, forbidden=realm.forbidden, ca_bundle=endpoint.ca_bundle)
        return f"Bearer {self._tokens.get(key, lambda wanted: self._ask_realm(endpoint, wanted), request, stale)}"
