"""The flat form: a ConfigMap whose strings configure the common cases, rewritten as the policy document it stands for.

Made for hosts that pass `key=value` only (`kpt fn eval -- mirrors=docker.io=harbor.example.com/hub`). Everything is
then judged as any other policy; errors call a value by the name it has here.
"""

from __future__ import annotations

from typing import Any

from transformer.errors import PolicyError
from transformer.images.reference import shorten
from transformer.policy.reading import Path, Spot, Tree, read
from transformer.policy.words import API_VERSION, KIND, unknown_key

#: The words of `data`, and the place of each in the document.
DATA: dict[str, Path] = {
    "keep": ("spec", "images"),
    "mirrors": ("spec", "mirrors"),
    "mode": ("spec", "mode"),
    "offline": ("spec", "offline"),
    "onError": ("spec", "onError"),
    "platform": ("spec", "pin", "platform"),
    "policy": ("spec",),
    "results": ("spec", "results"),
    "style": ("spec", "pin", "style"),
    "useManifestSecrets": ("spec", "useManifestSecrets"),
}
KEEP_REASON = "kept by the ConfigMap's keep"

_TOP = ("apiVersion", "kind", "metadata", "data", "immutable")


def as_document(tree: Tree) -> Tree:
    """The ImageTransformer that a ConfigMap stands for; raises PolicyError for words that it does not have."""
    _known(tree, (), tree.data, _TOP)
    data = tree.data.get("data")
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise _fail(tree, ("data",), "must be a mapping of texts")
    _known(tree, ("data",), data, tuple(DATA))
    texts = {word: _text(tree, word, value) for word, value in data.items()}
    if "policy" not in texts:
        return _flat(tree, texts)
    if len(texts) > 1:
        others = ", ".join(sorted(set(texts) - {"policy"}))
        raise _fail(tree, ("data", "policy"), f"holds the whole spec; move {others} into it")
    return _whole(texts["policy"], tree.file)


def _whole(text: str, file: str) -> Tree:
    inner = read(text, f"{file}:data.policy")
    document = {"apiVersion": API_VERSION, "kind": KIND, "spec": inner.data}
    return Tree(document, inner.spots, {("spec",): "data.policy"}, inner.file)


def _flat(tree: Tree, texts: dict[str, str]) -> Tree:
    spec: dict[str, Any] = {}
    pin: dict[str, Any] = {}
    spots = {**tree.spots, id(spec): {}, id(pin): {}}
    for word, text in texts.items():
        *_, key = DATA[word]
        target = pin if "pin" in DATA[word] else spec
        target[str(key)] = _value(tree, word, text)
        spot = tree.spot(("data", word))
        if spot is not None:
            spots[id(target)][key] = Spot(spot.key, spot.value, spot.raw)
    if pin:
        spec["pin"] = pin
    document = {"apiVersion": API_VERSION, "kind": KIND, "spec": spec}
    return Tree(document, spots, {path: f"data.{word}" for word, path in DATA.items() if word != "policy"}, tree.file)


def _value(tree: Tree, word: str, text: str) -> Any:
    if word == "mirrors":
        return [_mirror(tree, line) for line in _lines(text)]
    if word == "keep":
        return [{"match": line, "action": "keep", "reason": KEEP_REASON} for line in _lines(text)]
    if word in ("offline", "useManifestSecrets"):
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    return text.strip()


def _mirror(tree: Tree, line: str) -> dict[str, Any]:
    source, equals, to = (part.strip() for part in line.partition("="))
    if not (source and equals and to):
        message = f"{shorten(line.rpartition('@')[2])!r} is no mirror; write source=location, a line for each"
        raise _fail(tree, ("data", "mirrors"), message)
    return {"source": source, "locations": [{"to": to}]}


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _text(tree: Tree, word: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)) or value is None:
        raise _fail(tree, ("data", word), "must be a text; the values of a ConfigMap are strings")
    return str(value).lower()


def _known(tree: Tree, path: Path, found: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in found:
        if key not in known:
            raise _fail(tree, (*path, key), unknown_key(key, known), on_key=True)


def _fail(tree: Tree, path: Path, message: str, on_key: bool = False) -> PolicyError:
    return PolicyError(f"{tree.say(path)}: {message}", tree.file, *tree.locate(path, on_key))
