"""What was found, against what is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inconcert.bench.accuracy.town import Members, Town

RIGHT, TOUCHED = 0.5, 0.1
A_NIGHT = 20
"""What an investigator can look at."""

ORDERS = ("conclusive", "corroborated")
"""Grades that may lead to an order."""

MOSTLY = 0.3
"""A false finding is that of a crowd with at least this part of its accounts."""


@dataclass(frozen=True)
class Found:
    """A set said to hold the line together."""

    members: Members
    strength: float
    grade: str = "indication"
    share: float = 0.0
    named: Members | None = None
    """Those whom an order may name; None: all members."""


def jaccard(one: Members, other: Members) -> float:
    """What two sets have in common, as a part of both together."""
    common = len(one & other)
    return common / max(len(one) + len(other) - common, 1)


def best(members: Members, sets: Sequence[Members]) -> float:
    """The highest Jaccard index with any of some sets."""
    return max((jaccard(members, one) for one in sets), default=0.0)


def score_groups(town: Town, found: Sequence[Found]) -> list[dict[str, Any]]:
    """For each true group the best Jaccard index with all findings, with the A_NIGHT
    strongest, with those that may lead to an order; the grade and share of the best."""
    strongest = sorted(found, key=lambda one: (-one.strength, sorted(one.members)))[:A_NIGHT]
    orders = [one.members for one in found if one.grade in ORDERS]
    rows = []
    for group in town.groups:
        nearest = max(found, key=lambda one: jaccard(group.members, one.members), default=None)
        rows.append(
            {
                "kind": group.kind,
                "members": len(group.members),
                "share": group.share,
                "below": group.below,
                "jaccard": best(group.members, [one.members for one in found]),
                "tonight": best(group.members, [one.members for one in strongest]),
                "ordered": best(group.members, orders),
                "grade": nearest.grade if nearest else "",
                "found_share": nearest.share if nearest else 0.0,
            }
        )
    return rows


def score_findings(town: Town, found: Sequence[Found]) -> list[dict[str, Any]]:
    """What each finding is, the strongest first.

    right: overlaps a group over the line at RIGHT; below: one below the line; partial:
    overlaps one at TOUCHED, or is a piece of it (half of its accounts or more); else false,
    with the crowd that most of its accounts are of. `innocent`: accounts of no group;
    `named`, `innocent_named`: the same of those whom an order may name.
    """
    guilty = frozenset[int]().union(*(group.members for group in town.groups))
    rows = []
    for one in sorted(found, key=lambda one: (-one.strength, sorted(one.members))):
        named = one.members if one.named is None else one.named
        rows.append(
            {
                "what": _what(town, one.members),
                "crowd": _crowd(town, one.members),
                "grade": one.grade,
                "accounts": len(one.members),
                "innocent": len(one.members - guilty),
                "named": len(named),
                "innocent_named": len(named - guilty),
                "share": one.share,
                "bits": one.strength,
            }
        )
    return rows


def _what(town: Town, members: Members) -> str:
    over = [group.members for group in town.groups if not group.below]
    below = [group.members for group in town.groups if group.below]
    if best(members, over) >= RIGHT:
        return "right"
    if best(members, below) >= RIGHT:
        return "below"
    piece = any(2 * len(members & group) >= len(members) for group in over + below)
    return "partial" if piece or best(members, over + below) >= TOUCHED else "false"


def _crowd(town: Town, members: Members) -> str:
    parts = [(len(members & crowd.members) / len(members), crowd.kind) for crowd in town.crowds]
    part, kind = max(parts, default=(0.0, ""))
    return kind if part >= MOSTLY else "nobody in particular"
