"""Stars: many accounts that have chosen the same one, more often than chance has it.

Given who deals with whom, each account chooses some of its counterparties in some respect: as
the one to which most of what it sends goes, as the first that ever paid it. Chance has account
i choose a hub with probability p_i. A hub that is preferred is chosen at odds r times as high:
with q_i = r p_i / (1 - p_i + r p_i) and the r at which the q_i add up to the k that have chosen
it (the most likely one), it is worth

    sum over choosers of log2(q_i / p_i) + sum over others of log2((1 - q_i) / (1 - p_i))

bits, less 1/2 log2(k + 1) for r and log2 n for picking it among n accounts. Who deals with
one or two anyway says nothing by its choice; who has dozens says much. Each of the k ties is as
strong as an equal part of the bits: with a hub that everybody deals with (a shop, an exchange
nobody has declared) a tie says little, and it costs what its ties cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.contacts import Contacts
from detectors.family import Floats, Inside, Ints
from detectors.moves import Longs
from detectors.transfers import Rows, rows_by

FEWEST_CHOOSING = 3
"""That two have chosen the same one is a coincidence, or a couple and their child."""

LEAST_BITS_A_TIE = 0.25

MOST_PREFERRED = 20.0
"""The natural logarithm of the largest odds ratio."""

HALVINGS = 20
"""The bits are flat where they are most: they do not feel what is left after so many."""


@dataclass(frozen=True)
class Choices:
    """The counterparties of accounts in one respect. Arrays of equal length.

    In an order that does not depend on the order of rows, as their sums do. `chance`:
    that the account chooses this hub, choosing as accounts do; `chosen`: whether it has.
    """

    account: Ints
    hub: Ints
    chance: Floats
    chosen: npt.NDArray[np.bool_]


def star_pairs(accounts: int, contacts: Contacts, choices: Sequence[Choices]) -> pl.LazyFrame:
    """The ties of all stars that are contacts: a < b, ascending, and as `strength` the
    millibits of the respect that says most of the pair."""
    hubs = {id(one.hub): one.hub for one in choices}  # several respects may have the same
    by_hub = {place: rows_by(hub, accounts) for place, hub in hubs.items()}
    found = (
        pl.concat(_ties(one, *by_hub[id(one.hub)]) for one in choices)
        .group_by("a", "b")
        .agg(pl.col("strength").max())
        .sort("a", "b")
    )
    known = contacts.include(found["a"].to_numpy(), found["b"].to_numpy())
    return found.filter(pl.Series(known, dtype=pl.Boolean)).lazy()


def bits_a_tie(choices: Choices, starts: Longs, order: Rows) -> Floats:
    """Of each account as a hub: the bits of each tie of those who have chosen it, at least 0.
    `starts`, `order`: the rows of choices by hub, see `rows_by`."""
    accounts = len(starts) - 1
    ratio, k = _preferred(starts, order, choices.chance, choices.chosen)
    bits = np.zeros(accounts)
    speaks = k >= FEWEST_CHOOSING
    named = np.log2(k[speaks] + 1) / 2 + log2(max(accounts, 2))
    bits[speaks] = np.maximum(ratio[speaks] - named, 0.0) / k[speaks]
    return bits


@njit(cache=True, nogil=True)
def _preferred(starts, order, chance, chosen):  # type: ignore[no-untyped-def]
    """Of each hub: the bits by which its being preferred explains who has chosen it, 0 where it
    is not, and how many have. `order`: rows by hub, whose rows begin there at `starts`."""
    hubs = len(starts) - 1
    bits = np.zeros(hubs, np.float64)
    k = np.zeros(hubs, np.float64)
    for hub in range(hubs):
        rows = order[starts[hub] : starts[hub + 1]]
        for row in rows:
            k[hub] += chosen[row]
        if k[hub] < FEWEST_CHOOSING:
            continue
        p = chance[rows]  # beside each other, since they are gone through again and again
        if k[hub] <= p.sum():
            continue
        log_odds = _log_odds(p, k[hub])
        odds = np.exp(log_odds)
        for place in range(len(p)):
            taken = chosen[rows[place]]
            bits[hub] += taken * log_odds - np.log(1.0 - p[place] + odds * p[place])
    return bits / np.log(2.0), k


@njit(cache=True, nogil=True)
def _log_odds(chance, k):  # type: ignore[no-untyped-def]
    """The natural logarithm of the odds ratio at which k choose, by halving."""
    low, high = 0.0, MOST_PREFERRED
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        odds = np.exp(middle)
        expected = 0.0
        for p in chance:
            expected += odds * p / (1.0 - p + odds * p)
        if expected < k:
            low = middle
        else:
            high = middle
    return low


def _ties(choices: Choices, starts: Longs, order: Rows) -> pl.DataFrame:
    bits = bits_a_tie(choices, starts, order)[choices.hub]
    kept = choices.chosen & (bits >= LEAST_BITS_A_TIE)
    account, hub = choices.account[kept], choices.hub[kept]
    return pl.DataFrame(
        {
            "a": np.minimum(account, hub),
            "b": np.maximum(account, hub),
            "strength": np.rint(1000 * bits[kept]).astype(np.int32),
        }
    )


def among(inside: Inside, chosen: pl.DataFrame) -> pl.DataFrame:
    """Of choices (columns `account`, `hub`) those of members for another member that several
    have chosen, with `choosing`, how many; the most chosen first."""
    members = pl.Series(inside.members).implode()
    return (
        chosen.filter(pl.col("account").is_in(members) & pl.col("hub").is_in(members))
        .with_columns(choosing=pl.len().over("hub"))
        .filter(pl.col("choosing") >= FEWEST_CHOOSING)
        .sort(["choosing", "hub", "account"], descending=[True, False, False])
    )
