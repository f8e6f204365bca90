"""What the events of a case come to: the view of it that the queue shows.

Views of kind `case` are small, for a queue is listed whole; who is in a case is a view of its
own (`members`). Orders are views too (`order`, by their key), and so are the notices that
accounts got (`notice`), what is frozen (see `review.freezes`), what a score is made of (`score`),
appeals (`appeal`), whom an upheld one spares (`spared`), the receipts that count (`receipt`), and
what each person has seen of a case (`seen`).
"""

from __future__ import annotations

from collections.abc import Callable

from graph.clock import parse_time
from graph.log import Doc, Event, Views
from review import moves
from review.freezes import frozen, give_up, hand_on, lifted, start, stop, take

CASE, MEMBERS, ORDER, NOTICE = "case", "members", "order", "notice"
RECEIPT, SEEN, SCORE, SPARED = "receipt", "seen", "score", "spared"
APPEAL = "appeal"
"""What a holder answered: views of this kind have `appeal_key` as key."""

_NOBODY: Doc = {"members": []}

PREFIX = "case/"
"""Before the id of a case, where it is the subject of an event."""

OF_FINDING = (
    "on",
    "run",
    "group",
    "line",
    "share",
    "holdings",
    "rule",
    "level",
    "grade",
    "strength_bits",
    "because",
    "against",
    "size",
    "as_of",
    "base",
    "review_hours",
    "policy",
    "may_order",
)
"""What a case takes over from the finding that it is about now."""

OF_APPEAL = (
    "account",
    "receipts",
    "amounts",
    "times",
    "holdings",
    "explanation",
    "with",
    "run",
    "confirmed_by",
)
"""What is kept of an appeal beside its event."""

BY_HAND = ("moved", "decided", "seconded", "reopened")
"""What somebody does who has the case before them."""

QUIET = ("sent", "acknowledged", "warned")
"""What changes nothing that somebody decides by: a view of before is as good."""

Change = Callable[[Doc, Doc, Event, Views], None]
"""Brings a case (first) up to date with what an event says (second)."""


def subject(case: str) -> str:
    """The subject of the events of a case."""
    return PREFIX + case


def appeal_key(case: str, number: int) -> str:
    """The key of an appeal: the case and its place among those of the case: 1, 2, …"""
    return f"{case}/{number}"


def project_case(event: Event, views: Views) -> None:
    """Bring the views up to date with an event of a case."""
    key = event.subject.removeprefix(PREFIX)
    said = event.facts
    case = views.get(CASE, key) or {"id": key, "opened": event.at, "state": moves.NEW}
    case |= {"version": event.version, "updated": event.at}
    if event.action not in QUIET:
        case["touched"] = event.version
    CHANGES[event.action](case, said, event, views)
    views.put(CASE, key, case)
    _note_seen(key, event, views)


def _note_seen(key: str, event: Event, views: Views) -> None:
    """Who brings a case on knows what it came to, unless others did something before that they
    have not seen."""
    own = f"{key}/{event.user}"
    known = views.get(SEEN, own)
    knows = event.action in BY_HAND if known is None else known["version"] == event.version - 1
    if knows:
        views.put(SEEN, own, {"version": event.version})


def _found(case: Doc, said: Doc, event: Event, views: Views) -> None:
    _take(case, said, views)
    case |= {"owner": None, "freeze": "none", "change": said["change"], "groups": [said["group"]]}


def _seen_again(case: Doc, said: Doc, event: Event, views: Views) -> None:
    before = {one["account"] for one in (views.get(MEMBERS, case["id"]) or _NOBODY)["members"]}
    rule = case["rule"]
    _take(case, said, views)
    case["change"] = said["change"]
    if said["group"] not in case["groups"]:
        case["groups"] = [*case["groups"][-4:], said["group"]]
    case.pop("gone", None)
    if case["state"] == moves.PENDING:
        now = {one["account"] for one in said["members"]}
        if now != before or case["rule"] != rule:
            pending = case.pop("pending")
            case["state"] = moves.IN_REVIEW
            case["void"] = f"What {pending['by']} proposed was about other members or another rule."


