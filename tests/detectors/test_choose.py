"""Which judged sets are findings: what they save together, and what parts explain."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.engine.choose import Candidate, choose

A_FINDING: Any = object()
"""Choosing asks only whether there is one."""


def finding(members: Iterable[int], bits: float) -> Candidate:
    return Candidate(np.array(sorted(members), np.int32), bits, A_FINDING)


def part(members: Iterable[int], bits: float, whole: Candidate) -> Candidate:
    return Candidate(np.array(sorted(members), np.int32), bits, None, whole.members)


def chosen(*candidates: Candidate) -> list[float]:
    """The bits of those chosen."""
    return [one.bits for one in choose(candidates, 0.3)]


def test_the_union_of_two_groups_gives_way_to_them_and_a_group_to_no_piece():
    union, one, other = finding(range(10), 100), finding(range(5), 60), finding(range(5, 10), 59)
    assert chosen(union, one, other) == [60, 59]
    assert chosen(union, one) == [100]


def test_what_is_left_of_a_set_beside_a_finding_explains_it():
    """A club that crosses the line only with a few of a group."""
    union = finding(range(20), 100)
    group, club = finding(range(15, 30), 60), part(range(15), 80, union)
    assert chosen(union, group) == [100]
    assert chosen(union, group, club) == [80, 60]


def test_one_cell_that_holds_the_line_with_strangers_leaves_no_club_beside_it():
    """Two cells cross the line together. One with a few strangers holds it too, and beside
    that the other cell would be anybody's club."""
    whole = finding(range(20), 100)
    stretched = [*range(10), 30, 31]
    cell, other = finding(stretched, 60), part(range(10, 20), 80, whole)
    assert chosen(whole, cell, other) == [80, 60]
    assert chosen(whole, replace(cell, stands_alone=False), other) == [100]


def test_parts_alone_explain_nobody_away():
    whole = finding(range(10), 100)
    core, halves = (
        part(range(8), 120, whole),
        (part(range(5), 70, whole), part(range(5, 10), 70, whole)),
    )
    assert chosen(whole, core) == [100]
    assert chosen(whole, *halves) == [100]


def test_parts_that_take_all_of_a_set_explain_it_away_beside_no_other():
    """A tree falls into two that say more together; a stranger's set has a few of each."""
    tree = finding(range(100), 600)
    halves = part(range(55), 400, tree), part(range(50, 100), 350, tree)
    stray = finding([*range(40, 60), *range(100, 120)], 30)
    assert chosen(tree, stray, *halves) == [600]
    assert chosen(tree, replace(stray, bits=300), *halves) == [600]
    taken = finding([*range(60), *range(100, 110)], 300)
    assert chosen(tree, taken, halves[1]) == [350, 300]


def test_several_sets_give_way_at_once():
    group = finding(range(20), 100)
    takers = [
        finding([*range(7), *range(20, 30)], 45),
        finding([*range(7, 14), *range(30, 40)], 45),
    ]
    assert chosen(group, *takers) == [100]
    assert chosen(finding(range(20), 80), *takers) == [45, 45]


def test_what_two_sets_share_counts_once():
    """Two sets of ten with three in common say less together than their bits added up."""
    whole = finding(range(17), 100)
    assert chosen(whole, finding(range(10), 55), finding(range(7, 17), 55)) == [100]
    assert chosen(whole, finding(range(10), 70), finding(range(7, 17), 70)) == [70, 70]


@examples(60)
@given(
    st.lists(st.tuples(st.sets(st.integers(0, 15), min_size=2), st.integers(1, 100)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_chosen_are_apart_and_the_order_does_not_matter(drawn, draw):
    distinct = {frozenset(members): bits for members, bits in drawn}
    candidates = [finding(members, bits) for members, bits in distinct.items()]
    found = choose(candidates, 0.3)
    for one, other in combinations(found, 2):
        common = len(np.intersect1d(one.members, other.members))
        assert common <= 0.3 * min(len(one.members), len(other.members))
    if candidates:
        assert max(one.bits for one in candidates) <= sum(one.bits for one in found) + 1e-6
    draw.shuffle(candidates)
    again = choose(candidates, 0.3)
    assert [one.members.tolist() for one in again] == [one.members.tolist() for one in found]
