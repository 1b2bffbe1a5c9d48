"""The one place where it is decided what holds: flag over environment over policy over default.

Reads the environment and the policy's file, nothing else; every door gets its `Settings` here. Import-light: what a
policy needs to be checked in full is imported only when it was not found valid before.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from transformer.errors import UsageError
from transformer.images.platform import parse as parse_platform
from transformer.images.reference import shorten
from transformer.policy.model import Policy
from transformer.policy.ownership import combine
from transformer.policy.variables import known, variants, with_variables
from transformer.policy.words import schema_text
from transformer.surfaces import caching, policyfiles
from transformer.text.source import File

__all__ = ["DEFAULT_JOBS", "HOST_TIMEOUT", "Settings", "for_files", "gather", "schema_text"]

DEFAULT_JOBS = 32
JOBS_LIMIT = 256
#: Seconds for a run inside a host (bare command, post-renderer): below the minute after which Argo CD gives up.
HOST_TIMEOUT = 45.0
TIMEOUT_LIMIT = 86400.0
VARIABLE_PREFIX = "PINDOWN_VAR_"

_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


#: Values of the policy's variables that make one of its variants, by name.
Variant: TypeAlias = "tuple[tuple[str, str], ...]"


class Settings(NamedTuple):
    """What holds for this run; `policy` has its variables and overrides in it.

    `variants` are the policies to be looked at one after the other, each with the values that tell it from the others;
    `policy` is the first of them.
    """

    policy: Policy
    offline: bool = False
    #: Seconds for the whole run, None: no limit.
    timeout: float | None = None
    #: Requests in flight.
    jobs: int = DEFAULT_JOBS
    #: Where the report goes instead of stderr.
    report: str | None = None
    format: str = "text"
    quiet: bool = False
    verbose: int = 0
    #: auto, always or never.
    color: str = "auto"
    trust: bool = False
    variants: tuple[tuple[Policy, Variant], ...] = ()
    #: Where answers are remembered, None for nowhere.
    cache: caching.Cache | None = None


def for_files(settings: Settings, files: Sequence[File]) -> Settings:
    """The settings for these manifests, among which the policy's mirrors may stand (`mirrorsFrom`)."""
    if not any(one.manifests for one in settings.policy.mirrors_from):
        return settings
    from transformer.surfaces.mirrorfiles import with_manifests  # brings the languages

    variants = tuple((with_manifests(policy, files), variant) for policy, variant in settings.variants)
    return settings._replace(policy=variants[0][0], variants=variants)


def gather(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    cwd: str | os.PathLike[str],
    *,
    function_config: str | None = None,
    function_config_file: str = "functionConfig",
    default_timeout: float | None = None,
    every_variant: bool = False,
) -> Settings:
    """Decides everything; raises UsageError (PolicyError with file and line for what a policy says).

    `flags` holds the parsed options by their names (`policy`, `set`, `offline`, `platform`, `on_error`, `timeout`,
    `jobs`, `format`, `report`, `quiet`, `verbose`, `color`, `trust_policy`); missing or None: not given.
    `every_variant`: each combination of the policy's matrix, as far as no flag or variable chooses.
    """
    if _switch(environ, "PINDOWN_LOCKED"):
        raise UsageError("PINDOWN_LOCKED: this version has no lock; unset it, or use PINDOWN_OFFLINE=1 to ask nobody")
    trust = bool(flags.get("trust_policy")) or _switch(environ, "PINDOWN_TRUST_POLICY")
    policy = _policy(flags, environ, os.path.abspath(cwd), function_config, function_config_file, trust)
    given = _variables(flags.get("set") or (), environ, policy)
    chosen = tuple(
        (_overridden(with_variables(policy, {**variant, **given}), flags), tuple(sorted(variant.items())))
        for variant in (variants(_without(policy, given)) if every_variant else ({},))
    )
    policy = chosen[0][0]
    timeout = _timeout(flags, environ)
    if timeout is None:
        timeout = policy.timeout if policy.timeout is not None else default_timeout
    return Settings(
        policy=policy,
        offline=bool(flags.get("offline")) or _offline(environ, policy),
        timeout=timeout,
        jobs=_jobs(flags.get("jobs")),
        report=flags.get("report") or environ.get("PINDOWN_REPORT") or None,
        format=flags.get("format") or "text",
        quiet=bool(flags.get("quiet")),
        verbose=int(flags.get("verbose") or 0),
        color=flags.get("color") or ("never" if environ.get("NO_COLOR") else "auto"),
        trust=trust,
        variants=chosen,
        cache=caching.chosen(environ),
    )


