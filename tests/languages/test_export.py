"""Our mirrors in other languages: what is left out is said, and what is written reads back as the same mirrors."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transformer.errors import PolicyError
from transformer.languages.export import FORMATS, Exported, export
from transformer.languages.model import Imported, Text
from transformer.languages.read import read
from transformer.policy.model import ImageRule, Location, Mirror, Policy, RegistryRule

TOML = ("registries.conf", "hosts.toml")
SETS = ("idms", "itms")
WHENS = ("digest", "tag")


def at(to: str, **words) -> Location:
    return Location("here", to, 3, **words)


def mirror(source: str, *locations: Location | str, **words) -> Mirror:
    places = tuple(at(one) if isinstance(one, str) else one for one in locations)
    return Mirror("mirrors[0]", source, places, line=2, **words)


def policy(*mirrors: Mirror, **words) -> Policy:
    named = (one._replace(name=f"mirrors[{index}]") for index, one in enumerate(mirrors))
    return Policy(mirrors=tuple(named), file="pindown.yaml", **words)


def again(exported: Exported) -> Imported:
    return read([Text(name, text) for name, text in exported.files])


def told(imported: Imported | Policy) -> set[object]:
    """What counts of each mirror."""
    return {
        (one.source, tuple((to.to, to.when, to.rewrite) for to in one.locations), one.fallback, one.resolve_at)
        for one in imported.mirrors
    }


def asked(imported: Imported | Policy) -> dict[str, object]:
    """What counts where digests and tags have orders of their own: the locations for each, one by one."""
    return {
        one.source: (one.fallback, [[to.to for to in one.locations if to.when in ("all", pulls)] for pulls in WHENS])
        for one in imported.mirrors
    }


def whys(exported: Exported) -> str:
    return "\n".join(note.why for note in exported.notes)


def text(exported: Exported) -> str:
    return "".join(one for _, one in exported.files)


def test_no_other_format():
    with pytest.raises(PolicyError, match="there is no format 'talos'; there is registries.conf"):
        export(policy(), "talos")


@pytest.mark.parametrize("to", FORMATS)
def test_a_variable_without_a_value_is_refused(to):
    with pytest.raises(PolicyError, match="'region' has no value"):
        export(policy(mirror("docker.io", "{region}.m.test")), to)


@pytest.mark.parametrize("to", FORMATS)
def test_a_policy_without_mirrors_is_a_file_without_mirrors(to):
    exported = export(policy(), to)
    assert exported.notes == ()
    assert [name for name, _ in exported.files] == ([] if to == "hosts.toml" else [to if "." in to else f"{to}.yaml"])


LEFT_OUT = [
    ("registries.conf", mirror("*", "m.test"), "without a port"),
    ("registries.conf", mirror("*.x.test:5000", "m.test"), "without a port"),
    ("registries.conf", mirror("a.test", at("m.test", rewrite=(("^a", "b"),))), "rewrites paths"),
    ("registries.conf", mirror("a.test", "m.test/{registry}/{repository}"), "is a template"),
    ("registries.conf", mirror("a.test", "m.test/{name}"), "is a template"),
    ("registries.conf", mirror("a.test", "m.test/{repository}:{tag}-x"), "is a template"),
    ("hosts.toml", mirror("*.x.test", "m.test"), "knows registries only"),
    ("hosts.toml", mirror("a.test/b", "m.test"), "knows registries only"),
    ("hosts.toml", mirror("a.test", at("m.test", rewrite=(("^a", "b"),))), "rewrites paths"),
    ("hosts.toml", mirror("*", "m.test/{registry}"), "is a template"),
    ("registries.yaml", mirror("*.x.test", "m.test"), "knows registries only"),
    ("registries.yaml", mirror("a.test/b", "m.test"), "knows registries only"),
    ("registries.yaml", mirror("*", "m.test/{registry}/{repository}"), "is a template"),
    ("idms", mirror("*", "m.test"), "without a port"),
    ("idms", mirror("a.test", at("m.test", when="tag")), "no location for digests"),
    ("idms", mirror("a.test", "a.test", fallback="source"), "no location for digests"),
    ("idms", mirror("a.test", at("m.test", rewrite=(("^a", "b"),))), "rewrites paths"),
    ("itms", mirror("a.test", at("m.test", when="digest")), "no location for tags"),
    ("itms", mirror("*.x.test:5000", "m.test"), "without a port"),
]


@pytest.mark.parametrize(("to", "one", "words"), LEFT_OUT)
def test_what_cannot_be_said_at_all_is_left_out_with_a_note_and_a_comment(to, one, words):
    exported = export(policy(one, mirror("said.test", "n.test")), to)
    assert [mirror.source for mirror in again(exported).mirrors] == ["said.test"]
    assert words in whys(exported)
    notes = [note for note in exported.notes if f"the mirror of {one.source} is left out" in note.why]
    assert [(note.file, note.line, note.key) for note in notes] == [("pindown.yaml", 2, "mirrors[0]")]
    assert f"# left out: mirrors[0] ({one.source}): " in text(exported)


SAID_ONLY_HERE = [
    ("registries.conf", mirror("a.test", at("m.test", pull_secret="s")), "`pullSecret`"),
    ("registries.conf", mirror("a.test", at("m.test", warm=True)), "`warm`"),
    ("registries.conf", mirror("a.test", "m.test", write="source"), "`write: source`"),
    ("registries.conf", mirror("a.test", "m.test", verify="none"), "`verify: none`"),
    ("registries.conf", mirror("a.test", "m.test", resolve_at="mirror", fallback="source"), "`resolveAt: mirror`"),
    ("registries.conf", mirror("a.test", at("m.test", when="tag"), resolve_at="mirror"), "`resolveAt: mirror`"),
    ("registries.conf", mirror("a.test", "a.test/cache"), "`fallback: fail` is not said"),
    ("hosts.toml", mirror("a.test", "m.test", resolve_at="mirror"), "`resolveAt: mirror`"),
    ("hosts.toml", mirror("a.test", at("m.test", when="tag")), "`when: tag`"),
    ("hosts.toml", mirror("a.test", at("m.test/{name}"), "m.test"), "is a template"),
    ("registries.yaml", mirror("a.test", "m.test"), "--disable-default-registry-endpoint"),
    ("registries.yaml", mirror("a.test", at("m.test", when="digest"), fallback="source"), "`when: digest`"),
    (
        "registries.yaml",
        mirror("a.test", at("m.test", rewrite=(("a", "b"),)), at("n.test", rewrite=(("a", "c"),)), fallback="source"),
        "one for all; the location is left out",
    ),
    (
        "registries.yaml",
        mirror("a.test", at("m.test", rewrite=(("a", "b"), ("c", "d"))), fallback="source"),
        "any that matches",
    ),
    ("idms", mirror("a.test", "m.test"), "is for digests alone; export itms too"),
    ("itms", mirror("a.test", "m.test"), "is for tags alone; export idms too"),
    ("idms", mirror("a.test", at("m.test", when="tag"), at("n.test", when="digest")), "is for tags, which"),
    (
        "idms",
        mirror("a.test", at("m.test", when="digest", pull_secret="s"), verify="exists"),
        "`verify: exists`, `pullSecret`",
    ),
]


@pytest.mark.parametrize(("to", "one", "words"), SAID_ONLY_HERE)
def test_what_has_no_word_there_is_noted(to, one, words):
    exported = export(policy(one), to)
    assert len(exported.notes) == 1
    assert words in whys(exported)
    assert "left out:" not in text(exported)
    assert [mirror.source for mirror in again(exported).mirrors] == [one.source]


@pytest.mark.parametrize("to", TOML)
def test_what_can_be_said_is_not_noted(to):
    one = mirror("a.test", at("m.test/x", when="digest"), "n.test", fallback="source")
    assert export(policy(one), to).notes == ()


@pytest.mark.parametrize("to", FORMATS)
def test_denials_are_noted_and_not_exported(to):
    exported = export(policy(images=(ImageRule("images[0]", "a.test", "deny", "no"),)), to)
    assert [(note.key, "not exported" in note.why) for note in exported.notes] == [("images", True)]


def test_a_mirror_of_another_file_is_noted_there():
    one = mirror("*", "m.test", file="idms.yaml")
    assert [note.file for note in export(policy(one), "registries.conf").notes] == ["idms.yaml"]


def test_nothing_of_the_policy_breaks_a_comment():
    exported = export(policy(mirror("a.test/\nfoo = 1\x1b", "m.test"), mirror("b.test", "m.test")), "hosts.toml")
    assert "\nfoo" not in text(exported)
    assert "\x1b" not in text(exported)


REGISTRIES_CONF = """\
# Written by `pindown mirrors export`: change the policy, and export again.

