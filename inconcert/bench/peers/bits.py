"""Pair evidence of the first method (`merge_tree`): every family in bits.

Against a random pair of the population: log2(all pairs / pairs at least this strong). So
each family calibrates itself, and hubs vanish by counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log2

import numpy as np
import polars as pl

from inconcert.bench.peers import Floats, Ints, Material

MOST_LOCKSTEP_BITS = 25.0
MOST_REFERRAL_BITS = 10.0
EVENTS_A_BUCKET = 10
MOST_IN_BUCKET = 200
FEWEST_SHARED = 3
BUSY = (50, 20)
"""Who initiates more than the first, and more than the second times the mean, is left out."""

ALL_PAIRS, A_CHAIN = 12, 1_000
"""Holders of a value up to which all pairs are made, and up to which a chain is."""

BORROWED_PART = 0.6
CAP_ABOVE_L, BORROW_BELOW_L = 3.0, 2.1
LAYERS_OF_MULES = 2


@dataclass(frozen=True)
class Pairs:
    """Candidate pairs a < b, ascending: bits of flow, of all other families, the tie of both
    together, and the bits with holdings. Arrays of equal length."""

    a: Ints
    b: Ints
    flow: Floats
    others: Floats
    tie: Floats
    bits: Floats
    moved: Floats
    least_flow_bits: float
    """What any pair gets that something was moved between."""

    def only(self, rows: Ints) -> Pairs:
        """Some of the pairs."""
        return Pairs(
            self.a[rows],
            self.b[rows],
            self.flow[rows],
            self.others[rows],
            self.tie[rows],
            self.bits[rows],
            self.moved[rows],
            self.least_flow_bits,
        )


def weigh(material: Material) -> Pairs:
    """Every candidate pair of a town, by all families."""
    flow, least = _flow(material)
    families = [flow, _lockstep(material), _identifiers(material), _parents(material)]
    joined = families[0]
    for other in families[1:]:
        joined = joined.join(other, on=["a", "b"], how="full", coalesce=True)
    pairs = joined.sort("a", "b").with_columns(pl.exclude("a", "b").fill_null(0.0))
    a, b = (pairs[end].to_numpy() for end in ("a", "b"))
    others = (pairs["lockstep"] + pairs["identifier"]).to_numpy()
    others = others + np.minimum(
        np.maximum(pairs["parent"].to_numpy(), _siblings(material, a, b)), MOST_REFERRAL_BITS
    )
    size = log2(max(material.accounts, 2))
    bits_of_flow, moved = pairs["flow"].to_numpy(), pairs["moved"].to_numpy()
    tie = np.minimum(bits_of_flow + others, size + CAP_ABOVE_L)
    held = _borrowed(material, a, b, moved, bits_of_flow >= size - BORROW_BELOW_L)
    bits = tie + _holding_bits(held, material.shares, a, b)
    return Pairs(a, b, bits_of_flow, others, tie, bits, moved, least)


def _everyone(material: Material) -> float:
    return max(material.accounts * (material.accounts - 1) / 2, 1.0)


def _flow(material: Material) -> tuple[pl.DataFrame, float]:
    """What two move between them, against all that they move."""
    links = material.links
    total = np.bincount(links.a, links.moved, material.accounts)
    total = total + np.bincount(links.b, links.moved, material.accounts)
    exclusive = links.moved / np.sqrt(np.maximum(total[links.a] * total[links.b], 1e-300))
    weakest_first = np.sort(exclusive)
    at_least = len(exclusive) - np.searchsorted(weakest_first, exclusive, side="left")
    bits = np.log2(_everyone(material) / np.maximum(at_least, 1))
    frame = pl.DataFrame({"a": links.a, "b": links.b, "flow": bits, "moved": links.moved})
    return frame, log2(_everyone(material) / max(len(links.a), 1))


def _lockstep(material: Material) -> pl.DataFrame:
    """Who starts transfers and purchases at the same times, again and again."""
    columns = {"a": pl.Int64, "b": pl.Int64, "lockstep": pl.Float64}
    events = _initiated(material)
    if events.is_empty():
        return pl.DataFrame(schema=columns)
    begin, end = int(events["at"].min()), int(events["at"].max())  # type: ignore[arg-type]
    width = max((end - begin) * EVENTS_A_BUCKET / len(events), 1.0)
    found = [_shared_buckets(material, events, begin, width, shift) for shift in (0.0, 0.5)]
    best = pl.concat(found).group_by("a", "b").agg(pl.col("lockstep").max())
    return best.filter(pl.col("lockstep") > 0).sort("a", "b").select(*columns)


def _initiated(material: Material) -> pl.DataFrame:
    """account, at: transfers out and purchases with a time, of those who are not too busy."""
    out = material.transfers.select("at", account="src")
    parts = [out.select("account", "at")]
    bought = material.town.frames.get("purchases")
    if bought is not None and "at" in bought.columns:
        who = pl.Series("account", material.place(bought["account"]))
        parts.append(pl.DataFrame({"account": who, "at": bought["at"].dt.epoch("us")}))
    events = pl.concat(parts).drop_nulls()
    most = max(BUSY[0], BUSY[1] * len(events) / max(events["account"].n_unique(), 1))
    return events.filter(pl.len().over("account") <= most)


def _shared_buckets(
    material: Material, events: pl.DataFrame, begin: int, width: float, shift: float
) -> pl.DataFrame:
    """a, b, lockstep: bits of the pairs that share FEWEST_SHARED buckets, for one grid."""
    seats = (
        events.select("account", bucket=((pl.col("at") - begin) / width + shift).cast(pl.Int64))
        .unique()
        .filter(pl.len().over("bucket") <= MOST_IN_BUCKET)
    )
    count = np.bincount(seats["account"].to_numpy(), minlength=material.accounts)
    buckets = max(seats["bucket"].n_unique(), 1)
    met = (
        seats.lazy()
        .join(seats.lazy(), on="bucket")
        .filter(pl.col("account") < pl.col("account_right"))
        .group_by(a="account", b="account_right")
        .agg(shared=pl.len())
        .collect()
    )
    observed = float(met["shared"].sum())
    expected = (float(count.sum()) ** 2 - float((count**2).sum())) / 2 / buckets
    crowding = max(1.0, observed / max(expected, 1e-9))
    often = met.filter(pl.col("shared") >= FEWEST_SHARED)
    a, b, shared = (often[name].to_numpy() for name in ("a", "b", "shared"))
    chance = crowding * count[a] * count[b] / buckets
    bits = np.clip(_surprise(chance, shared) - 1.0, 0.0, MOST_LOCKSTEP_BITS)
    return pl.DataFrame({"a": a, "b": b, "lockstep": bits})


def _surprise(expected: Floats, seen: Ints) -> Floats:
    """-log2 of the chance that so many or more happen (Poisson); 0 where fewer are expected
    than seen is false."""
    if not len(seen):
        return np.empty(0)
    factorials = np.array([lgamma(number + 1) for number in range(int(seen.max()) + 1)])
    expected = np.maximum(expected, 1e-12)
    term = np.exp(seen * np.log(expected) - expected - factorials[seen])
    tail = np.zeros(len(seen))
    for step in range(1, 60):
        tail += term
        term = term * expected / (seen + step)
    return np.where(seen > expected, -np.log2(np.clip(tail, 1e-300, 1.0)), 0.0)


def _identifiers(material: Material) -> pl.DataFrame:
    """Rarity of the rarest value that two share, of any kind."""
    columns = {"a": pl.Int64, "b": pl.Int64, "identifier": pl.Float64}
    held = material.seen.with_columns(
        holders=pl.len().over("value"),
        wealth=pl.Series(material.shares).gather(material.seen["account"]),
    ).filter((pl.col("holders") > 1) & (pl.col("holders") <= A_CHAIN))
    if held.is_empty():
        return pl.DataFrame(schema=columns)
    values = held.unique("value").with_columns(
        pairs=pl.col("holders") * (pl.col("holders") - 1) / 2
    )
    rarity = (
        values.group_by("kind", "holders")
        .agg(pl.col("pairs").sum())
        .sort("kind", "holders")
        .with_columns(at_least=pl.col("pairs").cum_sum().over("kind"))
        .with_columns(identifier=(_everyone(material) / pl.col("at_least")).log(2))
    )
    few = held.filter(pl.col("holders") <= ALL_PAIRS)
    every = few.join(few.select("value", other="account"), on="value").filter(
        pl.col("account") < pl.col("other")
    )
    many = held.filter(pl.col("holders") > ALL_PAIRS).sort(
        ["value", "wealth", "account"], descending=[False, True, False]
    )
    chain = many.with_columns(other=pl.col("account").shift(-1).over("value")).drop_nulls("other")
    pairs = pl.concat(
        [part.select("kind", "holders", "account", "other") for part in (every, chain)]
    )
    return (
        pairs.join(rarity, on=["kind", "holders"])
        .select(
            "identifier",
            a=pl.min_horizontal("account", "other"),
            b=pl.max_horizontal("account", "other"),
        )
        .group_by("a", "b")
        .agg(pl.col("identifier").max())
        .filter(pl.col("identifier") > 0)
        .select(*columns)
    )


def _fans(material: Material) -> pl.DataFrame:
    """Referrals with the parent's fan-out and, by fan-out, the bits of its children's ties to
    it and among themselves."""
    pairs = material.referred.with_columns(fan=pl.len().over("parent").cast(pl.Float64))
    everyone = _everyone(material)
    by_fan = (
        pairs.unique("parent")
        .group_by("fan")
        .agg(parents=pl.len())
        .sort("fan")
        .with_columns(
            down=(pl.col("parents") * pl.col("fan")).cum_sum(),
            across=(pl.col("parents") * pl.col("fan") * (pl.col("fan") - 1) / 2).cum_sum(),
        )
        .with_columns(
            parent_bits=(everyone / pl.col("down")).log(2),
            sibling_bits=(everyone / pl.max_horizontal("across", 1.0)).log(2),
        )
    )
    return pairs.join(by_fan, on="fan")


def _parents(material: Material) -> pl.DataFrame:
    """Who referred whom."""
    return (
        _fans(material)
        .select(
            a=pl.min_horizontal("parent", "child"),
            b=pl.max_horizontal("parent", "child"),
            parent="parent_bits",
        )
        .group_by("a", "b")
        .agg(pl.col("parent").max())
    )


def _siblings(material: Material, a: Ints, b: Ints) -> Floats:
    """Bits of pairs with one parent."""
    fans = _fans(material)
    parent = np.full(material.accounts, -1, np.int64)
    bits = np.zeros(material.accounts)
    children = fans["child"].to_numpy()
    parent[children] = fans["parent"].to_numpy()
    bits[children] = fans["sibling_bits"].to_numpy()
    return np.where((parent[a] == parent[b]) & (parent[a] >= 0), bits[a], 0.0)


def _borrowed(material: Material, a: Ints, b: Ints, moved: Floats, strong: np.ndarray) -> Floats:
    """What each holds, or what those hold to whom its flow goes, the largest left out."""
    ends = pl.DataFrame(
        {
            "account": np.concatenate([a, b]),
            "other": np.concatenate([b, a]),
            "moved": np.concatenate([moved, moved]),
            "strong": np.concatenate([strong, strong]),
        }
    ).filter(pl.col("moved") > 0)
    rest = (
        ends.sort(["account", "moved", "other"], descending=[False, True, False])
        .with_columns(place=pl.int_range(pl.len()).over("account"))
        .filter(pl.col("place") > 0)
        .with_columns(all=pl.col("moved").sum().over("account"))
        .filter("strong")
    )
    held = material.shares.copy()
    for _ in range(LAYERS_OF_MULES):
        reached = (
            rest.with_columns(held=pl.Series(held).gather(rest["other"]))
            .sort(["account", "held", "other"], descending=[False, True, False])
            .with_columns(
                covered=pl.col("moved").cum_sum().over("account"),
                place=pl.int_range(1, pl.len() + 1).over("account"),
            )
            .filter((pl.col("covered") >= BORROWED_PART * pl.col("all")) & (pl.col("place") >= 2))
            .group_by("account")
            .agg(pl.col("held").max())
        )
        who = reached["account"].to_numpy()
        held[who] = np.maximum(held[who], reached["held"].to_numpy())
    return held


def _holding_bits(held: Floats, shares: Floats, a: Ints, b: Ints) -> Floats:
    """The chance that two both hold so much, were holdings dealt at random."""
    least = np.minimum(held[a], held[b])
    richer = len(shares) - np.searchsorted(np.sort(shares), least, side="left")
    bits: Floats = -2.0 * np.log2(np.maximum(richer, 1) / len(shares))
    return bits
