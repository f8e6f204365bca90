"""Corrections: of each uid the highest visible revision is the fact."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl


def highest(rows: pl.LazyFrame, revised: Collection[int]) -> pl.LazyFrame:
    """Rows less those that a higher revision among them supersedes.

    `rows`: with `uid`, `revision`, `batch`; `revised`: the batches that have corrections,
    so that the others' uids need not be looked at where there is none.
    """
    if not revised:
        return rows
    corrections = rows.filter(pl.col("batch").is_in(sorted(revised)), pl.col("revision") > 1)
    superseded = (
        corrections.select("uid", pl.int_ranges(1, "revision", dtype=pl.Int32).alias("revision"))
        .explode("revision")
        .collect(engine="streaming")
    )
    return rows.join(superseded.lazy(), on=["uid", "revision"], how="anti")
