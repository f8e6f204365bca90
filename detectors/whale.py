"""Whale: the plain per-account check. Who holds a line or more alone?"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np

from detectors.family import Ints
from graph.snapshot import Snapshot


class Whale:
    """What a platform sees when it watches every account by itself."""

    name = "whale"
    source = "holdings"
    help = (
        "The plain per-account check: accounts that hold a line or more alone. Misses every "
        "group whose members each stay below it. An issuer is left out; a treasury or an "
        "exchange that holds for its customers looks like one owner."
    )

    def alone(self, snapshot: Snapshot, line: Fraction) -> Ints:
        """Numbers of the accounts at or over the line, ascending."""
        needed = line * Fraction(snapshot.supply)
        if needed <= 0:
            return np.empty(0, np.int32)
        holdings = snapshot.accounts["holdings"]
        near = np.flatnonzero((holdings >= Decimal(int(needed))).to_numpy())
        over = [number for number in near if Fraction(holdings[int(number)]) >= needed]
        return np.array(over, np.int32)


DETECTOR = Whale()
