"""Cleaning: payments with an innocent reason are taken out before evidence is looked for.

What people pay because of a contract looks like concert and is none: the employer's wages,
a rent, a subscription, a standing order. Three marks of a contract (METHOD section 5.6):

- *standing order*: the same amount again and again on the same pair;
- *series*: a pair's payments come every week, every two weeks or every month;
- *payroll*: one account pays many within hours, and does so again on the same weekday or
  day of the month, or the same people the same amounts.

What was taken out is kept by reason and pair, so that a doubt can name it. The kernels hold
all transfers in arrays: they run on one machine (some 40 bytes a transfer).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.transfers import UNDATED, rows_by

Bytes = npt.NDArray[np.int8]

REASONS = ("standing order", "series", "payroll")
"""Why a payment is taken out; a payment with several reasons counts under the last."""

FEWEST_EQUAL = 4
EQUAL_PART = 0.6
"""A standing order: so many payments of one amount, and this part of all from one to the other."""

MOST_OF_ONE_AMOUNT = 0.05
"""An amount that makes up more than this part of all payments (a fixed price, points without
amounts) is nobody's contract."""

FEWEST_IN_SERIES = 4
SERIES_PART = 0.75
PERIODS = ((6.5, 7.5), (13.5, 14.5), (27.5, 31.5))
"""Days between the payments of a series, and the part of its intervals that must keep to one."""

BATCH_HOURS = 3
FEWEST_IN_BATCH = 8
"""A batch: one account pays so many others within so many hours."""

FEWEST_PAYDAYS = 3
PAYDAY_PART = 0.8
"""Paydays: batches on so many days, this part of them on one weekday or day of the month."""

FEWEST_EQUAL_PAYDAYS = 2
"""With this part (`EQUAL_PART`) of payments equal to the receiver's on another day, so many do."""

DAY = 86_400_000_000
"""Microseconds."""

STANDING, SERIES, PAYROLL = 1, 2, 3


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"src": pl.Int32, "dst": pl.Int32, "reason": pl.String, "payments": pl.UInt32}
    )


@dataclass(frozen=True)
class Exonerated:
    """What was taken out: `src`, `dst` (numbers), `reason`, `payments`; ascending."""

    payments: pl.DataFrame = field(default_factory=_nothing)

    def among(self, members: npt.NDArray[np.int32]) -> pl.DataFrame:
        """What was taken out that touches some accounts."""
        ours = pl.Series(members).implode()
        return self.payments.filter(pl.col("src").is_in(ours) | pl.col("dst").is_in(ours))

    def payers(self, members: npt.NDArray[np.int32]) -> pl.DataFrame:
        """Who pays members for an innocent reason: `src`, `reason`, `members` (how many),
        the most first."""
        ours = pl.Series(members).implode()
        return (
            self.payments.filter(pl.col("dst").is_in(ours))
            .group_by("src", "reason")
            .agg(members=pl.col("dst").n_unique())
            .sort(["members", "src", "reason"], descending=[True, False, False])
        )


def clean(transfers: pl.DataFrame, accounts: int) -> tuple[pl.DataFrame, Exonerated]:
    """Transfers (src, dst numbers, amount, at …) without those that have an innocent reason,
    in the order given, and what was taken out.

    Payments without amount or without time can have only the reasons that need neither.
    """
    why = reasons(transfers, accounts)
    return transfers.filter(pl.Series(why == 0)), taken_out(transfers, why)


def taken_out(transfers: pl.DataFrame, why: Bytes) -> Exonerated:
    """What `reasons` has taken out of some transfers."""
    out = why > 0
    if not out.any():
        return Exonerated()
    payments = (
        transfers.select("src", "dst")
        .filter(pl.Series(out))
        .with_columns(reason=pl.Series(REASONS).gather(pl.Series(why[out]).cast(pl.UInt32) - 1))
        .group_by("src", "dst", "reason")
        .agg(payments=pl.len())
        .sort("src", "dst", "reason")
    )
    return Exonerated(payments)


