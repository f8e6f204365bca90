"""A proposer for circles: pairs that deal with each other and with the same others.

In a dense group no single pair is exclusive, so the flow forest meets its members late.
But two of its members have counterparties in common, and two strangers hardly ever do.
Weight of a traded pair: common counterparties over the geometric mean of both numbers of
counterparties (Salton's cosine), in bits by rank among all traded pairs. It proposes and
is no evidence: clubs are circles too.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.engine.evidence import FamilyPairs
from detectors.engine.forest import Forest, spanning_forest
from detectors.family import Ints, rank_millibits

MOST_COUNTERPARTIES = 500
"""Accounts with more deal with everyone; their circles say nothing, and would cost most."""

FEWEST_IN_COMMON = 2

THREADS = 2


def circle_forest(accounts: int, pairs: FamilyPairs) -> Forest:
    """The spanning forest of traded pairs by common counterparties."""
    starts, others = _rows(accounts, pairs.a, pairs.b)
    common = _in_common(pairs.a, pairs.b, starts, others)
    kept = common >= FEWEST_IN_COMMON
    a, b = pairs.a[kept], pairs.b[kept]
    if not len(a):
        return spanning_forest(accounts, a, b, a)
    degrees = np.diff(starts).astype(np.float64)
    cosine = common[kept] / np.sqrt(degrees[a] * degrees[b])
    strength, places, counts = np.unique(
        np.rint(1000 * np.log2(cosine)).astype(np.int32), return_inverse=True, return_counts=True
    )
    return spanning_forest(accounts, a, b, rank_millibits(strength, counts, accounts)[places])


def _rows(accounts: int, a: Ints, b: Ints) -> tuple[npt.NDArray[np.int64], Ints]:
    """Compressed rows of counterparties, each row ascending."""
    starts = np.zeros(accounts + 1, np.int64)
    starts[1:] = np.cumsum(np.bincount(a, minlength=accounts) + np.bincount(b, minlength=accounts))
    return starts, _fill(starts, a, b)


@njit(cache=True)
def _fill(starts, a, b):  # type: ignore[no-untyped-def]
    others = np.empty(2 * len(a), np.int32)
    free = starts[:-1].copy()
    for row in range(len(a)):
        one, other = a[row], b[row]
        others[free[one]] = other
        free[one] += 1
        others[free[other]] = one
        free[other] += 1
    for account in range(len(starts) - 1):
        others[starts[account] : starts[account + 1]].sort()
    return others


def _in_common(a: Ints, b: Ints, starts: npt.NDArray[np.int64], others: Ints) -> Ints:
    """Common counterparties of each pair; both processors take their share."""
    cuts = np.linspace(0, len(a), 4 * THREADS + 1).astype(np.int64)
    with ThreadPoolExecutor(THREADS) as pool:
        parts = pool.map(
            lambda cut: _common(a[cut[0] : cut[1]], b[cut[0] : cut[1]], starts, others),
            itertools.pairwise(cuts),
        )
        return np.concatenate(list(parts))


@njit(cache=True, nogil=True)
def _common(a, b, starts, others):  # type: ignore[no-untyped-def]
    found = np.zeros(len(a), np.int32)
    for row in range(len(a)):
        one, one_end = starts[a[row]], starts[a[row] + 1]
        two, two_end = starts[b[row]], starts[b[row] + 1]
        if max(one_end - one, two_end - two) > MOST_COUNTERPARTIES:
            continue
        count = 0
        while one < one_end and two < two_end:
            if others[one] == others[two]:
                count += 1
                one += 1
                two += 1
            elif others[one] < others[two]:
                one += 1
            else:
                two += 1
        found[row] = count
    return found
