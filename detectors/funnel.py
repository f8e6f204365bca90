"""Funnel: several accounts that send much of what they send to one and the same.

Of two numbers the smaller counts: the part of an account's payments, and of the amount it
sends, that goes to the hub; one large gift makes nobody a feeder. How usual such a part is
among accounts with as many recipients is the chance (see `detectors/stars.py`).

It counts the ties between feeders and their hub, and these given that they deal with each
other: so a hub belongs to the group, and layers of hubs are hubs of feeders. What one pays
out to many is no evidence here: employers, dealers, custodians and charities do nothing
else. Payments of one sender in waves are seen by `lockstep`.
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
from detectors.sent import Sent
from detectors.stars import FEWEST_CHOOSING, Choices, among, star_pairs

PARTS = (0.15, 0.2, 0.3, 0.5, 0.7)
"""Parts of what an account sends from which on it feeds a hub: each is tried."""

FEWEST_FED = 3
"""Payments by which one feeds a hub."""

STEPS_A_DOUBLING = 10
"""Accounts are compared with those that have as many recipients, in so many steps a doubling."""


class Funnel:
    """Evidence from transfers: many that feed the same one."""

    name = "funnel"
    source = "transfers"
    help = (
        "Looks for several accounts that send much of what they send to one and the same: "
        "collectors of points, also in layers. Misses hubs that change often, feeders who live "
        "a full life beside it, and points that are only handed out. An unknown shop, a "
        "lottery pool, a landlord or a customer's custodian looks like it: the more ordinary "
        "customers it has, the less each says; alone it is never more than an indication."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Feeders and their hub, and how surprising the hub is for each of its feeders."""
        sent = facts.once("sent", lambda: Sent.of(facts))
        src, dst, count = sent.src, sent.dst, sent.count.astype(np.float64)
        part = np.minimum(_part(src, count, facts.accounts), _part(src, sent.units, facts.accounts))
        part[count < FEWEST_FED] = 0.0
        recipients = np.bincount(src, minlength=facts.accounts)[src]
        spread = np.rint(STEPS_A_DOUBLING * np.log2(np.maximum(recipients, 1))).astype(np.int64)
        choices = [
            Choices(src, dst, _usual(spread, part >= least), part >= least) for least in PARTS
        ]
        return nw.from_native(star_pairs(facts.accounts, facts.contacts, choices))

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """By rank among all pairs of the population."""
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Strength classes, given that two deal with each other, and how often."""
        return given_layers("funnel", facts, a, b, millibits, often=True)

    def reason(self, inside: Inside) -> Reason:
        """How many members feed which of them."""
        feeding = among(inside, _feeding(inside))
        if feeding.is_empty():
            few = f"Fewer than {FEWEST_CHOOSING} of these {len(inside.members)} accounts"
            return Reason(f"{few} feed the same of them; others feed it too", [])
        least = _that_most_reach(feeding["part"].to_numpy())
        hubs = feeding.select("hub", "choosing").unique(maintain_order=True)
        named = [f"{choosing} to {inside.name(hub)}" for hub, choosing in hubs.head(3).iter_rows()]
        more = f" and so on, {len(hubs)} collectors in all" if len(hubs) > 3 else ""
        text = (
            f"{feeding['account'].n_unique()} of these {len(inside.members)} accounts send at "
            f"least {PARTS[0]:.0%} of their payments, and of the points they send, to the same"
            f"{f' (most of them {least:.0%})' if least > PARTS[0] else ''}: "
            f"{', '.join(named)}{more}"
        )
        fed = inside.facts.join(
            feeding, left_on=["src", "dst"], right_on=["account", "hub"], how="semi"
        )
        return Reason(text, largest(fed))

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """Who feeds whom, where others feed it too."""
        rows = {
            (row["account"], row["hub"]): row
            for row in among(inside, _feeding(inside)).iter_rows(named=True)
        }
        return [
            "; ".join(
                f"{inside.name(one)} sends {rows[one, other]['part']:.0%} of its points to "
                f"{inside.name(other)}, which {rows[one, other]['choosing']} members feed"
                for one, other in ((a, b), (b, a))
                if (one, other) in rows
            )
            for a, b in pairs
        ]


def _part(account: Ints, sent: Floats, accounts: int) -> Floats:
    """The part of what an account sends in all; rows sorted by account."""
    total = np.bincount(account, sent, minlength=accounts)
    part: Floats = sent / total[account]
    return part


def _usual(spread: npt.NDArray[np.int64], chosen: npt.NDArray[np.bool_]) -> Floats:
    """How often recipients are chosen, by the number of the sender's recipients."""
    often = np.bincount(spread, chosen) + 0.5
    usual: Floats = (often / (np.bincount(spread) + 1.0))[spread]
    return usual


def _that_most_reach(parts: Floats) -> float:
    """The largest of `PARTS` that most feeders send."""
    most = (least for least in PARTS if 2 * (parts >= least).sum() > len(parts))
    return max(most, default=PARTS[0])


def _feeding(inside: Inside) -> pl.DataFrame:
    """`account`, `hub` and the `part` of what it sends, where that is enough."""
    sent = (
        inside.facts.filter(pl.col("amount") > 0)
        .group_by(account="src", hub="dst")
        .agg(amount=pl.col("amount").sum().cast(pl.Float64), count=pl.len())
        .sort("account", "hub")
    )
    parts = [pl.col(of) / pl.col(of).sum().over("account") for of in ("amount", "count")]
    fed = (pl.col("count") >= FEWEST_FED) & (pl.col("part") >= PARTS[0])
    return sent.with_columns(part=pl.min_horizontal(*parts)).filter(fed)


DETECTOR = Funnel()
