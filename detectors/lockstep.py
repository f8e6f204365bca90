"""Lockstep: accounts that do the same thing at the same time, again and again.

The visits of a place are, in order of time, the payments of all who pay one account; where it
pays many, also those of all whom it pays (its *waves*); and all purchases. Two accounts *meet*
where visits of theirs are at most half a window apart. With f and g visits of a window w in
the time T, strangers meet f g w / T times; more often in hours when everybody comes, so a
meeting there counts only 1 / r, with r the relative rate of others (never more than 1, so
that quiet hours do not make meetings of chance weigh much).

The others are the poor among the visitors, as METHOD section 6 has it: a group that reaches a
line is not poor, and would hide its own wave. Where there are few poor ones the rhythm of
everybody there counts as well: all customers come when there is a sale, all the staff is paid
on payday. And some visits are seen, but meet nobody: those by the calendar (subscriptions,
wages), payments out to a large part of all whom an account pays (its batches), and those
among private people who give and take (a birthday). Visits of one account within a window
are one.

A pair is as strong as LLR(k, lambda), with k what its meetings count, summed over all places
that both visit. It holds all visits in arrays and runs on one machine: 50 bytes a transfer.
What it looks at is bounded, so at busy places its windows are narrower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.family import (
    MOST_CITED,
    Facts,
    Floats,
    Inside,
    Ints,
    Layer,
    Reason,
    rank_millibits,
    tree_layers,
)

Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WINDOW = 8 * 3600
"""Seconds of the widest window: two meet within four hours of each other."""

NARROWEST_WINDOW = 2

MOST_LOOKED_AT = 10_000_000
"""Neighbours of visits that are looked at in all."""

MOST_AROUND = 8 * MOST_LOOKED_AT
"""Visits around each, in all, where all come at the same moments."""

FEWEST_RECEIVERS = 20
"""Who pays fewer accounts decides alone when they receive: that is no wave of theirs."""

LARGEST_WAVE = 0.25
"""A payment out, at the same time, to more than this part of all receivers is a batch."""

PUBLIC = 100
"""Who pays fewer accounts is a private person: whoever it also pays is an acquaintance."""

FEWEST_GAPS = 3
REGULAR = 0.1
"""Visits keep to a calendar when the gaps between them are equal but for this part."""

FEWEST_MEETINGS = 3

LEAST_BITS = 10.0
"""A pair with fewer is left out: very many are looked at."""

FEWEST_EXPECTED = 1e-6

RHYTHM_PRIOR = 5.0
"""Visits that each hour is credited with, seen and expected: few visits make no rhythm."""

SLOTS = 1 << 26
"""Of the table in which pairs are counted before they are kept: 64 MB."""

HOUR = 3600
DAY = 86_400


class Lockstep:
    """Evidence from times: the same counterparties at the same times."""

    name = "lockstep"
    source = "transfers"
    speaks_of = "all_transfers"
    help = (
        "Looks for accounts that pay the same others, or are paid by the same large one, within "
        "hours of each other and again and again, when hardly anyone else is. Misses members "
        "who wait for days, or each use other counterparties, and whoever keeps to a calendar. "
        "Regulars of a sale or an auction, colleagues paid by one employer and a gift circle "
        "look like it: other people's rhythm, batches and give and take are taken out."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Pairs that meet more often than strangers do; the strength is in millibits."""
        a, b, bits = meetings(facts)
        strength = np.rint(1000 * bits).astype(np.int32)
        return nw.from_native(pl.LazyFrame({"a": a, "b": b, "strength": strength}))

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """By rank among all pairs of the population."""
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Strength classes; one wave ties all who take part, so they count as a forest."""
        return tree_layers("lockstep", facts, a, b, millibits)

    def reason(self, inside: Inside) -> Reason:
        """How many members come to how many places together, how often."""
        seen = _together(inside)
        best = seen.filter(pl.col("members") == pl.col("members").max().over("out", "other"))
        members = seen["account"].explode().n_unique()
        text = (
            f"{members} of these {len(inside.members)} accounts pay, or are paid by, the same "
            f"{seen.select('out', 'other').n_unique()} counterparties within hours of each other"
            f": {len(seen)} times three or more at once"
        )
        if len(best):
            top = best.row(0, named=True)
            text += f", {top['members']} of them on {top['begin']:%Y-%m-%d}"
        cited = seen["uid"].explode().drop_nulls().unique(maintain_order=True)
        return Reason(text, cited.head(MOST_CITED).to_list())

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """How often two meet, where that is more than strangers do."""
        visits = _visits_of(inside)
        if not len(visits):
            return ["" for _ in pairs]
        span = int(visits["at"][-1]) - int(visits["at"][0]) + 1
        by_account = visits.partition_by("account", as_dict=True)
        return [
            _met(inside, one, other, span)
            if (one := by_account.get((a,))) is not None
            and (other := by_account.get((b,))) is not None
            else ""
            for a, b in pairs
        ]


@dataclass(frozen=True)
class Visits:
    """Who came to which place when: sorted by place, then time.

    Place 2 x is where those come who pay account x, 2 x + 1 where x pays; the last one is for
    purchases. `starts` of each place's visits; `width` of its window, and `at`, in seconds
    from the first visit; `silent` ones meet nobody.
    """

    starts: Longs
    who: Ints
    at: Ints
    silent: Bools
    width: Ints
    span: int


def meetings(facts: Facts) -> tuple[Ints, Ints, Floats]:
    """Pairs a < b that meet more often than strangers do, ascending, and their bits."""
    visits = _visits(facts)
    if visits is None:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0)
    poorest = facts.tiers.max()
    poor = (facts.tiers == poorest) & (poorest > 0)
    others = visits.starts, visits.who, visits.at, visits.width
    rates = _rates(*others, visits.silent, visits.span, poor, _rhythm(visits, poor))
    others, rates = _who_may_meet(visits, rates)
    poor_ones = poor[others[1]]
    table = np.zeros(SLOTS, np.uint8)
    _count(*others, rates, poor_ones, table)
    keys, weights = _meet(*others, rates, poor_ones, table, facts.accounts)
    pairs, first, count = np.unique(keys, return_index=True, return_counts=True)
    kept = count >= FEWEST_MEETINGS
    # whole thousandths: their sum does not depend on the order
    summed = np.add.reduceat(weights, first)[kept] if len(pairs) else np.empty(0, np.int64)
    a = (pairs[kept] // facts.accounts).astype(np.int32)
    b = (pairs[kept] % facts.accounts).astype(np.int32)
    bits = surprise(summed / 1000, _chance(*_by_account(facts.accounts, visits), a, b))
    kept = bits >= LEAST_BITS
    return a[kept], b[kept], bits[kept]


def surprise(k: Floats, expected: Floats) -> Floats:
    """LLR(k, expected) in bits, at least 0."""
    often = k > expected
    e, chance = k[often], expected[often]
    bits = np.zeros(len(k))
    bits[often] = e * np.log2(e / chance) - (e - chance) / log(2) - np.log2(e + 1) / 2
    return np.maximum(bits, 0.0)


def _visits(facts: Facts) -> Visits | None:
    """All visits that count; None where there are too few to meet."""
    moves, bought = _timed(facts)
    if len(moves) + len(bought) < 2:
        return None
    times = pl.concat([moves["at"], bought["at"]])
    begin, end = int(times.min()), int(times.max())  # type: ignore[arg-type]
    span = end - begin + 1
    src, dst = moves["src"].to_numpy(), moves["dst"].to_numpy()
    shop = np.full(len(bought), 2 * facts.accounts, np.int32)
    place = np.concatenate([2 * dst, 2 * src + 1, shop])
    who = np.concatenate([src, dst, bought["account"].to_numpy()])
    at = pl.concat([moves["at"], times]) - begin
    starts = np.zeros(2 * facts.accounts + 2, np.int64)
    starts[1:] = np.cumsum(np.bincount(place, minlength=2 * facts.accounts + 1))
    who, at = _sorted_by_place(starts, place, who, at.cast(pl.Int32).to_numpy())
    width = _widths(np.diff(starts), span)
    institutions = facts.institutions
    if not len(institutions):
        institutions = np.zeros(facts.accounts, np.bool_)
    kept, silent = _that_count(institutions, starts, who, at, width)
    starts = np.concatenate(([0], np.cumsum(kept)))[starts]
    return Visits(starts, who[kept], at[kept], silent[kept], width, span)


def _timed(facts: Facts) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Transfers (src, dst, at) without contracts, and purchases (account, at), by time; `at`
    in seconds. In which order those of one second stand does not matter further on."""
    moves = facts.all_transfers.filter(~nw.col("at").is_null()).select("src", "dst", "at")
    bought = facts.purchases.filter(~nw.col("at").is_null()).select("account", "at")
    contracts = facts.exonerated.payments.select("src", "dst").unique().lazy()
    at = pl.col("at").dt.epoch("s")
    return (
        moves.to_native()
        .join(contracts, on=["src", "dst"], how="anti")
        .with_columns(at)
        .sort("at")
        .collect(),
        bought.to_native().with_columns(at).sort("at").collect(),
    )


