"""OTC circle: a few rich people who trade with each other."""

from __future__ import annotations

import polars as pl

from detectors.doubts.case import SHAPE, Case, Doubt

MOST_TRADERS = 40
RICH_TIERS = 1
"""The richest 1.2 % of all accounts (tiers 0 and 1)."""

RICH_PART = 0.75

MUTUAL_PART = 0.5
"""Of pairs with two transfers or more, the part that deals both ways."""


class OtcCircle:
    """Few, rich, and dealing both ways."""

    name = "otc"
    likeness = SHAPE
    explains = ("clique", "flow", "provenance")
    help = (
        "Rich people trade with rich people, over the counter and both ways, and few others "
        "can take their sums: any dozen of them hold over the line. It does not bring about "
        "that they act at the same moments, pass on what comes in or share devices. From a "
        "small group that only trades inside it cannot be told by these facts."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where few rich members deal both ways, and the rest of the evidence does not
        suffice."""
        if case.size > MOST_TRADERS or case.stands_without(self.explains):
            return None
        rich = int((case.facts.tiers[case.members] <= RICH_TIERS).sum())
        repeated = case.dealings.filter(pl.col("there") + pl.col("back") > 1)
        mutual = len(repeated.filter((pl.col("there") > 0) & (pl.col("back") > 0)))
        if rich < RICH_PART * case.size or not mutual or mutual < MUTUAL_PART * len(repeated):
            return None
        return case.doubt(
            self.name,
            f"{rich} of the {case.size} members are among the richest 1.2 % of all accounts, and "
            f"{mutual} of the {len(repeated)} pairs that dealt again dealt both ways, as "
            "traders over the counter do.",
            "The other leg of these deals: what was given for the points, and at what price.",
            self.explains,
        )


EXPLANATION = OtcCircle()
