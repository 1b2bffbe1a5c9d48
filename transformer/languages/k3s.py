"""registries.yaml of k3s and RKE2: the endpoints of a registry, and the rewriting of the path that they share.

A registry itself is asked last, so a mirror falls back to its source. Logins and certificates are the nodes' own: they
are named and not read. An endpoint whose path is no prefix of the API cannot stand in an image name.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformer.images.reference import shorten
from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Language, Text
from transformer.languages.naming import endpoint_at, source_at
from transformer.languages.yamltext import At, Map, file_name, objects, top_keys
from transformer.policy.model import Location
from transformer.policy.rewriting import compile_rewriting

_FILES = frozenset(("registries.yaml", "registries.yml"))
_TLS = ("ca_file", "cert_file", "key_file", "insecure_skip_verify")

Rules = tuple[tuple[str, str], ...]


def read(texts: Sequence[Text]) -> Imported:
    """The mirrors of all texts."""
    found = Gathering()
    for text in texts:
        seen = False
        for each in objects(text):
            found.notes(each.unknown(("mirrors", "configs")))
            mirrors, configs = each.map("mirrors"), each.map("configs")
            seen = seen or mirrors is not None
            for host, at in mirrors.keys() if mirrors is not None else ():
                _read_mirror(found, host, at, mirrors)
            for host, _ in configs.keys() if configs is not None else ():
                _read_config(found, configs, host)
        if not seen:
            found.note(At(text.name, text.line, "mirrors"), "is not there, so no registry has a mirror")
    return found.imported()


def _read_mirror(found: Gathering, host: str, at: At, mirrors: Map | None) -> None:
    entry = mirrors.map(host) if mirrors is not None else None
    source = source_at(found, at, host)
    if "/" in source:
        raise at.fail("is a registry with a path; this file knows registries only, write the host alone")
    if entry is None:
        found.note(at, "has no endpoints, so nothing is mirrored")
        _keep_from_any(found, at, source, mirrors)
        return
    found.notes(entry.unknown(("endpoint", "rewrite")))
    rules = _rules(found, entry)
    locations = _locations(found, entry, source, rules)
    if locations:
        found.mirror(at, source, locations, "source")
    else:
        found.note(at, "has no endpoint but the registry itself, so nothing is mirrored")
        _keep_from_any(found, at, source, mirrors)


def _keep_from_any(found: Gathering, at: At, source: str, mirrors: Map | None) -> None:
    """A registry with an entry of its own is never asked for at the endpoints of `*`."""
    if mirrors is not None and "*" in mirrors and source != "*":
        found.stays(at, source)


def _rules(found: Gathering, entry: Map) -> Rules:
    rewrite = entry.map("rewrite")
    if rewrite is None:
        return ()
    pairs = rewrite.pairs()
    for pattern, replacement, at in pairs:
        try:
            compile_rewriting(((pattern, replacement),))
        except ValueError as error:
            raise at.fail(error) from None
    if len(pairs) > 1:
        why = "has several patterns: nodes take any that matches, pindown the first; let only one match a name"
        found.note(entry.at("rewrite"), why)
    return tuple((pattern, replacement) for pattern, replacement, _ in pairs)


def _locations(found: Gathering, entry: Map, source: str, rules: Rules) -> list[Location]:
    result: dict[str, Location] = {}
    for text, at in entry.texts("endpoint"):
        endpoint = endpoint_at(at, text)
        if endpoint.to is None:
            why = f"{shorten(endpoint.path)} is a path of its own, which no image name can hold; only /v2/… can"
            found.note(at, f"{why}. The endpoint is left out")
            continue
        if endpoint.to == source and rules:
            why = (
                "is the registry itself under rewritten names; nodes would rewrite a name that is written so once more"
            )
            found.note(at, f"{why}. The endpoint is left out")
            continue
        if endpoint.plain:
            found.plain(at, endpoint.host)
        result.setdefault(endpoint.to, location(at, endpoint.to, rules))
    made = list(result.values())
    while made and made[-1].to == source:  # asked last in any case
        made.pop()
    return made


def _read_config(found: Gathering, configs: Map | None, host: str) -> None:
    config = configs.map(host) if configs is not None else None
    if config is None:
        return
    found.notes(config.unknown(("auth", "tls")))
    if "auth" in config:
        found.note(config.at("auth"), "is the nodes' login and is not read; see `registries[].credentials`")
    tls = config.map("tls")
    if tls is None:
        return
    host = shorten(host.rpartition("@")[2])
    found.notes(tls.unknown(_TLS))
    if "ca_file" in tls:
        found.note(tls.at("ca_file"), f"is a file of the nodes; give it as `caBundle` of {host} in `registries`")
    if tls.flag("insecure_skip_verify"):
        why = f"is not offered by pindown; give the certificate as `caBundle` of {host} in `registries`"
        found.note(tls.at("insecure_skip_verify"), why)
    for key in ("cert_file", "key_file"):
        if key in tls:
            found.note(tls.at(key), "is the nodes' client certificate, which pindown does not show")


def recognises(text: Text) -> bool:
    """By its name, or by its two keys."""
    keys = top_keys(text)
    return file_name(text) in _FILES or ("mirrors" in keys and keys <= {"mirrors", "configs"})


LANGUAGES = (Language("registries.yaml", recognises, read),)
