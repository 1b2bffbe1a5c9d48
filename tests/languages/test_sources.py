"""What other systems write where we have a source or a location: refused first, never with a login shown."""

from __future__ import annotations

import pytest

from transformer.errors import PolicyError
from transformer.languages.model import Text
from transformer.languages.sources import (
    Endpoint,
    check_size,
    endpoint_of,
    fail,
    has_tag,
    location_of,
    name_of,
    source_of,
)
from transformer.policy.locations import check_written
from transformer.policy.mirrors import check_source

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty source"),
        ("  ", "empty source"),
        ("/", "empty source"),
        ("**.x.test", "at the front"),
        ("*.*.x.test", "one \\* only"),
        ("a.*.b.test", "at the front"),
        ("a*.test", "at the front"),
        ("x.test/*", "at the front"),
        ("**", "at the front"),
        ("*.x.test/y", "no path"),
        ("*.x.test:5000", "no port"),
        ("*.", "wildcard"),
        ("x.test/a:1", "no tag"),
        ("x.test/a@sha256:00", "no digest"),
        (f"user:{SECRET}@x.test", "no login"),
        (f"https://user:{SECRET}@x.test", "no scheme"),
        ("https://x.test", "no scheme"),
        ("nginx", "docker.io/nginx"),
        ("x.test/Upper", "lower case"),
        ("x.test//a", "no registry and no prefix"),
        ("x test", "registry"),
        ("x.test/\x1b[31m", "no registry and no prefix"),
    ],
)
def test_sources_that_could_never_match_are_refused(text, words):
    with pytest.raises(ValueError, match=words) as error:
        source_of(text)
    assert SECRET not in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("docker.io", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("registry-1.docker.io/library", "docker.io/library"),
        ("Docker.IO/library/", "docker.io/library"),
        (" quay.io ", "quay.io"),
        ("x.test:5000/a/b", "x.test:5000/a/b"),
        ("localhost", "localhost"),
        ("*.example.com", "*.example.com"),
        ("*", "*"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_sources_are_what_the_policy_compares(text, source):
    assert source_of(text) == source
    check_source(source)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty location"),
        ("   ", "empty location"),
        ("/", "names no host"),
        ("/hub", "names no host"),
        ("hub", "names no host"),
        ("hub/library", "names no host"),
        ("https://x.test/hub", "no scheme"),
        (f"https://user:{SECRET}@x.test", "no scheme"),
        (f"user:{SECRET}@x.test/hub", "neither a login"),
        (f"user:{SECRET}/x@y.test/hub", "neither a login"),
        ("x.test/a@sha256:00", "nor a digest"),
        ("x.test/{registry}", "braces"),
        ("x.test/{", "braces"),
        ("{region}.x.test", "braces"),
        ("x.test/${A}", "braces"),
        ("x.test/Hub", "lower case"),
        ("x.test/a:1", "no tag"),
        ("x.test:5000:1/a", "image name"),
        ("x.test/a b", "image name"),
        ("x.test/a?b=c", "image name"),
        ("x.test//a", "image name"),
        ("*.x.test", "image name"),
        ("x.test/" + "a" * 300, "too-long"),
    ],
)
def test_locations_that_hold_no_image_are_refused(text, words):
    with pytest.raises(ValueError, match=words) as error:
        location_of(text)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("text", "to"),
    [
        ("x.test", "x.test"),
        ("x.test:5000/hub/", "x.test:5000/hub"),
        ("X.Test/hub", "x.test/hub"),
        ("localhost/a", "localhost/a"),
        ("registry-1.docker.io/library", "docker.io/library"),
        ("[::1]:5000/a", "[::1]:5000/a"),
    ],
)
def test_locations_are_ours(text, to):
    assert location_of(text) == to
    check_written(to)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no host"),
        ("https://", "names no host"),
        ("https:///v2", "names no host"),
        ("https://x.test:port", "names no host"),
        ("https://x.test:1:2", "names no host"),
        ("ftp://x.test", "http or https"),
        ("docker://x.test", "http or https"),
        (f"https://user:{SECRET}@x.test", "login"),
        (f"user:{SECRET}@x.test", "login"),
        (f"https://us/er:{SECRET}@x.test", "login"),
        (f"https://x.test/?token={SECRET}", "no query"),
        (f"https://x.test/#{SECRET}", "no fragment"),
        ("https://{region}.x.test", "braces"),
        ("https://x_y!.test", "image name"),
    ],
)
def test_addresses_that_lead_nowhere_are_refused(text, words):
    with pytest.raises(ValueError, match=words) as error:
        endpoint_of(text)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("https://x.test", Endpoint("x.test")),
        ("HTTPS://X.test/", Endpoint("x.test")),
        ("http://x.test:5000/v2", Endpoint("x.test:5000", "/v2", True)),
        ("x.test/proxy/", Endpoint("x.test", "/proxy")),
        ("https://registry-1.docker.io", Endpoint("docker.io")),
        ("https://x.test/v2/hub", Endpoint("x.test", "/v2/hub")),
        ("http://127.0.0.1:5000", Endpoint("127.0.0.1:5000", "", True)),
        ("127.0.0.1:5000", Endpoint("127.0.0.1:5000")),
        # A name with one label and no port would be one of Docker Hub.
        ("http://mirror", Endpoint("mirror:80", "", True)),
        ("https://mirror", Endpoint("mirror:443")),
        ("mirror", Endpoint("mirror:443")),
        ("https://mirror:8443", Endpoint("mirror:8443")),
    ],
)
def test_addresses(text, endpoint):
    assert endpoint_of(text) == endpoint


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000", "localhost", "[::1]:5000"])
def test_a_bare_loopback_host_is_plain_where_the_system_says_so(host):
    assert endpoint_of(host, plain_loopback=True).plain
    assert not endpoint_of(host).plain
    assert not endpoint_of(f"https://{host}", plain_loopback=True).plain


