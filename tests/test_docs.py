"""The documentation held to the code: commands, options, rule ids, output, links, and every policy that is shown."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from build_layout import image, write_layout

from tests.conftest import DEMO, ROOT
from tests.test_architecture import MAY_IMPORT
from tests.tools import require_tool
from transformer import __version__, cli, errors
from transformer.kube.shapes import SHAPES
from transformer.policy.load import from_function_config, load
from transformer.policy.words import LATER
from transformer.surfaces import options

DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
PACKAGE = ROOT / "transformer"

#: Calls whose first argument is a rule id.
EMITTERS = ("Refusal", "Finding", "_Verdict", "TransportError", "refused", "__init__")
#: Tables whose values begin with a rule id.
TABLES = ("_JUDGED",)
RULE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class Block(NamedTuple):
    """A fenced block: its language and its text."""

    language: str
    text: str


def pages() -> list[Path]:
    """Every Markdown page of the project, whichever environment lies beside it."""
    found = [
        *ROOT.glob("*.md"),
        *(page for top in ("docs", "examples", "fixtures") for page in (ROOT / top).rglob("*.md")),
    ]
    return sorted(found)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(text: str) -> list[Block]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(language, body) for language, body in found]


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page: Path) -> list[str]:
    """The relative links of a page that lead nowhere: no such file, or no such heading in it."""
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            wrong.append(target)
        elif anchor and anchor not in anchors(there.read_text(encoding="utf-8")):
            wrong.append(target)
    return wrong


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the first table after a heading, cells stripped, header and rule left out."""
    after = text.split(f"{heading}\n", 1)[1]
    lines: list[str] = []
    for line in after.splitlines():
        if line.startswith("|"):
            lines.append(line)
        elif lines:
            break
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return rows[2:]


def quoted(cell: str) -> list[str]:
    """The words in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def emitted(source: str) -> set[str]:
    """The rule ids that a module can emit: first arguments of EMITTERS, values given to `rule`, and TABLES."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args and _called(node) in EMITTERS:
            found |= _texts(node.args[0], deep=False)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                found |= _assigned(target, node.value)
    return found


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _assigned(target: ast.expr, value: ast.expr) -> set[str]:
    if isinstance(target, ast.Name) and target.id == "rule":
        return _texts(value)
    if isinstance(target, ast.Name) and target.id in TABLES and isinstance(value, ast.Dict):
        return set().union(*(_texts(row.elts[0]) for row in value.values if isinstance(row, ast.Tuple)))
    first = target.elts[0] if isinstance(target, ast.Tuple) else None
    if isinstance(first, ast.Name) and first.id == "rule":
        if isinstance(value, ast.Tuple):
            return _texts(value.elts[0])
        return set().union(*(_texts(inner.elts[0]) for inner in ast.walk(value) if isinstance(inner, ast.Tuple)))
    return set()


