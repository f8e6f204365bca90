"""Permutations and p-values against a slow, plain reimplementation."""

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
from detectors.engine.limbs import line_limbs, to_limbs
from detectors.engine.significance import crossing_level, p_values, permuted


@examples(100)
@given(st.integers(1, 3000), st.integers(0, 2**31), st.integers(0, 10**5))
def test_a_permutation_sends_every_account_somewhere_else_or_to_itself_each_once(n, seed, turn):
    dealt = permuted(np.arange(n, dtype=np.int32), n, seed, turn)
    assert sorted(dealt.tolist()) == list(range(n))


@examples(30)
@given(st.integers(20, 500), st.integers(0, 10**6), st.data())
def test_where_an_account_goes_does_not_depend_on_who_else_is_asked(n, seed, data):
    whole = permuted(np.arange(n, dtype=np.int32), n, seed, 3)
    some = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1)), np.int32)
    assert permuted(some, n, seed, 3).tolist() == whole[some].tolist()


def test_permutations_and_seeds_differ():
    numbers = np.arange(200, dtype=np.int32)
    dealt = {
        tuple(permuted(numbers, 200, seed, turn).tolist()) for seed in range(5) for turn in range(5)
    }
    assert len(dealt) == 25
    # where one account goes is spread evenly: 2,000 draws over 200 places, 10 each
    places = [int(permuted(numbers[:1], 200, 0, turn)[0]) for turn in range(2000)]
    counts = np.bincount(places, minlength=200)
    assert ((counts - 10) ** 2 / 10).sum() < 288  # chi-square, 199 degrees, 1 in 100,000


@st.composite
def worlds(draw):
    """A small graph with ties among its weights, holdings with ties, too."""
    accounts = draw(st.integers(2, 14))
    ends = st.integers(0, accounts - 1)
    edges = draw(
        st.dictionaries(
            st.tuples(ends, ends).filter(lambda pair: pair[0] < pair[1]),
            st.sampled_from([0, 700, 2500, 9000]),
            min_size=1,
            max_size=25,
        )
    )
    held = draw(st.lists(st.sampled_from([0, 1, 2, 30]), min_size=accounts, max_size=accounts))
    return accounts, edges, [Decimal(amount) for amount in held]


def strongest_level(accounts, edges, holdings, needed):
    """The level of the first crossing, by the components of every level."""
    before = [{account} for account in range(accounts)]
    for level in sorted(set(edges.values()), reverse=True):
        graph = nx.Graph()
        graph.add_nodes_from(range(accounts))
        graph.add_edges_from(pair for pair, weight in edges.items() if weight >= level)
        after = list(nx.connected_components(graph))
        for part in after:
            pieces = [sum(holdings[a] for a in piece) for piece in before if piece <= part]
            if len(pieces) > 1 and sum(pieces) >= needed and max(pieces) < needed:
                return level
        before = after
    return -1


def plain_p(accounts, edges, holdings, needed, level, permutations, seed):
    """Davison and Hinkley's p, given up as in Besag and Clifford after ten exceedings."""
    exceeded = 0
    for turn in range(permutations):
        places = permuted(np.arange(accounts, dtype=np.int32), accounts, seed, turn)
        dealt = [holdings[place] for place in places.tolist()]
        exceeded += strongest_level(accounts, edges, dealt, needed) >= level
        if exceeded >= 10:
            return 10 / (turn + 1)
    return (1 + exceeded) / (1 + permutations)


@examples(40)
@given(worlds(), st.sampled_from([0, 7, 25, 39]), st.integers(0, 50))
def test_p_values_are_those_of_plain_python(world, permutations, seed):
    accounts, edges, holdings = world
    supply = sum(holdings, Decimal(0)) or Decimal(1)
    lines = [Fraction(1, 2), Fraction(1, 4)]
    a, b = (np.array([pair[end] for pair in edges], np.int32) for end in (0, 1))
    forest = spanning_forest(accounts, a, b, np.array(list(edges.values()), np.int32))
    asked = [(line, level) for line in (0, 1) for level in (0, 700, 2500, 9000)]
    limbs = to_limbs(pl.Series(holdings, dtype=pl.Decimal(38, 18)))
    found = p_values(
        accounts,
        forest,
        limbs,
        np.array([line_limbs(line, supply) for line in lines], np.uint64),
        asked,
        permutations,
        seed,
    )
    expected = [
        plain_p(
            accounts, edges, holdings, lines[line] * Fraction(supply), level, permutations, seed
        )
        for line, level in asked
    ]
    assert found == expected


@examples(60)
@given(worlds())
def test_the_level_at_which_a_set_crosses_is_that_of_its_own_graph(world):
    accounts, edges, holdings = world
    supply = sum(holdings, Decimal(0)) or Decimal(1)
    a, b = (np.array([pair[end] for pair in edges], np.int32) for end in (0, 1))
    limbs = to_limbs(pl.Series(holdings, dtype=pl.Decimal(38, 18)))
    for line in (Fraction(1, 2), Fraction(1, 5)):
        needed = np.array([line_limbs(line, supply)], np.uint64)
        weights = np.array(list(edges.values()), np.int32)
        found = crossing_level(accounts, a, b, weights, limbs, needed)
        assert found == strongest_level(accounts, edges, holdings, line * Fraction(supply))
