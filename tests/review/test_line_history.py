"""Who stood over the lines, day by day, and what weeks and quarters make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from facts_by_hand import load
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from long_form import examples
from queue_helpers import group, members, run_of

from graph.by_day import by_day
from graph.clock import iso
from graph.snapshot import snapshot
from graph.store import RunRecord, Store, init_store
from review import line_history
from review.line_history import Span, account_rows, group_rows
from review.periods import first_day_of, period_of
from review.share_history import share_steps

UTC_ZONE = ZoneInfo("UTC")
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)  # a Sunday: the week ends after one day
LINES = [Fraction(5, 100), Fraction(25, 100)]
EVER = Span()


def silent(_: str) -> None:
    pass


def state(store: Store, held: Mapping[str, Any], after_days: int) -> None:
    """State what accounts hold, so many days after BEGIN."""
    at = BEGIN + timedelta(days=after_days)
    load(
        store, "holdings", [{"account": a, "amount": Decimal(n), "at": at} for a, n in held.items()]
    )


def ix(store: Store, account: str) -> list[int]:
    return store.accounts().filter(account=account).collect()["ix"].to_list()


def by_hand(
    store: Store, days: Sequence[date], line: Fraction
) -> list[tuple[date, set[str], float]]:
    """The accounts over a line at the end of each day, and the largest share, by a snapshot of
    each day."""
    found = []
    for day in days:
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        taken = snapshot(store, end - timedelta(microseconds=1))
        held = dict(taken.accounts.select("account", "holdings").iter_rows())
        base = Fraction(taken.supply)
        over = {a for a, n in held.items() if base and Fraction(n) >= line * base}
        found.append(
            (day, over, float(max(map(Fraction, held.values()), default=0) / base) if base else 0.0)
        )
    return found


HELD = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 40), min_size=1)


@examples(40, suppress_health_check=[HealthCheck.too_slow])
@given(
    stated=st.lists(st.tuples(st.integers(0, 30), HELD), min_size=1, max_size=6),
    supply=st.one_of(st.none(), st.integers(0, 30)),
    cells=st.sampled_from([3, 20_000_000]),
)
def test_days_are_as_snapshots_and_add_up_to_weeks_and_quarters(
    tmp_path_factory: pytest.TempPathFactory,
    stated: list[tuple[int, dict[str, int]]],
    supply: int | None,
    cells: int,
) -> None:
    store = init_store(str(tmp_path_factory.mktemp("lines") / "store"))
    for after, held in stated:
        state(store, held, after)
    if supply is not None:
        store.set_supply(Decimal(400), BEGIN + timedelta(days=supply))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_history, "CELLS_AT_ONCE", cells)
        rows = {
            by: account_rows(by_day(store, UTC_ZONE), LINES, by, EVER, silent)
            for by in ("day", "week", "quarter")
        }
    for line in LINES:
        days = [row for row in rows["day"] if row["line"] == float(line)]
        was: set[str] = set()
        hand = by_hand(store, [date.fromisoformat(row["last_day"]) for row in days], line)
        for row, (_, over, largest) in zip(days, hand, strict=True):
            assert row["over"] == len(over)
            assert (row["crossed"], row["fell"]) == (len(over - was), len(was - over))
            assert row["largest"] == largest
            was = over
        for by in ("week", "quarter"):
            for row in rows[by]:
                inside = [
                    day
                    for day in days
                    if period_of(date.fromisoformat(day["last_day"]), by) == row["period"]
                ]
                if row["line"] != float(line):
                    continue
                assert row["crossed"] == sum(day["crossed"] for day in inside)
                assert row["fell"] == sum(day["fell"] for day in inside)
                assert row["over"] == inside[-1]["over"]
                assert row["largest"] == max(day["largest"] for day in inside)


def test_who_goes_over_on_tuesday_and_back_on_friday_crossed_and_fell_in_that_week(
    store: Store,
) -> None:
    state(store, {"a": 1, "rest": 99}, 1)  # Monday
    state(store, {"a": 30, "rest": 70}, 2)
    state(store, {"a": 1, "rest": 99}, 5)
    [week] = [
        row
        for row in account_rows(by_day(store, UTC_ZONE), [Fraction(1, 4)], "week", EVER, silent)
        if row["line"] == 0.25
    ]
    assert (week["period"], week["over"], week["crossed"], week["fell"]) == ("2026-W10", 1, 2, 1)
    assert week["largest"] == 0.99
    [step] = share_steps(by_day(store, UTC_ZONE), ix(store, "a"), [Fraction(1, 4)], "week", EVER)
    assert step["crossed"] == step["fell"] == [0.25]
    assert step["share"] == 0.01


def test_a_supply_that_has_yet_to_take_effect_is_no_history(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    state(store, {"a": 5, "b": 95}, 0)
    store.set_supply(Decimal(200), BEGIN + timedelta(days=3))

    def days() -> list[str]:
        held = by_day(store, UTC_ZONE)
        steps = share_steps(held, ix(store, "a"), LINES, "day", EVER)
        periods = [row["period"] for row in account_rows(held, LINES[:1], "day", EVER, silent)]
        assert periods == [step["period"] for step in steps]
        return periods

    monkeypatch.setenv("INCONCERT_NOW", iso(BEGIN + timedelta(days=2)))
    assert days() == ["2026-03-01"]
    monkeypatch.setenv("INCONCERT_NOW", iso(BEGIN + timedelta(days=3)))
    assert days() == ["2026-03-01", "2026-03-04"]


def test_a_supply_that_grows_brings_a_share_below_a_line(store: Store) -> None:
    state(store, {"a": 25, "rest": 75}, 0)
    store.set_supply(Decimal(100), BEGIN + timedelta(days=1))
    store.set_supply(Decimal("100.000000000000000001"), BEGIN + timedelta(days=2))
    held = by_day(store, UTC_ZONE)
    steps = share_steps(held, ix(store, "a"), [Fraction(1, 4)], "day", EVER)
    said = [(one["day"], one["base"], one["base_is"], one["crossed"], one["fell"]) for one in steps]
    assert said == [
        ("2026-03-01", "100", "counted", [0.25], []),
        ("2026-03-02", "100", "set", [], []),
        ("2026-03-03", "100.000000000000000001", "set", [], [0.25]),
    ]
    rows = account_rows(held, [Fraction(1, 4)], "day", EVER, silent)
    assert [(row["over"], row["crossed"], row["fell"]) for row in rows] == [
        (2, 2, 0),
        (2, 0, 0),
        (1, 0, 1),
    ]


def test_only_the_days_asked_for_are_shown_and_what_was_before_them_counts(store: Store) -> None:
    for after, amount in enumerate((30, 1, 30, 30, 1)):
        state(store, {"a": amount, "rest": 100 - amount}, after)
    span = Span(date(2026, 3, 3), date(2026, 3, 4))
    held = by_day(store, UTC_ZONE, until=span.end)
    rows = account_rows(held, [Fraction(3, 10)], "day", span, silent)
    assert [(row["period"], row["over"], row["crossed"]) for row in rows] == [("2026-03-03", 2, 1)]
    steps = share_steps(held, ix(store, "a"), [Fraction(3, 10)], "day", span)
    assert [(one["day"], one["crossed"]) for one in steps] == [("2026-03-03", [0.3])]


def run(
    name: str, day: int, *groups: dict[str, Any], lines: Sequence[str] = ("1/20",)
) -> RunRecord:
    found = run_of(name, *groups, as_of=iso(BEGIN + timedelta(days=day)))
    found.result["run"] |= {"detectors": ["flow", "identifier"], "exact_lines": list(lines)}
    return found


def groups_by(store: Store, by: Any, zone: str = "UTC") -> list[dict[str, Any]]:
    return group_rows(store, [Fraction(1, 20)], by, ZoneInfo(zone), EVER, silent)


ONE, TWO, THREE = members((0, 12)), members((12, 24)), members((30, 44))


def test_groups_are_told_by_the_last_run_of_each_day(store: Store) -> None:
    store.save_run(run("r1", 0, group("g1", ONE)))
    store.save_run(run("r3", 1, group("g3", ONE), group("g4", TWO)))
    store.save_run(run("r2", 1, group("g2", ONE)))  # saved later, of the same time
    store.save_run(run("r4", 3, group("g5", TWO), group("g6", THREE)))
    store.save_run(run("r5", 4, lines=["1/10"]))  # looked elsewhere
    alone = run("r6", 5)
    alone.result["run"]["detectors"] = ["whale"]
    store.save_run(alone)
    days = groups_by(store, "day")
    said = [(row["run"], row["over"], row["crossed"], row["fell"]) for row in days]
    assert said == [("r1", 1, None, None), ("r3", 2, 1, 0), ("r4", 2, 1, 1)]
    assert days[2]["largest"] == pytest.approx(0.07)
    weeks = groups_by(store, "week")
    assert [(row["period"], row["run"], row["crossed"]) for row in weeks] == [
        ("2026-W09", "r1", None),
        ("2026-W10", "r4", 2),
    ]
    [early] = groups_by(store, "quarter", "America/New_York")
    assert (early["period"], early["crossed"], early["over"]) == ("2026-Q1", None, 2)


def test_what_was_pruned_still_counts_but_not_who_came_and_went(store: Store) -> None:
    store.save_run(run("r1", 0, group("g1", ONE)))
    store.save_run(run("r2", 1, group("g2", ONE), group("g3", TWO)))
    store.save_run(run("r3", 2))
    store.save_run(run("r4", 3, group("g4", ONE)))
    store.prune_runs(1)
    said = [
        (row["over"], row["crossed"], row["fell"], row["pruned"]) for row in groups_by(store, "day")
    ]
    assert said == [
        (1, None, None, True),
        (2, None, None, True),
        (0, 0, 2, True),
        (1, 1, 0, False),
    ]


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_a_period_begins_on_its_first_day(day: date) -> None:
    for by in ("day", "week", "quarter"):
        begin = first_day_of(day, by)
        assert begin <= day
        assert period_of(begin, by) == period_of(day, by)
        assert period_of(begin - timedelta(days=1), by) != period_of(day, by)
    assert period_of(date(2027, 1, 3), "week") == "2026-W53"
