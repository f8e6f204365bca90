"""The clock of a freeze, and what it brings about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from queue_helpers import ANN, BOB, hold, members, orders, run_of, the_case

from graph.clock import iso, parse_time
from graph.errors import UserError
from graph.store import Store
from review import desk as at
from review import moves
from review.clock import is_overdue, spent, tick, urgency
from review.intake import fill
from review.log import act
from review.policy import built_in
from review.verify import verify

Do = Callable[..., Any]
BEGIN = parse_time("2026-07-01T12:00:00Z")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Do:
    """Sets the clock to so many hours after BEGIN."""

    def clock(hours: float) -> None:
        monkeypatch.setenv("INCONCERT_NOW", iso(BEGIN + timedelta(hours=hours)))

    clock(0)
    return clock


@pytest.fixture
def frozen(store: Store, clock: Do) -> str:
    """A case of an account that holds 5 % alone: its freeze is ordered and not acknowledged."""
    hold(store, {**members((0, 60)), "whale": 5000})
    run = run_of("r1")
    store.save_run(run)
    fill(store, ANN, run)
    return str(the_case(store)["id"])


def acknowledge(store: Store, **given: Any) -> None:
    [order] = store.log.views("order")
    act(store, ANN, lambda desk: at.acknowledge(desk, ANN, order, given.pop("done", True), None))


def test_the_clock_runs_from_the_acknowledgement(store: Store, frozen: str, clock: Do) -> None:
    clock(5)
    assert "due" not in the_case(store)
    assert tick(store, ANN, built_in()) == {}
    acknowledge(store)
    case = the_case(store)
    assert case["freeze"] == "in_force"
    assert case["due"] == iso(BEGIN + timedelta(hours=5 + 48))
    assert spent(case, BEGIN + timedelta(hours=5 + 24)) == pytest.approx(0.5)
    due = parse_time(case["due"])
    assert [is_overdue(case, due + timedelta(seconds=late)) for late in (-1, 0)] == [False, True]
    assert not is_overdue({**case, "state": moves.CLOSED}, due)
    head = store.log.head()
    acknowledge(store)  # said twice
    assert store.log.head() == head
    with pytest.raises(UserError, match="acknowledged as carried out already"):
        acknowledge(store, done=False)


def test_an_order_that_was_not_carried_out_starts_nothing(store: Store, frozen: str) -> None:
    acknowledge(store, done=False)
    assert "due" not in the_case(store)
    assert the_case(store)["freeze"] == "lifted"
    assert store.log.kinds().count("frozen") == 0


def test_warnings_at_half_and_at_four_fifths_once_each(
    store: Store, frozen: str, clock: Do
) -> None:
    acknowledge(store)
    said = []
    for hours in (1, 23.9, 24, 25, 38.4, 39, 47):
        clock(hours)
        said.append(tick(store, ANN, built_in()).get("warned", 0))
    assert said == [0, 0, 1, 0, 1, 0, 0]
    assert the_case(store)["warned"] == 0.8


def test_at_expiry_it_is_unfrozen_and_escalated_once(store: Store, frozen: str, clock: Do) -> None:
    acknowledge(store)
    act(store, ANN, lambda desk: at.claim(desk, ANN, frozen))
    clock(48)
    assert tick(store, BOB, built_in()) == {"expired": 1}
    case = the_case(store)
    assert (case["escalated"], case["freeze"]) == (True, "lifted")
    assert orders(store) == [("freeze", "whale"), ("unfreeze", "whale")]
    assert tick(store, BOB, built_in()) == {}
    assert verify(store).problems == []


def test_waiting_for_the_holder_is_a_clock_of_its_own_and_stops_the_other_never(
    store: Store, frozen: str, clock: Do
) -> None:
    acknowledge(store)
    due = the_case(store)["due"]

    def wait(desk: Any) -> None:
        at.claim(desk, ANN, frozen)
        at.move(desk, ANN, frozen, moves.IN_REVIEW, built_in())
        at.move(desk, ANN, frozen, moves.AWAITING, built_in())

    act(store, ANN, wait)
    case = the_case(store)
    assert case["due"] == due
    assert case["waiting_until"] == iso(BEGIN + timedelta(hours=168))
    clock(49)
    assert tick(store, ANN, built_in()) == {"expired": 1}
    clock(169)
    assert tick(store, ANN, built_in()) == {"woken": 1}
    assert the_case(store)["state"] == moves.IN_REVIEW


def test_what_rests_wakes(store: Store, clock: Do, take: Do) -> None:
    from queue_helpers import group

    take(group("g1", members((0, 12))))
    key = the_case(store)["id"]
    until = BEGIN + timedelta(hours=10)
    act(store, ANN, lambda desk: at.snooze(desk, ANN, key, until))
    clock(9)
    assert tick(store, ANN, built_in()) == {}
    clock(10)
    assert tick(store, ANN, built_in()) == {"woken": 1}
    assert the_case(store)["state"] == moves.TRIAGED


def test_the_most_urgent_comes_first() -> None:
    def case(name: str, level: str, share: float, **more: Any) -> dict[str, Any]:
        return {"id": name, "level": level, "share": share, **more}

    late = case("late", "blue", 0.03, due=iso(BEGIN - timedelta(hours=1)))
    soon = case("soon", "red", 0.06, due=iso(BEGIN + timedelta(hours=1)))
    big, red, blue = case("big", "red", 0.09), case("red", "red", 0.06), case("blue", "blue", 0.04)
    found = sorted([blue, red, soon, big, late], key=urgency(built_in(), BEGIN))
    assert [one["id"] for one in found] == ["late", "soon", "big", "red", "blue"]
