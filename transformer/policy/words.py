"""The vocabulary beside the schema: its text, the words that later versions bring, and the sentence for an unknown key.

The schema is package data and is read through the package's own loader, as code is; nothing else is read here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import transformer
from transformer.errors import PindownError
from transformer.images.reference import shorten

API_VERSION = "pindown.dev/v1alpha1"
KIND = "ImageTransformer"
#: Characters (or bytes) of a policy: far above any that people write.
SIZE_LIMIT = 1 << 20
SCHEMAS = {"policy": "imagetransformer.schema.json"}

#: Words of the contract that this version does not know: accepting and ignoring one would be a lie.
LATER = frozenset(
    (
        "allowParameters",
        "cache",
        "lock",
    )
)

#: Keys under which other tools hold a secret itself. A policy is read by many, and ends up in repositories.
LITERAL_SECRETS = frozenset("username password auth token identitytoken registrytoken secret user".split())
CREDENTIALS_ADVICE = (
    "write one of usernameEnv with passwordEnv (names of environment variables), dockerConfig (a Docker config file) "
    "and secretFile (a file with a Kubernetes Secret)"
)


def schema_text(name: str = "policy") -> str:
    """The JSON Schema as published, from a checkout (`schemas/` beside the package) or from the wheel (inside it)."""
    file = SCHEMAS.get(name)
    if file is None:
        raise PindownError(f"there is no schema {name!r}; there is {', '.join(SCHEMAS)}")
    package = os.path.dirname(transformer.__file__)
    read: Any = getattr(transformer.__loader__, "get_data", None)
    for folder in (os.path.join(package, "schemas"), os.path.join(os.path.dirname(package), "schemas")):
        try:
            data: bytes = read(os.path.join(folder, file))
        except OSError:
            continue
        return data.decode("utf-8")
    raise PindownError(f"{file} is missing from this installation; install pindown again")


def unknown_key(word: str, known: Iterable[str]) -> str:
    """The sentence for a key that the vocabulary does not have at this place."""
    known = frozenset(known)
    if word in LATER:
        return f"{word!r} is not supported by this version of pindown; take it out or update pindown"
    if word.lower() in LITERAL_SECRETS and not {"credentials", "secretFile"}.isdisjoint(known):
        return f"{word!r}: never write a login or password in a policy; under `credentials` {CREDENTIALS_ADVICE}"
    if word == "<<":
        return "merge keys (<<) are not part of YAML 1.2; write the keys out"
    names = sorted(known)
    return f"unknown key {shorten(word, 60)!r}{nearest(word, names)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the list of what is known when nothing is near."""
    from difflib import get_close_matches

    names = sorted(known)
    folded = {name.lower(): name for name in names}
    close = get_close_matches(word[:60].lower(), list(folded), n=1, cutoff=0.6)
    if close:
        return f"; did you mean {folded[close[0]]!r}?"
    return f"; known here: {', '.join(names)}" if names else ""
