"""Stars: many accounts that have chosen the same one, more often than chance has it.

Given who deals with whom, each account chooses some of its counterparties in some respect: as
the one to which most of what it sends goes, as the first that ever paid it. A hub of which
chance expects lambda = the sum over its counterparties of the chance that they choose it, and
which k have chosen, is worth LLR(k, lambda) bits (a Poisson log-likelihood ratio) less log2 n
for picking it among n accounts. Each of its k ties is as strong as an equal part of that: with
a hub that everybody deals with (a shop, an exchange nobody has declared) a tie says little,
and it costs what its ties cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log2

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.contacts import Contacts
from detectors.family import Floats, Inside, Ints
from detectors.moves import Longs, rows_by

FEWEST_CHOOSING = 3
"""That two have chosen the same one is a coincidence, or a couple and their child."""

LEAST_BITS_A_TIE = 0.25

FEWEST_EXPECTED = 1e-9


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


def by_pair(accounts: int, src: Ints, dst: Ints) -> tuple[Longs, Longs]:
    """The order of rows by src, then dst, and where in it each pair begins.

    Two counting sorts: a tenth of the time of grouping by hash and sorting. Within a pair
    the order is that of the rows: only what does not depend on it may be taken of them.
    """
    _, rows = rows_by(dst, accounts)
    _, again = rows_by(src[rows], accounts)
    order = rows[again]
    one, other = src[order], dst[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (one[1:] != one[:-1]) | (other[1:] != other[:-1])
    return order, np.flatnonzero(begins)


def star_pairs(accounts: int, contacts: Contacts, choices: Sequence[Choices]) -> pl.LazyFrame:
    """The ties of all stars that are contacts: a < b, ascending, and as `strength` the
    millibits of the respect that says most of the pair."""
    found = (
        pl.concat(_ties(accounts, one) for one in choices)
        .group_by("a", "b")
        .agg(pl.col("strength").max())
        .sort("a", "b")
    )
    known = contacts.include(found["a"].to_numpy(), found["b"].to_numpy())
    return found.filter(pl.Series(known, dtype=pl.Boolean)).lazy()


def bits_a_tie(accounts: int, choices: Choices) -> Floats:
    """Of each account as a hub: the bits of each tie of those who have chosen it, at least 0."""
    expected = np.bincount(choices.hub, choices.chance, minlength=accounts)
    k = np.bincount(choices.hub[choices.chosen], minlength=accounts).astype(np.float64)
    bits = np.zeros(accounts)
    speaks = (k >= FEWEST_CHOOSING) & (k > expected)
    k, expected = k[speaks], np.maximum(expected[speaks], FEWEST_EXPECTED)
    ratio = k * np.log2(k / expected) - (k - expected) / log(2) - np.log2(k + 1) / 2
    bits[speaks] = np.maximum(ratio - log2(max(accounts, 2)), 0.0) / k
    return bits


def _ties(accounts: int, choices: Choices) -> pl.DataFrame:
    bits = bits_a_tie(accounts, choices)[choices.hub]
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
