"""Settings: flag over environment over policy over default, each pair shown once, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.policy.test_load import spec
from transformer.errors import EXIT_USAGE, PolicyError, UsageError
from transformer.policy import words
from transformer.policy.model import Policy
from transformer.surfaces import settings
from transformer.surfaces.settings import Settings, gather

REGION = 'mirrors: [{source: docker.io, locations: [{to: "{region}.m.test"}]}]\nvariables: {region: eu}'


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    """An empty working directory in no repository."""
    return tmp_path


def write(folder: Path, text: str, name: str = "pindown.yaml") -> str:
    (folder / name).write_text(spec(text))
    return name


def test_with_nothing_given_everything_is_the_default(cwd):
    default = Settings(Policy(), variants=((Policy(), ()),))
    for flags in ({}, {"policy": None, "set": None, "jobs": None, "timeout": None}):
        assert gather(flags, {}, cwd)._replace(cache=None) == default
    assert Settings(Policy()) == Settings(Policy(), False, None, 32, None, "text", False, 0, "auto", False)


#: (flags, environment, policy, setting, value): the nearer wins.
NEARER = [
    ({}, {}, "", "offline", False),
    ({}, {}, "offline: true", "offline", True),
    ({}, {"PINDOWN_OFFLINE": "1"}, "", "offline", True),
    ({}, {"PINDOWN_OFFLINE": "0"}, "offline: true", "offline", False),
    ({}, {"PINDOWN_OFFLINE": ""}, "offline: true", "offline", True),
    ({"offline": True}, {"PINDOWN_OFFLINE": "0"}, "", "offline", True),
    ({"offline": False}, {"PINDOWN_OFFLINE": "yes"}, "", "offline", True),
    ({}, {}, "", "timeout", 45.0),
    ({}, {}, "timeout: 7", "timeout", 7),
    ({}, {"PINDOWN_TIMEOUT": "8.5"}, "timeout: 7", "timeout", 8.5),
    ({}, {"PINDOWN_TIMEOUT": ""}, "timeout: 7", "timeout", 7),
    ({"timeout": "9"}, {"PINDOWN_TIMEOUT": "8.5"}, "timeout: 7", "timeout", 9.0),
    ({"timeout": 10}, {}, "", "timeout", 10.0),
    ({}, {}, "", "jobs", 32),
    ({"jobs": "4"}, {}, "", "jobs", 4),
    ({"jobs": 256}, {}, "", "jobs", 256),
    ({}, {"PINDOWN_REPORT": "r.json"}, "", "report", "r.json"),
    ({"report": "s.json"}, {"PINDOWN_REPORT": "r.json"}, "", "report", "s.json"),
    ({"format": "json"}, {}, "", "format", "json"),
    ({"quiet": True}, {}, "", "quiet", True),
    ({"verbose": 2}, {}, "", "verbose", 2),
    ({}, {}, "", "color", "auto"),
    ({}, {"NO_COLOR": "1"}, "", "color", "never"),
    ({}, {"NO_COLOR": ""}, "", "color", "auto"),
    ({"color": "always"}, {"NO_COLOR": "1"}, "", "color", "always"),
    ({}, {}, "", "trust", False),
    ({"trust_policy": True}, {}, "", "trust", True),
    ({}, {"PINDOWN_TRUST_POLICY": "1"}, "", "trust", True),
    ({}, {"PINDOWN_TRUST_POLICY": "0"}, "", "trust", False),
]


@pytest.mark.parametrize(("flags", "environ", "policy", "setting", "value"), NEARER)
def test_the_nearer_wins(cwd, flags, environ, policy, setting, value):
    if policy:
        write(cwd, policy)
    gathered = gather(flags, environ, cwd, default_timeout=45.0)
    assert getattr(gathered, setting) == value
    assert type(getattr(gathered, setting)) in (type(value), float)


@pytest.mark.parametrize(
    ("flags", "environ", "part"),
    [
        ({"timeout": "soon"}, {}, "--timeout: 'soon' is no timeout"),
        ({"timeout": "0"}, {}, "--timeout"),
        ({"timeout": "-1"}, {}, "--timeout"),
        ({"timeout": "nan"}, {}, "--timeout"),
        ({"timeout": "inf"}, {}, "--timeout"),
        ({"timeout": "1e9"}, {}, "at most 86400"),
        ({}, {"PINDOWN_TIMEOUT": "45s"}, "PINDOWN_TIMEOUT: '45s' is no timeout"),
        ({"jobs": "0"}, {}, "--jobs 0: write a number from 1 to 256"),
        ({"jobs": "many"}, {}, "--jobs many"),
        ({"jobs": "257"}, {}, "--jobs 257"),
        ({"jobs": "1.5"}, {}, "--jobs 1.5"),
        ({"platform": "amd64"}, {}, "--platform amd64: write OS/ARCH[/VARIANT]"),
        ({"on_error": "ignore"}, {}, "--on-error ignore: write fail or warn"),
        ({}, {"PINDOWN_OFFLINE": "maybe"}, "PINDOWN_OFFLINE: 'maybe' is neither yes nor no"),
        ({}, {"PINDOWN_TRUST_POLICY": "si"}, "PINDOWN_TRUST_POLICY"),
        ({"set": ["region"]}, {}, "--set region: write NAME=VALUE"),
        ({"set": ["=x"]}, {}, "--set =x: write NAME=VALUE"),
        ({"set": ["regoin=x"]}, {}, "uses the variable 'regoin'; it uses region"),
        ({"set": ["region=a b"]}, {}, "cannot be part of an image name"),
        ({}, {"PINDOWN_VAR_REGOIN": "x"}, "PINDOWN_VAR_REGOIN: the policy has no such variable; it uses region"),
        ({}, {"PINDOWN_OFFLINE": "\x1b[31m"}, "PINDOWN_OFFLINE"),
        ({}, {"PINDOWN_LOCKED": "1"}, "PINDOWN_LOCKED: this version has no lock; unset it, or use PINDOWN_OFFLINE=1"),
        ({}, {"PINDOWN_LOCKED": "yes", "PINDOWN_OFFLINE": "1"}, "PINDOWN_LOCKED: this version has no lock"),
        ({"offline": True}, {"PINDOWN_LOCKED": "true"}, "PINDOWN_LOCKED: this version has no lock"),
        ({}, {"PINDOWN_LOCKED": "perhaps"}, "PINDOWN_LOCKED: 'perhaps' is neither yes nor no"),
        ({"policy": "missing.yaml"}, {}, "missing.yaml: the policy cannot be read: No such file"),
        ({}, {"PINDOWN_POLICY": "missing.yaml"}, "missing.yaml: the policy cannot be read: No such file"),
    ],
)
def test_what_cannot_be_understood(cwd, flags, environ, part):
    write(cwd, REGION)
    with pytest.raises(UsageError) as caught:
        gather(flags, environ, cwd)
    assert part in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize("value", ["", "0", "no", "false", "off"])
def test_a_lock_that_is_not_wanted_is_nothing(cwd, value):
    settings = gather({}, {"PINDOWN_LOCKED": value}, cwd)
    assert settings == Settings(Policy(), variants=((Policy(), ()),), cache=settings.cache)


@pytest.mark.parametrize(
    ("flags", "environ", "region"),
    [
        ({}, {}, "eu"),
        ({}, {"PINDOWN_VAR_REGION": "us"}, "us"),
        ({}, {"PINDOWN_VAR_region": "us"}, "us"),
        ({"set": ["region=ap"]}, {"PINDOWN_VAR_REGION": "us"}, "ap"),
        ({"set": ["region=ap", "region=sa"]}, {}, "sa"),
    ],
)
def test_variables(cwd, flags, environ, region):
    write(cwd, REGION)
    assert gather(flags, environ, cwd).policy.variables == (("region", region),)


def test_the_value_of_a_variable_may_hold_an_equals_sign_only_where_names_may(cwd):
    write(cwd, REGION)
    with pytest.raises(UsageError, match="'a=b' cannot be part"):
        gather({"set": ["region=a=b"]}, {}, cwd)


def test_a_runners_variables_do_not_concern_a_policy_without_any(cwd):
    assert gather({}, {"PINDOWN_VAR_REGION": "us"}, cwd).policy == Policy()


def test_a_variable_without_a_value_is_said_before_anything_is_tried(cwd):
    write(cwd, 'mirrors: [{source: docker.io, locations: [{to: "{region}.m.test"}]}]')
    with pytest.raises(
        PolicyError, match=r"pindown.yaml:4: mirrors\[0\].locations\[0\]: the variable 'region' has no value"
    ):
        gather({}, {}, cwd)
    assert gather({"set": ["region=us"]}, {}, cwd).policy.variables == (("region", "us"),)


def test_overrides_are_in_the_policy(cwd):
    write(cwd, "pin: {style: digest}\nimages: [{match: nginx, platform: linux/s390x}]")
    policy = gather({"platform": "linux/arm64", "on_error": "warn"}, {}, cwd).policy
    assert (policy.pin.digest, policy.pin.platform, policy.pin.style) == ("platform", "linux/arm64", "digest")
    assert policy.on_error == "warn"
    assert policy.images[0].platform == "linux/s390x"  # the exception stays one


# ---- whose policy


def test_a_policy_that_is_found_is_the_repositorys(cwd):
    write(cwd, "registries: [{host: a.test, insecure: true}]")
    policy = gather({}, {}, cwd).policy
    assert (policy.file, policy.trusted) == ("pindown.yaml", False)
    assert not policy.registries[0].credentials_allowed
    assert gather({"trust_policy": True}, {}, cwd).policy.registries[0].credentials_allowed
    assert gather({}, {"PINDOWN_TRUST_POLICY": "1"}, cwd).policy.trusted


def test_a_policy_that_is_named_is_the_operators_and_no_search_is_made(cwd):
    write(cwd, "mirrors: [", "pindown.yaml")  # would be an error
    write(cwd, "registries: [{host: a.test, insecure: true}]", "op.yaml")
    policy = gather({"policy": "op.yaml"}, {"PINDOWN_POLICY": "unread.yaml"}, cwd).policy
    assert (policy.file, policy.trusted) == ("op.yaml", True)
    assert policy.registries[0].credentials_allowed


def test_beside_the_environments_policy_a_found_one_may_only_tighten(cwd):
    write(cwd, "images: [{match: nginx, action: deny, reason: no}]")
    write(cwd, "images: [{match: redis, action: keep, reason: ours}]", "op.yaml")
    policy = gather({}, {"PINDOWN_POLICY": "op.yaml"}, cwd).policy
    assert [rule.name for rule in policy.images] == ["images[0] of pindown.yaml", "images[0]"]
    write(cwd, "onError: warn")
    with pytest.raises(PolicyError, match=r"pindown.yaml:4: spec.onError: op.yaml is the operator's policy"):
        gather({}, {"PINDOWN_POLICY": "op.yaml"}, cwd)


def test_the_environment_may_name_the_very_file_that_would_be_found(cwd):
    write(cwd, "onError: warn")
    policy = gather({}, {"PINDOWN_POLICY": str(cwd / "pindown.yaml")}, cwd).policy
    assert (policy.on_error, policy.trusted) == ("warn", True)


def test_a_function_config_is_the_repositorys_and_no_search_is_made(cwd):
    write(cwd, "mirrors: [")
    policy = gather({}, {}, cwd, function_config=spec("onError: warn")).policy
    assert (policy.file, policy.on_error, policy.trusted) == ("functionConfig", "warn", False)
    policy = gather({}, {}, cwd, function_config=spec(""), function_config_file="plugin.yaml").policy
    assert policy.file == "plugin.yaml"


@pytest.mark.parametrize("named", ["flag", "environment"])
def test_a_function_config_beside_an_operators_policy(cwd, named):
    write(cwd, "onError: warn", "op.yaml")
    flags = {"policy": "op.yaml"} if named == "flag" else {}
    environ = {"PINDOWN_POLICY": "op.yaml"} if named == "environment" else {}
    policy = gather(flags, environ, cwd, function_config=spec("pin: {existing: verify}")).policy
    assert (policy.on_error, policy.pin.existing, policy.file) == ("warn", "verify", "op.yaml")
    with pytest.raises(PolicyError, match=r"functionConfig:4: spec.pin.style: op.yaml"):
        gather(flags, environ, cwd, function_config=spec("pin: {style: tag}"))


def test_an_absent_function_config_is_the_default_policy(cwd):
    for text in ("", "null", "{}"):
        assert gather({}, {}, cwd, function_config=text).policy._replace(file="") == Policy()


def test_a_function_config_may_be_a_config_map(cwd):
    text = "apiVersion: v1\nkind: ConfigMap\ndata: {mirrors: docker.io=m.test/hub}\n"
    assert gather({}, {}, cwd, function_config=text).policy.mirrors[0].source == "docker.io"


def test_a_function_config_names_files_of_the_working_directory_only(cwd):
    (cwd / "sub").mkdir()
    (cwd / "ca.pem").write_text("x")
    text = spec("registries: [{host: a.test, caBundle: ca.pem}]")
    assert gather({}, {}, cwd, function_config=text).policy.registries[0].ca_bundle == str((cwd / "ca.pem").resolve())
    with pytest.raises(PolicyError, match="leaves the tree"):
        gather({}, {}, cwd / "sub", function_config=text.replace("ca.pem", "../ca.pem"))


def test_a_found_policy_names_files_beside_itself(cwd):
    (cwd / ".git").mkdir()
    (cwd / "apps").mkdir()
    (cwd / "ca.pem").write_text("x")
    write(cwd, "registries: [{host: a.test, caBundle: ca.pem}]")
    assert gather({}, {}, cwd / "apps").policy.registries[0].ca_bundle == str((cwd / "ca.pem").resolve())


LOGIN = "registries: [{host: a.test, credentials: {usernameEnv: A, passwordEnv: B}}]"
REALMS = "registries: [{host: a.test, trustedRealms: [b.test]}]"


@pytest.mark.parametrize("text", [LOGIN, REALMS])
@pytest.mark.parametrize(
    ("door", "file"), [("found", "pindown.yaml"), ("functionConfig", "functionConfig"), ("plugin", "plugin.yaml")]
)
def test_a_repository_may_not_say_who_sees_a_credential_unless_trusted(cwd, text, door, file):
    options = {}
    if door == "found":
        write(cwd, text)
    else:
        options = {"function_config": spec(text), "function_config_file": file}
    with pytest.raises(
        PolicyError, match=rf"{file}:4: spec.registries\[0\]\.\w+: only the operator's policy"
    ) as caught:
        gather({}, {}, cwd, **options)
    assert caught.value.exit_code == EXIT_USAGE
    for flags, environ in (({"trust_policy": True}, {}), ({}, {"PINDOWN_TRUST_POLICY": "1"})):
        (rule,) = gather(flags, environ, cwd, **options).policy.registries
        assert rule.credentials is not None or rule.trusted_realms == ("b.test",)


@pytest.mark.parametrize("text", [LOGIN, REALMS])
def test_an_operator_may(cwd, text):
    write(cwd, text, "op.yaml")
    assert gather({"policy": "op.yaml"}, {}, cwd).policy.trusted
    assert gather({}, {"PINDOWN_POLICY": "op.yaml"}, cwd).policy.trusted


def test_a_config_map_that_holds_a_whole_policy_is_no_way_around(cwd):
    text = f"apiVersion: v1\nkind: ConfigMap\ndata:\n  policy: |\n    {LOGIN}\n"
    with pytest.raises(PolicyError, match="only the operator's policy"):
        gather({}, {}, cwd, function_config=text)


@pytest.mark.parametrize(("word", "expected"), [("true", True), ("FALSE", False), ("false", False)])
def test_a_config_map_may_leave_the_manifests_secrets_alone(cwd, word, expected):
    text = f"apiVersion: v1\nkind: ConfigMap\ndata: {{useManifestSecrets: '{word}'}}\n"
    assert gather({}, {}, cwd, function_config=text).policy.use_manifest_secrets is expected
    with pytest.raises(PolicyError, match="data.useManifestSecrets: must be true or false, not 'never'"):
        gather({}, {}, cwd, function_config=text.replace(word, "never"))


# ---- start-up


def loaded(cwd: Path, environ: dict[str, str]) -> list[str]:
    """The heavy modules that gathering imports."""
    code = (
        "import json, sys\n"
        "from transformer.surfaces.settings import gather\n"
        "gather({}, json.loads(sys.argv[1]), sys.argv[2])\n"
        "heavy = 'yaml ruamel.yaml jsonschema urllib3 ssl socket dataclasses inspect email difflib'.split()\n"
        "print(*[name for name in heavy if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", code, json.dumps(environ), str(cwd)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.split()


def test_without_a_policy_nothing_heavy_is_imported(cwd):
    assert loaded(cwd, {}) == []


def test_a_policy_is_checked_in_full_once(cwd):
    write(cwd, REGION)
    environ = {"XDG_CACHE_HOME": str(cwd / "cache")}
    assert {"ruamel.yaml", "jsonschema"} <= set(loaded(cwd, environ))
    assert loaded(cwd, environ) == ["yaml"]
    assert {"ruamel.yaml", "jsonschema"} <= set(loaded(cwd, {**environ, "PINDOWN_CACHE": "off"}))
    write(cwd, REGION + "\nonError: warn")
    assert {"ruamel.yaml", "jsonschema"} <= set(loaded(cwd, environ))


def test_the_schema_can_be_had_here():
    assert settings.schema_text("policy") == words.schema_text()
