"""One remembered answer as a value and as a text. Whatever does not read back in full is no entry.

A text is nine lines, so that neither JSON nor a database's types are needed: version, asked, expires, digest, media
type, size, and the three parts of a refusal. Texts come from outside: a store may have been damaged.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from transformer.images.reference import is_digest, shorten
from transformer.policy.questions import Refusal

NEVER = float("inf")
#: Characters of a text; the longest parts are the sentences of a refusal.
TEXT_LIMIT = 4096
_SENTENCE_LIMIT = 1500
_VERSION = "1"
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+/-]{0,254}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?", re.ASCII)
_SIZE = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)


class Entry(NamedTuple):
    """What was answered, when (`asked`), and from when on it is not to be trusted any more; both in Unix seconds.

    Either a digest, or the refusal `not-found`.
    """

    asked: float
    expires: float
    digest: str = ""
    media_type: str | None = None
    size: int | None = None
    refusal: Refusal | None = None


def encode(entry: Entry) -> str:
    """The entry as a text."""
    rule, message, step = entry.refusal or ("", "", "")
    expires = "" if entry.expires == NEVER else f"{entry.expires:.3f}"
    media_type = entry.media_type if entry.media_type and _MEDIA_TYPE.fullmatch(entry.media_type) else ""
    parts = (f"{entry.asked:.3f}", expires, entry.digest, media_type, str(entry.size or ""))
    told = (rule, shorten(message, _SENTENCE_LIMIT), shorten(step, _SENTENCE_LIMIT))
    return "\n".join((_VERSION, *parts, *told))


def decode(text: str) -> Entry | None:
    """The entry of a text, None for anything that `encode` would not have written."""
    parts = text.split("\n") if len(text) <= TEXT_LIMIT else []
    if len(parts) != 9 or parts[0] != _VERSION or not all(part.isprintable() for part in parts):
        return None
    _, asked, expires, digest, media_type, size, *told = parts
    times = _SECONDS.fullmatch(asked) and (not expires or _SECONDS.fullmatch(expires))
    shape = (not media_type or _MEDIA_TYPE.fullmatch(media_type)) and (not size or _SIZE.fullmatch(size))
    if not times or not shape or (digest == "") == (told[0] == ""):
        return None
    if digest and (not is_digest(digest) or any(told)) or not digest and told[0] != "not-found":
        return None
    return Entry(
        float(asked),
        float(expires) if expires else NEVER,
        digest,
        media_type or None,
        int(size) if size else None,
        None if digest else Refusal(*told),
    )