def _texts(node: ast.expr, deep: bool = True) -> set[str]:
    nodes = ast.walk(node) if deep else [node]
    constants = [one.value for one in nodes if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return {text for text in constants if RULE.fullmatch(text)}


def all_emitted() -> set[str]:
    """Reports tell what was found elsewhere, so `report` emits nothing of its own."""
    return set().union(*(emitted(file.read_text()) for file in sources() if file.parent.name != "report"))


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def policies(text: str) -> Iterator[str]:
    """The documents of a text that are policies: an ImageTransformer, or a ConfigMap that configures pindown."""
    for document in re.split(r"^---$", text, flags=re.MULTILINE):
        kind = re.search(r"^kind: (\w+)$", document, re.MULTILINE)
        if kind and (kind[1] == "ImageTransformer" or (kind[1] == "ConfigMap" and "pindown" in document)):
            yield document


def read_policy(text: str, place: str) -> Any:
    return from_function_config(text, place) if "kind: ConfigMap" in text else load(text, place)


def shown_commands(text: str) -> Iterator[list[str]]:
    """The arguments of every `pindown` that a page's shell blocks call."""
    for block in blocks(text):
        if block.language not in ("sh", "console"):
            continue
        lines = [line.removeprefix("$ ") for line in block.text.splitlines()]
        for line in lines if block.language == "sh" else [line for line in lines if line.startswith("pindown ")]:
            words = shlex.split(line, comments=True)
            for at, word in enumerate(words):
                if (word == "pindown" or word.endswith("/pindown")) and (at == 0 or words[at - 1] in ("|", "&&")):
                    end = next(
                        (i for i, one in enumerate(words) if i > at and one in ("|", "&&", ">", "<")), len(words)
                    )
                    yield words[at + 1 : end]


def command_of(words: list[str]) -> tuple[str | None, list[str]]:
    """The command that words begin with (None: the bare one), of one word or two, and what follows it."""
    for count in (2, 1):
        if len(words) >= count and " ".join(words[:count]) in cli.COMMANDS:
            return " ".join(words[:count]), words[count:]
    return None, words


# -- links


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_relative_link_leads_somewhere(page):
    assert broken_links(page) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[a](https://example.com/x#y)", []),
        ("[a](#a-title)\n## A `title`\n", []),
        ("```\n[a](gone.md)\n```\n", []),
        ("[a](there.md#why) [b](there.md)", []),
        ("[a](gone.md)", ["gone.md"]),
        ("[a](#gone)\n", ["#gone"]),
        ("[a](there.md#because)", ["there.md#because"]),
        ("[a](#hidden)\n```\n# hidden\n```\n", ["#hidden"]),
    ],
)
def test_broken_links_are_found(tmp_path, text, wrong):
    (tmp_path / "there.md").write_text("# Why\n")
    page = tmp_path / "page.md"
    page.write_text(text)
    assert broken_links(page) == wrong


def test_every_page_of_docs_is_reached_from_the_readme():
    linked = {page.partition("#")[0] for page in re.findall(r"\]\((docs/[^)]+)\)", (ROOT / "README.md").read_text())}
    missing = {name_of(page) for page in DOCS.glob("*.md")} - linked
    assert missing <= {"docs/output.md"}  # it is reached from commands.md and findings.md
    assert "](output.md" in (DOCS / "commands.md").read_text()


def test_pages_that_the_code_names_are_there():
    named = {
        match
        for file in sources()
        for match in re.findall(r"(?<![\w/])docs/[\w-]+\.md", file.read_text())
        if "/spec/" not in match
    }
    assert {name for name in named if not (ROOT / name).exists()} == set()


# -- commands.md


def commands_page() -> str:
    return (DOCS / "commands.md").read_text()


def test_every_command_is_documented_and_no_other():
    documented = [quoted(row[0])[0].split()[1:] for row in table(commands_page(), "# Commands")]
    assert {command_of(words)[0] for words in documented if words} == set(cli.COMMANDS)
    assert [] in documented  # the bare command


def test_every_option_is_documented_and_no_other():
    parser = options.parser("pindown", None, {})
    real = {text for action in parser._actions for text in action.option_strings}
    documented = {word.split()[0] for row in table(commands_page(), "## Options") for word in quoted(row[0])}
    assert documented == real


def test_the_choices_of_an_option_are_documented():
    shown = {quoted(row[0])[0].split()[0]: row[0] for row in table(commands_page(), "## Options")}
    for action in options.parser("pindown", None, {})._actions:
        if action.choices and not isinstance(action, argparse._SubParsersAction):
            cell = shown[action.option_strings[-1]]
            assert quoted(cell)[0].split()[1].replace("\\", "") == "|".join(action.choices)


def test_every_variable_of_ours_is_documented_and_no_other():
    def variables(text: str) -> set[str]:
        return set(re.findall(r"\bPINDOWN_[A-Z_]*[A-Z](?:_(?=[\"<]))?", text))

    real = set().union(*(variables(file.read_text()) for file in sources()))
    assert {name.rstrip("_") for name in variables(commands_page())} == {name.rstrip("_") for name in real}


def test_the_exit_codes_are_those_of_the_code():
    real = {getattr(errors, name) for name in dir(errors) if name.startswith("EXIT_")}
    assert {int(row[0]) for row in table(commands_page(), "## Exit codes")} == real


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_command_that_is_shown_can_be_parsed(page):
    for words in shown_commands(page.read_text()):
        name, rest = command_of(words)
        assert name or not words or words[0].startswith("-"), words
        parser = cli._parser("pindown", cli.COMMANDS[name] if name else None)
        try:
            parser.parse_args(rest)
        except SystemExit as error:  # --help and --version end the process
            assert error.code == 0, words


