"""Facts about a site that its text or its surroundings tell: patterns, placeholders of injectors, lines that another tool owns."""

from __future__ import annotations

import re

from transformer.kube.survey import Site

#: Groups whose objects hold patterns of images where others hold images.
_POLICY_ENGINES = re.compile(r"(?:.*\.)?(?:kyverno\.io|gatekeeper\.sh|policy\.sigstore\.dev)/")
_CORE = re.compile(r"(?:(?:apps|batch)/)?v1")
_PATTERN = re.compile(r"[*?|!<>]|\s")
#: What other tools write on a line, or on the line above, that they rewrite themselves.
_OWNER = re.compile(r'#.*?(\{\s*"\$imagepolicy"|renovate:|x-release-please-version)')
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
    """The tool that rewrites this line by itself, by its comment there (or a Renovate comment above), else None."""
    text, offset = site.file.text, site.offset
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    match = _OWNER.search(text, start, end if end >= 0 else len(text))
    if match is None and start > 0:
        above = text.rfind("\n", 0, start - 1) + 1
        line = text[above : start - 1].strip()
        match = _OWNER.match(line) if line.startswith("#") else None
    return _OWNERS[match[1][0]] if match else None
