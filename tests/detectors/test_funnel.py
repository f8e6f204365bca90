"""Funnels: feeders of one hub, against figures worked out by hand."""

from __future__ import annotations

from math import log2

import numpy as np
import polars as pl
import pytest
from engine_helpers import facts_of, pairs_of
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.contacts import MOST_CONTACTS
from detectors.family import Family, Inside
from detectors.funnel import DETECTOR as FUNNEL
from detectors.stars import FEWEST_CHOOSING, Choices, _preferred, bits_a_tie
from detectors.transfers import rows_by

HUB = 0
FEEDERS = range(1, 13)
ACCOUNTS = 400


def market(seed: int = 5, people: range = range(20, 400), deals: int = 3000):
    """Strangers who pay six others each, evenly."""
    draw = np.random.default_rng(seed)
    friends = draw.choice(people, (ACCOUNTS, 6))
    return [
        (one, int(friends[one, draw.integers(6)]), int(draw.integers(1, 100)))
        for one in draw.choice(people, deals).tolist()
    ]


def funnel():
    """Twelve send the hub two thirds of what they send, and live a life beside it."""
    fed = [(one, HUB, 50) for one in FEEDERS for _ in range(10)]
    life = [(one, 20 + 5 * one + place, 50) for one in FEEDERS for place in range(5)]
    return fed + life


def private(moves):
    return [(a, b, x) for a, b, x in moves if a != b]


def test_it_is_a_family_and_says_what_it_misses():
    assert isinstance(FUNNEL, Family)
    assert "isses" in FUNNEL.help
    assert "looks like" in FUNNEL.help


def bits_of(choices):
    """Bits of each tie with each of a hundred accounts."""
    return bits_a_tie(choices, *rows_by(choices.hub, 100))


def test_a_hubs_surprise_is_shared_by_those_who_chose_it():
    """Half of twenty chose it where chance has one in ten."""
    hub = np.zeros(20, np.int32)
    account = np.arange(1, 21, dtype=np.int32)
    half = np.arange(20) < 10
    bits = bits_of(Choices(account, hub, np.full(20, 0.1), half))
    whole = 10 * log2(0.5 / 0.1) + 10 * log2(0.5 / 0.9) - log2(11) / 2 - log2(100)
    assert bits[0] == pytest.approx(whole / 10)
    assert not bits[1:].any()


def test_who_has_no_other_choice_says_nothing_by_it():
    """Ten of twelve choose it of ten each; forty more who deal with nobody else change little."""
    few, forced = np.arange(52) < 10, np.arange(52) >= 12
    chance = np.where(forced, 1.0, 0.1)
    chosen = few | forced
    hub, account = np.zeros(52, np.int32), np.arange(1, 53, dtype=np.int32)
    alone = bits_of(Choices(account[:12], hub[:12], chance[:12], chosen[:12]))[0]
    beside = bits_of(Choices(account, hub, chance, chosen))[0]
    assert alone * 10 == pytest.approx(beside * 50, abs=log2(51 / 11) / 2 + 1e-9)


@given(
    st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=4, max_size=30),
)
def test_the_likeliest_preference_is_the_best_of_all(rows):
    """No other odds ratio explains the choices better."""
    chance, chosen = (np.array(column) for column in zip(*rows, strict=True))
    starts = np.array([0, len(chance)])
    bits, k = _preferred(starts, np.arange(len(chance)), chance, chosen)
    assert k[0] == chosen.sum()
    if k[0] < FEWEST_CHOOSING or k[0] <= chance.sum():
        assert bits[0] == 0
        return
    for odds in np.exp(np.linspace(0, 19, 60)):
        preferred = odds * chance / (1 - chance + odds * chance)
        said = np.where(chosen, preferred / chance, (1 - preferred) / (1 - chance))
        assert np.log2(said).sum() <= bits[0] + 1e-6


def test_feeders_are_tied_to_their_hub_and_to_nobody_else():
    found = pairs_of(FUNNEL, facts_of(ACCOUNTS, private(funnel() + market())))
    assert {(HUB, one) for one in FEEDERS} <= set(found)
    assert len({found[HUB, one] for one in FEEDERS}) == 1
    assert not [pair for pair in found if HUB not in pair]