def test_shown_commands_are_found():
    page = (
        "pindown no\n```sh\nset -o pipefail\nx | pindown --offline > a  # why\n.venv/bin/pindown demo\n"
        "kpt fn eval . --exec pindown -- a=b\nPATH=x pindown no\n```\n"
        "```console\n$ pindown list -\npindown: 1 image\n```\n"
    )
    assert list(shown_commands(page)) == [["--offline"], ["demo"], ["list", "-"]]
    everywhere = [words for page in pages() for words in shown_commands(page.read_text())]
    assert ["plugin", "install", "kustomize"] in everywhere and len(everywhere) > 10


def test_the_help_of_the_bare_command_lists_every_command(run_pindown):
    told = run_pindown(["-h"])
    assert told.returncode == 0
    for name in cli.COMMANDS:
        assert re.search(rf"^  {name} ", told.stdout.decode(), re.MULTILINE)


def test_the_version_of_the_changelog_is_at_most_the_next():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert text.count("## [Unreleased]") == 1
    assert __version__ in text


# -- findings.md


def findings_page() -> str:
    return (DOCS / "findings.md").read_text()


@pytest.mark.parametrize(
    ("source", "rules"),
    [
        ("x = Refusal(rule, 'a')", set()),
        ("x = other('not-a-rule')", set()),
        ("rule = one.plan.rule", set()),
        ("x = Refusal('Not a rule', 'a')", set()),
        ("raise refused('schema1', ref, 'a', 'b')", {"schema1"}),
        ("raise errors.TransportError('tls', 'a')", {"tls"}),
        ("rule = 'templated' if x else 'invalid-reference'", {"templated", "invalid-reference"}),
        ("rule = {401: 'no-permission'}.get(status, 'registry-error')", {"no-permission", "registry-error"}),
        ("rule, step = 'mirror-missing', f'copy {x}'", {"mirror-missing"}),
        ("rule, cause = TABLE.get(status, ('registry-error', 'why'))", {"registry-error"}),
        ("_JUDGED = {404: ('not-found', 'a', 'b')}", {"not-found"}),
        ("_VERDICTS = {'list': _Verdict('unreadable', 'error', 'a')}", {"unreadable"}),
    ],
)
def test_rules_are_found_in_source(source, rules):
    assert emitted(source) == rules


def test_every_rule_has_a_section_and_no_other():
    sections = re.findall(r"^## `([^`]+)`$", findings_page(), re.MULTILINE)
    assert sections == sorted(sections)
    assert set(sections) == all_emitted()


def test_the_table_of_rules_says_which_ones_warn_covers():
    rows = table(findings_page(), "# Findings")
    assert {quoted(row[0])[0] for row in rows} == all_emitted()
    assert {row[3] for row in rows} == {"yes", "no"}
    assert {quoted(row[0])[0] for row in rows if row[3] == "yes"} == errors.WARNABLE


def test_every_section_says_what_to_do():
    parts = re.split(r"^## `([^`]+)`$", findings_page(), flags=re.MULTILINE)[1:]
    for rule, text in zip(parts[::2], parts[1::2], strict=True):
        assert "**Next:**" in text or "| next |" in text, rule


# -- output.md


def output_page() -> str:
    return (DOCS / "output.md").read_text()


def example_lines(heading: str) -> list[dict[str, Any]]:
    section = output_page().split(f"\n## {heading}\n", 1)[1].split("\n## ")[0]
    return [
        json.loads(line) for block in blocks(section) if block.language == "json" for line in block.text.splitlines()
    ]


def json_lines(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def pod(*images: str) -> bytes:
    containers = [{"name": f"c{index}", "image": one} for index, one in enumerate(images)]
    return yaml.safe_dump(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}
    ).encode()


def test_a_line_of_list_has_the_keys_that_are_shown(run_pindown):
    (shown,) = example_lines("`list`")
    (real,) = json_lines(run_pindown(["list", "--format", "json"], pod("busybox:1.36")).stdout)
    assert list(real) == list(shown)
    assert {key: real[key] for key in ("value", "registry", "repository", "tag", "digest", "action", "rule")} == {
        key: shown[key] for key in ("value", "registry", "repository", "tag", "digest", "action", "rule")
    }


