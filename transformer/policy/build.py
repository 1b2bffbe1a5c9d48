"""Plain data of the right shape to a `Policy`: defaults filled in, and everything judged that a schema cannot say.

The shape (types, known keys, enumerations) has been checked by `complaints`; here it is relied upon.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from transformer.errors import PolicyError
from transformer.images.platform import parse as parse_platform
from transformer.images.reference import ReferenceError, parse, shorten
from transformer.policy.locations import PLACEHOLDERS, check_written, target_of, variables_of
from transformer.policy.mirrors import check_source, normalise_source
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
from transformer.policy.ownership import GUARDED
from transformer.policy.patterns import compile_pattern
from transformer.policy.questions import HostCredential
from transformer.policy.reading import Path, Tree, dotted
from transformer.policy.rewriting import compile_rewriting
from transformer.policy.variables import check_value

_REALM_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?", re.ASCII)
_KEY = r'(?:[^.\[\]{}\s"]+|\["[^"]+"\])(?:\[\])*'
_FIELD = re.compile(rf'{_KEY}(?:(?:\.|(?=\[")){_KEY})*')


def build(tree: Tree) -> Policy:
    """The policy that a document of kind ImageTransformer states; raises PolicyError with the place."""
    return _Builder(tree).policy()


class _Builder:
    def __init__(self, tree: Tree) -> None:
        self.tree, self.file = tree, tree.file
        self.spec: dict[str, Any] = tree.data.get("spec") or {}

    def policy(self) -> Policy:
        spec = self.spec
        policy = Policy(
            pin=self._pin(),
            images=tuple(self._image(index, entry) for index, entry in enumerate(spec.get("images", ()))),
            mirrors=self._mirrors(),
            variables=self._variables(),
            matrix=self._matrix(),
            mirrors_from=tuple(self._mirror_source(*one) for one in enumerate(spec.get("mirrorsFrom", ()))),
            pull_secrets=self._pull_secrets(),
            fields=tuple(self._field(index, entry) for index, entry in enumerate(spec.get("fields", ()))),
            registries=self._registries(),
            on_error=spec.get("onError", "fail"),
            timeout=spec.get("timeout"),
            keeps=spec.get("keeps", "honour"),
            mode=spec.get("mode", "transform"),
            results=spec.get("results", "full"),
            offline=spec.get("offline", False),
            use_manifest_secrets=spec.get("useManifestSecrets", True),
            file=self.file,
            written=self._written(),
        )
        self._check_matrix(policy)
        self._check_locations(policy)
        return policy

    def _pin(self) -> Pin:
        pin = self.spec.get("pin", {})
        platform = self._platform(pin, "spec", "pin")
        digest = pin.get("digest", "index" if platform is None else "platform")
        return Pin(digest, platform, pin.get("style", "tag-and-digest"), pin.get("existing", "keep"))

    def _image(self, index: int, entry: dict[str, Any]) -> ImageRule:
        path: Path = ("spec", "images", index)
        self._judge(compile_pattern, entry["match"], *path, "match")
        return ImageRule(
            name=f"images[{index}]",
            match=entry["match"],
            action=entry.get("action", "pin"),
            reason=entry.get("reason"),
            platform=self._platform(entry, *path),
            style=entry.get("style"),
            line=self._line(*path, "match"),
        )

    def _mirrors(self) -> tuple[Mirror, ...]:
        seen: dict[str, int] = {}
        result = []
        for index, entry in enumerate(self.spec.get("mirrors", ())):
            path: Path = ("spec", "mirrors", index)
            self._judge(check_source, entry["source"], *path, "source")
            source, line = normalise_source(entry["source"]), self._line(*path, "source")
            if source in seen:
                first = f"mirrors[{seen[source]}] (line {self._line('spec', 'mirrors', seen[source], 'source')})"
                message = f"{shorten(source)} is the source of {first} too; put the locations into one list"
                self._fail(message, *path, "source")
            seen[source] = index
            result.append(
                Mirror(
                    name=f"mirrors[{index}]",
                    source=source,
                    locations=tuple(self._location(index, at, to) for at, to in enumerate(entry["locations"])),
                    resolve_at=entry.get("resolveAt", "source"),
                    write=entry.get("write", "mirror"),
                    verify=entry.get("verify", "same-digest"),
                    fallback=entry.get("fallback", "fail"),
                    line=line,
                )
            )
        return tuple(result)

    def _location(self, mirror: int, index: int, entry: dict[str, Any]) -> Location:
        path: Path = ("spec", "mirrors", mirror, "locations", index)
        self._judge(check_written, entry["to"], *path, "to")
        rules = tuple(entry.get("rewrite", {}).items())
        for rule in rules:
            self._judge(compile_rewriting, (rule,), *path, "rewrite", rule[0])
        self._check_name(entry.get("pullSecret"), *path, "pullSecret")
        return Location(
            f"mirrors[{mirror}].locations[{index}]",
            entry["to"],
            self._line(*path, "to"),
            rules,
            entry.get("when", "all"),
            entry.get("pullSecret"),
            entry.get("warm", False),
        )

    def _mirror_source(self, index: int, entry: dict[str, Any]) -> MirrorSource:
        path: Path = ("spec", "mirrorsFrom", index)
        self._check_file(entry.get("file"), *path, "file")
        if "manifests" in entry and "format" in entry:
            self._fail("only a file has a format; take it out", *path, "format")
        line = self._line(*path, "file" if "file" in entry else "manifests")
        return MirrorSource(
            f"mirrorsFrom[{index}]", entry.get("file"), entry.get("manifests", False), entry.get("format"), line
        )

    def _pull_secrets(self) -> PullSecrets:
        entry = self.spec.get("pullSecrets", {})
        for index, name in enumerate(entry.get("known", ())):
            self._check_name(name, "spec", "pullSecrets", "known", index)
        return PullSecrets(entry.get("inject", False), entry.get("target", "pod"), tuple(entry.get("known", ())))

    def _variables(self) -> tuple[tuple[str, str], ...]:
        result = []
        for name, value in self.spec.get("variables", {}).items():
            result.append((name, self._value(value, name, "spec", "variables", name)))
        return tuple(sorted(result))

    def _matrix(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        result = []
        for name, values in self.spec.get("matrix", {}).items():
            path: Path = ("spec", "matrix", name)
            texts = (self._value(one, name, *path, at) for at, one in enumerate(values))
            result.append((name, tuple(dict.fromkeys(texts))))
        return tuple(sorted(result))

    def _value(self, value: Any, name: str, *path: str | int) -> str:
        """A variable's value as text: the scalar as written (1.10 is no number here)."""
        if name in PLACEHOLDERS:
            self._fail(f"{{{name}}} is filled from the reference and is no name for a variable; rename it", *path)
        spot = self.tree.spot(path)
        text = value if isinstance(value, str) else spot.raw if spot and spot.raw is not None else str(value)
        self._judge(check_value, text, *path)
        return text

    def _check_matrix(self, policy: Policy) -> None:
        """A value of the policy's own that its matrix lacks: one of the two is wrong, whatever `--set` says."""
        matrix = dict(policy.matrix)
        for name, value in policy.variables:
            if name in matrix and value not in matrix[name]:
                listed = shorten(", ".join(matrix[name]))
                message = f"{shorten(value, 60)} is not in spec.matrix.{name} ({listed}); put it in, or correct it"
                self._fail(message, "spec", "variables", name)

    def _check_locations(self, policy: Policy) -> None:
        """Locations whose variables all have a value are judged now, the others when `--set` has been heard."""
        values = dict(policy.variables)
        for at, mirror in enumerate(policy.mirrors):
            for index, location in enumerate(mirror.locations):
                if all(name in values for name in variables_of(location.to)):
                    path: Path = ("spec", "mirrors", at, "locations", index, "to")
                    self._judge(lambda place: target_of(place, values), location, *path)

    def _field(self, index: int, entry: dict[str, Any]) -> FieldRule:
        path: Path = ("spec", "fields", index, "path")
        if _FIELD.fullmatch(entry["path"]) is None:
            advice = 'write keys joined by dots, [] after a list, ["a.b/c"] for a key with dots: spec.runners[].image'
            self._fail(f"{shorten(entry['path'])} is no field path; {advice}", *path)
        return FieldRule(entry.get("group"), entry["kind"], entry["path"], self._line(*path))

    def _registries(self) -> tuple[RegistryRule, ...]:
        result: dict[str, RegistryRule] = {}
        for index, entry in enumerate(self.spec.get("registries", ())):
            path: Path = ("spec", "registries", index, "host")
            host = self._judge(_registry_host, entry["host"], *path)
            if host in result:
                self._fail(f"{host} stands twice (first in line {result[host].line}); merge the two entries", *path)
            result[host] = self._registry(host, entry, path[:-1])
        return tuple(result.values())

    def _registry(self, host: str, entry: dict[str, Any], path: Path) -> RegistryRule:
        insecure, bundle = entry.get("insecure", False), entry.get("caBundle")
        if insecure and bundle is not None:
            message = "plain http (insecure) has no certificate for caBundle to verify; take one of them out"
            self._fail(message, *path, "host")
        self._check_file(bundle, *path, "caBundle")
        realms = tuple(
            self._judge(_realm, realm, *path, "trustedRealms", index)
            for index, realm in enumerate(entry.get("trustedRealms", ()))
        )
        return RegistryRule(
            host,
            insecure,
            bundle,
            entry.get("maxConcurrency"),
            trusted_realms=realms,
            credentials=self._credentials(host, entry.get("credentials"), path),
            line=self._line(*path, "host"),
        )

    def _credentials(self, host: str, entry: dict[str, str] | None, path: Path) -> HostCredential | None:
        if entry is None:
            return None
        config, secret = entry.get("dockerConfig"), entry.get("secretFile")
        self._check_file(config, *path, "credentials", "dockerConfig")
        self._check_file(secret, *path, "credentials", "secretFile")
        return HostCredential(host, entry.get("usernameEnv"), entry.get("passwordEnv"), config, secret)

    def _check_file(self, name: str | None, *path: str | int) -> None:
        if name is not None and not name.isprintable():
            self._fail("a file name with control characters; rename the file", *path)

    def _check_name(self, name: str | None, *path: str | int) -> None:
        if name is not None and not name.isprintable():  # a schema's $ lets a newline pass at the end
            self._fail("a name with control characters", *path)

    def _platform(self, entry: dict[str, Any], *path: str | int) -> str | None:
        platform = entry.get("platform")
        return None if platform is None else str(self._judge(parse_platform, platform, *path, "platform"))

    def _written(self) -> tuple[tuple[str, int], ...]:
        keys: list[Path] = [(key,) for key in self.spec]
        keys += [("pin", key) for key in self.spec.get("pin", ())]
        for index, entry in enumerate(self.spec.get("registries", ())):
            keys += [("registries", index, key) for key in GUARDED if key in entry]
        return tuple((dotted(key), self.tree.locate(("spec", *key), key=True)[0]) for key in keys)

    def _judge(self, check: Callable[[Any], Any], value: Any, *path: str | int) -> Any:
        try:
            return check(value)
        except ValueError as error:
            self._fail(str(error), *path)

    def _line(self, *path: str | int) -> int:
        return self.tree.locate(path)[0]

    def _fail(self, message: str, *path: str | int) -> None:
        raise PolicyError(f"{self.tree.say(path)}: {message}", self.file, *self.tree.locate(path))


def _realm(text: str) -> str:
    """A token server as it is compared: host[:port], or an URL; raises ValueError for anything else."""
    scheme, separator, rest = text.rpartition("://")
    host, slash, path = rest.partition("/")
    host = host.lower()
    try:
        fine = "@" not in host and parse(f"{host}/a/b").registry == host and _REALM_PATH.fullmatch(slash + path)
    except ReferenceError:
        fine = None
    if not fine or (separator and scheme.lower() not in ("http", "https")) or (slash and not separator):
        # The text is not shown: an URL may hold a login or a token.
        raise ValueError("is not a token server; write host[:port], or the URL of its realm without a query")
    return f"{scheme.lower()}{separator}{host}{slash}{path}"


def _registry_host(text: str) -> str:
    """A registry as it is compared; raises ValueError for anything but host[:port]."""
    host = normalise_source(text)
    try:
        if "/" not in text and "@" not in text and "*" not in text and parse(f"{host}/a/b").registry == host:
            return host
    except ReferenceError:
        pass
    raise ValueError(f"{shorten(text.rpartition('@')[2])} is not a registry; write host[:port], no scheme, no path")
