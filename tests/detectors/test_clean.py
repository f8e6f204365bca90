"""What is taken out before evidence: contracts, and nothing that is none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from engine_helpers import lazy
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.clean import Exonerated, _day_of_month, clean

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
Deal = tuple[int, int, Any, float | None]
"""Sender, receiver, amount, day (None: unknown)."""


def frame(deals: list[Deal]) -> pl.DataFrame:
    rows = [
        {
            "src": src,
            "dst": dst,
            "amount": amount,
            "at": None if day is None else BEGIN + timedelta(days=day),
        }
        for src, dst, amount, day in deals
    ]
    return pl.DataFrame(lazy("transfers", rows).collect().to_native())


def strangers(count: int = 400, accounts: int = 100) -> list[Deal]:
    """Deals of all amounts on all days, so that none is common."""
    draw = np.random.default_rng(5)
    return [
        (40 + int(a), 140 + int(b), 1000 + place, float(day))
        for place, (a, b, day) in enumerate(
            zip(
                draw.integers(0, accounts, count),
                draw.integers(0, accounts, count),
                180 * draw.random(count),
                strict=True,
            )
        )
    ]


def taken(deals: list[Deal]) -> dict[tuple[int, int, str], int]:
    """What is taken out of some deals among strangers: payments by pair and reason."""
    everything = frame(deals + strangers())
    kept, exonerated = clean(everything, 300)
    found = {
        (src, dst, reason): payments for src, dst, reason, payments in exonerated.payments.rows()
    }
    assert len(kept) + sum(found.values()) == len(everything)
    assert kept.equals(everything.join(kept, on="uid", how="semi", maintain_order="left"))
    return found


@pytest.mark.parametrize(
    ("equal", "others", "out"),
    [(4, 0, 4), (4, 2, 4), (4, 3, 0), (3, 0, 0), (6, 4, 6), (12, 9, 0)],
)
def test_the_same_amount_again_and_again_is_a_standing_order(equal, others, out):
    days = iter([3.0, 4.5, 9.0, 11.0, 30.0, 31.0, 44.0, 60.0, 61.0, 71.0, 99.0, 100.0] * 2)
    deals = [(0, 1, 25, next(days)) for _ in range(equal)]
    deals += [(0, 1, 7 + number, next(days)) for number in range(others)]
    deals += [(1, 0, 5 + number, float(number)) for number in range(9)]  # the other way
    assert taken(deals) == ({(0, 1, "standing order"): out} if out else {})


def test_an_amount_that_everybody_pays_is_no_contract():
    """Points without amounts, or one fixed price: equal amounts mean nothing."""
    every = [(a, b, 1, None) for a, b, _, _ in strangers(2000, 10)]
    kept, exonerated = clean(frame(every), 300)
    assert len(kept) == 2000
    assert exonerated.payments.is_empty()


@pytest.mark.parametrize(
    ("days", "out"),
    [
        ([0, 7, 14, 21], True),
        ([0, 7.3, 14.1, 21, 27.8], True),
        ([3, 17, 31, 45], True),
        ([24, 55, 83, 114], True),  # the 25th of each month
        ([0, 7, 14], False),
        ([0, 7, 14, 21, 24, 26], False),
        ([0, 5, 11, 18, 26], False),
        ([0, 0, 0, 0, 0], False),
    ],
)
def test_payments_at_one_interval_are_a_series(days, out):
    deals = [(0, 1, 10 + number, float(day)) for number, day in enumerate(days)]
    assert taken(deals) == ({(0, 1, "series"): len(days)} if out else {})


def batches(days: list[float], receivers: int, amount: Any = None) -> list[Deal]:
    """One account pays receivers within an hour on some days, changing amounts by default."""
    return [
        (0, 1 + number, amount or 100 + 37 * place + number, day + number / 24 / receivers)
        for place, day in enumerate(days)
        for number in range(receivers)
    ]


@pytest.mark.parametrize(
    ("days", "receivers", "out"),
    [
        ([24.0, 55.0, 83.0], 8, True),  # the 25th
        ([24.0, 55.0, 83.0], 7, False),
        ([24.0, 55.0], 8, False),
        ([1.0, 8.0, 22.0, 29.0], 8, True),  # Fridays
        ([1.0, 8.0, 22.0, 29.0, 31.0], 8, True),  # one of five on a Sunday
        ([1.0, 8.0, 22.0, 30.0], 8, False),
        ([2.0, 9.4, 17.0, 26.0, 34.0, 45.0], 30, False),  # waves
    ],
)
def test_many_paid_within_hours_on_paydays_are_a_payroll(days, receivers, out):
    found = taken(batches(days, receivers))
    if out:
        assert found == {(0, 1 + n, "payroll"): len(days) for n in range(receivers)}
    else:
        assert not any(reason == "payroll" for _, _, reason in found)


def test_the_same_people_paid_the_same_amounts_are_a_payroll_on_any_two_days():
    wages = [(0, 1 + n, 1000 + n, day + n / 500) for day in (3.0, 40.0) for n in range(10)]
    assert taken(wages) == {(0, 1 + n, "payroll"): 2 for n in range(10)}
    once = [deal for deal in wages if (deal[3] or 0) < 30]
    assert taken(once) == {}
    twice_a_day = [(src, dst, amount, 3.0) for src, dst, amount, _ in wages]
    assert taken(twice_a_day) == {}  # one batch


def test_a_payer_of_wages_may_do_other_things_as_well():
    wages = batches([24.0, 55.0, 83.0], 10)
    ordinary = [(0, 1, 7, 5.0), (0, 99, 8, 70.0), (3, 0, 9, 24.0)]
    assert taken(wages + ordinary) == {(0, 1 + n, "payroll"): 3 for n in range(10)}


def test_those_who_pay_members_are_named_the_most_first():
    _, exonerated = clean(frame(batches([24.0, 55.0, 83.0], 10) + strangers()), 300)
    members = np.array([2, 3, 4, 50], np.int32)
    assert exonerated.payers(members).rows() == [(0, "payroll", 3)]
    assert exonerated.among(members)["payments"].to_list() == [3, 3, 3]
    assert Exonerated().payers(members).is_empty()


def test_absent_amounts_times_and_transfers_are_no_error():
    without_times = [(0, 1, 5, None)] * 5 + [(0, 9 + n, 3 + n, None) for n in range(20)]
    assert taken(without_times) == {(0, 1, "standing order"): 5}
    without_amounts = [(a, b, None, day) for a, b, _, day in batches([24.0, 55.0, 83.0], 10)]
    assert taken(without_amounts) == {(0, 1 + n, "payroll"): 3 for n in range(10)}
    assert taken([(0, 1, None, 3.0)] * 9) == {}
    kept, exonerated = clean(frame([]), 1)
    assert kept.is_empty()
    assert exonerated.payments.is_empty()


@examples(25)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random):
    deals = [(7, 8, 25, float(day)) for day in (0, 3, 9, 20)]
    deals += [(8, 9, 3 + day, 7.0 * day) for day in range(5)]
    deals += batches([24.0, 55.0, 83.0], 9) + strangers(100)
    everything = frame(deals)
    order = list(range(len(deals)))
    random.shuffle(order)
    kept, exonerated = clean(everything, 300)
    shuffled, same = clean(everything[order], 300)
    assert exonerated.payments.equals(same.payments)
    assert set(exonerated.payments["reason"]) == {"standing order", "series", "payroll"}
    assert shuffled.sort("uid").equals(kept.sort("uid"))


@examples(200)
@given(st.dates(date(1970, 1, 1), date(2200, 12, 31)))
def test_the_day_of_the_month_is_that_of_the_calendar(day):
    assert _day_of_month((day - date(1970, 1, 1)).days) == day.day
