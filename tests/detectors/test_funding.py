"""Funding: common first funders and exits, against the accounts' own order."""

from __future__ import annotations

from math import log2

import numpy as np
import polars as pl
import pytest
from engine_helpers import dated_facts, facts_of, pairs_of
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.family import Family, Inside
from detectors.funding import DETECTOR as FUNDING

OWNER = 0
FUNDED = range(1, 11)
OTHERS = range(20, 100)
ACCOUNTS = 100


def life(first_day: float = 2.0, last_day: float = 30.0):
    """Ten payments in and ten out for each of the funded, from and to strangers."""
    draw = np.random.default_rng(11)
    days = np.linspace(first_day, last_day, 20)
    return [
        (int(other), one, 10, day) if place % 2 else (one, int(other), 10, day)
        for one in FUNDED
        for place, (other, day) in enumerate(zip(draw.choice(OTHERS, 20), days, strict=True))
    ]


def funded(day: float = 1.0):
    return [(OWNER, one, 100, day + one / 100) for one in FUNDED]


def exits(day: float = 40.0):
    return [(one, OWNER, 100, day + one / 100) for one in FUNDED]


def strength(k: int, chance: float) -> int:
    """Of each of k ties, where all who could choose the hub have, each by this chance."""
    bits = k * log2(1 / chance) - log2(k + 1) / 2 - log2(ACCOUNTS)
    return round(1000 * bits / k)


def test_it_is_a_family_and_says_what_it_misses():
    assert isinstance(FUNDING, Family)
    assert "isses" in FUNDING.help
    assert "looks like" in FUNDING.help


def test_the_first_funder_is_surprising_by_its_part_in_the_payments():
    """Each got eleven payments, one of them from the owner, and that first."""
    found = pairs_of(FUNDING, dated_facts(ACCOUNTS, funded() + life()))
    expected = {(OWNER, one): strength(10, 1 / 11) for one in FUNDED}
    assert {pair: bits for pair, bits in found.items() if OWNER in pair} == expected


def test_a_common_exit_is_the_same_backwards():
    found = pairs_of(FUNDING, dated_facts(ACCOUNTS, life() + exits()))
    assert {pair for pair in found if OWNER in pair} == {(OWNER, one) for one in FUNDED}
    turned = [(b, a, x, -day) for a, b, x, day in life() + exits()]
    assert pairs_of(FUNDING, dated_facts(ACCOUNTS, turned)) == found


def test_who_pays_them_in_between_funds_nobody():
    found = pairs_of(FUNDING, dated_facts(ACCOUNTS, funded(day=15.0) + life()))
    assert not any(OWNER in pair for pair in found)


def test_an_employer_who_pays_all_the_time_is_expected_to_be_first():
    """Thirty pay days: that it comes first as well is no surprise."""
    wages = [(OWNER, one, 100, day) for one in FUNDED for day in range(1, 31)]
    found = pairs_of(FUNDING, dated_facts(ACCOUNTS, wages + life()))
    assert not any(OWNER in pair for pair in found)


def test_a_faucet_is_no_first_funder_of_chance_when_it_pays_at_any_time():
    draw = np.random.default_rng(2)
    drops = [(OWNER, one, 1, float(draw.uniform(0, 32))) for one in FUNDED]
    found = pairs_of(FUNDING, dated_facts(ACCOUNTS, drops + life()))
    assert not any(OWNER in pair for pair in found)


def test_without_times_or_amounts_there_is_no_evidence():
    timeless = [(a, b, x, None) for a, b, x, _ in funded() + life()]
    assert pairs_of(FUNDING, dated_facts(ACCOUNTS, timeless)) == {}
    nulls = [(a, b, None, day) for a, b, _, day in funded() + life()]
    assert pairs_of(FUNDING, dated_facts(ACCOUNTS, nulls)) == {}


@pytest.mark.parametrize("accounts", [0, 1, 3])
def test_nothing_moved_is_no_evidence(accounts):
    assert pairs_of(FUNDING, facts_of(accounts)) == {}


@examples(20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random):
    moves = funded() + life() + exits()
    expected = pairs_of(FUNDING, dated_facts(ACCOUNTS, moves))
    random.shuffle(moves)
    assert pairs_of(FUNDING, dated_facts(ACCOUNTS, moves)) == expected


def test_it_names_the_funder_and_the_payments():
    facts = dated_facts(ACCOUNTS, funded() + life() + exits())
    members = np.array([OWNER, *FUNDED], np.int32)
    rows = pl.DataFrame(facts.transfers.collect().to_native())
    inside = Inside(members, [f"m{number}" for number in members], rows)
    reason = FUNDING.reason(inside)
    assert reason.text == "Of these 11 accounts 10 were first paid by m0, 10 last paid m0"
    theirs = rows.filter((pl.col("src") == OWNER) | (pl.col("dst") == OWNER))["uid"]
    assert set(reason.facts) == set(theirs)
    assert FUNDING.ties(inside, [(0, 3), (3, 4)]) == [
        "m3 was first paid by m0, as 10 members; m3 last paid m0, as 10 members",
        "",
    ]
