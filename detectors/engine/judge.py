"""The judge: how much better *one will* explains a set than *strangers* do.

Description length, in bits. Strangers tie by chance: a layer expects
Lambda = sum over pairs of w_u w_v x (mixing of their wealth tiers) ties inside a set, the
mixing estimated without the set. A set with e > Lambda ties saves

    LLR(e, Lambda) = e log2(e / Lambda) - (e - Lambda) / ln 2 - 1/2 log2(e + 1)

bits in that layer (a Poisson log-likelihood ratio, the last term for its free rate), and
costs what it takes to name it among all sets with as many members of each wealth tier.
Layers that are *given* contacts expect instead the sum over the set's contacts of how usual
such a tie is among contacts of their class: so no contact is counted twice.
Degree-corrected chance: Karrer and Newman 2011; minimum description length: Rissanen 1978.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import lgamma, log, log2

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.contacts import Contacts
from detectors.engine.evidence import Evidence
from detectors.engine.forest import component_labels, find
from detectors.family import TIER_SHARES, Floats, Ints, Layer

TIERS = len(TIER_SHARES) + 1
LN2 = log(2)

MIXING_PRIOR = 10.0
"""Ties between two tiers are credited with this many observed and expected."""

FEWEST_EXPECTED = 1e-9
"""A layer expects at least this many ties inside a set: caps what one tie can say at 30 bits."""


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
        self.sources = {family.name: family.source for family, _ in evidence.layers}
        self._worth = [evidence.weights.get(family, 1.0) for family in self.families]
        self._family_codes = np.unique(self.families, return_inverse=True)[1].astype(np.int32)
        self._trees = np.array([layer.tree for layer in self.layers], np.bool_)
        places = np.full(evidence.accounts, -1, np.int32)
        places[accounts] = np.arange(len(accounts), dtype=np.int32)
        self._contact = next(
            (index for index, layer in enumerate(self.layers) if layer.contacts), -1
        )
        classes, self._rates = _classes(self.layers, evidence.facts.contacts)
        self._starts, self._ends, self._kinds, self._codes = _adjacency(
            len(accounts),
            [
                (places[layer.a], places[layer.b], code)
                for layer, code in zip(self.layers, classes, strict=True)
            ],
        )
        self._given = np.array([layer.rates is not None for layer in self.layers], np.bool_)
        self._weights = np.array(
            [
                np.zeros(len(accounts)) if layer.rates is not None else layer.weights[accounts]
                for layer in self.layers
            ]
        ).reshape(len(self.layers), len(accounts))
        self._tiers = evidence.facts.tiers[accounts].astype(np.int64)
        self._tier_sizes = np.bincount(evidence.facts.tiers, minlength=TIERS)
        self._mixes = np.array([layer.mixes_by_wealth for layer in self.layers], np.bool_)
        self._observed, self._chance = _mixing(evidence)

    def local(self, members: Ints) -> Ints:
        """Places of accounts (numbers) in this ground; all must be in it."""
        return np.searchsorted(self.accounts, members).astype(np.int32)

    def verdict(self, places: Ints, without: Ints | None = None) -> Verdict:
        """Judge a set given by its places.

        The mixing of wealth tiers is estimated without the ties inside `without` (default:
        the set itself): parts of a whole are compared under the whole's null.
        """
        ties, expected, _ = self._count(places, without)
        evidence = dict.fromkeys(self.families, 0.0)
        for index, layer in enumerate(self.layers):
            if not layer.silent:
                evidence[self.families[index]] += self._worth[index] * _layer_bits(
                    ties[index], expected[index], layer.fixed_bits
                )
        by_club = sum(
            self._worth[index] * _layer_bits(ties[index], expected[index], None)
            for index, layer in enumerate(self.layers)
            if (layer.contacts or layer.usual_in_clubs) and not layer.silent
        )
        return Verdict(
            evidence,
            self._cost(places),
            sum(evidence.values()) - by_club,
            {layer.name: int(count) for layer, count in zip(self.layers, ties, strict=True)},
            {
                layer.name: float(chance)
                for layer, chance in zip(self.layers, expected, strict=True)
            },
        )

    def bits_between(self, one: Ints, other: Ints) -> float:
        """What the ties between two disjoint sets save against strangers."""
        both = np.union1d(one, other)
        whole, first, second = (self._count(part, both) for part in (both, one, other))
        ties = whole[0] - first[0] - second[0]
        chance = np.maximum(whole[1] - first[1] - second[1], FEWEST_EXPECTED)
        return sum(
            self._worth[index] * _layer_bits(ties[index], chance[index], layer.fixed_bits)
            for index, layer in enumerate(self.layers)
            if not layer.silent
        )

    def gains(self, places: Ints) -> tuple[Ints, Floats, Floats]:
        """Candidates (members, and accounts with a tie into the set; places, ascending), the
        bits that each adds to the set or, inside, brings to it, and these bits without what
        shared identifiers say (layers that are trees and not documented)."""
        ties, expected, met = self._count(places)
        inside = np.zeros(len(self.accounts), np.bool_)
        inside[places] = True
        candidates, toward, exposed = _ties_toward(
            inside, places, self._starts, self._ends, self._kinds, self._codes, self._rates
        )
        tiers = self._tiers[candidates]
        k = np.bincount(self._tiers[places], minlength=TIERS)
        odds = (self._tier_sizes - k + 1) / np.maximum(k, 1)
        gains: Floats = -np.log2(np.maximum(odds, 1.0))[tiers]
        shared = np.zeros(len(candidates))
        held = np.zeros(len(candidates), np.bool_)
        for index, layer in enumerate(self.layers):
            if layer.silent:
                continue
            count = toward[:, index].astype(np.float64)
            if layer.tree:
                count = np.where(held, 0.0, np.minimum(count, 1.0))
                held |= count > 0
            if layer.fixed_bits is not None:
                gains += count * layer.fixed_bits
                continue
            if ties[index] <= expected[index]:
                continue
            ratio = max(ties[index], 1.0) / expected[index]
            chance = (
                exposed[:, index]
                if layer.rates is not None
                else self._weights[index][candidates] * met[index][tiers]
            )
            bits = self._worth[index] * (count * log2(ratio) - (ratio - 1) * chance / LN2)
            gains += bits
            if layer.shared:
                shared += bits
        return candidates, gains, gains - shared

    def documented(self, places: Ints) -> bool:
        """Whether documented ties alone hold most of a set together."""
        ties, _, _ = self._inside(places)
        fixed = [layer.fixed_bits is not None for layer in self.layers]
        return bool(2 * ties[np.array(fixed, np.bool_)].sum() >= len(places) - 1)

    def households(self, places: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """How many of a set each member is joined with by shared identifiers, itself
        included, and whether it has a tie of evidence to a member beyond these."""
        a, b, kinds = self.ties(places)
        one = np.searchsorted(places, a).astype(np.int32)
        other = np.searchsorted(places, b).astype(np.int32)
        shared = np.array([layer.shared for layer in self.layers], np.bool_)[kinds]
        labels = component_labels(len(places), one[shared], other[shared])
        beyond = np.zeros(len(places), np.bool_)
        across = labels[one] != labels[other]
        beyond[one[across]] = True
        beyond[other[across]] = True
        return np.bincount(labels, minlength=len(places))[labels].astype(np.int32), beyond

    def bits_of_a_tie(self, places: Ints) -> list[float]:
        """What one tie of each layer says for this set, at least 0."""
        ties, expected, _ = self._count(places)
        return [
            layer.fixed_bits
            if layer.fixed_bits is not None
            else worth * max(log2(max(count, 1.0) / chance), 0.0)
            for layer, count, chance, worth in zip(
                self.layers, ties, expected, self._worth, strict=True
            )
        ]

    def ties(self, places: Ints) -> tuple[Ints, Ints, Ints]:
        """Ties of evidence inside a set: places of both ends and the layer, each once."""
        inside = np.zeros(len(self.accounts), np.bool_)
        inside[places] = True
        a, b, kinds = _inside_ties(inside, places, self._starts, self._ends, self._kinds)
        silent = np.array([layer.silent for layer in self.layers], np.bool_)
        spoken = ~silent[kinds]
        return a[spoken], b[spoken], kinds[spoken]

    def _count(self, places: Ints, without: Ints | None = None) -> tuple[Floats, Floats, Floats]:
        """By layer: ties inside, expected ties inside, and how many ties strangers of each
        tier expect with the set per weight, shape (layers, tiers). The tier mixing is
        estimated without a set (default: the set itself)."""
        ties, by_tier, by_code = self._inside(places)
        if without is not None:
            by_tier = self._inside(without)[1]
        expected, met = _expect(
            places,
            self._weights,
            self._tiers,
            self._mixes,
            self._observed,
            self._chance,
            by_tier,
        )
        expected[self._given] = np.maximum(self._rates[self._given] @ by_code, FEWEST_EXPECTED)
        return ties, expected, met

    def _inside(self, places: Ints) -> tuple[Floats, Floats, Floats]:
        """Ties inside a set by layer; its contacts by tiers of their ends, and by class."""
        inside = np.zeros(len(self.accounts), np.bool_)
        inside[places] = True
        ties, by_tier, by_code = _count_inside(
            inside,
            places,
            self._starts,
            self._ends,
            self._kinds,
            self._codes,
            self._tiers,
            self._trees,
            self._family_codes,
            self._contact,
            TIERS,
            self._rates.shape[1],
        )
        return ties, by_tier, by_code

    def _cost(self, places: Ints) -> float:
        """log2 of the number of sets with as many members of each tier, and of the counts."""
        k = np.bincount(self._tiers[places], minlength=TIERS)
        named = sum(_log2_choose(int(n), int(m)) for n, m in zip(self._tier_sizes, k, strict=True))
        composition = _log2_choose(len(places) + TIERS - 1, TIERS - 1)
        return named + composition + log2(max(self.population, 2)) / 2


def _layer_bits(ties: float, expected: float, fixed_bits: float | None) -> float:
    if fixed_bits is not None:
        return ties * fixed_bits
    if ties <= expected:
        return 0.0
    bits = ties * log2(ties / expected) - (ties - expected) / LN2 - log2(ties + 1) / 2
    return max(bits, 0.0)


def _log2_choose(n: int, k: int) -> float:
    if k <= 0 or k > n:
        return 0.0
    return (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) / LN2


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


def _adjacency(
    accounts: int, ties: Iterable[tuple[Ints, Ints, Ints]]
) -> tuple[npt.NDArray[np.int64], Ints, Ints, Ints]:
    """Compressed rows of all ties (a, b, class) with both ends here; each tie stands in both
    rows."""
    a, b, kinds, classes = [], [], [], []
    for kind, (one, other, codes) in enumerate(ties):
        here = (one >= 0) & (other >= 0)
        a += [one[here], other[here]]
        b += [other[here], one[here]]
        kinds.append(np.full(2 * int(here.sum()), kind, np.int32))
        classes += [codes[here]] * 2
    if not a:
        nothing = np.empty(0, np.int32)
        return np.zeros(accounts + 1, np.int64), nothing, nothing, nothing
    source, target, kind_of = np.concatenate(a), np.concatenate(b), np.concatenate(kinds)
    order = np.lexsort((kind_of, target, source))
    starts = np.zeros(accounts + 1, np.int64)
    starts[1:] = np.cumsum(np.bincount(source, minlength=accounts))
    return starts, target[order], kind_of[order], np.concatenate(classes)[order]


@njit(cache=True)
def _expect(places, weights, tiers, mixes, observed, chance, by_tier):  # type: ignore[no-untyped-def]
    """Expected ties inside by layer, and what a stranger of each tier expects per weight."""
    layers, tier_count = len(weights), len(by_tier)
    expected = np.empty(layers, np.float64)
    met = np.zeros((layers, tier_count), np.float64)
    for layer in range(layers):
        weight = np.zeros(tier_count, np.float64)
        squares = np.zeros(tier_count, np.float64)
        for account in places:
            own = weights[layer, account]
            weight[tiers[account]] += own
            squares[tiers[account]] += own * own
        total = 0.0
        for one in range(tier_count):
            for other in range(tier_count):
                mixing = 1.0
                if mixes[layer]:
                    seen = max(observed[one, other] - by_tier[one, other], 0.0)
                    mixing = (seen + MIXING_PRIOR) / (chance[one, other] + MIXING_PRIOR)
                met[layer, one] += mixing * weight[other]
                total += mixing * weight[one] * weight[other]
                if one == other:
                    total -= mixing * squares[one]
        expected[layer] = max(total / 2, FEWEST_EXPECTED)
    return expected, met


@njit(cache=True)
def _ties_toward(inside, places, starts, ends, kinds, codes, rates):  # type: ignore[no-untyped-def]
    """Members and those tied to them, ascending, their ties into the set by layer, and how
    many their contacts into it let expect."""
    layers = len(rates)
    slots = np.full(len(inside), -1, np.int32)
    for account in places:
        slots[account] = 0
        for position in range(starts[account], starts[account + 1]):
            slots[ends[position]] = 0
    candidates = np.flatnonzero(slots == 0).astype(np.int32)
    for slot in range(len(candidates)):
        slots[candidates[slot]] = slot
    toward = np.zeros((len(candidates), layers), np.int32)
    exposed = np.zeros((len(candidates), layers), np.float64)
    for account in places:
        for position in range(starts[account], starts[account + 1]):
            slot = slots[ends[position]]
            toward[slot, kinds[position]] += 1
            if codes[position] > 0:
                for layer in range(layers):
                    exposed[slot, layer] += rates[layer, codes[position]]
    return candidates, toward, exposed


@njit(cache=True)
def _inside_ties(inside, places, starts, ends, kinds):  # type: ignore[no-untyped-def]
    count = 0
    for account in places:
        for position in range(starts[account], starts[account + 1]):
            if inside[ends[position]] and account < ends[position]:
                count += 1
    a = np.empty(count, np.int32)
    b = np.empty(count, np.int32)
    kind = np.empty(count, np.int32)
    count = 0
    for account in places:
        for position in range(starts[account], starts[account + 1]):
            if inside[ends[position]] and account < ends[position]:
                a[count], b[count], kind[count] = account, ends[position], kinds[position]
                count += 1
    return a, b, kind


@njit(cache=True)
def _count_inside(  # type: ignore[no-untyped-def]
    inside,
    places,
    starts,
    ends,
    kinds,
    codes,
    tiers,
    trees,
    families,
    contact,
    tier_count,
    classes,
):
    """Ties inside by layer (as a forest over a family's layers where they are trees), and
    by tiers of their ends."""
    layers = len(trees)
    ties = np.zeros(layers, np.float64)
    by_tier = np.zeros((tier_count, tier_count), np.float64)
    by_code = np.zeros(classes, np.float64)
    for account in places:
        for position in range(starts[account], starts[account + 1]):
            other = ends[position]
            if inside[other] and account < other and not trees[kinds[position]]:
                kind = kinds[position]
                ties[kind] += 1
                if codes[position] > 0:
                    by_code[codes[position]] += 1
                if kind != contact:
                    continue
                one, two = tiers[account], tiers[other]
                by_tier[one, two] += 1
                if one != two:
                    by_tier[two, one] += 1
    parents = np.empty(len(inside), np.int32)
    for layer in range(layers):
        if not trees[layer]:
            continue
        if layer == 0 or families[layer] != families[layer - 1] or not trees[layer - 1]:
            for account in places:
                parents[account] = account
        for account in places:
            for position in range(starts[account], starts[account + 1]):
                other = ends[position]
                if kinds[position] == layer and inside[other] and account < other:
                    one, two = find(parents, account), find(parents, other)
                    if one != two:
                        parents[two] = one
                        ties[layer] += 1
    return ties, by_tier, by_code
