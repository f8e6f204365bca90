"""Which of the judged sets are findings: disjoint ones that save the most bits together.

Strongest first is not enough: two groups that are near each other save more bits as one set
than either does alone, and less than both. So a set gives way to others that save more
together (weighted set packing by local search; Hurkens and Schrijver 1989 for why small
exchanges go far). Parts that hold less than the line explain too: a set that crosses the line
only because a club and a few of a group were put together is no finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.engine.doubt import Standing
from detectors.family import Floats, Ints

Bools = npt.NDArray[np.bool_]

EXCHANGES = 20
"""Of chosen sets for others, at most."""

LEAST_BITS = 1e-6
"""An exchange saves more than what rounding does."""


@dataclass(frozen=True)
class Candidate:
    """A judged set.

    `standing`: where it may be a finding. Otherwise it explains, beside a finding, a set that it
    is a `part_of` (its members). Only beside one that `stands_alone`: what crosses the line with
    members who are hardly tied to it may be one cell of the whole.
    """

    members: Ints
    bits: float
    standing: Standing | None
    part_of: Ints | None = None
    stands_alone: bool = True


def choose(candidates: Sequence[Candidate], overlap: float) -> list[Candidate]:
    """Of candidates those that save most bits together, strongest first. No two have more than
    `overlap` of the smaller one's members in common."""
    ordered = sorted(candidates, key=lambda one: (-one.bits, one.members.tolist()))
    bits = np.array([one.bits for one in ordered])
    common = _common([one.members for one in ordered])
    sizes = np.diag(common)
    apart = common / np.minimum(sizes[:, None], sizes[None, :]) <= overlap
    wholes = _wholes(ordered)
    finds = [wholes[row] == row and one.stands_alone for row, one in enumerate(ordered)]
    everyone = list(range(len(ordered)))
    findings = [row for row in everyone if ordered[row].standing is not None]
    chosen = _packed(findings, apart)
    for _ in range(EXCHANGES):
        best, most = chosen, _saved(chosen, bits, common)
        for row in everyone:
            if row in chosen:
                continue
            kept = [row, *(one for one in chosen if apart[one, row])]
            packed = _packed([*kept, *everyone], apart)
            beside = _beside_findings(packed, wholes, finds, apart, common)
            packed = _packed([*beside, *findings], apart)
            saved = _saved(packed, bits, common)
            if saved > most + LEAST_BITS:
                best, most = packed, saved
        if best is chosen:
            break
        chosen = best
    return [ordered[row] for row in sorted(chosen)]


def _saved(rows: Sequence[int], bits: Floats, common: Floats) -> float:
    """Bits of several sets; of one that shares members with stronger ones only a part."""
    rows = sorted(rows)
    shared = np.tril(common[np.ix_(rows, rows)], -1).sum(axis=1) / np.diag(common)[rows]
    return float((bits[rows] * np.maximum(1 - shared, 0)).sum())


def _wholes(candidates: Sequence[Candidate]) -> list[int]:
    """The row of the set that each is a part of; its own where it is none."""
    rows = {one.members.tobytes(): row for row, one in enumerate(candidates)}
    return [
        row if one.part_of is None else rows[one.part_of.tobytes()]
        for row, one in enumerate(candidates)
    ]


def _beside_findings(
    packed: Sequence[int],
    wholes: Sequence[int],
    finds: Sequence[bool],
    apart: Bools,
    common: Floats,
) -> list[int]:
    """Without parts that explain their whole alone, or beside other parts only: parts hang
    together more than their whole, as half a chain does, and explain nobody away. Beside
    another finding that takes the rest of it they do: what that has of the whole is mostly what
    the parts leave."""
    parts: dict[int, list[int]] = {}
    for row in packed:
        if wholes[row] != row:
            parts.setdefault(wholes[row], []).append(row)

    def takes_the_rest(other: int, whole: int) -> bool:
        left = common[other, whole] - common[other, parts[whole]].sum()
        return not apart[other, whole] and bool(2 * left >= common[other, whole])

    return [
        row
        for row in packed
        if wholes[row] == row
        or any(finds[other] and takes_the_rest(other, wholes[row]) for other in packed)
    ]


def _packed(rows: Sequence[int], apart: Bools) -> list[int]:
    """The first of some rows, and each further one that is apart from all before."""
    packed: list[int] = _pack(np.array(rows, np.int64), apart).tolist()
    return packed


@njit(cache=True, nogil=True)
def _pack(rows, apart):  # type: ignore[no-untyped-def]
    packed = np.empty(len(rows), np.int64)
    count = 0
    for row in rows:
        fits = True
        for place in range(count):
            if packed[place] == row or not apart[row, packed[place]]:
                fits = False
                break
        if fits:
            packed[count] = row
            count += 1
    return packed[:count]


def _common(sets: Sequence[Ints]) -> Floats:
    """How many members each two sets have in common, shape (sets, sets)."""
    found = np.empty((len(sets), len(sets)))
    if not sets:
        return found
    owner = np.repeat(np.arange(len(sets)), [len(members) for members in sets])
    members = np.concatenate(sets)
    inside = np.zeros(int(members.max()) + 1)
    for row, one in enumerate(sets):
        inside[one] = 1.0
        found[row] = np.bincount(owner, inside[members], len(sets))
        inside[one] = 0.0
    return found