def reasons(transfers: pl.DataFrame, accounts: int) -> Bytes:
    """For each transfer 0, or 1 + the place of its innocent reason in `REASONS`."""
    columns = transfers.select(
        "src",
        "dst",
        pl.col("amount").cast(pl.Float64).fill_null(0.0),
        pl.col("at").dt.epoch("us").fill_null(UNDATED),
    ).rechunk()  # arrays of one kind, so that what works on them is compiled once
    src, dst, amount, at = (columns[name].to_numpy() for name in ("src", "dst", "amount", "at"))
    starts, order = rows_by(src, accounts)
    why, paid = np.zeros(len(src), np.int8), np.zeros(len(src), np.bool_)
    with ThreadPoolExecutor(1) as other:  # the second processor
        wages = other.submit(_payroll, starts, order, dst, amount, at, paid)
        _standing_and_series(starts, order, dst, amount, at, np.array(PERIODS), why)
        wages.result()
    why[(why == STANDING) & _common(amount, why)] = 0
    why[paid] = PAYROLL
    return why


def _common(amount: npt.NDArray[np.float64], why: Bytes) -> npt.NDArray[np.bool_]:
    """Which payments have an amount that standing orders alone make too common for a sign."""
    standing = why == STANDING
    values, counts = np.unique(amount[standing], return_counts=True)
    usual = values[counts > MOST_OF_ONE_AMOUNT * len(amount)]
    return np.isin(amount, usual) if len(usual) else np.zeros(len(amount), np.bool_)


@njit(cache=True, nogil=True)
def _standing_and_series(starts, order, dst, amount, at, periods, why):  # type: ignore[no-untyped-def]
    for account in range(len(starts) - 1):
        first, last = starts[account], starts[account + 1]
        if last - first < FEWEST_EQUAL:
            continue
        rows = order[first:last]
        rows = rows[np.argsort(dst[rows], kind="mergesort")]
        begin = 0
        for place in range(1, len(rows) + 1):
            if place < len(rows) and dst[rows[place]] == dst[rows[begin]]:
                continue
            if place - begin >= FEWEST_EQUAL:
                _standing_order(rows[begin:place], amount, why)
            if place - begin >= FEWEST_IN_SERIES:
                _series(rows[begin:place], at, periods, why)
            begin = place


@njit(cache=True, nogil=True)
def _standing_order(rows, amount, why):  # type: ignore[no-untyped-def]
    """Marks payments of the amount that one sends another again and again."""
    values = np.sort(amount[rows])
    best, value, run = 0, 0.0, 0
    for place in range(len(values)):
        run = run + 1 if place > 0 and values[place] == values[place - 1] else 1
        if run > best:
            best, value = run, values[place]
    if value <= 0 or best < FEWEST_EQUAL or best < EQUAL_PART * len(rows):
        return
    for row in rows:
        if amount[row] == value:
            why[row] = STANDING


@njit(cache=True, nogil=True)
def _series(rows, at, periods, why):  # type: ignore[no-untyped-def]
    """Marks all payments from one to another when most come at one interval."""
    times = np.sort(at[rows])
    if times[0] == UNDATED:
        return
    for period in range(len(periods)):
        low, high = periods[period, 0] * DAY, periods[period, 1] * DAY
        kept = 0
        for place in range(1, len(times)):
            gap = times[place] - times[place - 1]
            if gap >= low and gap <= high:
                kept += 1
        if kept >= FEWEST_IN_SERIES - 1 and kept >= SERIES_PART * (len(times) - 1):
            for row in rows:
                why[row] = SERIES
            return


