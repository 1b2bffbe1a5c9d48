"""What every door does around the pipeline: a resolver for its settings, the report, and the exit code."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from transformer.errors import EXIT_FINDINGS, EXIT_FINE, HostError
from transformer.pipeline import Outcome, Where
from transformer.policy.questions import Answer, Missing, Question, Refusal, Resolver
from transformer.report import text
from transformer.surfaces import console
from transformer.surfaces.settings import Settings


class Offline:
    """Asks nobody: every question is a finding that names what would have been asked."""

    requests = 0

    def ask(self, questions: Collection[Question]) -> Mapping[Question, Answer]:
        return {question: Missing((_offline(question),)) for question in questions}


def _offline(question: Question) -> Refusal:
    return Refusal(
        "offline",
        f"{question.source.written}: its digest would have to be asked of {question.source.registry}, and this run is offline",
        "run once without --offline (PINDOWN_OFFLINE), or write the digest",
    )


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

    def resolver(self) -> Resolver:
        """Who answers in this run."""
        if self.settings.offline:
            return Offline()
        from transformer.registry.resolver import RegistryResolver

        policy = self.settings.policy
        return RegistryResolver(
            registries=policy.registries,
            timeout=self.settings.timeout,
            jobs=self.settings.jobs,
            allowed_hosts=frozenset(rule.host for rule in policy.registries) if policy.trusted else frozenset(),
        )

    def report(self, outcome: Outcome, where: Where, resolver: Resolver) -> int:
        """Tells the outcome to people (stderr) or into the report's file; answers the exit code."""
        settings, seconds = self.settings, self.seconds()
        if settings.format == "json":
            from transformer.report import jsonlines

            told = jsonlines.render(outcome, where, seconds)
        else:
            color = settings.report is None and console.wants_color(settings.color)
            told = text.render(outcome, seconds, color, settings.quiet)
            if settings.verbose:
                told = "".join(line + "\n" for line in text.changes(outcome)) + told
        told += "".join(f"note: {note}\n" for note in getattr(resolver, "notes", ()))
        self.tell(told)
        return EXIT_FINDINGS if outcome.failed else EXIT_FINE

    def tell(self, told: str) -> None:
        """The report, where the settings want it."""
        if self.settings.report is None:
            console.say(told)
            return
        try:
            with open(self.settings.report, "w", encoding="utf-8") as file:
                file.write(told)
        except OSError as error:
            raise HostError(f"the report cannot be written to {self.settings.report}: {error.strerror}") from None
