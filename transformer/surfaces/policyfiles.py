"""Where policies come from: the file that is named, the one that is found, and the memory of texts found valid.

Every file is bounded and opened by one function; a repository's may not be a device or leave the repository.
What a policy means is not known here (`policy.load`), nor which one wins (`settings`, `policy.ownership`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import NamedTuple

from transformer.errors import PolicyError
from transformer.images.reference import shorten
from transformer.policy.model import Policy, RegistryRule
from transformer.policy.words import SIZE_LIMIT

NAME = "pindown.yaml"
#: Remembered texts before the memory is emptied: far more than anyone edits, few enough to list.
MEMORY_LIMIT = 1000


class PolicyText(NamedTuple):
    """A policy as text. Relative paths in it start at `base` and may not leave the tree `bound` (None: any)."""

    text: str
    file: str
    base: str
    bound: str | None


def named(path: str, cwd: str) -> PolicyText:
    """The operator's policy; may lie anywhere and may be a pipe. Raises PolicyError when it cannot be read."""
    full = os.path.join(cwd, path)
    regular = os.path.isfile(full)
    text = _read(full, path, regular_only=False)
    return PolicyText(text, path, os.path.dirname(os.path.realpath(full)), None) if regular else given(text, path, cwd)


def given(text: str, file: str, cwd: str) -> PolicyText:
    """A policy that is no file (a functionConfig, a pipe): its paths stay under the working directory."""
    return PolicyText(text, file, cwd, cwd)


def found(cwd: str) -> PolicyText | None:
    """The nearest `pindown.yaml` from the working directory up to the repository's root; without one, only there."""
    root = _root(cwd)
    folder = cwd
    while True:
        path = os.path.join(folder, NAME)
        if os.path.lexists(path):
            return _repository_file(path, root, cwd)
        if folder == root:
            return None
        folder = os.path.dirname(folder)


def same(one: PolicyText, path: str, cwd: str) -> bool:
    """Whether a policy that was found is the file that is named."""
    try:
        return os.path.samefile(os.path.join(cwd, one.file), os.path.join(cwd, path))
    except OSError:
        return False


def with_files(policy: Policy, source: PolicyText) -> Policy:
    """The policy with absolute paths; raises PolicyError for one out of bounds, and for a `caBundle` that is missing.

    A file with credentials may be missing here (it may be there in CI only): whether it helps is found out when its
    registry is asked. What `mirrorsFrom` names is read, and its mirrors are the policy's.
    """
    policy = policy._replace(registries=tuple(_with_files(rule, policy.file, source) for rule in policy.registries))
    named = [(one, one.file) for one in policy.mirrors_from if one.file is not None]
    if not named:
        return policy
    from transformer.surfaces.mirrorfiles import with_imports  # brings the languages: not for those who have none

    return with_imports(
        policy, [_placed(f"{one.name}.file", file, one.line, policy.file, source) for one, file in named], source.bound
    )


def memory(environ: Mapping[str, str]) -> Memory | None:
    """The memory of valid texts, None when there is no place for it or `PINDOWN_CACHE=off`."""
    folder = cache_folder(environ)
    return Memory(os.path.join(folder, "policies")) if folder and environ.get("PINDOWN_CACHE") != "off" else None


def cache_folder(environ: Mapping[str, str]) -> str:
    """The directory of PINDOWN_CACHE, else the one below the user's cache directory; "" when there is no place."""
    cache = environ.get("PINDOWN_CACHE", "")
    if cache and cache != "off" and "://" not in cache:
        return os.path.abspath(cache)
    home, xdg = environ.get("HOME", ""), environ.get("XDG_CACHE_HOME", "")
    base = xdg if os.path.isabs(xdg) else os.path.join(home, ".cache") if os.path.isabs(home) else ""
    return os.path.join(base, "pindown") if base else ""


