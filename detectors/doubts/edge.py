"""Edge: the line is crossed only with members of whom it is not sure enough that they belong."""

from __future__ import annotations

import numpy as np

from detectors.doubts.case import MARKS, Case, Doubt

MOST_NAMED = 5


class Edge:
    """Those whom an order may name hold less than the line."""

    name = "edge"
    likeness = MARKS
    explains: tuple[str, ...] = ()
    help = (
        "The members whom an order may name hold less than the line: those whose ties say at "
        "least `named_bits` more than naming them costs. It is crossed with others: idle members "
        "have few ties, and so have strangers who deal with a member."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where those who may be named hold less than the line."""
        weakly = np.flatnonzero(case.weakly_tied)
        held = sum(case.units) - sum(case.units[place] for place in weakly.tolist())
        if held >= case.needed_units:
            return None
        share = case.share * held / max(sum(case.units), 1)
        largest_first = weakly[np.argsort(-case.shares[weakly], kind="stable")].tolist()
        named = ", ".join(case.names[place] for place in largest_first[:MOST_NAMED])
        more = f" and {len(weakly) - MOST_NAMED} more" if len(weakly) > MOST_NAMED else ""
        tied = len(case.names) - len(weakly)
        return Doubt(
            self.name,
            f"Only {tied} of the {len(case.names)} members, who hold {share:.2%}, are tied well "
            f"enough to be named in an order; the line is crossed with {named}{more}.",
            "Whether these act with the others or only deal with one of them.",
            leaves_bits=0.0,
        )


EXPLANATION = Edge()