def _widths(visits: Longs, span: int) -> Ints:
    """Of each place's window: so wide that MOST_LOOKED_AT neighbours are seen in all, the
    same number at all busy places."""
    count = visits.astype(np.float64)
    neighbours = count * WINDOW / span
    low, most = 0.0, max(float(neighbours.max()), 1.0)
    if float(count @ neighbours) > MOST_LOOKED_AT:
        for _ in range(50):
            middle = (low + most) / 2
            if float((count * np.minimum(neighbours, middle)).sum()) > MOST_LOOKED_AT:
                most = middle
            else:
                low = middle
    part = np.minimum(most / np.maximum(neighbours, 1e-12), 1.0)
    width: Ints = np.maximum(WINDOW * part, NARROWEST_WINDOW).astype(np.int32)
    return width


def _rhythm(visits: Visits, poor: Bools) -> Floats:
    """The relative rate of visits by the poor in each hour; of all, if none are poor."""
    theirs = visits.at[poor[visits.who]]
    at = theirs if len(theirs) else visits.at
    hours = np.bincount(at // HOUR, minlength=visits.span // HOUR + 1).astype(np.float64)
    rate: Floats = (hours + RHYTHM_PRIOR) / (len(at) * HOUR / visits.span + RHYTHM_PRIOR)
    return rate


@njit(cache=True)
def _sorted_by_place(starts, place, who, at):  # type: ignore[no-untyped-def]
    """A counting sort: what was sorted by time stays so within each place."""
    free = starts[:-1].copy()
    whose = np.empty_like(who)
    when = np.empty_like(at)
    for row in range(len(place)):
        slot = free[place[row]]
        free[place[row]] += 1
        whose[slot] = who[row]
        when[slot] = at[row]
    return whose, when


@njit(cache=True)
def _that_count(institutions, starts, who, at, width):  # type: ignore[no-untyped-def]
    """Which visits count (of an account's within a window the first; none of institutions, or
    where too few ever come), and which of them meet nobody (by the calendar, among friends)."""
    accounts = len(institutions)
    kept = np.zeros(len(who), np.bool_)
    silent = np.zeros(len(who), np.bool_)
    last = np.zeros(accounts, np.int64)
    count = np.zeros(accounts, np.int64)
    gaps = np.zeros(accounts, np.float64)
    squares = np.zeros(accounts, np.float64)
    paid_by = np.full(accounts, -1, np.int64)
    for place in range(len(starts) - 1):
        first, end = starts[place], starts[place + 1]
        if end - first < 2:
            continue
        friends = False
        if place % 2 == 0 and place < len(starts) - 2:
            receivers = 0
            for payment in range(end, starts[place + 2]):
                receivers += paid_by[who[payment]] != place
                paid_by[who[payment]] = place
            friends = receivers < PUBLIC
        for visit in range(first, end):
            count[who[visit]] = 0
        visitors = 0
        for visit in range(first, end):
            account = who[visit]
            if institutions[account]:
                continue
            if count[account] == 0:
                visitors += 1
                gaps[account] = squares[account] = 0.0
            elif at[visit] - last[account] <= width[place]:
                continue
            else:
                gap = (at[visit] - last[account]) / DAY
                gaps[account] += gap
                squares[account] += gap * gap
            kept[visit] = True
            count[account] += 1
            last[account] = at[visit]
        if visitors < (2 if place % 2 == 0 else FEWEST_RECEIVERS):
            kept[first:end] = False
            continue
        for visit in range(first, end):
            account = who[visit]
            if friends and paid_by[account] == place:
                silent[visit] = True
            elif count[account] > FEWEST_GAPS:
                usual = gaps[account] / (count[account] - 1)
                variance = squares[account] / (count[account] - 1) - usual * usual
                silent[visit] = variance < (REGULAR * usual) ** 2
    return kept, silent


@njit(cache=True)
def _rates(starts, who, at, width, silent, span, poor, rhythm):  # type: ignore[no-untyped-def]
    """The relative rate of others at each visit; infinite where it meets nobody."""
    rates = np.empty(len(who), np.float64)
    seen = np.full(len(poor), -1, np.int64)
    for place in range(len(starts) - 1):
        first, end = starts[place], starts[place + 1]
        half = width[place] // 2
        n_poor = visitors = 0
        for visit in range(first, end):
            n_poor += poor[who[visit]]
            visitors += seen[who[visit]] != place
            seen[who[visit]] = place
        own = 1.0 / (1.0 + n_poor)
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
            if silent[visit] or (place % 2 == 1 and high - low > LARGEST_WAVE * visitors):
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
        starts = np.concatenate(([0], np.cumsum(kept)))[visits.starts]
        who, at = visits.who[kept], visits.at[kept]
        around = _around(starts, at, visits.width)
        if around.sum() <= MOST_AROUND:
            break
        looked_at = np.cumsum(np.bincount(around) * np.arange(around.max() + 1))
        kept[kept] = around < np.searchsorted(looked_at, MOST_AROUND, side="right")
    return (starts, who, at, visits.width), rates[kept]


@njit(cache=True)
def _around(starts, at, width):  # type: ignore[no-untyped-def]
    """How many other visits of the place are within half a window of each."""
    around = np.zeros(len(at), np.int64)
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


@njit(cache=True)
def _slot(a, b, size):  # type: ignore[no-untyped-def]
    mixed = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    return np.int64(mixed & np.uint64(size - 1))


@njit(cache=True)
def _strangers(one, other, rates, who, poor):  # type: ignore[no-untyped-def]
    """Whether two visits do not make a meeting: nobody's, or of the poor, who reach no line."""
    if poor[one] and poor[other]:
        return True
    return rates[one] == np.inf or rates[other] == np.inf or who[one] == who[other]


@njit(cache=True)
def _count(starts, who, at, width, rates, poor, table):  # type: ignore[no-untyped-def]
    """How often two meet, up to 255; pairs that share a slot are counted together."""
    for place in range(len(starts) - 1):
        for one in range(starts[place], starts[place + 1]):
            until = at[one] + width[place] // 2
            for other in range(one + 1, starts[place + 1]):
                if at[other] > until:
                    break
                if _strangers(one, other, rates, who, poor):
                    continue
                slot = _slot(min(who[one], who[other]), max(who[one], who[other]), len(table))
                if table[slot] < 255:
                    table[slot] += 1


@njit(cache=True)
def _meet(starts, who, at, width, rates, poor, table, accounts):  # type: ignore[no-untyped-def]
    """Every meeting of those who meet often enough: the pair as one number, ascending, and
    what it counts in thousandths."""
    keys = np.empty(1024, np.int64)
    weights = np.empty(1024, np.int64)
    count = 0
    for place in range(len(starts) - 1):
        for one in range(starts[place], starts[place + 1]):
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
                keys[count] = np.int64(a) * accounts + b
                weights[count] = np.int64(1000 / max(rates[one], rates[other], 1.0))
                count += 1
    order = np.argsort(keys[:count], kind="mergesort")
    return keys[order], weights[order]


def _by_account(accounts: int, visits: Visits) -> tuple[Longs, Ints, Ints, int]:
    """Each account's places, ascending, as compressed rows; windows, and the span."""
    places = np.repeat(np.arange(len(visits.width), dtype=np.int32), np.diff(visits.starts))
    rows = np.zeros(accounts + 1, np.int64)
    rows[1:] = np.cumsum(np.bincount(visits.who, minlength=accounts))
    visited, _ = _sorted_by_place(rows, visits.who, places, visits.at)
    return rows, visited, visits.width, visits.span


@njit(cache=True)
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


def _visits_of(inside: Inside) -> pl.DataFrame:
    """Payments of members and to members: `account` (a member), `out` (whether it pays),
    `other`, `at` in seconds, `uid`; by time."""
    members = pl.Series(inside.members).implode()
    moves = inside.facts.filter(pl.col("at").is_not_null())
    at = pl.col("at").dt.epoch("s")
    return pl.concat(
        moves.filter(pl.col(mine).is_in(members)).select(
            pl.col(mine).alias("account"),
            pl.lit(mine == "src").alias("out"),
            pl.col(theirs).alias("other"),
            at.alias("at"),
            "uid",
        )
        for mine, theirs in (("src", "dst"), ("dst", "src"))
    ).sort("at", "account", "other", "uid")


def _together(inside: Inside) -> pl.DataFrame:
    """Times when three members or more came to one place: `out`, `other`, `begin`, the
    `account`s, how many `members`, `uid`s; at places where they did so several times, the
    most members first."""
    return (
        _visits_of(inside)
        .with_columns(begin=pl.col("at") // WINDOW * WINDOW)
        .group_by("out", "other", "begin", maintain_order=True)
        .agg("account", "uid", members=pl.col("account").n_unique())
        .filter(pl.col("members") >= 3)
        .filter(pl.len().over("out", "other") >= FEWEST_MEETINGS)
        .with_columns(pl.from_epoch("begin"))
        .sort(["members", "begin", "other", "out"], descending=[True, False, False, False])
    )


def _met(inside: Inside, one: pl.DataFrame, other: pl.DataFrame, span: int) -> str:
    """'u and v came to the same 3 counterparties within hours of each other 12 times'."""
    place = ["out", "other"]
    both = one.join(other, on=place, suffix="_too")
    close = both.filter((pl.col("at") - pl.col("at_too")).abs() <= WINDOW // 2)
    met = close.unique([*place, "at"])
    if len(met) < FEWEST_MEETINGS:
        return ""
    expected = max(len(both) * WINDOW / span, FEWEST_EXPECTED)
    if surprise(np.array([float(len(met))]), np.array([expected]))[0] < LEAST_BITS:
        return ""
    names = inside.name(one["account"][0]), inside.name(other["account"][0])
    places = met.select(place).n_unique()
    return (
        f"{names[0]} and {names[1]} paid, or were paid by, "
        f"{'one counterparty' if places == 1 else f'the same {places} counterparties'} within "
        f"hours of each other {len(met)} times"
    )


DETECTOR = Lockstep()
