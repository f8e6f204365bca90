"""The maximum spanning forest of weighted pairs, as merges from strong to weak.

Kruskal's algorithm over pairs ordered by weight (a counting sort: weights are whole
thousandths of a bit). Which of several equal pairs enters the forest depends on row
order; the components at every level do not, and nothing else of the forest is used:
pairs of equal weight merge as one level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Forest:
    """Merges, strongest first. Arrays of equal length (at most accounts - 1)."""

    a: Ints
    b: Ints
    millibits: Ints

    def __len__(self) -> int:
        return len(self.a)


def spanning_forest(accounts: int, a: Ints, b: Ints, millibits: Ints) -> Forest:
    """The maximum spanning forest of the pairs (a, b) with weights in 1/1000 bit.

    `accounts`: how many there are; a, b: their numbers, int32, below `accounts`;
    millibits: int32, not negative. Memory: 8 bytes a pair, 8 an account.
    """
    if len(a) == 0:
        empty = np.empty(0, np.int32)
        return Forest(empty, empty, empty)
    order = _strong_to_weak(millibits, int(millibits.max()))
    chosen = order[_kruskal(accounts, a, b, order)]
    return Forest(a[chosen], b[chosen], millibits[chosen])


@njit(cache=True, nogil=True)
def _strong_to_weak(millibits: Ints, highest: int) -> npt.NDArray[np.int64]:
    starts = np.zeros(highest + 2, np.int64)
    for weight in millibits:
        starts[highest - weight + 1] += 1
    for level in range(1, highest + 2):
        starts[level] += starts[level - 1]
    order = np.empty(len(millibits), np.int64)
    for row in range(len(millibits)):
        level = highest - millibits[row]
        order[starts[level]] = row
        starts[level] += 1
    return order


@njit(cache=True, nogil=True)
def find(parents: Ints, account: int) -> int:
    """The root of an account's component; halves the path on the way."""
    while parents[account] != account:
        parents[account] = parents[parents[account]]
        account = parents[account]
    return account


@njit(cache=True, nogil=True)
def _kruskal(
    accounts: int, a: Ints, b: Ints, order: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    parents = np.arange(accounts, dtype=np.int32)
    sizes = np.ones(accounts, np.int32)
    kept = np.empty(min(accounts, len(order)), np.int64)
    count = 0
    for position in range(len(order)):
        row = order[position]
        one, other = find(parents, a[row]), find(parents, b[row])
        if one == other:
            continue
        if sizes[one] < sizes[other]:
            one, other = other, one
        parents[other] = one
        sizes[one] += sizes[other]
        kept[count] = position
        count += 1
        if count == accounts - 1:
            break
    return kept[:count]


@njit(cache=True, nogil=True)
def component_labels(accounts: int, a: Ints, b: Ints) -> Ints:
    """The component of each account, named by its smallest member."""
    parents = np.arange(accounts, dtype=np.int32)
    for row in range(len(a)):
        one, other = find(parents, a[row]), find(parents, b[row])
        parents[max(one, other)] = min(one, other)
    for account in range(accounts):
        parents[account] = find(parents, account)
    return parents
