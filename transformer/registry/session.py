"""One authorised request: the host's door, retries, redirects and the handshake put together.

The challenge of a host is remembered, so that only its first request meets the 401; a token is then fetched before each
repository's first request. A refused request is made again as the next identity (identities.py). Judges no image
(client.py) and knows no Question.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from transformer.images.reference import Reference
from transformer.registry.attempts import Attempts, Clocks
from transformer.registry.challenge import Challenge
from transformer.registry.deadline import Run
from transformer.registry.echoes import hide, sent
from transformer.registry.flight import Flights
from transformer.registry.gate import Gate
from transformer.registry.handshake import Handshake, Realms, Withheld, challenge_of
from transformer.registry.hosts import Endpoint, Hosts
from transformer.registry.identities import REFUSED, Came, Identities, Key, Visit, final, rank, status_of, veiled, why
from transformer.registry.keychain import ANONYMOUS, Credential, Keychain, KeychainError, Wanted
from transformer.registry.logins import Login, Logins
from transformer.registry.redirects import follow
from transformer.registry.retry import Limits
from transformer.registry.tokens import TokenRefused, Tokens
from transformer.registry.transport import (
    ERROR_LIMIT,
    ForbiddenAddress,
    Request,
    Response,
    Transport,
    TransportError,
)
from transformer.registry.verdicts import Asked, Refused, by_transport, token_refused

#: From how many pulls left in Docker Hub's limit on the user hears of it.
FEW_PULLS = 10


class Reply(NamedTuple):
    """An answer, and who was asked as whom."""

    response: Response
    asked: Asked


class _Host:
    """What has been learned about one registry."""

    def __init__(self, endpoint: Endpoint, gate: Gate) -> None:
        self.endpoint, self.gate = endpoint, gate
        self.challenge: Challenge | None = None
        self.answered = False
        #: `GET /v2/` has been asked for a challenge.
        self.pinged = False
        #: Why no connection comes about: the same for every image of this host, so it is found out once.
        self.down: TransportError | None = None

    def asked(self, visit: Visit) -> Asked:
        """Who was asked, and as whom."""
        return Asked(self.endpoint.url.origin, self.endpoint.registry, visit.source())


class _Call(NamedTuple):
    """One request under way."""

    run: Run
    host: _Host
    reference: Reference
    request: Request
    wanted: Wanted
    visit: Visit


class Session:
    """What all requests of one resolver share. `jobs` bounds the requests in flight over all hosts."""

    def __init__(
        self, transport: Transport, hosts: Hosts, keychain: Keychain, *, jobs: int, limits: Limits, clocks: Clocks
    ) -> None:
        self._transport, self._hosts, self._keychain = transport, hosts, keychain
        self._identities = Identities(keychain)
        self._jobs, self._limits, self._clocks = jobs, limits, clocks
        self._attempts = Attempts(limits, clocks, Gate(jobs, 0.0, clocks.clock))
        self._tokens = Tokens(clocks.clock)
        self._logins = Logins(limits.connect)
        self._flights: Flights[None] = Flights(keep=False)
        self._lock = threading.Lock()
        self._known: dict[str, _Host] = {}
        self._doors: dict[str, Gate] = {}
        self._pulls_left: dict[str, int] = {}

    def fetch(self, run: Run, reference: Reference, request: Request, scope: str = "ambient") -> Reply:
        """Sends a request to the reference's registry; of `request.url` only the target counts.

        `scope` (see scope_of) says whose pull secrets may be used. Any status comes back, those worth a retry after the
        last attempt. Raises Refused, OutOfTime.
        """
        visit = Visit()
        try:
            host = self._host(reference.registry)
            if host.down is not None:
                raise host.down
            endpoint = host.endpoint
            url = endpoint.url._replace(target=request.url.target)
            request = request._replace(url=url, forbidden=endpoint.forbidden, ca_bundle=endpoint.ca_bundle)
            wanted = _wanted(reference, scope)._replace(left=run.remaining(), post=self._post(run, host, reference))
            return self._authorised(_Call(run, host, reference, request, wanted, visit))
        except TransportError as error:
            raise by_transport(reference, error, visit.unheard(), tuple(visit.secrets)) from error

    def scope_of(self, reference: Reference, scope: str) -> str:
        """The scope within which lookups of a reference are shared: `ambient` unless pull secrets match it."""
        return scope if scope == "ambient" else self._keychain.scope(_wanted(reference, scope))

    def notes(self) -> list[str]:
        """What the user should hear although it is no finding: nearly spent pull limits, refused credentials."""
        with self._lock:
            limits = [f"{host}: {left} pulls left in its rate limit" for host, left in sorted(self._pulls_left.items())]
        return limits + self._identities.notes()

    def stories(self) -> dict[Key, str]:
        """By (host, repository, scope): which credentials were tried, and what came of each."""
        return self._identities.stories()

    def close(self) -> None:
        """The caller leaves: ends the programs that sources of credentials have started."""
        self._keychain.close()

    def _host(self, registry: str) -> _Host:
        with self._lock:
            host = self._known.get(registry)
            if host is None:
                endpoint = self._hosts.endpoint(registry)
                limit = min(self._jobs, endpoint.max_concurrency or self._jobs)
                gate = Gate(limit, self._limits.head_start, self._clocks.clock)
                host = self._known[registry] = _Host(endpoint, gate)
            return host

    def _authorised(self, call: _Call) -> Reply:
        """Asks as one identity after the other, until one is let in or none is left."""
        host, visit, best = call.host, call.visit, None
        allowed = host.endpoint.credentials_allowed
        for credential in self._identities.order(call.wanted, allowed, visit, lambda: host.challenge is not None):
            try:
                came, sent = self._as(call, credential)
            except Withheld as reason:
                visit.withheld(credential or Credential(ANONYMOUS), hide(str(reason), visit.secrets))
                continue
            except (TransportError, Refused) as error:
                self._cut_off(call, credential, error)
                raise
            came = _veiled(came, visit)
            if isinstance(came, Response) and came.status not in REFUSED:
                visit.answered(credential, sent)
                self._identities.settle(call.wanted, credential if sent else None, visit)
                return Reply(came, host.asked(visit)._replace(shown=credential is not None and sent))
            visit.refused(credential, sent, why(came), status_of(came))
            best = came if best is None or rank(came) > rank(best) else best
            if final(came, call.request, credential) or host.challenge is None:
                best = came
                break
        self._identities.give_up(call.wanted, visit)
        assert best is not None  # anonymous is always tried
        return self._refusal(call, best)

    def _cut_off(self, call: _Call, credential: Credential | None, error: TransportError | Refused) -> None:
        """No answer: what became of the credentials is kept, when the host had asked for any."""
        if call.host.challenge is not None:
            call.visit.cut_off(credential, hide(str(error), call.visit.secrets))
            self._identities.give_up(call.wanted, call.visit)

    def _refusal(self, call: _Call, best: Came) -> Reply:
        """The answer when nobody was let in."""
        asked = call.host.asked(call.visit)
        if isinstance(best, TokenRefused):
            raise token_refused(call.reference, asked, best.response.url.origin, best.response, best.reason) from best
        if best.status == 401 and not best.url.same_origin(call.request.url):
            return self._elsewhere(call, best)
        return Reply(best, asked)

    def _as(self, call: _Call, credential: Credential | None) -> tuple[Came, bool]:
        """What comes of a request as one identity, and whether that was shown at all. Raises Withheld."""
        host, visit, request = call.host, call.visit, call.request
        visit.show(credential)
        if credential is None and visit.bare is not None and host.challenge is not None:
            if host.challenge.scheme == "basic":  # then a request without any header was the anonymous one
                return visit.bare, False
        realms = self._realms(call.run, call.reference)
        handshake = Handshake(host.endpoint, call.reference.repository, credential, self._tokens, realms)
        host.gate.yield_to_first(call.run)
        try:
            handshake.begin(host.challenge)
            while True:
                header = handshake.authorization
                response = self._knock(call, request.with_header("Authorization", header))
                if response.status not in REFUSED or not response.url.same_origin(request.url):
                    return response, header is not None
                if header is None:
                    visit.bare = response
                if not self._again(call, handshake, response, credential):
                    return response, header is not None
        except TokenRefused as error:
            return error, True

    def _again(self, call: _Call, handshake: Handshake, response: Response, credential: Credential | None) -> bool:
        """Whether the handshake has something new to show after a refusal."""
        host = call.host
        if response.status == 401 and response.headers.get("www-authenticate"):
            return challenge_of(response) is not None and handshake.answer(response)
        if handshake.authorization is not None:
            return False
        curious = host.endpoint.credentials_allowed and self._identities.curious(call.wanted, credential)
        if host.challenge is None and (response.status == 401 or curious):  # the API's root may say how to log in
            self._flights.do(host.endpoint.registry, lambda: self._ping(call))
        handshake.begin(host.challenge)
        return handshake.authorization is not None

    def _ping(self, call: _Call) -> None:
        if call.host.pinged:
            return
        url = call.request.url._replace(target="/v2/")
        try:
            self._knock(call, call.request._replace(method="GET", url=url, headers=(), limit=ERROR_LIMIT))
        except TransportError:  # then there is no challenge, which is all that was asked
            pass
        call.host.pinged = True

    def _post(self, run: Run, host: _Host, reference: Reference) -> Callable[[str, bytes], tuple[int, bytes]]:
        def post(path: str, form: bytes) -> tuple[int, bytes]:
            """For a source that exchanges a token with the registry itself; never redirected."""
            endpoint = host.endpoint
            headers = (("Content-Type", "application/x-www-form-urlencoded"),)
            url = endpoint.url._replace(target=path)
            request = Request("POST", url, headers, form, ERROR_LIMIT, endpoint.forbidden, endpoint.ca_bundle)
            try:
                response = self._attempts.send(
                    run, host.gate, reference, lambda until: self._transport.send(request, until)
                )
            except (TransportError, Refused) as error:
                raise KeychainError(str(error)) from None
            return response.status, response.body

        return post

    def _knock(self, call: _Call, request: Request) -> Response:
        host = call.host
        try:
            response = self._sent(call, request)
            self._learn(host, request, response)
            return response
        except TransportError as error:
            if not error.connected and not host.answered:
                host.down = error
            raise
        finally:
            host.gate.answered()

    def _sent(self, call: _Call, request: Request) -> Response:
        def send() -> Response:
            return self._attempts.send(
                call.run, call.host.gate, call.reference, lambda until: self._follow(call.host.endpoint, request, until)
            )

        if not dict(request.headers).get("Authorization", "").startswith("Basic "):
            return send()
        # One repository may have a login of its own; that two refuse it says that it is wrong.
        return self._logins.send(call.run, Login(request.url, sent(request)), call.reference.repository, 2, send)

    def _follow(self, endpoint: Endpoint, request: Request, until: float) -> Response:
        try:
            return follow(self._transport, endpoint, request, until, self._limits.redirects)
        except ForbiddenAddress as error:
            step = f"if this is meant, let the operator's policy name it: registries: [{{host: {endpoint.registry}}}]"
            raise TransportError("unreachable", f"{error}; it is not asked", step, connected=False) from error

    def _learn(self, host: _Host, request: Request, response: Response) -> None:
        host.answered = True
        if response.status == 401 and response.url.same_origin(request.url):
            host.challenge = challenge_of(response) or host.challenge
        left = (response.header("ratelimit-remaining") or "").partition(";")[0].strip()
        if left.isascii() and left.isdigit() and len(left) < 9 and int(left) <= FEW_PULLS:
            origin = request.url.origin
            with self._lock:
                self._pulls_left[origin] = min(int(left), self._pulls_left.get(origin, FEW_PULLS))

    def _elsewhere(self, call: _Call, response: Response) -> Reply:
        """A 401 from where the registry has redirected to: answered anonymously, or not at all."""
        run, reference, endpoint, url = call.run, call.reference, call.host.endpoint, response.url
        there = Endpoint(reference.registry, url, endpoint.elsewhere(url), endpoint.ca_bundle)
        handshake = Handshake(there, reference.repository, None, self._tokens, self._realms(run, reference))
        asked = Asked(url.origin, reference.registry, f"{ANONYMOUS} (redirected there by {endpoint.url.origin})")
        try:
            if not handshake.answer(response):
                return Reply(response, asked)
        except TokenRefused as error:
            answer = veiled(error.response, call.visit)
            raise token_refused(reference, asked, answer.url.origin, answer, error.reason) from error
        request = call.request._replace(url=url, forbidden=there.forbidden)
        request = request.with_header("Authorization", handshake.authorization)
        response = self._attempts.send(
            run,
            self._door(url.origin),
            reference,
            lambda until: follow(self._transport, there, request, until, self._limits.redirects),
        )
        return Reply(veiled(response, call.visit), asked)

    def _realms(self, run: Run, reference: Reference) -> Realms:
        def ask(endpoint: Endpoint, request: Request) -> Response:
            """One exchange with a token server: retried like anything else, never redirected."""
            door = self._door(request.url.origin)

            def send() -> Response:
                return self._attempts.send(
                    run, door, reference, lambda until: self._ask_realm(endpoint, request, until)
                )

            login = Login(request.url, sent(request))
            return self._logins.send(run, login, "", 1, send) if login.secrets else send()

        return ask

    def _ask_realm(self, endpoint: Endpoint, request: Request, until: float) -> Response:
        try:
            return self._transport.send(request, until)
        except ForbiddenAddress as error:
            text = f"{endpoint.url.origin} names a token server that is not asked: {error}"
            step = "the registry is set up wrongly, or hostile; check its address"
            raise TransportError("registry-error", text, step) from error
        except TransportError as error:
            text = f"the token server of {endpoint.url.origin}: {error}"
            raise TransportError(
                error.rule, text, error.help, retryable=error.retryable, connected=error.connected
            ) from error

    def _door(self, origin: str) -> Gate:
        with self._lock:
            return self._doors.setdefault(origin, Gate(self._jobs, 0.0, self._clocks.clock))


def _wanted(reference: Reference, scope: str) -> Wanted:
    return Wanted(reference.registry, reference.repository, scope)


def _veiled(came: Came, visit: Visit) -> Came:
    if isinstance(came, TokenRefused):
        return TokenRefused(veiled(came.response, visit), came.reason)
    return veiled(came, visit)
