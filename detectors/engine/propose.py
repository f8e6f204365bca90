"""Proposals: what all proposers found, without near-equal sets, the most promising kept.

A proposer may be generous: it convicts nobody. But judging takes time, so of each line's
sets only MOST_PROPOSALS are judged: the best by what the judge says of the set as it stands,
before refinement. Of sets that differ little the best one is.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from detectors.engine.evidence import Evidence
from detectors.engine.forest import Forest, spanning_forest
from detectors.engine.limbs import Limbs
from detectors.engine.proposers import SEARCH_SHARE, Proposal, Scene, proposers
from detectors.engine.proposers.select import by_promise, without_near_equal
from detectors.family import Ints

MOST_PROPOSALS = 600
"""Of a line; bounds the work on a world that is one crowd."""


def forests(evidence: Evidence) -> dict[str, Forest]:
    """The fused forest, each family's own where several speak, and those of documents."""
    found = {"": spanning_forest(evidence.accounts, evidence.a, evidence.b, evidence.millibits)}
    documented = {family.name for family, layer in evidence.layers if layer.fixed_bits is not None}
    speaking = [pairs for pairs in evidence.families if len(pairs.a)]
    for pairs in speaking:
        if len(speaking) > 1 or pairs.family.name in documented:
            found[pairs.family.name] = spanning_forest(
                evidence.accounts, pairs.a, pairs.b, pairs.millibits
            )
    return found


def propose(
    evidence: Evidence, trees: dict[str, Forest], holdings: Limbs, lines: Sequence[Fraction]
) -> dict[Fraction, list[Ints]]:
    """For each line distinct sets of accounts (numbers, ascending), the most promising first.

    A line's proposals do not depend on the others asked for.
    """
    scene = Scene(evidence, trees, holdings, evidence.snapshot.supply)
    found: dict[Fraction, list[Proposal]] = {line: [] for line in lines}
    for stage in sorted({proposer.stage for proposer in proposers()}):
        earlier = {line: list(sets) for line, sets in found.items()}
        for proposer in proposers():
            if proposer.stage == stage:
                for line, sets in proposer.sets(scene, lines, earlier).items():
                    found[line] += sets
    return {line: _most_promising(scene, line, sets) for line, sets in found.items()}


def _most_promising(scene: Scene, line: Fraction, proposals: Sequence[Proposal]) -> list[Ints]:
    """Those that hold SEARCH_SHARE of the line; of near-equal ones the best."""
    least = float(line * SEARCH_SHARE)
    enough = [one.members for one in proposals if scene.shares[one.members].sum() >= least]
    ordered = by_promise(scene, enough)
    distinct = without_near_equal(scene.accounts, ordered)
    return [ordered[place] for place in distinct[:MOST_PROPOSALS]]
