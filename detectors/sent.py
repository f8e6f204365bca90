"""Sent: who sent whom how often, how much and when; what funding and funnel look at."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw
import numpy as np
import polars as pl
from numba import njit

from detectors.family import Facts, Floats, Ints
from detectors.moves import Longs
from detectors.transfers import COLUMNS, UNDATED, rows_by_pair

UNITS = 2**30
"""Of a sender's largest payment: so fine that nothing is lost, so coarse that sums are exact."""

LATEST, EARLIEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min


@dataclass(frozen=True)
class Sent:
    """Every two between whom something was sent, by src, then dst. Arrays of equal length.

    `count`: payments; `units`: their sum in whole parts of the sender's largest payment, which
    add up to the same in any order; `timed`: payments with a time, the `first` and the `last`
    of them (microseconds).
    """

    src: Ints
    dst: Ints
    count: Longs
    units: Floats
    timed: Longs
    first: Longs
    last: Longs

    @classmethod
    def of(cls, facts: Facts) -> Sent:
        """From transfers above 0."""
        chosen = facts.transfers.filter(nw.col("amount") > 0).select(*COLUMNS)
        moves = pl.DataFrame(chosen.collect().to_native()).rechunk()
        src, dst = moves["src"].to_numpy(), moves["dst"].to_numpy()
        amount = moves["amount"].cast(pl.Float64).to_numpy()
        at = moves["at"].dt.epoch("us").fill_null(UNDATED).to_numpy()
        largest = np.zeros(facts.accounts)
        _largest(src, amount, largest)
        starts, order = rows_by_pair(src, dst, facts.accounts)
        return cls(*_added_up(starts, order, src, dst, amount, at, largest))


@njit(cache=True, nogil=True)
def _largest(src, amount, largest):  # type: ignore[no-untyped-def]
    """Each sender's largest payment."""
    for row in range(len(src)):
        largest[src[row]] = max(largest[src[row]], amount[row])


@njit(cache=True, nogil=True)
def _added_up(starts, order, src, dst, amount, at, largest):  # type: ignore[no-untyped-def]
    """The columns of `Sent`, of rows by src, then dst."""
    pairs = len(starts) - 1
    one, other = np.empty(pairs, np.int32), np.empty(pairs, np.int32)
    count, timed = np.zeros(pairs, np.int64), np.zeros(pairs, np.int64)
    units = np.zeros(pairs, np.float64)
    first, last = np.full(pairs, LATEST), np.full(pairs, EARLIEST)
    for pair in range(pairs):
        begin, end = starts[pair], starts[pair + 1]
        one[pair], other[pair] = src[order[begin]], dst[order[begin]]
        count[pair] = end - begin
        most = largest[one[pair]]
        for place in range(begin, end):
            row = order[place]
            units[pair] += np.rint(amount[row] / most * UNITS)
            if at[row] != UNDATED:
                timed[pair] += 1
                first[pair] = min(first[pair], at[row])
                last[pair] = max(last[pair], at[row])
    return one, other, count, units, timed, first, last
