"""Refinement: a proposed set gains and loses members under the judge's own score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detectors.engine.judge import Ground, Verdict
from detectors.engine.proposers import most_members
from detectors.engine.steps import common
from detectors.family import Ints

ROUNDS = 8

KINDRED = 0.6
"""The least Jaccard index between a set and what becomes of it. Lower, and small groups
wander off into innocent crowds near by that have more evidence."""

COMPLETED = 1 / 3
"""A set that holds too little may grow by this part of its size to hold enough."""

STEP = 1 / 20
"""By so much of its size at a time."""


def refine(
    ground: Ground,
    places: Ints,
    holds_enough: Callable[[Ints], bool],
    travelled: set[bytes] | None = None,
    cells: list[tuple[Ints, Verdict]] | None = None,
) -> tuple[Ints, Verdict] | None:
    """The best set on the way from `places`: each round keeps those who add bits to it, and
    of these the largest part that hangs together.

    `holds_enough` says whether a set's holdings reach the line. Where the best set of all
    holds too little, it is completed. Returns None when nothing on the way holds enough.
    `travelled`: sets on the ways of others, added to; a way ends where it meets one, as what
    follows is known. `cells`: the best sets of other ways that hold too little, added to.
    """
    best: Ints | None = None
    peak: Ints | None = None
    seen: set[bytes] = set() if travelled is None else travelled
    current, start = places, None
    for _ in range(ROUNDS):
        if len(current) > most_members(ground.population) and not ground.documented(current):
            break
        current = ground.connected_part(current)
        start = current if start is None else start
        if len(current) < 2 or current.tobytes() in seen or _lost(start, current):
            break
        seen.add(current.tobytes())
        peak = _better(ground, peak, current)
        if holds_enough(current):
            best = _better(ground, best, current)
        current = ground.who_adds(current)
    if peak is not None and not holds_enough(peak):
        if cells is not None and ground.extent_bits(peak) > 0:
            cells.append((peak, ground.verdict(peak)))
        full = _completed(ground, peak, holds_enough)
        if full is not None:
            best = _better(ground, best, full)
    return None if best is None else (best, ground.verdict(best))


def _better(ground: Ground, best: Ints | None, other: Ints) -> Ints:
    if best is None or ground.extent_bits(other) > ground.extent_bits(best):
        return other
    return best


def _completed(ground: Ground, places: Ints, holds_enough: Callable[[Ints], bool]) -> Ints | None:
    """A set that holds too little with those who bring it over the line at the least loss of
    bits.

    Idle members of a group have fewer ties than naming them costs, and the line is crossed with
    their holdings. So they need not pay for their names, but each must have more ties than
    chance has; and not only shared identifiers, as a household has.
    """
    most = len(places) * (1 + COMPLETED)
    lost: dict[int, float] = {}
    while len(places) < most:
        candidates, losses = ground.tied_besides(places, max(1, int(STEP * len(places))))
        if not len(candidates):
            return None
        for one, loss in zip(candidates.tolist(), losses.tolist(), strict=True):
            places = np.sort(np.append(places, np.int32(one)))
            lost[one] = loss
            if holds_enough(places):
                return _thinned(places, lost, holds_enough)
    return None


def _thinned(places: Ints, lost: dict[int, float], holds_enough: Callable[[Ints], bool]) -> Ints:
    """Without those who were put in and are not needed after all, the costliest first."""
    for one in sorted(lost, key=lambda one: (-lost[one], one)):
        without = places[places != one]
        if lost[one] > 0 and holds_enough(without):
            places = without
    return places


def _lost(start: Ints, current: Ints) -> bool:
    """Whether a way has led too far from where it began: what it comes to is another set, and
    not what was to be judged."""
    both = common(start, current)
    return bool(both < KINDRED * (len(start) + len(current) - both))
