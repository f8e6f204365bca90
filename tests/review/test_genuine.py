"""Genuine purchases: worlds counted by hand, and what holds of any."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score_towns import BEGIN, Ground, Town, numbers

from review.genuine import MIXING, ORIGINS, UNEXPLAINED, _first_in_first_out, _pro_rata
from review.movements import FROM_FELLOW, RECEIVED, SENT, TO_FELLOW, _put_in_order
from review.population import Population

BOTH = sorted(MIXING)


def held(town: Town, ground: Ground, account: str, mixing: str, **more: Any) -> dict[str, float]:
    """What an account holds by origin, without those of which it holds nothing."""
    groups = more.pop("groups", {})
    found = town.settle(ground, **more)
    by_number = {name: numbers(found, *who) for name, who in groups.items()}
    parts = Population(found, by_number, mixing).genuine.of(numbers(found, account))["held"]
    return {origin: amount for origin, amount in parts.items() if amount}


@pytest.mark.parametrize("mixing", BOTH)
def test_what_was_bought_and_kept_is_genuine(ground: Ground, mixing: str) -> None:
    town = Town()
    town.hold(100, "a")
    town.buy("a", 60, receipt="r1")
    town.buy("a", 40)
    assert held(town, ground, "a", mixing) == {"with_receipt": 60, "without_receipt": 40}


@pytest.mark.parametrize(
    ("mixing", "expected"),
    [
        ("pro_rata", {"with_receipt": 30, "received": 30}),
        ("first_in_first_out", {"received": 60}),
    ],
)
def test_how_points_mix(ground: Ground, mixing: str, expected: dict[str, float]) -> None:
    town = Town()
    town.buy("a", 60, day=1, receipt="r1")
    town.pay("b", "a", 60, day=2)
    town.pay("a", "c", 60, day=3)
    town.hold(60, "a")
    assert held(town, ground, "a", mixing) == expected


@pytest.mark.parametrize(
    ("mixing", "expected"),
    [
        ("pro_rata", {"with_receipt": 50, "received": 60}),
        ("first_in_first_out", {"with_receipt": 50, "received": 60}),
    ],
)
def test_what_comes_later_does_not_leave_earlier(
    ground: Ground, mixing: str, expected: dict[str, float]
) -> None:
    town = Town()
    town.buy("a", 110, day=1, receipt="r1")
    town.pay("a", "c", 60, day=2)
    town.pay("b", "a", 60, day=3)
    town.hold(110, "a")
    assert held(town, ground, "a", mixing) == expected


@pytest.mark.parametrize(
    ("mixing", "expected"),
    [
        ("pro_rata", {"with_receipt": 40, "unexplained": 40}),
        ("first_in_first_out", {"with_receipt": 80}),
    ],
)
def test_what_flows_do_not_explain_was_there_first(
    ground: Ground, mixing: str, expected: dict[str, float]
) -> None:
    town = Town()
    town.buy("a", 80, day=1, receipt="r1")
    town.pay("a", "c", 80, day=2)
    town.hold(80, "a")
    # 80 must have been there before
    assert held(town, ground, "a", mixing) == expected


@pytest.mark.parametrize("mixing", BOTH)
def test_holdings_without_flows_are_unexplained(ground: Ground, mixing: str) -> None:
    town = Town()
    town.hold(7, "a", "b")
    town.buy("b", 7)
    assert held(town, ground, "a", mixing) == {"unexplained": 7}


@pytest.mark.parametrize(
    ("mixing", "expected"),
    [
        ("pro_rata", {"with_receipt": 10, "received": 10}),
        ("first_in_first_out", {"received": 20}),
    ],
)
def test_who_holds_less_than_flows_say(
    ground: Ground, mixing: str, expected: dict[str, float]
) -> None:
    town = Town()
    town.buy("a", 50, day=1, receipt="r1")
    town.pay("b", "a", 50, day=2)
    town.hold(20, "a")
    assert held(town, ground, "a", mixing) == expected


@pytest.mark.parametrize("mixing", BOTH)
def test_what_goes_round_in_the_group_is_circular(ground: Ground, mixing: str) -> None:
    town = Town()
    town.buy("a", 100, day=1, receipt="r1")
    town.pay("a", "b", 100, day=2)
    town.pay("b", "c", 100, day=3)
    town.pay("c", "a", 130, day=4)
    town.hold(130, "a")
    apart = held(town, ground / "apart", "a", mixing)
    assert apart == {"received": 130}
    group = {"g": ["a", "b", "c"]}
    within = held(town, ground / "within", "a", mixing, groups=group)
    assert within == {"circular": 100, "received": 30}


@pytest.mark.parametrize("mixing", BOTH)
def test_two_groups_are_not_one(ground: Ground, mixing: str) -> None:
    town = Town()
    town.buy("a", 50, day=1)
    town.pay("a", "b", 50, day=2)
    town.pay("c", "a", 50, day=3)
    town.hold(50, "a")
    groups = {"g": ["a", "b"], "h": ["b", "c"]}
    assert held(town, ground, "a", mixing, groups=groups) == {"received": 50}


@pytest.mark.parametrize("mixing", BOTH)
def test_a_purchase_that_a_fellow_delivers_is_circular(ground: Ground, mixing: str) -> None:
    town = Town()
    town.buy("a", 50, day=1, receipt="r1")
    town.pay("b", "a", 50, day=1.2)
    town.hold(50, "a")
    found = town.settle(ground)
    whole = Population(found, {"g": numbers(found, "a", "b")}, mixing).genuine.of([0])
    assert whole["held"]["circular"] == 50
    assert whole["bought"] == {"with_receipt": 0, "without_receipt": 0, "circular": 50}
    assert whole["genuine"] == 0


@pytest.mark.parametrize("mixing", BOTH)
@pytest.mark.parametrize("day", [1.0, None])
def test_a_delivery_by_the_issuer_does_not_count_twice(
    ground: Ground, mixing: str, day: float | None
) -> None:
    town = Town()
    town.buy("a", 50, day, receipt="r1")
    town.buy("a", 50, day, receipt="r2")
    town.pay("issuer", "a", 50, day)
    town.pay("issuer", "a", 50, day)
    town.pay("issuer", "a", 30, day)
    found = held(town, ground, "a", mixing, issuers=["issuer"], holdings_rule="replayed")
    assert found == {"with_receipt": 100, "received": 30}


@pytest.mark.parametrize("mixing", BOTH)
def test_a_receipt_counts_for_who_used_it_first(ground: Ground, mixing: str) -> None:
    town = Town()
    town.hold(10, "a", "b")
    town.buy("b", 10, day=1, receipt="r1")
    town.buy("a", 10, day=2, receipt="r1")
    assert held(town, ground / "a", "a", mixing) == {"without_receipt": 10}
    assert held(town, ground / "b", "b", mixing) == {"with_receipt": 10}


def test_shares_side_by_side(ground: Ground) -> None:
    town = Town()
    town.hold(60, "a")
    town.hold(20, "b", "c")
    town.buy("a", 15, receipt="r1")
    town.buy("b", 20)
    town.buy("c", 15, receipt="r2")
    found = town.settle(ground)
    genuine = Population(found, {"g": numbers(found, "a", "b")}).genuine
    group = genuine.of(numbers(found, "a", "b"))
    assert (group["holdings"], group["share"], group["genuine"]) == ("80", 0.8, 35)
    assert (group["genuine_share"], group["genuine_part"]) == (0.7, 35 / 80)
    assert group["text"] == (
        "Holds 80.00 % of all points and 70.00 % of the genuine ones; 43.8 % of the holdings "
        "come from own genuine purchases (pro rata)."
    )
    strict = Population(found, receipts_needed=True).genuine
    assert strict.of(numbers(found, "a", "b"))["genuine_share"] == 0.5


def test_nobody_holds_or_buys(ground: Ground) -> None:
    town = Town()
    town.pay("a", "b", day=None)
    found = town.settle(ground)
    document = Population(found).genuine.of([0, 1])
    assert (document["share"], document["genuine_share"], document["genuine_part"]) == (
        0,
        None,
        None,
    )
    assert document["text"] == "Holds nothing."


def test_an_appeal_adds_receipts_and_purchases(ground: Ground) -> None:
    town = Town()
    town.hold(100, "a")
    town.buy("a", 30, day=1)
    town.buy("a", 10, day=2)
    found = town.settle(ground)
    brought = pl.DataFrame(
        {
            "account": [0, 0],
            "amount": [Decimal(30), Decimal(25)],
            "at": [BEGIN + timedelta(days=1), None],
            "receipt": ["r1", "r2"],
        }
    )
    before = Population(found).genuine.of([0])["held"]
    after = Population(found, added=brought).genuine.of([0])["held"]
    assert (before["with_receipt"], before["without_receipt"]) == (0, 40)
    assert (after["with_receipt"], after["without_receipt"]) == (55, 10)


@given(
    st.lists(st.tuples(*[st.integers(0, 3)] * 5), max_size=40),
    st.sampled_from((1, 12)),
    st.booleans(),
)
def test_movements_are_in_order_whatever_order_they_come_in(
    rows: list[tuple[int, ...]], times: int, stepped: bool
) -> None:
    table = np.array(rows * times, np.int64).reshape(-1, 5)  # of few and of many an account
    table = table[np.argsort(table[:, 0], kind="stable")]
    if not stepped:
        table[:, 2] = 0
    account, at, step, sort, amount = (column.copy() for column in table.T)
    starts = np.concatenate(([0], np.cumsum(np.bincount(account, minlength=4))))
    amounts, sorts = amount.astype(np.float64), sort.astype(np.int8)
    _put_in_order(starts, at, step if stepped else step[:0], amounts, sorts)
    expected = [(one[0], one[1], *one[3:]) for one in sorted(table.tolist())]
    assert list(zip(account, at, sorts, amounts, strict=True)) == expected


def test_steps_are_order_without_dates() -> None:
    amount = np.array([60.0, 60.0, 60.0])
    sort = np.array([0, RECEIVED, SENT], np.int8)
    parts = _first_in_first_out(np.array([0, 3]), amount, sort, np.array([60.0]))
    assert parts[0].tolist() == [0, 0, 0, 60, 0]


MOVEMENTS = st.lists(
    st.tuples(st.integers(0, TO_FELLOW), st.integers(0, 1000).map(float)), max_size=30
)


def parts_of(rows: list[tuple[int, float]], holding: float) -> list[Any]:
    """The parts by both rules."""
    starts = np.array([0, len(rows)], np.int64)
    amount = np.array([amount for _, amount in rows], np.float64)
    sort = np.array([sort for sort, _ in rows], np.int8)
    given_ = (starts, amount, sort, np.array([holding]))
    return [_pro_rata(*given_)[0], _first_in_first_out(*given_)[0]]


@given(MOVEMENTS, st.integers(0, 5000).map(float))
def test_parts_add_up_to_holdings(rows: list[tuple[int, float]], holding: float) -> None:
    for parts in parts_of(rows, holding):
        assert len(parts) == len(ORIGINS)
        assert (parts >= 0).all()
        assert parts.sum() == pytest.approx(holding)
        for origin in range(RECEIVED):
            came = sum(
                amount
                for sort, amount in rows
                if sort == origin or (origin == 2 and sort == FROM_FELLOW)
            )
            assert parts[origin] <= came * (1 + 1e-9) + 1e-9


@given(MOVEMENTS, st.integers(0, 3), st.integers(0, 5000).map(float))
def test_rules_agree_where_there_is_one_origin(
    rows: list[tuple[int, float]], only: int, holding: float
) -> None:
    alike = [(only if sort < SENT else SENT, amount) for sort, amount in rows]
    balance = np.cumsum([-amount if sort == SENT else amount for sort, amount in alike])
    if len(alike) and (balance >= 0).all() and balance[-1] >= holding:
        for parts in parts_of(alike, holding):
            assert parts[only] == pytest.approx(holding)
            assert parts[UNEXPLAINED] == pytest.approx(0)
