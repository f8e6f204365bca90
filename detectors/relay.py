"""Relay: what comes in goes on soon, at nearly the amount.

An account that passes on for others leaves pairs of transfers behind: one comes in, another
goes out to somebody else within WINDOW_DAYS at KEPT of the amount. By chance that happens
too. How often is known for each transfer from the account itself: how many of its other
payments have a fitting amount, and how densely they lie in time. What rhythm and habit add
to that is learned from the same search backwards in time (METHOD section 5 item 3).

Strength of a pair: the bits by which its transfers are more often one side of a relay than
by chance, a Poisson log-likelihood ratio. It follows single payments in the order of time,
so it runs on one machine: 100 bytes a transfer.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

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
from detectors.moves import DAY, Longs, Moves, day_of, rows_by

WINDOW_DAYS = 5
"""How long an amount may rest."""

KEPT = 0.92, 1.0005
"""The part of what came in that goes on."""

MOST_LOOKED_AT = 64
"""So many payments out after one that came in; an account with more in five days is a hub."""

STEPS_A_DOUBLING = 32
"""How finely amounts are counted over the population: steps of 2.2 %."""

CHANCE_BOUNDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Classes of transfers by their chance of a match, each with its own control."""

CONTROL_PRIOR = 10.0
"""Chance matches that each class is credited with, found and expected."""

OWN_PRIOR = 4.0
"""The same for each account that is in the middle."""

FEWEST_BITS = 0.5
"""A pair with fewer is no evidence."""

CLASS_RANKS = (1 / 1024, 1 / 256, 1 / 64, 1 / 16)
"""Strength classes by rank among the pairs of the population: relays are rare."""

MICRO = 1_000_000
"""Chances are added up as whole millionths: sums that do not depend on the order."""


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
        known = facts.contacts.degree > 0
        moves = Moves.of(facts.transfers)
        moves = moves.where(known[moves.src] & known[moves.dst])
        found, expected = _found_and_expected(facts.accounts, moves)
        pairs = (
            pl.LazyFrame(
                {
                    "a": np.minimum(moves.src, moves.dst),
                    "b": np.maximum(moves.src, moves.dst),
                    "found": found,
                    "expected": np.rint(MICRO * expected).astype(np.int64),
                }
            )
            .group_by("a", "b")
            .agg(pl.col("found", "expected").sum())
            .filter(pl.col("found") > 0)
            .sort("a", "b")
            .collect()
        )
        bits = surplus_bits(pairs["found"].to_numpy(), pairs["expected"].to_numpy() / MICRO)
        strength = pl.Series("strength", np.rint(1000 * bits).astype(np.int32))
        strong = pairs.select("a", "b", strength).filter(strength >= 1000 * FEWEST_BITS)
        return nw.from_native(strong.lazy())

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


@dataclass(frozen=True)
class _Matches:
    """For each transfer the one that it goes on as, and the one that it came in as; -1: none."""

    onward: Longs
    origin: Longs


def _found_and_expected(accounts: int, moves: Moves) -> tuple[Longs, Floats]:
    """For each transfer on how many sides (0 to 2) it is of a relay, and by chance would be."""
    window = WINDOW_DAYS * DAY
    if not len(moves):
        return np.empty(0, np.int64), np.empty(0, np.float64)
    with ThreadPoolExecutor(2) as pool:
        ahead = pool.submit(_matched, accounts, moves)
        control = pool.submit(_matched_backwards, accounts, moves)
        there, back = ahead.result(), control.result()
    life = _density(accounts, moves, window)
    popular, first_step = _popular(moves.amount)
    low, high = KEPT
    with ThreadPoolExecutor(2) as pool:
        sides = [
            pool.submit(
                _fitting, accounts, moves.amount, middle, other, *bounds, popular, first_step
            )
            for middle, other, bounds in (
                (moves.dst, moves.src, (low, high)),
                (moves.src, moves.dst, (1 / high, 1 / low)),
            )
        ]
        (out_fit, out_usual), (in_fit, in_usual) = (side.result() for side in sides)
    found = (there.onward >= 0).astype(np.int64) + (there.origin >= 0)
    expected = np.zeros(len(moves))
    for fit, usual, middle, forward, backward in (
        (out_fit, out_usual, moves.dst, there.onward >= 0, back.onward >= 0),
        (in_fit, in_usual, moves.src, there.origin >= 0, back.origin >= 0),
    ):
        dense = life[middle]
        chance = (np.maximum(fit - forward, 0) + usual) * dense
        control = (np.maximum(fit - backward, 0) + usual) * dense
        factor = _class_factors(control, backward)
        control *= factor[np.digitize(control, CHANCE_BOUNDS)]
        chance *= factor[np.digitize(chance, CHANCE_BOUNDS)]
        expected += chance * _own_factors(accounts, middle, control, backward)[middle]
    return found, expected


def _class_factors(control: Floats, matched: npt.NDArray[np.bool_]) -> Floats:
    """By class of chance: matches that the control found, over those that it expected."""
    seen, expected = _by_key(np.digitize(control, CHANCE_BOUNDS), control, matched)
    size = len(CHANCE_BOUNDS) + 1
    return (_padded(seen, size) + CONTROL_PRIOR) / (_padded(expected, size) + CONTROL_PRIOR)


def _own_factors(
    accounts: int, middle: Ints, control: Floats, matched: npt.NDArray[np.bool_]
) -> Floats:
    """The same by account in the middle: some do everything in bursts, forwards and back."""
    seen, expected = _by_key(middle, control, matched)
    more = (_padded(seen, accounts) + OWN_PRIOR) / (_padded(expected, accounts) + OWN_PRIOR)
    return np.maximum(more, 1.0)


