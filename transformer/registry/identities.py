"""As whom a repository is asked, one after the other, and what came of it: for messages, notes and `explain`.

The order: what lies in files, then anonymous, then (only when that was refused) what a helper or a cloud gives. What
has worked is remembered, so that the next request begins with it. Sends nothing; who asks is session.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from transformer.images.reference import shorten
from transformer.registry.echoes import of_header
from transformer.registry.keychain import ANONYMOUS, Credential, Keychain, Wanted
from transformer.registry.tokens import TokenRefused
from transformer.registry.transport import Request, Response
from transformer.registry.verdicts import words

#: What a registry or token server answers to somebody who may not see the image, or to whom it denies that it exists.
REFUSED = frozenset((401, 403, 404))
_UNASKED = "not demanded"
_UNTRUSTED = "the policy that describes this host is not trusted with credentials"

Key = tuple[str, str, str]
#: What comes of asking as somebody: the registry's answer, or the token server's no.
Came = Response | TokenRefused


class Step(NamedTuple):
    """One identity and what came of it; `sent`: the registry was really asked as that."""

    label: str
    outcome: str
    sent: bool = True
    anonymous: bool = False


class Visit:
    """One request's way through the identities, in one thread."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.problems: list[str] = []
        self.explicit: list[str] = []
        #: What was not reached, for `explain`.
        self.left: list[str] = []
        self.rejected: set[tuple[str, ...]] = set()
        self.asked_deferred = False
        #: Whatever secret the host may have seen in this visit, as keys.
        self.secrets: dict[str, None] = {}
        #: What the request met when it carried no header at all.
        self.bare: Response | None = None

    def show(self, credential: Credential | None) -> None:
        """The host or its token server is about to see this."""
        if credential is not None:
            found = (*credential.secret[1:], *of_header(credential.basic or ""))
            self.secrets.update(dict.fromkeys(found))

    def cut_off(self, credential: Credential | None, reason: str) -> None:
        """No answer came when this was to be shown."""
        label = credential.source if credential is not None else ANONYMOUS
        self.steps.append(Step(label, "no answer", sent=False, anonymous=credential is None))
        self.problems.append(reason)

    def unheard(self) -> str:
        """What had become of credentials when the answer failed to come, as a message's part; "" when nothing."""
        return "; ".join(f"{step.label}: {step.outcome}" for step in self.steps if not step.anonymous)

    def answered(self, credential: Credential | None, sent: bool) -> None:
        """The registry has answered, and `sent` says whether it had asked for this credential."""
        if credential is not None and sent:
            self.steps.append(Step(credential.source, "used"))
            return
        if credential is not None:
            self.steps.append(Step(credential.source, _UNASKED, sent=False))
        self.steps.append(Step(ANONYMOUS, "answered", anonymous=True))

    def refused(self, credential: Credential | None, sent: bool, why: str, status: int) -> None:
        """It has refused."""
        if credential is not None and not sent:
            self.steps.append(Step(credential.source, _UNASKED, sent=False))
        if credential is None or not sent:
            self.steps.append(Step(ANONYMOUS, f"refused ({why})", anonymous=True))
            return
        self.steps.append(Step(credential.source, f"refused ({why})"))
        if status in (401, 403):
            self.rejected.add(credential.secret)

    def withheld(self, credential: Credential, reason: str) -> None:
        """The credential was not shown, and why."""
        self.steps.append(Step(credential.source, reason, sent=False))

    def source(self) -> str:
        """As whom the registry was asked, as a message's part; what kept a credential back is in parentheses."""
        sent = [step for step in self.steps if step.sent] or [Step(ANONYMOUS, "")]
        text = sent[0].label if len(sent) == 1 else ", then as ".join(f"{one.label}, {one.outcome}" for one in sent)
        reasons = [f"{step.label} is {step.outcome}" for step in self.steps if not step.sent]
        reasons += self.problems
        return f"{text} ({'; '.join(dict.fromkeys(reasons))})" if reasons else text

    def story(self) -> str:
        """The whole chain with what came of each part."""
        told = [f"{step.label} — {step.outcome}" for step in self.steps]
        return "; ".join((*told, *self.left, *self.problems))

    def notes(self) -> dict[str, str]:
        """What is worth a word although there is an answer, by what it is about."""
        winner = self.steps[-1].label if self.steps else ANONYMOUS
        passed = (step for step in self.steps[:-1] if not step.anonymous and step.outcome != _UNASKED)
        notes = {step.label: f"{step.label}: {step.outcome}; asked as {winner} instead" for step in passed}
        return notes | {problem: problem for problem in self.explicit}


