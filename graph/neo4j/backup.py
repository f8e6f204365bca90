"""A back-up of a server's store, and a new store on a server filled from one."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby, takewhile
from operator import itemgetter
from pathlib import Path
from typing import Any

import polars as pl

from graph.archive import Archived, rows_by_batch
from graph.archive_kept import unsettled, without
from graph.backup import ROWS, Backup, Change, Progress, Record, windows
from graph.clock import iso
from graph.errors import DamagedError, UserError
from graph.keys import keep_key
from graph.log import Event, Project, Words
from graph.neo4j import runs
from graph.neo4j.archive import keep, properties_of
from graph.neo4j.check import tally
from graph.neo4j.lease import Lease, lease
from graph.neo4j.load import PartWriter
from graph.neo4j.log import fill_log
from graph.neo4j.read import Reader, Spans
from graph.neo4j.schema import make_schema, refuse_foreign
from graph.neo4j.server import Server
from graph.neo4j.store import (
    Neo4jStore,
    as_batch,
    clear_from,
    key_path,
    spans_of,
    store_node,
)
from graph.schema import KINDS
from graph.store import FORMAT, PLAIN_FORMAT, RunRecord

Row = dict[str, Any]

TOLD_ROWS = 50_000
"""Facts after which the progress is told."""

BATCHES = 1_000
"""Batches that are written at a time."""


@dataclass(frozen=True)
class Span:
    """Where a load's facts are (places), and the accounts it met first (numbers): from the
    first to before the end."""

    first_seq: int
    end_seq: int
    first_ix: int
    end_ix: int


class Neo4jBackup:
    """See `graph.backup.Backup`."""

    def __init__(self, store: Neo4jStore) -> None:
        self._store = store
        # one that has read nothing yet gives all in order
        self._reader = Reader(store.server, store.tell)
        # The runs before the batches: none of them is about a batch that is not in here.
        self._runs = [run.id for run in reversed(store.runs())]
        self._rows = store.batch_rows()
        changes = [
            Change(as_batch(row), datetime.fromisoformat(row["begun_at"])) for row in self._rows
        ]
        last = changes[-1].batch.batch if changes else 0
        node = store_node(store.server) or {}
        [end] = store.server.read("store/lease_end")
        self.record = Record(
            store.properties,
            tuple(changes),
            tuple(store.supplies(last)),
            next_batch=node["next_batch"],
            next_ix=end["next_ix"],
            archived=tuple(store.archived()),
        )

    def runs(self) -> Iterator[RunRecord]:
        """Saved runs, oldest first."""
        return map(self._store.run, self._runs)

    def log(self) -> Iterator[tuple[Event, Words | None]]:
        """The review log, up to an event and with the words of then."""
        log = self._store.log
        head, words = log.head(), log.words()
        while (now := log.head()) != head:  # words may have come, or been erased, in between
            head, words = now, log.words()
        events = takewhile(lambda event: event.number <= head.number, log.events())
        return ((event, words.get(event.number)) for event in events)

    def kept(self, month: Archived) -> Iterator[Path]:
        """The files that the store keeps of an archived month."""
        return self._store.kept(month).files()

    def accounts(self) -> Iterator[pl.DataFrame]:
        """Every numbered account."""
        return _batches_of(self._reader.numbers(self._spans("ix")))

    def facts(self, kind: str) -> Iterator[pl.DataFrame]:
        """All rows of the kind, by batch."""
        spans = self._spans("seq", kind)
        rows = self._reader.facts(kind, spans)
        gone = unsettled(self._store, self.record.archived, kind)
        rows = without(rows, gone)
        if self._store.archived() != list(self.record.archived):
            raise UserError("Months were moved to or from the archive meanwhile.", "Run it again.")
        if not gone and len(spans) == len({span.batch for span in spans}):
            yield from _batches_of(rows)
            return
        for window in windows(self.record.loads(kind)):  # some came back, at later places
            some = rows.filter(pl.col("batch").is_in([load.batch for load in window]))
            yield some.collect(engine="streaming").sort("batch", maintain_order=True)

    def _spans(self, of: str, kind: str | None = None) -> list[Spans]:
        loads = [r for r in self._rows if r["action"] == "load" and kind in (None, r["kind"])]
        return spans_of(loads, of)


def _batches_of(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    return iter(rows.collect_batches(chunk_size=ROWS, maintain_order=True))


# -- restoring --------------------------------------------------------------------------


def restore(backup: Backup, key: str, url: str, progress: Progress, project: Project) -> Neo4jStore:
    """See `graph.backup.restore`."""
    server = Server.connect(url)
    record = backup.record
    node = store_node(server)
    _refuse_store(node, url)
    if node is None:
        refuse_foreign(server)
    make_schema(server)
    fingerprint = record.properties.key_fingerprint
    begin = {"id": str(uuid.uuid4()), "format": PLAIN_FORMAT, "key_fingerprint": fingerprint}
    server.write(("store/restore_begin", begin))
    with lease(server, "restoring") as held:
        node = store_node(server) or {}  # another restore may have ended meanwhile
        _refuse_store(node, url)
        keep_key(key_path(node["id"]), key)
        _clear(held)
        spans = _fill(held, backup, progress)
        finish(held, record, spans, held.next_seq, backup.runs())
        _fill_kept(held, backup)
        fill_log(server, backup.log(), project)
        held.rewrite("store/restore_end")
    server.close()
    return Neo4jStore.open(url)


def _refuse_store(node: Row | None, url: str) -> None:
    if node is not None and not node.get("restoring"):
        raise UserError(f"{url} is a store already.", "`inconcert store info` shows it.")


def _clear(held: Lease) -> None:
    """Remove what a killed restore left."""
    for kind in KINDS:
        clear_from(held, f"store/clear_{kind}", 0)
    for statement in ("store/clear_numbers", "store/restore_clear"):
        clear_from(held, statement, 0)


def _fill_kept(held: Lease, backup: Backup) -> None:
    """Write the archived months, and what is kept of them."""
    places = {change.batch.batch: n for n, change in enumerate(backup.record.changes, start=1)}
    for month in backup.record.archived:
        keep(held, month.kept, list(backup.kept(month)))
        shown = properties_of(month, places[month.batch])
        held.rewrite("store/archive_restore", name=month.kept, shown=shown)


def _fill(held: Lease, backup: Backup, progress: Progress) -> dict[int, Span]:
    """Write accounts and facts, batch by batch; returns where each load's rows are."""
    numbers = _ByBatch(backup.accounts())
    facts = {kind: _ByBatch(backup.facts(kind)) for kind in KINDS}
    spans: dict[int, Span] = {}
    done = next_ix = 0
    for load in backup.record.loads():
        kind = str(load.kind)
        held.rewrite(
            "store/restore_batches", batches=[{"batch": load.batch, "state": "open", "parts": 0}]
        )
        with closing(PartWriter(held, load.batch)) as writer:
            met = [next_ix]
            for frame in numbers.take(load.batch):
                ix = frame["ix"].to_numpy()
                met += [int(ix.min()), int(ix.max()) + 1]
                writer.accounts(frame)
            writer.finish()
            first_seq = held.next_seq
            for frame in facts[kind].take(load.batch):
                for part in frame.sort(KINDS[kind].accounts).iter_slices(TOLD_ROWS):
                    writer.facts(kind, part)
                    done += part.height
                    progress(done, f"{kind} of batch {load.batch}")
            writer.finish()
        first_ix, next_ix = min(met[1:], default=next_ix), max(met)
        spans[load.batch] = Span(first_seq, held.next_seq, first_ix, next_ix)
    return spans


