"""The review log in the store's SQLite file: see `graph.log` for what it is."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from typing import TypeVar

from graph.embedded.ledger import Ledger
from graph.errors import DamagedError
from graph.log import (
    FIELDS,
    Actor,
    Desk,
    Doc,
    Draft,
    Event,
    Head,
    Project,
    Reading,
    Words,
    as_json,
    first_link,
    linked,
)

_T = TypeVar("_T")

SORT = "substr(subject, 1, instr(subject || '/', '/') - 1) || '/' || action"
"""`graph.log.sort_of`."""

INDEX = f"CREATE INDEX IF NOT EXISTS events_sort ON events ({SORT})"
"""Which sorts there are is looked up at every write."""

SORTS = f"""
WITH RECURSIVE sorts (sort) AS (
    SELECT min({SORT}) FROM events
    UNION ALL
    SELECT (SELECT min({SORT}) FROM events WHERE {SORT} > sort) FROM sorts WHERE sort IS NOT NULL
)
SELECT sort FROM sorts WHERE sort IS NOT NULL
"""
"""From one to the next by the index: as many steps as there are sorts."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    version INTEGER NOT NULL,
    action TEXT NOT NULL,
    at TEXT NOT NULL,
    clock TEXT NOT NULL,
    user TEXT NOT NULL,
    login TEXT NOT NULL,
    role TEXT NOT NULL,
    body TEXT NOT NULL,
    words_digest TEXT NOT NULL,
    previous TEXT NOT NULL,
    digest TEXT NOT NULL,
    UNIQUE (subject, version)
) STRICT;
CREATE TABLE IF NOT EXISTS words (
    number INTEGER PRIMARY KEY REFERENCES events (number),
    salt TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS views (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
{INDEX};
"""

COLUMNS = ", ".join(FIELDS)
PLACES = ", ".join("?" * len(FIELDS))
_EVENT = partial(tuple.__new__, Event)
"""Of a row: by no call of Python's own, and there are millions."""
BLOCK = 500
"""Events that are read at a time: so few that the processor has them at hand still when they are
looked at (of 10,000 at a time a verification takes a tenth longer)."""


class _Reading:
    """See `graph.log.Reading`. `begin`: where what is read is read."""

    def __init__(
        self, begin: Callable[[], AbstractContextManager[sqlite3.Connection]], first: str
    ) -> None:
        self._begin = begin
        self._first = first

    def head(self) -> Head:
        """The end of the log."""
        with self._begin() as connection:
            return _head(connection, self._first)

    def events(self, subject: str | None = None, after: int = 0) -> Iterator[Event]:
        """Events in their order, as of one moment."""
        with self._begin() as connection:
            if not _is_there(connection):
                return
            # of a subject there are few: without `+` SQLite would go through all by number
            of_one = "subject = :subject AND +number > :after" if subject else "number > :after"
            found = connection.cursor()
            found.row_factory = None  # tuples: of a million events it is half the time
            found.execute(
                f"SELECT {COLUMNS} FROM events WHERE {of_one} ORDER BY number",
                {"subject": subject, "after": after},
            )
            with closing(found):
                while rows := found.fetchmany(BLOCK):
                    yield from map(_EVENT, rows)

    def words(self, subject: str | None = None) -> dict[int, Words]:
        """The personal words that are there."""
        with self._begin() as connection:
            if not _is_there(connection):
                return {}
            rows = connection.execute(
                "SELECT words.* FROM words JOIN events USING (number) "
                "WHERE :subject IS NULL OR subject = :subject ORDER BY number",
                {"subject": subject},
            )
            return {row["number"]: Words(*row) for row in rows}

    def view(self, kind: str, key: str) -> Doc | None:
        """A view."""
        with self._begin() as connection:
            return _view(connection, kind, key) if _is_there(connection) else None

    def views(self, kind: str) -> dict[str, Doc]:
        """All views of a kind, by key."""
        with self._begin() as connection:
            if not _is_there(connection):
                return {}
            rows = connection.execute(
                "SELECT key, doc FROM views WHERE kind = ? ORDER BY key", (kind,)
            ).fetchall()
        try:
            docs = json.loads(f"[{','.join(row['doc'] for row in rows)}]")  # one parse for all
            return dict(zip((row["key"] for row in rows), docs, strict=True))
        except ValueError:
            raise _no_json(f"a view of kind {kind}") from None

    def kinds(self) -> list[str]:
        """The kinds of which there are views."""
        with self._begin() as connection:
            if not _is_there(connection):
                return []
            rows = connection.execute("SELECT DISTINCT kind FROM views ORDER BY kind")
            return [row["kind"] for row in rows]

    def sorts(self) -> list[str]:
        """The sorts of events that there are."""
        with self._begin() as connection:
            return [row[0] for row in connection.execute(SORTS)] if _is_there(connection) else []


class EmbeddedLog(_Reading):
    """See `graph.log.Log`."""

    def __init__(self, ledger: Ledger, key_fingerprint: str) -> None:
        super().__init__(ledger.reading, first_link(key_fingerprint))
        self._ledger = ledger

    def write(self, work: Callable[[Desk], _T], project: Project) -> _T:
        """One transaction, durable when this returns."""
        with self._ledger.writing() as connection:
            if _is_there(connection):
                connection.execute(INDEX)  # logs of before have none
            else:
                _make(connection)
            return work(_Desk(connection, project, self._first))

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """One transaction: all of it is of one moment."""
        with self._ledger.reading() as connection:
            yield _Reading(lambda: nullcontext(connection), self._first)


class _Desk:
    """See `graph.log.Desk`."""

    def __init__(self, connection: sqlite3.Connection, project: Project, first: str) -> None:
        self._connection = connection
        self._project = project
        self._first = first

    @property
    def head(self) -> Head:
        """The end of the log as it is now."""
        return _head(self._connection, self._first)

    @property
    def sorts(self) -> list[str]:
        """The sorts of events that the log has."""
        return [row[0] for row in self._connection.execute(SORTS)]

    def get(self, kind: str, key: str) -> Doc | None:
        """A view."""
        return _view(self._connection, kind, key)

    def put(self, kind: str, key: str, doc: Doc) -> None:
        """Set a view."""
        self._connection.execute(
            "INSERT INTO views VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc",
            (kind, key, as_json(doc)),
        )

    def drop(self, kind: str, key: str) -> None:
        """Take a view away."""
        self._connection.execute("DELETE FROM views WHERE kind = ? AND key = ?", (kind, key))

    def record(self, actor: Actor, *drafts: Draft) -> list[Event]:
        """Append events and bring the views up to date with each."""
        recorded = []
        head = self.head
        for draft in drafts:
            version = self._version(draft.subject) + 1
            event, words = linked(head, version, actor, draft, self._by_machine)
            insert_event(self._connection, event, words)
            self._project(event, self)
            head = Head(event.number, event.digest, event.at)
            recorded.append(event)
        return recorded

    def erase(self, numbers: Sequence[int]) -> None:
        """Take away the personal words of some events."""
        rows = [(number,) for number in numbers]
        self._connection.executemany("DELETE FROM words WHERE number = ?", rows)

    def _by_machine(self) -> bool:
        asked = "SELECT EXISTS (SELECT 1 FROM events WHERE clock = 'machine')"
        return bool(self._connection.execute(asked).fetchone()[0])

    def _version(self, subject: str) -> int:
        row = self._connection.execute(
            "SELECT coalesce(max(version), 0) FROM events WHERE subject = ?", (subject,)
        ).fetchone()
        return int(row[0])


def insert_event(connection: sqlite3.Connection, event: Event, words: Words | None) -> None:
    """Add an event as it is, and its words, within a transaction."""
    connection.execute(
        f"INSERT INTO events ({COLUMNS}) VALUES ({PLACES})",
        event,
    )
    if words:
        connection.execute(
            "INSERT INTO words VALUES (?, ?, ?)", (words.number, words.salt, words.text)
        )


def fill_log(
    connection: sqlite3.Connection,
    events: Iterable[tuple[Event, Words | None]],
    project: Project,
) -> None:
    """Write a log that is restored, as it is, and what it comes to. Within a transaction."""
    _make(connection)
    desk = _Desk(connection, project, "")
    for event, words in events:
        insert_event(connection, event, words)
        project(event, desk)


def _make(connection: sqlite3.Connection) -> None:
    for statement in SCHEMA.split(";\n"):
        connection.execute(statement)


def _is_there(connection: sqlite3.Connection) -> bool:
    """Whether anything was ever recorded: stores of before have no log."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'views'").fetchone()
    return found is not None


def _head(connection: sqlite3.Connection, first: str) -> Head:
    row = None
    if _is_there(connection):
        row = connection.execute(
            "SELECT number, digest, at FROM events ORDER BY number DESC LIMIT 1"
        ).fetchone()
    return Head(*row) if row else Head(0, first, "")


def _view(connection: sqlite3.Connection, kind: str, key: str) -> Doc | None:
    row = connection.execute(
        "SELECT doc FROM views WHERE kind = ? AND key = ?", (kind, key)
    ).fetchone()
    if row is None:
        return None
    try:
        doc: Doc = json.loads(row["doc"])
    except ValueError:
        raise _no_json(f"the view {kind} {key}") from None
    return doc


def _no_json(what: str) -> DamagedError:
    return DamagedError(
        f"The ledger is damaged: {what} is no JSON.",
        "`inconcert doctor --deep` says what else is; restore the store from a back-up.",
    )
