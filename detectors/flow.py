"""Flow: two accounts that deal with each other and with hardly anyone else.

The strength of a pair is its exclusivity: the amount between the two over the geometric
mean of what each moves in all, discounted where it rests on few transfers:
a_uv / sqrt(s_u s_v) x c_uv / (c_uv + FEW_TRANSFERS).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.family import (
    MOST_CITED,
    Facts,
    Floats,
    Inside,
    Ints,
    Layer,
    Reason,
    rank_millibits,
)

FEW_TRANSFERS = 5
"""So many transfers between two count half: one large gift makes nobody one owner."""

CLASS_RANKS = (1 / 64, 1 / 16, 1 / 4, 1.0)
"""Strength classes by rank: the n/64 strongest pairs of n accounts, the next up to n/16, …"""

OWN_DEGREE = 0.2
"""How much an account's own strong ties count in what is expected of it; the rest comes
from all its contacts, else a group's own ties would count against it."""


class Flow:
    """Evidence from transfers: exclusivity of pairs."""

    name = "flow"
    source = "transfers"
    help = (
        "Looks for accounts that deal with each other and hardly with anyone else: chains, "
        "rings, funnels, meshes. Misses groups that never transfer among themselves, and "
        "members whose inside dealings drown in their ordinary life. A couple, a family firm "
        "or a small club looks like it: without a second source it is an indication."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Pairs with something moved between them, and their exclusivity on a log scale."""
        both_ways = (
            facts.transfers.filter(nw.col("amount") > 0)
            .select(
                a=nw.min_horizontal("src", "dst"),
                b=nw.max_horizontal("src", "dst"),
                amount=nw.col("amount"),
            )
            .group_by("a", "b")
            .agg(nw.col("amount").sum(), nw.len().alias("count"))
        )
        sides = nw.concat(
            [both_ways.select(account=nw.col(end), amount=nw.col("amount")) for end in ("a", "b")]
        )
        moved = sides.group_by("account").agg(nw.col("amount").sum().alias("moved"))
        pairs = both_ways.join(moved, left_on="a", right_on="account", how="inner").join(
            moved, left_on="b", right_on="account", how="inner", suffix="_b"
        )
        exclusive = _log2("amount") - (_log2("moved") + _log2("moved_b")) / 2
        repeated = _log2("count") - _log2("count", FEW_TRANSFERS)
        return pairs.select(
            "a", "b", strength=(1000 * (exclusive + repeated)).round(0).cast(nw.Int32)
        )

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """By rank among all pairs of the population."""
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Strength classes of traded pairs; strangers meet by degree and by wealth."""
        n = facts.accounts
        contacts = degrees(n, a, b)
        bounds = strength_bounds(n)
        layers = []
        above = np.iinfo(np.int32).max
        for rank, bound in zip(CLASS_RANKS, bounds, strict=True):
            inside = (millibits >= bound) & (millibits < above)
            layers.append(_class_layer(f"flow:{rank}", a[inside], b[inside], contacts))
            above = bound
        rest = millibits < above
        layers.append(_class_layer("flow:rest", a[rest], b[rest], contacts))
        return [*layers, replace(_class_layer("flow:contacts", a, b, contacts), rival=True)]

    def reason(self, inside: Inside) -> Reason:
        """How much stays inside, and the inside direction with the largest share at both ends."""
        moved = _moved(inside)
        directions = _directions(inside, moved)
        within = moved.filter(
            pl.col("src").is_in(pl.Series(inside.members).implode())
            & pl.col("dst").is_in(pl.Series(inside.members).implode())
        )
        kept = _units(within) / max(_units(moved), 1)
        pairs = directions.select(
            pl.min_horizontal("src", "dst").alias("a"), pl.max_horizontal("src", "dst").alias("b")
        ).n_unique()
        text = (
            f"{pairs} pairs of these {len(inside.members)} accounts deal with each other; "
            f"{_percent(kept)} of all that they move stays among them (dealings with "
            "institutions left out)"
        )
        if len(directions):
            text += f". The closest: {_sentence(inside, directions.row(0, named=True))}"
        largest = within.sort(["amount", "uid"], descending=[True, False])
        return Reason(text, largest["uid"].head(MOST_CITED).to_list())

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """Who sends whom how much of what, in both directions."""
        rows = {
            (row["src"], row["dst"]): row
            for row in _directions(inside, _moved(inside)).iter_rows(named=True)
        }
        return [
            "; ".join(
                _sentence(inside, rows[direction])
                for direction in ((a, b), (b, a))
                if direction in rows
            )
            for a, b in pairs
        ]


def _log2(column: str, more: int = 0) -> nw.Expr:
    return (nw.col(column).cast(nw.Float64) + more).log(2)


def degrees(accounts: int, a: Ints, b: Ints) -> Floats:
    """How many pairs each account is in."""
    return (np.bincount(a, minlength=accounts) + np.bincount(b, minlength=accounts)).astype(
        np.float64
    )


def strength_bounds(accounts: int) -> list[int]:
    """The millibits at and above which a pair is in each class (see CLASS_RANKS)."""
    everyone = max(accounts * (accounts - 1) / 2, 1.0)
    return [
        int(np.rint(1000 * np.log2(max(everyone / max(rank * accounts, 1.0), 1.0))))
        for rank in CLASS_RANKS
    ]


def _class_layer(name: str, a: Ints, b: Ints, contacts: Floats) -> Layer:
    own = degrees(len(contacts), a, b)
    spread = contacts * (own.sum() / max(contacts.sum(), 1.0))
    expected = OWN_DEGREE * own + (1 - OWN_DEGREE) * spread
    return Layer(name, a, b, expected / np.sqrt(max(expected.sum(), 1.0)), mixes_by_wealth=True)


def _moved(inside: Inside) -> pl.DataFrame:
    return inside.facts.filter((pl.col("src") != pl.col("dst")) & (pl.col("amount") > 0))


def _directions(inside: Inside, moved: pl.DataFrame) -> pl.DataFrame:
    """Each direction src -> dst inside: `amount`, `transfers`, its share of what src sends
    and of what dst receives; the most exclusive first."""
    amount = pl.col("amount").sum().cast(pl.Float64)
    members = pl.Series(inside.members).implode()
    return (
        moved.filter(pl.col("src").is_in(members) & pl.col("dst").is_in(members))
        .group_by("src", "dst")
        .agg(amount=amount, transfers=pl.len())
        .join(moved.group_by("src").agg(sent=amount), on="src")
        .join(moved.group_by("dst").agg(received=amount), on="dst")
        .with_columns(
            of_sent=pl.col("amount") / pl.col("sent"),
            of_received=pl.col("amount") / pl.col("received"),
        )
        .with_columns(both=pl.col("of_sent") * pl.col("of_received"))
        .sort(["both", "src", "dst"], descending=[True, False, False])
    )


def _units(moved: pl.DataFrame) -> int:
    """The exact sum of amounts in units of 10^-18, which may need more than 38 digits."""
    units = pl.col("amount").to_physical().cast(pl.Int128)
    whole = pl.lit(10**18, dtype=pl.Int128())
    high, low = moved.select(high=(units // whole).sum(), low=(units % whole).sum()).row(0)
    return int(high) * 10**18 + int(low)


def _percent(part: float) -> str:
    """A share in words that never calls nearly all all, or a little nothing."""
    if 0.995 <= part < 1:
        return "over 99%"
    return "under 1%" if 0 < part < 0.005 else f"{part:.0%}"


def _sentence(inside: Inside, row: dict[str, Any]) -> str:
    """'u sends 94 % of its outgoing points to v, which receives 61 % of its incoming …'."""
    count = row["transfers"]
    return (
        f"{inside.name(row['src'])} sends {_percent(row['of_sent'])} of its outgoing points to "
        f"{inside.name(row['dst'])}, which receives {_percent(row['of_received'])} of its incoming "
        f"points from it ({count} {'transfers' if count > 1 else 'transfer'})"
    )


DETECTOR = Flow()
