"""Closeness to a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from review.population import Population


class Closeness:
    """A member at the heart of its group deals with little else."""

    name = "closeness"
    title = "closeness to a group"
    unit = "part of transfers"
    formula = (
        "transfers with members of a finding that it belongs to / all its transfers; 0 for who "
        "belongs to none"
    )
    innocent = "relatives, a club, a market in which the same ones trade"
    high = True
    nothing = 0.0
    more = "closer"
    absent = "has no transfers"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `inside` and `all` (transfers)."""
        every = population.transfers
        inside = population.count_ends(pl.Series(population.fellow))
        known = every > 0
        part = np.divide(inside, every, out=np.zeros(population.size), where=known)
        return population.by_account(known, part, inside=inside, all=every)

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says how many of how many."""
        return (
            f"{row['inside']:,} of its {row['all']:,} transfers are with members of a group that "
            "it belongs to"
        )


INDICATOR = Closeness()
