"""Evidence families on lazy frames, against figures worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from math import log2, sqrt

import numpy as np
import pytest
from engine_helpers import all_pairs, bits_of, facts_of, pairs_of
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.family import Family, detectors, per_account_checks, rank_millibits, wealth_tiers
from detectors.flow import DETECTOR as FLOW
from detectors.identifier import DETECTOR as IDENTIFIER
from detectors.links import DETECTOR as LINKS
from detectors.links import documented_bits, verdict_pairs


def exclusivity(between: float, one: float, other: float, transfers: int) -> int:
    """a_uv / sqrt(s_u s_v) x c / (c + 5) as thousandths of a logarithm to base 2."""
    return round(1000 * log2(between / sqrt(one * other) * transfers / (transfers + 5)))


def test_each_family_is_found_by_its_file():
    assert list(detectors()) == [
        "clique",
        "flow",
        "funding",
        "funnel",
        "identifier",
        "links",
        "lockstep",
        "onset",
        "provenance",
        "referral",
        "refund",
        "relay",
    ]
    assert list(per_account_checks()) == ["whale"]
    for name, family in detectors().items():
        assert isinstance(family, Family)
        assert family.name == name
        assert "isses" in family.help
        assert "looks like" in family.help or "look like" in family.help


def test_exclusive_is_what_two_move_between_them_over_what_each_moves_in_all():
    deals = [(0, 1, 30), (1, 0, 10), (0, 2, 60), (1, 3, 20)]
    assert pairs_of(FLOW, facts_of(4, deals)) == {
        (0, 1): exclusivity(40, 100, 60, 2),
        (0, 2): exclusivity(60, 100, 60, 1),
        (1, 3): exclusivity(20, 60, 20, 1),
    }


def test_who_deal_with_nobody_else_are_wholly_exclusive_whatever_the_currency():
    for unit in (Decimal("0.000000000000000001"), Decimal(1), Decimal(10) ** 16):
        deals = [(0, 1, 3 * unit)] * 5 + [(2, 3, unit)]
        found = pairs_of(FLOW, facts_of(4, deals))
        assert found == {(0, 1): -1000, (2, 3): exclusivity(1, 1, 1, 1)}


def test_one_large_gift_between_loners_is_weaker_than_many_transfers():
    gift = [(0, 1, 1_000_000)]
    many = [(2, 3, 10)] * 30
    found = bits_of(FLOW, facts_of(50, gift + many))
    assert found[2, 3] > found[0, 1] > 0


def test_direction_order_and_nothing_moved_do_not_matter():
    deals = [(5, 2, 7), (2, 5, 3), (5, 1, 4)]
    turned = [(b, a, x) for a, b, x in reversed(deals)]
    nothing = [(3, 4, 0), (5, 2, 0)]
    expected = pairs_of(FLOW, facts_of(6, deals))
    assert pairs_of(FLOW, facts_of(6, turned)) == expected
    assert pairs_of(FLOW, facts_of(6, deals + nothing)) == expected
    assert (3, 4) not in expected


def test_a_hubs_customers_are_no_closer_than_chance():
    """A hub's pairs are many and alike: counting alone takes their bits away."""
    hub = [(0, customer, 10) for customer in range(1, 101)] * 3
    couple = [(101, 102, 10)] * 30
    found = bits_of(FLOW, facts_of(1000, hub + couple))
    everyone = 1000 * 999 / 2
    assert found[101, 102] == round(1000 * log2(everyone / 1))
    assert {found[0, customer] for customer in range(1, 101)} == {
        round(1000 * log2(everyone / 101))
    }


@examples(50)
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 50)), min_size=1, max_size=12))
def test_bits_by_rank_are_the_share_of_pairs_at_least_as_strong(table):
    strengths = dict(table)
    values = np.array(sorted(strengths), np.int32)
    counts = np.array([strengths[value] for value in values.tolist()], np.int64)
    bits = rank_millibits(values, counts, 60)
    for value, found in zip(values.tolist(), bits.tolist(), strict=True):
        as_strong = sum(count for other, count in strengths.items() if other >= value)
        assert found == max(round(1000 * log2(60 * 59 / 2 / as_strong)), 0)


