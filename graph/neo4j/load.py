"""One batch being written to a Neo4j store."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from graph.clock import iso, now
from graph.neo4j.columns import to_bolt
from graph.neo4j.lease import Lease, LeaseLostError
from graph.neo4j.server import Run, Step, TransactionTooLargeError
from graph.schema import KINDS
from graph.store import Batch, Counts

if TYPE_CHECKING:
    from graph.neo4j.store import Neo4jStore

ROWS = 10_000
"""Rows of one transaction, halved where the server has no memory for them."""

FEWEST_ROWS = 100
PARTS_WAITING = 4

READ_ALL_FROM = 8
"""Accounts and facts are read whole, not asked for one by one, where a load wants one in
so many."""

IDENTIFIER = ["identifier_kind", "digest"]


class Neo4jLoad:
    """See `graph.store.Load`. Use it from one thread; another one talks to the server."""

    def __init__(
        self, store: Neo4jStore, lease: Lease, kind: str, batch: int, numbered: int
    ) -> None:
        self.batch = batch
        self._numbered = numbered
        self._store = store
        self._lease = lease
        self._kind = kind
        self._met = pl.DataFrame(schema={"account": pl.String(), "ix": pl.Int64()})
        self._rows = 0
        self._committed: list[Batch] | None = None
        self._asked = 0
        self._latest_at: datetime | None = None
        self._has_revisions = False
        self._writer = PartWriter(lease, batch)

    def number(self, ids: pl.Series) -> pl.Series:
        """The ix of each id (not null, repeats allowed), in the same order."""
        wanted = ids.cast(pl.String).alias("account").to_frame()
        ix = _look_up(wanted, self._met)
        for learn in (self._stored, self._new):
            missing = ix.is_null().arg_true()
            if missing.is_empty():
                break
            strangers = wanted[missing]
            learned = learn(strangers.unique(maintain_order=True))
            self._met = pl.concat([self._met, learned], rechunk=True)
            ix = ix.scatter(missing, _look_up(strangers, learned))
        return ix.alias(ids.name)

    def existing(self, kind: str, uids: pl.Series) -> pl.DataFrame:
        """Committed rows with one of these uids, and whether they are `visible`."""
        # with the lease held no other load is committed or withdrawn
        if self._committed is None:
            self._committed = [batch for batch in self._store.batches() if batch.kind == kind]
        committed = [batch.batch for batch in self._committed]
        visible = [batch.batch for batch in self._committed if not batch.withdrawn]
        self._asked += len(uids)
        if self._asked * READ_ALL_FROM < sum(batch.counts.loaded for batch in self._committed):
            frame = self._store.reader.with_uids(kind, uids, committed)
        else:
            wanted = uids.cast(pl.String).unique().alias("uid").to_frame().lazy()
            every = self._store.every_row(kind)
            frame = every.join(wanted, on="uid", how="semi").collect(engine="streaming")
        return frame.with_columns(visible=pl.col("batch").is_in(visible))

    def append(self, kind: str, frame: pl.DataFrame) -> None:
        """Write rows: `uid`, `revision` and the kind's columns."""
        if kind != self._kind:
            raise ValueError(f"batch {self.batch} loads {self._kind}, not {kind}")
        if frame.is_empty():
            return
        self._rows += frame.height
        self._writer.facts(kind, frame)
        if "at" in KINDS[kind].columns:
            latest = frame["at"].max()
            if isinstance(latest, datetime):
                self._latest_at = max(latest, self._latest_at or latest)
        revision = frame["revision"].max()
        self._has_revisions |= isinstance(revision, int) and revision > 1

    def commit(self, counts: Counts, *, complete_at: Sequence[datetime] = ()) -> Batch:
        """Make the batch visible, in one atomic step."""
        if counts.loaded != self._rows:
            raise ValueError(f"{counts.loaded} rows counted, {self._rows} written")
        self._writer.finish()
        parameters = {
            "batch": self.batch,
            "at": iso(now()),
            "read": counts.read,
            "loaded": counts.loaded,
            "known": counts.known,
            "conflicts": counts.conflicts,
            "quarantined": counts.quarantined,
            "latest_at": iso(self._latest_at) if self._latest_at else None,
            "has_revisions": self._has_revisions,
            "complete_at": [iso(moment) for moment in complete_at],
        }
        try:
            if not self._lease.rewrite("store/batch_commit", **parameters):
                raise RuntimeError(f"batch {self.batch} is not open")
        except LeaseLostError:
            # when the answer to the commit was lost, and the lease after it, it may be there
            if self.batch not in {batch.batch for batch in self._store.batches()}:
                raise
        return self._store.batch(self.batch)

    def close(self) -> None:
        """Let go of the thread; nothing is committed by it."""
        self._writer.close()

    def _stored(self, wanted: pl.DataFrame) -> pl.DataFrame:
        if wanted.height * READ_ALL_FROM < self._numbered:
            return self._store.reader.numbers_of(wanted["account"])
        every = self._store.accounts()
        return every.join(wanted.lazy(), on="account", how="semi").collect(engine="streaming")

    def _new(self, wanted: pl.DataFrame) -> pl.DataFrame:
        first = self._lease.rewrite("store/reserve_numbers", count=wanted.height)[0]["first"]
        numbers = pl.int_range(first, first + wanted.height, dtype=pl.Int64, eager=True)
        accounts = wanted.with_columns(ix=numbers)
        self._writer.accounts(accounts)
        return accounts


