"""Names of other systems at a place: refused with file, line and key, folded with a note, never with a login shown."""

from __future__ import annotations

import pytest

from transformer.errors import PolicyError
from transformer.languages.gathering import Gathering
from transformer.languages.naming import Place, endpoint_at, image_of, location_at, source_at
from transformer.languages.yamltext import At

AT = At("f.yaml", 3, "a.b")


def source(text: str) -> str:
    return source_at(Gathering(), AT, text)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((source, text) for text in ("", "**.x.test", "a.*.b", "*.x.test/y", "*.x.test:5000", "hub", "x.test/a:1")),
        *(
            (source, text)
            for text in ("https://x.test", "u:hunter2@x.test", "x.test/a@sha256:00", "x.test/" + "a" * 600)
        ),
        *((lambda it: location_at(AT, it), text) for text in ("", "/", "hub", "https://x.test", "u:hunter2@x.test")),
        *((lambda it: location_at(AT, it), text) for text in ("x.test/{tag}", "x.test/A", "x.test/a:1", "x." * 600)),
        *(
            (lambda it: endpoint_at(AT, it), text)
            for text in ("", "https://u:hunter2@x.test", "ftp://x.test", "x.test?a")
        ),
        *(
            (lambda it: endpoint_at(AT, it), text)
            for text in ("https://", "https://x.test/v2/A", "https://x.test/v2/{a}")
        ),
        *((lambda it: image_of(AT, it), text) for text in ("", "u:hunter2@x.test/a", "https://hunter2", "A", "a b")),
        *((lambda it: image_of(AT, it), text) for text in ("${REGISTRY}/a", "x.test/a@sha256:00", "a\x1b[31m")),
    ],
)
def test_what_is_no_name_is_refused_with_its_place(read, text):
    with pytest.raises(PolicyError) as error:
        read(text)
    assert (error.value.file, error.value.line) == ("f.yaml", 3)
    assert str(error.value).startswith("f.yaml:3: a.b: ")
    assert "hunter2" not in str(error.value) and str(error.value).isprintable()
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Quay.io", "quay.io"),
        ("quay.io/a/", "quay.io/a"),
        ("index.docker.io", "docker.io"),
        ("*.example.com", "*.example.com"),
        ("*", "*"),
        ("q.test:5000/a", "q.test:5000/a"),
    ],
)
def test_sources(text, expected):
    assert source(text) == expected


def test_the_api_of_docker_hub_is_docker_hub_and_that_is_said():
    found = Gathering()
    assert source_at(found, AT, "registry-1.docker.io") == "docker.io"
    assert [note.key for note in found.imported().notes] == ["a.b"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("https://a.test", Place("a.test", False, "", "a.test")),
        ("http://a.test:5000/v2/x/", Place("a.test:5000", True, "/v2/x", "a.test:5000/x")),
        ("a.test/v2", Place("a.test", False, "/v2", "a.test")),
        ("https://a.test/x/v2", Place("a.test", False, "/x/v2", None)),
        ("https://a.test/v2x", Place("a.test", False, "/v2x", None)),
        ("localhost:5000", Place("localhost:5000", True, "", "localhost:5000")),
        ("https://localhost:5000", Place("localhost:5000", False, "", "localhost:5000")),
        ("https://registry-1.docker.io", Place("docker.io", False, "", "docker.io")),
    ],
)
def test_endpoints(text, place):
    assert endpoint_at(AT, text) == place


@pytest.mark.parametrize(
    ("text", "name", "tag"),
    [
        ("nginx", "docker.io/library/nginx", None),
        ("nginx:1", "docker.io/library/nginx", "1"),
        (" q.test:5000/a/b:1 ", "q.test:5000/a/b", "1"),
    ],
)
def test_images(text, name, tag):
    assert (image_of(AT, text).name, image_of(AT, text).tag) == (name, tag)
