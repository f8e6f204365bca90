"""Retention: what came in against what left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from review.movements import (
    CIRCULAR,
    FROM_FELLOW,
    RECEIVED,
    SENT,
    TO_FELLOW,
    WITH_RECEIPT,
    WITHOUT_RECEIPT,
)
from review.population import Population, percent, points


class Retention:
    """Who gathers points keeps them."""

    name = "retention"
    title = "retention"
    unit = "part of what came in"
    formula = "(what came in by purchases and transfers - what left) / what came in, at least 0"
    innocent = "saving, a new account, points that nobody has a use for yet"
    high = True
    nothing = 0.0
    more = "more kept"
    absent = "nothing came in"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `come` and `gone` in points."""
        moved = population.movements
        come = moved.summed(WITH_RECEIPT, WITHOUT_RECEIPT, CIRCULAR, RECEIVED, FROM_FELLOW)
        gone = moved.summed(SENT, TO_FELLOW)
        known = come > 0
        kept = np.divide(come - gone, come, out=np.zeros(population.size), where=known)
        return population.by_account(known, np.maximum(kept, 0.0), come=come, gone=gone)

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says what came, what left, what was kept."""
        return (
            f"Kept {percent(row['value'])} of what came in: {points(row['come'])} came, "
            f"{points(row['gone'])} left"
        )


INDICATOR = Retention()
