"""What the second method (`propose_judge`) looks at: kinds of tie between two accounts, and how
many ties chance would make.

A pair's expected ties of a kind are D_u D_v M[tier_u, tier_v, class]: D degrees, tiers by
holdings, M = ties / sum of D D by tiers and class (same fine community or same public IP; same
coarse community; other).

Where the description is silent: communities are Leiden's at resolutions 1 and 30, the fine ones
within the coarse; of several public IPs (nine holders and more) an account has the one with the
fewest; M leans on all tiers of a class where few ties are expected; the degree for waves is how
often an account receives from the largest, whose pairs propose and refine but are not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from inconcert.bench.peers import Floats, Ints, Links, Material
from inconcert.bench.peers.graphs import communities
from inconcert.bench.peers.payments import HOUR, MOST_CONTACTS, cleaned, everything, relays

ONCE, FEW, OFTEN, EXCLUSIVE, RELAYED, RELAYED_OFTEN, IDENTIFIER, WAVE, CONTACT = range(9)
KINDS = 9
TIES, RELAYS = (ONCE, FEW, OFTEN, EXCLUSIVE), (RELAYED, RELAYED_OFTEN)

TIERS = (0.004, 0.012, 0.04, 0.12)
"""Parts of all accounts, the richest first; the rest is the last tier, the poor."""

POOR, RICHEST_LEFT_OUT = len(TIERS), 2
"""Communities come from ties with an end in a tier above RICHEST_LEFT_OUT: outside the top 4 %."""

MOST_HOLDERS, PUBLIC_HOLDERS = 5, 9
HUBS, WAVE_HOURS, WAVE_BITS, FEWEST_WAVES = 8, 8, 8.0, 3
COARSE, FINE = 1.0, 30.0
"""Resolutions of the communities."""

PRIOR_TIES = 3.0
"""So many ties by chance stand behind the rate of tiers that few pairs tell of."""

Bools = npt.NDArray[np.bool_]


def tiers(shares: Floats) -> Ints:
    """The tier of each account, 0 the richest; equal holdings by place."""
    rank = np.empty(len(shares), np.int64)
    rank[np.argsort(-shares, kind="stable")] = np.arange(len(shares))
    return np.searchsorted(np.array(TIERS) * len(shares), rank, side="right").astype(np.int64)


class Layers:
    """All of it for one town."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self.tier = tiers(material.shares)
        self.payments = _of_private(material, cleaned(material))
        self.waves = Waves(material, self.tier)

    @cached_property
    def links(self) -> Links:
        """Pairs with a payment, ascending."""
        found = self._by_pair
        a, b, count = (found[name].cast(pl.Int64).to_numpy() for name in ("a", "b", "count"))
        return Links(a, b, count, found["moved"].to_numpy())

    @cached_property
    def _by_pair(self) -> pl.DataFrame:
        return (
            self.payments.group_by("a", "b", maintain_order=True)
            .agg(count=pl.len(), moved=pl.col("amount").sort().sum(), first=pl.col("at").min())
            .sort("a", "b")
        )

    @cached_property
    def first(self) -> Floats:
        """When the two of each pair first dealt (microseconds, nan where unknown)."""
        return self._by_pair["first"].cast(pl.Float64).fill_null(np.nan).to_numpy()

    @cached_property
    def exclusive(self) -> Floats:
        """What two move between them, against all that they move."""
        links, count = self.links, self.material.accounts
        total = np.bincount(links.a, links.moved, count) + np.bincount(links.b, links.moved, count)
        whole = total[links.a] * total[links.b]
        found: Floats = links.moved / np.sqrt(np.maximum(whole, 1e-300))
        return found

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """a < b, kind: every tie of every kind, once."""
        links = self.links
        kind = np.select([links.count == 1, links.count <= 3], [ONCE, FEW], OFTEN)
        if len(kind):
            kind[(kind == OFTEN) & (self.exclusive >= np.quantile(self.exclusive, 0.75))] = (
                EXCLUSIVE
            )
        contact = np.full(len(kind), CONTACT)
        parts = [
            pl.DataFrame({"a": links.a, "b": links.b, "kind": one.astype(np.int64)})
            for one in (kind, contact)
        ]
        parts += [self._relays, _identifiers(self.material), self.waves.pairs(self.material)]
        return pl.concat(parts).sort("a", "b", "kind")

    @cached_property
    def _relays(self) -> pl.DataFrame:
        found = relays(self.material, self.tier == POOR)
        kind = pl.when(pl.col("count") == 1).then(RELAYED).otherwise(RELAYED_OFTEN)
        return found.select("a", "b", kind=kind.cast(pl.Int64))

    @cached_property
    def coarse(self) -> Ints:
        """The coarse community of each account, -1 without one."""
        return self._communities(COARSE)

    @cached_property
    def fine(self) -> Ints:
        """The fine community within the coarse one, -1 without one."""
        found = self._communities(FINE)
        _, both = np.unique(found * (self.coarse.max() + 2) + self.coarse, return_inverse=True)
        return np.where((found >= 0) & (self.coarse >= 0), both, -1)

    def _communities(self, resolution: float) -> Ints:
        labels = np.full(self.material.accounts, -1, np.int64)
        small, links = self.tier > RICHEST_LEFT_OUT, self.links
        known = links.only(small[links.a] | small[links.b])
        if len(known.a):
            for name, part in enumerate(communities(self.material, known, "leiden", resolution)):
                labels[part] = name
        return labels

    @cached_property
    def venue(self) -> Ints:
        """The public IP of each account, the one with the fewest holders; -1 without one."""
        labels = np.full(self.material.accounts, -1, np.int64)
        held = (
            self.material.seen.filter(pl.col("kind") == "ip")
            .with_columns(holders=pl.len().over("value"))
            .filter(pl.col("holders") >= PUBLIC_HOLDERS)
            .sort("account", "holders", "value")
            .unique("account", keep="first", maintain_order=True)
        )
        labels[held["account"].to_numpy()] = held["value"].to_numpy()
        return labels

    @cached_property
    def degree(self) -> Floats:
        """D by kind and account: own ties for kinds of payments and identifiers, contacts for
        relays, receipts from the largest for waves."""
        count = self.material.accounts
        ends = np.concatenate([self.pairs["a"].to_numpy(), self.pairs["b"].to_numpy()])
        kinds = np.tile(self.pairs["kind"].to_numpy(), 2)
        own = np.bincount(kinds * count + ends, minlength=KINDS * count).astype(np.float64)
        degree: Floats = own.reshape(KINDS, count)
        degree[list(RELAYS)] = np.maximum(degree[CONTACT], 1.0)
        degree[WAVE] = np.maximum(self.waves.receipts, 1.0)
        return degree

    @cached_property
    def null(self) -> Null:
        """How many ties chance makes."""
        return Null.of(self)


