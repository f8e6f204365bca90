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

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import lgamma, log, log2

import numpy as np
import numpy.typing as npt

from detectors.contacts import Contacts
from detectors.engine.count import (
    FEWEST_EXPECTED,
    adjacency,
    count_inside,
    expect,
    inside_ties,
    ties_toward,
    used_up,
)
from detectors.engine.evidence import Evidence
from detectors.engine.forest import component_labels
from detectors.family import TIER_SHARES, Floats, Ints, Layer

TIERS = len(TIER_SHARES) + 1
LN2 = log(2)


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

    @property
    def extent_bits(self) -> float:
        """By these bits sets are compared that are nearly the same: without `used_up_bits`,
        which would draw in whoever deals with a member."""
        return self.strength_bits - self.used_up_bits

    @property
    def strength_bits(self) -> float:
        """Evidence less the cost of naming the set."""
        return sum(self.evidence_bits.values()) - self.cost_bits


@dataclass(frozen=True)
class _Counted:
    """What is inside a set. `ties`, `expected`: by layer; `met`: ties that strangers of each
    tier expect with the set per weight, shape (layers, tiers); `contacts`: inside;
    `used_up_bits`: what says that members have few left."""

    ties: Floats
    expected: Floats
    met: Floats
    contacts: float
    used_up_bits: float


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
        self._starts, self._ends, self._kinds, self._codes = adjacency(
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
        self._contact_classes = max(len(evidence.facts.contacts.in_class), 1)
        self._degree = evidence.facts.contacts.degree[accounts]
        together: dict[tuple[str, bool], list[int]] = {}
        for index, layer in enumerate(self.layers):
            if layer.rates is not None and layer.given is None and not layer.silent:
                key = self.families[index], layer.usual_in_clubs
                together.setdefault(key, []).append(index)
        self._given_contacts = list(together.values())
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
        counted = self._count(places, without)
        ties, expected = counted.ties, counted.expected
        evidence = dict.fromkeys(self.families, 0.0)
        by_club = 0.0
        for index, bits in enumerate(self._bits(counted)):
            evidence[self.families[index]] += bits
            if self.layers[index].contacts or self.layers[index].usual_in_clubs:
                by_club += bits
        return Verdict(
            evidence,
            self._cost(places),
            sum(evidence.values()) - by_club,
            {layer.name: int(count) for layer, count in zip(self.layers, ties, strict=True)},
            {
                layer.name: float(chance)
                for layer, chance in zip(self.layers, expected, strict=True)
            },
            counted.used_up_bits,
        )

    def bits_between(self, one: Ints, other: Ints) -> float:
        """What the ties between two disjoint sets save against strangers."""
        both = np.union1d(one, other)
        whole, first, second = (self._count(part, both) for part in (both, one, other))
        ties = whole.ties - first.ties - second.ties
        chance = np.maximum(whole.expected - first.expected - second.expected, FEWEST_EXPECTED)
        return sum(
            self._worth[index] * _layer_bits(ties[index], chance[index], layer.fixed_bits)
            for index, layer in enumerate(self.layers)
            if not layer.silent
        )

    def _bits(self, counted: _Counted) -> list[float]:
        """What each layer says of a set."""
        bits = [
            0.0
            if layer.silent
            else _layer_bits(counted.ties[index], counted.expected[index], layer.fixed_bits)
            for index, layer in enumerate(self.layers)
        ]
        if self._contact >= 0:
            bits[self._contact] += counted.used_up_bits
        for group, (rest, chance) in self._rest(counted).items():
            bits[group[0]] += _rest_bits(rest, chance)
        return [worth * said for worth, said in zip(self._worth, bits, strict=True)]

    def _rest(self, counted: _Counted) -> dict[tuple[int, ...], tuple[float, float]]:
        """For the layers of each family that speak given contacts: how many contacts inside are
        of none of their kinds, and how many would be."""
        found = {}
        for group in self._given_contacts:
            speaking = tuple(
                row
                for row in group
                if _layer_bits(counted.ties[row], counted.expected[row], None) > 0
            )
            if speaking:
                rows = list(speaking)
                rest = counted.contacts - counted.ties[rows].sum()
                chance = counted.contacts - counted.expected[rows].sum()
                found[speaking] = float(max(rest, 0.0)), float(max(chance, FEWEST_EXPECTED))
        return found

    def gains(self, places: Ints) -> tuple[Ints, Floats, Floats]:
        """Candidates (members, and accounts with a tie into the set; places, ascending), the
        bits that each adds to the set or, inside, brings to it, and these bits without what
        shared identifiers say (layers that are trees and not documented)."""
        counted = self._count(places)
        ties, expected, met = counted.ties, counted.expected, counted.met
        candidates, toward, exposed = ties_toward(
            places, self._starts, self._ends, self._kinds, self._codes, self._rates
        )
        tiers = self._tiers[candidates]
        gains: Floats = -self.naming(places)[candidates]
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
        for group, (rest, chance) in self._rest(counted).items():
            ratio = max(rest, 0.5) / chance
            mine = toward[:, self._contact].astype(np.float64)
            unsaid = mine - toward[:, group].sum(axis=1)
            usual = mine - exposed[:, group].sum(axis=1)
            gains += self._worth[group[0]] * (unsaid * log2(ratio) - (ratio - 1) * usual / LN2)
        return candidates, gains, gains - shared

    def naming(self, places: Ints) -> Floats:
        """What naming one more of each account's tier costs a set, by place, in bits."""
        k = np.bincount(self._tiers[places], minlength=TIERS)
        odds = (self._tier_sizes - k + 1) / np.maximum(k, 1)
        bits: Floats = np.log2(np.maximum(odds, 1.0))[self._tiers]
        return bits

    def documented(self, places: Ints) -> bool:
        """Whether documented ties alone hold most of a set together."""
        ties = self._inside(places)[0]
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
        counted = self._count(places)
        ties, expected = counted.ties, counted.expected
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
        a, b, kinds = inside_ties(inside, places, self._starts, self._ends, self._kinds)
        silent = np.array([layer.silent for layer in self.layers], np.bool_)
        spoken = ~silent[kinds]
        return a[spoken], b[spoken], kinds[spoken]

    def _count(self, places: Ints, without: Ints | None = None) -> _Counted:
        """What is inside a set, and what strangers would have. The tier mixing is estimated
        without a set (default: the set itself)."""
        ties, by_tier, by_code, inner = self._inside(places)
        outside = by_tier if without is None else self._inside(without)[1]
        expected, met = expect(
            places,
            self._weights,
            self._tiers,
            self._mixes,
            self._observed,
            self._chance,
            outside,
        )
        expected[self._given] = np.maximum(self._rates[self._given] @ by_code, FEWEST_EXPECTED)
        contacts = by_code[1 : self._contact_classes].sum()
        used = 0.0
        if self._contact >= 0 and ties[self._contact] > expected[self._contact]:
            used = float(used_up(places, inner, self._degree))
        return _Counted(ties, expected, met, contacts, used)

    def _inside(self, places: Ints) -> tuple[Floats, Floats, Floats, Floats]:
        """Ties inside a set by layer; its contacts by tiers of their ends, and by class; and how
        many contacts inside each account (by place) has."""
        inside = np.zeros(len(self.accounts), np.bool_)
        inside[places] = True
        found: tuple[Floats, Floats, Floats, Floats] = count_inside(
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
        return found

    def _cost(self, places: Ints) -> float:
        """log2 of the number of sets with as many members of each tier, and of the counts."""
        k = np.bincount(self._tiers[places], minlength=TIERS)
        named = sum(_log2_choose(int(n), int(m)) for n, m in zip(self._tier_sizes, k, strict=True))
        composition = _log2_choose(len(places) + TIERS - 1, TIERS - 1)
        return named + composition + log2(max(self.population, 2)) / 2


def _rest_bits(rest: float, chance: float) -> float:
    """Of a log-likelihood ratio with a given number in all, what the rest adds."""
    found = rest * log2(rest / chance) if rest > 0 else 0.0
    return found - (rest - chance) / LN2


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
