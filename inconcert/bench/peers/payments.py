"""Payments for the second method (`propose_judge`): without those that a contract explains, and
what is passed on.

Where the description is silent: a payment passes on at most one other, and one that might be
another's says nothing; of public accounts only merchants pass on; batches are those of a payer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from inconcert.bench.peers import Ints, Material

HOUR, DAY = 3_600_000_000, 86_400_000_000
MOST_CONTACTS = 1_000
"""Who deals with more is in no pair."""

REPEATED, REPEATED_PART = 4, 0.6
BATCH, BATCH_HOURS, BATCH_DAYS, BATCH_PART = 8, 3, 3, 0.8
RELAY_DAYS, RELAY_LEAST, RELAY_MOST = 5, 0.93, 1.02
MATCHES = 1
"""A payment that more payments would explain, or that would explain more, says nothing."""

Bools = npt.NDArray[np.bool_]


def cleaned(material: Material) -> pl.DataFrame:
    """src, dst, amount, at of private payments without repeated ones, batches, and payments
    between a referrer and who was referred."""
    rows = material.transfers
    if "amount" in material.town.frames["transfers"].columns:
        same = pl.len().over("src", "dst", "amount")
        often = (same >= REPEATED) & (same >= REPEATED_PART * pl.len().over("src", "dst"))
        rows = rows.filter(~often)
    ends = material.referred.rename({"parent": "src", "child": "dst"})
    for one in (ends, ends.select(src="dst", dst="src")):
        rows = rows.join(one, on=["src", "dst"], how="anti", maintain_order="left")
    return _without_batches(rows)


def _without_batches(rows: pl.DataFrame) -> pl.DataFrame:
    """Without payments to many within hours, on days of one weekday or one day of the month."""
    for shift in (0, BATCH_HOURS * HOUR // 2):
        window = ((pl.col("at") + shift) // (BATCH_HOURS * HOUR)).alias("window")
        many = (
            rows.lazy()
            .filter(pl.col("at").is_not_null())
            .group_by("src", window)
            .agg(to=pl.col("dst").n_unique(), day=pl.from_epoch("at", "us").dt.date().min())
            .filter(pl.col("to") >= BATCH)
            .collect()
        )
        payers = _regular(many)
        batches = many.join(payers, on="src", how="semi").select("src", "window")
        rows = rows.with_columns(window).join(
            batches, on=["src", "window"], how="anti", maintain_order="left"
        )
    return rows.drop("window")


def _regular(many: pl.DataFrame) -> pl.DataFrame:
    """Who pays many on enough days, most of them alike."""
    days = many.select("src", "day").unique().with_columns(days=pl.len().over("src"))
    alike = pl.max_horizontal(
        pl.len().over("src", pl.col("day").dt.weekday()),
        pl.len().over("src", pl.col("day").dt.day()),
    )
    regular = (pl.col("days") >= BATCH_DAYS) & (alike >= BATCH_PART * pl.col("days"))
    return days.filter(regular).select("src").unique()


def everything(material: Material) -> pl.DataFrame:
    """row, src, dst, amount, at of all payments with a time, also of public accounts."""
    rows = material.town.frames["transfers"]
    if "at" not in rows.columns:
        return pl.DataFrame(
            schema=dict.fromkeys(("src", "dst", "at"), pl.Int64) | {"amount": pl.Float64}
        )
    amount = rows["amount"].cast(pl.Float64) if "amount" in rows.columns else None
    frame = pl.DataFrame(
        {
            "src": material.place(rows["src"]),
            "dst": material.place(rows["dst"]),
            "amount": amount,
            "at": rows["at"].dt.epoch("us"),
        },
        schema_overrides={"amount": pl.Float64},
    )
    kept = frame.filter((pl.col("src") != pl.col("dst")) & pl.col("at").is_not_null())
    return kept.sort("at", "src", "dst", "amount")


def _may_pass_on(material: Material) -> pl.DataFrame:
    """at, src, dst, amount: cleaned payments, and all of merchants with private accounts."""
    rows = everything(material).drop_nulls("amount")
    private, merchant = ~pl.Series(material.public), pl.Series(_merchants(material))
    src, dst = rows["src"], rows["dst"]
    of_merchants = (merchant.gather(src) & private.gather(dst)) | (
        private.gather(src) & merchant.gather(dst)
    )
    order = ["at", "src", "dst", "amount"]
    own = cleaned(material).select(order).drop_nulls() if len(rows) else rows.select(order)
    return pl.concat([rows.filter(of_merchants).select(order), own]).sort(order)


def _merchants(material: Material) -> Bools:
    known = np.zeros(material.accounts, np.bool_)
    if "accounts" in material.town.frames:
        rows = material.town.frames["accounts"].filter(pl.col("role") == "merchant")
        known[material.place(rows["account"])] = True
    return known


def relays(material: Material, poor: Bools) -> pl.DataFrame:
    """a < b, count: payments that went on from one to the other within days at nearly the
    amount, through one intermediary or two poor ones."""
    rows = _may_pass_on(material)
    src, dst = rows["src"].to_numpy(), rows["dst"].to_numpy()
    before, after = _passed_on(rows, material.accounts)
    steps = pl.DataFrame({"from": src[before], "on": after, "first": before, "to": dst[after]})
    by_poor = steps.filter(pl.Series(poor[dst[before]]))
    twice = by_poor.join(by_poor.select(on="first", last="to"), on="on").select("from", to="last")
    ends = pl.concat([steps.select("from", "to"), twice])
    out = pl.Series(material.public | (material.degree > MOST_CONTACTS))
    private = ~(out.gather(ends["from"]) | out.gather(ends["to"]))
    return (
        ends.filter(private & (ends["from"] != ends["to"]))
        .group_by(a=pl.min_horizontal("from", "to"), b=pl.max_horizontal("from", "to"))
        .agg(count=pl.len())
    )


def _passed_on(rows: pl.DataFrame, accounts: int) -> tuple[Ints, Ints]:
    """Rows of payments into an account, and of those that pass them on."""
    src, dst, at, amount = (rows[name].to_numpy() for name in ("src", "dst", "at", "amount"))
    ends = np.concatenate([dst, src])
    number = np.tile(np.arange(len(rows)), 2)
    order = np.lexsort((number, ends))
    starts = np.searchsorted(ends[order], np.arange(accounts + 1))
    into = order < len(rows)
    before, after = _matched(starts, number[order], into, at, amount, src, dst)
    alone = np.bincount(before, minlength=len(rows))[before] <= MATCHES
    return before[alone], after[alone]


@njit(cache=True)
def _matched(starts, rows, into, at, amount, src, dst):  # type: ignore[no-untyped-def]
    before, after = np.empty(MATCHES * len(rows), np.int64), np.empty(MATCHES * len(rows), np.int64)
    found = 0
    for account in range(len(starts) - 1):
        for place in range(starts[account], starts[account + 1]):
            out = rows[place]
            if into[place]:
                continue
            many, earlier = 0, place - 1
            while earlier >= starts[account] and many <= MATCHES:
                one = rows[earlier]
                if at[one] < at[out] - RELAY_DAYS * DAY:
                    break
                near = RELAY_LEAST * amount[one] <= amount[out] <= RELAY_MOST * amount[one]
                if into[earlier] and near and src[one] != dst[out]:
                    if many < MATCHES:
                        before[found + many], after[found + many] = one, out
                    many += 1
                earlier -= 1
            if many <= MATCHES:
                found += many
    return before[:found], after[:found]
