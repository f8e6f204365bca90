"""The most promising of many sets, without near-equal ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from detectors.engine.judge import Ground
from detectors.engine.proposers import Proposal, Scene
from detectors.family import Ints

NEAR_EQUAL = 0.7
"""Of sets whose Jaccard index is this or more one is proposed: refinement does the rest. An
innocent crowd has hundreds of variants; at 0.9 they take the room of small groups."""


MOST_TO_BUILD_ON = 1_000
"""A larger set is neither a cell nor a star without its hub."""


def best_distinct(scene: Scene, proposals: Sequence[Proposal], most: int) -> list[Ints]:
    """At most so many sets, none larger than MOST_TO_BUILD_ON and no two near equal, the most
    promising first."""
    small = [one.members for one in proposals if len(one.members) <= MOST_TO_BUILD_ON]
    ordered = by_promise(scene, small)
    return [ordered[place] for place in without_near_equal(scene.accounts, ordered)[:most]]


def by_promise(scene: Scene, sets: Sequence[Ints]) -> list[Ints]:
    """The distinct ones of some sets, the most promising first: those for which the judge,
    before any refinement, finds most evidence beyond the cost of naming them."""
    distinct = {members.tobytes(): members for members in sets}
    promises = scene.promises
    fresh = {key: members for key, members in distinct.items() if key not in promises}
    if fresh:
        ground = Ground(
            scene.evidence, np.unique(np.concatenate(list(fresh.values()))).astype(np.int32)
        )
        for key, members in fresh.items():
            promises[key] = ground.strength_bits(ground.local(members))
    # big-endian bytes stand in the order of the numbers, at a fraction of their memory
    order = sorted(
        distinct, key=lambda key: (-promises[key], distinct[key].astype(">i4").tobytes())
    )
    return [distinct[key] for key in order]


def without_near_equal(accounts: int, sets: Sequence[Ints]) -> list[int]:
    """Places of the sets that are not NEAR_EQUAL to an earlier one that is kept."""
    if not sets:
        return []
    starts = np.zeros(len(sets) + 1, np.int64)
    starts[1:] = np.cumsum([len(members) for members in sets])
    kept: list[int] = _distinct(accounts, np.concatenate(sets), starts, NEAR_EQUAL).tolist()
    return kept


@njit(cache=True, nogil=True)
def _distinct(accounts, members, starts, near):  # type: ignore[no-untyped-def]
    inside = np.full(accounts, -1, np.int64)
    kept = np.empty(len(starts) - 1, np.int64)
    count = 0
    for one in range(len(starts) - 1):
        size = starts[one + 1] - starts[one]
        for place in range(starts[one], starts[one + 1]):
            inside[members[place]] = one
        fresh = True
        for position in range(count):
            other = kept[position]
            other_size = starts[other + 1] - starts[other]
            if min(size, other_size) < near * max(size, other_size):
                continue
            common = 0
            for place in range(starts[other], starts[other + 1]):
                common += inside[members[place]] == one
            if common >= near * (size + other_size - common):
                fresh = False
                break
        if fresh:
            kept[count] = one
            count += 1
    return kept[:count]
