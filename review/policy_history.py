"""Which policy held when: the review log keeps every one that was published or adopted.

Each takes effect after the one before it, so the history of what held never changes. Events
have the subject "policy"; views have the kind "policy" and the number, 1, 2, …, as key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from graph.clock import iso, now, parse_time
from graph.errors import UserError
from graph.log import Actor, Desk, Doc, Draft, Event, Views
from review.policy import BUILT_IN, Policy, built_in, parse, restore
from review.policy_changes import differences, refuse_back, refuse_late, time_text

SUBJECT = KIND = "policy"
ACTIONS = ("published", "adopted")

MOST_FILED = 500
"""Characters of where an announcement was filed."""


@dataclass(frozen=True)
class Entry:
    """A policy with how it came into force."""

    number: int
    """1, 2, …; 0: built in."""
    policy: Policy
    origin: Literal["published", "adopted", "built-in"]
    announced: datetime | None
    """None: built in."""
    filed: str
    """Where the announcement was filed; may be empty of a published one."""
    differences: tuple[str, ...]
    """What it changed, in sentences."""
    recorded_at: str
    """ISO 8601, UTC."""
    user: str
    """Who recorded it."""
    event: int
    """The number of its event in the log."""


def publish(
    desk: Desk, actor: Actor, text: str, announced: datetime | None = None, filed: str = ""
) -> Entry:
    """Record a policy that takes effect in future.

    `text`: TOML; `announced`: None means by this, now; `filed`: where. UserError, and nothing
    recorded, where it is wrong, takes effect no later than the one before it, reaches back, or
    has a rule that was announced too late.
    """
    policy, earlier, moment = parse(text), entries(kept(desk)), now()
    before = earlier[-1].policy if earlier else None
    announced = announced or moment
    _refuse_name(policy)
    _refuse_future(announced, moment, policy)
    _refuse_out_of_order(policy, earlier)
    refuse_back(policy, moment, before)
    refuse_late(policy, announced, before)
    return _recorded(desk, actor, "published", policy, announced, filed)


def adopt(
    desk: Desk,
    actor: Actor,
    text: str,
    announced: datetime,
    filed: str,
    made: datetime | None = None,
) -> Entry:
    """Record a policy that was in force before the store existed; it is marked so.

    `announced`, `filed`: when and where it was made known; `made`: when the store was made,
    None means now. UserError, and nothing recorded, where it is wrong, takes effect later than
    that or before its announcement, or no later than the one before it.
    """
    policy, earlier, moment = parse(text), entries(kept(desk)), now()
    _refuse_name(policy)
    if not filed.strip():
        raise UserError("An adopted policy says where its announcement was filed.", "Give --filed.")
    if policy.effective_from > (made or moment):
        raise UserError(
            f"The policy takes effect at {time_text(policy.effective_from, policy)}; only what was "
            f"in force before the store was made ({time_text(made or moment, policy)}) is adopted.",
            "Publish it.",
        )
    if announced > policy.effective_from:
        raise UserError(
            f"The policy would reach back: it takes effect at "
            f"{time_text(policy.effective_from, policy)}, before its announcement at "
            f"{time_text(announced, policy)}."
        )
    _refuse_out_of_order(policy, earlier)
    return _recorded(desk, actor, "adopted", policy, announced, filed)


def project_policy(event: Event, views: Views) -> None:
    """The view of a policy, from its event. Events of other subjects change nothing."""
    if event.subject != SUBJECT or event.action not in ACTIONS:
        return
    body = event.facts
    said = {"recorded_at": event.at, "user": event.user, "event": event.number}
    views.put(KIND, str(body["number"]), {**body, "origin": event.action, **said})


def entries(views: Mapping[str, Doc]) -> list[Entry]:
    """All policies in the order in which they take effect.

    `views`: those of the kind "policy" by key, as `log.views("policy")` gives them. UserError
    for one that only a newer version of the program understands.
    """
    return [_entry(views[key]) for key in sorted(views, key=int)]


def entry_in_force(views: Mapping[str, Doc], moment: datetime) -> Entry:
    """The policy that holds at a time, with how it came into force: the last one whose
    `effective_from` has come. Before any it is the built-in one, marked as such."""
    begun = [
        doc
        for key, doc in sorted(views.items(), key=lambda one: int(one[0]))
        if parse_time(doc["effective_from"]) <= moment
    ]
    if begun:
        return _entry(begun[-1])
    return Entry(0, built_in(), BUILT_IN, None, "", (), "", "", 0)


def in_force(views: Mapping[str, Doc], moment: datetime) -> Policy:
    """The policy that holds at a time. `Policy.built_in` says whether it is the program's own.

    `views`: as of `entries`.
    """
    return entry_in_force(views, moment).policy


def kept(desk: Views) -> dict[str, Doc]:
    """The views of all policies, inside a transaction."""
    found: dict[str, Doc] = {}
    while (doc := desk.get(KIND, str(len(found) + 1))) is not None:
        found[str(len(found) + 1)] = doc
    return found


def _entry(doc: Mapping[str, Any]) -> Entry:
    policy = restore(doc["policy"], f"Policy {doc['number']} of the log")
    if policy.sha256 != doc["sha256"]:
        raise UserError(
            f"Policy {doc['number']} of the log is not the one whose digest it bears "
            f"({doc['sha256'][:12]}).",
            "`inconcert review verify` looks through the log.",
        )
    return Entry(
        number=doc["number"],
        policy=policy,
        origin=doc["origin"],
        announced=parse_time(doc["announced"]),
        filed=doc["filed"],
        differences=tuple(doc["differences"]),
        recorded_at=doc["recorded_at"],
        user=doc["user"],
        event=doc["event"],
    )


def _recorded(
    desk: Desk,
    actor: Actor,
    action: Literal["published", "adopted"],
    policy: Policy,
    announced: datetime,
    filed: str,
) -> Entry:
    earlier = kept(desk)
    before = entries(earlier)[-1].policy if earlier else built_in()
    body = {
        "number": len(earlier) + 1,
        "policy": policy.canonical,
        "sha256": policy.sha256,
        "announced": iso(announced),
        "effective_from": iso(policy.effective_from),
        "filed": _one_line(filed),
        "differences": differences(before, policy),
    }
    desk.record(actor, Draft(SUBJECT, action, body))
    return entries(kept(desk))[-1]


def _one_line(filed: str) -> str:
    text = " ".join(filed.split())
    if len(text) > MOST_FILED:
        raise UserError(f"Where it is filed is said in {MOST_FILED} characters.")
    return text


def _refuse_name(policy: Policy) -> None:
    if policy.built_in:
        raise UserError(f"'{BUILT_IN}' is the program's own policy.", "Give yours another name.")


def _refuse_future(announced: datetime, moment: datetime, policy: Policy) -> None:
    if announced > moment:
        raise UserError(
            f"The announcement is of {time_text(announced, policy)}, which is still to come.",
            "Publish the policy once it is announced.",
        )


def _refuse_out_of_order(policy: Policy, earlier: list[Entry]) -> None:
    last = earlier[-1] if earlier else None
    if last and policy.effective_from <= last.policy.effective_from:
        raise UserError(
            f"Policy {last.number} takes effect at "
            f"{time_text(last.policy.effective_from, policy)}; one that follows it takes effect "
            "later.",
        )
