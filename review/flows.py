"""How a group's payments lie in time: among its members, into it and out of it, by week."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from graph.amount import plain
from graph.store import Store

MOST_WEEKS = 16
"""The last so many weeks in which anything was paid."""

SIDES = ("inside", "into", "out")


def flows(
    store: Store, members: Sequence[str], as_of: datetime, known_at: int | None
) -> list[dict[str, Any]]:
    """A row for each week, by its Monday: how many payments there were `inside`, `into` and
    `out`, and what they come to (`inside_amount`, …: exact decimals as text). Payments without
    a date are left out."""
    accounts = store.accounts().filter(pl.col("account").is_in(list(members))).collect()
    ours = accounts["ix"].implode()
    src, dst = pl.col("src").is_in(ours), pl.col("dst").is_in(ours)
    side = pl.when(src & dst).then(pl.lit("inside")).when(dst).then(pl.lit("into"))
    found = (
        store.facts("transfers", known_at)
        .filter((src | dst) & (pl.col("src") != pl.col("dst")))
        .filter(pl.col("at").is_not_null() & (pl.col("at") <= as_of))
        .select(
            side.otherwise(pl.lit("out")).alias("side"),
            pl.col("at").dt.truncate("1w").dt.date().alias("week"),
            "amount",
        )
        .group_by("week", "side")
        .agg(count=pl.len(), amount=pl.col("amount").sum())
        .collect(engine="streaming")
    )
    weeks = found["week"].unique().sort()[-MOST_WEEKS:].to_list()
    by_week = {(week, side): (count, amount) for week, side, count, amount in found.iter_rows()}
    rows = []
    for week in weeks:
        row: dict[str, Any] = {"week": week.isoformat()}
        for name in SIDES:
            count, amount = by_week.get((week, name), (0, None))
            row |= {name: count, f"{name}_amount": plain(amount) if amount else "0"}
        rows.append(row)
    return rows
