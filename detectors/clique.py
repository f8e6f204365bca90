"""Clique: unusually dense trading among few.

In a dense group no single pair is exclusive, so the flow forest meets its members late.
But two of its members have counterparties in common, and two strangers hardly ever do.
Weight of a traded pair: common counterparties over the geometric mean of both numbers of
counterparties (Salton's cosine), in bits by rank among all traded pairs. It proposes and
is no evidence: clubs are circles too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.family import (
    MOST_CITED,
    Facts,
    Inside,
    Ints,
    Layer,
    Reason,
    contact_layer,
    rank_millibits,
)

MOST_COUNTERPARTIES = 500
"""Accounts with more deal with everyone; their circles say nothing, and would cost most."""

FEWEST_IN_COMMON = 2

THREADS = 2


class Clique:
    """Evidence from contacts: unusually many among few."""

    name = "clique"
    source = "transfers"
    help = (
        "Looks for accounts of which unusually many deal with each other and with the same "
        "others. Misses groups that deal through others or hardly at all. Clubs, teams, "
        "markets and regions look like it: alone it is never more than an indication."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Contacts with two counterparties or more in common, and how like their circles are:
        common counterparties over the geometric mean of both numbers (Salton's cosine)."""
        contacts = facts.contacts
        starts, others = _rows(facts.accounts, contacts.a, contacts.b)
        common = _in_common(contacts.a, contacts.b, starts, others)
        kept = common >= FEWEST_IN_COMMON
        a, b = contacts.a[kept], contacts.b[kept]
        cosine = common[kept] / np.sqrt(contacts.degree[a] * contacts.degree[b])
        strength = np.rint(1000 * np.log2(cosine)).astype(np.int32)
        return nw.from_native(pl.LazyFrame({"a": a, "b": b, "strength": strength}))

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """By rank among all pairs of the population."""
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """All contacts: strangers have them by their number of contacts and by wealth."""
        return [contact_layer(facts)]

    def reason(self, inside: Inside) -> Reason:
        """How many of the possible pairs deal with each other, and how many pairs of strangers
        would."""
        dealt = _dealings(inside)
        size = len(inside.members)
        text = (
            f"{len(dealt)} of the {size * (size - 1) // 2:,} pairs of these {size} accounts deal "
            "with each other"
        )
        if "contacts" in inside.expected:
            strangers = _about(inside.expected["contacts"])
            text += (
                f", where of as many strangers of their wealth, with as many counterparties, "
                f"{strangers} would"
            )
        largest = dealt.sort(["count", "a", "b"], descending=[True, False, False])
        return Reason(text, largest["uid"].head(MOST_CITED).to_list())

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """Nothing beside what flow says of a pair."""
        return ["" for _ in pairs]


def _dealings(inside: Inside) -> pl.DataFrame:
    """Pairs of members with something moved between them: `a` < `b` (numbers), `count` of
    transfers, `uid` of the largest."""
    members = pl.Series(inside.members).implode()
    return (
        inside.facts.filter(
            pl.col("src").is_in(members)
            & pl.col("dst").is_in(members)
            & (pl.col("src") != pl.col("dst"))
            & (pl.col("amount") > 0)
        )
        .sort(["amount", "uid"], descending=[True, False])
        .group_by(a=pl.min_horizontal("src", "dst"), b=pl.max_horizontal("src", "dst"))
        .agg(count=pl.len(), uid=pl.col("uid").first())
    )


def _about(count: float) -> str:
    if count < 0.5:
        return "hardly one pair"
    return f"about {count:,.0f} {'pair' if round(count) == 1 else 'pairs'}"


def _rows(accounts: int, a: Ints, b: Ints) -> tuple[npt.NDArray[np.int64], Ints]:
    """Compressed rows of counterparties, each row ascending."""
    starts = np.zeros(accounts + 1, np.int64)
    starts[1:] = np.cumsum(np.bincount(a, minlength=accounts) + np.bincount(b, minlength=accounts))
    return starts, _fill(starts, a, b)


@njit(cache=True, nogil=True)
def _fill(starts, a, b):  # type: ignore[no-untyped-def]
    others = np.empty(2 * len(a), np.int32)
    free = starts[:-1].copy()
    for row in range(len(a)):
        one, other = a[row], b[row]
        others[free[one]] = other
        free[one] += 1
        others[free[other]] = one
        free[other] += 1
    for account in range(len(starts) - 1):
        others[starts[account] : starts[account + 1]].sort()
    return others


def _in_common(a: Ints, b: Ints, starts: npt.NDArray[np.int64], others: Ints) -> Ints:
    """Common counterparties of each pair; both processors take their share."""
    cuts = np.linspace(0, len(a), 4 * THREADS + 1).astype(np.int64)
    with ThreadPoolExecutor(THREADS) as pool:
        parts = pool.map(
            lambda cut: _common(a[cut[0] : cut[1]], b[cut[0] : cut[1]], starts, others),
            itertools.pairwise(cuts),
        )
        return np.concatenate(list(parts))


@njit(cache=True, nogil=True)
def _common(a, b, starts, others):  # type: ignore[no-untyped-def]
    found = np.zeros(len(a), np.int32)
    for row in range(len(a)):
        one, one_end = starts[a[row]], starts[a[row] + 1]
        two, two_end = starts[b[row]], starts[b[row] + 1]
        if max(one_end - one, two_end - two) > MOST_COUNTERPARTIES:
            continue
        count = 0
        while one < one_end and two < two_end:
            if others[one] == others[two]:
                count += 1
                one += 1
                two += 1
            elif others[one] < others[two]:
                one += 1
            else:
                two += 1
        found[row] = count
    return found


DETECTOR = Clique()
