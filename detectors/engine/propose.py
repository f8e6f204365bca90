"""Proposals: sets whose holdings cross a line on the way from strong to weak evidence.

A proposer may be generous: it convicts nobody. The crossing sweep runs over the fused
forest, each family's own and that of circles, for every line and for SEARCH_SHARE of it, so
that a group whose last members hang on weak ties is met before a crowd.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from detectors.engine.evidence import Evidence
from detectors.engine.forest import Forest, spanning_forest
from detectors.engine.limbs import Limbs, line_limbs, most_limbs
from detectors.engine.refine import most_members
from detectors.engine.sweep import sweep
from detectors.family import Ints

SEARCH_SHARE = Fraction(3, 5)
"""Of a line: where the search begins."""

EXTENSION_SHARE = Fraction(1, 1000)
"""A part over a line must gain more than this share of the base to be proposed again."""

MOST_PROPOSALS = 300
"""Strongest first; bounds the work on a world that is one crowd."""


def forests(evidence: Evidence) -> dict[str, Forest]:
    """The fused forest, each family's own where several speak, and that of circles."""
    found = {"": spanning_forest(evidence.accounts, evidence.a, evidence.b, evidence.millibits)}
    speaking = [pairs for pairs in evidence.families if len(pairs.a)]
    for pairs in speaking:
        if len(speaking) > 1 or pairs.family.name in _documented(evidence):
            found[pairs.family.name] = spanning_forest(
                evidence.accounts, pairs.a, pairs.b, pairs.millibits
            )
    return found


def propose(
    evidence: Evidence, trees: dict[str, Forest], holdings: Limbs, lines: list[Fraction]
) -> dict[Fraction, list[Ints]]:
    """For each line distinct sets of accounts (numbers, ascending), strongest evidence first.

    A line's proposals do not depend on the others asked for.
    """
    supply = evidence.snapshot.supply
    search = [share for line in lines for share in (line, line * SEARCH_SHARE)]
    thresholds = np.array([line_limbs(line, supply) for line in search], np.uint64)
    extension = np.array(most_limbs(EXTENSION_SHARE, supply), np.uint64)
    sets: dict[Fraction, dict[bytes, tuple[int, Ints]]] = {line: {} for line in lines}
    documented = {family.name for family, layer in evidence.layers if layer.fixed_bits is not None}
    for name, forest in trees.items():
        most = evidence.accounts if name in documented else most_members(evidence.accounts)
        found = sweep(evidence.accounts, forest, holdings, thresholds, extension)
        for index in range(len(found)):
            if found.size[index] > most:
                continue
            members = found.members(index)
            key = members.tobytes()
            level = int(found.millibits[index])
            ours = sets[lines[found.line[index] // 2]]
            if key not in ours or ours[key][0] < level:
                ours[key] = level, members
    return {line: _strongest_first(list(found.values())) for line, found in sets.items()}


def _strongest_first(sets: list[tuple[int, Ints]]) -> list[Ints]:
    # big-endian bytes stand in the order of the numbers, at a fraction of their memory
    ordered = sorted(
        sets, key=lambda item: (-item[0], len(item[1]), item[1].astype(">i4").tobytes())
    )
    return [members for _, members in ordered[:MOST_PROPOSALS]]


def _documented(evidence: Evidence) -> set[str]:
    """Families whose ties are documents: no crowd, however many they join."""
    return {family.name for family, layer in evidence.layers if layer.fixed_bits is not None}
