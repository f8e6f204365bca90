"""What counted ties say, in bits: compiled, since it is asked for every set on every way."""

from __future__ import annotations

from math import log, log2
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.engine.count import (
    FEWEST_EXPECTED,
    NO_TREE,
    ties_toward,
    toward_active,
    uneven_bits,
    usual_ties,
)
from detectors.family import Floats, Ints

LN2 = log(2)

UNGROUPED = -1


class Speech(NamedTuple):
    """What layers say, by layer.

    `worth`: of a bit; `fixed`: bits of each tie, whatever strangers do (NaN: by chance);
    `for_extent`: tells who belongs, not whether it is a group; `most`: which layers say nothing
    unless they hold most of a set together with the others of the same number (UNGROUPED: any);
    `shared`: ties are shared values;
    `weighed`: the place of the layer among those whose chance follows from weights (-1
    elsewhere); `groups`: which layers share out the contacts of a set (UNGROUPED: none);
    `rates`: shape (classes, layers).
    """

    worth: Floats
    fixed: Floats
    for_extent: npt.NDArray[np.bool_]
    most: Ints
    shared: npt.NDArray[np.bool_]
    weighed: Ints
    groups: Ints
    rates: Floats


@njit(cache=True, nogil=True)
def layer_bits(ties, expected):  # type: ignore[no-untyped-def]
    """What a layer's ties say against chance."""
    if ties <= expected:
        return 0.0
    bits = ties * log2(ties / expected) - (ties - expected) / LN2 - log2(ties + 1) / 2
    return max(bits, 0.0)


@njit(cache=True, nogil=True)
def ties_most(ties, members):  # type: ignore[no-untyped-def]
    """Whether so many ties (of no circles) hold most of a set together."""
    return 2 * ties >= members - 1


@njit(cache=True, nogil=True)
def too_few(ties, members, speech):  # type: ignore[no-untyped-def]
    """Of each layer, whether it would have to hold most of a set together, and does not."""
    found = np.zeros(len(ties), np.bool_)
    for layer in range(len(ties)):
        if speech.most[layer] != UNGROUPED:
            found[layer] = not ties_most(ties[speech.most == speech.most[layer]].sum(), members)
    return found


@njit(cache=True, nogil=True)
def _rest_bits(rest, chance):  # type: ignore[no-untyped-def]
    """Of a log-likelihood ratio with a given number in all, what the rest adds."""
    found = rest * log2(rest / chance) if rest > 0 else 0.0
    return found - (rest - chance) / LN2


@njit(cache=True, nogil=True)
def _plain_bits(ties, expected, speech):  # type: ignore[no-untyped-def]
    """What each layer's ties say by themselves, before what a bit of it is worth."""
    fixed = speech.fixed
    bits = np.zeros(len(ties), np.float64)
    for layer in range(len(ties)):
        if np.isnan(fixed[layer]):
            bits[layer] = layer_bits(ties[layer], expected[layer])
        else:
            bits[layer] = ties[layer] * fixed[layer]
    return bits


@njit(cache=True, nogil=True)
def bits_between(ties, expected, speech):  # type: ignore[no-untyped-def]
    """What ties between two sets say."""
    total = 0.0
    bits = _plain_bits(ties, expected, speech)
    for layer in range(len(bits)):
        if not speech.for_extent[layer]:
            total += speech.worth[layer] * bits[layer]
    return total


@njit(cache=True, nogil=True)
def bits_inside(ties, expected, contacts, used_up, contact, speech):  # type: ignore[no-untyped-def]
    """What each layer says of a set. `used_up`: what is said beside of the layer of contacts."""
    bits = _plain_bits(ties, expected, speech)
    if contact >= 0:
        bits[contact] += used_up
    first, rest, chance = _rest(ties, expected, contacts, speech.groups)
    for group in range(len(first)):
        if first[group] >= 0:
            bits[first[group]] += _rest_bits(rest[group], chance[group])
    return speech.worth * bits


@njit(cache=True, nogil=True)
def _speaks(group, ties, expected):  # type: ignore[no-untyped-def]
    """Whether a layer of a group speaks for a set."""
    return group != UNGROUPED and layer_bits(ties, expected) > 0


