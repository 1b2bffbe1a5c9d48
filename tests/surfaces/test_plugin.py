"""Where the legacy plugin is laid out, and that what stands there runs. Real hosts: tests/hosts/test_kustomize.py."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.doors import pod
from transformer.surfaces import plugin

BELOW = "pindown.dev/v1alpha1/imagetransformer/ImageTransformer"


@pytest.mark.parametrize(
    "variables, home",
    [
        ({}, "home/.config/kustomize/plugin"),
        ({"XDG_CONFIG_HOME": "xdg"}, "xdg/kustomize/plugin"),
        ({"KUSTOMIZE_PLUGIN_HOME": "plugins"}, "plugins"),
        ({"KUSTOMIZE_PLUGIN_HOME": "plugins", "XDG_CONFIG_HOME": "xdg"}, "plugins"),
        ({"KUSTOMIZE_PLUGIN_HOME": "", "XDG_CONFIG_HOME": ""}, "home/.config/kustomize/plugin"),
    ],
)
def test_homes(run_pindown, tmp_path, variables, home):
    env = {name: value and str(tmp_path / value) for name, value in variables.items()}
    ran = run_pindown(["plugin", "install", "kustomize"], env={"HOME": str(tmp_path / "home"), **env})
    path = tmp_path / home / BELOW
    assert (ran.returncode, ran.stdout.decode()) == (0, f"{path}\n")
    assert path.stat().st_mode & 0o777 == 0o755 and b"kubectl kustomize --enable-alpha-plugins" in ran.stderr
    assert [file for file in path.parent.iterdir()] == [path]


@pytest.fixture
def installed(tmp_path, monkeypatch, door):
    monkeypatch.setenv("KUSTOMIZE_PLUGIN_HOME", str(tmp_path / "plugin's home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def install():
        ran = door("plugin", "install", "kustomize")
        assert ran.code == 0, ran.err
        return ran.out.removesuffix("\n")

    return install


def run(path, cwd, config):
    (cwd / "config").write_text(config)
    env = {**os.environ, "KUSTOMIZE_PLUGIN_CONFIG_ROOT": str(cwd)}
    stdin = pod("a/b:1")
    return subprocess.run([path, "config"], cwd=cwd, env=env, input=stdin, capture_output=True, text=True, timeout=30)


STYLE_TAG = "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec: {pin: {style: tag}}\n"


def test_it_runs(installed, tmp_path):
    ran = run(installed(), tmp_path, STYLE_TAG)
    assert (ran.returncode, ran.stdout) == (0, pod("a/b:1")), ran.stderr


def test_it_runs_with_an_interpreter_whose_path_has_blanks_and_quotes(installed, tmp_path, monkeypatch):
    odd = tmp_path / 'it\'s a "dir" $HOME'
    odd.mkdir()
    # A script and no link: a link would make the interpreter look for its libraries beside itself.
    (odd / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (odd / "python").chmod(0o755)
    monkeypatch.setattr(plugin.sys, "executable", str(odd / "python"))
    ran = run(installed(), tmp_path, STYLE_TAG)
    assert (ran.returncode, ran.stdout) == (0, pod("a/b:1")), ran.stderr


def test_a_package_of_our_name_in_the_working_directory_is_not_run(installed, tmp_path):
    for name in ("transformer", "yaml", "json"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit(99)\n")
        (tmp_path / name / "__main__.py").write_text("raise SystemExit(98)\n")
    ran = run(installed(), tmp_path, STYLE_TAG)
    assert (ran.returncode, ran.stdout) == (0, pod("a/b:1")), ran.stderr


def test_an_older_plugin_is_replaced(installed):
    path = installed()
    with open(path, "w") as file:
        file.write("old")
    assert installed() == path
    with open(path) as file:
        assert file.read().startswith("#!/bin/sh\n# Laid out by `pindown plugin install kustomize`.\nexec ")


@pytest.mark.parametrize("block", ["pindown.dev", BELOW], ids=["a file on the way", "a directory in its place"])
def test_a_place_that_cannot_be_written(door, tmp_path, monkeypatch, block):
    home = tmp_path / "plugins"
    monkeypatch.setenv("KUSTOMIZE_PLUGIN_HOME", str(home))
    (home / block).parent.mkdir(parents=True)
    (home / block).mkdir() if block == BELOW else (home / block).write_text("")
    ran = door("plugin", "install", "kustomize")
    assert (ran.code, ran.out) == (1, "")
    assert f"the plugin cannot be written to {home / BELOW}: " in ran.err
    assert [file.name for file in home.rglob("*") if file.name.startswith("ImageTransformer.")] == []
