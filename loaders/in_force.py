"""What is stated now: the amounts that holdings without a time are compared with."""

from __future__ import annotations

import polars as pl

from graph.store import Store


def in_force(store: Store) -> pl.DataFrame:
    """`account` (ix) and `amount` of every account that was ever stated.

    The latest statement counts, of any source; an account that a later complete list left
    out holds 0.
    """
    complete = [
        time for batch in store.batches() if not batch.withdrawn for time in batch.complete_at
    ]
    order = ["at", "batch", "revision", "uid"]
    stated = (
        store.facts("holdings")
        .group_by("account")
        .agg(
            pl.col("amount").sort_by(order, nulls_last=False).last(),
            pl.col("at").max(),
        )
        .collect(engine="streaming")
    )
    if complete:
        left_out = pl.col("at").is_null() | (pl.col("at") < max(complete))
        stated = stated.with_columns(
            amount=pl.when(left_out)
            .then(pl.lit(0))
            .otherwise(pl.col("amount"))
            .cast(stated.schema["amount"])
        )
    return stated.select("account", "amount")


def same_state(now: pl.DataFrame, listed: pl.DataFrame) -> bool:
    """Whether a complete list says just what is in force: the same accounts above 0, the
    same amounts."""
    holding = [
        frame.filter(pl.col("amount") > 0).select("account", "amount") for frame in (now, listed)
    ]
    first, second = (frame.unique().sort("account", "amount") for frame in holding)
    return first.equals(second)
