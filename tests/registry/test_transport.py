from __future__ import annotations

import pytest

from transformer.registry.transport import Request, Response, Url, parse_url, split_port

BASE = Url("https", "registry.test", 443, "/v2/a/manifests/1?x=y")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/relative",
        "token",
        "//host/path",
        "ftp://host/",
        "file:///etc/passwd",
        "javascript:1",
        "http://",
        "https:///x",
        "https://user@host/",
        "https://user:secret@host/",
        "https://host:0/",
        "https://host:65536/",
        "https://host:x/",
        "https://host:/",
        "https://ho st/",
        "https://host\x00/",
        "https://-host/",
        "https://[::1/",
        "https://h/" + "a" * 9000,
        "https://höst/",
        "https://host/a b",
        "https://host/ä",
        "https://host\\@evil/",
    ],
)
def test_urls_that_are_refused(text):
    with pytest.raises(ValueError):
        parse_url(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://auth.test/token", Url("https", "auth.test", 443, "/token")),
        ("HTTPS://Auth.Test/Token", Url("https", "auth.test", 443, "/Token")),
        ("http://auth.test:8080", Url("http", "auth.test", 8080, "/")),
        ("https://auth.test/token?a=b&c=%20", Url("https", "auth.test", 443, "/token?a=b&c=%20")),
        ("https://[::1]:5000/x#fragment", Url("https", "[::1]", 5000, "/x")),
        ("http://127.0.0.1/", Url("http", "127.0.0.1", 80, "/")),
    ],
)
def test_urls(text, expected):
    assert parse_url(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/blob", Url("https", "registry.test", 443, "/blob")),
        ("other", Url("https", "registry.test", 443, "/v2/a/manifests/other")),
        ("//cdn.test/x", Url("https", "cdn.test", 443, "/x")),
        ("http://cdn.test/x", Url("http", "cdn.test", 80, "/x")),
    ],
)
def test_relative_urls(text, expected):
    assert parse_url(text, BASE) == expected


def test_the_reason_never_shows_a_signed_query():
    with pytest.raises(ValueError) as caught:
        parse_url("https://cdn.test:99999/blob?signature=canary")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("netloc", "expected"),
    [
        ("a", ("a", 443)),
        ("a:1", ("a", 1)),
        ("a:65535", ("a", 65535)),
        ("[::1]", ("[::1]", 443)),
        ("[::1]:5", ("[::1]", 5)),
    ],
)
def test_ports(netloc, expected):
    assert split_port(netloc, 443) == expected


def test_origin_and_sameness():
    assert (BASE.origin, BASE._replace(port=5000).origin) == ("registry.test", "registry.test:5000")
    assert BASE.same_origin(BASE._replace(target="/else"))
    for other in (BASE._replace(scheme="http"), BASE._replace(host="x"), BASE._replace(port=1)):
        assert not BASE.same_origin(other)


def test_headers_are_replaced_and_removed():
    request = Request("GET", BASE, (("Accept", "x"), ("authorization", "Basic old")))
    assert request.with_header("Authorization", "Bearer new").headers == (
        ("Accept", "x"),
        ("Authorization", "Bearer new"),
    )
    assert request.with_header("Authorization", None).headers == (("Accept", "x"),)


def test_the_first_value_of_a_header():
    response = Response(200, {"a": ("1", "2")}, b"", BASE)
    assert (response.header("a"), response.header("b")) == ("1", None)
