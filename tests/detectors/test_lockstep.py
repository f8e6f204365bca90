"""Lockstep: who meets whom where, against strangers' and everybody's rhythm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from math import log, log2

import numpy as np
import polars as pl
import pytest
from engine_helpers import BEGIN, dated_facts, facts_of, lazy, met, pairs_of
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.clean import Exonerated
from detectors.family import Family, Inside
from detectors.lockstep import DETECTOR as LOCKSTEP
from detectors.meetings import (
    FEWEST_EXPECTED,
    WAVES_BACK,
    _batched,
    _chance,
    _who_may_meet,
    surprise,
)
from detectors.visits import FEWEST_RECEIVERS, WINDOW, Visits

ACCOUNTS = 300
TEAM = range(10)
RICH, POOR = 0, 4


def rich(*accounts):
    """Tiers where these accounts are rich and all others poor."""
    tiers = np.full(ACCOUNTS, POOR, np.int32)
    tiers[list(accounts)] = RICH
    return tiers


def town(seed: int = 1, deals: int = 4000, days: float = 60.0):
    """Strangers who pay each other at any time."""
    draw = np.random.default_rng(seed)
    ends = draw.integers(100, ACCOUNTS, (deals, 2))
    at = draw.uniform(0, days, deals)
    return [
        (int(a), int(b), 10, float(day)) for (a, b), day in zip(ends, at, strict=True) if a != b
    ]


def waves(team=TEAM, targets=(290, 291, 292), occasions=12, seed=4, days=60.0, hours=2.0):
    """The team pays the same others within two hours, on some occasions."""
    draw = np.random.default_rng(seed)
    return [
        (one, targets[number % len(targets)], 10, float(day + draw.uniform(0, hours / 24)))
        for number, day in enumerate(np.sort(draw.uniform(0, days - 1, occasions)))
        for one in team
    ]


def found(moves, tiers=None, **more):
    facts = dated_facts(ACCOUNTS, moves)
    facts = replace(facts, tiers=rich(*TEAM) if tiers is None else tiers, **more)
    return pairs_of(LOCKSTEP, met(facts))


def test_it_is_a_family_and_says_what_it_misses():
    assert isinstance(LOCKSTEP, Family)
    assert "isses" in LOCKSTEP.help
    assert "look like" in LOCKSTEP.help


def test_surprise_is_the_judges_ratio():
    bits = surprise(np.array([8.0, 1.0]), np.array([0.5, 2.0]))
    assert bits[0] == pytest.approx(8 * log2(16) - 7.5 / log(2) - log2(9) / 2)
    assert bits[1] == 0


def test_two_who_meet_again_and_again_are_as_strong_as_chance_is_weak():
    """Two pay one other six times at the same time; the poor all pay it on another day, and
    pay somebody else once an hour: the rhythm of everybody is even."""
    days = [0.0, 8.0, 20.0, 28.0, 40.0, 48.0]
    together = [(one, 290, 10, day + one / 240) for one in (0, 1) for day in days]
    others = [(one, 290, 10, 55.5) for one in range(100, 199)]
    even = [(100 + hour % 50, 200, 10, (hour + 0.5) / 24) for hour in range(24 * 60)]
    span = round((24 * 60 - 0.5) * 3600) + 1
    strength = surprise(np.array([6.0]), np.array([6 * 6 * (WINDOW + 1) / span]))[0]
    assert found(together + others + even)[0, 1] == round(1000 * strength)


def test_a_team_in_lockstep_is_tied_and_nobody_else():
    pairs = found(town() + waves())
    assert set(pairs) == set(combinations(TEAM, 2))


def test_the_same_visits_on_other_days_are_nothing():
    """The control: each member's visits moved by days of its own."""
    apart = [(a, b, x, (day + 5.3 * a) % 60) for a, b, x, day in waves()]
    assert found(town() + apart) == {}


def deals_left(moves, tiers):
    """Who pays whom once the payments at which accounts meet are left out."""
    facts = met(replace(dated_facts(ACCOUNTS, moves), tiers=tiers))
    rows = pl.DataFrame(facts.transfers.select("src", "dst").collect().to_native())
    left = rows.filter(~pl.Series(facts.meetings.met_at(rows)))
    return set(left.rows()), set(rows.rows()) - set(left.rows())


def test_who_meets_others_at_several_places_does_not_deal_with_these():
    """Six whom a group pays in waves are places, and of no group; a stranger who pays one of
    them deals with it."""
    places = (290, 291, 292, 293, 294, 295)
    moves = [*town(), (150, 290, 10, 5.0), *waves(targets=places, occasions=24)]
    left, out = deals_left(moves, rich(*TEAM))
    assert out == {(one, place) for one in TEAM for place in places}
    assert (150, 290) in left


