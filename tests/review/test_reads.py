"""What is read of a case besides its events, and who may have time recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from queue_helpers import ANN, group, members, person, the_case

from graph.neo4j.server import Server
from graph.schema import KINDS
from graph.store import Counts, RunRecord, Store
from review import desk as at
from review.clock import tick
from review.log import act
from review.page import page_of
from review.people import RefusedError
from review.policy import built_in
from review.settings import ReviewSettings


def test_time_is_recorded_by_who_decides_or_operates(
    store: Store, take: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(group("g1", members((0, 12))))
    [key] = store.log.views("case")
    until = datetime.now(UTC) + timedelta(hours=1)
    act(store, ANN, lambda desk: at.snooze(desk, ANN, key, until))
    settings = ReviewSettings(roles={"auditor": ("aud",), "operator": ("opa",)})
    monkeypatch.setattr("review.clock.now", lambda: until)
    for user in ("aud", "stranger"):
        with pytest.raises(RefusedError, match=f"{user} may not record what is due"):
            tick(store, person(user, settings=settings), built_in())
    assert store.log.view("case", key)["state"] == "snoozed"  # type: ignore[index]
    assert tick(store, person("opa", settings=settings), built_in()) == {"woken": 1}


def pay(store: Store, name: str, source: str, target: str) -> None:
    """Load one payment, of June."""
    columns = KINDS["transfers"].columns
    with store.loading("transfers", name) as batch:
        numbers = batch.number(pl.Series([source, target]))
        given = {"uid": name, "src": numbers[0], "dst": numbers[1], "amount": 5}
        row = {**dict.fromkeys(columns), **given, "at": datetime(2026, 6, 1, tzinfo=UTC)}
        frame = pl.DataFrame({column: [row[column]] for column in columns})
        batch.append(
            "transfers",
            frame.select(
                pl.lit(name).alias("uid"),
                pl.lit(1, pl.Int32).alias("revision"),
                *(pl.col(column).cast(of) for column, of in columns.items()),
            ),
        )
        batch.commit(Counts(read=1, loaded=1))


def test_the_timeline_is_what_was_known_then(store: Store, take: Any) -> None:
    take(group("g0", members((30, 40))))  # states the holdings
    pay(store, "known", "a01", "a02")
    known_at = store.batches()[-1].batch
    pay(store, "late", "a02", "a03")
    save = store.save_run

    def saved(run: RunRecord) -> None:
        run.result["run"]["known_at"] = known_at
        save(run)

    store.save_run = saved  # type: ignore[method-assign]
    take(group("g1", members((0, 12))))
    key = next(key for key, case in store.log.views("case").items() if case["group"] == "g1")
    [week] = page_of(store, built_in(), key)["flows"]
    assert (week["inside"], week["inside_amount"]) == (1, "5")


@pytest.mark.parametrize("url", ["neo4j"], indirect=True)
def test_what_is_no_more_is_drawn_no_more(neo4j_url: str, take: Any, store: Store) -> None:
    take(group("g1", members((0, 12))))
    key = the_case(store)["id"]

    def drawn() -> dict[str, Any]:
        asked = "MATCH (case:Case {kind: 'case', key: $key}) RETURN properties(case) AS shown"
        server = Server.connect(neo4j_url)
        try:
            with server._session() as session:
                return dict(session.run(asked, key=key).single(strict=True)["shown"])
        finally:
            server.close()

    act(store, ANN, lambda desk: at.claim(desk, ANN, key))
    assert drawn()["owner"] == "ann"
    until = datetime.now(UTC) + timedelta(hours=1)
    act(store, ANN, lambda desk: at.snooze(desk, ANN, key, until))
    assert "snoozed_until" in drawn()
    act(store, ANN, lambda desk: at.move(desk, ANN, key, "triaged", built_in()))
    shown = drawn()
    assert not {"owner", "snoozed_until"} & shown.keys()
    assert (shown["state"], shown["key"], shown["kind"]) == ("triaged", key, "case")
