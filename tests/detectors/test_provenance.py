"""Provenance: who hands whom what it holds, as rare as it is among the rich."""

from __future__ import annotations

from dataclasses import replace
from math import log2

import numpy as np
import polars as pl
from engine_helpers import facts_of, pairs_of
from hypothesis import given
from hypothesis import strategies as st

from detectors.family import Family, Inside
from detectors.provenance import DETECTOR as PROVENANCE
from detectors.provenance import LEAST_BITS, LEAST_PART, handed

ACCOUNTS = 400
OWNER = 0
WALLETS = range(1, 13)
RICH, POOR = 0, 4


def hold(moves, holdings, tiers=None):
    """Facts of payments, and of what accounts hold."""
    held = np.full(ACCOUNTS, 1000.0)
    for account, amount in holdings.items():
        held[account] = amount
    return replace(facts_of(ACCOUNTS, moves, tiers=tiers), holdings=held)


def life(seed=3, deals=3000):
    """Small payments among everybody."""
    draw = np.random.default_rng(seed)
    ends = draw.integers(20, ACCOUNTS, (deals, 2))
    return [(int(a), int(b), int(draw.integers(1, 30))) for a, b in ends if a != b]


def handed_out(part=0.9):
    """One owner pays each of its wallets a part of 1,000 in three payments."""
    return [(OWNER, one, round(1000 * part / 3)) for one in WALLETS for _ in range(3)]


def test_it_is_a_family_and_says_what_it_misses():
    assert isinstance(PROVENANCE, Family)
    assert "isses" in PROVENANCE.help
    assert "looks like" in PROVENANCE.help


def test_an_owner_is_tied_to_the_accounts_it_has_filled():
    found = pairs_of(PROVENANCE, hold(life() + handed_out(), {}))
    assert {(OWNER, one) for one in WALLETS} == set(found)


def test_what_goes_back_was_not_handed():
    back = [(one, OWNER, 600) for one in WALLETS]
    assert pairs_of(PROVENANCE, hold(life() + handed_out() + back, {})) == {}


def test_who_gives_is_not_who_receives():
    """The smaller number may be the receiver: part of what it holds, not of the giver's."""
    facts = hold([(5, 3, 800)], {3: 1000, 5: 100})
    giver, receiver, part = handed(facts)
    assert (giver.tolist(), receiver.tolist(), part.tolist()) == ([5], [3], [0.8])


def test_most_of_it_or_it_says_nothing():
    assert pairs_of(PROVENANCE, hold(life() + handed_out(0.49), {})) == {}
    assert LEAST_PART == 0.5


def test_an_empty_account_holds_nothing_that_was_handed():
    empty = dict.fromkeys(WALLETS, 0.0)
    assert pairs_of(PROVENANCE, hold(life() + handed_out(), empty)) == {}


def test_without_amounts_nothing_is_said():
    moves = [(a, b, None) for a, b, _ in life() + handed_out()]
    assert pairs_of(PROVENANCE, hold(moves, {})) == {}


def test_what_everybody_gets_from_somebody_is_no_sign():
    """Among the poor many hold what came from one other; among the rich these alone do."""
    tiers = [RICH if one in WALLETS or one < 200 else POOR for one in range(ACCOUNTS)]
    gifts = [(399 - one % 7, one, 1100) for one in range(210, 390)]
    moves = life() + handed_out() + gifts
    assert set(pairs_of(PROVENANCE, hold(moves, {}, tiers))) == {(OWNER, one) for one in WALLETS}


def test_where_all_is_handed_over_wealth_is_no_sign_either():
    """Points that nobody keeps: what each holds came in yesterday, from one or another."""
    draw = np.random.default_rng(5)
    ends = draw.integers(0, ACCOUNTS, (900, 2))
    moves = [(int(a), int(b), int(draw.integers(300, 3000))) for a, b in ends if a != b]
    tiers = [RICH if one < 30 else POOR for one in range(ACCOUNTS)]
    assert pairs_of(PROVENANCE, hold(moves, {}, tiers)) == {}


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=12))
def test_a_tie_is_as_strong_as_so_large_a_part_is_rare(sent):
    """Each of the first has 1,000, and got something from one other at most; 400 more deals."""
    some = [(100 + place, place, amount) for place, amount in enumerate(sent) if amount]
    small = [(one, one + 1, 1) for one in range(100, 399)] + [(one, 399, 1) for one in range(150)]
    found = pairs_of(PROVENANCE, hold(some + small, {}))
    deals = len(some) + len(small)
    expected = {
        (place, 100 + place): log2(
            (deals + 1) / (sum(min(x, 1000) >= min(amount, 1000) for x in sent) + 1)
        )
        for place, amount in enumerate(sent)
        if amount >= 1000 * LEAST_PART
    }
    assert found == {
        pair: round(1000 * bits) for pair, bits in expected.items() if bits >= LEAST_BITS
    }


def test_it_says_who_handed_what_and_names_the_payments():
    facts = hold(handed_out(), {})
    members = np.array([OWNER, *WALLETS], np.int32)
    rows = pl.DataFrame(facts.transfers.collect().to_native())
    names = [f"m{number}" for number in members]
    inside = Inside(members, names, rows, holdings=[1000] * len(members))
    reason = PROVENANCE.reason(inside)
    assert reason.text == (
        "12 of these 13 accounts got at least 50% of what they hold from another of them: "
        "12 from m0"
    )
    assert reason.facts
    assert set(reason.facts) <= set(rows["uid"])
    assert PROVENANCE.ties(inside, [(3, 0), (3, 4)]) == ["m0 handed m3 90% of what it holds", ""]
