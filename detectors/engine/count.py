"""The judge's counting: compiled, since it is done for every set on every way.

Accounts are places in a ground. Nothing here takes time or memory by the size of the ground:
a set costs what its members' ties cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import lgamma
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.engine.forest import component_labels, find
from detectors.family import Floats, Ints

MIXING_PRIOR = 10.0
"""Ties between two tiers are credited with this many observed and expected."""

FEWEST_EXPECTED = 1e-9
"""A layer expects at least this many ties inside a set: caps what one tie can say at 30 bits."""

EVENNESS = (0.5, 1.0, 2.0, 4.0)
"""Shapes of the Gamma distribution of how much of their dealings members have inside."""

MOST_UNEVEN_BITS = 8.0
"""Of one account: a shop with hundreds of customers is not of the group that buys there."""

NO_TREE = -1


class Ties(NamedTuple):
    """Ties in compressed rows: those of account u are starts[u] .. starts[u + 1] of `ends` (the
    other account), `kinds` (the layer) and `codes` (the class of contacts, see
    `detectors/contacts.py`). Each tie stands in both rows: from above[u] on with accounts after
    u."""

    starts: npt.NDArray[np.int64]
    above: npt.NDArray[np.int64]
    ends: Ints
    kinds: Ints
    codes: Ints


class Kinds(NamedTuple):
    """How ties are counted, by layer.

    `trees`: layers whose ties count together as one forest, NO_TREE where each tie counts;
    `contact`: the layer of contacts, -1 where there is none; `weighed`: the layers whose chance
    follows from weights of accounts, and `mixes`, whether it mixes by wealth; `tiers` and
    `classes`: how many of accounts, and of contacts, there are.
    """

    trees: Ints
    contact: int
    weighed: Ints
    mixes: npt.NDArray[np.bool_]
    tiers: int
    classes: int


class Accounts(NamedTuple):
    """Of each account its tier, its contacts in all and its weights, shape (accounts, weighed
    layers). `slots` are for marking: all -1 before and after."""

    tiers: npt.NDArray[np.int64]
    degree: Floats
    weights: Floats
    slots: Ints


class Uneven(NamedTuple):
    """How evenly members deal inside (see `unevenness`): the `shape`, infinite where quite evenly,
    and the `bits` that it saves to know; how active each member is; and `Inside.met` of contacts
    where members are as active as that."""

    shape: float
    bits: float
    activity: Floats
    met: Floats


class Inside(NamedTuple):
    """What is inside a set. `ties`, `expected`: by layer, the latter without layers that are given
    others; `met`, `among`: see `_expect`; `by_tier`: contacts by tiers of their ends; `by_code`:
    ties by class of contacts; `weights`: sums, shape (weighed layers, tiers); `used_up`: the bits
    that say that members have few contacts left."""

    ties: Floats
    expected: Floats
    met: Floats
    among: Floats
    by_tier: Floats
    by_code: Floats
    weights: Floats
    used_up: float
    uneven: Uneven


def adjacency(accounts: int, ties: Iterable[tuple[Ints, Ints, Ints]]) -> Ties:
    """Compressed rows of all ties (a, b, class) with both ends here."""
    a, b, kinds, classes = [], [], [], []
    for kind, (one, other, codes) in enumerate(ties):
        here = (one >= 0) & (other >= 0)
        a += [one[here], other[here]]
        b += [other[here], one[here]]
        kinds.append(np.full(2 * int(here.sum()), kind, np.int32))
        classes += [codes[here]] * 2
    if not a:
        nothing = np.empty(0, np.int32)
        starts = np.zeros(accounts + 1, np.int64)
        return Ties(starts, starts[:-1], nothing, nothing, nothing)
    source, target, kind_of = np.concatenate(a), np.concatenate(b), np.concatenate(kinds)
    order = _by_ends(accounts, source, target)
    starts = np.zeros(accounts + 1, np.int64)
    starts[1:] = np.cumsum(np.bincount(source, minlength=accounts))
    above = starts[:-1] + np.bincount(source[target < source], minlength=accounts)
    return Ties(starts, above, target[order], kind_of[order], np.concatenate(classes)[order])


@njit(cache=True, nogil=True)
def _by_ends(accounts, source, target):  # type: ignore[no-untyped-def]
    """The order of ties by `source`, of equal ones by `target`, of these as they are: counted, at
    a fraction of the time that it takes to compare them."""
    order = np.arange(len(source))
    for ends in (target, source):
        free = np.zeros(accounts + 1, np.int64)
        for end in ends:
            free[end + 1] += 1
        for account in range(accounts):
            free[account + 1] += free[account]
        placed = np.empty(len(order), np.int64)
        for row in order:
            placed[free[ends[row]]] = row
            free[ends[row]] += 1
        order = placed
    return order


@njit(cache=True, nogil=True)
def mark(places, slots, first):  # type: ignore[no-untyped-def]
    """Each member's slot is its place in the set, counted from `first`."""
    for place in range(len(places)):
        slots[places[place]] = first + place


