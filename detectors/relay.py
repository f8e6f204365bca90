"""Relay: what comes in goes on soon, at nearly the amount.

An account that passes on for others leaves pairs of transfers behind: one comes in, another
goes out to somebody else within WINDOW_DAYS at KEPT of the amount. By chance that happens
too. How often is known for each transfer from the account itself: how many of its other
payments have a fitting amount, and how densely they lie in time. What rhythm and habit add
to that is learned from the same search backwards in time (METHOD section 5 item 3).

Strength of a pair: the bits by which its transfers are more often one side of a relay than
by chance, a Poisson log-likelihood ratio. It follows single payments in the order of time,
so it runs on one machine: 60 bytes a transfer.
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
from detectors.moves import DAY, Longs, Moves, day_of
from detectors.transfers import Rows, rows_by, rows_by_pair

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

Bools = npt.NDArray[np.bool_]

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
        moves = Moves.of(facts.transfers, facts.contacts.degree > 0)
        a, b, found, expected = _by_pair(
            facts.accounts, moves, *_found_and_expected(facts.accounts, moves)
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


@dataclass(frozen=True)
class _Sides:
    """What relays are found by, for each transfer and both of its sides: as what came to the
    account in the middle (dst), and as what it paid out (src). Arrays as long as the moves.

    `ahead`, `back`: whether it is a side of a relay, in time and with time reversed; `fit`: how
    many payments on the other side of the middle have a fitting amount.
    """

    ahead: tuple[Bools, Bools]
    back: tuple[Bools, Bools]
    fit: tuple[Ints, Ints]


def _sides(accounts: int, moves: Moves) -> _Sides:
    """Account by account, each as the middle: from its own transfers alone."""
    middles = _Middles.of(accounts, moves)
    with ThreadPoolExecutor(2) as pool:
        ahead = pool.submit(_matched, middles, moves, np.bool_)
        back = pool.submit(_matched, middles, moves, np.bool_, backwards=True)
        fit = pool.submit(_fits, middles, moves)
        return _Sides(ahead.result(), back.result(), fit.result())


@dataclass(frozen=True)
class _Middles:
    """Each account's transfers, in order: what came to it (`ins`) and what it paid (`outs`)."""

    in_starts: Longs
    ins: Rows
    out_starts: Longs
    outs: Rows

    @classmethod
    def of(cls, accounts: int, moves: Moves) -> _Middles:
        """Laid out once: every kernel goes by accounts."""
        return cls(*rows_by(moves.dst, accounts), *rows_by(moves.src, accounts))

    @property
    def all(self) -> tuple[Longs, Rows, Longs, Rows]:
        """As kernels take them."""
        return self.in_starts, self.ins, self.out_starts, self.outs


def _found_and_expected(accounts: int, moves: Moves) -> tuple[npt.NDArray[np.int8], Floats]:
    """For each transfer on how many sides (0 to 2) it is of a relay, and by chance would be."""
    expected = np.zeros(len(moves))
    if not len(moves):
        return np.empty(0, np.int8), expected
    sides = _sides(accounts, moves)
    dense = _density(accounts, moves, WINDOW_DAYS * DAY)
    popular, first_step = _popular(moves.amount)
    low, high = KEPT
    bounds = np.array(CHANCE_BOUNDS)
    for side, middle, other, parts in (
        (0, moves.dst, moves.src, (low, high)),
        (1, moves.src, moves.dst, (1 / high, 1 / low)),
    ):
        others = np.bincount(other, minlength=accounts)
        logs = np.log2(parts[0]), np.log2(parts[1])
        chance = middle, moves.amount, dense, others, *logs, popular, first_step
        ahead, back, fit = sides.ahead[side], sides.back[side], sides.fit[side]
        # matches that the control found, over those that it expected: by class of chance, …
        classes = _by_class(chance, fit, back, bounds)
        factors = _more(classes, CONTROL_PRIOR)
        # … and by account in the middle: some do everything in bursts, forwards and back
        middles = _by_account(chance, fit, back, bounds, factors)
        own = np.maximum(_more(middles, OWN_PRIOR), 1.0)
        _expect(chance, fit, ahead, bounds, factors, own, expected)
    return sides.ahead[0].astype(np.int8) + sides.ahead[1], expected


def _more(counted: tuple[Floats, Floats], prior: float) -> Floats:
    """How many times as many were seen as expected (in millionths), with a prior of both."""
    seen, expected = counted
    times: Floats = (seen + prior) / (expected / MICRO + prior)
    return times


