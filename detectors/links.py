"""Links: what people declared or found out about two accounts.

`same_owner` is documented evidence and joins by itself. `unrelated` says that two accounts
are not to be joined: the engine drops what other families say of this pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.family import MOST_CITED, Facts, Inside, Ints, Layer, Reason

STRENGTH_OVER_CHANCE_BITS = 10
"""A declared link is this much stronger than a tie that no innocent pair has by chance."""


class Links:
    """Evidence from declared links."""

    name = "links"
    source = "links"
    help = (
        "Takes declared links: same_owner joins two accounts, unrelated keeps them apart. "
        "Misses what nobody declared. A wrong declaration looks like a right one: each names "
        "who made it and why."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Pairs declared same_owner."""
        return verdict_pairs(facts, "same_owner").with_columns(strength=nw.lit(0).cast(nw.Int32))

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """One strength for all: beyond any chance pair."""
        return np.full(len(strengths), round(1000 * documented_bits(accounts)), np.int32)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """One layer of documented bits."""
        nothing = np.zeros(facts.accounts)
        bits = documented_bits(facts.accounts)
        return [Layer("links", a, b, nothing, tree=True, fixed_bits=bits)]

    def reason(self, inside: Inside) -> Reason:
        """How many links, by whom."""
        same = _declared(inside)
        who = sorted({by for by in same["by"].to_list() if by})
        text = f"{len(same)} declared {'link' if len(same) == 1 else 'links'} of one owner"
        if who:
            text += f", by {', '.join(who)}"
        return Reason(text, same["uid"].sort().head(MOST_CITED).to_list())

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """The declaration, who made it and why."""
        declared: dict[tuple[int, int], str] = {}
        for row in _declared(inside).iter_rows(named=True):
            by = f" by {row['by']}" if row["by"] else ""
            why = f": {row['why']}" if row["why"] else ""
            declared.setdefault((row["first"], row["second"]), f"{by}{why}")
        return [
            f"{inside.name(a)} and {inside.name(b)} are declared to be one owner's"
            f"{declared[(min(a, b), max(a, b))]}"
            if (min(a, b), max(a, b)) in declared
            else ""
            for a, b in pairs
        ]


def _declared(inside: Inside) -> pl.DataFrame:
    """The same_owner links among members, in a fixed order."""
    members = pl.Series(inside.members).implode()
    return (
        inside.facts.filter(
            (pl.col("verdict") == "same_owner")
            & pl.col("a").is_in(members)
            & pl.col("b").is_in(members)
            & (pl.col("a") != pl.col("b"))
        )
        .with_columns(first=pl.min_horizontal("a", "b"), second=pl.max_horizontal("a", "b"))
        .sort("first", "second", "by", "why")
    )


def verdict_pairs(facts: Facts, verdict: str) -> nw.LazyFrame[pl.LazyFrame]:
    """Distinct pairs a < b with a declared verdict."""
    return (
        facts.links.filter((nw.col("verdict") == verdict) & (nw.col("a") != nw.col("b")))
        .select(a=nw.min_horizontal("a", "b"), b=nw.max_horizontal("a", "b"))
        .unique()
    )


def documented_bits(accounts: int) -> float:
    """The weight of a documented tie: log2 of all pairs, and a margin."""
    return float(np.log2(max(accounts * (accounts - 1) / 2, 1.0)) + STRENGTH_OVER_CHANCE_BITS)


DETECTOR = Links()
