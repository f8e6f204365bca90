"""Shared member: two circles, and one account that belongs to both."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import networkx as nx

from detectors.doubts.case import MARKS, Case, Doubt

OF_THE_LINE = Fraction(1, 2)
"""Each of the two circles holds this part of the line: less is a few who hang on a member."""

Part = tuple[int, int]
"""What it holds (units), and how many they are."""


class SharedMember:
    """The group hangs on one member."""

    name = "shared member"
    likeness = MARKS
    explains: tuple[str, ...] = ()
    help = (
        "Without one member it falls into two parts that nothing ties together: two groups that "
        "share a member, or two circles that somebody belongs to, were taken for one."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where one member is all that holds two parts together, each of which holds half
        the line."""
        graph = case.graph(case.ties)
        units = dict(enumerate(case.units))
        cuts = [
            (parts[1], parts[0], -member)
            for member, parts in parts_behind_members(graph, units).items()
            if parts[1][0] >= OF_THE_LINE * case.needed_units
        ]
        if not cuts:
            return None
        second, first, member = max(cuts)
        name = case.names[-member]
        held = sum(case.units)
        sizes = [f"{count} with {case.share * part / held:.2%}" for part, count in (first, second)]
        return Doubt(
            self.name,
            f"Without {name} nothing ties its two parts together ({sizes[0]}, {sizes[1]}): these "
            "may be two groups that share a member, or two circles that it belongs to.",
            f"Whether {name} acts for both parts, and on whose orders.",
        )


def parts_behind_members(
    graph: nx.Graph[int], units: Mapping[int, int]
) -> dict[int, tuple[Part, Part]]:
    """Of each member without which its part of the graph falls apart, the two parts that then
    hold the most, the larger first."""
    found = {}
    for whole in nx.connected_components(graph):
        blocks = [frozenset(block) for block in nx.biconnected_components(graph.subgraph(whole))]
        if len(blocks) > 1:
            found.update(_two_largest(blocks, whole, units))
    return found


def _two_largest(
    blocks: list[frozenset[int]], whole: set[int], units: Mapping[int, int]
) -> dict[int, tuple[Part, Part]]:
    """Of one connected part, by the tree of its blocks and the members that join them: sums
    of the subtrees, which is what falls off."""
    times: dict[int, int] = {}
    for block in blocks:
        for member in block:
            times[member] = times.get(member, 0) + 1
    joints = {member for member, count in times.items() if count > 1}
    tree: nx.Graph[tuple[str, int]] = nx.Graph()
    behind: dict[tuple[str, int], Part] = {}
    for place, block in enumerate(blocks):
        own = block - joints
        behind["block", place] = sum(units[member] for member in own), len(own)
        tree.add_edges_from((("block", place), ("joint", member)) for member in block & joints)
    behind.update((("joint", member), (units[member], 1)) for member in joints)
    fallen: dict[int, list[Part]] = {member: [] for member in joints}
    for parent, node, step in nx.dfs_labeled_edges(tree, ("block", 0)):
        if step == "reverse" and parent != node:
            if parent[0] == "joint":
                fallen[parent[1]].append(behind[node])
            behind[parent] = _plus(behind[parent], behind[node])
    all_of_it = (sum(units[member] for member in whole), len(whole))
    for member, parts in fallen.items():
        held, count = behind["joint", member]
        parts.append((all_of_it[0] - held, all_of_it[1] - count))
    return {member: _largest_two(parts) for member, parts in fallen.items()}


def _largest_two(parts: list[Part]) -> tuple[Part, Part]:
    first, second = sorted(parts, reverse=True)[:2]
    return first, second


def _plus(one: Part, other: Part) -> Part:
    return one[0] + other[0], one[1] + other[1]


EXPLANATION = SharedMember()
