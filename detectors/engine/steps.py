"""The judge's steps, each in one compiled call: what a set weighs, who belongs to it, what ties
two sets."""

from __future__ import annotations

import numpy as np
from numba import njit

from detectors.engine.bits import bits_between, bits_inside, ties_most, too_few
from detectors.engine.count import (
    FEWEST_EXPECTED,
    NO_TREE,
    across,
    count_between,
    count_inside,
    households,
    parts,
)
from detectors.engine.gains import gains
from detectors.engine.layout import Counted, Weighed

TINY = 1e-30
"""Stands for nothing held, where it is divided by."""

HOUSEHOLD_MEMBERS = 8
"""Up to so many accounts a household or a family firm is the first thought."""


@njit(cache=True, nogil=True)
def weigh(places, ground):  # type: ignore[no-untyped-def]
    """Count a set, and what its ties say (`Weighed`)."""
    inside = count_inside(places, ground.ties, ground.kinds, ground.accounts, ground.mixing)
    _add_given(inside.expected, inside.by_code, ground)
    speech = ground.speech
    contacts = inside.by_code[1 : ground.contacts].sum()
    bits = bits_inside(
        inside.ties, inside.expected, contacts, inside.used_up, ground.kinds.contact, speech
    )
    few, extent, found = too_few(inside.ties, len(places), speech), speech.for_extent, inside.ties
    family_of, tiers = ground.families, ground.accounts.tiers
    families = np.zeros(family_of.max() + 1 if len(bits) else 0, np.float64)
    held, belonging = 0.0, 0.0
    for layer in range(len(bits)):
        if few[layer]:
            bits[layer] = 0.0
        if extent[layer]:
            if ties_most(found[layer], len(places)):
                belonging += bits[layer]
            bits[layer] = 0.0
        held += bits[layer]
        families[family_of[layer]] += bits[layer]
    by_tier = np.zeros(len(ground.tiers), np.int64)
    for place in places:
        by_tier[tiers[place]] += 1
    said = 0.0
    for family in range(len(families)):
        said += families[family]
    return Weighed(
        Counted(inside, contacts, naming(by_tier, ground.tiers)),  # type: ignore[no-untyped-call]
        by_tier,
        inside.ties,
        inside.expected,
        bits,
        said,
        held - inside.used_up,
        inside.used_up,
        inside.uneven.bits + belonging,
    )


@njit(cache=True, nogil=True)
def _add_given(expected, by_code, ground):  # type: ignore[no-untyped-def]
    """Add what strangers would have of layers that are given contacts, by classes of these."""
    given, rates, codes = ground.given, ground.rates, np.flatnonzero(by_code)
    for row in range(len(given)):
        total = 0.0
        for code in codes:
            total += rates[row, code] * by_code[code]
        expected[given[row]] = max(total, FEWEST_EXPECTED)


@njit(cache=True, nogil=True)
def naming(by_tier, tiers):  # type: ignore[no-untyped-def]
    """What naming one more account costs a set, by its tier, in bits. `by_tier`: its members;
    `tiers`: all accounts."""
    return np.log2(np.maximum((tiers - by_tier + 1) / np.maximum(by_tier, 1), 1.0))


@njit(cache=True, nogil=True)
def between(one, other, first, second, ground):  # type: ignore[no-untyped-def]
    """What the ties between two disjoint sets save against strangers. `first` and `second`: what
    is counted of each."""
    ties, expected, by_code = count_between(
        one,
        other,
        (first.inside.by_tier, first.inside.weights),
        (second.inside.by_tier, second.inside.weights),
        ground.ties,
        ground.kinds,
        ground.accounts,
        ground.mixing,
    )
    _add_given(expected, by_code, ground)
    return bits_between(ties, expected, ground.speech)


