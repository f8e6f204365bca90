"""The judge's counting: compiled, since it is done for every set on every way.

Ties stand in compressed rows: those of account u are starts[u] .. starts[u + 1] of `ends`
(the other account), `kinds` (the layer) and `codes` (the class of contacts, see
`detectors/contacts.py`). Accounts are places in a ground.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.engine.forest import find
from detectors.family import Ints

MIXING_PRIOR = 10.0
"""Ties between two tiers are credited with this many observed and expected."""

FEWEST_EXPECTED = 1e-9
"""A layer expects at least this many ties inside a set: caps what one tie can say at 30 bits."""


def adjacency(
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
def expect(places, weights, tiers, mixes, observed, chance, by_tier):  # type: ignore[no-untyped-def]
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
def _exhausted(degree, inner):  # type: ignore[no-untyped-def]
    inner = min(inner, degree)
    if inner <= 0:
        return 0.0
    rest = degree - inner
    lost = rest * np.log(rest / degree) if rest > 0 else 0.0
    return (lost + inner) / np.log(2.0)


@njit(cache=True)
def used_up(places, inner, degree):  # type: ignore[no-untyped-def]
    """Bits by which it is less likely that accounts have `inner` of their `degree` contacts
    inside than Poisson counts say, who never run out: with f the part that is inside,
    degree ((1 - f) ln(1 - f) + f) for each, as in a configuration model."""
    total = 0.0
    for account in places:
        total += _exhausted(degree[account], inner[account])
    return total


@njit(cache=True)
def ties_toward(places, starts, ends, kinds, codes, rates):  # type: ignore[no-untyped-def]
    """Members and those tied to them, ascending, their ties into the set by layer, and how
    many their contacts into it let expect."""
    layers = len(rates)
    slots = np.full(len(starts) - 1, -1, np.int32)
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
def inside_ties(inside, places, starts, ends, kinds):  # type: ignore[no-untyped-def]
    """Both ends and the layer of each tie inside a set, once."""
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
def count_inside(  # type: ignore[no-untyped-def]
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
    """Ties inside by layer (as a forest over a family's layers where they are trees), contacts
    by tiers of their ends and by class, and how many contacts inside each account has."""
    inner = np.zeros(len(inside), np.float64)
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
                inner[account] += 1
                inner[other] += 1
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
    return ties, by_tier, by_code, inner
