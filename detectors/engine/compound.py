"""Compounds: cells, each below a line, that a courier ties together.

One will may keep its accounts apart in cells that meet through a courier only (METHOD section
5, item 9). As one set they are explained badly: hardly any of its many pairs across are tied,
and each cell is explained better with strangers that bring it over the line. So two cells are
judged as what they are: each by itself, and what ties them besides. A courier is one who passes
on: somebody who only deals with both is a friend of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log2

import numpy as np

from detectors.engine.judge import Ground, Verdict
from detectors.family import Ints

MOST_CELLS = 60
"""Cells that are looked at, the best of a line."""

APART = 0.2
"""Cells that have more of the smaller one's members in common are no two."""

PASSING_ON = "relay"
"""The family whose ties a courier has."""

FEWEST_TIES = 3
"""With so many members of each cell."""

LEAST_SIDE_BITS = 8.0
"""What ties a courier to each cell, at least."""

LEAST_LINK_BITS = 15.0
"""What ties two cells, less naming the courier and the search for the two."""

MOST_COURIERS = 10
"""Accounts that are looked at for two cells: those with most ties to both."""


@dataclass(frozen=True)
class Cell:
    """A set below the line, what the judge says of it, and who passes on for FEWEST_TIES of it or
    more: places, ascending, and for how many."""

    places: Ints
    verdict: Verdict
    near: Ints
    passed: Ints

    @classmethod
    def of(cls, ground: Ground, places: Ints, verdict: Verdict) -> Cell:
        """A set given by its places."""
        near, passed = ground.tied_toward(places, PASSING_ON)
        enough = passed >= FEWEST_TIES
        return cls(places, verdict, near[enough], passed[enough])


@dataclass(frozen=True)
class Compound:
    """Two cells and their courier as one set: what the judge says of it as such, and the `bits` of
    the cells and of what ties them."""

    places: Ints
    verdict: Verdict
    bits: float


def compounds(
    ground: Ground, sets: Sequence[tuple[Ints, Verdict]], holds_enough: Callable[[Ints], bool]
) -> Iterator[Compound]:
    """Two of some sets below the line that hold it together, where a courier ties them."""
    cells = [Cell.of(ground, *one) for one in _distinct(sets)]
    search = log2(max(len(cells) * (len(cells) - 1) / 2, 1))
    for one, other in combinations(cells, 2):
        link, courier = _link(ground, one, other)
        if link - search < LEAST_LINK_BITS:
            continue
        union = np.union1d(np.union1d(one.places, other.places), [courier]).astype(np.int32)
        if holds_enough(union):
            fresh = 1 - _common(one.places, other.places)
            less, more = sorted((one.verdict.extent_bits, other.verdict.extent_bits))
            yield Compound(union, ground.verdict(union), more + fresh * less + link - search)


def _distinct(sets: Sequence[tuple[Ints, Verdict]]) -> list[tuple[Ints, Verdict]]:
    """The best sets of which no two have much in common."""
    ordered = sorted(sets, key=lambda one: (-one[1].extent_bits, one[0].tolist()))
    kept: list[tuple[Ints, Verdict]] = []
    for places, verdict in ordered:
        if len(kept) < MOST_CELLS and all(_common(places, other) <= APART for other, _ in kept):
            kept.append((places, verdict))
    return kept


def _common(one: Ints, other: Ints) -> float:
    return len(np.intersect1d(one, other)) / min(len(one), len(other))


def _link(ground: Ground, one: Cell, other: Cell) -> tuple[float, int]:
    """The courier (a place; -1: none) who ties two cells best, and the bits of its ties."""
    best, courier = 0.0, -1
    for who in _couriers(one, other):
        alone = np.array([who], np.int32)
        inside = [who in cell.places for cell in (one, other)]
        sides = [
            ground.bits_between(alone, cell.places[cell.places != who]) for cell in (one, other)
        ]
        if min(sides) < LEAST_SIDE_BITS:
            continue
        # the ties to its own cell are among the bits of that cell
        bits = sum(side for side, mine in zip(sides, inside, strict=True) if not mine)
        if all(inside):
            bits = min(sides)
        elif any(inside):
            bits -= log2(len(one.places) + len(other.places))
        else:
            bits -= float(ground.naming(one.places, alone)[0])
        if bits > best:
            best, courier = bits, who
    return best, courier


def _couriers(one: Cell, other: Cell) -> list[int]:
    """Those who pass on for members of both, the busiest first (places)."""
    both, here, there = np.intersect1d(
        one.near, other.near, assume_unique=True, return_indices=True
    )
    passed = np.minimum(one.passed[here], other.passed[there])
    found: list[int] = both[np.lexsort((both, -passed))][:MOST_COURIERS].tolist()
    return found
