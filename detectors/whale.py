"""Whale: the plain per-account check. Who holds a line or more alone?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from detectors.engine.limbs import amount_of, line_limbs
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
        if not snapshot.supply:
            return np.empty(0, np.int32)
        needed = amount_of(*line_limbs(line, snapshot.supply))
        over = (snapshot.accounts["holdings"] >= needed).to_numpy()
        return np.flatnonzero(over).astype(np.int32)


DETECTOR = Whale()