def test_feeders_of_one_collector_who_pay_it_at_the_same_times_deal_with_it():
    """One place only: else the hub of a funnel would be no member."""
    left, out = deals_left(town() + waves(targets=(290,), occasions=15), rich(*TEAM))
    assert not out
    assert {(one, 290) for one in TEAM} <= left


def test_places_who_pay_back_are_dealt_with():
    """Rotating hubs take and give: nobody only visits them."""
    hubs = (290, 291, 292)
    back = [(hub, one, 5, 3.0 + 5 * one) for hub in hubs for one in TEAM]
    _, out = deals_left(town() + waves(targets=hubs, occasions=15) + back, rich(*TEAM))
    assert not out


def test_a_sale_to_which_everybody_comes_ties_nobody():
    draw = np.random.default_rng(9)
    sale = [
        (int(one), 290 + number % 3, 10, day + float(draw.uniform(0, 0.08)))
        for number, day in enumerate(np.sort(draw.uniform(0, 59, 12)).tolist())
        for one in [*TEAM, *draw.choice(range(100, 280), 60, replace=False).tolist()]
    ]
    alone = [move for move in sale if move[0] in TEAM]
    assert set(found(town() + alone)) == set(combinations(TEAM, 2))
    assert found(town() + sale) == {}


def test_payments_of_an_employer_to_all_its_staff_are_its_batches():
    staff = range(60)
    batch = [(290, one, 100, day + one / 1500) for day in (3, 12, 30, 41, 50, 58) for one in staff]
    assert found(town() + batch, rich(*staff)) == {}


def paid_at_once(share, staff=60, others=80):
    """One account pays many people at any time, and on 15 irregular days some of its staff, this
    part of them each time."""
    draw = np.random.default_rng(12)
    usual = [(290, int(one), 10, float(draw.uniform(0, 60))) for one in 100 + np.arange(others)]
    usual += [
        (290, int(one), 10, float(draw.uniform(0, 60))) for one in draw.integers(100, 180, 80)
    ]
    days = np.sort(draw.uniform(0, 59, 15))
    return usual + [
        (290, one, int(draw.integers(10, 90)), float(day + draw.uniform(0, 3) / 24))
        for day in days
        for one in range(staff)
        if draw.random() < share
    ]


def test_a_third_of_all_whom_one_account_pays_are_its_batch_if_they_are_the_same_each_time():
    assert found(town() + paid_at_once(0.98), rich(*range(60))) == {}


def test_now_these_and_now_those_of_a_third_of_all_customers_are_a_wave():
    pairs = found(town() + paid_at_once(0.6), rich(*range(60)))
    assert len(pairs) > 300
    assert set(pairs) <= set(combinations(range(60), 2))


def elsewhere():
    """A town in which account 290 pays nobody."""
    return [move for move in town() if move[0] != 290]


def paid_in_turn(crews, size, times, days=60.0):
    """Account 290 pays crews in turn, each the same ones within three hours, and nobody between;
    at the end it pays twelve others."""
    draw = np.random.default_rng(14)
    begin = np.sort(draw.choice(np.arange(2, int(days) - 3), times, replace=False))
    rounds = [
        (290, crew * size + one, int(draw.integers(10, 90)), float(day + draw.uniform(0, 3) / 24))
        for number, day in enumerate(begin)
        for crew in [number % crews]
        for one in range(size)
    ]
    return rounds + [(290, 200 + one, 10, days - 1.5 + one / 100) for one in range(12)]


@pytest.mark.parametrize(("crews", "times"), [(2, 30), (3, 36)])
def test_crews_paid_in_turn_are_batches_though_nobody_is_paid_between(crews, times):
    assert found(elsewhere() + paid_in_turn(crews, 20, times), rich(*range(60))) == {}


def test_one_payment_to_all_does_not_hide_the_waves_after_it():
    draw = np.random.default_rng(15)
    days = np.sort(draw.choice(np.arange(4, 57), 29, replace=False))
    wave = [
        (290, one, 10, float(day + draw.uniform(0, 3) / 24))
        for day in days
        for one in range(40)
        if draw.random() < 0.45
    ]
    poor = [(290, 200 + one, 10, 58 + one / 10) for one in range(8)]
    to_all = [(290, one, 10, 2.0 + one / 1000) for one in range(40)]
    assert len(found(elsewhere() + wave + poor + to_all, rich(*range(40)))) > 30


@pytest.mark.parametrize("hours", [3, 9, 11])
def test_a_batch_that_takes_hours_is_one(hours):
    draw = np.random.default_rng(16)
    others = [(290, int(one), 10, float(draw.uniform(0, 60))) for one in np.arange(100, 180)]
    batch = [
        (290, one, 10, float(day + draw.uniform(0, hours) / 24))
        for day in np.sort(draw.choice(np.arange(1, 58), 15, replace=False))
        for one in range(60)
    ]
    assert found(elsewhere() + others + batch, rich(*range(60))) == {}


