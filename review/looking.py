"""What is read of the queue beside single cases, which takes a role and is recorded."""

from __future__ import annotations

from typing import Any

from graph.log import Desk, Draft
from review.log import LOG
from review.people import Person


def looked(desk: Desk, person: Person, what: str, **facts: Any) -> None:
    """Record that somebody looked at something. `facts`: what was looked for and how much was
    found, without accounts. RefusedError for who has no role."""
    actor = person.acting(f"look at {what}", LOG, "investigator", "senior", "auditor", "operator")
    desk.record(actor, Draft(LOG, "looked", {"what": what, **facts}))
