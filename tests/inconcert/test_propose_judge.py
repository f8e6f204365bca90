"""The second method as a peer: on towns known by hand, and against counting pair by pair."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from inconcert.bench.accuracy.town import Town
from inconcert.bench.peers import Material, peers
from inconcert.bench.peers.graphs import igraph_missing
from inconcert.bench.peers.layers import CONTACT, KINDS, POOR, Layers, classes
from inconcert.bench.peers.payments import cleaned, relays
from inconcert.bench.peers.propose_judge import Holders, Judged, chosen
from inconcert.bench.peers.set_bits import SetBits, _market, log2_choose, more_than

pytestmark = pytest.mark.skipif(igraph_missing() is not None, reason="igraph is not installed")

START = datetime(2026, 4, 1, tzinfo=UTC)
GROUP = frozenset(range(12))
PEER = next(peer for peer in peers() if peer.name == "propose and judge")
MARGIN = {"bits": 30.0, "a member": 1.0}


def town_of(rows: pl.DataFrame, held: np.ndarray, **frames: pl.DataFrame) -> Town:
    """A town of src, dst, amount, hour by number, and holdings in hundredths."""
    names = pl.Series([f"u{number:05}" for number in range(len(held))])
    amounts = [Decimal(int(one)) / 100 for one in held]
    transfers = rows.select(
        src=names.gather(rows["src"]),
        dst=names.gather(rows["dst"]),
        amount=pl.col("amount").cast(pl.Float64),
        at=pl.lit(START) + pl.duration(minutes=(pl.col("hour") * 60).cast(pl.Int64)),
    )
    at = [START + timedelta(days=90)] * len(held)
    holdings = pl.DataFrame({"account": names, "amount": amounts, "at": at})
    return Town({"transfers": transfers, "holdings": holdings, **frames}, [], [])


def everyday(rng: np.random.Generator, accounts: int, group: bool) -> Town:
    """Strangers who pay each other at random; twelve of them hold 6 %, and where they are a
    group, pay each other besides."""
    src = rng.integers(0, accounts, 6 * accounts)
    dst = rng.integers(0, accounts, 6 * accounts)
    if group:
        pairs = rng.permutation([(a, b) for a in range(12) for b in range(12) if a != b])[:70]
        src, dst = np.concatenate([src, pairs[:, 0]]), np.concatenate([dst, pairs[:, 1]])
    rows = pl.DataFrame({"src": src, "dst": dst}).with_columns(
        amount=pl.Series(rng.lognormal(3, 1, len(src))).round(2),
        hour=pl.Series(rng.uniform(0, 24 * 90, len(src))),
    )
    held = np.maximum(rng.lognormal(3, 1, accounts) * 100, 1).astype(np.int64)
    held[:12] = held[12:].sum() * 0.06 / 0.94 / 12
    return town_of(rows.filter(pl.col("src") != pl.col("dst")), held)


def overlap(members: frozenset[int]) -> float:
    """Jaccard's index with the group."""
    return len(members & GROUP) / len(members | GROUP)


@pytest.fixture(scope="module")
def with_group() -> Material:
    return Material(everyday(np.random.default_rng(5), 1200, group=True))


def test_it_finds_a_group_among_strangers(with_group: Material) -> None:
    [found] = PEER.find(with_group, MARGIN)
    assert overlap(found.members) >= 0.8
    assert found.share == pytest.approx(0.06, abs=0.01)
    assert found.strength >= 30


def test_strangers_are_no_group() -> None:
    material = Material(everyday(np.random.default_rng(5), 1200, group=False))
    assert PEER.find(material, MARGIN) == []


def test_a_group_below_the_line_is_none(with_group: Material) -> None:
    """The others hold twice as much: 3 % are left to the twelve."""
    frames = dict(with_group.town.frames)
    first = pl.int_range(pl.len()) < 12
    frames["holdings"] = frames["holdings"].with_columns(
        pl.when(first).then(pl.col("amount")).otherwise(pl.col("amount") * 2).alias("amount")
    )
    found = PEER.find(Material(Town(frames, [], [])), MARGIN)
    assert all(overlap(one.members) < 0.8 for one in found)


@pytest.mark.parametrize("accounts", [1, 2, 40])
def test_small_towns_say_nothing(accounts: int) -> None:
    held = np.full(accounts, 100)
    rows = pl.DataFrame({"src": [0], "dst": [accounts - 1], "amount": [5.0], "hour": [3.0]})
    for some in (rows, rows.clear()):
        assert PEER.find(Material(town_of(some, held)), {"bits": 0.0, "a member": 0.0}) == []


def test_it_goes_without_times_and_amounts(with_group: Material) -> None:
    frames = dict(with_group.town.frames)
    frames["transfers"] = frames["transfers"].drop("at", "amount")
    [found] = PEER.find(Material(Town(frames, [], [])), MARGIN)
    assert overlap(found.members) >= 0.8


