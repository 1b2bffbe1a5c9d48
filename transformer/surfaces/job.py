"""What every door does around the pipeline: a resolver for its settings, the report, and the exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from transformer.errors import EXIT_FINDINGS, EXIT_FINE, HostError
from transformer.images.reference import shorten
from transformer.pipeline import Outcome, Where
from transformer.policy.model import Policy
from transformer.policy.questions import NO_SCOPES, Answer, HostCredential, Missing, Question, Refusal, Resolver, Scopes
from transformer.surfaces import caching, console
from transformer.surfaces.settings import Settings

if TYPE_CHECKING:
    from transformer.registry.resolver import RegistryResolver


class Offline:
    """Asks nobody: what the cache does not hold is a finding that names what would have been asked."""

    requests = 0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.notes: Sequence[str] = ()

    def ask(self, questions: Collection[Question], scopes: Scopes = NO_SCOPES) -> Mapping[Question, Answer]:
        if not caching.at_hand(self._settings.cache):
            return {question: Missing((_offline(question),)) for question in questions}
        resolver = _resolver(self._settings, scopes, fresh=False)
        answers = resolver.recall(questions, _offline)
        self.notes = resolver.notes
        return answers


def _slow_parser() -> Sequence[str]:
    """A note where YAML had to be read without libyaml; nothing where none was needed."""
    events = sys.modules.get("transformer.text.events")
    if events is None or events.HAS_LIBYAML:
        return ()
    return ("PyYAML was installed without its C parser (libyaml): reading is about 20 times slower",)


def _offline(question: Question) -> Refusal:
    return Refusal(
        "offline",
        f"{shorten(question.source.written, 300)}: its digest would have to be asked of "
        f"{shorten(question.source.registry)}, and this run is offline",
        "run once without --offline (PINDOWN_OFFLINE), or write the digest",
    )


def credentials(policy: Policy) -> tuple[HostCredential, ...]:
    """Where a policy says that its registries' credentials are."""
    return tuple(rule.credentials for rule in policy.registries if rule.credentials is not None)


class Online:
    """Asks the registries; the room behind it is imported when there is really something to ask."""

    def __init__(self, settings: Settings, fresh: bool = False) -> None:
        self._settings, self._fresh = settings, fresh
        self.requests = 0
        self.notes: Sequence[str] = ()
        #: By (registry, repository, scope): which credentials were tried, and what came of each.
        self.stories: Mapping[tuple[str, str, str], str] = {}

    def ask(self, questions: Collection[Question], scopes: Scopes = NO_SCOPES) -> Mapping[Question, Answer]:
        resolver = _resolver(self._settings, scopes, self._fresh)
        answers = resolver.ask(questions)
        self.requests, self.notes, self.stories = resolver.requests, resolver.notes, resolver.stories
        if self._settings.verbose:
            told = dict.fromkeys((registry, story) for (registry, _, _), story in sorted(self.stories.items()))
            self.notes = [*self.notes, *(f"credential for {shorten(registry)}: {story}" for registry, story in told)]
        return answers


def _resolver(settings: Settings, scopes: Scopes, fresh: bool) -> RegistryResolver:
    from transformer.registry.resolver import RegistryResolver

    policy = settings.policy
    return RegistryResolver(
        registries=policy.registries,
        timeout=settings.timeout,
        jobs=settings.jobs,
        scopes=scopes,
        credentials=credentials(policy),
        progress=None if settings.quiet else console.Progress(),
        allowed_hosts=frozenset(rule.host for rule in policy.registries) if policy.trusted else frozenset(),
        **caching.arguments(settings.cache, policy, fresh),
    )


class Telling(NamedTuple):
    """All that a report may be made of."""

    outcome: Outcome
    where: Where
    seconds: float
    notes: Sequence[str]
    settings: Settings


def _text(one: Telling) -> str:
    from transformer.report import grouped, text

    settings = one.settings
    color = settings.report is None and console.wants_color(settings.color)
    changes = text.changes(one.outcome) if settings.verbose else ()
    told = grouped.render(one.outcome, one.where, one.seconds, color, settings.quiet)
    return "".join((*(line + "\n" for line in changes), told, *(f"note: {note}\n" for note in one.notes)))


def _json(one: Telling) -> str:
    from transformer.report import jsonlines

    return jsonlines.render(one.outcome, one.where, one.seconds, one.notes)


def _markdown(one: Telling) -> str:
    from transformer.report import markdown

    return markdown.render(one.outcome, one.seconds, one.notes, one.settings.quiet)


def _sarif(one: Telling) -> str:
    from transformer.report import sarif

    return sarif.render(one.outcome, one.where, one.notes, os.getcwd())


def _github(one: Telling) -> str:
    from transformer.report import github

    return github.render(one.outcome, one.seconds, one.notes, one.settings.quiet)


#: By their words for --format (`options.FORMATS`). A new report is one module in report/, one function and one row.
REPORTS: Mapping[str, Callable[[Telling], str]] = {
    "text": _text,
    "json": _json,
    "markdown": _markdown,
    "sarif": _sarif,
    "github": _github,
}


class Job(NamedTuple):
    """One command under way: its settings, and when it began (monotonic seconds)."""

    settings: Settings
    started: float

    @classmethod
    def begin(cls, settings: Settings) -> Job:
        return cls(settings, time.monotonic())

    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self.started

    def resolver(self, fresh: bool = False) -> Resolver:
        """Who answers in this run. `fresh`: the registries, whatever is remembered."""
        return Offline(self.settings) if self.settings.offline else Online(self.settings, fresh)

    def report(self, outcome: Outcome, where: Where, resolver: Resolver) -> int:
        """Tells the outcome to people (stderr) or into the report's file; answers the exit code."""
        settings, seconds = self.settings, self.seconds()
        notes = (*settings.policy.notes, *getattr(resolver, "notes", ()), *_slow_parser())
        self.tell(REPORTS[settings.format](Telling(outcome, where, seconds, notes, settings)))
        return EXIT_FINDINGS if outcome.failed else EXIT_FINE

    def tell(self, told: str) -> None:
        """The report, where the settings want it."""
        if self.settings.report is None:
            console.say(told)
            return
        try:
            with open(self.settings.report, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(told)
        except OSError as error:
            place = shorten(self.settings.report, 300)
            raise HostError(f"the report cannot be written to {place}: {error.strerror}; check --report") from None
