"""Holdings by day say of each day what a snapshot of its last moment says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from facts_by_hand import load
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from long_form import examples

from graph import by_day as module
from graph.by_day import ByDay, by_day
from graph.errors import UserError
from graph.snapshot import snapshot
from graph.store import HOLDINGS_RULES, Store, init_store

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
ZONES = [ZoneInfo("UTC"), ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")]
ACCOUNTS = ["ann", "bob", "cyd", "dan", "mint"]


def at_end(found: ByDay, day: date) -> tuple[dict[str, Decimal], Decimal | None]:
    """What every account holds at the end of a day (0 left out), and the base."""
    names = dict(found.store.accounts().select("ix", "account").collect().iter_rows())
    held = (
        found.changes()
        .filter(pl.col("day") <= day)
        .group_by("ix", maintain_order=True)
        .agg(pl.col("amount").last())
    )
    amounts = {names[ix]: amount for ix, amount in held.iter_rows() if amount}
    bases = found.base.filter(pl.col("day") <= day)["amount"]
    return amounts, bases[-1] if len(bases) else None


def by_snapshot(store: Store, zone: ZoneInfo, day: date) -> tuple[dict[str, Decimal], Decimal]:
    end = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=1)
    taken = snapshot(store, end.astimezone(UTC) - timedelta(microseconds=1))
    rows = taken.accounts.filter(pl.col("holdings") > 0).select("account", "holdings")
    return dict(rows.iter_rows()), taken.supply


TIMES = st.one_of(
    st.none(), st.integers(0, 6 * 24).map(lambda hours: BEGIN + timedelta(hours=hours))
)
AMOUNTS = st.integers(0, 9).map(Decimal)
NAMES = st.sampled_from(ACCOUNTS)
HELD = st.fixed_dictionaries({"account": NAMES, "amount": AMOUNTS, "at": TIMES})
MOVED = st.fixed_dictionaries({"src": NAMES, "dst": NAMES, "amount": AMOUNTS, "at": TIMES})
ROLES = st.fixed_dictionaries(
    {
        "account": NAMES,
        "role": st.sampled_from(["issuer", "person", None]),
        "valid_from": TIMES,
    }
)


@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    rule=st.sampled_from(HOLDINGS_RULES),
    zone=st.sampled_from(ZONES),
    held=st.lists(HELD, min_size=1, max_size=14),
    moved=st.lists(MOVED, min_size=1, max_size=14),
    roles=st.lists(ROLES, max_size=4),
    complete=st.lists(st.integers(0, 6 * 24), max_size=3),
    parts=st.sampled_from([1, 20_000_000]),
    kept=st.sampled_from([1, 20_000_000]),
)
def test_each_day_is_as_a_snapshot_of_its_end(
    tmp_path_factory: pytest.TempPathFactory,
    rule: str,
    zone: ZoneInfo,
    held: list[dict[str, Any]],
    moved: list[dict[str, Any]],
    roles: list[dict[str, Any]],
    complete: list[int],
    parts: int,
    kept: int,
) -> None:
    place = tmp_path_factory.mktemp("days") / "store"
    store = init_store(str(place), holdings_rule=rule, issuers=["mint"])
    load(store, "holdings", held, [BEGIN + timedelta(hours=one) for one in complete])
    load(store, "transfers", moved)
    if roles:
        load(store, "accounts", roles)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS_A_PART", parts)
        patch.setattr(module, "ROWS_KEPT", kept)
        found = by_day(store, zone)
        try:
            first = found.first_day
        except UserError:
            return
        for more in range(9):
            day = first + timedelta(days=more)
            amounts, base = at_end(found, day)
            assert amounts == by_snapshot(store, zone, day)[0]
            assert (base or 0) == sum(amounts.values())


@pytest.mark.parametrize("rule", HOLDINGS_RULES)
def test_both_homes_say_the_same(fresh_url: Callable[[], str], rule: str) -> None:
    store = init_store(fresh_url(), holdings_rule=rule)
    day = timedelta(days=1)
    load(store, "holdings", [{"account": name, "amount": Decimal(5), "at": BEGIN} for name in "ab"])
    load(store, "holdings", [{"account": "a", "amount": Decimal("7.25"), "at": BEGIN + 2 * day}])
    moved = [("x", "a", 0), ("a", "b", 1), ("b", "c", 3)]
    rows = [
        {"src": src, "dst": dst, "amount": Decimal(3), "at": BEGIN + day * (after + 0.5)}
        for src, dst, after in moved
    ]
    load(store, "transfers", rows)
    store.set_supply(Decimal(50), BEGIN + 3 * day)
    found = by_day(store, ZONES[0])
    for after in range(5):
        one = (BEGIN + after * day).date()
        assert at_end(found, one) == by_snapshot(store, ZONES[0], one)
    ended = by_day(store, ZONES[0], until=(BEGIN + day).date())
    assert ended.changes()["day"].max() <= (BEGIN + day).date()
    assert ended.changes().equals(found.changes().filter(pl.col("day") <= (BEGIN + day).date()))
    chosen = by_day(store, ZONES[0])
    assert chosen.changes([1]).equals(found.changes().filter(pl.col("ix") == 1))


def test_a_store_without_times_has_no_history(tmp_path: Any) -> None:
    store = init_store(str(tmp_path / "store"), holdings_rule="replayed")
    load(store, "transfers", [{"src": "a", "dst": "b", "amount": Decimal(1), "step": 3}])
    with pytest.raises(UserError, match="there is no history"):
        by_day(store, ZONES[0]).first_day  # noqa: B018
