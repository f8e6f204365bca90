"""Which payments go on as which others, and how many would by chance.

A payment that comes to an account goes on as the first one that it makes to somebody else
within WINDOW_DAYS at KEPT of the amount. How often that happens by chance is known for each
payment from the account itself: how many of its other payments have a fitting amount, and how
densely they lie in time. What rhythm and habit add is learned from the same search backwards in
time (METHOD section 5 item 3).

Each account is looked at as the middle, by itself: what takes the time is memory, so its
payments are laid beside each other once for everything that is asked of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.family import Floats, Ints
from detectors.moves import DAY, Longs, Moves
from detectors.transfers import Rows, rows_by

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

MICRO = 1_000_000
"""Chances are added up as whole millionths: sums that do not depend on the order."""

FEW = 24
"""So many amounts are looked through one by one; more are sorted."""

THREADS = 2

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Middles:
    """Each account's transfers, in order: what came to it (`ins`) and what it paid (`outs`)."""

    in_starts: Longs
    ins: Rows
    out_starts: Longs
    outs: Rows

    @classmethod
    def of(cls, accounts: int, moves: Moves) -> Middles:
        """Of all accounts."""
        return cls(*rows_by(moves.dst, accounts), *rows_by(moves.src, accounts))

    @property
    def all(self) -> tuple[Longs, Rows, Longs, Rows]:
        """As kernels take them."""
        return self.in_starts, self.ins, self.out_starts, self.outs

    def parts(self) -> list[tuple[int, int]]:
        """Accounts from one to another that have about as many transfers as those of every other
        part."""
        before = self.in_starts + self.out_starts
        bounds = np.searchsorted(before, before[-1] * np.arange(1, THREADS) // THREADS)
        return list(zip([0, *bounds.tolist()], [*bounds.tolist(), len(before) - 1], strict=True))


def matched(accounts: int, moves: Moves) -> Longs:
    """For each transfer of all accounts the one that it goes on as; -1: none."""
    columns = moves.src, moves.dst, moves.amount, moves.at
    onward: Longs = _matched(Middles.of(accounts, moves).all, columns, WINDOW_DAYS * DAY, *KEPT)
    return onward


def found_and_expected(accounts: int, moves: Moves) -> tuple[npt.NDArray[np.int8], Floats]:
    """For each transfer on how many sides (0 to 2) it is of a relay, and by chance would be.

    Memory: 34 bytes a transfer."""
    expected = np.zeros(len(moves))
    if not len(moves):
        return np.empty(0, np.int8), expected
    sides = _sides(accounts, moves)
    dense = _density(accounts, moves, WINDOW_DAYS * DAY)
    popular = _popular(moves.amount)
    low, high = KEPT
    usual = np.empty(len(moves))
    for side, middle, other, parts in (
        (0, moves.dst, moves.src, (low, high)),
        (1, moves.src, moves.dst, (1 / high, 1 / low)),
    ):
        others = np.bincount(other, minlength=accounts)
        _usual(middle, moves.amount, others, np.log2(parts[0]), np.log2(parts[1]), *popular, usual)
        chance = middle, dense, usual, sides.fit[side], np.array(CHANCE_BOUNDS)
        ahead, back = sides.ahead[side], sides.back[side]
        # matches that the control found, over those that it expected: by class of chance, …
        factors = _more(_by_class(chance, back), CONTROL_PRIOR)
        # … and by account in the middle: some do everything in bursts, forwards and back
        own = np.maximum(_more(_by_account(chance, back, factors), OWN_PRIOR), 1.0)
        _expect(chance, ahead, factors, own, expected)
    return sides.ahead[0].astype(np.int8) + sides.ahead[1], expected


# -- which go on ---------------------------------------------------------------------------


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
    middles, size = Middles.of(accounts, moves), len(moves)
    columns = moves.src, moves.dst, moves.amount, moves.at
    sides = _Sides(
        (np.zeros(size, np.bool_), np.zeros(size, np.bool_)),
        (np.zeros(size, np.bool_), np.zeros(size, np.bool_)),
        (np.zeros(size, np.int32), np.zeros(size, np.int32)),
    )

    def look(part: tuple[int, int]) -> None:
        found = sides.ahead, sides.back, sides.fit
        _look(*part, middles.all, columns, WINDOW_DAYS * DAY, *KEPT, *found)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(look, middles.parts()))
    return sides