def test_tiers_of_wealth_by_rank_and_equals_share_the_better_one():
    import polars as pl

    held = pl.Series([Decimal(1000 - number) for number in range(1000)])
    tiers = wealth_tiers(held).tolist()
    assert [tiers.index(tier) for tier in range(5)] == [0, 4, 12, 40, 120]
    assert wealth_tiers(pl.Series([Decimal(5)] * 100)).tolist() == [0] * 100
    assert wealth_tiers(pl.Series([], dtype=pl.Decimal(38, 18))).tolist() == []


def test_a_value_says_the_more_the_fewer_hold_it_and_the_fewer_are_shared():
    accounts = 100
    everyone = accounts * 99 / 2
    seen = [(0, "device", "x"), (1, "device", "x")]
    seen += [(account, "device", "y") for account in (2, 3, 4)]
    seen += [(9, "device", "alone"), (0, "device", "x")]  # seen twice: still one holder
    alone = round(1000 * log2(everyone / 1))
    three = round(1000 * log2(everyone / (1 + 3)))
    assert pairs_of(IDENTIFIER, facts_of(accounts, sightings=seen)) == {
        (0, 1): alone,
        **dict.fromkeys(all_pairs([2, 3, 4]), three),
    }
    more = [*seen, (10, "device", "z"), (11, "device", "z")]
    assert pairs_of(IDENTIFIER, facts_of(accounts, sightings=more)) == {
        **dict.fromkeys([(0, 1), (10, 11)], round(1000 * log2(everyone / 2))),
        **dict.fromkeys(all_pairs([2, 3, 4]), round(1000 * log2(everyone / 5))),
    }


def test_kinds_are_counted_apart_and_a_pair_counts_its_strongest_value_only():
    accounts = 50
    everyone = accounts * 49 / 2
    seen = [(a, "device", "d") for a in (0, 1)]
    seen += [(a, "ip", f"i{n}") for n in range(3) for a in (2 * n, 2 * n + 1)]
    found = pairs_of(IDENTIFIER, facts_of(accounts, sightings=seen))
    assert found == {
        (0, 1): round(1000 * log2(everyone)),  # the device; its ip would say less
        (2, 3): round(1000 * log2(everyone / 3)),
        (4, 5): round(1000 * log2(everyone / 3)),
    }
    # equal text of another kind is another value
    apart = [(0, "device", "same"), (1, "card", "same")]
    assert pairs_of(IDENTIFIER, facts_of(accounts, sightings=apart)) == {}


@pytest.mark.parametrize(
    ("holders", "kind", "pairs"),
    [
        (12, "device", 66),  # all pairs
        (13, "device", 12),  # a chain
        (1000, "device", 999),
        (1001, "device", 0),  # public
        (8, "ip", 28),
        (9, "ip", 0),  # a public network
        (9, "address", 0),
        (9, "card", 36),
    ],
)
def test_many_holders_are_a_chain_or_say_nothing(holders, kind, pairs):
    seen = [(account, kind, "v") for account in range(3, 3 + holders)]
    found = pairs_of(IDENTIFIER, facts_of(2000, sightings=seen))
    assert len(found) == pairs
    if pairs == holders - 1:
        assert all(b == a + 1 for a, b in found)
    everyone = 2000 * 1999 / 2
    made = holders * (holders - 1) / 2
    assert set(found.values()) <= {max(round(1000 * log2(everyone / made)), 0)}


def test_links_join_once_and_unrelated_is_no_evidence():
    links = [
        (3, 1, "same_owner"),
        (1, 3, "same_owner"),
        (2, 2, "same_owner"),
        (4, 5, "unrelated"),
        (5, 4, "unrelated"),
    ]
    facts = facts_of(30, links=links)
    assert bits_of(LINKS, facts) == {(1, 3): round(1000 * documented_bits(30))}
    apart = verdict_pairs(facts, "unrelated").collect().to_native()
    assert apart.select("a", "b").rows() == [(4, 5)]


def test_a_declared_link_outweighs_any_other_pair():
    seen = [(0, "device", "x"), (1, "device", "x")]
    facts = facts_of(40, [(0, 1, 5)] * 50, seen, [(2, 3, "same_owner")])
    others = [*bits_of(FLOW, facts).values(), *bits_of(IDENTIFIER, facts).values()]
    assert bits_of(LINKS, facts)[2, 3] > max(others)


def test_no_facts_give_no_pairs():
    for accounts in (0, 1, 5):
        for family in detectors().values():
            assert pairs_of(family, facts_of(accounts)) == {}
