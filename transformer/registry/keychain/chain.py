"""The sources in their order, and the two moments at which they are asked.

What lies in files is used at once. What runs a program or asks a cloud waits until an anonymous request was refused:
a public image never waits for a helper. A source that fails is a sentence, never the end of a run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from transformer.policy.questions import HostCredential, PullSecret
from transformer.registry.keychain.configfiles import ConfigFiles, documents
from transformer.registry.keychain.credential import AMBIENT, ANONYMOUS, Credential, KeychainError, Source, Wanted
from transformer.registry.keychain.pullsecrets import PullSecrets

#: Credentials that are tried for one repository; nobody has more that mean anything.
TRIES = 8
#: Variables that say who we are to helpers and clouds.
WHO = (
    *("HOME", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_ACCESS_KEY_ID", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "CLOUDSDK_ACTIVE_CONFIG_NAME"),
    *("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CONFIG_DIR", "GITHUB_TOKEN", "GITHUB_ACTOR"),
)


class Found(NamedTuple):
    """Credentials in order, and what is wrong with sources; `explicit` problems are told even when all goes well."""

    credentials: tuple[Credential, ...] = ()
    problems: tuple[str, ...] = ()
    explicit: tuple[str, ...] = ()


class Keychain:
    """Sources in the order in which they are tried, within each of the two moments."""

    def __init__(
        self,
        sources: Sequence[Source] = (),
        close: Callable[[], None] = lambda: None,
        environ: Mapping[str, str] = {},  # noqa: B006 - never changed
    ) -> None:
        self._sources, self._environ = tuple(sources), environ
        #: Ends what the sources have started and nobody waits for any more.
        self.close = close

    def at_once(self, wanted: Wanted) -> Found:
        """What can be had at once. Never raises."""
        return self._ask(wanted, deferred=False)

    def on_refusal(self, wanted: Wanted) -> Found:
        """What programs and clouds give. Takes its time; raises only what `wanted.post` raises at the run's end."""
        return self._ask(wanted, deferred=True)

    def waiting(self, wanted: Wanted) -> tuple[str, ...]:
        """The names of the deferred sources that have to do with this host."""
        named = (source.about(wanted) for source in self._sources if source.deferred)
        return tuple(name for name in named if name)

    def scope(self, wanted: Wanted) -> str:
        """The scope within which a lookup may be shared; `ambient` when the scope makes no difference here."""
        for source in self._sources:
            if isinstance(source, PullSecrets):
                return source.scope(wanted)
        return AMBIENT

    def identity(self, wanted: Wanted) -> str:
        """As whom this repository would be asked, without running or asking anything; "" for anonymous only.

        Equal where the same would be shown. A digest over secrets: it may go into an HMAC, and nowhere else.
        """
        shown = [part for credential in self.at_once(wanted).credentials for part in ("shown", *credential.secret)]
        waiting = self.waiting(wanted)
        if not shown and not waiting:
            return ""
        chosen = [f"{name}={self._environ.get(name, '')}" for name in WHO] if waiting else []
        parts = [part.encode("utf-8", "surrogateescape") for part in (*shown, "waiting", *waiting, *chosen)]
        return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).hexdigest()

    def describe(self, wanted: Wanted) -> str:
        """For people, when nothing was asked: the chain as it would be tried."""
        found = self.at_once(wanted)
        names = [credential.source for credential in found.credentials]
        anonymous = f"{ANONYMOUS} ({'; '.join(found.problems)})" if found.problems else ANONYMOUS
        return "; ".join((*names, anonymous, *self.waiting(wanted)))

    def _ask(self, wanted: Wanted, *, deferred: bool) -> Found:
        found: dict[tuple[str, ...], Credential] = {}
        problems: list[str] = []
        explicit: list[str] = []
        for source in self._sources:
            if source.deferred != deferred:
                continue
            try:
                for credential in source.resolve(wanted):
                    found.setdefault(credential.secret, credential)
            except KeychainError as error:
                problems.append(str(error))
                if error.explicit:
                    explicit.append(str(error))
        return Found(tuple(found.values())[:TRIES], tuple(problems), tuple(explicit))


class NoKeychain(Keychain):
    """Anonymous, always."""

    def __init__(self) -> None:
        super().__init__()


def ambient_keychain(
    environ: Mapping[str, str] | None = None,
    scopes: Mapping[str, tuple[PullSecret, ...]] = {},  # noqa: B006 - never changed
    credentials: Sequence[HostCredential] = (),
) -> Keychain:
    """Everything that an environment has (this process's by default), with a policy's credentials and pull secrets."""
    from transformer.registry.keychain.clouds import Clouds
    from transformer.registry.keychain.policyfile import PolicyCredentials
    from transformer.registry.keychain.programs import Helpers

    environ = os.environ if environ is None else environ
    files = documents(environ)
    helpers = Helpers(files, environ)
    return Keychain(
        (
            PolicyCredentials(credentials, environ),
            ConfigFiles(files),
            helpers,
            PullSecrets(scopes),
            Clouds(environ),
        ),
        helpers.close,
        environ,
    )
