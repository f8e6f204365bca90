"""Verification: the chain recomputed, and the views rebuilt from the events and compared.

The chain shows whether an event was changed, removed or inserted. Whether its tail was cut off
shows only against a digest that was kept outside (an *anchor*): that of an event which is gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from graph.log import Doc, Event, Head, Views, digest_of, digest_of_words, first_link
from graph.store import Store
from review.log import LOG, project

MOST_PROBLEMS = 20
"""After so many, no more are named."""


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
        self.docs: dict[tuple[str, str], Doc] = {}

    def get(self, kind: str, key: str) -> Doc | None:
        """A view."""
        return self.docs.get((kind, key))

    def put(self, kind: str, key: str, doc: Doc) -> None:
        """Set a view."""
        self.docs[kind, key] = doc

    def drop(self, kind: str, key: str) -> None:
        """Take a view away."""
        self.docs.pop((kind, key), None)


def verify(
    store: Store, anchor: str | None = None, tell: Callable[[int], None] = lambda _: None
) -> Verified:
    """Recompute the log of a store. `anchor`: a digest that was the head once; `tell` is told
    now and then how many events are done."""
    first = first_link(store.properties.key_fingerprint)
    log = store.log
    found = Verified(0, Head(0, first, ""))
    words = log.words()
    views = Kept()
    anchored = anchor is None
    spoken: set[int] = set()
    erased: set[int] = set()
    for event in _chained(log.events(), found, tell):
        anchored = anchored or anchor in (event.digest, event.previous)
        if event.words_digest:
            spoken.add(event.number)
            said = words.get(event.number)
            if said and digest_of_words(said) != event.words_digest:
                found.problems.append(f"The words of event {event.number} are not what they were.")
        if event.subject == LOG and event.action == "erased":
            erased.update(event.facts["numbers"])
        _project(event, views, found)
    found.erased = len(erased)
    for number in sorted(spoken - set(words) - erased)[:MOST_PROBLEMS]:
        found.problems.append(f"The words of event {number} are gone, and nobody erased them.")
    if not anchored:
        found.problems.append(
            f"No event has the digest {anchor}: the log was cut off, or it is another one."
        )
    _compare(store, views, found)
    return found


def _chained(
    events: Iterator[Event], found: Verified, tell: Callable[[int], None]
) -> Iterator[Event]:
    """The events, while each is where it belongs."""
    number, previous = 0, found.head.digest
    versions: dict[str, int] = {}
    for event in events:
        number += 1
        if event.number != number:
            gap = f"event {number} is missing" if event.number > number else "one is doubled"
            found.problems.append(f"Event {event.number} follows event {number - 1}: {gap}.")
            number = event.number
        elif event.previous != previous:
            found.problems.append(
                f"Event {number} does not follow the one before it: one of them was changed, "
                "inserted or replaced."
            )
        if digest_of(event[:-1]) != event.digest:
            found.problems.append(f"Event {number} was changed: its digest is another.")
        version = versions.get(event.subject, 0) + 1
        if event.version != version:
            found.problems.append(
                f"Event {number} is version {event.version} of {event.subject}, after "
                f"{version - 1}."
            )
        versions[event.subject] = event.version
        previous = event.digest
        found.events += 1
        found.head = Head(event.number, event.digest, event.at)
        if number % 10_000 == 0:
            tell(number)
        yield event
        if len(found.problems) >= MOST_PROBLEMS:
            return


def _project(event: Event, views: Kept, found: Verified) -> None:
    try:
        project(event, views)
    except Exception as error:  # whatever somebody wrote into it
        found.problems.append(
            f"Event {event.number} ({event.action} of {event.subject}) says what this version "
            f"does not understand ({type(error).__name__}): it is of a newer one, or was changed."
        )


def _compare(store: Store, views: Kept, found: Verified) -> None:
    """Views that are not what the events come to."""
    kinds = {kind for kind, _ in views.docs} | set(store.log.kinds())
    for kind in sorted(kinds):
        there = store.log.views(kind)
        mine = {key: doc for (of, key), doc in views.docs.items() if of == kind}
        found.views += len(there)
        for key in sorted(there.keys() | mine.keys()):
            if len(found.problems) >= MOST_PROBLEMS:
                return
            if key not in mine:
                found.problems.append(f"There is a {kind} {key} that no event made.")
            elif key not in there:
                found.problems.append(f"The {kind} {key} is missing.")
            elif there[key] != mine[key] and there[key] != json.loads(json.dumps(mine[key])):
                found.problems.append(f"The {kind} {key} is not what the events come to.")
