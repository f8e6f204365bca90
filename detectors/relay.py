"""Relay: what comes in goes on soon, at nearly the amount.

An account that passes on for others leaves pairs of transfers behind: one comes in, another
goes out within days at almost the same amount, to somebody else. By chance that happens too,
as often before as after: the same match looked for backwards in time is the control.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.family import (
    Facts,
    Floats,
    Inside,
    Ints,
    Layer,
    Reason,
    given_layers,
    rank_millibits,
)

WINDOW_DAYS = 5
"""How long an amount may rest."""

KEPT = 0.92, 1.0005
"""The part of what came in that goes on."""

MOST_LOOKED_AT = 64
"""So many payments out after one that came in; an account with more in five days is a hub."""


class Relay:
    """Evidence from the order of time and from amounts."""

    name = "relay"
    source = "transfers"
    help = "Looks for accounts that pass on what they receive."

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        moves = (
            facts.transfers.filter((nw.col("amount") > 0) & ~nw.col("at").is_null())
            .select("src", "dst", amount=nw.col("amount").cast(nw.Float64), at=nw.col("at"))
            .collect()
            .to_native()
        )
        moves = moves.with_columns(at=pl.col("at").dt.epoch("us")).sort("at", "src", "dst")
        src, dst, amount, at = (moves[c].to_numpy() for c in ("src", "dst", "amount", "at"))
        forward, back = _relays(facts.accounts, src, dst, amount, at, WINDOW_DAYS * 86_400_000_000)
        edges = moves.select(
            a=pl.min_horizontal("src", "dst"), b=pl.max_horizontal("src", "dst"),
            forward=pl.Series(forward), back=pl.Series(back), many=pl.lit(1),
        ).group_by("a", "b").agg(pl.col("forward", "back", "many").sum()).filter(pl.col("forward") > 0)
        total = edges["back"].sum() / max(edges["many"].sum(), 1)
        f = pl.col("forward").cast(pl.Float64)
        lam = (pl.col("back") + 1.0) 
        bits = f * (f / lam).log(2) - (f - lam) / np.log(2) - (f + 1).log(2) / 2
        edges = edges.with_columns(strength=pl.when(f > lam).then(bits).otherwise(0.0)).filter(pl.col("strength") > .5)
        return nw.from_native(edges.lazy().select("a", "b", strength=(1000 * pl.col("strength")).round(0).cast(pl.Int32)))

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        return given_layers("relay", facts, a, b, millibits, often=True)

    def reason(self, inside: Inside) -> Reason:
        return Reason("relays", [])

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        return ["" for _ in pairs]


@njit(cache=True)
def _relays(accounts, src, dst, amount, at, window):
    """For each transfer how often it is one side of a relay, forward and backward in time."""
    m = len(src)
    starts = np.zeros(accounts + 1, np.int64)
    for e in range(m):
        starts[src[e] + 1] += 1
    for u in range(accounts):
        starts[u + 1] += starts[u]
    outs = np.empty(m, np.int64)
    free = starts[:-1].copy()
    for e in range(m):
        outs[free[src[e]]] = e
        free[src[e]] += 1
    forward = np.zeros(m, np.int32)
    back = np.zeros(m, np.int32)
    used_f = np.zeros(m, np.bool_)
    used_b = np.zeros(m, np.bool_)
    low, high = KEPT
    cursor = starts[:-1].copy()
    for e in range(m):  # by time
        u = dst[e]
        first, last = starts[u], starts[u + 1]
        # outs of u are by time: place of the first after at[e]
        while cursor[u] < last and at[outs[cursor[u]]] <= at[e]:
            cursor[u] += 1
        p = cursor[u]
        looked = 0
        while p < last and looked < 64 and at[outs[p]] <= at[e] + window:
            o = outs[p]
            if not used_f[o] and dst[o] != src[e]:
                r = amount[o] / amount[e]
                if r >= low and r <= high:
                    used_f[o] = True
                    forward[e] += 1
                    forward[o] += 1
                    break
            p += 1
            looked += 1
        p = cursor[u] - 1
        looked = 0
        while p >= first and looked < 64 and at[outs[p]] >= at[e] - window:
            o = outs[p]
            if not used_b[o] and dst[o] != src[e]:
                r = amount[o] / amount[e]
                if r >= low and r <= high:
                    used_b[o] = True
                    back[e] += 1
                    back[o] += 1
                    break
            p -= 1
            looked += 1
    return forward, back


DETECTOR = Relay()
