"""The queue as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reports.findings_text import to_text
from reports.queue_text import queue_table

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def case(**other: Any) -> dict[str, Any]:
    return {
        "id": "g1",
        "level": "red",
        "share": 0.06,
        "line": 0.05,
        "size": 12,
        "score": None,
        "grade": "corroborated",
        "state": "in_review",
        "owner": None,
        "change": "not_reproduced",
        **other,
    }


def row(**other: Any) -> str:
    return to_text(queue_table([case(**other)], NOW, 1)).splitlines()[3]


def test_what_somebody_should_know_first_is_in_the_row() -> None:
    assert "in_review, escalated" in row(escalated=True)
    assert "escalated" not in row(escalated=True, state="closed")
    assert "closed, unfreeze?" in row(state="closed", proposed="unfreeze")
    assert "in_review, proposal void" in row(void="What ann proposed was about others.")
    assert "not reproduced" in row()


def test_time_that_is_left_and_time_that_is_over() -> None:
    assert "47.5 h" in row(due="2026-07-03T11:30:00Z")
    assert "0.5 h over" in row(due="2026-07-01T11:30:00Z")


def test_an_empty_queue_says_so_and_a_long_one_how_long_it_is() -> None:
    assert to_text(queue_table([], NOW, 0)) == "No case waits.\n"
    assert "… and 41 more (--most)" in to_text(queue_table([case()], NOW, 42))
