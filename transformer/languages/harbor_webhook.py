"""harbor-container-webhook's rules: regular expressions over whole references, and the host that is put in place.

A mirror has a registry or a prefix of names as its source, so only expressions that mean one (`^docker\\.io/.*`) are
carried over. The webhook takes the first rule that fits; we take the longest source, so rules are weighed here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from heapq import merge
from typing import NamedTuple

from transformer.images.reference import shorten
from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Language, Text
from transformer.languages.naming import location_at, source_at
from transformer.languages.scopes import enclosing
from transformer.languages.yamltext import At, Map, objects, top_keys
from transformer.policy.locations import has_host
from transformer.policy.rewriting import LENGTH_LIMIT

_KNOWN = (
    "name matches excludes replace checkUpstream platforms replaceImagePullSecrets authSecretName authSecretNamespace"
).split()
#: A host or prefix, and a tail that lets anything follow.
_PREFIX = re.compile(r"\^(?P<body>[^/].*?)(?P<tail>(?:[:/](?:\.[*+]\$?)?|\.\*\$?)?)", re.ASCII)
_LITERAL = re.compile(r"[a-z0-9._:/-]+", re.ASCII)


class _Rule(NamedTuple):
    """A rule of which something can be said: the sources that it takes and those that it leaves out."""

    at: At
    to: str
    takes: dict[str, At]
    leaves: dict[str, At]
    fallback: str
    pull_secret: str | None


def read(texts: Sequence[Text]) -> Imported:
    """The rules of all texts, in order."""
    found, rules = Gathering(), list[_Rule]()
    for text in texts:
        for each in objects(text):
            for key in ("rules", "extraRules"):
                for entry in each.maps(key):
                    rules.append(_read_rule(found, entry))
        if not rules:
            found.note(At(text.name, text.line, "rules"), "is not there, so no image is rewritten")
    _write(found, rules)
    return found.imported()


def _read_rule(found: Gathering, entry: Map) -> _Rule:
    found.notes(entry.unknown(_KNOWN))
    to = location_at(entry.at("replace"), entry.required("replace"))
    checks = entry.flag("checkUpstream")
    if "platforms" in entry and checks:
        found.note(entry.at("platforms"), "is asked of each image there; pindown has `platform` in `pin` and `images`")
    secret = entry.text("authSecretName")
    if secret and not entry.flag("replaceImagePullSecrets"):
        found.note(entry.at("authSecretName"), "is the webhook's own login; see `registries[].credentials`")
        secret = None
    takes = _sources(found, entry, "matches")
    leaves = _sources(found, entry, "excludes")
    return _Rule(entry.at(), to, takes, leaves, "source" if checks else "fail", secret)


def _sources(found: Gathering, entry: Map, key: str) -> dict[str, At]:
    result: dict[str, At] = {}
    for pattern, at in entry.texts(key):
        prefix = prefix_of(pattern)
        if prefix is None:
            why = f"{shorten(pattern)} means no single registry or prefix of names; write a mirror for what it means"
            found.note(at, why)
            continue
        if "/" in prefix.name and not prefix.ended:
            found.note(at, f"{shorten(pattern)} also fits names that only begin so; pindown stops at the end of a part")
        result.setdefault(source_at(found, at, prefix.name), at)
    return result


class Prefix(NamedTuple):
    """A registry or prefix of names, and whether its last part ends there."""

    name: str
    ended: bool


def prefix_of(pattern: str) -> Prefix | None:
    """The registry or prefix that a regular expression means; None when it means something else."""
    found = _PREFIX.fullmatch(re.sub(r"\\([/-])", r"\1", pattern)) if len(pattern) <= LENGTH_LIMIT else None
    if found is None:
        return None
    name, tail = found["body"].replace("\\.", "."), found["tail"]
    if _LITERAL.fullmatch(name) is None or not has_host(name):
        return None
    if "/" not in name and tail.startswith(":"):
        return None  # a host with any port
    return Prefix(name, tail[:1] in ("/", ":"))


def _write(found: Gathering, rules: Sequence[_Rule]) -> None:
    places: dict[str, At] = {}
    for each in rules:
        for name, at in (*each.takes.items(), *each.leaves.items()):
            places.setdefault(name, at)
    by_scope: dict[str, list[int]] = {}
    for index, each in enumerate(rules):
        for name in each.takes:
            by_scope.setdefault(name, []).append(index)
    winners = {name: _winner(rules, by_scope, name) for name in places}
    for name, rule in winners.items():
        outer = next((winners[scope] for scope in enclosing(name) if scope != name and scope in winners), None)
        if rule is outer:
            if rule is not None and name not in rule.takes:
                found.note(places[name], f"never counts: {rule.at.key} takes {shorten(name)} first")
        elif rule is None:
            found.stays(places[name], name)
        else:
            path = name.partition("/")[2]
            there = location(places[name], f"{rule.to}/{path}" if path else rule.to)
            found.mirror(places[name], name, (there._replace(pull_secret=rule.pull_secret),), rule.fallback)


def _winner(rules: Sequence[_Rule], by_scope: dict[str, list[int]], name: str) -> _Rule | None:
    """The first rule that takes a name."""
    scopes = tuple(enclosing(name))
    for index in merge(*(by_scope.get(scope, ()) for scope in scopes)):
        if rules[index].leaves.keys().isdisjoint(scopes):
            return rules[index]
    return None


def recognises(text: Text) -> bool:
    """By its rules."""
    return "rules" in top_keys(text) and "matches" in text.text and "replace" in text.text


LANGUAGES = (Language("harbor-container-webhook", recognises, read),)
