"""What the schema has against a policy, as sentences: the place, the key path, what is wrong, what would be right.

Imports jsonschema, and so is imported only for a text that was not found valid before.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from transformer.errors import PolicyError
from transformer.images.reference import shorten
from transformer.policy.reading import Path, Tree
from transformer.policy.words import CREDENTIALS_ADVICE, nearest, schema_text, unknown_key

#: Further complaints that follow the first one in the message.
FURTHER = 5
#: Errors that are turned into sentences at all, and unknown keys of one mapping: a hostile text can hold 100,000.
COLLECTED = 100

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "boolean": "true or false",
    "number": "a number",
    "integer": "a whole number",
    "null": "nothing",
}


def check(tree: Tree) -> None:
    """Raises PolicyError for the first complaint in the order of the text; further ones follow on their own lines."""
    validator = Draft202012Validator(json.loads(schema_text()))
    found: dict[tuple[tuple[int, int], str], None] = {}
    for error in islice(validator.iter_errors(tree.data), COLLECTED):
        for path, on_key, message in _complaints(error):
            found[(tree.locate(path, on_key), f"{tree.say(path)}: {message}" if path else message)] = None
    if not found:
        return
    ordered = sorted(found)
    (line, column), message = ordered[0]
    rest = [str(PolicyError(text, tree.file, *place)) for place, text in ordered[1 : 1 + FURTHER]]
    if len(ordered) > 1 + FURTHER:
        rest.append(f"and {len(ordered) - 1 - FURTHER} more")
    raise PolicyError("\n".join((message, *rest)), tree.file, line, column)


def _complaints(error: ValidationError) -> list[tuple[Path, bool, str]]:
    """(path, whether the key is meant and not the value, sentence) for one error of the validator."""
    path: Path = tuple(error.absolute_path)
    schema: Any = error.schema
    rule: Any = error.validator
    limit: Any = error.validator_value
    value: Any = error.instance
    if rule == "additionalProperties" and limit is False:
        known = schema.get("properties", {})
        unknown = islice((key for key in value if key not in known), COLLECTED)
        return [((*path, key), True, unknown_key(key, known)) for key in unknown]
    if "credentials" in path:  # somebody may have written a password there: no value is shown
        return [(path, False, f"is not well formed; {CREDENTIALS_ADVICE}")]
    if rule == "required":
        missing = ", ".join(f"`{key}`" for key in limit if key not in value)
        return [(path, True, f"{missing} is required here{_because(missing)}")]
    sentence = _SENTENCES.get(rule)
    return [(path, False, sentence(limit, value) if sentence else "is not well formed")]


def _because(missing: str) -> str:
    return {
        "`platform`": " (`digest: platform` needs to know which)",
        "`reason`": " (`action: keep` and `deny` say why)",
    }.get(missing, "")


def _wrong_type(limit: Any, value: Any) -> str:
    wanted = " or ".join(_TYPES[name] for name in ([limit] if isinstance(limit, str) else limit))
    return f"must be {wanted}, not {_describe(value)}"


def _not_one_of(limit: Any, value: Any) -> str:
    guess = nearest(value, limit) if isinstance(value, str) else ""
    guess = guess if "did you mean" in guess else ""
    return f"must be one of {', '.join(limit)}, not {_describe(value)}{guess}"


def _describe(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, str) and "@" in value:  # an URL may hold a login
        value = "…@" + value.rpartition("@")[2]
    return repr(shorten(value, 60)) if isinstance(value, str) else shorten(json.dumps(value), 60)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_PATTERNS = {
    "^[A-Za-z][A-Za-z0-9_]*$": "is no name for a variable: letters, digits and _, a letter first",
    "^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$": "is not a platform; write os/architecture[/variant], such as linux/amd64",
    "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$": "is no name of a Secret: lower-case letters, digits, - and .",
}

_SENTENCES: dict[str, Any] = {
    "type": _wrong_type,
    "enum": _not_one_of,
    "const": lambda limit, value: f"must be {_word(limit)}, not {_describe(value)}",
    "pattern": lambda limit, value: f"{_describe(value)} {_PATTERNS.get(limit, 'is not well formed')}",
    "minLength": lambda limit, value: "must not be empty",
    "maxLength": lambda limit, value: f"has {len(value)} characters, the limit is {limit}",
    "minItems": lambda limit, value: f"needs at least {limit} entry",
    "maxItems": lambda limit, value: f"has {len(value)} entries, the limit is {limit}",
    "maxProperties": lambda limit, value: f"has {len(value)} entries, the limit is {limit}",
    "uniqueItems": lambda limit, value: "holds an entry twice; take one out",
    "oneOf": lambda limit, value: (
        f"needs exactly one of {', '.join(f'`{one}`' for each in limit for one in each['required'])}"
    ),
    "minimum": lambda limit, value: f"must be at least {limit}, not {_describe(value)}",
    "maximum": lambda limit, value: f"must be at most {limit}, not {_describe(value)}",
    "exclusiveMinimum": lambda limit, value: f"must be more than {limit}, not {_describe(value)}",
}
