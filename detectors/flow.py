"""Flow: two accounts that deal with each other and with hardly anyone else.

The strength of a pair is its exclusivity: the amount between the two over the geometric
mean of what each moves in all, discounted where it rests on few transfers:
a_uv / sqrt(s_u s_v) x c_uv / (c_uv + FEW_TRANSFERS).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.family import (
    Facts,
    Inside,
    Ints,
    Layer,
    Reason,
    given_layers,
    largest,
    rank_millibits,
)

FEW_TRANSFERS = 5
"""So many transfers between two count half: one large gift makes nobody one owner."""


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
        contacts = facts.contacts
        moved = np.bincount(contacts.a, contacts.moved, minlength=facts.accounts) + np.bincount(
            contacts.b, contacts.moved, minlength=facts.accounts
        )
        exclusive = np.log2(contacts.moved) - np.log2(moved[contacts.a] * moved[contacts.b]) / 2
        repeated = np.log2(contacts.count / (contacts.count + FEW_TRANSFERS))
        strength = np.rint(1000 * (exclusive + repeated)).astype(np.int32)
        return nw.from_native(
            pl.LazyFrame({"a": contacts.a, "b": contacts.b, "strength": strength})
        )

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """By rank among all pairs of the population."""
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Strength classes of exclusivity, given that two deal with each other."""
        return given_layers("flow", facts, a, b, millibits, often=False)

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
            f"{_percent(kept)} of all that these {len(inside.members)} accounts move stays among "
            f"them (dealings with institutions left out), between {pairs} "
            f"{'pair' if pairs == 1 else 'pairs'}"
        )
        if len(directions):
            text += f". The closest: {_sentence(inside, directions.row(0, named=True))}"
        return Reason(text, largest(within))

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
