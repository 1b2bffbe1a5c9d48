"""Patterns over names: what must not match first, because a pattern that matches too much keeps or denies too much."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transformer.images.reference import parse
from transformer.policy.patterns import LENGTH_LIMIT, compile_glob, compile_pattern, subject


def matches(pattern: str, image: str) -> bool:
    return compile_pattern(pattern).matches(subject(parse(image)))


@pytest.mark.parametrize(
    ("pattern", "image"),
    [
        # A prefix ends at a path boundary.
        ("docker.io/library/nginx", "nginx-unprivileged"),
        ("docker.io/library/nginx", "docker.io/library/nginxinc"),
        ("docker.io/bitnami", "docker.io/bitnamilegacy/redis"),
        ("ghcr.io/acme", "ghcr.io/acme-labs/app"),
        ("ghcr.io", "ghcr.io.evil.example/app"),
        ("ghcr.io", "evil.example/ghcr.io/app"),
        ("example.com", "sub.example.com/app"),
        # A port is part of the host.
        ("registry.test:5000", "registry.test:5001/app"),
        ("registry.test:5000", "registry.test/app"),
        ("registry.test", "registry.test:5000/app"),
        ("localhost", "localhost:5000/app"),
        # A name without a registry is Docker Hub's.
        ("nginx", "ghcr.io/library/nginx"),
        ("nginx", "nginx/nginx-ingress"),
        ("nginx", "quay.io/nginx"),
        ("bitnami/redis", "quay.io/bitnami/redis"),
        ("library/nginx", "library.example.com/nginx"),
        # * stays inside a path part.
        ("docker.io/library/*", "bitnami/redis"),
        ("docker.io/*", "bitnami/redis"),
        ("ghcr.io/*", "ghcr.io/acme/app"),
        ("ghcr.io/acme/*", "ghcr.io/acme/team/app"),
        ("ghcr.io/*/app", "ghcr.io/a/b/app"),
        ("*/app", "ghcr.io/acme/app"),
        # The whole name is matched, and not a part of it.
        ("ghcr.io/acme/app*", "quay.io/ghcr.io/acme/app"),
        ("ghcr.io/acme/ap*p", "ghcr.io/acme/app-extra"),
        ("*.example.com", "example.com/app"),
        ("*.example.com", "evil.example/x.example.com/app"),
        ("*.example.com", "a.example.com:5000/app"),
        ("*.example.com/app", "a.example.com/app/more"),
        # ** crosses, and still anchors at both ends.
        ("ghcr.io/**/app", "ghcr.io/acme/app2"),
        ("ghcr.io/**/app", "ghcr.io/acme/myapp"),
        ("**/nginx", "docker.io/library/nginx-x"),
        ("ghcr.io/acme/**", "ghcr.io/acme"),
        ("**a*b", "example.com/a/b/c"),
    ],
)
def test_does_not_match(pattern, image):
    assert not matches(pattern, image)


@pytest.mark.parametrize(
    ("pattern", "image"),
    [
        # No glob: a prefix on path boundaries.
        ("docker.io", "nginx"),
        ("docker.io/", "nginx"),
        ("docker.io", "bitnami/redis:7"),
        ("docker.io/library", "nginx"),
        ("docker.io/bitnami", "bitnami/redis"),
        ("ghcr.io/acme", "ghcr.io/acme/team/app:1"),
        ("ghcr.io/acme/app", "ghcr.io/acme/app"),
        ("registry.test:5000", "registry.test:5000/a/b/c"),
        ("registry.test:5000/a", "registry.test:5000/a/b/c"),
        ("localhost:5000", "localhost:5000/app"),
        ("localhost", "localhost/app"),
        ("[::1]:5000", "[::1]:5000/app"),
        # Docker's normalisation, on both sides.
        ("nginx", "nginx"),
        ("nginx", "docker.io/nginx:1.25"),
        ("nginx", "index.docker.io/library/nginx@sha256:" + "a" * 64),
        ("docker.io/nginx", "nginx"),
        ("docker.io/nginx", "nginx/nginx-ingress"),
        ("index.docker.io/library/nginx", "nginx"),
        ("bitnami/redis", "docker.io/bitnami/redis"),
        ("library/*", "nginx"),
        ("nginx*", "nginx-unprivileged"),
        ("docker.io/ngin*", "nginx"),
        # Hosts know no case; :443 is the port that is asked anyway.
        ("docker.io", "Docker.IO/library/nginx"),
        ("GHCR.io/acme", "ghcr.io/acme/app"),
        ("quay.io/acme", "quay.io:443/acme/app"),
        ("quay.io:443/acme", "quay.io/acme/app"),
        # Globs.
        ("docker.io/library/*", "nginx"),
        ("ghcr.io/*/app", "ghcr.io/acme/app"),
        ("ghcr.io/acme/app-*", "ghcr.io/acme/app-1"),
        ("ghcr.io/acme/app-*", "ghcr.io/acme/app-1-b"),
        ("*.example.com", "a.b.example.com/app"),
        ("*.example.com/team/**", "a.example.com/team/x/y"),
        ("*/nginx", "ghcr.io/nginx"),
        ("**", "nginx"),
        ("**", "localhost:5000/a/b/c"),
        ("**/nginx", "nginx"),
        ("**/nginx", "ghcr.io/nginx"),
        ("**nginx", "ghcr.io/my-nginx"),
        ("ghcr.io/**", "ghcr.io/a/b/c"),
        ("ghcr.io/**/app", "ghcr.io/a/b/app"),
        ("ghcr.io/**/app", "ghcr.io/app"),
        ("ghcr.io/**/**/app", "ghcr.io/app"),
        ("ghcr.io/ac**app", "ghcr.io/acme/x/app"),
        ("**a*b", "example.com/a/ab"),
        ("ghcr.io/*a*b*", "ghcr.io/xaxbx"),
    ],
)
def test_matches(pattern, image):
    assert matches(pattern, image)


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        ("", "empty"),
        ("/", "empty"),
        ("*", "write **"),
        ("*/", "write **"),
        ("nginx:1.25", "take the tag out"),
        ("nginx:1", "take the tag out"),
        ("ghcr.io/acme/app:latest", "take the tag out"),
        ("nginx@sha256:" + "a" * 64, "from the @ on"),
        ("nginx***", "single slashes"),
        ("ghcr.io//app", "single slashes"),
        ("https://ghcr.io/app", "single slashes"),
        ("^nginx$", "only letters"),
        ("nginx?", "only letters"),
        ("ng[ix]nx", "only letters"),
        ("nginx|redis", "only letters"),
        ("nginx redis", "only letters"),
        ("ghcr.io/(a|b)", "only letters"),
        ("nginx\n", "only letters"),
        ("ghcr.io/Acme/*", "lower case"),
        ("Nginx", "lower case"),
        ("a" * (LENGTH_LIMIT + 1), f"limit is {LENGTH_LIMIT}"),
    ],
)
def test_refused_with_a_sentence(pattern, part):
    with pytest.raises(ValueError, match=re.escape(part)):
        compile_pattern(pattern)


def test_a_refused_pattern_shows_no_credential_and_no_control_character():
    with pytest.raises(ValueError) as secret:
        compile_pattern("user:hunter2@ghcr.io/app")
    assert "hunter2" not in str(secret.value)
    with pytest.raises(ValueError) as control:
        compile_pattern("ghcr.io/\x1b[31m")
    assert "\x1b" not in str(control.value)


def by_backtracking(glob: str) -> re.Pattern[str]:
    """The same language, said slowly: the oracle."""
    tokens = re.split(r"(\*\*|\*)", glob)
    text = "".join({"**": ".*", "*": "[^/]*"}.get(token, re.escape(token)) for token in tokens)
    text = re.sub(r"(^|(?<=/))\.\*/", "(?:.*/)?", text)
    return re.compile(text, re.DOTALL)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "/", "*", "**"]), max_size=8),
    st.text("ab/", max_size=10),
)
def test_agrees_with_a_backtracking_matcher(parts, name):
    glob = re.sub(r"\*{3,}", "**", "".join(parts))
    assert compile_glob(glob).matches(name) == bool(by_backtracking(glob).fullmatch(name))


def test_a_pattern_made_to_explode_is_answered():
    pattern = compile_pattern("**a" * 150 + "**b")
    assert not pattern.matches("example.com/" + "a" * 255)
    assert not compile_pattern("ghcr.io/" + "*a" * 200 + "*b").matches("ghcr.io/" + "a" * 247)
    assert pattern.matches("example.com/" + "a" * 200 + "b")
