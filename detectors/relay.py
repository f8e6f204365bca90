"""Relay: what comes in goes on soon, at nearly the amount.

An account that passes on for others leaves pairs of transfers behind: one comes in, another
goes out to somebody else. By chance that happens too (see `detectors/onward.py`).

Strength of a pair: the bits by which its transfers are more often one side of a relay than
by chance, a Poisson log-likelihood ratio. It follows single payments in the order of time,
so it runs on one machine: 60 bytes a transfer.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.family import (
    MOST_CITED,
    NOTHING,
    Facts,
    Floats,
    Inside,
    Ints,
    Layer,
    Reason,
    by_class,
    largest,
    rank_millibits,
)
from detectors.moves import DAY, Longs, Moves, day_of
from detectors.onward import KEPT, MICRO, WINDOW_DAYS, found_and_expected, matched
from detectors.transfers import rows_by_pair

FEWEST_BITS = 0.5
"""A pair with fewer is no evidence."""

CLASS_RANKS = (1 / 1024, 1 / 256, 1 / 64, 1 / 16)
"""Strength classes by rank among the pairs of the population: relays are rare."""


class Relay:
    """Evidence from the order of time and from amounts."""

    name = "relay"
    source = "transfers"
    help = (
        "Looks for accounts that pass on what they receive, within five days and at nearly "
        "the amount: mules, chains, rings, wash trades. Misses amounts that are split, mixed "
        "or held longer. A supplier who pays his own supplier from what he is paid, an agent "
        "or a collector looks like it: what they sell or whom they collect for settles it."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Contacts whose transfers are one side of a relay more often than by chance;
        strength in 1/1000 bits."""
        moves = Moves.of(facts.transfers, facts.contacts.degree > 0)
        a, b, found, expected = _by_pair(
            facts.accounts, moves, *found_and_expected(facts.accounts, moves)
        )
        bits = surplus_bits(found, expected / MICRO)
        strength = np.rint(1000 * bits).astype(np.int32)
        strong = strength >= 1000 * FEWEST_BITS
        return nw.from_native(
            pl.LazyFrame({"a": a[strong], "b": b[strong], "strength": strength[strong]})
        )

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """By rank among all pairs of the population."""
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Strength classes, given that two deal with each other. How often they do is no
        condition: the chance of a match counts each of their transfers already."""
        rates = facts.contacts.rates
        return [
            Layer(
                f"relay:{rank}", a[one], b[one], NOTHING, rates=rates(a[one], b[one], often=False)
            )
            for rank, one in by_class(facts.accounts, millibits, CLASS_RANKS)
        ]

    def reason(self, inside: Inside) -> Reason:
        """How many payments went on inside, the share of all inside payments, the largest."""
        members = pl.Series(inside.members).implode()
        both = pl.col("src").is_in(members) & pl.col("dst").is_in(members)
        within = _usable(inside.facts).filter(both)
        relays = _relays_of(within)
        if not relays.height:
            return _passed_outside(inside, within)
        text = (
            f"{_count(len(relays), 'payment')} that came to one of these "
            f"{len(inside.members)} accounts from another went on to a third within "
            f"{WINDOW_DAYS} days at {KEPT[0]:.0%} to 100% of the amount, of "
            f"{_count(len(within), 'payment')} among them"
        )
        row = relays.row(0, named=True)
        text += (
            f". The largest: {inside.name(row['first'])} paid {inside.name(row['through'])} "
            f"on {day_of(row['at'])}, and {row['kept']:.1%} of it went on to "
            f"{inside.name(row['last'])} {_later(row['rest'])}"
        )
        cited = pl.concat([relays["uid"], relays["uid_on"]]).unique(maintain_order=True)
        return Reason(text, cited.head(MOST_CITED).to_list())

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """How many payments between two were one side of a relay, among all that is known."""
        relays = _relays_of(_usable(inside.facts))
        sides = pl.concat(
            [
                relays.select(a="first", b="through", uid="uid"),
                relays.select(a="through", b="last", uid="uid_on"),
            ]
        ).unique()
        counted = sides.group_by(a=pl.min_horizontal("a", "b"), b=pl.max_horizontal("a", "b")).len()
        counts = {(a, b): count for a, b, count in counted.iter_rows()}
        return [
            f"{_count(counts[a, b], 'payment')} between {inside.name(a)} and {inside.name(b)} "
            "came in from a third just before, or went on to one soon after, at nearly the amount"
            if (a, b) in counts
            else ""
            for a, b in pairs
        ]


def surplus_bits(found: npt.NDArray[np.generic], expected: Floats) -> Floats:
    """LLR(e, Lambda) of METHOD section 6: 0 where no more is found than expected."""
    e, chance = found.astype(np.float64), np.maximum(expected, 1 / MICRO)
    bits = e * np.log2(np.maximum(e, 1) / chance) - (e - chance) / np.log(2) - np.log2(e + 1) / 2
    positive: Floats = np.where(e > chance, np.maximum(bits, 0.0), 0.0)
    return positive


def _by_pair(
    accounts: int, moves: Moves, found: npt.NDArray[np.int8], expected: Floats
) -> tuple[Ints, Ints, Longs, Floats]:
    a, b = np.minimum(moves.src, moves.dst), np.maximum(moves.src, moves.dst)
    summed: tuple[Ints, Ints, Longs, Floats]
    summed = _summed(*rows_by_pair(a, b, accounts), a, b, found, expected)
    return summed


@njit(cache=True, nogil=True)
def _summed(starts, order, a, b, found, expected):  # type: ignore[no-untyped-def]
    """Sums by pair, where anything was found: a, b, found, and what was expected in whole
    millionths, whose sums do not depend on the order."""
    pairs = 0
    for pair in range(len(starts) - 1):
        for place in range(starts[pair], starts[pair + 1]):
            if found[order[place]] > 0:
                pairs += 1
                break
    one, other = np.empty(pairs, np.int32), np.empty(pairs, np.int32)
    all_found, all_expected = np.zeros(pairs, np.int64), np.zeros(pairs, np.float64)
    pairs = 0
    for pair in range(len(starts) - 1):
        total = 0
        for place in range(starts[pair], starts[pair + 1]):
            total += found[order[place]]
        if total > 0:
            row = order[starts[pair]]
            one[pairs], other[pairs], all_found[pairs] = a[row], b[row], total
            for place in range(starts[pair], starts[pair + 1]):
                all_expected[pairs] += np.rint(MICRO * expected[order[place]])
            pairs += 1
    return one, other, all_found, all_expected


def _usable(facts: pl.DataFrame) -> pl.DataFrame:
    return facts.filter(
        (pl.col("src") != pl.col("dst")) & (pl.col("amount") > 0) & pl.col("at").is_not_null()
    )


def _passed_outside(inside: Inside, within: pl.DataFrame) -> Reason:
    """Of a set in which no payment goes on to a third: payments among it that came from outside or
    went there."""
    relays = _relays_of(_usable(inside.facts))
    legs = within.filter(
        pl.col("uid").is_in(pl.concat([relays["uid"], relays["uid_on"]]).implode())
    )
    if not legs.height:
        return Reason("No payment went on inside", [])
    text = (
        f"{_count(len(legs), 'payment')} among these {len(inside.members)} accounts came in from "
        f"outside within {WINDOW_DAYS} days before, or went on there within as many, at "
        f"{KEPT[0]:.0%} to 100% of the amount"
    )
    return Reason(text, largest(legs))


def _relays_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Relays among some transfers, the largest first: `first`, `through`, `last`, `uid` and
    `uid_on`, `at` (microseconds), `kept` (part), `rest` (microseconds)."""
    rows = rows.with_columns(
        size=pl.col("amount").cast(pl.Float64), moment=pl.col("at").dt.epoch("us")
    ).sort("moment", "src", "dst", "size", "uid")
    src, dst, amount, at = (rows[name].to_numpy() for name in ("src", "dst", "size", "moment"))
    few, places = np.unique(np.concatenate((src, dst)), return_inverse=True)  # of millions
    one, other = np.split(places.astype(np.int32), 2)
    onward = matched(len(few), Moves(one, other, amount, at))
    into = np.flatnonzero(onward >= 0)
    on = onward[into]
    return pl.DataFrame(
        {
            "first": src[into],
            "through": dst[into],
            "last": dst[on],
            "uid": rows["uid"].gather(into),
            "uid_on": rows["uid"].gather(on),
            "amount": amount[into],
            "at": at[into],
            "kept": np.minimum(amount[on] / amount[into], 1.0),
            "rest": at[on] - at[into],
        }
    ).sort(["amount", "uid"], descending=[True, False])


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _later(rest: int) -> str:
    hours = rest / DAY * 24
    if hours < 1:
        return "within the hour"
    return (
        f"{_count(round(hours), 'hour')} later" if hours < 36 else f"{round(hours / 24)} days later"
    )


DETECTOR = Relay()
