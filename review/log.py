"""The way into the log: every event is projected by its subject, and refusals are recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from graph.errors import InconcertError
from graph.log import Desk, Draft, Event, Views
from graph.store import Store
from review.cases import PREFIX, SEEN, project_case
from review.people import Person, RefusedError
from review.policy_history import project_policy

_T = TypeVar("_T")

POLICY = "policy"
LOG = "log"
RUNS = "run/"
RUN = "run"
"""Views of the runs whose findings are in the queue, by id; LAST: the one that came last."""

LAST = "last"
VIEWED = "view/"
"""Before the id of a case, where somebody looked at it: no event of the case itself."""


def project(event: Event, views: Views) -> None:
    """What an event does to the views."""
    if event.subject.startswith(PREFIX):
        project_case(event, views)
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
    was refused."""
    try:
        return store.log.write(work, project)
    except RefusedError as refused:
        draft = Draft(LOG, "refused", {"what": refused.what, "about": refused.about})
        with suppress(InconcertError):  # the refusal itself is what has to be said
            store.log.write(lambda desk: desk.record(person.anybody(), draft), project)
        raise