@njit(cache=True, nogil=True)
def clear(places, slots):  # type: ignore[no-untyped-def]
    """Undo `mark`."""
    for account in places:
        slots[account] = -1


@njit(cache=True, nogil=True)
def ties_of(places, starts):  # type: ignore[no-untyped-def]
    """Ties of the members of a set."""
    count = 0
    for account in places:
        count += starts[account + 1] - starts[account]
    return count


@njit(cache=True, nogil=True)
def _inside(places, ties, slots):  # type: ignore[no-untyped-def]
    """The ties inside a set, each once: the places in it of both ends, and the row."""
    mark(places, slots, 0)
    starts, above, ends = ties.starts, ties.above, ties.ends
    most = ties_of(places, starts)
    a, b, rows = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int64)
    count = 0
    for place in range(len(places)):
        for row in range(above[places[place]], starts[places[place] + 1]):
            other = slots[ends[row]]
            if other >= 0:
                a[count], b[count], rows[count] = place, other, row
                count += 1
    clear(places, slots)
    return a[:count], b[:count], rows[:count]


@njit(cache=True, nogil=True)
def across(one, other, ties, slots):  # type: ignore[no-untyped-def]
    """The ties from the accounts of a set to those of another: both ends and the row."""
    mark(other, slots, 0)
    starts, ends = ties.starts, ties.ends
    most = ties_of(one, starts)
    a, b, rows = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int64)
    count = 0
    for account in one:
        for row in range(starts[account], starts[account + 1]):
            if slots[ends[row]] >= 0:
                a[count], b[count], rows[count] = account, ends[row], row
                count += 1
    clear(other, slots)
    return a[:count], b[:count], rows[:count]


@njit(cache=True, nogil=True)
def _tally(a, b, rows, ties, kinds, tiers):  # type: ignore[no-untyped-def]
    """Of some ties (both ends and the row), those of no tree by layer; contacts by tiers of their
    ends, and by class."""
    kind_of, codes, trees, contact = ties.kinds, ties.codes, kinds.trees, kinds.contact
    found = np.zeros(len(trees), np.float64)
    by_tier = np.zeros((kinds.tiers, kinds.tiers), np.float64)
    by_code = np.zeros(kinds.classes, np.float64)
    for tie in range(len(rows)):
        kind, code = kind_of[rows[tie]], codes[rows[tie]]
        if trees[kind] != NO_TREE:
            continue
        found[kind] += 1
        if code > 0:
            by_code[code] += 1
        if kind == contact:
            one, two = tiers[a[tie]], tiers[b[tie]]
            by_tier[one, two] += 1
            if one != two:
                by_tier[two, one] += 1
    return found, by_tier, by_code