def test_a_line_of_explain_is_what_is_shown(run_pindown):
    mirrored, broken = example_lines("`explain`")
    policy = EXAMPLES / "kustomize" / "overlays" / "mirrored" / "pindown.yaml"
    command = ["explain", "--offline", "--format", "json", "--policy", str(policy), mirrored["input"], broken["input"]]
    told = run_pindown(command)
    assert told.returncode == 1
    assert json_lines(told.stdout) == [mirrored, broken]


def test_lines_of_the_report_have_the_keys_that_are_shown(run_pindown, embedded):
    registry = embedded()
    stdin = pod(f"{registry.host}/library/busybox:1.36", f"{registry.host}/team/nope:1")
    told = run_pindown(["--format", "json"], stdin)
    assert (told.returncode, told.stdout) == (1, b"")
    *decisions, finding, summary = json_lines(told.stderr)
    shown_decision, shown_finding, shown_summary = example_lines("The report")
    assert [list(one) for one in decisions] == [list(shown_decision)] * 2
    assert list(finding) == list(shown_finding)
    assert {key: finding[key] for key in ("rule", "severity")} == {"rule": "not-found", "severity": "error"}
    assert list(summary) == ["summary"] and list(summary["summary"]) == list(shown_summary["summary"])


def test_the_shown_result_has_the_keys_of_a_real_one(run_pindown, embedded):
    registry = embedded()
    item = json.loads(json.dumps(yaml.safe_load(pod(f"{registry.host}/library/nginx:1.27"))))
    item["metadata"]["annotations"] = {"config.kubernetes.io/path": "p.yaml", "config.kubernetes.io/index": "0"}
    stdin = json.dumps({"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": [item]})
    (real,) = json.loads(run_pindown([], stdin.encode()).stdout)["results"]
    block = next(one for one in blocks(output_page()) if one.text.startswith("results:"))
    (shown,) = yaml.safe_load(block.text)["results"]
    assert {key: sorted(value) for key, value in real.items() if isinstance(value, dict)} == {
        key: sorted(value) for key, value in shown.items() if isinstance(value, dict)
    }
    assert list(real) == list(shown)
    for key in ("message", "severity", "resourceRef", "file", "tags"):
        assert real[key] == shown[key]


def test_the_codes_of_a_reference_are_those_of_the_code():
    tree = ast.parse((PACKAGE / "images" / "reference.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "ReferenceError"]
    real = set().union(*(_texts(node.args[0]) for node in calls))
    section = output_page().split("\n## `explain`\n", 1)[1]
    assert {quoted(row[0])[0] for row in table(section.split("codes below |")[1], "")} == real


def test_every_shape_is_named():
    row = next(row for row in table(output_page(), "## `list`") if quoted(row[0]) == ["shape"])
    assert set(quoted(row[1])) == set(SHAPES)


# -- policies that are shown


def shown_policies() -> list[tuple[str, str]]:
    found = []
    for page in pages():
        text = page.read_text()
        found += [
            (name_of(page), policy)
            for block in blocks(text)
            if block.language == "yaml"
            for policy in policies(block.text)
        ]
    for file in sorted(EXAMPLES.rglob("*.yaml")):
        found += [(name_of(file), policy) for policy in policies(file.read_text())]
    return found


def test_policies_are_found():
    assert list(policies("kind: ImageTransformer\n---\nkind: Deployment\n")) == ["kind: ImageTransformer\n"]
    assert list(policies("kind: ConfigMap\ndata: {a: b}\n")) == []
    places = [place for place, _ in shown_policies()]
    assert {"README.md", "docs/kustomize.md", "examples/kpt/pindown.yaml"} <= set(places)


@pytest.mark.parametrize(("place", "text"), shown_policies(), ids=[place for place, _ in shown_policies()])
def test_every_policy_that_is_shown_can_be_loaded(place, text):
    read_policy(text, place)


def test_a_wrong_policy_would_be_noticed():
    with pytest.raises(errors.PolicyError, match="styl"):
        read_policy("apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec:\n  pin: {styl: digest}\n", "x")
    with pytest.raises(errors.PolicyError, match="mirors"):
        read_policy("apiVersion: v1\nkind: ConfigMap\ndata: {mirors: pindown}\n", "x")


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "kustomize.md", DOCS / "commands.md"], ids=name_of)
def test_no_word_of_a_later_version_is_shown_as_working(page):
    for block in blocks(page.read_text()):
        if block.language == "yaml":
            keys = set(re.findall(r"^\s*(?:- )?(\w+):", block.text, re.MULTILINE))
            assert keys.isdisjoint(LATER), block.text


