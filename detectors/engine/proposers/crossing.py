"""The crossing sweep: sets whose holdings cross a line on the way from strong to weak ties.

It walks the fused forest and each family's own, for the line and a part of it, so that a
group whose last members hang on weak ties is met before a crowd.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from detectors.engine.limbs import line_limbs, most_limbs
from detectors.engine.proposers import SEARCH_SHARE, Proposal, Scene, most_members
from detectors.engine.sweep import sweep

EXTENSION_SHARE = Fraction(1, 1000)
"""A part over a line must gain more than this share of the base to be proposed again."""


class Crossing:
    """Every crossing and extension on the way down each forest."""

    name = "crossing"
    stage = 1

    def sets(
        self,
        scene: Scene,
        lines: Sequence[Fraction],
        found: Mapping[Fraction, Sequence[Proposal]],
    ) -> dict[Fraction, list[Proposal]]:
        """For each line and SEARCH_SHARE of it."""
        search = [share for line in lines for share in (line, line * SEARCH_SHARE)]
        thresholds = np.array([line_limbs(share, scene.supply) for share in search], np.uint64)
        extension = np.array(most_limbs(EXTENSION_SHARE, scene.supply), np.uint64)
        documented = {
            family.name for family, layer in scene.evidence.layers if layer.fixed_bits is not None
        }
        sets: dict[Fraction, list[Proposal]] = {line: [] for line in lines}
        for name, forest in scene.trees.items():
            most = scene.accounts if name in documented else most_members(scene.accounts)
            crossings = sweep(scene.accounts, forest, scene.holdings, thresholds, extension)
            for index in range(len(crossings)):
                if crossings.size[index] <= most:
                    line = lines[crossings.line[index] // 2]
                    sets[line].append(Proposal(crossings.members(index), self.name))
        return sets


PROPOSER = Crossing()
