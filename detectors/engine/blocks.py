"""Blocks: what of a graph holds together without any one account of it (biconnected components,
Hopcroft and Tarjan 1973), and what hangs on the rest by one account. Compiled, since it is asked
for every set that is judged.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from detectors.engine.neighbours import rows


@njit(cache=True, nogil=True)
def blocks(count, a, b):  # type: ignore[no-untyped-def]
    """The block of each tie, numbered from 0. Ties (a, b) are between `count` accounts, none with
    itself; a pair may have several, which are of one block."""
    starts, ends, tie_of = rows(count, a, b, np.arange(len(a)))
    found = np.full(len(a), -1, np.int64)
    next_row = starts[:-1].copy()
    reached, lowest = np.zeros(count, np.int64), np.zeros(count, np.int64)  # 0: not yet
    by_tie, path = np.full(count, -1, np.int64), np.empty(count, np.int64)
    open_ties = np.empty(len(a), np.int64)
    clock, many, opened = 0, 0, 0
    for root in range(count):
        if reached[root] > 0:
            continue
        clock += 1
        reached[root] = lowest[root] = clock
        path[0], depth = root, 1
        while depth > 0:
            one = path[depth - 1]
            if next_row[one] < starts[one + 1]:
                other, tie = ends[next_row[one]], tie_of[next_row[one]]
                next_row[one] += 1
                if tie == by_tie[one] or reached[other] > reached[one]:
                    continue  # came by it, or it was opened from its other end
                open_ties[opened] = tie
                opened += 1
                if reached[other] > 0:
                    lowest[one] = min(lowest[one], reached[other])
                    continue
                clock += 1
                reached[other] = lowest[other] = clock
                by_tie[other], path[depth] = tie, other
                depth += 1
                continue
            depth -= 1
            if depth == 0:
                continue
            before = path[depth - 1]
            lowest[before] = min(lowest[before], lowest[one])
            if lowest[one] >= reached[before]:
                while True:
                    opened -= 1
                    found[open_ties[opened]] = many
                    if open_ties[opened] == by_tie[one]:
                        break
                many += 1
    return found


@njit(cache=True, nogil=True)
def hanging_on(count, a, b, by, most):  # type: ignore[no-untyped-def]
    """Which of `count` accounts hang on one other: they are the rest of a block of up to `most`
    accounts that one of them alone ties to other blocks, by a tie that is marked in `by`."""
    block_of = blocks(count, a, b)
    many = block_of.max() + 1 if len(a) else 0
    order = np.argsort(block_of)
    sizes, hinges = np.zeros(many, np.int64), np.zeros(many, np.int64)
    hinge = np.full(many, -1, np.int64)
    blocks_of, last = np.zeros(count, np.int64), np.full(count, -1, np.int64)
    for tie in order:
        for one in (a[tie], b[tie]):
            if last[one] != block_of[tie]:
                last[one] = block_of[tie]
                blocks_of[one] += 1
                sizes[block_of[tie]] += 1
    last[:] = -1
    for tie in order:
        for one in (a[tie], b[tie]):
            if last[one] != block_of[tie] and blocks_of[one] > 1:
                last[one] = block_of[tie]
                hinges[block_of[tie]] += 1
                hinge[block_of[tie]] = one
    leaving = np.zeros(many, np.bool_)
    for tie in np.flatnonzero(by):
        block = block_of[tie]
        if hinges[block] == 1 and sizes[block] <= most:
            leaving[block] |= hinge[block] == a[tie] or hinge[block] == b[tie]
    found = np.zeros(count, np.bool_)
    for tie in np.flatnonzero(leaving[block_of]):
        for one in (a[tie], b[tie]):
            found[one] |= one != hinge[block_of[tie]]
    return found