# -- architecture.md and CONTRIBUTING.md


def test_every_room_is_described_and_no_other():
    rooms = {
        quoted(row[0])[0] for row in table((DOCS / "architecture.md").read_text(), "## Rooms and floors") if row[0]
    }
    real = {name for name in MAY_IMPORT if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()}
    assert rooms == {name for name in real if not name.startswith("__")}


def missing_names(text: str) -> list[str]:
    """Dotted names of rooms in backticks, such as `kube.survey.Site`, that the package does not have."""
    wrong = []
    for dotted in re.findall(r"`((?:[a-z_]+\.)+[A-Za-z_]+)(?:\(\))?`", text):
        room, *rest = dotted.split(".")
        if room not in MAY_IMPORT or rest[-1] in ("txt", "yaml", "py"):
            continue
        thing: Any = importlib.import_module(f"transformer.{room}")
        for part in rest:
            try:
                thing = getattr(thing, part, None) or importlib.import_module(f"{thing.__name__}.{part}")
            except (ImportError, AttributeError):
                wrong.append(dotted)
                break
    return wrong


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`kube.survey` and `kube.survey.Site`", []),
        ("`os.path` and `config.json`", []),
        ("`kube.surveys`", ["kube.surveys"]),
        ("`policy.plan.Plans`", ["policy.plan.Plans"]),
    ],
)
def test_names_that_are_gone_are_found(text, wrong):
    assert missing_names(text) == wrong


