"""What the tests of the reports tell of: Outcomes of texts, of canned answers, and of many or hostile findings."""

from __future__ import annotations

from collections.abc import Sequence

from tests.doors import ELSEWHERE, pod
from transformer.errors import Finding, Place
from transformer.pipeline import Counts, Outcome, Run, Where
from transformer.policy.model import ImageRule, Policy
from transformer.policy.questions import Missing, Refusal, Resolved
from transformer.text.source import File

COUNTS = Counts(3, 2, 1, 1, 1, 2)
KEEPS = Policy(images=(ImageRule("images[0]", "docker.io/x/frozen", "keep", "built in place"),))
NOTED = "  annotations: {pindown.dev/keep: the mesh rewrites it}\n"
GONE = Refusal("not-found", "docker.io/x/gone:1: not found (HTTP 404)", "check the name and the tag")
#: What others may write where an image, a name, a file or a message is expected.
HOSTILE = (
    "::error::owned",
    "  ::set-output name=x::y",
    "a\n::stop-commands::x\n::error::y",
    "a\r\n::error file=x::y",
    "##[error]x",
    "##vso[task.setvariable]x",
    "%0A::error::x",
    "a,title=b::c",
    "a | b | c",
    "`code` ``` ~~~",
    "</details></table><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- &amp; -->",
    "![x](https://evil.example/x.png) [click](javascript:alert(1))",
    "https://evil.example/x www.evil.example mailto:x@evil.example",
    "@everyone and @octo/team",
    "$x^2$ **bold** _it_ # title",
    "a\x1b[31mred\x1b]8;;https://evil.example\x07x\x9b2J",
    "\u202eevil\u2066\u200b\ufeff",
    "\ud800half\udcff",
    "a\u2028b\x85c\x0bd\x00e",
    "\\",
    "- - x",
    "1. x",
    "    x",
    "--- | ---",
    "x" * 5000,
)


class Canned:
    """Finds everything but what is called `gone`."""

    requests = 2

    def ask(self, questions, scopes=None):
        return {one: Missing((GONE,)) if "gone" in one.source.repository else Resolved(ELSEWHERE) for one in questions}


def told(*texts: str, policy: Policy = KEEPS, where: Where | None = None) -> tuple[Outcome, Where]:
    """What becomes of texts, the files `k8s/0.yaml`, `k8s/1.yaml`, …"""
    files, where = [File(f"k8s/{at}.yaml", text) for at, text in enumerate(texts)], where or Where()
    run = Run(policy, False, where)
    for file in files:
        run.survey.file(file)
    return run.finish(files, Canned()), where


def made(findings: Sequence[Finding]) -> Outcome:
    """An Outcome of nothing but findings."""
    return Outcome((), (), (), tuple(findings), COUNTS, 1)


def hostile(text: str) -> Outcome:
    """An Outcome in which a text stands wherever others may have a word."""
    place = Place(text, 3, 4, text, text, text, text, text)
    return made([Finding("not-found", text, text, severity, place) for severity in ("error", "warning")])


def many(count: int, files: int = 7) -> list[Finding]:
    """Findings in several files; every tenth is an error, the last one too."""
    return [
        Finding(
            "not-found", f"image-{at}: not found", "check it", "warning" if at % 10 else "error", place_of(at, files)
        )
        for at in range(1, count + 1)
    ]


def place_of(at: int, files: int) -> Place:
    return Place(f"k8s/{at % files}.yaml", at, 12, "v1", "Pod", None, f"pod-{at}", "spec.containers[0].image")


#: An error, a warning and a keep in two files; and a run in which all went well.
FAILED = (
    pod("x/gone:1") + "---\n" + pod("x/frozen:1", "kept"),
    pod('"Bad"', "bad") + "---\n" + pod("${IMAGE}", "raw") + "---\n" + pod("x/fine:2", "fine"),
)
FINE = (
    pod("x/a:1") + "---\n" + pod("x/a:1", "two") + "---\n" + pod("x/b:1", "noted", NOTED),
    pod("x/frozen:1", "kept"),
)