def _without(policy: Policy, given: Mapping[str, str]) -> Policy:
    """The policy whose matrix leaves open only what nobody has chosen."""
    return policy._replace(matrix=tuple(one for one in policy.matrix if one[0] not in given))


def _policy(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    cwd: str,
    function_config: str | None,
    function_config_file: str,
    trust: bool,
) -> Policy:
    flag, seen = flags.get("policy"), policyfiles.memory(environ)
    path = flag or environ.get("PINDOWN_POLICY") or None
    operator = repository = None
    if path is not None:
        source = policyfiles.named(path, cwd)
        operator = _loaded(source, seen)
    if function_config is not None:
        source = policyfiles.given(function_config, function_config_file, cwd)
        repository = _loaded(source, seen, function_config=True)
    elif not flag:
        found = policyfiles.found(cwd)
        if found is not None and not (path is not None and policyfiles.same(found, path, cwd)):
            repository = _loaded(found, seen)
    return combine(operator, repository, trust)


def _loaded(source: policyfiles.PolicyText, seen: policyfiles.Memory | None, function_config: bool = False) -> Policy:
    from transformer.policy.load import from_function_config, load  # not needed where there is no policy

    read = from_function_config if function_config else load
    return policyfiles.with_files(read(source.text, source.file, seen=seen), source)


def _variables(given: Iterable[str], environ: Mapping[str, str], policy: Policy) -> dict[str, str]:
    names = {name.upper(): name for name in known(policy)}
    values: dict[str, str] = {}
    for key in sorted(environ):
        if not key.startswith(VARIABLE_PREFIX) or not names:
            continue  # a policy without variables is not concerned by what a runner sets for others
        name = key[len(VARIABLE_PREFIX) :]
        if name.upper() not in names:
            listed = ", ".join(sorted(names.values()))
            raise UsageError(f"{shorten(key, 60)}: the policy has no such variable; it uses {listed}")
        values[names[name.upper()]] = environ[key]
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {shorten(text, 60)}: write NAME=VALUE, such as --set region=eu-west-1")
        values[name] = value
    return values


def _overridden(policy: Policy, flags: Mapping[str, Any]) -> Policy:
    platform, on_error = flags.get("platform"), flags.get("on_error")
    if platform:
        try:
            policy = policy._replace(pin=policy.pin._replace(digest="platform", platform=str(parse_platform(platform))))
        except ValueError:
            raise UsageError(
                f"--platform {shorten(platform, 60)}: write OS/ARCH[/VARIANT], such as linux/amd64"
            ) from None
    if on_error:
        if on_error not in ("fail", "warn"):
            raise UsageError(f"--on-error {shorten(on_error, 60)}: write fail or warn")
        policy = policy._replace(on_error=on_error)
    return policy


def _timeout(flags: Mapping[str, Any], environ: Mapping[str, str]) -> float | None:
    for name, value in (
        ("--timeout", flags.get("timeout")),
        ("PINDOWN_TIMEOUT", environ.get("PINDOWN_TIMEOUT") or None),
    ):
        if value is None:
            continue
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= TIMEOUT_LIMIT:
            advice = f"write seconds, more than 0 and at most {TIMEOUT_LIMIT:.0f}"
            raise UsageError(f"{name}: {shorten(str(value), 60)!r} is no timeout; {advice}")
        return seconds
    return None


def _jobs(value: Any) -> int:
    if value is None:
        return DEFAULT_JOBS
    try:
        jobs = int(value)
    except ValueError:
        jobs = 0
    if not 1 <= jobs <= JOBS_LIMIT:
        raise UsageError(f"--jobs {shorten(str(value), 60)}: write a number from 1 to {JOBS_LIMIT}")
    return jobs


def _offline(environ: Mapping[str, str], policy: Policy) -> bool:
    """The environment is nearer than the policy, also when it says no."""
    return _switch(environ, "PINDOWN_OFFLINE") if environ.get("PINDOWN_OFFLINE") else policy.offline


def _switch(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value not in _YES and value not in _NO:
        raise UsageError(f"{name}: {shorten(value, 60)!r} is neither yes nor no; write 1 or 0")
    return value in _YES
