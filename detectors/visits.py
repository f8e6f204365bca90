"""Visits: who came to which place when, for `detectors/meetings.py`.

The visits of a place are, in order of time, the payments of all who pay one account; where it
pays many, also those of all whom it pays; and all purchases. They are held in arrays, by place:
40 bytes a transfer. Contracts and institutions make none; an account's visits within a window are
one; and some are seen, but meet nobody: those by the calendar, and among private people who give
and take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

T = TypeVar("T")
R = TypeVar("R")

THREADS = 2

WINDOW = 8 * 3600
"""Seconds of the widest window: two meet within four hours of each other."""

NARROWEST_WINDOW = 2

MOST_LOOKED_AT = 10_000_000
"""Neighbours of visits that are looked at in all."""

FEWEST_RECEIVERS = 20
"""Who pays fewer accounts decides alone when they receive: that is no wave of theirs."""

PUBLIC = 100
"""Who pays fewer accounts is a private person: whoever it also pays is an acquaintance."""

FEWEST_GAPS = 3
REGULAR = 0.1
"""Visits keep to a calendar when the gaps between them are equal but for this part."""

DAY = 86_400


@dataclass(frozen=True)
class Visits:
    """Who came to which place when: sorted by place, then time.

    Place 2 x is where those come who pay account x, 2 x + 1 where x pays; the last one is for
    purchases. `starts` of each place's visits; `width` of its window, and `at`, in seconds
    from the first visit; `silent` ones meet nobody.
    """

    starts: Longs
    who: Ints
    at: Ints
    silent: Bools
    width: Ints
    span: int


def visits_of(
    transfers: nw.LazyFrame[pl.LazyFrame],
    purchases: nw.LazyFrame[pl.LazyFrame],
    contracts: pl.DataFrame,
    institutions: Bools,
) -> Visits | None:
    """All visits that count; None where there are too few to meet."""
    accounts = len(institutions)
    moves, bought = _timed(transfers, purchases, contracts)
    if len(moves) + len(bought) < 2:
        return None
    times = [rows["at"] for rows in (moves, bought) if len(rows)]
    begin, end = min(one[0] for one in times), max(one[-1] for one in times)
    span = end - begin + 1
    ends = moves["src"].to_numpy(), moves["dst"].to_numpy()
    moved_at = (moves["at"] - begin).cast(pl.Int32).to_numpy()
    bought_at = (bought["at"] - begin).cast(pl.Int32).to_numpy()
    starts, who, at = _laid_out(accounts, *ends, moved_at, bought["account"].to_numpy(), bought_at)
    del moves, bought, times, ends, moved_at, bought_at  # they are as large as what follows
    width = _widths(np.diff(starts), span)
    kept, silent = np.zeros(len(who), np.bool_), np.zeros(len(who), np.bool_)

    def count(places: tuple[int, int]) -> None:
        _that_count(*places, institutions, starts, who, at, width, kept, silent)

    on_both(count, _halves(starts))
    starts = starts_among(starts, kept)
    return Visits(starts, who[kept], at[kept], silent[kept], width, span)


def _timed(
    transfers: nw.LazyFrame[pl.LazyFrame],
    purchases: nw.LazyFrame[pl.LazyFrame],
    contracts: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Transfers (src, dst, at) without contracts, and purchases (account, at), by time; `at`
    in seconds. In which order those of one second stand does not matter further on."""
    moves = transfers.filter(~nw.col("at").is_null()).select("src", "dst", "at")
    bought = purchases.filter(~nw.col("at").is_null()).select("account", "at")
    at = pl.col("at").dt.epoch("s")
    usual = contracts.select("src", "dst").unique().lazy()
    free = moves.to_native().join(usual, on=["src", "dst"], how="anti", maintain_order="left")
    return _ascending(free.with_columns(at)), _ascending(bought.to_native().with_columns(at))


def _ascending(rows: pl.LazyFrame) -> pl.DataFrame:
    found = rows.collect()
    return found if found["at"].is_sorted() else found.sort("at")


def _widths(visits: Longs, span: int) -> Ints:
    """Of each place's window: so wide that MOST_LOOKED_AT neighbours are seen in all, the
    same number at all busy places."""
    count = visits.astype(np.float64)
    neighbours = count * WINDOW / span
    low, most = 0.0, max(float(neighbours.max()), 1.0)
    if float(count @ neighbours) > MOST_LOOKED_AT:
        for _ in range(50):
            middle = (low + most) / 2
            if float((count * np.minimum(neighbours, middle)).sum()) > MOST_LOOKED_AT:
                most = middle
            else:
                low = middle
    part = np.minimum(most / np.maximum(neighbours, 1e-12), 1.0)
    width: Ints = np.maximum(WINDOW * part, NARROWEST_WINDOW).astype(np.int32)
    return width


