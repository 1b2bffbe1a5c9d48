"""Pull secrets of the manifests, through the doors and against a real registry with htpasswd."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import textwrap

import pytest
import yaml

from tests import registries
from tests.doors import item, pod, resource_list, results, transformer
from tests.registries import PASSWORD, USER

WRONG = "wrong-word-0815"
#: However the password may be written down.
SECRETS = [PASSWORD, json.dumps(PASSWORD)[1:-1], base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(), WRONG]


def config(host: str, password: str = PASSWORD, path: str = "") -> str:
    return json.dumps({"auths": {host + path: {"auth": base64.b64encode(f"{USER}:{password}".encode()).decode()}}})


def secret(content: str, name: str = "regcred", namespace: str | None = None, key: str = ".dockerconfigjson") -> str:
    """A Secret as kustomize writes it: base64 in a block scalar."""
    encoded = base64.b64encode(content.encode()).decode()
    rows = "".join(f"    {encoded[start : start + 70]}\n" for start in range(0, len(encoded), 70))
    where = f"  namespace: {namespace}\n" if namespace else ""
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n{where}type: kubernetes.io/{key[1:]}\n"
        f"data:\n  {key}: |\n{rows}"
    )


def deployment(image: str, name: str = "web", namespace: str | None = None, spec: str = "") -> str:
    """A Deployment; `spec` are lines of its pod's spec."""
    where = f"  namespace: {namespace}\n" if namespace else ""
    inside = "".join(f"      {line}\n" for line in spec.splitlines())
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n{where}spec:\n  template:\n    spec:\n"
        f"{inside}      containers:\n      - name: main\n        image: {image}\n"
    )


ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: %s\nimagePullSecrets:\n- name: %s\n"
USES = "imagePullSecrets:\n- name: regcred"


def stream(*texts: str) -> str:
    return "---\n".join(texts)


@pytest.fixture(scope="module")
def built(docker_registry_basic):
    digest = docker_registry_basic.push_image("pull/app", "1", registries.multi_platform("pull"))
    docker_registry_basic.push_image("pull/other", "1", registries.image("other"))
    return f"{docker_registry_basic.host}/pull/app:1", digest


@pytest.fixture
def image(built):
    return built[0]


@pytest.fixture
def host(docker_registry_basic):
    return docker_registry_basic.host


@pytest.fixture
def pinned(built):
    return "@".join(built)


def render(door, *texts, options=()):
    """One run over a stream; nothing that it says holds a password, whatever became of it."""
    ran = door("render", *options, "-", stdin=stream(*texts))
    assert [text for text in SECRETS if text in ran.err] == []
    return ran


def test_a_pod_that_names_its_secret_is_pinned(door, image, pinned, host):
    texts = deployment(image, spec=USES), secret(config(host))
    ran = render(door, *texts)
    assert (ran.code, ran.out) == (0, stream(*texts).replace(image, pinned)), ran.err


def test_the_same_image_in_a_pod_without_it_is_refused(door, image, host):
    ran = render(door, deployment(image, spec=USES), deployment(image, "bare"), secret(config(host)))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("error[no-permission]") == 1 and "Deployment/bare" in ran.err
    assert f"{image}: " in ran.err and "asked as anonymous" in ran.err


REFUSED = {
    "a Secret that is not there": (USES, []),
    "a Secret that nobody names": ("", ["regcred"]),
    "another name": ("imagePullSecrets:\n- name: other", ["regcred"]),
    "another account": ("serviceAccountName: robot", ["regcred", "account:default"]),
    "an account beside a list": ("imagePullSecrets: [{name: other}]", ["regcred", "account:default"]),
    "another path": (USES, ["path"]),
    "another namespace": (USES, ["namespace"]),
}


def parts(host, wanted):
    known = {
        "regcred": secret(config(host)),
        "path": secret(config(host, path="/elsewhere")),
        "namespace": secret(config(host), namespace="team"),
        "account:default": ACCOUNT % ("default", "regcred"),
        "account:robot": ACCOUNT % ("robot", "regcred"),
        "old": secret(json.dumps(json.loads(config(host))["auths"]), key=".dockercfg"),
        "glob": secret(config("127.*.0.1:" + host.partition(":")[2])),
    }
    return [known[name] for name in wanted]


@pytest.mark.parametrize(("spec", "wanted"), REFUSED.values(), ids=REFUSED)
def test_refused(door, image, host, spec, wanted):
    ran = render(door, deployment(image, spec=spec), *parts(host, wanted))
    assert (ran.code, ran.out) == (1, "") and "error[no-permission]" in ran.err


ACCEPTED = {
    "its account's": ("serviceAccountName: robot", ["regcred", "account:robot"]),
    "the default account's": ("", ["account:default", "regcred"]),
    "the older type": (USES, ["old"]),
    "a glob": (USES, ["glob"]),
}


