"""Significance: would holdings dealt at random over the accounts cross a line as strongly?

The forest stays, the holdings are permuted, the sweep is run again. The p-value of a
finding at level b is (1 + permutations with a crossing at b or stronger) / (1 + permutations)
(Davison and Hinkley 1997, eq. 4.11); it speaks of holdings only, so it supports the
judge's score and does not replace it: a rich community passes it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.engine.forest import Forest, component_labels, spanning_forest
from detectors.engine.limbs import Limbs
from detectors.engine.sweep import strongest_crossings
from detectors.family import Ints

THREADS = 2

ENOUGH_EXCEEDED = 10
"""Permutations that reach a crossing before it is given up as chance."""


def p_values(
    accounts: int,
    forest: Forest,
    holdings: Limbs,
    thresholds: Limbs,
    crossings: Sequence[tuple[int, int]],
    permutations: int,
    seed: int,
) -> list[float]:
    """The p-value of each crossing, given as (line, millibits), lines as in `thresholds`.

    A crossing that ENOUGH_EXCEEDED permutations have reached is given up early, with
    p = ENOUGH_EXCEEDED / permutations up to the one that did it (Besag and Clifford 1991):
    the walks for the others then end sooner. Draws depend on the seed (of any size), the
    permutation and the account's rank among the ids alone.
    """
    seed %= 2**63
    exceeded = np.zeros(len(crossings), np.int64)
    found: dict[int, float] = {}
    for begin in range(0, permutations, ENOUGH_EXCEEDED):
        waiting = [index for index in range(len(crossings)) if index not in found]
        if not waiting:
            break
        floor = max(min(crossings[index][1] for index in waiting), 0)
        end = min(begin + ENOUGH_EXCEEDED, permutations)
        levels = _strongest_under(
            accounts, forest, holdings, thresholds, floor, range(begin, end), seed
        )
        for index in waiting:
            line, level = crossings[index]
            reached = exceeded[index] + np.cumsum(levels[:, line] >= level)
            exceeded[index] = reached[-1]
            if exceeded[index] >= ENOUGH_EXCEEDED:
                drawn = begin + 1 + int(np.searchsorted(reached, ENOUGH_EXCEEDED))
                found[index] = ENOUGH_EXCEEDED / drawn
    return [
        found.get(index, float(1 + exceeded[index]) / (1 + permutations))
        for index in range(len(crossings))
    ]


def _strongest_under(
    accounts: int,
    forest: Forest,
    holdings: Limbs,
    thresholds: Limbs,
    floor: int,
    permutations: Sequence[int],
    seed: int,
) -> npt.NDArray[np.int32]:
    """Strongest crossing of each line under each permutation, shape (permutations, lines);
    -1 where none is at `floor` millibits or above."""
    kept = int(np.searchsorted(-forest.millibits, -floor, side="right"))
    a, b = forest.a[:kept], forest.b[:kept]
    in_forest = np.zeros(accounts, np.bool_)
    in_forest[a] = in_forest[b] = True
    touched = np.flatnonzero(in_forest).astype(np.int32)
    places = (np.cumsum(in_forest) - 1).astype(np.int32)
    small = Forest(places[a], places[b], forest.millibits[:kept])
    parts = component_labels(len(touched), small.a, small.b)
    amounts = holdings @ np.array([2.0**64, 1.0])
    nearly = (thresholds @ np.array([2.0**64, 1.0])).min() * (1 - 1e-9)

    def one(permutation: int) -> npt.NDArray[np.int32]:
        dealt = permuted(touched, accounts, seed, permutation)
        if np.bincount(parts, weights=amounts[dealt]).max(initial=0.0) < nearly:
            return np.full(len(thresholds), -1, np.int32)  # no part holds a line: no walk
        return strongest_crossings(len(touched), small, holdings[dealt], thresholds, floor)

    with ThreadPoolExecutor(THREADS) as pool:
        return np.array(list(pool.map(one, permutations)), np.int32)


def crossing_level(
    places: int, a: Ints, b: Ints, millibits: Ints, holdings: Limbs, threshold: Limbs
) -> int:
    """The level at which a set crosses by its own ties; -1 where they do not carry it there."""
    forest = spanning_forest(places, a, b, millibits)
    return int(strongest_crossings(places, forest, holdings, threshold, 0)[0])


@njit(cache=True, nogil=True)
def permuted(numbers: Ints, accounts: int, seed: int, permutation: int) -> Ints:
    """Where a keyed bijection of 0 … accounts - 1 sends each number.

    A four-round Feistel network over the next even power of two, walked until it falls
    inside (Black and Rogaway 2002): no array of all accounts is needed.
    """
    half = 1
    while (1 << (2 * half)) < accounts:
        half += 1
    mask = np.uint64((1 << half) - 1)
    shift = np.uint64(half)
    result = np.empty(len(numbers), np.int32)
    for position in range(len(numbers)):
        value = np.uint64(numbers[position])
        while True:
            left, right = value >> shift, value & mask
            for turn in range(4):
                mixed = _mix(right, np.uint64(seed), np.uint64(permutation * 4 + turn))
                left, right = right, left ^ (mixed & mask)
            value = (left << shift) | right
            if value < np.uint64(accounts):
                break
        result[position] = np.int32(value)
    return result


@njit(cache=True, nogil=True, inline="always")
def _mix(value, seed, turn):  # type: ignore[no-untyped-def]
    """The finaliser of splitmix64 over a value, a seed and a turn."""
    word = value + seed * np.uint64(0x9E3779B97F4A7C15) + turn * np.uint64(0xD1B54A32D192ED03)
    for shift, factor in (
        (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
        (np.uint64(27), np.uint64(0x94D049BB133111EB)),
    ):
        word = (word ^ (word >> shift)) * factor
    return word ^ (word >> np.uint64(31))
