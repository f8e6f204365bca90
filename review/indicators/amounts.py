"""Amount distribution: round, equal, just below a limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from review.population import FEWEST_TRANSFERS, Population, percent

FEWEST_EQUAL = 3
LEAST_ROUND = 10.0
JUST_BELOW = 0.95

FIXED_PRICE_SENDERS = 20
FIXED_PRICE_PART = 0.05
"""An amount that so many accounts send, and this part of all who send, is a fixed price."""

POWERS = np.array([float(f"1e{power}") for power in range(-18, 22)])
LIMITS = np.sort(np.concatenate([POWERS, 5 * POWERS]))
"""Where nobody says which limits there are: 10, 50, 100, 500 …"""


class Amounts:
    """Amounts that are made up look it."""

    name = "amounts"
    title = "amount distribution"
    unit = "part of transfers sent"
    formula = (
        "transfers sent whose amount is round (one digit and zeros, from 10 on), or one that "
        f"the account sent {FEWEST_EQUAL} times or more, or just below a limit (from 95 % of it; "
        "10, 50, 100, 500 … where no limits are set) / transfers sent; from "
        f"{FEWEST_TRANSFERS} sent on; an amount that at least {FIXED_PRICE_SENDERS} accounts and "
        "5 % of all senders send is a fixed price and counts as none of these"
    )
    innocent = "rent, subscriptions, wages, pocket money, prices that end in 99"
    high = True
    nothing = 0.0
    more = "more such amounts"
    absent = f"sent fewer than {FEWEST_TRANSFERS} transfers"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `sent` and, which may overlap, `round`, `equal`, `below`: counts."""
        sent: pl.DataFrame = (
            population.moves.lazy()
            .group_by("src", "amount")
            .agg(times=pl.len().cast(pl.Int64), rounded=pl.col("rounded").first())
            .collect(engine="streaming")
        )
        prices = sent.lazy().group_by("amount").agg(senders=pl.len())
        common = max(FIXED_PRICE_SENDERS, FIXED_PRICE_PART * sent["src"].n_unique())
        fixed = prices.filter(pl.col("senders") >= common).select("amount", fixed=pl.lit(True))
        sent = sent.lazy().join(fixed.collect().lazy(), on="amount", how="left").collect()
        amount = sent["rounded"].to_numpy()
        limits = np.array(population.limits) if population.limits else LIMITS
        free = pl.col("fixed").is_null()
        marks = {
            "round": pl.Series(_is_round(amount)) & free,
            "equal": (pl.col("times") >= FEWEST_EQUAL) & free,
            "below": pl.Series(_is_below(amount, limits)) & free,
        }
        times = pl.col("times")
        marked = sent.with_columns(**marks).with_columns(any=pl.any_horizontal(*marks))
        return (
            marked.lazy()
            .group_by(account="src")
            .agg(
                times.sum().alias("sent"),
                *(times.filter(pl.col(mark)).sum().alias(mark) for mark in (*marks, "any")),
            )
            .filter(pl.col("sent") >= FEWEST_TRANSFERS)
            .select("account", "sent", *marks, value=pl.col("any") / pl.col("sent"))
            .collect()
        )

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says how many of each sort."""
        return (
            f"{percent(row['value'])} of the {row['sent']:,} amounts it sent look made up: "
            f"{row['round']:,} round, {row['equal']:,} sent {FEWEST_EQUAL} times or more, "
            f"{row['below']:,} just below a limit"
        )


def _is_round(amount: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    power = POWERS[np.maximum(np.searchsorted(POWERS, amount, side="right") - 1, 0)]
    digit = amount / power
    found: npt.NDArray[np.bool_] = (amount >= LEAST_ROUND) & (np.abs(digit - np.rint(digit)) < 1e-9)
    return found


def _is_below(
    amount: npt.NDArray[np.float64], limits: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    place = np.searchsorted(limits, amount, side="right")
    limit = np.append(limits, np.inf)[place]
    found: npt.NDArray[np.bool_] = (amount > 0) & (amount >= JUST_BELOW * limit)
    return found


INDICATOR = Amounts()
