"""`bench review`: a long log, the queue that it comes to, and how quickly people get on with it.

Yardsticks, in the same run: an empty command (`inconcert --version`), a bare transaction of
one row in an SQLite file of the same settings, and the digests of the same events alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from graph.embedded.log import COLUMNS, PLACES
from graph.log import Actor, Draft, Event, Head, as_json, digest_of, linked
from graph.store import Store, init_store
from inconcert.bench.figures import machine, target, timed, times
from inconcert.bench.stages import inconcert, run_stage
from review.cases import CASE, subject
from review.desk import claim
from review.log import act, project
from review.people import Person
from review.verify import Kept, verify

LIST_SECONDS, CLAIM_SECONDS, EVENTS_A_SECOND = 0.6, 0.05, 100_000
ROUNDS = 7
MEMBERS = 12

WRITER = Actor("bench", "bench", "investigator")
SOMEBODY = Person("somebody", "bench", ("investigator",), ())

FINDING: dict[str, Any] = {
    "on": "group",
    "run": "r1",
    "line": 0.05,
    "share": 0.06,
    "holdings": "6000",
    "rule": "group-freeze",
    "level": "red",
    "grade": "indication",
    "strength_bits": 100.0,
    "because": "They act as one.",
    "against": "One sort of fact alone ties them together.",
    "size": MEMBERS,
    "as_of": "2026-06-30T00:00:00Z",
    "base": {"supply": "100000", "rule": "stated", "as_of": "2026-06-30T00:00:00Z"},
    "review_hours": 48.0,
    "policy": "0" * 64,
    "may_order": False,
    "change": "born",
    "score": None,
}


def bench_review(
    folder: Path, cases: int, events: int, note: Callable[[str], None]
) -> dict[str, Any]:
    """Make a log of so many events about so many cases, and list, claim and verify."""
    note(f"a log of {events:,} events about {cases:,} cases")
    store = init_store(str(folder / "store"))
    _write(store, folder / "store" / "ledger.sqlite", cases, events)
    note("list, as whole commands")
    command = inconcert("review", "list", "--store", store.url)
    lists, empty = [], []
    for _ in range(ROUNDS):
        lists.append(run_stage("list", command, parse=False).seconds)
        empty.append(run_stage("nothing", inconcert("--version"), parse=False).seconds)
    note("claims, beside bare transactions")
    claims, bare = _claims(store, folder)
    note("verify")
    seconds, found = timed(partial(verify, store))
    every = list(store.log.events())
    digests, _ = timed(lambda: [digest_of(event[:-1]) for event in every])
    a_second = found.events / seconds
    return {
        "machine": machine(),
        "cases": cases,
        "events": events,
        "problems": found.problems,
        "list_seconds": median(lists),
        "list_over_nothing": round(times(lists, empty), 1),
        "claim_seconds": median(claims),
        "claim_over_bare": round(times(claims, bare), 1),
        "verify_seconds": seconds,
        "verify_over_digests": round(seconds / digests, 1),
        "targets": [
            target("review list, whole command, seconds", median(lists), LIST_SECONDS),
            target("a claim's transaction, seconds", median(claims), CLAIM_SECONDS),
            target("verify, events a second", a_second, EVENTS_A_SECOND, True),
        ],
    }


def _claims(store: Store, folder: Path) -> tuple[list[float], list[float]]:
    """Seconds of claims, each after a bare transaction."""
    path = folder / "bare.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE rows (text TEXT)")
    waiting = [key for key, case in store.log.views(CASE).items() if case["state"] == "new"]
    claims, bare = [], []
    for key in waiting[: 3 * ROUNDS]:
        bare.append(timed(partial(_bare, path))[0])
        work = partial(claim, person=SOMEBODY, key=key)
        claims.append(timed(partial(act, store, SOMEBODY, work))[0])
    return claims, bare


def _bare(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO rows VALUES (?)", ("x" * 600,))
        connection.execute("COMMIT")


def _write(store: Store, path: Path, cases: int, events: int) -> None:
    """The log, by the program's own chain and projection, in one transaction."""
    views = Kept()
    store.log.write(lambda _: None, project)  # the log's tables, made as the program makes them
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        insert = f"INSERT INTO events ({COLUMNS}) VALUES ({PLACES})"
        connection.executemany(insert, _events(store.log.head(), views, cases, events))
        rows = ((kind, key, as_json(doc)) for (kind, key), doc in views.docs.items())
        connection.executemany("INSERT INTO views VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")


def _events(head: Head, views: Kept, cases: int, events: int) -> Iterator[Event]:
    """Every case is found; then the first half of them goes to and fro."""
    keys = [f"g{number:09}" for number in range(cases)]
    versions = dict.fromkeys(keys, 0)
    busy = keys[: max(cases // 2, 1)]
    for number in range(events):
        key = keys[number] if number < cases else busy[number % len(busy)]
        versions[key] += 1
        draft = _found(key) if number < cases else _moved(key, versions[key])
        event, _ = linked(head, versions[key], WRITER, draft)
        head = Head(event.number, event.digest, event.at)
        project(event, views)
        yield event


def _found(key: str) -> Draft:
    members = [
        {"account": f"{key}-{one}", "share": 0.005, "holdings": "500", "bits": 9.0, "named": True}
        for one in range(MEMBERS)
    ]
    return Draft(subject(key), "found", {**FINDING, "group": key, "members": members})


def _moved(key: str, version: int) -> Draft:
    to = "in_review" if version % 2 else "assigned"
    return Draft(subject(key), "moved", {"to": to, "owner": "bench"})
