"""What came to each account and left it, in order of time.

A platform may write a purchase down twice: as a purchase, and as the transfer that brings the
points. A transfer of the amount of a purchase (to 15 digits), within a day of it, from an
institution or from a member of the same group, is taken as its delivery and does not count
again. Where a member of the same group delivers, the purchase is circular.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from graph.snapshot import Snapshot

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

WITH_RECEIPT, WITHOUT_RECEIPT, CIRCULAR, RECEIVED, FROM_FELLOW, SENT, TO_FELLOW = range(7)
"""What a movement is: three sorts of purchase, transfers in, transfers out. What comes in at
one time comes before what leaves."""

NEVER = np.iinfo(np.int64).min
"""Stands for an absent time."""

LONG_AGO = -(1 << 62)
"""The same where times are compared: those without one are near each other only."""

FEW = 40
"""So many movements of an account are put in order by inserting: they come in two runs that
mostly are in order already."""

DELIVERED_WITHIN = 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True)
class Movements:
    """Those of account x are the rows `starts[x]` to `starts[x + 1]`, in order of time; first
    those without a time. `at` in microseconds or `NEVER`; `amount` never below 0, rounded;
    `sort` as named above."""

    starts: Longs
    at: Longs
    amount: Floats
    sort: npt.NDArray[np.int8]

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        moves: pl.DataFrame,
        fellow: Bools,
        institutions: Bools,
        added: pl.DataFrame | None = None,
    ) -> Movements:
        """Of all accounts. `moves`: see `Population.moves`; `fellow`: of each, whether both
        ends are members of one group; `institutions`: of each account; `added`: see
        `purchases`."""
        bought = purchases(snapshot, added)
        delivered, circular = _deliveries(bought, moves, fellow, institutions)
        bought_as = np.where(bought["has_receipt"].to_numpy(), WITH_RECEIPT, WITHOUT_RECEIPT)
        bought_as[circular] = CIRCULAR
        buyer, src, dst = (
            rows[name].to_numpy()
            for rows, name in ((bought, "account"), (moves, "src"), (moves, "dst"))
        )
        starts = _starts(len(snapshot.accounts), buyer, src, dst, delivered)
        at, amount = np.empty(starts[-1], np.int64), np.empty(starts[-1], np.float64)
        step = np.empty(starts[-1] if _stepped(bought) or _stepped(moves) else 0, np.int64)
        sort = np.empty(starts[-1], np.int8)
        rows = at, step, amount, sort
        free = starts[:-1].copy()
        _put_purchases(free, buyer, *_columns(bought), bought_as.astype(np.int8), *rows)
        _put_transfers(free, src, dst, *_columns(moves), delivered, fellow, *rows)
        _put_in_order(starts, *rows)
        return cls(starts, at, amount, sort)

    def summed(self, *sorts: int) -> Floats:
        """For each account the sum of its movements of some sorts."""
        wanted = np.zeros(TO_FELLOW + 1, np.bool_)
        wanted[list(sorts)] = True
        added: Floats = _summed(self.starts, self.amount, self.sort, wanted)
        return added


def _stepped(rows: pl.DataFrame) -> bool:
    return "step" in rows.columns and rows["step"].null_count() < len(rows)


def _columns(rows: pl.DataFrame) -> tuple[Longs, Longs, Floats]:
    """`at` in microseconds, `step` (empty where there is none), the rounded `amount`."""
    step = rows["step"].fill_null(NEVER).to_numpy() if _stepped(rows) else np.empty(0, np.int64)
    at = rows["at"].dt.epoch("us").fill_null(NEVER).to_numpy()
    return at, step, rows["amount"].cast(pl.Float64).to_numpy()


def purchases(snapshot: Snapshot, added: pl.DataFrame | None = None) -> pl.DataFrame:
    """`account` (number), `amount`, `at`, `step`, `has_receipt`.

    A receipt is the account's that used it first; purchases of others that name it count as
    without. `added`: more of them, as an appeal brings them: `account` (number), `amount`,
    `at`, `receipt`; each takes the place of known ones of that account, amount and time.
    """
    rows = (
        snapshot.facts("purchases")
        .select("account", "amount", "at", "step", "receipt", "uid")
        .collect()
    )
    if added is not None:
        more = added.select(
            pl.col(name).cast(rows.schema[name]) for name in ("account", "amount", "at", "receipt")
        )
        known = rows.join(more, on=["account", "amount", "at"], how="anti", nulls_equal=True)
        rows = pl.concat([known, more], how="diagonal")
    receipt = pl.col("receipt")
    named = receipt.is_not_null() & (receipt.str.strip_chars() != "")
    owner = pl.col("account").first().over("receipt")
    return rows.sort("at", "step", "account", "uid", nulls_last=False).select(
        "account", "amount", "at", "step", has_receipt=named & (pl.col("account") == owner)
    )


def fellow_rows(moves: pl.DataFrame, groups: Mapping[str, Sequence[int]], accounts: int) -> Bools:
    """Of each transfer (src, dst) whether both ends are members of one group."""
    fellow = np.zeros(len(moves), np.bool_)
    belongs = pl.DataFrame(
        {
            "account": np.concatenate([np.unique(who) for who in groups.values()])
            if groups
            else np.empty(0),
            "group": np.repeat(np.arange(len(groups)), [len(set(who)) for who in groups.values()]),
        },
        schema={"account": pl.Int32, "group": pl.Int32},
    )
    member = np.zeros(accounts, np.bool_)
    member[belongs["account"].to_numpy()] = True
    src, dst = moves["src"].to_numpy(), moves["dst"].to_numpy()
    among = np.flatnonzero(member[src] & member[dst])
    both = (
        pl.DataFrame({"row": among, "src": src[among], "dst": dst[among]})
        .join(belongs, left_on="src", right_on="account")
        .join(belongs, left_on=["dst", "group"], right_on=["account", "group"], how="semi")
    )
    fellow[both["row"].to_numpy()] = True
    return fellow


def _deliveries(
    bought: pl.DataFrame, moves: pl.DataFrame, fellow: Bools, institutions: Bools
) -> tuple[Bools, Bools]:
    """Which transfers are the delivery of a purchase, and which purchases a fellow delivered."""
    delivered, circular = np.zeros(len(moves), np.bool_), np.zeros(len(bought), np.bool_)
    buys = np.zeros(len(institutions), np.bool_)
    buys[bought["account"].to_numpy()] = True
    may = (institutions[moves["src"].to_numpy()] | fellow) & buys[moves["dst"].to_numpy()]
    rows = np.flatnonzero(may)
    parts = [
        bought.select(
            "account",
            pl.col("amount").cast(pl.Float64),
            "at",
            row=pl.int_range(pl.len()),
            buys=pl.lit(True),
        ),
        moves[rows].select(
            pl.col("dst").alias("account"), "amount", "at", row=pl.Series(rows), buys=pl.lit(False)
        ),
    ]
    both = (
        pl.concat(parts)
        .with_columns(pl.col("at").dt.epoch("us").fill_null(LONG_AGO))
        .select("at", "row", "buys", key=pl.struct("account", "amount").rank("dense"))
        .sort("key", "at", "row")
    )
    columns = (both.filter(pl.col("buys") == side) for side in (True, False))
    buying, coming = ([side[name].to_numpy() for name in ("key", "at", "row")] for side in columns)
    purchase, transfer = _matched(*buying, *coming)
    delivered[transfer] = True
    circular[purchase[fellow[transfer]]] = True
    return delivered, circular


@njit(cache=True, nogil=True)
def _starts(accounts, buyer, src, dst, delivered):  # type: ignore[no-untyped-def]
    """Where each account's movements begin."""
    starts = np.zeros(accounts + 1, np.int64)
    for account in buyer:
        starts[account + 1] += 1
    for row in range(len(src)):
        starts[src[row] + 1] += 1
        starts[dst[row] + 1] += not delivered[row]
    for account in range(accounts):
        starts[account + 1] += starts[account]
    return starts