def test_one_large_gift_makes_no_feeder():
    """The hub gets nearly all the amount, but one payment in six."""
    life = [(one, 20 + 5 * one + place, 1) for one in FEEDERS for place in range(5)]
    gifts = [(one, HUB, 10_000) for one in FEEDERS]
    assert not any(HUB in pair for pair in pairs_of(FUNNEL, facts_of(400, gifts + life)))


def test_what_one_pays_out_to_many_is_no_evidence():
    turned = [(b, a, x) for a, b, x in funnel()]
    found = pairs_of(FUNNEL, facts_of(ACCOUNTS, private(turned + market())))
    assert not any(HUB in pair for pair in found)


def test_an_unknown_shop_with_many_customers_says_little_or_nothing():
    """Its customers also pay others: the more they are, the more such is expected of a hub."""
    draw = np.random.default_rng(3)
    shop = ACCOUNTS - 1
    bought = [(int(one), shop, 40) for one in draw.choice(range(20, 390), 900)]
    found = pairs_of(FUNNEL, facts_of(ACCOUNTS, private(funnel() + market() + bought)))
    strongest = max((bits for pair, bits in found.items() if shop in pair), default=0)
    assert strongest < 0.5 * found[HUB, 1]


def test_a_public_account_is_no_hub():
    many = [(one, HUB, 5) for one in range(1, MOST_CONTACTS + 100) for _ in range(3)]
    assert pairs_of(FUNNEL, facts_of(MOST_CONTACTS + 200, many)) == {}


@pytest.mark.parametrize("accounts", [0, 1, 3])
def test_nothing_moved_is_no_evidence(accounts):
    facts = facts_of(accounts)
    assert pairs_of(FUNNEL, facts) == {}
    nothing = np.empty(0, np.int32)
    for layer in FUNNEL.layers(facts, nothing, nothing, nothing):
        assert len(layer.a) == 0


def test_without_amounts_the_payments_count():
    ones = [(a, b, 1) for a, b, _ in private(funnel() + market())]
    nulls = [(a, b, None) for a, b, _ in ones]
    assert {(HUB, one) for one in FEEDERS} <= set(pairs_of(FUNNEL, facts_of(ACCOUNTS, ones)))
    assert pairs_of(FUNNEL, facts_of(ACCOUNTS, nulls)) == {}


@examples(20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random):
    moves = private(funnel() + market(deals=600))
    expected = pairs_of(FUNNEL, facts_of(ACCOUNTS, moves))
    random.shuffle(moves)
    assert pairs_of(FUNNEL, facts_of(ACCOUNTS, moves)) == expected


def test_where_hardly_any_member_feeds_a_hub_it_counts_none():
    facts = facts_of(ACCOUNTS, funnel())
    rows = pl.DataFrame(facts.transfers.collect().to_native())
    reason = FUNNEL.reason(Inside(np.array([HUB, *FEEDERS[:2]], np.int32), ["a", "b", "c"], rows))
    assert (
        reason.text == "Fewer than 3 of these 3 accounts feed the same of them; others feed it too"
    )


def test_it_names_the_hub_its_feeders_and_the_payments():
    facts = facts_of(ACCOUNTS, funnel())
    members = np.array([HUB, *FEEDERS], np.int32)
    rows = pl.DataFrame(facts.transfers.collect().to_native())
    inside = Inside(members, [f"m{number}" for number in members], rows)
    reason = FUNNEL.reason(inside)
    assert reason.text == (
        "12 of these 13 accounts send at least 15% of their payments, and of the points they "
        "send, to the same (most of them 50%): 12 to m0"
    )
    fed = set(rows.filter(pl.col("dst") == HUB)["uid"])
    assert reason.facts
    assert set(reason.facts) <= fed
    assert FUNNEL.ties(inside, [(0, 3), (3, 4)]) == [
        "m3 sends 67% of its points to m0, which 12 members feed",
        "",
    ]
