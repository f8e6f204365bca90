"""One batch being written to the embedded store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from graph.archive_kept import known
from graph.embedded.tables import Appender, DataFile, Table
from graph.loading import OpenLoad, not_before
from graph.store import Batch, Counts

if TYPE_CHECKING:
    from graph.embedded.store import EmbeddedStore


class EmbeddedLoad(OpenLoad):
    """See `graph.store.Load`. Use it from one thread."""

    def __init__(self, store: EmbeddedStore, batch: int, kind: str) -> None:
        super().__init__(batch, kind, not_before(store))
        self._store = store
        self._facts = Appender(store.table(kind), batch)
        self._accounts = Appender(store.account_table, batch)

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

    def archived(self, kind: str, uids: pl.Series) -> pl.DataFrame:
        """What is known of the archived facts with one of these uids."""
        return known(self._store, kind, uids)

    def close(self) -> None:
        """Let go of what the load holds; nothing is committed by it."""
        self._facts.close()
        self._accounts.close()

    def _stored(self, accounts: pl.DataFrame) -> pl.DataFrame:
        committed = self._store.ledger.committed()
        if not committed.shown:
            return self._met.clear()
        stored = self._store.account_table.scan(committed).select("account", "ix")
        return stored.join(accounts.lazy(), on="account", how="semi").collect(engine="streaming")

    def _reserve(self, count: int) -> int:
        return self._store.ledger.reserve_ix(count)

    def _write_numbers(self, numbered: pl.DataFrame) -> None:
        self._accounts.append(numbered)

    def _write_facts(self, frame: pl.DataFrame) -> None:
        self._facts.append(frame)

    def _commit(self, counts: Counts, complete_at: Sequence[datetime]) -> Batch:
        files = self._accounts.finish() | self._facts.finish()
        self._store.ledger.commit(
            self.batch,
            counts,
            latest_at=self._latest_at,
            has_revisions=self._has_revisions,
            complete_at=complete_at,
            files=files,
        )
        return self._store.batch(self.batch)


def _files_with(table: Table, files: list[DataFile], wanted: pl.DataFrame) -> list[DataFile]:
    """The files that have any of the wanted uids."""
    if not files:
        return []
    paths = [file.path for file in files]
    uids = pl.scan_parquet(paths, schema=dict(table.columns), include_file_paths="path", glob=False)
    hits = uids.select("uid", "path").join(wanted.lazy(), on="uid", how="semi")
    found = set(hits.select(pl.col("path").unique()).collect(engine="streaming")["path"])
    return [file for file in files if str(file.path) in found]
