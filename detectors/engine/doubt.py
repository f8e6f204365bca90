"""Doubt: grades, and what speaks against a finding.

- *conclusive*: documented links alone carry the group over the line;
- *corroborated*: two sources of fact, each by itself tying a good part of it together, and
  no innocent explanation open;
- *indication*: one source, or a structure that cannot be told from an innocent one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import networkx as nx
import numpy as np

from detectors.engine.judge import Ground, Verdict
from detectors.engine.limbs import line_units
from detectors.engine.refine import HOUSEHOLD_MEMBERS
from detectors.family import Floats, Ints
from detectors.settings import DetectionSettings
from graph.snapshot import Snapshot

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Doubt:
    """An innocent explanation that could hold, and the fact that would settle it."""

    explanation: str
    text: str
    settles: str


@dataclass(frozen=True)
class Standing:
    """A judged set with what doubt looks at. Members in `places` order.

    `shares` are for words and for rules of thumb: their sums round. What decides about the
    line is compared in `units` of 10^-18: ten holders of 0.5 % each are at exactly 5 %.
    """

    ground: Ground
    places: Ints
    verdict: Verdict
    shares: Floats
    units: list[int]
    names: list[str]
    line: float
    needed: int
    """The least units at or over the line."""

    @classmethod
    def of(
        cls, ground: Ground, places: Ints, verdict: Verdict, snapshot: Snapshot, line: Fraction
    ) -> Standing:
        """A set given by its places, on its snapshot."""
        rows = snapshot.accounts.select("account", "holdings")[ground.accounts[places]]
        return cls(
            ground,
            places,
            verdict,
            rows["holdings"].cast(float).to_numpy() / (float(snapshot.supply) or 1.0),
            rows["holdings"].to_physical().to_list(),
            rows["account"].to_list(),
            float(line),
            line_units(line, snapshot.supply),
        )

    @property
    def share(self) -> float:
        """The group's share."""
        return float(self.shares.sum())


def grade(standing: Standing, doubts: list[Doubt], settings: DetectionSettings) -> str:
    """conclusive, corroborated or indication."""
    if documented(standing):
        return "conclusive"
    by_source: dict[str, set[str]] = {}
    for family, source in standing.ground.sources.items():
        by_source.setdefault(source, set()).add(family)
    agreeing = [
        families
        for families in by_source.values()
        if sum(standing.verdict.evidence_bits[family] for family in sorted(families))
        >= settings.corroborating_bits
        and carried_share(standing, families) >= settings.corroborating_share * standing.share
    ]
    explained = {"club", "household"} & {doubt.explanation for doubt in doubts}
    return "corroborated" if len(agreeing) > 1 and not explained else "indication"


def carried_share(standing: Standing, families: set[str]) -> float:
    """The largest share that these families' ties alone hold together."""
    share = dict(zip(standing.places.tolist(), standing.shares.tolist(), strict=True))
    return max(
        (sum(sorted(share[place] for place in part)) for part in _parts(standing, families)),
        default=0.0,
    )


def documented(standing: Standing) -> bool:
    """Whether declared links alone hold a part over the line together."""
    units = dict(zip(standing.places.tolist(), standing.units, strict=True))
    return any(
        sum(units[place] for place in part) >= standing.needed
        for part in _parts(standing, {"links"})
    )


def _parts(standing: Standing, families: set[str]) -> Iterator[set[int]]:
    """The parts (places) that these families' ties alone hold together."""
    ground = standing.ground
    a, b, layers = ground.ties(standing.places)
    theirs = np.isin(ground.families, list(families))[layers]
    graph = nx.Graph(zip(a[theirs].tolist(), b[theirs].tolist(), strict=True))
    parts: Iterator[set[int]] = nx.connected_components(graph)
    return parts


def doubts(standing: Standing, settings: DetectionSettings) -> list[Doubt]:
    """Every innocent explanation that these facts leave open."""
    found = [
        _club(standing, settings),
        _household(standing),
        _dominated(standing),
        _bridge(standing),
    ]
    return [doubt for doubt in found if doubt is not None]


def margin(standing: Standing, settings: DetectionSettings) -> float:
    """The bits that a set of this size must save."""
    return max(settings.margin_bits, settings.margin_bits_a_member * len(standing.places))


