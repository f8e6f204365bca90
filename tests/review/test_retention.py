"""What an open case needs stays in the store, and the log says what went."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from queue_helpers import ANN, group, members, the_case

from graph.errors import UserError
from graph.schema import KINDS
from graph.store import Counts, Store
from review import desk as at
from review.log import act
from review.page import page_of
from review.policy_history import in_force
from review.retention import record_moves, refuse_needed
from review.verify import verify

JULY = datetime(2026, 7, 1, tzinfo=UTC)


def _refer(store: Store) -> None:
    """A referral in March and one in June."""
    with store.loading("referrals", "test") as load:
        ix = load.number(pl.Series(["ann", "bob"])).to_list()
        times = [datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 6, 5, tzinfo=UTC)]
        rows = [
            {"uid": f"u{n}", "revision": 1, "referrer": ix[0], "referred": ix[1], "at": moment}
            for n, moment in enumerate(times)
        ]
        load.append("referrals", pl.DataFrame(rows, schema=KINDS["referrals"].stored).drop("batch"))
        load.commit(Counts(read=2, loaded=2))


def test_what_an_open_case_needs_stays(
    store: Store, take: Callable[..., Any], tmp_path: Path
) -> None:
    _refer(store)
    take(group("g1", members((0, 12))))
    key = the_case(store)["id"]
    policy = in_force({}, JULY)

    def archive() -> list[str]:
        moved = store.archive(JULY, tmp_path / "a", lambda month: refuse_needed(store, month))
        return [one.month for one in moved]

    with pytest.raises(UserError, match=f"2026-03 stays: case {key} is open and rests on"):
        archive()
    assert store.archived() == []
    refuse_needed(store, "2026-07")  # the run was of the end of June
    act(store, ANN, lambda desk: at.claim(desk, ANN, key))
    act(store, ANN, lambda desk: at.move(desk, ANN, key, "in_review", policy))
    act(store, ANN, lambda desk: at.decide(desk, ANN, key, "inconclusive", words="x"))
    assert archive() == ["2026-03", "2026-06"]
    page = page_of(store, policy, key)
    assert page["flows"] == []
    assert "2026-06" in page["flows_archived"]


def test_the_log_says_what_went_and_what_came_back(store: Store, tmp_path: Path) -> None:
    _refer(store)
    moved = store.archive(JULY, tmp_path / "a", lambda month: refuse_needed(store, month))
    for _ in range(2):  # what a run that was cut off did not note is noted by the next, once
        record_moves(store, ANN)
    store.unarchive([Path(one.folder) for one in moved])
    for _ in range(2):
        record_moves(store, ANN)
    events = list(store.log.events("log"))
    assert [(event.action, event.facts["month"]) for event in events] == [
        ("archived", "2026-03"),
        ("archived", "2026-06"),
        ("unarchived", "2026-06"),
        ("unarchived", "2026-03"),
    ]
    assert events[0].facts["sha256"] == moved[0].sha256
    assert events[0].facts["rows"] == {"referrals": 1}
    assert verify(store).problems == []
