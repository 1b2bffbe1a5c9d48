"""The options that mean the same everywhere (docs/commands.md), as argparse words and as flags for `settings`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from transformer import __version__


def parser(prog: str, about: str | None, commands: Mapping[str, str] | None) -> argparse.ArgumentParser:
    """A parser with the common options; `commands` are listed in the help of the bare command."""
    epilog = None
    if commands is not None:
        about = "Pins every container image in Kubernetes manifests to its digest. Without a command: manifests or a ResourceList on stdin."
        epilog = "commands:\n" + "".join(f"  {name:<9} {text}\n" for name, text in commands.items())
    made = argparse.ArgumentParser(
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
    add("--format", choices=["text", "json"], help="of the report (default text)")
    add("--report", metavar="FILE", help="the report there instead of on stderr (PINDOWN_REPORT)")
    add("-q", "--quiet", action="store_true", default=None, help="say nothing when all is well")
    add("-v", "--verbose", action="count", default=None, help="say what was changed and why")
    add("--color", choices=["auto", "always", "never"], help="default auto; NO_COLOR is honoured")
    add("--version", action="version", version=f"pindown {__version__}")
    return made


def flags(options: argparse.Namespace) -> dict[str, Any]:
    """What was given on the command line, and nothing else."""
    return {name: value for name, value in vars(options).items() if value is not None}
