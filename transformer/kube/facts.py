"""Facts about a site that its text or surroundings tell: patterns, placeholders of injectors, other tools' lines."""

from __future__ import annotations

import re

from transformer.kube.survey import Site

#: Groups whose objects hold patterns of images where others hold images.
_POLICY_ENGINES = re.compile(r"(?:.*\.)?(?:kyverno\.io|gatekeeper\.sh|policy\.sigstore\.dev)/")
_CORE = re.compile(r"(?:(?:apps|batch)/)?v1")
_PATTERN = re.compile(r"[*?|!<>\s]")
#: What other tools write on a line, or on the line above, that they rewrite themselves.
_OWNER = re.compile(r'\{\s*+"\$imagepolicy"|renovate:|x-release-please-version')
#: How far from an image its comments are looked for, in characters: minified files are one line.
_REACH = 2000
_OWNERS = {"r": "Renovate", "x": "release-please", "{": "a Flux image policy"}


def is_pattern(site: Site) -> bool:
    """Whether the text is a pattern of images (`registry.example.com/* | other/*`), which no container can run."""
    version = site.resource.api_version or ""
    if _POLICY_ENGINES.match(version):
        return _PATTERN.search(site.value) is not None or "{{" in site.value
    return _PATTERN.search(site.value) is not None and "*" in site.value and not _CORE.fullmatch(version)


def is_injected(site: Site) -> bool:
    """Whether the text is Istio's `auto`: its injector replaces the whole image."""
    return site.value == "auto"


def owner(site: Site) -> str | None:
    """The tool that rewrites this image by itself, by its comment on a line of it (or alone above it), else None."""
    owners = (_owner_at(site.file.text, scalar.start) for scalar in site.scalars if scalar is not None)
    return next((name for name in owners if name is not None), None)


def _owner_at(text: str, offset: int) -> str | None:
    end = text.find("\n", offset, offset + _REACH)
    match = _OWNER.search(text[offset : end if end >= 0 else offset + _REACH].partition("#")[2])
    start = text.rfind("\n", max(0, offset - _REACH), offset)
    if match is None and start > 0:
        above = text[max(text.rfind("\n", 0, start) + 1, start - _REACH) : start].strip()
        match = _OWNER.search(above) if above.startswith("#") else None
    return _OWNERS[match[0][0]] if match else None
