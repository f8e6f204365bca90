"""Relays, with matches counted by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from engine_helpers import dated_facts, pairs_of
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.family import Facts, Inside
from detectors.moves import Moves
from detectors.onward import matched
from detectors.relay import CLASS_RANKS, DETECTOR, FEWEST_BITS, surplus_bits

ACCOUNTS = 300
SENDER, MULE, TAKER = 0, 1, 2
Transfer = tuple[int, int, float, float]


def strangers(deals: int = 3000, days: float = 100, seed: int = 3) -> list[Transfer]:
    """Accounts from 10 on who deal at random."""
    draw = np.random.default_rng(seed)
    ends = draw.integers(10, ACCOUNTS, (deals, 2))
    amounts = np.round(np.exp(draw.normal(4, 1.2, deals)), 2) + 0.01
    times = days * draw.random(deals)
    return [
        (int(a), int(b), float(x), float(day))
        for (a, b), x, day in zip(ends, amounts, times, strict=True)
        if a != b
    ]


def passed_on(times: int = 10, kept: float = 0.97, rest: float = 1.0) -> list[Transfer]:
    """The sender pays the mule, which pays the taker; every time another amount."""
    found = []
    for time in range(times):
        amount = 20.0 * 1.3**time
        found.append((SENDER, MULE, amount, 9.0 * time))
        found.append((MULE, TAKER, kept * amount, 9.0 * time + rest))
    return found


def strengths(transfers: list[Transfer]) -> dict[tuple[int, int], float]:
    """Bits of each pair."""
    found = pairs_of(DETECTOR, dated_facts(ACCOUNTS, transfers))
    return {pair: strength / 1000 for pair, strength in found.items()}


def onward_of(transfers: list[Transfer]) -> list[int]:
    """What each transfer goes on as, transfers in the order of time; -1: nothing."""
    moves = Moves.of(dated_facts(ACCOUNTS, transfers).transfers)
    onward: list[int] = matched(ACCOUNTS, moves).tolist()
    return onward


def test_what_comes_in_goes_on_as_the_first_fitting_payment_out_and_only_once():
    transfers = [
        (0, 1, 100.0, 0.0),
        (3, 1, 100.0, 0.5),
        (1, 4, 91.0, 1.0),  # too little
        (1, 4, 101.0, 1.5),  # more than came in
        (1, 0, 99.0, 2.0),  # back to the first sender, so the second one's
        (1, 4, 92.0, 3.0),
    ]
    assert onward_of(transfers) == [5, 4, -1, -1, -1, -1]


@pytest.mark.parametrize(
    ("kept", "rest", "matches"),
    [(0.93, 1, 1), (1.0, 4.9, 1), (0.90, 1, 0), (1.02, 1, 0), (0.97, 5.1, 0), (0.97, -1, 0)],
)
def test_only_soon_later_and_nearly_the_amount_is_a_relay(kept, rest, matches):
    found = onward_of([(0, 1, 100.0, 10.0), (1, 2, 100.0 * kept, 10.0 + rest)])
    assert sum(place >= 0 for place in found) == matches


def test_a_mule_stands_out_on_both_sides_and_strangers_do_not():
    found = strengths(strangers() + passed_on())
    assert min(found[SENDER, MULE], found[MULE, TAKER]) > 20
    assert (SENDER, TAKER) not in found
    others = [bits for (a, _), bits in found.items() if a >= 10]
    assert max(others) < 9
    assert min(found.values()) >= FEWEST_BITS


def test_the_same_payments_backwards_say_nothing():
    backwards = [(a, b, x, 100.0 - day) for a, b, x, day in passed_on()]
    found = strengths(strangers() + backwards)
    assert not {(SENDER, MULE), (MULE, TAKER)} & set(found)


def test_strangers_match_as_often_as_backwards():
    crowd = strangers(6000)
    there = strengths(crowd)
    back = strengths([(a, b, x, 100.0 - day) for a, b, x, day in crowd])
    assert 0.6 < sum(bits > 1 for bits in there.values()) / sum(b > 1 for b in back.values()) < 1.6


def test_a_ring_ties_all_its_links():
    ring = [(step % 5, (step + 1) % 5, 500.0 * 0.99**step, 1.7 * step) for step in range(50)]
    found = strengths(strangers() + ring)
    assert all(found[tuple(sorted((one, (one + 1) % 5)))] > 20 for one in range(5))


def test_one_price_for_everything_is_no_sign():
    """Where all amounts are alike, what goes on is what comes in by itself."""
    priced = [(a, b, 10.0, day) for a, b, _, day in strangers(4000) + passed_on()]
    assert all(bits < 8 for bits in strengths(priced).values())
    assert strengths(priced).get((SENDER, MULE), 0) < 5


def test_who_does_everything_in_bursts_is_no_mule():
    """Thirty payments in and thirty out in the same four days, in any order."""
    draw = np.random.default_rng(5)
    burst = [
        (int(draw.integers(10, 40)), MULE, 100.0 + 5 * draw.random(), 50 + 4 * draw.random())
        for _ in range(30)
    ] + [
        (MULE, int(draw.integers(40, 70)), 97.0 + 5 * draw.random(), 50 + 4 * draw.random())
        for _ in range(30)
    ]
    found = strengths(strangers() + burst)
    assert all(bits < 8 for pair, bits in found.items() if MULE in pair)


def test_layers_are_conditional_on_contacts():
    facts = dated_facts(ACCOUNTS, strangers() + passed_on())
    found = pairs_of(DETECTOR, facts)
    a, b = (np.array([pair[end] for pair in found], np.int32) for end in (0, 1))
    values, counts = np.unique(list(found.values()), return_counts=True)
    table = DETECTOR.millibits(values.astype(np.int32), counts, ACCOUNTS)
    millibits = table[np.searchsorted(values, list(found.values()))]
    layers = DETECTOR.layers(facts, a, b, millibits)
    assert len(layers) == len(CLASS_RANKS)
    assert all(layer.rates is not None and not layer.tree for layer in layers)
    assert all(facts.contacts.include(layer.a, layer.b).all() for layer in layers)
    strongest = {
        (int(x), int(y)) for layer in layers[:3] for x, y in zip(layer.a, layer.b, strict=True)
    }
    assert {(SENDER, MULE), (MULE, TAKER)} <= strongest


@pytest.mark.parametrize(
    "transfers",
    [
        [],
        [(0, 1, None, 1.0)] * 5,
        [(0, 1, 5.0, None), (1, 2, 5.0, None)],
        [(0, 1, 5.0, 1.0)],
        [(0, 1, 1, 1.0), (1, 2, 1, 1.0)],
    ],
)
def test_facts_without_amounts_times_or_transfers_say_nothing(transfers):
    assert pairs_of(DETECTOR, dated_facts(3, transfers)) == {}


def test_an_account_alone_says_nothing():
    assert pairs_of(DETECTOR, dated_facts(1, [])) == {}


@examples(15)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(seed):
    transfers = strangers(600) + passed_on()
    order = np.random.default_rng(seed).permutation(len(transfers))
    shuffled = [transfers[place] for place in order]
    assert strengths(shuffled) == strengths(transfers)


def test_surplus_bits_of_hand_made_figures():
    # 4 log2(4 / 0.5) - 3.5 / ln 2 - log2(5) / 2
    assert surplus_bits(np.array([4]), np.array([0.5]))[0] == pytest.approx(5.7896, abs=1e-4)
    assert surplus_bits(np.array([1]), np.array([1.5]))[0] == 0


def inside_of(facts: Facts, members: list[int]) -> Inside:
    rows = pl.DataFrame(facts.transfers.collect().to_native())
    return Inside(np.array(members, np.int32), [f"account-{one}" for one in members], rows)


def test_reasons_name_the_largest_relay_and_its_facts():
    inside = inside_of(dated_facts(ACCOUNTS, passed_on(3)), [SENDER, MULE, TAKER])
    reason = DETECTOR.reason(inside)
    assert reason.text.startswith("3 payments that came to one of these 3 accounts")
    assert "account-0 paid account-1 on 2026-03-19" in reason.text
    assert "97.0% of it went on to account-2 24 hours later" in reason.text
    assert reason.facts[:1] == ["t4"]
    assert set(reason.facts) == {f"t{place}" for place in range(6)}
    first, none = DETECTOR.ties(inside, [(SENDER, MULE), (SENDER, TAKER)])
    assert first.startswith("3 payments between account-0 and account-1 ")
    assert none == ""


def test_what_members_pass_on_to_outsiders_is_said_as_that():
    inside = inside_of(dated_facts(ACCOUNTS, passed_on(3)), [SENDER, MULE])
    reason = DETECTOR.reason(inside)
    assert reason.text == (
        "3 payments among these 2 accounts came in from outside within 5 days before, or went on "
        "there within as many, at 92% to 100% of the amount"
    )
    assert set(reason.facts) == {"t0", "t2", "t4"}


def test_a_set_without_relays_says_so():
    inside = inside_of(dated_facts(ACCOUNTS, [(0, 1, 5.0, 1.0)]), [0, 1])
    assert DETECTOR.reason(inside).facts == []
