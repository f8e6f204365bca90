"""Which accounts are frozen, for which cases, and the clock of a freeze.

Views of kind `frozen` (by case) say whose freeze a case asked for and has not given up, views of
kind `held` (by account) which cases those are: an account is free when the last of them gives
it up. All of it follows from events alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from graph.clock import iso, parse_time
from graph.log import Doc, Views

FROZEN, HELD = "frozen", "held"

HOURS = 48.0
"""Of a review, where the rule does not say."""

CLOCK = ("clock_started", "due", "warned", "expired", "escalated")


def frozen(views: Views, case: str) -> list[str]:
    """The accounts whose freeze a case asked for, ascending."""
    accounts: list[str] = (views.get(FROZEN, case) or {"accounts": []})["accounts"]
    return accounts


def holders(views: Views, account: str) -> list[str]:
    """The cases that want an account frozen, ascending."""
    cases: list[str] = (views.get(HELD, account) or {"cases": []})["cases"]
    return cases


def take(views: Views, case: str, accounts: Iterable[str]) -> None:
    """A case wants accounts frozen."""
    new = set(accounts)
    _set(views, FROZEN, case, "accounts", {*frozen(views, case), *new})
    for account in sorted(new):
        _set(views, HELD, account, "cases", {*holders(views, account), case})


def give_up(views: Views, case: str, accounts: Iterable[str]) -> None:
    """A case wants accounts frozen no more."""
    old = set(accounts)
    _set(views, FROZEN, case, "accounts", set(frozen(views, case)) - old)
    for account in sorted(old):
        _set(views, HELD, account, "cases", set(holders(views, account)) - {case})


def _set(views: Views, kind: str, key: str, name: str, members: set[str]) -> None:
    if members:
        views.put(kind, key, {name: sorted(members)})
    else:
        views.drop(kind, key)


def start(case: Doc, begun: datetime) -> None:
    """The review time of a freeze begins, unless it runs already."""
    if "clock_started" not in case:
        for name in CLOCK:
            case.pop(name, None)
        due = begun + timedelta(hours=case["review_hours"] or HOURS)
        case |= {"freeze": "in_force", "clock_started": iso(begun), "due": iso(due)}


def stop(case: Doc) -> None:
    """No clock runs: the freeze is lifted, or two people have confirmed it."""
    for name in ("clock_started", "due", "warned"):
        case.pop(name, None)


def lifted(case: Doc) -> None:
    """Nothing is frozen for the case any more."""
    case["freeze"] = "lifted"
    stop(case)
    for name in ("proposed", "proposed_for"):
        case.pop(name, None)


def hand_on(views: Views, case: Doc, into: Doc, at: str) -> None:
    """What is frozen for a case is frozen for another one from now on, and its clock goes on."""
    accounts = frozen(views, case["id"])
    if not accounts:
        return
    give_up(views, case["id"], accounts)
    take(views, into["id"], accounts)
    if into["freeze"] in ("none", "lifted"):
        into["freeze"] = case["freeze"]
        if case["freeze"] == "in_force":
            start(into, parse_time(case.get("clock_started", at)))
    lifted(case)
