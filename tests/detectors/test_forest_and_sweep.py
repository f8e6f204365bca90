"""The forest and the crossing sweep against a slow, plain oracle (networkx)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import networkx as nx
import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.engine.forest import spanning_forest
from detectors.engine.limbs import BASE, amount_of, line_limbs, most_limbs, to_limbs
from detectors.engine.sweep import CROSSING, EXTENSION, strongest_crossings, sweep
from graph.amount import total as total_of


@st.composite
def weighted_graphs(draw):
    """Few distinct weights, so that ties are the rule; holdings with many digits."""
    accounts = draw(st.integers(2, 24))
    ends = st.integers(0, accounts - 1)
    edges = draw(
        st.dictionaries(
            st.tuples(ends, ends).filter(lambda pair: pair[0] < pair[1]),
            st.sampled_from([0, 1, 2500, 2501, 9000, 30000]),
            max_size=50,
        )
    )
    holdings = draw(
        st.lists(
            st.one_of(
                st.just(Decimal(0)),
                st.integers(1, 9).map(Decimal),
                st.integers(1, 4 * 10**36).map(lambda units: amount_of(*divmod(units, BASE))),
            ),
            min_size=accounts,
            max_size=accounts,
        )
    )
    return accounts, edges, holdings


def arrays(edges, order):
    pairs = [list(edges)[i] for i in order]
    a = np.array([p[0] for p in pairs], np.int32)
    b = np.array([p[1] for p in pairs], np.int32)
    return a, b, np.array([edges[p] for p in pairs], np.int32)


def components(accounts, edges, at_least):
    graph = nx.Graph()
    graph.add_nodes_from(range(accounts))
    graph.add_edges_from(pair for pair, weight in edges.items() if weight >= at_least)
    return {frozenset(part) for part in nx.connected_components(graph)}


def oracle(accounts, edges, holdings, lines, supply, extension):
    """Every crossing and extension, by looking at the components of every level."""
    found = set()
    before = {frozenset([account]) for account in range(accounts)}

    def total(part):
        return total_of(holdings[account] for account in part)

    for level in sorted(set(edges.values()), reverse=True):
        after = components(accounts, edges, level)
        for part in after - before:
            pieces = [total(piece) for piece in before if piece <= part]
            for index, line in enumerate(lines):
                needed = line * Fraction(supply)
                if total(part) < needed:
                    continue
                if max(pieces) < needed:
                    found.add((index, level, CROSSING, part, total(part)))
                elif Fraction(total(part)) - Fraction(max(pieces)) > extension:
                    found.add((index, level, EXTENSION, part, total(part)))
        before = after
    return found


def limbs(holdings):
    return to_limbs(pl.Series(holdings, dtype=pl.Decimal(38, 18)))


@examples(200)
@given(weighted_graphs(), st.randoms(use_true_random=False))
def test_components_at_every_threshold_are_those_of_the_whole_graph(graph, random):
    accounts, edges, _ = graph
    order = list(range(len(edges)))
    random.shuffle(order)
    forest = spanning_forest(accounts, *arrays(edges, order))
    kept = {
        (int(a), int(b)): int(w)
        for a, b, w in zip(forest.a, forest.b, forest.millibits, strict=True)
    }
    assert nx.is_forest(nx.Graph(kept.keys())) if kept else True
    assert list(forest.millibits) == sorted(forest.millibits, reverse=True)
    for level in {*edges.values(), 0, 1, 40000}:
        assert components(accounts, kept, level) == components(accounts, edges, level)


@examples(300)
@given(weighted_graphs(), st.randoms(use_true_random=False))
def test_every_crossing_and_extension_of_every_line_and_no_other(graph, random):
    accounts, edges, holdings = graph
    supply = total_of(holdings) or Decimal(1)
    lines = [Fraction(3, 100), Fraction(5, 100), Fraction(1, 3), Fraction(1, 2)]
    extension = Fraction(supply) / 1000
    expected = oracle(accounts, edges, holdings, lines, supply, extension)
    order = list(range(len(edges)))
    random.shuffle(order)
    forest = spanning_forest(accounts, *arrays(edges, order))
    thresholds = np.array([line_limbs(line, supply) for line in lines], np.uint64)
    found = sweep(
        accounts,
        forest,
        limbs(holdings),
        thresholds,
        np.array(most_limbs(Fraction(1, 1000), supply), np.uint64),
    )
    seen = {
        (
            int(found.line[i]),
            int(found.millibits[i]),
            int(found.kind[i]),
            frozenset(int(m) for m in found.members(i)),
            amount_of(*found.total[i]),
        )
        for i in range(len(found))
    }
    assert len(seen) == len(found)
    assert seen == expected
    strongest = strongest_crossings(accounts, forest, limbs(holdings), thresholds, 0)
    for index in range(len(lines)):
        levels = [level for line, level, kind, *_ in expected if (line, kind) == (index, CROSSING)]
        assert strongest[index] == max(levels, default=-1)


def test_exactly_the_line_is_over_it_and_one_unit_less_is_not():
    unit = Decimal("0.000000000000000001")
    for missing, crossings in ((Decimal(0), 1), (unit, 0)):
        holdings = [Decimal(2), Decimal(3) - missing]
        forest = spanning_forest(
            2, np.array([0], np.int32), np.array([1], np.int32), np.array([9], np.int32)
        )
        found = sweep(
            2,
            forest,
            limbs(holdings),
            np.array([line_limbs(Fraction(5, 100), Decimal(100))], np.uint64),
            np.zeros(2, np.uint64),
        )
        assert len(found) == crossings
