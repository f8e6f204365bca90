"""What one holder may be told of a case: their own figures, and nothing of anybody else's.

Nothing is masked: every sentence is written here anew. Of what detection says of the account
only sentences of known forms are taken over, and of them only figures that are the holder's
own or both sides'; who the other side is, what it holds, and which value was shared is never
taken over. Of a group of two not even what the other holds is said: it would be one person's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graph.clock import iso, now
from graph.errors import UserError
from graph.log import Desk, Doc, Draft
from graph.store import Store
from review import moves
from review.cases import CASE, MEMBERS, ORDER, subject
from review.freezes import FROZEN
from review.log import LOG
from review.page import ALWAYS, QUESTIONS, finding_in, run_of
from review.people import Person
from review.policy import Policy, Rule, built_in
from review.policy_history import entries

FEWEST_OTHERS = 2
"""So many others are said to hold something together; of one it would be that one's own."""

ACTIONS = {
    "notice": "you are given notice",
    "letter": "you get a warning letter",
    "freeze": "the account is frozen and looked at by people",
    "unfreeze": "the account is set free",
}

BASES = {
    "stated": "what every account was last stated to hold",
    "rolled": "what every account was last stated to hold, and the transfers since",
    "replayed": "what every account holds by its transfers",
}

STATES = {
    moves.NEW: "Nobody has looked at it yet.",
    moves.TRIAGED: "It waits for somebody to look at it.",
    moves.ASSIGNED: "Somebody has it and will look at it.",
    moves.IN_REVIEW: "It is being looked at.",
    moves.AWAITING: "Your answer is waited for.",
    moves.PENDING: "A second person is looking at it.",
    moves.SNOOZED: "It rests for a while.",
    moves.REOPENED: "It was opened again and will be looked at anew.",
}

VERDICTS = {
    "confirmed": "Two people have looked at it and agree that the accounts act as one.",
    "refuted": "It was looked at, and the accounts are not held to act as one.",
    "inconclusive": "It was looked at, and nothing was decided against you.",
    "duplicate": "It is looked at in another case.",
}

DOUBTS = {
    "allotment": "The points may have been given out to everybody alike.",
    "bridge": "The accounts may be two circles that one tie alone joins.",
    "charity": "It may be a collection for others.",
    "club": "It may be a club or a circle whose members deal with each other openly.",
    "custodian": "One agent may keep accounts for many owners.",
    "distributor team": "It may be a sales team in which everybody acts for themselves.",
    "edge": "It is open who belongs to the group and who only deals with one of it.",
    "gift": "They may be gifts, or an inheritance.",
    "household": "It may be one household or family.",
    "marketplace": "They may be customers of one shop or market.",
    "one large holder": "One account alone holds most of it.",
    "otc": "They may be traders who deal with each other directly, each for themselves.",
    "payroll": "They may be paid by one employer.",
    "shared member": "They may be two circles that one account belongs to.",
    "supply chain": "It may be ordinary trade from supplier to customer.",
    "syndicate": "They may pool what they hold openly.",
    "venue": "It may be one place or network that strangers share.",
}

VALUES = {
    "address": "address",
    "card": "payment card",
    "device": "device",
    "email": "e-mail address",
    "ip": "internet address",
    "phone": "phone number",
}

BRING = (
    "Receipts: the number, the amount and the time of each purchase you made.",
    "If what you held is wrong: what you really held then, and what shows it.",
    "If there is an innocent explanation (a household, an employer, a gift, a shop …): which "
    "one, what shows it, and the accounts that it is about, if you know them.",
)

OTHERWISE = "Other records of the platform tie your account to another account of the group."

NOT_KEPT = "What ties your account to the others is not kept in detail any more; ask for it."


def holder_page(store: Store, policy: Policy, key: str, account: str) -> dict[str, Any]:
    """What the holder of one account (as stored) may be told. `policy`: the one in force now.

    UserError where there is no such case, or the account is not in it.
    """
    case = store.log.view(CASE, key)
    if case is None:
        raise UserError(f"There is no case '{key}'.", "`inconcert review list` lists them.")
    members = (store.log.view(MEMBERS, key) or {"members": []})["members"]
    frozen = account in (store.log.view(FROZEN, key) or {"accounts": []})["accounts"]
    own = next((one for one in members if one["account"] == account), None)
    if own is None and frozen:
        own = _left(store, key, account)
    if own is None:
        raise UserError(f"{account} is no member of case {key}.")
    run = run_of(store, list(store.log.events(subject(key))))
    finding = finding_in(run, case)
    explanations = [one["explanation"] for one in finding["doubts"]] if finding else []
    return {
        "case": key,
        "account": account,
        "printed_at": iso(now()),
        "as_of": case["as_of"],
        "own": {"holdings": own["holdings"], "share": own["share"]},
        "base": {
            "supply": case["base"]["supply"],
            "text": BASES.get(case["base"]["rule"], "all that is held"),
        },
        "rule": _rule(store, policy, case),
        "group": _group(case, members, own),
        "reasons": _reasons(case, finding, members, own),
        "doubts": [DOUBTS[one] for one in explanations if one in DOUBTS],
        "state": _state(case),
        "orders": _orders(store, key, account),
        "frozen": frozen,
        "clock": {"reviewed_by": case.get("due") if frozen else None},
        "appeal": {
            "until": case.get("waiting_until"),
            "bring": list(BRING),
            "of_yours": _appeals(store, case, account),
        },
        "questions": [
            *(QUESTIONS[one] for one in explanations if one in QUESTIONS),
            *ALWAYS,
        ],
    }


