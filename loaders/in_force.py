"""What is held now by the store's rule: the amounts that holdings without a time are compared
with."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from graph.clock import now
from graph.store import Store


def in_force(store: Store) -> pl.DataFrame:
    """`account` (ix) and `amount` of every account that was ever stated.

    The latest statement counts, of any source; an account that a later complete list left
    out holds 0. Where holdings are rolled, what was paid since counts too, and so do accounts that
    were only paid.
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
            .cast(stated.schema["amount"]),
            at=pl.when(left_out)
            .then(pl.lit(max(complete)))
            .otherwise("at")
            .cast(stated.schema["at"]),
        )
    if store.properties.holdings_rule == "rolled" and not stated.is_empty():
        stated = _rolled(store, stated, max(complete, default=None))
    return stated.select("account", "amount")


def _rolled(store: Store, stated: pl.DataFrame, begin: datetime | None) -> pl.DataFrame:
    """Statements with what was paid since added. `begin`: the last complete list; who was never
    stated begins there, else at the first statement, with 0. As `graph.snapshot` has it."""
    first = begin or stated["at"].min()
    moved = store.facts("transfers").filter(
        pl.col("at").is_not_null() & (pl.col("at") <= now()) & (pl.col("src") != pl.col("dst"))
    )
    since = pl.concat(
        [
            moved.select("at", account="src", amount=-pl.col("amount")),
            moved.select("at", account="dst", amount="amount"),
            store.carried().select("at", "account", "amount"),
        ]
    ).join(stated.lazy().select("account", stated_at="at"), on="account", how="left")
    counted = since.filter(pl.col("at") > pl.col("stated_at").fill_null(pl.lit(first)))
    every = pl.concat(
        [stated.lazy().select("account", "amount"), counted.select("account", "amount")]
    )
    return every.group_by("account").agg(pl.col("amount").sum()).collect(engine="streaming")


def same_state(now: pl.DataFrame, listed: pl.DataFrame) -> bool:
    """Whether a complete list says just what is in force: the same accounts with anything, the
    same amounts."""
    holding = [
        frame.filter(pl.col("amount") != 0).select("account", "amount") for frame in (now, listed)
    ]
    first, second = (frame.unique().sort("account", "amount") for frame in holding)
    return first.equals(second)