class Identities:
    """What has been learned about credentials in a session."""

    def __init__(self, keychain: Keychain) -> None:
        self._keychain = keychain
        self._lock = threading.Lock()
        self._settled: dict[Key, Credential | None] = {}
        #: By host: what a helper or a cloud has given and the registry has taken.
        self._given: dict[str, Credential] = {}
        self._stories: dict[Key, str] = {}
        self._notes: dict[tuple[str, str], str] = {}

    def order(
        self, wanted: Wanted, allowed: bool, visit: Visit, useful: Callable[[], bool]
    ) -> Iterator[Credential | None]:
        """The identities (None: anonymous), each once; helpers and clouds are asked only when the caller goes on.

        `useful` says whether any credential could make a difference by what the host has demanded so far.
        """
        if not allowed:
            visit.problems.append(_UNTRUSTED)
            yield None
            return
        tried: set[tuple[str, ...]] = set()
        for credential in self._first(wanted, visit):
            secret = credential.secret if credential is not None else ()
            if secret not in tried:
                tried.add(secret)
                yield credential
        waiting = self._keychain.waiting(wanted)
        if not waiting or not useful():
            return
        visit.left, visit.asked_deferred = [], True
        given = self._given.get(wanted.host)
        stale = given if given is not None and given.secret in visit.rejected else None
        found = self._keychain.on_refusal(wanted._replace(stale=stale))
        visit.problems += found.problems
        visit.explicit += found.explicit
        yield from (one for one in found.credentials if one.secret not in tried)

    def curious(self, wanted: Wanted, credential: Credential | None) -> bool:
        """Whether there is anything to show, should the host say how."""
        return credential is not None or bool(self._keychain.waiting(wanted))

    def settle(self, wanted: Wanted, credential: Credential | None, visit: Visit) -> None:
        """The registry has answered as `credential`, the last of the visit's steps."""
        reached = {step.label for step in visit.steps}
        if ANONYMOUS not in reached and credential is not None and not visit.asked_deferred:
            visit.left.insert(0, f"{ANONYMOUS} — not needed")
        with self._lock:
            self._settled[_key(wanted)] = credential
            if visit.asked_deferred and credential is not None:
                self._given[wanted.host] = credential
            self._stories[_key(wanted)] = visit.story()
            for about, note in visit.notes().items():
                self._notes.setdefault((wanted.host, about), f"{shorten(wanted.host)}: {note}")

    def give_up(self, wanted: Wanted, visit: Visit) -> None:
        """Nobody was let in."""
        with self._lock:
            self._stories[_key(wanted)] = visit.story()

    def notes(self) -> list[str]:
        """Credentials that were refused where another identity was not, and the like; by host."""
        with self._lock:
            return list(self._notes.values())

    def stories(self) -> dict[Key, str]:
        """By (host, repository, scope): the chain that was tried, and what came of it. Never a secret."""
        with self._lock:
            return dict(self._stories)

    def _first(self, wanted: Wanted, visit: Visit) -> list[Credential | None]:
        """What is asked without delay: what worked last time, what lies ready, what helpers gave before, anonymous."""
        found = self._keychain.at_once(wanted)
        visit.problems += found.problems
        visit.explicit += found.explicit
        given = self._given.get(wanted.host)
        first: list[Credential | None] = [*found.credentials, *([given] if given is not None else []), None]
        with self._lock:
            if _key(wanted) in self._settled:
                first.insert(0, self._settled[_key(wanted)])
        visit.left = [f"{name} — not asked" for name in self._keychain.waiting(wanted)] if given is None else []
        return first


def _key(wanted: Wanted) -> Key:
    return wanted.host, wanted.repository, wanted.scope


def status_of(came: Came) -> int:
    """The HTTP status behind it."""
    return came.response.status if isinstance(came, TokenRefused) else came.status


def why(came: Came) -> str:
    """For people: the status, whose, and what was said with it."""
    response, of = (came.response, " from the token server") if isinstance(came, TokenRefused) else (came, "")
    said = words(response)
    return f"HTTP {response.status}{of}" + (f": {said}" if said else "")


def veiled(response: Response, visit: Visit) -> Response:
    """The same answer, with every secret that was shown in this visit to be kept out of messages (echoes.py)."""
    visit.secrets.update(dict.fromkeys(response.secrets))
    return response._replace(secrets=tuple(visit.secrets))


def rank(came: Came) -> int:
    """How near an answer is to the image: of several refusals the nearest is told, of equals the first."""
    return 0 if isinstance(came, TokenRefused) else {401: 1, 403: 2, 404: 3}.get(came.status, 4)


def final(came: Came, request: Request, credential: Credential | None) -> bool:
    """Whether no other identity could change this answer: it is not about who asks, or comes from another host."""
    if isinstance(came, Response):
        return not came.url.same_origin(request.url)
    invalid = came.response.status == 400 and credential is not None and bool(credential.identity_token)
    return bool(came.reason) or not (came.response.status in REFUSED or invalid)