def _take(case: Doc, said: Doc, views: Views) -> None:
    case |= {name: said[name] for name in OF_FINDING}
    case["score"] = said["score"]["score"] if said["score"] else None
    spared = (views.get(SPARED, case["id"]) or {"accounts": []})["accounts"]
    members = [
        {**one, "named": False} if one["account"] in spared else one for one in said["members"]
    ]
    views.put(MEMBERS, case["id"], {"members": members})
    if said["score"]:
        views.put(SCORE, case["id"], said["score"])


def _gone(case: Doc, said: Doc, event: Event, views: Views) -> None:
    case |= {"change": said["change"], "gone": True, "run": said["run"]}


def _merged(case: Doc, said: Doc, event: Event, views: Views) -> None:
    into = views.get(CASE, said["into"])
    if into is not None:
        hand_on(views, case, into, event.at)
        views.put(CASE, into["id"], into)
    case.pop("pending", None)
    _close(case, {"verdict": "duplicate", "reason": None, "of": said["into"]}, event)
    case["change"] = said["change"]


def _moved(case: Doc, said: Doc, event: Event, views: Views) -> None:
    case["state"] = said["to"]
    case["owner"] = said.get("owner", case["owner"])
    for name in ("snoozed_until", "waiting_until"):
        case.pop(name, None)
        if name in said:
            case[name] = said[name]


def _decided(case: Doc, said: Doc, event: Event, views: Views) -> None:
    decision = {name: said[name] for name in ("verdict", "reason", "of", "exclude")}
    case.pop("void", None)
    if said["to"] == moves.PENDING:
        by = {"by": event.user, "named": said.get("named", event.user), "at": event.at}
        case["pending"] = {**decision, **by}
        case["state"] = moves.PENDING
        _wake(case)
    else:
        _close(case, {**decision, "by": event.user}, event)


def _seconded(case: Doc, said: Doc, event: Event, views: Views) -> None:
    pending = case.pop("pending")
    if said["agrees"]:
        _close(case, {**pending, "second": event.user}, event)
    else:
        case["state"] = moves.IN_REVIEW


def _close(case: Doc, decision: Doc, event: Event) -> None:
    """A freeze that two people confirmed has been reviewed: its clock has run."""
    case |= {"state": moves.CLOSED, "decision": {**decision, "at": event.at}}
    case["decided"] = {name: case[name] for name in ("share", "line", "grade", "level")}
    if decision["verdict"] == "confirmed":
        stop(case)
    _wake(case)


def _wake(case: Doc) -> None:
    for name in ("snoozed_until", "waiting_until"):
        case.pop(name, None)


def _reopened(case: Doc, said: Doc, event: Event, views: Views) -> None:
    """What is frozen is to be reviewed anew, and has its time for it."""
    case |= {"state": moves.REOPENED, "owner": None, "reopened_for": said["why"]}
    for name in ("decision", "decided", "carried"):
        case.pop(name, None)
    if said.get("material"):
        views.drop(SPARED, case["id"])
    if case["freeze"] == "in_force":
        start(case, parse_time(event.at))


def _commented(case: Doc, said: Doc, event: Event, views: Views) -> None:
    case["comments"] = case.get("comments", 0) + 1


def _ordered(case: Doc, said: Doc, event: Event, views: Views) -> None:
    """`orders` go out. `held` are frozen for other cases already, and for this one too from now
    on; `released` stay frozen for others."""
    for order in said["orders"]:
        views.put(ORDER, order["key"], {**order, "case": case["id"], "at": event.at})
        if order["once"]:
            views.put(NOTICE, order["account"], {"case": case["id"], "at": event.at})
    case["rounds"] = case.get("rounds", 0) + 1
    rules = {order["rule"] for order in said["orders"]} - {None}
    case["carried"] = sorted(rules.union(case.get("carried", ())))
    new = [one["account"] for one in said["orders"] if one["action"] == "freeze"]
    held = said.get("held", [])
    old = [one["account"] for one in said["orders"] if one["action"] == "unfreeze"]
    released = said.get("released", [])
    if new or held:
        take(views, case["id"], [*new, *held])
        if case["freeze"] in ("none", "lifted"):
            case["freeze"] = "ordered"
        if held and not new:
            start(case, parse_time(event.at))
    if old or released:
        give_up(views, case["id"], [*old, *released])
        if not frozen(views, case["id"]):
            lifted(case)


