"""Louvain communities of a weighted graph, the same whatever the order of its rows.

Blondel et al. 2008, with the queue of Traag et al. 2019 (only neighbours of an account that
moved are looked at again). Weights are whole numbers, so their sums are exact and no rounding
moves accounts in circles; accounts are visited in their order, nothing is drawn.

Own code, because the libraries at hand lack one of these: networkx takes seconds on a
thousand accounts; scikit-network counts in single precision, and its Leiden draws from the
C library's one random state, which nobody can seed, and may not end. Runs on one machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.engine.forest import component_labels
from detectors.engine.neighbours import rows
from detectors.family import Ints

MOST_LEVELS = 12

MOST_VISITS = 40
"""An account is looked at so many times a level at most, on average."""

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Graph:
    """Weighted links between accounts 0 .. count - 1, by `a` and `b`, each pair once, a < b.

    `weights`: whole, at least 1; their sum must stay below 2^53. `inside`: of each account,
    the weight of links within it, where it stands for several.
    """

    a: Ints
    b: Ints
    weights: Longs
    inside: Longs

    @classmethod
    def of(cls, count: int, a: Ints, b: Ints, weights: Longs) -> Graph:
        """From pairs in any order."""
        keys = a.astype(np.int64) * count + b
        if len(keys) and not bool((keys[1:] > keys[:-1]).all()):
            order = np.argsort(keys)
            a, b, weights = a[order], b[order], weights[order]
        return cls(a, b, weights, np.zeros(count, np.int64))

    def __len__(self) -> int:
        return len(self.inside)


def partitions(graph: Graph, resolution: float = 1.0) -> list[Ints]:
    """The community of each account at every level, finest first.

    Modularity with `resolution` is what grows (Reichardt and Bornholdt 2006): the higher, the
    smaller the communities. They hang together and are named by their smallest member. None
    where nothing is linked.
    """
    total = float(2 * graph.weights.sum())
    labels = np.arange(len(graph), dtype=np.int32)
    coarse = graph
    levels: list[Ints] = []
    for _ in range(MOST_LEVELS if total > 0 else 0):
        moved = _move(coarse.a, coarse.b, coarse.weights, coarse.inside, resolution / total)
        named = np.bincount(moved, minlength=len(coarse)) > 0
        of = (np.cumsum(named) - 1)[moved]
        count = int(named.sum())
        if count == len(coarse):
            break
        labels = of.astype(np.int32)[labels]
        levels.append(_hanging_together(graph, labels))
        coarse = _aggregate(coarse, of, count)
    return levels


def _hanging_together(graph: Graph, labels: Ints) -> Ints:
    same = labels[graph.a] == labels[graph.b]
    parts: Ints = component_labels(len(graph), graph.a[same], graph.b[same])
    return parts


def _aggregate(graph: Graph, labels: Longs, count: int) -> Graph:
    """The graph of communities: links between two of them added up, those within kept apart."""
    one, other = labels[graph.a], labels[graph.b]
    keys = np.minimum(one, other) * count + np.maximum(one, other)
    within = one == other
    inside = np.bincount(labels, graph.inside, count) + np.bincount(
        one[within], graph.weights[within], count
    )
    pairs, sums = added_up(keys[~within], graph.weights[~within])
    return Graph(
        (pairs // count).astype(np.int32),
        (pairs % count).astype(np.int32),
        sums,
        inside.astype(np.int64),
    )


def added_up(keys: Longs, weights: Longs) -> tuple[Longs, Longs]:
    """The distinct ones of some keys (0 or more), ascending, and the sum of the weights of each."""
    order = np.argsort(keys)
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    sums: Longs = np.add.reduceat(weights[order], first)
    return keys[first], sums


@njit(cache=True, nogil=True)
def _move(a, b, weights, inside, penalty):  # type: ignore[no-untyped-def]
    """Each account to the neighbours' community that gains most by it, until none gains.

    All sums are whole numbers in 64 bits; of equal gains the present community wins, then
    the one with the lowest name."""
    count = len(inside)
    starts, ends, link = rows(count, a, b, weights)
    strength = 2.0 * inside
    for account in range(count):
        for position in range(starts[account], starts[account + 1]):
            strength[account] += link[position]
    labels = np.arange(count)
    sums = strength.copy()
    toward = np.zeros(count, np.int64)
    near = np.empty(count, np.int64)
    queue = np.arange(count)
    queued = np.ones(count, np.bool_)
    head, waiting, visits = 0, count, 0
    while waiting > 0 and visits < MOST_VISITS * count:
        account = queue[head]
        head = (head + 1) % count
        waiting -= 1
        visits += 1
        queued[account] = False
        old = labels[account]
        many = 0
        for position in range(starts[account], starts[account + 1]):
            label = labels[ends[position]]
            if toward[label] == 0:
                near[many] = label
                many += 1
            toward[label] += link[position]
        sums[old] -= strength[account]
        best, most = old, toward[old] - penalty * strength[account] * sums[old]
        for place in range(many):
            label = near[place]
            gain = toward[label] - penalty * strength[account] * sums[label]
            if gain > most or (gain == most and best != old and label < best):
                best, most = label, gain
        for place in range(many):
            toward[near[place]] = 0
        sums[best] += strength[account]
        if best == old:
            continue
        labels[account] = best
        for position in range(starts[account], starts[account + 1]):
            other = ends[position]
            if labels[other] != best and not queued[other]:
                queued[other] = True
                queue[(head + waiting) % count] = other
                waiting += 1
    return labels
