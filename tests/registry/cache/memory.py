"""A store in memory and a stage around it, for tests of what is made of stored texts."""

from __future__ import annotations

from tests.registry.faults import reference
from transformer.policy.questions import Refusal
from transformer.registry.cache.entries import decode
from transformer.registry.cache.lookups import Cached, Freshness
from transformer.registry.cache.places import Places, Wish
from transformer.registry.client import Descriptor
from transformer.registry.deadline import Run
from transformer.registry.hosts import Hosts
from transformer.registry.keychain import Credential, Keychain
from transformer.registry.verdicts import Refused

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
INDEX = "application/vnd.oci.image.index.v1+json"


class Memory:
    """A Store: a dict, and who has claimed what."""

    def __init__(self):
        self.texts, self.kept, self.notes = {}, {}, []
        self.claimed, self.released, self.closed = set(), [], 0
        #: Called at each claim that fails and each look; may store an answer as another process would.
        self.meanwhile = lambda: None

    def read(self, keys):
        self.meanwhile()
        return {key: self.texts[key] for key in keys if key in self.texts}

    def write(self, texts, keep):
        self.texts |= texts
        self.kept |= dict.fromkeys(texts, keep)

    def claim(self, key):
        if key in self.claimed:
            return False
        self.claimed.add(key)
        return True

    def release(self, key, answered):
        self.claimed.discard(key)
        self.released.append((key.split("\0")[3], answered))

    def tick(self):
        pass

    def close(self):
        self.closed += 1


class Login:
    """A Source that lies in a file."""

    deferred = False

    def __init__(self, user):
        self.user = user

    def about(self, wanted):
        return "a login"

    def resolve(self, wanted):
        return [Credential("a login", self.user, "open sesame")]


class Stage:
    """One store, a clock, and runs that look things up; `asked` counts what reached the registry."""

    def __init__(self):
        self.store, self.now, self.asked = Memory(), 1_000_000.0, 0

    def lookups(self, user=None, asks=True, **freshness):
        chain = Keychain([Login(user)] if user else [])
        places = Places(Hosts(), chain)
        clock = lambda: self.now  # noqa: E731
        return Cached(self.store, places, Freshness(**freshness), asks=asks, now=clock, clock=clock)

    def run(self, timeout=None):
        def sleep(seconds):
            self.now += seconds

        return Run(timeout, lambda: self.now, sleep)

    def find(self, answer, text="registry.test/app:1", *, platform=None, aging=True, lookups=None, run=None, **more):
        """What is found where the registry would say `answer`: a digest, a Descriptor or a rule of a refusal."""

        def ask():
            self.asked += 1
            if isinstance(answer, Descriptor):
                return answer
            if answer.startswith("sha256:"):
                return Descriptor(answer, INDEX, 7)
            raise Refused(Refusal(answer, f"{text}: {answer}", "look"), 404 if answer == "not-found" else 0)

        wish = Wish(reference(text), platform, "ambient", aging)
        return (lookups or self.lookups(**more)).find(wish, ask, run or self.run())

    def entries(self):
        """What is stored, by selector and identity (`anonymous` or `own`)."""
        found = {}
        for key, text in self.store.texts.items():
            parts = key.split("\0")
            found[parts[3][:15] + (f" {parts[4]}" if parts[4] else ""), parts[5][:9]] = decode(text)
        return found
