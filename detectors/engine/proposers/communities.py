"""Communities among the rich: who deals more with each other than their degrees explain.

A line is crossed by holdings, so a group's members are richer than most accounts. Among the
richest its ties are no longer drowned in everybody's life: Louvain communities there, of
every kind of evidence and at several resolutions, hold groups that no level of a forest does
(METHOD sections 5 and 6: Leiden by wealth tier). With them are looked at whoever else deals
with unusually many of them: a group whose members hardly deal with each other hangs together
by a few who need not be rich. How many are the richest does not hang on
the population: where a line is 5 %, 200 members of a quarter of a thousandth of it are a
group in a town and in a country.

In the graph of all accounts only the strongest pairs are walked through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from detectors.engine.louvain import Graph, Longs, partitions
from detectors.engine.neighbours import unusual
from detectors.engine.proposers import CELL_SHARE, Proposal, Scene, most_members
from detectors.family import Ints

RICHEST = (100, 250, 800, 2_500, 8_000, 25_000)
"""So many of the richest accounts are searched, and all of them."""

MOST_RICH_SHARE = 0.25
"""As long as they are no larger part of all accounts than this."""

FEWEST_RICH = 3
"""Of the richest at least so many deal with whoever is searched with them."""

RESOLUTIONS = (0.5, 1.0, 2.0, 4.0)
FEWER_RESOLUTIONS = (0.5, 2.0)
MOST_FOR_ALL_RESOLUTIONS = 100_000
"""Graphs of more links are searched at fewer resolutions."""

MOST_STRONGEST = 250_000
"""Of all accounts' pairs only so many are looked at, and at most one an account: the
strongest of each family."""

THREADS = 2


@dataclass(frozen=True)
class Links:
    """Pairs of accounts (numbers, a < b) with whole weights of at least 1."""

    a: Ints
    b: Ints
    weights: Longs

    def among(self, places: Ints, count: int) -> Graph:
        """The graph of those links whose ends both have a place (0 .. count - 1), not -1."""
        a, b = places[self.a], places[self.b]
        both = (a >= 0) & (b >= 0)
        return Graph.of(
            count,
            np.minimum(a[both], b[both]),
            np.maximum(a[both], b[both]),
            self.weights[both],
        )

    def ends(self, accounts: int) -> Ints:
        """The accounts with a link, ascending: most have none, and would only be walked past."""
        linked = np.zeros(accounts, np.bool_)
        linked[self.a] = linked[self.b] = True
        return np.flatnonzero(linked).astype(np.int32)

    def only(self, kept: npt.NDArray[np.bool_]) -> Links:
        """Some of the links."""
        return Links(self.a[kept], self.b[kept], self.weights[kept])


class Communities:
    """Louvain communities by wealth, kind of evidence and resolution."""

    name = "communities"
    stage = 1

    def sets(
        self,
        scene: Scene,
        lines: Sequence[Fraction],
        found: Mapping[Fraction, Sequence[Proposal]],
    ) -> dict[Fraction, list[Proposal]]:
        """Communities that hold CELL_SHARE of a line: cells are made of them too."""
        least = float(min(lines) * CELL_SHARE)
        sets: dict[bytes, tuple[Ints, float]] = {}
        with ThreadPoolExecutor(THREADS) as pool:
            for parts in pool.map(
                lambda task: _communities(scene, task[0], task[1], least), _tasks(scene)
            ):
                for members, share in parts:
                    sets.setdefault(members.tobytes(), (members, share))
        return {
            line: [
                Proposal(members, self.name)
                for members, share in sets.values()
                if share >= float(line * CELL_SHARE)
            ]
            for line in lines
        }


def _tasks(scene: Scene) -> Iterator[tuple[Ints, Graph]]:
    """Who is searched (numbers, ascending), and the graph of their links."""
    everything = list(_links(scene))
    rich = [n for n in RICHEST if n <= max(MOST_RICH_SHARE * scene.accounts, RICHEST[0])]
    circles = [_circle(scene, scene.by_wealth[:count]) for count in sorted(rich, reverse=True)]
    near = _places(scene.accounts, np.unique(np.concatenate(circles))) >= 0
    inner = [links.only(near[links.a] & near[links.b]) for links in everything]
    for among in circles:
        places = _places(scene.accounts, among)
        for links in inner:
            yield among, links.among(places, len(among))
    for links in everything:
        strongest = _strongest(links, scene.accounts)
        linked = strongest.ends(scene.accounts)
        yield linked, strongest.among(_places(scene.accounts, linked), len(linked))


def _places(accounts: int, among: Ints) -> Ints:
    """The place of each account among some, -1 for the others."""
    places = np.full(accounts, -1, np.int32)
    places[among] = np.arange(len(among), dtype=np.int32)
    return places


def _circle(scene: Scene, rich: Ints) -> Ints:
    """Some of the richest, and others who deal with so many of them, for their contacts, that
    chance would not bring one such account about; no more than the richest are."""
    contacts = scene.evidence.facts.contacts
    inside = _places(scene.accounts, rich) >= 0
    ends = np.concatenate((contacts.a[inside[contacts.b]], contacts.b[inside[contacts.a]]))
    tied = np.bincount(ends, minlength=scene.accounts).astype(np.int32)
    part = float(contacts.degree[rich].sum() / max(contacts.degree.sum(), 1))
    bits = unusual(tied, contacts.degree, part)
    bits[inside | (tied < FEWEST_RICH)] = 0.0
    beside = np.flatnonzero(bits > np.log2(scene.accounts))
    most = beside[np.argsort(-bits[beside], kind="stable")[: len(rich)]]
    return np.sort(np.concatenate((rich, most))).astype(np.int32)


def _links(scene: Scene) -> Iterator[Links]:
    """Contacts by how often, each family's pairs, and the fused ones: twice, once with
    strong ones counting for much more."""
    contacts = scene.evidence.facts.contacts
    often = np.rint(100 * np.log2(1.0 + contacts.count)).astype(np.int64)
    yield Links(contacts.a, contacts.b, often)
    speaking = [pairs for pairs in scene.evidence.families if len(pairs.a)]
    for pairs in speaking:
        yield Links(pairs.a, pairs.b, _above_floor(pairs.millibits))
    if len(scene.evidence.a):
        fused = _above_floor(scene.evidence.millibits)
        if len(speaking) > 1:
            yield Links(scene.evidence.a, scene.evidence.b, fused)
        yield Links(scene.evidence.a, scene.evidence.b, fused * fused // 1000 + 1)


def _above_floor(millibits: Ints) -> Longs:
    """What a pair says beyond the least that any pair of its kind does."""
    above: Longs = millibits.astype(np.int64) - int(millibits.min()) + 1
    return above


def _strongest(links: Links, accounts: int) -> Links:
    most = min(accounts, MOST_STRONGEST)
    if len(links.weights) <= most:
        return links
    least = np.partition(links.weights, -most)[-most]
    kept = links.weights >= least
    if kept.sum() > 2 * most:  # so many are equal that none is strong
        kept = links.weights > least
    return links.only(kept)


def _communities(scene: Scene, among: Ints, graph: Graph, least: float) -> list[tuple[Ints, float]]:
    """Communities of a graph that hold enough and are no crowd, with their shares."""
    shares = scene.shares[among]
    most = most_members(scene.accounts)
    found = []
    few = len(graph.a) > MOST_FOR_ALL_RESOLUTIONS
    for resolution in FEWER_RESOLUTIONS if few else RESOLUTIONS:
        for labels in partitions(graph, resolution):
            held = np.bincount(labels, shares, len(among))
            size = np.bincount(labels, minlength=len(among))
            good = (held >= least) & (size > 1) & (size <= most)
            inside = np.flatnonzero(good[labels])
            order = inside[np.argsort(labels[inside], kind="stable")]
            parts = np.split(order, np.cumsum(size[good]))[:-1]  # the last is what is left: nobody
            shared = held[good].tolist()
            found += [(among[part], share) for part, share in zip(parts, shared, strict=True)]
    return found


PROPOSER = Communities()
