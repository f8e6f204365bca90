"""What proposers find, that bounds hold, and that no order of rows changes a proposal."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Any

import networkx as nx
import numpy as np
import polars as pl
import pytest
from engine_helpers import all_pairs, evidence_of, facts_of
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.engine import propose as proposing
from detectors.engine.judge import Ground
from detectors.engine.limbs import to_limbs
from detectors.engine.louvain import Graph, partitions
from detectors.engine.neighbours import Neighbours
from detectors.engine.propose import forests
from detectors.engine.proposers import CELL_SHARE, SEARCH_SHARE, Proposal, Scene, proposers
from detectors.engine.proposers.cells import PROPOSER as CELLS
from detectors.engine.proposers.communities import PROPOSER as COMMUNITIES
from detectors.engine.proposers.crossing import PROPOSER as CROSSING
from detectors.engine.proposers.hubs import PROPOSER as HUBS
from detectors.engine.proposers.select import best_distinct, without_near_equal
from detectors.engine.refine import KINDRED, refine
from detectors.family import wealth_tiers

LINE = Fraction(5, 100)
CROWD = 400


def scene_of(
    transfers: list[tuple[int, int, Any]],
    rich: dict[int, int],
    accounts: int = CROWD,
    sightings: list[tuple[int, str, str]] | None = None,
) -> Scene:
    """Accounts that hold 1 each, but for the rich; the supply is what all hold."""
    held = pl.Series([Decimal(rich.get(account, 1)) for account in range(accounts)]).cast(
        pl.Decimal(38, 18)
    )
    tiers = wealth_tiers(held).tolist()
    evidence = evidence_of(facts_of(accounts, transfers, sightings or (), tiers=tiers))
    return Scene(evidence, forests(evidence), to_limbs(held), Decimal(sum(held)))


def strangers(
    deals: int = 1500, accounts: int = CROWD, seed: int = 1
) -> list[tuple[int, int, int]]:
    """Deals of people at random."""
    draw = np.random.default_rng(seed)
    ends = draw.integers(0, accounts, (deals, 2)).tolist()
    return [(a, b, 10 + place % 70) for place, (a, b) in enumerate(ends) if a != b]


def found_by(proposer: Any, scene: Scene, earlier: list[Any] | None = None) -> list[set[int]]:
    """The sets of one proposer at the line."""
    given_sets = [Proposal(np.array(sorted(one), np.int32), "test") for one in earlier or []]
    sets = proposer.sets(scene, [LINE], {LINE: given_sets})[LINE]
    for one in sets:
        assert one.members.dtype == np.int32
        assert (np.diff(one.members) > 0).all()
    return [set(one.members.tolist()) for one in sets]


def nearest(sets: list[set[int]], truth: set[int]) -> float:
    """The best Jaccard index of any of them."""
    return max((len(one & truth) / len(one | truth) for one in sets), default=0.0)


# --- communities of a graph -------------------------------------------------------------------


def graph_of(count: int, links: dict[tuple[int, int], int], order: Any = None) -> Graph:
    rows = list(links.items()) if order is None else [list(links.items())[place] for place in order]
    a = np.array([pair[0] for pair, _ in rows], np.int32)
    b = np.array([pair[1] for pair, _ in rows], np.int32)
    return Graph.of(count, a, b, np.array([weight for _, weight in rows], np.int64))


def test_two_cliques_and_a_bridge_are_two_communities_and_a_stranger_is_alone() -> None:
    links = dict.fromkeys([*combinations(range(5), 2), *combinations(range(5, 10), 2), (4, 5)], 7)
    labels = partitions(graph_of(11, links))[-1]
    assert labels.tolist() == [0] * 5 + [5] * 5 + [10]


def test_a_high_resolution_cuts_what_a_low_one_joins() -> None:
    cliques = [range(start, start + 4) for start in range(0, 24, 4)]
    links = {pair: 3 for clique in cliques for pair in combinations(clique, 2)}
    links |= {(one[-1], other[0]): 3 for one, other in pairwise(cliques)}
    few = np.unique(partitions(graph_of(24, links), 0.1)[-1])
    many = np.unique(partitions(graph_of(24, links), 1.0)[-1])
    assert len(few) < len(many) == 6


def test_communities_are_about_as_good_as_those_of_networkx() -> None:
    graph = nx.relaxed_caveman_graph(30, 8, 0.25, seed=4)
    links = {(min(pair), max(pair)): 1 for pair in graph.edges if pair[0] != pair[1]}
    ours = partitions(graph_of(240, links))[-1]
    parts = [set(np.flatnonzero(ours == name).tolist()) for name in np.unique(ours)]
    plain = nx.Graph(list(links))
    theirs = nx.community.louvain_communities(plain, seed=1)
    quality = nx.community.modularity
    assert quality(plain, parts) > quality(plain, theirs) - 0.02
    assert all(nx.is_connected(plain.subgraph(part)) for part in parts)


@st.composite
def weighted_graphs(draw: Any) -> tuple[int, dict[tuple[int, int], int], list[int]]:
    count = draw(st.integers(2, 25))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(
        lambda pair: pair[0] < pair[1]
    )
    links = draw(st.dictionaries(pairs, st.integers(1, 10**6), max_size=80))
    return count, links, draw(st.permutations(range(len(links))))


@examples(60)
@given(weighted_graphs(), st.sampled_from([0.5, 1.0, 3.0]))
def test_no_order_of_rows_changes_a_community(graph: Any, resolution: float) -> None:
    count, links, order = graph
    plain = partitions(graph_of(count, links), resolution)
    other = partitions(graph_of(count, links, order), resolution)
    assert [one.tolist() for one in plain] == [one.tolist() for one in other]
    assert not links or plain == [] or all(len(labels) == count for labels in plain)


@examples(60)
@given(weighted_graphs())
def test_no_level_is_worse_than_everybody_alone(graph: Any) -> None:
    count, links, _ = graph
    whole = nx.Graph()
    whole.add_nodes_from(range(count))
    whole.add_weighted_edges_from((a, b, weight) for (a, b), weight in links.items())
    alone = nx.community.modularity(whole, [{one} for one in whole]) if links else 0
    for labels in partitions(graph_of(count, links)):
        parts = [set(np.flatnonzero(labels == name).tolist()) for name in np.unique(labels)]
        assert nx.community.modularity(whole, parts) >= alone - 1e-12


def test_neighbours_of_sets_are_counted_by_members() -> None:
    pairs = [(0, 3), (1, 3), (0, 4), (3, 5), (0, 1)]
    a, b = (np.array(ends, np.int32) for ends in zip(*pairs, strict=True))
    near = Neighbours.of(6, a, b, np.ones(5, np.int64))
    (met, often), (alone, nobody) = near.toward([np.array([0, 1]), np.array([2])])
    assert dict(zip(met.tolist(), often.tolist(), strict=True)) == {0: 1, 1: 1, 3: 2, 4: 1}
    assert len(alone) == len(nobody) == 0


# --- each proposer ----------------------------------------------------------------------------

TEN = set(range(10))
TEN_RICH = dict.fromkeys(TEN, 5)


def test_communities_find_a_group_whose_ties_drown_in_everybodys() -> None:
    """Each deals once with half of the others, and far more often with strangers: a community
    of the rich holds all ten and three more, no level of a forest holds half of them."""
    inside = [(a, b, 30) for a, b in all_pairs(range(10)) if (a + b) % 2]
    scene = scene_of(strangers(12_000, 2000) + inside, dict.fromkeys(TEN, 25), 2000)
    assert nearest(found_by(CROSSING, scene), TEN) < 0.5
    assert nearest(found_by(COMMUNITIES, scene), TEN) >= 0.75


def test_communities_of_the_rich_hang_together_by_poor_collectors() -> None:
    """Members who never deal with each other, and pay three poor collectors, beside a life."""
    hubs = (1900, 1901, 1902)
    fed = [(one, hub, 30) for one in range(20) for hub in hubs if (one + hub) % 3]
    held = dict.fromkeys(range(20), 25) | dict.fromkeys(range(100, 1500), 2)
    sets = found_by(COMMUNITIES, scene_of(strangers(12_000, 2000) + fed, held, 2000))
    assert nearest(sets, {*range(20), *hubs}) >= 0.7


def test_communities_hold_enough_for_a_cell_and_are_no_crowd() -> None:
    scene = scene_of(strangers(), TEN_RICH)
    sets = COMMUNITIES.sets(scene, [LINE], {})[LINE]
    assert sets
    assert all(scene.shares[one.members].sum() >= LINE * CELL_SHARE for one in sets)
    assert all(len(one.members) <= 50 for one in sets)


def test_the_crossing_sweep_finds_a_chain_of_exclusive_ties() -> None:
    chain = [(one, one + 1, 1000) for one in range(9) for _ in range(5)]
    assert TEN in found_by(CROSSING, scene_of(strangers() + chain, TEN_RICH))


def test_a_star_is_completed_by_its_hub_and_not_by_everybodys_shop() -> None:
    spokes, hub, shop = set(range(1, 10)), 0, 399
    star = [(spoke, hub, 50) for spoke in spokes for _ in range(2)]
    visits = [(one, shop, 5) for one in range(390)]
    scene = scene_of(strangers() + star + visits, TEN_RICH)
    completed = found_by(HUBS, scene, [spokes])
    assert spokes | {hub} in completed
    assert spokes | {shop} not in completed


def test_a_set_nobody_deals_with_is_not_completed() -> None:
    scene = scene_of([(1, 2, 5)], TEN_RICH)
    assert found_by(HUBS, scene, [set(range(100, 110))]) == []


def cells_with(courier: int, payments: int, deals: int) -> Scene:
    """Two cliques of six; a courier is paid by three of each. Account 399 deals with 200."""
    inside = [(a, b, 40) for cell in (range(6), range(6, 12)) for a, b in all_pairs(cell)]
    trips = [(m, courier, 20) for m in (0, 1, 2, 6, 7, 8) for _ in range(payments)]
    hub = [(one, 399, 5) for one in range(200) for _ in range(5)]
    return scene_of(strangers(deals) + inside * 3 + trips + hub, dict.fromkeys(range(12), 4))


CELLS_OF_SIX = [set(range(6)), set(range(6, 12))]


def test_cells_are_joined_with_their_courier() -> None:
    joined = found_by(CELLS, cells_with(50, 5, 1500), CELLS_OF_SIX)
    assert nearest(joined, set(range(12)) | {50}) >= 0.9


def test_a_hub_does_not_join_cells() -> None:
    assert found_by(CELLS, cells_with(50, 0, 0), CELLS_OF_SIX) == []
    assert found_by(CELLS, cells_with(50, 5, 0), CELLS_OF_SIX) == [set(range(12)) | {50}]


# --- all together -----------------------------------------------------------------------------


def test_every_proposer_of_the_folder_is_found_and_stages_come_in_order() -> None:
    names = [one.name for one in proposers()]
    assert {"cells", "communities", "crossing", "hubs"} <= set(names)
    assert [one.stage for one in proposers()] == sorted(one.stage for one in proposers())


def test_near_equal_sets_are_proposed_once() -> None:
    sets = [np.arange(20), np.arange(19), np.arange(10), np.arange(40, 60)]
    assert without_near_equal(100, [one.astype(np.int32) for one in sets]) == [0, 2, 3]
    assert without_near_equal(100, []) == []


def all_sets(
    scene: Scene, lines: list[Fraction], monkeypatch: Any
) -> dict[Fraction, list[list[int]]]:
    """As `propose` gives them. Hand-made evidence has no snapshot to take the supply from."""
    monkeypatch.setattr(proposing, "Scene", lambda *_: scene)

    class Snapshot:
        supply = scene.supply

    object.__setattr__(scene.evidence, "snapshot", Snapshot())
    found = proposing.propose(scene.evidence, scene.trees, scene.holdings, lines)
    return {line: [one.tolist() for one in sets] for line, sets in found.items()}


def lively() -> list[tuple[int, int, int]]:
    return strangers() + [(a, b, 30) for a, b in all_pairs(range(10)) for _ in range(3)]


def test_the_order_of_transfers_changes_no_proposal(monkeypatch: Any) -> None:
    deals = lively()
    shuffled = [deals[place] for place in np.random.default_rng(3).permutation(len(deals))]
    one, other = scene_of(deals, TEN_RICH), scene_of(shuffled, TEN_RICH)
    assert all_sets(one, [LINE], monkeypatch) == all_sets(other, [LINE], monkeypatch)


def test_a_lines_proposals_do_not_depend_on_other_lines(monkeypatch: Any) -> None:
    lines = [LINE, Fraction(3, 100), Fraction(8, 100)]
    together = all_sets(scene_of(lively(), TEN_RICH), lines, monkeypatch)
    for line in lines:
        alone = all_sets(scene_of(lively(), TEN_RICH), [line], monkeypatch)
        assert alone[line] == together[line]


def test_proposals_are_bounded_distinct_and_hold_part_of_the_line(monkeypatch: Any) -> None:
    monkeypatch.setattr(proposing, "MOST_PROPOSALS", 5)
    scene = scene_of(lively(), TEN_RICH)
    sets = all_sets(scene, [LINE], monkeypatch)[LINE]
    assert len(sets) == 5
    assert len({tuple(one) for one in sets}) == 5
    assert all(scene.shares[one].sum() >= LINE * SEARCH_SHARE for one in sets)
    assert nearest([set(one) for one in sets], TEN) >= 0.9


@pytest.mark.parametrize("accounts", [1, 2, 50])
def test_without_transfers_nothing_is_proposed(accounts: int, monkeypatch: Any) -> None:
    scene = scene_of([], {0: 5}, accounts)
    assert all_sets(scene, [LINE], monkeypatch) == {LINE: []}


def test_holdings_all_zero_propose_nothing(monkeypatch: Any) -> None:
    scene = scene_of(lively(), dict.fromkeys(range(CROWD), 0))
    assert all_sets(scene, [LINE], monkeypatch) == {LINE: []}


def test_the_best_of_many_sets_are_distinct_and_the_strongest_first() -> None:
    scene = scene_of(lively(), TEN_RICH)
    given_sets = [range(10), range(9), range(200, 210), range(300, 330)]
    sets = [Proposal(np.array(one, np.int32), "test") for one in given_sets]
    assert best_distinct(scene, sets, 2)[0].tolist() == list(range(10))
    assert len(best_distinct(scene, sets, 9)) == 3


def test_a_way_that_others_went_is_not_gone_again() -> None:
    evidence = scene_of(lively(), TEN_RICH).evidence
    ground = Ground(evidence, np.arange(CROWD, dtype=np.int32))
    travelled: set[bytes] = set()
    first = refine(ground, np.arange(9, dtype=np.int32), lambda _: True, travelled)
    assert first is not None
    assert first[0].tolist() == list(range(10))
    assert refine(ground, np.arange(10, dtype=np.int32), lambda _: True, travelled) is None


def test_a_set_does_not_turn_into_a_stronger_one_near_by() -> None:
    """Three members of a group of ten are not that group: it is proposed by itself."""
    evidence = scene_of(lively(), TEN_RICH).evidence
    ground = Ground(evidence, np.arange(CROWD, dtype=np.int32))
    refined = refine(ground, np.arange(3, dtype=np.int32), lambda _: True)
    assert refined is not None
    assert len(refined[0]) <= 3 / KINDRED
