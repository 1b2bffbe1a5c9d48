"""From the registry of a reference to the endpoint that is asked: scheme, host, port, and what is allowed there.

Pure: opens nothing and looks nothing up; addresses are judged when a connection is made (addresses.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from transformer.images.reference import DOCKER_HUB, shorten
from transformer.registry.addresses import LOCAL, OPEN, STRICT, is_loopback_name
from transformer.registry.transport import DEFAULT_PORTS, TransportError, Url, split_port

#: Registries whose API lives under another name than the one in references.
API_HOSTS = {DOCKER_HUB: "registry-1.docker.io"}


class Rule(Protocol):
    """What a policy says about one registry. `host` is spelt as in references, with its port.

    A rule may also have `trusted_realms: tuple[str, ...]`: hosts or URLs of token servers that may see its credential.
    """

    @property
    def host(self) -> str: ...
    @property
    def insecure(self) -> bool: ...
    @property
    def ca_bundle(self) -> str | None: ...
    @property
    def max_concurrency(self) -> int | None: ...
    @property
    def credentials_allowed(self) -> bool: ...


class RegistryRule(NamedTuple):
    """A Rule as a value."""

    host: str
    insecure: bool = False
    ca_bundle: str | None = None
    max_concurrency: int | None = None
    credentials_allowed: bool = True
    trusted_realms: tuple[str, ...] = ()


class Endpoint(NamedTuple):
    """Where a registry is asked. `forbidden` are the kinds of addresses that its host may not have."""

    registry: str
    url: Url
    forbidden: frozenset[str] = STRICT
    ca_bundle: str | None = None
    max_concurrency: int | None = None
    credentials_allowed: bool = True
    #: Hosts or URLs of token servers that the operator has named (realm.py).
    trusted_realms: tuple[str, ...] = ()

    @property
    def on_loopback(self) -> bool:
        """Whether the host is loopback as written."""
        return is_loopback_name(self.url.host)

    def elsewhere(self, url: Url) -> frozenset[str]:
        """The kinds of addresses that an URL named by this registry (a redirect, a token realm) may not have."""
        if url.same_origin(self.url):
            return self.forbidden
        return LOCAL if self.on_loopback else STRICT


class Hosts:
    """The policy's registries. The addresses of `allowed_hosts`, which the operator has named, are not judged."""

    def __init__(
        self, rules: Iterable[Rule] = (), allowed_hosts: frozenset[str] = frozenset(), loopback_allowed: bool = True
    ) -> None:
        self._rules = {rule.host.lower(): rule for rule in rules}
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        self._loopback_allowed = loopback_allowed

    def endpoint(self, registry: str) -> Endpoint:
        """The endpoint of a reference's registry. TransportError `unreachable` when its port is impossible."""
        key = registry.lower()
        rule = self._rules.get(key)
        api = API_HOSTS.get(key, key)
        local = is_loopback_name(_without_port(api))
        # A CA bundle says that there is a certificate to verify: then loopback speaks https too.
        plain = rule.insecure if rule is not None and (rule.insecure or rule.ca_bundle is not None) else local
        scheme = "http" if plain else "https"
        try:
            host, port = split_port(api, DEFAULT_PORTS[scheme])
        except ValueError as error:
            text = f"{shorten(registry)}: {error}"
            step = "correct the registry in the reference"
            raise TransportError("unreachable", text, step, connected=False) from error
        endpoint = Endpoint(registry, Url(scheme, host, port), self._forbidden(key, host))
        if rule is None:
            return endpoint
        return endpoint._replace(
            ca_bundle=rule.ca_bundle,
            max_concurrency=rule.max_concurrency,
            credentials_allowed=rule.credentials_allowed,
            trusted_realms=tuple(getattr(rule, "trusted_realms", ())),
        )

    def _forbidden(self, registry: str, host: str) -> frozenset[str]:
        if registry in self._allowed:
            return OPEN
        return LOCAL if self._loopback_allowed and is_loopback_name(host) else STRICT


def _without_port(netloc: str) -> str:
    return netloc if netloc.endswith("]") else netloc.rpartition(":")[0] or netloc
