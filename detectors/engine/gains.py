"""What each account adds to a set: compiled, since it is asked for every set on every way."""

from __future__ import annotations

from math import log2

import numpy as np
from numba import njit

from detectors.engine.bits import LN2, rest_of, speaks, ties_most, too_few
from detectors.engine.count import NO_TREE, clear, mark, no_gammas, ties_of, uneven_bits, usual_ties


@njit(cache=True, nogil=True)
def gains(places, counted, ground):  # type: ignore[no-untyped-def]
    """Candidates (members, in their order, then those tied to them), what each adds to a set or
    brings to it, and of this what shared values say. `counted`: what is counted in the set."""
    inside, speech, contact = counted.inside, ground.speech, ground.kinds.contact
    slots, uneven = ground.accounts.slots, inside.uneven
    candidates = _near(places, ground.ties, slots)
    heard = _heard(inside.ties, inside.expected, contact, speech)
    toward, exposed = _toward(places, len(candidates), heard, ground)
    said = np.zeros(len(candidates) if uneven.shape < np.inf else 0, np.float64)
    if len(said):
        _add_active(said, places, uneven, ground)
    clear(candidates, slots)
    own = np.zeros(len(candidates), np.float64)
    own[: len(places)] = 1.0
    tiers, weights = ground.accounts.tiers[candidates], ground.accounts.weights
    gained = -counted.naming[tiers]
    shared = np.zeros(len(candidates), np.float64)
    few = too_few(inside.ties, len(places), speech)
    for column in range(len(heard)):
        layer = heard[column]
        ties, expected, worth = inside.ties[layer], inside.expected[layer], speech.worth[layer]
        if few[layer] or (speech.for_extent[layer] and not ties_most(ties, len(places))):
            continue
        if not np.isnan(speech.fixed[layer]):
            gained += toward[column] * speech.fixed[layer]
        elif ties > expected:
            weighed = speech.weighed[layer]
            usual = exposed[column]
            if weighed >= 0:
                weight, among = weights[candidates, weighed], inside.among[weighed][tiers]
                usual = usual_ties(weight, own, inside.met[weighed][tiers], among)
            ratio = max(ties, 1.0) / expected
            _add(gained, toward[column], usual, ratio, worth)
            if layer == contact and len(said):
                acting = np.zeros(len(candidates), np.float64)
                acting[: len(places)] = uneven.activity
                active = usual_ties(weight, acting, uneven.met[tiers], among)
                said -= ratio * (active - usual) / LN2
                gained += worth * said
                _add_uneven(gained, toward[column], ratio * active, uneven.shape, worth)
            if speech.shared[layer]:
                _add(shared, toward[column], usual, ratio, worth)
    _add_rest(gained, toward, exposed, heard, inside, counted.contacts, contact, speech)
    return candidates, gained, shared


@njit(cache=True, nogil=True)
def _heard(inside, expected, contact, speech):  # type: ignore[no-untyped-def]
    """Layers that matter to who gains a set: those that speak for it, documents, and contacts,
    for the rest of them."""
    heard = ~np.isnan(speech.fixed) | (inside > expected)
    if contact >= 0:
        heard[contact] = True
    return np.flatnonzero(heard).astype(np.int32)


@njit(cache=True, nogil=True)
def _add(gained, count, usual, ratio, worth):  # type: ignore[no-untyped-def]
    """Add what more ties say where they are `ratio` times as many as is usual."""
    log_ratio = log2(ratio)
    for place in range(len(gained)):
        bits = count[place] * log_ratio - (ratio - 1) * usual[place] / LN2
        gained[place] += worth * bits


@njit(cache=True, nogil=True)
def _add_uneven(gained, count, usual, evenness, worth):  # type: ignore[no-untyped-def]
    """Add by how much less is said by having few ties, or many, where members deal unevenly."""
    gammas = no_gammas(count)
    for place in range(len(gained)):
        gained[place] += worth * uneven_bits(count[place], usual[place], evenness, gammas)


