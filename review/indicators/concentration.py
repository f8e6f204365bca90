"""Concentration of counterparties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from review.population import FEWEST_TRANSFERS, Population

CLOSEST = 3


class Concentration:
    """Members deal with few, again and again."""

    name = "concentration"
    title = "concentration of counterparties"
    unit = "part of transfers"
    formula = (
        f"transfers with its {CLOSEST} most frequent counterparties / all its transfers; from "
        f"{FEWEST_TRANSFERS} transfers on"
    )
    innocent = "a couple, a customer of one shop or one exchange"
    high = True
    nothing = None
    more = "more concentrated"
    absent = f"has fewer than {FEWEST_TRANSFERS} transfers"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `closest` (how many counterparties), `with_them` and `all` (transfers)."""
        enough = pl.Series(population.transfers >= FEWEST_TRANSFERS)
        pairs = (
            population.moves.lazy()
            .group_by(a=pl.min_horizontal("src", "dst"), b=pl.max_horizontal("src", "dst"))
            .agg(times=pl.len().cast(pl.Int32))
            .collect(engine="streaming")
        )
        sides = pl.concat([pairs.select("times", account=end) for end in ("a", "b")])
        return (
            sides.filter(enough.gather(sides["account"].cast(pl.UInt32)))
            .lazy()
            .group_by("account")
            .agg(
                with_them=pl.col("times").top_k(CLOSEST).sum(),
                closest=pl.len().clip(upper_bound=CLOSEST),
                all=pl.col("times").sum(),
            )
            .with_columns(value=pl.col("with_them") / pl.col("all"))
            .collect()
        )

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says with how many it deals in how many transfers."""
        others = "one other" if row["closest"] == 1 else f"{row['closest']} others"
        return f"Deals with {others} in {row['with_them']:,} of {row['all']:,} transfers"


INDICATOR = Concentration()