@njit(cache=True, nogil=True)
def _look(begin, end, middles, columns, window, low, high, ahead, back, fit):  # type: ignore[no-untyped-def]
    """Accounts from `begin` to `end`, each as the middle. Each transfer has one middle for either
    side: no two accounts write to the same place."""
    in_starts, ins, out_starts, outs = middles
    src, dst, amount, at = columns
    came = _room(_most(in_starts, begin, end))
    went = _room(_most(out_starts, begin, end))
    for account in range(begin, end):
        into = ins[in_starts[account] : in_starts[account + 1]]
        out = outs[out_starts[account] : out_starts[account + 1]]
        if len(into) == 0 or len(out) == 0:
            continue
        for direction, found in ((-1, back), (1, ahead)):  # in time at last, as they stay laid out
            _lay_out(into, src, amount, at, direction, came)
            _lay_out(out, dst, amount, at, direction, went)
            _go_on(came, len(into), went, len(out), window, low, high)
            _note(into, direction, came[3], found[0])
            _note(out, direction, went[3], found[1])
        came_sizes, went_sizes = came[1][: len(into)], went[1][: len(out)]
        _fitting(came_sizes, into, went_sizes, low, high, fit[0])
        _fitting(went_sizes, out, came_sizes, 1 / high, 1 / low, fit[1])


@njit(cache=True, nogil=True)
def _matched(middles, columns, window, low, high):  # type: ignore[no-untyped-def]
    """For each transfer the one that it goes on as, -1: none."""
    in_starts, ins, out_starts, outs = middles
    src, dst, amount, at = columns
    onward = np.full(len(at), -1, np.int64)
    accounts = len(in_starts) - 1
    came = _room(_most(in_starts, 0, accounts))
    went = _room(_most(out_starts, 0, accounts))
    for account in range(accounts):
        into = ins[in_starts[account] : in_starts[account + 1]]
        out = outs[out_starts[account] : out_starts[account + 1]]
        _lay_out(into, src, amount, at, 1, came)
        _lay_out(out, dst, amount, at, 1, went)
        _go_on(came, len(into), went, len(out), window, low, high)
        for place in range(len(into)):
            if came[3][place] > 0:
                onward[into[place]] = out[came[3][place] - 1]
    return onward


@njit(cache=True, nogil=True)
def _most(starts, begin, end):  # type: ignore[no-untyped-def]
    """Rows of the account that has most."""
    most = 0
    for account in range(begin, end):
        most = max(most, starts[account + 1] - starts[account])
    return most


@njit(cache=True, nogil=True)
def _room(size):  # type: ignore[no-untyped-def]
    """For one side of an account: times, amounts, who is at the other end, and of each payment
    1 + the place of its mate on the other side (0: none)."""
    return (
        np.empty(size, np.int64),
        np.empty(size, np.float64),
        np.empty(size, np.int32),
        np.empty(size, np.int32),
    )


@njit(cache=True, nogil=True)
def _lay_out(rows, other, amount, at, direction, side):  # type: ignore[no-untyped-def]
    """Puts an account's payments of one side beside each other. `direction`: 1, or -1 where time
    runs backwards."""
    times, sizes, others, mates = side
    for place in range(len(rows)):
        row = rows[_turned(place, len(rows), direction)]
        times[place], sizes[place], others[place] = direction * at[row], amount[row], other[row]
        mates[place] = 0


@njit(cache=True, nogil=True)
def _turned(place, count, direction):  # type: ignore[no-untyped-def]
    return place if direction > 0 else count - 1 - place


