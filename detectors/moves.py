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

from detectors.family import Floats, Ints
from detectors.transfers import COLUMNS, by_time, ordering

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
    def of(
        cls, transfers: nw.LazyFrame[pl.LazyFrame], among: npt.NDArray[np.bool_] | None = None
    ) -> Moves:
        """From transfers; those without an amount or a time are left out. `among`: only those from
        and to these accounts (a mask)."""
        chosen = transfers.filter((nw.col("amount") > 0) & ~nw.col("at").is_null())
        rows = pl.DataFrame(chosen.select(*COLUMNS).collect().to_native())
        if among is not None:
            both = among[rows["src"].to_numpy()] & among[rows["dst"].to_numpy()]
            rows = rows.filter(pl.Series(both))
        rows = by_time(rows)
        at, src, dst, amount = ordering(rows)
        return cls(src, dst, amount, at)

    def __len__(self) -> int:
        return len(self.at)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Moves:
        """Some of them."""
        return Moves(self.src[chosen], self.dst[chosen], self.amount[chosen], self.at[chosen])


def day_of(at: int) -> str:
    """The day of a time in microseconds, as people write it."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at):%Y-%m-%d}"
