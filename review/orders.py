"""Orders: what the platform is to carry out, each with a key that makes it happen once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from graph.log import Desk, Doc, Draft
from review import freezes
from review.cases import MEMBERS, NOTICE, subject
from review.policy import Policy, Rule, built_in
from review.policy_history import entries, kept

ORDERING_GRADES = ("conclusive", "corroborated")
"""Grades of a finding that may lead to an order before people have looked at it."""


def order_key(fingerprint: str, case: str, action: str, account: str, round_: int) -> str:
    """The idempotence key of an order: the same for the same order of the same store, however
    often it is given out. `round_`: how many times orders were given in this case."""
    text = f"{fingerprint}/{case}/{round_}/{action}/{account}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def policy_of(desk: Desk, case: Doc) -> Policy:
    """The policy that a case was found by: what follows from it is what held then."""
    known = [built_in(), *(one.policy for one in entries(kept(desk)))]
    return next(one for one in reversed(known) if one.sha256 == case["policy"])


def nameable(desk: Desk, case: str) -> list[str]:
    """The members whom an order may name."""
    found = desk.get(MEMBERS, case) or {"members": []}
    return [member["account"] for member in found["members"] if member.get("named", True)]


def by_rule(
    desk: Desk,
    fingerprint: str,
    case: Doc,
    rule: Rule,
    *,
    agreed: bool = False,
    exclude: Iterable[str] = (),
) -> list[Draft]:
    """What the rule that a case is over orders at once, or after two people agreed; none where
    nobody is left to order it for. `exclude`: nothing is ordered against them.

    An account's own holdings are what they are; of a group's findings only such orders go out
    as its grade allows, a freeze only where the rule is provisional. A letter goes out once for
    a case until it is opened again, a notice once for an account ever. Whoever is frozen for the
    case is not frozen again; who joins it while it is, is; and once that is over no run freezes
    anybody again before people have decided.
    """
    in_force = case["freeze"] in ("ordered", "in_force")
    at_once = rule.immediate if case["on"] == "account" else rule.provisional
    ready = agreed or (
        case["may_order"]
        and (rule.action != "freeze" or at_once)
        and (rule.id not in case.get("carried", ()) or (rule.action == "freeze" and in_force))
    )
    left_out = set(exclude)
    wanted = [one for one in nameable(desk, case["id"]) if one not in left_out]
    if not ready:
        return []
    if rule.action == "freeze":
        return _freeze(desk, fingerprint, case, wanted, rule)
    wanted = [one for one in wanted if not (rule.once and desk.get(NOTICE, one))]
    orders = _orders(fingerprint, case, rule.action, wanted, rule)
    return [Draft(subject(case["id"]), "ordered", {"orders": orders})] if orders else []


def _freeze(
    desk: Desk, fingerprint: str, case: Doc, accounts: Iterable[str], rule: Rule
) -> list[Draft]:
    """Who is frozen for another case needs no second order, and stays frozen for this one too."""
    own = set(freezes.frozen(desk, case["id"]))
    new = [one for one in accounts if one not in own]
    held = [one for one in new if freezes.holders(desk, one)]
    orders = _orders(fingerprint, case, "freeze", [one for one in new if one not in held], rule)
    if not orders and not held:
        return []
    return [Draft(subject(case["id"]), "ordered", {"orders": orders, "held": held})]


def unfreeze(
    desk: Desk, fingerprint: str, case: Doc, accounts: Iterable[str] | None = None
) -> list[Draft]:
    """The event that lifts what is frozen in a case, all or of some accounts; none where nothing
    is. Who is frozen for another case too stays frozen for that."""
    own = freezes.frozen(desk, case["id"])
    wanted = own if accounts is None else [one for one in own if one in set(accounts)]
    free = [one for one in wanted if freezes.holders(desk, one) == [case["id"]]]
    released = [one for one in wanted if one not in free]
    if not wanted:
        return []
    level = policy_of(desk, case).levels.get(case["level"])
    orders = [
        {**order, "within_hours": level.unfreeze_hours if level else None}
        for order in _orders(fingerprint, case, "unfreeze", free, None)
    ]
    return [Draft(subject(case["id"]), "ordered", {"orders": orders, "released": released})]


def _orders(
    fingerprint: str, case: Doc, action: str, accounts: Iterable[str], rule: Rule | None
) -> list[Doc]:
    round_ = case.get("rounds", 0) + 1
    return [
        {
            "key": order_key(fingerprint, case["id"], action, account, round_),
            "action": action,
            "account": account,
            "rule": rule.id if rule else None,
            "policy": case["policy"],
            "once": bool(rule and rule.once),
        }
        for account in accounts
    ]