def told(desk: Desk, person: Person, key: str, account: str) -> None:
    """Record that a holder's page was printed. RefusedError where this person may not."""
    actor = person.acting(
        "print a holder's page", key, "investigator", "senior", "operator", "auditor"
    )
    desk.record(actor, Draft(LOG, "told", {"case": key, "account": account}))


def _left(store: Store, key: str, account: str) -> Doc | None:
    """What was said last of an account that is in the case no more, and still frozen for it."""
    said = [one.facts for one in store.log.events(subject(key)) if one.action in ("found", "seen")]
    every = (one for facts in reversed(said) for one in facts["members"])
    return next((one for one in every if one["account"] == account), None)


def _rule(store: Store, policy: Policy, case: Doc) -> Doc:
    """The rule that the case is over, by the policy that it was found by."""
    known = [policy, built_in(), *(one.policy for one in entries(store.log.views("policy")))]
    of_case = next((one for one in known if one.sha256 == case["policy"]), policy)
    rule = next((one for one in of_case.rules if one.id == case["rule"]), None)
    return {
        "id": case["rule"],
        "line": case["line"],
        "action": rule.action if rule else None,
        "policy": case["policy"],
        "text": _rule_text(case, rule),
    }


def _rule_text(case: Doc, rule: Rule | None) -> str:
    line = f"{100 * case['line']:.6g} %"
    who = (
        "Accounts that act as one and together hold"
        if case["on"] == "group"
        else "An account that holds"
    )
    if rule is None:
        return f"{who} {line} of all or more are looked at."
    return f"{who} {line} of all or more fall under a rule: {ACTIONS[rule.action]}."


def _group(case: Doc, members: Sequence[Doc], own: Doc) -> Doc | None:
    """How many others there are and what they hold together; None of a single account."""
    others = [one for one in members if one is not own]
    if case["on"] != "group" or not others:
        return None
    told_ = len(others) >= FEWEST_OTHERS
    return {
        "others": len(others),
        "others_share": max(case["share"] - own["share"], 0.0) if told_ else None,
        "share": case["share"] if told_ else None,
    }


def _state(case: Doc) -> str:
    if case["state"] == moves.CLOSED:
        return VERDICTS.get(case.get("decision", {}).get("verdict"), "It is closed.")
    return STATES[case["state"]]


def _orders(store: Store, key: str, account: str) -> list[Doc]:
    found = [
        {
            "action": order["action"],
            "text": ACTIONS.get(order["action"], order["action"]),
            "at": order["at"],
            "done": order.get("done"),
            "done_at": order.get("acknowledged"),
        }
        for order in store.log.views(ORDER).values()
        if order["case"] == key and order["account"] == account
    ]
    return sorted(found, key=lambda one: (one["at"], one["action"]))


def _appeals(store: Store, case: Doc, account: str) -> list[Doc]:
    from review.appeals import appeals_of

    return [
        {"number": number, "at": one["at"], "outcome": one["outcome"]}
        for number, one in appeals_of(store.log.view, case)
        if one["account"] == account
    ]


def _reasons(
    case: Doc, finding: Mapping[str, Any] | None, members: Sequence[Doc], own: Doc
) -> list[str]:
    if case["on"] != "group":
        return [f"Your account alone holds {own['share']:.2%} of all."]
    found = finding["members"] if finding else []
    mine = next((one for one in found if one["account"] == own["account"]), None)
    if mine is None or not mine.get("reasons"):
        return [NOT_KEPT]
    others = {one["account"] for one in (*members, *found)} - {own["account"]}
    said = [
        sentence for text in mine["reasons"] for sentence in told_of(text, own["account"], others)
    ]
    return list(dict.fromkeys(said))


def told_of(text: str, own: str, others: set[str]) -> list[str]:
    """What a holder may be told of what detection says of their account and others."""
    for pieces in ([text], text.split("; ")):
        said = [_said(piece, own, others) for piece in pieces]
        if all(said):
            return [one for one in said if one]
    return [OTHERWISE]


def _said(text: str, own: str, others: set[str]) -> str | None:
    """One sentence of a known form in plain words; None for any other."""
    for form, say in FORMS:
        found = form.fullmatch(text)
        if found is None:
            continue
        a, b = found["a"], found["b"]
        if a == own and b in others:
            return say(True, found)
        if b == own and a in others:
            return say(False, found)
    return None


