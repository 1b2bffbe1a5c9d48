"""Judges the facts that were met on the way: which oddity is a finding, how bad, and what to do about it.

`rendered`: whether the text is what will be deployed (stdin, a build) rather than a source that something else still renders.
"""

from __future__ import annotations

from collections.abc import Mapping

from transformer.errors import Finding, Place
from transformer.images.reference import shorten
from transformer.kube.survey import Oddity

#: what -> (rule, severity, message, help)
_ODDITIES: Mapping[str, tuple[str, str, str, str]] = {
    "unreadable": ("unreadable", "error", "{text}", "nothing was written; correct the text at this place"),
    "not-object": ("unreadable", "error", "an item of this list is no Kubernetes object", "remove the item or give it apiVersion and kind"),
    "duplicate-key": (
        "duplicate-key", "warning", "the key {text} stands here a second time; the last one wins", "remove one of the two",
    ),
    "hiding-key": (
        "duplicate-key", "error", "the key {text} stands here a second time and hides an image", "remove one of the two",
    ),
    "not-text": (
        "invalid-reference", "error", "the image {text} is a number or a boolean, not a string", "put the reference in quotes",
    ),
    "list": ("invalid-reference", "error", "a list stands where an image reference should", "write one reference as a string"),
    "map": (
        "invalid-reference", "error", "a map stands where an image reference should",
        "write one reference as a string; if this kind spells images otherwise, add a row to the policy's `fields`",
    ),
    "unread": (
        "embedded", "warning", "images in this text or these values are not seen and NOT pinned by this version",
        "pin what it renders to (pipe the rendered manifests through pindown), or write digests here by hand",
    ),
}  # fmt: skip


def judge(oddity: Oddity, place: Place) -> Finding:
    """The finding that an oddity is."""
    rule, severity, message, advice = _ODDITIES[oddity.what]
    return Finding(rule, message.format(text=shorten(oddity.text, 300)), advice, severity, place)


def templated(text: str, place: Place, rendered: bool) -> Finding:
    """A placeholder that nothing has filled in: too late in rendered output, to be expected in a source."""
    message = f"{shorten(text)} holds a placeholder that nothing has filled in; it is NOT pinned"
    if rendered:
        advice = "render it before pindown sees it, or keep it on purpose with the annotation pindown.dev/keep: \"reason\""
        return Finding("templated", message, advice, "error", place)
    return Finding("templated", message, "pindown pins it where it is rendered (a pipe, a Kustomize transformer)", "warning", place)
