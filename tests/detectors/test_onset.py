"""Onset: contacts that began at one time, against those of people who meet one by one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from engine_helpers import dated_facts, pairs_of
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.contacts import NEVER, PERIODS
from detectors.family import Facts, Inside
from detectors.onset import DETECTOR
from detectors.relay import surplus_bits

ACCOUNTS = 600
GROUP = list(range(12))
Transfer = tuple[int, int, float, float]


def people(deals: int = 5000, days: float = 120, seed: int = 6) -> list[Transfer]:
    """Everybody, the group too, deals with strangers now and then; known from the first day."""
    draw = np.random.default_rng(seed)
    ends = draw.integers(0, ACCOUNTS, (deals, 2)).tolist()
    times = (days * draw.random(deals)).tolist()
    first = [(a, (a + ACCOUNTS // 2) % ACCOUNTS, 5.0, 0.001 * a) for a in range(ACCOUNTS)]
    return first + [(a, b, 5.0, day) for (a, b), day in zip(ends, times, strict=True) if a != b]


def meeting(members: list[int], begin: float, days: float, partners: int = 4) -> list[Transfer]:
    """Each begins to deal with its next few, at regular times from `begin` on."""
    pairs = [
        (one, members[(place + step) % len(members)])
        for place, one in enumerate(members)
        for step in range(1, partners + 1)
    ]
    return [
        (a, b, 5.0, begin + days * place / len(pairs))
        for place, (a, b) in enumerate(sorted(pairs, key=lambda pair: (pair[0] * 7 + pair[1]) % 41))
    ]


def bits_for(facts: Facts, members: list[int]) -> float:
    """What the layers say of a set: contacts begun in each period, against the rates of the
    classes of all its contacts."""
    contacts = facts.contacts
    ours = np.isin(contacts.a, members) & np.isin(contacts.b, members)
    classes = np.bincount(contacts.code[ours], minlength=len(contacts.in_class))
    nothing = np.empty(0, np.int32)
    total = 0.0
    for layer in DETECTOR.layers(facts, nothing, nothing, nothing):
        assert layer.rates is not None
        ties = np.array([(np.isin(layer.a, members) & np.isin(layer.b, members)).sum()])
        total += float(surplus_bits(ties, np.array([classes @ layer.rates]))[0])
    return total


def test_who_were_known_and_all_met_within_days_are_tied():
    together = dated_facts(ACCOUNTS, people() + meeting(GROUP, 70, 6))
    one_by_one = dated_facts(ACCOUNTS, people() + meeting(GROUP, 2, 116))
    assert bits_for(together, GROUP) > 40
    assert bits_for(one_by_one, GROUP) < 5


def test_new_accounts_that_meet_when_they_open_are_no_sign():
    old = [row for row in people() if not {row[0], row[1]} & set(GROUP)]
    assert bits_for(dated_facts(ACCOUNTS, old + meeting(GROUP, 70, 6)), GROUP) < 5


def test_what_seems_to_begin_with_the_facts_is_no_sign():
    assert bits_for(dated_facts(ACCOUNTS, people() + meeting(GROUP, 0.7, 1)), GROUP) < 5


def test_one_account_that_suddenly_deals_with_many_is_no_group():
    star = [(0, other, 5.0, 70 + 0.1 * other) for other in range(1, 60)]
    assert bits_for(dated_facts(ACCOUNTS, people() + star), list(range(60))) < 5


def test_pairs_are_those_of_which_both_ends_began_many():
    found = pairs_of(DETECTOR, dated_facts(ACCOUNTS, people() + meeting(GROUP, 70, 3)))
    strongest = sorted(found, key=lambda pair: -found[pair])[:30]
    assert sum(a in GROUP and b in GROUP for a, b in strongest) >= 28


def test_periods_hold_equally_many_first_contacts():
    facts = dated_facts(ACCOUNTS, people())
    counts = np.bincount(facts.contacts.period, minlength=PERIODS)
    assert counts.max() - counts.min() <= 1
    assert len(counts) == PERIODS


def test_a_contact_with_an_undated_transfer_began_nobody_knows_when():
    facts = dated_facts(4, [(0, 1, 5.0, 3.0), (1, 0, 5.0, None), (2, 3, 5.0, 4.0)])
    assert facts.contacts.first[0] == NEVER
    assert facts.contacts.period.tolist()[0] == PERIODS


@pytest.mark.parametrize("transfers", [[], [(0, 1, 5.0, None)], [(0, 1, None, 2.0)]])
def test_facts_without_times_amounts_or_transfers_say_nothing(transfers):
    facts = dated_facts(3, transfers)
    assert pairs_of(DETECTOR, facts) == {}
    nothing = np.empty(0, np.int32)
    assert DETECTOR.layers(facts, nothing, nothing, nothing) == []


def test_an_account_alone_says_nothing():
    assert pairs_of(DETECTOR, dated_facts(1, [])) == {}


@examples(10)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(seed):
    transfers = people(800) + meeting(GROUP, 70, 6)
    order = np.random.default_rng(seed).permutation(len(transfers))
    shuffled = [transfers[place] for place in order]
    one, other = dated_facts(ACCOUNTS, shuffled), dated_facts(ACCOUNTS, transfers)
    assert pairs_of(DETECTOR, one) == pairs_of(DETECTOR, other)
    assert bits_for(one, GROUP) == bits_for(other, GROUP)


def test_reasons_tell_when_half_of_the_contacts_began():
    facts = dated_facts(4, [(0, 1, 5, 1.0), (1, 2, 5, 50.0), (2, 3, 5, 51.0), (0, 1, 5, 52.0)])
    rows = pl.DataFrame(facts.transfers.collect().to_native())
    inside = Inside(np.arange(4, dtype=np.int32), ["p", "q", "r", "s"], rows)
    reason = DETECTOR.reason(inside)
    assert reason.text == (
        "2 of the 3 contacts among these 4 accounts began within 1 day, "
        "from 2026-04-20 to 2026-04-21"
    )
    assert reason.facts == ["t1", "t2"]
    assert DETECTOR.ties(inside, [(0, 1), (0, 3)]) == [
        "p and q have dealt with each other since 2026-03-02",
        "",
    ]