@njit(cache=True, nogil=True)
def _put_purchases(free, buyer, its_at, its_step, its_amount, its_sort, at, step, amount, sort):  # type: ignore[no-untyped-def]
    """Puts each purchase at its account's next free place."""
    for row in range(len(buyer)):
        place = free[buyer[row]]
        free[buyer[row]] += 1
        at[place], amount[place], sort[place] = its_at[row], its_amount[row], its_sort[row]
        if len(step):
            step[place] = its_step[row] if len(its_step) else NEVER


@njit(cache=True, nogil=True)
def _put_transfers(  # type: ignore[no-untyped-def]
    free, src, dst, its_at, its_step, its_amount, delivered, fellow, at, step, amount, sort
):
    """Puts each transfer at the next free place of who sent it and, but for what delivers a
    purchase, of who received it."""
    for row in range(len(src)):
        for account, its_sort in ((src[row], SENT), (dst[row], RECEIVED)):
            if its_sort == RECEIVED and delivered[row]:
                continue
            place = free[account]
            free[account] += 1
            at[place], amount[place] = its_at[row], its_amount[row]
            sort[place] = its_sort + fellow[row]
            if len(step):
                step[place] = its_step[row] if len(its_step) else NEVER


@njit(cache=True, nogil=True)
def _put_in_order(starts, at, step, amount, sort):  # type: ignore[no-untyped-def]
    """Orders each account's movements by time, step, sort and amount: what is left equal is
    alike. `step`, which is left as it is, is empty where there are none."""
    for account in range(len(starts) - 1):
        begin, end = starts[account], starts[account + 1]
        rows = np.arange(begin, end)
        if end - begin <= FEW:
            for place in range(1, len(rows)):
                row, free = rows[place], place
                while free > 0 and _before(row, rows[free - 1], at, step, amount, sort):
                    rows[free] = rows[free - 1]
                    free -= 1
                rows[free] = row
        else:
            rows = rows[np.argsort(amount[rows], kind="mergesort")]
            rows = rows[np.argsort(sort[rows], kind="mergesort")]
            if len(step):
                rows = rows[np.argsort(step[rows], kind="mergesort")]
            rows = rows[np.argsort(at[rows], kind="mergesort")]
        at[begin:end] = at[rows]
        amount[begin:end] = amount[rows]
        sort[begin:end] = sort[rows]


