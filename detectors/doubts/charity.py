"""Charity, subscription or dues: many who pay one treasurer."""

from __future__ import annotations

from detectors.doubts.case import MARKS, Case, Doubt
from detectors.doubts.treasurer import COLLECTED, collected, paid_back


class Charity:
    """Most members pay one account regularly, which does not pay them."""

    name = "charity"
    likeness = MARKS
    explains = COLLECTED
    help = (
        "Donors, subscribers and club members pay one treasurer by standing order, and know "
        "each other. That payments are regular was taken out of the evidence already; it does "
        "not bring about that members act at the same moments or pass on what comes in. What "
        "the treasurer does with it, the treasurer's own payments show."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where most members pay one account regularly and get nothing from it."""
        found = collected(case)
        if found is None or case.most(paid_back(case, found[0])):
            return None
        payee, paying = case.known.names[found[0]], found[1]
        return case.doubt(
            self.name,
            f"{paying} of the {case.size} members pay {payee} regularly, as donors, subscribers "
            "or members of a club do.",
            f"What {payee} collects for, and its accounts.",
            self.explains,
        )


EXPLANATION = Charity()
