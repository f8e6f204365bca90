"""The way into the log: every event is projected by its subject, and refusals are recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from graph.errors import InconcertError, UserError
from graph.log import Desk, Draft, Event, Views, sort_of
from graph.store import Store
from review import refreshes
from review.cases import CHANGES, PREFIX, SEEN, project_case
from review.people import Person, RefusedError
from review.policy_history import ACTIONS, project_policy

_T = TypeVar("_T")

POLICY = "policy"
LOG = "log"
RUNS = "run/"
RUN = "run"
"""Views of the runs whose findings are in the queue, by id; LAST: the one that came last."""

LAST = "last"
VIEWED = "view/"
"""Before the id of a case, where somebody looked at it: no event of the case itself."""

SORTS = {
    *(f"{PREFIX}{action}" for action in CHANGES),
    *(f"{POLICY}/{action}" for action in ACTIONS),
    f"{VIEWED}viewed",
    f"{RUNS}filled",
    *(f"{refreshes.PREFIX}{action}" for action in refreshes.CHANGES),
}
"""The sorts of events that change views. Those about the log itself change none, whatever they
are. A new sort is all that it takes to keep older versions from a log."""


class NewerError(UserError):
    """A newer version has written to the log. `what`: which of it, and "is" or "are"."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} of a newer version of inconcert than this one; nothing was changed.",
            "Use that version, or one that is newer still.",
        )


def understands(sort: str) -> bool:
    """Whether this version knows what events of a sort (`graph.log.sort_of`) come to."""
    return sort in SORTS or sort.startswith(f"{LOG}/")


def project(event: Event, views: Views) -> None:
    """What an event does to the views. NewerError for one of a newer version."""
    if event.action in CHANGES and event.subject.startswith(PREFIX):
        project_case(event, views)
        return
    if not understands(sort_of(event)):
        raise NewerError(f"Event {event.number} ({event.action} of {event.subject}) is")
    if event.subject.startswith(refreshes.PREFIX):
        refreshes.project_refresh(event, views)
    elif event.subject == POLICY:
        project_policy(event, views)
    elif event.subject.startswith(VIEWED):
        case = event.subject.removeprefix(VIEWED)
        views.put(SEEN, f"{case}/{event.user}", {"version": event.facts["version"]})
    elif event.subject.startswith(RUNS):
        run = event.subject.removeprefix(RUNS)
        doc = {**event.facts, "run": run, "at": event.at, "number": event.number}
        views.put(RUN, run, doc)
        views.put(RUN, LAST, doc)


def act(store: Store, person: Person, work: Callable[[Desk], _T]) -> _T:
    """One transaction of a person. Where it is refused, nothing of it is written but that it
    was refused. NewerError for a log that a newer version has written to: what its events come to
    is not known here, even if they are about something else."""

    def understood(desk: Desk) -> _T:
        unknown = [sort for sort in desk.sorts if not understands(sort)]
        if unknown:
            raise NewerError(f"The log has events ({', '.join(unknown)}) that are")
        return work(desk)

    try:
        return store.log.write(understood, project)
    except RefusedError as refused:
        draft = Draft(LOG, "refused", {"what": refused.what, "about": refused.about})
        with suppress(InconcertError):  # the refusal itself is what has to be said
            store.log.write(lambda desk: desk.record(person.anybody(), draft), project)
        raise
