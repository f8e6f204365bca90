"""Funding: accounts that were first paid by the same one, or last paid the same one.

Whoever sets up accounts pays them first, and clears them out at the end. The control is the
account's own order: if it is all the same who comes first, a counterparty does so with the
chance of its part in the account's payments (see `detectors/stars.py`). So a faucet, an
exchange or an employer, which pays many people all the time, is expected to be the first of
many and says little.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.family import (
    MOST_CITED,
    Facts,
    Inside,
    Ints,
    Layer,
    Reason,
    given_layers,
    rank_millibits,
)
from detectors.moves import Longs
from detectors.sent import Sent
from detectors.stars import Choices, among, star_pairs

FEWEST_PAYMENTS = 3
"""Of fewer the first is as good as any."""

SIDES = (("dst", "src", "min"), ("src", "dst", "max"))
"""Whose payments, with whom, and which counts: the first that came in, the last that went out."""

SAID = ("were first paid by", "last paid")


class Funding:
    """Evidence from transfers: a common first funder, a common exit."""

    name = "funding"
    source = "transfers"
    help = (
        "Looks for accounts whose first points came from the same account, or whose last ones "
        "went to the same. Misses accounts bought with a history, and funders outside of the "
        "group. A faucet, an exchange, an employer or a generous parent looks like it: one "
        "that also pays at other times says little. Points without a time say nothing."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Accounts and their first funder or last recipient, if that is one of several."""
        sent = facts.once("sent", lambda: Sent.of(facts))
        timed = sent.timed > 0
        src, dst, count = sent.src[timed], sent.dst[timed], sent.timed[timed]
        first, last = sent.first[timed], sent.last[timed]
        choices = [
            _choices(facts.accounts, dst, src, count, first),
            _choices(facts.accounts, src, dst, count, -last),
        ]
        return nw.from_native(star_pairs(facts.accounts, facts.contacts, choices))

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """By rank among all pairs of the population."""
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Strength classes, given that two deal with each other, and how often."""
        return given_layers("funding", facts, a, b, millibits, often=True)

    def reason(self, inside: Inside) -> Reason:
        """How many members have which funder or exit."""
        parts, cited = [], []
        for words, side, chosen in zip(SAID, SIDES, _chosen(inside), strict=True):
            named = [
                f"{choosing} {words} {inside.name(hub)}"
                for hub, choosing in chosen.select("hub", "choosing")
                .unique(maintain_order=True)
                .head(2)
                .iter_rows()
            ]
            parts += named
            cited.append(
                inside.facts.join(
                    chosen, left_on=[*side[:2], "at"], right_on=["account", "hub", "at"], how="semi"
                )
            )
        text = f"Of these {len(inside.members)} accounts {', '.join(parts)}"
        return Reason(text, pl.concat(cited)["uid"].unique().sort().head(MOST_CITED).to_list())

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """Who was first paid by whom, who last paid whom, where others were too."""
        rows = {
            (words, row["account"], row["hub"]): row["choosing"]
            for words, chosen in zip(
                ("was first paid by", "last paid"), _chosen(inside), strict=True
            )
            for row in chosen.iter_rows(named=True)
        }
        return [
            "; ".join(
                f"{inside.name(account)} {words} {inside.name(hub)}, as {choosing} members"
                for (words, account, hub), choosing in rows.items()
                if {account, hub} == {a, b}
            )
            for a, b in pairs
        ]


def _choices(accounts: int, account: Ints, hub: Ints, count: Longs, at: Longs) -> Choices:
    """Who chose whom: the hub with the lowest `at`, if it is the only one and the account has
    enough payments (`count` of them with each hub)."""
    payments = np.bincount(account, count, minlength=accounts)[account]  # whole numbers: exact
    earliest = np.full(accounts, np.iinfo(np.int64).max)
    np.minimum.at(earliest, account, at)
    end = at == earliest[account]
    alone = np.bincount(account[end], minlength=accounts)[account] == 1
    enough = payments >= FEWEST_PAYMENTS
    return Choices(
        account[enough],
        hub[enough],
        (count / payments)[enough],
        (end & alone)[enough],
    )


def _ends(moves: pl.DataFrame, account: str, hub: str, which: str) -> pl.DataFrame:
    """The same choices of members, in words' own frame: `account`, `hub`, `at`."""
    at = pl.col("at").min() if which == "min" else pl.col("at").max()
    ends = (
        moves.with_columns(payments=pl.len().over(account))
        .filter((pl.col("payments") >= FEWEST_PAYMENTS) & (pl.col("at") == at.over(account)))
        .select("at", account=account, hub=hub)
        .unique()
    )
    return ends.filter(pl.len().over("account") == 1)


def _chosen(inside: Inside) -> list[pl.DataFrame]:
    """First funders, and exits, of members that are members and of several of them."""
    moves = inside.facts.filter((pl.col("amount") > 0) & pl.col("at").is_not_null())
    return [among(inside, _ends(moves, *side)) for side in SIDES]


DETECTOR = Funding()
