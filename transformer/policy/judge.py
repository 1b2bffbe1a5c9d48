"""Judges the facts that were met on the way: which oddity is a finding, how bad, and what to do about it.

`rendered`: whether the text is what will be deployed (stdin, a build) and not a source that something else renders.
"""

from __future__ import annotations

from typing import NamedTuple

from transformer.errors import Finding, Place
from transformer.images.reference import shorten
from transformer.kube.survey import Oddity


class _Verdict(NamedTuple):
    rule: str
    severity: str
    message: str
    help: str


#: By `Oddity.what`.
_VERDICTS = {
    "unreadable": _Verdict("unreadable", "error", "{text}", "nothing was written; correct the text at this place"),
    "not-object": _Verdict(
        "unreadable",
        "error",
        "an item of this list is no Kubernetes object",
        "remove the item or give it apiVersion and kind",
    ),
    "duplicate-key": _Verdict(
        "duplicate-key",
        "warning",
        "the key {text} stands here a second time; the last one wins",
        "remove one of the two",
    ),
    "hiding-key": _Verdict(
        "duplicate-key",
        "error",
        "the key {text} stands here a second time and hides an image",
        "remove one of the two",
    ),
    "not-text": _Verdict(
        "invalid-reference",
        "error",
        "the image {text} is a number or a boolean, not a string",
        "put the reference in quotes",
    ),
    "list": _Verdict(
        "invalid-reference",
        "error",
        "a list stands where an image reference should",
        "write one reference as a string",
    ),
    "map": _Verdict(
        "invalid-reference",
        "error",
        "a map stands where an image reference should",
        "write one reference as a string; if this kind spells images otherwise, add a row to the policy's `fields`",
    ),
    "pull-secret": _Verdict(
        "unreadable",
        "warning",
        "a pod names this Secret to pull its image, and its content {text}: it is not used",
        "correct the Secret, or log in where pindown runs",
    ),
    "unread": _Verdict(
        "embedded",
        "warning",
        "images in this text or these values are not seen and NOT pinned by this version",
        "pin what it renders to (pipe the rendered manifests through pindown), or write digests here by hand",
    ),
}


def judge(oddity: Oddity, place: Place) -> Finding:
    """The finding that an oddity is."""
    verdict = _VERDICTS[oddity.what]
    message = verdict.message.format(text=shorten(oddity.text, 300))
    return Finding(verdict.rule, message, verdict.help, verdict.severity, place)


def templated(text: str, place: Place, rendered: bool) -> Finding:
    """A placeholder that nothing has filled in: too late in rendered output, to be expected in a source."""
    message = f"{shorten(text)} holds a placeholder that nothing has filled in; it is NOT pinned"
    if rendered:
        advice = (
            'render it before pindown sees it, or keep it on purpose with the annotation pindown.dev/keep: "reason"'
        )
        return Finding("templated", message, advice, "error", place)
    return Finding(
        "templated", message, "pindown pins it where it is rendered (a pipe, a Kustomize transformer)", "warning", place
    )