def on_both(work: Callable[[T], R], parts: Iterable[T]) -> list[R]:
    """Have both processors work, each on a part."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, parts))


def _halves(starts: Longs) -> tuple[tuple[int, int], tuple[int, int]]:
    """The places up to one and those from it on, such that each part has half of the visits."""
    middle = int(np.searchsorted(starts, starts[-1] // 2))
    return (0, middle), (middle, len(starts) - 1)


def _laid_out(
    accounts: int, src: Ints, dst: Ints, moved_at: Ints, buyer: Ints, bought_at: Ints
) -> tuple[Longs, Ints, Ints]:
    """The visits that payments and purchases by time are, by place: where each place's begin, who
    came and when. One processor for those who pay an account, one for those whom it pays."""
    sides = (0, dst, src), (1, src, dst)
    starts = np.zeros(2 * accounts + 2, np.int64)
    starts[1:-1:2] = np.bincount(dst, minlength=accounts)
    starts[2:-1:2] = np.bincount(src, minlength=accounts)
    starts[-1] = len(buyer)
    np.cumsum(starts, out=starts)
    who, at = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.int32)

    def fill(side: tuple[int, Ints, Ints]) -> None:
        first, place, visitor = side
        _fill(starts[first:-2:2].copy(), place, visitor, moved_at, who, at)

    on_both(fill, sides)
    who[starts[-2] :], at[starts[-2] :] = buyer, bought_at
    return starts, who, at


@njit(cache=True, nogil=True)
def _fill(free, place, visitor, moved_at, who, at):  # type: ignore[no-untyped-def]
    """Puts each payment where its place's next visit is to be."""
    for row in range(len(place)):
        visit = free[place[row]]
        who[visit], at[visit] = visitor[row], moved_at[row]
        free[place[row]] += 1


@njit(cache=True, nogil=True)
def starts_among(starts, kept):  # type: ignore[no-untyped-def]
    """Where each place's visits begin when so many of each are kept."""
    begins = np.zeros(len(starts), np.int64)
    for place in range(len(starts) - 1):
        begins[place + 1] = begins[place]
        for visit in range(starts[place], starts[place + 1]):
            begins[place + 1] += kept[visit]
    return begins


@njit(cache=True, nogil=True)
def _that_count(begin, stop, institutions, starts, who, at, width, kept, silent):  # type: ignore[no-untyped-def]
    """Marks which visits of some places count (of an account's within a window the first; none of
    institutions, or where too few ever come), and which of them meet nobody (by the calendar,
    among friends)."""
    accounts = len(institutions)
    last = np.zeros(accounts, np.int64)
    count = np.zeros(accounts, np.int64)
    gaps = np.zeros(accounts, np.float64)
    squares = np.zeros(accounts, np.float64)
    paid_by = np.full(accounts, -1, np.int64)
    for place in range(begin, stop):
        first, end = starts[place], starts[place + 1]
        fewest = 2 if place % 2 == 0 else FEWEST_RECEIVERS
        if end - first < fewest:
            continue
        friends = False
        if place % 2 == 0 and place < len(starts) - 2:
            receivers = 0
            for payment in range(end, starts[place + 2]):
                receivers += paid_by[who[payment]] != place
                paid_by[who[payment]] = place
            friends = receivers < PUBLIC
        for visit in range(first, end):
            count[who[visit]] = 0
        visitors = 0
        for visit in range(first, end):
            account = who[visit]
            if institutions[account]:
                continue
            if count[account] == 0:
                visitors += 1
                gaps[account] = squares[account] = 0.0
            elif at[visit] - last[account] <= width[place]:
                continue
            else:
                gap = (at[visit] - last[account]) / DAY
                gaps[account] += gap
                squares[account] += gap * gap
            kept[visit] = True
            count[account] += 1
            last[account] = at[visit]
        if visitors < fewest:
            kept[first:end] = False
            continue
        for visit in range(first, end):
            account = who[visit]
            if friends and paid_by[account] == place:
                silent[visit] = True
            elif count[account] > FEWEST_GAPS:
                usual = gaps[account] / (count[account] - 1)
                variance = squares[account] / (count[account] - 1) - usual * usual
                silent[visit] = variance < (REGULAR * usual) ** 2
