"""The states of a case, and which moves between them are allowed: one table."""

from __future__ import annotations

from graph.errors import UserError

NEW, TRIAGED, ASSIGNED, IN_REVIEW = "new", "triaged", "assigned", "in_review"
AWAITING, PENDING, CLOSED = "awaiting_holder", "pending_second_review", "closed"
SNOOZED, REOPENED = "snoozed", "reopened"

MOVES: dict[str, dict[str, str]] = {
    NEW: {TRIAGED: "move", ASSIGNED: "claim", SNOOZED: "snooze", CLOSED: "decide"},
    TRIAGED: {ASSIGNED: "claim", SNOOZED: "snooze", CLOSED: "decide"},
    ASSIGNED: {
        ASSIGNED: "assign",
        TRIAGED: "move",
        IN_REVIEW: "move",
        SNOOZED: "snooze",
        CLOSED: "decide",
    },
    IN_REVIEW: {
        ASSIGNED: "assign",
        TRIAGED: "move",
        AWAITING: "move",
        PENDING: "decide",
        SNOOZED: "snooze",
        CLOSED: "decide",
    },
    AWAITING: {IN_REVIEW: "move", PENDING: "decide", CLOSED: "decide"},
    PENDING: {IN_REVIEW: "second", CLOSED: "second"},
    CLOSED: {REOPENED: "reopen"},
    SNOOZED: {TRIAGED: "move", ASSIGNED: "claim"},
    REOPENED: {TRIAGED: "move", ASSIGNED: "claim", SNOOZED: "snooze", CLOSED: "decide"},
}
"""By state: the states that a case may move to, each with the command that does it."""

STATES = tuple(MOVES)

VERDICTS = ("confirmed", "refuted", "inconclusive", "duplicate")

REVIEWED = (IN_REVIEW, AWAITING)
"""Where a case is looked at. Anything but a duplicate is decided only there."""

REASONS = {
    "household": "one household or family",
    "venue": "one place or network that strangers share",
    "payroll": "paid by one employer",
    "custodian": "one custodian, exchange or agent for many",
    "marketplace": "customers of one shop or market",
    "team": "a sales team or community that acts in the open",
    "otc": "a circle of traders among themselves",
    "gift": "a gift, an inheritance, an allotment",
    "charity": "a collection or a charity",
    "data": "an error in the data",
    "below": "below the line after a correction",
    "unrelated": "the accounts have nothing to do with each other",
    "other": "something else, said in words",
}
"""Why a finding is refuted."""


def needs_second(verdict: str, reason: str | None) -> bool:
    """Whether a second person must agree: to confirm, and to declare accounts unrelated."""
    return verdict == "confirmed" or reason == "unrelated"


def refuse_move(case: str, state: str, wanted: str, command: str) -> None:
    """UserError unless a command may move a case from one state to another."""
    if wanted not in STATES:
        raise UserError(f"There is no state '{wanted}'.", f"There are {', '.join(STATES)}.")
    by = MOVES[state].get(wanted)
    if by is None:
        allowed = ", ".join(MOVES[state])
        raise UserError(
            f"Case {case} is {state} and cannot become {wanted}.", f"It may become {allowed}."
        )
    if command != by:
        raise UserError(f"A case that is {state} becomes {wanted} by `inconcert review {by}`.")
