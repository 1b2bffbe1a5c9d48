"""`plugin install kustomize`: lays out the legacy exec plugin, for kustomize and for kubectl."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping

from transformer.errors import HostError
from transformer.surfaces import console

_BELOW = ("pindown.dev", "v1alpha1", "imagetransformer", "ImageTransformer")


def plugin_home(environ: Mapping[str, str]) -> str:
    """Where Kustomize looks for plugins: $KUSTOMIZE_PLUGIN_HOME, else below $XDG_CONFIG_HOME, else below ~/.config."""
    if environ.get("KUSTOMIZE_PLUGIN_HOME"):
        return environ["KUSTOMIZE_PLUGIN_HOME"]
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(config, "kustomize", "plugin")


def install_kustomize(environ: Mapping[str, str]) -> int:
    """Writes the plugin (over an older one of ours) and prints its path."""
    path = os.path.join(plugin_home(environ), *_BELOW)
    # -P: the working directory is the kustomization's, and a package of our name in it must not be what runs.
    command = f'exec {shlex.quote(sys.executable)} -P -m transformer "$@"'
    script = f"#!/bin/sh\n# Laid out by `pindown plugin install kustomize`.\n{command}\n"
    try:
        _write(path, script)
    except OSError as error:
        raise HostError(f"the plugin cannot be written to {path}: {error.strerror}; see what is there") from None
    console.write_result(f"{path}\n")
    console.say(
        "pindown: use it with kustomize build --enable-alpha-plugins, or kubectl kustomize --enable-alpha-plugins\n"
    )
    return 0


def _write(path: str, script: str) -> None:
    """The whole script or nothing: another build may be running the old one."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fresh = f"{path}.{os.getpid()}"
    try:
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(script)
        os.chmod(fresh, 0o755)
        os.replace(fresh, path)
    except OSError:
        if os.path.exists(fresh):
            os.unlink(fresh)
        raise
