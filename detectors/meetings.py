"""Meetings: who comes to the same places at the same times, and where.

The visits of a place are, in order of time, the payments of all who pay one account; where it
pays many, also those of all whom it pays (its *waves*); and all purchases. Two accounts *meet*
where visits of theirs are at most half a window apart. With f and g visits of a window w in
the time T, strangers meet f g w / T times; more often in hours when everybody comes, so a
meeting there counts only 1 / r, with r the relative rate of others (never more than 1, so
that quiet hours do not make meetings of chance weigh much).

The others are the poor among the visitors, as METHOD section 6 has it: a group that reaches a
line is not poor, and would hide its own wave. Where there are few poor ones the rhythm of
everybody there counts as well, as far as these few share it: all customers come when there is
a sale, all the staff is paid on payday. And some visits are seen, but meet nobody: those by the
calendar (subscriptions, wages); payments out to most of all whom an account pays, or to a large
part of them if nearly the same ones are paid another time (its batches); and those among
private people who give and take (a birthday). Visits of one account within a window are one.

A pair is as strong as LLR(k, lambda), with k what its meetings count, summed over all places
that both visit. It holds all visits in arrays and runs on one machine: 40 bytes a transfer.
What it looks at is bounded, so at busy places its windows are narrower.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.transfers import rows_by
from detectors.visits import MOST_LOOKED_AT, Visits, on_both, starts_among, visits_of

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


def _nobody() -> Ints:
    return np.empty(0, np.int32)


MOST_AROUND = 8 * MOST_LOOKED_AT
"""Visits around each, in all, where all come at the same moments."""

LARGE_WAVE, LARGEST_WAVE = 0.25, 0.5
SAME_AGAIN = 0.8
WAVES_BACK = 16
"""Payments out at the same time to more than the first part of all receivers are a batch where
they go, by Jaccard's index, to the same ones as one of so many waves before or after; to more
than the second part they always are."""

FEWEST_MEETINGS = 3

FEWEST_PLACES = 2
FEWEST_VISITORS = 3
"""Those who meet at so many places or more, so many of them at each, only visit these."""

LEAST_BITS = 10.0
"""A pair with fewer is left out: very many are looked at."""

FEWEST_EXPECTED = 1e-6

RHYTHM_PRIOR = 5.0
"""Visits that each hour is credited with, seen and expected: few visits make no rhythm."""

SLOTS = 1 << 26
"""Of the table in which pairs are counted before they are kept: 64 MB."""

HOUR = 3600


@dataclass(frozen=True)
class Meetings:
    """Who meets whom more often than strangers do, and where.

    `a` < `b`, ascending, and the `bits` of each pair; `visitor` and `place`: accounts that meet
    others where they pay this one. Arrays of equal length.
    """

    a: Ints = field(default_factory=_nobody)
    b: Ints = field(default_factory=_nobody)
    bits: Floats = field(default_factory=lambda: np.empty(0))
    visitor: Ints = field(default_factory=_nobody)
    place: Ints = field(default_factory=_nobody)

    @classmethod
    def of(
        cls,
        transfers: nw.LazyFrame[pl.LazyFrame],
        purchases: nw.LazyFrame[pl.LazyFrame],
        contracts: pl.DataFrame,
        institutions: Bools,
        tiers: Ints,
    ) -> Meetings:
        """From all transfers and purchases, without those of `contracts` (src, dst).

        `institutions`: which accounts meet nobody; `tiers`: the wealth tier of each account.
        """
        accounts = len(tiers)
        visits = visits_of(transfers, purchases, contracts, institutions)
        if visits is None:
            return cls()
        poorest = tiers.max()
        poor = (tiers == poorest) & (poorest > 0)
        others = visits.starts, visits.who, visits.at, visits.width
        rates = _rates(*others, visits.silent, visits.span, poor, _rhythm(visits, poor))
        others, rates = _who_may_meet(visits, rates)
        pairs, begins, weights, ones, twos = _meetings(*others, rates, poor[others[1]], accounts)
        count = np.diff(begins)
        kept = count >= FEWEST_MEETINGS
        # whole thousandths: their sum does not depend on the order
        summed = np.add.reduceat(weights, begins[:-1])[kept] if len(pairs) else weights
        pairs = pairs[kept]
        a, b = (pairs // accounts).astype(np.int32), (pairs % accounts).astype(np.int32)
        bits = surprise(summed / 1000, _chance(*_by_account(accounts, visits, a, b)))
        said = bits >= LEAST_BITS
        kept[kept] = said
        meetings = np.repeat(kept, count)
        met = np.unique(np.concatenate((ones[meetings], twos[meetings])))
        return cls(a[said], b[said], bits[said], *_places(others[0], others[1], met))

    def met_at(self, transfers: pl.DataFrame) -> Bools:
        """Which transfers (src, dst) are payments at which accounts meet.

        Who pays the same shops at the same times as others deals with none of them in
        particular; else six outsiders whom a group pays in waves would be of the group.
        """
        met = np.zeros(len(transfers), np.bool_)
        if len(self.visitor):
            met_at = pl.LazyFrame({"src": self.visitor, "dst": self.place})
            rows = transfers.lazy().select("src", "dst").with_row_index("row")
            found = rows.join(met_at, on=["src", "dst"], how="semi").select("row").collect()
            met[found["row"].to_numpy()] = True
        return met


def _places(starts: Longs, who: Ints, met: Longs) -> tuple[Ints, Ints]:
    """Accounts (visitor) that meet others where they pay another one (place), at several such
    places; each met at by several. `met`: the visits that are meetings."""
    accounts = (len(starts) - 2) // 2
    place = np.searchsorted(starts, met, side="right") - 1
    paid = (place % 2 == 0) & (place < 2 * accounts)
    found = np.unique((place[paid] // 2) * accounts + who[met[paid]])
    visitor, place = found % accounts, found // accounts
    often = np.bincount(visitor, minlength=accounts)[visitor] >= FEWEST_PLACES
    visitor, place = visitor[often], place[often]
    many = np.bincount(place, minlength=accounts)[place] >= FEWEST_VISITORS
    return visitor[many].astype(np.int32), place[many].astype(np.int32)


def surprise(k: Floats, expected: Floats) -> Floats:
    """LLR(k, expected) in bits, at least 0."""
    often = k > expected
    e, chance = k[often], expected[often]
    bits = np.zeros(len(k))
    bits[often] = e * np.log2(e / chance) - (e - chance) / log(2) - np.log2(e + 1) / 2
    return np.maximum(bits, 0.0)


def _rhythm(visits: Visits, poor: Bools) -> Floats:
    """The relative rate of visits by the poor in each hour; of all, if none are poor."""
    theirs = visits.at[poor[visits.who]]
    at = theirs if len(theirs) else visits.at
    hours = np.bincount(at // HOUR, minlength=visits.span // HOUR + 1).astype(np.float64)
    rate: Floats = (hours + RHYTHM_PRIOR) / (len(at) * HOUR / visits.span + RHYTHM_PRIOR)
    return rate


@njit(cache=True, nogil=True)
def _batched(starts, who, at, width, accounts):  # type: ignore[no-untyped-def]
    """Which visits are of a batch: a wave to most of those paid at a place, or to a large part who
    nearly all were paid in one of WAVES_BACK waves before or after. Places where accounts pay.

    A wave is a run of visits, none more than half a window after the one before, with a large
    part of all visitors around each; of it are all who come around its first and last visit.
    Bit j of `waves` tells whether an account was in the j-th wave before the `latest` one that
    it was in."""
    batched = np.zeros(len(who), np.bool_)
    seen = np.full(accounts, -1, np.int64)
    latest = np.zeros(accounts, np.int64)
    waves = np.zeros(accounts, np.uint32)
    sizes, common = np.zeros(WAVES_BACK + 1, np.int64), np.zeros(WAVES_BACK + 1, np.int64)
    begins, ends = np.zeros(WAVES_BACK + 1, np.int64), np.zeros(WAVES_BACK + 1, np.int64)
    for place in range(1, len(starts) - 1, 2):
        first, end = starts[place], starts[place + 1]
        half = width[place] // 2
        visitors = 0
        for visit in range(first, end):
            visitors += seen[who[visit]] != place
            seen[who[visit]] = place
            waves[who[visit]] = 0
        low = high = visit = first
        wave = 0
        while visit < end:
            begin, most, since, until = visit, 0, low, high
            while visit < end:
                while high < end and at[high] <= at[visit] + half:
                    high += 1
                while at[low] < at[visit] - half:
                    low += 1
                if high - low <= LARGE_WAVE * visitors or (visit > begin and low == visit):
                    break
                since = low if visit == begin else since
                until = high
                most = max(most, high - low)
                visit += 1
            if visit == begin:
                visit += 1
                continue
            wave += 1
            here = wave % (WAVES_BACK + 1)
            begins[here], ends[here], sizes[here] = begin, visit, 0
            common[:] = 0
            for row in range(since, until):
                account = who[row]
                if waves[account] & 1 and latest[account] == wave:
                    continue
                ago = wave - latest[account] if waves[account] else 0
                waves[account] = (waves[account] << min(ago, 31)) | 1 if ago <= WAVES_BACK else 1
                latest[account] = wave
                sizes[here] += 1
                for back in range(1, WAVES_BACK + 1):
                    common[back] += (waves[account] >> back) & 1
            if most > LARGEST_WAVE * visitors:
                batched[begin:visit] = True
            for back in range(1, min(WAVES_BACK, wave - 1) + 1):
                there = (wave - back) % (WAVES_BACK + 1)
                either = sizes[here] + sizes[there] - common[back]
                if common[back] >= SAME_AGAIN * either:
                    batched[begin:visit] = True
                    batched[begins[there] : ends[there]] = True
    return batched


@njit(cache=True, nogil=True)
def _shared(first, end, who, at, half, poor, n_poor, span):  # type: ignore[no-untyped-def]
    """Which part of the rhythm of the rich visitors of a place the poor ones follow, 0 to 1.

    How many rich come within `half` seconds of a poor visit, more than usual, against how many
    come as close to a rich one. One visit counts as following before any poor one is seen, and
    what chance brings about (two standard deviations) says nothing."""
    n_rich = end - first - n_poor
    if n_poor == 0 or n_rich < 2:
        return 1.0
    usual = n_rich * (2 * half + 1) / span
    beside_poor = beside_rich = 0.0
    low = high = first
    rich_here = 0
    for visit in range(first, end):
        while high < end and at[high] <= at[visit] + half:
            rich_here += not poor[who[high]]
            high += 1
        while at[low] < at[visit] - half:
            rich_here -= not poor[who[low]]
            low += 1
        if poor[who[visit]]:
            beside_poor += rich_here - usual
        else:
            beside_rich += rich_here - 1 - usual * (n_rich - 1) / n_rich
    together = max(beside_rich / n_rich, 0.0)
    by_chance = 2 * np.sqrt(n_poor * usual)
    part = (beside_poor + together + by_chance) / ((n_poor + 1) * together + by_chance)
    return min(max(part, 0.0), 1.0)


@njit(cache=True, nogil=True)
def _rates(starts, who, at, width, silent, span, poor, rhythm):  # type: ignore[no-untyped-def]
    """The relative rate of others at each visit; infinite where it meets nobody."""
    rates = np.empty(len(who), np.float64)
    batched = _batched(starts, who, at, width, len(poor))
    for place in range(len(starts) - 1):
        first, end = starts[place], starts[place + 1]
        half = width[place] // 2
        n_poor = 0
        for visit in range(first, end):
            n_poor += poor[who[visit]]
        own = _shared(first, end, who, at, half, poor, n_poor, span) / (1.0 + n_poor)
        usual = (n_poor + own * (end - first - n_poor)) * (2 * half + 1) / span
        low = high = first
        poor_here = 0
        for visit in range(first, end):
            while high < end and at[high] <= at[visit] + half:
                poor_here += poor[who[high]]
                high += 1
            while at[low] < at[visit] - half:
                poor_here -= poor[who[low]]
                low += 1
            if silent[visit] or batched[visit]:
                rates[visit] = np.inf
                continue
            others = poor_here + own * (high - low - poor_here)
            # one more of each: where few ever come, the rhythm of everybody is what is known
            rates[visit] = (others + rhythm[at[visit] // HOUR]) / (usual + 1.0)
    return rates


def _who_may_meet(visits: Visits, rates: Floats) -> tuple[tuple[Longs, Ints, Ints, Ints], Floats]:
    """Places (starts, who, at, width) without visits that meet nobody, and the rates of the
    rest. A batch of a hub would else be looked at pair by pair, and nothing come of it.

    Windows are narrowed by how many come on the average. Where all come at one moment, those
    visits are left out too that have the most others around them, until no more than
    MOST_AROUND are looked at: in such a crowd a meeting counts next to nothing anyway.
    """
    kept = np.isfinite(rates)
    for _ in range(2):
        starts = starts_among(visits.starts, kept)
        who, at = visits.who[kept], visits.at[kept]
        around = _around(starts, at, visits.width)
        if around.sum(dtype=np.int64) <= MOST_AROUND:
            break
        looked_at = np.cumsum(np.bincount(around) * np.arange(around.max() + 1))
        kept[kept] = around < np.searchsorted(looked_at, MOST_AROUND, side="right")
    return (starts, who, at, visits.width), rates[kept]


@njit(cache=True, nogil=True)
def _around(starts, at, width):  # type: ignore[no-untyped-def]
    """How many other visits of the place are within half a window of each."""
    around = np.zeros(len(at), np.int32)
    for place in range(len(starts) - 1):
        low = high = starts[place]
        half = width[place] // 2
        for visit in range(starts[place], starts[place + 1]):
            while high < starts[place + 1] and at[high] <= at[visit] + half:
                high += 1
            while at[low] < at[visit] - half:
                low += 1
            around[visit] = high - low - 1
    return around


@njit(cache=True, nogil=True)
def _slot(a, b, size):  # type: ignore[no-untyped-def]
    mixed = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    return np.int64(mixed & np.uint64(size - 1))


@njit(cache=True, nogil=True)
def _strangers(one, other, rates, who, poor):  # type: ignore[no-untyped-def]
    """Whether two visits do not make a meeting: nobody's, or of the poor, who reach no line."""
    if poor[one] and poor[other]:
        return True
    return rates[one] == np.inf or rates[other] == np.inf or who[one] == who[other]


