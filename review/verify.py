"""Verification: the chain recomputed, and the views rebuilt from the events and compared.

The chain shows whether an event was changed, removed or inserted. Whether its tail was cut off
shows only against a digest that was kept outside (an *anchor*): that of an event which is gone.

People may go on working meanwhile. A folder is read as of one moment. On a server, events that
were recorded while views were read are recounted too, and the views that are in doubt then are
read again, until the head stands still around what is compared.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf

from graph.log import (
    Doc,
    Event,
    Head,
    Reading,
    Views,
    Words,
    digest_of,
    digest_of_words,
    first_link,
)
from graph.store import Store
from review.log import LOG, NewerError, project

MOST_PROBLEMS = 20
"""After so many, no more are named."""

View = tuple[str, str]
"""The kind and the key of one."""

Spoken = tuple[str, str]
"""The subject of an event with words, and the digest of the words."""


@dataclass
class Verified:
    """What was found. `problems`: sentences, none where all is as it was written."""

    events: int
    head: Head
    views: int = 0
    erased: int = 0
    problems: list[str] = field(default_factory=list)


class Kept(Views):
    """Views in memory."""

    def __init__(self) -> None:
        self.docs: dict[View, Doc] = {}

    def get(self, kind: str, key: str) -> Doc | None:
        """A view."""
        return self.docs.get((kind, key))

    def put(self, kind: str, key: str, doc: Doc) -> None:
        """Set a view."""
        self.docs[kind, key] = doc

    def drop(self, kind: str, key: str) -> None:
        """Take a view away."""
        self.docs.pop((kind, key), None)


class _Noted(Kept):
    """The same views, and which of them are set or taken away from now on."""

    def __init__(self, views: Kept) -> None:
        self.docs = views.docs
        self.touched: set[View] = set()

    def put(self, kind: str, key: str, doc: Doc) -> None:
        """Set a view."""
        self.touched.add((kind, key))
        super().put(kind, key, doc)

    def drop(self, kind: str, key: str) -> None:
        """Take a view away."""
        self.touched.add((kind, key))
        super().drop(kind, key)


def verify(
    store: Store, anchor: str | None = None, tell: Callable[[int], None] = lambda _: None
) -> Verified:
    """Recompute the log of a store. `anchor`: a digest that was the head once; `tell` is told
    now and then how many events are done."""
    recount = Recount(first_link(store.properties.key_fingerprint), anchor, tell)
    with store.log.reading() as log, _without_collector():
        return recount.all_of(log)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Python looks for cycles among all documents again and again, and there are none."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


class Recount:
    """The events so far, and what they come to."""

    def __init__(self, first: str, anchor: str | None, tell: Callable[[int], None]) -> None:
        self.found = Verified(0, Head(0, first, ""))
        self.views = Kept()
        self._anchor = anchor
        self._tell = tell
        self._versions: dict[str, int] = {}
        self._spoken: dict[int, Spoken] = {}
        self._erased: set[int] = set()

    def all_of(self, log: Reading) -> Verified:
        """Recount a log, and compare."""
        found, head = self.found, log.head()
        self._take(log, head)
        silent = self._silent(self._spoken, log.words())
        doubts = self._differing(log)
        while (now := log.head()) != head and not self._is_full():
            head, known = now, len(self._spoken)
            self.views = noted = _Noted(self.views)
            self._take(log, head)
            late = dict(list(self._spoken.items())[known:])
            for subject in {subject for subject, _ in late.values()}:
                silent += self._silent(late, log.words(subject), subject)
            again = {*doubts, *noted.touched}
            seen = {view: self._difference(view, log.view(*view)) for view in again}
            doubts = {view: said for view, said in seen.items() if said}
        self._take_beyond(log, head)
        found.erased = len(self._erased)
        for number in silent:
            if number not in self._erased:
                self._say(f"The words of event {number} are gone, and nobody erased them.")
        if self._anchor is not None:
            self._say(
                f"No event has the digest {self._anchor}: the log was cut off, or it is another "
                "one."
            )
        for view in sorted(doubts):
            self._say(doubts[view])
        if not found.problems:
            found.views = len(self.views.docs)
        return found

    def _silent(
        self, spoken: Mapping[int, Spoken], words: Mapping[int, Words], subject: str = ""
    ) -> list[int]:
        """Events, of one subject or of all, whose words are not there. Says which are others."""
        missing = []
        for number, (about, digest) in spoken.items():
            if subject in ("", about):
                if number not in words:
                    missing.append(number)
                elif digest_of_words(words[number]) != digest:
                    self._say(f"The words of event {number} are not what they were.")
        return missing

    def _take(self, log: Reading, head: Head) -> None:
        """The events up to a head."""
        after = self.found.head.number
        if head.number > after:
            self._count(log.events(after=after), head.number)

    def _count(self, events: Iterable[Event], last_number: float = inf) -> None:
        """More events up to a number: each where it belongs, and what it comes to."""
        found, views, versions = self.found, self.views, self._versions
        number, previous, last = found.head.number, found.head.digest, None
        for event in events:
            if event.number > last_number:
                break
            number += 1
            if event.number != number:
                gap = f"event {number} is missing" if event.number > number else "one is doubled"
                self._say(f"Event {event.number} follows event {number - 1}: {gap}.")
                number = event.number
            elif event.previous != previous:
                self._say(
                    f"Event {number} does not follow the one before it: one of them was changed, "
                    "inserted or replaced."
                )
            if digest_of(event[:-1]) != event.digest:
                self._say(f"Event {number} was changed: its digest is another.")
            version = versions.get(event.subject, 0) + 1
            if event.version != version:
                self._say(
                    f"Event {number} is version {event.version} of {event.subject}, after "
                    f"{version - 1}."
                )
            versions[event.subject] = event.version
            previous, last = event.digest, event
            found.events += 1
            if self._anchor is not None and self._anchor in (event.digest, event.previous):
                self._anchor = None
            if event.words_digest:
                self._spoken[number] = (event.subject, event.words_digest)
            if event.subject == LOG and event.action == "erased":
                self._erased.update(event.facts["numbers"])
            try:
                project(event, views)
            except NewerError:
                self._say(
                    f"Event {event.number} ({event.action} of {event.subject}) is of a newer "
                    "version of inconcert than this one, or was changed."
                )
            except Exception as error:  # whatever somebody wrote into it
                self._say(
                    f"Event {event.number} ({event.action} of {event.subject}) says what this "
                    f"version does not understand ({type(error).__name__}): it is of a newer one, "
                    "or was changed."
                )
            if number % 10_000 == 0:
                self._tell(number)
            if len(found.problems) >= MOST_PROBLEMS:
                break
        if last is not None:
            found.head = Head(last.number, last.digest, last.at)

    def _take_beyond(self, log: Reading, head: Head) -> None:
        """The last event is the one that the end of the log names, and none comes after it."""
        if self._is_full():
            return
        beyond = list(log.events(after=max(head.number, self.found.head.number)))
        if log.head() != head:  # somebody wrote meanwhile, which is no fault
            beyond = []
        self._count(beyond)
        if self.found.head != head:
            self._say(
                f"The log says that it ends with event {head.number}, {head.digest}; its last "
                f"event is {self.found.head.number}, {self.found.head.digest}."
            )

    def _differing(self, log: Reading) -> dict[View, str]:
        """Views that are not what the events come to, with a sentence about each."""
        doubts: dict[View, str] = {}
        mine: dict[str, set[str]] = {kind: set() for kind in log.kinds()}
        for kind, key in self.views.docs:
            mine.setdefault(kind, set()).add(key)
        for kind, keys in mine.items():
            there = log.views(kind)
            self.found.views += len(there)
            for key in keys | there.keys():
                if said := self._difference((kind, key), there.get(key)):
                    doubts[kind, key] = said
        return doubts

    def _difference(self, view: View, there: Doc | None) -> str | None:
        """How a view differs from what the events come to; None where it does not."""
        kind, key = view
        mine = self.views.docs.get(view)
        if there == mine:
            return None
        if mine is None:
            return f"There is a {kind} {key} that no event made."
        if there is None:
            return f"The {kind} {key} is missing."
        if there == json.loads(json.dumps(mine)):
            return None
        return f"The {kind} {key} is not what the events come to."

    def _is_full(self) -> bool:
        return len(self.found.problems) >= MOST_PROBLEMS

    def _say(self, problem: str) -> None:
        if not self._is_full():
            self.found.problems.append(problem)
