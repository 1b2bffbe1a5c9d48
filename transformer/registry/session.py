"""One authorised request: the host's door, retries, redirects and the handshake put together.

The challenge of a host is remembered, so that only its first request meets the 401; a token is then fetched before each
repository's first request. Judges no image (client.py) and knows no Question.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from transformer.images.reference import Reference
from transformer.registry.attempts import Attempts, Clocks
from transformer.registry.challenge import Challenge
from transformer.registry.deadline import Run
from transformer.registry.gate import Gate
from transformer.registry.handshake import Handshake, Realms, challenge_of
from transformer.registry.hosts import Endpoint, Hosts
from transformer.registry.keychain import ANONYMOUS, Credential, Keychain, KeychainError
from transformer.registry.redirects import follow
from transformer.registry.retry import Limits
from transformer.registry.tokens import Tokens
from transformer.registry.transport import ForbiddenAddress, Request, Response, Transport, TransportError
from transformer.registry.verdicts import Asked, by_transport

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
        #: Why no connection comes about: the same for every image of this host, so it is found out once.
        self.down: TransportError | None = None


class Session:
    """What all requests of one resolver share. `jobs` bounds the requests in flight over all hosts."""

    def __init__(
        self, transport: Transport, hosts: Hosts, keychain: Keychain, *, jobs: int, limits: Limits, clocks: Clocks
    ) -> None:
        self._transport, self._hosts, self._keychain = transport, hosts, keychain
        self._jobs, self._limits, self._clocks = jobs, limits, clocks
        self._attempts = Attempts(limits, clocks, Gate(jobs, 0.0, clocks.clock))
        self._tokens = Tokens(clocks.clock)
        self._lock = threading.Lock()
        self._known: dict[str, _Host] = {}
        self._doors: dict[str, Gate] = {}
        self._pulls_left: dict[str, int] = {}

    def fetch(self, run: Run, reference: Reference, request: Request) -> Reply:
        """Sends a request to the reference's registry; of `request.url` only the target counts.

        Any status comes back, those worth a retry after the last attempt. Raises Refused, OutOfTime.
        """
        try:
            host = self._host(reference.registry)
            if host.down is not None:
                raise host.down
            endpoint = host.endpoint
            url = endpoint.url._replace(target=request.url.target)
            request = request._replace(url=url, forbidden=endpoint.forbidden, ca_bundle=endpoint.ca_bundle)
            return self._authorised(run, host, reference, request)
        except TransportError as error:
            raise by_transport(reference, error) from error

    def notes(self) -> list[str]:
        """What the user should hear although it is no finding: pull limits that are nearly used up."""
        with self._lock:
            return [f"{host}: {left} pulls left in its rate limit" for host, left in sorted(self._pulls_left.items())]

    def _host(self, registry: str) -> _Host:
        with self._lock:
            host = self._known.get(registry)
            if host is None:
                endpoint = self._hosts.endpoint(registry)
                limit = min(self._jobs, endpoint.max_concurrency or self._jobs)
                gate = Gate(limit, self._limits.head_start, self._clocks.clock)
                host = self._known[registry] = _Host(endpoint, gate)
            return host

    def _authorised(self, run: Run, host: _Host, reference: Reference, request: Request) -> Reply:
        credential, source = self._credential(host.endpoint, reference)
        realms = self._realms(run, reference)
        handshake = Handshake(host.endpoint, reference, credential, source, self._tokens, realms)
        host.gate.yield_to_first(run)
        handshake.begin(host.challenge)
        while True:
            response = self._knock(run, host, reference, request.with_header("Authorization", handshake.authorization))
            if response.status != 401:
                return Reply(response, handshake.asked)
            if not response.url.same_origin(request.url):
                return self._elsewhere(run, host.endpoint, reference, request, response)
            if not handshake.answer(response):
                return Reply(response, handshake.asked)

    def _credential(self, endpoint: Endpoint, reference: Reference) -> tuple[Credential | None, str]:
        if not endpoint.credentials_allowed:
            return None, f"{ANONYMOUS} (the policy that describes this host is not trusted with credentials)"
        try:
            credential = self._keychain.resolve(reference.registry, reference.repository)
        except KeychainError as error:  # public images resolve all the same
            return None, f"{ANONYMOUS} ({error})"
        return credential, credential.source if credential is not None else ANONYMOUS

    def _knock(self, run: Run, host: _Host, reference: Reference, request: Request) -> Response:
        try:
            response = self._attempts.send(
                run, host.gate, reference, lambda until: self._follow(host.endpoint, request, until)
            )
            self._learn(host, request, response)
            return response
        except TransportError as error:
            if not error.connected and not host.answered:
                host.down = error
            raise
        finally:
            host.gate.answered()

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

    def _elsewhere(
        self, run: Run, endpoint: Endpoint, reference: Reference, request: Request, response: Response
    ) -> Reply:
        """A 401 from where the registry has redirected to: answered anonymously, or not at all."""
        url = response.url
        source = f"{ANONYMOUS} (redirected there by {endpoint.url.origin})"
        there = Endpoint(reference.registry, url, endpoint.elsewhere(url), endpoint.ca_bundle)
        handshake = Handshake(there, reference, None, source, self._tokens, self._realms(run, reference))
        if not handshake.answer(response):
            return Reply(response, handshake.asked)
        request = request._replace(url=url, forbidden=there.forbidden)
        request = request.with_header("Authorization", handshake.authorization)
        response = self._attempts.send(
            run,
            self._door(url.origin),
            reference,
            lambda until: follow(self._transport, there, request, until, self._limits.redirects),
        )
        return Reply(response, handshake.asked)

    def _realms(self, run: Run, reference: Reference) -> Realms:
        def ask(endpoint: Endpoint, request: Request) -> Response:
            """One exchange with a token server: retried like anything else, never redirected."""
            return self._attempts.send(
                run, self._door(request.url.origin), reference, lambda until: self._ask_realm(endpoint, request, until)
            )

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
            raise TransportError(error.rule, text, error.help, retryable=error.retryable) from error

    def _door(self, origin: str) -> Gate:
        with self._lock:
            return self._doors.setdefault(origin, Gate(self._jobs, 0.0, self._clocks.clock))
