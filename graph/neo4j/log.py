"""The review log on a Neo4j server: see `graph.log` for what it is.

Events and views are nodes with their JSON; a case is drawn besides, with its events and groups,
for people who look at the graph. What is drawn is never read back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from typing import Any, TypeVar

from graph.log import (
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
    sort_of,
)
from graph.neo4j.server import Run, Server

_T = TypeVar("_T")

BLOCK = 10_000
"""Events that are read at a time."""

PART = 500
"""Events that are written at a time, when a log is restored."""

DRAWN = "case"
"""The kind of view that is drawn."""


class Neo4jLog:
    """See `graph.log.Log`."""

    def __init__(self, server: Server, key_fingerprint: str) -> None:
        self._server = server
        self._first = first_link(key_fingerprint)

    def write(self, work: Callable[[Desk], _T], project: Project) -> _T:
        """One transaction; tried again where the driver says that this is safe."""
        return self._server.transact(lambda run: work(_Desk(run, project, self._first)))

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Each thing as it is when it is read: holding the log would keep those who write."""
        yield self

    def head(self) -> Head:
        """The end of the log."""
        rows = self._server.read("store/log_end")
        return Head(**rows[0]) if rows else Head(0, self._first, "")

    def events(self, subject: str | None = None, after: int = 0) -> Iterator[Event]:
        """Events in their order. Those that are recorded meanwhile come too."""
        while True:
            asked: Doc = {"after": after, "most": BLOCK}
            if subject:
                rows = self._server.read("store/log_events_of", subject=subject, **asked)
            else:
                rows = self._server.read("store/log_events", **asked)
            for row in rows:
                yield Event(**row["event"])
            if len(rows) < BLOCK:
                return
            after = rows[-1]["event"]["number"]

    def words(self, subject: str | None = None) -> dict[int, Words]:
        """The personal words that are there."""
        if subject:
            rows = self._server.read("store/log_words_of", subject=subject)
        else:
            rows = self._server.read("store/log_words")
        return {row["number"]: Words(**row) for row in rows}

    def view(self, kind: str, key: str) -> Doc | None:
        """A view."""
        return _doc(self._server.read("store/view_get", kind=kind, key=key))

    def views(self, kind: str) -> dict[str, Doc]:
        """All views of a kind, by key."""
        [row] = self._server.read("store/view_all", kind=kind)
        docs = json.loads(f"[{','.join(row['docs'])}]")  # one parse for all
        return dict(zip(row["keys"], docs, strict=True))

    def kinds(self) -> list[str]:
        """The kinds of which there are views."""
        return [row["kind"] for row in self._server.read("store/view_kinds")]

    def sorts(self) -> list[str]:
        """The sorts of events that there are."""
        rows = self._server.read("store/log_sorts")
        return sorted(rows[0]["sorts"]) if rows else []


class _Desk:
    """See `graph.log.Desk`. It has the log for itself from the first word on."""

    def __init__(self, run: Run, project: Project, first: str) -> None:
        self._run = run
        self._project = project
        rows = run("store/log_head", {})
        row = rows[0] if rows else None
        self._head = Head(row["number"], row["digest"], row["at"]) if row else Head(0, first, "")
        self._by_machine: bool = row["by_machine"] if row else False
        self._sorts: set[str] = set(row["sorts"] if row else ())

    @property
    def head(self) -> Head:
        """The end of the log as it is now."""
        return self._head

    @property
    def sorts(self) -> list[str]:
        """The sorts of events that the log has."""
        return sorted(self._sorts)

    def get(self, kind: str, key: str) -> Doc | None:
        """A view."""
        return _doc(self._run("store/view_get", {"kind": kind, "key": key}))

    def put(self, kind: str, key: str, doc: Doc) -> None:
        """Set a view."""
        text = as_json(doc)
        if kind != DRAWN:
            self._run("store/view_put", {"kind": kind, "key": key, "doc": text})
            return
        shown = {name: value for name, value in doc.items() if _may_be_shown(name, value)}
        drawn = {"shown": shown, "groups": doc.get("groups", []), "number": self._head.number}
        self._run("store/case_put", {"key": key, "doc": text, **drawn})

    def drop(self, kind: str, key: str) -> None:
        """Take a view away."""
        self._run("store/view_drop", {"kind": kind, "key": key})

    def record(self, actor: Actor, *drafts: Draft) -> list[Event]:
        """Append events and bring the views up to date with each."""
        recorded = []
        for draft in drafts:
            [row] = self._run("store/log_version", {"subject": draft.subject})
            version = row["version"] + 1
            event, words = linked(self._head, version, actor, draft, lambda: self._by_machine)
            self.append(event, words)
            recorded.append(event)
        return recorded

    def append(self, event: Event, words: Words | None) -> None:
        """Append an event as it is, and bring the views up to date with it."""
        said = [asdict(words)] if words else []
        sort = sort_of(event)
        new = [] if sort in self._sorts else [sort]
        self._run("store/log_append", {"event": event._asdict(), "words": said, "sorts": new})
        self._sorts.add(sort)
        self._by_machine = self._by_machine or event.clock == "machine"
        self._head = Head(event.number, event.digest, event.at)
        self._project(event, self)

    def erase(self, numbers: Sequence[int]) -> None:
        """Take away the personal words of some events."""
        self._run("store/log_erase", {"numbers": list(numbers)})


def fill_log(
    server: Server, events: Iterable[tuple[Event, Words | None]], project: Project
) -> None:
    """Write a log that is restored, as it is, and what it comes to; where one was begun, the rest
    of it."""
    left = iter(events)
    while part := list(islice(left, PART)):

        def write(run: Run, part: list[tuple[Event, Words | None]] = part) -> None:
            desk = _Desk(run, project, "")
            for event, words in part:
                if event.number > desk.head.number:
                    desk.append(event, words)

        server.transact(write, repeatable=True)


def _doc(rows: Sequence[Any]) -> Doc | None:
    if not rows:
        return None
    doc: Doc = json.loads(rows[0]["doc"])
    return doc


def _may_be_shown(name: str, value: Any) -> bool:
    """Whether a person sees it on the node: plain values that are no name of the view's own."""
    return name not in ("kind", "key", "doc") and isinstance(value, str | int | float | bool)
