"""Answers a batch of questions from registries: threads at work, and the caller's own thread as timekeeper.

The caller waits for answers anyway; meanwhile it cuts what is late, shows progress, and leaves at the run's deadline
whatever the (daemon) workers do: a name server may hang, and no socket of ours can be shut down then.
"""

from __future__ import annotations

import os
import queue
import random as chance
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from transformer.policy.questions import Answer, HostCredential, Missing, PullSecret, Question, Refusal
from transformer.registry.deadline import OutOfTime, Run, Watch
from transformer.registry.retry import Limits

if TYPE_CHECKING:
    from transformer.images.reference import Reference
    from transformer.registry.cache.lookups import Cached, Freshness
    from transformer.registry.cache.places import Places
    from transformer.registry.cache.store import Store
    from transformer.registry.hosts import Rule
    from transformer.registry.keychain import Keychain
    from transformer.registry.proofs import Proofs
    from transformer.registry.session import Reply, Session
    from transformer.registry.transport import Request
    from transformer.registry.wire import Wire

#: Seconds between two looks at the clock while nothing arrives.
TICK = 0.25
#: Threads for each request in flight: those that wait for a slow or paused host must not hold up the other hosts.
SPARE_THREADS = 4

Arrival = tuple[Question, Answer | BaseException]


