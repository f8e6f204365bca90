"""Contacts: who deals with whom, and what is usual between two who do.

Most of what transfers say is said of pairs that deal with each other. So evidence from
transfers is counted in two steps that do not count anything twice: that these accounts
deal with each other at all (and not with strangers), and, *given* that two deal with each
other, that they do it in a way that is rare for such a pair: exclusively, passing on, from
one day on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

MOST_CONTACTS = 1_000
"""An account that deals with more is public, whatever its role says: it joins nobody."""

COUNT_BOUNDS = (2, 4, 8)
"""One transfer between two, two or three, four to seven, eight and more."""

RATE_PRIOR = 20.0
"""Pairs with the overall rate that each class of pairs is credited with."""


@dataclass(frozen=True)
class Contacts:
    """Every pair that something was moved between, a < b, ascending. Arrays of equal length.

    `count`: transfers, both ways; `moved`: their sum; `degree`: contacts of each account.
    """

    a: Ints
    b: Ints
    count: Ints
    moved: Floats
    accounts: int

    @classmethod
    def of(cls, transfers: nw.LazyFrame[pl.LazyFrame], accounts: int) -> Contacts:
        """From transfers; public accounts are left out."""
        pairs = pl.DataFrame(contact_pairs(transfers).sort("a", "b").collect().to_native())
        a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
        public = _degrees(accounts, a, b) > MOST_CONTACTS
        kept = ~(public[a] | public[b])
        return cls(
            a[kept],
            b[kept],
            pairs["count"].cast(pl.Int32).to_numpy()[kept],
            pairs["amount"].cast(pl.Float64).to_numpy()[kept],
            accounts,
        )

    @cached_property
    def degree(self) -> Floats:
        """How many contacts each account has."""
        return _degrees(self.accounts, self.a, self.b)

    @property
    def weights(self) -> Floats:
        """Strangers u and v expect weights[u] x weights[v] contacts, before wealth mixes."""
        weights: Floats = self.degree / np.sqrt(max(self.degree.sum(), 1.0))
        return weights

    @cached_property
    def code(self) -> Ints:
        """The class of each pair, from 1 on: how many transfers, and how many contacts both have."""
        with np.errstate(divide="ignore"):
            spread = np.log2(self.degree[self.a] * self.degree[self.b]).astype(np.int32)
        often = np.searchsorted(COUNT_BOUNDS, self.count, side="right")
        return (spread * (len(COUNT_BOUNDS) + 1) + often + 1).astype(np.int32)

    @cached_property
    def in_class(self) -> Floats:
        """How many pairs each class has."""
        return np.bincount(self.code, minlength=1).astype(np.float64)

    def find(self, a: Ints, b: Ints) -> npt.NDArray[np.int64]:
        """The place of each pair (a < b); all must be contacts."""
        return np.searchsorted(self._keys, a.astype(np.int64) * self.accounts + b)

    def rates(self, a: Ints, b: Ints, *, often: bool) -> Floats:
        """For each class the part of its pairs that some pairs (contacts) are; `often`: how
        often pairs of a class deal with each other is given too, else how many contacts
        both have only."""
        with_it = np.bincount(self.code[self.find(a, b)], minlength=len(self.in_class))
        of = self.in_class
        if not often:
            coarse = (np.arange(len(of)) - 1) // (len(COUNT_BOUNDS) + 1) + 1
            with_it = np.bincount(coarse, with_it)[coarse]
            of = np.bincount(coarse, of)[coarse]
        overall = len(a) / max(len(self.a), 1)
        return (with_it + RATE_PRIOR * overall) / (of + RATE_PRIOR)

    @cached_property
    def _keys(self) -> npt.NDArray[np.int64]:
        return self.a.astype(np.int64) * self.accounts + self.b


def contact_pairs(transfers: nw.LazyFrame[pl.LazyFrame]) -> nw.LazyFrame[pl.LazyFrame]:
    """Pairs a < b with something moved between them: `amount` (exact) and `count`."""
    return (
        transfers.filter(nw.col("amount") > 0)
        .select(
            a=nw.min_horizontal("src", "dst"),
            b=nw.max_horizontal("src", "dst"),
            amount=nw.col("amount"),
        )
        .group_by("a", "b")
        .agg(nw.col("amount").sum(), nw.len().alias("count"))
    )


def _degrees(accounts: int, a: Ints, b: Ints) -> Floats:
    both = np.bincount(a, minlength=accounts) + np.bincount(b, minlength=accounts)
    return both.astype(np.float64)
