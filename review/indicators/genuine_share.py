"""Share of holdings from genuine purchases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from review.population import Population, percent


class GenuineShare:
    """Who holds what others gave it may hold it for them."""

    name = "genuine_share"
    title = "share of holdings from genuine purchases"
    unit = "part of holdings"
    formula = (
        "held points that come from the account's own genuine purchases / holdings; points mix "
        "by the rule of the policy"
    )
    innocent = "gifts, wages in points, purchases that were never loaded"
    high = False
    nothing = None
    more = "a smaller part from own purchases"
    absent = "holds nothing, or no purchases are known of anybody"

    def measure(self, population: Population) -> pl.DataFrame:
        """Of those who hold."""
        genuine = population.genuine
        holdings = population.snapshot.accounts["holdings"].cast(pl.Float64).to_numpy()
        known = holdings > 0
        if not genuine.bought.any():
            known = np.zeros(population.size, np.bool_)
        part = np.divide(genuine.held, holdings, out=np.zeros(population.size), where=known)
        return population.by_account(known, np.minimum(part, 1.0))

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says which part."""
        return f"{percent(row['value'])} of what it holds comes from its own genuine purchases"


INDICATOR = GenuineShare()