def test_waves_to_most_of_those_paid_are_batches_whoever_they_are():
    draw = np.random.default_rng(17)
    wave = [
        (290, one, 10, float(day + draw.uniform(0, 3) / 24))
        for day in np.sort(draw.choice(np.arange(1, 58), 20, replace=False))
        for one in range(40)
        if draw.random() < 0.6
    ]
    poor = [(290, 200 + one, 10, float(draw.uniform(0, 60))) for one in range(2)]
    assert found(elsewhere() + wave + poor, rich(*range(40))) == {}


@pytest.mark.parametrize("between", [WAVES_BACK - 1, WAVES_BACK])
def test_a_wave_is_compared_with_those_before_it_up_to_a_number(between):
    """The same 24 of 60 come again after so many waves of others."""
    draw = np.random.default_rng(18)
    waves_ = [draw.choice(60, 24, replace=False) for _ in range(between)]
    first = np.arange(24)
    who = np.concatenate([first, *waves_, first, np.arange(60)]).astype(np.int32)
    at = np.repeat(100_000 * np.arange(1, between + 3), 24)
    apart = 100_000 * (between + 4 + np.arange(60))
    starts = np.array([0, 0, len(who)])
    width = np.full(2, WINDOW, np.int32)
    marked = _batched(starts, who, np.concatenate([at, apart]).astype(np.int32), width, 60)
    again = between < WAVES_BACK
    assert (marked[:24].all(), marked[-84:-60].all()) == (again, again)
    assert not marked[24:-84].any()
    assert not marked[-60:].any()


@pytest.mark.parametrize("poor_come_too", [False, True])
def test_a_few_poor_customers_tell_whether_a_wave_is_everybodys(poor_come_too):
    """Ten visits of the poor at times of their own are enough to see that the others come in a
    wave of theirs; at the times of the wave, that it is a sale."""
    draw = np.random.default_rng(13)
    team = range(30)
    days = np.sort(draw.uniform(0, 59, 20))
    wave = [
        (one, 290, 10, float(day + draw.uniform(0, 3) / 24))
        for day in days
        for one in team
        if draw.random() < 0.45
    ]
    own = draw.uniform(0, 59, 10)
    poor = [
        (100 + number, 290, 10, float(day))
        for number, day in enumerate(days[:10] + 0.06 if poor_come_too else own)
    ]
    pairs = found(town() + wave + poor, rich(*team))
    assert (len(pairs) > 50) != poor_come_too
    assert not poor_come_too or len(pairs) < 10


def test_a_few_of_an_exchanges_many_customers_in_waves_are_tied():
    draw = np.random.default_rng(8)
    customers = draw.integers(100, 280, 600)
    paid = [(290, int(one), 10, float(draw.uniform(0, 60))) for one in customers]
    wave = [(b, a, x, day) for a, b, x, day in waves(targets=(290,), occasions=15)]
    pairs = found(town() + paid + wave)
    assert len(pairs) > 30
    assert set(pairs) <= set(combinations(TEAM, 2))


def test_an_owner_who_pays_few_makes_no_wave():
    assert len(TEAM) < FEWEST_RECEIVERS
    wave = [(b, a, x, day) for a, b, x, day in waves(targets=(290,), occasions=15)]
    assert found(town() + wave) == {}


def test_subscriptions_keep_to_the_calendar():
    monthly = [(one, 290, 10, 1 + 7 * week + one / 500) for week in range(8) for one in TEAM]
    assert found(town() + monthly) == {}


def test_friends_who_give_and_take_are_silent():
    """A gift circle: whoever has its day is paid by all others within hours."""
    draw = np.random.default_rng(6)
    days = np.sort(draw.uniform(0, 59, 3 * len(TEAM)))
    gifts = [
        (one, number % len(TEAM), 10, float(day + draw.uniform(0, 0.1)))
        for number, day in enumerate(days)
        for one in TEAM
        if one != number % len(TEAM)
    ]
    assert found(town() + gifts) == {}


def test_the_poor_reach_no_line_by_themselves():
    assert found(town() + waves(), rich(50, 51)) == {}


def test_contracts_that_were_taken_out_are_no_visits():
    contracts = pl.DataFrame(
        [(one, target) for one in TEAM for target in (290, 291, 292)],
        schema={"src": pl.Int32, "dst": pl.Int32},
        orient="row",
    ).with_columns(reason=pl.lit("series"), payments=pl.lit(4, pl.UInt32))
    assert found(town() + waves(), exonerated=Exonerated(contracts)) == {}


