"""The command line: which door, with which options, and what the process ends with.

Start-up is a feature: every door is imported in the branch that needs it, and `--version` imports nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from transformer import __version__
from transformer.errors import (
    EXIT_BUG,
    EXIT_FINDINGS,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    EXIT_USAGE,
    PindownError,
    UsageError,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


class Command(NamedTuple):
    """One subcommand: what it is for, its own arguments, and the door behind it."""

    about: str
    arguments: Callable[[ArgumentParser], None]
    door: Callable[[Namespace, dict[str, Any]], int]
    #: Whether its answer comes with a report of findings, in any of the forms of --format.
    reports: bool = False


def main(argv: Sequence[str]) -> int:
    """Runs one command; answers its exit code."""
    if list(argv) in (["--version"], ["-V"]):
        from transformer.surfaces import console

        console.write_result(f"pindown {__version__}\n")
        return 0
    if _is_legacy_plugin(argv):
        from transformer.surfaces import stream

        return stream.legacy(argv[0], _flags(_parser("pindown", None).parse_args(argv[1:])), os.environ)
    at = _command_at(argv)
    if at is None:
        return _bare(argv)
    name, argv = argv[at], [argv[at], *argv[:at], *argv[at + 1 :]]
    if name in GROUPS:
        name, argv = _in_group(name, argv)
    command = COMMANDS.get(name)
    if command is None:
        raise UsageError(_unknown(name))
    options = _parser(f"pindown {name}", command).parse_args(argv[1:])
    if not command.reports:
        _answer_format(name, options)
    return command.door(options, _flags(options))


def run() -> NoReturn:
    """The console script: exit codes for everything that can happen (docs/commands.md)."""
    import gc

    gc.disable()  # a short life full of trees: collecting cycles costs more than it frees
    _on_termination()
    code = EXIT_BUG
    try:
        code = main(sys.argv[1:])
    except PindownError as error:
        _say(f"error: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        _say("interrupted; nothing was written")
        code = EXIT_INTERRUPTED
    except _Terminated:
        _say("terminated; nothing was written")
        code = EXIT_TERMINATED
    except SystemExit as error:  # argparse: it has said why
        code = error.code if isinstance(error.code, int) else EXIT_USAGE
    except Exception as error:
        _say(_bug(error))
    _end(code)


class _Terminated(BaseException):
    """SIGTERM arrived."""


def _on_termination() -> None:
    import signal

    def terminate(*_: object) -> None:
        raise _Terminated

    signal.signal(signal.SIGTERM, terminate)


def _end(code: int) -> NoReturn:
    """Ends at once: a worker that still waits for a dead registry must not hold up the exit."""
    try:
        if sys.stdout is not None:  # the help that argparse prints; results are written whole (`console`)
            sys.stdout.flush()
    except (OSError, ValueError):
        code = code or EXIT_FINDINGS
    os._exit(code)


def _bug(error: Exception) -> str:
    """A report that tells where, and no more of what was read than the exception's type."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in reversed(frames[-6:])
    )
    if os.environ.get("PINDOWN_DEBUG"):
        traceback.print_exc()
    what = f"{type(error).__name__} at {places}"
    return f"error: a bug in pindown {__version__}: {what}; please report it (nothing was written)"


def _say(text: str) -> None:
    from transformer.surfaces.console import say

    say(f"pindown: {text}\n")


def _bare(argv: Sequence[str]) -> int:
    from transformer.surfaces import console, stream

    if console.stdin_is_terminal():
        parser = _parser("pindown", None)
        parser.parse_args(argv)
        parser.print_help(sys.stderr)
        return EXIT_USAGE
    return stream.bare(_flags(_parser("pindown", None).parse_args(argv)) if argv else {}, os.environ)


def _command_at(argv: Sequence[str]) -> int | None:
    """Where the command stands: the first word, or behind options the first that is one and no option's value."""
    if argv and not argv[0].startswith("-"):
        return 0
    for at, word in enumerate(argv):
        if word == "--":
            break
        if word in COMMANDS or word in GROUPS:
            try:
                _parser("pindown", None).parse_args(argv[:at])
            except UsageError:
                continue
            return at
    return None


def _in_group(group: str, argv: Sequence[str]) -> tuple[str, list[str]]:
    """The command of two words (`mirrors check`), and the line without its second word."""
    for at, word in enumerate(argv[1:], 1):
        if f"{group} {word}" in COMMANDS:
            return f"{group} {word}", [*argv[:at], *argv[at + 1 :]]
        if word in ("-h", "--help"):
            break
    members = [name for name in COMMANDS if name.partition(" ")[0] == group]
    if not {"-h", "--help"}.isdisjoint(argv):
        sys.stdout.write("".join(f"pindown {name}: {COMMANDS[name].about}\n" for name in members))
        raise SystemExit(0)
    given = next((word for word in argv[1:] if not word.startswith("-")), None)
    told = (
        f"there is no {group} {given!r}" if given is not None and given.isprintable() else f"{group} wants a word more"
    )
    raise UsageError(f"{told}; the commands are {', '.join(members)}")


