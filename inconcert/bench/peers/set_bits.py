"""Bits of a set for the second method (`propose_judge`): what its ties, identifiers and times say
against chance, what innocent rivals take away, and what naming its members costs.

Where the description is silent: relays count by pairs, once and more often; a bin of hours
counts for waves (of receivers) and bursts (of members who pay inside) where it is worth more
than naming it; the market gives each inside transfer to a pair by both ends' activity, its
rival names the pairs and uses each alike; the calendar is the hours of the week or the days of
the month (UTC) that inside transfers keep to, three times or more; onset compares the first
contacts inside with those of the same accounts outside; each poor outsider pays for his own
naming, and members of another tier than most cost as if named among all accounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log, log2

import numpy as np
import polars as pl
from numba import njit

from inconcert.bench.peers import Floats, Ints
from inconcert.bench.peers.layers import (
    CONTACT,
    IDENTIFIER,
    KINDS,
    POOR,
    RELAYS,
    TIES,
    WAVE_HOURS,
    Bools,
    Layers,
    classes,
)
from inconcert.bench.peers.payments import DAY, HOUR

LEAST_ONSETS, PRIOR_ONSETS = 4, 10.0
RECURRING = 3


def more_than(seen: Floats, expected: Floats) -> Floats:
    """LLR(e, L) = e log2(e/L) - (e-L)/ln 2 - half log2(e+1) bits, 0 where no more than expected."""
    over = seen > expected
    e, chance = np.where(over, seen, 1.0), np.maximum(np.where(over, expected, 1.0), 1e-9)
    bits = e * np.log2(e / chance) - (e - chance) / log(2) - 0.5 * np.log2(e + 1)
    return np.where(over, np.maximum(bits, 0.0), 0.0)


def log2_choose(of: int, many: int) -> float:
    """log2 of the number of sets."""
    return (lgamma(of + 1) - lgamma(many + 1) - lgamma(of - many + 1)) / log(2)


@dataclass(frozen=True)
class Inside:
    """A set as the null sees it, by kind of tie: M without it, ties inside, ties by chance."""

    per_chance: Floats
    seen: Floats
    expected: Floats


class SetBits:
    """The judge of sets of one town."""

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.accounts = layers.material.accounts
        self.places = (layers.tier, layers.fine, layers.coarse, layers.venue, layers.degree)
        self.null = layers.null
        pairs = layers.pairs
        a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
        self.starts, rows = _by_account(self.accounts, a, b)
        self.near = np.concatenate([b, a])[rows]
        self.kind = np.tile(pairs["kind"].to_numpy(), 2)[rows]
        links = layers.links
        self.link_starts, self.link_rows = _by_account(self.accounts, links.a, links.b)
        self.link_rows %= max(len(links.a), 1)
        self.paid = np.concatenate([[0], np.cumsum(links.count)])
        self.first = np.sort(layers.first)
        counts = np.bincount(layers.tier, minlength=POOR + 1)
        self.pools = [int(one) for one in np.cumsum(counts)]
        self._calendar(layers)

    def _calendar(self, layers: Layers) -> None:
        """When everybody pays: by bin of hours, hour of the week, day of the month."""
        at = layers.payments["at"]
        self.timed = len(at) > 0 and at.null_count() == 0
        self.at = at.fill_null(0).to_numpy()
        self.payer = layers.payments["src"].to_numpy()
        begin = int(self.at.min(initial=2**62)) if self.timed else 0
        self.clocks = [
            (self.at - begin) // (WAVE_HOURS * HOUR),
            self.at // HOUR % (7 * 24),
            at.fill_null(0).cast(pl.Datetime("us")).dt.day().cast(pl.Int64).to_numpy(),
        ]
        self.again = [self.at // (7 * DAY), self.at // (28 * DAY)]
        self.rhythm = [
            (np.bincount(clock) + 1.0) / (len(clock) + clock.max(initial=0) + 1)
            for clock in self.clocks
        ]

    def inside(self, members: Ints, without: Ints | None = None) -> Inside:
        """Ties of a set, and how many chance would make; M without the set, or a larger one."""
        ties, chances = self._count(members)
        per_chance = self.null.per_chance(
            *(self._count(without) if without is not None else (ties, chances))
        )
        upper = np.triu(np.ones((POOR + 1, POOR + 1)))[:, :, None]
        seen = (ties * upper).sum(axis=(1, 2, 3))
        return Inside(per_chance, seen, (chances * per_chance * upper).sum(axis=(1, 2, 3)))

    def _count(self, members: Ints) -> tuple[Floats, Floats]:
        """Ties and sums of D D inside a set."""
        ties, chances = _inside(members, self.starts, self.near, self.kind, *self.places)
        return ties, chances

    def contacts(self, members: Ints) -> tuple[Ints, Floats]:
        """Who has a tie with a member, and how many of each kind (by kind and account)."""
        spans = [self.near[self.starts[one] : self.starts[one + 1]] for one in members]
        kinds = [self.kind[self.starts[one] : self.starts[one + 1]] for one in members]
        others, place = np.unique(np.concatenate(spans), return_inverse=True)
        cell = np.concatenate(kinds) * len(others) + place
        toward = np.bincount(cell, minlength=KINDS * len(others)).astype(np.float64)
        return others, toward.reshape(KINDS, -1)

    def expected(self, others: Ints, members: Ints, inside: Inside) -> Floats:
        """Ties with members that chance makes, by kind and account."""
        found: Floats = _expected(others, members, inside.per_chance, *self.places)
        return found

    def pair_chance(self, a: Ints, b: Ints, kind: Ints) -> Floats:
        """How many ties of a kind chance makes between two."""
        layers, degree = self.layers, self.layers.degree
        per_chance = self.null.per_chance(*(np.zeros((KINDS, POOR + 1, POOR + 1, 3)),) * 2)
        cell = per_chance[kind, layers.tier[a], layers.tier[b], classes(layers, a, b)]
        found: Floats = degree[kind, a] * degree[kind, b] * cell
        return found

    def cost(self, members: Ints) -> float:
        """Bits to name the members: so many of the tier's, others of all, whichever is less."""
        tier, best = self.layers.tier[members], np.inf
        for place, pool in enumerate(self.pools):
            poorer = int((tier > place).sum())
            if pool == 0:
                continue
            bits = log2_choose(pool, len(members) - poorer) + 0.5 * log2(pool)
            best = min(best, bits + (log2_choose(self.accounts, poorer) if poorer else 0.0))
        return float(best)

    def pool(self, members: Ints) -> int:
        """How many are in the tier that most members are of."""
        return self.pools[int(np.quantile(self.layers.tier[members], 0.9))]

    def score(self, members: Ints, without: Ints | None = None) -> float:
        """All bits less the cost of naming."""
        return sum(self.bits(members, without).values()) - self.cost(members)

    def bits(self, members: Ints, without: Ints | None = None) -> dict[str, float]:
        """By what they say; rivals below 0."""
        inside = self.inside(members, without)
        said = more_than(inside.seen, inside.expected)
        transfers = self._transfers(members)
        return {
            "tie": float(said[list(TIES)].sum()),
            "relay": float(said[list(RELAYS)].sum()),
            "identifier": float(said[IDENTIFIER]),
            "wave": self._waves(members),
            "feeder": self._feeders(members, inside),
            "burst": self._burst(transfers),
            "onset": self._onset(members),
            "market": -_market(*self._repeated(members)),
            "calendar": -self._calendar_bits(transfers),
        }

    def _links(self, members: Ints) -> tuple[Ints, Bools]:
        """Pairs that deal with an end among members, and whether both are."""
        spans = [self.link_rows[self.link_starts[m] : self.link_starts[m + 1]] for m in members]
        rows, times = np.unique(np.concatenate(spans), return_counts=True)
        return rows, times == 2

    def _transfers(self, members: Ints) -> Ints:
        """Places of the payments inside."""
        rows, both = self._links(members)
        spans = [np.arange(self.paid[row], self.paid[row + 1]) for row in rows[both]]
        return np.concatenate([np.empty(0, np.int64), *spans])

    def _repeated(self, members: Ints) -> tuple[Ints, Ints, Ints, int]:
        rows, both = self._links(members)
        links = self.layers.links.only(rows[both])  # type: ignore[arg-type]
        return links.a, links.b, links.count, len(members)

    def _waves(self, members: Ints) -> float:
        """Members who receive from one of the largest in the same bins."""
        waves = self.layers.waves
        spans = [waves.bin[waves.starts[one] : waves.starts[one + 1]] for one in members]
        bins = np.concatenate([np.empty(0, np.int64), *spans])
        if not len(bins):
            return 0.0
        seen = np.bincount(bins, minlength=waves.rate.size).reshape(waves.rate.shape)
        expected = seen.sum(axis=1, keepdims=True) * waves.rate
        worth = more_than(seen.astype(np.float64), expected) - log2(max(waves.bins, 2))
        return float(np.maximum(worth, 0.0).sum())

    def _feeders(self, members: Ints, inside: Inside) -> float:
        """Poor outsiders with more contacts inside than chance gives them."""
        others, toward = self.contacts(members)
        poor = (self.layers.tier[others] == POOR) & (toward[CONTACT] >= 2)
        poor &= ~np.isin(others, members)
        chance = self.expected(others[poor], members, inside)[CONTACT]
        worth = more_than(toward[CONTACT][poor], chance) - log2(self.accounts)
        return float(np.maximum(worth, 0.0).sum())

    def _burst(self, transfers: Ints) -> float:
        """Members who pay inside in the same bins, against everybody's rhythm."""
        if not self.timed or not len(transfers):
            return 0.0
        rate = self.rhythm[0]
        who = self.payer[transfers]
        bins = np.unique(np.column_stack([who, self.clocks[0][transfers]]), axis=0)[:, 1]
        seen = np.bincount(bins, minlength=len(rate)).astype(np.float64)
        worth = more_than(seen, seen.sum() * rate) - log2(len(rate))
        return float(np.maximum(worth, 0.0).sum())

    def _calendar_bits(self, transfers: Ints) -> float:
        """Hours of the week, or days of the month, that inside payments keep to."""
        if not self.timed:
            return 0.0
        best = 0.0
        for clock, again, rate in zip(self.clocks[1:], self.again, self.rhythm[1:], strict=True):
            seen = np.bincount(clock[transfers], minlength=len(rate)).astype(np.float64)
            times = np.unique(np.column_stack([clock[transfers], again[transfers]]), axis=0)[:, 0]
            kept = np.bincount(times, minlength=len(rate)) >= RECURRING
            worth = more_than(seen, len(transfers) * rate) - log2(len(rate))
            best = max(best, float(np.maximum(worth, 0.0)[kept].sum()))
        return best

    def _onset(self, members: Ints) -> float:
        """First contacts inside come after a day, those with others do not."""
        rows, both = self._links(members)
        first = self.layers.first[rows]
        within, others = np.sort(first[both]), np.sort(first[~both])
        if not self.timed or len(within) < LEAST_ONSETS:
            return 0.0
        everybody = self.first
        days = np.arange(within[0], within[-1] + DAY, DAY)
        inside, outside, all_of = (
            len(one) - np.searchsorted(one, days) for one in (within, others, everybody)
        )
        usual = (outside + PRIOR_ONSETS * all_of / len(everybody)) / (len(others) + PRIOR_ONSETS)
        usual = np.clip(usual, 1e-9, 1 - 1e-9)
        part = np.clip(inside / len(within), 1e-9, 1 - 1e-9)
        bits = inside * np.log2(part / usual)
        bits += (len(within) - inside) * np.log2((1 - part) / (1 - usual))
        worth = np.where(part > usual, bits, 0.0) - log2(len(days) + 1)
        return float(max(worth.max(), 0.0))


