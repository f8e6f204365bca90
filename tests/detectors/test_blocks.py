"""Blocks of a graph against networkx, and who hangs on one account against the definition."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.engine.blocks import blocks, hanging_on

COUNT = 12
someone = st.integers(0, COUNT - 1)
pairs = st.tuples(someone, someone).filter(lambda pair: pair[0] != pair[1])
graphs = st.lists(st.tuples(pairs, st.booleans()), max_size=40)


def as_arrays(graph):
    ends = np.array([pair for pair, _ in graph], np.int32).reshape(-1, 2)
    return ends[:, 0].copy(), ends[:, 1].copy(), np.array([by for _, by in graph], np.bool_)


@given(graphs)
def test_blocks_are_the_biconnected_components(graph):
    a, b, _ = as_arrays(graph)
    found: dict[int, set[int]] = {}
    for one, other, block in zip(a.tolist(), b.tolist(), blocks(COUNT, a, b).tolist(), strict=True):
        found.setdefault(block, set()).update((one, other))
    wanted = nx.biconnected_components(nx.Graph([pair for pair, _ in graph]))
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, wanted))
    assert set(found) == set(range(len(found)))


@given(graphs, st.integers(2, 6))
def test_who_hangs_on_one_account_is_of_a_small_block_that_it_alone_ties_to_others(graph, most):
    a, b, by = as_arrays(graph)
    marked = {frozenset(pair) for pair, marks in graph if marks}
    every = list(nx.biconnected_components(nx.Graph([pair for pair, _ in graph])))
    wanted = set()
    for block in every:
        hinges = {one for one in block if sum(one in other for other in every) > 1}
        if len(hinges) == 1 and len(block) <= most:
            (hinge,) = hinges
            if any(frozenset((hinge, one)) in marked for one in block - hinges):
                wanted |= block - hinges
    assert set(np.flatnonzero(hanging_on(COUNT, a, b, by, most)).tolist()) == wanted
