"""Supply chain: firms in tiers, each buying from the next."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.doubts.case import SHAPE, Case, Doubt
from detectors.family import Floats

Longs = npt.NDArray[np.int64]

MOST_INCOHERENT = 0.5
"""0: every transfer goes one level up; 1: as many go down or round."""

FEWEST_LEVELS = 2.0

MOST_BACK = 0.2
"""The part of transfers that is answered by one the other way between the same two."""

MOST_MEMBERS = 500
"""Larger sets are not laid out in levels: the work grows with the third power."""


class SupplyChain:
    """What is paid goes one way, over several levels."""

    name = "supply chain"
    likeness = SHAPE
    explains = ("clique", "flow", "funding", "funnel", "onset", "relay")
    help = (
        "Shops pay wholesalers, these pay makers: what comes in goes on, soon and regularly, "
        "always the same way. It does not bring about that points come back round, that "
        "members act at the same moments or share devices. A chain of mules is told from a "
        "chain of firms by goods, which these facts do not show."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where transfers go one way over levels, and the rest of the evidence does not
        suffice."""
        if case.size > MOST_MEMBERS or case.stands_without(self.explains):
            return None
        flows = case.inside.group_by("src", "dst").agg(count=pl.len()).sort("src", "dst")
        if len(flows) < case.size - 1:
            return None
        src, dst = flows["src"].to_numpy(), flows["dst"].to_numpy()
        count = flows["count"].to_numpy().astype(np.float64)
        back = _answered(case.size, src, dst, count)
        if back > MOST_BACK:
            return None
        incoherent, levels = _levels(case.size, src, dst, count)
        if incoherent > MOST_INCOHERENT or levels < FEWEST_LEVELS:
            return None
        return case.doubt(
            self.name,
            f"What the members pay each other goes one way over {levels + 1:.0f} levels "
            f"({back:.0%} of it is answered), as from shops to wholesalers to makers.",
            "Invoices and deliveries for the largest of these payments.",
            self.explains,
        )


def _answered(members: int, src: Longs, dst: Longs, count: Floats) -> float:
    """The part of all transfers that is answered by one the other way."""
    paid = np.zeros((members, members))
    paid[src, dst] = count
    return float(np.minimum(paid, paid.T).sum() / count.sum())


def _levels(members: int, src: Longs, dst: Longs, count: Floats) -> tuple[float, float]:
    """How little transfers keep to levels (trophic incoherence: MacKay, Johnson and Sansom
    2020, "How directed is a directed network?"), and how many levels the highest member stands
    above the lowest; rounded, as solvers differ in the last digits."""
    paid = np.zeros((members, members))
    paid[src, dst] = count
    both = paid + paid.T
    laplacian = np.diag(both.sum(axis=1)) - both
    height = np.linalg.lstsq(laplacian, paid.sum(axis=0) - paid.sum(axis=1), rcond=None)[0]
    apart = height[dst] - height[src]
    incoherent = float((count * (apart - 1) ** 2).sum() / count.sum())
    return round(incoherent, 3), round(float(height.max() - height.min()), 3)


EXPLANATION = SupplyChain()
