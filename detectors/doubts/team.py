"""Distributor team: recruited one by another, and dealing along the tree."""

from __future__ import annotations

from detectors.doubts.case import MARKS, Case, Doubt


class Team:
    """Most members were brought in by other members."""

    name = "distributor team"
    likeness = MARKS
    explains = ("clique", "flow", "funding", "funnel", "onset", "provenance", "referral")
    help = (
        "A sales team, a class or a firm that joined together brings each other in, begins "
        "together, buys from whoever brought it in and earns bonuses from the top. It does not "
        "bring about that members act at the same moments, pass on what comes in, or share "
        "devices. An operator who hides in a team is told from it by nothing else."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where most members were brought in by other members."""
        brought = case.recruits["referred"].n_unique()
        if not case.most(brought):
            return None
        return case.doubt(
            self.name,
            f"{brought} of the {case.size} members were brought in by other members, as in a "
            "sales team, which deals along its tree as well.",
            "The team's contract with the platform, and what its members sold to customers "
            "of their own.",
            self.explains,
        )


EXPLANATION = Team()