@njit(cache=True, nogil=True)
def _go_on(came, ins, went, outs, window, low, high):  # type: ignore[no-untyped-def]
    """Each payment that came goes on as the first fitting one that went, each of these once."""
    in_at, in_amount, in_src, onward = came
    out_at, out_amount, out_dst, origin = went
    cursor = 0
    for incoming in range(ins):
        while cursor < outs and out_at[cursor] <= in_at[incoming]:
            cursor += 1
        for place in range(cursor, min(outs, cursor + MOST_LOOKED_AT)):
            if out_at[place] > in_at[incoming] + window:
                break
            kept = out_amount[place] / in_amount[incoming]
            fits = low <= kept <= high and out_dst[place] != in_src[incoming]
            if fits and origin[place] == 0:
                origin[place], onward[incoming] = incoming + 1, place + 1
                break


@njit(cache=True, nogil=True)
def _note(rows, direction, mates, found):  # type: ignore[no-untyped-def]
    """Which of some payments have a mate."""
    for place in range(len(rows)):
        found[rows[_turned(place, len(rows), direction)]] = mates[place] > 0


@njit(cache=True, nogil=True)
def _fitting(own, rows, others, low, high, fit):  # type: ignore[no-untyped-def]
    """For each payment (its size, its row) how many on the other side have a fitting amount."""
    many = len(others) > FEW
    sizes = np.sort(others) if many else others
    for place in range(len(own)):
        least, most = own[place] * low, own[place] * high
        count = 0
        if many:
            count = np.searchsorted(sizes, most, "right") - np.searchsorted(sizes, least, "left")
        else:
            for size in sizes:
                count += least <= size <= most
        fit[rows[place]] = count


# -- by chance -----------------------------------------------------------------------------


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
def _usual(middle, amount, others, log_low, log_high, popular, first_step, usual):  # type: ignore[no-untyped-def]
    """For each transfer how many of the payments on the other side of its middle would have a
    fitting amount, if theirs were everybody's."""
    for row in range(len(middle)):
        many = others[middle[row]]
        usual[row] = 0.0
        if many == 0:
            continue
        log_size = np.log2(amount[row])
        lower = int(np.floor((log_size + log_low) * STEPS_A_DOUBLING)) - first_step
        upper = int(np.floor((log_size + log_high) * STEPS_A_DOUBLING)) - first_step
        lower, upper = max(lower, 0), min(upper, len(popular) - 2)
        if lower <= upper:
            usual[row] = many * (popular[upper + 1] - popular[lower])


@njit(cache=True, nogil=True)
def _chance(chance, row, found):  # type: ignore[no-untyped-def]
    """How likely a transfer has a match at its middle; the class of that."""
    middle, dense, usual, fit, bounds = chance
    likely = (max(fit[row] - found[row], 0) + usual[row]) * dense[middle[row]]
    its = 0
    while its < len(bounds) and bounds[its] <= likely:
        its += 1
    return likely, its


def _more(counted: tuple[Floats, Floats], prior: float) -> Floats:
    """How many times as many were seen as expected (in millionths), with a prior of both."""
    seen, expected = counted
    times: Floats = (seen + prior) / (expected / MICRO + prior)
    return times


@njit(cache=True, nogil=True)
def _by_class(chance, found):  # type: ignore[no-untyped-def]
    """By class of chance how many transfers matched, and how many would by chance, in millionths:
    whole numbers, whose sums do not depend on the order."""
    classes = len(chance[4]) + 1
    seen, expected = np.zeros(classes), np.zeros(classes)
    for row in range(len(found)):
        likely, its = _chance(chance, row, found)
        seen[its] += found[row]
        expected[its] += np.rint(MICRO * likely)
    return seen, expected


@njit(cache=True, nogil=True)
def _by_account(chance, found, factors):  # type: ignore[no-untyped-def]
    """The same by account in the middle, with the factor of each class."""
    middle, accounts = chance[0], len(chance[1])
    seen, expected = np.zeros(accounts), np.zeros(accounts)
    for row in range(len(found)):
        likely, its = _chance(chance, row, found)
        seen[middle[row]] += found[row]
        expected[middle[row]] += np.rint(MICRO * (likely * factors[its]))
    return seen, expected


@njit(cache=True, nogil=True)
def _expect(chance, found, factors, own, expected):  # type: ignore[no-untyped-def]
    """Adds each transfer's chance of a match to what is `expected`."""
    middle = chance[0]
    for row in range(len(found)):
        likely, its = _chance(chance, row, found)
        expected[row] += likely * factors[its] * own[middle[row]]
