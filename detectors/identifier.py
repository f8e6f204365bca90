"""Identifiers: accounts seen with the same device, card, phone, address or IP.

The fewer accounts share a value, and the fewer values of its kind are shared at all, the
more it says: bits = log2(all pairs / pairs made by values of this kind with as few holders).
Kinds are correlated (one household has one device and one IP), so a pair counts its
strongest value only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.family import MOST_CITED, Facts, Inside, Ints, Layer, Reason, tree_layers

ALL_PAIRS_HOLDERS = 12
"""Up to so many holders all pairs of them are formed; above, each is tied to the first."""

MOST_HOLDERS = 1_000
"""A value with more holders says nothing of any two of them."""

MOST_HOLDERS_PUBLIC = 8
"""The same for kinds that strangers share in public places."""

PUBLIC_KINDS = ("ip", "address")


class Identifier:
    """Evidence from shared identifiers: rarity of the shared value."""

    name = "identifier"
    source = "identifiers"
    help = (
        "Looks for accounts seen with the same rare device, card, phone, address or IP. Misses "
        "owners who keep their devices apart. A household, a family firm and a shared office "
        "look like it; a value with many holders (public Wi-Fi) counts nothing."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Pairs that share a value; the strength is in millibits already."""
        sightings = facts.sightings.select("account", "identifier_kind", "digest").unique()
        value = ["identifier_kind", "digest"]
        shared = _shared(sightings)
        weighed = shared.join(
            self._rarity(shared, facts.accounts), on=["identifier_kind", "holders"], how="inner"
        )
        holders = sightings.join(weighed, on=value, how="inner")
        few = holders.filter(nw.col("holders") <= ALL_PAIRS_HOLDERS)
        every = (
            few.select(*value, "strength", a="account")
            .join(few.select(*value, b="account"), on=value, how="inner")
            .filter(nw.col("a") < nw.col("b"))
            .select("a", "b", "strength")
        )
        many = holders.filter(
            (nw.col("holders") > ALL_PAIRS_HOLDERS) & (nw.col("account") != nw.col("first"))
        ).select("strength", a="first", b="account")
        return (
            nw.concat([every, many.select("a", "b", "strength")])
            .group_by("a", "b")
            .agg(nw.col("strength").max())
        )

    @staticmethod
    def _rarity(shared: nw.LazyFrame[pl.LazyFrame], accounts: int) -> nw.LazyFrame[pl.LazyFrame]:
        """Millibits by kind and number of holders: a small table, counted from all values."""
        counts = (
            shared.group_by("identifier_kind", "holders")
            .agg(nw.len().alias("values"))
            .sort("identifier_kind", "holders")
            .collect()
            .to_native()
        )
        made = pl.col("values") * pl.col("holders") * (pl.col("holders") - 1) / 2
        everyone = max(accounts * (accounts - 1) / 2, 1.0)
        bits = (pl.lit(everyone) / made.cum_sum().over("identifier_kind")).log(2)
        small = pl.DataFrame(counts).select(
            "identifier_kind",
            "holders",
            strength=(1000 * bits).round(0).clip(0).cast(pl.Int32),
        )
        return nw.from_native(small.lazy())

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """The strengths are millibits already."""
        return strengths

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Rarity classes; strangers share a value by chance, evenly."""
        return tree_layers("identifier", facts, a, b, millibits)

    def reason(self, inside: Inside) -> Reason:
        """How many members share how many values."""
        shared = _shared_values(inside)
        covered = shared["account"].explode().n_unique()
        named = [
            f"{len(row['account'])} of them were seen with one {row['identifier_kind']}"
            for row in shared.head(3).iter_rows(named=True)
        ]
        more = f" and so on, {len(shared)} shared values in all" if len(shared) > 3 else ""
        text = (
            f"{covered} of these {len(inside.members)} accounts share identifiers: "
            f"{', '.join(named)}{more}"
        )
        cited = inside.facts.join(shared, on=["identifier_kind", "digest"], how="semi").filter(
            pl.col("account").is_in(pl.Series(inside.members).implode())
        )
        return Reason(text, cited["uid"].sort().head(MOST_CITED).to_list())

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """The values that both were seen with."""
        seen: dict[int, dict[str, str]] = {}
        for row in _shared_values(inside).iter_rows(named=True):
            for account in row["account"]:
                seen.setdefault(account, {})[row["digest"]] = row["identifier_kind"]
        sentences = []
        for a, b in pairs:
            kinds = Counter(
                kind for digest, kind in seen.get(a, {}).items() if digest in seen.get(b, {})
            )
            values = " and ".join(
                f"one {kind}" if count == 1 else f"{count} {kind}s"
                for kind, count in sorted(kinds.items())
            )
            both = f"{inside.name(a)} and {inside.name(b)} were both seen with {values}"
            sentences.append(both if kinds else "")
        return sentences


def _shared(sightings: nw.LazyFrame[pl.LazyFrame]) -> nw.LazyFrame[pl.LazyFrame]:
    """Values that count: with two holders or more, and not so many that it is public.

    `sightings`: distinct account, identifier_kind, digest. Adds `holders` and the `first`.
    """
    counted = sightings.group_by("identifier_kind", "digest").agg(
        nw.len().cast(nw.Int64).alias("holders"), nw.col("account").min().alias("first")
    )
    private = nw.col("holders") <= nw.when(nw.col("identifier_kind").is_in(PUBLIC_KINDS)).then(
        nw.lit(MOST_HOLDERS_PUBLIC)
    ).otherwise(nw.lit(MOST_HOLDERS))
    return counted.filter((nw.col("holders") > 1) & private)


def counting(facts: Facts, members: Ints) -> nw.LazyFrame[pl.LazyFrame]:
    """The members' sightings with values that count as evidence: a public one is no reason,
    however few of its holders are members."""
    value = ["identifier_kind", "digest"]
    ours = facts.sightings.filter(nw.col("account").is_in(members.tolist()))
    holders = facts.sightings.select("account", *value).join(
        ours.select(value).unique(), on=value, how="semi"
    )
    return ours.join(_shared(holders.unique()).select(value), on=value, how="semi")


def _shared_values(inside: Inside) -> pl.DataFrame:
    """Values with two or more members as holders, most holders first; the order does not
    depend on the digests, which differ from store to store."""
    return (
        inside.facts.filter(pl.col("account").is_in(pl.Series(inside.members).implode()))
        .select("account", "identifier_kind", "digest")
        .unique()
        .sort("account")
        .group_by("identifier_kind", "digest")
        .agg("account")
        .filter(pl.col("account").list.len() > 1)
        .sort(
            [pl.col("account").list.len(), "identifier_kind", _as_text("account")],
            descending=[True, False, False],
        )
    )


def _as_text(column: str) -> pl.Expr:
    return pl.col(column).list.eval(pl.element().cast(pl.String)).list.join(" ")


DETECTOR = Identifier()
