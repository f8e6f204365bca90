"""Parting: what a judged set falls into, and who only hangs on to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from math import inf

import numpy as np

from detectors.engine.blocks import hanging_on
from detectors.engine.judge import Ground, Verdict
from detectors.engine.louvain import Graph, added_up, partitions
from detectors.engine.refine import KINDRED, refine
from detectors.engine.steps import HOUSEHOLD_MEMBERS
from detectors.family import Ints

CROSS_BITS, CROSS_PART = 8.0, 0.15
"""What the ties between two parts must save to make them one group, and what part of that
which holds the weaker of them together."""

FEWEST_FRIENDS = 3
HELD_WITHOUT = 0.5
"""A part that keeps so much of what holds it together without one account has it for a friend,
not for its hub."""

MOST_COMMUNITIES = 40
"""More communities than this make a crowd, which the judge sees by itself."""

MOST_SPLIT = 2_000
"""Larger sets are not looked into for parts."""

LAST_PARTS = 3
"""A set's last so many parts, and its last two, may explain it better than it does itself."""


def without_households(ground: Ground, places: Ints) -> Ints:
    """A set less the households that hang on one member: accounts with no tie to any other
    member, of which some share an identifier with it.

    They are blocks of the ties inside that one member alone connects with the rest. One who
    lends a device to a real
    group and deals with one member only looks the same, and is left out with them.
    """
    a, b, kinds = ground.ties(places)
    shared = ground.shared[kinds]
    if not shared.any():
        return places
    ends = np.searchsorted(places, a), np.searchsorted(places, b)
    kept: Ints = places[~hanging_on(len(places), *ends, shared, HOUSEHOLD_MEMBERS)]
    return kept


def split(
    ground: Ground, places: Ints, whole: Verdict, holds_enough: Callable[[Ints], bool]
) -> list[Ints] | None:
    """Refined parts of a set that chance ties together; None if it is one.

    That two groups have a chance tie, or a friend in common, does not make them one will. The
    parts are Louvain communities of the ties inside, joined where the ties between them say
    so, each refined by itself. Where none of them holds enough, the set stays whole, unless
    hardly anything ties its parts, and they say more by themselves: it crosses the line only
    because they were put together. A set that strangers explain better is not looked into: its
    parts are proposed too.
    """
    if whole.strength_bits <= 0:
        return None
    apart = _joined(ground, _communities(ground, places), places)
    if len(apart) < 2:
        return None
    every = (refine(ground, part, lambda _: True) for part in apart)
    refined = [found for found in every if found is not None]
    parts = [part for part, _ in refined]
    if any(len(part) == len(places) and (part == places).all() for part in parts):
        return None
    more = sum(verdict.extent_bits for _, verdict in refined) > whole.extent_bits
    large = any(len(part) > KINDRED * len(places) for part in parts)
    alone = [v.strength_bits > 0 and holds_enough(part) for part, v in refined]
    if large and not more and sum(alone) < 2:
        return None
    if any(holds_enough(part) for part in parts):
        return _with_rest(parts, holds_enough)
    return parts if more and not _tied_at_all(ground, apart) else None


def _with_rest(parts: list[Ints], holds_enough: Callable[[Ints], bool]) -> list[Ints]:
    """Parts, and what those that hold too little are together where that holds enough: a tree of
    hundreds is many communities, and none of them the group, beside others' groups in one set."""
    small = [part for part in parts if not holds_enough(part)]
    if len(small) > 1:
        rest: Ints = np.unique(np.concatenate(small))
        if holds_enough(rest):
            return [*parts, rest]
    return parts


def last_parts(ground: Ground, places: Ints) -> Iterator[tuple[Ints, Verdict]]:
    """The last three and the last two parts into which a set falls, refined, whatever they hold:
    its communities, joined two by two, always those with most ties between them."""
    found: dict[bytes, Ints] = {}
    communities = _communities(ground, places)
    for _, parts in _joining(ground, communities, places, ground.bits_between):
        if 1 < len(parts) <= LAST_PARTS:
            found.update((part.tobytes(), part) for part in parts)
    for members in found.values():
        refined = refine(ground, members, lambda _: True)
        if refined is not None:
            yield refined