class _ByBatch:
    """Hands out frames batch by batch, in the order in which they come."""

    def __init__(self, frames: Iterable[pl.DataFrame]) -> None:
        parts = (
            (int(key[0]), part)
            for frame in frames
            for key, part in frame.partition_by("batch", as_dict=True, maintain_order=True).items()
        )
        self._groups = groupby(parts, key=itemgetter(0))
        self._next = next(self._groups, None)

    def take(self, batch: int) -> Iterator[pl.DataFrame]:
        """The frames of a batch, if it is its turn; none otherwise."""
        if self._next is not None and self._next[0] == batch:
            for _, part in self._next[1]:
                yield part
            self._next = next(self._groups, None)


# -- the last steps, of a restore and of an import ----------------------------------------


def finish(
    held: Lease,
    record: Record,
    spans: Mapping[int, Span],
    next_seq: int,
    saved: Iterable[RunRecord],
) -> None:
    """Write all but accounts and facts, which are counted first. May be done again where it
    was cut off; then only `restore_end` is missing, and the store is one."""
    _refuse_gaps(held.server, record, next_seq)
    rows = [batch_row(place, change, spans) for place, change in enumerate(record.changes, start=1)]
    for begin in range(0, len(rows), BATCHES):
        held.rewrite("store/restore_batches", batches=rows[begin : begin + BATCHES])
    supplies = [
        {"batch": s.batch, "amount": format(s.amount, "f"), "valid_from": iso(s.valid_from)}
        for s in record.supplies
    ]
    held.rewrite("store/restore_supplies", supplies=supplies)
    node = _store(record)
    held.rewrite("store/restore_store", store=node, next_seq=next_seq, next_ix=record.next_ix)
    there = {run.id for run in runs.summaries(held.server)}
    for run in saved:
        if run.id not in there:
            runs.save(held.server, run)


def _refuse_gaps(server: Server, record: Record, end: int) -> None:
    """DamagedError where a load has not the facts in the database that its record says."""
    gone = rows_by_batch(record.archived)
    for kind in KINDS:
        loads = record.loads(kind)
        stored = tally(server, kind, end)[0] if loads else {}
        for load in loads:
            found = stored.get(load.batch, 0)
            if found + gone.get(load.batch, 0) != load.counts.loaded:
                raise DamagedError(
                    f"Batch {load.batch} has {found} {kind} where its record says "
                    f"{load.counts.loaded}."
                )


def batch_row(place: int, change: Change, spans: Mapping[int, Span]) -> Row:
    """The properties of a batch, as loads, withdrawals and supplies leave them."""
    batch = change.batch
    row = {
        "batch": batch.batch,
        "state": "committed",
        "position": place,
        "action": batch.action,
        "target": batch.target,
        "user": batch.user,
        "begun_at": iso(change.begun_at),
        "committed_at": iso(batch.committed_at),
        "visible": batch.action == "load" and not batch.withdrawn,
    }
    if batch.action != "load":
        return row
    return row | {
        "kind": batch.kind,
        "source": batch.source,
        **asdict(batch.counts),
        "latest_at": iso(batch.latest_at) if batch.latest_at else None,
        "has_revisions": batch.has_revisions,
        "complete_at": [iso(moment) for moment in batch.complete_at],
        **asdict(spans[batch.batch]),
    }


def _store(record: Record) -> Row:
    properties = record.properties
    return {
        "format": FORMAT if record.archived else PLAIN_FORMAT,
        "created": iso(properties.created),
        "masked": properties.masked,
        "holdings_rule": properties.holdings_rule,
        "issuers": list(properties.issuers),
        "key_fingerprint": properties.key_fingerprint,
        "next_batch": record.next_batch,
        "next_position": len(record.changes) + 1,
    }
