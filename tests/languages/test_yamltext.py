"""Typed values with places: what is refused and where, then what is read, and that nothing shows a value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.languages.answers import text
from transformer.errors import PolicyError
from transformer.languages import yamltext
from transformer.languages.model import Text
from transformer.languages.yamltext import At, Map, file_name, has_kind, objects, top_keys


def one(content: str, name: str = "file.yaml", line: int = 1) -> Map:
    """The only object of a text."""
    (found,) = objects(Text(name, content, line))
    return found


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("a: [1, 2\n", 2, "not YAML"),
        ("a: b: c\n", 1, "not YAML"),
        ("---\na: 1\n---\nb: 2\nc: [\n", 6, "not YAML"),
        ("- a\n", 1, "wants a mapping, and is a list"),
        ("a: 1\n---\nplain\n", 2, "wants a mapping, and is a text"),
        ("a: 1\n---\n7\n", 2, "wants a mapping, and is a number"),
        ("a: 1\na: 2\n", 2, "stands twice"),
        ("a: *nobody\n", 1, "has no anchor"),
        ("a: &a [*a]\n", 1, "has no anchor"),
        ("a: !!python/object:os.system x\n", 1, "has no meaning"),
        ('{"a": 1,}x', 1, "not JSON"),
        ("a: " + "[" * 60 + "]" * 60, 1, "levels deep"),
    ],
)
def test_what_is_no_text_of_mappings_is_refused_with_its_line(content, line, words):
    with pytest.raises(PolicyError, match=words) as error:
        list(objects(text(content)))
    assert (error.value.file, error.value.line) == ("file.yaml", line)


def test_the_line_of_a_text_that_was_cut_out_of_a_larger_one_is_the_files():
    with pytest.raises(PolicyError) as error:
        list(objects(Text("all.yaml", "a: 1\nb: [\n", 40)))
    assert error.value.line == 42
    assert one("\n# comment\na: x\n", line=40).at("a").line == 42


def test_a_syntax_error_says_its_place_once():
    with pytest.raises(PolicyError) as error:
        list(objects(text("---\na: 1\n---\nb: [\n")))
    assert str(error.value).count("file.yaml") == 1


@pytest.mark.parametrize(
    ("read", "content", "says"),
    [
        (lambda it: it.text("k"), "k: [hunter2]", "k: wants a text, and is a list"),
        (lambda it: it.text("k"), "k: {a: hunter2}", "k: wants a text, and is a mapping"),
        (lambda it: it.text("k"), "k: true", "k: wants a text, and is true or false"),
        (lambda it: it.required("k"), "k: ''", "k: wants a text under 'k'"),
        (lambda it: it.required("k"), "k: null", "k: wants a text under 'k'"),
        (lambda it: it.required("k"), "other: hunter2", "wants a text under 'k'"),
        (lambda it: it.flag("k"), "k: hunter2", "k: wants true or false, and is a text"),
        (lambda it: it.flag("k"), "k: 1", "k: wants true or false, and is a number"),
        (lambda it: it.texts("k"), "k: hunter2", "k: wants a list of strings, and is a text"),
        (lambda it: it.texts("k"), "k: {a: b}", "k: wants a list of strings, and is a mapping"),
        (lambda it: it.texts("k"), "k:\n- a\n- [hunter2]", "k[1]: wants a list of strings, and is a list"),
        (lambda it: it.texts("k"), "k:\n- a\n-", "k[1]: wants a list of strings, and is empty"),
        (lambda it: it.map("k"), "k: hunter2", "k: wants a mapping, and is a text"),
        (lambda it: it.maps("k"), "k: {a: b}", "k: wants a list of mappings, and is a mapping"),
        (lambda it: it.maps("k"), "k: [hunter2]", "k[0]: wants a list of mappings, and is a text"),
        (lambda it: it.map("k").pairs(), "k: {a: [hunter2]}", "k.a: wants a text, and is a list"),
    ],
)
def test_a_wrong_type_names_the_key_and_never_the_value(read, content, says):
    with pytest.raises(PolicyError) as error:
        read(one(content))
    assert str(error.value) == f"file.yaml:{error.value.line}: {says}"
    assert error.value.line >= 1
    assert "hunter2" not in str(error.value)


def test_nothing_is_what_is_absent_or_null():
    it = one("a:\nb: null\nc: ~\n")
    assert [it.text("a"), it.map("b"), it.maps("c"), it.texts("gone"), it.flag("a")] == [None, None, [], [], False]
    assert "a" not in it and "gone" not in it


def test_texts_are_as_they_are_written():
    it = one("account: 0123456789\ntag: 1.10\nname: 'yes'\nbare: yes\nlist: [1.20, a]\n")
    assert [it.text(key) for key in ("account", "tag", "name", "bare")] == ["0123456789", "1.10", "yes", "yes"]
    assert [value for value, _ in it.texts("list")] == ["1.20", "a"]


def test_places_are_lines_of_the_file_and_paths_of_the_object():
    it = list(objects(text("# first\na: 1\n---\nb:\n- c: x\n  d:\n  - y\n")))[1]
    (entry,) = it.maps("b")
    assert entry.at() == At("file.yaml", 5, "b[0]")
    assert entry.texts("d")[0][1] == At("file.yaml", 7, "b[0].d[0]")
    assert it.keys() == [("b", At("file.yaml", 4, "b"))]


def test_a_login_in_a_key_is_in_no_message():
    it = one("'https://u:hunter2@a.test': [x]\n")
    (note,) = it.unknown(("k",))
    assert note.key == "a.test" and "hunter2" not in str(note)
    with pytest.raises(PolicyError) as error:
        it.text("https://u:hunter2@a.test")
    assert str(error.value) == "file.yaml:1: a.test: wants a text, and is a list"


def test_an_unknown_key_is_a_note_with_the_nearest_one():
    (note,) = one("mirrors: {}\nconfig: {}\n").unknown(("mirrors", "configs"))
    assert (note.file, note.line, note.key) == ("file.yaml", 2, "config")
    assert "did you mean 'configs'" in note.why


def test_control_characters_of_keys_never_reach_a_note():
    (note,) = one('"a\\e[31mb\\nc": 1\n').unknown(("k",))
    assert note.key.isprintable() and note.why.isprintable()


@pytest.mark.parametrize(
    "content",
    [
        "a: 1\n---\nb: 2\n",
        "---\na: 1\n...\n---\nb: 2\n",
        "apiVersion: v1\nkind: List\nitems:\n- a: 1\n- b: 2\n",
        "kind: ImageTagMirrorSetList\nitems: [{a: 1}, {b: 2}]\n",
        "kind: ResourceList\nitems:\n- kind: List\n  items:\n  - a: 1\n- b: 2\n- 7\n",
        '{"kind": "List", "items": [{"a": 1}, {"b": 2}]}',
        "\ufeffa: 1\n---\n# only a comment\n---\n\n---\nb: 2\n",
        "a: 1\r\n---\r\nb: 2\r\n",
    ],
)
def test_documents_and_lists_are_opened(content):
    assert [[key for key, _ in each.keys()] for each in objects(text(content))] == [["a"], ["b"]]


def test_the_objects_of_a_list_have_paths_and_lines_of_their_own():
    content = "kind: List\nitems:\n- spec:\n    x: [a]\n"
    (found,) = objects(text(content))
    spec = found.map("spec")
    assert spec is not None and spec.texts("x")[0][1] == At("file.yaml", 4, "spec.x[0]")


def test_json_that_yaml_refuses_is_read_and_has_the_first_line():
    it = one('{"a":\t{"b": ["x"]}}')
    inner = it.map("a")
    assert inner is not None and inner.texts("b")[0][0] == "x"
    assert it.at("a").line == 1


def test_lists_in_lists_end():
    content = "kind: List\nitems:\n- " * 0 + json.dumps(_nested(30))
    assert len(list(objects(text(content)))) <= 1


def _nested(depth):
    return {"kind": "List", "items": [_nested(depth - 1)] if depth else []} if depth < 12 else _nested(11)


def test_aliases_of_aliases_end(monkeypatch):
    monkeypatch.setattr(yamltext, "VISIT_LIMIT", 1_000)
    content = "a: &a [x, x, x, x, x, x, x, x, x, x]\nb:\n" + "- {c: *a}\n" * 200
    with pytest.raises(PolicyError, match="once aliases are followed"):
        for entry in one(content).maps("b"):
            entry.texts("c")


def test_the_count_goes_over_all_documents_of_a_text(monkeypatch):
    monkeypatch.setattr(yamltext, "VISIT_LIMIT", 100)
    with pytest.raises(PolicyError, match="once aliases are followed"):
        for each in objects(text("---\na: [1, 2, 3, 4]\n" * 60)):
            each.texts("a")


def test_a_text_of_more_than_a_megabyte_is_refused_unread():
    with pytest.raises(PolicyError, match="the limit is 1048576"):
        list(objects(text("a: " + "x" * (1 << 20))))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("kind: Wanted\n", True),
        ("a: 1\n---\nkind: 'Wanted' # comment\n", True),
        ("items:\n- kind: Wanted\n", True),
        ('{"apiVersion":"v1","kind":"Wanted"}', True),
        ('{"kind" : "Wanted", "a": 1}', True),
        ("- {kind: Wanted}\n", True),
        ("kind: WantedToo\n", False),
        ("kind: NotWanted\n", False),
        ("mankind: Wanted\n", False),
        ("kind: Other\nname: Wanted\n", False),
        ("", False),
    ],
)
def test_a_kind_is_told_by_the_text(content, found):
    assert has_kind(text(content), ("Other.", "Wanted")) is found


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ("a: 1\n  b: 2\n'c': 3\n\"d-e\":\n- f: 1\n#g: 1\nh:i\n", {"a", "c", "d-e"}),
        ('\ufeff {"a": {"b": 1}, "c": 2}', {"a", "c"}),
        ("{", set()),
        ("{[", set()),
        ("", set()),
        ("- a: 1\n", set()),
    ],
)
def test_top_keys_are_told_without_reading(content, keys):
    assert top_keys(text(content)) == keys


def test_the_file_name_is_the_last_part():
    assert [file_name(Text(name, "")) for name in ("a/b.yaml", "b.yaml", "c:\\d\\e.yaml")] == [
        "b.yaml",
        "b.yaml",
        "e.yaml",
    ]


@settings(max_examples=60)
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_with_a_line(content):
    for ask in (top_keys, lambda it: has_kind(it, ("List",))):
        ask(text(content))
    try:
        for each in objects(text(content)):
            for key, _ in each.keys():
                each.unknown(())
                each.at(key)
    except PolicyError as error:
        assert error.file == "file.yaml" and error.line >= 1
