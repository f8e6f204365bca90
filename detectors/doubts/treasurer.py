"""Treasurers: whom many pay by standing order, for charities and syndicates to look at."""

from __future__ import annotations

import polars as pl

from detectors.doubts.case import Case

COLLECTED = ("clique", "flow", "funding", "funnel")


def collected(case: Case) -> tuple[int, int] | None:
    """Whom most members pay the same amount again and again or at regular times, and how
    many of them do."""
    ours = pl.Series(case.members).implode()
    payees = (
        case.facts.exonerated.payments.filter(
            pl.col("src").is_in(ours) & pl.col("reason").is_in(["standing order", "series"])
        )
        .group_by("dst")
        .agg(members=pl.col("src").n_unique())
        .sort(["members", "dst"], descending=[True, False])
    )
    if not len(payees) or not case.most(int(payees["members"][0])):
        return None
    return int(payees["dst"][0]), int(payees["members"][0])


def paid_back(case: Case, payee: int) -> int:
    """How many members an account pays."""
    paid = case.partners.filter(pl.col("partner") == payee)["paid"]
    return int(paid[0]) if len(paid) else 0
