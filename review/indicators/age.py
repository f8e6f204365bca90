"""Account age against holdings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from review.population import Population, counted, points


class Age:
    """Accounts made for a purpose are young and hold much."""

    name = "age"
    title = "account age against holdings"
    unit = "points a day"
    formula = "holdings / days since the account was opened, at least 1"
    innocent = "a new customer with a large purchase, a second account of a firm"
    high = True
    nothing = 0.0
    more = "more for its age"
    absent = "it is not known when it was opened"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `days` and `holdings` (float)."""
        moment = pl.lit(population.snapshot.as_of).cast(pl.Datetime("us", "UTC"))
        return (
            population.snapshot.accounts.with_row_index("account_number")
            .filter(pl.col("opened_at").is_not_null())
            .select(
                account=pl.col("account_number").cast(pl.Int32),
                holdings=pl.col("holdings").cast(pl.Float64),
                days=((moment - pl.col("opened_at")).dt.total_microseconds() / 86_400_000_000).clip(
                    1.0
                ),
            )
            .with_columns(value=pl.col("holdings") / pl.col("days"))
        )

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says how old it is and what it holds."""
        return f"Holds {points(row['holdings'])} at an age of {counted(row['days'], 'day')}"


INDICATOR = Age()