@njit(cache=True, nogil=True)
def count_inside(places, ties, kinds, accounts, mixing):  # type: ignore[no-untyped-def]
    """What is inside a set (`Inside`)."""
    a, b, rows = _inside(places, ties, accounts.slots)
    found, by_tier, by_code = _tally(places[a], places[b], rows, ties, kinds, accounts.tiers)
    kind = ties.kinds[rows]
    in_trees = kinds.trees[kind] != NO_TREE
    found += _forest_ties(a[in_trees], b[in_trees], kind[in_trees], kinds.trees, len(places))
    inner = np.zeros(len(places), np.float64)
    for tie in np.flatnonzero(kind == kinds.contact):
        inner[a[tie]] += 1
        inner[b[tie]] += 1
    weights, squares = _weights(places, accounts.tiers, accounts.weights, kinds.tiers)
    mixed = _mixing(by_tier, mixing)
    expected, met, among = _expect(weights, squares, kinds, mixed)
    used, contact = 0.0, kinds.contact
    uneven = Uneven(np.inf, 0.0, np.ones(len(places)), np.zeros(kinds.tiers))
    if contact >= 0 and found[contact] > expected[contact]:
        used = used_up(places, inner, accounts.degree)
        column = np.flatnonzero(kinds.weighed == contact)[0]
        tier, weight = accounts.tiers[places], accounts.weights[places, column]
        usual = usual_ties(weight, np.ones(len(places)), met[column][tier], among[column][tier])
        usual *= found[contact] / expected[contact]
        shape, bits = unevenness(inner, usual)
        if shape < np.inf:
            activity = (inner + shape) / (usual + shape)
            sums = np.zeros(kinds.tiers, np.float64)
            for place in range(len(places)):
                weight = accounts.weights[places[place], column]
                sums[accounts.tiers[places[place]]] += activity[place] * weight
            uneven = Uneven(shape, bits, activity, (mixed * sums).sum(axis=1))
    return Inside(found, expected, met, among, by_tier, by_code, weights, used, uneven)


@njit(cache=True, nogil=True)
def count_between(one, other, first, second, ties, kinds, accounts, mixing):  # type: ignore[no-untyped-def]
    """Ties between two disjoint sets by layer (of layers that are trees: by how much the forest
    of both exceeds the forests of each), what strangers would have by weights, and contacts by
    class. `first` and `second`: of each set contacts by tiers, and weights."""
    if len(one) > len(other):
        one, other = other, one
    a, b, rows = across(one, other, ties, accounts.slots)
    found, by_tier, by_code = _tally(a, b, rows, ties, kinds, accounts.tiers)
    if (kinds.trees[ties.kinds[rows]] != NO_TREE).any():
        found += _forests_between(one, other, ties, kinds.trees, accounts.slots)
    outside = first[0] + second[0] + by_tier
    expected = _expect_between(first[1], second[1], kinds, _mixing(outside, mixing))
    return found, expected, by_code


@njit(cache=True, nogil=True)
def _merged(one, other):  # type: ignore[no-untyped-def]
    """The accounts of two sets, ascending, and which of them are of the first."""
    both = np.empty(len(one) + len(other), np.int32)
    in_one = np.zeros(len(both), np.bool_)
    first, second = 0, 0
    for place in range(len(both)):
        if second == len(other) or (first < len(one) and one[first] < other[second]):
            both[place], in_one[place] = one[first], True
            first += 1
        else:
            both[place] = other[second]
            second += 1
    return both, in_one


@njit(cache=True, nogil=True)
def _forests_between(one, other, ties, trees, slots):  # type: ignore[no-untyped-def]
    """By layer, how many more ties the forest of two sets has than the forests of each."""
    both, in_one = _merged(one, other)
    a, b, rows = _inside(both, ties, slots)
    kind = ties.kinds[rows]
    whole = trees[kind] != NO_TREE
    within = whole & (in_one[a] == in_one[b])
    return _forest_ties(a[whole], b[whole], kind[whole], trees, len(both)) - _forest_ties(
        a[within], b[within], kind[within], trees, len(both)
    )


