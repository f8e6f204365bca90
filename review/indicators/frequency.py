"""Transfer frequency."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from review.population import Population, counted

DAYS = 90


class Frequency:
    """Who acts for others is busy."""

    name = "frequency"
    title = "transfer frequency"
    unit = "transfers"
    formula = (
        f"transfers to and from others in the last {DAYS} days; those without a time count too"
    )
    innocent = "a shop, a market, an exchange, a busy person"
    high = True
    nothing = 0.0
    more = "more"
    absent = "is in no fact"

    def measure(self, population: Population) -> pl.DataFrame:
        """Counts those at or after the day so many days before the snapshot's time."""
        since = population.snapshot.as_of - timedelta(days=DAYS)
        at = pl.col("at")
        count = population.count_ends(at.is_null() | (at >= since))
        return population.by_account(np.ones(population.size, np.bool_), count.astype(np.float64))

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says how many."""
        return f"Took part in {counted(row['value'], 'transfer')} in the last {DAYS} days"


INDICATOR = Frequency()
