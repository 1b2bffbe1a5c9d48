"""The options that mean the same everywhere (docs/commands.md), as argparse words and as flags for `settings`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from transformer import __version__
from transformer.errors import UsageError
from transformer.images.reference import shorten

#: Of the report (`job.REPORTS`), and the first two of every other answer.
FORMATS = ("text", "json", "markdown", "sarif", "github")
_ANSWERS = FORMATS[:2]


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError and names the option that was meant."""

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """What argparse does, but unknown words are explained."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(self._unknown(unknown[0]))
        return options

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(f"{message}; {self.prog} -h tells more")

    def _unknown(self, word: str) -> str:
        if not word.startswith("-") or word == "-":
            hint = " (stdin is read without it)" if word == "-" else ""
            return f"unexpected argument {shorten(word)!r}{hint}"
        from difflib import get_close_matches  # 6 ms that only a mistake costs

        near = get_close_matches(word.partition("=")[0], list(self._option_string_actions), 1)
        guess = f"did you mean {near[0]}?" if near else "what begins with - and is no option comes after --"
        return f"there is no option {shorten(word)!r}; {guess}"


def parser(prog: str, about: str | None, commands: Mapping[str, str] | None) -> Parser:
    """A parser with the common options; `commands` are listed in the help of the bare command."""
    epilog = None
    if commands is not None:
        about = "Pins every container image in Kubernetes manifests to its digest. Without a command: manifests or a\n"
        about += "ResourceList on stdin."
        width = max(map(len, commands), default=0)
        epilog = "commands:\n" + "".join(f"  {name:<{width}}  {text}\n" for name, text in commands.items())
    made = Parser(
        prog, description=about, epilog=epilog, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--policy", metavar="FILE", help="the operator's policy (PINDOWN_POLICY)")
    add("--set", action="append", metavar="NAME=VALUE", help="give a policy variable its value (PINDOWN_VAR_<NAME>)")
    add("--trust-policy", action="store_true", default=None, help="trust the repository's policy like the operator's")
    add("--offline", action="store_true", default=None, help="never touch the network")
    add("--platform", metavar="OS/ARCH", help="pin the image of this platform instead of the index")
    add("--on-error", choices=["fail", "warn"], help="what an image that cannot be resolved does to the run")
    add("--timeout", metavar="SECONDS", help="for the whole run")
    add("--jobs", metavar="N", help="requests in flight (default 32)")
    add("--format", choices=FORMATS, help="of the report (default text)")
    add("--report", metavar="FILE", help="the report there instead of on stderr (PINDOWN_REPORT)")
    add("-q", "--quiet", action="store_true", default=None, help="say nothing when all is well")
    add("-v", "--verbose", action="count", default=None, help="say what was changed and why")
    add("--color", choices=["auto", "always", "never"], help="default auto; NO_COLOR is honoured")
    add("--version", action="version", version=f"pindown {__version__}")
    return made


def answer_format(command: str, options: argparse.Namespace) -> None:
    """Raises UsageError when a command whose answer is no report of findings is asked for a form of that report."""
    if options.format not in (None, *_ANSWERS):
        raise UsageError(
            f"--format {options.format}: pindown {command} answers with {' or '.join(_ANSWERS)} only; "
            f"{', '.join(FORMATS[len(_ANSWERS) :])} tell the findings of a run, as of pindown render"
        )


def flags(options: argparse.Namespace) -> dict[str, Any]:
    """What was given on the command line, and nothing else."""
    return {name: value for name, value in vars(options).items() if value is not None}
