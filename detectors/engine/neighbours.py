"""Who is linked with a set, and how often: compressed rows of pairs, and counts over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.family import Floats, Ints

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Neighbours:
    """Pairs as rows: the others of account u are ends[starts[u] : starts[u + 1]], ascending."""

    starts: Longs
    ends: Ints
    weights: Longs

    @classmethod
    def of(cls, accounts: int, a: Ints, b: Ints, weights: Longs) -> Neighbours:
        """From pairs a < b in any order, each once."""
        keys = a.astype(np.int64) * accounts + b
        if len(keys) and not bool((keys[1:] > keys[:-1]).all()):
            order = np.argsort(keys)
            a, b, weights = a[order], b[order], weights[order]
        return cls(*rows(accounts, a, b, weights))

    @classmethod
    def around(cls, accounts: int, a: Ints, b: Ints, sets: Sequence[Ints]) -> Neighbours:
        """Only of pairs with an end in one of some sets; weights are 1."""
        inside = np.zeros(accounts, np.bool_)
        for members in sets:
            inside[members] = True
        kept = inside[a] | inside[b]
        return cls.of(accounts, a[kept], b[kept], np.ones(int(kept.sum()), np.int64))

    @property
    def degree(self) -> Longs:
        """How many others each account has."""
        return np.diff(self.starts)

    def toward(self, sets: Sequence[Ints]) -> list[tuple[Ints, Ints]]:
        """For each set the accounts with a link to a member, ascending, and to how many."""
        counts = np.zeros(len(self.starts) - 1, np.int32)
        return [_toward(self.starts, self.ends, members, counts) for members in sets]


@njit(cache=True, nogil=True)
def rows(count, a, b, weights):  # type: ignore[no-untyped-def]
    """Compressed rows, each ascending, where the pairs ascend by a and then b."""
    starts = np.zeros(count + 1, np.int64)
    for row in range(len(a)):
        starts[a[row] + 1] += 1
        starts[b[row] + 1] += 1
    for account in range(count):
        starts[account + 1] += starts[account]
    free = starts[:-1].copy()
    ends = np.empty(2 * len(a), np.int32)
    link = np.empty(2 * len(a), np.int64)
    for row in range(len(a)):
        ends[free[b[row]]], link[free[b[row]]] = a[row], weights[row]
        free[b[row]] += 1
    for row in range(len(a)):
        ends[free[a[row]]], link[free[a[row]]] = b[row], weights[row]
        free[a[row]] += 1
    return starts, ends, link


@njit(cache=True, nogil=True)
def _toward(starts, ends, members, counts):  # type: ignore[no-untyped-def]
    """`counts` is all zeros before and after."""
    total = 0
    for account in members:
        total += starts[account + 1] - starts[account]
    met = np.empty(total, np.int32)
    many = 0
    for account in members:
        for position in range(starts[account], starts[account + 1]):
            other = ends[position]
            if counts[other] == 0:
                met[many] = other
                many += 1
            counts[other] += 1
    met = np.sort(met[:many])
    often = np.empty(many, np.int32)
    for place in range(many):
        often[place] = counts[met[place]]
        counts[met[place]] = 0
    return met, often


def unusual(tied: Ints, degree: Floats, part: float | Floats) -> Floats:
    """Bits of a Poisson log-likelihood ratio: `tied` links into a set, of accounts with `degree`
    links, where this part of all ends of links is the set's."""
    expected = np.maximum(degree * part, 1e-9)
    ratio = tied * np.log2(np.maximum(tied, 1) / expected) - (tied - expected) / np.log(2)
    bits: Floats = np.where(tied > expected, ratio, 0.0)
    return bits