def _by_account(accounts: int, a: Ints, b: Ints) -> tuple[Ints, Ints]:
    """Rows of pairs (twice their number, second ends after first ones) by account."""
    ends = np.concatenate([a, b])
    rows = np.argsort(ends, kind="stable")
    return np.searchsorted(ends[rows], np.arange(accounts + 1)), rows


def _market(a: Ints, b: Ints, count: Ints, members: int) -> float:
    """How much better random mixing of active people explains inside transfers than a few pairs
    that repeat do."""
    total, pairs = int(count.sum()), len(count)
    if pairs < 2:
        return 0.0
    who, place = np.unique(np.concatenate([a, b]), return_inverse=True)
    active = np.bincount(place, np.tile(count, 2)).astype(np.float64)
    mixed = active[place[:pairs]] * active[place[pairs:]]
    every = (active.sum() ** 2 - (active**2).sum()) / 2
    mixing = float((count * np.log2(mixed / every)).sum()) - (len(who) - 1) / 2 * log2(total)
    repeating = -total * log2(pairs) - log2_choose(members * (members - 1) // 2, pairs)
    return max(mixing - repeating, 0.0)


@njit(cache=True)
def _class(u, v, fine, coarse, venue):  # type: ignore[no-untyped-def]
    if (fine[u] >= 0 and fine[u] == fine[v]) or (venue[u] >= 0 and venue[u] == venue[v]):
        return 0
    return 1 if coarse[u] >= 0 and coarse[u] == coarse[v] else 2


@njit(cache=True)
def _inside(members, starts, near, kinds, tier, fine, coarse, venue, degree):  # type: ignore[no-untyped-def]
    """Ties and sums of D D inside a set, by kind, tiers of both ends and class; symmetric."""
    ties = np.zeros((KINDS, POOR + 1, POOR + 1, 3))
    chances = np.zeros((KINDS, POOR + 1, POOR + 1, 3))
    is_member = np.zeros(len(tier), np.bool_)
    is_member[members] = True
    for place in range(len(members)):
        u = members[place]
        for other in range(place):
            v = members[other]
            one = _class(u, v, fine, coarse, venue)
            for kind in range(KINDS):
                product = degree[kind, u] * degree[kind, v]
                chances[kind, tier[u], tier[v], one] += product
                if tier[u] != tier[v]:
                    chances[kind, tier[v], tier[u], one] += product
        for row in range(starts[u], starts[u + 1]):
            v = near[row]
            if is_member[v] and v < u:
                one = _class(u, v, fine, coarse, venue)
                ties[kinds[row], tier[u], tier[v], one] += 1
                if tier[u] != tier[v]:
                    ties[kinds[row], tier[v], tier[u], one] += 1
    return ties, chances


@njit(cache=True)
def _chained(members, labels):  # type: ignore[no-untyped-def]
    """Members by label: the first of each label, and after each member the next (-1: none)."""
    first, after = np.full(labels.max() + 2, -1), np.full(len(members), -1)
    for place in range(len(members)):
        label = labels[members[place]]
        if label >= 0:
            after[place], first[label] = first[label], place
    return first, after


@njit(cache=True)
def _nearer(found, place, degree, v, per_chance, one, other, near):  # type: ignore[no-untyped-def]
    """Instead of chances among other communities, those of a class."""
    for kind in range(KINDS):
        more = per_chance[kind, one, other, near] - per_chance[kind, one, other, 2]
        found[kind, place] += degree[kind, v] * more


@njit(cache=True)
def _expected(others, members, per_chance, tier, fine, coarse, venue, degree):  # type: ignore[no-untyped-def]
    """By kind and account: as if all members were of other communities, then what those of the
    same one make of it."""
    sums, whole = np.zeros((KINDS, POOR + 1)), np.zeros((KINDS, POOR + 1))
    for v in members:
        for kind in range(KINDS):
            sums[kind, tier[v]] += degree[kind, v]
    for one in range(POOR + 1):
        for other in range(POOR + 1):
            whole[:, one] += sums[:, other] * per_chance[:, one, other, 2]
    is_member = np.zeros(len(tier), np.bool_)
    is_member[members] = True
    by_coarse, next_coarse = _chained(members, coarse)
    by_venue, next_venue = _chained(members, venue)
    found = np.zeros((KINDS, len(others)))
    for place in range(len(others)):
        u = others[place]
        for kind in range(KINDS):
            itself = degree[kind, u] * per_chance[kind, tier[u], tier[u], 2]
            found[kind, place] = whole[kind, tier[u]] - (itself if is_member[u] else 0.0)
        at = by_coarse[coarse[u]] if coarse[u] >= 0 else -1
        while at >= 0:
            v = members[at]
            if u != v:
                one = _class(u, v, fine, coarse, venue)
                _nearer(found, place, degree, v, per_chance, tier[u], tier[v], one)
            at = next_coarse[at]
        at = by_venue[venue[u]] if venue[u] >= 0 else -1
        while at >= 0:
            v = members[at]
            if u != v and (coarse[u] < 0 or coarse[u] != coarse[v]):
                _nearer(found, place, degree, v, per_chance, tier[u], tier[v], 0)
            at = next_venue[at]
        for kind in range(KINDS):
            found[kind, place] *= degree[kind, u]
    return found
