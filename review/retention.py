"""Which months may go to the archive, and what the log says of it.

A finding rests on all facts of up to its time: every family looks at the whole history, and an
appeal works the finding out again as of then. So an open case needs every month that its run
saw. A closed one does not: where a holder appeals after that, the months are brought back.
"""

from __future__ import annotations

from datetime import datetime

from graph.archive import ACTION, UNDO, summary
from graph.clock import parse_time
from graph.errors import UserError
from graph.log import Doc, Draft
from graph.store import Store
from review import moves
from review.cases import CASE
from review.log import LOG, act
from review.people import Person

EVENTS = {ACTION: "archived", UNDO: "unarchived"}
"""What the log says, by what the batch says."""

NAMED = 3


class NeededError(UserError):
    """An open case needs the facts of a month."""


def refuse_needed(store: Store, month: str) -> None:
    """NeededError where an open case needs the facts of a month ("2025-01")."""
    begin = parse_time(f"{month}-01")
    needing = [case for case in store.log.views(CASE).values() if _needs(case, begin)]
    if needing:
        named = ", ".join(case["id"] for case in needing[:NAMED])
        more = f" and {len(needing) - NAMED:,} more" if len(needing) > NAMED else ""
        one = len(needing) == 1
        raise NeededError(
            f"{month} stays: {'case' if one else 'cases'} {named}{more} "
            f"{'is' if one else 'are'} open and {'rests' if one else 'rest'} on its facts.",
            "A finding rests on all facts of up to its time; close it first.",
        )


def _needs(case: Doc, begin: datetime) -> bool:
    is_open = case["state"] != moves.CLOSED or case.get("appeals_open", 0) > 0
    return is_open and parse_time(case["as_of"]) >= begin


def record_moves(store: Store, person: Person) -> None:
    """Note in the log which months went to the archive and which came back, as far as it does not
    say so yet: what a command that was cut off moved is noted by the next one."""
    noted: dict[int, Doc] = {}
    for event in store.log.events(LOG):
        if event.action == EVENTS[ACTION]:
            noted[event.facts["batch"]] = event.facts
        elif event.action == EVENTS[UNDO]:
            noted.pop(event.facts["batch"], None)
    there = {one.batch: summary(one) for one in store.archived()}
    drafts = [
        *(_draft(ACTION, month) for batch, month in there.items() if batch not in noted),
        *(_draft(UNDO, noted[batch]) for batch in reversed(noted) if batch not in there),
    ]
    if drafts:
        act(store, person, lambda desk: desk.record(person.anybody(), *drafts))


def _draft(action: str, month: Doc) -> Draft:
    return Draft(LOG, EVENTS[action], month)
