"""The review log: what was decided and by whom, append-only and hash-chained, and views of it.

An *event* is an entry of the log: something that happened to a subject (a case, the policy). Its
number, and its place in the chain, are given inside the transaction that writes it. A *view* is
what the events so far come to (the state of a case), kept as JSON so that a queue is listed
without reading its history. Views change in the same transaction as the event that changes
them, by one function of events (a `Project`) and by nothing else, so whoever has the log can
rebuild and compare them.

Personal words (comments, answers, reasons in free text) are kept apart from the chain, which
has their salted digest only: erasing them leaves it whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar

from pydantic_core import from_json

from graph.clock import iso, now
from graph.errors import UserError, on_one_line

Doc = dict[str, Any]
"""What JSON can hold; the value of a view."""

_T = TypeVar("_T")

MOST_AHEAD = timedelta(minutes=5)
"""How far a set clock may be ahead of the machine's own, where the log goes by the machine's."""


@dataclass(frozen=True)
class Actor:
    """Who acts. `user`: who is said to act; `login`: whom the machine or the server knows as the
    one who does; `role`: in which of their roles."""

    user: str
    login: str
    role: str


@dataclass(frozen=True)
class Draft:
    """An event to be. `body` holds no personal words; those are in `words`."""

    subject: str
    action: str
    body: Mapping[str, Any] = field(default_factory=dict)
    words: str | None = None


class Event(NamedTuple):
    """An entry of the log. Field order is that of its digest."""

    number: int
    """Its place in the log: 1, 2, … without gaps."""
    subject: str
    """What it is about: "case/…", "policy", "log"."""
    version: int
    """Its place among the events of its subject: 1, 2, …"""
    action: str
    at: str
    """ISO 8601, UTC. Never before the event before it."""
    clock: str
    """machine, or set: by INCONCERT_NOW."""
    user: str
    login: str
    role: str
    body: str
    """JSON, keys sorted."""
    words_digest: str
    """SHA-256 of a salt and the words; empty where there are none."""
    previous: str
    """The digest of the event before it; of the first one `first_link`."""
    digest: str

    @property
    def facts(self) -> Doc:
        """What the body holds."""
        found: Doc = from_json(self.body)  # twice as fast as json, and there are millions
        return found


FIELDS = Event._fields
"""The names of an event's fields, in their order."""


@dataclass(frozen=True)
class Head:
    """The end of the log: the last event's number, digest and time. Before the first: 0."""

    number: int
    digest: str
    at: str


@dataclass(frozen=True)
class Words:
    """The personal words of an event, with the salt of their digest."""

    number: int
    salt: str
    text: str


class Views(Protocol):
    """What the events come to, by kind and key."""

    def get(self, kind: str, key: str) -> Doc | None:
        """A view; None where there is none."""

    def put(self, kind: str, key: str, doc: Doc) -> None:
        """Set a view."""

    def drop(self, kind: str, key: str) -> None:
        """Take a view away."""


Project = Callable[[Event, Views], None]
"""Brings views up to date with one more event. It looks at nothing else."""


class Desk(Views, Protocol):
    """A transaction on the log. All of it is written, or nothing. Others wait."""

    @property
    def head(self) -> Head:
        """The end of the log as it is now."""

    @property
    def sorts(self) -> list[str]:
        """The sorts of events that the log has, see `sort_of`."""

    def record(self, actor: Actor, *drafts: Draft) -> list[Event]:
        """Append events and bring the views up to date with each. UserError where the clock
        is behind the last event, or set to a time that has yet to come."""

    def erase(self, numbers: Sequence[int]) -> None:
        """Take away the personal words of some events."""


class Reading(Protocol):
    """What is read of a log."""

    def head(self) -> Head:
        """The end of the log."""

    def events(self, subject: str | None = None, after: int = 0) -> Iterator[Event]:
        """Events in their order, of one subject or of all, those with a higher number than
        `after`."""

    def words(self, subject: str | None = None) -> dict[int, Words]:
        """The personal words that are there, by the number of their event."""

    def view(self, kind: str, key: str) -> Doc | None:
        """A view; None where there is none."""

    def views(self, kind: str) -> dict[str, Doc]:
        """All views of a kind, by key, ascending."""

    def kinds(self) -> list[str]:
        """The kinds of which there are views."""

    def sorts(self) -> list[str]:
        """The sorts of events that there are, see `sort_of`."""


