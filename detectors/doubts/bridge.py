"""Bridge: one tie without which neither side reaches the line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import networkx as nx

from detectors.doubts.case import MARKS, Case, Doubt

Number = TypeVar("Number", int, float)


class Bridge:
    """The group hangs on one tie."""

    name = "bridge"
    likeness = MARKS
    explains: tuple[str, ...] = ()
    help = (
        "Without one tie it falls into parts below the line: if that tie is chance, two "
        "smaller circles were taken for one."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where a tie is all that holds two parts below the line together."""
        graph = case.graph(case.ties)
        units = dict(enumerate(case.units))
        whole = sum(case.units)
        cuts = [
            (min(side, whole - side), one, other)
            for (one, other), side in shares_behind_bridges(graph, units).items()
            if max(side, whole - side) < case.needed_units
        ]
        if not cuts:
            return None
        smaller, one, other = max(cuts, key=lambda cut: (cut[0], -cut[1], -cut[2]))
        names = f"{case.names[one]} and {case.names[other]}"
        return Doubt(
            self.name,
            f"Without the one tie between {names} it falls into parts below the line (the "
            f"smaller holds {case.share * smaller / max(whole, 1):.2%}).",
            f"What {names} have to do with each other.",
        )


def shares_behind_bridges(
    graph: nx.Graph[int], share: Mapping[int, Number]
) -> dict[tuple[int, int], Number]:
    """Of each bridge (ends ascending), the share on one of its sides, as far as it is connected."""
    bridges = list(nx.bridges(graph))
    if not bridges:
        return {}
    whole = nx.restricted_view(graph, [], bridges)
    blocks = sorted((sorted(part) for part in nx.connected_components(whole)), key=min)
    block_of = {place: index for index, block in enumerate(blocks) for place in block}
    tree: nx.Graph[int] = nx.Graph()
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


EXPLANATION = Bridge()
