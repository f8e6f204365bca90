"""Doubts against plain recomputation."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.doubts.bridge import shares_behind_bridges
from detectors.doubts.shared_member import parts_behind_members


@examples(100)
@given(st.integers(2, 14), st.integers(0, 6), st.randoms(use_true_random=False))
def test_the_share_behind_a_bridge_is_what_cutting_it_leaves(accounts, more, random):
    graph = nx.random_labeled_tree(accounts, seed=random.randint(0, 10**6))
    graph.add_edges_from(random.sample(range(accounts), 2) for _ in range(more))
    share = {account: random.random() for account in graph}
    found = shares_behind_bridges(graph, share)
    assert set(found) == {(min(edge), max(edge)) for edge in nx.bridges(graph)}
    for (one, other), side in found.items():
        cut = graph.copy()
        cut.remove_edge(one, other)
        sides = [
            sum(share[account] for account in nx.node_connected_component(cut, end))
            for end in (one, other)
        ]
        assert side == pytest.approx(sides[0]) or side == pytest.approx(sides[1])


@examples(100)
@given(st.integers(2, 14), st.integers(0, 6), st.randoms(use_true_random=False))
def test_the_parts_behind_a_member_are_what_is_left_without_it(accounts, more, random):
    graph = nx.random_labeled_tree(accounts, seed=random.randint(0, 10**6))
    graph.add_edges_from(random.sample(range(accounts), 2) for _ in range(more))
    graph.add_edge("apart", "too")
    units = {account: random.randrange(10**30) for account in graph}
    found = parts_behind_members(graph, units)
    assert set(found) == set(nx.articulation_points(graph))
    for member, parts in found.items():
        rest = graph.subgraph(nx.node_connected_component(graph, member) - {member})
        left = [
            (sum(units[account] for account in part), len(part))
            for part in nx.connected_components(rest)
        ]
        assert list(parts) == sorted(left, reverse=True)[:2]
