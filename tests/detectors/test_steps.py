"""Compiled helpers against what NumPy does."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.engine.count import adjacency
from detectors.engine.louvain import added_up
from detectors.engine.steps import common

COUNT = 9
some = st.sets(st.integers(0, 40), max_size=20)
ends = st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1))
layers = st.lists(st.lists(ends, max_size=25), max_size=4)


def ascending(numbers):
    return np.array(sorted(numbers), np.int32)


@given(some, some)
def test_common_members_are_the_intersection(one, other):
    assert common(ascending(one), ascending(other)) == len(one & other)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 99)), max_size=40))
def test_keys_are_added_up_as_in_a_dictionary(rows):
    wanted: dict[int, int] = {}
    for key, weight in rows:
        wanted[key] = wanted.get(key, 0) + weight
    columns = np.array(rows, np.int64).reshape(-1, 2)
    keys, sums = added_up(columns[:, 0], columns[:, 1])
    assert list(zip(keys.tolist(), sums.tolist(), strict=True)) == sorted(wanted.items())


@given(layers)
def test_ties_are_laid_out_by_both_ends_and_layer(layers):
    arrays = [np.array(ties, np.int32).reshape(-1, 2) for ties in layers]
    found = adjacency(
        COUNT, [(ties[:, 0], ties[:, 1], np.full(len(ties), 7, np.int32)) for ties in arrays]
    )
    both = [(pair, kind) for kind, ties in enumerate(layers) for pair in ties]
    rows = sorted((u, v, kind) for (a, b), kind in both for u, v in ((a, b), (b, a)))
    source = np.repeat(np.arange(COUNT), np.diff(found.starts))
    laid = zip(source.tolist(), found.ends.tolist(), found.kinds.tolist(), strict=True)
    assert list(laid) == rows
    assert found.codes.tolist() == [7] * len(rows)
    for account in range(COUNT):
        after = [v for u, v, _ in rows if u == account and v >= account]
        assert found.ends[found.above[account] : found.starts[account + 1]].tolist() == after
