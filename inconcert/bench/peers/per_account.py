"""The check of every account by itself, as platforms have it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inconcert.bench.accuracy.scoring import Found
from inconcert.bench.accuracy.town import LINE
from inconcert.bench.peers import Material, Setting


class PerAccount:
    """Who holds the line alone."""

    name = "per-account check"
    help = "Accounts that hold the line alone: what a group is made to stay under."

    def settings(self) -> Sequence[Setting]:
        """None."""
        return [{}]

    def find(self, material: Material, setting: Setting) -> list[Found]:
        """Sets of one account."""
        shares = material.shares
        return [
            Found(frozenset([int(one)]), float(shares[one]), "indication", float(shares[one]))
            for one in np.flatnonzero(shares >= LINE)
        ]

    def missing(self) -> str | None:
        """Nothing."""
        return None


PEER = PerAccount()
