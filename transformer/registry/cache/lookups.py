"""Which remembered answer may be used, for how long, and who asks when there is none.

A lookup is one manifest request (proofs.py). The order: a fresh answer to nobody in particular, a fresh one to somebody
who shows what this run would show; else one process asks and the others wait for its answer; and when nobody answers,
an older one, where the policy says so, with its age. Stores and sockets are not known here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from transformer.policy.questions import Refusal
from transformer.registry.cache.ahead import Ahead
from transformer.registry.cache.entries import NEVER, Entry, decode, encode
from transformer.registry.cache.places import Keys, Places, Wish
from transformer.registry.cache.store import Store, failed_key, span
from transformer.registry.client import Descriptor
from transformer.registry.deadline import Run
from transformer.registry.verdicts import Refused, place

#: Seconds that "not found" is believed: an image that is just being pushed appears soon.
NOT_FOUND_TTL = 30.0
#: Seconds that clocks of machines which share a store may differ.
SKEW = 5.0
#: Seconds that an answer is kept for runs that may use old ones, when nobody needs the room.
KEEP, KEEP_DIGESTS = 7 * 86400.0, 90 * 86400.0
#: Seconds between two tries to ask in place of another process, which may have died.
NEXT_CLAIM = 1.0
#: Seconds that a thread waits before it looks after itself.
LONGEST_WAIT = 0.25
#: Seconds that this process waits for another's answer before it asks itself.
WAITING_LIMIT = 30.0
#: Seconds between two ticks of the store.
TICK = 0.5
#: When nobody answers: then an older answer may be better than none.
FORGIVEN = frozenset(("timeout", "unreachable", "rate-limited", "registry-error", "offline"))


class Freshness(NamedTuple):
    """For how long answers hold, in seconds: `ttl` for tags, `stale` (age) for those used when nobody answers."""

    ttl: float = 600.0
    stale: float = 0.0
    #: Whether everything is asked again; answers are stored all the same.
    fresh: bool = False


DEFAULT = Freshness()


class Lookups(Protocol):
    """How a run looks something up."""

    def find(self, wish: Wish, ask: Callable[[], Descriptor], run: Run) -> Descriptor:
        """What is remembered, else what `ask()` gives or raises (Refused, OutOfTime)."""
        ...


class Direct:
    """Nothing is remembered."""

    def find(self, wish: Wish, ask: Callable[[], Descriptor], run: Run) -> Descriptor:
        """What `ask()` gives or raises."""
        return ask()


class Cached:
    """Lookups with a store between. `asks` False: `ask()` only says why nobody is asked, so no one waits for it."""

    def __init__(
        self,
        store: Store,
        places: Places,
        freshness: Freshness = DEFAULT,
        *,
        asks: bool = True,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._places, self._rule, self._asks = store, places, freshness, asks
        self._now, self._clock = now, clock
        self._ahead = Ahead(store.read, clock)
        self._patient = True
        self._ticked = clock()

    def prefetch(self, wishes: Sequence[Wish]) -> None:
        """Says what will be asked first, so that it is read at once."""
        if not self._rule.fresh:
            self._ahead.announce(key for wish in wishes for key in self._places.keys(wish) or ())

    def find(self, wish: Wish, ask: Callable[[], Descriptor], run: Run) -> Descriptor:
        """See Lookups. Raises a remembered refusal too."""
        keys = self._places.keys(wish)
        if keys is None:
            return ask()
        known = None if self._rule.fresh else self._known(self._ahead.get(keys), keys, wish)
        if known is not None and self._is_fresh(known, wish):
            self._ahead.forget(keys)
            return self._told(known)
        if not self._asks or self._rule.fresh or (wish.aging and self._rule.ttl <= 0):
            return self._asked(keys, wish, ask, known)
        waited = self._wait_for_turn(keys, wish, run)
        if waited is not None:
            return self._told(waited)
        self._ahead.forget((*keys, failed_key(keys.own)))
        answered = False
        try:
            found = self._asked(keys, wish, ask, known)
            answered = found.via != "cache"
            return found
        finally:
            self._store.release(keys.own, answered)

    def tick(self) -> None:
        """To be called now and then while the run goes on."""
        if self._clock() - self._ticked >= TICK:
            self._ticked = self._clock()
            self._store.tick()

    def _wait_for_turn(self, keys: Keys, wish: Wish, run: Run) -> Entry | None:
        """The answer of another process, or None when this one has to ask."""
        until, again, failed = self._clock() + WAITING_LIMIT, float("-inf"), failed_key(keys.own)
        while self._patient:
            if self._clock() >= again:
                if self._store.claim(keys.own):
                    return self._meanwhile(keys, wish)
                again = self._clock() + NEXT_CLAIM
                self._ahead.announce((*keys, failed))
            texts = self._ahead.wait((*keys, failed), run.pause, LONGEST_WAIT)
            known = self._known(texts, keys, wish)
            if known is not None and self._is_fresh(known, wish):
                self._ahead.forget((*keys, failed))
                return known
            if failed in texts:
                return None
            if self._clock() >= until:
                self._patient = False  # somebody holds it who never answers: once is enough for a run
            run.check()
        return None

    def _meanwhile(self, keys: Keys, wish: Wish) -> Entry | None:
        """With the turn: who had it before may have answered between our look and our turn."""
        known = self._known(self._store.read(list(dict.fromkeys(keys))), keys, wish)
        if known is None or not self._is_fresh(known, wish):
            return None
        self._store.release(keys.own, answered=True)
        return known

    def _asked(self, keys: Keys, wish: Wish, ask: Callable[[], Descriptor], known: Entry | None) -> Descriptor:
        try:
            found = ask()
        except Refused as error:
            if error.refusal.rule == "not-found" and self._asks:
                now = self._now()
                self._keep({keys.own: Entry(now, now + NOT_FOUND_TTL, refusal=error.refusal)}, NOT_FOUND_TTL)
            stale = self._stale(known, wish, error)
            if stale is None:
                raise
            return stale
        self._remember(keys, wish, found)
        return found

    def _remember(self, keys: Keys, wish: Wish, found: Descriptor) -> None:
        now = self._now()
        expires = now + self._rule.ttl if wish.aging else NEVER
        entry = Entry(now, expires, found.digest, found.media_type, found.size)
        # That a tag means a digest proves nothing about the digest: the place may not serve it (warm, a forged header).
        texts = {keys.own if found.private else keys.anonymous: entry}
        self._keep(texts, max(KEEP, self._rule.ttl) if wish.aging else KEEP_DIGESTS)

    def _keep(self, entries: dict[str, Entry], seconds: float) -> None:
        self._ahead.forget(entries)
        self._store.write({key: encode(entry) for key, entry in entries.items()}, seconds)

    def _known(self, texts: Mapping[str, str], keys: Keys, wish: Wish) -> Entry | None:
        """The best entry: a fresh digest answered to nobody, one of our own, then the younger of what is too old."""
        anonymous, own = (self._entry(texts.get(key), wish) for key in keys)
        if anonymous is not None and anonymous.refusal is not None and keys.own != keys.anonymous:
            anonymous = None  # what nobody may see, somebody may
        found = [one for one in (anonymous, own) if one is not None]
        return max(found, key=lambda one: (self._is_fresh(one, wish), one.asked), default=None)

    def _entry(self, text: str | None, wish: Wish) -> Entry | None:
        entry = decode(text) if text is not None else None
        if entry is None or entry.asked > self._now() + SKEW:
            return None
        written = wish.reference.digest
        if wish.platform is None and written is not None and entry.digest not in ("", written):
            return None
        return entry

    def _is_fresh(self, entry: Entry, wish: Wish) -> bool:
        age, now = self._age(entry), self._now()
        if entry.refusal is not None:
            return age < NOT_FOUND_TTL and now < entry.expires
        if not wish.aging:
            return True
        return age < self._rule.ttl and (now < entry.expires or wish.reference.digest is not None)

    def _stale(self, known: Entry | None, wish: Wish, error: Refused) -> Descriptor | None:
        """An answer that is too old, where the policy says that it is better than none."""
        rule, message, step = error.refusal
        if known is None or known.refusal is not None or rule not in FORGIVEN or self._age(known) > self._rule.stale:
            return None
        why = f"{place(wish.reference)}: this run is offline" if rule == "offline" else message
        text = f"{why}; the answer of {span(self._age(known))} ago is used"
        return self._told(known)._replace(notes=(Refusal(rule, text, step),))

    def _told(self, entry: Entry) -> Descriptor:
        """What an entry says, as an answer; raises what it says when that is a refusal."""
        if entry.refusal is not None:
            rule, message, step = entry.refusal
            raise Refused(Refusal(rule, f"{message} (answered {span(self._age(entry))} ago)", step), 404)
        return Descriptor(entry.digest, entry.media_type, entry.size, via="cache")

    def _age(self, entry: Entry) -> float:
        return max(self._now() - entry.asked, 0.0)
