"""Platforms: how they are written, and which child of an index is chosen."""

from __future__ import annotations

import pytest

from transformer.images.platform import Platform, choose, parse

AMD64, ARM64, ARMV6, ARMV7 = (
    {
        "digest": name,
        "platform": {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})},
    }
    for name, architecture, variant in (
        ("d1", "amd64", ""),
        ("d2", "arm64", "v8"),
        ("d3", "arm", "v6"),
        ("d4", "arm", "v7"),
    )
)
ATTESTATION = {"digest": "d5", "platform": {"os": "unknown", "architecture": "unknown"}}
WINDOWS = {"digest": "d6", "platform": {"os": "windows", "architecture": "amd64", "os.version": "10.0"}}
INDEX = [AMD64, ATTESTATION, ARM64, ARMV6, ARMV7, WINDOWS]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "linux",
        "linux/",
        "/amd64",
        "linux/amd64/",
        "linux/arm/v7/x",
        "Linux/amd64",
        "linux amd64",
        "linux/amd64\n",
        "linux/*",
    ],
)
def test_what_is_no_platform(text):
    with pytest.raises(ValueError, match=r"is not a platform; write os/architecture\[/variant\]"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("windows/amd64", Platform("windows", "amd64")),
        ("wasip1/wasm", Platform("wasip1", "wasm")),
        ("linux/x86_64", Platform("linux", "x86_64")),
    ],
)
def test_parse_and_print(text, platform):
    assert parse(text) == platform
    assert str(platform) == text


@pytest.mark.parametrize(
    ("wanted", "descriptor"),
    [
        ("linux/amd64", AMD64),
        ("linux/arm64", ARM64),
        ("linux/arm64/v8", ARM64),
        ("linux/arm", ARMV7),
        ("linux/arm/v7", ARMV7),
        ("linux/arm/v6", ARMV6),
        ("windows/amd64", WINDOWS),
        ("linux/arm64/v9", None),
        ("linux/s390x", None),
        ("unknown/unknown", None),
        ("darwin/amd64", None),
    ],
)
def test_choose(wanted, descriptor):
    found, offered = choose(parse(wanted), INDEX)
    assert found is descriptor
    assert offered == ["linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "windows/amd64"]


def test_a_variant_that_is_left_out_means_the_default():
    bare = {"digest": "d", "platform": {"os": "linux", "architecture": "arm64"}}
    assert choose(parse("linux/arm64/v8"), [bare]) == (bare, ["linux/arm64"])


def test_the_first_that_fits_is_chosen():
    assert choose(parse("linux/amd64"), [AMD64, dict(AMD64, digest="other")])[0] is AMD64


@pytest.mark.parametrize(
    "strange", [None, 5, "x", [], {}, {"platform": None}, {"platform": "linux/amd64"}, {"platform": []}]
)
def test_what_registries_send_does_no_harm(strange):
    assert choose(parse("linux/amd64"), [strange]) == (None, [])


def test_values_that_are_no_texts():
    descriptor = {"platform": {"os": 5, "architecture": None, "variant": ["x"]}}
    assert choose(parse("linux/amd64"), [descriptor]) == (None, ["5/['x']"])
