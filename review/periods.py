"""Days, ISO weeks and calendar quarters, by their names."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

By = Literal["day", "week", "quarter"]


def period_of(day: date, by: By) -> str:
    """The period that a day is in: `2026-03-01`, `2026-W09` (ISO 8601), `2026-Q1`."""
    if by == "day":
        return day.isoformat()
    if by == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    return f"{day.year}-Q{(day.month + 2) // 3}"


def first_day_of(day: date, by: By) -> date:
    """The first day of the period that a day is in."""
    if by == "day":
        return day
    if by == "week":
        return day - timedelta(days=day.weekday())
    return date(day.year, day.month - (day.month - 1) % 3, 1)