def _of_private(material: Material, rows: pl.DataFrame) -> pl.DataFrame:
    """a < b, src, amount, at, of who does not deal with too many; by pair, then time."""
    many = pl.Series(material.degree > MOST_CONTACTS)
    few = rows.filter(~(many.gather(rows["src"]) | many.gather(rows["dst"])))
    ends = {"a": pl.min_horizontal("src", "dst"), "b": pl.max_horizontal("src", "dst")}
    return few.select("src", "amount", "at", **ends).sort("a", "b", "at", "amount", "src")


def _identifiers(material: Material) -> pl.DataFrame:
    """Accounts with a rare value in common: a path through its holders, by falling holdings."""
    held = (
        material.seen.with_columns(
            holders=pl.len().over("value"),
            wealth=pl.Series(material.shares).gather(material.seen["account"]),
        )
        .filter(pl.col("holders") <= MOST_HOLDERS)
        .sort(["value", "wealth", "account"], descending=[False, True, False])
        .with_columns(other=pl.col("account").shift(-1).over("value"))
        .drop_nulls("other")
    )
    return held.select(
        a=pl.min_horizontal("account", "other"),
        b=pl.max_horizontal("account", "other"),
        kind=pl.lit(IDENTIFIER, pl.Int64),
    ).unique()