class RegistryResolver:
    """Implements policy.questions.Resolver. What it learns (challenges, tokens) is kept from one `ask` to the next.

    `timeout` in seconds for each `ask`, None for none; `jobs` requests in flight; `allowed_hosts` are registries whose
    addresses are not judged (the operator named them); `progress(done, total)` is called in the caller's thread.
    Credentials come from `keychain`, by default the whole chain with the policy's `credentials` and, for the questions
    of a scope, the pull secrets that `scopes` has for it. `environ` says which proxies, CAs and logins there are (this
    process's by default), `certs` which directories are read as certs.d (certificates.DIRECTORIES by default).
    `cache` remembers answers for the time that `freshness` says; it is closed with each `ask`. Nothing is opened
    for a batch that it answers in full.
    """

    def __init__(
        self,
        *,
        registries: Sequence[Rule] = (),
        timeout: float | None = None,
        jobs: int = 32,
        keychain: Keychain | None = None,
        scopes: Mapping[str, tuple[PullSecret, ...]] | None = None,
        credentials: Sequence[HostCredential] = (),
        allowed_hosts: frozenset[str] = frozenset(),
        loopback_allowed: bool = True,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = chance.random,
        progress: Callable[[int, int], None] | None = None,
        environ: Mapping[str, str] | None = None,
        certs: tuple[str, ...] | None = None,
        cache: Store | None = None,
        freshness: Freshness | None = None,
    ) -> None:
        self._registries, self._allowed, self._loopback = tuple(registries), allowed_hosts, loopback_allowed
        self._timeout, self._jobs, self._keychain = timeout, max(jobs, 1), keychain
        self._limits = limits or Limits()
        self._clock, self._now, self._sleep, self._random = clock, now, sleep, random
        self._progress = progress
        self._environ, self._certs = environ, certs
        self._scopes, self._credentials = scopes or {}, tuple(credentials)
        self._watch = Watch(clock)
        self._cache, self._freshness = cache, freshness
        self._opening = threading.Lock()
        self._wire: Wire | None = None
        self._session: Session | None = None

    @property
    def requests(self) -> int:
        """HTTP requests sent so far, those to token servers and repeated ones included."""
        return self._wire.sent if self._wire is not None else 0

    @property
    def notes(self) -> list[str]:
        """What the user should hear although it is no finding."""
        told = self._session.notes() if self._session is not None else []
        return [*told, *(self._cache.notes if self._cache is not None else ())]

    @property
    def stories(self) -> dict[tuple[str, str, str], str]:
        """By (registry, repository, scope): which credentials were tried there, and what came of each."""
        return self._session.stories() if self._session is not None else {}

    def ask(self, questions: Collection[Question]) -> dict[Question, Answer]:
        """An answer for each question; asks each distinct one once. Raises only for a bug of ours, or an interrupt."""
        distinct = list(dict.fromkeys(questions))
        if not distinct:
            return {}
        from transformer.registry.client import Client
        from transformer.registry.proofs import Proofs

        places = self._places()
        lookups = self._lookups(places, self._freshness)
        if lookups is None and self._session is None:
            self._open()  # will be needed: not on the run's time
        run = Run(self._timeout, self._clock, self._sleep)
        proofs = Proofs(run, Client(self._fetch), places.scope_of, lookups)
        arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        try:
            if lookups is not None:
                lookups.prefetch([proofs.first(question) for question in distinct])
            self._start(distinct, proofs, run, arrivals)
            answers = self._collect(run, arrivals, len(distinct), lookups)
            answers |= self._late([one for one in distinct if one not in answers], places)
        finally:
            run.close()
            self._watch.cut_all()
            self._close()
        return {question: answers.get(question) or _unanswered(question, self._timeout) for question in distinct}

    def recall(
        self, questions: Collection[Question], otherwise: Callable[[Question], Refusal]
    ) -> dict[Question, Answer]:
        """Answers from the cache alone, of any age; the others are Missing, with what `otherwise` says. Asks nobody."""
        from transformer.registry.cache.lookups import Freshness

        places, ttl = self._places(), self._freshness.ttl if self._freshness else Freshness().ttl
        lookups = self._lookups(places, Freshness(ttl, stale=float("inf")), asks=False)
        if lookups is None:
            return {question: Missing((otherwise(question),)) for question in questions}
        from transformer.registry.cache.recall import recall

        try:
            return recall(questions, lookups, places, "offline", otherwise)
        finally:
            self._close()

    def _places(self) -> Places:
        from transformer.registry.cache.places import Places
        from transformer.registry.hosts import Hosts
        from transformer.registry.keychain import ambient_keychain

        if self._keychain is None:
            self._keychain = ambient_keychain(self._environ, self._scopes, self._credentials)
        return Places(Hosts(self._registries, self._allowed, self._loopback), self._keychain)

    def _lookups(self, places: Places, freshness: Freshness | None, *, asks: bool = True) -> Cached | None:
        if self._cache is None:
            return None
        from transformer.registry.cache.lookups import Cached, Freshness

        return Cached(self._cache, places, freshness or Freshness(), asks=asks, now=self._now, clock=self._clock)

    def _late(self, open_: list[Question], places: Places) -> dict[Question, Answer]:
        """What an older answer can still do, where the policy allows it, for questions that the run's end overtook."""
        rule = self._freshness
        if not open_ or rule is None or not rule.stale or rule.fresh:
            return {}
        lookups = self._lookups(places, rule, asks=False)
        if lookups is None:
            return {}
        from transformer.registry.cache.recall import recall

        return recall(open_, lookups, places, "timeout", lambda one: _unanswered(one, self._timeout).refusals[0])

    def _fetch(self, run: Run, reference: Reference, request: Request, scope: str) -> Reply:
        """Session.fetch, the session made at the first request."""
        with self._opening:
            session = self._session or self._open()
        return session.fetch(run, reference, request, scope)

    def _open(self) -> Session:
        """The parts that cost an import; made when the first request is sent."""
        from transformer.registry.attempts import Clocks
        from transformer.registry.hosts import Hosts
        from transformer.registry.keychain import NoKeychain
        from transformer.registry.session import Session

        self._wire = self._make_wire()
        self._session = Session(
            self._wire,
            Hosts(self._registries, self._allowed, self._loopback),
            self._keychain or NoKeychain(),
            jobs=self._jobs,
            limits=self._limits,
            clocks=Clocks(self._clock, self._now, self._random),
        )
        return self._session

    def _close(self) -> None:
        if self._keychain is not None:  # also where no session was opened yet: a worker may be about to
            self._keychain.close()
        if self._wire is not None:
            self._wire.close()
        if self._cache is not None:
            self._cache.close()

    def _make_wire(self) -> Wire:
        from transformer.registry.addresses import Dialler
        from transformer.registry.certificates import DIRECTORIES, Certificates
        from transformer.registry.proxies import Proxies
        from transformer.registry.wire import Wire

        environ = os.environ if self._environ is None else self._environ
        directories = DIRECTORIES if self._certs is None else self._certs
        dialler = Dialler(self._limits.connect, self._clock)
        certificates = Certificates(environ, directories)
        return Wire(self._watch, dialler, self._clock, self._jobs, Proxies(environ), certificates)

    def _start(self, questions: list[Question], proofs: Proofs, run: Run, arrivals: queue.SimpleQueue[Arrival]) -> None:
        waiting: queue.SimpleQueue[Question] = queue.SimpleQueue()
        for question in _interleaved(questions):
            waiting.put(question)
        hosts = len({question.source.registry for question in questions})
        for _ in range(min(len(questions), self._jobs * min(hosts, SPARE_THREADS))):
            arguments = (waiting, proofs, run, arrivals)
            # Daemons: the process must be able to end while one of them hangs in the system's resolver.
            threading.Thread(target=_work, args=arguments, daemon=True, name="pindown-registry").start()

    def _collect(
        self, run: Run, arrivals: queue.SimpleQueue[Arrival], total: int, lookups: Cached | None
    ) -> dict[Question, Answer]:
        answers: dict[Question, Answer] = {}
        while len(answers) < total:
            if lookups is not None:
                lookups.tick()
            wait = min(self._watch.cut_late(), run.remaining(), TICK)
            try:
                question, answer = arrivals.get(timeout=max(wait, 0.001))
            except queue.Empty:
                if run.remaining() <= 0:
                    break
                continue
            if isinstance(answer, BaseException):
                raise answer
            answers[question] = answer
            if self._progress is not None:
                self._progress(len(answers), total)
        return answers


def _work(waiting: queue.SimpleQueue[Question], proofs: Proofs, run: Run, arrivals: queue.SimpleQueue[Arrival]) -> None:
    """A worker's life: questions until there are none, or the run is over."""
    while True:
        try:
            question = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            arrivals.put((question, proofs.answer(question)))
        except OutOfTime:
            return  # the caller knows which questions are open
        except BaseException as error:
            arrivals.put((question, error))
            return


def _interleaved(questions: Iterable[Question]) -> list[Question]:
    """The questions with their registries taking turns, so that one slow registry does not take all the workers."""
    turns: dict[str, int] = {}
    keyed = []
    for question in questions:
        turn = turns[question.source.registry] = turns.get(question.source.registry, -1) + 1
        keyed.append((turn, question))
    return [question for _, question in sorted(keyed, key=lambda item: item[0])]


def _unanswered(question: Question, timeout: float | None) -> Missing:
    asked = question.source.canonical
    text = f"{asked}: no answer from {question.source.registry} within the run's {timeout or 0:g} s"
    step = "raise the timeout (--timeout, PINDOWN_TIMEOUT, or timeout in the policy), or look why the registry is slow"
    return Missing((Refusal("timeout", text, step),))
