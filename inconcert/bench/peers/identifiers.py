"""Clusters of accounts that share devices, addresses or cards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from inconcert.bench.accuracy.scoring import Found
from inconcert.bench.peers import Material, Setting
from inconcert.bench.peers.graphs import components


class Identifiers:
    """Components of accounts with a value in common."""

    name = "shared identifiers"
    help = "Accounts seen with one identifier, unless many share it; components over the line."

    def settings(self) -> Sequence[Setting]:
        """By the most holders of a value, and which identifiers count."""
        return [
            {"holders": most, "kinds": kinds}
            for kinds in ("device", "all")
            for most in (3, 5, 10, 30)
        ]

    def find(self, material: Material, setting: Setting) -> list[Found]:
        """Components over the line."""
        seen = material.seen
        if setting["kinds"] != "all":
            seen = seen.filter(pl.col("kind") == setting["kinds"])
        shared = seen.with_columns(
            holders=pl.len().over("value"), first=pl.col("account").min().over("value")
        ).filter((pl.col("holders") <= setting["holders"]) & (pl.col("account") != pl.col("first")))
        a, b = shared["first"].to_numpy(), shared["account"].to_numpy()
        return material.over_the_line(components(material, a.astype(np.int64), b.astype(np.int64)))

    def missing(self) -> str | None:
        """Nothing."""
        return None


PEER = Identifiers()
