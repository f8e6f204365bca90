"""What is kept of a run: merge curves against the components of every level, ties to draw."""

from __future__ import annotations

import dataclasses

import networkx as nx
import numpy as np
import pytest
from engine_helpers import members as accounts_of
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.engine.evidence import gather
from detectors.engine.forest import component_labels, spanning_forest
from detectors.engine.record import MOST_POINTS, MOST_TIES, merge_curve, strongest_ties
from detectors.family import detectors
from graph.snapshot import snapshot
from reports.plots.graph import Drawing, layout


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


@examples(200)
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


@examples(100)
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


@examples(100)
@given(graphs())
def test_components_are_named_by_their_smallest_member(graph):
    accounts, edges, _ = graph
    a, b, _ = arrays(edges)
    labels = component_labels(accounts, a, b).tolist()
    expected = [min(component(accounts, edges, 0, account)) for account in range(accounts)]
    assert labels == expected


@pytest.fixture(scope="module")
def evidence(world_store):
    return gather(snapshot(world_store), list(detectors().values()))


@pytest.fixture(scope="module")
def groups(evidence, world_result):
    """The groups that were found, everybody, a set at random, and two whom nothing joins."""
    names = evidence.snapshot.accounts["account"].to_list()
    numbers = {name: number for number, name in enumerate(names)}
    found = [sorted(numbers[one] for one in accounts_of(g)) for g in world_result["groups"]]
    drawn = np.random.default_rng(3).choice(len(names), 300, replace=False)
    tied = set(zip(evidence.a.tolist(), evidence.b.tolist(), strict=True))
    stranger = next(n for n in range(1, len(names)) if (0, n) not in tied)
    assert found
    sets = [*found, list(range(len(names))), sorted(drawn.tolist()), [0, stranger]]
    return [np.array(one, np.int32) for one in sets]


def inside(evidence, members):
    """Pairs inside a set by name, with their bits."""
    names = evidence.snapshot.accounts["account"].to_list()
    mine = set(members.tolist())
    rows = zip(evidence.a.tolist(), evidence.b.tolist(), evidence.millibits.tolist(), strict=True)
    return {(names[a], names[b]): weight / 1000 for a, b, weight in rows if a in mine and b in mine}


def as_graph(pairs):
    graph = nx.Graph()
    graph.add_weighted_edges_from((*pair, bits) for pair, bits in pairs.items())
    return graph


def parts(graph):
    return {frozenset(part) for part in nx.connected_components(graph)}


@pytest.mark.parametrize("most", [0, 40, MOST_TIES])
def test_what_is_drawn_hangs_together_as_the_evidence_does(evidence, groups, most):
    for members, ties in zip(groups, strongest_ties(evidence, groups, most), strict=True):
        pairs = inside(evidence, members)
        drawn = {(one, other): bits for one, other, bits, _ in ties}
        assert drawn.items() <= pairs.items()
        assert len(drawn) == len(ties)
        assert parts(as_graph(drawn)) == parts(as_graph(pairs))
        forest = nx.maximum_spanning_tree(as_graph(pairs)).number_of_edges()
        assert len(drawn) == min(max(most, forest), len(pairs))
        assert [bits for _, _, bits, _ in ties] == sorted(drawn.values(), reverse=True)


def test_with_no_room_it_is_a_heaviest_forest(evidence, groups):
    for members, ties in zip(groups, strongest_ties(evidence, groups, 0), strict=True):
        heaviest = nx.maximum_spanning_tree(as_graph(inside(evidence, members)))
        assert sum(tie[2] for tie in ties) == pytest.approx(heaviest.size(weight="weight"))


def test_the_room_left_goes_to_the_strongest(evidence, groups):
    for members, bare, ties in zip(
        groups, strongest_ties(evidence, groups, 0), strongest_ties(evidence, groups), strict=True
    ):
        forest = {tuple(tie[:2]) for tie in bare}
        drawn = {tuple(tie[:2]): tie[2] for tie in ties}
        assert forest <= set(drawn)
        filled = [bits for pair, bits in drawn.items() if pair not in forest]
        left = [bits for pair, bits in inside(evidence, members).items() if pair not in drawn]
        assert not filled or not left or min(filled) >= max(left)


def test_a_tie_names_the_families_that_give_it(evidence, groups):
    names = evidence.snapshot.accounts["account"].to_list()
    given = {
        pairs.family.name: {
            (names[a], names[b])
            for a, b, weight in zip(
                pairs.a.tolist(), pairs.b.tolist(), pairs.millibits.tolist(), strict=True
            )
            if weight > 0
        }
        for pairs in evidence.families
    }
    ties = [tie for found in strongest_ties(evidence, groups) for tie in found]
    for one, other, _, families in ties:
        assert families == sorted(name for name in given if (one, other) in given[name])
        assert families
    assert {len(families) for *_, families in ties} >= {1, 2}


def test_ties_do_not_hang_on_the_order_of_the_pairs(evidence, groups):
    shuffled = np.random.default_rng(4).permutation(len(evidence.a))
    other = dataclasses.replace(
        evidence,
        a=evidence.a[shuffled],
        b=evidence.b[shuffled],
        millibits=evidence.millibits[shuffled],
    )
    assert strongest_ties(other, groups) == strongest_ties(evidence, groups)
    assert strongest_ties(evidence, []) == []


def test_runs_saved_before_ties_named_their_families_are_drawn_alike():
    drawing = Drawing({"ann": 0.1, "bob": 0.2, "cyd": 0.3}, {}, [], {}, [], 0, 0.0)
    before = [["ann", "bob", 12.5], ["bob", "cyd", 3.25]]
    now = [[*tie, ["flow"]] for tie in before]
    assert layout(drawing, before) == layout(drawing, now)
    assert layout(drawing, before) != layout(drawing)