Match = re.Match[str]
Say = Callable[[bool, Match], str]
"""What a sentence becomes. First: whether the account is the one that it names first."""


def _flow(first: bool, found: Match) -> str:
    times = found["times"]
    often = "once" if times == "1" else f"{times} times"
    if first:
        return (
            f"Your account sent points to another account {often}: {found['sent']} of all it sent."
        )
    return (
        f"Another account sent points to yours {often}: {found['received']} of all that yours "
        "received."
    )


def _first_paid(first: bool, found: Match) -> str:
    if first:
        return "Your account was first paid by an account that also first paid others of the group."
    return "Your account was the first to pay several accounts of the group."


def _last_paid(first: bool, found: Match) -> str:
    if first:
        return "Your account last paid an account that others of the group last paid too."
    return "Your account was the last that several accounts of the group paid."


def _funnel(first: bool, found: Match) -> str:
    if first:
        return (
            f"Your account sent {found['part']} of its points to an account that others of the "
            "group send theirs to."
        )
    return "Several accounts of the group send their points to yours."


def _seen(first: bool, found: Match) -> str:
    kinds = re.findall(r"(?:one|\d+) ([A-Za-z]+?)s?(?: and |$)", found["values"])
    known = {VALUES.get(kind) or VALUES.get(kind + "s", "identifier") for kind in kinds}
    names = sorted(known or {"identifier"})
    return f"Your account and another account used the same {' and the same '.join(names)}."


def _met(first: bool, found: Match) -> str:
    return (
        "Your account and another account dealt with the same accounts within hours of each "
        f"other, {found['times']} times."
    )


def _handed(first: bool, found: Match) -> str:
    if first:
        return "Your account handed another account much of what that account holds."
    return f"Another account handed yours {found['part']} of what yours holds."


def _brought(first: bool, found: Match) -> str:
    if first:
        return "Your account brought in another account of the group."
    return "Your account was brought in by another account of the group."


def _refund(first: bool, found: Match) -> str:
    if first:
        return (
            "Your account paid shops, and soon after another account got nearly the same amounts "
            f"back from them, {found['times']} times."
        )
    return (
        "Another account paid shops, and soon after yours got nearly the same amounts back from "
        f"them, {found['times']} times."
    )


def _relay(first: bool, found: Match) -> str:
    return (
        f"Of {found['times']} payments between your account and another account the points came "
        "in from a third account just before, or went on to one soon after."
    )


def _fixed(text: str) -> Say:
    return lambda first, found: text


def _form(pattern: str, say: Say) -> tuple[re.Pattern[str], Say]:
    whole = (
        pattern.replace("A:", "(?P<a>.+)")
        .replace("B:", "(?P<b>.+)")
        .replace("N:", r"(?P<times>[\d,]+)")
    )
    return re.compile(whole, re.DOTALL), say


_PART = r"(?:over |under )?[\d.]+%"

FORMS = (
    _form(
        rf"A: sends (?P<sent>{_PART}) of its outgoing points to B:, which receives "
        rf"(?P<received>{_PART}) of its incoming points from it \(N: transfers?\)",
        _flow,
    ),
    _form(r"A: was first paid by B:, as [\d,]+ members", _first_paid),
    _form(r"A: last paid B:, as [\d,]+ members", _last_paid),
    _form(rf"A: sends (?P<part>{_PART}) of its points to B:, which [\d,]+ members feed", _funnel),
    _form(r"A: and B: were both seen with (?P<values>.+)", _seen),
    _form(
        r"A: and B: paid, or were paid by, (?:one counterparty|the same [\d,]+ counterparties) "
        r"within hours of each other N: times",
        _met,
    ),
    _form(
        r"A: and B: have dealt with each other since (?P<day>\d{4}-\d\d-\d\d)",
        lambda first, found: (
            f"Your account and another account have dealt with each other since {found['day']}, "
            "when others of the group began to as well."
        ),
    ),
    _form(rf"A: handed B: (?P<part>{_PART}) of what it holds", _handed),
    _form(r"A: brought in B:", _brought),
    _form(r"A: brought in B:, (?:a day|[\d,]+ days) after it was brought in itself", _brought),
    _form(
        r"A: and B: were brought in by the same account",
        _fixed("Your account and another account were brought in by the same account."),
    ),
    _form(
        r"A: and B: are declared to be one owner's.*",
        _fixed("It is on record that your account and another account belong to one owner."),
    ),
    _form(
        r"A: paid shops, and within [\d.]+ days B: got nearly the same amount back from them, "
        r"N: times",
        _refund,
    ),
    _form(
        r"N: payments? between A: and B: came in from a third just before, or went on to one "
        r"soon after, at nearly the amount",
        _relay,
    ),
)
"""The sentences of detection that are known, and what becomes of each."""
