"""The judge: how much better *one will* explains a set than *strangers* do.

Description length, in bits. Strangers tie by chance: a layer expects
Lambda = sum over pairs of w_u w_v x (mixing of their wealth tiers) ties inside a set, the
mixing estimated without the set. A set with e > Lambda ties saves

    LLR(e, Lambda) = e log2(e / Lambda) - (e - Lambda) / ln 2 - 1/2 log2(e + 1)

bits in that layer (a Poisson log-likelihood ratio, the last term for its free rate), and
costs what it takes to name it among all sets with as many members of each wealth tier.
An account has only so many contacts: that many of them are inside is rarer than a Poisson
count says, and these bits tell whether a set is a group, not who belongs to it
(`Verdict.extent_bits`).
Layers that are *given* contacts expect instead the sum over the set's contacts of how usual
such a tie is among contacts of their class: so no contact is counted twice. Of a set's contacts
each is of one kind or of none, so what is of none counts too (a multinomial likelihood).
Degree-corrected chance: Karrer and Newman 2011; minimum description length: Rissanen 1978.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import lgamma, log2

import numpy as np

from detectors.contacts import Contacts
from detectors.engine.bits import LN2, UNGROUPED, Speech
from detectors.engine.count import NO_TREE, Accounts, Kinds, adjacency, inside_ties
from detectors.engine.evidence import Evidence
from detectors.engine.layout import Layout, Weighed, lay_out
from detectors.engine.steps import (
    between,
    connected_part,
    gained,
    hinges,
    naming,
    tied_besides,
    weigh,
    who_adds,
)
from detectors.family import TIER_SHARES, Floats, Ints, Layer

TIERS = len(TIER_SHARES) + 1

MOST_REMEMBERED = 4_096
"""Counts of sets that a ground keeps: the same ones come up again and again."""


@dataclass(frozen=True)
class Verdict:
    """What the judge says of a set, in bits."""

    evidence_bits: dict[str, float]
    """By family; 0 where the family does not speak for the set."""
    cost_bits: float
    """Of naming the set."""
    beyond_club_bits: float
    """How much better exclusive ties explain it than a club whose members deal at random,
    and what families say that such a club does not bring about."""
    ties: dict[str, int]
    """Ties inside by layer."""
    expected: dict[str, float] = field(default_factory=dict)
    """What strangers would have of them."""

    used_up_bits: float = 0.0
    """Of the evidence, what says that members have few contacts left for others."""
    belonging_bits: float = 0.0
    """No evidence that it is a group; what tells who belongs to it: that members deal inside
    unevenly, and ties that are `Layer.for_extent`."""
    usual_bits: dict[str, float] = field(default_factory=dict)
    """By family: of its evidence, what a team brings about as well."""

    @property
    def extent_bits(self) -> float:
        """By these bits sets are compared that are nearly the same: with `belonging_bits`, and
        without `used_up_bits`, which would draw in whoever deals with a member."""
        return self.strength_bits - self.used_up_bits + self.belonging_bits

    @property
    def strength_bits(self) -> float:
        """Evidence less the cost of naming the set."""
        return sum(self.evidence_bits.values()) - self.cost_bits


class Ground:
    """The neighbourhood of some sets, laid out for judging and refining them.

    Holds all ties between `accounts`, in compressed rows, and what strangers would have.
    """

    def __init__(self, evidence: Evidence, accounts: Ints) -> None:
        """`accounts`: numbers, ascending: the only ones that a refined set may hold."""
        self.accounts = accounts
        self.facts = evidence.facts
        self.population = evidence.accounts
        self.layers = [layer for _, layer in evidence.layers]
        self.families = [family.name for family, _ in evidence.layers]
        self._names = [layer.name for layer in self.layers]
        self._usual = np.array([layer.usual_in_clubs for layer in self.layers], np.bool_)
        self._by_club = [layer.contacts or layer.usual_in_clubs for layer in self.layers]
        self.sources = {family.name: family.source for family, _ in evidence.layers}
        numbered = {family: number for number, family in enumerate(self.sources)}
        self._family_of = np.array([numbered[family] for family in self.families], np.int64)
        places = np.full(evidence.accounts, -1, np.int32)
        places[accounts] = np.arange(len(accounts), dtype=np.int32)
        classes, rates = _classes(self.layers, evidence.facts.contacts)
        self._ties = adjacency(
            len(accounts),
            [
                (places[layer.a], places[layer.b], code)
                for layer, code in zip(self.layers, classes, strict=True)
            ],
        )
        weighed = [index for index, layer in enumerate(self.layers) if layer.rates is None]
        self._kinds = _kinds(self.layers, self.families, weighed, rates.shape[1])
        self._speech = _speech(self.layers, self.families, weighed, rates, evidence.weights)
        self.shared = self._speech.shared
        self._spoken = ~self._speech.for_extent
        self._accounts = _accounts(evidence, accounts, [self.layers[index] for index in weighed])
        given = np.flatnonzero([layer.rates is not None for layer in self.layers])
        self._tier_sizes = np.bincount(evidence.facts.tiers, minlength=TIERS)
        self._layout: Layout = lay_out(
            self._ties,
            self._kinds,
            self._accounts,
            _mixing(evidence),
            self._speech,
            given,
            rates[given],
            max(len(evidence.facts.contacts.in_class), 1),
            self._family_of,
            self._tier_sizes,
            evidence.facts.holdings[accounts],
        )
        self._weighed: dict[bytes, Weighed] = {}
        self._adding: dict[bytes, Ints] = {}

    @classmethod
    def around(cls, evidence: Evidence, sets: Sequence[Ints]) -> Ground:
        """The ground of some sets (numbers) and of all who are tied to them by evidence."""
        inside = np.zeros(evidence.accounts, np.bool_)
        for members in sets:
            inside[members] = True
        reached = inside.copy()
        for _, layer in evidence.layers:
            reached[layer.b[inside[layer.a]]] = True
            reached[layer.a[inside[layer.b]]] = True
        return cls(evidence, np.flatnonzero(reached).astype(np.int32))

    def local(self, members: Ints) -> Ints:
        """Places of accounts (numbers) in this ground; all must be in it."""
        return np.searchsorted(self.accounts, members).astype(np.int32)

    def verdict(self, places: Ints) -> Verdict:
        """Judge a set given by its places. The mixing of wealth tiers is estimated without its
        own ties."""
        weighed = self._weigh(places)
        evidence = self._by_family(weighed.bits)
        by_club = sum(weighed.bits[self._by_club].tolist())
        ties = weighed.ties.astype(np.int64).tolist()
        return Verdict(
            evidence,
            self._cost(weighed),
            sum(evidence.values()) - by_club,
            dict(zip(self._names, ties, strict=True)),
            dict(zip(self._names, weighed.expected.tolist(), strict=True)),
            weighed.used_up,
            weighed.belonging,
            self._by_family(np.where(self._usual, weighed.bits, 0.0)),
        )

    def strength_bits(self, places: Ints) -> float:
        """`Verdict.strength_bits` of a set, without the rest."""
        weighed = self._weigh(places)
        return weighed.said - self._cost(weighed)

    def extent_bits(self, places: Ints) -> float:
        """`Verdict.extent_bits` of a set, without the rest."""
        weighed = self._weigh(places)
        return weighed.said - self._cost(weighed) - weighed.used_up + weighed.belonging

    def _by_family(self, bits: Floats) -> dict[str, float]:
        """Sums of what layers say, by family."""
        sums = np.bincount(self._family_of, bits, len(self.sources)).tolist()
        return dict(zip(self.sources, sums, strict=True))

    def bits_between(self, one: Ints, other: Ints) -> float:
        """What the ties between two disjoint sets save against strangers. The mixing of wealth
        tiers is estimated without both."""
        first, second = self._weigh(one).counted, self._weigh(other).counted
        return float(between(one, other, first, second, self._layout))

    def hinges(self, one: Ints, other: Ints) -> tuple[int, int]:
        """Of each of two disjoint sets who is tied to most of the other: see `steps.hinges`."""
        found: tuple[int, int] = hinges(one, other, self._layout)
        return found

    def gains(self, places: Ints) -> tuple[Ints, Floats, Floats]:
        """Candidates (members, and accounts with a tie into the set; places, ascending), the
        bits that each adds to the set or, inside, brings to it, and these bits without what
        shared identifiers say (layers that are trees and not documented)."""
        candidates, found, otherwise = gained(places, self._weigh(places).counted, self._layout)
        order = np.argsort(candidates)
        return candidates[order], found[order], otherwise[order]

    def tied_besides(self, places: Ints, most: int) -> tuple[Ints, Floats]:
        """Those outside who have more ties to a set than chance, and the bits that each loses it:
        `most` of them, the least loss for what they hold first."""
        found: tuple[Ints, Floats] = tied_besides(
            places, self._weigh(places).counted, most, self._layout
        )
        return found

    def who_adds(self, places: Ints) -> Ints:
        """Who adds bits to a set (places, ascending), but for households of members: see
        `steps.who_adds`."""
        key = places.tobytes()
        if key not in self._adding:
            if len(self._adding) >= MOST_REMEMBERED:
                self._adding.clear()
            self._adding[key] = who_adds(places, self._weigh(places).counted, self._layout)
        return self._adding[key]

    def naming(self, places: Ints, others: Ints) -> Floats:
        """What naming each of some others besides costs a set, in bits."""
        by_tier = self._weigh(places).by_tier
        bits: Floats = naming(by_tier, self._tier_sizes)[self._accounts.tiers[others]]
        return bits

    def tied_toward(self, places: Ints, family: str) -> tuple[Ints, Ints]:
        """Accounts (places, ascending) that have a tie of a family to someone of a set, and with
        how many of it."""
        theirs = np.array([name == family for name in self.families], np.bool_)
        starts, ends, kinds = self._ties.starts, self._ties.ends, self._ties.kinds
        met = [np.empty(0, np.int32)]
        for place in places.tolist():
            rows = slice(starts[place], starts[place + 1])
            met.append(np.unique(ends[rows][theirs[kinds[rows]]]))
        others, count = np.unique(np.concatenate(met), return_counts=True)
        return others, count.astype(np.int32)

    def documented(self, places: Ints) -> bool:
        """Whether documented ties alone hold most of a set together."""
        fixed = ~np.isnan(self._speech.fixed)
        return bool(2 * self._weigh(places).ties[fixed].sum() >= len(places) - 1)

    def connected_part(self, places: Ints) -> Ints:
        """The largest part that ties of evidence hold together (of equal ones the first); empty
        where there are no ties."""
        part: Ints = connected_part(places, self._layout)
        return part

    def held_bits(self, places: Ints) -> float:
        """What holds a set together, whatever it costs to name it."""
        return self._weigh(places).held

    def bits_of_a_tie(self, places: Ints) -> list[float]:
        """What one tie of each layer says for this set, at least 0."""
        weighed = self._weigh(places)
        return [
            0.0
            if layer.for_extent
            else layer.fixed_bits
            if layer.fixed_bits is not None
            else worth * max(log2(max(count, 1.0) / chance), 0.0)
            for layer, count, chance, worth in zip(
                self.layers, weighed.ties, weighed.expected, self._speech.worth, strict=True
            )
        ]

    def ties(self, places: Ints) -> tuple[Ints, Ints, Ints]:
        """Ties of evidence inside a set: places of both ends and the layer, each once."""
        found: tuple[Ints, Ints, Ints] = inside_ties(
            places, self._ties, self._spoken, self._accounts.slots
        )
        return found

    def _weigh(self, places: Ints) -> Weighed:
        """What is inside a set, and what it says, counted once."""
        key = places.tobytes()
        if key not in self._weighed:
            if len(self._weighed) >= MOST_REMEMBERED:
                self._weighed.clear()
            self._weighed[key] = weigh(places, self._layout)
        return self._weighed[key]

    def _cost(self, weighed: Weighed) -> float:
        """log2 of the number of sets with as many members of each tier, and of the counts."""
        by_tier = weighed.by_tier.tolist()
        named = sum(map(_log2_choose, self._tier_sizes.tolist(), by_tier))
        composition = _log2_choose(sum(by_tier) + TIERS - 1, TIERS - 1)
        return named + composition + log2(max(self.population, 2)) / 2


@lru_cache(4_096)
def _log2_choose(n: int, k: int) -> float:
    if k <= 0 or k > n:
        return 0.0
    return (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) / LN2


def _kinds(
    layers: Sequence[Layer], families: Sequence[str], weighed: Sequence[int], classes: int
) -> Kinds:
    """How the ties of each layer are counted."""
    trees = np.unique(families, return_inverse=True)[1].astype(np.int32)
    trees[[not layer.tree for layer in layers]] = NO_TREE
    return Kinds(
        trees,
        next((index for index, layer in enumerate(layers) if layer.contacts), -1),
        np.array(weighed, np.int32),
        np.array([layers[index].mixes_by_wealth for index in weighed], np.bool_),
        TIERS,
        classes,
    )


def _accounts(evidence: Evidence, accounts: Ints, weighed: Sequence[Layer]) -> Accounts:
    """What is counted of each account."""
    weights = [layer.weights[accounts] for layer in weighed]
    return Accounts(
        evidence.facts.tiers[accounts].astype(np.int64),
        evidence.facts.contacts.degree[accounts],
        np.ascontiguousarray(np.array(weights).reshape(len(weighed), len(accounts)).T),
        np.full(len(accounts), -1, np.int32),
    )


def _speech(
    layers: Sequence[Layer],
    families: Sequence[str],
    weighed: Sequence[int],
    rates: Floats,
    worth: Mapping[str, float],
) -> Speech:
    """What the ties of each layer say. The layers of a family that are given contacts share them
    out, those that are usual in clubs apart."""
    groups: dict[tuple[str, bool], int] = {}
    group_of = np.full(len(layers), UNGROUPED, np.int32)
    for index, layer in enumerate(layers):
        if layer.rates is not None and layer.given is None:
            key = families[index], layer.usual_in_clubs
            group_of[index] = groups.setdefault(key, len(groups))
    fixed = [np.nan if layer.fixed_bits is None else layer.fixed_bits for layer in layers]
    named = list(zip(families, layers, strict=True))
    place_of = np.full(len(layers), -1, np.int32)
    place_of[weighed] = np.arange(len(weighed))
    return Speech(
        np.array([worth.get(family, 1.0) for family in families]),
        np.array(fixed, np.float64),
        np.array([layer.for_extent for layer in layers], np.bool_),
        np.array(
            [families.index(name) if layer.most else UNGROUPED for name, layer in named], np.int32
        ),
        np.array([layer.shared for layer in layers], np.bool_),
        place_of,
        group_of,
        np.ascontiguousarray(rates.T),
    )


def _mixing(evidence: Evidence) -> tuple[Floats, Floats]:
    """Contacts between wealth tiers, observed and expected by degree."""
    tiers = evidence.facts.tiers
    contacts = evidence.facts.contacts
    code = tiers[contacts.a].astype(np.int64) * TIERS + tiers[contacts.b]
    counts = np.bincount(code, minlength=TIERS * TIERS).astype(np.float64)
    seen: Floats = counts.reshape(TIERS, TIERS)
    seen = seen + seen.T
    np.fill_diagonal(seen, np.diag(seen) / 2)
    weights = contacts.weights
    weight = np.bincount(tiers, weights=weights, minlength=TIERS).astype(np.float64)
    squares = np.bincount(tiers, weights=weights**2, minlength=TIERS).astype(np.float64)
    chance: Floats = np.outer(weight, weight)
    np.fill_diagonal(chance, (np.diag(chance) - squares) / 2)
    return seen, chance


def _classes(layers: Sequence[Layer], contacts: Contacts) -> tuple[list[Ints], Floats]:
    """The class of each tie by layer (0: no other layer is given it), and the rates of each
    layer by class, shape (layers, classes): those of contacts, then one for each layer that
    another one is given."""
    first = max(len(contacts.in_class), 1)
    bases = sorted({layer.given for layer in layers if layer.given})
    of_base = {name: first + place for place, name in enumerate(bases)}
    rates = np.zeros((len(layers), first + len(bases)))
    codes = []
    for index, layer in enumerate(layers):
        if layer.rates is not None and layer.given:
            rates[index, of_base[layer.given]] = layer.rates[0]
        elif layer.rates is not None:
            rates[index, : len(layer.rates)] = layer.rates
        if layer.contacts:
            codes.append(contacts.code)
        else:
            codes.append(np.full(len(layer.a), of_base.get(layer.name, 0), np.int32))
    return codes, rates
