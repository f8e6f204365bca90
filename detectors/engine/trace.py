"""Tracing: where points went, or came from, hop by hop.

Institutions are shown where they are reached and not followed further: what leaves an
exchange is anyone's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from detectors.family import INSTITUTIONS
from graph.amount import summed
from graph.snapshot import Snapshot

MOST_FOLLOWED = 200
"""Accounts followed at each hop: those that moved the most."""


@dataclass(frozen=True)
class Trace:
    """`hops`: hop, src, dst, amount, transfers, first, last (accounts as ids), the largest
    amounts of each hop first; `cut`: accounts reached and not followed further."""

    hops: pl.DataFrame
    cut: int


def trace(
    taken: Snapshot,
    accounts: list[int],
    depth: int,
    direction: str,
    begin: datetime | None = None,
    end: datetime | None = None,
) -> Trace:
    """Follow transfers from accounts (numbers) for `depth` hops, `direction` in, out or both.

    A hop moves on in time: it only follows what left an account at or after (going in: at
    or before) the first (last) time that something reached it; without times all counts.
    """
    moved = _moved(taken, begin, end)
    roles = taken.accounts["role"].is_in(INSTITUTIONS).fill_null(False)
    public = (roles | taken.accounts["excluded"]).to_numpy()
    found = []
    cut = 0
    for way in ("out", "in") if direction == "both" else (direction,):
        near, far = ("src", "dst") if way == "out" else ("dst", "src")
        front = pl.DataFrame(
            {near: accounts, "reached": None}, schema={near: pl.Int32, "reached": pl.Int64}
        )
        seen = np.zeros(len(public), np.bool_)
        seen[accounts] = True
        for hop in range(1, depth + 1):
            rows = _hop(moved, front, near, way)
            if not len(rows):
                break
            found.append(rows.with_columns(hop=pl.lit(hop if way == "out" else -hop)))
            reached = (
                rows.group_by(far)
                .agg(
                    pl.col("amount").sum(),
                    reached=pl.col("first").min() if way == "out" else pl.col("last").max(),
                )
                .sort(["amount", far], descending=[True, False])
            )
            reached = reached.filter(~pl.Series(seen[reached[far].to_numpy()]))
            followed = reached.filter(~pl.Series(public[reached[far].to_numpy()]))
            followed = followed.head(MOST_FOLLOWED)
            cut += len(reached) - len(followed) if hop < depth else 0
            seen[reached[far].to_numpy()] = True
            front = followed.select(pl.col(far).alias(near), "reached")
    return Trace(_named(taken, found), cut)


def _moved(taken: Snapshot, begin: datetime | None, end: datetime | None) -> pl.LazyFrame:
    moved = taken.facts("transfers").filter(pl.col("src") != pl.col("dst"))
    moved = moved.select("src", "dst", "amount", "at", "step")
    if begin is not None:
        moved = moved.filter(pl.col("at").is_null() | (pl.col("at") >= begin))
    if end is not None:
        moved = moved.filter(pl.col("at").is_null() | (pl.col("at") <= end))
    return moved.with_columns(order=pl.coalesce(pl.col("at").cast(pl.Int64), "step"))


def _hop(moved: pl.LazyFrame, front: pl.DataFrame, near: str, way: str) -> pl.DataFrame:
    """What left (or reached) the front, summed by pair."""
    order = pl.col("order")
    later = order >= pl.col("reached") if way == "out" else order <= pl.col("reached")
    return summed(
        moved.join(front.lazy(), on=near, how="inner")
        .filter(later | pl.col("reached").is_null() | order.is_null())
        .group_by("src", "dst")
        .agg(
            pl.col("amount").sum(),
            transfers=pl.len(),
            first=order.min(),
            last=order.max(),
            dated=pl.col("at").is_not_null().any(),
        )
        .sort(["amount", "src", "dst"], descending=[True, False, False])
    )


def _named(taken: Snapshot, found: list[pl.DataFrame]) -> pl.DataFrame:
    names = taken.accounts["account"]
    if not found:
        return pl.DataFrame(
            schema={
                "hop": pl.Int32,
                "src": pl.String,
                "dst": pl.String,
                "amount": pl.Decimal(38, 18),
                "transfers": pl.UInt32,
                "first": pl.String,
                "last": pl.String,
            }
        )
    rows = pl.concat(found)

    def when(column: str) -> pl.Expr:
        dated = pl.from_epoch(column, "us").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        return pl.when("dated").then(dated).otherwise(pl.col(column).cast(pl.String)).alias(column)

    return rows.select(
        "hop",
        src=names.gather(rows["src"]),
        dst=names.gather(rows["dst"]),
        amount="amount",
        transfers="transfers",
        first=when("first"),
        last=when("last"),
    )
