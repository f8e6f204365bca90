"""Provenance: accounts that hold what another one handed them.

Whoever spreads a holding over accounts of its own hands each its part. So what one account
has sent another, less what came back, as a part of what the other holds, ties the two: as
strong as such a part is rare among the contacts of accounts as rich. Poor accounts get most
of what they hold from somebody all the time; rich ones hardly ever do.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.family import (
    Facts,
    Floats,
    Inside,
    Ints,
    Layer,
    Reason,
    given_layers,
    largest,
    rank_millibits,
)

LEAST_PART = 0.5
"""Of what an account holds: most of it came from one other."""

LEAST_BITS = 5.0
"""What a thirtieth of all contacts of accounts as rich have is no sign: else, where everybody
is handed what it holds, wealth itself would be one."""


class Provenance:
    """Evidence from transfers and holdings: who handed whom what it holds."""

    name = "provenance"
    source = "transfers"
    help = (
        "Looks for accounts that got most of what they hold from one other account: one owner "
        "who spreads a holding over accounts of its own. Misses holdings that were bought, "
        "came in from outside the facts or went through several hands. An issuer's allotment, "
        "an estate that is divided, a parent's gift or a withdrawal from an exchange nobody "
        "has declared looks like it; among poor accounts it is usual and says little."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Contacts of which one handed the other most of what it holds, where that is rare for
        an account as rich; the strength is how rare, in millibits."""
        _, receiver, part = handed(facts)
        bits = _rarity(facts.tiers[receiver], part)
        most = (part >= LEAST_PART) & (bits >= LEAST_BITS)
        return nw.from_native(
            pl.LazyFrame(
                {
                    "a": facts.contacts.a[most],
                    "b": facts.contacts.b[most],
                    "strength": np.rint(1000 * bits[most]).astype(np.int32),
                }
            )
        )

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """By rank among all pairs of the population."""
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Strength classes, given that two deal with each other."""
        return given_layers("provenance", facts, a, b, millibits, often=False)

    def reason(self, inside: Inside) -> Reason:
        """How many members got most of what they hold from which of them."""
        handed_over = _handed_inside(inside)
        givers = (
            handed_over.group_by("giver")
            .agg(members=pl.len())
            .sort(["members", "giver"], descending=[True, False])
        )
        named = [f"{members} from {inside.name(one)}" for one, members in givers.head(3).rows()]
        more = " and so on" if len(givers) > len(named) else ""
        text = (
            f"{len(handed_over)} of these {len(inside.members)} accounts got at least "
            f"{LEAST_PART:.0%} of what they hold from another of them: {', '.join(named)}{more}"
        )
        given = inside.facts.join(
            handed_over, left_on=["src", "dst"], right_on=["giver", "receiver"], how="semi"
        )
        return Reason(text, largest(given))

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """Who handed whom how much of what it holds."""
        parts = {
            (giver, receiver): part
            for giver, receiver, part in _handed_inside(inside)
            .select("giver", "receiver", "part")
            .rows()
        }
        return [
            "; ".join(
                f"{inside.name(giver)} handed {inside.name(receiver)} "
                f"{parts[giver, receiver]:.0%} of what it holds"
                for giver, receiver in ((a, b), (b, a))
                if (giver, receiver) in parts
            )
            for a, b in pairs
        ]


def handed(facts: Facts) -> tuple[Ints, Ints, Floats]:
    """Of each contact who handed, who received, and how much of what the receiver holds: sent
    less what came back, at most 1. Arrays as long as the contacts."""
    contacts = facts.contacts
    to_b = contacts.net > 0
    receiver = np.where(to_b, contacts.b, contacts.a)
    holds = facts.holdings[receiver]
    part = np.zeros(len(holds))
    np.divide(np.abs(contacts.net), holds, out=part, where=holds > 0)
    return np.where(to_b, contacts.a, contacts.b), receiver, np.minimum(part, 1.0)


def _rarity(tiers: Ints, part: Floats) -> Floats:
    """Of each contact: -log2 of how many of those with a receiver of its tier handed over as
    large a part, of all of them."""
    bits = np.zeros(len(part))
    for tier in np.unique(tiers):
        here = tiers == tier
        ordered = np.sort(part[here])
        as_large = len(ordered) - np.searchsorted(ordered, part[here])
        bits[here] = np.log2((len(ordered) + 1) / (as_large + 1))
    return bits


def _handed_inside(inside: Inside) -> pl.DataFrame:
    """`giver`, `receiver` (members, numbers) and the `part` of what the receiver holds, where
    that is most of it; the receiver's largest giver only, by receiver."""
    members = pl.Series(inside.members).implode()
    sent = (
        inside.facts.filter(pl.col("src").is_in(members) & pl.col("dst").is_in(members))
        .group_by(giver="src", receiver="dst")
        .agg(amount=pl.col("amount").sum().cast(pl.Float64))
    )
    back = sent.select(giver="receiver", receiver="giver", back="amount")
    holds = pl.DataFrame(
        {"receiver": inside.members, "holds": [float(held) for held in inside.holdings]},
        schema={"receiver": pl.Int32, "holds": pl.Float64},
    )
    return (
        sent.join(back, on=["giver", "receiver"], how="left")
        .join(holds.filter(pl.col("holds") > 0), on="receiver")
        .with_columns(
            part=((pl.col("amount") - pl.col("back").fill_null(0.0)) / pl.col("holds")).clip(
                upper_bound=1.0
            )
        )
        .filter(pl.col("part") >= LEAST_PART)
        .sort(["receiver", "part", "giver"], descending=[False, True, False])
        .unique("receiver", keep="first", maintain_order=True)
        .select("giver", "receiver", "part")
    )


DETECTOR = Provenance()
