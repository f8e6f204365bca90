"""What an investigator sees of a case: everything that is known and said about it."""

from __future__ import annotations

from typing import Any

from graph.archive import refuse_past
from graph.clock import iso, now, parse_time
from graph.errors import ArchivedError, UserError
from graph.log import Doc, Event
from graph.store import RunRecord, Store
from review import moves
from review.cases import CASE, MEMBERS, ORDER, SCORE, subject
from review.clock import spent
from review.freezes import FROZEN
from review.policy import Policy

QUESTIONS = {
    "household": "Who lives at this address, and whose is the device?",
    "club": "Where do the members of this circle know each other from?",
    "payroll": "Who employs you, and since when?",
    "custodian": "For whom is this account kept, and who may dispose of it?",
    "venue": "From which places is the account used?",
    "distributor team": "Who advises you, and do they have your password or device?",
    "gift": "From whom did you get these points, and for what?",
    "otc": "With whom did you trade directly, at which price, and how was it paid?",
    "charity": "What was collected for, and who received it?",
    "marketplace": "What was sold to these buyers?",
}
"""What to ask the holder where an explanation is open."""

ALWAYS = (
    "Who opened this account, and who has the password and the devices?",
    "Where did the points come from, and are there receipts?",
)


def page_of(store: Store, policy: Policy, key: str) -> dict[str, Any]:
    """A case with its members, its finding, its history, its orders and what is next."""
    case = store.log.view(CASE, key)
    if case is None:
        raise UserError(f"There is no case '{key}'.", "`inconcert review list` lists them.")
    members = (store.log.view(MEMBERS, key) or {"members": []})["members"]
    words = store.log.words(subject(key))
    events = list(store.log.events(subject(key)))
    run = run_of(store, events)
    finding = finding_in(run, case)
    orders = [one for one in store.log.views(ORDER).values() if one["case"] == key]
    moment = now()
    doubts = finding["doubts"] if finding else []
    return {
        "case": case,
        "members": members,
        "finding": finding,
        "score": store.log.view(SCORE, key),
        **_flows(store, run, case, [one["account"] for one in members]),
        "history": [_told(event, words) for event in events],
        "changed": changes(events),
        "orders": sorted(orders, key=lambda one: (one["at"], one["account"])),
        "frozen": (store.log.view(FROZEN, key) or {"accounts": []})["accounts"],
        "time_spent": spent(case, moment),
        "as_seen_at": iso(moment),
        "questions": [
            *(QUESTIONS[one["explanation"]] for one in doubts if one["explanation"] in QUESTIONS),
            *ALWAYS,
        ],
        "next": what_is_next(case, policy),
        "may_become": moves.MOVES[case["state"]],
    }


def run_of(store: Store, events: list[Event]) -> RunRecord | None:
    """The run that found the group last; None where it is kept no more."""
    name = next(one.facts["run"] for one in reversed(events) if one.action in ("found", "seen"))
    try:
        return store.run(name)
    except UserError:
        return None


def finding_in(run: RunRecord | None, case: Doc) -> dict[str, Any] | None:
    """The group as its run has it; None where it is kept no more, or is a single account."""
    if run is None or not case["group"]:
        return None
    groups: list[dict[str, Any]] = run.result["groups"]
    return next((one for one in groups if one["id"] == case["group"] and "members" in one), None)


def _flows(store: Store, run: RunRecord | None, case: Doc, members: list[str]) -> dict[str, Any]:
    """`flows` as its finding's run knew them: what was loaded since is not in it, unless that run
    is kept no more. Where they are archived there are none, and `flows_archived` says so."""
    from review.flows import flows

    known_at = run.result["run"]["known_at"] or None if run else None
    as_of = parse_time(case["as_of"])
    try:
        refuse_past(store.archived(), as_of)
        found = flows(store, members, as_of, known_at)
    except ArchivedError as error:
        return {"flows": [], "flows_archived": error.sentence}
    return {"flows": found, "flows_archived": None}


def _told(event: Event, words: dict[int, Any]) -> dict[str, Any]:
    """An event for people; of its body what is short."""
    said = words.get(event.number)
    erased = bool(event.words_digest) and said is None
    short = {
        name: value
        for name, value in event.facts.items()
        if isinstance(value, str | int | float | bool) or value is None
    }
    return {
        "number": event.number,
        "at": event.at,
        "user": event.user,
        "role": event.role,
        "action": event.action,
        "facts": short,
        "words": "(erased)" if erased else said.text if said else None,
    }


def changes(events: list[Event]) -> dict[str, Any] | None:
    """What the last run changed: share before and after, who joined and who left. None before
    the second run."""
    runs = [event.facts for event in events if event.action in ("found", "seen")]
    if len(runs) < 2:
        return None
    before, after = runs[-2], runs[-1]
    was = {one["account"] for one in before["members"]}
    now_ = {one["account"] for one in after["members"]}
    return {
        "from_run": before["run"],
        "to_run": after["run"],
        "share": [before["share"], after["share"]],
        "grade": [before["grade"], after["grade"]],
        "joined": sorted(now_ - was),
        "left": sorted(was - now_),
    }


def what_is_next(case: Doc, policy: Policy) -> str:
    """What happens next by the policy, in a sentence."""
    level = policy.levels.get(case["level"])
    disposition = level.disposition if level else ""
    if case.get("proposed") == "unfreeze":
        return "It is below the line that froze it: unfreezing its members is proposed."
    if case["state"] == moves.PENDING:
        pending = case["pending"]
        return (
            f"{pending['by']} proposes that it is {pending['verdict']}; a second person agrees "
            "or objects."
        )
    if case["state"] == moves.CLOSED:
        return "It is closed. A run opens it again where it changes materially."
    if "due" in case:
        then = policy.clock.at_expiry.replace("_", " ")
        return f"The freeze is reviewed by {case['due']}; else: {then}."
    if case["freeze"] == "ordered":
        return "The freeze is ordered; its review time begins when the platform acknowledges it."
    if not case["may_order"]:
        return f"By itself it leads to no order. Once two people confirm it: {disposition}"
    return disposition
