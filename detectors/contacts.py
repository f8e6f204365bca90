"""Contacts: who deals with whom, and what is usual between two who do.

Most of what transfers say is said of pairs that deal with each other. So evidence from
transfers is counted in two steps that do not count anything twice: that these accounts
deal with each other at all (and not with strangers), and, *given* that two deal with each
other, that they do it in a way that is rare for such a pair: exclusively, passing on, from
one day on.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.engine.limbs import add, at_least
from detectors.transfers import COLUMNS, rows_by_pair
from graph.amount import limbs_of, of_limbs, too_large

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

MOST_CONTACTS = 1_000
"""An account that deals with more is public, whatever its role says: it joins nobody."""

COUNT_BOUNDS = (2, 4, 8)
"""One transfer between two, two or three, four to seven, eight and more."""

PERIODS = 12
"""As many contacts begin in each period."""

SINCE_BOUNDS = (1, 2, 4, 7)
"""Classes by the period since which both ends are known: the first, the second, …"""

NEVER = np.iinfo(np.int64).max
"""Stands for an unknown time."""

RATE_PRIOR = 20.0
"""Pairs with the overall rate that each class of pairs is credited with."""


MOST_HIGH, MOST_LOW = (np.uint64(limb) for limb in divmod(10**38 - 1, 2**64))
"""The largest sum, in limbs."""

OFTEN_CLASSES = len(COUNT_BOUNDS) + 1
SINCE_CLASSES = len(SINCE_BOUNDS) + 1


@dataclass(frozen=True)
class Contacts:
    """Every pair that something was moved between, a < b, ascending. Arrays of equal length.

    `count`: transfers, both ways; `moved`: their sum; `net`: what a sent b and did not get
    back, below 0 where b sent more; `first`: when it began (microseconds, or
    NEVER where a time is missing); `seen`: when each account first moved anything;
    `degree`: contacts of each account.
    """

    a: Ints
    b: Ints
    count: Ints
    moved: Floats
    net: Floats
    first: Longs
    seen: Longs
    accounts: int

    @classmethod
    def of(
        cls,
        transfers: nw.LazyFrame[pl.LazyFrame],
        accounts: int,
        everything: nw.LazyFrame[pl.LazyFrame] | None = None,
    ) -> Contacts:
        """From transfers; public accounts are left out. `everything`: transfers that show since
        when an account is known (default: the same)."""
        seen = _first_seen(accounts, transfers if everything is None else everything)
        a, b, count, moved, net, first = _pairs(transfers, accounts)
        public = _degrees(accounts, a, b) > MOST_CONTACTS
        kept = ~(public[a] | public[b])
        pairs = a[kept], b[kept], count[kept], moved[kept], net[kept], first[kept]
        return cls(*pairs, seen, accounts)

    @cached_property
    def degree(self) -> Floats:
        """How many contacts each account has."""
        return _degrees(self.accounts, self.a, self.b)

    @property
    def weights(self) -> Floats:
        """Strangers u and v expect weights[u] x weights[v] contacts, before wealth mixes."""
        weights: Floats = self.degree / np.sqrt(max(self.degree.sum(), 1.0))
        return weights

    @cached_property
    def code(self) -> Ints:
        """The class of each pair, from 1 on: how many contacts both have, how many transfers,
        and since when both are known."""
        with np.errstate(divide="ignore"):
            spread = np.log2(self.degree[self.a] * self.degree[self.b]).astype(np.int32)
        often = np.searchsorted(COUNT_BOUNDS, self.count, side="right")
        since = np.searchsorted(SINCE_BOUNDS, self.known_since, side="right")
        return ((spread * OFTEN_CLASSES + often) * SINCE_CLASSES + since + 1).astype(np.int32)

    @cached_property
    def period_ends(self) -> Longs:
        """When each period but the last ends: times (microseconds), ascending."""
        times = np.sort(self.first[self.first < NEVER])
        return times[len(times) * np.arange(1, PERIODS) // PERIODS] if len(times) else times

    @cached_property
    def period(self) -> Ints:
        """The period in which each contact began; PERIODS where that is unknown."""
        return self._period_of(self.first)

    @cached_property
    def known_since(self) -> Ints:
        """The first period in which both ends of each contact are known."""
        return self._period_of(np.maximum(self.seen[self.a], self.seen[self.b]))

    def _period_of(self, times: Longs) -> Ints:
        periods = np.searchsorted(self.period_ends, times, side="right")
        return np.where(times < NEVER, periods, PERIODS).astype(np.int32)

    @cached_property
    def in_class(self) -> Floats:
        """How many pairs each class has."""
        return np.bincount(self.code, minlength=1).astype(np.float64)

    def find(self, a: Ints, b: Ints) -> npt.NDArray[np.int64]:
        """The place of each pair (a < b); all must be contacts."""
        return np.searchsorted(self._keys, a.astype(np.int64) * self.accounts + b)

    def include(self, a: Ints, b: Ints) -> npt.NDArray[np.bool_]:
        """Which of some pairs (a < b) are contacts."""
        keys = a.astype(np.int64) * self.accounts + b
        places = np.searchsorted(self._keys, keys)
        here = places < len(self._keys)
        here[here] = self._keys[places[here]] == keys[here]
        return here

    def rates(self, a: Ints, b: Ints, *, often: bool, since: bool = False) -> Floats:
        """For each class the part of its pairs that some pairs (contacts) are, given how many
        contacts both have; `often`: also how often they deal with each other; `since`: also
        since when both are known."""
        with_it = np.bincount(self.code[self.find(a, b)], minlength=len(self.in_class))
        known = (np.arange(len(self.in_class)) - 1) % SINCE_CLASSES
        spread_and_often = (np.arange(len(self.in_class)) - 1) // SINCE_CLASSES
        coarse = spread_and_often if often else spread_and_often // OFTEN_CLASSES * OFTEN_CLASSES
        coarse = coarse * SINCE_CLASSES + (known if since else 0) + SINCE_CLASSES * OFTEN_CLASSES
        with_it = np.bincount(coarse, with_it)[coarse]
        of = np.bincount(coarse, self.in_class)[coarse]
        overall = len(a) / max(len(self.a), 1)
        part: Floats = (with_it + RATE_PRIOR * overall) / (of + RATE_PRIOR)
        return part

    @cached_property
    def _keys(self) -> npt.NDArray[np.int64]:
        return self.a.astype(np.int64) * self.accounts + self.b


def _pairs(
    transfers: nw.LazyFrame[pl.LazyFrame], accounts: int
) -> tuple[Ints, Ints, Ints, Floats, Floats, Longs]:
    """Every pair that something was moved between, ascending: a, b and the columns of `Contacts`.
    UserError where a sum has more than 20 digits before the point."""
    rows = pl.DataFrame(
        transfers.filter(nw.col("amount") > 0).select(*COLUMNS).collect().to_native()
    )
    src, dst = rows["src"].to_numpy(), rows["dst"].to_numpy()
    a, b = np.minimum(src, dst), np.maximum(src, dst)
    at = rows["at"].dt.epoch("us").fill_null(NEVER).to_numpy()
    units = limbs_of(rows["amount"])
    starts, order = rows_by_pair(a, b, accounts)
    count, moved, net, first, fits = _added_up(starts, order, src, a, units, at)
    if not fits:
        raise too_large()
    begin = order[starts[:-1]]
    with ThreadPoolExecutor(2) as pool:
        sums = pool.map(lambda limbs: of_limbs(limbs).cast(pl.Float64).to_numpy(), (moved, net))
    return a[begin], b[begin], count, *sums, first


@njit(cache=True, nogil=True)
def _added_up(starts, order, src, a, units, at):  # type: ignore[no-untyped-def]
    """Of each pair how many, the exact sum, that from a to b less that from b to a (limbs, low
    and high), and the first, NEVER where a time is missing; and whether all sums have at most 38
    digits. Two amounts of so many always fit the limbs."""
    pairs = len(starts) - 1
    count = np.empty(pairs, np.int32)
    moved = np.zeros((pairs, 2), np.uint64)
    net = np.zeros((pairs, 2), np.uint64)
    first = np.empty(pairs, np.int64)
    fits = True
    for pair in range(pairs):
        count[pair] = starts[pair + 1] - starts[pair]
        earliest, undated = NEVER, False
        for place in range(starts[pair], starts[pair + 1]):
            row = order[place]
            low, high = units[row, 0], units[row, 1]
            all_high, all_low = add(moved[pair, 1], moved[pair, 0], high, low)
            moved[pair, 0], moved[pair, 1] = all_low, all_high
            if not at_least(MOST_HIGH, MOST_LOW, all_high, all_low):
                fits = False
                break
            if src[row] == a[row]:
                net[pair, 1], net[pair, 0] = add(net[pair, 1], net[pair, 0], high, low)
            else:
                net[pair, 1] -= high + np.uint64(net[pair, 0] < low)
                net[pair, 0] -= low
            undated |= at[row] == NEVER
            earliest = min(earliest, at[row])
        first[pair] = NEVER if undated else earliest
    return count, moved, net, first, fits


def _first_seen(accounts: int, transfers: nw.LazyFrame[pl.LazyFrame]) -> Longs:
    """When each account first moved anything (microseconds), or NEVER."""
    rows = pl.DataFrame(
        transfers.filter(~nw.col("at").is_null()).select("src", "dst", "at").collect().to_native()
    )
    at = rows["at"].dt.epoch("us").to_numpy()
    seen = np.full(accounts, NEVER)
    for end in ("src", "dst"):
        earliest(seen, rows[end].to_numpy(), at)
    return seen


@njit(cache=True, nogil=True)
def earliest(first, accounts, at):  # type: ignore[no-untyped-def]
    """Lower each account's `first` to the least `at` of its rows; a tenth of the time of
    `np.minimum.at`."""
    for row in range(len(accounts)):
        first[accounts[row]] = min(first[accounts[row]], at[row])


def _degrees(accounts: int, a: Ints, b: Ints) -> Floats:
    both = np.bincount(a, minlength=accounts) + np.bincount(b, minlength=accounts)
    return both.astype(np.float64)
