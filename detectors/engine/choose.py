"""Which of the judged sets are findings: disjoint ones that save the most bits together.

Strongest first is not enough: two groups that are near each other save more bits as one set
than either does alone, and less than both. So a set gives way to smaller ones inside it that
save more together (weighted set packing, greedily; Hurkens and Schrijver 1989 for why small
exchanges go far).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.engine.doubt import Standing, reported
from detectors.engine.result import Judged
from detectors.settings import DetectionSettings

INSIDE = 0.8
"""A part of a set has so much of its members there, …"""

SMALLER = 0.8
"""… and no more than this part of its size."""

FIRST_PARTS = 12
"""So many of the strongest parts are tried as the first of several."""


def choose(
    judged: Sequence[Judged], standings: Sequence[Standing], settings: DetectionSettings
) -> list[Standing]:
    """Findings among judged sets (strongest first) that are reported, strongest first."""
    rows = [index for index, standing in enumerate(standings) if reported(standing, settings)]
    chosen: list[int] = []
    for index in rows:
        if not any(_overlap(judged[index], judged[one]) > settings.overlap for one in chosen):
            chosen += _apart(judged, rows, index, chosen, settings.overlap)
    return [standings[index] for index in sorted(chosen)]


def _apart(
    judged: Sequence[Judged], rows: list[int], whole: int, chosen: list[int], overlap: float
) -> list[int]:
    """A set, or smaller ones inside it that save more bits together."""
    parts = [
        row
        for row in rows
        if _is_part(judged[row], judged[whole])
        and all(_overlap(judged[row], judged[one]) <= overlap for one in chosen)
    ]
    best, most = [whole], judged[whole].verdict.strength_bits
    for first in parts[:FIRST_PARTS]:
        packed = [first]
        for row in parts:
            if all(_overlap(judged[row], judged[one]) <= overlap for one in packed):
                packed.append(row)
        saved = sum(judged[row].verdict.strength_bits for row in packed)
        if saved > most:
            best, most = packed, saved
    return best


def _is_part(one: Judged, whole: Judged) -> bool:
    if len(one.members) > SMALLER * len(whole.members):
        return False
    common = len(np.intersect1d(one.members, whole.members, assume_unique=True))
    return common >= INSIDE * len(one.members)


def _overlap(one: Judged, other: Judged) -> float:
    common = len(np.intersect1d(one.members, other.members, assume_unique=True))
    return common / min(len(one.members), len(other.members))
