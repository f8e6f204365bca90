"""Innocent explanations, each where it holds and where it does not."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from engine_helpers import dated_facts, lazy
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.clean import Exonerated
from detectors.doubts import Explanation, explanations
from detectors.doubts.case import Case, Known
from detectors.doubts.gift import feasts
from detectors.doubts.supply_chain import _answered, _levels
from detectors.engine.doubt import agreeing, grade
from detectors.family import Facts, detectors
from detectors.settings import DetectionSettings

ACCOUNTS = 1000
TRANSFERS = (
    *("clique", "flow", "funding", "funnel", "lockstep", "onset", "provenance", "refund", "relay"),
)
SOURCES = {**dict.fromkeys(TRANSFERS, "transfers"), "identifier": "identifiers"}
SOURCES["referral"] = "referrals"

Paid = tuple[int, int, float, float | None]


def facts_with(
    transfers: Iterable[Paid] = (),
    taken_out: Iterable[tuple[int, int, str]] = (),
    sightings: Iterable[tuple[int, str, str]] = (),
    referrals: Iterable[tuple[int, int]] = (),
    tiers: Mapping[int, int] | None = None,
) -> Facts:
    """Facts of 1,000 accounts, the last tier if not said otherwise."""
    wealth = np.full(ACCOUNTS, 4, np.int32)
    for account, tier in (tiers or {}).items():
        wealth[account] = tier
    payments = pl.DataFrame(
        [(*payment, 4) for payment in taken_out],
        Exonerated().payments.schema,
        orient="row",
    )
    seen = ({"account": a, "identifier_kind": k, "digest": d} for a, k, d in sightings)
    brought = ({"referrer": a, "referred": b} for a, b in referrals)
    return replace(
        dated_facts(ACCOUNTS, transfers),
        exonerated=Exonerated(payments),
        sightings=lazy("sightings", seen),
        referrals=lazy("referrals", brought),
        tiers=wealth,
    )


def case(
    facts: Facts,
    members: Iterable[int],
    bits: Mapping[str, float] | None = None,
    roles: Mapping[int, str] | None = None,
    **more: Any,
) -> Case:
    """A finding of members with equal shares, 6 % together, that needs 30 bits."""
    who = np.array(sorted(members), np.int32)
    accounts = pl.DataFrame(
        {
            "account": [f"u{number}" for number in range(ACCOUNTS)],
            "role": pl.Series([(roles or {}).get(n) for n in range(ACCOUNTS)], dtype=pl.String),
        }
    )
    given: dict[str, Any] = {
        "shares": np.full(len(who), 0.06 / len(who)),
        "units": [6] * len(who),
        "needed_units": 5 * len(who),
        "weakly_tied": np.zeros(len(who), np.bool_),
        "agreeing": frozenset(),
        "beyond_club_bits": 100.0,
        "ties": {},
    }
    return Case(
        known=Known.of(facts, who, accounts),
        members=who,
        names=[f"u{number}" for number in who],
        line=0.05,
        bits={**dict.fromkeys(SOURCES, 0.0), **(bits or {"clique": 100.0})},
        sources=SOURCES,
        needed_bits=30.0,
        **{**given, **more},
    )


def ask(name: str, about: Case) -> Any:
    """What one explanation says."""
    return next(one for one in explanations() if one.name == name).ask(about)


def names(about: Case) -> set[str]:
    """The explanations that are open."""
    said = (one.ask(about) for one in explanations())
    return {doubt.explanation for doubt in said if doubt is not None}


def mesh(members: Sequence[int], times: int = 2) -> list[Paid]:
    """Everybody pays everybody, now and then, and is paid."""
    return [
        (*ends, 10.0, (7.3 * place + 11.7 * turn) % 90)
        for place, pair in enumerate(combinations(members, 2))
        for turn in range(times)
        for ends in (pair, pair[::-1])
    ]


def test_every_explanation_keeps_to_the_interface():
    assert len(explanations()) >= 13
    families = set(detectors())
    for one in explanations():
        assert isinstance(one, Explanation)
        assert len(one.help) > 80
        assert set(one.explains) <= families
        assert "links" not in one.explains


def test_what_one_handed_most_members_may_be_an_allotment():
    """Nine of ten got 900 of their 1,000 from one outside; acting together speaks against it."""
    facts = replace(
        facts_with([(50, one, 900.0, 3.0) for one in range(9)]),
        holdings=np.full(ACCOUNTS, 1000.0),
    )
    said = {"flow": 60.0, "provenance": 80.0}
    doubt = ask("allotment", case(facts, range(10), said))
    assert "9 of the 10 members got at least 50%" in doubt.text
    assert "(u50)" in doubt.text
    assert doubt.leaves_bits == 0
    assert ask("allotment", case(facts, range(10), {**said, "relay": 40.0})) is None
    assert ask("allotment", case(facts, range(20), said)) is None  # nine of twenty
    poorer = replace(facts, holdings=np.full(ACCOUNTS, 2000.0))
    assert ask("allotment", case(poorer, range(10), said)) is None


def test_a_line_crossed_only_with_members_who_are_hardly_tied_is_doubted():
    """Ten hold 6 % together, 0.6 % each."""
    hardly = np.zeros(10, np.bool_)
    hardly[3] = True
    assert ask("edge", case(facts_with(), range(10), weakly_tied=hardly)) is None  # nine hold 5.4 %
    hardly[7] = True
    doubt = ask("edge", case(facts_with(), range(10), weakly_tied=hardly))
    assert "8 of the 10 members, who hold 4.80%" in doubt.text
    assert "u3, u7" in doubt.text
    assert doubt.leaves_bits == 0


def test_people_who_only_deal_with_each_other_may_be_a_club():
    about = case(facts_with(mesh(range(10))), range(10), beyond_club_bits=29.0)
    assert "45 of the 45 pairs" in ask("club", about).text
    assert ask("club", replace(about, beyond_club_bits=31.0)) is None
    assert ask("club", replace(about, agreeing=frozenset({"identifiers"}))) is None


def test_a_few_accounts_behind_shared_devices_may_be_a_household():
    a, b = np.arange(7, dtype=np.int32), np.arange(1, 8, dtype=np.int32)
    of_eight = case(
        facts_with(), range(8), {"identifier": 90.0, "clique": 90.0}, ties={"identifier": (a, b)}
    )
    doubt = ask("household", of_eight)
    assert "8 of the 8 accounts" in doubt.text
    assert doubt.leaves_bits == 0
    with_friends = replace(case(facts_with(), range(20), of_eight.bits), ties=of_eight.ties)
    shares = np.full(20, 0.001)
    shares[:8] = 0.006
    assert "hold 4.80% of the 6.00%" in ask("household", replace(with_friends, shares=shares)).text
    assert ask("household", with_friends) is None  # the twelve others hold 3.6 % without them
    many = np.arange(12, dtype=np.int32), np.arange(1, 13, dtype=np.int32)
    eight_of_thirteen = replace(with_friends, shares=shares, ties={"identifier": many})
    assert "13 of the 20 accounts" in ask("household", eight_of_thirteen).text
    shares[8:13] = 0.003  # five more who hold a fifth of what the thirteen hold
    assert ask("household", eight_of_thirteen) is None


def test_those_whom_one_payroll_pays_may_be_staff():
    staff = range(1, 21)
    wages = [(0, member, "payroll") for member in range(1, 41)]
    paid = [(0, member, 100.0, 30.0 * month) for member in range(1, 41) for month in range(4)]
    about = case(facts_with(paid, wages), staff)
    doubt = ask("payroll", about)
    assert doubt.text.startswith("20 of the 20 members are paid by u0 on paydays, as 40 accounts")
    assert doubt.leaves_bits == 0
    assert ask("payroll", case(facts_with(paid), staff)) is None
    assert ask("payroll", case(facts_with(paid), staff, roles={0: "payroll"})) is not None
    assert ask("payroll", case(facts_with(paid, wages), [*range(35, 41), *range(50, 60)])) is None


def test_who_pays_everybody_is_no_employer():
    everyone = [(0, member, 100.0, 1.0) for member in range(1, 600)]
    assert ask("payroll", case(facts_with(everyone), range(1, 21), roles={0: "payroll"})) is None


def test_customers_of_one_custodian():
    served = [(member, 0, 10.0, float(day)) for member in range(1, 101) for day in (1, 2, 3)]
    about = case(facts_with(served), range(1, 11), {"lockstep": 80.0}, {0: "custodian"})
    assert "10 of the 10 members are customers of u0, which has 100" in ask("custodian", about).text
    unknown = case(facts_with(served), range(1, 11), {"lockstep": 80.0})
    assert ask("custodian", unknown) is not None
    assert ask("custodian", replace(about, bits={**about.bits, "clique": 40.0})) is None
    shop = case(facts_with(served), range(1, 11), {"refund": 80.0}, {0: "merchant"})
    assert ask("custodian", shop).explanation == "marketplace"
    treasury = case(facts_with(served), range(1, 11), {"lockstep": 80.0}, {0: "treasury"})
    assert ask("custodian", treasury) is None


def test_a_small_hub_is_no_custodian():
    served = [(member, 0, 10.0, float(day)) for member in range(1, 13) for day in (1, 2, 3)]
    assert ask("custodian", case(facts_with(served), range(1, 13), {"lockstep": 80.0})) is None


def test_people_behind_one_public_line():
    line = [(account, "ip", "office") for account in range(60)]
    about = case(facts_with(sightings=line), range(10))
    assert "10 of the 10 members were seen at one ip that 60 accounts use" in (
        ask("venue", about).text
    )
    everywhere = [(account, "ip", "mobile") for account in range(500)]
    assert ask("venue", case(facts_with(sightings=everywhere), range(10))) is None
    assert ask("venue", case(facts_with(sightings=line), range(56, 70))) is None


def test_lines_alone_are_no_devices():
    lines = [(place + step, "ip", f"line {place}") for place in range(12) for step in (0, 1)]
    only = case(facts_with(sightings=lines), range(13), {"identifier": 100.0, "relay": 100.0})
    doubt = ask("venue", only)
    assert doubt.explains == ("identifier",)
    assert doubt.leaves_bits == 100
    device = [*lines, (3, "device", "phone"), (4, "device", "phone")]
    assert ask("venue", case(facts_with(sightings=device), range(13), only.bits)) is None


def test_who_was_brought_in_by_other_members_may_be_a_team():
    tree = [((child - 1) // 2, child) for child in range(1, 12)]
    about = case(facts_with(referrals=tree), range(12), {"referral": 100.0, "flow": 50.0})
    doubt = ask("distributor team", about)
    assert doubt.text.startswith("11 of the 12 members were brought in")
    assert doubt.leaves_bits == 0
    root = [(500, child) for child in range(12)]
    assert ask("distributor team", case(facts_with(referrals=root), range(12))) is None


def test_who_collects_regularly_may_be_a_charity_or_a_syndicate():
    gifts = [(donor, 0, 5.0, 30.0 * month) for donor in range(1, 12) for month in range(4)]
    orders = [(donor, 0, "standing order") for donor in range(1, 12)]
    about = case(facts_with(gifts, orders), range(12))
    assert "11 of the 12 members pay u0 regularly" in ask("charity", about).text
    assert ask("syndicate", about) is None
    prizes = [(0, player, 20.0, 100.0) for player in range(1, 12)]
    lottery = case(facts_with([*gifts, *prizes], orders), range(12))
    assert "11 are paid by it" in ask("syndicate", lottery).text
    assert ask("charity", lottery) is None
    assert ask("charity", case(facts_with(gifts), range(12))) is None


def test_a_few_in_most_dealings_may_be_dealers():
    sales = [(buyer, 0, 10.0, float(buyer)) for buyer in range(1, 30)]
    about = case(facts_with(sales), range(20))
    doubt = ask("marketplace", about)
    assert "1 of the 20 members (u0) are in 100% of all dealings inside" in doubt.text
    assert "10 outsiders" in doubt.text
    assert ask("marketplace", case(facts_with(mesh(range(20))), range(20))) is None
    assert ask("marketplace", replace(about, bits={**about.bits, "relay": 40.0})) is None


def test_few_rich_who_deal_both_ways_may_be_traders():
    rich = dict.fromkeys(range(10), 0)
    about = case(facts_with(mesh(range(10)), tiers=rich), range(10))
    assert "10 of the 10 members are among the richest" in ask("otc", about).text
    assert ask("otc", replace(about, agreeing=frozenset({"identifiers"}))) is None
    assert ask("otc", replace(about, agreeing=frozenset({"transfers"}))) is not None
    assert ask("otc", case(facts_with(mesh(range(10))), range(10))) is None
    one_way = [pay for pay in mesh(range(10)) if pay[0] < pay[1]]
    assert ask("otc", case(facts_with(one_way, tiers=rich), range(10))) is None


def test_turns_of_gifts_and_one_who_always_gets():
    turns = [
        (guest, host, 5.0, 9.0 * host) for host in range(8) for guest in range(8) if guest != host
    ]
    about = case(facts_with(turns), range(8))
    assert ask("gift", about).text.startswith("8 of the 8 members were once the one")
    assert ask("gift", replace(about, bits={**about.bits, "relay": 40.0})) is None
    always = [(guest, 0, 5.0, 9.0 * turn) for turn in range(8) for guest in range(1, 8)]
    assert ask("gift", case(facts_with(always), range(8))) is None
    undated = [(*pay[:3], None) for pay in turns]
    assert ask("gift", case(facts_with(undated), range(8))) is None


def test_firms_in_tiers_and_a_ring():
    tiers = [range(8), range(8, 13), range(13, 16), range(16, 17)]
    goods = [
        (buyer, seller, 10.0, float(day))
        for lower, upper in pairwise(tiers)
        for buyer in lower
        for seller in upper
        for day in (1, 20, 40)
    ]
    bits = {"relay": 100.0, "clique": 100.0}
    about = case(facts_with(goods), range(17), bits)
    assert "one way over 4 levels (0% of it is answered)" in ask("supply chain", about).text
    ring = [(place, (place + 1) % 17, 10.0, float(day)) for place in range(17) for day in (1, 9)]
    assert ask("supply chain", case(facts_with(ring), range(17), bits)) is None
    assert ask("supply chain", replace(about, bits={**about.bits, "lockstep": 40.0})) is None


def test_levels_of_a_chain_of_a_ring_and_of_both_ways():
    chain = np.arange(5)
    ones = np.ones(5)
    assert _levels(6, chain, chain + 1, ones) == (0, 5)
    assert _levels(5, chain, (chain + 1) % 5, ones) == (1, 0)
    both = np.array([0, 1]), np.array([1, 0])
    assert _levels(2, *both, np.ones(2)) == (1, 0)
    assert _answered(2, *both, np.array([1.0, 3.0])) == 0.5
    assert _answered(6, chain, chain + 1, ones) == 0


@examples(60)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 12)), max_size=60))
def test_feasts_are_what_counting_every_window_finds(payments):
    paid = [(a, b, 1.0, float(day)) for a, b, day in payments if a != b]
    about = case(facts_with(paid), range(8))
    hosts = {
        host
        for host in range(8)
        for begin in range(13)
        if len({a for a, b, _, day in paid if b == host and begin <= day <= begin + 3}) >= 4
    }
    assert feasts(about) == len(hosts)


@examples(10)
@given(st.randoms(use_true_random=False))
def test_the_order_of_facts_does_not_matter(draw: random.Random):
    turns = [
        (guest, host, 5.0, 9.0 * host) for host in range(8) for guest in range(8) if guest != host
    ]
    tree = [((child - 1) // 2, child) for child in range(1, 8)]
    line = [(account, "ip", "office") for account in range(60)]
    tiers = dict.fromkeys(range(8), 0)

    def said(shuffle: bool) -> list[Any]:
        rows: list[list[Any]] = [[*turns, *mesh(range(8))], list(tree), list(line)]
        for one in rows if shuffle else ():
            draw.shuffle(one)
        paid, brought, seen = rows
        about = case(facts_with(paid, (), seen, brought, tiers), range(8), beyond_club_bits=0.0)
        return [one.ask(about) for one in explanations()]

    assert said(True) == said(False)
    assert sum(doubt is not None for doubt in said(False)) >= 4


def test_without_any_facts_nothing_is_explained():
    assert names(case(facts_with(), range(12))) == set()
    lone = case(facts_with(), range(2), shares=np.array([0.05, 0.001]))
    assert names(lone) == {"one large holder"}


def standing(bits: Mapping[str, float], families: Sequence[str], members: int = 12) -> Any:
    """A judged set in which each of some families ties all members in a chain."""
    a = np.arange(members - 1, dtype=np.int32)
    kinds = np.repeat(np.arange(len(families)), members - 1)
    ground = SimpleNamespace(
        sources=SOURCES,
        families=list(families),
        ties=lambda places: (np.tile(a, len(families)), np.tile(a + 1, len(families)), kinds),
    )
    return SimpleNamespace(
        ground=ground,
        places=np.arange(members),
        shares=np.full(members, 0.06 / members),
        share=0.06,
        units=[6] * members,
        needed=5 * members,
        verdict=SimpleNamespace(
            evidence_bits={**dict.fromkeys(SOURCES, 0.0), **bits}, usual_bits={}
        ),
    )


@pytest.mark.parametrize(
    ("bits", "wanted"),
    [
        ({"flow": 100.0, "identifier": 100.0}, "corroborated"),
        ({"flow": 100.0, "identifier": 10.0}, "indication"),
        ({"flow": 100.0, "lockstep": 100.0}, "indication"),
    ],
)
def test_two_sources_of_fact_corroborate(bits, wanted):
    assert grade(standing(bits, list(bits)), [], DetectionSettings()) == wanted


def test_what_an_explanation_brings_about_does_not_corroborate():
    bits = {"relay": 200.0, "referral": 100.0}
    judged = standing(bits, list(bits))
    tree = [((child - 1) // 2, child) for child in range(1, 12)]
    team = ask("distributor team", case(facts_with(referrals=tree), range(12), bits))
    assert team.leaves_bits == 200
    assert grade(judged, [], DetectionSettings()) == "corroborated"
    assert grade(judged, [team], DetectionSettings()) == "indication"


def test_devices_of_one_household_tie_nobody_to_the_others():
    bits = {"flow": 100.0, "identifier": 100.0}
    both = standing(bits, list(bits), 14)
    assert agreeing(both, DetectionSettings()) == {"transfers", "identifiers"}
    family = np.array([*list(combinations(range(8), 2)), (7, 8), (8, 9)], np.int32)
    kinds = np.ones(len(family), np.int32)
    chain = np.arange(13, dtype=np.int32)
    ties = (
        np.concatenate((chain, family[:, 0])),
        np.concatenate((chain + 1, family[:, 1])),
        np.concatenate((np.zeros(13, np.int32), kinds)),
    )
    both.ground.ties = lambda places: ties
    assert agreeing(both, DetectionSettings()) == {"transfers"}


def test_paying_whom_one_has_brought_in_corroborates_nothing():
    """Teams do nothing else; that they were brought in in haste does."""
    bits = {"flow": 100.0, "referral": 100.0}
    both = standing(bits, list(bits), 14)
    assert agreeing(both, DetectionSettings()) == {"transfers", "referrals"}
    both.verdict.usual_bits = {"referral": 85.0}
    assert agreeing(both, DetectionSettings()) == {"transfers"}


def test_a_household_with_hangers_on_is_still_one():
    hanging = [(7, 8), (8, 9), (9, 10), (10, 11), (11, 12)]
    family = np.array([*list(combinations(range(8), 2)), *hanging], np.int32)
    shares = np.full(13, 0.0006)
    shares[:8] = 0.0065
    about = case(
        facts_with(),
        range(13),
        {"identifier": 150.0, "clique": 100.0},
        ties={"identifier": (family[:, 0], family[:, 1])},
        shares=shares,
    )
    assert ask("household", about).text.startswith("13 of the 13 accounts share devices")
    assert ask("household", replace(about, shares=np.full(13, 0.006))) is None