def reported(standing: Standing, settings: DetectionSettings) -> bool:
    """Whether a set over the line is a finding. Documents need no statistics."""
    if documented(standing):
        return True
    enough = standing.verdict.strength_bits >= margin(standing, settings)
    return enough and not crowd(standing, settings) and together(standing, settings)


def together(standing: Standing, settings: DetectionSettings) -> bool:
    """Whether the crossing is the group's, not that of one member just below the line.

    The others must bring a fair part of the line.
    """
    others = standing.share - float(standing.shares.max())
    return others >= settings.others_bring * standing.line


def crowd(standing: Standing, settings: DetectionSettings) -> bool:
    """Whether it is a loosely tied crowd: not exclusive, and too large for its ties.

    In a set of k members with d contacts each inside, two members have about d^2 / k common
    counterparties inside. Below one they are strangers to each other's circles: a region, a
    market, a fashion, however far its density is above chance.
    """
    if _club(standing, settings) is None:
        return False
    k = len(standing.places)
    degree = (
        2
        * sum(standing.verdict.ties[layer.name] for layer in standing.ground.layers if layer.contacts)
        / k
    )
    return degree**2 < k


def _club(standing: Standing, settings: DetectionSettings) -> Doubt | None:
    if documented(standing) or standing.verdict.beyond_club_bits >= margin(standing, settings):
        return None
    return Doubt(
        "club",
        "The members deal with each other much, but not more exclusively than people do in a "
        "club, a market or a team.",
        "Who founded or runs the circle, and whether its members buy and sell for themselves.",
    )


def _household(standing: Standing) -> Doubt | None:
    bits = standing.verdict.evidence_bits
    if len(standing.places) > HOUSEHOLD_MEMBERS or bits.get("identifier", 0.0) <= 0:
        return None
    if documented(standing):
        return None
    return Doubt(
        "household",
        f"{len(standing.places)} accounts that share devices or addresses may be a household "
        "or a family firm.",
        "Names and addresses of the holders, and who pays for each account's purchases.",
    )


def _dominated(standing: Standing) -> Doubt | None:
    largest = int(np.argmax(standing.shares))
    without = standing.share - float(standing.shares[largest])
    if without >= standing.line / 2:
        return None
    return Doubt(
        "one large holder",
        f"{standing.names[largest]} holds {standing.shares[largest]:.2%} of {standing.share:.2%}; "
        f"the others hold {without:.2%} together.",
        f"Whether {standing.names[largest]} decides over the others' accounts.",
    )


def _bridge(standing: Standing) -> Doubt | None:
    """One tie without which neither side reaches the line."""
    a, b, _ = standing.ground.ties(standing.places)
    graph = nx.Graph(zip(a.tolist(), b.tolist(), strict=True))
    units = dict(zip(standing.places.tolist(), standing.units, strict=True))
    name = dict(zip(standing.places.tolist(), standing.names, strict=True))
    whole = sum(standing.units)
    cuts = [
        (min(side, whole - side), one, other)
        for (one, other), side in shares_behind_bridges(graph, units).items()
        if max(side, whole - side) < standing.needed
    ]
    if not cuts:
        return None
    smaller, one, other = max(cuts, key=lambda cut: (cut[0], -cut[1], -cut[2]))
    return Doubt(
        "bridge",
        f"Without the one tie between {name[one]} and {name[other]} it falls into parts below "
        f"the line (the smaller holds {standing.share * smaller / max(whole, 1):.2%}).",
        f"What {name[one]} and {name[other]} have to do with each other.",
    )


def shares_behind_bridges(
    graph: nx.Graph, share: Mapping[int, Number]
) -> dict[tuple[int, int], Number]:
    """Of each bridge (ends ascending), the share on one of its sides, as far as it is connected."""
    bridges = list(nx.bridges(graph))
    if not bridges:
        return {}
    whole = nx.restricted_view(graph, [], bridges)
    blocks = sorted((sorted(part) for part in nx.connected_components(whole)), key=min)
    block_of = {place: index for index, block in enumerate(blocks) for place in block}
    tree = nx.Graph()
    for one, other in bridges:
        ends = (min(one, other), max(one, other))
        tree.add_edge(block_of[one], block_of[other], bridge=ends)
    behind = [sum(share[place] for place in block) for block in blocks]
    found = {}
    for parent, block, step in nx.dfs_labeled_edges(tree):
        if step == "reverse" and parent != block:  # the block's own subtree is summed up
            found[tree.edges[parent, block]["bridge"]] = behind[block]
            behind[parent] += behind[block]
    return found
