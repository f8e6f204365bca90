"""Allotment: one hands many what they hold, and each keeps it for itself."""

from __future__ import annotations

import numpy as np

from detectors.doubts.case import SHAPE, Case, Doubt
from detectors.provenance import LEAST_PART, handed


class Allotment:
    """One that handed most members what they hold."""

    name = "allotment"
    likeness = SHAPE
    explains = ("clique", "flow", "funding", "provenance")
    help = (
        "An issuer allots, a firm grants shares to its people, an estate is divided, a dealer "
        "sells to few: one account hands each its part, and from then on each decides for "
        "itself. It does not bring about that they go on acting together. Who spreads a "
        "holding over accounts of its own looks the same until they do."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where most members got most of what they hold from one account, and the rest
        of the evidence does not suffice."""
        if case.stands_without(self.explains):
            return None
        giver, receiver, part = handed(case.facts)
        theirs = (part >= LEAST_PART) & np.isin(receiver, case.members)
        if not theirs.any():
            return None
        givers, counts = np.unique(giver[theirs], return_counts=True)
        best = int(np.argmax(counts))
        if not case.most(int(counts[best])):
            return None
        return case.doubt(
            self.name,
            f"{counts[best]} of the {case.size} members got at least {LEAST_PART:.0%} of what "
            f"they hold from one account ({case.known.names[int(givers[best])]}), as when "
            "something is allotted, granted or inherited.",
            "By what right each got its part, and who has decided about it since.",
            self.explains,
        )


EXPLANATION = Allotment()
