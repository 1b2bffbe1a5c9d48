"""The titles of the rules: one for each rule that the documentation knows."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from transformer.report.rules import WORDS


def documented() -> set[str]:
    return set(re.findall(r"^\| \[`([a-z0-9-]+)`\]", (ROOT / "docs" / "findings.md").read_text(), re.MULTILINE))


def test_every_documented_rule_has_a_title():
    assert documented() and documented() - WORDS.keys() == set()


def test_titles_are_short_sentences_and_tell_rules_apart():
    assert all(re.fullmatch(r"[A-Z][^.|`<]{10,70}", title) for title in WORDS.values())
    assert len(set(WORDS.values())) == len(WORDS) and list(WORDS) == sorted(WORDS)
