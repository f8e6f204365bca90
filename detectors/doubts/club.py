"""Club, market or team: people who deal with each other much, and no more."""

from __future__ import annotations

from detectors.doubts.case import NOTHING_BUT_DEALINGS, Case, Doubt


class Club:
    """Many dealings, and little that a circle of people would not bring about."""

    name = "club"
    likeness = NOTHING_BUT_DEALINGS
    explains = ("clique",)
    help = (
        "A club, a market or a team explains any number of dealings among its members, but not "
        "that they are more exclusive, or pass on more, than anyone's. Open where that says too "
        "little by itself."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where what a club does not bring about is not enough."""
        if case.beyond_club_bits >= case.needed_bits or case.stands_without(self.explains):
            return None
        dealing = len(case.dealings)
        possible = case.size * (case.size - 1) // 2
        return Doubt(
            self.name,
            f"{dealing:,} of the {possible:,} pairs of members deal with each other, but not more "
            "exclusively than people do in a club, a market or a team: beyond that the evidence "
            f"is {max(case.beyond_club_bits, 0):.0f} bits, and {case.needed_bits:.0f} are needed.",
            "Who founded or runs the circle, and whether its members buy and sell for themselves.",
            self.explains,
            case.beyond_club_bits,
        )


EXPLANATION = Club()
