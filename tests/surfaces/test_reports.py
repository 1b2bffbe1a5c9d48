"""Which report a door tells: one table, one word for each, and only where the answer is a report of findings."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.doors import pod, resource_list
from transformer import cli
from transformer.surfaces import options
from transformer.surfaces.job import REPORTS

#: How a report begins when an image would have to be asked.
BEGINS = {
    "text": "error[offline] ",
    "json": '{"file":',
    "markdown": "## pindown: 1 error\n",
    "sarif": '{"$schema":"https://docs.oasis-open.org/sarif/',
    "github": "::error ",
}
#: Commands whose answer is no report of findings, each as it could be run.
ANSWERS = (
    ["list", "-"],
    ["explain", "a/b:1"],
    ["schema"],
    ["mirrors", "check", "-"],
    ["mirrors", "import", "-"],
    ["mirrors", "export", "--to", "idms"],
    ["plugin", "install", "kustomize"],
    ["demo"],
)


def test_every_word_has_its_report():
    assert list(REPORTS) == list(options.FORMATS) == list(BEGINS)


# Where it is refused.


@pytest.mark.parametrize("format", ["markdown", "sarif", "github"])
@pytest.mark.parametrize("command", ANSWERS, ids=" ".join)
def test_an_answer_is_no_report(door, command, format):
    for words in ([*command, "--format", format], ["--format", format, *command]):
        ran = door(*words, stdin=pod("a/b:1"))
        assert (ran.code, ran.out) == (2, "")
        name = " ".join(command[:2] if command[0] == "mirrors" else command[:1])
        assert f"--format {format}: pindown {name} answers with text or json only; markdown, sarif, github" in ran.err


def test_every_other_command_answers_with_a_report():
    known = {" ".join(one[:2] if one[0] == "mirrors" else one[:1]) for one in ANSWERS}
    assert {name for name, one in cli.COMMANDS.items() if one.reports} & known == set()
    assert cli.COMMANDS["render"].reports


@pytest.mark.parametrize("format", ["text", "json"])
def test_an_answer_has_its_two_forms(door, format):
    assert door("list", "--format", format, "-", stdin=pod("a/b:1")).code == 0


def test_an_unknown_form_is_refused_with_the_known_ones(door):
    ran = door("render", "--format", "xml", "-", stdin=pod("a/b:1"))
    assert (ran.code, ran.out) == (2, "") and all(word in ran.err for word in options.FORMATS)


# Where it is told.


@pytest.mark.parametrize("format", options.FORMATS)
@pytest.mark.parametrize("command", [["render", "-"], []], ids=["render", "bare"])
def test_each_form_through_a_door(door, command, format):
    ran = door(*command, "--offline", "--format", format, stdin=pod("a/b:1"))
    assert (ran.code, ran.out) == (1, "") and ran.err.startswith(BEGINS[format])


@pytest.mark.parametrize("format", options.FORMATS)
def test_each_form_in_a_krm_function(door, format):
    ran = door("--offline", "--format", format, stdin=resource_list(pod("a/b:1")))
    assert ran.code == 1 and ran.err.startswith(BEGINS[format])
    assert ran.out.startswith("apiVersion: config.kubernetes.io/v1\n")


@pytest.mark.parametrize("format", options.FORMATS)
def test_each_form_into_a_file(door, tmp_path, format):
    file = tmp_path / "report"
    ran = door("--offline", "--format", format, "--report", str(file), stdin=pod("a/b:1"))
    assert (ran.code, ran.out, ran.err) == (1, "", "")
    assert file.read_text().startswith(BEGINS[format])


@pytest.mark.parametrize("format, silent", [("text", 1), ("markdown", 1), ("github", 1), ("json", 0), ("sarif", 0)])
def test_quiet_silences_what_people_read(door, format, silent):
    ran = door("-q", "--format", format, stdin="kind: Pod\n")
    assert ran.code == 0 and (ran.err == "") is bool(silent)


def test_a_sarif_file_names_files_relative_to_the_working_directory(door, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.yaml").write_text(pod("a/b:1"))
    ran = door("render", "--offline", "--format", "sarif", str(tmp_path / "a b.yaml"))
    (result,) = json.loads(ran.err)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.yaml"


def test_notes_and_changes_surround_the_text(door):
    ran = door("-v", "--offline", stdin=pod("auto"))
    first, *_, last = ran.err.splitlines()
    assert first.startswith("  Pod/web spec.containers[0].image: auto -> kept") and last.startswith("pindown: 1 image")


@pytest.mark.parametrize("format, own", [("text", "grouped"), ("markdown", "markdown"), ("github", "github")])
def test_only_the_report_that_is_told_is_imported(format, own):
    program = (
        "import sys\nfrom transformer.surfaces import stream\nfrom transformer.surfaces.settings import Settings\n"
        "from transformer.policy.model import Policy\nfrom transformer.surfaces.job import Job\n"
        "from transformer.pipeline import Counts, Outcome, Where\n"
        f"job = Job.begin(Settings(Policy(), format='{format}'))\n"
        "job.report(Outcome((), (), (), (), Counts(0, 0, 0, 0, 0, 0), 1), Where(), None)\n"
        "print(*sorted(name[19:] for name in sys.modules if name.startswith('transformer.report.')))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    reports = {"grouped", "markdown", "github", "sarif", "jsonlines"}
    assert reports & set(ran.stdout.split()) == {own}, ran.stderr
