"""Refinement: a proposed set gains and loses members under the judge's own score."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import numpy as np

from detectors.engine.forest import component_labels
from detectors.engine.judge import Ground, Verdict
from detectors.engine.louvain import Graph, partitions
from detectors.engine.proposers import most_members
from detectors.family import Ints

ROUNDS = 8

KINDRED = 0.6
"""The least Jaccard index between a set and what becomes of it. Lower, and small groups
wander off into innocent crowds near by that have more evidence."""

HOUSEHOLD_MEMBERS = 8
"""Up to so many accounts a household or a family firm is the first thought."""

CROSS_BITS, CROSS_PART = 12.0, 0.15
"""What the ties between two parts must save to make them one group, and what part of that
which holds the weaker of them together."""

MOST_COMMUNITIES = 40
"""More communities than this make a crowd, which the judge sees by itself."""

MOST_SPLIT = 2_000
"""Larger sets are not looked into for parts."""


def refine(
    ground: Ground,
    places: Ints,
    holds_enough: Callable[[Ints], bool],
    travelled: set[bytes] | None = None,
) -> tuple[Ints, Verdict] | None:
    """The best set on the way from `places`: each round keeps those who add bits to it, and
    of these the largest part that hangs together.

    `holds_enough` says whether a set's holdings reach the line. Returns None when no
    set on the way does. `travelled`: sets on the ways of others, added to; a way ends where
    it meets one, as what follows is known.
    """
    best: tuple[Ints, Verdict] | None = None
    seen: set[bytes] = set() if travelled is None else travelled
    current, start = places, None
    for _ in range(ROUNDS):
        if len(current) > most_members(ground.population) and not ground.documented(current):
            break
        current = connected_part(ground, current)
        start = current if start is None else start
        if len(current) < 2 or current.tobytes() in seen or _lost(start, current):
            break
        seen.add(current.tobytes())
        if holds_enough(current):
            verdict = ground.verdict(current)
            if best is None or verdict.strength_bits > best[1].strength_bits:
                best = current, verdict
        current = _those_who_add(ground, current)
    return best


def _lost(start: Ints, current: Ints) -> bool:
    """Whether a way has led too far from where it began: what it comes to is another set, and
    not what was to be judged."""
    common = len(np.intersect1d(start, current, assume_unique=True))
    return common < KINDRED * (len(start) + len(current) - common)


def _those_who_add(ground: Ground, places: Ints) -> Ints:
    """Who adds bits to a set. A member's household does not come in with it: whom shared
    identifiers join to no more than a household must be tied to the set otherwise, and to
    someone beyond that household, unless the household is all there is."""
    candidates, gains, gains_otherwise = ground.gains(places)
    adding = gains > 0
    kept, otherwise = candidates[adding], gains_otherwise[adding]
    if len(kept) == 0:
        return kept
    sizes, beyond = ground.households(kept)
    tied = (otherwise > 0) & (beyond | (sizes == len(kept)))
    stay: Ints = kept[tied | (sizes > HOUSEHOLD_MEMBERS)]
    return stay


def without_households(ground: Ground, places: Ints) -> Ints:
    """A set less the households that hang on one member: accounts with no tie to any other
    member, of which some share an identifier with it.

    They are blocks of the ties inside that one member alone connects with the rest
    (biconnected components, Hopcroft and Tarjan 1973). One who lends a device to a real
    group and deals with one member only looks the same, and is left out with them.
    """
    a, b, kinds = ground.ties(places)
    graph = nx.Graph(zip(a.tolist(), b.tolist(), strict=True))
    sharing = {
        (int(one), int(other))
        for one, other, kind in zip(a, b, kinds, strict=True)
        if ground.layers[kind].shared
    }
    hinges = set(nx.articulation_points(graph))
    leaving: set[int] = set()
    for block in nx.biconnected_components(graph):
        hinge = block & hinges
        if len(hinge) != 1 or len(block) > HOUSEHOLD_MEMBERS:
            continue
        member = next(iter(hinge))
        if any((min(member, one), max(member, one)) in sharing for one in block - hinge):
            leaving |= block - hinge
    kept: Ints = places[~np.isin(places, sorted(leaving))]
    return kept


def split(
    ground: Ground, places: Ints, whole: Verdict, holds_enough: Callable[[Ints], bool]
) -> list[Ints]:
    """Refined parts of a set that chance ties together; none, if it is one.

    That two groups have a chance tie, or a friend in common, does not make them one will. The
    parts are Louvain communities of the ties inside, joined where the ties between them say
    so (see `_cross`), each refined by itself. Where none of them holds enough, the set stays
    whole. A set that strangers explain better is not looked into: its parts are proposed too.
    """
    if len(places) > MOST_SPLIT or whole.strength_bits <= 0:
        return []
    communities = _communities(ground, places)
    if not 1 < len(communities) <= MOST_COMMUNITIES:
        return []
    apart = _joined(ground, communities, places)
    if len(apart) < 2:
        return []
    refined = [refine(ground, part, lambda _: True) for part in apart]
    parts = [found[0] for found in refined if found is not None]
    return parts if any(holds_enough(part) for part in parts) else []


def _communities(ground: Ground, places: Ints) -> list[Ints]:
    """Louvain communities of the ties inside, each weighed by its bits for this set."""
    a, b, layers = ground.ties(places)
    bits = np.rint(100 * np.array(ground.bits_of_a_tie(places))).astype(np.int64)
    one, other = np.searchsorted(places, a), np.searchsorted(places, b)
    keys, pairs = np.unique(one * len(places) + other, return_inverse=True)
    weights = np.bincount(pairs, bits[layers], len(keys)).astype(np.int64)
    said = weights > 0
    keys, weights = keys[said], weights[said]
    ends = (keys // len(places)).astype(np.int32), (keys % len(places)).astype(np.int32)
    levels = partitions(Graph.of(len(places), *ends, weights))
    if not levels:
        return []
    return [places[levels[-1] == name] for name in np.unique(levels[-1])]


def _joined(ground: Ground, parts: list[Ints], whole: Ints) -> list[Ints]:
    """Communities, joined two by two as long as chance does not explain the ties between."""
    between = {pair: _cross(ground, parts, pair) for pair in _tied(ground, parts, whole)}
    while between:
        one, other = max(between, key=lambda pair: (between[pair], -pair[0], -pair[1]))
        if between[one, other] <= 0:
            break
        parts.append(np.union1d(parts[one], parts[other]))
        near = {index for pair in between if {one, other} & set(pair) for index in pair}
        between = {pair: bits for pair, bits in between.items() if not {one, other} & set(pair)}
        for index in sorted(near - {one, other}):
            pair = index, len(parts) - 1
            between[pair] = _cross(ground, parts, pair)
        parts[one] = parts[other] = np.empty(0, np.int32)
    return [part for part in parts if len(part)]


def _tied(ground: Ground, parts: list[Ints], whole: Ints) -> list[tuple[int, int]]:
    """Which parts of a set (by their place in the list) have a tie between them."""
    part_of = np.full(len(ground.accounts), -1, np.int32)
    for index, part in enumerate(parts):
        part_of[part] = index
    a, b, _ = ground.ties(whole)
    one, other = part_of[a], part_of[b]
    low, high = np.minimum(one, other), np.maximum(one, other)
    across = (low >= 0) & (low < high)
    pairs = np.unique(np.stack((low[across], high[across]), axis=1), axis=0)
    return [(int(first), int(second)) for first, second in pairs]


def _cross(ground: Ground, parts: list[Ints], pair: tuple[int, int]) -> float:
    """What the ties between two parts save beyond what makes them one group."""
    one, other = parts[pair[0]], parts[pair[1]]
    weaker = min(sum(ground.verdict(part).evidence_bits.values()) for part in (one, other))
    return ground.bits_between(one, other) - max(CROSS_BITS, CROSS_PART * weaker)


def connected_part(ground: Ground, places: Ints) -> Ints:
    """The largest part that ties of evidence hold together (of equal ones the first)."""
    a, b, _ = ground.ties(places)
    if len(a) == 0:
        return np.empty(0, np.int32)
    labels = component_labels(
        len(places),
        np.searchsorted(places, a).astype(np.int32),
        np.searchsorted(places, b).astype(np.int32),
    )
    largest: Ints = places[labels == np.argmax(np.bincount(labels))]
    return largest