def _by_key(
    keys: npt.NDArray[np.integer[Any]], control: Floats, matched: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Sums of `matched` and of `control` by key; whole millionths add up exactly."""
    expected = np.bincount(keys, np.rint(MICRO * control)) / MICRO
    return np.bincount(keys[matched]).astype(np.float64), expected


def _padded(sums: Floats, size: int) -> Floats:
    return np.concatenate((sums, np.zeros(size - len(sums))))


def _matched(accounts: int, moves: Moves) -> _Matches:
    return _Matches(
        *_match(accounts, moves.src, moves.dst, moves.amount, moves.at, WINDOW_DAYS * DAY, *KEPT)
    )


def _matched_backwards(accounts: int, moves: Moves) -> _Matches:
    """Matches with time reversed, told in the order of `moves`."""
    matches = _matched(accounts, moves.backwards())
    last = len(moves) - 1

    def turned(places: Longs) -> Longs:
        return np.where(places >= 0, last - places, -1)[::-1]

    return _Matches(turned(matches.onward), turned(matches.origin))


def _density(accounts: int, moves: Moves, window: int) -> Floats:
    """For each account the chance that a moment of its life lies in a given window."""
    first = np.full(accounts, np.iinfo(np.int64).max)
    last = np.full(accounts, np.iinfo(np.int64).min)
    for ends in (moves.src, moves.dst):
        np.minimum.at(first, ends, moves.at)
        np.maximum.at(last, ends, moves.at)
    life = np.subtract(last, first, out=np.zeros(accounts, np.int64), where=last > first)
    part: Floats = window / np.maximum(life, window)
    return part


def _popular(amounts: Floats) -> tuple[Floats, int]:
    """The part of all transfers below each step of amounts, and the first step."""
    steps = np.floor(np.log2(amounts) * STEPS_A_DOUBLING).astype(np.int64)
    first = int(steps.min())
    below = np.concatenate(([0.0], np.cumsum(np.bincount(steps - first)) / len(amounts)))
    return below, first


@njit(cache=True, nogil=True)
def _match(accounts, src, dst, amount, at, window, low, high):  # type: ignore[no-untyped-def]
    """Each transfer in goes on as the first fitting one out, each of these once. Account by
    account, on copies that lie together: memory is what takes the time."""
    in_starts, ins = rows_by(dst, accounts)
    out_starts, outs = rows_by(src, accounts)
    out_at, out_amount, out_dst = at[outs], amount[outs], dst[outs]
    in_at, in_amount, in_src = at[ins], amount[ins], src[ins]
    onward = np.full(len(src), -1, np.int64)
    origin = np.full(len(src), -1, np.int64)
    for account in range(accounts):
        cursor, end = out_starts[account], out_starts[account + 1]
        for incoming in range(in_starts[account], in_starts[account + 1]):
            while cursor < end and out_at[cursor] <= in_at[incoming]:
                cursor += 1
            for place in range(cursor, min(end, cursor + MOST_LOOKED_AT)):
                if out_at[place] > in_at[incoming] + window:
                    break
                kept = out_amount[place] / in_amount[incoming]
                fits = low <= kept <= high and out_dst[place] != in_src[incoming]
                if fits and origin[outs[place]] < 0:
                    origin[outs[place]] = ins[incoming]
                    onward[ins[incoming]] = outs[place]
                    break
    return onward, origin


@njit(cache=True, nogil=True)
def _fitting(accounts, amount, middle, other, low, high, popular, first_step):  # type: ignore[no-untyped-def]
    """For each transfer how many on the other side of its middle have a fitting amount, and
    how many would if their amounts were everybody's."""
    starts, rows = rows_by(other, accounts)
    own_starts, own = rows_by(middle, accounts)
    sizes, own_sizes = amount[rows], amount[own]
    log_low, log_high = np.log2(low), np.log2(high)
    fit = np.zeros(len(amount), np.int64)
    usual = np.zeros(len(amount), np.float64)
    for account in range(accounts):
        begin, end = starts[account], starts[account + 1]
        if begin == end or own_starts[account] == own_starts[account + 1]:
            continue
        sizes[begin:end].sort()
        for place in range(own_starts[account], own_starts[account + 1]):
            size = own_sizes[place]
            fit[own[place]] = _first_above(sizes, begin, end, size * high) - _first_at(
                sizes, begin, end, size * low
            )
            log_size = np.log2(size)
            lower = int(np.floor((log_size + log_low) * STEPS_A_DOUBLING)) - first_step
            upper = int(np.floor((log_size + log_high) * STEPS_A_DOUBLING)) - first_step
            lower, upper = max(lower, 0), min(upper, len(popular) - 2)
            if lower <= upper:
                usual[own[place]] = (end - begin) * (popular[upper + 1] - popular[lower])
    return fit, usual


@njit(cache=True, nogil=True)
def _first_at(sizes, begin, end, bound):  # type: ignore[no-untyped-def]
    while begin < end:
        half = (begin + end) // 2
        if sizes[half] < bound:
            begin = half + 1
        else:
            end = half
    return begin


@njit(cache=True, nogil=True)
def _first_above(sizes, begin, end, bound):  # type: ignore[no-untyped-def]
    while begin < end:
        half = (begin + end) // 2
        if sizes[half] <= bound:
            begin = half + 1
        else:
            end = half
    return begin


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
    accounts = int(max(src.max(), dst.max())) + 1 if len(rows) else 0
    onward = _matched(accounts, Moves(src, dst, amount, at)).onward
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
