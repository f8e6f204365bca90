"""Syndicate: many who stake with one organiser, and are paid out at once."""

from __future__ import annotations

from detectors.doubts.case import MARKS, Case, Doubt
from detectors.doubts.treasurer import COLLECTED, collected, paid_back


class Syndicate:
    """Most members pay one account regularly, which pays most of them."""

    name = "syndicate"
    likeness = MARKS
    explains = (*COLLECTED, "lockstep", "refund")
    help = (
        "Players of a lottery syndicate, savers of a savings club pay one organiser the same "
        "stake again and again, and are paid out all at once. It does not bring about that "
        "they deal with each other otherwise, or share devices."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where most members pay one account regularly and are paid by it."""
        found = collected(case)
        if found is None or not case.most(paid_back(case, found[0])):
            return None
        payee, paying = case.known.names[found[0]], found[1]
        return case.doubt(
            self.name,
            f"{paying} of the {case.size} members pay {payee} regularly and "
            f"{paid_back(case, found[0])} are paid by it, as in a lottery syndicate or a "
            "savings club.",
            f"The rules of what {payee} runs, and whether each member's stake is its own money.",
            self.explains,
        )


EXPLANATION = Syndicate()