def _meetings(
    starts: Longs, who: Ints, at: Ints, width: Ints, rates: Floats, poor: Bools, accounts: int
) -> tuple[Longs, Longs, Longs, Longs, Longs]:
    """Every meeting of those who meet often enough: the pairs, each as one number, ascending;
    where each pair's meetings begin (and the last ones end); of each meeting what it counts in
    thousandths, and the two visits. Each processor looks at the visits that have half of all others
    around them: one busy place may have most."""
    looked_at = np.cumsum(_around(starts, at, width), dtype=np.int64)
    cut = int(np.searchsorted(looked_at, looked_at[-1] // 2)) if len(who) else 0
    halves = (0, cut), (cut, len(who))
    visits = starts, who, at, width, rates, poor
    tables = [np.zeros(SLOTS, np.uint8) for _ in halves]

    def count(part: tuple[tuple[int, int], Bytes]) -> None:
        half, table = part
        _count(visits, *half, table)

    def meet(half: tuple[int, int]) -> tuple[Longs, ...]:
        found: tuple[Longs, ...] = _meet(visits, *half, tables[0], accounts)
        return found

    on_both(count, zip(halves, tables, strict=True))
    _add_up(*tables)
    found = on_both(meet, halves)
    keys, weights, ones, twos = (np.concatenate(columns) for columns in zip(*found, strict=True))
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    new = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    begins = np.concatenate(([0], new, [len(keys)])) if len(keys) else np.zeros(1, np.int64)
    return keys[begins[:-1]], begins, weights[order], ones[order], twos[order]


@njit(cache=True, nogil=True)
def _add_up(table, other):  # type: ignore[no-untyped-def]
    """Adds to a table what another has counted, up to 255."""
    for slot in range(len(table)):
        table[slot] = min(np.int64(table[slot]) + np.int64(other[slot]), 255)


@njit(cache=True, nogil=True)
def _count(visits, begin, end, table):  # type: ignore[no-untyped-def]
    """How often two meet, of whom one comes first at some visits, up to 255; pairs that share a
    slot are counted together."""
    starts, who, at, width, rates, poor = visits
    place = np.searchsorted(starts, begin, side="right") - 1
    for one in range(begin, end):
        while starts[place + 1] <= one:
            place += 1
        until = at[one] + width[place] // 2
        for other in range(one + 1, starts[place + 1]):
            if at[other] > until:
                break
            if _strangers(one, other, rates, who, poor):
                continue
            slot = _slot(min(who[one], who[other]), max(who[one], who[other]), len(table))
            if table[slot] < 255:
                table[slot] += 1


@njit(cache=True, nogil=True)
def _meet(visits, begin, end, table, accounts):  # type: ignore[no-untyped-def]
    """Every meeting, whose first is one of some visits, of those who meet often enough: the pair as
    one number, what it counts in thousandths, and the two visits."""
    starts, who, at, width, rates, poor = visits
    keys = np.empty(1024, np.int64)
    weights = np.empty(1024, np.int64)
    ones = np.empty(1024, np.int64)
    twos = np.empty(1024, np.int64)
    count = 0
    place = np.searchsorted(starts, begin, side="right") - 1
    for one in range(begin, end):
        while starts[place + 1] <= one:
            place += 1
        until = at[one] + width[place] // 2
        for other in range(one + 1, starts[place + 1]):
            if at[other] > until:
                break
            if _strangers(one, other, rates, who, poor):
                continue
            a, b = min(who[one], who[other]), max(who[one], who[other])
            if table[_slot(a, b, len(table))] < FEWEST_MEETINGS:
                continue
            if count == len(keys):
                keys = np.concatenate((keys, np.empty_like(keys)))
                weights = np.concatenate((weights, np.empty_like(weights)))
                ones = np.concatenate((ones, np.empty_like(ones)))
                twos = np.concatenate((twos, np.empty_like(twos)))
            keys[count] = np.int64(a) * accounts + b
            weights[count] = np.int64(1000 / max(rates[one], rates[other], 1.0))
            ones[count], twos[count] = one, other
            count += 1
    return keys[:count].copy(), weights[:count].copy(), ones[:count].copy(), twos[:count].copy()


def _by_account(
    accounts: int, visits: Visits, a: Ints, b: Ints
) -> tuple[Longs, Ints, Ints, int, Ints, Ints]:
    """The places of each account of some pairs, ascending, as compressed rows; windows, the span
    and the pairs."""
    asked = np.zeros(accounts, np.bool_)
    asked[a] = asked[b] = True
    theirs = np.flatnonzero(asked[visits.who])
    starts, rows = rows_by(visits.who[theirs], accounts)
    places = np.searchsorted(visits.starts, theirs[rows], side="right") - 1
    return starts, places.astype(np.int32), visits.width, visits.span, a, b


@njit(cache=True, nogil=True)
def _chance(rows, visited, width, span, a, b):  # type: ignore[no-untyped-def]
    """How often each pair meets if its visits are strangers', over all places of both. Goes
    through the visits of the one who has fewer, and looks these up: a hub has visited all."""
    expected = np.empty(len(a), np.float64)
    for pair in range(len(a)):
        few, many = a[pair], b[pair]
        if rows[few + 1] - rows[few] > rows[many + 1] - rows[many]:
            few, many = many, few
        theirs = visited[rows[many] : rows[many + 1]]
        one, end = rows[few], rows[few + 1]
        total = 0.0
        while one < end:
            place = visited[one]
            mine = 0
            while one < end and visited[one] == place:
                mine += 1
                one += 1
            first = np.searchsorted(theirs, place)
            also = np.searchsorted(theirs[first:], place, side="right")
            total += mine * also * (2 * (width[place] // 2) + 1) / span
        expected[pair] = max(total, FEWEST_EXPECTED)
    return expected
