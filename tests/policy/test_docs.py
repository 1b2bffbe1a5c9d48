"""docs/policy.md: every example loads, every word is there, and the table of names tells the truth."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.policy.test_words import PATHS
from transformer.errors import WARNABLE
from transformer.images.reference import parse
from transformer.policy.configmap import DATA
from transformer.policy.load import from_function_config, load
from transformer.policy.mirrors import candidates
from transformer.policy.model import Location, Mirror, Policy
from transformer.policy.ownership import combine
from transformer.policy.variables import with_variables
from transformer.policy.words import LATER

TEXT = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads(example):
    policy = from_function_config(example, "docs/policy.md")
    assert policy.written
    with_variables(policy, {})
    if "kind: ConfigMap" not in example:
        assert load(example, "docs/policy.md") == policy


def test_there_are_examples():
    assert len(EXAMPLES) >= 10


def test_the_tightening_example_tightens():
    (example,) = (text for text in EXAMPLES if "use the mirror" in text)
    combine(Policy(file="op.yaml"), load(example, "pindown.yaml"), False)


@pytest.mark.parametrize("word", sorted({path.rpartition(".")[2] for path in PATHS if path.startswith("spec.")}))
def test_every_word_is_written_about(word):
    assert re.search(rf"\b{word}\b", TEXT)


@pytest.mark.parametrize("word", sorted({*DATA, *LATER, *WARNABLE}))
def test_every_other_word_is_written_about(word):
    assert word in TEXT


def test_every_value_is_written_about():
    values = {value for node in PATHS.values() for value in node.get("enum", ())}
    assert [value for value in sorted(values) if f"`{value}`" not in TEXT and f": {value}`" not in TEXT] == []


ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("source", "to", "image", "there"), ROWS)
def test_the_table_of_names(source, to, image, there):
    policy = Policy(mirrors=(Mirror("mirrors[0]", source, (Location("mirrors[0].locations[0]", to),)),))
    found = candidates(parse(image), policy)
    assert [candidate.reference.written for candidate in found.locations] == [there]


def test_the_table_of_names_is_found():
    assert len(ROWS) == 6
