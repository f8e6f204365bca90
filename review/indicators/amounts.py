"""Amount distribution: round, equal, just below a limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.transfers import rows_by
from review.population import FEWEST_TRANSFERS, Population, percent

FEWEST_EQUAL = 3
LEAST_ROUND = 10.0
JUST_BELOW = 0.95

FIXED_PRICE_SENDERS = 20
FIXED_PRICE_PART = 0.05
"""An amount that so many accounts send, and this part of all who send, is a fixed price."""

SLOT_BITS = 20
"""Of the table in which it is counted how many accounts send an amount."""

ROUND, EQUAL, BELOW, ANY = range(4)

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

POWERS = np.array([float(f"1e{power}") for power in range(-18, 22)])
LIMITS = np.sort(np.concatenate([POWERS, 5 * POWERS]))
"""Where nobody says which limits there are: 10, 50, 100, 500 …"""


class Amounts:
    """Amounts that are made up look it."""

    name = "amounts"
    title = "amount distribution"
    unit = "part of transfers sent"
    formula = (
        "transfers sent whose amount is round (one digit and zeros, from 10 on), or one that "
        f"the account sent {FEWEST_EQUAL} times or more, or just below a limit (from 95 % of it; "
        "10, 50, 100, 500 … where no limits are set) / transfers sent; from "
        f"{FEWEST_TRANSFERS} sent on; an amount that at least {FIXED_PRICE_SENDERS} accounts and "
        "5 % of all senders send is a fixed price and counts as none of these"
    )
    innocent = "rent, subscriptions, wages, pocket money, prices that end in 99"
    high = True
    nothing = 0.0
    more = "more such amounts"
    absent = f"sent fewer than {FEWEST_TRANSFERS} transfers"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `sent` and, which may overlap, `round`, `equal`, `below`: counts."""
        moves = population.moves
        starts, rows = rows_by(moves["src"].to_numpy(), population.size)
        amounts = moves["amount"].to_numpy()[rows]
        del rows
        _sort(starts, amounts)
        limits = np.array(population.limits) if population.limits else LIMITS
        counts = _counted(starts, amounts, _fixed_prices(starts, amounts), limits)
        sent = np.diff(starts)
        return population.by_account(
            sent >= FEWEST_TRANSFERS,
            counts[:, ANY] / np.maximum(sent, 1),
            sent=sent,
            round=counts[:, ROUND],
            equal=counts[:, EQUAL],
            below=counts[:, BELOW],
        )

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says how many of each sort."""
        return (
            f"{percent(row['value'])} of the {row['sent']:,} amounts it sent look made up: "
            f"{row['round']:,} round, {row['equal']:,} sent {FEWEST_EQUAL} times or more, "
            f"{row['below']:,} just below a limit"
        )


def _fixed_prices(starts: Longs, amounts: Floats) -> Floats:
    """The amounts that are fixed prices, ascending. `amounts`: each sender's, ascending.

    By how many accounts each is sent is counted only of those that may be some: of whose slot in a
    small table enough are sent."""
    common = max(FIXED_PRICE_SENDERS, FIXED_PRICE_PART * np.count_nonzero(np.diff(starts)))
    likely = _sent_by(starts, amounts) >= common
    found, senders = np.unique(_in_slots(starts, amounts, likely), return_counts=True)
    fixed: Floats = found[senders >= common]
    return fixed


@njit(cache=True, nogil=True)
def _sort(starts, amounts):  # type: ignore[no-untyped-def]
    """Puts each sender's amounts in order."""
    for account in range(len(starts) - 1):
        amounts[starts[account] : starts[account + 1]].sort()


@njit(cache=True, nogil=True)
def _slot(amount):  # type: ignore[no-untyped-def]
    """Amounts of one value share a slot, and so do some others."""
    mixed = np.float64(amount).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mixed >> np.uint64(64 - SLOT_BITS))


@njit(cache=True, nogil=True)
def _sent_by(starts, amounts):  # type: ignore[no-untyped-def]
    """How often an account sends an amount of each slot, one that it repeats counted once."""
    table = np.zeros(1 << SLOT_BITS, np.int64)
    for account in range(len(starts) - 1):
        for place in range(starts[account], starts[account + 1]):
            if place == starts[account] or amounts[place] != amounts[place - 1]:
                table[_slot(amounts[place])] += 1
    return table


@njit(cache=True, nogil=True)
def _in_slots(starts, amounts, slots):  # type: ignore[no-untyped-def]
    """The amounts of some slots, those that an account repeats once for each that sends them."""
    found = np.empty(1024, np.float64)
    count = 0
    if not slots.any():
        return found[:0].copy()
    for account in range(len(starts) - 1):
        for place in range(starts[account], starts[account + 1]):
            if place > starts[account] and amounts[place] == amounts[place - 1]:
                continue
            if slots[_slot(amounts[place])]:
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                found[count] = amounts[place]
                count += 1
    return found[:count].copy()


@njit(cache=True, nogil=True)
def _counted(starts, amounts, fixed, limits):  # type: ignore[no-untyped-def]
    """Of each account how many of its transfers are of each sort, and of any. `fixed` amounts,
    ascending, are of none."""
    counts = np.zeros((len(starts) - 1, ANY + 1), np.int64)
    for account in range(len(starts) - 1):
        end = starts[account + 1]
        place = starts[account]
        while place < end:
            amount, first = amounts[place], place
            while place < end and amounts[place] == amount:
                place += 1
            known = np.searchsorted(fixed, amount)
            if known < len(fixed) and fixed[known] == amount:
                continue
            times = place - first
            is_round, equal = _is_round(amount), times >= FEWEST_EQUAL
            below = _is_below(amount, limits)
            counts[account, ROUND] += times * is_round
            counts[account, EQUAL] += times * equal
            counts[account, BELOW] += times * below
            counts[account, ANY] += times * (is_round or equal or below)
    return counts


@njit(cache=True, nogil=True)
def _is_round(amount):  # type: ignore[no-untyped-def]
    """One digit and zeros."""
    if amount < LEAST_ROUND:
        return False
    digit = amount / POWERS[np.searchsorted(POWERS, amount, side="right") - 1]
    return abs(digit - np.rint(digit)) < 1e-9


@njit(cache=True, nogil=True)
def _is_below(amount, limits):  # type: ignore[no-untyped-def]
    """Just below one of some limits."""
    above = np.searchsorted(limits, amount, side="right")
    return amount > 0 and above < len(limits) and amount >= JUST_BELOW * limits[above]


INDICATOR = Amounts()
