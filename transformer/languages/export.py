"""A policy's mirrors in another system's language: which there are, and who writes each. Writes no file itself."""

from __future__ import annotations

from transformer.errors import PolicyError
from transformer.images.reference import shorten
from transformer.languages.outgoing import Exported
from transformer.policy.model import Policy

FORMATS = ("registries.conf", "hosts.toml", "registries.yaml", "idms", "itms")

__all__ = ["FORMATS", "Exported", "export"]


def export(policy: Policy, to: str) -> Exported:
    """The files of that format, and what they cannot say; raises PolicyError for a location without its variables."""
    match to:
        case "registries.conf":
            from transformer.languages.export_toml import registries_conf

            return registries_conf(policy)
        case "hosts.toml":
            from transformer.languages.export_toml import hosts_toml

            return hosts_toml(policy)
        case "registries.yaml":
            from transformer.languages.export_yaml import registries_yaml

            return registries_yaml(policy)
        case "idms" | "itms":
            from transformer.languages.export_yaml import mirror_set

            return mirror_set(policy, to)
        case _:
            raise PolicyError(f"there is no format {shorten(to, 60)!r}; there is {', '.join(FORMATS)}")
