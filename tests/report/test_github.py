"""Annotations: GitHub's workflow commands, ten of a kind, in which nothing of others is one."""

from __future__ import annotations

import re

import pytest

from tests.doors import pod
from tests.report.outcomes import FAILED, FINE, HOSTILE, KEEPS, hostile, made, many, told
from transformer.errors import Finding, Place
from transformer.report import github, text

PLACE = Place("k8s/web.yaml", 3, 7, "apps/v1", "Deployment", "shop", "web", "spec.x[0].image")
#: As the runner reads a line.
COMMAND = re.compile(r"::(\w[\w-]*)(?: (.*?))?::(.*)")


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A command as the runner takes it apart."""
    name, properties, message = COMMAND.fullmatch(line).groups()
    decoded = dict(one.split("=", 1) for one in (properties or "").split(","))
    for code, sign in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        decoded = {key: value.replace(code, sign) for key, value in decoded.items()}
        message = message if code in ("%3A", "%2C") else message.replace(code, sign)
    return name, decoded, message


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_are_no_command(words):
    lines = github.render(hostile(words), 1.0).splitlines()
    assert len(lines) == 3
    for kind, line in zip(("error", "warning"), lines, strict=False):
        name, properties, message = read(line)
        assert name == kind and list(properties) == ["file", "line", "col", "title"]
        assert (properties["line"], properties["col"], properties["title"]) == ("3", "4", "pindown: not-found")
        assert all(value.isprintable() for value in properties.values())
        assert message.count("\n") == 1 and message.replace("\n", "").isprintable() and len(message) < 3000
        assert not re.search(r"##(vso)?\[", line)


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_in_plain_lines_are_no_command(words):
    outcome, _ = told(pod("x/frozen:1"), policy=KEEPS._replace(images=(KEEPS.images[0]._replace(reason=words),)))
    lines = github.render(outcome, 1.0, [words]).splitlines()
    assert [line[:5] for line in lines] == ["kept ", "note:", "pindo"]
    assert all(line.isprintable() and not re.search(r"##(vso)?\[", line) for line in lines)


@pytest.mark.parametrize(
    "finding, line",
    [
        (Finding("tls", "m"), "::error title=pindown%3A tls::m"),
        (Finding("tls", "m", "h", "warning"), "::warning title=pindown%3A tls::m%0Anext: h"),
        (Finding("tls", "m", severity="info"), "::notice title=pindown%3A tls::m"),
        (Finding("tls", "50% of a: b, c"), "::error title=pindown%3A tls::50%25 of a: b, c"),
        (Finding("tls", "m", place=Place("a.yaml")), "::error file=a.yaml,title=pindown%3A tls::m"),
        (Finding("tls", "m", place=Place("<stdin>", 3, 4)), "::error title=pindown%3A tls::<stdin>:3:4: m"),
        (
            Finding("tls", "m", place=Place("a,b:c%.yaml", 3)),
            "::error file=a%2Cb%3Ac%25.yaml,line=3,title=pindown%3A tls::m",
        ),
        (
            Finding("tls", "m", place=PLACE),
            "::error file=k8s/web.yaml,line=3,col=7,title=pindown%3A tls::"
            "Deployment/web (namespace shop) spec.x[0].image: m",
        ),
    ],
)
def test_annotations(finding, line):
    assert github.annotation(finding) == line


def test_a_long_path_is_whole():
    path = "k8s/" + "d/" * 400 + "a.yaml"
    assert read(github.annotation(Finding("x", "m", place=Place(path))))[1]["file"] == path


def test_a_failed_run(snapshot):
    assert github.render(told(*FAILED)[0], 1.25, ["few pulls are left"]) == snapshot


def test_a_run_in_which_all_went_well():
    outcome, _ = told(*FINE)
    assert github.render(outcome, 1.0).splitlines() == [*text.kept(outcome), text.summary(outcome, 1.0)]
    assert github.render(outcome, 1.0, ["note"], quiet=True) == ""


def test_errors_come_first_whatever_their_order():
    found = [Finding("x", "w", severity="warning"), Finding("x", "e")]
    assert [line[:9] for line in github.render(made(found), 1.0).splitlines()[:2]] == ["::error t", "::warning"]


@pytest.mark.parametrize("errors, warnings", [(10, 10), (0, 10), (10, 0)])
def test_ten_of_a_kind_fit(errors, warnings):
    found = [Finding("x", "e")] * errors + [Finding("x", "w", severity="warning")] * warnings
    lines = github.render(made(found), 1.0).splitlines()
    assert len(lines) == errors + warnings + 1 and "more than" not in "".join(lines)


def test_ten_thousand_findings_are_bounded_and_counted():
    lines = github.render(made(many(10_000)), 1.0).splitlines()
    assert [line.split(" ")[0] for line in lines[:20]] == ["::error"] * 10 + ["::warning"] * 10
    assert lines[20] == (
        "pindown: 990 errors, 8,990 warnings more than GitHub shows (of 1,000 errors, 9,000 warnings); the job summary "
        "has them (--format markdown), and so has --format sarif"
    )
    assert len(lines) == 22 and "1000 errors, 9000 warnings" in lines[21]


def test_many_keeps_are_bounded_and_counted():
    outcome, _ = told("---\n".join(pod("x/frozen:1", f"p{at}") for at in range(1500)))
    lines = github.render(outcome, 1.0).splitlines()
    assert len(lines) == 12 and lines[10] == "… and 1,490 more are kept"