def test_purchases_in_lockstep_count():
    draw = np.random.default_rng(3)
    days = np.sort(draw.uniform(0, 59, 14))
    bought = [
        {"account": one, "amount": 10, "at": BEGIN + timedelta(days=float(day), minutes=one)}
        for day in days
        for one in TEAM
    ]
    bought += [
        {"account": int(one), "amount": 10, "at": BEGIN + timedelta(days=float(day))}
        for one, day in zip(draw.integers(100, 300, 900), draw.uniform(0, 60, 900), strict=True)
    ]
    pairs = found(town(), purchases=lazy("purchases", bought))
    assert set(pairs) == set(combinations(TEAM, 2))


def test_without_times_there_is_no_evidence():
    assert found([(a, b, x, None) for a, b, x, _ in town() + waves()]) == {}


def test_amounts_do_not_matter():
    moves = town() + waves()
    assert found([(a, b, None, day) for a, b, _, day in moves]) == found(moves)


@pytest.mark.parametrize("accounts", [1, 3])
def test_nothing_moved_is_no_evidence(accounts):
    assert pairs_of(LOCKSTEP, met(facts_of(accounts))) == {}
    assert pairs_of(LOCKSTEP, met(dated_facts(3, [(0, 1, 5, 1.0)]))) == {}


@examples(15)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random):
    moves = [(a, b, x, round(24 * day) / 24) for a, b, x, day in town(deals=800) + waves()]
    expected = found(moves)
    assert expected
    random.shuffle(moves)
    assert found(moves) == expected


def test_it_says_how_many_came_together_and_names_the_payments():
    facts = dated_facts(ACCOUNTS, town() + waves())
    members = np.array(TEAM, np.int32)
    rows = pl.DataFrame(facts.all_transfers.collect().to_native())
    touching = rows.filter(pl.col("src").is_in(members) | pl.col("dst").is_in(members))
    inside = Inside(members, [f"m{number}" for number in TEAM], touching)
    reason = LOCKSTEP.reason(inside)
    assert reason.text.startswith(
        "10 of these 10 accounts pay, or are paid by, the same 3 counterparties within hours of "
        "each other: "
    )
    assert set(reason.facts) <= set(touching["uid"])
    assert reason.facts
    assert LOCKSTEP.ties(inside, [(2, 7), (2, 11)]) == [
        "m2 and m7 paid, or were paid by, the same 3 counterparties within hours of each other "
        "12 times",
        "",
    ]


def test_a_batch_of_a_hub_is_not_looked_at_pair_by_pair():
    """Visits that meet nobody are left out before neighbours are looked at, and where all come
    at one moment those in the thickest crowd: what is looked at does not grow with the square
    of a hub's degree. Who comes beside the crowd still meets."""
    many, few = 200_000, 6
    at = np.concatenate((np.full(many, 5_000), 100_000 * np.arange(1, few + 1).repeat(2)))
    who = np.concatenate((np.arange(many), np.tile([many, many + 1], few))).astype(np.int32)
    starts = np.array([0, len(who)])
    visits = Visits(starts, who, at.astype(np.int32), at < 0, np.array([WINDOW], np.int32), 10**6)
    for rates in (np.ones(len(who)), np.where(at == 5_000, np.inf, 1.0)):
        (_, left, _, _), kept = _who_may_meet(visits, rates)
        assert left.tolist() == [many, many + 1] * few
        assert len(kept) == len(left)
    (_, left, _, _), _ = _who_may_meet(
        replace(visits, starts=starts - [0, many - 1000], who=who[-1012:], at=visits.at[-1012:]),
        np.ones(1012),
    )
    assert len(left) == 1012


def test_a_hub_as_visitor_is_looked_up_and_not_read_through():
    """Of each pair the visits of the one who has fewer are gone through: chance is the same as
    when both are merged."""
    draw = np.random.default_rng(3)
    places = [np.sort(draw.integers(0, 12, size)).astype(np.int32) for size in (40, 3, 9, 0)]
    rows = np.concatenate(([0], np.cumsum([len(one) for one in places])))
    width = draw.integers(2, 90, 12).astype(np.int32)
    pairs = list(combinations(range(4), 2))
    a, b = (np.array(end, np.int32) for end in zip(*pairs, strict=True))
    found = _chance(rows, np.concatenate(places), width, 1000, a, b)
    for (one, other), expected in zip(pairs, found, strict=True):
        mine, theirs = (np.bincount(places[end], minlength=12) for end in (one, other))
        chance = (mine * theirs * (2 * (width // 2) + 1) / 1000).sum()
        assert expected == pytest.approx(max(chance, FEWEST_EXPECTED))
