"""One batch being written to a Neo4j store."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from graph.archive_kept import known
from graph.clock import iso, now
from graph.loading import OpenLoad, not_before
from graph.neo4j.columns import to_bolt
from graph.neo4j.lease import Lease, LeaseLostError
from graph.neo4j.server import Run, Step, TransactionTooLargeError
from graph.schema import KINDS
from graph.store import Batch, Counts, Tell, silent
from graph.threads import Task, Threads

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


class Neo4jLoad(OpenLoad):
    """See `graph.store.Load`. Use it from one thread; another one talks to the server."""

    def __init__(
        self, store: Neo4jStore, lease: Lease, kind: str, batch: int, numbered: int
    ) -> None:
        super().__init__(batch, kind, not_before(store))
        self._numbered = numbered
        self._store = store
        self._lease = lease
        self._committed: list[Batch] | None = None
        self._asked = 0
        self._writer = PartWriter(lease, batch, store.tell)

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

    def archived(self, kind: str, uids: pl.Series) -> pl.DataFrame:
        """What is known of the archived facts with one of these uids."""
        return known(self._store, kind, uids)

    def close(self) -> None:
        """Let go of the thread; nothing is committed by it."""
        self._writer.close()

    def _stored(self, accounts: pl.DataFrame) -> pl.DataFrame:
        if accounts.height * READ_ALL_FROM < self._numbered:
            return self._store.reader.numbers_of(accounts["account"])
        every = self._store.accounts()
        return every.join(accounts.lazy(), on="account", how="semi").collect(engine="streaming")

    def _reserve(self, count: int) -> int:
        return int(self._lease.rewrite("store/reserve_numbers", count=count)[0]["first"])

    def _write_numbers(self, numbered: pl.DataFrame) -> None:
        self._writer.accounts(numbered)

    def _write_facts(self, frame: pl.DataFrame) -> None:
        self._writer.facts(self._kind, frame)

    def _commit(self, counts: Counts, complete_at: Sequence[datetime]) -> Batch:
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


class PartWriter:
    """Sends a load's rows in parts, each one transaction that is there once or not at all,
    from a thread of its own: the next rows are made ready meanwhile."""

    def __init__(self, lease: Lease, batch: int, tell: Tell = silent) -> None:
        self._lease = lease
        self._batch = batch
        self._begins = "store/batch_part"
        self._named: dict[str, Any] = {"batch": batch}
        self._tell = tell
        self._written: Counter[str] = Counter()
        self._part = 0
        self._rows = ROWS
        self._waiting: deque[Task[None]] = deque()
        self._thread = Threads(1)

    def accounts(self, accounts: pl.DataFrame) -> None:
        """Write new accounts: `account`, `ix`."""
        for part in accounts.iter_slices(ROWS):
            self._put(partial(self._send, "account numbers", part, _account_steps))

    def facts(self, kind: str, frame: pl.DataFrame) -> None:
        """Write facts: `uid`, `revision` and the kind's columns."""
        # by their ends, so that a transaction touches few pages of the server's store
        steps = _fact_steps(kind)
        for part in frame.sort(KINDS[kind].accounts).iter_slices(ROWS):
            self._put(partial(self._send, kind, part, steps))

    def finish(self) -> None:
        """Wait until everything is written; raises what went wrong on the way."""
        while self._waiting:
            self._waiting.popleft().result()

    def close(self) -> None:
        """Stop; what waits is not written."""
        self._lease.server.end(self._thread)

    def _put(self, send: Callable[[], None]) -> None:
        self._waiting.append(self._thread.begin(send))
        if len(self._waiting) > PARTS_WAITING:
            self._waiting.popleft().result()

    def _send(
        self, what: str, frame: pl.DataFrame, steps: Callable[[pl.DataFrame], list[Step]]
    ) -> None:
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
            self._written[what] += rows.height
            self._tell(f"{self._written[what]:,} {what} written")

    def _transact(self, rows: pl.DataFrame, steps: Callable[[pl.DataFrame], list[Step]]) -> None:
        first, after = self._lease.next_seq, self._lease.next_seq + rows.height
        placed = rows.with_columns(seq=pl.int_range(first, after, dtype=pl.Int64))
        ready = [(name, {"batch": self._batch, **sent}) for name, sent in steps(placed)]
        begin = {**self._named, "part": self._part, "next_seq": after}

        def work(run: Run) -> None:
            if run(self._begins, begin)[0]["done"]:
                return
            for name, parameters in ready:
                run(name, parameters)

        self._lease.transact(work, repeatable=True)
        self._lease.next_seq = after
        self._part += 1


class ReturnWriter(PartWriter):
    """The same for rows of many loads, which come back from the archive. One for each month:
    its parts are counted."""

    def __init__(self, lease: Lease, name: str, tell: Tell = silent) -> None:
        super().__init__(lease, 0, tell)
        self._begins = "store/archive_part"
        self._named = {"name": name}

    def facts(self, kind: str, frame: pl.DataFrame) -> None:
        """Write facts: `uid`, `revision`, `batch` and the kind's columns."""
        of_one = _fact_steps(kind)

        def steps(rows: pl.DataFrame) -> list[Step]:
            return [
                (name, {**sent, "batch": int(batch)})
                for (batch,), part in rows.partition_by("batch", as_dict=True).items()
                for name, sent in of_one(part)
            ]

        for part in frame.sort(KINDS[kind].accounts).iter_slices(ROWS):
            self._put(partial(self._send, kind, part, steps))


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
