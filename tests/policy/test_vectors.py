"""Our own model against facts of other systems' tests: the same answer where it is right, another where it is wrong.

What only concerns the import of a system's files is tested with that language.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from transformer.images.pullkeys import filed, matches, select
from transformer.images.reference import parse
from transformer.policy.decide import decide
from transformer.policy.mirrors import Mirrors, check_source, normalise_source
from transformer.policy.model import ImageRule, Location, Mirror, Policy
from transformer.policy.plan import Planner

DATA = yaml.safe_load((Path(__file__).parent / "mirror_vectors.yaml").read_text(encoding="utf-8"))
CASES = {case["id"]: case for case in DATA["cases"]}
AT = "m.example.com/all"


def whole(name: str) -> str:
    """A name that may be a registry alone as an image in it."""
    host, slash, rest = name.partition("/")
    if slash:
        # These tests' digests are half as long as real ones.
        return name if "@" not in name or len(name.partition(":")[2]) == 64 else name + "a" * 32
    return f"{host}/some/image"


def policy(prefix: str, location: str) -> Policy:
    check_source(prefix)
    places = (Location("mirrors[0].locations[0]", location),)
    return Policy(mirrors=(Mirror("mirrors[0]", normalise_source(prefix), places),))


def mapped(image: str, prefix: str, location: str) -> str | None:
    """What is written for an image that nothing is asked for, None when no mirror applies."""
    rules = policy(prefix, location)._replace(images=(ImageRule("images[0]", "**", "keep", "not asked"),))
    plan = Planner(rules).plan(image)
    return decide(plan, None).text if plan.mirror else None


def match_prefix(given: Any) -> dict[str, Any]:
    image = whole(given["ref"])
    text = mapped(image, given["prefix"], AT)
    if text is None:
        return {"matched": False, "consumed": None}
    return {"matched": True, "consumed": image[: len(image) - len(text.removeprefix(AT))]}


def rewrite(given: Any) -> dict[str, Any]:
    text = mapped(given["ref"], given["prefix"], given["location"])
    return {"error": True} if text is None else {"ref": text}


def find_registry(given: Any) -> dict[str, Any]:
    config = DATA["configs"][given["config"]]
    tables = {}
    for table in [*config["registries"], *(one for file in config["drop_ins"] for one in file["registries"])]:
        prefix = table.get("prefix") or table["location"]
        tables[prefix] = table.get("location") or "{registry}/{repository}"
    mirrors = tuple(
        Mirror(f"mirrors[{at}]", prefix, (Location(f"mirrors[{at}].locations[0]", to),))
        for at, (prefix, to) in enumerate(tables.items())
    )
    found = Mirrors(Policy(mirrors=mirrors)).candidates(parse(whole(given["ref"]))).mirror
    assert found is not None
    return {"prefix": found.source, "location": found.locations[0].to}


def scope_nested(given: Any) -> dict[str, Any]:
    return {"nested": mapped(f"{given['sub']}/some/image", given["super"], AT) is not None}


def normalize_name(given: Any) -> dict[str, Any]:
    return {"name": parse(given["ref"]).name}


def auth_key_match(given: Any) -> dict[str, Any]:
    host, _, path = given["repo"].partition("/")
    return {"matched": matches(filed(given["key"]), host, path)}


def keyring_lookup(given: Any) -> dict[str, Any]:
    # A path that is no path of an image, such as a/path:1111/b, is still one to the kubelet.
    host, _, path = given["repo"].partition("/") if ":" in given["repo"] else parse(given["repo"]).name.partition("/")
    keys = [filed(key) for key in given["auths"]]
    values = list(given["auths"].values())
    return {"creds": [values[at] for at in select(keys, host, path)]}


OPERATIONS = {
    each.__name__: each
    for each in (match_prefix, rewrite, find_registry, scope_nested, normalize_name, auth_key_match, keyring_lookup)
}


def ids(**wanted: str | None) -> list[str]:
    return [name for name, case in CASES.items() if all(case.get(key) == value for key, value in wanted.items())]


@pytest.mark.parametrize("name", ids(stance="avoid"))
def test_known_wrong_answers_are_not_given(name):
    case = CASES[name]
    assert OPERATIONS[case["op"]](case["given"]) != case["expect"]


@pytest.mark.parametrize("name", ids(ours="refused"))
def test_rules_that_could_never_be_meant_are_refused(name):
    case = CASES[name]
    with pytest.raises(ValueError):
        OPERATIONS[case["op"]](case["given"])


@pytest.mark.parametrize("name", ids(stance="adopt", ours=None))
def test_the_same_answer(name):
    case = CASES[name]
    assert OPERATIONS[case["op"]](case["given"]) == case["expect"]


def test_every_case_is_used():
    assert len(CASES) == len(DATA["cases"]) >= 60
    assert {case["op"] for case in DATA["cases"]} == set(OPERATIONS)
    assert {case["stance"] for case in DATA["cases"]} == {"adopt", "avoid"}
    assert len(ids(stance="avoid")) >= 9
