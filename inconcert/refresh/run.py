"""A refresh from its beginning, or from where it stopped, to its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from graph.errors import BusyError, UserError
from graph.log import Desk, Doc
from graph.store import visible_batches
from inconcert.refresh.held import AtWorkError, HeldError
from inconcert.refresh.journal import Journal
from inconcert.refresh.stages import DO, settings_of
from inconcert.refresh.work import Tell, Work, settings_sha256
from inconcert.settings import settings
from review import refreshes
from review.privacy import reason_of

if TYPE_CHECKING:
    from inconcert.reviewing import Queue


@contextmanager
def refreshing(queue: Queue, tell: Tell, show: Tell, doing: str) -> Iterator[Work]:
    """The right to refresh, and what is needed for it; `tell` and `show` as of `Work`.
    AtWorkError when another one does."""
    from loaders.feeds import feeds

    found = settings()
    with ExitStack() as right:
        try:
            still_mine = right.enter_context(queue.store.refreshing(doing))
        except BusyError as busy:
            raise AtWorkError(busy.sentence, busy.hint) from None
        journal = Journal(found.refresh.log)
        yield Work(queue, found, feeds(found.feed), journal, tell, show, still_mine)


def refresh(work: Work, sort: str) -> Doc | None:
    """Go on with what was stopped, or begin; the refresh, ended. None where an increment has
    nothing to take in. HeldError where it is held.

    A night that goes on with an increment, or with a night after which more came in, is one of
    its own then: nobody does it later that night.
    """
    with work.journal.failures(sort=sort):
        done, held = _gone_on(work)
        if done is None or sort == refreshes.NIGHTLY:
            work.fetch()
            if done is None or done["sort"] != refreshes.NIGHTLY or work.waiting:
                return _anew(work, sort)
        if held:
            raise held
        return done


def _gone_on(work: Work) -> tuple[Doc | None, HeldError | None]:
    """Go on with what was stopped, and why it is held now; None where nothing was."""
    unfinished = refreshes.latest(work.store.log.view, refreshes.LAST)
    if not unfinished or unfinished["state"] != refreshes.RUNNING:
        return None, None
    work.refresh = unfinished
    work.journal.say("resumed", refresh=work.number)
    if "load" not in unfinished["stages"]:
        work.fetch()
    try:
        return go_on(work), None
    except HeldError as held:
        return work.refresh, held


def _anew(work: Work, sort: str) -> Doc | None:
    """Begin with what waits to be taken in. None where an increment has nothing."""
    if sort == refreshes.INCREMENT and not _anything_new(work):
        DO["orders"](work)
        return None
    _begin(work, sort)
    return go_on(work)


def _anything_new(work: Work) -> bool:
    """Whether a feed has something, or what is known changed otherwise since the last refresh: by
    a load by hand, a withdrawal, a supply."""
    last = refreshes.latest(work.store.log.view, refreshes.LAST)
    if work.waiting or last is None:
        return bool(work.waiting)
    if "load" not in last["stages"]:  # dropped before it had seen what it took
        return True
    known, changes = last["stages"]["load"]["out"]["known_at"], work.store.batches()
    numbers = [0, *(one.batch for one in changes)]
    return any(one.action != "archive" for one in changes[numbers.index(known) :])


def go_on(work: Work) -> Doc:
    """Do the stages that are not done."""
    while stage := refreshes.next_stage(work.refresh):
        work.tell(stage)
        begun = time.perf_counter()
        out = DO[stage](work)
        facts = {
            "stage": stage,
            "known_at": (out if stage == "load" else work.out("load"))["known_at"],
            "settings": settings_of(work, stage, out),
            "seconds": round(time.perf_counter() - begun, 3),
            "out": out,
        }
        work.record("staged", facts)
    work.record("ended", {})
    work.clear()
    return work.refresh


def _begin(work: Work, sort: str) -> None:
    facts = {"settings": settings_sha256(work.settings)}

    def begin(desk: Desk) -> Doc:
        return refreshes.begin(desk, work.actor, sort, facts)

    work.refresh = work.queue.act(begin)
    work.journal.say("begun", refresh=work.number, sort=sort, **facts)


def release(work: Work, number: int, reason: str) -> Doc:
    """Go on with a refresh that is held. UserError where what it found rests on facts that were
    taken back since."""
    words = reason_of(reason)
    work.refresh = _held(work, number, "release")
    _refuse_withdrawn(work)
    with work.journal.failures(refresh=number):
        work.record("released", {}, words)
        return go_on(work)


def drop(work: Work, number: int, reason: str) -> Doc:
    """Give up a refresh that is held, or was stopped."""
    words = reason_of(reason)
    work.refresh = _held(work, number, "drop", refreshes.RUNNING)
    work.record("dropped", {}, words)
    work.clear()
    return work.refresh


def _refuse_withdrawn(work: Work) -> None:
    changes = work.store.batches()
    then = {one.batch for one in visible_batches(changes, work.out("load")["known_at"])}
    now = {one.batch for one in visible_batches(changes, changes[-1].batch if changes else 0)}
    if gone := then - now:
        raise UserError(
            f"What refresh {work.number} found rests on batch {min(gone)}, which was withdrawn.",
            f"`inconcert refresh drop {work.number}` gives it up; the next one goes by what is "
            "known now.",
        )


def _held(work: Work, number: int, what: str, *others: str) -> Doc:
    """The refresh to be released or dropped. UserError where it is not held, or somebody may
    not."""
    work.queue.person.acting(f"{what} a refresh", f"refresh/{number}", "senior", "operator")
    found = refreshes.refresh_of(work.store.log.view, number)
    if found["state"] not in (refreshes.HELD, *others):
        why = found.get("dropped", {}).get("reason")
        raise UserError(f"Refresh {number} is not held: it is {found['state']}.", why)
    return found
