"""The project's first method: bits of pairs, a merge tree, and a row of gates.

It finds nearly everything in worlds of its maker's taste and fails against people who know
that they are watched. Cores are grown by a crossing sweep, split, refined for 30 settings;
what passes every gate is chosen greedily.

Where its description is silent: a family other than flow carries a link that it gives more bits
than flow does; a star has a member with more than half of the pairs inside; quantiles are over
the links of the set's own tree. Numba kernels over arrays: it runs on one machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, log2

import numpy as np
import numpy.typing as npt
from numba import njit

from detectors.engine.forest import component_labels, find
from inconcert.bench.accuracy.scoring import Found
from inconcert.bench.accuracy.town import LINE
from inconcert.bench.peers import Floats, Ints, Material, Setting
from inconcert.bench.peers.bits import Pairs, weigh

LARGEST_PART = LINE / 5
"""Nobody supplies more of the line than this while cores are grown."""

BELOW_L = (2.1, 1.6, 1.1)
KEPT = (0.4, 0.5, 0.6, 0.7, 0.8)
BELONGING = (0.5, 0.6)
"""The grid: least ties (log2 n less this), how far below its own mean a core takes links,
and how much of a member's bits lie inside."""

ROUNDS = 8
MOST_CUT = 0.2
LEAST_INSIDE, LEAST_FLOW_INSIDE, LEAST_HUB_INSIDE = 0.7, 0.3, 0.6
FEWEST_EFFECTIVE = 4.0
OTHERS_CARRY, OTHERS_SPARE = 0.3, 3.0
WEAK_TIE_BELOW_L = 1.75
LEAST_GAP = -1.0
AGREE, MOST_OVERLAP = 0.8, 0.3


