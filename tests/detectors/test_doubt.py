"""Doubts against plain recomputation."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.doubts.bridge import shares_behind_bridges


@settings(max_examples=100, deadline=None)
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
