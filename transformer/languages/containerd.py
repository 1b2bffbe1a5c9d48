"""containerd: its hosts.toml trees (`hosts_toml`), and the older mirrors in the CRI plugin's part of config.toml.

An endpoint of config.toml is an API like a host there; the registry itself is asked last unless it is listed. Logins
and certificates are the nodes' own: they are named and not read.
Described in https://github.com/containerd/containerd/blob/main/docs/cri/registry.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from transformer.images.reference import shorten
from transformer.languages import hosts_toml
from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Language, Text
from transformer.languages.naming import endpoint_at, source_at
from transformer.languages.toml import Table
from transformer.languages.toml import read as read_toml
from transformer.languages.yamltext import file_name
from transformer.policy.model import Location

#: The plugins that hold a `registry`: versions 3, 2 and 1 of config.toml.
_PLUGINS = ("io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri", "cri")
_REGISTRY = ("mirrors", "configs", "config_path", "auths", "headers")
_CONTENT = re.compile(
    r"""^[ \t]*\[[ \t]*plugins\.["']?(?:io\.containerd\.(?:grpc\.v1\.cri|cri\.v1\.images)|cri)["']?\.registry""",
    re.MULTILINE,
)
_TLS = {
    "ca_file": "is a file of the nodes; give it as `caBundle` of this host in `registries`",
    "insecure_skip_verify": "is not offered by pindown; give this host's `caBundle` in `registries`",
    "cert_file": "is the nodes' client certificate, which pindown does not show",
    "key_file": "is the nodes' client certificate, which pindown does not show",
}


def read(texts: Sequence[Text]) -> Imported:
    """The mirrors in the texts' `registry` tables."""
    found = Gathering()
    for text in texts:
        top = read_toml(text)
        registries = list(_registries(top))
        for registry in registries:
            _read_registry(found, registry)
        if not registries:
            found.note(top.at("plugins"), "has no `registry` of the CRI plugin, and so no mirrors")
    return found.imported()


def _registries(top: Table) -> Iterator[Table]:
    plugins = top.table("plugins")
    for name in _PLUGINS:
        plugin = plugins.table(name) if plugins is not None else None
        registry = plugin.table("registry") if plugin is not None else None
        if registry is not None:
            yield registry


def _read_registry(found: Gathering, registry: Table) -> None:
    found.notes(registry.unknown(_REGISTRY))
    mirrors, configs, folder = registry.table("mirrors"), registry.table("configs"), registry.text("config_path")
    if folder:
        if mirrors is not None and mirrors.keys():
            raise registry.at("mirrors").fail(
                "cannot stand beside config_path: containerd starts with one of them only"
            )
        found.note(registry.at("config_path"), f"names the folder with the mirrors; import that: {shorten(folder)}")
    for key in ("auths", "headers"):
        if key in registry:
            found.note(registry.at(key), "is the nodes' own and is not read; see `registries[].credentials`")
    for host in configs.keys() if configs is not None else ():
        _read_config(found, configs.table(host) if configs is not None else None)
    for host in mirrors.keys() if mirrors is not None else ():
        _read_mirror(found, mirrors, host)


def _read_mirror(found: Gathering, mirrors: Table | None, host: str) -> None:
    entry = mirrors.table(host) if mirrors is not None else None
    assert entry is not None
    source = source_at(found, entry.at(), host)
    if "/" in source or source.startswith("*."):
        raise entry.at().fail("is no registry; this table knows host[:port] and * only")
    found.notes(entry.unknown(("endpoint",)))
    places = _places(found, entry)
    while places and places[-1].to == source:
        places.pop()  # it is asked last in any case
    if places:
        found.mirror(entry.at(), source, places, "source")
    elif mirrors is not None and "*" in mirrors and source != "*":
        found.stays(entry.at(), source)


def _places(found: Gathering, entry: Table) -> list[Location]:
    result: dict[str, Location] = {}
    for text, at in entry.texts("endpoint"):
        endpoint = endpoint_at(at, text)
        if endpoint.to is None:
            why = f"asks below {shorten(endpoint.path)}, which no image name can hold; only /v2/… can"
            found.note(at, f"{why}. The endpoint is left out")
            continue
        if endpoint.plain:
            found.plain(at, endpoint.host)
        result.setdefault(endpoint.to, location(at, endpoint.to))
    return list(result.values())


def _read_config(found: Gathering, config: Table | None) -> None:
    if config is None:
        return
    found.notes(config.unknown(("auth", "tls")))
    if "auth" in config:
        found.note(config.at("auth"), "is the nodes' login and is not read; see `registries[].credentials`")
    tls = config.table("tls")
    if tls is None:
        return
    found.notes(tls.unknown(_TLS))
    for key, why in _TLS.items():
        if key in tls and (key != "insecure_skip_verify" or tls.flag(key)):
            found.note(tls.at(key), why)


def recognises(text: Text) -> bool:
    """By its name, or by the table that only it has."""
    return file_name(text) == "config.toml" or _CONTENT.search(text.text) is not None


LANGUAGES = (
    Language("hosts.toml", hosts_toml.recognises, hosts_toml.read),
    Language("config.toml", recognises, read),
)
