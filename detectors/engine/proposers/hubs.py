"""Stars whose hub is missing: a set and whom most of its members deal with.

Communities of members who hardly deal with each other (a funnel, a star with rotating hubs)
often come without the one who holds them together, and fall apart before the judge sees
them. So a set is proposed again with the one and with the three accounts that deal with
unusually many of its members, for their number of contacts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from detectors.engine.neighbours import Neighbours, unusual
from detectors.engine.proposers import Proposal, Scene
from detectors.engine.proposers.select import best_distinct
from detectors.family import Floats, Ints

MOST_COMPLETED = 200
"""Sets of a line, the most promising."""

FEWEST_TIED = 3
TIED_SHARE = 0.25
"""A hub deals with so many of a set's members at least, and with such a part of them."""

HUBS = (1, 3)


class Hubs:
    """Sets completed by those who deal with many of their members."""

    name = "hubs"
    stage = 2

    def sets(
        self,
        scene: Scene,
        lines: Sequence[Fraction],
        found: Mapping[Fraction, Sequence[Proposal]],
    ) -> dict[Fraction, list[Proposal]]:
        """The most promising sets of earlier stages, each with one and with three hubs."""
        contacts = scene.evidence.facts.contacts
        completed = {}
        for line in lines:
            sets = best_distinct(scene, found[line], MOST_COMPLETED)
            near = Neighbours.around(scene.accounts, contacts.a, contacts.b, sets)
            completed[line] = [
                Proposal(np.union1d(members, hubs).astype(np.int32), self.name)
                for members, (met, tied) in zip(sets, near.toward(sets), strict=True)
                for hubs in _hubs(contacts.degree, members, met, tied)
            ]
        return completed


def _hubs(degree: Floats, members: Ints, met: Ints, tied: Ints) -> list[Ints]:
    """The first one and the first three of those outside who deal with unusually many."""
    enough = (tied >= max(FEWEST_TIED, TIED_SHARE * len(members))) & ~np.isin(met, members)
    met, tied = met[enough], tied[enough]
    bits = unusual(tied, degree[met], float(degree[members].sum() / max(degree.sum(), 1)))
    met, bits = met[bits > 0], bits[bits > 0]
    best = met[np.lexsort((met, -bits))]
    return [best[:many] for many in HUBS if len(best) >= many]


PROPOSER = Hubs()
