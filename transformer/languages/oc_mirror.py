"""oc-mirror's `mapping.txt`: `source=destination`, a line for each image that was copied.

Tags and digests are left out, so that the lines of one repository are one mirror. The objects that oc-mirror writes
beside it are read by `openshift`.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformer.images.reference import Reference, shorten
from transformer.languages.gathering import Gathering, location
from transformer.languages.model import Imported, Language, Text
from transformer.languages.naming import image_of
from transformer.languages.sources import check_size
from transformer.languages.yamltext import At, file_name

#: Places that are no registry: what oc-mirror keeps on disk.
_DISK = ("file://", "oci://", "dir:", "oci:")


def read(texts: Sequence[Text]) -> Imported:
    """The repositories of all lines of all texts."""
    found = Gathering()
    copied: dict[str, dict[str, At]] = {}
    for text in texts:
        check_size(text)
        for number, line in enumerate(text.text.removeprefix("\ufeff").splitlines(), text.line):
            if line.strip() and not line.lstrip().startswith("#"):
                _read_line(found, copied, At(text.name, number, ""), line.strip())
    for source, places in copied.items():
        at = next(iter(places.values()))
        found.mirror(at, source, [location(where, to) for to, where in places.items()])
    return found.imported()


def _read_line(found: Gathering, copied: dict[str, dict[str, At]], at: At, line: str) -> None:
    left, equals, right = line.partition("=")
    if not equals or not left.strip() or not right.strip():
        raise at.fail("wants source=destination")
    if left.startswith(_DISK) or right.startswith(_DISK):
        found.note(at, "is a copy on disk, from which no node pulls")
        return
    source, to = _image(at._replace(key="source"), left), _image(at._replace(key="destination"), right)
    if source.tag is not None and to.tag is not None and source.tag != to.tag:
        found.note(
            at, f"the tag {shorten(source.tag)} is {shorten(to.tag)} there; a mirror carries the tag that is written"
        )
    at = at._replace(key=source.name)
    if source.name != to.name:
        copied.setdefault(source.name, {}).setdefault(to.name, at)


def _image(at: At, text: str) -> Reference:
    return image_of(at, text.strip().removeprefix("docker://"))


def recognises(text: Text) -> bool:
    """By its name, or by a first line that says it."""
    if file_name(text) == "mapping.txt":
        return True
    first = text.text.lstrip("\ufeff \t\r\n").partition("\n")[0].strip()
    left, equals, right = first.partition("=")
    return file_name(text).endswith(".txt") and bool(equals) and "/" in left and "/" in right and "=" not in right


LANGUAGES = (Language("oc-mirror", recognises, read),)
