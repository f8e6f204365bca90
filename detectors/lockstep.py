"""Lockstep: accounts that do the same thing at the same time, again and again.

Its pairs are those who meet (see `detectors/meetings.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.family import (
    MOST_CITED,
    Facts,
    Inside,
    Ints,
    Layer,
    Reason,
    rank_millibits,
    tree_layers,
)
from detectors.meetings import FEWEST_EXPECTED, FEWEST_MEETINGS, LEAST_BITS, surprise
from detectors.visits import WINDOW


class Lockstep:
    """Evidence from times: the same counterparties at the same times."""

    name = "lockstep"
    source = "transfers"
    speaks_of = "all_transfers"
    help = (
        "Looks for accounts that pay the same others, or are paid by the same large one, within "
        "hours of each other and again and again, when hardly anyone else is. Misses members "
        "who wait for days, or each use other counterparties, and whoever keeps to a calendar. "
        "Regulars of a sale or an auction, colleagues paid by one employer and a gift circle "
        "look like it: other people's rhythm, batches and give and take are taken out."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Pairs that meet more often than strangers do; the strength is in millibits."""
        met = facts.meetings
        strength = np.rint(1000 * met.bits).astype(np.int32)
        return nw.from_native(pl.LazyFrame({"a": met.a, "b": met.b, "strength": strength}))

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """By rank among all pairs of the population."""
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Strength classes; one wave ties all who take part, so they count as a forest."""
        return tree_layers("lockstep", facts, a, b, millibits)

    def reason(self, inside: Inside) -> Reason:
        """How many members come to how many places together, how often."""
        seen = _together(inside)
        best = seen.filter(pl.col("members") == pl.col("members").max().over("out", "other"))
        members = seen["account"].explode().n_unique()
        text = (
            f"{members} of these {len(inside.members)} accounts pay, or are paid by, the same "
            f"{seen.select('out', 'other').n_unique()} counterparties within hours of each other"
            f": {len(seen)} times three or more at once"
        )
        if len(best):
            top = best.row(0, named=True)
            text += f", {top['members']} of them on {top['begin']:%Y-%m-%d}"
        cited = seen["uid"].explode().drop_nulls().unique(maintain_order=True)
        return Reason(text, cited.head(MOST_CITED).to_list())

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """How often two meet, where that is more than strangers do."""
        visits = _visits_of(inside)
        if not len(visits):
            return ["" for _ in pairs]
        span = int(visits["at"][-1]) - int(visits["at"][0]) + 1
        by_account = visits.partition_by("account", as_dict=True)
        return [
            _met(inside, one, other, span)
            if (one := by_account.get((a,))) is not None
            and (other := by_account.get((b,))) is not None
            else ""
            for a, b in pairs
        ]


def _visits_of(inside: Inside) -> pl.DataFrame:
    """Payments of members and to members: `account` (a member), `out` (whether it pays),
    `other`, `at` in seconds, `uid`; by time."""
    members = pl.Series(inside.members).implode()
    moves = inside.facts.filter(pl.col("at").is_not_null())
    at = pl.col("at").dt.epoch("s")
    return pl.concat(
        moves.filter(pl.col(mine).is_in(members)).select(
            pl.col(mine).alias("account"),
            pl.lit(mine == "src").alias("out"),
            pl.col(theirs).alias("other"),
            at.alias("at"),
            "uid",
        )
        for mine, theirs in (("src", "dst"), ("dst", "src"))
    ).sort("at", "account", "other", "uid")


def _together(inside: Inside) -> pl.DataFrame:
    """Times when three members or more came to one place: `out`, `other`, `begin`, the
    `account`s, how many `members`, `uid`s; at places where they did so several times, the
    most members first."""
    return (
        _visits_of(inside)
        .with_columns(begin=pl.col("at") // WINDOW * WINDOW)
        .group_by("out", "other", "begin", maintain_order=True)
        .agg("account", "uid", members=pl.col("account").n_unique())
        .filter(pl.col("members") >= 3)
        .filter(pl.len().over("out", "other") >= FEWEST_MEETINGS)
        .with_columns(pl.from_epoch("begin"))
        .sort(["members", "begin", "other", "out"], descending=[True, False, False, False])
    )


def _met(inside: Inside, one: pl.DataFrame, other: pl.DataFrame, span: int) -> str:
    """'u and v came to the same 3 counterparties within hours of each other 12 times'."""
    place = ["out", "other"]
    both = one.join(other, on=place, suffix="_too")
    close = both.filter((pl.col("at") - pl.col("at_too")).abs() <= WINDOW // 2)
    met = close.unique([*place, "at"])
    if len(met) < FEWEST_MEETINGS:
        return ""
    expected = max(len(both) * WINDOW / span, FEWEST_EXPECTED)
    if surprise(np.array([float(len(met))]), np.array([expected]))[0] < LEAST_BITS:
        return ""
    names = inside.name(one["account"][0]), inside.name(other["account"][0])
    places = met.select(place).n_unique()
    return (
        f"{names[0]} and {names[1]} paid, or were paid by, "
        f"{'one counterparty' if places == 1 else f'the same {places} counterparties'} within "
        f"hours of each other {len(met)} times"
    )


DETECTOR = Lockstep()
