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
        public = np.flatnonzero(population.institutions).astype(np.int32)
        sightings = (
            population.snapshot.facts("sightings")
            .select("account", "identifier_kind", "digest")
            .join(pl.LazyFrame({"account": public}), on="account", how="anti")
        )
        kinds = sightings.select("identifier_kind").unique().collect().to_series().sort()
        # one at a time: texts of tens of millions of sightings are most of what a score holds
        shared = pl.concat(
            [pl.DataFrame(schema={"kind": pl.Int32, "value": pl.UInt32, "account": pl.Int32})]
            + [_shared(sightings, number, kind) for number, kind in enumerate(kinds)]
        ).lazy()
        value = ["kind", "value"]
        companions = (
            shared.join(shared.rename({"account": "other"}), on=value)
            .filter(pl.col("account") != pl.col("other"))
            .group_by("account")
            .agg(
                value=pl.col("other").n_unique().cast(pl.Float64),
                values=pl.struct(value).n_unique(),
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


def _shared(sightings: pl.LazyFrame, number: int, kind: str) -> pl.DataFrame:
    """Who was seen with each shared value of a kind: `kind` (its number), `value` (a number),
    `account`."""
    most = MOST_HOLDERS_PUBLIC if kind in PUBLIC_KINDS else ALL_PAIRS_HOLDERS
    seen = sightings.filter(pl.col("identifier_kind") == kind).select("account", "digest").unique()
    holders = seen.group_by("digest").agg(holders=pl.len())
    few = holders.filter((pl.col("holders") > 1) & (pl.col("holders") <= most))
    return (
        seen.join(few, on="digest", how="semi")
        .select(
            pl.lit(number).cast(pl.Int32).alias("kind"),
            pl.col("digest").rank("dense").alias("value"),
            "account",
        )
        .collect(engine="streaming")
    )


INDICATOR = Identifiers()