@pytest.mark.parametrize(("spec", "wanted"), ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(door, image, pinned, host, spec, wanted):
    ran = render(door, *parts(host, wanted), deployment(image, spec=spec))
    assert ran.code == 0 and f"image: {pinned}\n" in ran.out, ran.err


def test_two_tenants_do_not_share_what_one_may_see(door, image, host):
    texts = [deployment(image, namespace=name, spec=USES) for name in ("right", "wrong")]
    texts += [secret(config(host), namespace="right"), secret(config(host, WRONG), namespace="wrong")]
    ran = render(door, *texts)
    assert (ran.code, ran.err.count("error[")) == (1, 1)
    assert "Deployment/web (namespace wrong)" in ran.err
    assert f"Secret wrong/regcred (key {host})" in ran.err and "Secret right/regcred" not in ran.err


def test_who_is_refused_hears_which_secret_it_was(door, image, host):
    ran = render(door, deployment(image, spec=USES), secret(config(host, WRONG)))
    assert ran.code == 1 and f"Secret regcred (key {host})" in ran.err


def test_the_policy_may_leave_them_alone(door, workdir, image, host):
    (workdir / "pindown.yaml").write_text(
        "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec: {useManifestSecrets: false}\n"
    )
    ran = render(door, deployment(image, spec=USES), secret(config(host)))
    assert (ran.code, ran.out) == (1, "") and "Secret regcred" not in ran.err


def test_a_verbose_run_tells_the_secret_and_not_its_content(door, image, host):
    ran = render(door, deployment(image, spec=USES), secret(config(host)), options=("-v", "-v"))
    assert ran.code == 0
    assert f"credential for {host}: Secret regcred (key {host}) — used" in ran.err


def test_a_secret_that_cannot_be_read_is_a_warning(door, image, pinned, host):
    broken = secret(WRONG, "broken")
    uses = "imagePullSecrets: [{name: broken}, {name: regcred}]"
    ran = render(door, deployment(image, spec=uses), broken, secret(config(host)))
    assert ran.code == 0 and pinned in ran.out
    assert ran.err.count("warning[unreadable]") == 1 and "Secret/broken" in ran.err
    assert "its content is not JSON" in ran.err


@pytest.mark.parametrize("spec", [{}, {"useManifestSecrets": True}])
def test_a_resource_list(door, image, pinned, host, spec):
    given = resource_list(secret(config(host)), deployment(image, spec=USES), config=transformer(**spec))
    ran = door(stdin=given)
    assert ran.code == 0 and pinned in ran.out, ran.err
    assert WRONG not in str(results(ran.out)) and PASSWORD not in str(results(ran.out))


def test_a_failing_resource_list_answers_what_came_and_tells_nothing_more(door, image, host):
    given = resource_list(secret(config(host, WRONG)), deployment(image, spec=USES))
    ran = door(stdin=given)
    assert ran.code == 1 and ran.out.startswith(given.partition("items:")[0])
    told = json.dumps(results(ran.out)) + ran.err
    assert "Secret regcred" in told and [text for text in SECRETS if text in told] == []


def test_a_list_of_another_kind(door, image, pinned, host):
    text = "apiVersion: v1\nkind: List\nitems:\n" + item(deployment(image, spec=USES)) + item(secret(config(host)))
    ran = render(door, text)
    assert (ran.code, ran.out) == (0, text.replace(image, pinned)), ran.err


def test_files_of_one_run_are_one_input(door, workdir, image, pinned, host):
    (workdir / "a.yaml").write_text(deployment(image, spec=USES))
    (workdir / "b.yaml").write_text(secret(config(host)))
    ran = door("render", "a.yaml", "b.yaml")
    assert ran.code == 0 and pinned in ran.out, ran.err


@pytest.mark.parametrize("outcome", ["accepted", "refused", "broken"])
@pytest.mark.parametrize("command", [["render", "-v", "-v", "-"], ["render", "--format", "json", "-"], []])
def test_no_byte_tells(run_pindown, tmp_path, image, host, outcome, command):
    """As a process, with the cache, a report and the environment that a user has."""
    content = {"accepted": config(host), "refused": config(host, WRONG), "broken": f"{WRONG} {PASSWORD}"}[outcome]
    texts = deployment(image, spec=USES), secret(content)
    encoded = "".join(texts[1].split("|\n")[1].split())
    stdin = stream(*texts) if command else resource_list(*texts)
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PINDOWN_REPORT": str(tmp_path / "report")}
    ran = run_pindown(command, stdin=stdin.encode(), env=environ, cwd=tmp_path)
    assert ran.returncode == (0 if outcome == "accepted" else 1), ran.stderr
    # The answer itself has the Secret as it came in, and in no other spelling.
    written = ran.stdout.decode().replace(texts[1], "").replace(item(texts[1]), "") + ran.stderr.decode()
    written += "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    assert [text for text in [*SECRETS, encoded] if text in written] == []
    assert written


# What it costs where it is not needed.

ABOUT = "import sys\nfrom transformer import cli\ncode = cli.main(['render', '-'])\n"


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        (pod("x/a@sha256:" + "e" * 64), []),
        (pod("x/a@sha256:" + "e" * 64) + "---\n" + secret("{}"), []),
        (pod("auto") + "---\n" + secret("{}"), []),
    ],
)
def test_nothing_of_the_chain_is_imported_where_nobody_is_asked(text, modules):
    watched = ["transformer.policy.pullsecrets", "transformer.registry.keychain", "urllib3", "ssl", "subprocess"]
    program = ABOUT + f"print(*[name for name in {watched} if name in sys.modules], file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", program], input=text, capture_output=True, text=True, timeout=30)
    assert (ran.stdout, ran.stderr.splitlines()[-1].split()) == (text, modules)