@njit(cache=True, nogil=True)
def _forest_ties(a, b, kind, trees, count):  # type: ignore[no-untyped-def]
    """By layer, how many ties join what earlier ones of the same forest have not."""
    found = np.zeros(len(trees), np.float64)
    if len(a) == 0:
        return found
    parents = np.empty(count, np.int32)
    for layer in range(len(trees)):
        if trees[layer] == NO_TREE:
            continue
        if layer == 0 or trees[layer] != trees[layer - 1]:
            for place in range(count):
                parents[place] = place
        for row in range(len(a)):
            if kind[row] == layer:
                one, other = find(parents, a[row]), find(parents, b[row])
                if one != other:
                    parents[other] = one
                    found[layer] += 1
    return found


@njit(cache=True, nogil=True)
def _weights(places, tiers, own, tier_count):  # type: ignore[no-untyped-def]
    """Sums of weights and of their squares, by weighed layer and tier."""
    weights = np.zeros((own.shape[1], tier_count), np.float64)
    squares = np.zeros((own.shape[1], tier_count), np.float64)
    for account in places:
        for layer in range(own.shape[1]):
            weights[layer, tiers[account]] += own[account, layer]
            squares[layer, tiers[account]] += own[account, layer] * own[account, layer]
    return weights, squares


@njit(cache=True, nogil=True)
def _mixing(outside, mixing):  # type: ignore[no-untyped-def]
    """How much more often than by weight accounts of two tiers are tied, estimated without the
    ties (by tiers) of a set. `mixing`: ties observed between tiers, and by chance."""
    observed, chance = mixing
    seen = np.maximum(observed - outside, 0.0)
    return (seen + MIXING_PRIOR) / (chance + MIXING_PRIOR)


@njit(cache=True, nogil=True)
def _expect(weights, squares, kinds, mixing):  # type: ignore[no-untyped-def]
    """Expected ties inside by layer (0 where no weights say so); what a stranger of each tier
    expects per weight (`met`), and two of that tier (`among`), shape (weighed layers, tiers)."""
    expected = np.zeros(len(kinds.trees), np.float64)
    met = np.zeros(weights.shape, np.float64)
    among = np.zeros(weights.shape, np.float64)
    for place in range(len(kinds.weighed)):
        total = 0.0
        for one in range(kinds.tiers):
            for other in range(kinds.tiers):
                mixed = mixing[one, other] if kinds.mixes[place] else 1.0
                met[place, one] += mixed * weights[place, other]
                total += mixed * weights[place, one] * weights[place, other]
                if one == other:
                    among[place, one] = mixed
                    total -= mixed * squares[place, one]
        expected[kinds.weighed[place]] = max(total / 2, FEWEST_EXPECTED)
    return expected, met, among


@njit(cache=True, nogil=True)
def _expect_between(one, other, kinds, mixing):  # type: ignore[no-untyped-def]
    """Expected ties between two sets by layer, from the weights of each."""
    expected = np.zeros(len(kinds.trees), np.float64)
    for place in range(len(kinds.weighed)):
        total = 0.0
        for tier in range(kinds.tiers):
            for second in range(kinds.tiers):
                mixed = mixing[tier, second] if kinds.mixes[place] else 1.0
                total += mixed * one[place, tier] * other[place, second]
        expected[kinds.weighed[place]] = max(total, FEWEST_EXPECTED)
    return expected


@njit(cache=True, nogil=True)
def usual_ties(weight, own, met, among):  # type: ignore[no-untyped-def]
    """What strangers of the weights of some accounts would have of ties into a set. `own`: 0
    outside it; of a member how active it is, as nobody has ties with itself. `met`, `among`: of
    their tiers, see `_expect`."""
    usual = np.empty(len(weight), np.float64)
    for place in range(len(weight)):
        rest = weight[place] * (met[place] - own[place] * weight[place] * among[place])
        usual[place] = max(rest, 0.0)
    return usual


@njit(cache=True, nogil=True)
def no_gammas(count):  # type: ignore[no-untyped-def]
    """Room for what `uneven_bits` needs of each number up to the highest count: many members
    have as many ties, and a logarithm of a Gamma function takes longest of all."""
    return np.full(int(count.max()) + 1 if len(count) else 0, np.nan)


