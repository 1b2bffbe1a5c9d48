"""Loading: what a text means, what is wrong with it and where; and the short road says what the long one says."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from transformer.errors import EXIT_USAGE, PolicyError
from transformer.kube.paths import parse as parse_path
from transformer.policy.load import from_function_config, load
from transformer.policy.model import (
    FieldRule,
    ImageRule,
    Location,
    Mirror,
    MirrorSource,
    Pin,
    Policy,
    PullSecrets,
    RegistryRule,
)
from transformer.policy.questions import HostCredential
from transformer.policy.words import LATER, schema_text

HEAD = "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\n"


def spec(text: str) -> str:
    """A policy with this text as its spec, which begins in line 4."""
    return HEAD + "spec:\n" + "".join(f"  {line}\n" for line in text.splitlines())


class Remembers:
    """A memory of valid texts in a set."""

    def __init__(self) -> None:
        self.digests: set[str] = set()
        self.hits = 0

    def seen(self, digest: str) -> bool:
        self.hits += digest in self.digests
        return digest in self.digests

    def remember(self, digest: str) -> None:
        self.digests.add(digest)


EVERYTHING = spec(
    """\
pin:
  digest: platform
  platform: linux/amd64
  style: digest
  existing: verify
images:
- match: docker.io/library/*
  action: keep
  reason: built here
- match: ghcr.io/acme/legacy
  action: deny
  reason: end of life
- match: ghcr.io/acme
  platform: linux/arm64/v8
  style: tag
mirrors:
- source: docker.io
  locations:
  - to: "{region}.mirror.example.com/hub"
    rewrite: {"^library/(.*)$": "official/$1", "^bitnami/": "${0}old/"}
    when: digest
    pullSecret: hub-mirror
    warm: true
  - to: "mirror.example.com/{registry}/{repository}"
  resolveAt: mirror
  write: source
  verify: exists
  fallback: source
- source: "*.example.com"
  locations: [{to: other.test/x/}]
mirrorsFrom:
- file: certs.d/
- {file: nodes.toml, format: registries.conf}
- manifests: true
matrix: {region: [eu-west-1, us-east-1], release: [1.10, 1.20, "1.10"]}
pullSecrets: {inject: true, target: serviceAccount, known: [hub-mirror, other.secret]}
variables:
  region: eu-west-1
  release: 1.10
  flag: true
fields:
- {group: example.com, kind: Widget, path: "spec.runners[].image"}
- {kind: Gadget, path: "spec.images[]"}
registries:
- {host: "registry.test:5000", insecure: true}
- {host: Harbor.Example.com, caBundle: ca.pem, maxConcurrency: 8, credentials: {secretFile: login.yaml}}
- host: quay.example.com
  credentials: {usernameEnv: QUAY_USER, passwordEnv: QUAY_PASSWORD}
  trustedRealms: [Auth.example.net, "https://login.example.org:8443/token"]
- {host: ghcr.io, credentials: {dockerConfig: config.json}}
onError: warn
timeout: 45.5
keeps: refuse
mode: validate
results: summary
offline: true
useManifestSecrets: false"""
)

MEANT = Policy(
    pin=Pin("platform", "linux/amd64", "digest", "verify"),
    images=(
        ImageRule("images[0]", "docker.io/library/*", "keep", "built here", None, None, 10),
        ImageRule("images[1]", "ghcr.io/acme/legacy", "deny", "end of life", None, None, 13),
        ImageRule("images[2]", "ghcr.io/acme", "pin", None, "linux/arm64/v8", "tag", 16),
    ),
    mirrors=(
        Mirror(
            "mirrors[0]",
            "docker.io",
            (
                Location(
                    *("mirrors[0].locations[0]", "{region}.mirror.example.com/hub", 22),
                    rewrite=(("^library/(.*)$", "official/$1"), ("^bitnami/", "${0}old/")),
                    when="digest",
                    pull_secret="hub-mirror",
                    warm=True,
                ),
                Location("mirrors[0].locations[1]", "mirror.example.com/{registry}/{repository}", 27),
            ),
            "mirror",
            "source",
            "exists",
            "source",
            20,
        ),
        Mirror("mirrors[1]", "*.example.com", (Location("mirrors[1].locations[0]", "other.test/x/", 33),), line=32),
    ),
    mirrors_from=(
        MirrorSource("mirrorsFrom[0]", "certs.d/", line=35),
        MirrorSource("mirrorsFrom[1]", "nodes.toml", format="registries.conf", line=36),
        MirrorSource("mirrorsFrom[2]", manifests=True, line=37),
    ),
    matrix=(("region", ("eu-west-1", "us-east-1")), ("release", ("1.10", "1.20"))),
    pull_secrets=PullSecrets(True, "serviceAccount", ("hub-mirror", "other.secret")),
    variables=(("flag", "true"), ("region", "eu-west-1"), ("release", "1.10")),
    fields=(
        FieldRule("example.com", "Widget", "spec.runners[].image", 45),
        FieldRule(None, "Gadget", "spec.images[]", 46),
    ),
    registries=(
        RegistryRule("registry.test:5000", True, line=48),
        RegistryRule(
            *("harbor.example.com", False, "ca.pem", 8),
            credentials=HostCredential("harbor.example.com", secret_file="login.yaml"),
            line=49,
        ),
        RegistryRule(
            "quay.example.com",
            trusted_realms=("auth.example.net", "https://login.example.org:8443/token"),
            credentials=HostCredential("quay.example.com", "QUAY_USER", "QUAY_PASSWORD"),
            line=50,
        ),
        RegistryRule("ghcr.io", credentials=HostCredential("ghcr.io", docker_config="config.json"), line=53),
    ),
    on_error="warn",
    timeout=45.5,
    keeps="refuse",
    mode="validate",
    results="summary",
    offline=True,
    use_manifest_secrets=False,
    file="p.yaml",
)


def test_every_word_is_read():
    policy = load(EVERYTHING, "p.yaml")
    assert policy._replace(written=()) == MEANT


def test_which_keys_were_written_is_kept_with_their_lines():
    policy = load(spec("pin: {style: tag}\nonError: fail"), "p.yaml")
    assert policy.written == (("pin", 4), ("onError", 5), ("pin.style", 4))


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD + "spec:\n",
        HEAD + "spec: {}\n",
        HEAD + "metadata: {name: prod, namespace: x, labels: {a: b}, annotations: {c: 'd'}}\n",
        HEAD + "metadata:\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: pindown}\n",
        HEAD + "metadata: {creationTimestamp: null, generateName: x}\n",
        HEAD + "metadata: {annotations: null, labels: null}\n",
        spec("pin: {}\nimages: []\nmirrors: []\nvariables: {}\nfields: []\nregistries: []"),
    ],
)
def test_saying_nothing_is_the_default(text):
    assert load(text, "p.yaml")._replace(written=(), file="") == Policy.default() == Policy()


@pytest.mark.parametrize(
    ("pin", "digest", "platform"),
    [
        ("{}", "index", None),
        ("{digest: index}", "index", None),
        ("{platform: linux/amd64}", "platform", "linux/amd64"),
        ("{digest: platform, platform: linux/arm64/v8}", "platform", "linux/arm64/v8"),
        ("{digest: index, platform: linux/amd64}", "index", "linux/amd64"),
    ],
)
def test_which_digest(pin, digest, platform):
    policy = load(spec(f"pin: {pin}"), "p.yaml")
    assert (policy.pin.digest, policy.pin.platform) == (digest, platform)


REWRITE = "mirrors:\n- source: a.io\n  locations: [{to: b.io/x, rewrite: {%s}}]"

#: What a complaint about credentials names.
WAYS = ["usernameEnv with passwordEnv", "dockerConfig", "secretFile"]

#: (spec, line, column, parts of the message): every one names the key path, the cause and what to do.
REFUSED = [
    # Unknown keys, with the nearest.
    ("pni: {}", 4, 3, ["spec.pni", "unknown key 'pni'", "did you mean 'pin'"]),
    ("pin: {stile: digest}", 4, 9, ["spec.pin.stile", "did you mean 'style'"]),
    ("onerror: fail", 4, 3, ["did you mean 'onError'"]),
    ("zzz: 1", 4, 3, ["known here: fields, images, keeps, matrix, mirrors, mirrorsFrom"]),
    ("images:\n- {match: a, acton: pin}", 5, 16, ["spec.images[0].acton", "did you mean 'action'"]),
    ("mirrors:\n- {src: a.io, locations: [{to: b.io}]}", 5, 3, ["`source` is required"]),
    ("mirrors:\n- source: a.io\n  locations: [{too: b.io}]", 6, 15, ["`to` is required"]),
    ("registries:\n- {host: a.io, insecrue: true}", 5, 18, ["did you mean 'insecure'"]),
    ("<<: {}", 4, 3, ["merge keys"]),
    # Wrong types and values.
    ("pin: digest", 4, 8, ["spec.pin", "must be a mapping, not 'digest'"]),
    ("images: {match: a}", 4, 11, ["must be a list, not a mapping"]),
    ("images:\n- nginx", 5, 5, ["spec.images[0]", "must be a mapping"]),
    ("images:\n- {match: 5}", 5, 13, ["must be a text, not 5"]),
    ("pin: {style: digst}", 4, 16, ["one of tag-and-digest, digest, tag", "did you mean 'digest'"]),
    ("pin: {existing: always}", 4, 19, ["one of keep, verify, refresh", "not 'always'"]),
    ("onError: no", 4, 12, ["one of fail, warn", "not 'no'"]),
    ("mode: []", 4, 9, ["not a list"]),
    ("offline: yes", 4, 12, ["must be true or false, not 'yes'"]),
    ("timeout: yes", 4, 12, ["must be a number"]),
    ("timeout: 0", 4, 12, ["more than 0"]),
    ("timeout: -1", 4, 12, ["more than 0"]),
    ("timeout: .inf", 4, 12, ["must be a number, not '.inf'"]),
    ("timeout: 1e9", 4, 12, ["at most 86400"]),
    ("variables: {a: [b]}", 4, 18, ["spec.variables.a", "not a list"]),
    ("variables: {a-b: c}", 4, 14, ["no name for a variable"]),
    ("variables: {tag: x}", 4, 20, ["{tag} is filled from the reference", "rename it"]),
    ("variables: {registry: x}", 4, 25, ["{registry} is filled"]),
    ("variables: {a: 'x y'}", 4, 18, ["cannot be part of an image name"]),
    ("variables: {a: 'x{b}'}", 4, 18, ["cannot be part of an image name"]),
    # Required together.
    ("pin: {digest: platform}", 4, 3, ["`platform` is required"]),
    ("images:\n- {match: nginx, action: keep}", 5, 5, ["`reason` is required"]),
    ("images:\n- {match: nginx, action: deny}", 5, 5, ["`reason` is required"]),
    ("images:\n- {match: nginx, action: deny, reason: ''}", 5, 42, ["must not be empty"]),
    ("images:\n- {action: pin}", 5, 5, ["`match` is required"]),
    # Platforms.
    ("pin: {platform: amd64}", 4, 19, ["'amd64' is not a platform", "linux/amd64"]),
    ("pin: {platform: linux/amd64/v1/x}", 4, 19, ["is not a platform"]),
    ("images:\n- {match: nginx, platform: Linux/amd64}", 5, 30, ["is not a platform"]),
    # Patterns.
    ("images:\n- {match: 'nginx:1.25'}", 5, 13, ["spec.images[0].match", "take the tag out"]),
    ("images:\n- {match: '*'}", 5, 13, ["write **"]),
    ("images:\n- {match: '^nginx$'}", 5, 13, ["only letters"]),
    # Sources.
    ("mirrors:\n- {source: '', locations: [{to: b.io}]}", 5, 14, ["must not be empty"]),
    ("mirrors:\n- {source: '**.x', locations: [{to: b.io}]}", 5, 14, ["a wildcard is *.example.com"]),
    ("mirrors:\n- {source: 'a.*.b', locations: [{to: b.io}]}", 5, 14, ["a wildcard is *.example.com"]),
    ("mirrors:\n- {source: '*.x.y/z', locations: [{to: b.io}]}", 5, 14, ["no path"]),
    ("mirrors:\n- {source: library, locations: [{to: b.io}]}", 5, 14, ["write docker.io/library"]),
    ("mirrors:\n- {source: 'https://a.io', locations: [{to: b.io}]}", 5, 14, ["no scheme"]),
    ("mirrors:\n- {source: 'a.io/x:1', locations: [{to: b.io}]}", 5, 14, ["no tag"]),
    ("mirrors:\n- {source: 'a.io/X', locations: [{to: b.io}]}", 5, 14, ["lower case"]),
    ("mirrors:\n- source: a.io\n  locations: []", 6, 16, ["at least 1"]),
    (
        "mirrors:\n- {source: a.io, locations: [{to: b.io}]}\n- {source: A.io/, locations: [{to: c.io}]}",
        6,
        14,
        ["a.io is the source of mirrors[0] (line 5) too", "one list"],
    ),
    # Locations.
    ("mirrors:\n- source: a.io\n  locations: [{to: ''}]", 6, 22, ["must not be empty"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: /}]", 6, 22, ["an empty location"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: 'https://b.io/x'}]", 6, 22, ["no scheme", "write b.io/x"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: hub}]", 6, 22, ["names no host"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: 'hub/{repository}'}]", 6, 22, ["names no host"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: 'b.io/x:1'}]", 6, 22, ["can hold no image"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: 'b.io/Hub'}]", 6, 22, ["can hold no image"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: 'b.io/{name'}]", 6, 22, ["brace without its partner"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: 'b.io/}x'}]", 6, 22, ["brace without its partner"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: 'b.io/{}'}]", 6, 22, ["is no variable"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: 'b.io/{a b}'}]", 6, 22, ["no spaces"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: '{v}/x'}]\nvariables: {v: hub}", 6, 22, ["names no host"]),
    # Rewrites, moments, and names of Secrets.
    (REWRITE % "'^(a': b", 6, 47, ["rewrite.^(a: ^(a is no pattern of RE2: missing )"]),
    (REWRITE % "'(?=a)': b", 6, 49, ["is no pattern of RE2: invalid perl operator"]),
    (REWRITE % "'': b", 6, 44, ["an empty pattern matches everywhere; write ^"]),
    (REWRITE % "'^a': $1", 6, 46, ["^a has no group '1'", "${1}"]),
    (REWRITE % "'^a': $x", 6, 46, ["has no group 'x'"]),
    (REWRITE % "'^(a)': $1x", 6, 48, ["has no group '1x'; write ${1} where a letter or digit follows"]),
    (REWRITE % "'^a': 'b$'", 6, 46, ["a $ without a group; write $1 or ${1}"]),
    (REWRITE % "'^a': 'b:1'", 6, 46, ["b:1: is put into the path of an image, without a tag"]),
    (REWRITE % "'^a': '{region}/b'", 6, 46, ["variables belong into `to`"]),
    (REWRITE % "'^a': B", 6, 46, ["lower-case letters"]),
    (REWRITE % "'^a': 1", 6, 46, ["must be a text, not 1"]),
    (REWRITE % '"\\eb(": x', 6, 48, ["missing )"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: b.io, rewrite: [a]}]", 6, 37, ["must be a mapping, not a list"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: b.io, when: tags}]", 6, 34, ["one of all, tag, digest"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: b.io, pullSecret: A_b}]", 6, 40, ["is no name of a Secret"]),
    ('mirrors:\n- source: a.io\n  locations: [{to: b.io, pullSecret: "a\\n"}]', 6, 40, ["control characters"]),
    ("mirrors:\n- source: a.io\n  locations: [{to: b.io, warm: yes}]", 6, 34, ["must be true or false, not 'yes'"]),
    # Mirrors in other languages.
    ("mirrorsFrom: registries.conf", 4, 16, ["must be a list, not 'registries.conf'"]),
    ("mirrorsFrom: [registries.conf]", 4, 17, ["spec.mirrorsFrom[0]: must be a mapping"]),
    ("mirrorsFrom:\n- {}", 5, 5, ["needs exactly one of `file`, `manifests`"]),
    ("mirrorsFrom:\n- {file: a, manifests: true}", 5, 5, ["needs exactly one of `file`, `manifests`"]),
    ("mirrorsFrom:\n- {manifests: false}", 5, 17, ["must be true, not false"]),
    ("mirrorsFrom:\n- {manifests: true, format: x}", 5, 31, ["only a file has a format"]),
    ("mirrorsFrom:\n- {file: ''}", 5, 12, ["must not be empty"]),
    ('mirrorsFrom:\n- {file: "a\\nb"}', 5, 12, ["control characters"]),
    (f"mirrorsFrom: [{'{file: a}, ' * 101}]", 4, 16, ["has 101 entries, the limit is 100"]),
    # The matrix.
    ("matrix: [a]", 4, 11, ["must be a mapping"]),
    ("matrix: {a: b}", 4, 15, ["spec.matrix.a: must be a list, not 'b'"]),
    ("matrix: {a: []}", 4, 15, ["at least 1"]),
    ("matrix: {a: [x, x]}", 4, 15, ["holds an entry twice"]),
    ("matrix: {a: [x, [y]]}", 4, 19, ["spec.matrix.a[1]", "not a list"]),
    ("matrix: {a: ['x y']}", 4, 16, ["cannot be part of an image name"]),
    ("matrix: {a-b: [x]}", 4, 11, ["no name for a variable"]),
    ("matrix: {tag: [x]}", 4, 18, ["{tag} is filled from the reference"]),
    (
        "matrix: {a: [x, y]}\nvariables: {a: z}",
        5,
        18,
        ["spec.variables.a: z is not in spec.matrix.a (x, y); put it in"],
    ),
    # Pull secrets.
    ("pullSecrets: true", 4, 16, ["must be a mapping"]),
    ("pullSecrets: {inject: yes}", 4, 25, ["must be true or false"]),
    ("pullSecrets: {target: both}", 4, 25, ["one of pod, serviceAccount, not 'both'"]),
    ("pullSecrets: {known: [a, B]}", 4, 28, ["spec.pullSecrets.known[1]", "is no name of a Secret"]),
    ('pullSecrets: {known: ["a\\n"]}', 4, 25, ["control characters"]),
    ("pullSecrets: {knwon: [a]}", 4, 17, ["did you mean 'known'"]),
    # Fields and registries.
    ("fields:\n- {kind: X, path: 'spec..image'}", 5, 21, ["is no field path", "spec.runners[].image"]),
    ("fields:\n- {kind: X, path: '.spec'}", 5, 21, ["is no field path"]),
    ("fields:\n- {kind: X, path: 'spec[0].image'}", 5, 21, ["is no field path"]),
    ("fields:\n- {kind: X, path: 'spec[a.b].image'}", 5, 21, ["is no field path", '["a.b/c"] for a key with dots']),
    ("fields:\n- {kind: X, path: 'spec[\"\"].image'}", 5, 21, ["is no field path"]),
    ("fields:\n- {kind: X, path: 'spec.[\"a.b\"]x'}", 5, 21, ["is no field path"]),
    ("fields:\n- {kind: X, path: 'spec[\"a.b].image'}", 5, 21, ["is no field path"]),
    ("fields:\n- {path: spec.image}", 5, 5, ["`kind` is required"]),
    ("registries:\n- {host: 'https://a.io'}", 5, 12, ["is not a registry"]),
    ("registries:\n- {host: a.io/x}", 5, 12, ["is not a registry"]),
    ("registries:\n- {host: '*.a.io'}", 5, 12, ["is not a registry"]),
    ("registries:\n- {host: a.io}\n- {host: A.io}", 6, 12, ["a.io stands twice (first in line 5)"]),
    ("registries:\n- {host: a.io, insecure: true, caBundle: x}", 5, 12, ["take one of them out"]),
    ("registries:\n- {host: a.io, maxConcurrency: 0}", 5, 34, ["at least 1"]),
    ("registries:\n- {host: a.io, maxConcurrency: 1.5}", 5, 34, ["whole number"]),
    ('registries:\n- {host: a.io, caBundle: "a\\nb"}', 5, 28, ["control characters"]),
    # Credentials: whatever is wrong, no value is shown.
    *(
        (f"registries:\n- {{host: a.io, credentials: {text}}}", 5, 5, ["registries[0].credentials", *WAYS])
        for text in [
            *("hunter2", "[hunter2]", "{}", "{usernameEnv: hunter2}", "{passwordEnv: hunter2}"),
            *("{usernameEnv: A, passwordEnv: 'hunter2!'}", "{usernameEnv: A, passwordEnv: [hunter2]}"),
            *("{dockerConfig: hunter2, secretFile: b}", "{usernameEnv: A, dockerConfig: hunter2}"),
            "{usernameEnv: A, passwordEnv: B, secretFile: hunter2}",
            "{secretFile: ''}",
        ]
    ),
    *(
        (f"registries:\n- {{host: a.io, {text}}}", 5, 18, [f"{key!r}: never write a login or password", *WAYS])
        for key, text in [
            *((key, f"credentials: {{{key}: hunter2}}") for key in ("username", "password", "auth", "token")),
            *((key, f"{key}: hunter2") for key in ("username", "password", "auth", "token", "Password")),
            ("password", "credentials: {usernameEnv: A, passwordEnv: B, password: hunter2}"),
        ]
    ),
    ("registries:\n- {host: a.io, credentials: {passwrdEnv: hunter2}}", 5, 5, ["did you mean 'passwordEnv'"]),
    ('registries:\n- {host: a.io, credentials: {secretFile: "a\\nb"}}', 5, 43, ["control characters"]),
    ("credentials: {dockerConfig: hunter2}", 4, 3, ["spec.credentials: unknown key 'credentials'"]),
    # Trusted realms.
    ("registries:\n- {host: a.io, trustedRealms: b.io}", 5, 33, ["must be a list"]),
    *(
        (f"registries:\n- {{host: a.io, trustedRealms: [{realm}]}}", 5, 34, ["is not a token server", "host[:port]"])
        for realm in [
            *("'*.b.io'", "b.io/token", "'ftp://b.io'", "'https://u:hunter2@b.io'", "'https://b.io/t?x=hunter2'"),
            *("'https://'", "'b io'", "'b.io:x'", "'https://b.io/../x'", "'//b.io'"),
        ]
    ),
    ("useManifestSecrets: no", 4, 23, ["must be true or false"]),
]


@pytest.mark.parametrize(("text", "line", "column", "parts"), REFUSED)
def test_refused_with_place_and_next_step(text, line, column, parts):
    with pytest.raises(PolicyError) as caught:
        load(spec(text), "p.yaml")
    error = caught.value
    assert [part for part in parts if part not in str(error)] == []
    assert (error.file, error.line) == ("p.yaml", line)
    assert error.exit_code == EXIT_USAGE
    assert "hunter2" not in str(error)
    if "required" not in parts[0] and "registries[0].credentials" not in str(error):
        assert error.column == column


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "not nothing"),
        ("# only a comment\n", "not nothing"),
        ("[]", "not a list"),
        ("just words", "not a single value"),
        ("kind: ImageTransformer\n", "apiVersion is missing"),
        ("apiVersion: pindown.dev/v1alpha1\n", "kind is missing"),
        ("apiVersion: pindown.dev/v2\nkind: ImageTransformer\n", "apiVersion is pindown.dev/v2; this pindown reads"),
        ("apiVersion: v1\nkind: ConfigMap\n", "kind is ConfigMap"),
        ("apiVersion: pindown.dev/v1alpha1\nkind: ImageTransfomer\n", "did you mean 'ImageTransformer'"),
        ("apiVersion: pindown.dev/v1alpha1\nkind: ImageLock\n", "kind is ImageLock; a policy is of kind"),
        (HEAD + "spec: []\n", "spec: must be a mapping or nothing, not a list"),
        (HEAD + "sepc: {}\n", "did you mean 'spec'"),
        (HEAD + "status: {}\n", "unknown key 'status'"),
        (HEAD + "metadata: x\n", "metadata: must be a mapping"),
    ],
)
def test_not_a_policy_at_all(text, part):
    with pytest.raises(PolicyError) as caught:
        load(text, "p.yaml")
    assert part in str(caught.value)
    assert str(caught.value).startswith("p.yaml:")


@pytest.mark.parametrize("word", sorted(LATER))
def test_words_of_later_versions_are_not_accepted_and_ignored(word):
    for text in (f"{word}: x", f"images:\n- {{match: a, {word}: x}}", f"registries:\n- {{host: a.io, {word}: x}}"):
        with pytest.raises(PolicyError, match="is not supported by this version"):
            load(spec(text), "p.yaml")


def test_all_complaints_come_in_one_run_in_the_order_of_the_text():
    with pytest.raises(PolicyError) as caught:
        load(spec("timeout: x\nmode: y\npni: z"), "p.yaml")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["p.yaml:4:12", "p.yaml:5:9", "p.yaml:6:3"]


def test_many_complaints_are_bounded():
    with pytest.raises(PolicyError) as caught:
        load(spec("\n".join(f"key{n}: x" for n in range(50))), "p.yaml")
    lines = str(caught.value).splitlines()
    assert len(lines) == 7
    assert lines[-1] == "and 44 more"


@pytest.mark.parametrize(
    "text",
    [
        "mirrors:\n- source: a.io\n  locations: [{to: 'https://user:hunter2@b.io/x'}]",
        "mirrors:\n- source: a.io\n  locations: [{to: 'user:hunter2@b.io/x'}]",
        "mirrors:\n- source: 'https://user:hunter2@a.io'\n  locations: [{to: b.io}]",
        "mirrors:\n- source: 'user:hunter2@a.io'\n  locations: [{to: b.io}]",
        "registries:\n- {host: 'user:hunter2@a.io'}",
        # Where a text stands that should be something else.
        "fields: 'https://user:hunter2@a.io'",
        "mode: 'https://user:hunter2@a.io'",
        "mirrorsFrom: ['https://user:hunter2@a.io']",
        "mirrors:\n- source: a.io\n  locations: [{to: b.io, pullSecret: 'https://user:hunter2@a.io'}]",
        "matrix: {a: ['https://user:hunter2@a.io', 'https://user:hunter2@a.io']}",
        "images:\n- {match: 'user:hunter2@a.io/x'}",
    ],
)
def test_a_credential_is_refused_and_not_shown(text):
    with pytest.raises(PolicyError) as caught:
        load(spec(text), "p.yaml")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ['"\\e[31mred": 1', 'mode: "\\e[31m"', 'images:\n- {match: "a\\u202eb"}'])
def test_control_characters_never_reach_a_message_raw(text):
    with pytest.raises(PolicyError) as caught:
        load(spec(text), "p.yaml")
    assert str(caught.value).isprintable()


def test_json_is_read_too():
    data = {"apiVersion": "pindown.dev/v1alpha1", "kind": "ImageTransformer", "spec": {"pin": {"style": "digest"}}}
    assert load(json.dumps(data), "p.json").pin.style == "digest"
    assert load(json.dumps(data, indent="\t"), "p.json").pin.style == "digest"
    data["spec"]["pin"]["style"] = "x"
    with pytest.raises(PolicyError, match=r"p.json:\d+:\d+: spec.pin.style"):
        load(json.dumps(data, indent=2), "p.json")


#: ---- the functionConfig


@pytest.mark.parametrize("text", ["", "null", "{}", "# none\n", "apiVersion: v1\nkind: ConfigMap\n"])
def test_an_absent_function_config_is_the_default(text):
    assert from_function_config(text, "functionConfig")._replace(file="", written=()) == Policy()


def configmap(data: str) -> str:
    """A ConfigMap whose data begins in line 5."""
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, annotations: {config.kubernetes.io/index: '0'}}\n"
    return head + "data:" + ("\n" + "".join(f"  {line}\n" for line in data.splitlines()) if data else " {}\n")


def test_a_function_config_may_be_an_image_transformer():
    policy = from_function_config(EVERYTHING, "functionConfig")
    assert policy._replace(written=()) == MEANT._replace(file="functionConfig")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", Policy()),
        ('platform: "linux/amd64"', Policy(pin=Pin("platform", "linux/amd64"))),
        ("style: digest", Policy(pin=Pin(style="digest"))),
        ("style: tag\nplatform: linux/arm64", Policy(pin=Pin("platform", "linux/arm64", "tag"))),
        ("onError: warn", Policy(on_error="warn")),
        ('offline: "true"', Policy(offline=True)),
        ('offline: "False"', Policy(offline=False)),
        ("offline: true", Policy(offline=True)),
        ("mode: validate", Policy(mode="validate")),
        ("results: summary", Policy(results="summary")),
        (
            "mirrors: docker.io=harbor.example.com/hub",
            Policy(
                mirrors=(
                    Mirror(
                        "mirrors[0]",
                        "docker.io",
                        (Location("mirrors[0].locations[0]", "harbor.example.com/hub", 5),),
                        line=5,
                    ),
                )
            ),
        ),
        (
            "mirrors: |\n  # the hub\n  docker.io = harbor.example.com/hub\n\n  ghcr.io=harbor.example.com/gh\n",
            Policy(
                mirrors=(
                    Mirror(
                        "mirrors[0]",
                        "docker.io",
                        (Location("mirrors[0].locations[0]", "harbor.example.com/hub", 5),),
                        line=5,
                    ),
                    Mirror(
                        "mirrors[1]",
                        "ghcr.io",
                        (Location("mirrors[1].locations[0]", "harbor.example.com/gh", 5),),
                        line=5,
                    ),
                )
            ),
        ),
        (
            "keep: |\n  ghcr.io/acme/**\n  nginx\n",
            Policy(
                images=(
                    ImageRule("images[0]", "ghcr.io/acme/**", "keep", "kept by the ConfigMap's keep", None, None, 5),
                    ImageRule("images[1]", "nginx", "keep", "kept by the ConfigMap's keep", None, None, 5),
                )
            ),
        ),
        ("policy: |\n  pin: {style: digest}\n  onError: warn\n", Policy(pin=Pin(style="digest"), on_error="warn")),
        ("policy: ''", Policy()),
    ],
)
def test_the_flat_form(data, expected):
    policy = from_function_config(configmap(data), "")
    assert policy._replace(written=(), file="") == expected


def test_a_config_map_with_null_data_is_the_default():
    assert from_function_config("apiVersion: v1\nkind: ConfigMap\ndata: null\n", "")._replace(written=()) == Policy()


@pytest.mark.parametrize(
    ("data", "line", "parts"),
    [
        ("mirorrs: a.io=b.io", 5, ["data.mirorrs", "did you mean 'mirrors'"]),
        ("lock: x", 5, ["data.lock", "not supported by this version"]),
        ("image: foo", 5, ["data.image", "unknown key"]),
        ("platform: linux", 5, ["data.platform", "is not a platform"]),
        ("mode: x\nstyle: y", 5, ["data.mode", "one of transform, validate"]),
        ("onError: ignore", 5, ["data.onError", "one of fail, warn"]),
        ("offline: maybe", 5, ["data.offline", "true or false"]),
        ("mirrors: docker.io", 5, ["data.mirrors", "write source=location"]),
        ("mirrors: =b.io", 5, ["data.mirrors", "write source=location"]),
        ("mirrors: a.io=", 5, ["data.mirrors", "write source=location"]),
        ("mirrors: a.io=hub", 5, ["data.mirrors[0].locations[0].to", "names no host"]),
        ("mirrors: |\n  a.io=b.io\n  a.io=c.io", 5, ["is the source of mirrors[0]", "too"]),
        ("keep: nginx:1", 5, ["data.keep[0].match", "take the tag out"]),
        ("style: [a]", 5, ["data.style", "must be a text"]),
        ("style:", 5, ["data.style", "must be a text"]),
        ("policy: |\n  pin: {}\nstyle: tag", 5, ["data.policy", "move style into it"]),
    ],
)
def test_the_flat_form_refused(data, line, parts):
    with pytest.raises(PolicyError) as caught:
        from_function_config(configmap(data), "functionConfig")
    assert [part for part in parts if part not in str(caught.value)] == []
    assert (caught.value.file, caught.value.line) == ("functionConfig", line)


def test_a_whole_spec_in_a_config_map_has_lines_of_its_own():
    with pytest.raises(PolicyError) as caught:
        from_function_config(configmap("policy: |\n  pin:\n    style: digst\n"), "functionConfig")
    assert str(caught.value).startswith("functionConfig:data.policy:2:10: data.policy.pin.style: must be one of")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("apiVersion: v1\nkind: Secret\n", "kind is Secret; a policy is of kind ImageTransformer or a ConfigMap"),
        ("apiVersion: v2\nkind: ConfigMap\n", "apiVersion v1"),
        ("apiVersion: v1\nkind: ConfigMap\nbinaryData: {}\n", "unknown key 'binaryData'"),
        ("apiVersion: v1\nkind: ConfigMap\ndata: []\n", "must be a mapping of texts"),
        ("apiVersion: pindown.dev/v1beta1\nkind: ImageTransformer\n", "apiVersion is pindown.dev/v1beta1"),
        ("- a\n", "not a list"),
    ],
)
def test_an_unknown_function_config(text, part):
    with pytest.raises(PolicyError) as caught:
        from_function_config(text, "functionConfig")
    assert part in str(caught.value)


# ---- the short road


@pytest.mark.parametrize("read", [load, from_function_config])
@pytest.mark.parametrize("text", [HEAD, EVERYTHING, spec("variables: {a: yes, b: 010, c: 1.50, d: on}")])
def test_the_short_road_means_the_same(text, read):
    memory = Remembers()
    first = read(text, "p.yaml", seen=memory)
    assert (len(memory.digests), memory.hits) == (1, 0)
    assert read(text, "p.yaml", seen=memory) == first
    assert memory.hits == 1


def test_a_config_map_takes_the_short_road_too():
    memory = Remembers()
    text = configmap("mirrors: docker.io=harbor.example.com/hub\nplatform: linux/amd64")
    assert from_function_config(text, "f", seen=memory) == from_function_config(text, "f", seen=memory)
    assert memory.hits == 1


def test_what_is_wrong_is_not_remembered():
    memory = Remembers()
    with pytest.raises(PolicyError):
        load(spec("pin: {style: x}"), "p.yaml", seen=memory)
    assert memory.digests == set()


@pytest.mark.parametrize(
    "text", [spec("pni: 1"), spec("pin: x"), spec("images: {a: b}"), spec("mirrors: [x]"), "[]", "{"]
)
def test_a_memory_that_lies_changes_no_verdict(text):
    class Liar:
        def seen(self, digest: str) -> bool:
            return True

        def remember(self, digest: str) -> None:
            raise AssertionError("nothing here is valid")

    try:
        policy = load(text, "p.yaml", seen=Liar())
    except PolicyError:
        return
    assert policy._replace(written=()) == Policy(file="p.yaml")  # at worst a key is not seen; it never means something


def test_the_short_road_imports_neither_ruamel_nor_jsonschema():
    code = (
        "import sys\n"
        "from transformer.policy.load import load\n"
        "class Seen:\n"
        "    seen = lambda self, digest: True\n"
        "    remember = lambda self, digest: None\n"
        "print(load(sys.argv[1], 'p', seen=Seen()).pin.style)\n"
        "print([m for m in ('ruamel', 'ruamel.yaml', 'jsonschema', 'urllib3', 'dataclasses') if m in sys.modules])\n"
    )
    command = [sys.executable, "-c", code, spec("pin: {style: digest}")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines() == ["digest", "[]"]


def test_the_memory_is_of_this_version_and_this_schema(monkeypatch):
    memory = Remembers()
    load(HEAD, "p.yaml", seen=memory)
    monkeypatch.setattr("transformer.__version__", "9.9.9")
    load(HEAD, "p.yaml", seen=memory)
    monkeypatch.setattr("transformer.policy.load.schema_text", lambda: schema_text() + " ")
    load(HEAD, "p.yaml", seen=memory)
    assert (len(memory.digests), memory.hits) == (3, 0)


@pytest.mark.parametrize(
    "path",
    [
        "image",
        "spec.runners[].image",
        "a[][]",
        '["a.b/c"]',
        '["a.b/c"].image',
        'spec["a.b/c"].image',
        'spec["a.b/c"]["d.e"][]',
        'spec.["a.b/c"][].image',
        'metadata.annotations["example.com/image"]',
        'spec["with [brackets] and {braces}"].x',
    ],
)
def test_paths_of_fields(path):
    (field,) = load(spec(f"fields:\n- kind: X\n  path: '{path}'"), "p.yaml").fields
    assert field.path == path and parse_path(field.path)
