"""Identifiers: accounts seen with the same device, card, phone, address or IP.

The fewer accounts share a value, and the fewer values of its kind are shared at all, the
more it says: bits = log2(all pairs / pairs made by values of this kind with as few holders).
Kinds are correlated (one household has one device and one IP), so a pair counts its
strongest value only; inside a set its ties count as a spanning forest, so that a chain of
devices handed on in turns counts once for each member.

What a workplace, a school or a cafe explains is no evidence: values of public kinds with
many holders, and those whose holders one employer pays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.clean import Exonerated
from detectors.family import MOST_CITED, Facts, Inside, Ints, Layer, Reason, tree_layers
from detectors.kept.folder import Arrays

ALL_PAIRS_HOLDERS = 12
"""Up to so many holders all pairs of them are formed; above, a chain by number: of some of
the holders it ties the more, the larger a part of all they are."""

MOST_HOLDERS = 1_000
"""A value with more holders says nothing of any two of them."""

MOST_HOLDERS_PUBLIC = 8
"""The same for kinds that strangers share in public places."""

PUBLIC_KINDS = ("ip", "address")

FEWEST_STAFF = 3
STAFF_PART = 0.6
"""A value of a public kind is a workplace's when one payer's payroll takes in so many of its
holders, and this part of them."""


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
        sightings = _of_shared_values(facts)
        value = ["identifier_kind", "digest"]
        shared = _shared(sightings, facts.exonerated)
        counted = pl.DataFrame(sightings.join(shared, on=value, how="inner").collect().to_native())
        holders = nw.from_native(counted.lazy())  # collected: looked at several times
        shared = holders.select(*value, "holders").unique()
        holders = holders.join(
            self._rarity(shared, facts.accounts), on=["identifier_kind", "holders"], how="inner"
        )
        few = holders.filter(nw.col("holders") <= ALL_PAIRS_HOLDERS)
        every = (
            few.select(*value, "strength", a="account")
            .join(few.select(*value, b="account"), on=value, how="inner")
            .filter(nw.col("a") < nw.col("b"))
            .select("a", "b", "strength")
        )
        return (
            nw.concat([every, _chains(holders.filter(nw.col("holders") > ALL_PAIRS_HOLDERS))])
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
        return tree_layers("identifier", facts, a, b, millibits, shared=True)

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


def _of_shared_values(facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
    """Who was seen with each value that two or more were and that is not public: distinct
    `account`, `identifier_kind` and `digest`, a number for each value in place of its text.
    Collected: few values are shared. Taken over from a kept detection of the same sightings."""
    if facts.changes is None or facts.snapshot is None:
        rows = _rows_of_shared_values(facts)
    else:
        outside = np.sort(facts.changes.told_by[facts.institutions])
        made_of = facts.snapshot.made_of("sightings") + outside.tobytes().hex()
        rows = facts.changes.remembered(
            "shared-values", made_of, lambda: _rows_of_shared_values(facts), ("account",)
        )
    kinds = pl.Series(rows["kinds"].tolist(), dtype=pl.String)
    frame = pl.LazyFrame(
        {
            "account": rows["account"],
            "identifier_kind": kinds.gather(rows["kind"]),
            "digest": rows["value"],
        }
    )
    return nw.from_native(frame)


def _rows_of_shared_values(facts: Facts) -> Arrays:
    value = ["identifier_kind", "digest"]
    sightings = facts.sightings.select("account", *value).unique()
    of_several = sightings.join(_of_few(sightings).select(value), on=value, how="semi")
    rows = pl.DataFrame(of_several.collect().to_native())
    kinds = rows["identifier_kind"].unique().sort()
    return {
        "account": rows["account"].to_numpy(),
        "kind": kinds.search_sorted(rows["identifier_kind"]).to_numpy()
        if len(kinds)
        else np.empty(0, np.uint32),
        "value": rows.select(pl.struct(value).rank("dense")).to_series().to_numpy(),
        "kinds": np.array(kinds.to_list(), np.str_),
    }


def _chains(holders: nw.LazyFrame[pl.LazyFrame]) -> nw.LazyFrame[pl.LazyFrame]:
    """Each holder of a value with the next one by number."""
    value = ["identifier_kind", "digest"]
    rows = pl.DataFrame(holders.collect().to_native()).sort(*value, "account")
    follows = pl.struct(value) == pl.struct(value).shift(-1)
    chained = rows.select(
        "strength", follows.alias("follows"), a="account", b=pl.col("account").shift(-1)
    ).filter("follows")
    return nw.from_native(chained.lazy().select("a", "b", "strength"))


def _shared(
    sightings: nw.LazyFrame[pl.LazyFrame], exonerated: Exonerated
) -> nw.LazyFrame[pl.LazyFrame]:
    """Values that count: with two holders or more, not so many that it is public, and no
    workplace's.

    `sightings`: distinct account, identifier_kind, digest. Adds `holders`.
    """
    value = ["identifier_kind", "digest"]
    shared = _of_few(sightings)
    return shared.join(_workplaces(sightings, shared, exonerated), on=value, how="anti")


def _of_few(sightings: nw.LazyFrame[pl.LazyFrame]) -> nw.LazyFrame[pl.LazyFrame]:
    """Values with two `holders` or more, and not so many that it is public."""
    value = ["identifier_kind", "digest"]
    counted = sightings.group_by(value).agg(nw.len().cast(nw.Int64).alias("holders"))
    private = nw.col("holders") <= nw.when(nw.col("identifier_kind").is_in(PUBLIC_KINDS)).then(
        nw.lit(MOST_HOLDERS_PUBLIC)
    ).otherwise(nw.lit(MOST_HOLDERS))
    return counted.filter((nw.col("holders") > 1) & private)


def _workplaces(
    sightings: nw.LazyFrame[pl.LazyFrame],
    shared: nw.LazyFrame[pl.LazyFrame],
    exonerated: Exonerated,
) -> nw.LazyFrame[pl.LazyFrame]:
    """The shared values of public kinds whose holders one payroll takes in."""
    value = ["identifier_kind", "digest"]
    wages = exonerated.payments.lazy().filter(pl.col("reason") == "payroll")
    staff = nw.from_native(wages.select(account="dst", payer="src").unique())
    return (
        sightings.filter(nw.col("identifier_kind").is_in(PUBLIC_KINDS))
        .join(shared.filter(nw.col("holders") >= FEWEST_STAFF), on=value, how="inner")
        .join(staff, on="account", how="inner")
        .group_by(*value, "payer")
        .agg(nw.len().alias("paid"), nw.col("holders").max())
        .filter(
            (nw.col("paid") >= FEWEST_STAFF) & (nw.col("paid") >= STAFF_PART * nw.col("holders"))
        )
        .select(value)
        .unique()
    )


def counting(facts: Facts, members: Ints) -> nw.LazyFrame[pl.LazyFrame]:
    """The members' sightings with values that count as evidence: a public one is no reason,
    however few of its holders are members."""
    value = ["identifier_kind", "digest"]
    ours, everybody = seen_with(facts, members)
    shared = _shared(nw.from_native(everybody.lazy()), facts.exonerated)
    return nw.from_native(ours.lazy()).join(shared.select(value), on=value, how="semi")


def seen_with(facts: Facts, members: Ints) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The sightings of some accounts, and everybody seen with one of their values: distinct
    `account`, `identifier_kind`, `digest`. Doubts and words ask for the same accounts'."""
    value = ["identifier_kind", "digest"]

    def read() -> tuple[pl.DataFrame, pl.DataFrame]:
        ours = facts.touching("sightings", members).collect()
        everybody = nw.to_native(facts.sightings).select("account", *value)
        sharing = everybody.join(ours.lazy().select(value).unique(), on=value, how="semi")
        return ours, sharing.collect().unique()

    return facts.once(f"seen with {members.tobytes().hex()}", read)


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