@dataclass(frozen=True)
class Net:
    """The pairs that count, x = bits above the floor, as rows of each account too."""

    pairs: Pairs
    x: Floats
    floor: float
    starts: Ints
    rows: Ints
    """rows[starts[u] : starts[u + 1]]: the pairs of account u."""
    whole: Floats
    """The x of all pairs of each account."""

    @classmethod
    def of(cls, accounts: int, pairs: Pairs, least_tie: float, floor: float) -> Net:
        """Pairs of which tie and bits are high enough."""
        kept = np.flatnonzero((pairs.tie >= least_tie) & (pairs.bits >= floor))
        some = pairs.only(kept)
        ends = np.concatenate([some.a, some.b])
        order = np.argsort(ends, kind="stable")
        starts = np.searchsorted(ends[order], np.arange(accounts + 1))
        x = some.bits - floor
        whole = np.bincount(ends, np.tile(x, 2), accounts).astype(np.float64)
        return cls(some, x, floor, starts, order % max(len(kept), 1), whole)

    def touching(self, members: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """The pairs with an end among members, ascending, and whether both are."""
        if not len(members):
            return np.empty(0, np.int64), np.empty(0, np.bool_)
        spans = [self.rows[self.starts[one] : self.starts[one + 1]] for one in members]
        rows, times = np.unique(np.concatenate(spans), return_counts=True)
        return rows, times == 2


@dataclass(frozen=True)
class Candidate:
    """A set that passes every gate."""

    members: Ints
    gap: float
    weak_tie: float


class MergeTree:
    """Bits, merge tree and gates."""

    name = "bits, merge tree and gates"
    help = "The project's first method: crossings of a merge tree, 30 settings, a row of gates."

    def __init__(self) -> None:
        self._last: tuple[Material, Pairs] | None = None

    def settings(self) -> Sequence[Setting]:
        """By how many bits its gates are loosened."""
        return [{"loosened": bits} for bits in (0.0, 2.0, 4.0, 6.0, 8.0)]

    def missing(self) -> str | None:
        """Nothing."""
        return None

    def find(self, material: Material, setting: Setting) -> list[Found]:
        """Sets that pass every gate, chosen greedily."""
        if not len(material.links.a):
            return []
        pairs = self._weighed(material)
        by_setting = [
            [one for core in cores if (one := self._judged(material, net, core, setting))]
            for net, cores in _candidates(material, pairs)
        ]
        return [
            Found(frozenset(one.members.tolist()), one.gap, "indication", share)
            for one in _chosen(by_setting)
            if (share := float(material.shares[one.members].sum())) >= LINE
        ]

    def _weighed(self, material: Material) -> Pairs:
        """The pairs of a town: they do not depend on the setting."""
        if self._last is None or self._last[0] is not material:
            self._last = material, weigh(material)
        return self._last[1]

    def _judged(
        self, material: Material, net: Net, members: Ints, setting: Setting
    ) -> Candidate | None:
        return gates(material, net, members, float(setting["loosened"]))


def _candidates(material: Material, pairs: Pairs) -> Iterator[tuple[Net, list[Ints]]]:
    """For each setting of the grid its refined sets."""
    size = log2(max(material.accounts, 2))
    floor = _floor(size, pairs.least_flow_bits)
    for below in BELOW_L:
        net = Net.of(material.accounts, pairs, size - below, floor)
        if not len(net.x):
            continue
        for kept in KEPT:
            parts = [
                part for core in _cores(material, net, kept) for part in _split(material, net, core)
            ]
            for belonging in BELONGING:
                refined = [_refined(material, net, part, kept, belonging) for part in parts]
                distinct = {one.tobytes(): one for one in refined if len(one) > 1}
                yield net, list(distinct.values())


def _floor(size: float, least: float) -> float:
    """Bits from which a link counts: an innocent account is left about 1/8 of a link."""
    floor = size + 3
    for _ in range(50):
        floor = size + 3 + log2(1 + max(floor - least, 0.0) * log(2))
    return floor


def _cores(material: Material, net: Net, kept: float) -> list[Ints]:
    """Components at their crossing, and what they take afterwards."""
    order = np.lexsort((net.pairs.b, net.pairs.a, -net.pairs.bits))
    held = np.minimum(material.shares, LARGEST_PART)
    labels, crossed = _grow(net.pairs.a[order], net.pairs.b[order], net.x[order], held, LINE, kept)
    return material.parts(np.where(crossed[labels], labels, -1))


@njit(cache=True)
def _grow(a, b, x, held, line, kept):  # type: ignore[no-untyped-def]
    """Kruskal's walk; crossed components never merge, and take nothing far below their mean."""
    parents = np.arange(len(held)).astype(np.int32)
    sums, links, many = held.copy(), np.zeros(len(held)), np.zeros(len(held))
    crossed = np.zeros(len(held), np.bool_)
    for row in range(len(a)):
        one, other = find(parents, a[row]), find(parents, b[row])
        if one == other or (crossed[one] and crossed[other]):
            continue
        if crossed[other]:
            one, other = other, one
        if crossed[one] and x[row] < kept * links[one] / many[one]:
            continue
        parents[other] = one
        sums[one] += sums[other]
        links[one] += links[other] + x[row]
        many[one] += many[other] + 1
        crossed[one] = crossed[one] or sums[one] >= line
    labels = np.empty(len(held), np.int64)
    for account in range(len(held)):
        labels[account] = find(parents, account)
    return labels, crossed


def _tree(net: Net, members: Ints) -> Ints:
    """The maximum spanning forest of the pairs inside a set."""
    rows, both = net.touching(members)
    rows = rows[both]
    order = rows[np.lexsort((rows, -net.x[rows]))]
    one, other = (np.searchsorted(members, end[order]) for end in (net.pairs.a, net.pairs.b))
    taken = _forest(len(members), one.astype(np.int32), other.astype(np.int32))
    tree: Ints = order[taken]
    return tree


@njit(cache=True)
def _forest(count, a, b):  # type: ignore[no-untyped-def]
    parents = np.arange(count).astype(np.int32)
    taken = np.zeros(len(a), np.bool_)
    for row in range(len(a)):
        one, other = find(parents, a[row]), find(parents, b[row])
        if one != other:
            parents[other] = one
            taken[row] = True
    return taken


def _parts_by(net: Net, members: Ints, rows: Ints) -> list[Ints]:
    """The parts of a set that some pairs inside hold together."""
    one, other = (np.searchsorted(members, end[rows]) for end in (net.pairs.a, net.pairs.b))
    labels = component_labels(len(members), one.astype(np.int32), other.astype(np.int32))
    return [members[labels == name] for name in np.unique(labels)]


def _split(material: Material, net: Net, members: Ints) -> list[Ints]:
    """A set of twice the line, cut where little holds it together."""
    held = np.minimum(material.shares, LARGEST_PART)
    if held[members].sum() < 2 * LINE:
        return [members]
    rows, both = net.touching(members)
    rows, tree = rows[both], _tree(net, members)
    ends = [np.searchsorted(members, end[tree]) for end in (net.pairs.a, net.pairs.b)]
    order, parents, above = _rooted(len(members), *ends)
    one, other = (np.searchsorted(members, end[rows]) for end in (net.pairs.a, net.pairs.b))
    below, across, inside = _cuts(order, parents, held[members], one, other, net.x[rows])
    heavy = (below >= LINE) & (held[members].sum() - below >= LINE)
    smaller = np.minimum(inside, net.x[rows].sum() - across - inside)
    ratio = np.where(heavy & (parents >= 0), across / np.maximum(smaller, 1e-9), np.inf)
    cut = int(np.argmin(ratio))
    if ratio[cut] > MOST_CUT:
        return [members]
    sides = _parts_by(net, members, np.delete(tree, above[cut]))
    return [part for side in sides for part in _split(material, net, side)]


@njit(cache=True)
def _rooted(count, a, b):  # type: ignore[no-untyped-def]
    """A tree hung up at 0: an order from the root down, and of each place its parent and the
    edge to it (-1 at the root, and at what hangs on nothing)."""
    degree = np.zeros(count + 1, np.int64)
    for edge in range(len(a)):
        degree[a[edge] + 1] += 1
        degree[b[edge] + 1] += 1
    starts = np.cumsum(degree)
    free = starts[:-1].copy()
    near = np.empty(2 * len(a), np.int64)
    for edge in range(len(a)):
        near[free[a[edge]]], near[free[b[edge]]] = edge, edge
        free[a[edge]] += 1
        free[b[edge]] += 1
    order = np.empty(count, np.int64)
    parents, above = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    order[0] = 0
    done, placed = 0, 1
    while done < placed:
        place = order[done]
        done += 1
        for position in range(starts[place], starts[place + 1]):
            edge = near[position]
            if edge == above[place]:
                continue
            child = b[edge] if a[edge] == place else a[edge]
            parents[child], above[child] = place, edge
            order[placed] = child
            placed += 1
    return order[:placed], parents, above


@njit(cache=True)
def _cuts(order, parents, held, one, other, x):  # type: ignore[no-untyped-def]
    """For the edge above each place: what is held below it, the x of the pairs across it, and
    of those below it. A pair crosses the edges of its way through the tree."""
    depth = np.zeros(len(parents), np.int64)
    for place in order[1:]:
        depth[place] = depth[parents[place]] + 1
    below, across, inside = held.copy(), np.zeros(len(held)), np.zeros(len(held))
    for row in range(len(x)):
        u, v = one[row], other[row]
        across[u] += x[row]
        across[v] += x[row]
        while u != v:
            if depth[u] < depth[v]:
                u, v = v, u
            u = parents[u]
        across[u] -= 2 * x[row]
        inside[u] += x[row]
    for position in range(len(order) - 1, 0, -1):
        place = order[position]
        parent = parents[place]
        below[parent] += below[place]
        across[parent] += across[place]
        inside[parent] += inside[place]
    return below, across, inside


def _refined(material: Material, net: Net, members: Ints, kept: float, belonging: float) -> Ints:
    """The heaviest part above the set's own floor, and all who belong to it."""
    for _ in range(ROUNDS):
        tree = _tree(net, members)
        if not len(tree):
            return members[:0]
        floor = kept * float(np.median(net.x[tree]))
        rows, both = net.touching(members)
        strong = rows[both & (net.x[rows] >= floor)]
        parts = _parts_by(net, members, strong)
        heart = max(parts, key=lambda part: (float(material.shares[part].sum()), -int(part[0])))
        refined = _belonging(net, heart, floor, belonging)
        if np.array_equal(refined, members):
            break
        members = refined
    return members


def _belonging(net: Net, heart: Ints, floor: float, belonging: float) -> Ints:
    """Accounts with a strong link into a set, and most of their bits there."""
    inside = np.zeros(len(net.whole), np.bool_)
    inside[heart] = True
    rows, _ = net.touching(heart)
    a, b, x = net.pairs.a[rows], net.pairs.b[rows], net.x[rows]
    toward = np.concatenate([a[inside[b]], b[inside[a]]])
    of_each = np.concatenate([x[inside[b]], x[inside[a]]])
    there = np.bincount(toward, of_each, len(net.whole))
    strong = np.zeros(len(net.whole), np.bool_)
    strong[toward[of_each >= floor]] = True
    return np.flatnonzero(strong & (there >= belonging * net.whole))


def gates(material: Material, net: Net, members: Ints, loosened: float) -> Candidate | None:
    """The set with its gap, if it passes every gate."""
    shares = material.shares[members]
    tree = _tree(net, members)
    if len(tree) < len(members) - 1 or shares.sum() < LINE:
        return None
    if shares.sum() ** 2 / max(float((shares**2).sum()), 1e-300) < FEWEST_EFFECTIVE:
        return None
    size = log2(max(material.accounts, 2))
    by_others = float(np.mean(net.pairs.others[tree] > net.pairs.flow[tree]))
    needed = 2 * size - 1 - loosened - (OTHERS_SPARE if by_others >= OTHERS_CARRY else 0.0)
    weak_tie = float(np.quantile(net.pairs.tie[tree], 0.1))
    if float(np.median(net.pairs.bits[tree])) < needed:
        return None
    if weak_tie < size - WEAK_TIE_BELOW_L - loosened:
        return None
    rows, both = net.touching(members)
    inside, outside = float(net.x[rows[both]].sum()), float(net.x[rows[~both]].sum())
    if 2 * inside < LEAST_INSIDE * (2 * inside + outside):
        return None
    if by_others < OTHERS_CARRY and not _keeps_flow(material, members):
        return None
    strongest = float(net.pairs.bits[rows[~both]].max()) if (~both).any() else net.floor
    gap = float(np.quantile(net.pairs.bits[tree], 0.1)) - strongest
    return Candidate(members, gap, weak_tie) if gap >= LEAST_GAP - loosened else None


def _keeps_flow(material: Material, members: Ints) -> bool:
    """Whether enough of what members move stays inside, and of the hub's where there is one."""
    links = material.links
    is_member = np.zeros(material.accounts, np.bool_)
    is_member[members] = True
    both = is_member[links.a] & is_member[links.b]
    ends = np.concatenate([links.a, links.b])
    moved = np.bincount(ends, np.tile(links.moved, 2), material.accounts)
    inner = np.concatenate([links.a[both], links.b[both]])
    inside = np.bincount(inner, np.tile(links.moved[both], 2), material.accounts)
    if inside[members].sum() < LEAST_FLOW_INSIDE * moved[members].sum():
        return False
    partners = np.bincount(inner, minlength=material.accounts)
    hub = int(np.argmax(partners))
    star = 2 * partners[hub] > both.sum()
    return bool(not star or inside[hub] >= LEAST_HUB_INSIDE * moved[hub])


def _chosen(by_setting: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """Candidates on which two settings agree, the best first, none that overlaps a better."""
    every = [
        (frozenset(one.members.tolist()), place, one)
        for place, found in enumerate(by_setting)
        for one in found
    ]
    scored = []
    for members, place, one in every:
        met = [
            (len(members & other) / len(members | other), there)
            for other, there, _ in every
            if members & other
        ]
        if any(index >= AGREE and there != place for index, there in met):
            mean = sum(index for index, _ in met) / len(met)
            scored.append((one.gap + 10 * mean + 2 * one.weak_tie, members, one))
    scored.sort(key=lambda entry: (-entry[0], sorted(entry[1])))
    chosen: list[tuple[frozenset[int], Candidate]] = []
    for _, members, one in scored:
        if all(
            len(members & other) <= MOST_OVERLAP * min(len(members), len(other))
            for other, _ in chosen
        ):
            chosen.append((members, one))
    return [one for _, one in chosen]


PEER = MergeTree()
