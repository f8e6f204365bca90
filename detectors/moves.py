"""Moves: transfers as arrays in the order of time, for families that follow amounts.

What comes in and what goes on is no relational query: who needs the order of time takes
arrays, and runs on one machine. Nothing here depends on the order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.family import Floats, Ints

Longs = npt.NDArray[np.int64]

DAY = 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True)
class Moves:
    """Transfers with an amount above 0 and a time, by time. Arrays of equal length.

    `at`: microseconds. Equal rows may stand in any order among themselves.
    """

    src: Ints
    dst: Ints
    amount: Floats
    at: Longs

    @classmethod
    def of(cls, transfers: nw.LazyFrame[pl.LazyFrame]) -> Moves:
        """From transfers; those without an amount or a time are left out."""
        return cls.of_rows(_usable(transfers))

    @classmethod
    def in_any_order(cls, transfers: nw.LazyFrame[pl.LazyFrame]) -> Moves:
        """The same, but not by time: for who sorts what is left after a choice."""
        return cls._of(_plain(_usable(transfers)))

    @classmethod
    def of_rows(cls, rows: pl.DataFrame) -> Moves:
        """From collected rows that all have an amount above 0 and a time."""
        return cls._of(_plain(rows).sort("at", "src", "dst", "amount"))

    @classmethod
    def _of(cls, rows: pl.DataFrame) -> Moves:
        rows = rows.rechunk()
        return cls(*(rows[name].to_numpy() for name in ("src", "dst", "amount", "at")))

    def __len__(self) -> int:
        return len(self.at)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Moves:
        """Some of them."""
        return Moves(self.src[chosen], self.dst[chosen], self.amount[chosen], self.at[chosen])


def _usable(transfers: nw.LazyFrame[pl.LazyFrame]) -> pl.DataFrame:
    chosen = transfers.filter((nw.col("amount") > 0) & ~nw.col("at").is_null())
    return pl.DataFrame(chosen.select("src", "dst", "amount", "at").collect().to_native())


def _plain(rows: pl.DataFrame) -> pl.DataFrame:
    """Amounts as floats, times in microseconds."""
    return rows.select("src", "dst", pl.col("amount").cast(pl.Float64), pl.col("at").dt.epoch("us"))


def day_of(at: int) -> str:
    """The day of a time in microseconds, as people write it."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at):%Y-%m-%d}"


@njit(cache=True, nogil=True)
def rows_by(keys, accounts):  # type: ignore[no-untyped-def]
    """Compressed rows: where each account's begin, and the places of its transfers in order."""
    starts = np.zeros(accounts + 1, np.int64)
    for key in keys:
        starts[key + 1] += 1
    for account in range(accounts):
        starts[account + 1] += starts[account]
    rows = np.empty(len(keys), np.int64)
    free = starts[:-1].copy()
    for place in range(len(keys)):
        rows[free[keys[place]]] = place
        free[keys[place]] += 1
    return starts, rows
