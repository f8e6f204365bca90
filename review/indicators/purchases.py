"""Purchase amounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from graph.amount import summed
from review.population import Population, counted, points


class Purchases:
    """Who gathers points buys many."""

    name = "purchases"
    title = "purchase amounts"
    unit = "points"
    formula = "sum of all that the account bought"
    innocent = "a large customer, a firm that buys for its staff"
    high = True
    nothing = 0.0
    more = "more bought"
    absent = "never bought anything"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `count` and `largest` (float)."""
        amount = pl.col("amount")
        return summed(
            population.snapshot.facts("purchases")
            .group_by("account")
            .agg(value=amount.sum(), largest=amount.max(), count=pl.len())
        ).with_columns(pl.col("value", "largest").cast(pl.Float64))

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says how much, in how many purchases, the largest."""
        return (
            f"Bought {points(row['value'])} in {counted(row['count'], 'purchase')}, the largest "
            f"of {points(row['largest'])}"
        )


INDICATOR = Purchases()
