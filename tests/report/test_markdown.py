"""The job summary: within its bytes, with true totals, and nothing of others in it means anything to Markdown."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from markdown_it import MarkdownIt

from tests.doors import pod
from tests.report.outcomes import FAILED, FINE, HOSTILE, KEEPS, hostile, made, many, told
from transformer.errors import Finding, Place
from transformer.policy.injection import Injection
from transformer.report import markdown

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
#: All that a report may be made of; `html_inline` is looked at more closely.
TOKENS = {"heading", "paragraph", "bullet_list", "list_item", "inline", "text", "strong", "html_inline", "code_inline"}
TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
TAGS = {"<code>", "</code>", "<br>"}
#: What GitHub makes links of, and Markdown's own parser does not.
LINKS = re.compile(r"https?://|www\.|mailto:|xmpp:|(?<![\w&])@\w", re.IGNORECASE)


def tokens(page: str) -> Counter[str]:
    """How often what occurs; HTML by its tags."""
    found: Counter[str] = Counter()
    for block in READER.parse(page):
        for one in (block, *(block.children or ())):
            kind = one.type.removesuffix("_open").removesuffix("_close")
            found[one.content if kind == "html_inline" else kind] += 1
    return found


def words(page: str) -> str:
    """What is read of a page."""
    inline = (one for block in READER.parse(page) for one in block.children or ())
    return "".join(one.content if one.type in ("text", "code_inline") else " " for one in inline)


def size(page: str) -> int:
    return len(page.encode())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_mean_nothing(text):
    page = markdown.render(hostile(text), 1.0, [text])
    assert set(tokens(page)) <= TOKENS | TAGS and not LINKS.search(page)
    assert tokens(page)["heading"] == 6 and tokens(page)["<br>"] == 4 and tokens(page)["strong"] == 4
    assert all(line.isprintable() for line in page.replace("&#64;\u200b", "").split("\n"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_images_stay_in_their_cells(text):
    outcome, _ = told(pod("x/a:1"))
    one = outcome.decided[0]
    changed = one._replace(site=one.site._replace(value=text), decision=one.decision._replace(text=text + "!"))
    injected = Injection(one.site.file, one.site.resource._replace(name=text), 0, text, (text,), False)
    page = markdown.render(outcome._replace(decided=(changed,), injections=(injected,)), 1.0)
    seen = tokens(page)
    assert set(seen) <= TOKENS | TAGS | TABLE and not LINKS.search(page)
    assert (seen["td"], seen["th"], seen["tr"]) == (6, 6, 4) and seen["list_item"] == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_reasons_of_keeps_mean_nothing(text):
    policy = KEEPS._replace(images=(KEEPS.images[0]._replace(reason=text),))
    page = markdown.render(told(pod("x/frozen:1"), policy=policy)[0], 1.0)
    assert set(tokens(page)) <= TOKENS | TAGS and not LINKS.search(page) and tokens(page)["list_item"] == 2


@pytest.mark.parametrize(
    "value, written",
    [
        ("nginx:1.27", "nginx:1.27"),
        ("a_b*c", "a&#95;b&#42;c"),
        ("<b>&amp;", "&#60;b&#62;&#38;amp;"),
        ("a|b`c\\", "a&#124;b&#96;c&#92;"),
        ("[x](y)", "&#91;x&#93;(y)"),
        ("https://x WWW.x", "https&#58;//x WWW&#46;x"),
        ("a\nb", "a\ufffdb"),
    ],
)
def test_code_and_prose(value, written):
    assert markdown.prose(value) == written
    assert markdown.code(value) == f"<code>{written}</code>"


def test_nobody_is_mentioned_and_a_digest_stays_what_it_is():
    assert markdown.prose("@octo a@sha256:0f b@x") == "&#64;\u200bocto a&#64;sha256:0f b&#64;\u200bx"
    assert markdown.code("@octo") == "<code>&#64;octo</code>"


def test_what_is_read_is_what_was_said():
    message = "a|b <c> `d` *e* https://f [g](h) \\ & #i"
    page = markdown.render(made([Finding("tls", message, message)]), 1.0)
    assert words(page).count(message) == 2


def test_a_failed_run(snapshot):
    assert markdown.render(told(*FAILED)[0], 1.25, ["few pulls are left"]) == snapshot


def test_a_run_in_which_all_went_well(snapshot):
    assert markdown.render(told(*FINE)[0], 1.25) == snapshot


def test_quiet_is_silent_only_when_there_is_no_finding():
    assert markdown.render(told(*FINE)[0], 1.0, ["note"], quiet=True) == ""
    assert markdown.render(told(*FAILED)[0], 1.0, quiet=True) == markdown.render(told(*FAILED)[0], 1.0)


def test_nothing_is_said_to_have_changed_when_nothing_was_written():
    assert "Changed" not in markdown.render(told(*FAILED)[0], 1.0)


def test_one_change_in_many_places_is_one_row():
    outcome, _ = told("---\n".join(pod("x/a:1", f"p{at}") for at in range(1234)))
    page = markdown.render(outcome, 1.0)
    assert page.count("<code>x/a:1</code>") == 1 and page.endswith("| 1,234 |\n")


def test_pull_secrets_are_told():
    outcome, _ = told(pod("x/a:1"))
    site = outcome.decided[0].site
    added = Injection(site.file, site.resource, 0, "spec.imagePullSecrets", ("hub", "eu"), False)
    page = markdown.render(outcome._replace(injections=(added,)), 1.0)
    assert (
        "- pull secrets <code>hub</code>, <code>eu</code> added at <code>Pod/web spec.imagePullSecrets</code>\n" in page
    )
    assert tokens(page)["td"] == 6


# Bounds.


def omitted(page: str, what: str) -> int:
    found = re.search(rf"^… and ([\d,]+) more {what}; `--format json` tells all of them\.$", page, re.MULTILINE)
    return int(found[1].replace(",", "")) if found else 0


@pytest.mark.parametrize("limit", [4096, markdown.LIMIT, markdown.MOST])
@pytest.mark.parametrize("files", [1, 7, 10_000])
def test_ten_thousand_findings_are_bounded_and_counted(limit, files):
    page = markdown.render(made(many(10_000, files)), 1.0, limit=limit)
    shown = len(re.findall(r"^- \*\*", page, re.MULTILINE))
    assert shown and shown + omitted(page, "findings") == 10_000
    assert limit * 0.4 < size(page) <= limit
    assert "1000 errors, 9000 warnings" in page and page.startswith("## pindown: 1,000 errors, 9,000 warnings\n")
    warnings = page.count("- **warning**")
    assert not warnings or page.count("- **error**") == 1000  # no error gives way to a warning


def test_a_limit_beyond_what_github_takes_is_not_kept_to():
    huge = [Finding("x", "|" * 1000, "|" * 1000, place=Place("a.yaml", at)) for at in range(1000)]
    assert size(markdown.render(made(huge), 1.0, limit=1 << 30)) <= 1024 << 10


@pytest.mark.parametrize("letter", ["|", "ü", "漢", "😀"])
def test_bytes_are_counted_and_not_characters(letter):
    huge = [Finding("x", letter * 1000, letter * 1000, place=Place(letter * 100, at)) for at in range(100)]
    page = markdown.render(made(huge), 1.0)
    assert size(page) <= markdown.LIMIT and omitted(page, "findings") > 0


def test_every_part_is_bounded_and_counted():
    documents = [pod("x/frozen:1", f"k{at}") for at in range(3000)] + [pod(f"x/a:{at}") for at in range(3000)]
    outcome, _ = told("---\n".join(documents))
    warnings = [one._replace(severity="warning") for one in many(3000)]
    page = markdown.render(outcome._replace(findings=tuple(warnings)), 1.0, ["note " * 50] * 3000)
    assert size(page) <= markdown.LIMIT
    headings = re.findall("^### (.*)$", page, re.MULTILINE)
    assert headings == ["Findings", "Kept on purpose", "Changed", "Notes"]
    rows = {"findings": r"^- \*\*", "images kept": "^- <code>", "changes": r"^\| <code>", "notes": "^- note"}
    for what, row in rows.items():
        assert len(re.findall(row, page, re.MULTILINE)) + omitted(page, what) == 3000