# Added to what is sent to a mirror.


def injecting(source: str, to: str, target: str = "pod") -> str:
    """A policy that sends a path of a registry to another one, where no proof is asked for."""
    location = {"to": to, "pullSecret": "hub"}
    mirror = {"source": source, "locations": [location], "verify": "none"}
    return transformer(mirrors=[mirror], pullSecrets={"inject": True, "target": target, "known": ["hub"]})


ROBOT = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: robot\nimagePullSecrets:\n- name: a\n"


@pytest.fixture
def moved(nginx):
    """The policy's source and location, and the image at the mirror."""
    host = nginx.partition("/")[0]
    return (f"{host}/library", f"{host}/copy"), nginx.replace("/library/", "/copy/")


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("ending", ["", "results: []\n"])
def test_krm_adds_to_the_pod_and_tells(door, nginx, moved, newline, ending):
    policy = injecting(*moved[0])
    sent = resource_list(deployment(nginx, spec="serviceAccountName: robot"), ROBOT, config=policy, results=ending)
    ran = door(stdin=sent.replace("\n", newline))
    assert ran.code == 0, ran.err
    (found, account) = yaml.safe_load(ran.out)["items"]
    spec = found["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "a"}, {"name": "hub"}]
    assert spec["containers"][0]["image"].startswith(moved[1] + "@sha256:")
    assert account == yaml.safe_load(ROBOT)
    one = next(one for one in results(ran.out) if one["tags"]["rule"] == "pullSecrets.inject")
    assert one["field"] == {"path": "spec.template.spec.imagePullSecrets", "proposedValue": "a, hub"}
    rows = ["        imagePullSecrets:", "        - name: a", "        - name: hub"]
    assert newline.join(rows) + newline in ran.out
    again = door(stdin=ran.out)
    assert (again.code, again.out) == (0, ran.out)


@pytest.mark.parametrize("end", ["\n", "", "\n\n", " # c\n", "\n# c\n"])
def test_krm_adds_to_an_account_at_the_very_end(door, nginx, moved, end):
    """Where `results` are added too."""
    policy = injecting(*moved[0], target="serviceAccount")
    items = item(deployment(nginx, spec="serviceAccountName: robot")) + item(ROBOT).removesuffix("\n") + end
    ran = door(stdin=f"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n{policy}items:\n{items}")
    assert ran.code == 0, ran.err
    account = yaml.safe_load(ran.out)["items"][1]
    assert account["imagePullSecrets"] == [{"name": "a"}, {"name": "hub"}]
    assert len(results(ran.out)) == 2 and door(stdin=ran.out).out == ran.out


@pytest.mark.parametrize("compact", [True, False])
def test_krm_in_json(door, nginx, moved, compact):
    account = ROBOT.replace("robot", "default")
    found = yaml.safe_load(resource_list(deployment(nginx), account, config=injecting(*moved[0])))
    found["items"][0]["metadata"]["annotations"] = {"note": "\U0001f389"}
    text = json.dumps(found, separators=(",", ":")) if compact else json.dumps(found, indent=1)
    answer = json.loads(door(stdin=text).out)
    spec = answer["items"][0]["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "a"}, {"name": "hub"}]
    assert list(spec) == ["imagePullSecrets", "containers"]


def test_a_stream_in_the_report(door, nginx, moved, workdir):
    policy = injecting(*moved[0]).removeprefix("functionConfig:\n")
    (workdir / "pindown.yaml").write_text(textwrap.dedent(policy))
    ran = door("render", "--format", "json", "-", stdin=deployment(nginx))
    (told,) = (line for line in map(json.loads, ran.err.splitlines()) if "injected" in line)
    assert (told["injected"]["pullSecrets"], told["injected"]["to"], ran.code) == (["hub"], "pod", 0)
    assert "pull-secret-conflict" in ran.err  # its account is not there
    assert "added hub" in door("render", "-v", "-", stdin=deployment(nginx)).err
    assert "added hub" not in door("render", "-", stdin=deployment(nginx)).err
