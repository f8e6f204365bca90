"""Shared identifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from detectors.identifier import ALL_PAIRS_HOLDERS, MOST_HOLDERS_PUBLIC, PUBLIC_KINDS
from review.population import Population, counted


class Identifiers:
    """One hand uses one device for several accounts."""

    name = "identifiers"
    title = "shared identifiers"
    unit = "accounts"
    formula = (
        "other accounts seen with a device, card, phone, address or IP of its own; values with "
        f"more than {ALL_PAIRS_HOLDERS} holders ({' and '.join(PUBLIC_KINDS)}: "
        f"{MOST_HOLDERS_PUBLIC}) and sightings of institutions do not count"
    )
    innocent = "a household, a shared office, a device bought second-hand"
    high = True
    nothing = 0.0
    more = "more"
    absent = "was never seen with an identifier"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `values`: how many are shared."""
        value = ["identifier_kind", "digest"]
        public = np.flatnonzero(population.institutions).astype(np.int32)
        sightings = (
            population.snapshot.facts("sightings")
            .select("account", *value)
            .join(pl.LazyFrame({"account": public}), on="account", how="anti")
        )
        seen = sightings.unique()
        few = (
            pl.when(pl.col("identifier_kind").is_in(PUBLIC_KINDS))
            .then(MOST_HOLDERS_PUBLIC)
            .otherwise(ALL_PAIRS_HOLDERS)
        )
        counted = seen.group_by(value).agg(holders=pl.len())
        usable = counted.filter((pl.col("holders") > 1) & (pl.col("holders") <= few))
        shared = (
            seen.join(usable, on=value, how="semi")
            .select("account", value=pl.struct(value).rank("dense"))
            .collect(engine="streaming")
        )
        companions = (
            shared.lazy()
            .join(shared.lazy().select("value", other="account"), on="value")
            .filter(pl.col("account") != pl.col("other"))
            .group_by("account")
            .agg(
                value=pl.col("other").n_unique().cast(pl.Float64), values=pl.col("value").n_unique()
            )
            .collect()
        )
        return (
            sightings.select("account")
            .unique()
            .collect(engine="streaming")
            .join(companions, on="account", how="left")
            .with_columns(pl.col("value").fill_null(0.0), pl.col("values").fill_null(0))
        )

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says with how many."""
        if not row["value"]:
            return "Shares no identifier with another account"
        others = counted(row["value"], "other account")
        return f"Shares {counted(row['values'], 'identifier')} with {others}"


INDICATOR = Identifiers()
