"""What has become of our logins: a wrong password is shown once, not once for each image, and locks no account.

Until a login was accepted or refused it goes alone; the others that would send the same wait for it, but not for long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import NamedTuple

from transformer.registry.deadline import Run
from transformer.registry.transport import Response, Url

#: Statuses that say nothing about a login.
_SILENT = frozenset((408, 425, 429))


class Login(NamedTuple):
    """Something secret as it is shown to somebody; of `url` only the origin counts."""

    url: Url
    secrets: tuple[str, ...]


class _State:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.under_way = self.accepted = self.open = False
        #: What it was refused for, with the answers.
        self.refused: dict[Hashable, Response] = {}


class Logins:
    """By login. `patience`: the seconds that a request waits for another with the same login."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._known: dict[Hashable, _State] = {}

    def send(self, run: Run, login: Login, what: str, enough: int, send: Callable[[], Response]) -> Response:
        """The answer of `send`, or the earlier refusal of a login that was never accepted and refused for `enough`
        different things, of which `what` is the next."""
        with self._lock:
            state = self._known.setdefault((login.url[:3], login.secrets), _State())
        refusal = self._enter(run, state, enough)
        if refusal is not None:
            return refusal
        response = None
        try:
            response = send()
        finally:
            _leave(state, login, what, response)
        return response

    def _enter(self, run: Run, state: _State, enough: int) -> Response | None:
        """Waits while the login is being tried; the refusal when it is known to be refused."""
        with state.changed:
            state.changed.wait_for(
                lambda: not state.under_way or state.open, max(min(self._patience, run.remaining()), 0)
            )
            run.check()
            if not state.accepted and len(state.refused) >= enough:
                return next(reversed(state.refused.values()))
            state.under_way = True
            return None


def _leave(state: _State, login: Login, what: str, response: Response | None) -> None:
    with state.changed:
        state.under_way = False
        if response is not None and response.status == 401 and response.url.same_origin(login.url):
            state.refused[what] = response
        elif response is not None and response.status < 500 and response.status not in _SILENT:
            state.accepted = state.open = True
        else:  # nothing was learned, and nobody shall wait for that in turn
            state.open = True
        state.changed.notify_all()
