"""References: the vectors that count, what survives normalisation, and that nothing unvalidated gets through."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transformer.images import reference
from transformer.images.reference import Reference, ReferenceError, join, parse, shorten

VECTORS = yaml.safe_load((Path(__file__).parent / "reference_vectors.yaml").read_text(encoding="utf-8"))["vectors"]
HEX = "0123456789abcdef" * 4
SHA256, SHA512 = f"sha256:{HEX}", f"sha512:{HEX}{HEX}"

#: input, code, a piece of the message
REFUSED = {
    "nothing": ("", "empty", "empty"),
    "a placeholder of a shell": ("nginx:${TAG}", "templated", "placeholder"),
    "a placeholder of a template": ("{{ .Values.image }}", "templated", "placeholder"),
    "an image ID": (HEX, "image-id", "image ID"),
    "upper case": ("Nginx", "uppercase", "try nginx"),
    "upper case behind a host": ("example.com/Team/app:V1", "uppercase", "lower case"),
    "a long repository": (f"example.com/{'a' * 256}", "too-long", "256 characters, the limit is 255"),
    "a long repository at Docker Hub": ("a" * 248, "too-long", "256 characters"),
    "a short digest": (f"nginx@sha256:{HEX[:40]}", "digest", "64"),
    "a long digest": (f"nginx@sha256:{HEX}0", "digest", "64"),
    "a digest in upper case": (f"nginx@sha256:{HEX.upper()}", "digest", "lower-case"),
    "an unknown algorithm": (f"nginx@md5:{HEX}", "digest", "sha512"),
    "two digests": (f"nginx@{SHA256}@{SHA256}", "invalid-format", "not an image reference"),
    "no name": (f"@{SHA256}", "invalid-format", "not an image reference"),
    "only a tag": (":1", "invalid-format", "not an image reference"),
    "a slash first": ("/nginx", "invalid-format", "not an image reference"),
    "a slash at the end": ("nginx/", "invalid-format", "not an image reference"),
    "a blank": ("nginx :1", "invalid-format", "not an image reference"),
    "a newline": ("nginx:1\n", "invalid-format", "not an image reference"),
    "a scheme": ("docker://nginx", "invalid-format", "not an image reference"),
    "credentials": ("user:password@example.com/app", "invalid-format", "not an image reference"),
    "a query": ("example.com/app?x=1", "invalid-format", "not an image reference"),
    "a fragment": ("example.com/app#x", "invalid-format", "not an image reference"),
    "percent escapes": ("example.com/a%2fb", "invalid-format", "not an image reference"),
    "the parent": ("example.com/../app", "invalid-format", "not an image reference"),
    "a backslash": ("example.com\\app", "invalid-format", "not an image reference"),
    "digits of other scripts": ("nginx:١", "invalid-format", "not an image reference"),
    "letters of other scripts": ("nginх", "invalid-format", "not an image reference"),
    "a host with a dot at the end": ("example.com./app", "invalid-format", "not an image reference"),
    "a port that is no number": ("example.com:x/app", "invalid-format", "not an image reference"),
    "a pattern": ("registry.example.com/*", "invalid-format", "not an image reference"),
}

#: input: registry, repository, tag, digest, written name, canonical
READ = {
    "nginx": ("docker.io", "library/nginx", None, None, "nginx", "docker.io/library/nginx:latest"),
    "nginx:1": ("docker.io", "library/nginx", "1", None, "nginx", "docker.io/library/nginx:1"),
    f"nginx@{SHA256}": ("docker.io", "library/nginx", None, SHA256, "nginx", f"docker.io/library/nginx@{SHA256}"),
    f"nginx:1@{SHA512}": ("docker.io", "library/nginx", "1", SHA512, "nginx", f"docker.io/library/nginx:1@{SHA512}"),
    "index.docker.io/nginx": (
        "docker.io",
        "library/nginx",
        None,
        None,
        "index.docker.io/nginx",
        "docker.io/library/nginx:latest",
    ),
    "docker.io/a/b:c": ("docker.io", "a/b", "c", None, "docker.io/a/b", "docker.io/a/b:c"),
    "localhost/a": ("localhost", "a", None, None, "localhost/a", "localhost/a:latest"),
    "host:5000/a:b": ("host:5000", "a", "b", None, "host:5000/a", "host:5000/a:b"),
    "[::1]:5000/a:b": ("[::1]:5000", "a", "b", None, "[::1]:5000/a", "[::1]:5000/a:b"),
    "Host/a": ("Host", "a", None, None, "Host/a", "Host/a:latest"),
    "a_b/c__d/e-f": ("docker.io", "a_b/c__d/e-f", None, None, "a_b/c__d/e-f", "docker.io/a_b/c__d/e-f:latest"),
    "a/b:_": ("docker.io", "a/b", "_", None, "a/b", "docker.io/a/b:_"),
    f"example.com/{'a' * 255}": (
        "example.com",
        "a" * 255,
        None,
        None,
        f"example.com/{'a' * 255}",
        f"example.com/{'a' * 255}:latest",
    ),
}


def test_all_vectors_are_here():
    assert len(VECTORS) == 71
    assert sum("error" in row or row["registry"] == "" for row in VECTORS) == 31


@pytest.mark.parametrize("row", VECTORS, ids=[row["input"][:60] for row in VECTORS])
def test_vector(row):
    if "error" in row or not row["registry"]:
        code = row.get("error", "invalid_format").replace("_", "-")
        with pytest.raises(ReferenceError) as caught:
            parse(row["input"])
        assert caught.value.code == ("digest" if code.startswith("digest-") else code)
    else:
        parts = tuple(row.get(key) for key in ("registry", "repository", "tag", "digest"))
        assert parse(row["input"]) == (*parts, row["input"])


@pytest.mark.parametrize(("text", "code", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(text, code, message):
    with pytest.raises(ReferenceError) as caught:
        parse(text)
    assert caught.value.code == code
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", READ)
def test_read(text):
    registry, repository, tag, digest, written_name, canonical = READ[text]
    read = parse(text)
    assert read == Reference(registry, repository, tag, digest, text)
    assert read.written_name == written_name
    assert read.name == f"{registry}/{repository}"
    assert read.canonical == canonical
    assert parse(canonical) == read.normalised()
    assert read.normalised().normalised() == read.normalised()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1", "index.docker.io/nginx:1"),
        (f"nginx@{SHA256}", f"library/nginx@{SHA256}"),
    ],
)
def test_the_same_image(one, other):
    assert parse(one).normalised() == parse(other).normalised()


@pytest.mark.parametrize(
    ("one", "other"), [("nginx", "nginx:1"), ("nginx", "example.com/library/nginx"), ("a/b", "a/c")]
)
def test_not_the_same_image(one, other):
    assert parse(one).normalised() != parse(other).normalised()


def test_a_long_text_is_refused_quickly_and_shortly():
    for text in ("a" * 10_000, "a/" * 5_000, "a." * 5_000, "a-" * 5_000 + "!", f"{'a' * 5000}:{'b' * 5000}"):
        with pytest.raises(ReferenceError) as caught:
            parse(text)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["${A}", "a:$(b)", "{{ a }}", "x${", "{{"])
def test_templated(text):
    assert reference.is_templated(text)


@pytest.mark.parametrize("text", ["", "nginx:1", "$A", "{a}", "$ (a)", "(a)"])
def test_not_templated(text):
    assert not reference.is_templated(text)


@pytest.mark.parametrize("text", [SHA256, SHA512])
def test_digests(text):
    assert reference.is_digest(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        SHA256[:-1],
        SHA256 + "0",
        SHA256.upper(),
        f"sha384:{HEX}",
        f"{SHA256}\n",
        f"sha256:{'g' * 64}",
    ],
)
def test_no_digests(text):
    assert not reference.is_digest(text)


@pytest.mark.parametrize(
    ("tag", "digest", "text"),
    [(None, None, "a"), ("1", None, "a:1"), (None, SHA256, f"a@{SHA256}"), ("1", SHA256, f"a:1@{SHA256}")],
)
def test_join(tag, digest, text):
    assert join("a", tag, digest) == text


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("nginx", 120, "nginx"),
        ("é 漢", 120, "é 漢"),
        ("a\nb\x1b[31m\u202e", 120, "a�b�[31m�"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("a" * 10_000, 120, "a" * 119 + "…"),
        ("", 5, ""),
    ],
)
def test_shorten(text, limit, short):
    assert shorten(text, limit) == short


@given(st.text(st.sampled_from("aB1._-/:@[]%?#${} \né"), max_size=40))
def test_whatever_is_read_is_safe_in_an_address(text):
    try:
        read = parse(text)
    except ReferenceError as error:
        assert error.code in ("empty", "invalid-format", "uppercase", "too-long", "digest", "image-id", "templated")
        return
    assert read.written == text
    assert not set(read.registry + read.repository + (read.tag or "")) & set("%?#${} \n@é\\")
    assert ".." not in read.repository.split("/") and "" not in read.repository.split("/")
    assert join(read.written_name, read.tag, read.digest) == text
    assert parse(read.canonical).normalised() == read.normalised()