@pytest.mark.parametrize("page", [DOCS / "architecture.md", ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_names_of_the_code_are_there(page):
    assert missing_names(page.read_text()) == []


def test_files_that_the_recipes_name_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = [name for name in re.findall(r"`((?:transformer|tests|docs)/[\w./-]+)`", text) if "NAME" not in name]
    assert len(named) > 15
    assert [name for name in map(mirrored, named) if not (ROOT / name).exists()] == []


def mirrored(name: str) -> str:
    """The module that a test of a room mirrors; another name as it is."""
    return re.sub(r"^tests/(\w+)/test_", r"transformer/\1/", name)


def test_there_is_a_recipe_for_each_change_of_the_picture():
    recipes = set(re.findall(r"^### (.+)$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    assert {"A CRD: a row", "A spelling: a class and a row", "A report", "A credential source", "A door"} <= recipes


# -- what kustomize.md promises about a host that swallows us


def test_the_outer_check_notices_what_is_not_pinned(run_pindown):
    told = run_pindown(["--offline"], pod("nginx:1.27"))
    assert (told.returncode, told.stdout) == (1, b"")
    assert b"error[offline] <stdin>:" in told.stderr and b"0 requests" in told.stderr


def test_the_outer_check_passes_what_is_pinned(run_pindown):
    stdin = pod("nginx:1.27@sha256:" + "a" * 64)
    told = run_pindown(["--offline"], stdin)
    assert (told.returncode, told.stdout) == (0, stdin)


def test_the_list_shows_what_is_not_pinned(run_pindown):
    stdin = pod("nginx:1.27", "redis@sha256:" + "a" * 64)
    lines = run_pindown(["list", "--format", "json"], stdin).stdout.splitlines()
    assert [b'"digest":null' in line for line in lines] == [True, False]


def test_the_messages_of_ours_in_the_troubleshooting_table_are_in_the_code():
    text = "\n".join(file.read_text() for file in sources())
    page = (DOCS / "kustomize.md").read_text()
    for message in ("mode: validate answers nothing and is only for Kustomize's validators", "within the run's"):
        assert message in page and message in text


# -- examples, with their registries moved to loopback

TAGS = ("library/nginx:1.27", "library/redis:7.4", "library/busybox:1.36")


@pytest.fixture
def example(tmp_path, embedded, pindown_on_path):
    """A copy of the examples whose Docker Hub and mirror are one registry of our own; answers it and the directory."""
    layout = tmp_path / "layout"
    images = {name: image(name) for name in TAGS}
    write_layout(layout, {**images, **{f"eu-west-1/hub/{name}": one for name, one in images.items()}})
    registry = embedded(layout)
    root = tmp_path / "examples"
    shutil.copytree(EXAMPLES, root)
    for file in root.rglob("*.yaml"):
        text = file.read_text()
        for host in ("docker.io", "mirror.example.com"):
            text = text.replace(host, registry.host)
        file.write_text(text)
    return registry, root, {name: one.digest for name, one in images.items()}


def build(directory: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [require_tool("kustomize"), "build", "--enable-alpha-plugins", *flags, str(directory)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def images_of(built: str) -> set[str]:
    return set(re.findall(r"image: (\S+)", built))


def test_the_example_of_kustomize_pins_and_checks(example):
    registry, root, digests = example
    built = build(root / "kustomize" / "overlays" / "prod", "--enable-exec")
    assert built.returncode == 0, built.stderr
    assert images_of(built.stdout) == {f"{registry.host}/{name}@{digest}" for name, digest in digests.items()}
    assert built.stderr.count("pindown: 3 images") == 2  # the transformer, and the validator after it


def test_without_the_second_flag_kustomize_swallows_the_example(example):
    registry, root, digests = example
    built = build(root / "kustomize" / "overlays" / "prod")
    assert (built.returncode, built.stderr) == (0, "")
    assert images_of(built.stdout) == {f"{registry.host}/{name}" for name in digests}
    assert registry.log == []


def test_the_validator_of_the_example_fails_on_what_is_not_pinned(example):
    _, root, _ = example
    kustomization = root / "kustomize" / "overlays" / "prod" / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace("transformers:\n- pindown.yaml\n", ""))
    built = build(kustomization.parent, "--enable-exec")
    assert built.returncode == 1 and built.stdout == ""
    assert built.stderr.count("error[unpinned]") == built.stderr.count(" should read ") == 3


def test_the_mirrored_example_takes_the_images_from_the_mirror(example):
    registry, root, digests = example
    built = build(root / "kustomize" / "overlays" / "mirrored", "--enable-exec")
    assert built.returncode == 0, built.stderr
    assert images_of(built.stdout) == {
        f"{registry.host}/eu-west-1/hub/{name}@{digest}" for name, digest in digests.items()
    }


def test_another_region_is_another_mirror(example, monkeypatch):
    _, root, _ = example
    monkeypatch.setenv("PINDOWN_VAR_REGION", "us-east-1")
    built = build(root / "kustomize" / "overlays" / "mirrored", "--enable-exec")
    assert built.returncode == 1
    assert "error[mirror-missing]" in built.stderr and "/us-east-1/hub/library/nginx" in built.stderr


def test_the_policy_of_the_kpt_example_pins_its_deployment(example, run_pindown):
    registry, root, digests = example
    package = root / "kpt"
    told = run_pindown(["--policy", str(package / "pindown.yaml")], (package / "deployment.yaml").read_bytes())
    assert told.returncode == 0, told.stderr
    name = "library/nginx:1.27"
    before = (package / "deployment.yaml").read_bytes()
    after = before.replace(name.encode(), f"{name}@{digests[name]}".encode())
    assert told.stdout == after != before


def test_the_kptfile_names_a_policy_that_is_there():
    kptfile = yaml.safe_load((EXAMPLES / "kpt" / "Kptfile").read_text())
    (mutator,) = kptfile["pipeline"]["mutators"]
    assert mutator["exec"] == "pindown"
    assert (EXAMPLES / "kpt" / mutator["configPath"]).exists()


def test_every_reference_of_the_examples_is_served_by_the_layout():
    """So that the tests above cannot pass because an example has no images."""
    found = {
        match for file in EXAMPLES.rglob("*.yaml") for match in re.findall(r"image: docker\.io/(\S+)", file.read_text())
    }
    assert found == {"library/nginx:1.27", "library/redis:7.4", "library/busybox:1.35"}
    assert (DEMO / "layout" / "index.json").exists()
