"""Facts about the domain: who is a group, who is not, and by what grade."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from engine_helpers import (
    FIVE_PERCENT,
    RING,
    Town,
    accused,
    act_as_one,
    ask,
    crowd,
    load_frames,
    members,
    settle,
    world_frames,
)

from detectors.engine.detect import detect
from detectors.engine.request import Request
from detectors.family import detectors, per_account_checks
from graph.clock import parse_time
from graph.store import init_store
from inconcert.simulate import make_world


def test_accounts_that_trade_in_a_ring_and_share_devices_are_corroborated(town_result):
    (group,) = town_result["groups"]
    assert members(group) == set(RING)
    assert group["grade"] == "corroborated"
    assert {"flow", "identifier"} <= set(group["detectors"])
    assert group["doubts"] == []
    assert group["share"] == pytest.approx(0.06)


def test_the_same_ring_without_devices_is_an_indication_at_most(town_store):
    groups = ask(town_store, "flow")["groups"]
    assert [group["grade"] for group in groups if members(group) & set(RING)] == ["indication"]


def test_a_simulated_group_with_devices_is_found_and_nobody_innocent_is_accused(
    world, world_result
):
    planted = [set(one["members"]) for one in world.truth]
    shares_devices = next(set(one["members"]) for one in world.truth if one["kind"] == "device")
    found = [members(group) for group in accused(world_result)]
    assert shares_devices in found
    for group in found:
        assert max(len(group & one) / len(group | one) for one in planted) > 0.5


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_a_world_without_groups_has_no_accused(tmp_path: Path, seed: int):
    """Payroll, clubs, households, friends, exchanges, markets, OTC: none is accused."""
    world = make_world(2000, 24_000, seed, 60, 0)
    assert world.truth == []
    store = init_store(str(tmp_path / "store"))
    load_frames(store, tmp_path, world_frames(world))
    assert accused(ask(store, lines=[0.05, 0.03])) == []


def test_customers_of_an_exchange_are_not_joined_by_it(folder: Path):
    town = Town()
    people = crowd(town, 300, 900)
    customers = people[:60]
    town.add("accounts", account="exchange", role="exchange")
    for day in range(12):
        for customer in customers:
            town.pay(customer, "exchange", 500, day)
            town.pay("exchange", customer, 450, day + 0.5)
    store = settle(town, folder)
    assert ask(store)["groups"] == []


def test_a_role_takes_an_accounts_transfers_out_of_the_evidence(folder: Path):
    town = Town()
    hubs = ["person", "exchange", "merchant", "payroll", "custodian", "treasury", "issuer"]
    for role in hubs:
        town.add("accounts", account=f"a {role}", role=role)
        for number in range(20):
            town.pay(f"{role}'s {number}", f"a {role}", 10)
    town.hold([f"a {role}" for role in hubs], 1)
    result = ask(settle(town, folder), "flow")
    assert result["pairs"] == 20  # the person's alone
    assert result["excluded"] == ["a issuer"]


def test_staff_of_an_unknown_employer_are_not_accused(folder: Path):
    town = Town()
    people = crowd(town, 500)
    staff = people[:40]  # 8 % together
    for month in range(6):
        for place, member in enumerate(staff):
            town.pay("employer", member, 1000 + place, 5 * month)
    town.hold(["employer"], 10)
    assert accused(ask(settle(town, folder))) == []


def test_a_household_is_not_accused(folder: Path):
    town = Town()
    crowd(town, 500)
    family = ["mother", "father", "daughter", "son"]
    for day in range(20):
        for one, other in combinations(family, 2):
            town.pay(one, other, 20, day)
            town.pay(other, one, 15, day + 0.5)
    for one in family:
        town.see(one, "tablet")
        town.see(one, "203.0.113.7", "ip")
    town.hold(family, 1000)  # 7.4 % together
    for group in ask(settle(town, folder))["groups"]:
        assert group["grade"] == "indication"
        assert "household" in [doubt["explanation"] for doubt in group["doubts"]]


def test_friends_who_deal_now_and_then_are_not_accused(folder: Path):
    town = Town()
    people = crowd(town, 500)
    draw = np.random.default_rng(2)
    friends = people[:30]  # 6 %: five circles of six
    for circle in range(5):
        for one, other in combinations(friends[6 * circle : 6 * circle + 6], 2):
            for day in draw.integers(0, 30, 2).tolist():
                town.pay(one, other, 25, day)
    assert accused(ask(settle(town, folder))) == []


def test_a_loose_crowd_of_thousands_is_not_reported(folder: Path):
    """A region: three times denser than the rest, and half of all holdings."""
    town = Town()
    draw = np.random.default_rng(4)
    everyone = [f"p{number}" for number in range(4000)]
    region = everyone[:2000]
    for people, deals in ((region, 9000), (everyone, 6000)):
        ends = draw.integers(0, len(people), (deals, 2)).tolist()
        for place, (one, other) in enumerate(ends):
            if one != other:
                town.pay(people[one], people[other], 1 + place % 50, 30 * place / deals)
    town.hold(everyone, 10)
    assert ask(settle(town, folder), lines=[0.05, 0.03])["groups"] == []


def test_declared_links_of_one_owner_over_the_line_are_conclusive(folder: Path):
    town = Town()
    crowd(town, 500)
    wallets = [f"w{number}" for number in range(6)]
    for one, other in pairwise(wallets):
        town.link(one, other, by="court", why="case 7")
    town.hold(wallets, 600)  # 6.7 %
    (group,) = ask(settle(town, folder))["groups"]
    assert members(group) == set(wallets)
    assert group["grade"] == "conclusive"
    assert "by court" in group["reasons"][0]["text"]
    assert any(
        "declared to be one owner's by court: case 7" in reason
        for member in group["members"]
        for reason in member["reasons"]
    )


@pytest.mark.parametrize("wallets", [2, 10, 70])
def test_however_few_or_many_a_declared_owner_at_exactly_the_line_is_conclusive(
    folder: Path, wallets: int
):
    """Also 70 times a seventieth of 5 %: sums of floats would fall short of the line."""
    town = Town()
    crowd(town, 500, holding=19 * wallets)
    names = [f"w{number:02}" for number in range(wallets)]
    for one, other in pairwise(names):
        town.link(one, other)
    town.hold(names, 500)
    (group,) = ask(settle(town, folder))["groups"]
    assert members(group) == set(names)
    assert (group["share"], group["grade"]) == (0.05, "conclusive")


def test_a_link_in_force_only_for_a_time_joins_only_then(folder: Path):
    town = Town()
    crowd(town, 300)
    for one, other in (("w0", "w1"), ("w1", "w2")):
        town.add(
            "links",
            **{
                "a": one,
                "b": other,
                "verdict": "same_owner",
                "from": "2026-03-10",
                "until": "2026-03-20",
            },
        )
    town.hold(["w0", "w1", "w2"], 900)
    store = settle(town, folder)
    found = {
        day: [group["grade"] for group in ask(store, as_of=parse_time(f"2026-03-{day}"))["groups"]]
        for day in ("09", "10", "19", "20")
    }
    assert found == {"09": [], "10": ["conclusive"], "19": ["conclusive"], "20": []}


def test_a_pair_declared_unrelated_is_dropped_from_every_family(folder: Path):
    town = Town()
    town.hold(["a", "b", "c"], 10)
    for _ in range(10):
        town.pay("a", "b", 5)
    for account in ("a", "b", "c"):
        town.see(account, "one")
    town.link("a", "b")
    before = settle(town, folder / "before")
    speaking = ("flow", "identifier", "links")
    pairs = {name: ask(before, name)["pairs"] for name in speaking}
    assert pairs == {"flow": 1, "identifier": 3, "links": 1}
    town.link("b", "a", "unrelated", by="hearing")
    after = settle(town, folder / "after")
    pairs = {name: ask(after, name)["pairs"] for name in speaking}
    assert pairs == {"flow": 0, "identifier": 2, "links": 0}
    assert all(ask(after, name)["pairs"] == 0 for name in detectors() if name not in speaking)


def test_unrelated_splits_a_group_that_hangs_on_one_pair(folder: Path):
    """Two rings of five, joined by declared links; the one between them is taken back."""
    town = Town()
    crowd(town, 500)
    wallets = [f"w{number}" for number in range(6)]
    for one, other in pairwise(wallets):
        town.link(one, other)
    town.hold(wallets, 600)
    assert len(ask(settle(town, folder / "one"))["groups"]) == 1
    town.link("w2", "w3", "unrelated")
    apart = ask(settle(town, folder / "apart"), lines=[0.05, 0.03])
    assert {frozenset(members(group)) for group in apart["groups"]} == {
        frozenset(wallets[:3]),
        frozenset(wallets[3:]),
    }
    assert {group["line"] for group in apart["groups"]} == {0.03}


def test_exactly_the_line_is_over_it_and_the_smallest_unit_less_is_not(folder: Path):
    unit = "0.000000000000000001"
    for name, last, groups in (("at", "2.5", 1), ("below", f"2.49{'9' * 16}", 0)):
        town = Town()
        town.link("w0", "w1")
        town.hold(["w0"], "2.5")
        town.hold(["w1"], last)
        rest = 95 if groups else f"95.{unit[2:]}"
        town.hold([f"c{number}" for number in range(99)], 0)
        town.hold(["rest"], rest)
        result = ask(settle(town, folder / name))
        assert result["supply"] == "100"
        assert len(result["groups"]) == groups
        if groups:
            assert result["groups"][0]["share"] == 0.05


def test_the_plain_check_gives_groups_of_one_and_a_whale_in_a_group_names_it(folder: Path):
    town = Town()
    crowd(town, 500)
    act_as_one(town, RING)
    town.hold(RING[1:], 400)
    town.hold(RING[:1], 3200)
    town.add("accounts", account=RING[0], role="person")
    store = settle(town, folder)
    whale = per_account_checks()["whale"]
    alone = detect(store, Request([], whale, [FIVE_PERCENT])).result
    (only,) = alone["groups"]
    assert (members(only), only["grade"]) == ({RING[0]}, "conclusive")
    assert only["members"][0]["share"] == only["share"] >= 0.05
    assert only["members"][0]["share_without"] == 0
    both = detect(store, Request(list(detectors().values()), whale, [FIVE_PERCENT])).result[
        "groups"
    ]
    assert [len(group["members"]) for group in both] == [10, 1]
    assert [group["parent"] for group in both] == [None, both[0]["id"]]


def test_one_large_holder_and_a_small_friend_are_no_group(folder: Path):
    town = Town()
    crowd(town, 500)
    for day in range(20):
        town.pay("whale", "friend", 10, day)
        town.pay("friend", "whale", 10, day + 0.5)
    for one in ("whale", "friend"):
        town.see(one, "laptop")
    town.hold(["whale"], 2600)
    town.hold(["friend"], 60)
    assert ask(settle(town, folder))["groups"] == []
