"""The peers find what they look for, on a town where it is known by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.engine.forest import component_labels
from inconcert.bench.accuracy.scoring import Found
from inconcert.bench.accuracy.town import Town, make_town
from inconcert.bench.peers import Material, Peer, peers
from inconcert.bench.peers.bits import weigh
from inconcert.bench.peers.graphs import igraph_missing
from inconcert.bench.peers.merge_tree import _cuts, _rooted

START = datetime(2026, 6, 1, tzinfo=UTC)
RING = frozenset(range(10))
DEVICES = frozenset(range(10, 16))
WHALE = 16
PEERS = {peer.name: peer for peer in peers()}


def small_town() -> Town:
    """300 accounts: ten in a ring hold 6 %, six with two devices hold 5.4 %, one holds 5.5 %
    alone; strangers deal in a long line, once each, and everybody pays a shop once."""
    names = [f"u{number:03}" for number in range(300)]
    shop = 299
    rows = [
        (place, (place + step) % 10, 50 + step, START + timedelta(hours=17 * day + place))
        for day in range(8)
        for place in range(10)
        for step in (1, 2)
    ]
    rows += [(one, one + 1, 7, START + timedelta(minutes=31 * one)) for one in range(17, 297)]
    rows += [(one, shop, 3, START + timedelta(minutes=29 * one)) for one in range(299)]
    held = [60] * 10 + [90] * 6 + [550] + [29] * 283
    held[shop] = 10_000 - sum(held[:299])
    at = [START + timedelta(days=20)] * 300
    seen = [(one, f"d{(one - 10) // 3}") for one in sorted(DEVICES)] + [(12, "d1"), (20, "own")]
    transfers = pl.DataFrame(rows, schema=["src", "dst", "amount", "at"], orient="row")
    return Town(
        {
            "transfers": transfers.with_columns(
                pl.Series(names).gather(transfers["src"]).alias("src"),
                pl.Series(names).gather(transfers["dst"]).alias("dst"),
            ),
            "sightings": pl.DataFrame(
                {
                    "account": [names[one] for one, _ in seen],
                    "identifier_kind": ["device"] * len(seen),
                    "value": [value for _, value in seen],
                }
            ),
            "holdings": pl.DataFrame(
                {"account": names, "amount": [Decimal(amount) for amount in held], "at": at}
            ),
        },
        [],
        [],
    )


def sets(found: list[Found]) -> set[frozenset[int]]:
    return {one.members for one in found}


def test_components_take_all_that_is_connected() -> None:
    material, peer = Material(small_town()), PEERS["connected components"]
    assert sets(peer.find(material, {"transfers": 8})) == {RING}
    [everyone] = sets(peer.find(material, {"transfers": 1})) or [frozenset()]
    assert everyone == frozenset() or len(everyone) == 300


def test_components_without_hubs_leave_the_shop_out() -> None:
    material, peer = Material(small_town()), PEERS["components without hubs"]
    found = sets(peer.find(material, {"transfers": 1, "others": 20}))
    assert RING in found
    assert all(299 not in members for members in found)


def test_shared_identifiers_join_a_chain_of_devices() -> None:
    material, peer = Material(small_town()), PEERS["shared identifiers"]
    assert sets(peer.find(material, {"holders": 5, "kinds": "device"})) == {DEVICES}
    assert sets(peer.find(material, {"holders": 3, "kinds": "device"})) == set()


def test_the_per_account_check_finds_who_is_over_the_line_alone() -> None:
    found = PEERS["per-account check"].find(Material(small_town()), {})
    assert sets(found) == {frozenset([WHALE])}


@pytest.mark.parametrize("name", ["Leiden", "Louvain"])
def test_communities_find_the_ring(name: str) -> None:
    if reason := igraph_missing():
        pytest.skip(f"not compared: {reason}")
    material = Material(small_town())
    setting = {"resolution": 1.0, "transfers": 1, "others": 20}
    assert RING in sets(PEERS[name].find(material, setting))
    assert PEERS[name].find(material, setting) == PEERS[name].find(material, setting)


def test_bits_count_pairs_at_least_as_strong() -> None:
    """The ring's nearest neighbours are its own strongest; its ten pairs of step one and ten
    of step two come among the first; 44,850 pairs are possible."""
    pairs = weigh(Material(small_town()))
    inside = (pairs.a < 10) & (pairs.b < 10)
    assert inside.sum() == 20
    assert pairs.flow[~inside & (pairs.b < 299) & (pairs.a < 10)].size == 0
    strongest = pairs.flow.max()
    assert strongest <= 15.5  # log2 of 44,850: not less than one pair is as strong
    holders_of_three = (pairs.a == 10) & (pairs.b == 11)
    # d0 joins three, d1 four holders: 3 of all pairs are at least as rare as d0
    assert pairs.others[holders_of_three][0] == pytest.approx(13.868, abs=1e-3)
    rarer_than_four = (pairs.a == 13) & (pairs.b == 14)
    assert pairs.others[rarer_than_four][0] == pytest.approx(12.283, abs=1e-3)


def test_the_first_method_finds_the_ring_and_the_devices() -> None:
    found = PEERS["bits, merge tree and gates"].find(Material(small_town()), {"loosened": 0.0})
    assert sets(found) == {RING, DEVICES}


@given(st.data())
@examples(50)
def test_what_a_cut_of_a_tree_parts(data: st.DataObject) -> None:
    """Against taking each edge away and looking who is where."""
    count = data.draw(st.integers(2, 9))
    parent = [data.draw(st.integers(0, place - 1)) for place in range(1, count)]
    a, b = np.array(parent), np.arange(1, count)
    place = st.integers(0, count - 1)
    pair = st.tuples(place, place, st.integers(1, 9)).filter(lambda pair: pair[0] != pair[1])
    one, other, x = np.array(data.draw(st.lists(pair, min_size=1, max_size=20))).T
    held = np.arange(count) + 1.0
    order, parents, above = _rooted(count, a, b)
    below, across, inside = _cuts(order, parents, held, one, other, x.astype(float))
    assert sorted(order) == list(range(count))
    for cut in range(1, count):
        tree = np.delete(np.arange(count - 1), above[cut])
        label = component_labels(count, a[tree].astype(np.int32), b[tree].astype(np.int32))
        under = label == label[cut]
        assert below[cut] == held[under].sum()
        assert across[cut] == x[under[one] != under[other]].sum()
        assert inside[cut] == x[under[one] & under[other]].sum()


@pytest.mark.parametrize("peer", peers(), ids=lambda peer: peer.name)
def test_the_order_of_rows_does_not_matter(peer: Peer) -> None:
    if reason := peer.missing():
        pytest.skip(f"not compared: {reason}")
    world = make_town("plain", 2000, 24_000, 3, ["mesh", "device"])
    frames = {
        kind: frame.sample(fraction=1.0, shuffle=True, seed=1)
        for kind, frame in world.frames.items()
    }
    shuffled = Town(frames, world.groups, world.crowds)
    setting = peer.settings()[-1]
    assert sets(peer.find(Material(world), setting)) == sets(peer.find(Material(shuffled), setting))


@pytest.mark.parametrize("peer", peers(), ids=lambda peer: peer.name)
def test_a_town_without_transfers_or_anything_else(peer: Peer) -> None:
    if reason := peer.missing():
        pytest.skip(f"not compared: {reason}")
    frames = small_town().frames
    quiet = Town({"holdings": frames["holdings"], "transfers": frames["transfers"].clear()}, [], [])
    found = sets(peer.find(Material(quiet), peer.settings()[0]))
    assert found == ({frozenset([WHALE])} if peer.name == "per-account check" else set())
