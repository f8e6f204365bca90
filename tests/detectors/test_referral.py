"""Referrals: haste against the referrer's rhythm and everybody's growth."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import log2
from typing import Any

import numpy as np
import pytest
from engine_helpers import BEGIN, facts_of, lazy, pairs_of
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.clique import DETECTOR as CLIQUE
from detectors.engine.evidence import Evidence, FamilyPairs
from detectors.engine.judge import Ground
from detectors.family import Facts, Inside, contact_layer
from detectors.referral import DETECTOR as REFERRAL
from detectors.referral import LEAST_HASTE, MOST_BARE_BITS, MOST_CHILDREN, Kin

Brought = tuple[int, int, float | None]
"""Referrer, referred, day."""

ACCOUNTS = 4000


def rows(referrals: list[Brought]) -> list[dict[str, Any]]:
    return [
        {
            "referrer": one,
            "referred": other,
            "at": None if day is None else BEGIN + timedelta(days=day),
        }
        for one, other, day in referrals
    ]


def facts(referrals: list[Brought], accounts: int = ACCOUNTS) -> Facts:
    return replace(facts_of(accounts), referrals=lazy("referrals", rows(referrals)))


def haste(referrals: list[Brought]) -> dict[tuple[int, int], float]:
    kin = Kin.of(facts(referrals))
    found = zip(kin.parent.tolist(), kin.child.tolist(), kin.haste.tolist(), strict=True)
    return {(one, other): bits for one, other, bits in found}


def town(count: int = 2000) -> list[Brought]:
    """One joins each day, brought in by any of those who were there."""
    draw = np.random.default_rng(3)
    return [(int(draw.integers(0, day)), day, float(day)) for day in range(1, count)]


def farm(root: int, first: int, count: int, begin: float, pause: float) -> list[Brought]:
    """Accounts that bring each other in, each two more, with the same pause between any two."""
    members = [root, *range(first, first + count)]
    return [
        (members[place // 2], members[place + 1], begin + pause * (place + 1))
        for place in range(count)
    ]


def team(root: int, first: int, count: int, begin: float, end: float) -> list[Brought]:
    """As many, each brought in by any of those who were there, over a long time."""
    draw = np.random.default_rng(4)
    members = [root, *range(first, first + count)]
    days = np.sort(draw.uniform(begin, end, count)).tolist()
    return [
        (members[int(draw.integers(0, place + 1))], members[place + 1], day)
        for place, day in enumerate(days)
    ]


def judge(
    referrals: list[Brought], deals: list[tuple[int, int, int]] | None = None
) -> tuple[Ground, Facts]:
    """A ground on which this family alone speaks."""
    known = replace(facts_of(ACCOUNTS, deals or ()), referrals=lazy("referrals", rows(referrals)))
    pairs = REFERRAL.pairs(known).collect().to_native()
    a, b, weight = (pairs[name].to_numpy() for name in ("a", "b", "strength"))
    layers: Any = [(REFERRAL, layer) for layer in REFERRAL.layers(known, a, b, weight)]
    if deals:
        layers.append((CLIQUE, contact_layer(known)))
    nowhere: Any = None
    families: Any = [FamilyPairs(REFERRAL, a, b, weight)]
    evidence = Evidence(nowhere, known, families, a, b, weight, layers, frozenset())
    return Ground(evidence, np.arange(ACCOUNTS, dtype=np.int32)), known


def bits(referrals: list[Brought], members: list[int]) -> float:
    """What the family says of a set."""
    ground, _ = judge(referrals)
    return ground.verdict(np.array(sorted(members), np.int32)).evidence_bits["referral"]


def test_haste_is_how_late_among_all_the_referrer_had_come():
    """Account 0 brings in one a day; number 100 brings in three on its first day."""
    steady = [(0, day, float(day)) for day in range(1, 201)]
    hasty = [(100, 301, 100.1), (100, 302, 100.2), (100, 303, 100.3)]
    found = haste(steady + hasty)
    # at the time of the first, 101 referrals were made, one of them since number 100 came
    assert found[100, 301] == pytest.approx(log2(101 / 1))
    assert found[100, 302] == pytest.approx(log2(102 / 2))
    assert found[100, 303] == pytest.approx(log2(103 / 3))
    assert max(bits for (one, _), bits in found.items() if one == 0) < LEAST_HASTE


def test_a_burst_after_years_counts_where_the_rhythm_does_not_explain_it():
    """Number 5 rested for 800 days and brings in eight on one."""
    burst = [(5, 3000 + number, 900 + number / 100) for number in range(8)]
    others = [deal for deal in town() if deal[0] != 5]
    found = haste(others + burst)
    assert min(found[5, 3000 + number] for number in range(8)) > 5
    slow = [(5, 3000 + number, 900 + 100.0 * number) for number in range(8)]
    found = haste(others + slow)
    assert max(found[5, 3000 + number] for number in range(8)) < LEAST_HASTE


def test_who_bring_each_other_in_fast_are_told_from_who_do_it_as_everybody_does():
    fast = farm(1200, 2500, 40, 1200, 0.3)
    slow = team(400, 2600, 40, 400, 1900)
    referrals = town() + fast + slow
    assert bits(referrals, [1200, *range(2500, 2540)]) > 90
    assert bits(referrals, [400, *range(2600, 2640)]) < 10
    strangers = np.random.default_rng(9).permutation(2000)[:40].tolist()
    assert bits(referrals, strangers) < 5


def test_payments_to_who_brought_one_in_are_rare_and_say_nothing_beyond_a_team():
    """Four of five pay their referrer; the fifth is idle, and held by its referral."""
    draw = np.random.default_rng(6)
    members = [400, *range(2600, 2640)]
    people = np.array([*range(2000), *members[1:]])
    deals = [(int(a), int(b), 5) for a, b in draw.choice(people, (6000, 2)) if a != b]
    sold = team(400, 2600, 40, 400, 1900)
    up = [(other, one, 7) for place, (one, other, _) in enumerate(sold) if place % 5]
    ground, _ = judge(town() + sold, deals + up)
    places = np.array(members, np.int32)
    verdict = ground.verdict(places)
    assert verdict.ties["referral:paid"] == len(up) == 32
    assert verdict.evidence_bits["referral"] > 60
    assert verdict.beyond_club_bits < 10
    assert ground.connected_part(places).tolist() == members
    idle, _ = judge(town() + sold, deals)
    assert idle.verdict(places).evidence_bits["referral"] < 10


def test_where_all_grow_fast_haste_says_little():
    """Growth from friend to friend: most are brought in by who came the day before."""
    natural = [(max(day - 1 - day % 3, 0), day, float(day)) for day in range(1, 2000)]
    fast = farm(1200, 2500, 40, 1200, 0.3)
    alone = bits(town() + fast, [1200, *range(2500, 2540)])
    among = bits(natural + fast, [1200, *range(2500, 2540)])
    assert among < alone / 4


def test_the_mega_root_of_a_pyramid_ties_nobody():
    pyramid = [(0, 1 + number, float(number)) for number in range(MOST_CHILDREN + 1)]
    assert pairs_of(REFERRAL, facts(pyramid)) == {}
    assert bits(pyramid, list(range(200))) == 0
    family = [(2000, 2001, 5.0), (2000, 2002, 700.0)]
    assert set(pairs_of(REFERRAL, facts(pyramid + family))) == {
        (2000, 2001),
        (2000, 2002),
        (2001, 2002),
    }


def test_without_times_a_referral_says_a_little_by_the_fewness_of_children():
    couple = [(0, 1, None)]
    team = [(10, 11 + number, None) for number in range(30)]
    found = pairs_of(REFERRAL, facts(couple + team, 40))
    everyone = 40 * 39 / 2
    assert found[0, 1] == round(1000 * log2(everyone / 1))
    assert {found[10, 11 + number] for number in range(30)} == {
        round(1000 * log2(everyone / (1 + 31 * 30 / 2)))
    }
    assert found[11, 12] == found[10, 11]  # brought in by the same
    assert len(found) == 1 + 30 + 29
    many = pairs_of(REFERRAL, facts(couple + team))
    assert many[0, 1] == round(1000 * MOST_BARE_BITS)
    assert bits(couple + team, [10, *range(11, 41)]) == 0


def test_an_account_by_itself_twice_or_in_a_circle_is_no_error():
    odd = [(1, 1, 5.0), (2, 3, 6.0), (2, 3, 7.0), (3, 2, 8.0), (4, 3, 9.0)]
    assert set(pairs_of(REFERRAL, facts(odd, 6))) == {(2, 3), (3, 4)}
    assert pairs_of(REFERRAL, facts([], 1)) == {}
    assert haste([]) == {}


@examples(30)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random):
    referrals = town(300) + farm(200, 2500, 20, 200, 0.25) + [(7, 3500, None)]
    shuffled = list(referrals)
    random.shuffle(shuffled)
    assert haste(shuffled) == haste(referrals)
    assert pairs_of(REFERRAL, facts(shuffled)) == pairs_of(REFERRAL, facts(referrals))


@examples(30)
@given(st.lists(st.floats(0.01, 50), min_size=300, max_size=300))
def test_a_campaign_is_everybodys_time_runs_by_referrals(pauses):
    """Only the order of referrals counts: growth in waves changes nothing."""
    referrals = town(280) + farm(200, 2500, 20, 200.5, 0.001)
    clock = sorted({day for _, _, day in referrals if day is not None})
    later = dict(zip(clock, np.cumsum(pauses)[: len(clock)].tolist(), strict=True))
    warped = [(one, other, later[day]) for one, other, day in referrals if day is not None]
    assert haste(warped) == haste(referrals)


def test_words_say_who_brought_in_whom_and_how_soon():
    referrals = [(9, 1, 0.0), (1, 2, 4.0), (2, 3, 6.0), (1, 4, 7.0), (4, 8, 9.0)]
    known = lazy("referrals", rows(referrals)).collect().to_native()
    inside = Inside(np.array([1, 2, 3, 4], np.int32), ["a", "b", "c", "d"], known)
    reason = REFERRAL.reason(inside)
    assert reason.text == (
        "3 of these 4 accounts were brought in by others of them, most of them within 3 days; "
        "half of those whose referrer's own referral is known followed it within 4 days"
    )
    assert reason.facts == ["referrals1", "referrals2", "referrals3"]
    assert REFERRAL.ties(inside, [(1, 2), (2, 3), (2, 4), (3, 4)]) == [
        "a brought in b, 4 days after it was brought in itself",
        "b brought in c, 2 days after it was brought in itself",
        "b and d were brought in by the same account",
        "",
    ]