def _is_legacy_plugin(argv: Sequence[str]) -> bool:
    config = ("KUSTOMIZE_PLUGIN_CONFIG_ROOT", "KUSTOMIZE_PLUGIN_CONFIG_STRING")
    return bool(argv) and any(name in os.environ for name in config) and os.path.isfile(argv[0])


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    from transformer.images.reference import shorten

    near = get_close_matches(name, COMMANDS, 1)
    guess = f"; did you mean {near[0]}?" if near else "."
    if os.path.exists(name):
        guess = f"; to pin that file: pindown render {name if name.isprintable() else 'FILE'}."
    return (
        f"there is no command {shorten(name)!r}{guess} The commands are {', '.join(COMMANDS)}; pindown -h tells more."
    )


def _parser(prog: str, command: Command | None) -> ArgumentParser:
    from transformer.surfaces import options

    listed = {name: one.about for name, one in COMMANDS.items()} if command is None else None
    parser = options.parser(prog, command.about if command else None, listed)
    if command is not None:
        command.arguments(parser)
    return parser


def _answer_format(name: str, options: Namespace) -> None:
    from transformer.surfaces import options as words

    words.answer_format(name, options)


def _flags(options: Namespace) -> dict[str, Any]:
    from transformer.surfaces import options as words

    return words.flags(options)


def _paths(parser: ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or directories; - or nothing for stdin")


def _render(options: Namespace, flags: dict[str, Any]) -> int:
    from transformer.surfaces import stream

    return stream.render(options.paths, flags, os.environ)


def _list(options: Namespace, flags: dict[str, Any]) -> int:
    from transformer.surfaces import listing

    return listing.run(options.paths, flags, os.environ)


def _references(parser: ArgumentParser) -> None:
    parser.add_argument(
        "references", nargs="*", metavar="REF", help="image references; behind -- when one begins with -"
    )


def _explain(options: Namespace, flags: dict[str, Any]) -> int:
    from transformer.surfaces import explain

    return explain.run(options.references, flags, os.environ)


def _schema_name(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="policy", choices=["policy"], help="which schema (default: policy)")


def _schema(options: Namespace, flags: dict[str, Any]) -> int:
    from transformer.surfaces import console, settings

    console.write_result(settings.schema_text(options.name))
    return 0


def _plugin_names(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=["install"])
    parser.add_argument("host", choices=["kustomize"])


def _plugin(options: Namespace, flags: dict[str, Any]) -> int:
    from transformer.surfaces import plugin

    return plugin.install_kustomize(os.environ)


def _demo(options: Namespace, flags: dict[str, Any]) -> int:
    from transformer.surfaces import demo

    return demo.run(flags, os.environ)


def _import_files(parser: ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="*", metavar="FILE", help="files or directories in other systems' languages; - for stdin"
    )
    parser.add_argument(
        "--from", dest="from_", metavar="FORMAT", help="the language of the files (default: recognised)"
    )


def _mirrors_import(options: Namespace, flags: dict[str, Any]) -> int:
    from transformer.surfaces import mirrors

    return mirrors.import_(options.paths, options.from_)


def _export_target(parser: ArgumentParser) -> None:
    parser.add_argument("--to", metavar="FORMAT", help="registries.conf, hosts.toml, registries.yaml, idms or itms")
    parser.add_argument("--output", metavar="DIR", help="write the files below this directory instead of on stdout")


def _mirrors_export(options: Namespace, flags: dict[str, Any]) -> int:
    from transformer.surfaces import mirrors, settings

    return mirrors.export(options.to, options.output, settings.gather(flags, os.environ, os.getcwd()))


def _check_paths(parser: ArgumentParser) -> None:
    _paths(parser)
    parser.add_argument("--all-variants", action="store_true", help="every combination of the policy's matrix")


def _mirrors_check(options: Namespace, flags: dict[str, Any]) -> int:
    from transformer.surfaces import mirrorcheck, settings

    variants = bool(options.all_variants)
    return mirrorcheck.run(options.paths, settings.gather(flags, os.environ, os.getcwd(), every_variant=variants))


def _cache_stats(options: Namespace, flags: dict[str, Any]) -> int:
    from transformer.surfaces import caching

    return caching.stats(flags, os.environ)


def _cache_clear(options: Namespace, flags: dict[str, Any]) -> int:
    from transformer.surfaces import caching

    return caching.clear(os.environ)


def _nothing(parser: ArgumentParser) -> None:
    pass


#: A new door is one module in surfaces/, one function above and one row here.
COMMANDS = {
    "render": Command("pin manifests: files, directories or stdin in, one stream out", _paths, _render, True),
    "list": Command("show every image, where it is and what the policy would do (no network)", _paths, _list),
    "explain": Command("show what happens to a reference and why", _references, _explain),
    "mirrors import": Command(
        "print the policy that other systems' mirror files amount to", _import_files, _mirrors_import
    ),
    "mirrors export": Command(
        "print the policy's mirrors in another system's language", _export_target, _mirrors_export
    ),
    "mirrors check": Command("prove that every mirror serves what its source serves", _check_paths, _mirrors_check),
    "cache stats": Command("show where answers are remembered, and how many", _nothing, _cache_stats),
    "cache clear": Command("forget every remembered answer", _nothing, _cache_clear),
    "schema": Command("print the JSON Schema of the policy", _schema_name, _schema),
    "plugin": Command("lay out the legacy Kustomize exec plugin", _plugin_names, _plugin),
    "demo": Command("run the main job against a registry of our own, with nothing else installed", _nothing, _demo),
}

#: First words of the commands that have two.
GROUPS = frozenset(name.partition(" ")[0] for name in COMMANDS if " " in name)
