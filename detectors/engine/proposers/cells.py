"""Cells: sets below the line that together cross it.

One will may keep its accounts apart in cells that meet through a courier only (METHOD
section 5, item 9). Sets that hold CELL_SHARE of the line are joined where accounts that are
no hubs pay, or are paid by, members of both several times, or where members of the two are
tied themselves; and joined sets once more, for three cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from detectors.engine.judge import Ground
from detectors.engine.neighbours import Neighbours, unusual
from detectors.engine.proposers import Proposal, Scene
from detectors.engine.proposers.select import best_distinct, without_near_equal
from detectors.engine.refine import refine
from detectors.family import Floats, Ints

COURIER_PAYMENTS = 4
"""A link is as many payments between two, either way, or a pair of the strongest evidence."""

MOST_COURIER_LINKS = 100
"""An account with more links is a hub: it joins nobody."""

MOST_CELLS = 100
MOST_JOINED = 60
"""Of a line: cells that are looked at, and pairs that are joined in each of two rounds."""

MOST_COURIERS = 5
FEWEST_BITS = 3.0
"""A courier is linked to each by so many bits more than chance."""

MOST_COMMON = 0.2
"""Cells with more of their members in common than this part of the smaller are one cell."""


class Cells:
    """Sets joined through couriers."""

    name = "cells"
    stage = 2

    def sets(
        self,
        scene: Scene,
        lines: Sequence[Fraction],
        found: Mapping[Fraction, Sequence[Proposal]],
    ) -> dict[Fraction, list[Proposal]]:
        """Two cells with their couriers, and three."""
        a, b = _links(scene)
        degree = np.bincount(a, minlength=scene.accounts) + np.bincount(b, minlength=scene.accounts)
        joined: dict[Fraction, list[Proposal]] = {}
        for line in lines:
            cells = _refined(scene, best_distinct(scene, found[line], MOST_CELLS))
            links = Links(Neighbours.around(scene.accounts, a, b, cells), degree.astype(np.float64))
            if not cells:
                joined[line] = []
                continue
            near = Near.of(links, cells)
            two = _join(cells, near, cells, near)
            three = _join(two, Near.of(links, two), cells, near) if two else []
            joined[line] = [Proposal(members, self.name) for members in two + three]
        return joined


def _refined(scene: Scene, cells: Sequence[Ints]) -> list[Ints]:
    """The best set on the way from each cell, whatever it holds, the strongest first: a cell
    that is not whole, or has strangers in it, has few couriers to another."""
    ground = Ground.around(scene.evidence, cells)
    ways = (refine(ground, ground.local(members), lambda _: True) for members in cells)
    judged = {ground.accounts[one[0]].tobytes(): one for one in ways if one is not None}
    best = sorted(judged.values(), key=lambda one: (-one[1].extent_bits, one[0].tolist()))
    sets = [ground.accounts[places] for places, _ in best]
    return [sets[place] for place in without_near_equal(scene.accounts, sets)]


@dataclass(frozen=True)
class Links:
    """Links around the cells, and how many each account has in all."""

    around: Neighbours
    degree: Floats


def _links(scene: Scene) -> tuple[Ints, Ints]:
    """The ends of pairs with several payments and of as many pairs as accounts, the strongest."""
    evidence, contacts = scene.evidence, scene.evidence.facts.contacts
    often = contacts.count >= COURIER_PAYMENTS
    a, b = contacts.a[often], contacts.b[often]
    if len(evidence.a):
        most = min(scene.accounts, len(evidence.a))
        least = np.partition(evidence.millibits, -most)[-most]
        strong = evidence.millibits > least
        a, b = np.concatenate((a, evidence.a[strong])), np.concatenate((b, evidence.b[strong]))
    keys = np.sort(a.astype(np.int64) * scene.accounts + b)
    keys = keys[np.diff(keys, prepend=-1) > 0]  # np.unique would hash them, at five times the cost
    return (keys // scene.accounts).astype(np.int32), (keys % scene.accounts).astype(np.int32)


@dataclass(frozen=True)
class Near:
    """Of several sets, one after the other: who is linked with each, and how unusually much.

    `place`: of the set; `account`: who; `bits`: by how much. Arrays of equal length.
    """

    place: Ints
    account: Ints
    bits: Floats

    @classmethod
    def of(cls, links: Links, sets: Sequence[Ints]) -> Near:
        """No hubs. Members are linked to their own set: another set's tie to them is a
        bridge too."""
        met, tied = zip(*links.around.toward(sets), strict=True)
        place = np.repeat(np.arange(len(sets), dtype=np.int32), [len(one) for one in met])
        volume = np.array([links.degree[members].sum() for members in sets])
        part = volume / max(float(links.degree.sum()), 1.0)
        account, count = np.concatenate(met), np.concatenate(tied)
        degree = links.degree[account]
        bits = unusual(count, degree, part[place])
        kept = (degree <= MOST_COURIER_LINKS) & (bits >= FEWEST_BITS)
        return cls(place[kept], account[kept], bits[kept])


def _join(ones: Sequence[Ints], left: Near, others: Sequence[Ints], right: Near) -> list[Ints]:
    """Unions of one of each with their couriers: the MOST_JOINED best connected."""
    size = np.array([len(members) for members in others])
    members, owner = np.concatenate(others), np.repeat(np.arange(len(others)), size)
    bridges = np.zeros((len(ones), len(others)))
    accounts = 1 + max(
        int(part.max(initial=0)) for part in (left.account, right.account, *ones, members)
    )
    near, inside = np.zeros(accounts), np.zeros(accounts)
    for row, one in enumerate(ones):
        mine = left.place == row
        near[left.account[mine]] = left.bits[mine]
        inside[one] = 1.0
        both = np.minimum(near[right.account], right.bits)
        common = np.bincount(owner, inside[members], len(others))
        apart = common <= MOST_COMMON * np.minimum(size, len(one))
        bridges[row] = np.bincount(right.place, both, len(others)) * apart
        near[left.account[mine]] = inside[one] = 0.0  # for the next
    chosen: dict[bytes, Ints] = {}
    for place in np.argsort(-bridges, axis=None, kind="stable").tolist():
        row, column = divmod(place, len(others))
        if len(chosen) >= MOST_JOINED or bridges[row, column] <= 0:
            break
        couriers = _couriers(left, row, right, column)
        union = np.union1d(np.union1d(ones[row], others[column]), couriers).astype(np.int32)
        chosen.setdefault(union.tobytes(), union)
    return list(chosen.values())


def _couriers(left: Near, row: int, right: Near, column: int) -> Ints:
    """The accounts that are tied to both most."""
    mine, theirs = left.place == row, right.place == column
    both, here, there = np.intersect1d(
        left.account[mine], right.account[theirs], assume_unique=True, return_indices=True
    )
    strength = np.minimum(left.bits[mine][here], right.bits[theirs][there])
    couriers: Ints = both[np.lexsort((both, -strength))][:MOST_COURIERS]
    return couriers


PROPOSER = Cells()
