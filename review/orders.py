"""Orders: what the platform is to carry out, each with a key that makes it happen once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from graph.log import Desk, Doc, Draft
from review.cases import FROZEN, MEMBERS, NOTICE, subject
from review.policy import Rule

ORDERING_GRADES = ("conclusive", "corroborated")
"""Grades of a finding that may lead to an order before people have looked at it."""


def order_key(fingerprint: str, case: str, action: str, account: str, round_: int) -> str:
    """The idempotence key of an order: the same for the same order of the same store, however
    often it is given out. `round_`: how many times orders were given in this case."""
    text = f"{fingerprint}/{case}/{round_}/{action}/{account}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def draft_orders(
    desk: Desk,
    fingerprint: str,
    case: Doc,
    action: str,
    accounts: Iterable[str],
    *,
    rule: str | None,
    once: bool = False,
) -> list[Draft]:
    """The event that orders an action for some accounts; none where nobody is left: what goes
    out once to an account, goes to nobody who has it."""
    wanted = [one for one in accounts if not (once and desk.get(NOTICE, one))]
    if not wanted:
        return []
    round_ = case.get("rounds", 0) + 1
    orders = [
        {
            "key": order_key(fingerprint, case["id"], action, account, round_),
            "action": action,
            "account": account,
            "rule": rule,
            "policy": case["policy"],
            "once": once,
        }
        for account in wanted
    ]
    return [Draft(subject(case["id"]), "ordered", {"orders": orders})]


def nameable(desk: Desk, case: str) -> list[str]:
    """The members whom an order may name."""
    found = desk.get(MEMBERS, case) or {"members": []}
    return [member["account"] for member in found["members"] if member.get("named", True)]


def by_rule(
    desk: Desk, fingerprint: str, case: Doc, rule: Rule, *, agreed: bool = False
) -> list[Draft]:
    """What the rule that a case is over orders at once, or after two people agreed.

    An account's own holdings are what they are; of a group's findings only such orders go out
    as its grade allows, a freeze only where the rule is provisional.
    """
    if rule.id in case.get("carried", ()):
        return []
    at_once = rule.immediate if case["on"] == "account" else rule.provisional
    ready = agreed or (
        (case["on"] == "account" or case["grade"] in ORDERING_GRADES)
        and (rule.action != "freeze" or at_once)
    )
    if not ready:
        return []
    return draft_orders(
        desk,
        fingerprint,
        case,
        rule.action,
        nameable(desk, case["id"]),
        rule=rule.id,
        once=rule.once,
    )


def frozen_accounts(desk: Desk, case: str) -> list[str]:
    """The accounts of a case whose freeze was ordered and not lifted."""
    accounts: list[str] = (desk.get(FROZEN, case) or {"accounts": []})["accounts"]
    return accounts


def unfreeze(desk: Desk, fingerprint: str, case: Doc) -> list[Draft]:
    """The event that lifts what is frozen in a case; none where nothing is."""
    frozen = frozen_accounts(desk, case["id"])
    return draft_orders(desk, fingerprint, case, "unfreeze", frozen, rule=None)
