"""TOML with places: what is refused, at which line; nothing that stands by mistake where a text is wanted is shown."""

from __future__ import annotations

import string

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from transformer.errors import PolicyError
from transformer.languages.model import Text
from transformer.languages.toml import Path, dotted, read

LARGE = 1 << 20


def table(content: str, line: int = 1):
    return read(Text("f.toml", content, line))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("a = 1\nb =\n", 2, "Invalid value"),
        ("a = [1,\n2", 2, "Unclosed array"),
        ('a = "x\n', 1, "Unterminated string"),
        ('\na = """x\n\n', 2, "Unterminated string|is no TOML here"),
        ("[a\n", 1, "end of a table"),
        ("\n\n]", 3, "Invalid statement"),
        ("= 1", 1, "Invalid statement"),
        ("a = 1 = 2", 1, "Expected newline"),
        ("a = 1\na = 2\n", 2, "Cannot overwrite"),
        ("[a]\n[a]\n", 2, "Cannot declare"),
        ("a = {b = 1,\n}", 1, "key part|is no TOML"),
        ("a = 2026-02-31", 1, "date"),
        ("a = 'x\x00'", 1, "character"),
        ("# \x1b[31m", 1, "character"),
        ("a.'b", 1, "is no TOML"),
        ("<html>", 1, "is no TOML"),
        ("mirrors: {}", 1, "is no TOML"),
        ("a" + ".a" * 40 + " = 1", 1, "more than 32 parts"),
        ("[a" + ".a" * 40 + "]", 1, "more than 32 parts"),
        ("\na = " + "[" * 40 + "]" * 40, 2, "more than 32 deep"),
        ("a = " + "{a=" * 40 + "1" + "}" * 40, 1, "more than 32 deep"),
        ("a" + ".a" * 400_000 + " = 1", 1, "more than 32 parts"),
        ("a = " + "[" * 400_000, 1, "more than 32 deep"),
        ("[" * 400_000, 1, "is no TOML"),
        ("x" * (LARGE + 1), 0, "the limit is"),
    ],
)
def test_what_is_no_toml_is_refused_with_its_line(content, line, words):
    with pytest.raises(PolicyError, match=words) as error:
        table(content)
    assert (error.value.file, error.value.line) == ("f.toml", line)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


def test_the_lines_of_a_part_are_those_of_its_file():
    with pytest.raises(PolicyError) as error:
        table("a = 1\nb =\n", line=10)
    assert error.value.line == 11
    assert table("\na = 1", line=10).at("a").line == 11