class Waves:
    """Who receives from the largest counterparties, in which bins of hours."""

    def __init__(self, material: Material, tier: Ints) -> None:
        rows = everything(material).select("src", "dst", "at").unique()
        reach = rows.group_by("src").agg(reach=pl.col("dst").n_unique())
        largest = reach.sort(["reach", "src"], descending=[True, False]).head(HUBS)
        rows = rows.join(largest.with_row_index("hub"), on="src")
        begin = int(rows["at"].min() or 0)  # type: ignore[arg-type]
        self.bins = int(rows["at"].max() or 0) - begin  # type: ignore[arg-type]
        self.bins = self.bins // (WAVE_HOURS * HOUR) + 1
        bin_of = pl.col("hub").cast(pl.Int64) * self.bins + (pl.col("at") - begin) // (
            WAVE_HOURS * HOUR
        )
        private = ~pl.Series(material.public).gather(rows["dst"])
        seats = rows.filter(private).select(account="dst", bin=bin_of).unique()
        seats = seats.sort("account", "bin")
        self.account, self.bin = seats["account"].to_numpy(), seats["bin"].to_numpy()
        self.starts = np.searchsorted(self.account, np.arange(material.accounts + 1))
        self.receipts = np.diff(self.starts).astype(np.float64)
        poor = tier[self.account] == POOR
        by_poor = np.bincount(self.bin[poor], minlength=HUBS * self.bins).reshape(HUBS, -1) + 1.0
        self.rate = by_poor / by_poor.sum(axis=1, keepdims=True)
        """By hub and bin, what part of its payments to the poor goes out then."""
        self._rich = tier < POOR

    def pairs(self, material: Material) -> pl.DataFrame:
        """a < b, kind of those who receive from one of the largest in the same bins."""
        found = [np.empty((0, 2), np.int64)]
        for hub in range(HUBS):
            here = (self.bin // self.bins == hub) & self._rich[self.account]
            many = np.bincount(self.account[here], minlength=material.accounts)
            here &= many[self.account] >= FEWEST_WAVES
            found.append(_together(self.account[here], self.bin[here] % self.bins, self.rate[hub]))
        a, b = np.unique(np.concatenate(found), axis=0).T
        kind = np.full(len(a), WAVE, np.int64)
        return pl.DataFrame({"a": a, "b": b, "kind": kind})


def _together(account: Ints, bin_of: Ints, rate: Floats) -> Ints:
    """Pairs of accounts (two columns) whose shared bins are worth WAVE_BITS."""
    who, place = np.unique(account, return_inverse=True)
    seats = np.zeros((len(who), len(rate)), np.float32)
    seats[place, bin_of] = 1
    shared = (seats / (rate * len(rate)).astype(np.float32)) @ seats.T
    often = seats.sum(axis=1)
    chance = np.maximum(np.outer(often, often) / len(rate), 1e-6)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = shared * np.log2(shared / chance) - (shared - chance) / np.log(2)
    a, b = np.nonzero(np.triu((shared > chance) & (bits > WAVE_BITS), 1))
    return np.column_stack([who[a], who[b]])


@dataclass(frozen=True)
class Null:
    """Ties, and sums of D D over pairs, by kind, tiers of both ends and class; symmetric."""

    ties: Floats
    chances: Floats

    @classmethod
    def of(cls, layers: Layers) -> Null:
        """Over all pairs of accounts."""
        shape = (KINDS, POOR + 1, POOR + 1, 3)
        a, b, kind = (layers.pairs[name].to_numpy() for name in ("a", "b", "kind"))
        one, other = layers.tier[a], layers.tier[b]
        cell = np.ravel_multi_index((kind, one, other, classes(layers, a, b)), shape)
        ties = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)
        ties = ties + np.swapaxes(ties, 1, 2)
        diagonal = np.arange(POOR + 1)
        ties[:, diagonal, diagonal] /= 2
        return cls(ties, _chances(layers))

    def per_chance(self, ties: Floats, chances: Floats) -> Floats:
        """M without a set, of which ties and chances are given; few ties say little, then all
        tiers of the class do."""
        left, among = self.ties - ties, np.maximum(self.chances - chances, 0.0)
        kind = left.sum(axis=(1, 2, 3)) + 0.5, among.sum(axis=(1, 2, 3)) + 1.0
        of_kind = (kind[0] / kind[1])[:, None]
        of_class = (left.sum(axis=(1, 2)) + 1) / (among.sum(axis=(1, 2)) + 1 / of_kind)
        prior = PRIOR_TIES / of_class[:, None, None]
        found: Floats = (left + PRIOR_TIES) / (among + prior)
        return found


def classes(layers: Layers, a: Ints, b: Ints) -> Ints:
    """0: same fine community or public IP; 1: same coarse community; 2: other."""
    fine, venue, coarse = (
        (label[a] == label[b]) & (label[a] >= 0)
        for label in (layers.fine, layers.venue, layers.coarse)
    )
    return np.where(fine | venue, 0, np.where(coarse, 1, 2))


def _chances(layers: Layers) -> Floats:
    """Sums of D D over pairs of accounts by class, by sums over communities."""
    coarse, fine, venue = layers.coarse, layers.fine, layers.venue
    in_venue = venue >= 0
    every, in_coarse, in_fine, at_venue, coarse_venue, fine_venue = (
        _within(layers, labels)
        for labels in (
            np.zeros(len(coarse), np.int64),
            coarse,
            fine,
            venue,
            np.where(in_venue & (coarse >= 0), coarse * (venue.max() + 1) + venue, -1),
            np.where(in_venue & (fine >= 0), fine * (venue.max() + 1) + venue, -1),
        )
    )
    near = in_fine + at_venue - fine_venue
    same = in_coarse - in_fine - coarse_venue + fine_venue
    return np.maximum(np.stack([near, same, every - near - same], axis=-1), 0.0)


def _within(layers: Layers, labels: Ints) -> Floats:
    """Sums of D D over pairs with one label (not negative), by kind and tiers."""
    known = labels >= 0
    _, place = np.unique(labels[known], return_inverse=True)
    cell, size = place * (POOR + 1) + layers.tier[known], int(place.max(initial=-1)) + 1
    found = np.empty((KINDS, POOR + 1, POOR + 1))
    for kind, degree in enumerate(layers.degree):
        sums = np.bincount(cell, degree[known], size * (POOR + 1)).reshape(-1, POOR + 1)
        itself = np.bincount(layers.tier[known], degree[known] ** 2, POOR + 1)
        found[kind] = sums.T @ sums
        diagonal = np.arange(POOR + 1)
        found[kind, diagonal, diagonal] = (found[kind, diagonal, diagonal] - itself) / 2
    return found