def _sent(case: Doc, said: Doc, event: Event, views: Views) -> None:
    for key in said["keys"]:
        order = views.get(ORDER, key)
        assert order is not None
        views.put(ORDER, key, {**order, "sent": event.at})


def _acknowledged(case: Doc, said: Doc, event: Event, views: Views) -> None:
    """What was not carried out is as it was before it was ordered."""
    order = views.get(ORDER, said["key"])
    assert order is not None
    views.put(ORDER, said["key"], {**order, "done": said["done"], "acknowledged": said["at"]})
    account = order["account"]
    if order["action"] == "freeze" and said["done"]:
        if account in frozen(views, case["id"]) and case["state"] != moves.CLOSED:
            start(case, parse_time(said["at"]))
        elif account in frozen(views, case["id"]):
            case["freeze"] = "in_force"
    elif order["action"] == "freeze":
        give_up(views, case["id"], [account])
        if not frozen(views, case["id"]):
            lifted(case)
    elif order["action"] == "unfreeze" and not said["done"]:
        take(views, case["id"], [account])
        case["freeze"] = "in_force"


def _warned(case: Doc, said: Doc, event: Event, views: Views) -> None:
    case["warned"] = said["at"]


def _expired(case: Doc, said: Doc, event: Event, views: Views) -> None:
    case |= {"escalated": True, "expired": True}


def _proposed(case: Doc, said: Doc, event: Event, views: Views) -> None:
    """`accounts`: those whom it is about, None: all that are frozen. No action: no more."""
    for name in ("proposed", "proposed_for"):
        case.pop(name, None)
    if said["action"]:
        case |= {"proposed": said["action"], "proposed_for": said.get("accounts")}


def _appealed(case: Doc, said: Doc, event: Event, views: Views) -> None:
    for receipt in said.get("receipts", ()):
        views.put(RECEIPT, receipt, {"case": case["id"], "account": said["account"]})
    case["appeals"] = case.get("appeals", 0) + 1
    case["appeals_open"] = case.get("appeals_open", 0) + 1
    kept = {name: said[name] for name in OF_APPEAL if name in said}
    doc = {**kept, "case": case["id"], "at": event.at, "by": event.user, "outcome": None}
    views.put(APPEAL, appeal_key(case["id"], case["appeals"]), doc)


def _answered(case: Doc, said: Doc, event: Event, views: Views) -> None:
    key = appeal_key(case["id"], said["appeal"])
    appeal = views.get(APPEAL, key)
    assert appeal is not None
    proposed = appeal.pop("proposed", None)
    if said["step"] == "proposed":
        named = said.get("named", event.user)
        appeal["proposed"] = {"by": event.user, "named": named, "at": event.at}
    elif said["step"] == "final":
        case["appeals_open"] -= 1
        by = {"by": proposed["by"], "second": event.user} if proposed else {"by": event.user}
        appeal |= {"outcome": said["outcome"], "answered": {**by, "at": event.at}}
        if said["outcome"] == "rejected":
            for receipt in appeal.get("receipts", ()):
                used = {"case": case["id"], "account": appeal["account"], "rejected": True}
                views.put(RECEIPT, receipt, used)
        else:
            _name_no_more(case["id"], appeal["account"], views)
    views.put(APPEAL, key, appeal)


def _name_no_more(case: str, account: str, views: Views) -> None:
    """No order of the case names an account any more, until it is opened again because it
    changed materially."""
    spared = (views.get(SPARED, case) or {"accounts": []})["accounts"]
    views.put(SPARED, case, {"accounts": sorted({*spared, account})})
    found = views.get(MEMBERS, case) or _NOBODY
    members = [
        {**one, "named": False} if one["account"] == account else one for one in found["members"]
    ]
    views.put(MEMBERS, case, {**found, "members": members})


CHANGES: dict[str, Change] = {
    "found": _found,
    "seen": _seen_again,
    "gone": _gone,
    "merged": _merged,
    "moved": _moved,
    "decided": _decided,
    "seconded": _seconded,
    "reopened": _reopened,
    "commented": _commented,
    "ordered": _ordered,
    "sent": _sent,
    "acknowledged": _acknowledged,
    "warned": _warned,
    "expired": _expired,
    "proposed": _proposed,
    "appealed": _appealed,
    "answered": _answered,
}
"""What each action does to a case."""