class Log(Reading, Protocol):
    """The review log of a store. Both homes do the same."""

    def write(self, work: Callable[[Desk], _T], project: Project) -> _T:
        """One transaction: what `work` returns. It may be called again, where the store says
        that trying again is safe."""

    def reading(self) -> AbstractContextManager[Reading]:
        """To read several things that belong together. In a folder all of it is of one moment.
        A server goes on meanwhile: there, what is read is of one moment where the head is the
        same before and after."""


def unprojected(event: Event, views: Views) -> None:
    """For who has no log to restore: a log comes back with what it comes to, or not at all."""
    raise ValueError(f"nothing says what event {event.number} comes to")


def first_link(key_fingerprint: str) -> str:
    """What the first event follows: the store that the log is of."""
    return hashlib.sha256(f"inconcert log {key_fingerprint}".encode()).hexdigest()


def sort_of(event: Event) -> str:
    """Its sort: what kind of subject it is about, and the action. "case/moved"."""
    return f"{event.subject.partition('/')[0]}/{event.action}"


def linked(
    head: Head,
    version: int,
    actor: Actor,
    draft: Draft,
    by_machine: Callable[[], bool] = lambda: False,
) -> tuple[Event, Words | None]:
    """The event that a draft becomes after the head, and its words.

    `version`: of the subject, with this event; `by_machine`: whether any event has its time from
    the machine. UserError where the clock is behind the head, and where it is set ahead in a log
    that goes by the machine's: nobody could write to it before that time has come.
    """
    at = iso(now())
    clock = "set" if os.environ.get("INCONCERT_NOW") else "machine"
    own = datetime.now(UTC)
    if clock == "set" and now() - own > MOST_AHEAD and by_machine():
        raise UserError(
            f"INCONCERT_NOW says {at}, which has yet to come, and this log goes by the machine's "
            "clock; nothing was recorded.",
            "Unset INCONCERT_NOW, or rehearse on a store of its own.",
        )
    if head.number and at < head.at and _earlier(at, head.at):
        raise UserError(
            f"The clock says {at}, but the last event of the log is of {head.at}.",
            "Set the clock right (INCONCERT_NOW, if it is set); nothing was recorded.",
        )
    words = None
    if draft.words is not None:
        words = Words(head.number + 1, secrets.token_hex(16), draft.words)
    fields: Doc = {
        "number": head.number + 1,
        "subject": draft.subject,
        "version": version,
        "action": draft.action,
        "at": at,
        "clock": clock,
        "user": on_one_line(actor.user),
        "login": on_one_line(actor.login),
        "role": actor.role,
        "body": as_json(draft.body),
        "words_digest": digest_of_words(words) if words else "",
        "previous": head.digest,
    }
    return Event(**fields, digest=digest_of(tuple(fields.values()))), words


def _earlier(one: str, other: str) -> bool:
    """Of two times; texts with and without a fraction of a second do not sort."""
    from graph.clock import parse_time

    return parse_time(one) < parse_time(other)


def as_json(body: Mapping[str, Any]) -> str:
    """A body as it is kept: keys sorted, no spaces, so that equal ones are equal texts."""
    return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest_of(fields: Sequence[Any]) -> str:
    """The digest of an event: of all its fields but the last one, in their order, a line each.
    Empty where one of them is no line, so that none can be taken for two."""
    number, subject, version, *rest = fields
    text = f"{number}\n{subject}\n{version}\n" + "\n".join(rest)
    if text.count("\n") >= len(fields):
        return ""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_words(words: Words) -> str:
    """What the chain holds of personal words."""
    return hashlib.sha256(f"{words.salt} {words.text}".encode()).hexdigest()
