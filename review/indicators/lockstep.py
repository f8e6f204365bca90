"""Rhythm and lockstep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.clean import reasons, taken_out
from detectors.family import wealth_tiers
from detectors.meetings import Meetings
from detectors.transfers import rows_by
from review.population import Population, counted

FEWEST_PAUSES = 10
EVEN = 0.1
EVEN_PART = 0.5


class Lockstep:
    """A machine or one hand moves several accounts at once, or one to the clock."""

    name = "lockstep"
    title = "rhythm and lockstep"
    unit = "accounts"
    formula = (
        "accounts with which it comes to the same counterparties within hours, more often than "
        "strangers do once in 1,000 (10 bits, as in detection); and 1 where it keeps to a clock: "
        f"of at least {FEWEST_PAUSES} pauses between transfers that it sends, half differ by no "
        "more than a tenth from the median one; contracts (standing orders, series, wages) are "
        "left out"
    )
    innocent = "regulars of a sale, colleagues, a savings plan"
    high = True
    nothing = 0.0
    more = "more"
    absent = "has no transfer or purchase with a time"

    def measure(self, population: Population) -> pl.DataFrame:
        """Adds `others` and `clock` (whether it keeps to one)."""
        size, public = population.size, population.institutions
        moves, bought = population.moves, population.snapshot.facts("purchases")
        src, dst = moves["src"].to_numpy(), moves["dst"].to_numpy()
        private = moves.lazy().filter(pl.Series(~(public[src] | public[dst])))
        sent = private.select("src", "dst", "amount", "at").collect()
        why = reasons(sent, size)
        met = population.met
        if met is None:
            met = Meetings.of(
                nw.from_native(moves.lazy()),
                nw.from_native(bought),
                taken_out(sent, why).payments,
                public,
                wealth_tiers(population.snapshot.accounts["holdings"]),
            )
        others = np.bincount(met.a, minlength=size) + np.bincount(met.b, minlength=size)
        dated = pl.col("at").is_not_null()
        free = sent.lazy().filter(pl.Series(why == 0) & dated).select("src", "at")
        clock = _clock(free.collect(), size)
        seen = population.count_ends(dated) > 0
        buyers = bought.filter(dated).select("account").collect()
        seen[buyers["account"].to_numpy()] = True
        value = (others + clock).astype(np.float64)
        return population.by_account(seen & ~public, value, others=others, clock=clock)

    def sentence(self, row: Mapping[str, Any]) -> str:
        """Says with how many, and whether to the clock."""
        others = counted(row["others"], "other account") if row["others"] else "no other account"
        step = f"Comes to the same places at the same times as {others}"
        if row["clock"]:
            return f"{step}, and sends at even intervals"
        return step


def _clock(sent: pl.DataFrame, size: int) -> npt.NDArray[np.bool_]:
    """Whether each account keeps to a clock. `sent`: src, at (a time)."""
    rows = sent.rechunk()
    at = rows["at"].dt.epoch("us").to_numpy()
    keeps: npt.NDArray[np.bool_] = _keeps_to_clock(*rows_by(rows["src"].to_numpy(), size), at)
    return keeps


@njit(cache=True, nogil=True)
def _keeps_to_clock(starts, rows, at):  # type: ignore[no-untyped-def]
    keeps = np.zeros(len(starts) - 1, np.bool_)
    for account in range(len(starts) - 1):
        if starts[account + 1] - starts[account] <= FEWEST_PAUSES:
            continue
        pauses = np.diff(np.sort(at[rows[starts[account] : starts[account + 1]]]))
        usual = np.median(pauses)
        even = np.abs(pauses - usual) <= EVEN * usual
        keeps[account] = usual > 0 and even.sum() >= EVEN_PART * len(pauses)
    return keeps


INDICATOR = Lockstep()