@njit(cache=True, nogil=True)
def _payroll(starts, order, dst, amount, at, by_payroll):  # type: ignore[no-untyped-def]
    paid = np.zeros(len(starts), np.int32)
    for account in range(len(starts) - 1):
        first, last = starts[account], starts[account + 1]
        if last - first < FEWEST_EQUAL_PAYDAYS * FEWEST_IN_BATCH:
            continue
        rows = order[first:last]
        rows = rows[np.argsort(at[rows], kind="mergesort")]
        batch_of = _batches(rows, dst, at, paid)
        batched = rows[batch_of >= 0]
        if len(batched) == 0:
            continue
        if _on_paydays(batched, at) or _same_again(batched, batch_of[batch_of >= 0], dst, amount):
            for row in batched:
                by_payroll[row] = True


@njit(cache=True, nogil=True)
def _batches(rows, dst, at, paid):  # type: ignore[no-untyped-def]
    """The batch of each payment of a sender, by time; -1 outside any.

    `paid`: zeros, one for each account, and zeros again afterwards. A batch begins with the
    first payment from which on enough receivers are paid within the hours.
    """
    batch_of = np.full(len(rows), -1, np.int32)
    length = BATCH_HOURS * DAY // 24
    end, receivers, batches, begin = 0, 0, 0, 0
    while begin < len(rows):
        if at[rows[begin]] == UNDATED:
            begin += 1
            end = begin
            continue
        while end < len(rows) and at[rows[end]] <= at[rows[begin]] + length:
            receivers += paid[dst[rows[end]]] == 0
            paid[dst[rows[end]]] += 1
            end += 1
        found = receivers >= FEWEST_IN_BATCH
        if found:
            batch_of[begin:end] = batches
            batches += 1
        stop = end if found else begin + 1
        while begin < stop:
            paid[dst[rows[begin]]] -= 1
            receivers -= paid[dst[rows[begin]]] == 0
            begin += 1
    return batch_of


@njit(cache=True, nogil=True)
def _on_paydays(batched, at):  # type: ignore[no-untyped-def]
    """Whether batches fall on several days, most of them one weekday or day of the month."""
    weekdays = np.zeros(7, np.int64)
    dates = np.zeros(32, np.int64)
    days, latest = 0, np.int64(-1)
    for row in batched:
        day = at[row] // DAY
        if day == latest:
            continue
        latest = day
        days += 1
        weekdays[day % 7] += 1
        dates[_day_of_month(day)] += 1
    return days >= FEWEST_PAYDAYS and max(weekdays.max(), dates.max()) >= PAYDAY_PART * days


@njit(cache=True, nogil=True)
def _day_of_month(day):  # type: ignore[no-untyped-def]
    """Of a day since 1970, in the Gregorian calendar (Hinnant, chrono-compatible dates)."""
    of_era = (day + 719_468) % 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    return of_year - (153 * month + 2) // 5 + 1


@njit(cache=True, nogil=True)
def _same_again(batched, batch_of, dst, amount):  # type: ignore[no-untyped-def]
    """Whether most payments of the batches are equal to the receiver's in another batch."""
    if batch_of[-1] + 1 < FEWEST_EQUAL_PAYDAYS:
        return False
    by_amount = np.argsort(amount[batched], kind="mergesort")
    by_receiver = by_amount[np.argsort(dst[batched[by_amount]], kind="mergesort")]
    same, begin = 0, 0
    for place in range(1, len(by_receiver) + 1):
        if place < len(by_receiver):
            one, other = batched[by_receiver[begin]], batched[by_receiver[place]]
            if dst[one] == dst[other] and amount[one] == amount[other]:
                continue
        lowest, highest = batch_of[by_receiver[begin]], batch_of[by_receiver[begin]]
        for equal in by_receiver[begin:place]:
            lowest, highest = min(lowest, batch_of[equal]), max(highest, batch_of[equal])
        if lowest < highest and amount[batched[by_receiver[begin]]] > 0:
            same += place - begin
        begin = place
    return same >= EQUAL_PART * len(batched)
