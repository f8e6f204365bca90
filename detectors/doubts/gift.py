"""Gift circle: at each feast nearly all give to one."""

from __future__ import annotations

import numpy as np
import polars as pl
from numba import njit

from detectors.doubts.case import SHAPE, Case, Doubt

DAY = 86_400_000_000
"""Microseconds."""

FEAST_DAYS = 3
FEWEST_GUESTS = 4
GUESTS_PART = 0.25
"""A feast: within so many days this part of the members (so many at least) pay one of them."""


class GiftCircle:
    """Most members are the one to whom many give, each at its time."""

    name = "gift"
    likeness = SHAPE
    explains = ("clique", "flow", "funnel", "lockstep")
    help = (
        "Relatives and friends give to whoever has a birthday, and to each other at feasts: "
        "many pay one within days, and another one the next time. It does not bring about that "
        "what comes in is passed on, or that devices are shared. A group whose hub rotates "
        "through all of its members looks the same, but there the hub passes it on."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where most members have had a feast, and the rest of the evidence does not
        suffice."""
        if case.stands_without(self.explains):
            return None
        hosts = feasts(case)
        if not case.most(hosts):
            return None
        return case.doubt(
            self.name,
            f"{hosts} of the {case.size} members were once the one to whom many of the others "
            f"paid within {FEAST_DAYS} days, as at birthdays and feasts.",
            "What the payments were for, and whether who received them kept them.",
            self.explains,
        )


def feasts(case: Case) -> int:
    """How many members many others paid within a few days."""
    rows = case.inside.filter(pl.col("at").is_not_null()).sort("dst", "at", "src")
    enough = max(FEWEST_GUESTS, int(np.ceil(GUESTS_PART * case.size)))
    src, dst, at = (rows[name].to_numpy() for name in ("src", "dst", "at"))
    return int((_most_guests(src, dst, at, case.size) >= enough).sum())


@njit(cache=True, nogil=True)
def _most_guests(src, dst, at, members):  # type: ignore[no-untyped-def]
    """For each member the most others that paid it within the days. Rows by dst and at."""
    most = np.zeros(members, np.int64)
    paid = np.zeros(members, np.int64)
    first, guests = 0, 0
    for row in range(len(src)):
        if row > 0 and dst[row] != dst[row - 1]:
            for old in range(first, row):
                paid[src[old]] = 0
            first, guests = row, 0
        guests += paid[src[row]] == 0
        paid[src[row]] += 1
        while at[row] - at[first] > FEAST_DAYS * DAY:
            paid[src[first]] -= 1
            guests -= paid[src[first]] == 0
            first += 1
        most[dst[row]] = max(most[dst[row]], guests)
    return most


EXPLANATION = GiftCircle()
