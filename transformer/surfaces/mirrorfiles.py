"""Mirror configuration of other systems: which files on disk belong to what was named, and what stands among manifests.

What it means is not known here (`languages`), only where it lies: drop-ins beside a registries.conf, a certs.d tree.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence

from transformer.errors import PolicyError
from transformer.images.reference import shorten
from transformer.languages.model import Text
from transformer.languages.openshift import KINDS
from transformer.languages.openshift import read as read_openshift
from transformer.languages.read import into, join, read
from transformer.policy.model import Policy
from transformer.text.documents import split, split_items
from transformer.text.source import File, Positions

#: Bytes of one file, and files of one directory.
SIZE_LIMIT, FILES_LIMIT = 1 << 20, 2000

_SUFFIXES = (".conf", ".toml", ".yaml", ".yml", ".json", ".txt")
#: The two names with which other files come along.
_DROP_INS, _HOSTS = "registries.conf", "hosts.toml"
#: What a mirror object says of itself, in YAML or JSON.
_MIRROR_KIND = re.compile(rf"""\bkind["']?[ \t]*:[ \t]*["']?(?:{"|".join(KINDS)})\b""")


def texts_of(path: str, label: str, bound: str | None = None) -> list[Text]:
    """The texts of a file (with its drop-ins) or a directory; `label` is what messages call it.

    Links that leave the tree `bound` are refused (None: any). Raises PolicyError for what cannot be read.
    """
    path = path.rstrip(os.sep) or os.sep
    label = label.rstrip(os.sep) or label
    if not os.path.isdir(path):
        return [_read(path, label, bound, False), *_drop_ins(path, label, bound)]
    names = list(_below(path, label))
    hosts = [name for name in names if os.path.basename(name) == _HOSTS]
    chosen = hosts or [name for name in names if name.endswith(_SUFFIXES)]
    chosen.sort(key=lambda name: (os.path.basename(name) != _DROP_INS, name))  # drop-ins come behind what they change
    return [_read(os.path.join(path, name), os.path.join(label, name), bound, True) for name in chosen]


def with_imports(policy: Policy, places: Sequence[str], bound: str | None) -> Policy:
    """The policy with what its `mirrorsFrom` files say; `places` are their absolute paths, in order."""
    for source, path in zip((one for one in policy.mirrors_from if one.file is not None), places, strict=True):
        try:
            policy = into(policy, read(texts_of(path, source.file or "", bound), source.format))
        except PolicyError as error:
            raise PolicyError(f"{source.name}: {error}", policy.file, source.line) from None
    return policy


def with_manifests(policy: Policy, files: Sequence[File]) -> Policy:
    """The policy with OpenShift's mirror objects among the manifests, where it says that they count."""
    texts = [text for file in files for text in _mirror_objects(file)]
    return into(policy, join([read_openshift(texts)])) if texts else policy


def _mirror_objects(file: File) -> Iterator[Text]:
    """The objects of a file that may be meant, each as a text of its own."""
    if _MIRROR_KIND.search(file.text) is None:
        return
    positions = Positions(file.text)
    for document in split(file.text):
        listed = split_items(file.text, document)
        for span in (document,) if listed is None else listed.items:
            found = _MIRROR_KIND.search(file.text, *span)
            if found is not None:
                text = file.text[span.start : span.end]
                yield Text(file.name, text if listed is None else text.replace("-", " ", 1), positions(span.start)[0])


def _drop_ins(path: str, label: str, bound: str | None) -> Iterator[Text]:
    folder = f"{path}.d"
    if os.path.basename(path) == _DROP_INS and os.path.isdir(folder):
        for name in sorted(_listed(folder, f"{label}.d")):
            if name.endswith(".conf"):
                yield _read(os.path.join(folder, name), os.path.join(f"{label}.d", name), bound, True)


def _below(path: str, label: str) -> Iterator[str]:
    """The files of a directory and those below it, relative to it; links to directories are not followed."""
    count = 0
    for folder, below, names in os.walk(path, onerror=_refuse):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                count += 1
                if count > FILES_LIMIT:
                    raise PolicyError(f"has more than {FILES_LIMIT} files; name the ones that are meant", label)
                yield os.path.relpath(os.path.join(folder, name), path)


def _listed(folder: str, label: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise _unreadable(label, error) from None


def _refuse(error: OSError) -> None:
    raise _unreadable(str(error.filename), error)


def _unreadable(label: str, error: OSError) -> PolicyError:
    return PolicyError(f"cannot be read: {error.strerror or type(error).__name__}; check the path", shorten(label, 300))


def _read(path: str, label: str, bound: str | None, found: bool) -> Text:
    real = os.path.realpath(path)
    if bound is not None and not f"{real}{os.sep}".startswith(os.path.realpath(bound).rstrip(os.sep) + os.sep):
        raise PolicyError("is a link that leaves the tree that this policy may name files in; move the file", label)
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise PolicyError("is not a regular file", label)
            data = stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise _unreadable(label, error) from None
    if len(data) > SIZE_LIMIT:
        raise PolicyError(f"is larger than {SIZE_LIMIT >> 20} MiB; split it, or name what is meant", label)
    try:
        return Text(label, data.decode("utf-8-sig"), found=found)
    except UnicodeDecodeError as error:
        raise PolicyError("is not UTF-8 text; save it as UTF-8", label, data.count(b"\n", 0, error.start) + 1) from None
