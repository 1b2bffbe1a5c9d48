"""What each rule of docs/findings.md is about, as the title of an alert. Knows nothing of how bad it is."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "denied": "The policy forbids this image",
    "digest-mismatch": "The bytes are not what the digest says",
    "drift": "The tag means another image than the lock says",
    "duplicate-key": "A key stands twice in one mapping",
    "embedded": "There may be images where pindown does not look",
    "invalid-reference": "This is no image reference",
    "lock-missing": "The lock has no entry for this image",
    "lock-stale": "The lock's entry no longer fits the policy",
    "mirror-collision": "Two sources share a name at a mirror",
    "mirror-differs": "The mirror has another image than the source",
    "mirror-missing": "The mirror does not have this image",
    "no-permission": "The registry refuses access to this image",
    "not-a-registry": "Something else than a registry answers there",
    "not-found": "The registry does not have this image",
    "offline": "The registry would have to be asked, and the run is offline",
    "platform-missing": "There is no image for the platform",
    "pull-secret-conflict": "A pull secret cannot work here, or hides others",
    "pull-secret-missing": "A pull secret is not there",
    "rate-limited": "The registry answers no more requests for now",
    "registry-error": "The registry is at fault",
    "schema1": "The image has a withdrawn format",
    "templated": "A placeholder was not filled in",
    "timeout": "The registry did not answer in time",
    "tls": "There is no trusted connection to the registry",
    "unpinned": "This image is not pinned to a digest",
    "unreachable": "There is no connection to the registry",
    "unreadable": "The text cannot be read",
}