@njit(cache=True, nogil=True)
def hinges(one, other, ground):  # type: ignore[no-untyped-def]
    """Of each of two disjoint sets the account that is tied to most of the other (of equal ones
    the first): its place, -1 where nobody is tied to more than one, or shared values tie any."""
    slots, spoken = ground.accounts.slots, ~ground.speech.for_extent
    a, b, rows = across(one, other, ground.ties, slots)
    kind = ground.ties.kinds[rows]
    heard = spoken[kind]
    if (ground.kinds.trees[kind[heard]] != NO_TREE).any():
        return np.int32(-1), np.int32(-1)
    first, second = np.searchsorted(one, a[heard]), np.searchsorted(other, b[heard])
    pairs = np.unique(first * len(other) + second)
    return _busiest(one, pairs // len(other)), _busiest(other, pairs % len(other))


@njit(cache=True, nogil=True)
def _busiest(places, named):  # type: ignore[no-untyped-def]
    """Who of some accounts is named most often (by its place among them); -1: nobody twice."""
    count = np.zeros(len(places), np.int64)
    for one in named:
        count[one] += 1
    most = np.argmax(count)
    return places[most] if count[most] > 1 else np.int32(-1)


@njit(cache=True, nogil=True)
def gained(places, counted, ground):  # type: ignore[no-untyped-def]
    """Candidates (members, then accounts with a tie into the set, in any order), the bits that
    each adds to the set or, inside, brings to it, and these bits without what shared identifiers
    say (layers that are trees and not documented)."""
    candidates, found, shared = gains(places, counted, ground)
    return candidates, found, found - shared


@njit(cache=True, nogil=True)
def tied_besides(places, counted, most, ground):  # type: ignore[no-untyped-def]
    """Those outside who have more ties to a set than chance, and not only by shared identifiers,
    and the bits that each loses it: `most` of them, the least loss for what they hold first."""
    candidates, found, otherwise = gained(places, counted, ground)
    named = counted.naming[ground.accounts.tiers[candidates]]
    tied = (found + named > 0) & (otherwise + named > 0)
    tied[: len(places)] = False
    candidates, found = candidates[tied], found[tied]
    losses = np.maximum(-found, 0.0)
    prices = losses / np.maximum(ground.holdings[candidates], TINY)
    for place in range(min(most, len(candidates))):
        best = place
        for other in range(place + 1, len(candidates)):
            if (prices[other], -found[other], candidates[other]) < (
                prices[best],
                -found[best],
                candidates[best],
            ):
                best = other
        for column in (prices, found, losses):
            column[place], column[best] = column[best], column[place]
        candidates[place], candidates[best] = candidates[best], candidates[place]
    return candidates[:most], losses[:most]


@njit(cache=True, nogil=True)
def who_adds(places, counted, ground):  # type: ignore[no-untyped-def]
    """Who adds bits to a set, ascending. A member's household does not come in with it: whom
    shared identifiers join to no more than a household must be tied to the set otherwise, and to
    someone beyond that household, unless the household is all there is."""
    candidates, found, otherwise = gained(places, counted, ground)
    adding = found > 0
    kept, otherwise = candidates[adding], otherwise[adding]
    if len(kept) == 0:
        return kept
    order = np.argsort(kept)
    kept, otherwise = kept[order], otherwise[order]
    speech = ground.speech
    spoken = ~speech.for_extent
    sizes, beyond = households(
        kept, ground.ties, speech.shared & spoken, spoken, ground.accounts.slots
    )
    tied = (otherwise > 0) & (beyond | (sizes == len(kept)))
    return kept[tied | (sizes > HOUSEHOLD_MEMBERS)]


@njit(cache=True, nogil=True)
def connected_part(places, ground):  # type: ignore[no-untyped-def]
    """The largest part that ties of evidence hold together (of equal ones the first); empty
    where there are no ties."""
    labels = parts(places, ground.ties, ~ground.speech.for_extent, ground.accounts.slots)
    sizes = np.zeros(len(places) + 1, np.int64)
    for label in labels:
        sizes[label] += 1
    largest = np.argmax(sizes)
    return places[labels == largest] if sizes[largest] > 1 else places[:0].copy()


@njit(cache=True, nogil=True)
def common(one, other):  # type: ignore[no-untyped-def]
    """How many members two sets (ascending) have in common."""
    first, second, count = 0, 0, 0
    while first < len(one) and second < len(other):
        count += one[first] == other[second]
        step = one[first] <= other[second]
        second += one[first] >= other[second]
        first += step
    return count
