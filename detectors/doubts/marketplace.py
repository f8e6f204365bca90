"""Marketplace and collectors: a few who deal with many."""

from __future__ import annotations

import numpy as np

from detectors.doubts.case import SHAPE, Case, Doubt

FEW = 0.1
"""The part of the members that are the few; one of up to ten."""

OF_DEALINGS = 0.6
"""The part of all pairs inside that one of the few is in."""

FEWEST_A_DEALER = 6
"""Fewer counterparties inside are a circle of friends."""


class Marketplace:
    """A few members are in most dealings, and deal with outsiders as well."""

    name = "marketplace"
    likeness = SHAPE
    explains = ("clique", "flow", "funding", "funnel", "provenance", "refund")
    help = (
        "A seller with regular customers, collectors who buy whatever others offer, a shop "
        "that nobody has declared: a few deal with many, who hardly deal with each other. It "
        "does not bring about that what comes in is passed on, or moves at the same moments. A "
        "group that gathers at one account looks the same where that account has a trade as "
        "well."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where a few are in most dealings, and the rest of the evidence does not
        suffice."""
        if case.stands_without(self.explains):
            return None
        few, covered = dealers(case)
        if not len(few) or covered < OF_DEALINGS:
            return None
        own = case.facts.contacts.degree[case.members[few]]
        inside = _inside_degrees(case)[few]
        if inside.min() < FEWEST_A_DEALER:
            return None
        outside = max(int(own.sum() - inside.sum()), 0)
        named = ", ".join(case.names[place] for place in sorted(few.tolist())[:3])
        more = " and others" if len(few) > 3 else ""
        return case.doubt(
            self.name,
            f"{len(few)} of the {case.size} members ({named}{more}) are in {covered:.0%} of all "
            f"dealings inside and deal with {outside} outsiders too, as sellers and collectors "
            "with regular customers do.",
            "What was bought and sold, and whether the others knew of each other.",
            self.explains,
        )


def dealers(case: Case) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], float]:
    """The few (places) that are in the most dealings inside, one after the other, and the
    part of all pairs that one of them is in."""
    a, b = case.dealings["a"].to_numpy(), case.dealings["b"].to_numpy()
    left = np.ones(len(a), np.bool_)
    few: list[int] = []
    while left.any() and len(few) < max(1, int(FEW * case.size)):
        degrees = np.bincount(np.concatenate((a[left], b[left])), minlength=case.size)
        few.append(int(np.argmax(degrees)))
        left &= (a != few[-1]) & (b != few[-1])
        if left.mean() <= 1 - OF_DEALINGS:
            break
    return np.array(few, np.int64), float(1 - left.mean()) if len(a) else 0.0


def _inside_degrees(case: Case) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    ends = np.concatenate((case.dealings["a"].to_numpy(), case.dealings["b"].to_numpy()))
    return np.bincount(ends, minlength=case.size)


EXPLANATION = Marketplace()
