"""containerd's hosts.toml trees: a folder for each registry, its hosts in order, its server last.

A host is an API and no prefix of names: what its path says besides `/v2/…` cannot stand in an image name. Where no
server is named, containerd asks the registry itself at the end, whatever its documentation says.
Described in https://github.com/containerd/containerd/blob/main/docs/hosts.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from transformer.images.reference import shorten
from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Text
from transformer.languages.naming import source_at
from transformer.languages.sources import Endpoint, endpoint_of, fail, name_of
from transformer.languages.toml import Table
from transformer.languages.toml import read as read_toml
from transformer.languages.yamltext import At, file_name
from transformer.policy.locations import has_host
from transformer.policy.model import Location

FILE = "hosts.toml"
#: The folder for registries that have none of their own.
DEFAULT = "_default"

#: The line with which a text begins a file of another registry, as `mirrors export` writes it.
MARKER = re.compile(r"^# (\S+)/hosts\.toml[ \t]*\r?$", re.MULTILINE)

_CAPABILITIES = ("pull", "resolve", "push", "referrers")
_HOST = ("capabilities", "ca", "client", "skip_verify", "header", "override_path", "dial_timeout")
_SAID = {
    "ca": "is a file of the nodes; give it as `caBundle` of this host in `registries`",
    "skip_verify": "is not offered by pindown; give the certificate as `caBundle` of this host in `registries`",
    "client": "is the nodes' client certificate, which pindown does not show",
    "header": "holds headers that nodes send; they are not read, and pindown sends none",
    "dial_timeout": "is the nodes' own; pindown has `timeout`",
}
_ESCAPED_PORT = re.compile(r"(.+)_([0-9]+)_")


class _Host(NamedTuple):
    """One host of a file: where images are there, and for what it is asked ("": it serves no images)."""

    at: At
    endpoint: Endpoint
    to: str | None
    when: str


class _File(NamedTuple):
    """A file of one registry."""

    source: str
    at: At
    #: The folder is the older spelling, which containerd looks at after `host_port_`.
    second: bool
    top: Table


def read(texts: Sequence[Text]) -> Imported:
    """What the folders say together."""
    found = Gathering()
    files: dict[str, _File] = {}
    for folder, part in (pair for text in texts for pair in _parts(found, text)):
        file = _file(found, folder, part)
        other = files.setdefault(file.source, file)
        if other is not file:
            loser = other if other.second and not file.second else file
            files[file.source] = other if loser is file else file
            why = f"{shorten(file.source)} has another folder, and containerd reads one only: this file is not read"
            found.note(loser.at, why)
    for file in files.values():
        _write(found, file, "*" in files and file.source != "*")
    return found.imported()


def _parts(found: Gathering, text: Text) -> Iterator[tuple[str, Text]]:
    """The text with its folder, or each file that one text holds with the folder that its first line names."""
    folder = _folder(text)
    marks = list(MARKER.finditer(text.text))
    if _is_registry(folder):
        yield folder, text
        return
    if not marks and text.found:
        found.note(At(text.name, text.line, ""), f"is for no registry that an image names: {shorten(folder)}")
        return
    if not marks:
        told = "import the folder above it (certs.d), or put `# docker.io/hosts.toml` in front"
        raise fail(text, 1, "", f"which registry this file is for is told by its folder; {told}")
    before = text.text[: marks[0].start()].removeprefix("\ufeff")
    if any(line.strip() and not line.lstrip().startswith("#") for line in before.splitlines()):
        raise fail(text, 1, "", "stands in front of the first `# <registry>/hosts.toml`; say which registry it is for")
    line = text.line + before.count("\n")
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        part = text.text[mark.start() : len(text.text) if after is None else after.start()]
        yield mark[1], text._replace(text=part, line=line)
        line += part.count("\n")


def _folder(text: Text) -> str:
    return text.name.replace("\\", "/").rstrip("/").rpartition("/")[0].rpartition("/")[2]


def _is_registry(folder: str) -> bool:
    return folder == DEFAULT or _ESCAPED_PORT.fullmatch(folder) is not None or has_host(folder)


def _file(found: Gathering, folder: str, text: Text) -> _File:
    at = At(text.name, text.line, "")
    escaped = _ESCAPED_PORT.fullmatch(folder)
    host = "*" if folder == DEFAULT else f"{escaped[1]}:{escaped[2]}" if escaped else folder
    source = source_at(found, at, host)
    if "/" in source or source.startswith("*."):
        raise at.fail(f"{shorten(folder)} is no folder of a registry; it is called host, host_port_ or {DEFAULT}")
    return _File(source, at, ":" in folder, read_toml(text))


def _write(found: Gathering, file: _File, default: bool) -> None:
    top, places = file.top, list[Location]()
    found.notes(top.unknown(("server", "host", *_HOST)))
    hosts, server = top.table("host"), _server(found, top)
    for url in hosts.keys() if hosts is not None else ():
        _add(found, file, places, _host(found, hosts, url))
    falls_back = server is None or _is(server.endpoint, file.source)
    if server is not None and falls_back and server.when != "all":
        what = "for tags" if server.when else "for images"
        found.note(server.at, f"is not asked {what} (capabilities), and pindown falls back to it for all or for none")
        falls_back = server.when == "digest"
    elif server is not None and not falls_back:
        _add(found, file, places, server)
    while falls_back and places and places[-1].to == file.source:
        places.pop()  # it is asked last in any case
    at = file.at._replace(key=shorten(file.source))
    if places:
        found.mirror(at, file.source, places, "source" if falls_back else "fail")
    elif default:
        found.stays(at, file.source)


def _server(found: Gathering, top: Table) -> _Host | None:
    _say(found, top)
    if not top.text("server"):
        return None
    return _read_host(top.at("server"), top, top.text("server"))


def _host(found: Gathering, hosts: Table | None, url: str) -> _Host:
    table = hosts.table(url) if hosts is not None else None
    assert table is not None
    found.notes(table.unknown(_HOST))
    _say(found, table)
    return _read_host(table.at(), table, url)


def _say(found: Gathering, table: Table) -> None:
    for word, why in _SAID.items():
        if word in table and (word != "skip_verify" or table.flag(word)):
            found.note(table.at(word), why)


def _read_host(at: At, table: Table, url: str) -> _Host:
    try:
        endpoint = endpoint_of(url)
        to = name_of(endpoint, api_root(endpoint, table.flag("override_path")))
    except ValueError as error:
        raise at.fail(error) from None
    return _Host(at, endpoint, to, _when(table))


def api_root(endpoint: Endpoint, override: bool = False) -> str:
    """The path below which containerd asks: /v2 is appended unless it is there already, or must not be."""
    return endpoint.path if override or endpoint.path.endswith("/v2") else f"{endpoint.path}/v2"


def _when(table: Table) -> str:
    capabilities = [text for text, _ in table.texts("capabilities")] if "capabilities" in table else _CAPABILITIES
    for index, text in enumerate(capabilities):
        if text not in _CAPABILITIES:
            at = table.at("capabilities", index)
            raise at.fail(f"{shorten(text, 40)!r} is no capability; there is {', '.join(_CAPABILITIES)}")
    if "pull" not in capabilities:
        return ""
    return "all" if "resolve" in capabilities else "digest"


def _add(found: Gathering, file: _File, places: list[Location], host: _Host) -> None:
    place = _place(found, file, host)
    if place is not None and not any((one.to, one.when) == (place.to, place.when) for one in places):
        places.append(place)


def _place(found: Gathering, file: _File, host: _Host) -> Location | None:
    """The location that a host is; None, and a note, when it is none."""
    if not host.when:
        found.note(host.at, "has no capability `pull`, so no image comes from it; it is left out")
        return None
    if host.to is None:
        path = shorten(host.endpoint.path or "/", 100)
        why = f"asks below {path}, which no image name can hold; only https://host/v2/… with override_path can"
        found.note(host.at, f"{why}. The host is left out")
        return None
    if host.to.endswith("/v2"):
        path = shorten(f"/v2/{host.to.partition('/')[2]}", 100)
        found.note(host.at, f"asks below {path}: is override_path missing? It is read as it is written")
    if host.endpoint.plain:
        found.plain(host.at, host.endpoint.host)
    if "/" not in host.to and host.to != file.source:
        source = "the registry" if file.source == "*" else shorten(file.source)
        why = f"is told by `?ns=` that an image is of {source}, and a name cannot say that"
        found.note(host.at, f"{why}: {shorten(host.to)} has to hold it under the same path by itself")
    return location(host.at, host.to, when=host.when)


def _is(endpoint: Endpoint, source: str) -> bool:
    """Whether the endpoint is the registry itself, with nothing in front of its names."""
    return endpoint.host == source and endpoint.path in ("", "/v2")


def recognises(text: Text) -> bool:
    """By its name, or by lines that say which file begins there."""
    if file_name(text) == FILE:
        return True
    return not file_name(text).endswith((".yaml", ".yml", ".json")) and MARKER.search(text.text) is not None
