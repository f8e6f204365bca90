"""Holdings: statements at a time, and lists that have none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from load_helpers import facts

from graph.errors import UserError
from graph.snapshot import holdings_as_of
from graph.store import Store


class Days:
    """Loads a list of holdings without times, each on a day of its own."""

    def __init__(self, put: Callable[..., str], loading: Any, patch: pytest.MonkeyPatch) -> None:
        self.put, self.loading, self.patch = put, loading, patch

    def __call__(self, store: Store, day: int, rows: str, **options: object) -> object:
        self.patch.setenv("INCONCERT_NOW", f"2026-05-{day:02}")
        text = "account,amount\n" + rows.replace(" ", "\n") + "\n"
        return self.loading(store, "holdings", self.put(f"{day}.csv", text), **options)


@pytest.fixture
def on_day(put: Callable[..., str], loading: Any, monkeypatch: pytest.MonkeyPatch) -> Days:
    return Days(put, loading, monkeypatch)


def stated(store: Store) -> list[tuple[str, int, int]]:
    return sorted((row[2], row[4].day, int(row[3])) for row in facts(store, "holdings"))


def test_the_same_list_again_is_known_but_a_change_there_and_back_is_three_facts(
    store: Store, on_day: Days
) -> None:
    assert on_day(store, 1, "a,5 b,1").counts.loaded == 2
    assert on_day(store, 2, "a,5 b,1").counts.known == 2
    changed = on_day(store, 3, "a,7 b,1.0").counts
    assert (changed.loaded, changed.known) == (1, 1)
    assert on_day(store, 4, "a,5 b,1").counts.loaded == 1
    assert stated(store) == [("a", 1, 5), ("a", 3, 7), ("a", 4, 5), ("b", 1, 1)]


def test_with_a_time_the_statement_is_of_that_time(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put("in.csv", "account,amount\na,5\n")
    for at in (datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)):
        assert loading(store, "holdings", path, at=at).counts.loaded == 1
        assert loading(store, "holdings", path, at=at).counts.known == 1
    assert stated(store) == [("a", 1, 5), ("a", 2, 5)]


def test_the_files_own_times_count_before_a_given_one(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    own = put("own.csv", "account,amount,at\na,5,2026-05-03\nb,5,\n")
    none = put("none.csv", "account,amount\nc,5\n")
    result = loading(store, "holdings", own, none, at=datetime(2026, 5, 9, tzinfo=UTC))
    assert stated(store) == [("a", 3, 5), ("c", 9, 5)]
    assert result.counts.quarantined == 1


def test_a_complete_list_is_recorded_and_known_when_nothing_changed(
    store: Store, on_day: Days
) -> None:
    assert on_day(store, 1, "a,5 b,1", complete=True).complete_at[0].day == 1
    again = on_day(store, 2, "b,1 a,5 c,0", complete=True)
    assert (again.counts.known, again.counts.loaded, again.complete_at) == (3, 0, ())
    shorter = on_day(store, 3, "a,5", complete=True)
    assert (shorter.counts.loaded, shorter.complete_at[0].day) == (1, 3)
    assert store.batches()[-1].complete_at == shorter.complete_at
    assert on_day(store, 4, "b,0 a,5").counts.known == 2  # b holds 0 since day 3
    assert on_day(store, 5, "b,1").counts.loaded == 1
    assert stated(store) == [("a", 1, 5), ("a", 3, 5), ("b", 1, 1), ("b", 5, 1)]


def test_a_withdrawn_list_is_not_in_force(store: Store, on_day: Days) -> None:
    on_day(store, 1, "a,5 b,1", complete=True)
    store.withdraw(on_day(store, 2, "a,5", complete=True).batch)
    assert on_day(store, 3, "a,5 b,1", complete=True).counts.known == 2


@pytest.mark.parametrize("complete", [False, True])
def test_where_holdings_are_rolled_what_is_in_force_has_moved_with_the_transfers(
    new_store: Callable[..., Store],
    on_day: Days,
    put: Callable[..., str],
    loading: Any,
    complete: bool,
) -> None:
    """Who is stated to hold what he held before he paid, holds it again: that is new."""
    store = new_store(holdings_rule="rolled")
    on_day(store, 1, "a,5 b,1 c,2", complete=complete)
    deals = put("deals.csv", "src,dst,amount,at\na,b,2,2026-05-02\n")
    assert loading(store, "transfers", deals).counts.loaded == 1
    again = on_day(store, 3, "a,5 b,1 c,2", complete=complete).counts
    assert again.loaded == (3 if complete else 2)
    held = holdings_as_of(store, datetime(2026, 5, 3, tzinfo=UTC)).accounts
    assert held["holdings"].to_list() == [5, 1, 2]
    rolled = put("more.csv", "src,dst,amount,at\na,b,2,2026-05-04\n")
    assert loading(store, "transfers", rolled).counts.loaded == 1
    assert on_day(store, 5, "a,3 b,3 c,2", complete=complete).counts.known == 3


def test_where_holdings_are_rolled_a_complete_list_leaves_out_who_was_only_paid(
    new_store: Callable[..., Store], on_day: Days, put: Callable[..., str], loading: Any
) -> None:
    store = new_store(holdings_rule="rolled")
    on_day(store, 1, "a,5 b,1", complete=True)
    deals = put("deals.csv", "src,dst,amount,at\nx,d,2,2026-05-02\n")
    assert loading(store, "transfers", deals).counts.loaded == 1
    assert on_day(store, 3, "a,5 b,1", complete=True).complete_at[0].day == 3
    held = holdings_as_of(store, datetime(2026, 5, 3, tzinfo=UTC)).accounts
    assert dict(held.select("account", "holdings").iter_rows()) == {"a": 5, "b": 1, "d": 0, "x": 0}


def test_a_complete_list_with_times_of_its_own(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put("in.csv", "account,amount,at\na,5,2026-05-01\nb,5,2026-05-01\na,6,2026-05-02\n")
    loading(store, "holdings", path)
    result = loading(store, "holdings", path, complete=True)
    assert result.counts.known == 3
    assert [moment.day for moment in store.batches()[-1].complete_at] == [1, 2]


def test_a_list_with_refused_rows_is_not_complete(store: Store, on_day: Days) -> None:
    result = on_day(store, 1, "a,5 b,much", complete=True)
    assert (result.counts.loaded, result.complete_at) == (1, ())
    assert store.batches()[-1].complete_at == ()
    assert any("not recorded as complete" in said for said in on_day.loading.said)


def test_an_empty_complete_list_is_refused(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    with pytest.raises(UserError, match="would set every account to 0"):
        loading(store, "holdings", put("in.csv", "account,amount\n"), complete=True)
    assert store.batches() == []


def test_ids_without_times(
    store: Store,
    put: Callable[..., str],
    loading: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = put("in.csv", "account,amount,id\na,5,h1\n")
    assert loading(store, "holdings", path).counts.loaded == 1
    monkeypatch.setenv("INCONCERT_NOW", "2026-06-09")
    assert loading(store, "holdings", path).counts.known == 1
    with pytest.raises(UserError, match="has ids but no times"):
        loading(store, "holdings", path, complete=True)
    assert [row[3] for row in facts(store, "holdings")] == [Decimal(5)]


def test_at_and_complete_are_for_holdings(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    with pytest.raises(UserError, match="--complete is for holdings"):
        loading(store, "referrals", put("in.csv", "referrer,referred\na,b\n"), complete=True)