@njit(cache=True, nogil=True)
def _before(one, other, at, step, amount, sort):  # type: ignore[no-untyped-def]
    """Whether one of two rows of an account comes first."""
    if at[one] != at[other]:
        return at[one] < at[other]
    if len(step) and step[one] != step[other]:
        return step[one] < step[other]
    if sort[one] != sort[other]:
        return sort[one] < sort[other]
    return amount[one] < amount[other]


@njit(cache=True, nogil=True)
def _summed(starts, amount, sort, wanted):  # type: ignore[no-untyped-def]
    added = np.zeros(len(starts) - 1)
    for account in range(len(starts) - 1):
        for row in range(starts[account], starts[account + 1]):
            if wanted[sort[row]]:
                added[account] += amount[row]
    return added


@njit(cache=True, nogil=True)
def _matched(key, at, row, other_key, other_at, other_row):  # type: ignore[no-untyped-def]
    """Rows of both sides with equal keys and near times, each with one of the other side at
    most, the earliest first. Both sides by key and time."""
    ones, twos = np.empty(len(key), np.int64), np.empty(len(key), np.int64)
    found, other = 0, 0
    for place in range(len(key)):
        while other < len(other_key) and (
            other_key[other] < key[place]
            or (other_key[other] == key[place] and other_at[other] < at[place] - DELIVERED_WITHIN)
        ):
            other += 1
        if other == len(other_key):
            break
        if other_key[other] == key[place] and other_at[other] <= at[place] + DELIVERED_WITHIN:
            ones[found], twos[found] = row[place], other_row[other]
            found += 1
            other += 1
    return ones[:found], twos[:found]
