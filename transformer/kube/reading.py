"""A file's documents, each read by the quickest reader that is sure of it: outline, then JSON or libyaml's events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from transformer.kube.identity import is_list
from transformer.text import documents, outline
from transformer.text.documents import Listed, Span
from transformer.text.source import File
from transformer.text.tree import Parsed, Scalar, TextError, Tree


class ListDocument(NamedTuple):
    """A document whose items can be read one by one, and the rest of it, parsed (offsets are those of its own text)."""

    listed: Listed
    envelope: Parsed
    envelope_text: str


class Reader:
    """Reads parts of one file; parsing errors are TextError with offsets into the file."""

    def __init__(self, file: File, outlines: outline.Outlines) -> None:
        self.file, self._outlines = file, outlines
        self._is_usual = outline.is_usual(file.text)

    def documents(self) -> list[Span]:
        """The spans of the file's documents (some may hold comments alone)."""
        return documents.split(self.file.text)

    def read(self, span: Span) -> Sequence[Parsed]:
        """The documents of a span: mostly one, none for comments alone."""
        text = self.file.text
        if self._is_usual:
            lines = self._outlines.read(text, *span)
            if lines is not None:
                return (lines,)
        return read_slowly(text, span)

    def item(self, span: Span) -> tuple[Parsed, Tree]:
        """One item of a list, by itself; TextError also when the cut turns out to be wrong."""
        parsed = self.read(span)
        tree = parsed[0].tree if len(parsed) == 1 else None
        if not isinstance(tree, list) or len(tree) != 1 or not isinstance(tree[0], dict):
            raise TextError("not one object", span.start)
        return parsed[0], tree[0]

    def as_list(self, span: Span) -> ListDocument | None:
        """The document as a List or ResourceList whose items stand in block style, else None."""
        listed = documents.split_items(self.file.text, span)
        if listed is None:
            return None
        text = listed.envelope(self.file.text)
        try:
            parsed = Reader(File("", text), self._outlines).read(Span(0, len(text)))
        except TextError:
            return None
        if len(parsed) != 1 or parsed[0].duplicates or not is_list(kind_of(parsed[0])[1], parsed[0].tree):
            return None
        items = parsed[0].tree.get("items") if isinstance(parsed[0].tree, dict) else None
        # The cut was made at a key, not in a scalar that spans lines, if its value is now missing at just that place.
        if not isinstance(items, int) or parsed[0].scalar(items) != Scalar(listed.key, listed.key, "", ""):
            return None
        return ListDocument(listed, parsed[0], text)


def read_slowly(text: str, span: Span) -> Sequence[Parsed]:
    """By a parser proper: JSON where it begins like JSON and is, else YAML."""
    if text[span.start : span.end].lstrip().startswith("{"):
        from transformer.text import jsontext

        if jsontext.starts_json(text, *span):
            try:
                return jsontext.read(text, *span)
            except TextError as not_json:
                return _yaml_or(text, span, not_json)
    from transformer.text import events

    return events.read(text, *span)


def _yaml_or(text: str, span: Span, not_json: TextError) -> Sequence[Parsed]:
    from transformer.text import events

    try:
        return events.read(text, *span)
    except TextError:
        raise not_json from None


def kind_of(document: Parsed) -> tuple[str, str]:
    """`apiVersion` and `kind` of a document, "" where absent."""
    tree = document.tree
    leaves = [tree.get(key) if isinstance(tree, dict) else None for key in ("apiVersion", "kind")]
    version, kind = (document.scalar(leaf).value if isinstance(leaf, int) else "" for leaf in leaves)
    return version, kind
