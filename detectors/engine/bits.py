"""What counted ties say, in bits: compiled, since it is asked for every set on every way."""

from __future__ import annotations

from math import log, log2
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.engine.count import FEWEST_EXPECTED
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
    first, rest, chance = rest_of(ties, expected, contacts, speech.groups)
    for group in range(len(first)):
        if first[group] >= 0:
            bits[first[group]] += _rest_bits(rest[group], chance[group])
    return speech.worth * bits


@njit(cache=True, nogil=True)
def speaks(group, ties, expected):  # type: ignore[no-untyped-def]
    """Whether a layer of a group speaks for a set."""
    return group != UNGROUPED and layer_bits(ties, expected) > 0


@njit(cache=True, nogil=True)
def rest_of(ties, expected, contacts, groups):  # type: ignore[no-untyped-def]
    """Of each group of layers the first that speaks (-1: none), how many contacts inside are of
    none of the kinds that do, and how many would be."""
    count = groups.max() + 1 if len(groups) else 0
    first = np.full(count, -1, np.int64)
    said = np.zeros(count, np.float64)
    usual = np.zeros(count, np.float64)
    for layer in range(len(ties)):
        group = groups[layer]
        if speaks(group, ties[layer], expected[layer]):
            first[group] = layer if first[group] < 0 else first[group]
            said[group] += ties[layer]
            usual[group] += expected[layer]
    return (
        first,
        np.maximum(contacts - said, 0.0),
        np.maximum(contacts - usual, FEWEST_EXPECTED),
    )