@njit(cache=True, nogil=True)
def _add_rest(  # type: ignore[no-untyped-def]
    gained, toward, exposed, heard, inside, contacts, contact, speech
):
    """Add what is said by contacts toward a set that are of none of the kinds that speak."""
    found, expected = inside.ties, inside.expected
    first, rest, chance = rest_of(found, expected, contacts, speech.groups)
    mine = toward[np.searchsorted(heard, contact)]
    for group in range(len(first)):
        if first[group] < 0:
            continue
        said = np.zeros(len(gained), np.float64)
        usual = np.zeros(len(gained), np.float64)
        for column in range(len(heard)):
            layer = heard[column]
            if speech.groups[layer] == group and speaks(group, found[layer], expected[layer]):
                said += toward[column]
                usual += exposed[column]
        ratio = max(rest[group], 0.5) / chance[group]
        _add(gained, mine - said, mine - usual, ratio, speech.worth[first[group]])


@njit(cache=True, nogil=True)
def _near(places, ties, slots):  # type: ignore[no-untyped-def]
    """Members, then those tied to them; each one's slot is its place among these."""
    found = np.empty(len(places) + ties_of(places, ties.starts), np.int32)
    found[: len(places)] = places
    mark(places, slots, 0)
    count = len(places)
    starts, ends = ties.starts, ties.ends
    for account in places:
        for row in range(starts[account], starts[account + 1]):
            if slots[ends[row]] < 0:
                slots[ends[row]] = count
                found[count] = ends[row]
                count += 1
    return found[:count].copy()


@njit(cache=True, nogil=True)
def _toward(places, count, heard, ground):  # type: ignore[no-untyped-def]
    """By each layer that is `heard` and each candidate (marked in the slots), its ties into a
    set, and how many its contacts into it let expect, where the layer is given them. Of the
    layers that are trees one tie counts in all: one is enough to be joined."""
    ties, in_tree, slots = ground.ties, ground.kinds.trees != NO_TREE, ground.accounts.slots
    starts, ends, kinds, codes = ties.starts, ties.ends, ties.kinds, ties.codes
    columns = np.full(len(in_tree) + 1, -1, np.int32)
    mark(heard, columns, 0)
    given = np.flatnonzero(ground.speech.weighed[heard] < 0)
    rates, layers = ground.speech.rates, heard[given]
    toward = np.zeros((len(heard), count), np.float64)
    exposed = np.zeros((len(heard), count), np.float64)
    let_expect = np.zeros((count, len(given)), np.float64)
    joined_by = np.full(count, len(in_tree), np.int32)
    for account in places:
        for row in range(starts[account], starts[account + 1]):
            slot, kind, code = slots[ends[row]], kinds[row], codes[row]
            if in_tree[kind]:
                joined_by[slot] = min(joined_by[slot], kind)
            elif columns[kind] >= 0:
                toward[columns[kind], slot] += 1
            if code > 0:
                for column in range(len(layers)):
                    let_expect[slot, column] += rates[code, layers[column]]
    for slot in range(count):
        if columns[joined_by[slot]] >= 0:
            toward[columns[joined_by[slot]], slot] = 1
    exposed[given] = let_expect.T
    return toward, exposed


@njit(cache=True, nogil=True)
def _add_active(said, places, uneven, ground):  # type: ignore[no-untyped-def]
    """Add what the contacts of each candidate (marked in the slots, members first) with members
    say more, or less, by how active these are otherwise: the sum of log2 of their activities."""
    ties, contact, slots = ground.ties, ground.kinds.contact, ground.accounts.slots
    starts, ends, kinds, shape = ties.starts, ties.ends, ties.kinds, uneven.shape
    activity, members = uneven.activity, len(places)
    for place in range(len(places)):
        rows = range(starts[places[place]], starts[places[place] + 1])
        inner = 0.0
        for row in rows:
            if kinds[row] == contact and slots[ends[row]] < members:
                inner += 1
        part = (inner - 1 + shape) / (inner + shape)
        active = np.log2(activity[place])
        otherwise = np.log2(activity[place] * part) if inner > 0 else active
        for row in rows:
            if kinds[row] == contact:
                slot = slots[ends[row]]
                said[slot] += otherwise if slot < members else active
