"""What people do with cases: each a function of a transaction, a person and a case.

All of them raise UserError where it cannot be done, and RefusedError where this person may
not; nothing is recorded then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from graph.clock import iso, now, parse_time
from graph.errors import UserError
from graph.log import Desk, Doc, Draft
from review import moves
from review.cases import CASE, MEMBERS, ORDER, SEEN, subject
from review.freezes import frozen
from review.log import VIEWED
from review.orders import by_rule, policy_of, unfreeze
from review.people import Person, RefusedError
from review.policy import Policy

MOST_WORDS = 4_000
"""Characters of a comment or a reason."""


class StaleError(UserError):
    """A case has changed since this person looked at it. `key` and `seen`: which one, and at which
    version, where what happened since is of interest."""

    def __init__(
        self, sentence: str, hint: str | None = None, *, key: str = "", seen: int = 0
    ) -> None:
        super().__init__(sentence, hint)
        self.key, self.seen = key, seen


def find(desk: Desk, key: str) -> Doc:
    """A case. UserError where there is none."""
    case = desk.get(CASE, key)
    if case is None:
        raise UserError(f"There is no case '{key}'.", "`inconcert review list` lists them.")
    return case


def members(desk: Desk, key: str) -> list[str]:
    """The accounts of a case."""
    return [one["account"] for one in (desk.get(MEMBERS, key) or {"members": []})["members"]]


def look(desk: Desk, person: Person, key: str) -> Doc:
    """Record that somebody looked at a case; the case as it is."""
    actor = person.acting("look at a case", key, "investigator", "senior", "auditor", "operator")
    case = find(desk, key)
    desk.record(actor, Draft(VIEWED + key, "viewed", {"version": case["version"]}))
    return case


def claim(desk: Desk, person: Person, key: str) -> Doc:
    """Take a case that nobody has. Each goes to exactly one."""
    case = find(desk, key)
    if case["owner"] == person.user and case["state"] in (moves.ASSIGNED, moves.IN_REVIEW):
        return case
    if case["owner"] is not None and case["state"] not in (moves.SNOOZED, moves.REOPENED):
        raise UserError(
            f"Case {key} is {case['owner']}'s.", "`inconcert review assign` gives it to another."
        )
    moves.refuse_move(key, case["state"], moves.ASSIGNED, "claim")
    return _moved(desk, person, case, moves.ASSIGNED, "claim a case", owner=person.user)


def assign(desk: Desk, person: Person, key: str, to: str, seen: int | None = None) -> Doc:
    """Give a case to somebody. One's own may be given away by anybody, others' by a senior."""
    case = fresh(desk, person, key, seen)
    if not to.strip():
        raise UserError("Say whose it becomes.")
    person.refuse_own("assign it", key, members(desk, key))
    if case["owner"] not in (None, person.user):
        person.acting("take a case from another", key, "senior")
    by = moves.MOVES[case["state"]].get(moves.ASSIGNED, "assign")
    moves.refuse_move(key, case["state"], moves.ASSIGNED, by)
    return _moved(desk, person, case, moves.ASSIGNED, "assign a case", owner=to)


def move(
    desk: Desk, person: Person, key: str, to: str, policy: Policy, seen: int | None = None
) -> Doc:
    """Move a case to another state, where no command of its own does."""
    case = fresh(desk, person, key, seen)
    moves.refuse_move(key, case["state"], to, "move")
    person.refuse_own("move it", key, members(desk, key))
    _refuse_others(person, case, "move a case")
    more: Doc = {}
    if to == moves.TRIAGED:
        more["owner"] = None
    if to == moves.AWAITING:
        more["waiting_until"] = iso(now() + timedelta(hours=policy.clock.waiting_hours))
    return _moved(desk, person, case, to, "move a case", **more)


def snooze(desk: Desk, person: Person, key: str, until: datetime, seen: int | None = None) -> Doc:
    """Put a case aside until a time. Not while a freeze is in force: its clock does not stop."""
    case = fresh(desk, person, key, seen)
    moves.refuse_move(key, case["state"], moves.SNOOZED, "snooze")
    person.refuse_own("let it rest", key, members(desk, key))
    _refuse_others(person, case, "snooze a case")
    if until <= now():
        raise UserError(f"{iso(until)} is not in the future.", "Say until when it may rest.")
    if case["freeze"] in ("ordered", "in_force"):
        raise UserError(
            f"Case {key} has a freeze in force: its clock does not stop, so it cannot rest.",
            "Decide it, or have it unfrozen.",
        )
    until_text = iso(until)
    return _moved(desk, person, case, moves.SNOOZED, "snooze a case", snoozed_until=until_text)


def comment(desk: Desk, person: Person, key: str, words: str) -> Doc:
    """Say something about a case."""
    find(desk, key)
    actor = person.acting("comment", key, "investigator", "senior", "auditor", "operator")
    desk.record(actor, Draft(subject(key), "commented", {}, _said(words)))
    return find(desk, key)


def decide(
    desk: Desk,
    person: Person,
    key: str,
    verdict: str,
    *,
    reason: str | None = None,
    words: str | None = None,
    of: str | None = None,
    exclude: Sequence[str] = (),
    seen: int | None = None,
    fingerprint: str = "",
) -> Doc:
    """Decide a case. To confirm it, or to declare accounts unrelated, is to propose it to a
    second person. `of`: the case that it is a duplicate of; `exclude`: members whom nothing is
    to be ordered against."""
    case = fresh(desk, person, key, seen)
    _refuse_others(person, case, "decide a case")
    _refuse_unsaid(desk, case, verdict, reason, words, of, exclude)
    to = moves.PENDING if moves.needs_second(verdict, reason) else moves.CLOSED
    if verdict != "duplicate" and case["state"] not in moves.REVIEWED:
        raise UserError(
            f"Case {key} is {case['state']}: it is decided when it was reviewed.",
            f"`inconcert review move {key} in_review` begins that.",
        )
    moves.refuse_move(key, case["state"], to, "decide")
    person.refuse_own("decide about it", key, members(desk, key))
    actor = person.acting("decide a case", key, "investigator", "senior")
    body = {"verdict": verdict, "reason": reason, "of": of, "exclude": list(exclude), "to": to}
    body["named"] = person.named
    said = _said(words) if words else None
    desk.record(actor, Draft(subject(key), "decided", body, said))
    case = find(desk, key)
    if to == moves.CLOSED:
        desk.record(actor, *unfreeze(desk, fingerprint, case))
    return find(desk, key)


def second(
    desk: Desk,
    person: Person,
    key: str,
    agrees: bool,
    *,
    words: str | None = None,
    seen: int | None = None,
    fingerprint: str = "",
) -> Doc:
    """Agree to what another proposed, or object. Where both agree that one will is at work, what
    the policy that the case was found by says follows; where the accounts are unrelated, what is
    frozen is freed. Who has never looked at the case has nothing to agree to."""
    if seen is None and desk.get(SEEN, f"{key}/{person.user}") is None:
        find(desk, key)
        raise UserError(
            f"{person.user} has not looked at case {key}.", f"`inconcert review show {key}` first."
        )
    case = fresh(desk, person, key, seen)
    if case["state"] != moves.PENDING:
        raise UserError(f"Nothing is proposed in case {key}: it is {case['state']}.")
    pending = case["pending"]
    actor = person.acting("second a decision", key, "senior", "investigator")
    if person.is_one_of(pending["by"], pending["named"]):
        what = "second what they proposed themselves"
        raise RefusedError(f"{person.user} may not {what}.", what=what, about=key)
    person.refuse_own("second it", key, members(desk, key))
    if not agrees and not words:
        raise UserError("Say why you object.", "--reason WORDS.")
    body = {"agrees": agrees}
    desk.record(actor, Draft(subject(key), "seconded", body, _said(words) if words else None))
    case = find(desk, key)
    if agrees and pending["verdict"] == "confirmed":
        rule = policy_of(desk, case).rule(case["rule"])
        left_out = pending["exclude"]
        agreed = partial(by_rule, desk, fingerprint, case, rule, agreed=True)
        desk.record(actor, *agreed(exclude=left_out))
    elif agrees:
        desk.record(actor, *unfreeze(desk, fingerprint, case))
    return find(desk, key)


def reopen(desk: Desk, person: Person, key: str, words: str) -> Doc:
    """Open a closed case again, for a reason."""
    case = find(desk, key)
    moves.refuse_move(key, case["state"], moves.REOPENED, "reopen")
    person.refuse_own("open it again", key, members(desk, key))
    actor = person.acting("reopen a case", key, "senior", "operator")
    said = Draft(subject(key), "reopened", {"why": "somebody asked for it"}, _said(words))
    desk.record(actor, said)
    return find(desk, key)


def lift(
    desk: Desk,
    person: Person,
    key: str,
    words: str,
    fingerprint: str,
    accounts: Sequence[str] | None = None,
) -> Doc:
    """Order that what is frozen in a case is unfrozen, all or some accounts, before it is decided
    or after."""
    case = find(desk, key)
    frozen_now = frozen(desk, key)
    person.refuse_own("order its unfreezing", key, [*members(desk, key), *frozen_now])
    actor = person.acting("order an unfreezing", key, "senior", "operator")
    drafts = unfreeze(desk, fingerprint, case, accounts)
    if not drafts:
        whom = f" of {', '.join(accounts)}" if accounts else ""
        raise UserError(f"Nothing{whom} is frozen in case {key}.")
    desk.record(actor, Draft(subject(key), "commented", {}, _said(words)), *drafts)
    return find(desk, key)


def _moved(desk: Desk, person: Person, case: Doc, to: str, what: str, **more: Any) -> Doc:
    actor = person.acting(what, case["id"], "investigator", "senior")
    desk.record(actor, Draft(subject(case["id"]), "moved", {"to": to, **more}))
    return find(desk, case["id"])


def fresh(desk: Desk, person: Person, key: str, seen: int | None) -> Doc:
    """A case that is as this person saw it last; else StaleError. Who never looked at it acts on
    what it is."""
    case = find(desk, key)
    known = desk.get(SEEN, f"{key}/{person.user}")
    version = seen if seen is not None else (known or {}).get("version")
    if version is not None and version < case["touched"]:
        raise StaleError(
            f"Case {key} has changed since you looked at it (version {version}, now "
            f"{case['version']}): it is {case['state']}, {case['owner'] or 'nobody'}'s, at "
            f"{case['share']:.2%}.",
            f"`inconcert review show {key}` shows what is new.",
            key=key,
            seen=version,
        )
    return case


def _refuse_others(person: Person, case: Doc, what: str) -> None:
    """A case is in the hands of whom it is assigned to; a senior may step in."""
    if case["owner"] not in (None, person.user):
        person.acting(f"{what} that is {case['owner']}'s", case["id"], "senior")


def _refuse_unsaid(
    desk: Desk,
    case: Doc,
    verdict: str,
    reason: str | None,
    words: str | None,
    of: str | None,
    exclude: Sequence[str],
) -> None:
    key = case["id"]
    if verdict not in moves.VERDICTS:
        raise UserError(f"'{verdict}' is no verdict.", f"One of {', '.join(moves.VERDICTS)}.")
    if verdict == "refuted" and reason not in moves.REASONS:
        raise UserError(
            "A finding is refuted for a reason of the list.",
            f"--reason one of {', '.join(moves.REASONS)}.",
        )
    if verdict in ("confirmed", "inconclusive") and not words:
        raise UserError(f"Say why case {key} is {verdict}.", "--words WORDS.")
    if reason == "other" and not words:
        raise UserError("Something else is said in words.", "--words WORDS.")
    if (verdict == "duplicate") != (of is not None):
        raise UserError("A duplicate names the case that it doubles, and nothing else does.")
    if of is not None and (of == key or desk.get(CASE, of) is None):
        raise UserError(f"There is no other case '{of}' that it could double.")
    if of is not None and not set(members(desk, of)) & set(members(desk, key)):
        raise UserError(f"Case {of} has none of the accounts of case {key}: it is no duplicate.")
    if of is not None and frozen(desk, key):
        raise UserError(
            f"Accounts are frozen for case {key}: it is no mere duplicate.",
            "Decide it, or have them unfrozen (`inconcert review unfreeze`).",
        )
    strangers = set(exclude) - set(members(desk, key))
    if strangers:
        raise UserError(f"{min(strangers)} is no member of case {key}.")


def _said(words: str) -> str:
    text = words.strip()
    if not text:
        raise UserError("There are no words.")
    if len(text) > MOST_WORDS:
        raise UserError(f"That is {len(text):,} characters; {MOST_WORDS:,} are enough.")
    return text


def acknowledge(desk: Desk, person: Person, key: str, done: bool, at: datetime | None) -> Doc:
    """Record what the platform did with an order, by its key. Saying the same again changes
    nothing. UserError for an order that there is not, or that was answered otherwise."""
    actor = person.acting("acknowledge orders", key, "operator", "senior", "investigator")
    order = desk.get(ORDER, key)
    if order is None:
        raise UserError(f"There is no order with the key '{key}'.")
    if "acknowledged" in order:
        if order["done"] != done:
            said = "carried out" if order["done"] else "not carried out"
            raise UserError(f"Order {key} was acknowledged as {said} already.")
        return find(desk, order["case"])
    moment = at or now()
    if moment < parse_time(order["at"]):
        raise UserError(f"Order {key} is of {order['at']}; it was not done before.")
    if moment > now():
        raise UserError(f"{iso(moment)} has not come yet.")
    body = {"key": key, "done": done, "at": iso(moment)}
    desk.record(actor, Draft(subject(order["case"]), "acknowledged", body))
    return find(desk, order["case"])
