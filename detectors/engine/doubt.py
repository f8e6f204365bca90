"""Doubt: grades, and what speaks against a finding.

- *conclusive*: documented links alone carry the group over the line;
- *corroborated*: two sources of fact, each by itself tying a good part of it together, and
  no innocent explanation open;
- *indication*: one source, or a structure that cannot be told from an innocent one.
"""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np

from detectors.engine.judge import Ground, Verdict
from detectors.engine.refine import HOUSEHOLD_MEMBERS
from detectors.family import Floats, Ints
from detectors.settings import DetectionSettings


@dataclass(frozen=True)
class Doubt:
    """An innocent explanation that could hold, and the fact that would settle it."""

    explanation: str
    text: str
    settles: str


@dataclass(frozen=True)
class Standing:
    """A judged set with what doubt looks at. `shares` are the members', in `places` order."""

    ground: Ground
    places: Ints
    verdict: Verdict
    shares: Floats
    names: list[str]
    line: float

    @property
    def share(self) -> float:
        """The group's share."""
        return float(self.shares.sum())


def grade(standing: Standing, doubts: list[Doubt], settings: DetectionSettings) -> str:
    """conclusive, corroborated or indication."""
    if carried_share(standing, {"links"}) >= standing.line:
        return "conclusive"
    sources = [
        family
        for family, bits in standing.verdict.evidence_bits.items()
        if bits >= settings.corroborating_bits
        and carried_share(standing, {family}) >= settings.corroborating_share * standing.share
    ]
    explained = {"club", "household"} & {doubt.explanation for doubt in doubts}
    return "corroborated" if len(sources) > 1 and not explained else "indication"


def carried_share(standing: Standing, families: set[str]) -> float:
    """The largest share that these families' ties alone hold together."""
    ground = standing.ground
    a, b, layers = ground.ties(standing.places)
    graph = nx.Graph(
        (int(one), int(other))
        for one, other, layer in zip(a, b, layers, strict=True)
        if ground.families[layer] in families
    )
    share = dict(zip(standing.places.tolist(), standing.shares.tolist(), strict=True))
    return max(
        (sum(sorted(share[place] for place in part)) for part in nx.connected_components(graph)),
        default=0.0,
    )


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


def together(standing: Standing, settings: DetectionSettings) -> bool:
    """Whether the crossing is the group's, not that of one member just below the line.

    The others must bring a fair part of the line; documented links need not wait for that.
    """
    others = standing.share - float(standing.shares.max())
    documented = carried_share(standing, {"links"}) >= standing.line
    return documented or others >= settings.others_bring * standing.line


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
        * sum(standing.verdict.ties[layer.name] for layer in standing.ground.layers if layer.rival)
        / k
    )
    return degree**2 < k


def _club(standing: Standing, settings: DetectionSettings) -> Doubt | None:
    if standing.verdict.beyond_club_bits >= margin(standing, settings):
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
    if carried_share(standing, {"links"}) >= standing.line:
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
    share = dict(zip(standing.places.tolist(), standing.shares.tolist(), strict=True))
    name = dict(zip(standing.places.tolist(), standing.names, strict=True))
    cuts = [
        (min(side, standing.share - side), one, other)
        for (one, other), side in shares_behind_bridges(graph, share).items()
        if max(side, standing.share - side) < standing.line
    ]
    if not cuts:
        return None
    smaller, one, other = max(cuts, key=lambda cut: (cut[0], -cut[1], -cut[2]))
    return Doubt(
        "bridge",
        f"Without the one tie between {name[one]} and {name[other]} it falls into parts below "
        f"the line (the smaller holds {smaller:.2%}).",
        f"What {name[one]} and {name[other]} have to do with each other.",
    )


def shares_behind_bridges(graph: nx.Graph, share: dict[int, float]) -> dict[tuple[int, int], float]:
    """Of each bridge (ends ascending) of a connected graph, the share on one of its sides."""
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
    for parent, block, step in nx.dfs_labeled_edges(tree, source=0):
        if step == "reverse" and parent != block:  # the block's own subtree is summed up
            found[tree.edges[parent, block]["bridge"]] = behind[block]
            behind[parent] += behind[block]
    return found