@njit(cache=True, nogil=True)
def _rest(ties, expected, contacts, groups):  # type: ignore[no-untyped-def]
    """Of each group of layers the first that speaks (-1: none), how many contacts inside are of
    none of the kinds that do, and how many would be."""
    count = groups.max() + 1 if len(groups) else 0
    first = np.full(count, -1, np.int64)
    said = np.zeros(count, np.float64)
    usual = np.zeros(count, np.float64)
    for layer in range(len(ties)):
        group = groups[layer]
        if _speaks(group, ties[layer], expected[layer]):
            first[group] = layer if first[group] < 0 else first[group]
            said[group] += ties[layer]
            usual[group] += expected[layer]
    return (
        first,
        np.maximum(contacts - said, 0.0),
        np.maximum(contacts - usual, FEWEST_EXPECTED),
    )


@njit(cache=True, nogil=True)
def gains(places, candidates, counted, ground):  # type: ignore[no-untyped-def]
    """What each candidate adds to a set or brings to it, and of this what shared values say.

    `candidates`: members, in their order, then those tied to them; `counted`: what is counted in
    the set."""
    inside, contacts = counted.inside, counted.contacts
    ties, kinds, accounts, speech = ground.ties, ground.kinds, ground.accounts, ground.speech
    tiers = accounts.tiers[candidates]
    heard = _heard(inside.ties, inside.expected, kinds.contact, speech)
    trees = kinds.trees != NO_TREE
    toward, exposed = ties_toward(
        places, candidates, ties, speech.rates, speech.weighed < 0, heard, trees, accounts.slots
    )
    own = np.zeros(len(candidates), np.float64)
    own[: len(places)] = 1.0
    gained = -counted.naming[tiers]
    shared = np.zeros(len(candidates), np.float64)
    few = too_few(inside.ties, len(places), speech)
    for column in range(len(heard)):
        layer = heard[column]
        if few[layer] or (
            speech.for_extent[layer] and not ties_most(inside.ties[layer], len(places))
        ):
            continue
        if not np.isnan(speech.fixed[layer]):
            gained += toward[column] * speech.fixed[layer]
        elif inside.ties[layer] > inside.expected[layer]:
            weighed = speech.weighed[layer]
            usual = exposed[column]
            if weighed >= 0:
                met, among = inside.met[weighed], inside.among[weighed]
                usual = usual_ties(candidates, own, accounts, weighed, met, among)
            ratio = max(inside.ties[layer], 1.0) / inside.expected[layer]
            _add(gained, toward[column], usual, ratio, speech.worth[layer])
            if layer == kinds.contact and inside.uneven.shape < np.inf:
                said = toward_active(places, candidates, own, inside.uneven, ties, kinds, accounts)
                acting = np.zeros(len(candidates), np.float64)
                acting[: len(places)] = inside.uneven.activity
                met, among = inside.uneven.met, inside.among[weighed]
                active = usual_ties(candidates, acting, accounts, weighed, met, among)
                said -= ratio * (active - usual) / LN2
                gained += speech.worth[layer] * said
                shape = inside.uneven.shape
                _add_uneven(gained, toward[column], ratio * active, shape, speech.worth[layer])
            if speech.shared[layer]:
                _add(shared, toward[column], usual, ratio, speech.worth[layer])
    _add_rest(gained, toward, exposed, heard, inside, contacts, kinds.contact, speech)
    return gained, shared


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
    for place in range(len(gained)):
        gained[place] += worth * uneven_bits(count[place], usual[place], evenness)


@njit(cache=True, nogil=True)
def _add_rest(  # type: ignore[no-untyped-def]
    gained, toward, exposed, heard, inside, contacts, contact, speech
):
    """Add what is said by contacts toward a set that are of none of the kinds that speak."""
    found, expected = inside.ties, inside.expected
    first, rest, chance = _rest(found, expected, contacts, speech.groups)
    mine = toward[np.searchsorted(heard, contact)]
    for group in range(len(first)):
        if first[group] < 0:
            continue
        said = np.zeros(len(gained), np.float64)
        usual = np.zeros(len(gained), np.float64)
        for column in range(len(heard)):
            layer = heard[column]
            if speech.groups[layer] == group and _speaks(group, found[layer], expected[layer]):
                said += toward[column]
                usual += exposed[column]
        ratio = max(rest[group], 0.5) / chance[group]
        _add(gained, mine - said, mine - usual, ratio, speech.worth[first[group]])
