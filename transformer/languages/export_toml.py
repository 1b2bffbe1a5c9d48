"""A policy's mirrors as registries.conf and as a hosts.toml tree.

registries.conf says nearly everything that a prefix can say. hosts.toml knows registries only, and APIs instead of
names: a prefix there is a path below /v2 that must not be added to. Knows no reader, but writes what `registries_conf`
and `hosts_toml` read back as the same mirrors.
"""

from __future__ import annotations

from typing import Any

from transformer.languages.outgoing import (
    Exported,
    Outgoing,
    Place,
    Report,
    api_of,
    blockable,
    insecure_hosts,
    is_host,
    is_plain,
    merged,
    outgoing,
    say_words,
)
from transformer.policy.model import Policy

_PULLS = {"digest": "digest-only", "tag": "tag-only"}


def registries_conf(policy: Policy) -> Exported:
    """registries.conf, version 2, in one file."""
    report = Report(policy, "registries.conf")
    mirrors = []
    for one in outgoing(policy, report):
        if one.source == "*" or (one.source.startswith("*.") and ":" in one.source):
            report.leave_out(one.mirror, "its wildcards are *.example.com, without a port")
        else:
            mirrors.append(one)
    blocked, insecure = blockable([one for one in mirrors if not _remaps(one)], report), insecure_hosts(policy)
    for one in mirrors:
        say_words(report, one, resolves=_remaps(one))
    tables = [_table(one, one.source in blocked, is_plain(one.source.partition("/")[0], insecure)) for one in mirrors]
    return Exported((("registries.conf", report.head + "".join(tables)),), tuple(report.notes))


def _remaps(one: Outgoing) -> bool:
    """Whether it is what a table with another location says: the last location stands for the source, for all pulls."""
    return bool(one.places) and (one.mirror.resolve_at, one.fallback, one.places[-1].when) == ("mirror", "fail", "all")


def _table(one: Outgoing, blocked: bool, insecure: bool) -> str:
    import tomli_w

    places, head = list(one.places), {"prefix": one.source}
    table: dict[str, Any] = head
    if _remaps(one):
        last = places.pop()
        table["location"], insecure = last.to, last.plain
    elif not one.source.startswith("*."):
        table["location"] = one.source
    table |= {"insecure": True} if insecure else {}
    table |= {"blocked": True} if blocked else {}
    text = f"\n[[registry]]\n{tomli_w.dumps(table)}"
    return text + "".join(f"\n[[registry.mirror]]\n{tomli_w.dumps(_mirror(place))}" for place in places)


def _mirror(place: Place) -> dict[str, Any]:
    table: dict[str, Any] = {"location": place.to}
    table |= {"insecure": True} if place.plain else {}
    table |= {"pull-from-mirror": _PULLS[place.when]} if place.when in _PULLS else {}
    return table


def hosts_toml(policy: Policy) -> Exported:
    """A hosts.toml in the folder of each registry; each begins with a line that names its folder."""
    report, insecure = Report(policy, "hosts.toml"), insecure_hosts(policy)
    mirrors = []
    for one in outgoing(policy, report):
        if one.source != "*" and not is_host(one.source):
            report.leave_out(one.mirror, "hosts.toml knows registries only, no prefixes and no *.example.com")
        elif not one.places and one.source == "*":
            report.leave_out(one.mirror, "it changes nothing")
        else:
            mirrors.append(one)
    files = []
    for one in mirrors:
        say_words(report, one)
        folder = "_default" if one.source == "*" else _folder(one.source)
        body = _hosts(report, one, insecure)
        files.append((f"{folder}/hosts.toml", f"# {folder}/hosts.toml\n{report.head}{body}\n"))
    return Exported(tuple(files), tuple(report.notes))


def _folder(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return f"{name}_{port}_" if colon and port.isdigit() else host


def _hosts(report: Report, one: Outgoing, insecure: frozenset[str]) -> str:
    import tomli_w

    places = merged(one.places)
    for place in places:
        if place.when == "tag":
            why = "hosts.toml has no word for `when: tag`: nodes ask there for digests too"
            report.note(place.location, one.mirror, why)
    data: dict[str, Any] = {}
    if one.fallback == "fail" and places:
        last = places.pop()
        data = {"server": last.url, **_host(last)}
    elif one.source != "*":
        data = {"server": api_of(one.source, is_plain(one.source, insecure))}
    data |= {"host": {place.url: _host(place) for place in places}} if places else {}
    return tomli_w.dumps(data)


def _host(place: Place) -> dict[str, Any]:
    capabilities = ["pull"] if place.when == "digest" else ["pull", "resolve"]
    return {"capabilities": capabilities, **({"override_path": True} if "/" in place.to else {})}