class Memory:
    """Remembers digests as empty files in a directory of ours (0700). Never raises: without a place it forgets."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def seen(self, digest: str) -> bool:
        return self._ours() and os.path.isfile(os.path.join(self._folder, digest))

    def remember(self, digest: str) -> None:
        try:
            ours = os.path.dirname(self._folder)
            os.makedirs(os.path.dirname(ours), exist_ok=True)
            for folder in (ours, self._folder):
                if not os.path.isdir(folder):
                    os.mkdir(folder, 0o700)
            if not self._ours():
                return
            names = os.listdir(self._folder)
            if len(names) >= MEMORY_LIMIT:
                for name in names:
                    os.unlink(os.path.join(self._folder, name))
            os.close(os.open(os.path.join(self._folder, digest), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except (OSError, ValueError):  # ValueError: a path with a null byte
            pass

    def _ours(self) -> bool:
        """Others must not be able to vouch for a text (a cache in /tmp, say)."""
        try:
            info = os.lstat(self._folder)
        except (OSError, ValueError):
            return False
        return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and not info.st_mode & 0o022


def _root(cwd: str) -> str:
    folder = cwd
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return cwd
        folder = parent
    return folder


def _repository_file(path: str, root: str, cwd: str) -> PolicyText:
    label = os.path.relpath(path, cwd)
    if not _inside(path, root):
        raise PolicyError("is a symbolic link that leaves the repository; name it with --policy if you trust it", label)
    return PolicyText(_read(path, label, regular_only=True), label, os.path.dirname(path), root)


def _read(path: str, label: str, regular_only: bool) -> str:
    flags = os.O_RDONLY | os.O_CLOEXEC | (os.O_NONBLOCK if regular_only else 0)  # a FIFO must not block the search
    try:
        with open(os.open(path, flags), "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if regular_only and not stat.S_ISREG(mode):
                raise PolicyError("is not a regular file; a policy is a YAML text", label)
            data = stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PolicyError(f"the policy cannot be read: {reason}; check the path", shorten(label)) from None
    if len(data) > SIZE_LIMIT:
        raise PolicyError(f"the policy is larger than {SIZE_LIMIT} bytes; it holds something else", label)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError("the policy is not UTF-8 text; save it as UTF-8", label, line) from None


def _with_files(rule: RegistryRule, file: str, source: PolicyText) -> RegistryRule:
    if rule.ca_bundle is not None:
        bundle = _placed(f"the caBundle of {rule.host}", rule.ca_bundle, rule.line, file, source)
        if not os.path.isfile(bundle):
            where = "relative paths start at the policy's file (a functionConfig's at the working directory)"
            raise _misplaced(f"the caBundle of {rule.host}", rule.ca_bundle, rule.line, file, f"is not there; {where}")
        rule = rule._replace(ca_bundle=os.path.realpath(bundle))
    if rule.credentials is not None:
        config, secret = rule.credentials.docker_config, rule.credentials.secret_file
        placed = rule.credentials._replace(
            docker_config=None
            if config is None
            else _placed(f"the dockerConfig of {rule.host}", config, rule.line, file, source),
            secret_file=None
            if secret is None
            else _placed(f"the secretFile of {rule.host}", secret, rule.line, file, source),
        )
        rule = rule._replace(credentials=placed)
    return rule


def _placed(what: str, path: str, line: int, file: str, source: PolicyText) -> str:
    full = os.path.join(source.base, path)
    if source.bound is None:
        return full  # with its symbolic links: a mounted Secret changes where they lead
    if os.path.isabs(path) or not _inside(full, source.bound):
        advice = "move the file, or name the policy with --policy"
        raise _misplaced(what, path, line, file, f"leaves the tree that this policy may name files in; {advice}")
    return os.path.realpath(full)


def _misplaced(what: str, path: str, line: int, file: str, problem: str) -> PolicyError:
    return PolicyError(f"{what}, {shorten(path)}, {problem}", file, line)


def _inside(path: str, root: str) -> bool:
    real, top = os.path.realpath(path), os.path.realpath(root)
    return real == top or real.startswith(top.rstrip(os.sep) + os.sep)