@pytest.mark.parametrize("host", ["x.test", "localhost.x.test", "127.0.0.1.x.test"])
def test_other_bare_hosts_are_not(host):
    assert not endpoint_of(host, plain_loopback=True).plain


@pytest.mark.parametrize(
    ("endpoint", "root", "name"),
    [
        (Endpoint("x.test"), None, None),
        (Endpoint("x.test", "/us"), None, None),
        (Endpoint("x.test", "/us/v2"), None, None),
        (Endpoint("x.test", "/v2x"), None, None),
        (Endpoint("x.test", "/v2"), "/us/v2", None),
        (Endpoint("x.test", "/v2"), None, "x.test"),
        (Endpoint("x.test"), "/v2", "x.test"),
        (Endpoint("x.test:5000", "/v2/a/b"), None, "x.test:5000/a/b"),
    ],
)
def test_only_what_lies_under_v2_is_a_name(endpoint, root, name):
    assert name_of(endpoint, root) == name


def test_a_path_that_no_image_has_is_refused():
    with pytest.raises(ValueError, match="lower case"):
        name_of(Endpoint("x.test", "/v2/Hub"))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("x.test", False),
        ("x.test:5000", False),
        ("x.test:5000/a", False),
        ("https://x.test:5000", False),
        (f"user:{SECRET}@x.test", False),
        ("x.test/a:1", True),
        ("x.test:5000/a:1", True),
        ("x.test/a@sha256:00", True),
        ("x.test@sha256:00", True),
    ],
)
def test_tags_and_digests_are_seen(text, answer):
    assert has_tag(text) is answer


@pytest.mark.parametrize("read", [source_of, location_of, endpoint_of])
def test_endless_names_are_refused(read):
    assert read("x" * 500 + ".test")
    with pytest.raises(ValueError, match="none that can be pulled is longer"):
        read("x" * 600 + ".test")


def test_an_error_names_file_line_and_key():
    error = fail(Text("f.toml", "", line=10), 3, "a.b", "wants a text")
    assert (error.file, error.line, str(error)) == ("f.toml", 12, "f.toml:12: a.b: wants a text")
    assert str(fail(Text("f.toml", ""), 0, "", "is no TOML")) == "f.toml:1: is no TOML"
    assert "\x1b" not in str(fail(Text("f.toml", ""), 1, "\x1b[31m", "x"))


def test_a_text_larger_than_any_configuration_is_refused():
    check_size(Text("f", "x" * (1 << 20)))
    with pytest.raises(PolicyError, match="the limit is"):
        check_size(Text("f", "x" * ((1 << 20) + 1)))
