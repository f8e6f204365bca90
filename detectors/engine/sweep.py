"""The crossing sweep: one walk over the merges, adding up holdings, for every line.

Going from strong to weak evidence, all merges of equal weight form one *level*. When a
level joins parts into a component that holds a line or more, it is recorded:

- *crossing*: every part was below the line;
- *extension*: a part was at or over it, and the others bring more than a set amount.

Nothing else is ever proposed, and at most 1/line disjoint crossings exist, so the output
is small by nature. Sums are exact (see limbs).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.engine.forest import Forest, find
from detectors.engine.limbs import Limbs, add, at_least

CROSSING, EXTENSION = 0, 1


@dataclass(frozen=True)
class Crossings:
    """What the sweep recorded, in the order of the walk. Arrays of equal length.

    `line`: index into the lines; `millibits`: the level; `kind`: CROSSING or EXTENSION;
    `size`: accounts; `total`: holdings in limbs, shape (n, 2).
    """

    line: npt.NDArray[np.int32]
    millibits: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int32]
    size: npt.NDArray[np.int32]
    total: Limbs
    _head: npt.NDArray[np.int32]
    _following: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.line)

    def members(self, index: int) -> npt.NDArray[np.int32]:
        """The accounts of one record, ascending."""
        return np.sort(_walk(self._following, self._head[index], self.size[index]))


def sweep(
    accounts: int, forest: Forest, holdings: Limbs, lines: Limbs, extension: Limbs
) -> Crossings:
    """Every crossing and extension of every line.

    `holdings`: limbs of each account, shape (accounts, 2); `lines`: the least amount at or
    over each line, shape (lines, 2); `extension`: what an extension must exceed, shape (2,).
    """
    records, totals, following = _sweep(
        accounts,
        forest.a,
        forest.b,
        forest.millibits,
        holdings,
        np.asarray(lines, np.uint64),
        np.asarray(extension, np.uint64),
    )
    return Crossings(
        records[:, 0],
        records[:, 1],
        records[:, 2],
        records[:, 3],
        totals,
        records[:, 4],
        following,
    )


def strongest_crossings(
    accounts: int, forest: Forest, holdings: Limbs, lines: Limbs, floor: int
) -> npt.NDArray[np.int32]:
    """The millibits of the strongest crossing of each line; -1 where none is at `floor` or above.

    The same walk without records, ending at the level `floor`: what permutations need.
    """
    kept = int(np.searchsorted(-forest.millibits, -floor, side="right"))
    result: npt.NDArray[np.int32] = _strongest(
        accounts,
        forest.a[:kept],
        forest.b[:kept],
        forest.millibits[:kept],
        holdings,
        np.asarray(lines, np.uint64),
    )
    return result


@njit(cache=True, nogil=True)
def _walk(following, head, size):  # type: ignore[no-untyped-def]
    members = np.empty(size, np.int32)
    for position in range(size):
        members[position] = head
        head = following[head]
    return members


@njit(cache=True, nogil=True)
def _merge_level(parents, sums, largest, stamps, stamp, one, other):  # type: ignore[no-untyped-def]
    """Join two roots; `largest` keeps the greatest part as it was before this level."""
    for root in (one, other):
        if stamps[root] != stamp:
            stamps[root] = stamp
            largest[root, 0], largest[root, 1] = sums[root, 0], sums[root, 1]
    parents[other] = one
    sums[one, 0], sums[one, 1] = add(sums[one, 0], sums[one, 1], sums[other, 0], sums[other, 1])
    if at_least(largest[other, 0], largest[other, 1], largest[one, 0], largest[one, 1]):
        largest[one, 0], largest[one, 1] = largest[other, 0], largest[other, 1]


@njit(cache=True, nogil=True)
def _sweep(accounts, a, b, millibits, holdings, lines, extension):  # type: ignore[no-untyped-def]
    parents = np.arange(accounts, dtype=np.int32)
    sums = holdings.copy()
    sizes = np.ones(accounts, np.int32)
    largest = np.zeros((accounts, 2), np.uint64)
    stamps = np.full(accounts, -1, np.int64)
    head = np.arange(accounts, dtype=np.int32)
    tail = np.arange(accounts, dtype=np.int32)
    following = np.full(accounts, -1, np.int32)
    records = np.empty((64, 5), np.int32)
    totals = np.empty((64, 2), np.uint64)
    count = 0
    begin = 0
    while begin < len(a):
        end = begin
        while end < len(a) and millibits[end] == millibits[begin]:
            one, other = find(parents, a[end]), find(parents, b[end])
            if sizes[one] < sizes[other]:
                one, other = other, one
            _merge_level(parents, sums, largest, stamps, begin, one, other)
            sizes[one] += sizes[other]
            following[tail[one]] = head[other]
            tail[one] = tail[other]
            end += 1
        for position in range(begin, end):
            root = find(parents, a[position])
            if stamps[root] != begin:
                continue
            stamps[root] = -1  # each component of the level is looked at once
            for line in range(len(lines)):
                if not at_least(sums[root, 0], sums[root, 1], lines[line, 0], lines[line, 1]):
                    continue
                kind = 0
                if at_least(largest[root, 0], largest[root, 1], lines[line, 0], lines[line, 1]):
                    kind = 1
                    high, low = add(largest[root, 0], largest[root, 1], extension[0], extension[1])
                    if at_least(high, low, sums[root, 0], sums[root, 1]):
                        continue
                if count == len(records):
                    records = np.concatenate((records, np.empty_like(records)))
                    totals = np.concatenate((totals, np.empty_like(totals)))
                records[count, 0] = line
                records[count, 1] = millibits[begin]
                records[count, 2] = kind
                records[count, 3] = sizes[root]
                records[count, 4] = head[root]
                totals[count, 0], totals[count, 1] = sums[root, 0], sums[root, 1]
                count += 1
        begin = end
    return records[:count].copy(), totals[:count].copy(), following


@njit(cache=True, nogil=True)
def _strongest(accounts, a, b, millibits, holdings, lines):  # type: ignore[no-untyped-def]
    parents = np.arange(accounts, dtype=np.int32)
    sums = holdings.copy()
    sizes = np.ones(accounts, np.int32)
    largest = np.zeros((accounts, 2), np.uint64)
    stamps = np.full(accounts, -1, np.int64)
    found = np.full(len(lines), -1, np.int32)
    missing = len(lines)
    begin = 0
    while begin < len(a) and missing > 0:
        end = begin
        while end < len(a) and millibits[end] == millibits[begin]:
            one, other = find(parents, a[end]), find(parents, b[end])
            if sizes[one] < sizes[other]:
                one, other = other, one
            _merge_level(parents, sums, largest, stamps, begin, one, other)
            sizes[one] += sizes[other]
            end += 1
        for position in range(begin, end):
            root = find(parents, a[position])
            for line in range(len(lines)):
                if (
                    found[line] < 0
                    and at_least(sums[root, 0], sums[root, 1], lines[line, 0], lines[line, 1])
                    and not at_least(
                        largest[root, 0], largest[root, 1], lines[line, 0], lines[line, 1]
                    )
                ):
                    found[line] = millibits[begin]
                    missing -= 1
        begin = end
    return found
