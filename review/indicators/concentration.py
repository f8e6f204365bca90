"""Concentration of counterparties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numba import njit

from detectors.transfers import rows_by_pair
from review.population import FEWEST_TRANSFERS, Population

CLOSEST = 3


class Concentration:
    """Members deal with few, again and again."""

    name = "concentration"
    title = "concentration of counterparties"
    unit = "part of transfers"
    formula = (
        f"transfers with its {CLOSEST} most frequent counterparties / all its transfers; from "
        f"{FEWEST_TRANSFERS} transfers on"
    )
    innocent = "a couple, a customer of one shop or one exchange"
    high = True
    nothing = None
    more = "more concentrated"
    absent = f"has fewer than {FEWEST_TRANSFERS} transfers"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `closest` (how many counterparties), `with_them` and `all` (transfers)."""
        src, dst = (population.moves[end].to_numpy() for end in ("src", "dst"))
        a, b = np.minimum(src, dst), np.maximum(src, dst)
        starts, rows = rows_by_pair(a, b, population.size)
        pairs = rows[starts[:-1]]
        most = _most(population.size, a[pairs], b[pairs], np.diff(starts))
        with_them, every = most.sum(axis=1), population.transfers
        return population.by_account(
            every >= FEWEST_TRANSFERS,
            with_them / np.maximum(every, 1),
            with_them=with_them,
            closest=(most > 0).sum(axis=1),
            all=every,
        )

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says with how many it deals in how many transfers."""
        others = "one other" if row["closest"] == 1 else f"{row['closest']} others"
        return f"Deals with {others} in {row['with_them']:,} of {row['all']:,} transfers"


@njit(cache=True, nogil=True)
def _most(accounts, a, b, times):  # type: ignore[no-untyped-def]
    """Of each account how often it deals with its most frequent counterparties, the most first."""
    most = np.zeros((accounts, CLOSEST), np.int64)
    for pair in range(len(times)):
        for account in (a[pair], b[pair]):
            left = times[pair]
            for place in range(CLOSEST):
                if left > most[account, place]:
                    most[account, place], left = left, most[account, place]
    return most


INDICATOR = Concentration()
