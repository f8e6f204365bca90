"""The merge curve against the components of every level."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.engine.forest import component_labels, spanning_forest
from detectors.engine.record import MOST_POINTS, merge_curve


@st.composite
def graphs(draw):
    accounts = draw(st.integers(2, 20))
    ends = st.integers(0, accounts - 1)
    edges = draw(
        st.dictionaries(
            st.tuples(ends, ends).filter(lambda pair: pair[0] < pair[1]),
            st.sampled_from([0, 1, 2500, 2501, 9000]),
            max_size=40,
        )
    )
    weights = draw(st.lists(st.integers(0, 9), min_size=accounts, max_size=accounts))
    total = sum(weights) or 1
    return accounts, edges, np.array([weight / total for weight in weights])


def component(accounts, edges, at_least, account):
    graph = nx.Graph()
    graph.add_nodes_from(range(accounts))
    graph.add_edges_from(pair for pair, weight in edges.items() if weight >= at_least)
    return nx.node_connected_component(graph, account)


def arrays(edges):
    a, b = (np.array([pair[end] for pair in edges], np.int32) for end in (0, 1))
    return a, b, np.array(list(edges.values()), np.int32)


@settings(max_examples=200, deadline=None)
@given(graphs(), st.data())
def test_the_curve_is_the_component_around_an_account_at_every_level(graph, data):
    accounts, edges, shares = graph
    account = data.draw(st.integers(0, accounts - 1))
    curve = merge_curve(spanning_forest(accounts, *arrays(edges)), shares, account, np.inf)
    expected = []
    size = 1
    for level in sorted(set(edges.values()), reverse=True):
        part = component(accounts, edges, level, account)
        if len(part) > size:
            expected.append([level / 1000, sum(shares[one] for one in part), len(part)])
            size = len(part)
    assert [point[::2] for point in curve] == [point[::2] for point in expected]
    assert [point[1] for point in curve] == pytest.approx(
        [point[1] for point in expected], abs=1e-8
    )


@settings(max_examples=100, deadline=None)
@given(graphs(), st.data())
def test_the_curve_ends_where_the_crowd_begins(graph, data):
    accounts, edges, shares = graph
    account = data.draw(st.integers(0, accounts - 1))
    forest = spanning_forest(accounts, *arrays(edges))
    whole = merge_curve(forest, shares, account, np.inf)
    cut = merge_curve(forest, shares, account, 0.5)
    assert all(point[1] < 0.5 for point in cut[:-1])
    assert cut[:-1] == whole[: max(len(cut) - 1, 0)]


def test_a_long_curve_keeps_its_ends_and_stays_short():
    accounts = 2000
    a = np.arange(accounts - 1, dtype=np.int32)
    weights = np.arange(accounts, 1, -1).astype(np.int32)
    forest = spanning_forest(accounts, a, a + 1, weights)
    curve = merge_curve(forest, np.full(accounts, 1 / accounts), 0, np.inf)
    assert len(curve) == MOST_POINTS
    assert curve[0] == [2.0, 0.001, 2]
    assert curve[-1] == [0.002, 1.0, accounts]


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_components_are_named_by_their_smallest_member(graph):
    accounts, edges, _ = graph
    a, b, _ = arrays(edges)
    labels = component_labels(accounts, a, b).tolist()
    expected = [min(component(accounts, edges, 0, account)) for account in range(accounts)]
    assert labels == expected