@njit(cache=True, nogil=True)
def _by_class(chance, fit, matched, bounds):  # type: ignore[no-untyped-def]
    """By class of chance how many transfers matched, and how many would by chance, in millionths:
    whole numbers, whose sums do not depend on the order."""
    seen, expected = np.zeros(len(bounds) + 1), np.zeros(len(bounds) + 1)
    for row in range(len(fit)):
        _, likely = _chance(chance, row, fit, matched)
        its = _class_of(likely, bounds)
        seen[its] += matched[row]
        expected[its] += np.rint(MICRO * likely)
    return seen, expected


@njit(cache=True, nogil=True)
def _by_account(chance, fit, matched, bounds, factors):  # type: ignore[no-untyped-def]
    """The same by account in the middle, with the factor of each class."""
    accounts = len(chance[2])
    seen, expected = np.zeros(accounts), np.zeros(accounts)
    for row in range(len(fit)):
        account, likely = _chance(chance, row, fit, matched)
        likely *= factors[_class_of(likely, bounds)]
        seen[account] += matched[row]
        expected[account] += np.rint(MICRO * likely)
    return seen, expected


@njit(cache=True, nogil=True)
def _expect(chance, fit, matched, bounds, factors, own, expected):  # type: ignore[no-untyped-def]
    """Adds each transfer's chance of a match to what is `expected`."""
    for row in range(len(fit)):
        account, likely = _chance(chance, row, fit, matched)
        likely *= factors[_class_of(likely, bounds)]
        expected[row] += likely * own[account]


@njit(cache=True, nogil=True)
def _chance(chance, row, fit, matched):  # type: ignore[no-untyped-def]
    """The account in the middle of a transfer, and how likely it has a match there."""
    middle, amount, dense, others, log_low, log_high, popular, first_step = chance
    account = middle[row]
    usual = _usual(others[account], amount[row], log_low, log_high, popular, first_step)
    return account, (max(fit[row] - matched[row], 0) + usual) * dense[account]


@njit(cache=True, nogil=True)
def _class_of(chance, bounds):  # type: ignore[no-untyped-def]
    its = 0
    while its < len(bounds) and bounds[its] <= chance:
        its += 1
    return its


def _by_pair(
    accounts: int, moves: Moves, found: npt.NDArray[np.int8], expected: Floats
) -> tuple[Ints, Ints, Longs, Floats]:
    a, b = np.minimum(moves.src, moves.dst), np.maximum(moves.src, moves.dst)
    summed: tuple[Ints, Ints, Longs, Floats]
    summed = _summed(rows_by_pair(a, b, accounts), a, b, found, expected)
    return summed


@njit(cache=True, nogil=True)
def _summed(order, a, b, found, expected):  # type: ignore[no-untyped-def]
    """Sums by pair, of rows in the `order` of pairs, where anything was found: a, b, found, and
    what was expected in whole millionths, whose sums do not depend on the order."""
    pairs = 0
    for place in range(len(order)):
        pairs += found[order[place]] > 0  # no more pairs than rows with something found
    one, other = np.empty(pairs, np.int32), np.empty(pairs, np.int32)
    all_found, all_expected = np.zeros(pairs, np.int64), np.zeros(pairs, np.float64)
    pairs, begin = 0, 0
    for end in range(1, len(order) + 1):
        row = order[begin]
        if end < len(order) and a[order[end]] == a[row] and b[order[end]] == b[row]:
            continue
        total = 0
        for place in range(begin, end):
            total += found[order[place]]
        if total > 0:
            one[pairs], other[pairs], all_found[pairs] = a[row], b[row], total
            for place in range(begin, end):
                all_expected[pairs] += np.rint(MICRO * expected[order[place]])
            pairs += 1
        begin = end
    return one[:pairs], other[:pairs], all_found[:pairs], all_expected[:pairs]


_Ends = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def _matched(middles: _Middles, moves: Moves, kind: Any, *, backwards: bool = False) -> _Ends:
    """For each transfer 1 + the one that it goes on as, and 1 + the one that it came in as, 0:
    none; as booleans, whether there is one. `backwards`: with time reversed."""
    onward, origin = np.zeros(len(moves), kind), np.zeros(len(moves), kind)
    columns = moves.src, moves.dst, moves.amount, moves.at
    window, direction = WINDOW_DAYS * DAY, -1 if backwards else 1
    _match(*middles.all, *columns, direction, window, *KEPT, onward, origin)
    return onward, origin


def matched(accounts: int, moves: Moves) -> Longs:
    """For each transfer of all accounts the one that it goes on as; -1: none."""
    onward: Longs = _matched(_Middles.of(accounts, moves), moves, np.int64)[0] - 1
    return onward


