"""One batch being written to the embedded store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from graph.embedded.tables import Appender, DataFile, Table
from graph.schema import KINDS
from graph.store import Batch, Counts

if TYPE_CHECKING:
    from graph.embedded.store import EmbeddedStore


class EmbeddedLoad:
    """See `graph.store.Load`. Use it from one thread."""

    def __init__(self, store: EmbeddedStore, batch: int, kind: str) -> None:
        self.batch = batch
        self._store = store
        self._kind = kind
        self._facts = Appender(store.table(kind), batch)
        self._accounts = Appender(store.account_table, batch)
        self._met = store.account_table.empty().select("account", "ix")
        self._latest_at: datetime | None = None
        self._has_revisions = False

    def number(self, ids: pl.Series) -> pl.Series:
        """The ix of each id (not null, repeats allowed), in the same order."""
        wanted = ids.cast(pl.String).alias("account").to_frame()
        ix = _look_up(wanted, self._met)
        for learn in (self._stored, self._new):
            missing = ix.is_null().arg_true()
            if missing.is_empty():
                break
            strangers = wanted[missing]
            learned = learn(strangers.unique())
            self._met = pl.concat([self._met, learned], rechunk=True)
            ix = ix.scatter(missing, _look_up(strangers, learned))
        return ix.alias(ids.name)

    def existing(self, kind: str, uids: pl.Series) -> pl.DataFrame:
        """Committed rows with one of these uids, and whether they are `visible`."""
        table = self._store.table(kind)
        committed = self._store.ledger.committed(kind)
        shown = self._store.ledger.visible(kind).shown
        files = [file for file in table.files() if committed.within(file.low, file.high)]
        wanted = uids.cast(pl.String).alias("uid").to_frame()
        # uids alone first: as a rule few files, or none, have any of them
        hit = _files_with(table, files, wanted)
        if not hit:
            return table.empty().with_columns(visible=pl.lit(True))
        return (
            table.scan_files(hit)
            .join(wanted.lazy(), on="uid", how="semi")
            .filter(pl.col("batch").is_in(committed.shown))
            .with_columns(visible=pl.col("batch").is_in(shown))
            .collect(engine="streaming")
        )

    def append(self, kind: str, frame: pl.DataFrame) -> None:
        """Write rows: `uid`, `revision` and the kind's columns."""
        if kind != self._kind:
            raise ValueError(f"batch {self.batch} loads {self._kind}, not {kind}")
        if frame.is_empty():
            return
        self._facts.append(frame)
        if "at" in KINDS[kind].columns:
            latest = frame["at"].max()
            if isinstance(latest, datetime):
                self._latest_at = max(latest, self._latest_at or latest)
        revision = frame["revision"].max()
        self._has_revisions |= isinstance(revision, int) and revision > 1

    def commit(self, counts: Counts, *, complete_at: Sequence[datetime] = ()) -> Batch:
        """Make the batch visible, in one atomic step."""
        if counts.loaded != self._facts.rows:
            raise ValueError(f"{counts.loaded} rows counted, {self._facts.rows} written")
        self._accounts.finish()
        self._facts.finish()
        self._store.ledger.commit(
            self.batch,
            counts,
            latest_at=self._latest_at,
            has_revisions=self._has_revisions,
            complete_at=complete_at,
        )
        return self._store.batch(self.batch)

    def close(self) -> None:
        """Let go of what the load holds; nothing is committed by it."""
        self._facts.close()
        self._accounts.close()

    def _stored(self, wanted: pl.DataFrame) -> pl.DataFrame:
        committed = self._store.ledger.committed()
        if not committed.shown:
            return self._met.clear()
        stored = self._store.account_table.scan(committed).select("account", "ix")
        return stored.join(wanted.lazy(), on="account", how="semi").collect(engine="streaming")

    def _new(self, wanted: pl.DataFrame) -> pl.DataFrame:
        first = self._store.ledger.reserve_ix(wanted.height)
        numbers = pl.int_range(first, first + wanted.height, dtype=pl.Int64, eager=True)
        accounts = wanted.with_columns(ix=numbers)
        self._accounts.append(accounts)
        return accounts


def _look_up(wanted: pl.DataFrame, accounts: pl.DataFrame) -> pl.Series:
    """The ix of each wanted account, in order; null where it is not among the accounts."""
    return wanted.join(accounts, on="account", how="left", maintain_order="left")["ix"]


def _files_with(table: Table, files: list[DataFile], wanted: pl.DataFrame) -> list[DataFile]:
    """The files that have any of the wanted uids."""
    if not files:
        return []
    paths = [file.path for file in files]
    uids = pl.scan_parquet(paths, schema=dict(table.columns), include_file_paths="path", glob=False)
    hits = uids.select("uid", "path").join(wanted.lazy(), on="uid", how="semi")
    found = set(hits.select(pl.col("path").unique()).collect(engine="streaming")["path"])
    return [file for file in files if str(file.path) in found]
