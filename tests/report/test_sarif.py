"""Code scanning's log: by the schema, known again by what it is about, with the exact replacement if one is known."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote, unquote_to_bytes

import jsonschema
import pytest

from tests.conftest import ROOT
from tests.doors import ELSEWHERE, pod, resource_list
from tests.report.outcomes import FAILED, FINE, HOSTILE, KEEPS, NOTED, hostile, made, many, told
from transformer import __version__
from transformer.errors import Finding, Place
from transformer.pipeline import Where
from transformer.policy.model import Policy
from transformer.report import sarif
from transformer.surfaces import krm
from transformer.text.source import File

SCHEMA = json.loads((ROOT / "tests" / "report" / "sarif-schema-2.1.0.json").read_text())
VALIDATOR = jsonschema.Draft4Validator(SCHEMA)
#: A relative reference without query, fragment or a colon in its first part (RFC 3986, 4.2).
RELATIVE = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})*")
VALIDATE = Policy(mode="validate")


def run_of(outcome, where=None, notes=(), root="", limit=sarif.LIMIT):
    """The one run of a log that was found valid."""
    log = json.loads(sarif.render(outcome, where or Where(), notes, root, limit))
    VALIDATOR.validate(log)
    (run,) = log["runs"]
    return run


def uri(file: str, root: str = "") -> str:
    (result,) = run_of(made([Finding("x", "m", place=Place(file))]), root=root)["results"]
    found = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert found["uriBaseId"] == "%SRCROOT%"
    return found["uri"]


def fingerprints(*texts: str, policy: Policy = VALIDATE) -> list[str]:
    results = run_of(*told(*texts, policy=policy))["results"]
    for one in results:
        assert set(one["partialFingerprints"]) == {"primaryLocationLineHash", "pindown/v1"}
        assert len(set(one["partialFingerprints"].values())) == 1
    return [one["partialFingerprints"]["pindown/v1"] for one in results]


def replaced(text: str, fix: dict) -> str:
    """A text after a fix, made as an editor would: by lines and columns."""
    (change,) = fix["artifactChanges"]
    lines = text.split("\n")
    for one in reversed(change["replacements"]):
        region = one["deletedRegion"]
        assert region["startLine"] == region["endLine"]
        line = lines[region["startLine"] - 1]
        new = one["insertedContent"]["text"]
        lines[region["startLine"] - 1] = line[: region["startColumn"] - 1] + new + line[region["endColumn"] - 1 :]
    return "\n".join(lines)


def test_the_schema_refuses_what_is_wrong():
    log = json.loads(sarif.render(*told(*FAILED)))
    for wrong in (dict(log, version="2.0.0"), dict(log, runs=[{"results": []}]), dict(log, more=1)):
        assert list(VALIDATOR.iter_errors(wrong))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert list(VALIDATOR.iter_errors(log))
    assert sarif.SCHEMA == SCHEMA["id"]


# Hostile words.


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words(words):
    run = run_of(hostile(words), notes=[words])
    assert [one["level"] for one in run["results"]] == ["error", "warning"]
    for one in run["results"]:
        message, location = one["message"]["text"], one["locations"][0]
        assert message.count("\n") == 1 and message.replace("\n", "").isprintable() and len(message) < 2500
        assert not re.search(r"(?<!\\)\]\(", message)
        assert RELATIVE.fullmatch(location["physicalLocation"]["artifactLocation"]["uri"])
        assert location["logicalLocations"][0]["fullyQualifiedName"].isprintable()
    assert run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].isprintable()


@pytest.mark.parametrize("words", HOSTILE)
def test_the_log_is_one_line_of_utf8(words):
    log = sarif.render(hostile(words), Where(), [words])
    log.encode()
    assert log.count("\n") == 1 and log.endswith("\n") and log[:-1].isprintable()


@pytest.mark.parametrize(
    "message, said",
    [
        ("[a](b)", "\\[a\\](b)"),
        ("x[0] [a](http://b)", "x\\[0\\] \\[a\\](http://b)"),
        ("containers[0].image (x)", "containers[0].image (x)"),
        ("{0} {{ x }}", "{0} {{ x }}"),
    ],
)
def test_no_link_is_made(message, said):
    (result,) = run_of(made([Finding("x", message)]))["results"]
    assert result["message"]["text"] == said


# URIs.


@pytest.mark.parametrize(
    "file, root, written",
    [
        ("k8s/web.yaml", "", "k8s/web.yaml"),
        ("./k8s//web.yaml", "", "k8s/web.yaml"),
        ("../web.yaml", "/srv/repo", "../web.yaml"),
        ("/srv/repo/k8s/web.yaml", "/srv/repo", "k8s/web.yaml"),
        ("/srv/repository/web.yaml", "/srv/repo", "../repository/web.yaml"),
        ("/srv/web.yaml", "", "srv/web.yaml"),
        ("a b#c?d%.yaml", "", "a%20b%23c%3Fd%25.yaml"),
        ("file:x.yaml", "", "file%3Ax.yaml"),
        ("//host/x.yaml", "", "host/x.yaml"),
        ("ü\n.yaml", "", "%C3%BC%0A.yaml"),
        ("\udcff.yaml", "", "%FF.yaml"),
        ("\ud800.yaml", "", "%3F.yaml"),
        ("<stdin>", "/srv", "%3Cstdin%3E"),
    ],
)
def test_uris_are_relative_and_encoded(file, root, written):
    assert uri(file, root) == written and RELATIVE.fullmatch(written)


def test_a_uri_leads_back_to_the_file():
    for file in ("a::b,c=d|e`f.yaml", "[x] (y) & 'z' \"q\".yaml", "\x1b\x7f.yaml"):
        assert unquote(uri(file)) == file
    assert unquote_to_bytes(uri("\udcfe\udcff")) == b"\xfe\xff"


# Results.


def test_a_failed_run(snapshot):
    run = run_of(*told(*FAILED), notes=["few pulls are left"])
    run["tool"]["driver"]["version"] = "x"
    assert json.dumps(run, indent=1, ensure_ascii=False) == snapshot


def test_the_tool_and_its_rules():
    driver = run_of(*told(*FAILED))["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("pindown", __version__)
    rules = [one["id"] for one in driver["rules"]]
    assert rules == ["invalid-reference", "not-found", "templated", "unpinned"]
    assert driver["rules"][1]["shortDescription"]["text"] == "The registry does not have this image"


@pytest.mark.parametrize("severity, level", [("error", "error"), ("warning", "warning"), ("info", "note")])
def test_levels(severity, level):
    (result,) = run_of(made([Finding("x", "m", severity=severity)]))["results"]
    assert result["level"] == level and result["locations"] == [{}]


def test_the_image_is_marked():
    outcome, where = told(*FAILED)
    for finding, result in zip(outcome.findings, run_of(outcome, where)["results"], strict=False):
        region = result["locations"][0]["physicalLocation"]["region"]
        assert (region["startLine"], region["startColumn"]) == finding.place[1:3]
        file = next(one for one in outcome.files if one.name == finding.place.file)
        line = file.text.splitlines()[region["endLine"] - 1]
        assert line[region["startColumn"] - 1 : region["endColumn"] - 1].strip('"') in ("x/gone:1", "Bad", "${IMAGE}")


@pytest.mark.parametrize(
    "place, region",
    [(Place("a", 3, 4), {"startLine": 3, "startColumn": 4}), (Place("a", 3), {"startLine": 3}), (Place("a"), None)],
)
def test_a_finding_about_no_image_marks_what_is_known(place, region):
    (result,) = run_of(made([Finding("x", "m", place=place)]))["results"]
    assert result["locations"][0]["physicalLocation"].get("region") == region


def test_in_a_resource_list_lines_mean_nothing():
    extra = "  annotations: {config.kubernetes.io/path: k8s/web.yaml}\n"
    found = krm.recognise(File("<stdin>", resource_list(pod("x/a:1", extra=extra))))
    where = krm.ByAnnotation()
    outcome = krm.transform(found, VALIDATE, told_resolver(), where)
    (result,) = run_of(outcome, where)["results"]
    physical = result["locations"][0]["physicalLocation"]
    assert physical == {"artifactLocation": {"uri": "k8s/web.yaml", "uriBaseId": "%SRCROOT%"}} and "fixes" not in result


def told_resolver():
    from tests.report.outcomes import Canned

    return Canned()


def test_what_is_kept_is_a_result_that_its_reason_suppresses():
    run = run_of(*told(*FINE))
    assert [one["suppressions"] for one in run["results"]] == [
        [{"kind": "inSource", "justification": "annotation pindown.dev/keep: the mesh rewrites it"}],
        [{"kind": "external", "justification": "images[0]: built in place"}],
    ]
    assert {(one["ruleId"], one["level"]) for one in run["results"]} == {("unpinned", "note")}


def test_findings_are_not_suppressed():
    assert not any("suppressions" in one for one in run_of(*told(*FAILED))["results"][:3])


# Fingerprints.


def test_lines_comments_and_other_images_do_not_change_a_fingerprint():
    (one,) = fingerprints(pod("x/a:1"))
    for text in (
        "# a comment\n\n" + pod("x/a:1"),
        pod("x/a:2"),
        pod('"x/b:1"', comment=" # why"),
        pod("x/a:1", extra="  labels: {a: b}\n"),
        pod("x/a:1").replace("  - name: main\n", f"  - name: other\n    image: x/z@{ELSEWHERE}\n  - name: main\n"),
    ):
        assert fingerprints(text)[-1] == one


def test_rule_file_object_and_container_do():
    (one,) = fingerprints(pod("x/a:1"))
    others = [
        fingerprints(pod("Bad"))[0],
        fingerprints("", pod("x/a:1"))[0],
        fingerprints(pod("x/a:1", "other"))[0],
        fingerprints(pod("x/a:1", extra="  namespace: shop\n"))[0],
        fingerprints(pod("x/a:1").replace("name: main", "name: side"))[0],
        fingerprints(pod("x/a:1").replace("containers", "initContainers"))[0],
    ]
    assert len({one, *others}) == 7


def test_equal_ones_are_numbered():
    first, second = fingerprints(pod("x/a:1") + "---\n" + pod("x/b:1"))
    assert first.endswith(":1") and second.endswith(":2") and first[:-2] == second[:-2]


def test_fingerprints_do_not_depend_on_how_a_path_is_written():
    def of(file: str, root: str = "") -> dict:
        (result,) = run_of(made([Finding("x", "m", place=Place(file, 3))]), root=root)["results"]
        return result["partialFingerprints"]

    assert of("a/b.yaml") == of("./a/b.yaml") == of("/srv/a/b.yaml", "/srv") != of("b.yaml")


# Fixes.


@pytest.mark.parametrize("rule", ["denied", "mirror-missing", "templated", "invalid-reference"])
def test_no_fix_for_what_no_edit_answers(rule):
    outcome, where = told(*FINE)
    run = run_of(outcome._replace(findings=(Finding(rule, "m", place=where(outcome.decided[0].site)),)), where)
    assert not any("fixes" in one for one in run["results"])


@pytest.mark.parametrize(
    "text",
    [
        pod("x/a:1"),
        pod("'x/a:1'"),
        pod('"x/a:1"', comment="  # ünïcode"),
        "# 😀 before\n" + pod("x/a:1"),
        pod("x/a:1").replace("\n", "\r\n"),
        '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"😀"},"spec":{"containers":[{"name":"a","image":"x/a:1"}]}}',
    ],
)
def test_a_fix_is_the_exact_replacement(text):
    outcome, where = told(text, policy=VALIDATE)
    (result,) = run_of(outcome, where)["results"]
    (fix,) = result["fixes"]
    assert replaced(text, fix) == outcome.text() == text.replace("x/a:1", f"x/a:1@{ELSEWHERE}")
    assert fix["artifactChanges"][0]["artifactLocation"]["uri"] == "k8s/0.yaml"


# Bounds.


@pytest.mark.parametrize("count, written", [(0, 0), (4999, 4999), (5000, 5000), (5001, 5000), (10_000, 5000)])
def test_many_findings_are_bounded_and_counted(count, written):
    log = json.loads(sarif.render(made(many(count)), Where()))
    (run,) = log["runs"]
    VALIDATOR.validate(dict(log, runs=[dict(run, results=run["results"][:20])]))  # thousands alike take seconds
    assert len(run["results"]) == run["properties"]["resultsWritten"] == written
    assert run["properties"]["findings"] == count
    said = [one["message"]["text"] for one in run["invocations"][0]["toolExecutionNotifications"]]
    cut = f"{count:,} findings and 0 kept images; this file holds 5,000 of them, errors first; --format json has all"
    assert said == ([cut] if count > 5000 else [])


def test_errors_are_written_before_warnings_and_keeps_last():
    outcome, where = told(*FINE)
    outcome = outcome._replace(findings=tuple(many(40)))
    levels = [one["level"] for one in run_of(outcome, where)["results"]]
    assert levels == ["error"] * 4 + ["warning"] * 36 + ["note"] * 2
    run = run_of(outcome, where, limit=10)
    assert [one["level"] for one in run["results"]] == ["error"] * 4 + ["warning"] * 6
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"].startswith("40 findings and 2 kept images; this file holds 10 of them")


def test_a_hostile_reason_of_a_keep():
    for words in HOSTILE:
        policy = KEEPS._replace(images=(KEEPS.images[0]._replace(reason=words),))
        (result,) = run_of(*told(pod("x/frozen:1", extra=NOTED.replace("keep", "other")), policy=policy))["results"]
        assert result["suppressions"][0]["justification"].isprintable() and result["message"]["text"].isprintable()
