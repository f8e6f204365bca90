"""The clock of cases: warnings, what follows when time is over, and who comes first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from graph.clock import now, parse_time
from graph.log import Desk, Doc, Draft
from graph.store import Store
from review import moves
from review.cases import CASE, subject
from review.log import LOG, act
from review.orders import unfreeze
from review.people import Person
from review.policy import Policy


def spent(case: Doc, moment: datetime) -> float | None:
    """Which part of its review time is over, from the freeze order's acknowledgement on. None
    where no clock runs. While a freeze is in force it never stops."""
    if "due" not in case:
        return None
    begun, due = parse_time(case["clock_started"]), parse_time(case["due"])
    return (moment - begun) / max(due - begun, timedelta(seconds=1))


def is_overdue(case: Doc, moment: datetime) -> bool:
    """Whether it is open and its review time is over."""
    part = spent(case, moment)
    return part is not None and part >= 1 and case["state"] != moves.CLOSED


def urgency(policy: Policy, moment: datetime) -> Any:
    """A key to sort cases by: open ones that were escalated first, then by due time (overdue ones
    first), then the most severe level, then the largest share, then the id."""

    def key(case: Doc) -> tuple[Any, ...]:
        level = policy.levels.get(case["level"])
        severity = -level.severity if level else 0
        escalated = case.get("escalated") and case["state"] != moves.CLOSED
        due = ("due" not in case, case.get("due", ""))
        return (not escalated, *due, severity, -case["share"], case["id"])

    return key


def tick(store: Store, person: Person, policy: Policy) -> dict[str, int]:
    """Record what the clock brings about: warnings, expiries, cases that wake, answers that
    did not come. How many of each. Doing it again changes nothing."""
    moment = now()
    due = {
        key: case for key, case in store.log.views(CASE).items() if _is_due(case, policy, moment)
    }
    if not due:
        return {}
    return act(store, person, lambda desk: _tick(desk, store, person, policy, due, moment))


def _is_due(case: Doc, policy: Policy, moment: datetime) -> bool:
    part = spent(case, moment)
    warned = part is not None and _warning(case, policy, part) is not None
    return warned or bool(_over(case, moment)) or _expires(case, moment)


def _tick(
    desk: Desk,
    store: Store,
    person: Person,
    policy: Policy,
    due: Mapping[str, Doc],
    moment: datetime,
) -> dict[str, int]:
    actor = person.acting("record what is due", LOG, "operator", "senior", "investigator")
    done: dict[str, int] = {}

    def count(what: str, *drafts: Draft) -> None:
        desk.record(actor, *drafts)
        done[what] = done.get(what, 0) + 1

    for key in sorted(due):
        case = desk.get(CASE, key)
        if case is None:
            continue
        about = subject(key)
        part = spent(case, moment)
        if _expires(case, moment):
            count("expired", Draft(about, "expired", {"then": policy.clock.at_expiry}))
            if policy.clock.at_expiry == "unfreeze_and_escalate":
                fingerprint = store.properties.key_fingerprint
                desk.record(actor, *unfreeze(desk, fingerprint, case))
        elif part is not None and (warning := _warning(case, policy, part)) is not None:
            count("warned", Draft(about, "warned", {"at": warning}))
        if state := _over(case, moment):
            free = {"owner": None} if state == moves.TRIAGED else {}
            count("woken", Draft(about, "moved", {"to": state, **free}))
    return done


def _warning(case: Doc, policy: Policy, part: float) -> float | None:
    """The part of the time that is to be warned of now; None where it was, or is not yet."""
    if case["state"] == moves.CLOSED or case.get("expired"):
        return None
    reached = [at for at in policy.clock.warn_at if part >= at]
    if not reached or case.get("warned", 0.0) >= reached[-1]:
        return None
    return reached[-1]


def _expires(case: Doc, moment: datetime) -> bool:
    return is_overdue(case, moment) and not case.get("expired")


def _over(case: Doc, moment: datetime) -> str | None:
    """The state that a case goes to since its rest, or its time to answer, is over."""
    rests = {
        moves.SNOOZED: ("snoozed_until", moves.TRIAGED),
        moves.AWAITING: ("waiting_until", moves.IN_REVIEW),
    }
    name, state = rests.get(case["state"], ("", ""))
    return state if name in case and parse_time(case[name]) <= moment else None
