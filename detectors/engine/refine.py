"""Refinement: a proposed set gains and loses members under the judge's own score."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import numpy as np

from detectors.engine.forest import component_labels
from detectors.engine.judge import Ground, Verdict
from detectors.family import Ints

ROUNDS = 8

HOUSEHOLD_MEMBERS = 8
"""Up to so many accounts a household or a family firm is the first thought."""

MOST_MEMBERS = 20_000
MOST_MEMBERS_SHARE = 0.05
FEWEST_CROWD = 50

CHANCE_TIE_PART = 0.05
"""Where a part reaches the line by itself, the whole must explain this much more than the
parts do: that two groups have a chance tie, or a member in common, does not make them one."""

MOST_COMMUNITIES = 40
"""More communities than this make a crowd, which the judge sees by itself."""

MOST_SPLIT = 2_000
"""Larger sets are not looked into for parts."""


def most_members(accounts: int) -> int:
    """A set of more than so many of the accounts is a crowd, not a group, unless documents
    tie it together."""
    return min(MOST_MEMBERS, max(FEWEST_CROWD, int(MOST_MEMBERS_SHARE * accounts)))


def refine(
    ground: Ground, places: Ints, holds_enough: Callable[[Ints], bool]
) -> tuple[Ints, Verdict] | None:
    """The best set on the way from `places`: each round keeps those who add bits to it, and
    of these the largest part that hangs together.

    `holds_enough` says whether a set's holdings reach the line. Returns None when no
    set on the way does.
    """
    best: tuple[Ints, Verdict] | None = None
    seen: set[bytes] = set()
    current = places
    for _ in range(ROUNDS):
        if len(current) > most_members(ground.population) and not ground.documented(current):
            break
        current = connected_part(ground, current)
        if len(current) < 2 or current.tobytes() in seen:
            break
        seen.add(current.tobytes())
        if holds_enough(current):
            verdict = ground.verdict(current)
            if best is None or verdict.strength_bits > best[1].strength_bits:
                best = current, verdict
        current = _those_who_add(ground, current)
    return best


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
    """Refined parts of a set that explain it better apart than together; none, if none do.

    Two groups with a chance tie between them save more bits together than either does
    alone, but less than both: one will each, not one will in all. The parts are Louvain
    communities of the ties inside (Blondel et al. 2008), joined where the judge finds them
    better together, each refined by itself.
    """
    if len(places) > MOST_SPLIT:
        return []
    graph = nx.Graph()
    graph.add_nodes_from(places.tolist())
    # whole hundredths of a bit: with fractions, rounding lets Louvain move in circles for ever
    bits = [round(100 * bits) for bits in ground.bits_of_a_tie(places)]
    for a, b, layer in zip(*(ends.tolist() for ends in ground.ties(places)), strict=True):
        before = graph.edges[a, b]["weight"] if graph.has_edge(a, b) else 0
        graph.add_edge(a, b, weight=before + bits[layer])
    if graph.size("weight") == 0:
        return []
    communities = [
        np.array(sorted(part), np.int32) for part in nx.community.louvain_communities(graph, seed=0)
    ]
    if not 1 < len(communities) <= MOST_COMMUNITIES:
        return []
    refined = [
        found
        for part in _joined(ground, communities, places)
        if (found := refine(ground, part, lambda _: True)) is not None
    ]
    refined.sort(key=lambda one: (-one[1].strength_bits, one[0].tolist()))
    parts: list[tuple[Ints, Verdict]] = []
    taken = np.zeros(len(ground.accounts), np.bool_)
    for part, verdict in refined:
        if not taken[part].any():
            taken[part] = True
            parts.append((part, verdict))
    apart = sum(max(ground.verdict(part, places).strength_bits, 0.0) for part, _ in parts)
    needed = whole.strength_bits
    if len(parts) > 1 and any(holds_enough(part) for part, _ in parts):
        needed *= 1 - CHANCE_TIE_PART
    return [part for part, _ in parts] if apart > needed else []


def _joined(ground: Ground, parts: list[Ints], whole: Ints) -> list[Ints]:
    """Communities, joined two by two as long as the judge finds them better together."""
    strengths = [ground.verdict(part, whole).strength_bits for part in parts]
    together: dict[tuple[int, int], float] = {}
    alive = list(range(len(parts)))
    while len(alive) > 1:
        for position, one in enumerate(alive):
            for other in alive[position + 1 :]:
                if (one, other) not in together:
                    both = np.union1d(parts[one], parts[other])
                    joint = ground.verdict(both, whole).strength_bits
                    together[one, other] = joint - strengths[one] - strengths[other]
        gain, one, other = max(
            (together[one, other], -one, -other)
            for position, one in enumerate(alive)
            for other in alive[position + 1 :]
        )
        if gain <= CHANCE_TIE_PART * max(strengths[-one], strengths[-other], 0.0):
            break
        parts.append(np.union1d(parts[-one], parts[-other]))
        strengths.append(ground.verdict(parts[-1], whole).strength_bits)
        alive = [index for index in alive if index not in (-one, -other)] + [len(parts) - 1]
    return [parts[index] for index in alive]


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