class PartWriter:
    """Sends a load's rows in parts, each one transaction that is there once or not at all,
    from a thread of its own: the next rows are made ready meanwhile."""

    def __init__(self, lease: Lease, batch: int) -> None:
        self._lease = lease
        self._batch = batch
        self._part = 0
        self._rows = ROWS
        self._error: BaseException | None = None
        self._closed = False
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(PARTS_WAITING)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def accounts(self, accounts: pl.DataFrame) -> None:
        """Write new accounts: `account`, `ix`."""
        for part in accounts.iter_slices(ROWS):
            self._put(partial(self._send, part, _account_steps))

    def facts(self, kind: str, frame: pl.DataFrame) -> None:
        """Write facts: `uid`, `revision` and the kind's columns."""
        # by their ends, so that a transaction touches few pages of the server's store
        steps = _fact_steps(kind)
        for part in frame.sort(KINDS[kind].accounts).iter_slices(ROWS):
            self._put(partial(self._send, part, steps))

    def finish(self) -> None:
        """Wait until everything is written; raises what went wrong on the way."""
        self._waiting.join()
        self._raise()

    def close(self) -> None:
        """Stop; what waits is not written."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join()

    def _put(self, send: Callable[[], None]) -> None:
        self._raise()
        self._waiting.put(send)

    def _raise(self) -> None:
        if self._error:
            raise self._error

    def _work(self) -> None:
        while (send := self._waiting.get()) is not None:
            try:
                if not (self._error or self._closed):
                    send()
            except BaseException as error:  # raised again by the thread that loads
                self._error = error
            finally:
                self._waiting.task_done()

    def _send(self, frame: pl.DataFrame, steps: Callable[[pl.DataFrame], list[Step]]) -> None:
        """Send rows, in smaller transactions where the server says that they are too large."""
        sent = 0
        while sent < frame.height:
            rows = frame.slice(sent, self._rows)
            try:
                self._transact(rows, steps)
            except TransactionTooLargeError:
                if self._rows <= FEWEST_ROWS:
                    raise
                self._rows //= 2
                continue
            sent += rows.height

    def _transact(self, rows: pl.DataFrame, steps: Callable[[pl.DataFrame], list[Step]]) -> None:
        first, after = self._lease.next_seq, self._lease.next_seq + rows.height
        placed = rows.with_columns(seq=pl.int_range(first, after, dtype=pl.Int64))
        ready = [(name, {**sent, "batch": self._batch}) for name, sent in steps(placed)]
        begin = {"batch": self._batch, "part": self._part, "next_seq": after}

        def work(run: Run) -> None:
            if run("store/batch_part", begin)[0]["done"]:
                return
            for name, parameters in ready:
                run(name, parameters)

        self._lease.transact(work, repeatable=True)
        self._lease.next_seq = after
        self._part += 1


def _look_up(wanted: pl.DataFrame, accounts: pl.DataFrame) -> pl.Series:
    """The ix of each wanted account, in order; null where it is not among the accounts."""
    return wanted.join(accounts, on="account", how="left", maintain_order="left")["ix"]


def _account_steps(accounts: pl.DataFrame) -> list[Step]:
    return [("store/write_numbers", accounts.select("account", "ix").to_dict(as_series=False))]


def _fact_steps(kind: str) -> Callable[[pl.DataFrame], list[Step]]:
    """What writes some rows of a kind (with their `seq`)."""
    stored = KINDS[kind].stored
    columns = {name: dtype for name, dtype in stored.items() if name != "batch"}
    columns["seq"] = pl.Int64()

    def facts(frame: pl.DataFrame) -> list[Step]:
        return [(f"store/write_{kind}", to_bolt(frame, columns))]

    def sightings(frame: pl.DataFrame) -> list[Step]:
        whole = pl.all_horizontal(pl.col(IDENTIFIER).is_not_null())
        named, bare = frame.filter(whole), frame.filter(~whole)
        identifiers = named.select(IDENTIFIER).unique().to_dict(as_series=False)
        steps: list[Step] = [("store/write_identifiers", identifiers), *facts(named)]
        if bare.height:
            steps.append(("store/write_sightings_bare", to_bolt(bare, columns)))
        return steps

    return sightings if kind == "sightings" else facts
