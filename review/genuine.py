"""How much of what an account holds comes from its own genuine purchases.

Points of several origins mix in an account, so a rule must say which ones leave it:

- `pro_rata`: what leaves takes of each origin the part that it is of all;
- `first_in_first_out`: what came first leaves first; what is held is what came last.

Origins are the account's own purchases with a receipt, those without, circular ones, points
received from others, and what no flow explains. A purchase is *circular* where a member of
the same group delivered it; and what was sent to members of the same group and comes back
from members of it is circular, up to the amount sent: a purchase that goes round is one no
more. Points received are not genuine, whoever bought them.

What flows cannot explain is taken to have been there first: the least amount with which the
account never falls below 0 and holds at least what is stated. Where it holds less than flows
say, the rest leaves last, by the same rule. Amounts are summed as floats, in a fixed order:
exact to some 15 digits, and the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from graph.amount import plain, total
from graph.errors import UserError
from graph.snapshot import Snapshot
from review.movements import (
    CIRCULAR,
    FROM_FELLOW,
    RECEIVED,
    SENT,
    TO_FELLOW,
    WITH_RECEIPT,
    WITHOUT_RECEIPT,
    Movements,
)

Floats = npt.NDArray[np.float64]

PRO_RATA, FIRST_IN_FIRST_OUT = "pro_rata", "first_in_first_out"
MIXING = {
    PRO_RATA: "what leaves takes of each origin the part that it is of all",
    FIRST_IN_FIRST_OUT: "what came first leaves first",
}
"""The rules by which points mix."""

UNEXPLAINED = RECEIVED + 1
ORIGINS = ("with_receipt", "without_receipt", "circular", "received", "unexplained")
"""Where held points come from, as the columns of `Genuine.parts`."""


@dataclass(frozen=True)
class Genuine:
    """What each account holds, by origin.

    `parts`: a row an account, a column for each of `ORIGINS`; a row adds up to the account's
    holdings. `bought`: a row an account, what it bought with a receipt, without, and circular.
    """

    snapshot: Snapshot
    mixing: str
    receipts_needed: bool
    parts: Floats
    bought: Floats

    @cached_property
    def held(self) -> Floats:
        """What each account holds of its own genuine purchases."""
        held: Floats = self.parts[:, WITH_RECEIPT].copy()
        if not self.receipts_needed:
            held += self.parts[:, WITHOUT_RECEIPT]
        return held

    @cached_property
    def all_held(self) -> float:
        """What all accounts together hold of their own genuine purchases."""
        return float(self.held.sum())

    def of(self, members: Iterable[int]) -> dict[str, Any]:
        """What one account, or a group, holds by origin (numbers of its members).

        `share`: of all points; `genuine_share`: of all accounts' genuine points, null where
        nobody holds any; `genuine_part`: of its own holdings, null where it holds nothing.
        Amounts but `holdings` are rounded to 6 decimals.
        """
        who = np.unique(np.fromiter(members, np.int64))
        exact = total(self.snapshot.accounts["holdings"][who].to_list())
        own, all_held = float(self.held[who].sum()), self.all_held
        supply = self.snapshot.supply
        document: dict[str, Any] = {
            "mixing": self.mixing,
            "receipts_needed": self.receipts_needed,
            "holdings": plain(exact),
            "share": float(exact / supply) if supply else 0.0,
            "genuine": round(own, 6),
            "genuine_share": own / all_held if all_held else None,
            "genuine_part": min(own / float(exact), 1.0) if exact else None,
            "held": _named(self.parts[who].sum(axis=0), ORIGINS),
            "bought": _named(self.bought[who].sum(axis=0), ORIGINS[:RECEIVED]),
        }
        return {**document, "text": _sentence(document, exact)}


def _named(amounts: Floats, names: Iterable[str]) -> dict[str, float]:
    return {name: round(float(x), 6) for name, x in zip(names, amounts, strict=True)}


def _sentence(document: dict[str, Any], exact: Decimal) -> str:
    if not exact:
        return "Holds nothing."
    share = f"Holds {100 * document['share']:.2f} % of all points"
    if document["genuine_share"] is None:
        return f"{share}; nobody holds points from genuine purchases."
    return (
        f"{share} and {100 * document['genuine_share']:.2f} % of the genuine ones; "
        f"{100 * document['genuine_part']:.1f} % of the holdings come from own genuine purchases "
        f"({document['mixing'].replace('_', ' ')})."
    )


def mixed(
    snapshot: Snapshot,
    movements: Movements,
    mixing: str = PRO_RATA,
    receipts_needed: bool = False,
) -> Genuine:
    """What each account holds, by origin, by a rule of `MIXING`.

    `receipts_needed`: whether purchases without a receipt do not count as genuine. Raises
    UserError for a rule that is none.
    """
    if mixing not in MIXING:
        raise UserError(f"'{mixing}' is no rule of mixing.", f"They are: {', '.join(MIXING)}.")
    holdings = snapshot.accounts["holdings"].cast(pl.Float64).to_numpy()
    kernel = _pro_rata if mixing == PRO_RATA else _first_in_first_out
    parts = kernel(movements.starts, movements.amount, movements.sort, holdings)
    bought = [movements.summed(sort) for sort in (WITH_RECEIPT, WITHOUT_RECEIPT, CIRCULAR)]
    return Genuine(snapshot, mixing, receipts_needed, parts, np.column_stack(bought))


@njit(cache=True, nogil=True)
def _come_back(amount, sort, lent):  # type: ignore[no-untyped-def]
    """Of one movement what comes back from fellows, and what is lent to them after it."""
    if sort == TO_FELLOW:
        return 0.0, lent + amount
    if sort == FROM_FELLOW:
        back = min(amount, lent)
        return back, lent - back
    return 0.0, lent


@njit(cache=True, nogil=True)
def _opening(amount, sort, holding):  # type: ignore[no-untyped-def]
    """What must have been there first."""
    balance, lowest = 0.0, 0.0
    for row in range(len(amount)):
        balance += -amount[row] if sort[row] >= SENT else amount[row]
        lowest = min(lowest, balance)
    return max(holding - balance, -lowest)


@njit(cache=True, nogil=True)
def _pro_rata(starts, amount, sort, holdings):  # type: ignore[no-untyped-def]
    parts = np.zeros((len(holdings), UNEXPLAINED + 1))
    for account in range(len(holdings)):
        if holdings[account] <= 0:
            continue
        begin, end = starts[account], starts[account + 1]
        own = parts[account]
        own[UNEXPLAINED] = max(_opening(amount[begin:end], sort[begin:end], holdings[account]), 0.0)
        lent = 0.0
        for row in range(begin, end):
            back, lent = _come_back(amount[row], sort[row], lent)
            if sort[row] >= SENT:
                held = own.sum()
                own *= max(1 - amount[row] / held, 0.0) if held > 0 else 0.0
            elif sort[row] >= RECEIVED:
                own[CIRCULAR] += back
                own[RECEIVED] += amount[row] - back
            else:
                own[sort[row]] += amount[row]
        held = own.sum()
        if held > 0:
            own *= holdings[account] / held
        else:
            own[UNEXPLAINED] = holdings[account]
    return parts


@njit(cache=True, nogil=True)
def _first_in_first_out(starts, amount, sort, holdings):  # type: ignore[no-untyped-def]
    """What is held is what came last, so it is looked up from the end."""
    parts = np.zeros((len(holdings), UNEXPLAINED + 1))
    back = np.zeros(len(amount))
    for account in range(len(holdings)):
        begin, end = starts[account], starts[account + 1]
        lent = 0.0
        for row in range(begin, end):
            back[row], lent = _come_back(amount[row], sort[row], lent)
        left = max(holdings[account], 0.0)
        for row in range(end - 1, begin - 1, -1):
            if left <= 0:
                break
            if sort[row] >= SENT:
                continue
            taken = min(amount[row], left)
            left -= taken
            if sort[row] >= RECEIVED:
                # of one transfer the part that is no purchase come back is held last
                received = min(taken, amount[row] - back[row])
                parts[account, RECEIVED] += received
                parts[account, CIRCULAR] += taken - received
            else:
                parts[account, sort[row]] += taken
        parts[account, UNEXPLAINED] = left
    return parts