@njit(cache=True, nogil=True)
def uneven_bits(count, usual, evenness, gammas):  # type: ignore[no-untyped-def]
    """By how many bits a negative binomial of this shape explains a count better than a Poisson
    distribution of the same mean (`usual`). `gammas`: of this shape, see `no_gammas`."""
    if np.isnan(gammas[int(count)]):
        gammas[int(count)] = lgamma(count + evenness) - lgamma(evenness)
    said = gammas[int(count)] + usual
    said += evenness * np.log(evenness / (evenness + usual)) - count * np.log(evenness + usual)
    bits = said / np.log(2.0)
    return min(bits, MOST_UNEVEN_BITS) if count < usual else bits


@njit(cache=True, nogil=True)
def unevenness(inner, usual):  # type: ignore[no-untyped-def]
    """How evenly members deal inside, beside what their degrees say (infinity: quite), and the
    bits that it saves to know. Of a real group some act more than others (Gamma-Poisson mixture;
    Greenwood and Yule 1920), and who acts little is of it all the same. `usual`: what the ratio
    of the whole set lets expect of each."""
    best, most = np.inf, 0.0
    for evenness in EVENNESS:
        gammas = no_gammas(inner)
        total = 0.0
        for place in range(len(inner)):
            total += uneven_bits(inner[place], usual[place], evenness, gammas)
        if total > most:
            best, most = evenness, total
    return best, most


@njit(cache=True, nogil=True)
def _exhausted(degree, inner):  # type: ignore[no-untyped-def]
    inner = min(inner, degree)
    if inner <= 0:
        return 0.0
    rest = degree - inner
    lost = rest * np.log(rest / degree) if rest > 0 else 0.0
    return (lost + inner) / np.log(2.0)


@njit(cache=True, nogil=True)
def used_up(places, inner, degree):  # type: ignore[no-untyped-def]
    """Bits by which it is less likely that accounts have `inner` of their `degree` contacts
    inside than Poisson counts say, who never run out: with f the part that is inside,
    degree ((1 - f) ln(1 - f) + f) for each, as in a configuration model."""
    total = 0.0
    for place in range(len(places)):
        total += _exhausted(degree[places[place]], inner[place])
    return total


@njit(cache=True, nogil=True)
def inside_ties(places, ties, spoken, slots):  # type: ignore[no-untyped-def]
    """Both ends and the layer of each tie inside a set, once, of layers that are `spoken`."""
    a, b, rows = _inside(places, ties, slots)
    kind = ties.kinds[rows]
    heard = spoken[kind]
    return places[a[heard]], places[b[heard]], kind[heard]


@njit(cache=True, nogil=True)
def parts(places, ties, joining, slots):  # type: ignore[no-untyped-def]
    """The part of each member of a set, by ties of the layers that are `joining`, named by its
    smallest place in the set."""
    a, b, rows = _inside(places, ties, slots)
    joined = joining[ties.kinds[rows]]
    return component_labels(len(places), a[joined], b[joined])


@njit(cache=True, nogil=True)
def households(places, ties, shared, spoken, slots):  # type: ignore[no-untyped-def]
    """How many of a set each member is joined with by ties of the layers that are `shared`, and
    whether it has a tie of a layer that is `spoken` to a member beyond these."""
    a, b, rows = _inside(places, ties, slots)
    kind = ties.kinds[rows]
    joined = shared[kind]
    labels = component_labels(len(places), a[joined], b[joined])
    sizes = np.zeros(len(places), np.int32)
    for label in labels:
        sizes[label] += 1
    beyond = np.zeros(len(places), np.bool_)
    for tie in np.flatnonzero(spoken[kind]):
        if labels[a[tie]] != labels[b[tie]]:
            beyond[a[tie]] = True
            beyond[b[tie]] = True
    return sizes[labels], beyond