DOCUMENT = '''\
a = 1.5 # [fake]
date = 1979-05-27 07:32:00.5
text = """
[not.a.table]
location = "fake" \\""" ""x"""""
raw = \'\'\'
[[registry]]
\'\'\'
list = [ "x", # "y"
  "y",
  {k = [1, 2.5], "m.n" = 'q'} ]

[[registry]]
prefix = "a"
[[registry.mirror]]
location = "m1"
  [[registry.mirror]]
  location = "m2"
[[registry]]
mirror = [{location = "z"},
 {location = "w"}]
[host."https://x.test/y"]
capabilities = ["pull",
 "push"]
[host."tab\\there"]
[a2]
b.c."d e" = true'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 1),
        (("date",), 2),
        (("text",), 3),
        (("raw",), 6),
        (("list",), 9),
        (("list", 0), 9),
        (("list", 1), 10),
        (("list", 2, "k", 1), 11),
        (("list", 2, "m.n"), 11),
        (("registry", 0), 13),
        (("registry", 0, "prefix"), 14),
        (("registry", 0, "mirror", 0, "location"), 16),
        (("registry", 0, "mirror", 1), 17),
        (("registry", 0, "mirror", 1, "location"), 18),
        (("registry", 1), 19),
        (("registry", 1, "mirror", 0, "location"), 20),
        (("registry", 1, "mirror", 1, "location"), 21),
        (("host", "https://x.test/y"), 22),
        (("host", "https://x.test/y", "capabilities", 1), 24),
        (("host", "tab\there"), 25),
        (("a2", "b", "c", "d e"), 27),
        # What is not there has the line of what is around it.
        (("registry", 0, "mirror", 1, "insecure"), 17),
        (("registry", 1, "location"), 19),
        (("nowhere",), 1),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_key_has_its_line(path, line, newline):
    assert table(DOCUMENT.replace("\n", newline)).at(*path).line == line


def test_a_byte_order_mark_is_no_key():
    assert table("\ufeffa = 'x'").text("a") == "x"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("registry", 0, "mirror", 1, "location"), "registry[0].mirror[1].location"),
        (("host", "https://x.test/y", "ca"), 'host."https://x.test/y".ca'),
        (("host", "https://user:hunter2@x.test"), 'host."…@x.test"'),
        (("host", "\x1b[31m"), 'host."\ufffd[31m"'),
        ((), ""),
    ],
)
def test_places_are_said_as_toml_writes_them_and_without_logins(path: Path, shown):
    assert dotted(path) == shown


WRONG = ["7", "1.5", "2026-11-25", "true", '"hunter2"', '["hunter2"]', '[["hunter2"]]', '{hunter2 = "hunter2"}']


@pytest.mark.parametrize(
    ("ask", "right"),
    [
        (lambda one: one.text("k"), {'"hunter2"'}),
        (lambda one: one.flag("k"), {"true"}),
        (lambda one: one.texts("k"), {'["hunter2"]'}),
        (lambda one: one.table("k"), {'{hunter2 = "hunter2"}'}),
        (lambda one: one.tables("k"), set()),
    ],
)
@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_type_is_refused_and_not_shown(ask, right, value):
    found = table(f"\n[t]\nk = {value}\n").table("t")
    if value in right:
        ask(found)
        return
    with pytest.raises(PolicyError, match=r"t\.k") as error:
        ask(found)
    assert (error.value.line, "hunter2" in str(error.value)) == (3, False)


def test_what_is_absent_is_empty():
    found = table("")
    assert (found.text("k"), found.flag("k"), found.texts("k")) == ("", False, [])
    assert (found.table("k"), found.tables("k"), found.keys(), "k" in found) == (None, [], (), False)


def test_values_come_with_their_places():
    found = table("[[t]]\nl = [\n'x',\n'y']\nf = true\n").tables("t")[0]
    assert [(value, at.line, at.key) for value, at in found.texts("l")] == [
        ("x", 3, "t[0].l[0]"),
        ("y", 4, "t[0].l[1]"),
    ]
    assert (found.flag("f"), found.keys(), found.at().key) == (True, ("l", "f"), "t[0]")


def test_an_unknown_key_is_a_note_with_the_nearest_one():
    notes = table("\n[t]\nlocaton = 'x'\nlocation = 'y'").table("t").unknown(("location", "prefix"))
    assert [(note.file, note.line, note.key) for note in notes] == [("f.toml", 3, "t.locaton")]
    assert "did you mean 'location'?" in notes[0].why


KEYS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=6)
VALUES = st.recursive(
    st.one_of(
        st.integers(-(2**60), 2**60), st.floats(allow_nan=False), st.booleans(), KEYS, st.datetimes(), st.dates()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=12,
)


def paths(value, path: Path = ()):
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from paths(child, (*path, key))


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.booleans())
def test_the_scan_finds_every_key_that_tomllib_finds(data, multiline):
    content = tomli_w.dumps(data, multiline_strings=multiline)
    found = table(content)
    assert found._data == data
    lines = content.split("\n")
    for path in paths(data):
        if any(isinstance(part, int) for part in path):
            continue  # how items are written is the writer's choice
        at = found._lines.get(path)
        inner = any(known[: len(path)] == path for known in found._lines)
        assert at is not None or inner
        if at is not None and (key := str(path[-1])) and set(key) <= set(string.ascii_letters):
            assert key in lines[at - 1]


@given(st.text(alphabet="ab.[]{}=,\"'#\\ \n1-", max_size=40))
def test_no_text_is_read_otherwise_than_by_tomllib_alone(content):
    import tomllib

    try:
        expected = tomllib.loads(content)
    except tomllib.TOMLDecodeError:
        with pytest.raises(PolicyError):
            table(content)
        return
    assert table(content)._data == expected
