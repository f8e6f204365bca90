"""One large holder: the crossing is one member's, not the group's."""

from __future__ import annotations

import numpy as np

from detectors.doubts.case import MARKS, Case, Doubt


class LargeHolder:
    """One member holds so much that the others hardly matter."""

    name = "one large holder"
    likeness = MARKS
    explains: tuple[str, ...] = ()
    help = (
        "Without its largest member the group holds less than half the line: the others may "
        "only be people whom a large holder deals with."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where the others hold less than half the line."""
        largest = int(np.argmax(case.shares))
        without = case.share - float(case.shares[largest])
        if without >= case.line / 2:
            return None
        name = case.names[largest]
        return Doubt(
            self.name,
            f"{name} holds {case.shares[largest]:.2%} of {case.share:.2%}; "
            f"the others hold {without:.2%} together.",
            f"Whether {name} decides over the others' accounts.",
        )


EXPLANATION = LargeHolder()
