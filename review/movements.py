"""What came to each account and left it, in order of time.

A platform may write a purchase down twice: as a purchase, and as the transfer that brings the
points. A transfer of exactly the amount of a purchase, within a day of it, from an
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

Ints = npt.NDArray[np.int32]
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
"""So many movements of an account are put in order by inserting: they come in three runs that
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
        when = pl.col("at").dt.epoch("us").fill_null(NEVER), pl.col("step").fill_null(NEVER)
        amount = pl.col("rounded").alias("amount")
        rows = moves.select("src", "dst", *when, amount, fellow=pl.Series(fellow))
        come, same = rows.filter(pl.Series(~delivered)), ("at", "step", "amount")
        every = pl.concat(
            [
                bought.select(
                    "account",
                    *when,
                    pl.col("amount").cast(pl.Float64),
                    _purchase_sort(circular),
                ),
                come.select(pl.col("dst").alias("account"), *same, _sort(RECEIVED)),
                rows.select(pl.col("src").alias("account"), *same, _sort(SENT)),
            ]
        )
        columns = {name: every[name].rechunk().to_numpy() for name in every.columns}
        account = columns.pop("account")
        count = np.bincount(account, minlength=len(snapshot.accounts))
        starts = np.concatenate(([0], np.cumsum(count))).astype(np.int64)
        order = _by_time(starts, account, **columns)
        return cls(starts, *(columns[name][order] for name in ("at", "amount", "sort")))

    @property
    def account(self) -> Longs:
        """Whose each movement is."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def summed(self, *sorts: int) -> Floats:
        """For each account the sum of its movements of some sorts."""
        chosen = np.isin(self.sort, sorts)
        whose, amount = self.account[chosen], self.amount[chosen]
        added = np.bincount(whose, weights=amount, minlength=len(self.starts) - 1)
        return added.astype(np.float64)


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


def _sort(sort: int) -> pl.Expr:
    """The sort of a transfer; the next one where the other end is a fellow member."""
    return (pl.lit(sort) + pl.col("fellow")).cast(pl.Int8).alias("sort")


def _purchase_sort(circular: Bools) -> pl.Expr:
    return (
        pl.when(pl.Series(circular))
        .then(CIRCULAR)
        .when("has_receipt")
        .then(WITH_RECEIPT)
        .otherwise(WITHOUT_RECEIPT)
        .cast(pl.Int8)
        .alias("sort")
    )


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
        bought.select("account", "amount", "at", row=pl.int_range(pl.len()), buys=pl.lit(True)),
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
def _by_time(starts, account, at, step, amount, sort):  # type: ignore[no-untyped-def]
    """The rows by account, then time, step, sort and amount: what is left equal is alike."""
    free = starts[:-1].copy()
    order = np.empty(len(account), np.int64)
    for row in range(len(account)):
        order[free[account[row]]] = row
        free[account[row]] += 1
    for one in range(len(starts) - 1):
        begin, end = starts[one], starts[one + 1]
        if end - begin <= FEW:
            for place in range(begin + 1, end):
                row, free = order[place], place
                while free > begin and _before(row, order[free - 1], at, step, amount, sort):
                    order[free] = order[free - 1]
                    free -= 1
                order[free] = row
            continue
        rows = order[begin:end]
        rows = rows[np.argsort(at[rows], kind="mergesort")]
        if (np.diff(at[rows]) == 0).any():
            rows = rows[np.argsort(amount[rows], kind="mergesort")]
            rows = rows[np.argsort(sort[rows], kind="mergesort")]
            rows = rows[np.argsort(step[rows], kind="mergesort")]
            rows = rows[np.argsort(at[rows], kind="mergesort")]
        order[begin:end] = rows
    return order


@njit(cache=True, nogil=True)
def _before(one, other, at, step, amount, sort):  # type: ignore[no-untyped-def]
    """Whether one of two rows of an account comes first."""
    if at[one] != at[other]:
        return at[one] < at[other]
    if step[one] != step[other]:
        return step[one] < step[other]
    if sort[one] != sort[other]:
        return sort[one] < sort[other]
    return amount[one] < amount[other]


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
