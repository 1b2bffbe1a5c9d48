"""Keys of pull secrets against repositories: the kubelet's rules, as a table."""

from __future__ import annotations

import pytest

from transformer.images import pullkeys

#: key, host, repository: does the kubelet take it?
MATCHING = [
    ("registry.test", "registry.test", "a", True),
    ("https://registry.test", "registry.test", "a", True),
    ("http://registry.test/v1/", "registry.test", "a", True),
    ("https://registry.test/v2/", "registry.test", "a", True),
    ("Registry.Test", "registry.test", "a", False),
    ("registry.test", "other.test", "a", False),
    ("registry.test", "registry.test.evil", "a", False),
    ("registry.test", "a.registry.test", "a", False),
    # globs, label by label
    ("*.test", "registry.test", "a", True),
    ("*.test", "a.registry.test", "a", False),
    ("*.*.test", "a.registry.test", "a", True),
    ("*", "registry.test", "a", False),
    ("*", "localhost", "a", True),
    ("reg*.test", "registry.test", "a", True),
    ("*istry.test", "registry.test", "a", True),
    ("r?gistry.test", "registry.test", "a", True),
    ("[pqr]egistry.test", "registry.test", "a", True),
    ("[^r]egistry.test", "registry.test", "a", False),
    ("[^x]egistry.test", "registry.test", "a", True),
    ("registry.*", "registry.test", "a", True),
    ("*.dkr.ecr.*.amazonaws.com", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "a", True),
    ("*.azurecr.io", "team.azurecr.io.evil", "a", False),
    # ports, exactly
    ("registry.test:5000", "registry.test:5000", "a", True),
    ("registry.test:5000", "registry.test", "a", False),
    ("registry.test", "registry.test:5000", "a", False),
    ("*.test:5000", "registry.test:5000", "a", True),
    ("*.test:*", "registry.test:5000", "a", False),
    ("127.0.0.1:5000", "127.0.0.1:5000", "a", True),
    ("[::1]:5000", "[::1]:5000", "a", False),
    # the path, as a prefix
    ("registry.test/team", "registry.test", "team/app", True),
    ("registry.test/team/", "registry.test", "team/app", True),
    ("registry.test/team/app", "registry.test", "team/app", True),
    ("registry.test/tea", "registry.test", "team/app", True),
    ("registry.test/team", "registry.test", "other/team", False),
    ("registry.test/team/app/x", "registry.test", "team/app", False),
    ("registry.test/*", "registry.test", "team/app", False),
    ("https://registry.test/v1/team", "registry.test", "team/app", True),
    # Docker Hub
    ("docker.io", "docker.io", "library/nginx", True),
    ("docker.io/library", "docker.io", "library/nginx", True),
    ("https://index.docker.io/v1/", "docker.io", "library/nginx", True),
    ("index.docker.io", "docker.io", "library/nginx", True),
    ("index.docker.io/library", "docker.io", "library/nginx", False),
    ("*.docker.io", "docker.io", "library/nginx", False),
    ("", "docker.io", "library/nginx", False),
]


@pytest.mark.parametrize(("key", "host", "repository", "taken"), MATCHING)
def test_select(key, host, repository, taken):
    assert pullkeys.select([pullkeys.filed(key)], host, repository) == ([0] if taken else [])


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("https://index.docker.io/v1/", "index.docker.io"),
        ("registry.test/v2/", "registry.test"),
        ("registry.test/v2/team", "registry.test/team"),
        ("registry.test/v2", "registry.test/v2"),
        ("registry.test/", "registry.test"),
        ("https://A.test/Team", "A.test/Team"),
    ],
)
def test_keys_as_the_kubelet_files_them(key, expected):
    assert pullkeys.filed(key) == expected


def test_a_bad_glob_matches_nothing():
    assert not pullkeys.matches("[.test", "registry.test", "a")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], []),
        (["a.test", "b.test"], []),
        (["*.test", "registry.test", "registry.test/team", "registry.test/team/app", "other.test"], [3, 2, 1, 0]),
        (["registry.test", "registry.test/team", "registry.test"], [1, 0, 2]),
    ],
)
def test_the_most_specific_comes_first_and_equals_stay_in_order(keys, expected):
    assert pullkeys.select(keys, "registry.test", "team/app") == expected


def test_docker_hubs_index_counts_only_when_no_key_matches():
    keys = [pullkeys.filed("https://index.docker.io/v1/"), "docker.io/team"]
    assert pullkeys.select(keys, "docker.io", "library/nginx") == [0]
    assert pullkeys.select(keys, "docker.io", "team/app") == [1]
    assert pullkeys.select(keys, "quay.io", "team/app") == []
