"""mapping.txt: bad lines are refused, copies on disk noted, and the lines of one repository are one mirror."""

from __future__ import annotations

import pytest

from tests.languages.answers import DIGEST, names, notes, places, refused, text, whys
from transformer.languages.model import Text
from transformer.languages.oc_mirror import read, recognises


def said(*lines: str):
    return read((text("\n".join(lines) + "\n", "mapping.txt"),))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("quay.io/a/b:1", "wants source=destination"),
        ("=a.test/b", "wants source=destination"),
        ("quay.io/a/b=", "wants source=destination"),
        ("quay.io/a/b=https://a.test/b", "destination: .*no image name"),
        ("quay.io/a/B=a.test/b", "source: .*no image name"),
        ("u:hunter2@quay.io/a=a.test/b", "source: .*no image name"),
        ("quay.io/a=u:hunter2@a.test/b", "destination: .*no image name"),
        ("a b=c d", "no image name"),
        ("{json: true}", "wants source=destination"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line, words):
    error = refused(read, f"# oc-mirror\n\n{line}\n", "mapping.txt")
    assert error.line == 3
    with pytest.raises(type(error), match=words):
        raise error
    assert "hunter2" not in str(error)


def test_a_text_of_more_than_a_megabyte_is_refused():
    assert "the limit is" in str(refused(read, "q.test/a=a.test/b\n" * 60_000, "mapping.txt"))


def test_copies_on_disk_and_other_tags_are_noted():
    found = said("quay.io/a/b:1=file://a/b:1", "oci:///x/y=a.test/b", "quay.io/a/c:1=a.test/c:2")
    assert [line for line, _ in notes(found)] == [1, 2, 3]
    assert "no node pulls" in whys(found) and "carries the tag" in whys(found)
    assert places(found) == {"quay.io/a/c": ["a.test/c"]}


def test_the_lines_of_a_repository_are_one_mirror():
    found = said(
        f"quay.io/a/b@{DIGEST}=a.test:5000/a/b:x",
        "docker://quay.io/a/b:1=docker://a.test:5000/a/b:1",
        "",
        "# comment",
        "quay.io/a/b:2=b.test/a/b:2",
        "nginx:1=a.test:5000/library/nginx:1",
        "quay.io/same:1=quay.io/same:1",
    )
    assert places(found) == {
        "quay.io/a/b": ["a.test:5000/a/b", "b.test/a/b"],
        "docker.io/library/nginx": ["a.test:5000/library/nginx"],
    }
    assert [(mirror.line, mirror.fallback, mirror.resolve_at) for mirror in found.mirrors] == [
        (1, "fail", "source"),
        (6, "fail", "source"),
    ]
    assert names(found, "quay.io/a/b:7") == ["a.test:5000/a/b:7", "b.test/a/b:7"]
    assert notes(found) == []


def test_several_files_are_one_copy():
    files = [text("quay.io/a/b:1=a.test/b:1\n", "1.txt"), text("\ufeffquay.io/a/b:2=a.test/b:2\r\n", "2.txt")]
    assert places(read(files)) == {"quay.io/a/b": ["a.test/b"]}


@pytest.mark.parametrize(
    ("name", "content", "known"),
    [
        ("working-dir/mapping.txt", "", True),
        ("copied.txt", "docker://q.test/a:1=docker://a.test/a:1\n", True),
        ("copied.txt", "a=b\n", False),
        ("copied.txt", "", False),
        ("copied.txt", "https://a.test/?x=/y&z=1\n", False),
        ("x.yaml", "q.test/a=a.test/a", False),
    ],
)
def test_it_is_recognised(name, content, known):
    assert recognises(Text(name, content)) is known


def test_recognition_of_a_long_line_is_no_search():
    assert not recognises(Text("x.txt", "a/" * 500_000))
