"""Referral behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from review.population import Population, counted


class Referrals:
    """Recruits who deal with their recruiter."""

    name = "referrals"
    title = "referral behaviour"
    unit = "accounts"
    formula = (
        "accounts that it referred, or was referred by, and with which it also exchanged points"
    )
    innocent = "friends and relatives who invite each other, a team, a club"
    high = True
    nothing = 0.0
    more = "more"
    absent = "is in no referral"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `tied`: how many it referred or was referred by."""
        ties = (
            population.snapshot.facts("referrals")
            .filter(pl.col("referrer") != pl.col("referred"))
            .select(a=pl.min_horizontal("referrer", "referred"), b=_larger("referrer", "referred"))
            .unique()
            .collect()
        )
        dealing = (
            population.moves.lazy()
            .select(a=pl.min_horizontal("src", "dst"), b=_larger("src", "dst"))
            .join(ties.lazy(), on=["a", "b"], how="semi")
            .unique()
            .with_columns(deal=pl.lit(1.0))
            .collect(engine="streaming")
        )
        tied = ties.join(dealing, on=["a", "b"], how="left").with_columns(
            pl.col("deal").fill_null(0.0)
        )
        return (
            pl.concat([tied.select("deal", account=end) for end in ("a", "b")])
            .group_by("account")
            .agg(value=pl.col("deal").sum(), tied=pl.len())
        )

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says with how many of how many it deals."""
        return (
            f"Deals with {row['value']:,.0f} of the {counted(row['tied'], 'account')} that it "
            "referred or was referred by"
        )


def _larger(one: str, other: str) -> pl.Expr:
    return pl.max_horizontal(one, other)


INDICATOR = Referrals()
