"""Personal data: giving the log out, telling who is behind a masked id, erasing words.

Each needs a role, a reason in words and, where data leave, a purpose of a list; each is an
event of subject `log`, written before anything is given out. The chain has digests of words
only, so erasing them leaves it whole; that they were erased is an event that names them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

from graph.clock import now, parse_time
from graph.errors import UserError
from graph.log import Actor, Desk, Doc, Draft, Event, Words
from graph.store import Store
from review import moves
from review.cases import CASE, MEMBERS, subject
from review.desk import MOST_WORDS
from review.log import LOG, act
from review.people import Person, RefusedError

PURPOSES = {
    "supervision": "a supervisory authority asks",
    "audit": "an auditor checks the work",
    "court": "a court or a prosecutor asks",
    "investigation": "the platform investigates a case",
    "appeal": "a holder's appeal is prepared",
    "access_request": "somebody asks what is kept about them",
}
"""What data of the review may be given out for."""

NEVER = ("marketing", "advertising", "sales", "profiling")
"""What they are given out for by nobody."""

READS_WORDS = ("auditor", "senior", "operator")
"""Roles whose exports have personal words."""

AT_ONCE = 10_000
"""Events whose words one event says are erased."""


# Giving out


@dataclass(frozen=True)
class Exported:
    """What was written. `until`: the number of the last event there was."""

    events: int
    until: int
    with_words: bool


def export(
    store: Store,
    person: Person,
    place: Path,
    *,
    purpose: str,
    reason: str,
    case: str | None = None,
) -> Exported:
    """Write events, all or those of a case, as JSON Lines to a new file (mode 0600): their
    fields, `body` as an object, and for some roles `words` and `salt`.

    UserError where the file is there, or there is no reason or purpose; RefusedError for a
    purpose that is none, or a person without a role.
    """

    def work(desk: Desk) -> tuple[int, bool]:
        actor = _giving(person, "export the log", case, purpose)
        with_words = bool(set(person.roles).intersection(READS_WORDS))
        until = desk.head.number
        body = {"purpose": purpose, "case": case, "until": until, "with_words": with_words}
        desk.record(actor, Draft(LOG, "exported", body, reason_of(reason)))
        return until, with_words

    try:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UserError(f"There is a file {place} already; it is left as it is.") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            until, with_words = act(store, person, work)
            count = 0
            for line in _lines(store, case, until, with_words):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    return Exported(count, until, with_words)


def _lines(store: Store, case: str | None, until: int, with_words: bool) -> Iterator[Doc]:
    about = subject(case) if case else None
    words = store.log.words(about) if with_words else {}
    for event in takewhile(lambda one: one.number <= until, store.log.events(about)):
        line = {**event._asdict(), "body": event.facts}
        yield {**line, **_spoken(event, words.get(event.number))} if with_words else line


def _spoken(event: Event, words: Words | None) -> dict[str, Any]:
    erased = bool(event.words_digest) and words is None
    return {
        "words": words.text if words else "(erased)" if erased else None,
        "salt": words.salt if words else None,
    }


def reveal(
    store: Store,
    person: Person,
    candidates: Mapping[str, str],
    *,
    purpose: str,
    reason: str,
    case: str | None = None,
) -> list[dict[str, Any]]:
    """Which candidates are members of cases, or of one: account, masked id and cases of each.

    `candidates`: by account as it is written, its id as the store keeps it. UserError where
    the store masks nothing; RefusedError as `export`. The event has counts only.
    """
    if not store.properties.masked:
        raise UserError("This store does not mask accounts: its ids are what they are.")
    of = {case: store.log.view(MEMBERS, case) or {}} if case else store.log.views(MEMBERS)
    cases: dict[str, list[str]] = {}
    for key, members in of.items():
        for member in members.get("members", ()):
            cases.setdefault(member["account"], []).append(key)
    found = [
        {"account": account, "masked": kept, "cases": cases[kept]}
        for account, kept in candidates.items()
        if kept in cases
    ]

    def work(desk: Desk) -> None:
        body = {
            "purpose": purpose,
            "case": case,
            "candidates": len(candidates),
            "matched": len(found),
        }
        actor = _giving(person, "reveal accounts", case, purpose, investigators=False)
        desk.record(actor, Draft(LOG, "revealed", body, reason_of(reason)))

    act(store, person, work)
    return found


def _giving(
    person: Person, what: str, case: str | None, purpose: str, *, investigators: bool = True
) -> Actor:
    about = case or LOG
    if purpose in NEVER:
        raise RefusedError(
            f"Data of the review are not given out for {purpose}: they are kept to decide fairly "
            "about findings, and for nothing else.",
            what=f"{what} for {purpose}",
            about=about,
        )
    if purpose not in PURPOSES:
        raise UserError(f"'{purpose}' is no purpose.", f"One of {', '.join(PURPOSES)}.")
    if investigators:
        return person.acting(what, about, "auditor", "senior", "operator", "investigator")
    return person.acting(what, about, "auditor", "senior", "operator")


def reason_of(words: str) -> str:
    """A reason that a person gives, trimmed. UserError for none, and for one without end."""
    text = words.strip()
    if not text:
        raise UserError("Say for which reason.", "--reason WORDS.")
    if len(text) > MOST_WORDS:
        raise UserError(f"That is {len(text):,} characters; {MOST_WORDS:,} are enough.")
    return text


# Erasing


def erase(
    store: Store,
    person: Person,
    *,
    reason: str,
    case: str | None = None,
    events: Sequence[int] = (),
) -> list[int]:
    """Erase the personal words of a case, or of some events; the numbers of the events whose
    words are gone now. UserError for an event that there is not, or that never had words."""

    def work(desk: Desk) -> list[int]:
        actor = person.acting("erase words", case or LOG, "operator")
        said = reason_of(reason)
        for number in events:
            _refuse_wordless(store, number)
        about = subject(case) if case else None
        numbers = [one for one in store.log.words(about) if case or one in events]
        _erase(desk, actor, numbers, "asked", said)
        return numbers

    return act(store, person, work)


def _refuse_wordless(store: Store, number: int) -> None:
    event = next(store.log.events(after=number - 1), None) if number > 0 else None
    if event is None or event.number != number:
        raise UserError(f"There is no event {number}.")
    if not event.words_digest:
        raise UserError(f"Event {number} never had words.")


def retain(store: Store, person: Person, days: int) -> tuple[int, int]:
    """Erase the words of cases that were closed more than some days ago; how many cases, and of
    how many events. Nothing of an open case. Doing it again changes nothing."""
    latest = now() - timedelta(days=days)

    def is_over(case: Doc | None) -> bool:
        if case is None or case["state"] != moves.CLOSED:
            return False
        return parse_time(case["decision"]["at"]) < latest

    over = [key for key, case in store.log.views(CASE).items() if is_over(case)]
    spoken = {key: list(words) for key in over if (words := store.log.words(subject(key)))}

    def work(desk: Desk) -> tuple[int, int]:
        actor = person.acting("erase words", LOG, "operator")
        still = [key for key in spoken if is_over(desk.get(CASE, key))]
        numbers = sorted(number for key in still for number in spoken[key])
        _erase(desk, actor, numbers, "retention", None)
        return len(still), len(numbers)

    return act(store, person, work)


def _erase(desk: Desk, actor: Actor, numbers: Sequence[int], why: str, said: str | None) -> None:
    for begin in range(0, len(numbers), AT_ONCE):
        some = list(numbers[begin : begin + AT_ONCE])
        desk.erase(some)
        desk.record(actor, Draft(LOG, "erased", {"numbers": some, "why": why}, said))


def read_candidates(text: bytes, kept: Callable[[str], str]) -> dict[str, str]:
    """Accounts of a file, one a line, each with its id as the store keeps it. UserError where
    the file is no text."""
    try:
        lines = text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError("The candidates are no text (UTF-8), one account a line.") from None
    return {account: kept(account) for line in lines if (account := line.strip())}