def _density(accounts: int, moves: Moves, window: int) -> Floats:
    """For each account the chance that a moment of its life lies in a given window."""
    first, last = _lives(accounts, moves.src, moves.dst, moves.at)
    life = np.subtract(last, first, out=np.zeros(accounts, np.int64), where=last > first)
    part: Floats = window / np.maximum(life, window)
    return part


@njit(cache=True, nogil=True)
def _lives(accounts, src, dst, at):  # type: ignore[no-untyped-def]
    """When each account's first and last transfer was."""
    first = np.full(accounts, np.iinfo(np.int64).max)
    last = np.full(accounts, np.iinfo(np.int64).min)
    for row in range(len(at)):
        for account in (src[row], dst[row]):
            first[account] = min(first[account], at[row])
            last[account] = max(last[account], at[row])
    return first, last


def _popular(amounts: Floats) -> tuple[Floats, int]:
    """The part of all transfers below each step of amounts, and the first step."""
    steps = np.floor(np.log2(amounts) * STEPS_A_DOUBLING).astype(np.int64)
    first = int(steps.min())
    below = np.concatenate(([0.0], np.cumsum(np.bincount(steps - first)) / len(amounts)))
    return below, first


@njit(cache=True, nogil=True)
def _match(  # type: ignore[no-untyped-def]
    in_starts,
    ins,
    out_starts,
    outs,
    src,
    dst,
    amount,
    at,
    direction,
    window,
    low,
    high,
    onward,
    origin,
):
    """Each transfer in goes on as the first fitting one out, each of these once. Account by
    account, on copies that lie together: memory is what takes the time. `direction`: 1, or -1
    where time runs backwards."""
    for account in range(len(in_starts) - 1):
        came = ins[in_starts[account] : in_starts[account + 1]]
        went = outs[out_starts[account] : out_starts[account + 1]]
        if len(came) == 0 or len(went) == 0:
            continue
        if direction < 0:
            came, went = came[::-1].copy(), went[::-1].copy()
        out_at, out_amount, out_dst = direction * at[went], amount[went], dst[went]
        cursor = 0
        for incoming in came:
            in_at = direction * at[incoming]
            while cursor < len(went) and out_at[cursor] <= in_at:
                cursor += 1
            for place in range(cursor, min(len(went), cursor + MOST_LOOKED_AT)):
                if out_at[place] > in_at + window:
                    break
                kept = out_amount[place] / amount[incoming]
                fits = low <= kept <= high and out_dst[place] != src[incoming]
                if fits and not origin[went[place]]:
                    origin[went[place]] = incoming + 1
                    onward[incoming] = went[place] + 1
                    break


def _fits(middles: _Middles, moves: Moves) -> tuple[Ints, Ints]:
    """For each transfer to, and from, an account: how many on the other side of it have a fitting
    amount."""
    low, high = KEPT
    came, went = middles.all[:2], middles.all[2:]
    return (
        _fitting(moves.amount, *came, *went, low, high),
        _fitting(moves.amount, *went, *came, 1 / high, 1 / low),
    )


@njit(cache=True, nogil=True)
def _fitting(amount, own_starts, own, starts, rows, low, high):  # type: ignore[no-untyped-def]
    """For each transfer how many on the other side of its middle have a fitting amount."""
    fit = np.zeros(len(amount), np.int32)
    for account in range(len(starts) - 1):
        begin, end = starts[account], starts[account + 1]
        own_begin, own_end = own_starts[account], own_starts[account + 1]
        if begin == end or own_begin == own_end:
            continue
        sizes = np.sort(amount[rows[begin:end]])
        for place in own[own_begin:own_end]:
            size = amount[place]
            fit[place] = _first_above(sizes, 0, len(sizes), size * high) - _first_at(
                sizes, 0, len(sizes), size * low
            )
    return fit


@njit(cache=True, nogil=True)
def _usual(others, amount, log_low, log_high, popular, first_step):  # type: ignore[no-untyped-def]
    """How many of so many others would have a fitting amount, if theirs were everybody's."""
    if others == 0:
        return 0.0
    log_size = np.log2(amount)
    lower = int(np.floor((log_size + log_low) * STEPS_A_DOUBLING)) - first_step
    upper = int(np.floor((log_size + log_high) * STEPS_A_DOUBLING)) - first_step
    lower, upper = max(lower, 0), min(upper, len(popular) - 2)
    return others * (popular[upper + 1] - popular[lower]) if lower <= upper else 0.0


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
