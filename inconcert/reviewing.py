"""What the commands of the queue share: who acts, on which store, by which policy."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from graph.clock import now
from graph.errors import InconcertError
from graph.log import Desk, Doc, Draft
from graph.store import Store
from inconcert.accounts import as_kept
from inconcert.manners import Manners
from inconcert.settings import settings
from review.cases import CASE, subject
from review.desk import StaleError
from review.log import LOG, act, project
from review.people import Person, RefusedError, person
from review.policy_history import in_force

if TYPE_CHECKING:
    from review.policy import Policy

_T = TypeVar("_T")

MOST_SINCE = 10
"""Of the events that somebody has not seen, so many are named."""


@dataclass(frozen=True)
class Queue:
    """The queue of a store, and somebody at it."""

    store: Store
    person: Person

    @classmethod
    def of(cls, manners: Manners, acting_as: str | None = None) -> Queue:
        """The queue of the store that a command names. RefusedError where somebody may not act
        as another; that is logged."""
        store = manners.open()
        try:
            who = _by_login(store, person(settings().review, acting_as))
            own = tuple(as_kept(store, account) for account in (who.user, *who.accounts))
            return cls(store, replace(who, accounts=own))
        except RefusedError as refused:
            me = _by_login(store, person(settings().review)).anybody()
            draft = Draft(LOG, "refused", {"what": refused.what, "about": refused.about})
            with suppress(InconcertError):  # the refusal itself is what has to be said
                store.log.write(lambda desk: desk.record(me, draft), project)
            raise

    @cached_property
    def policy(self) -> Policy:
        """The policy in force now."""
        return in_force(self.store.log.views("policy"), now())

    @property
    def fingerprint(self) -> str:
        """What names the store in the keys of orders."""
        return self.store.properties.key_fingerprint

    def act(self, work: Callable[[Desk], _T]) -> _T:
        """One transaction. Who acts on what is out of date is told what happened since."""
        try:
            return act(self.store, self.person, work)
        except StaleError as stale:
            if not stale.key:
                raise
            events = self.store.log.events(subject(stale.key))
            since = [
                f"event {event.number}: {event.action} by {event.user}"
                for event in events
                if event.version > stale.seen
            ]
            more = f"{len(since) - MOST_SINCE:,} more, then " if len(since) > MOST_SINCE else ""
            hint = f"Since then: {more}{', '.join(since[-MOST_SINCE:])}. {stale.hint}"
            raise StaleError(stale.sentence, hint, key=stale.key, seen=stale.seen) from None

    def cases(self) -> list[Doc]:
        """All cases, by id."""
        return list(self.store.log.views(CASE).values())

    def find(self, name: str) -> str:
        """The id of a case by itself or by how it begins. UserError when it is none or several."""
        from graph.errors import UserError

        if self.store.log.view(CASE, name):
            return name
        found = [key for key in self.store.log.views(CASE) if key.startswith(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"'{name}' could be any of {', '.join(found[:5])}.")
        raise UserError(f"There is no case '{name}'.", "`inconcert review list` lists them.")


def _by_login(store: Store, who: Person) -> Person:
    """Somebody, with the database's user besides the machine's: "ann / reviewer"."""
    if store.database_user is None:
        return who
    return replace(who, login=f"{who.login} / {store.database_user}")
