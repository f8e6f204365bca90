"""Speed of accumulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numba import njit

from review.movements import NEVER, SENT
from review.population import Population, percent

DAYS = 30
WINDOW = DAYS * 86_400_000_000
"""Microseconds."""


class Speed:
    """Who is to reach a line soon gathers fast."""

    name = "speed"
    title = "speed of accumulation"
    unit = "part of all points"
    formula = (
        f"the most that came in (purchases, transfers) less what left within {DAYS} days up to "
        "any of its movements / all points; movements without a time are left out"
    )
    innocent = "a large purchase, an inheritance, the move of savings from another account"
    high = True
    nothing = 0.0
    more = "faster"
    absent = "has no movement with a time"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `gain` in points."""
        moved = population.movements
        last = moved.starts[1:] - 1  # those without a time come first
        dated = (last >= moved.starts[:-1]) & (np.append(moved.at, NEVER)[last] != NEVER)
        supply = float(population.snapshot.supply)
        known = dated if supply > 0 else np.zeros(population.size, np.bool_)
        gain = _largest_gain(moved.starts, moved.at, moved.amount, moved.sort)
        return population.by_account(known, gain / (supply or 1.0), gain=gain)

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says how much at most."""
        return f"Gained at most {percent(row['value'])} of all points within {DAYS} days"


@njit(cache=True, nogil=True)
def _largest_gain(starts, at, amount, sort):  # type: ignore[no-untyped-def]
    """For each account the most that it gained within the days before one of its movements;
    those of one moment count together."""
    most = np.zeros(len(starts) - 1)
    for account in range(len(starts) - 1):
        first = starts[account]
        while first < starts[account + 1] and at[first] == NEVER:
            first += 1
        gain = 0.0
        for row in range(first, starts[account + 1]):
            gain += -amount[row] if sort[row] >= SENT else amount[row]
            while at[first] <= at[row] - WINDOW:
                gain -= -amount[first] if sort[first] >= SENT else amount[first]
                first += 1
            if row + 1 == starts[account + 1] or at[row + 1] != at[row]:
                most[account] = max(most[account], gain)
    return most


INDICATOR = Speed()
