"""What tables of prefixes mean together, without a file around them."""

from __future__ import annotations

import pytest

from tests.languages.answers import places
from transformer.errors import PolicyError
from transformer.languages.gathering import Gathering
from transformer.languages.model import Imported
from transformer.languages.prefix_tables import Place, PrefixTable, write
from transformer.languages.yamltext import At

AT = At("f.conf", 3, "registry[0]")


def table(prefix: str, *mirrors: str, to: str | None = "", **words) -> PrefixTable:
    """A table; `to` "" is its own prefix, None leaves the location out."""
    primary = None if to is None else Place(AT, to or prefix, insecure=words.get("insecure", False))
    return PrefixTable(AT, prefix, primary, tuple(Place(AT, one) for one in mirrors), **words)


def written(*tables: PrefixTable) -> Imported:
    found = Gathering()
    write(found, {one.prefix: one for one in tables})
    return found.imported()


@pytest.mark.parametrize("word", ["insecure", "blocked"])
def test_two_tables_of_one_location_have_to_agree(word):
    one, other = table("a.test", to="c.test"), table("b.test", to="c.test", **{word: True})
    with pytest.raises(PolicyError, match=f"{word} for c.test contradicts f.conf:3"):
        written(one, other)
    assert written(one, table("b.test", to="d.test", **{word: True})).mirrors


@pytest.mark.parametrize(
    "tables",
    [
        (table("a.test"),),
        (table("a.test"), table("a.test/b")),
        # Wider, and with mirrors, but not around it: another port, another host, no path boundary.
        (table("a.test", "m.test"), table("a.test:5000")),
        (table("a.test/b", "m.test"), table("a.test/bc")),
        (table("*.a.test", "m.test", to=None), table("a.test")),
    ],
)
def test_a_table_that_changes_nothing_is_no_mirror(tables):
    assert set(places(written(*tables))) == {one.prefix for one in tables if one.mirrors}


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (table("a.test", "m.test"), table("a.test/b")),
        (table("a.test", to="m.test"), table("a.test/b/c")),
        (table("*.test", "m.test", to=None), table("a.test")),
        (table("*.test", "m.test", to=None), table("a.b.test/c")),
    ],
)
def test_unless_it_keeps_names_from_a_wider_one(wide, narrow):
    imported = written(wide, narrow)
    assert places(imported)[narrow.prefix] == [narrow.prefix]
    kept = imported.mirrors[1]
    assert (kept.write, kept.verify, kept.fallback) == ("source", "none", "source")


@pytest.mark.parametrize(
    ("mirror", "scope", "left"),
    [
        ("m.test/x", "m.test", False),
        ("m.test/x", "m.test/x", False),
        ("m.test/x", "*.test", False),
        ("m.test/x", "m.test/x/y", True),
        ("m.test/xy", "m.test/x", True),
        ("m.test:5000/x", "m.test", True),
    ],
)
def test_a_mirror_in_a_blocked_scope_is_left_out(mirror, scope, left):
    blocked = table(scope, to=None if "*" in scope else "", blocked=True)
    imported = written(table("a.org", mirror), blocked)
    assert ("a.org" in places(imported)) is left
    assert bool(imported.notes) is not left


def test_the_nearest_table_decides_whether_a_mirror_is_blocked():
    tables = (table("a.org", "m.test/x"), table("m.test", blocked=True), table("m.test/x"))
    assert places(written(*tables)) == {"a.org": ["m.test/x"]}


@pytest.mark.parametrize(
    ("tables", "denied"),
    [
        ((table("a.test", "m.test", blocked=True),), []),
        ((table("a.test", blocked=True),), ["a.test"]),
        ((table("a.test", blocked=True), table("a.test/b", "m.test")), []),
        ((table("a.test", blocked=True), table("a.test/b", blocked=True)), ["a.test", "a.test/b"]),
        ((table("a.test", blocked=True), table("a.test:5000")), ["a.test"]),
        ((table("*.test", to=None, blocked=True),), ["*.test/**", "*.test:*/**"]),
    ],
)
def test_what_is_denied(tables, denied):
    assert [rule.match for rule in written(*tables).denies] == denied


def test_a_remap_is_asked_where_it_is():
    (mirror,) = written(table("a.test", "m.test", to="b.test/x")).mirrors
    assert [one.to for one in mirror.locations] == ["m.test", "b.test/x"]
    assert (mirror.resolve_at, mirror.fallback) == ("mirror", "fail")


def test_a_blocked_remap_has_its_mirrors_only():
    (mirror,) = written(table("a.test", "m.test", to="b.test/x", blocked=True)).mirrors
    assert [one.to for one in mirror.locations] == ["m.test"]


@pytest.mark.parametrize(
    ("one", "hosts"),
    [
        (table("a.test"), []),
        (table("a.test", insecure=True), ["a.test"]),
        (table("a.test/x", to="b.test:5000/y", insecure=True), ["b.test:5000"]),
        (table("*.test", to=None, insecure=True), []),
    ],
)
def test_insecure_hosts(one, hosts):
    imported = written(one)
    assert [rule.host for rule in imported.registries] == hosts
    assert len(imported.notes) == one.insecure