def test_expected_ties_are_those_of_all_pairs(with_group: Material) -> None:
    """The sums by community and tier, against every pair by itself."""
    layers = Layers(with_group)
    judge, rng = SetBits(layers), np.random.default_rng(1)
    members = np.sort(rng.choice(with_group.accounts, 30, replace=False))
    inside = judge.inside(members)
    others = np.unique(np.concatenate([members, rng.choice(with_group.accounts, 50)]))
    a, b = np.repeat(others, len(members)), np.tile(members, len(others))
    of_pair = [
        np.where(
            a == b,
            0.0,
            layers.degree[kind, a]
            * layers.degree[kind, b]
            * inside.per_chance[kind, layers.tier[a], layers.tier[b], classes(layers, a, b)],
        )
        for kind in range(KINDS)
    ]
    wanted = np.array(of_pair).reshape(KINDS, len(others), -1).sum(axis=2)
    np.testing.assert_allclose(judge.expected(others, members, inside), wanted, atol=1e-12)
    among = wanted[:, np.isin(others, members)].sum(axis=1) / 2
    np.testing.assert_allclose(inside.expected, among, atol=1e-12)


def test_all_chances_are_those_of_all_pairs(with_group: Material) -> None:
    layers = Layers(with_group)
    a, b = np.triu_indices(with_group.accounts, 1)
    one, other = layers.tier[a], layers.tier[b]
    weight = layers.degree[CONTACT, a] * layers.degree[CONTACT, b]
    cell = np.ravel_multi_index(
        (np.minimum(one, other), np.maximum(one, other), classes(layers, a, b)),
        (POOR + 1, POOR + 1, 3),
    )
    wanted = np.bincount(cell, weight, (POOR + 1) ** 2 * 3).reshape(POOR + 1, POOR + 1, 3)
    upper = np.triu(np.ones((POOR + 1, POOR + 1)))[:, :, None]
    np.testing.assert_allclose(layers.null.chances[CONTACT] * upper, wanted, atol=1e-6)


def test_what_is_passed_on_joins_who_paid_first_and_who_got_it_last() -> None:
    """0 pays 1 pays 2 nearly the same soon; 3's payment goes on late, 6's at another amount."""
    rows = [
        (0, 1, 100.0, 0.0),
        (1, 2, 97.0, 50.0),
        (3, 4, 80.0, 0.0),
        (4, 5, 80.0, 150.0),
        (6, 7, 60.0, 0.0),
        (7, 8, 40.0, 9.0),
        (2, 9, 95.0, 60.0),
    ]
    frame = pl.DataFrame(rows, schema=["src", "dst", "amount", "hour"], orient="row")
    material = Material(town_of(frame, np.full(10, 100)))
    one_step = relays(material, np.zeros(10, np.bool_)).sort("a", "b")
    assert one_step.rows() == [(0, 2, 1), (1, 9, 1)]
    both_steps = relays(material, np.ones(10, np.bool_)).sort("a", "b")
    assert both_steps.rows() == [(0, 2, 1), (0, 9, 1), (1, 9, 1)]


def test_contracts_payrolls_and_referrals_are_taken_out() -> None:
    rent = [(0, 1, 500.0, 720.0 * month) for month in range(4)]
    wages = [
        (2, 10 + one, 50.0 + one + day, 168.0 * day + 1) for day in range(4) for one in range(9)
    ]
    others = [(3, 4, 5.0, 7.0), (0, 1, 20.0, 9.0), (2, 3, 4.0, 90.0), (6, 5, 8.0, 50.0)]
    frame = pl.DataFrame(
        rent + wages + others, schema=["src", "dst", "amount", "hour"], orient="row"
    )
    referrals = pl.DataFrame({"referrer": ["u00005"], "referred": ["u00006"]})
    town = town_of(frame, np.full(20, 100), referrals=referrals)
    kept = cleaned(Material(town)).select("src", "dst").sort("src", "dst").rows()
    assert kept == [(0, 1), (2, 3), (3, 4)]


def test_bits_by_hand() -> None:
    assert more_than(np.array([8.0, 1.0]), np.array([1.0, 2.0])).tolist() == pytest.approx(
        [8 * 3 - 7 / np.log(2) - np.log2(9) / 2, 0.0]
    )
    assert log2_choose(10, 3) == pytest.approx(np.log2(120))


def test_a_market_is_explained_by_activity_and_a_ring_is_not() -> None:
    rng = np.random.default_rng(2)
    active = np.array([40.0] + [2.0] * 19)
    a, b = np.triu_indices(20, 1)
    count = rng.poisson(active[a] * active[b] / 4)
    some = count > 0
    assert _market(a[some], b[some], count[some], 20) > 30
    ring = np.arange(20)
    assert _market(ring, (ring + 1) % 20, np.full(20, 10), 20) == 0


def test_a_household_is_one_holder() -> None:
    """Eight hold 0.9 % each; with three behind one address, the three count 1 %."""
    held = np.array([90] * 8 + [93] * 100)
    rows = pl.DataFrame({"src": [0], "dst": [1], "amount": [1.0], "hour": [0.0]})
    seen = pl.DataFrame(
        {"account": ["u00000", "u00001", "u00002"], "identifier_kind": "ip", "value": "home"}
    )
    members = np.arange(6)
    assert Holders(Material(town_of(rows, held))).over_the_line(members)
    assert not Holders(Material(town_of(rows, held, sightings=seen))).over_the_line(members)


def test_of_overlapping_sets_the_one_worth_more_is_chosen() -> None:
    large = Judged(np.arange(20), 100.0)
    small, apart = Judged(np.arange(8), 90.0), Judged(np.arange(30, 40), 50.0)
    assert chosen([large, small, apart]) == [small, apart]
