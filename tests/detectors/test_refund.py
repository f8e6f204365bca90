"""Refunds through shops, with matches counted by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from engine_helpers import dated_facts, pairs_of
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.family import Inside
from detectors.refund import DETECTOR, FEWEST_BITS

ACCOUNTS = 400
SHOPS = (0, 1, 2)
BUYER, REFUNDED = 10, 11
Transfer = tuple[int, int, float, float]


def shopping(deals: int = 3000, refunds: int = 150, seed: int = 4) -> list[Transfer]:
    """People buy in three shops over 100 days; some get their own money back."""
    draw = np.random.default_rng(seed)
    people = draw.integers(20, ACCOUNTS, deals).tolist()
    shops = draw.integers(0, 3, deals).tolist()
    amounts = (np.round(np.exp(draw.normal(4, 1.2, deals)), 2) + 0.01).tolist()
    days = (95 * draw.random(deals)).tolist()
    bought = list(zip(people, shops, amounts, days, strict=True))
    back = [(shop, person, x, day + 3) for person, shop, x, day in bought[:refunds]]
    return bought + back


def passed_through(times: int = 6, kept: float = 0.97, rest: float = 2.0) -> list[Transfer]:
    """The buyer pays shop 0; the other gets the refund. Every time another amount."""
    found = []
    for time in range(times):
        amount = 15.0 * 1.4**time
        found.append((BUYER, 0, amount, 12.0 * time + 5))
        found.append((0, REFUNDED, kept * amount, 12.0 * time + 5 + rest))
    return found


def strengths(transfers: list[Transfer], institutions: tuple[int, ...] = SHOPS) -> dict:
    found = pairs_of(DETECTOR, dated_facts(ACCOUNTS, transfers, institutions))
    return {pair: strength / 1000 for pair, strength in found.items()}


def test_repeated_refunds_to_another_stand_out():
    found = strengths(shopping() + passed_through())
    assert found[BUYER, REFUNDED] > 15
    assert all(bits < 10 for pair, bits in found.items() if pair != (BUYER, REFUNDED))
    assert min(found.values()) >= FEWEST_BITS


@pytest.mark.parametrize(("kept", "rest"), [(0.85, 2), (1.05, 2), (0.97, 5.5), (0.97, -2)])
def test_only_soon_later_and_nearly_the_amount_is_a_refund(kept, rest):
    assert (BUYER, REFUNDED) not in strengths(shopping() + passed_through(kept=kept, rest=rest))


def test_who_gets_back_what_he_paid_himself_is_nobodys_partner():
    own = [
        row
        for a, b, x, day in passed_through()
        for row in ((a, b, x, day), *([(REFUNDED, 0, x, day)] if a == BUYER else []))
    ]
    assert (BUYER, REFUNDED) not in strengths(shopping() + own)


def test_a_single_refund_is_chance():
    assert (BUYER, REFUNDED) not in strengths(shopping() + passed_through(times=1))


def test_one_price_ties_nobody():
    """A shop where everything costs the same takes much back: each refund fits many buyers."""
    priced = [(a, b, 10.0, day) for a, b, _, day in shopping(3000, 600)]
    assert strengths(priced) == {}
    few = [(a, b, 10.0, day) for a, b, _, day in shopping(400, 100)]
    assert all(bits < 8 for bits in strengths(few).values())


def test_between_private_accounts_it_is_no_refund():
    """What goes through a private account is a relay."""
    assert strengths(passed_through(), ()) == {}


def test_layers_are_forests_that_strangers_share_by_how_much_they_shop():
    facts = dated_facts(ACCOUNTS, shopping() + passed_through(), SHOPS)
    pair = np.array([BUYER], np.int32), np.array([REFUNDED], np.int32)
    layers = DETECTOR.layers(facts, *pair, np.array([20_000], np.int32))
    assert all(layer.tree for layer in layers)
    (holding,) = [layer for layer in layers if len(layer.a)]
    assert holding.weights[list(SHOPS)].tolist() == [0, 0, 0]
    # the sum over all pairs of weights is the number of ties, a little less for each alone
    assert holding.weights.sum() ** 2 / 2 == pytest.approx(1)
    assert holding.weights[BUYER] > 0


@pytest.mark.parametrize(
    "transfers", [[], [(20, 0, None, 1.0)], [(20, 0, 5.0, None), (0, 21, 5.0, None)]]
)
def test_facts_without_amounts_times_or_transfers_say_nothing(transfers):
    assert pairs_of(DETECTOR, dated_facts(ACCOUNTS, transfers, SHOPS)) == {}


def test_an_account_alone_says_nothing():
    assert pairs_of(DETECTOR, dated_facts(1, [])) == {}


@examples(10)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(seed):
    transfers = shopping(500, 60) + passed_through()
    order = np.random.default_rng(seed).permutation(len(transfers))
    shuffled = [transfers[place] for place in order]
    assert strengths(shuffled) == strengths(transfers)


def test_reasons_name_the_largest_refund_and_its_facts():
    facts = dated_facts(ACCOUNTS, passed_through(3), SHOPS)
    rows = pl.DataFrame(facts.all_transfers.collect().to_native())
    inside = Inside(np.array([BUYER, REFUNDED], np.int32), ["buyer", "other"], rows)
    reason = DETECTOR.reason(inside)
    assert reason.text.startswith("3 times one of these 2 accounts paid a shop")
    assert "buyer paid on 2026-03-30, and 97.0% of it went to other on 2026-04-01" in reason.text
    assert set(reason.facts) == {f"t{place}" for place in range(6)}
    (sentence,) = DETECTOR.ties(inside, [(BUYER, REFUNDED)])
    assert sentence.startswith("buyer paid shops")
    assert sentence.endswith("3 times")
