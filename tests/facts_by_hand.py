"""Facts of any kind, loaded into a store without a file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from graph.schema import KINDS
from graph.store import Counts, Store

Rows = Sequence[dict[str, Any]]


def load(store: Store, kind: str, rows: Rows, complete_at: Sequence[datetime] = ()) -> None:
    """One batch of rows; absent columns are null."""
    columns = KINDS[kind].columns
    batch_name = len(store.batches())
    given_ = {name for row in rows for name in row}
    frame = pl.DataFrame(
        [{name: row.get(name) for name in given_} for row in rows],
        schema_overrides={n: of for n, of in columns.items() if n not in KINDS[kind].accounts},
    )
    with store.loading(kind, "test") as batch:
        for column in KINDS[kind].accounts:
            frame = frame.with_columns(batch.number(frame[column]).alias(column))
        absent = {n: pl.lit(None, of) for n, of in columns.items() if n not in frame.columns}
        numbered = frame.with_columns(**absent).select(
            pl.format("{}-{}-{}", pl.lit(kind), pl.lit(batch_name), pl.int_range(pl.len())).alias(
                "uid"
            ),
            pl.lit(1, pl.Int32).alias("revision"),
            *(pl.col(name).cast(of) for name, of in columns.items()),
        )
        batch.append(kind, numbered)
        batch.commit(Counts(read=len(rows), loaded=len(rows)), complete_at=complete_at)
