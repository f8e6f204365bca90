"""The queue in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from graph.clock import parse_time
from graph.log import Doc
from review import moves
from review.clock import is_overdue


def stats_of(cases: Sequence[Doc], orders: Iterable[Doc], moment: datetime) -> dict[str, Any]:
    """How many cases there are by state, level and verdict, how long decisions took (median, in
    hours), how many are overdue, and how many orders wait to be acknowledged."""
    decided = [case for case in cases if "decision" in case]
    hours = [
        (parse_time(case["decision"]["at"]) - parse_time(case["opened"])).total_seconds() / 3600
        for case in decided
    ]
    waiting = [case for case in cases if case["state"] != moves.CLOSED]
    given = Counter(
        (order["action"], "acknowledged" if "acknowledged" in order else "waiting")
        for order in orders
    )
    return {
        "cases": len(cases),
        "open": len(waiting),
        "by_state": dict(sorted(Counter(case["state"] for case in cases).items())),
        "open_by_level": dict(sorted(Counter(case["level"] for case in waiting).items())),
        "by_verdict": dict(sorted(Counter(one["decision"]["verdict"] for one in decided).items())),
        "overdue": sum(is_overdue(case, moment) for case in waiting),
        "frozen": sum(case["freeze"] in ("ordered", "in_force") for case in cases),
        "hours_to_decide": round(median(hours), 2) if hours else None,
        "orders": {f"{action} {state}": count for (action, state), count in sorted(given.items())},
    }