def _communities(ground: Ground, places: Ints) -> list[Ints]:
    """Louvain communities of the ties inside, each weighed by its bits for this set; none where
    the set is too large to be looked into, or a crowd of them."""
    if len(places) > MOST_SPLIT:
        return []
    a, b, layers = ground.ties(places)
    bits = np.rint(100 * np.array(ground.bits_of_a_tie(places))).astype(np.int64)
    one, other = np.searchsorted(places, a), np.searchsorted(places, b)
    keys, weights = added_up(one * len(places) + other, bits[layers])
    said = weights > 0
    keys, weights = keys[said], weights[said]
    ends = (keys // len(places)).astype(np.int32), (keys % len(places)).astype(np.int32)
    levels = partitions(Graph.of(len(places), *ends, weights))
    if not levels:
        return []
    names = np.unique(levels[-1])
    return [places[levels[-1] == name] for name in names] if len(names) <= MOST_COMMUNITIES else []


def _joined(ground: Ground, parts: list[Ints], whole: Ints) -> list[Ints]:
    """Communities, joined two by two as long as chance does not explain the ties between."""
    held: dict[bytes, float] = {}

    def needed(one: Ints, other: Ints) -> float:
        for part in (one, other):
            if part.tobytes() not in held:
                held[part.tobytes()] = ground.held_bits(part)
        weaker = min(held[one.tobytes()], held[other.tobytes()])
        return max(CROSS_BITS, CROSS_PART * weaker)

    def beyond(one: Ints, other: Ints) -> float:
        return ground.bits_between(one, other) - needed(one, other)

    def beside_hinge(one: Ints, other: Ints) -> bool:
        return _beside_hinge(ground, one, other) > needed(one, other)

    joining = _joining(ground, parts, whole, beyond, beside_hinge)
    return next(left for bits, left in joining if bits <= 0)


def _joining(
    ground: Ground,
    parts: list[Ints],
    whole: Ints,
    tied: Callable[[Ints, Ints], float],
    surely: Callable[[Ints, Ints], bool] = lambda one, other: True,
) -> Iterator[tuple[float, list[Ints]]]:
    """The parts of a set as they are joined two by two, always those with most ties between
    them, each time with what `tied` says of the next two: minus infinity at the end. Two that are
    tied, but not `surely`, are not joined as they are."""
    parts = list(parts)
    left = set(range(len(parts)))
    between = {
        (one, other): tied(parts[one], parts[other]) for one, other in _tied(ground, parts, whole)
    }
    while between:
        one, other = max(between, key=lambda pair: (between[pair], -pair[0], -pair[1]))
        if between[one, other] > 0 and not surely(parts[one], parts[other]):
            del between[one, other]
            continue
        yield between[one, other], [parts[index] for index in sorted(left)]
        parts.append(np.sort(np.concatenate((parts[one], parts[other]))))
        new = len(parts) - 1
        left = left - {one, other} | {new}
        near = {index for pair in between if {one, other} & set(pair) for index in pair}
        between = {pair: bits for pair, bits in between.items() if not {one, other} & set(pair)}
        for index in sorted(near - {one, other}):
            between[index, new] = tied(parts[index], parts[new])
    yield -inf, [parts[index] for index in sorted(left)]


def _beside_hinge(ground: Ground, one: Ints, other: Ints) -> float:
    """What the ties between two parts save, but for those of any one account. The friends of one
    member know each other, and are of no group for it. A part that falls apart without that
    account has it for its hub, and keeps it. Shared values hang together by one account as a rule
    (trees), and are no friends."""
    bits = ground.bits_between(one, other)
    for part, rest, hinge in zip(
        (one, other), (other, one), ground.hinges(one, other), strict=True
    ):
        if hinge < 0 or len(part) < FEWEST_FRIENDS:
            continue
        without = part[part != hinge]
        if ground.held_bits(without) >= HELD_WITHOUT * ground.held_bits(part):
            bits = min(bits, ground.bits_between(without, rest))
    return bits


def _tied_at_all(ground: Ground, parts: list[Ints]) -> bool:
    """Whether the ties between any two parts are many, or many beside those inside the weaker."""
    held = [ground.held_bits(part) for part in parts]
    return any(
        ground.bits_between(parts[one], parts[other])
        >= min(CROSS_BITS, CROSS_PART * min(held[one], held[other]))
        for one, other in combinations(range(len(parts)), 2)
    )


def _tied(ground: Ground, parts: list[Ints], whole: Ints) -> list[tuple[int, int]]:
    """Which parts of a set (by their place in the list) have a tie between them."""
    part_of = np.full(len(whole), -1, np.int32)
    for index, part in enumerate(parts):
        part_of[np.searchsorted(whole, part)] = index
    a, b, _ = ground.ties(whole)
    one, other = part_of[np.searchsorted(whole, a)], part_of[np.searchsorted(whole, b)]
    low, high = np.minimum(one, other), np.maximum(one, other)
    across = (low >= 0) & (low < high)
    pairs = np.unique(low[across] * len(parts) + high[across])
    return [divmod(pair, len(parts)) for pair in pairs.tolist()]