[[registry]]
prefix = "docker.io"
location = "docker.io"

[[registry.mirror]]
location = "eu.m.test/hub"
pull-from-mirror = "digest-only"

[[registry.mirror]]
location = "n.test:5000"
insecure = true

[[registry]]
prefix = "*.x.test"
blocked = true

[[registry.mirror]]
location = "m.test/x"
"""

HUB_TOML = """\
# docker.io/hosts.toml
# Written by `pindown mirrors export`: change the policy, and export again.
# left out: mirrors[1] (*.x.test): hosts.toml knows registries only, no prefixes and no *.example.com
server = "https://registry-1.docker.io"

[host."https://eu.m.test/v2/hub"]
capabilities = [
    "pull",
]
override_path = true

[host."http://n.test:5000"]
capabilities = [
    "pull",
    "resolve",
]

"""

STORY = policy(
    mirror("docker.io", at("{region}.m.test/hub", when="digest"), "n.test:5000", fallback="source"),
    mirror("*.x.test", "m.test/{repository}".replace("{repository}", "x")),
    variables=(("region", "eu"),),
    registries=(RegistryRule("n.test:5000", insecure=True),),
)


def test_what_is_written():
    assert text(export(STORY, "registries.conf")) == REGISTRIES_CONF
    assert export(STORY, "hosts.toml").files == (("docker.io/hosts.toml", HUB_TOML),)


def test_registries_yaml_and_the_sets_are_plain_yaml():
    rewritten = mirror("docker.io", at("m.test/hub", rewrite=(("^library/(.*)$", "$1"),)), fallback="source")
    data = yaml.safe_load(text(export(policy(rewritten), "registries.yaml")))
    entry = {"endpoint": ["https://m.test/v2/hub"], "rewrite": {"^library/(.*)$": "$1"}}
    assert data == {"mirrors": {"docker.io": entry}}
    data = yaml.safe_load(text(export(policy(mirror("a.test/b", "m.test/c")), "itms")))
    assert (data["apiVersion"], data["kind"]) == ("config.openshift.io/v1", "ImageTagMirrorSet")
    wanted = {"mirrors": ["m.test/c"], "source": "a.test/b", "mirrorSourcePolicy": "NeverContactSource"}
    assert data["spec"] == {"imageTagMirrors": [wanted]}


@pytest.mark.parametrize(
    ("source", "folder"),
    [("docker.io", "docker.io"), ("x.test:5000", "x.test_5000_"), ("*", "_default"), ("localhost", "localhost")],
)
def test_the_folders_of_hosts_toml(source, folder):
    ((name, content),) = export(policy(mirror(source, "m.test")), "hosts.toml").files
    assert name == f"{folder}/hosts.toml"
    assert content.startswith(f"# {folder}/hosts.toml\n")


def test_fallback_fail_makes_the_last_location_the_server():
    one = mirror("a.test", "m.test/x", at("n.test/y", when="digest"))
    data = tomllib.loads(text(export(policy(one), "hosts.toml")))
    assert (data["server"], data["capabilities"], data["override_path"]) == ("https://n.test/v2/y", ["pull"], True)
    assert list(data["host"]) == ["https://m.test/v2/x"]


@pytest.mark.parametrize("to", ["hosts.toml", "registries.yaml"])
def test_an_address_stands_once_for_all_that_it_is_for(to):
    one = mirror("a.test", at("m.test", when="digest"), at("m.test", when="tag"), fallback="source")
    assert told(again(export(policy(one), to))) == {("a.test", (("m.test", "all", ()),), "source", "source")}


@pytest.mark.parametrize("to", ["registries.conf", "hosts.toml"])
def test_the_source_as_the_last_location_is_the_fallback(to):
    exported = export(policy(mirror("a.test", "m.test", "a.test")), to)
    assert told(again(exported)) == {("a.test", (("m.test", "all", ()),), "source", "source")}


@pytest.mark.parametrize(
    ("source", "to", "prefix"),
    [("docker.io", "m.test/hub/{repository}", "m.test/hub"), ("a.test/b", "m.test/{repository}", "m.test/b")],
)
def test_a_template_that_is_a_prefix_is_said(source, to, prefix):
    exported = export(policy(mirror(source, to, fallback="source")), "registries.conf")
    assert told(again(exported)) == {(source, ((prefix, "all", ()),), "source", "source")}


@pytest.mark.parametrize("to", ["hosts.toml", "registries.conf"])
def test_a_source_that_stays_keeps_its_own_table(to):
    stays = mirror("docker.io/library" if to == "registries.conf" else "quay.io", "x")
    stays = stays._replace(locations=(at(stays.source),), write="source", verify="none", fallback="source")
    wide = mirror("docker.io" if to == "registries.conf" else "*", "m.test/hub", fallback="source")
    imported = again(export(policy(wide, stays), to))
    kept = {one.source: one for one in imported.mirrors}[stays.source]
    assert (kept.write, kept.verify, [one.to for one in kept.locations]) == ("source", "none", [stays.source])


def test_a_block_never_covers_a_location():
    """docker.io falls back to nothing, but its cache lies under another source that does so too."""
    mirrors = (mirror("docker.io", "a.test/hub"), mirror("a.test", "m.test"), mirror("m.test/deep", "z.test"))
    exported = export(policy(*mirrors), "registries.conf")
    blocked = re.findall(r'prefix = "(\S+)"\nlocation = "\S+"\nblocked', text(exported))
    assert blocked == ["docker.io"]
    assert [note.key for note in exported.notes] == ["mirrors[1]", "mirrors[2]"]
    imported = again(exported)
    assert {one.source: [to.to for to in one.locations] for one in imported.mirrors} == {
        one.source: [to.to for to in one.locations] for one in mirrors[:2]
    }
    (dead,) = [note for note in imported.notes if "would never apply" in note.why]
    assert dead.file == "registries.conf" and "m.test/deep lies under m.test" in dead.why


@pytest.mark.parametrize("to", ["registries.conf", "hosts.toml", "registries.yaml"])
@pytest.mark.parametrize(("host", "plain"), [("m.test", False), ("m.test:5000", True), ("localhost:5000", True)])
def test_plain_hosts_stay_plain(to, host, plain):
    rules = (RegistryRule("M.test:5000", insecure=True), RegistryRule("m.test", ca_bundle="ca.pem"))
    exported = export(policy(mirror("a.test", f"{host}/x", fallback="source"), registries=rules), to)
    assert [rule.host for rule in again(exported).registries] == ([host] if plain else [])


@pytest.mark.parametrize("to", SETS)
def test_plain_hosts_are_noted_where_there_is_no_word(to):
    rules = (RegistryRule("m.test", insecure=True),)
    assert "insecureRegistries" in whys(export(policy(mirror("a.test", "m.test/x"), registries=rules), to))


# Round trips.

SOURCE_HOSTS = ("docker.io", "quay.io", "a.test", "b.test:5000", "localhost:5000")
PATHS = ("", "/a", "/library", "/a/b-c", "/v2", "/x/v2")
PREFIXES = tuple(
    f"{host}{path}"
    for host in (*SOURCE_HOSTS, "*.x.test", "*.y.x.test")
    for path in PATHS
    if "*" not in host or not path
)
#: None of them is, or lies in, a source: what then may be blocked is told above.
TO = st.builds(
    str.__add__, st.sampled_from(("m.test", "n.test:8443", "127.0.0.1:5000", "o.test")), st.sampled_from(PATHS)
)
WHEN = st.sampled_from(("all", "digest", "tag"))
FALLBACK = st.sampled_from(("fail", "source"))
REWRITE = st.sampled_from(((), (("^library/(.*)$", "$1"),), (("a", "b${0}"), ("x: '#y", "z/$0"))))
NONE, AT_SOURCE = st.just(()), st.just("source")
INSECURE = st.sets(st.sampled_from(("m.test", "n.test:8443", "a.test"))).map(
    lambda hosts: tuple(RegistryRule(host, insecure=True) for host in sorted(hosts))
)


def policies(sources, when=WHEN, fallback=FALLBACK, rewrite=NONE, resolve_at=AT_SOURCE, unique=False):
    """Policies with each source once. `unique`: no address twice in a mirror."""
    location = st.builds(lambda to, when: Location("l", to, 0, (), when), TO, when)
    key = (lambda one: one.to) if unique else (lambda one: (one.to, one.when))
    one = st.builds(
        lambda source, places, falls, rules, asked: Mirror(
            "m", source, tuple(place._replace(rewrite=rules) for place in places), asked, fallback=falls
        ),
        st.sampled_from(sources),
        st.lists(location, min_size=1, max_size=3, unique_by=key),
        fallback,
        rewrite,
        resolve_at,
    )
    mirrors = st.lists(one, max_size=4, unique_by=lambda found: found.source)
    return st.builds(lambda found, rules: policy(*found, registries=rules), mirrors, INSECURE)


@given(policies(PREFIXES))
def test_round_trip_of_registries_conf(given_policy):
    exported = export(given_policy, "registries.conf")
    assert told(again(exported)) == told(given_policy)
    assert exported.notes == ()


@given(policies(PREFIXES, when=st.just("all"), fallback=st.just("fail"), resolve_at=st.just("mirror")))
def test_round_trip_of_remaps(given_policy):
    assert told(again(export(given_policy, "registries.conf"))) == told(given_policy)


@given(policies((*SOURCE_HOSTS, "*"), when=st.sampled_from(("all", "digest")), unique=True))
def test_round_trip_of_hosts_toml(given_policy):
    exported = export(given_policy, "hosts.toml")
    assert told(again(exported)) == told(given_policy)
    assert exported.notes == ()
    if exported.files:  # all of them in one text, as they are printed
        assert told(read([Text("-", text(exported))])) == told(given_policy)


@given(policies((*SOURCE_HOSTS, "*"), st.just("all"), st.just("source"), REWRITE, unique=True))
def test_round_trip_of_registries_yaml(given_policy):
    assert told(again(export(given_policy, "registries.yaml"))) == told(given_policy)


@given(policies(PREFIXES, unique=True))
def test_round_trip_of_both_mirror_sets(given_policy):
    files = [file for to in SETS for file in export(given_policy, to).files]
    assert asked(read([Text(name, one) for name, one in files])) == asked(given_policy)
